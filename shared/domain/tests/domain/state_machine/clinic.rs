//! The journal of a small clinic, and everything that may happen in it.

mod telling;

use std::collections::{BTreeMap, BTreeSet};

use callboard_contracts::waitlist::{
    BookedBy, CalendarWord, EntryEvent, Ineligible, Minutes, Mode, OverrideReason, OwnBooking,
    Policy, SlotEvent, SlotReleased, Terms, Urgency,
};
use callboard_contracts::{EntryId, RecipientId, SlotId, Timestamp};
use callboard_domain::waitlist::cascade::Offers;
use callboard_domain::waitlist::entry::{self, Entry, EntryStatus, Wishes};
use callboard_domain::waitlist::policy::{Numbered, Policies, Usual};
use callboard_domain::waitlist::slot::{
    self, BookSlot, DrawFrom, Freed, FromCalendar, Look, News, ReleaseSlot, Slot, SlotDetails,
    SlotStatus, Step, told_by_calendar,
};
use callboard_domain::waitlist::{Audience, Considered, Refusal, Selection, cascade, lottery};

use super::known::Known;
use super::swaps::{Chains, Own};
use super::{Action, ENTRIES, PEOPLE, SLOTS};
use crate::given::*;

pub const SKIP_LIMIT: u8 = 2;

/// Longer than any slot can take to come to an end: each entry once, and a look or two.
const STEPS_MAX: usize = 100;

pub struct Clinic {
    pub now: Timestamp,
    pub slots: Vec<Slot>,
    pub entries: Vec<Entry>,
    pub known: Known,
    pub chains: Chains,
    /// Who was told of a slot's version.
    audiences: BTreeMap<(usize, u32), Audience>,
    /// Names of events, codes of refusals and reasons, and stories that occurred.
    pub seen: BTreeSet<String>,
}

fn name(entry: usize) -> String {
    format!("e{entry}")
}

pub fn entry_at(id: &EntryId) -> usize {
    id.as_str()[1..].parse().expect("one of ours")
}

/// Some have two entries: one that was booked, and one that waits for something sooner.
fn person(entry: usize) -> RecipientId {
    join_command(&name(entry % PEOPLE), Urgency::Routine).recipient_id
}

/// How many swaps in a row each way to offer a slot allows.
const fn swap_depth(mode: usize) -> u8 {
    if mode.is_multiple_of(2) { 1 } else { 2 }
}

impl Clinic {
    pub fn new() -> Self {
        Self {
            now: NOON,
            slots: vec![Slot::default(); SLOTS],
            entries: vec![Entry::default(); ENTRIES],
            known: Known::of(ENTRIES),
            audiences: BTreeMap::new(),
            chains: Chains::default(),
            seen: BTreeSet::new(),
        }
    }

    pub fn act(&mut self, action: &Action) {
        match *action {
            Action::Release { slot, mode } => self.release(slot, mode),
            Action::Withdraw(at) => self.of_slot(at, slot::withdraw(&self.slots[at])),
            Action::Book { slot, person: who } => {
                let command = BookSlot {
                    by: BookedBy::Staff,
                    external_id: None,
                    recipient_id: who.map(person),
                };
                self.of_slot(slot, slot::book(&self.slots[slot], &command));
            }
            Action::Hear { slot, word, late } => self.hear(slot, word, late),
            Action::Cascade(at) => self.cascade(at),
            Action::Tell(at) => self.tell(at),
            Action::Answer { pick, yes, delay } => self.answer(pick, yes, delay),
            Action::Take { slot, entry } => self.take(slot, entry),
            Action::Join { entry, wishes } => {
                let mut command = join_command(&name(entry), Urgency::ALL[entry % 3]);
                command.recipient_id = person(entry);
                command.wishes = self.wishes(entry, wishes);
                self.of_entry(entry, entry::join(&self.entries[entry], &command));
            }
            Action::Change { entry, wishes } => {
                let wishes = self.wishes(entry, wishes);
                let state = &self.entries[entry];
                let events = entry::change_preferences(state, &wishes, &timing(), self.now);
                self.of_entry(entry, events);
            }
            Action::Pause(entry) => self.give_back(entry, |slot, entry, now| {
                cascade::pause(slot, entry, &timing(), now)
            }),
            Action::Leave(entry) => self.give_back(entry, cascade::leave),
            Action::Resume(entry) => {
                let events = entry::resume(&self.entries[entry], &timing(), self.now);
                self.of_entry(entry, events);
            }
            Action::Override { entry, to } => {
                let (state, why) = (&self.entries[entry], OverrideReason::Clinical);
                let events = entry::override_rank(state, to, why, &timing(), self.now);
                self.of_entry(entry, events);
            }
            Action::Pass(count) => self.now = self.now.plus(seconds(count)),
        }
        self.check();
    }

