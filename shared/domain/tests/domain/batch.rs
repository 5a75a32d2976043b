//! A slot offered to several at once, to everybody, or booked by somebody else.

use callboard_contracts::waitlist::{BookedBy, EntryEvent, HoldEnd, Ineligible, Mode, SlotEvent};
use callboard_domain::waitlist::entry::{self, Entry, EntryStatus};
use callboard_domain::waitlist::slot::{
    self, BookSlot, Look, OfferFate, Slot, SlotStatus, Step, book, close, due, next_step,
};
use callboard_domain::waitlist::{Refusal, RefusalKind, cascade};

use crate::given::*;

const THREE: [&str; 3] = ["ada", "bob", "eve"];

fn batches() -> Slot {
    slot_on(rules(|rules| rules.mode = Mode::Batch { size: 3 }))
}

/// The slot and three entries after an offer to all of them at noon.
fn three() -> (Slot, Vec<Entry>) {
    let (slot, entries) = (batches(), THREE.map(waiting));
    let offers = offer_to(&slot, &entries.each_ref(), NOON).expect("offers");
    let after = entries.into_iter().zip(&offers.entries);
    let entries = after.map(|(entry, (_, events))| fold(entry, events, NOON));
    (fold(slot, &offers.slot, NOON), entries.collect())
}

fn staff() -> BookSlot {
    BookSlot {
        by: BookedBy::Staff,
        external_id: Some("b-17".to_owned()),
        recipient_id: None,
    }
}

/// What entry `at` knows after it heard how its offer ended.
fn after_being_told(slot: &Slot, entries: &[Entry], at: usize) -> Entry {
    let told = slot
        .to_tell
        .iter()
        .find(|told| told.entry_id == entry_id(THREE[at]));
    let events = entry::told(&entries[at], told.expect("somebody to tell"));
    assert_eq!(through_the_journal(&events), events);
    fold(entries[at].clone(), &events, NOON)
}

#[test]
fn a_batch_is_one_hold_with_an_offer_for_each() {
    let slot = batches();
    let want = Step::FindCandidates {
        want: 3,
        draw: None,
    };
    assert_eq!(next_step(&slot, &timing(), NOON), want);
    let entries = THREE.map(waiting);
    let offers = offer_to(&slot, &entries.each_ref(), NOON).expect("offers");
    assert_eq!(names(&offers.slot), ["batch-held"]);
    assert_eq!(through_the_journal(&offers.slot), offers.slot);
    for (at, (id, events)) in offers.entries.iter().enumerate() {
        let [EntryEvent::OfferMade(made)] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(*id, entry_id(THREE[at]));
        assert_eq!(
            (made.offer_id.clone(), made.batch),
            (offer_of(THREE[at]), Some(3))
        );
        assert_eq!(made.expires_at, offers.expires_at);
    }
}

#[test]
fn the_first_of_a_batch_to_accept_gets_the_slot_and_the_others_are_told() {
    let (slot, entries) = three();
    let yes = accept(&slot, &entries[1], &offer_of("bob"), NOON).expect("yes");
    let slot = fold(slot, &yes.slot, NOON);
    assert_eq!(
        slot.booked_for(),
        entries[1].facts.as_ref().map(|f| &f.recipient_id)
    );
    let told: Vec<_> = slot
        .to_tell
        .iter()
        .map(|told| told.entry_id.as_str())
        .collect();
    assert_eq!(told, ["ada", "eve"]);
    for at in [0, 2] {
        let late = accept(&slot, &entries[at], &offer_of(THREE[at]), NOON);
        assert_eq!(late, Err(Refusal::OfferSuperseded));
        let after = after_being_told(&slot, &entries, at);
        assert_eq!((&after.status, after.skips), (&EntryStatus::Waiting, 0));
        assert_eq!(
            entry::accept(&after, &offer_of(THREE[at]), None, entry::Swap::None, NOON),
            Err(Refusal::OfferSuperseded)
        );
        let again = slot
            .to_tell
            .iter()
            .flat_map(|told| entry::told(&after, told));
        assert_eq!(again.count(), 0, "it hears of it once");
    }
}

