//! Random interleavings of everything that may happen to slots and entries, with commands that
//! are decided on time, late, twice and in any order: invariants I1, I2 and I3 hold after each.

use std::collections::{BTreeMap, BTreeSet};

use callboard_contracts::waitlist::{EntryEvent, HoldEnd, SlotEvent, Urgency};
use callboard_contracts::{EntryId, OfferId, SlotId, Timestamp};
use callboard_domain::waitlist::entry::{self, Entry, EntryStatus};
use callboard_domain::waitlist::slot::{self, ReleaseSlot, Slot, SlotStatus, Step};
use callboard_domain::waitlist::{Refusal, cascade};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::given::*;

const SLOTS: usize = 2;
const ENTRIES: usize = 4;

/// How long an answer may be on its way through `command-api`; less than the grace.
const ON_ITS_WAY: u64 = 4;

#[derive(Debug, Clone)]
enum Action {
    Release(usize),
    Withdraw(usize),
    Cascade(usize),
    /// Answers an offer that was made at some time; decided `delay` s after it was received.
    Answer {
        pick: usize,
        yes: bool,
        delay: u64,
    },
    Join(usize),
    Leave(usize),
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => (0..SLOTS).prop_map(Action::Release),
        1 => (0..SLOTS).prop_map(Action::Withdraw),
        8 => (0..SLOTS).prop_map(Action::Cascade),
        6 => (any::<prop::sample::Index>(), any::<bool>(), 0..=ON_ITS_WAY)
            .prop_map(|(pick, yes, delay)| Action::Answer { pick: pick.index(64), yes, delay }),
        4 => (0..ENTRIES).prop_map(Action::Join),
        1 => (0..ENTRIES).prop_map(Action::Leave),
        6 => prop_oneof![0..40u64, 1_790..1_810u64].prop_map(Action::Pass),
    ]
}

#[derive(Debug, Clone)]
struct Made {
    slot: usize,
    version: u32,
    entry: usize,
    expires_at: Timestamp,
}

/// The journal of a small clinic, and what the test knows of it without the code under test.
struct Clinic {
    now: Timestamp,
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    offers: BTreeMap<OfferId, Made>,
    booked: BTreeSet<(usize, u32)>,
    ended: BTreeMap<OfferId, HoldEnd>,
    accepted: BTreeSet<OfferId>,
    /// Names of events and codes of refusals that occurred.
    seen: BTreeSet<String>,
}

fn name(entry: usize) -> String {
    format!("e{entry}")
}

impl Clinic {
    fn new() -> Self {
        Self {
            now: NOON,
            slots: vec![Slot::default(); SLOTS],
            entries: vec![Entry::default(); ENTRIES],
            offers: BTreeMap::new(),
            booked: BTreeSet::new(),
            ended: BTreeMap::new(),
            accepted: BTreeSet::new(),
            seen: BTreeSet::new(),
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Release(at) => self.release(at),
            Action::Withdraw(at) => {
                if let Ok(events) = slot::withdraw(&self.slots[at]) {
                    self.commit(Some((at, &events)), None);
                }
            }
            Action::Cascade(at) => self.cascade(at),
            Action::Answer { pick, yes, delay } => self.answer(pick, yes, delay),
            Action::Join(at) => {
                let command = join_command(&name(at), Urgency::ALL[at % 3]);
                if let Ok(events) = entry::join(&self.entries[at], &command) {
                    self.commit(None, Some((at, &events)));
                }
            }
            Action::Leave(at) => self.leave(at),
            Action::Pass(count) => self.now = self.now.plus(seconds(count)),
        }
        self.check();
    }

    fn release(&mut self, at: usize) {
        let version = self.slots[at].version();
        let command = ReleaseSlot {
            slot_id: SlotId::parse(&format!("slot-{at}")).expect("an id"),
            starts_at: self.now.plus(seconds(7_200)),
            ends_at: self.now.plus(seconds(9_000)),
            after_version: (version > 0).then_some(version),
            ..release_command()
        };
        if let Ok(events) = slot::release(&self.slots[at], &command, self.now) {
            self.commit(Some((at, &events)), None);
        }
    }

