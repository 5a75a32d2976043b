//! Random interleavings of everything that may happen to slots and entries, with commands that
//! are decided on time, late, twice and in any order: invariants I1 to I5 hold after each.

mod clinic;
mod known;
mod swaps;

use std::collections::BTreeSet;

use callboard_contracts::waitlist::{BroadcastEvent, CalendarWord, EntryEvent, RankTo, SlotEvent};
use callboard_domain::waitlist::SlotStatus;
use callboard_domain::waitlist::slot;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use self::clinic::Clinic;
use crate::given::*;

const SLOTS: usize = 3;
const ENTRIES: usize = 6;

/// The last two have two entries each.
const PEOPLE: usize = 4;

/// How many ways a slot is offered in: see `Clinic::terms`.
const MODES: usize = 6;

/// How many sorts of wishes there are: see `Clinic::wishes`.
const WISHES: usize = 7;

/// How long an answer may be on its way through `command-api`; less than the grace.
const ON_ITS_WAY: u64 = 4;

#[derive(Debug, Clone)]
enum Action {
    Release {
        slot: usize,
        mode: usize,
    },
    Withdraw(usize),
    /// Staff books the slot, for one of those who wait or for somebody else.
    Book {
        slot: usize,
        person: Option<usize>,
    },
    /// The practice's own calendar says how a slot stands: now, or as of some words ago.
    Hear {
        slot: usize,
        word: CalendarWord,
        late: u64,
    },
    Cascade(usize),
    /// The entries whose offers were ended by others hear of it, and more of those whom a slot
    /// is told to.
    Tell(usize),
    /// Answers an offer that was made at some time; decided `delay` s after it was received.
    Answer {
        pick: usize,
        yes: bool,
        delay: u64,
    },
    /// Takes a slot that is open to all who wait.
    Take {
        slot: usize,
        entry: usize,
    },
    Join {
        entry: usize,
        wishes: usize,
    },
    Change {
        entry: usize,
        wishes: usize,
    },
    Pause(usize),
    Resume(usize),
    Override {
        entry: usize,
        to: RankTo,
    },
    Leave(usize),
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let slot = || 0..SLOTS;
    let entry = || 0..ENTRIES;
    let words = vec![CalendarWord::Free, CalendarWord::Booked, CalendarWord::Gone];
    let word = prop::sample::select(words);
    let to = prop::sample::select(vec![RankTo::Front, RankTo::Urgent, RankTo::Own]);
    prop_oneof![
        4 => (slot(), 0..MODES).prop_map(|(slot, mode)| Action::Release { slot, mode }),
        1 => slot().prop_map(Action::Withdraw),
        2 => (slot(), prop::option::weighted(0.8, entry()))
            .prop_map(|(slot, person)| Action::Book { slot, person }),
        3 => (slot(), word, 0..3u64).prop_map(|(slot, word, late)| Action::Hear { slot, word, late }),
        12 => slot().prop_map(Action::Cascade),
        2 => slot().prop_map(Action::Tell),
        8 => (any::<prop::sample::Index>(), prop::bool::weighted(0.6), 0..=ON_ITS_WAY)
            .prop_map(|(pick, yes, delay)| Action::Answer { pick: pick.index(64), yes, delay }),
        2 => (slot(), entry()).prop_map(|(slot, entry)| Action::Take { slot, entry }),
        8 => (entry(), 0..WISHES).prop_map(|(entry, wishes)| Action::Join { entry, wishes }),
        3 => (entry(), 0..WISHES).prop_map(|(entry, wishes)| Action::Change { entry, wishes }),
        1 => entry().prop_map(Action::Pause),
        2 => entry().prop_map(Action::Resume),
        1 => (entry(), to).prop_map(|(entry, to)| Action::Override { entry, to }),
        1 => entry().prop_map(Action::Leave),
        8 => prop_oneof![3 => 0..40u64, 3 => 1_790..1_810u64, 1 => 5_000..6_000u64]
            .prop_map(Action::Pass),
    ]
}

/// How the appointments came about that some would give up for sooner ones.
#[derive(Debug, Clone, Copy)]
enum Before {
    None,
    ByStaff,
    ByOffer,
}