#[test]
fn one_of_a_batch_declines_and_the_others_keep_their_offers_until_the_last() {
    let (mut slot, entries) = three();
    for (at, expected) in [(0, "offer-ended"), (2, "offer-ended"), (1, "hold-released")] {
        let no = cascade::decline(&slot, &entries[at], &offer_of(THREE[at]), NOON).expect("no");
        assert_eq!(names(&no.slot), [expected]);
        slot = fold(slot, &no.slot, NOON);
        let again = slot::decline(&slot, &offer_of(THREE[at]), NOON);
        assert_eq!(again, Err(Refusal::AlreadyDeclined));
    }
    assert!(matches!(slot.status, SlotStatus::Open { .. }));
    assert!(slot.to_tell.is_empty(), "they said no themselves");
}

#[test]
fn a_batch_that_ran_out_is_released_with_the_next_decision() {
    let (slot, _) = three();
    let until = NOON.plus(WINDOW).plus(seconds(5));
    assert_eq!(due(&slot, &timing()), Some(until));
    assert_eq!(next_step(&slot, &timing(), NOON), Step::Wait { until });
    let events = slot::no_candidate(&slot, &Look::default(), &timing(), until).expect("nobody");
    assert_eq!(names(&events), ["batch-released", "candidate-not-found"]);
    assert!(matches!(&events[0], SlotEvent::BatchReleased(it) if it.offers == 3));
    let slot = fold(slot, &events, until);
    let late = slot::accept(&slot, &offer_of("ada"), None, until);
    assert_eq!(late, Err(Refusal::OfferExpired));
    assert!(slot.to_tell.is_empty(), "their offers lapsed by time");
    assert_eq!(slot.ended[&offer_of("eve")], OfferFate::Expired);
}

#[test]
fn what_remains_of_a_batch_is_released_like_a_single_hold() {
    let (slot, _) = three();
    let slot = ["ada", "bob"].iter().fold(slot, |slot, name| {
        let events = slot::decline(&slot, &offer_of(name), NOON).expect("no");
        fold(slot, &events, NOON)
    });
    let until = NOON.plus(WINDOW).plus(seconds(5));
    let events = slot::broadcast(&slot, &timing(), until).expect("freed and broadcast");
    assert_eq!(names(&events), ["hold-released", "slot-broadcast"]);
    assert!(matches!(&events[0], SlotEvent::HoldReleased(it)
        if it.offer_id == offer_of("eve") && it.reason == HoldEnd::Expired));
}

#[test]
fn nobody_twice_and_no_more_than_twenty_are_offered_a_slot_at_once() {
    let slot = batches();
    let hold = |ids: Vec<_>| slot::hold(&slot, &ids, &Look::default(), &timing(), NOON);
    let ids = |count| {
        (0..count)
            .map(|at| entry_id(&format!("e{at}")))
            .collect::<Vec<_>>()
    };
    assert!(hold(ids(20)).is_ok());
    assert_eq!(hold(ids(21)), Err(Refusal::BatchSize));
    assert_eq!(hold(Vec::new()), Err(Refusal::BatchSize));
    assert_eq!(
        hold(vec![entry_id("ada"), entry_id("ada")]),
        Err(Refusal::BatchSize)
    );
}

#[test]
fn a_booking_by_staff_ends_the_offers_that_stand_and_is_recognised_when_repeated() {
    let (slot, entries) = three();
    let events = book(&slot, &staff()).expect("a booking");
    assert_eq!(names(&events), ["slot-booked"]);
    assert_eq!(through_the_journal(&events), events);
    let slot = fold(slot, &events, NOON);
    assert_eq!(
        accept(&slot, &entries[0], &offer_of("ada"), NOON),
        Err(Refusal::SlotTaken)
    );
    assert_eq!(slot.to_tell.len(), 3);
    assert_eq!(
        after_being_told(&slot, &entries, 0).status,
        EntryStatus::Waiting
    );
    let again = book(&slot, &staff()).expect_err("again");
    assert_eq!(
        (again.code(), again.kind()),
        ("already-booked", RefusalKind::Repeated)
    );
    let other = BookSlot {
        by: BookedBy::Elsewhere,
        ..staff()
    };
    assert_eq!(book(&slot, &other), Err(Refusal::SlotTaken));
    assert_eq!(slot::withdraw(&slot), Err(Refusal::SlotTaken));
    assert_eq!(due(&slot, &timing()), Some(NOON.plus(seconds(30))));
    let told = slot::told(&slot);
    assert_eq!(names(&told), ["ended-offers-told"]);
    let after = fold(slot.clone(), &told, NOON);
    assert_eq!(due(&after, &timing()), None);
    assert_eq!(slot::told(&after), []);
    let again = slot::ReleaseSlot {
        after_version: Some(1),
        ..release_command()
    };
    let events = slot::release(&slot, &again, NOON).expect("the booking was cancelled");
    let slot = fold(slot, &events, NOON);
    assert_eq!(
        (slot.version(), slot.to_tell.len()),
        (2, 3),
        "they may not know yet"
    );
    assert_eq!(slot::told(&slot).len(), 1);
}

