//! Why others went first: what is told afterwards is what was so, for every offer of random
//! stories that the real decisions have made.

use callboard_contracts::waitlist::{
    Draw, EntryEvent, Ineligible, Minutes, Mode, OverrideReason, RankTo, SlotEvent, Urgency,
};
use callboard_contracts::{EntryId, SlotId, Timestamp};
use callboard_domain::waitlist::entry::{self, Entry, EntryStatus, OfferDetails, Wishes};
use callboard_domain::waitlist::explain::{Turn, Way, Why, compare, turns};
use callboard_domain::waitlist::slot::{self, Look, OfferFate, Slot};
use callboard_domain::waitlist::{Considered, Selection, cascade, matching};
use proptest::prelude::*;

use crate::given::*;

/// Stories tried. Each has up to 24 steps, and every offer of it is explained to every entry.
const STORIES: u32 = 2_000;

struct Person {
    id: EntryId,
    entry: Entry,
    commits: Vec<(Timestamp, Vec<EntryEvent>)>,
}

impl Person {
    fn joining(number: usize, urgency: Urgency, wishes: Wishes, at: Timestamp) -> Self {
        let id = format!("e{number:02}");
        let mut command = join_command(&id, urgency);
        command.wishes = wishes;
        let mut person = Self {
            id: entry_id(&id),
            entry: Entry::default(),
            commits: Vec::new(),
        };
        let events = entry::join(&person.entry, &command).expect("a join");
        person.commit(at, events);
        person
    }

    fn commit(&mut self, at: Timestamp, events: Vec<EntryEvent>) {
        self.entry = fold(std::mem::take(&mut self.entry), &events, at);
        self.commits.push((at, events));
    }
}

/// How an entry stood when the slot was offered.
#[derive(Debug, Clone, PartialEq)]
enum Truth {
    Asked,
    PassedOver(Ineligible),
    /// Not looked at. With whether the slot suits it.
    NotLookedAt {
        paused: bool,
        booked: bool,
        asked_before: bool,
        suits: Result<(), Ineligible>,
    },
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Offer,
    Decline,
    Expire,
    Pause(usize),
    Resume(usize),
    Wish(usize, bool),
    ToFront(usize),
    Back(usize),
    /// Another slot is offered to it.
    Busy(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Offer),
        3 => Just(Act::Decline),
        2 => Just(Act::Expire),
        1 => (0..8usize).prop_map(Act::Pause),
        1 => (0..8usize).prop_map(Act::Resume),
        1 => (0..8usize, any::<bool>()).prop_map(|(at, picky)| Act::Wish(at, picky)),
        1 => (0..8usize).prop_map(Act::ToFront),
        1 => (0..8usize).prop_map(Act::Back),
        2 => (0..8usize).prop_map(Act::Busy),
    ]
}

/// Long enough slots only, which ours is not, or anything.
fn wishes(picky: bool, auto_accept: bool) -> Wishes {
    let mut wishes = Wishes {
        auto_accept,
        ..Wishes::default()
    };
    if picky {
        wishes.preferences.minutes = Some(Minutes {
            min: Some(120),
            max: None,
        });
    }
    wishes
}

struct Story {
    slot: Slot,
    commits: Vec<(Timestamp, Vec<SlotEvent>)>,
    people: Vec<Person>,
    now: Timestamp,
    truths: Vec<(Timestamp, Vec<Truth>)>,
}

impl Story {
    fn begin(people: Vec<(usize, bool, bool)>, batch: u8) -> Self {
        let terms = rules(|rules| {
            rules.max_wait_days = Some(1);
            if batch > 1 {
                rules.mode = Mode::Batch { size: batch };
            }
        });
        let joined = |(number, (urgency, picky, auto)): (usize, (usize, bool, bool))| {
            // Some have waited for longer than a day at noon.
            let at = NOON.minus(seconds(40_000 * (number as u64 % 4) + 7 * number as u64));
            Person::joining(number, Urgency::ALL[urgency], wishes(picky, auto), at)
        };
        let people = people.into_iter().enumerate().map(joined).collect();
        let mut command = release_command();
        command.details.terms = Some(terms);
        let events = slot::release(&Slot::default(), &command, NOON).expect("a release");
        Self {
            slot: fold(Slot::default(), &events, NOON),
            commits: vec![(NOON, events)],
            people,
            now: NOON,
            truths: Vec::new(),
        }
    }

