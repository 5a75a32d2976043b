//! Properties of the rank.

use std::cmp::Ordering;
use std::collections::HashSet;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::Urgency;
use callboard_domain::waitlist::rank::{Candidate, merge, weight};
use proptest::prelude::*;

use crate::given::entry_id;

fn candidate() -> impl Strategy<Value = Candidate> {
    (0..3usize, 0..5_000i64, 0..200u32).prop_map(|(class, joined_at, id)| Candidate {
        entry_id: entry_id(&format!("e{id:03}")),
        urgency: Urgency::ALL[class],
        joined_at: Timestamp::from_millis(joined_at),
    })
}

fn classes(all: &[Candidate]) -> Vec<Vec<Candidate>> {
    Urgency::ALL
        .iter()
        .map(|urgency| {
            let mut class: Vec<_> = all
                .iter()
                .filter(|c| c.urgency == *urgency)
                .cloned()
                .collect();
            class.sort_by(|a, b| (a.joined_at, &a.entry_id).cmp(&(b.joined_at, &b.entry_id)));
            class
        })
        .collect()
}

proptest! {
    #[test]
    fn merging_the_classes_gives_the_order_of_a_full_sort(
        mut all in prop::collection::vec(candidate(), 0..60), now in 0..10_000i64
    ) {
        // An entry stands on a list once.
        let mut seen = HashSet::new();
        all.retain(|candidate| seen.insert(candidate.entry_id.clone()));
        let now = Timestamp::from_millis(now);
        let merged: Vec<_> = merge(classes(&all), now).collect();
        let mut sorted = all;
        sorted.sort_by(|a, b| a.compare(b, now));
        prop_assert_eq!(merged, sorted);
    }

    #[test]
    fn within_a_class_the_order_never_changes(
        one in candidate(), two in candidate(), early in 0..10_000i64, later in 0..10_000_000i64
    ) {
        let two = Candidate { urgency: one.urgency, ..two };
        let at = |millis| one.compare(&two, Timestamp::from_millis(millis));
        prop_assert_eq!(at(early), at(early + later));
    }

    #[test]
    fn the_order_is_total_and_consistent(
        a in candidate(), b in candidate(), c in candidate(), now in 0..10_000i64
    ) {
        let now = Timestamp::from_millis(now);
        prop_assert_eq!(a.compare(&b, now), b.compare(&a, now).reverse());
        if a.compare(&b, now).is_le() && b.compare(&c, now).is_le() {
            prop_assert!(a.compare(&c, now).is_le());
        }
        if a.compare(&b, now) == Ordering::Equal {
            prop_assert_eq!(&a.entry_id, &b.entry_id);
        }
    }

    #[test]
    fn nobody_is_overtaken_for_ever(urgent_joined in 0..1_000_000i64, now in 0..100_000_000i64) {
        // A routine entry is ahead of every urgent one that has waited less than a ninth of its time.
        let routine = Candidate {
            entry_id: entry_id("r"),
            urgency: Urgency::Routine,
            joined_at: Timestamp::from_millis(0),
        };
        let urgent = Candidate {
            entry_id: entry_id("u"),
            urgency: Urgency::Urgent,
            joined_at: Timestamp::from_millis(urgent_joined),
        };
        let waited = (now - urgent_joined).max(0);
        let ahead = routine.compare(&urgent, Timestamp::from_millis(now)).is_lt();
        prop_assert_eq!(ahead, now >= 9 * waited);
    }
}

#[test]
fn weights_are_one_three_and_nine() {
    assert_eq!(Urgency::ALL.map(weight), [1, 3, 9]);
}

#[test]
fn equal_scores_are_decided_by_time_of_joining_then_id() {
    let at = |id: &str, urgency, joined_at| Candidate {
        entry_id: entry_id(id),
        urgency,
        joined_at: Timestamp::from_millis(joined_at),
    };
    let now = Timestamp::from_millis(900);
    let routine = at("z", Urgency::Routine, 0);
    let urgent = at("a", Urgency::Urgent, 800);
    assert_eq!(routine.score(now), urgent.score(now));
    assert!(routine.compare(&urgent, now).is_lt());
    let twin = at("y", Urgency::Routine, 0);
    assert!(twin.compare(&routine, now).is_lt());
}