#[test]
fn a_slot_is_booked_while_it_is_open_held_broadcast_or_public_and_not_later() {
    let public = {
        let events = close(&open_slot(), &timing(), NOON.plus(seconds(86_340))).expect("closed");
        assert_eq!(names(&events), ["slot-opened-to-public"]);
        fold(open_slot(), &events, NOON)
    };
    let broadcast = {
        let events = slot::broadcast(&open_slot(), &timing(), NOON).expect("broadcast");
        fold(open_slot(), &events, NOON)
    };
    for slot in [open_slot(), held_slot("ada"), broadcast, public] {
        assert!(book(&slot, &staff()).is_ok(), "{:?}", slot.status);
    }
    let gone = fold(
        open_slot(),
        &slot::withdraw(&open_slot()).expect("withdrawn"),
        NOON,
    );
    assert_eq!(book(&gone, &staff()), Err(Refusal::SlotWithdrawn));
    assert_eq!(book(&Slot::default(), &staff()), Err(Refusal::SlotNotFound));
    let (slot, entry, offer) = offered("ada");
    let filled = fold(
        slot.clone(),
        &accept(&slot, &entry, &offer, NOON).expect("yes").slot,
        NOON,
    );
    assert_eq!(book(&filled, &staff()), Err(Refusal::SlotTaken));
}

#[test]
fn a_withdrawn_slot_costs_nobody_a_skip_unless_the_offer_had_run_out() {
    let (slot, entry, offer) = offered("ada");
    let at = |now| {
        let slot = fold(
            slot.clone(),
            &slot::withdraw(&slot).expect("withdrawn"),
            now,
        );
        (slot.to_tell.clone(), slot.ended[&offer])
    };
    let (to_tell, fate) = at(NOON);
    assert_eq!(fate, OfferFate::Withdrawn);
    let events = entry::told(&entry, &to_tell[0]);
    assert_eq!(names(&events), ["offer-withdrawn"]);
    let after = fold(entry.clone(), &events, NOON);
    assert_eq!((&after.status, after.skips), (&EntryStatus::Waiting, 0));
    assert_eq!(
        entry::accept(&after, &offer, None, entry::Swap::None, NOON),
        Err(Refusal::SlotWithdrawn)
    );
    let (to_tell, fate) = at(NOON.plus(WINDOW));
    assert_eq!((to_tell.len(), fate), (0, OfferFate::Expired));
}

#[test]
fn who_has_another_offer_by_now_is_not_told_of_the_old_one() {
    let (slot, entry, _) = offered("ada");
    let slot = fold(
        slot.clone(),
        &slot::withdraw(&slot).expect("withdrawn"),
        NOON,
    );
    let told = &slot.to_tell[0];
    let later = NOON.plus(WINDOW).plus(seconds(5));
    let mut next = open_slot();
    next.facts.as_mut().expect("facts").version = 2;
    let offers = offer_to(&next, &[&entry], later).expect("an offer");
    let entry = fold(entry, &offers.entries[0].1, later);
    assert_eq!(entry::told(&entry, told), []);
}