    /// The ways in which a slot is offered.
    fn terms(mode: usize) -> Terms {
        let mut terms = rules(|rules| {
            rules.mode = match mode {
                0 | 1 => Mode::Sequential,
                2 => Mode::Batch { size: 2 },
                3 => Mode::Batch { size: 3 },
                4 => Mode::Broadcast,
                _ => Mode::Lottery,
            };
            rules.grace_seconds = if mode == 0 { 10 } else { 0 };
            rules.broadcast_within_seconds = if mode == 1 { 3_000 } else { 0 };
            rules.audience_max = Some(telling::AUDIENCE);
            rules.cutoff_seconds = 600;
            rules.skip_limit = Some(SKIP_LIMIT);
            rules.swap_depth = swap_depth(mode);
        });
        terms.seed = (terms.rules.mode == Mode::Lottery).then(|| format!("{mode:032x}"));
        terms
    }

    /// What an entry may wish; what it has to give up is what is booked for it.
    fn wishes(&self, entry: usize, sort: usize) -> Wishes {
        let mut wishes = Wishes {
            auto_accept: matches!(sort, 3 | 5),
            ..Wishes::default()
        };
        let wants = &mut wishes.preferences;
        match sort {
            1 => wants.locations.push("north".to_owned()),
            2 => {
                wants.minutes = Some(Minutes {
                    min: None,
                    max: Some(1),
                });
            }
            4..=6 => {
                // Some are mistaken about when their appointment is.
                let mistaken = seconds(if sort == 6 { 5_000 } else { 0 });
                let theirs = self
                    .slots
                    .iter()
                    .find(|slot| slot.booked_for() == Some(&person(entry)));
                wants.own_booking = theirs.map(|slot| OwnBooking {
                    slot_id: Some(facts(slot).slot_id.clone()),
                    starts_at: facts(slot).starts_at.plus(mistaken),
                    ends_at: facts(slot).ends_at.plus(mistaken),
                    swap: true,
                });
            }
            _ => {}
        }
        wishes
    }

    fn release(&mut self, at: usize, mode: usize) {
        let version = self.slots[at].version();
        let starts_at = self.now.plus(seconds(7_200 + 2_000 * at as u64));
        let command = ReleaseSlot {
            slot_id: SlotId::parse(&format!("slot-{at}")).expect("an id"),
            starts_at,
            ends_at: starts_at.plus(seconds(1_800)),
            after_version: (version > 0).then_some(version),
            details: SlotDetails {
                location: Some(["north", "south"][at % 2].to_owned()),
                terms: Some(Self::terms(mode)),
                ..SlotDetails::default()
            },
            ..release_command()
        };
        self.of_slot(at, slot::release(&self.slots[at], &command, self.now));
    }

    /// The calendar knows nothing of our versions, and frees only what it has told of itself.
    fn hear(&mut self, at: usize, word: CalendarWord, late: u64) {
        let slot = &self.slots[at];
        let last = self.known.calendar.get(&at).copied();
        let revision = last.map_or(9, |last| last.revision + 1) - late;
        let said = said_of(at, revision, word, self.now);
        let policies = Policies {
            general: Some(Numbered {
                version: 1,
                policy: Policy {
                    window_seconds: 1_800,
                    zone: None,
                    rules: Self::terms(at).rules,
                },
            }),
            ..Policies::default()
        };
        let usual = Usual {
            window_seconds: 60,
            zone: None,
        };
        let resolve = |freed: &Freed| policies.resolve(&freed.service, None, usual, 1);
        let decision = told_by_calendar(slot, &said, resolve, self.now);
        if last.is_some_and(|last| last.revision >= revision) {
            assert!(decision.is_err(), "an old word was taken for a new one");
        }
        let taken = self.known.booked.contains(&(at, slot.version()));
        let knows = last.is_some_and(|last| {
            last.word == CalendarWord::Booked && last.version == slot.version()
        });
        let events = decision.map(|events| named(at, events));
        let frees = |events: &Vec<SlotEvent>| {
            let frees = |event: &SlotEvent| matches!(event, SlotEvent::SlotReleased(_));
            events.iter().any(frees)
        };
        if taken && events.as_ref().is_ok_and(frees) {
            assert!(
                knows,
                "I1: somebody lost a slot to a calendar that did not know of them"
            );
        }
        self.of_slot(at, events);
    }

