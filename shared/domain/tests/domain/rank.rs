//! Properties of the rank.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::Urgency;
use callboard_domain::waitlist::rank::{Ahead, Candidate, Place, merge, weight};
use proptest::prelude::*;

use crate::given::entry_id;

fn at(id: &str, urgency: Urgency, joined_at: i64) -> Candidate {
    Candidate::new(entry_id(id), urgency, Timestamp::from_millis(joined_at))
}

/// One in five was moved to the front.
fn candidate() -> impl Strategy<Value = Candidate> {
    (0..3usize, 0..5_000i64, 0..200u32, 0..5u8, 0..20i64).prop_map(
        |(class, joined_at, id, moved, when)| Candidate {
            overridden_at: (moved == 0).then(|| Timestamp::from_millis(5_000 + when)),
            ..at(&format!("e{id:03}"), Urgency::ALL[class], joined_at)
        },
    )
}

/// Short enough for some to be over it, and others not.
fn ceiling() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of((0..12_000u64).prop_map(Duration::from_millis))
}

/// The classes as the views keep them: each sorted by what never changes.
fn classes(all: &[Candidate]) -> Vec<Vec<Candidate>> {
    let mut classes: Vec<Vec<Candidate>> = vec![Vec::new(); 4];
    for candidate in all {
        let class = match candidate.overridden_at {
            Some(_) => 3,
            None => candidate.urgency as usize,
        };
        classes[class].push(candidate.clone());
    }
    for class in &mut classes {
        class.sort_by(|a, b| {
            (a.overridden_at, a.joined_at, &a.entry_id).cmp(&(
                b.overridden_at,
                b.joined_at,
                &b.entry_id,
            ))
        });
    }
    classes
}

proptest! {
    #[test]
    fn merging_the_classes_gives_the_order_of_a_full_sort(
        mut all in prop::collection::vec(candidate(), 0..60),
        max_wait in ceiling(),
        now in 0..20_000i64,
    ) {
        // An entry stands on a list once.
        let mut seen = HashSet::new();
        all.retain(|candidate| seen.insert(candidate.entry_id.clone()));
        let now = Timestamp::from_millis(now);
        let merged: Vec<_> = merge(classes(&all), max_wait, now).collect();
        let mut sorted = all;
        sorted.sort_by(|a, b| a.compare(b, max_wait, now));
        prop_assert_eq!(merged, sorted);
    }

    #[test]
    fn within_a_class_the_order_never_changes(
        one in candidate(), two in candidate(), max_wait in ceiling(),
        early in 0..10_000i64, later in 0..10_000_000i64
    ) {
        let moved = one.overridden_at.and(two.overridden_at);
        let one = Candidate { overridden_at: moved.and(one.overridden_at), ..one };
        let two = Candidate { urgency: one.urgency, overridden_at: moved, ..two };
        let at = |millis| one.compare(&two, max_wait, Timestamp::from_millis(millis));
        prop_assert_eq!(at(early), at(early + later));
    }

    #[test]
    fn the_order_is_total_and_consistent(
        a in candidate(), b in candidate(), c in candidate(),
        max_wait in ceiling(), now in 0..20_000i64
    ) {
        let now = Timestamp::from_millis(now);
        let order = |a: &Candidate, b: &Candidate| a.compare(b, max_wait, now);
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        if order(&a, &b).is_le() && order(&b, &c).is_le() {
            prop_assert!(order(&a, &c).is_le());
        }
        if order(&a, &b) == Ordering::Equal {
            prop_assert_eq!(&a.entry_id, &b.entry_id);
        }
    }

    #[test]
    fn nobody_is_overtaken_for_ever(urgent_joined in 0..1_000_000i64, now in 0..100_000_000i64) {
        // A routine entry is ahead of every urgent one that has waited less than a ninth of its time.
        let (routine, urgent) = (at("r", Urgency::Routine, 0), at("u", Urgency::Urgent, urgent_joined));
        let waited = (now - urgent_joined).max(0);
        let ahead = routine.compare(&urgent, None, Timestamp::from_millis(now)).is_lt();
        prop_assert_eq!(ahead, now >= 9 * waited);
    }
}

