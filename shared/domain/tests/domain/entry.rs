//! Decisions on an entry, and on slot and entry together.

use callboard_contracts::waitlist::{EntryEvent, Urgency};
use callboard_domain::waitlist::entry::{
    self, Entry, EntryStatus, Join, OfferDetails, eligible, join, leave,
};
use callboard_domain::waitlist::{Ineligible, Refusal, RefusalKind, cascade, slot};

use crate::given::*;

#[test]
fn a_person_who_joins_waits_from_then_on() {
    let entry = waiting("ada");
    assert_eq!(entry.status, EntryStatus::Waiting);
    assert_eq!(entry.facts.map(|facts| facts.joined_at), Some(NOON));
}

#[test]
fn joining_again_is_a_repetition_and_with_other_wishes_a_conflict() {
    let entry = waiting("ada");
    let same = join(&entry, &join_command("ada", Urgency::Routine)).expect_err("again");
    assert_eq!(
        (same.code(), same.kind()),
        ("already-joined", RefusalKind::Repeated)
    );
    let other = join(&entry, &join_command("ada", Urgency::Urgent));
    assert_eq!(other, Err(Refusal::EntryExists));
}

#[test]
fn a_redelivered_join_brings_nobody_back() {
    let entry = waiting("ada");
    let gone = fold(entry.clone(), &leave(&entry, NOON).expect("leaves"), NOON);
    let again = join(&gone, &join_command("ada", Urgency::Routine));
    assert_eq!(again, Err(Refusal::EntryLeft));
    assert_eq!(leave(&gone, NOON), Err(Refusal::AlreadyLeft));
}

#[test]
fn slot_and_entry_agree_on_offer_and_expiry() {
    let (slot, entry, offer) = offered("ada");
    let EntryStatus::Offered(known) = &entry.status else {
        panic!("{:?}", entry.status)
    };
    assert_eq!(known.offer_id, offer);
    assert_eq!(known.expires_at, NOON.plus(WINDOW));
    assert!(slot.is_held_under(&offer));
    assert!(matches!(
        &slot.status,
        slot::SlotStatus::Held { expires_at, .. } if *expires_at == known.expires_at
    ));
    assert_eq!(entry.offered_slot(), Some(&slot_id()));
}

#[test]
fn the_same_offer_is_made_when_the_cascade_runs_twice() {
    let (_, _, one) = offered("ada");
    let (_, _, two) = offered("ada");
    let (_, _, other) = offered("bob");
    assert_eq!(one, two);
    assert_ne!(one, other);
}

#[test]
fn an_entry_with_a_live_offer_gets_no_other_until_its_grace_is_over() {
    let (_, entry, _) = offered("ada");
    let end = NOON.plus(WINDOW);
    let other_slot = open_slot();
    let at = |now| eligible(&entry, &other_slot, &timing(), now);
    assert_eq!(at(NOON), Err(Ineligible::HasOffer));
    // A yes received in time may still be on its way.
    assert_eq!(at(end), Err(Ineligible::HasOffer));
    assert_eq!(at(end.plus(seconds(5))), Ok(()));
}

#[test]
fn an_offer_that_lapsed_is_recorded_with_the_next_one_and_counts_as_a_skip() {
    let (_, entry, _) = offered("ada");
    let later = NOON.plus(WINDOW).plus(seconds(5));
    let other = open_slot();
    let events = entry::offer(
        &entry,
        other.facts.as_ref().expect("facts"),
        &OfferDetails {
            expires_at: later.plus(WINDOW),
            batch: 1,
            score: None,
        },
        &timing(),
        later,
    )
    .expect("an offer");
    assert_eq!(names(&events), ["offer-lapsed", "offer-made"]);
    assert_eq!(fold(entry, &events, later).skips, 1);
}

#[test]
fn a_yes_books_both_and_its_repetition_is_recognised() {
    let (slot, entry, offer) = offered("ada");
    let both = accept(&slot, &entry, &offer, NOON).expect("yes");
    assert_eq!(names(&both.slot), ["slot-filled"]);
    assert_eq!(names(&both.entry), ["offer-accepted"]);
    let (slot, entry) = (fold(slot, &both.slot, NOON), fold(entry, &both.entry, NOON));
    assert!(matches!(entry.status, EntryStatus::Booked(_)));
    assert_eq!(
        accept(&slot, &entry, &offer, NOON),
        Err(Refusal::AlreadyAccepted)
    );
    assert_eq!(
        entry::accept(&entry, &offer, None, entry::Swap::None, NOON),
        Err(Refusal::AlreadyAccepted)
    );
    assert_eq!(
        entry::decline(&entry, &offer, NOON),
        Err(Refusal::AlreadyAnswered)
    );
    assert_eq!(leave(&entry, NOON), Err(Refusal::EntryBooked));
    assert_eq!(
        eligible(&entry, &open_slot(), &timing(), NOON),
        Err(Ineligible::Booked)
    );
}