    fn cascade(&mut self, at: usize) {
        let slot = self.slots[at].clone();
        match slot::next_step(&slot, &timing(), self.now) {
            Step::Nothing | Step::Wait { .. } => {}
            Step::Close => {
                let events = slot::close(&slot, &timing(), self.now).expect("it says so itself");
                self.commit(at, &events);
            }
            Step::Broadcast => self.broadcast(at, &slot),
            Step::FindCandidates { want, draw } => self.find(at, &slot, want, draw),
        }
    }

    fn find(&mut self, at: usize, slot: &Slot, want: usize, draw: Option<DrawFrom<'_>>) {
        let mut order = self.known.ranked(self.now);
        let mut look = Look::as_of(Some(self.now));
        if let Some(draw) = draw {
            let pool = order
                .iter()
                .filter_map(|who| self.entries[*who].candidate());
            let drawn = lottery::draw(draw.seed, draw.number, pool.collect(), None, self.now);
            order = drawn
                .order
                .iter()
                .map(|it| entry_at(&it.entry_id))
                .collect();
            look.draw = Some(drawn.record);
        }
        let mut selection = Selection::new(slot, want, timing(), self.now);
        let mut settled = Vec::new();
        for who in &order {
            let entry = &self.entries[*who];
            let expected = self.known.may_be_offered(*who, at, facts(slot), self.now);
            match selection.consider(&entry_id(&name(*who)), entry) {
                Considered::Taken => assert!(expected, "{who} was taken"),
                Considered::LeftForNext => {
                    assert!(expected, "{who} was left for the next time");
                    self.seen.insert("left for the next".to_owned());
                }
                Considered::PassedOver(reason) => {
                    assert!(!expected, "I4: {who} was passed over: {reason}");
                    self.seen.insert(reason.code().to_owned());
                    if reason == Ineligible::SkipLimit {
                        settled.push((*who, entry::settle(entry, &timing(), self.now)));
                    }
                }
            }
            if selection.is_full() {
                break;
            }
        }
        for (who, events) in settled {
            assert_eq!(names(&events), ["offer-lapsed", "entry-paused"]);
            self.commit_entry(who, &events);
        }
        if selection.is_empty() {
            look.passed = selection.passed().to_vec();
            let events = slot::no_candidate(slot, &look, &timing(), self.now).expect("it is free");
            self.commit(at, &events);
            return;
        }
        let passed = selection.passed().len();
        let own = self.own(selection.swaps());
        let former = own.as_ref().map(Own::former);
        let offers = selection.offer(former, look).expect("an offer");
        assert_eq!(
            recorded(&offers),
            passed,
            "I4: not all who were passed over are recorded"
        );
        if offers.accepted {
            self.seen.insert("taken at once".to_owned());
        }
        self.commit(at, &offers.slot);
        for (id, events) in &offers.entries {
            self.commit_entry(entry_at(id), events);
        }
        self.swapped(at, own, offers.former);
    }

    fn tell(&mut self, at: usize) {
        self.tell_more(at);
        for told in self.slots[at].to_tell.clone() {
            let who = entry_at(&told.entry_id);
            let skips = self.known.people[who].skips;
            let events = entry::told(&self.entries[who], &told);
            self.commit_entry(who, &events);
            let again = entry::told(&self.entries[who], &told);
            assert!(again.is_empty(), "told twice");
            assert_eq!(
                self.known.people[who].skips, skips,
                "somebody else's act is no skip"
            );
        }
        let told = slot::told(&self.slots[at]);
        if told.is_empty() {
            return;
        }
        assert!(
            slot::due(&self.slots[at], &timing()).is_some(),
            "nobody would tell them"
        );
        self.commit(at, &told);
        assert_eq!(slot::told(&self.slots[at]), [], "once");
    }