/// Bounded as the state machine's: what must hold for every list.
const LISTS: u32 = 10_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: LISTS, ..ProptestConfig::default() })]

    #[test]
    fn those_ahead_are_the_first_ones_of_each_class_and_as_many_as_in_a_full_sort(
        mut all in prop::collection::vec(candidate(), 1..40),
        max_wait in ceiling(),
        // Within the time of joining as well: a clock may be behind another.
        now in 0..20_000i64,
    ) {
        let mut seen = HashSet::new();
        all.retain(|candidate| seen.insert(candidate.entry_id.clone()));
        let now = Timestamp::from_millis(now);
        let classes = classes(&all);
        all.sort_by(|a, b| a.compare(b, max_wait, now));
        for (position, candidate) in all.iter().enumerate() {
            let mut ahead = 0;
            for (at, members) in classes.iter().enumerate() {
                let class = Urgency::ALL.get(at).copied();
                let first = Ahead::of(candidate, class, max_wait, now);
                let held: Vec<_> = members.iter().map(|other| first.holds(other)).collect();
                prop_assert!(held.is_sorted_by(|a, b| a >= b), "a prefix: {held:?}");
                ahead += held.iter().filter(|held| **held).count();
            }
            prop_assert_eq!(ahead, position);
        }
    }

    #[test]
    fn the_ceiling_is_a_place_in_the_order_of_joining(
        one in candidate(), max_wait in ceiling(), now in 0..20_000i64,
    ) {
        let one = Candidate { overridden_at: None, ..one };
        let now = Timestamp::from_millis(now);
        let place = Place::over_ceiling(max_wait, now);
        let is_before = place.map(Ahead::JoinedBefore).is_some_and(|over| over.holds(&one));
        // A clock that is behind the time of joining has nobody over a ceiling of more than 0.
        let zero = max_wait == Some(Duration::ZERO);
        prop_assert_eq!(is_before || zero, one.is_over(max_wait, now) || zero);
    }
}

#[test]
fn who_has_waited_longest_allowed_goes_before_every_urgency_and_by_time_of_joining() {
    let (first, second) = (at("z", Urgency::Routine, 0), at("a", Urgency::Urgent, 10));
    let max_wait = Some(Duration::from_millis(1_000));
    let ahead = |now| {
        first
            .compare(&second, max_wait, Timestamp::from_millis(now))
            .is_lt()
    };
    assert!(!ahead(999), "9 × 989 is more than 1 × 999");
    assert!(ahead(1_000), "at the ceiling, and the other is not");
    assert!(ahead(1_010), "both are over it");
}

#[test]
fn whom_staff_moved_to_the_front_goes_before_all_in_the_order_of_moving() {
    let moved = |id, when| Candidate {
        overridden_at: Some(Timestamp::from_millis(when)),
        ..at(id, Urgency::Routine, 900)
    };
    let (early, late) = (moved("b", 950), moved("a", 960));
    let over = at("c", Urgency::Urgent, 0);
    let mut order = [over.clone(), late.clone(), early.clone()];
    let (max_wait, now) = (
        Some(Duration::from_millis(500)),
        Timestamp::from_millis(1_000),
    );
    order.sort_by(|a, b| a.compare(b, max_wait, now));
    assert_eq!(order, [early, late, over]);
}

#[test]
fn the_parts_of_a_score_say_what_it_was_made_of() {
    let now = Timestamp::from_millis(1_000);
    let parts = at("a", Urgency::Soon, 400).parts(Some(Duration::from_millis(600)), now, (2, 5));
    assert_eq!(
        serde_json::to_value(parts).expect("JSON"),
        serde_json::json!({
            "urgency": "soon", "weight": 3, "waitedMs": 600, "overCeiling": true,
            "position": 2, "among": 5
        })
    );
}

#[test]
fn weights_are_one_three_and_nine() {
    assert_eq!(Urgency::ALL.map(weight), [1, 3, 9]);
}

#[test]
fn equal_scores_are_decided_by_time_of_joining_then_id() {
    let now = Timestamp::from_millis(900);
    let routine = at("z", Urgency::Routine, 0);
    let urgent = at("a", Urgency::Urgent, 800);
    assert_eq!(routine.score(now), urgent.score(now));
    assert!(routine.compare(&urgent, None, now).is_lt());
    let twin = at("y", Urgency::Routine, 0);
    assert!(twin.compare(&routine, None, now).is_lt());
}