#[test]
fn a_no_keeps_the_place_and_costs_no_skip() {
    let (slot, entry, offer) = offered("ada");
    let both = cascade::decline(&slot, &entry, &offer, NOON).expect("no");
    let (slot, entry) = (fold(slot, &both.slot, NOON), fold(entry, &both.entry, NOON));
    assert_eq!(entry.status, EntryStatus::Waiting);
    assert_eq!(entry.skips, 0);
    assert_eq!(
        entry.facts.as_ref().map(|facts| facts.joined_at),
        Some(NOON)
    );
    assert_eq!(
        eligible(&entry, &slot, &timing(), NOON),
        Err(Ineligible::OfferedBefore)
    );
    assert_eq!(
        entry::decline(&entry, &offer, NOON),
        Err(Refusal::AlreadyDeclined)
    );
    assert_eq!(
        entry::accept(&entry, &offer, None, entry::Swap::None, NOON),
        Err(Refusal::AlreadyAnswered)
    );
}

#[test]
fn an_answer_at_the_deadline_is_too_late_on_both_sides() {
    let (slot, entry, offer) = offered("ada");
    let end = NOON.plus(WINDOW);
    assert_eq!(
        accept(&slot, &entry, &offer, end),
        Err(Refusal::OfferExpired)
    );
    assert_eq!(
        entry::accept(&entry, &offer, None, entry::Swap::None, end),
        Err(Refusal::OfferExpired)
    );
    assert_eq!(
        entry::decline(&entry, &offer, end),
        Err(Refusal::OfferExpired)
    );
}

#[test]
fn who_leaves_declines_the_offer_that_stands() {
    let (slot, entry, _) = offered("ada");
    let both = cascade::leave(Some(&slot), &entry, NOON).expect("leaves");
    assert_eq!(names(&both.entry), ["offer-declined", "entry-left"]);
    assert_eq!(names(&both.slot), ["hold-released"]);
    let late = NOON.plus(WINDOW);
    let both = cascade::leave(Some(&slot), &entry, late).expect("leaves");
    assert_eq!(names(&both.entry), ["offer-lapsed", "entry-left"]);
    assert_eq!(
        both.slot,
        [],
        "its hold is released by the cascade, after the grace"
    );
}

#[test]
fn an_entry_is_passed_over_for_a_stated_reason() {
    let other = |change: fn(&mut Join)| {
        let mut command = join_command("ada", Urgency::Soon);
        change(&mut command);
        let events = join(&Entry::default(), &command).expect("a join");
        fold(Entry::default(), &events, NOON)
    };
    let why = |entry: &Entry| eligible(entry, &open_slot(), &timing(), NOON);
    assert_eq!(why(&waiting("ada")), Ok(()));
    assert_eq!(why(&Entry::default()), Err(Ineligible::NotThere));
    let service = other(|command| command.service = "dentist".to_owned());
    assert_eq!(why(&service), Err(Ineligible::OtherService));
    let waitlist = other(|command| command.waitlist_id = "elsewhere".parse().expect("an id"));
    assert_eq!(why(&waitlist), Err(Ineligible::OtherWaitlist));
    let left = fold(
        waiting("ada"),
        &leave(&waiting("ada"), NOON).expect("leaves"),
        NOON,
    );
    assert_eq!(why(&left), Err(Ineligible::Left));
    assert_eq!(
        offer_to(&open_slot(), &[&left], NOON),
        Err(Refusal::NotEligible(Ineligible::Left))
    );
}

#[test]
fn events_and_snapshots_of_an_entry_survive_the_journal() {
    let (_, events) = story();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, EntryEvent::OfferLapsed(_)))
    );
    assert_eq!(through_the_journal(&events), events);
    for state in [
        fold(Entry::default(), &events, NOON),
        offered("ada").1,
        Entry::default(),
    ] {
        let snapshot = serde_json::to_string(&state).expect("a snapshot");
        assert_eq!(
            serde_json::from_str::<Entry>(&snapshot).expect("a state"),
            state
        );
    }
}