    /// An answer is received now and decided after `delay`; in between the cascade runs on time.
    fn answer(&mut self, pick: usize, yes: bool, delay: u64) {
        let offers = &self.known.offers;
        let Some((id, made)) = offers.iter().nth(pick % offers.len().max(1)) else {
            return;
        };
        let (id, made) = (id.clone(), made.clone());
        let received_at = self.now;
        self.now = self.now.plus(seconds(delay));
        for at in 0..SLOTS {
            self.cascade(at);
        }
        let standing = !self.known.offers[&id].ended;
        let honoured = standing && received_at < made.expires_at;
        let entry = self.entries[made.entry].clone();
        let slot = self.slots[made.slot].clone();
        if !yes {
            let decision = cascade::decline(&slot, &entry, &id, received_at);
            self.judge(honoured, decision.as_ref().err());
            if let Ok(both) = decision {
                self.commit(made.slot, &both.slot);
                self.commit_entry(made.entry, &both.entry);
            }
            return;
        }
        let own = self.own(entry.swaps());
        let former = own.as_ref().map(Own::former);
        let decision = cascade::accept(&slot, &entry, former, &id, received_at, &timing());
        self.judge(honoured, decision.as_ref().err());
        if let Ok(taken) = decision {
            self.commit(made.slot, &taken.slot);
            self.commit_entry(made.entry, &taken.entry);
            self.failed(&entry, taken.former.is_none());
            self.swapped(made.slot, own, taken.former);
        }
    }

    fn judge(&mut self, honoured: bool, refusal: Option<&Refusal>) {
        match refusal {
            None => assert!(honoured, "I3: honoured though late or gone"),
            Some(refusal) => {
                self.seen.insert(refusal.code().to_owned());
                assert!(!honoured, "I3: refused though in time: {refusal:?}");
            }
        }
    }

    fn take(&mut self, at: usize, who: usize) {
        let (slot, entry) = (self.slots[at].clone(), self.entries[who].clone());
        let Some(facts) = &slot.facts else { return };
        let id = facts.offer_id(&entry_id(&name(who)));
        let offered = self.known.offers.contains_key(&id);
        let open = matches!(slot.status, SlotStatus::Broadcast { ends_at } if self.now < ends_at);
        let expected = open && self.known.may_be_offered(who, at, facts, self.now);
        if offered {
            return;
        }
        if matches!(slot.status, SlotStatus::Broadcast { .. }) {
            let refusal = cascade::decline(&slot, &entry, &id, self.now).expect_err("no claim");
            self.seen.insert(refusal.code().to_owned());
        }
        let own = self.own(entry.swaps());
        let former = own.as_ref().map(Own::former);
        let decision = cascade::accept(&slot, &entry, former, &id, self.now, &timing());
        assert_eq!(decision.is_ok(), expected, "{decision:?}");
        match decision {
            Ok(taken) => {
                self.seen.insert("taken from a broadcast".to_owned());
                self.commit(at, &taken.slot);
                self.commit_entry(who, &taken.entry);
                self.failed(&entry, taken.former.is_none());
                self.swapped(at, own, taken.former);
            }
            Err(refusal) => {
                self.seen.insert(refusal.code().to_owned());
            }
        }
    }

    fn give_back(
        &mut self,
        who: usize,
        decide: fn(Option<&Slot>, &Entry, Timestamp) -> Result<cascade::Both, Refusal>,
    ) {
        let entry = self.entries[who].clone();
        let held = entry.offered_slot().map(slot_at);
        let slot = held.map(|held| &self.slots[held]);
        match decide(slot, &entry, self.now) {
            Ok(both) => {
                if let Some(held) = held {
                    self.commit(held, &both.slot);
                }
                self.commit_entry(who, &both.entry);
            }
            Err(refusal) => {
                self.seen.insert(refusal.code().to_owned());
            }
        }
    }

    fn of_slot(&mut self, at: usize, decision: Result<Vec<SlotEvent>, Refusal>) {
        match decision {
            Ok(events) => self.commit(at, &events),
            Err(refusal) => {
                self.seen.insert(refusal.code().to_owned());
            }
        }
    }

    fn of_entry(&mut self, at: usize, decision: Result<Vec<EntryEvent>, Refusal>) {
        match decision {
            Ok(events) => self.commit_entry(at, &events),
            Err(refusal) => {
                self.seen.insert(refusal.code().to_owned());
            }
        }
    }