    fn act(&mut self, act: Act) {
        self.now = self.now.plus(seconds(1));
        let now = self.now;
        let timing = timing();
        let one = |people: &mut Vec<Person>,
                   at: usize,
                   events: &dyn Fn(&Entry) -> Option<Vec<EntryEvent>>| {
            let count = people.len();
            let person = &mut people[at % count];
            if let Some(events) = events(&person.entry).filter(|events| !events.is_empty()) {
                person.commit(now, events);
            }
        };
        match act {
            Act::Offer => self.offer(),
            Act::Decline => self.decline(),
            Act::Expire => self.now = now.plus(WINDOW).plus(seconds(10)),
            // Pausing ends a standing offer; the slot's part is not what is told here.
            Act::Pause(at) => one(&mut self.people, at, &|entry| {
                let waits = entry.status == EntryStatus::Waiting;
                waits
                    .then(|| entry::pause(entry, &timing, now).ok())
                    .flatten()
            }),
            Act::Resume(at) => one(&mut self.people, at, &|entry| {
                entry::resume(entry, &timing, now).ok()
            }),
            Act::Wish(at, picky) => one(&mut self.people, at, &|entry| {
                let wishes = wishes(picky, entry.wishes.auto_accept);
                entry::change_preferences(entry, &wishes, &timing, now).ok()
            }),
            Act::Busy(at) => one(&mut self.people, at, &|entry| {
                let mut other = facts(&open_slot()).clone();
                other.slot_id = SlotId::parse("slot-2").expect("an id");
                other.version = u32::try_from(now.as_secs() - NOON.as_secs()).expect("small");
                let details = OfferDetails {
                    expires_at: now.plus(WINDOW),
                    batch: 1,
                    score: None,
                };
                let waits = entry.status == EntryStatus::Waiting;
                let offer = || entry::offer(entry, &other, &details, &timing, now).ok();
                waits.then(offer).flatten()
            }),
            Act::ToFront(at) | Act::Back(at) => one(&mut self.people, at, &|entry| {
                let to = if matches!(act, Act::Back(_)) {
                    RankTo::Own
                } else {
                    RankTo::Front
                };
                entry::override_rank(entry, to, OverrideReason::Clinical, &timing, now).ok()
            }),
        }
    }

    fn decline(&mut self) {
        let Some(held) = self.slot.held().first().cloned() else {
            return;
        };
        let Some(person) = self
            .people
            .iter_mut()
            .find(|person| person.id == held.entry_id)
        else {
            return;
        };
        let both = cascade::decline(&self.slot, &person.entry, &held.offer_id, self.now);
        if let Ok(both) = both {
            person.commit(self.now, both.entry);
            self.commit(both.slot);
        }
    }

    fn commit(&mut self, events: Vec<SlotEvent>) {
        self.slot = fold(std::mem::take(&mut self.slot), &events, self.now);
        self.commits.push((self.now, events));
    }