    fn cascade(&mut self, at: usize) {
        let slot = self.slots[at].clone();
        match slot::next_step(&slot, &timing(), self.now) {
            Step::Nothing | Step::Wait { .. } => {}
            Step::Close => {
                let events = slot::close(&slot, &timing(), self.now).expect("it says so itself");
                self.commit(Some((at, &events)), None);
            }
            Step::FindCandidate => {
                for who in 0..ENTRIES {
                    let entry = self.entries[who].clone();
                    match cascade::offer(&slot, &entry, Some(self.now), &timing(), self.now) {
                        Ok(both) => {
                            self.commit(Some((at, &both.slot)), Some((who, &both.entry)));
                            return;
                        }
                        Err(Refusal::NotEligible(_)) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                let events = slot::no_candidate(&slot, &timing(), self.now).expect("it is free");
                self.commit(Some((at, &events)), None);
            }
        }
    }

    /// An answer is received now and decided after `delay`; in between the cascade runs on time.
    fn answer(&mut self, pick: usize, yes: bool, delay: u64) {
        let Some((id, made)) = self.offers.iter().nth(pick % self.offers.len().max(1)) else {
            return;
        };
        let (id, made) = (id.clone(), made.clone());
        let received_at = self.now;
        self.now = self.now.plus(seconds(delay));
        for at in 0..SLOTS {
            self.cascade(at);
        }
        let (slot, entry) = (&self.slots[made.slot], &self.entries[made.entry]);
        let standing = !self.ended.contains_key(&id)
            && !self.accepted.contains(&id)
            && slot.version() == made.version
            && matches!(slot.status, SlotStatus::Held { .. });
        let in_time = received_at < made.expires_at;
        let decide = if yes {
            cascade::accept
        } else {
            cascade::decline
        };
        match decide(slot, entry, &id, received_at) {
            Ok(both) => {
                assert!(
                    standing && in_time,
                    "I3: honoured though late or gone: {made:?}"
                );
                if yes {
                    self.accepted.insert(id);
                }
                self.commit(
                    Some((made.slot, &both.slot)),
                    Some((made.entry, &both.entry)),
                );
            }
            Err(refusal) => {
                self.seen.insert(refusal.code().to_owned());
                assert!(
                    !(standing && in_time),
                    "I3: refused though in time: {refusal:?}"
                );
            }
        }
    }

    fn leave(&mut self, at: usize) {
        let entry = self.entries[at].clone();
        let held = (0..SLOTS).find(|slot| {
            entry
                .offered_slot()
                .is_some_and(|id| id.as_str() == format!("slot-{slot}"))
        });
        let slot = held.map(|slot| self.slots[slot].clone());
        if let Ok(both) = cascade::leave(slot.as_ref(), &entry, self.now) {
            let of_slot = held.map(|slot| (slot, both.slot.as_slice()));
            self.commit(of_slot, Some((at, &both.entry)));
        }
    }

    fn commit(
        &mut self,
        slot: Option<(usize, &[SlotEvent])>,
        entry: Option<(usize, &[EntryEvent])>,
    ) {
        if let Some((at, events)) = slot {
            self.seen.extend(names(events));
            for event in events {
                self.note(at, event);
            }
            self.slots[at] = fold(self.slots[at].clone(), events, self.now);
        }
        if let Some((at, events)) = entry {
            self.seen.extend(names(events));
            self.entries[at] = fold(self.entries[at].clone(), events, self.now);
        }
    }

    /// Keeps book of what was committed, and checks what a single event may not do.
    fn note(&mut self, slot: usize, event: &SlotEvent) {
        match event {
            SlotEvent::SlotHeld(event) => {
                let made = Made {
                    slot,
                    version: event.slot_version,
                    entry: (0..ENTRIES)
                        .find(|at| EntryId::parse(&name(*at)).as_ref() == Ok(&event.entry_id))
                        .expect("one of ours"),
                    expires_at: event.expires_at,
                };
                let twice = self.offers.values().any(|other| {
                    (other.slot, other.version, other.entry) == (slot, made.version, made.entry)
                });
                assert!(!twice, "I2: the same version was offered twice: {made:?}");
                assert!(self.offers.insert(event.offer_id.clone(), made).is_none());
            }
            SlotEvent::HoldReleased(event) => {
                if event.reason == HoldEnd::Expired {
                    let end = self.offers[&event.offer_id].expires_at;
                    assert!(self.now >= end.plus(seconds(5)), "expired before its grace");
                }
                assert!(
                    self.ended
                        .insert(event.offer_id.clone(), event.reason)
                        .is_none()
                );
            }
            SlotEvent::SlotFilled(event) => {
                let first = self.booked.insert((slot, event.slot_version));
                assert!(first, "I1: the version was booked twice");
            }
            _ => {}
        }
    }

    fn check(&self) {
        let mut live: BTreeMap<&EntryId, usize> = BTreeMap::new();
        for slot in &self.slots {
            if let SlotStatus::Held {
                entry_id,
                expires_at,
                ..
            } = &slot.status
                && self.now < *expires_at
            {
                *live.entry(entry_id).or_default() += 1;
            }
        }
        assert!(live.values().all(|count| *count == 1), "I2: {live:?}");
        for (at, entry) in self.entries.iter().enumerate() {
            if let EntryStatus::Booked(offer) = &entry.status {
                let made = &self.offers[&offer.offer_id];
                assert!(self.booked.contains(&(made.slot, made.version)));
                assert_eq!(made.entry, at, "the booking is of the entry that holds it");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn invariants_one_to_three_hold_over_every_interleaving(
        actions in prop::collection::vec(action(), 1..80)
    ) {
        let mut clinic = Clinic::new();
        for action in &actions {
            clinic.act(action);
        }
    }

    #[test]
    fn every_slot_comes_to_an_end_when_the_cascade_runs_whenever_work_is_due(
        joins in 0..ENTRIES
    ) {
        let mut clinic = Clinic::new();
        for at in 0..joins {
            clinic.act(&Action::Join(at));
        }
        clinic.act(&Action::Release(0));
        let mut steps = 0;
        while let Some(due) = slot::due(&clinic.slots[0], &timing()) {
            clinic.now = clinic.now.max(due);
            clinic.act(&Action::Cascade(0));
            steps += 1;
            prop_assert!(steps <= joins + 3, "I5: it goes round and round");
        }
        prop_assert!(matches!(
            clinic.slots[0].status,
            SlotStatus::OpenedToPublic | SlotStatus::Withdrawn
        ));
    }
}

#[test]
fn the_interleavings_reach_every_event_and_every_way_to_be_too_late() {
    let mut runner = TestRunner::deterministic();
    let actions = prop::collection::vec(action(), 40..80);
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let mut clinic = Clinic::new();
        for action in actions.new_tree(&mut runner).expect("actions").current() {
            clinic.act(&action);
        }
        seen.extend(clinic.seen);
    }
    let own = SlotEvent::TYPES.iter().chain(EntryEvent::TYPES);
    let events = own.filter_map(|full| full.rsplit('.').nth(1));
    let refusals = [
        "offer-expired",
        "offer-superseded",
        "slot-taken",
        "slot-withdrawn",
        "already-accepted",
        "already-answered",
        "already-declined",
    ];
    for expected in events.chain(refusals) {
        assert!(seen.contains(expected), "never {expected}: {seen:?}");
    }
}