    pub fn commit(&mut self, at: usize, events: &[SlotEvent]) {
        self.seen.extend(names(events));
        let offers = self.known.offers.iter();
        let standing: Vec<_> = offers
            .filter(|(_, made)| made.slot == at && !made.ended)
            .map(|(id, made)| (id.clone(), made.clone()))
            .collect();
        for event in events {
            self.known.note_slot(at, event, self.now);
        }
        self.slots[at] = fold(std::mem::take(&mut self.slots[at]), events, self.now);
        let by_others = |event: &SlotEvent| {
            use SlotEvent::{SlotBooked, SlotFilled, SlotWithdrawn};
            matches!(event, SlotFilled(_) | SlotBooked(_) | SlotWithdrawn(_))
        };
        if !events.iter().any(by_others) {
            return;
        }
        for (id, made) in standing {
            let told = self.slots[at]
                .to_tell
                .iter()
                .any(|told| told.offer_id == id);
            let expected = self.now < made.expires_at && !self.known.offers[&id].accepted;
            assert_eq!(told, expected, "who has to be told that {id} has ended");
        }
    }

    pub fn commit_entry(&mut self, at: usize, events: &[EntryEvent]) {
        self.seen.extend(names(events));
        for event in events {
            self.known.note_entry(at, event, self.now);
        }
        self.entries[at] = fold(std::mem::take(&mut self.entries[at]), events, self.now);
    }

    fn check(&self) {
        for (at, entry) in self.entries.iter().enumerate() {
            assert_eq!(entry.skips, self.known.people[at].skips);
            if let EntryStatus::Booked(offer) = &entry.status {
                let slot = slot_at(&offer.slot_id);
                assert!(self.known.booked.contains(&(slot, offer.slot_version)));
            }
        }
        for (at, slot) in self.slots.iter().enumerate() {
            for held in slot.held() {
                let made = &self.known.offers[&held.offer_id];
                assert!(!made.ended && made.slot == at && made.version == slot.version());
            }
        }
    }

    /// I5: whatever happened, every slot ends when the cascade runs whenever work is due, and
    /// nobody is left with an offer that somebody else's act has ended.
    pub fn comes_to_an_end(&mut self) {
        for at in 0..SLOTS {
            let mut steps = 0;
            while let Some(due) = slot::due(&self.slots[at], &timing()) {
                self.now = self.now.max(due);
                self.tell(at);
                self.cascade(at);
                self.check();
                steps += 1;
                assert!(steps <= STEPS_MAX, "I5: it goes round and round");
            }
            assert!(!matches!(
                self.slots[at].status,
                SlotStatus::Open { .. } | SlotStatus::Held { .. } | SlotStatus::Broadcast { .. }
            ));
        }
    }
}

/// A word of the calendar on a slot that begins in two hours.
fn said_of(at: usize, revision: u64, word: CalendarWord, now: Timestamp) -> FromCalendar {
    let starts_at = now.plus(seconds(7_200 + 2_000 * at as u64));
    let news = match word {
        CalendarWord::Free => News::Free(Freed {
            service: "physio".to_owned(),
            starts_at,
            ends_at: starts_at.plus(seconds(1_800)),
            location: None,
            provider: None,
            zone: None,
            after_version: None,
        }),
        CalendarWord::Booked => News::Booked { recipient_id: None },
        CalendarWord::Gone => News::Gone,
    };
    FromCalendar {
        waitlist_id: waitlist_id(),
        external_id: format!("apt-{at}"),
        revision,
        news,
    }
}

/// The events with the id that the clinic has for the slot: staff release it too.
fn named(at: usize, events: Vec<SlotEvent>) -> Vec<SlotEvent> {
    let id = SlotId::parse(&format!("slot-{at}")).expect("an id");
    let named = events.into_iter().map(|event| match event {
        SlotEvent::SlotReleased(event) => SlotEvent::SlotReleased(SlotReleased {
            slot_id: id.clone(),
            ..event
        }),
        other => other,
    });
    named.collect()
}

pub fn slot_at(id: &SlotId) -> usize {
    id.as_str()["slot-".len()..].parse().expect("one of ours")
}

/// How many were recorded as passed over with the offer.
fn recorded(offers: &Offers) -> usize {
    let of = |event: &SlotEvent| match event {
        SlotEvent::CandidatesPassedOver(it) => it.passed.values().map(Vec::len).sum(),
        _ => 0,
    };
    offers.slot.iter().map(of).sum()
}