/// What happens in a clinic; in most, two have appointments and wait for sooner ones, and one such
/// becomes free.
fn day(most: usize) -> impl Strategy<Value = Vec<Action>> {
    let before = prop::sample::select(vec![Before::None, Before::ByStaff, Before::ByOffer]);
    let actions = prop::collection::vec(action(), 1..most);
    (before, 0..MODES, actions).prop_map(|(before, mode, actions)| {
        let booked = [1, 2]
            .into_iter()
            .flat_map(|slot| booked(slot, mode, before));
        let sooner = (!matches!(before, Before::None)).then_some(Action::Release { slot: 0, mode });
        booked.chain(sooner).chain(actions).collect()
    })
}

/// One slot is booked for one of those who have two entries, and the other of these waits.
fn booked(slot: usize, mode: usize, before: Before) -> Vec<Action> {
    let entry = ENTRIES - slot;
    let release = Action::Release { slot, mode };
    let waits = Action::Join { entry, wishes: 4 };
    let yes = |pick| Action::Answer {
        pick,
        yes: true,
        delay: 0,
    };
    match before {
        Before::None => Vec::new(),
        Before::ByStaff => {
            let person = Some(entry);
            vec![release, Action::Book { slot, person }, waits]
        }
        Before::ByOffer => {
            let first = Action::Join {
                entry: entry % PEOPLE,
                wishes: 0,
            };
            let grace = Action::Pass(10);
            // Of the offers by their ids: a second yes to the first one is a repetition.
            let offered = [release, first, grace, Action::Cascade(slot), yes(0), yes(1)];
            offered.into_iter().chain([waits]).collect()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn invariants_one_to_five_hold_over_every_interleaving(
        actions in day(80)
    ) {
        let mut clinic = Clinic::new();
        for action in &actions {
            clinic.act(action);
        }
        clinic.comes_to_an_end();
    }
}

proptest! {
    #[test]
    fn every_slot_comes_to_an_end_when_the_cascade_runs_whenever_work_is_due(
        joins in 0..ENTRIES, mode in 0..MODES
    ) {
        let mut clinic = Clinic::new();
        for entry in 0..joins {
            clinic.act(&Action::Join { entry, wishes: 0 });
        }
        clinic.act(&Action::Release { slot: 0, mode });
        let mut steps = 0;
        while let Some(due) = slot::due(&clinic.slots[0], &timing()) {
            clinic.now = clinic.now.max(due);
            clinic.act(&Action::Cascade(0));
            steps += 1;
            prop_assert!(steps <= joins + 4, "I5: it goes round and round");
        }
        prop_assert!(matches!(
            clinic.slots[0].status,
            SlotStatus::OpenedToPublic | SlotStatus::Withdrawn
        ));
    }
}

#[test]
fn the_interleavings_reach_every_event_and_every_way_to_be_refused() {
    let mut runner = TestRunner::deterministic();
    let actions = day(80);
    let mut seen = BTreeSet::new();
    for _ in 0..1_500 {
        let mut clinic = Clinic::new();
        for action in actions.new_tree(&mut runner).expect("actions").current() {
            clinic.act(&action);
        }
        clinic.comes_to_an_end();
        seen.extend(clinic.seen);
    }
    let own = SlotEvent::TYPES.iter().chain(BroadcastEvent::TYPES);
    let own = own.chain(EntryEvent::TYPES);
    let events = own.filter_map(|full| full.rsplit('.').nth(1));
    let refusals = [
        "already-accepted",
        "already-answered",
        "already-booked",
        "already-declined",
        "already-joined",
        "already-left",
        "already-paused",
        "already-released",
        "already-withdrawn",
        "calendar-contradicts",
        "calendar-told-later",
        "answer-on-its-way",
        "booking-given-up",
        "entry-booked",
        "entry-exists",
        "entry-left",
        "entry-not-found",
        "not-eligible",
        "not-paused",
        "nothing-to-decline",
        "offer-expired",
        "offer-superseded",
        "rank-unchanged",
        "slot-not-found",
        "slot-taken",
        "slot-withdrawn",
        "wishes-unchanged",
    ];
    // Why somebody is passed over, but for what these entries cannot have.
    let reasons = [
        "has-offer",
        "no-sooner",
        "offered-before",
        "other-location",
        "paused",
        "skip-limit",
        "swap-depth",
        "too-close-to-own-booking",
        "wrong-duration",
    ];
    // What happened in more than one stream.
    let stories = [
        "a swap failed",
        "swapped",
        "swapped twice in a row",
        "taken at once",
        "taken from a broadcast",
        "left for the next",
    ];
    for expected in events.chain(refusals).chain(reasons).chain(stories) {
        assert!(seen.contains(expected), "never {expected}: {seen:?}");
    }
}