    /// As the cascade does: those on the list by rank, each as its stream has it, until enough are
    /// found.
    fn offer(&mut self) {
        let (now, timing) = (self.now, timing());
        let want = facts(&self.slot).offers_at_once();
        let max_wait = facts(&self.slot).max_wait();
        let mut list: Vec<_> = self
            .people
            .iter()
            .filter(|person| {
                matches!(
                    person.entry.status,
                    EntryStatus::Waiting | EntryStatus::Offered(_)
                )
            })
            .filter(|person| !self.slot.offered.contains(&person.id))
            .filter_map(|person| person.entry.candidate())
            .collect();
        list.sort_by(|a, b| a.compare(b, max_wait, now));
        let slot = self.slot.clone();
        let mut selection = Selection::new(&slot, want, timing, now);
        let mut looked = std::collections::HashMap::new();
        for candidate in list {
            if selection.is_full() {
                break;
            }
            let person = self
                .people
                .iter()
                .find(|person| person.id == candidate.entry_id);
            let entry = &person.expect("on the list").entry;
            looked.insert(
                candidate.entry_id.clone(),
                selection.consider(&candidate.entry_id, entry),
            );
        }
        if selection.is_empty() {
            return;
        }
        let Ok(offers) = selection.offer(None, Look::as_of(Some(now))) else {
            return;
        };
        let truths = self
            .people
            .iter()
            .map(|person| match looked.get(&person.id) {
                Some(Considered::Taken) => Truth::Asked,
                Some(Considered::PassedOver(reason)) => Truth::PassedOver(*reason),
                Some(Considered::LeftForNext) | None => Truth::NotLookedAt {
                    paused: matches!(person.entry.status, EntryStatus::Paused(_)),
                    asked_before: slot.offered.contains(&person.id),
                    booked: matches!(person.entry.status, EntryStatus::Booked(_)),
                    suits: matching::suits(&person.entry.wishes.preferences, facts(&slot), now),
                },
            });
        self.truths.push((now, truths.collect()));
        for (id, events) in offers.entries {
            let person = self.people.iter_mut().find(|person| person.id == id);
            person.expect("asked").commit(now, events);
        }
        self.commit(offers.slot);
    }

    fn told(&self, person: &Person) -> Vec<Turn> {
        let slot = (Slot::default(), self.commits.as_slice());
        turns(&person.id, slot, (Entry::default(), &person.commits))
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (at, person) in self.people.iter().enumerate() {
            let told = self.told(person);
            prop_assert_eq!(told.len(), self.truths.len(), "every offer is told");
            for (turn, (when, truths)) in told.iter().zip(&self.truths) {
                prop_assert_eq!(turn.at, *when);
                self.check_one(person, turn, &truths[at])?;
            }
        }
        Ok(())
    }

    fn check_one(&self, person: &Person, turn: &Turn, truth: &Truth) -> Result<(), TestCaseError> {
        let told = (&turn.why, truth);
        match told {
            (Why::Own(_), Truth::Asked)
            | (
                Why::HadItsTurn(_),
                Truth::NotLookedAt {
                    asked_before: true, ..
                },
            )
            | (Why::Booked, Truth::NotLookedAt { booked: true, .. })
            | (Why::Paused(_), Truth::NotLookedAt { paused: true, .. }) => {}
            (
                Why::PassedOver {
                    reason,
                    recorded_at,
                },
                Truth::PassedOver(because),
            ) => {
                prop_assert_eq!((reason, *recorded_at), (because, turn.at));
            }
            // A reason from before that holds still.
            (Why::PassedOver { reason, .. }, Truth::NotLookedAt { suits, .. }) => {
                prop_assert_eq!(*suits, Err(*reason));
            }
            (
                Why::ByRank,
                Truth::NotLookedAt {
                    asked_before: false,
                    paused: false,
                    ..
                },
            ) => {
                let asked = turn.to.last().expect("somebody was asked");
                let other = self.people.iter().find(|other| other.id == asked.entry_id);
                let other = &other.expect("one of them").commits;
                let compared = compare(turn, (Entry::default(), &person.commits), other);
                let compared = compared.expect("its offer has a score");
                prop_assert!(compared.other_first, "{compared:?}");
            }
            _ => prop_assert!(false, "{} was told as {told:?}", person.id),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: STORIES, ..ProptestConfig::default() })]

    #[test]
    fn every_offer_to_others_is_explained_to_everybody_as_it_was(
        people in prop::collection::vec((0..3usize, prop::bool::weighted(0.3), prop::bool::weighted(0.1)), 2..9),
        batch in 1..4u8,
        acts in prop::collection::vec(act(), 1..24),
    ) {
        let mut story = Story::begin(people, batch);
        for act in acts {
            story.act(act);
        }
        story.check()?;
    }
}