#[test]
fn a_broadcast_claims_nobody_and_the_first_to_take_the_slot_has_it() {
    let slot = slot_on(rules(|rules| rules.mode = Mode::Broadcast));
    assert_eq!(next_step(&slot, &timing(), NOON), Step::Broadcast);
    let events = slot::broadcast(&slot, &timing(), NOON).expect("broadcast");
    assert_eq!(names(&events), ["slot-broadcast"]);
    let slot = fold(slot, &events, NOON);
    let (ada, bob) = (waiting("ada"), waiting("bob"));
    assert_eq!(
        cascade::decline(&slot, &ada, &offer_of("ada"), NOON),
        Err(Refusal::NothingToDecline)
    );
    assert_eq!(
        accept(&slot, &ada, &offer_of("bob"), NOON),
        Err(Refusal::OfferSuperseded),
        "a link is good for its own entry"
    );
    let yes = accept(&slot, &ada, &offer_of("ada"), NOON).expect("yes");
    assert_eq!(names(&yes.slot), ["slot-filled"]);
    assert_eq!(names(&yes.entry), ["offer-accepted"]);
    let (slot, ada) = (fold(slot, &yes.slot, NOON), fold(ada, &yes.entry, NOON));
    let EntryStatus::Booked(booking) = &ada.status else {
        panic!("{:?}", ada.status)
    };
    assert_eq!((&booking.slot_id, booking.slot_version), (&slot_id(), 1));
    let again = accept(&slot, &ada, &offer_of("ada"), NOON);
    assert_eq!(again, Err(Refusal::AlreadyAccepted));
    let late = accept(&slot, &bob, &offer_of("bob"), NOON);
    assert_eq!(late, Err(Refusal::SlotTaken));
}

#[test]
fn a_broadcast_ends_at_the_cutoff_and_takes_none_who_could_not_be_offered_the_slot() {
    let mut terms = rules(|rules| rules.mode = Mode::Broadcast);
    terms.rules.cutoff_seconds = 3_600;
    let slot = slot_on(terms);
    let slot = fold(
        slot.clone(),
        &slot::broadcast(&slot, &timing(), NOON).expect("it"),
        NOON,
    );
    let cutoff = facts(&slot).cutoff();
    assert_eq!(
        accept(&slot, &waiting("ada"), &offer_of("ada"), cutoff),
        Err(Refusal::OfferExpired)
    );
    let (_, busy, _) = offered("ada");
    assert_eq!(
        accept(&slot, &busy, &offer_of("ada"), NOON),
        Err(Refusal::NotEligible(Ineligible::HasOffer))
    );
    let until = cutoff.plus(seconds(5));
    assert_eq!(due(&slot, &timing()), Some(until));
    assert_eq!(next_step(&slot, &timing(), cutoff), Step::Wait { until });
    assert_eq!(
        close(&slot, &timing(), cutoff),
        Err(Refusal::SlotHeld { until })
    );
    assert_eq!(next_step(&slot, &timing(), until), Step::Close);
    assert_eq!(
        names(&close(&slot, &timing(), until).expect("closed")),
        ["slot-opened-to-public"]
    );
}

#[test]
fn a_cascade_turns_into_a_broadcast_when_there_is_no_time_for_single_offers() {
    let slot = slot_on(rules(|rules| {
        rules.broadcast_within_seconds = 7_200;
        rules.cutoff_seconds = 1_800;
    }));
    let from = NOON.plus(seconds(86_400 - 9_000));
    let before = callboard_contracts::Timestamp::from_millis(from.as_millis() - 1);
    let one = Step::FindCandidates {
        want: 1,
        draw: None,
    };
    assert_eq!(next_step(&slot, &timing(), before), one);
    assert_eq!(next_step(&slot, &timing(), from), Step::Broadcast);
}

#[test]
fn the_first_offer_waits_for_its_grace_and_the_next_ones_do_not() {
    let slot = slot_on(rules(|rules| rules.grace_seconds = 120));
    let until = NOON.plus(seconds(120));
    assert_eq!(due(&slot, &timing()), Some(until));
    assert_eq!(next_step(&slot, &timing(), NOON), Step::Wait { until });
    let one = Step::FindCandidates {
        want: 1,
        draw: None,
    };
    assert_eq!(next_step(&slot, &timing(), until), one);
    let (slot, entry, offer) = offered_on(slot, waiting("ada"));
    let no = cascade::decline(&slot, &entry, &offer, until).expect("no");
    let slot = fold(slot, &no.slot, until);
    assert_eq!(next_step(&slot, &timing(), until), one);
}

#[test]
fn a_slot_released_after_its_last_call_is_due_at_once_and_goes_to_the_public() {
    let slot = slot_on(rules(|rules| rules.cutoff_seconds = 2 * 86_400));
    assert_eq!(
        due(&slot, &timing()),
        Some(NOON),
        "not before it was released"
    );
    assert_eq!(next_step(&slot, &timing(), NOON), Step::Close);
    assert_eq!(
        names(&close(&slot, &timing(), NOON).expect("closed")),
        ["slot-opened-to-public"]
    );
}