#[test]
fn who_was_asked_before_is_told_how_it_ended_and_who_stands_behind_that_it_does() {
    // All joined within a minute: by rank the urgent one is first, then the third, whom no slot
    // suits, then the second.
    let at = |number: usize, urgency, picky| {
        let joined = NOON.minus(seconds(1_000 - number as u64));
        Person::joining(number, urgency, wishes(picky, false), joined)
    };
    let mut story = Story {
        people: vec![
            at(0, Urgency::Urgent, false),
            at(1, Urgency::Routine, false),
            at(2, Urgency::Soon, true),
        ],
        ..Story::begin(Vec::new(), 1)
    };
    for act in [Act::Offer, Act::Decline, Act::Offer] {
        story.act(act);
    }
    let whys = |at: usize| -> Vec<Why> {
        let told = story.told(&story.people[at]).into_iter();
        told.map(|turn| turn.why).collect()
    };
    let declined = Some(OfferFate::Declined);
    assert_eq!(whys(0), [Why::Own(declined), Why::HadItsTurn(declined)]);
    assert_eq!(whys(1), [Why::ByRank, Why::Own(None)]);
    let passed_over = Why::PassedOver {
        reason: Ineligible::WrongDuration,
        recorded_at: NOON.plus(seconds(3)),
    };
    assert_eq!(whys(2), [Why::ByRank, passed_over]);
}

#[test]
fn a_draw_tells_what_it_takes_to_repeat_it() {
    let mut terms = rules(|rules| rules.mode = Mode::Lottery);
    terms.seed = Some("00ff".to_owned());
    let slot = slot_on(terms.clone());
    let mut command = release_command();
    command.details.terms = Some(terms);
    let released = slot::release(&Slot::default(), &command, NOON).expect("a release");
    let draw = Draw {
        number: 0,
        pool: 2,
        digest: "d".to_owned(),
    };
    let look = Look {
        draw: Some(draw.clone()),
        ..Look::default()
    };
    let at = NOON.plus(seconds(1));
    let held = slot::hold(&slot, &[entry_id("bob")], &look, &timing(), at).expect("a hold");
    let commits = [(NOON, released), (at, held)];
    let joined = entry::join(&Entry::default(), &join_command("ada", Urgency::Routine));
    let own = [(NOON, joined.expect("a join"))];
    let told = turns(
        &entry_id("ada"),
        (Slot::default(), &commits),
        (Entry::default(), &own),
    );
    let [turn] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(turn.way, Way::Offered(1));
    assert_eq!(
        turn.why,
        Why::Drawn {
            draw,
            seed: Some("00ff".to_owned())
        }
    );
    assert_eq!(turn.why.code(), "drawn-by-lot");
}

#[test]
fn what_was_offered_before_it_joined_or_of_another_service_does_not_concern_an_entry() {
    let (slot, _, _) = offered("bob");
    let released = slot::release(&Slot::default(), &release_command(), NOON).expect("a release");
    let look = Look::default();
    let held = slot::hold(&open_slot(), &[entry_id("bob")], &look, &timing(), NOON);
    let commits = [(NOON, released), (NOON, held.expect("a hold"))];
    let told = |command: &entry::Join, at: Timestamp| {
        let joined = entry::join(&Entry::default(), command).expect("a join");
        let own = [(at, joined)];
        turns(
            &command.entry_id,
            (Slot::default(), &commits),
            (Entry::default(), &own),
        )
        .len()
    };
    let ada = join_command("ada", Urgency::Routine);
    assert_eq!(told(&ada, NOON), 1);
    assert_eq!(told(&ada, NOON.plus(seconds(1))), 0);
    let massage = entry::Join {
        service: "massage".to_owned(),
        ..ada
    };
    assert_eq!(told(&massage, NOON), 0);
    assert_eq!(slot.offered_at, Some(NOON));
}

#[test]
fn every_reason_has_a_word_for_the_person_and_none_of_them_says_it() {
    let all = Ineligible::ALL.map(|reason| Why::PassedOver {
        reason,
        recorded_at: NOON,
    });
    for why in all
        .iter()
        .chain([&Why::ByRank, &Why::NotSeen, &Why::ForAll, &Why::Own(None)])
    {
        let person = why.to_person();
        assert!(
            !person.contains("entry") && !person.ends_with('.'),
            "{person}"
        );
        assert!(why.sentence().ends_with('.') && !why.code().is_empty());
    }
}
