//! Decisions on a slot.

use callboard_contracts::Fold;
use callboard_contracts::waitlist::{HoldEnd, SlotEvent};
use callboard_contracts::{OfferId, Timestamp};
use callboard_domain::waitlist::slot::{
    self, Look, ReleaseSlot, Slot, SlotStatus, Step, close, decline, due, next_step, release,
    withdraw,
};
use callboard_domain::waitlist::{Ineligible, Refusal, RefusalKind};

use crate::given::*;

fn accept(slot: &Slot, offer: &OfferId, at: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    slot::accept(slot, offer, None, at)
}

fn hold(slot: &Slot, entry: &str, at: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    slot::hold(slot, &[entry_id(entry)], &Look::default(), &timing(), at)
}

fn no_candidate(slot: &Slot, at: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    slot::no_candidate(slot, &Look::default(), &timing(), at)
}

const FIND_ONE: Step<'_> = Step::FindCandidates {
    want: 1,
    draw: None,
};

fn refused_release(change: impl FnOnce(&mut ReleaseSlot)) -> Refusal {
    let mut command = release_command();
    change(&mut command);
    release(&Slot::default(), &command, NOON).expect_err("a refusal")
}

#[test]
fn a_released_slot_is_open_in_version_one() {
    let slot = open_slot();
    assert_eq!(slot.version(), 1);
    assert_eq!(
        slot.status,
        SlotStatus::Open {
            since: NOON,
            empty_look_up: None
        }
    );
}

#[test]
fn a_slot_must_lie_in_the_future_and_end_after_it_starts() {
    assert_eq!(
        refused_release(|c| c.starts_at = NOON),
        Refusal::StartsInPast
    );
    assert_eq!(
        refused_release(|c| c.ends_at = c.starts_at),
        Refusal::EndsBeforeStart
    );
}

#[test]
fn an_offer_window_has_at_least_a_second_and_at_most_a_week() {
    let window = |window| refused_release(|c| c.offer_window = window);
    assert_eq!(
        window(std::time::Duration::from_millis(999)),
        Refusal::OfferWindow
    );
    assert_eq!(
        window(slot::OFFER_WINDOW_MAX + seconds(1)),
        Refusal::OfferWindow
    );
}

#[test]
fn a_services_name_must_fit_into_keys() {
    for bad in ["", "a#b", "a\nb", &"x".repeat(65)] {
        assert_eq!(
            refused_release(|c| c.service = bad.to_owned()),
            Refusal::ServiceName
        );
    }
}

#[test]
fn an_open_or_held_slot_is_not_released_twice() {
    let command = ReleaseSlot {
        after_version: Some(1),
        ..release_command()
    };
    for slot in [open_slot(), held_slot("ada")] {
        let refusal = release(&slot, &command, NOON).expect_err("a refusal");
        assert_eq!(refusal, Refusal::AlreadyReleased { version: 1 });
        assert_eq!(refusal.code(), "already-released");
    }
}

#[test]
fn a_release_that_arrives_twice_does_not_free_a_slot_booked_in_between() {
    let held = held_slot("ada");
    let filled = fold(
        held.clone(),
        &accept(&held, &offer_of("ada"), NOON).expect("yes"),
        NOON,
    );
    assert_eq!(
        release(&filled, &release_command(), NOON),
        Err(Refusal::SlotTaken)
    );
    let again = ReleaseSlot {
        after_version: Some(1),
        ..release_command()
    };
    let events = release(&filled, &again, NOON).expect("the booking was cancelled");
    let open = fold(filled, &events, NOON);
    assert_eq!(open.version(), 2);
    assert!(open.offered.is_empty() && open.ended.is_empty());
    assert_eq!(
        accept(&open, &offer_of("ada"), NOON),
        Err(Refusal::OfferSuperseded),
        "an offer of the first version is void in the second"
    );
}

#[test]
fn a_withdrawn_slot_is_released_again_by_naming_its_version() {
    let withdrawn = fold(
        open_slot(),
        &withdraw(&open_slot()).expect("withdrawn"),
        NOON,
    );
    assert_eq!(
        release(&withdrawn, &release_command(), NOON),
        Err(Refusal::ReleasedBefore { version: 1 })
    );
    let again = ReleaseSlot {
        after_version: Some(1),
        ..release_command()
    };
    assert!(release(&withdrawn, &again, NOON).is_ok());
}

#[test]
fn a_hold_ends_after_the_window_but_never_past_the_start() {
    let expiry = |now| match hold(&open_slot(), "ada", now).expect("a hold").as_slice() {
        [SlotEvent::SlotHeld(event)] => event.expires_at,
        other => panic!("{other:?}"),
    };
    assert_eq!(expiry(NOON), NOON.plus(WINDOW));
    let start = release_command().starts_at;
    assert_eq!(expiry(NOON.plus(seconds(86_339))), start);
    assert_eq!(
        hold(&open_slot(), "ada", NOON.plus(seconds(86_340))),
        Err(Refusal::PastCutoff),
        "less than a minute is no time to answer"
    );
    let refusal = hold(&open_slot(), "ada", start);
    assert_eq!(refusal, Err(Refusal::SlotStarted));
}

#[test]
fn a_held_slot_is_not_held_again_until_its_grace_is_over() {
    let slot = held_slot("ada");
    let end = NOON.plus(WINDOW);
    let again = |now| hold(&slot, "bob", now);
    let until = end.plus(seconds(5));
    assert_eq!(
        again(until.plus(std::time::Duration::ZERO).min(end)),
        Err(Refusal::SlotHeld { until })
    );
    let events = again(until).expect("expiry and next hold in one");
    assert_eq!(names(&events), ["hold-released", "slot-held"]);
    assert!(matches!(&events[0], SlotEvent::HoldReleased(e) if e.reason == HoldEnd::Expired));
}

#[test]
fn nobody_is_offered_the_same_version_twice() {
    let slot = held_slot("ada");
    let events = decline(&slot, &offer_of("ada"), NOON).expect("no");
    let slot = fold(slot, &events, NOON);
    assert_eq!(
        hold(&slot, "ada", NOON),
        Err(Refusal::NotEligible(Ineligible::OfferedBefore))
    );
}

#[test]
fn a_yes_counts_until_the_millisecond_before_the_deadline_whenever_it_is_decided() {
    let slot = held_slot("ada");
    let end = NOON.plus(WINDOW);
    let before = callboard_contracts::Timestamp::from_millis(end.as_millis() - 1);
    assert_eq!(
        names(&accept(&slot, &offer_of("ada"), before).expect("in time")),
        ["slot-filled"]
    );
    assert_eq!(
        accept(&slot, &offer_of("ada"), end),
        Err(Refusal::OfferExpired)
    );
}

#[test]
fn a_second_yes_of_the_same_person_is_a_repetition_and_anybody_elses_is_too_late() {
    let slot = held_slot("ada");
    let slot = fold(
        slot.clone(),
        &accept(&slot, &offer_of("ada"), NOON).expect("yes"),
        NOON,
    );
    let again = accept(&slot, &offer_of("ada"), NOON).expect_err("a repetition");
    assert_eq!(
        (again.code(), again.kind()),
        ("already-accepted", RefusalKind::Repeated)
    );
    let other = accept(&slot, &offer_id("o9"), NOON).expect_err("taken");
    assert_eq!(
        (other.code(), other.kind()),
        ("slot-taken", RefusalKind::LostRace)
    );
    assert_eq!(
        decline(&slot, &offer_of("ada"), NOON),
        Err(Refusal::AlreadyAnswered)
    );
}

#[test]
fn a_no_frees_the_slot_at_once_and_cannot_be_taken_back() {
    let slot = held_slot("ada");
    let slot = fold(
        slot.clone(),
        &decline(&slot, &offer_of("ada"), NOON).expect("no"),
        NOON,
    );
    assert_eq!(next_step(&slot, &timing(), NOON), FIND_ONE);
    assert_eq!(
        accept(&slot, &offer_of("ada"), NOON),
        Err(Refusal::AlreadyAnswered)
    );
    assert_eq!(
        decline(&slot, &offer_of("ada"), NOON),
        Err(Refusal::AlreadyDeclined)
    );
}

#[test]
fn a_no_after_the_deadline_is_refused_like_a_yes() {
    let slot = held_slot("ada");
    let end = NOON.plus(WINDOW);
    assert_eq!(
        decline(&slot, &offer_of("ada"), end),
        Err(Refusal::OfferExpired)
    );
}

#[test]
fn an_offer_that_ran_out_is_told_so_even_when_another_person_holds_the_slot() {
    let slot = held_slot("ada");
    let later = NOON.plus(WINDOW).plus(seconds(5));
    let events = hold(&slot, "bob", later).expect("next");
    let slot = fold(slot, &events, later);
    assert_eq!(
        accept(&slot, &offer_of("ada"), later),
        Err(Refusal::OfferExpired)
    );
    assert_eq!(
        accept(&slot, &offer_id("o9"), later),
        Err(Refusal::OfferSuperseded)
    );
}

#[test]
fn the_public_gets_a_slot_only_by_a_second_empty_look_up() {
    let slot = open_slot();
    let first = no_candidate(&slot, NOON).expect("first");
    assert_eq!(names(&first), ["candidate-not-found"]);
    let slot = fold(slot, &first, NOON);
    assert_eq!(due(&slot, &timing()), Some(NOON.plus(seconds(30))));
    let early = no_candidate(&slot, NOON.plus(seconds(29))).expect("early");
    assert_eq!(early, []);
    let second = no_candidate(&slot, NOON.plus(seconds(30))).expect("second");
    assert_eq!(names(&second), ["slot-opened-to-public"]);
    let slot = fold(slot, &second, NOON.plus(seconds(30)));
    assert_eq!(next_step(&slot, &timing(), NOON), Step::Nothing);
    assert_eq!(due(&slot, &timing()), None);
    assert_eq!(
        withdraw(&slot).map(|events| names(&events)),
        Ok(vec!["slot-withdrawn".to_owned()])
    );
}

#[test]
fn an_empty_look_up_after_a_hold_counts_as_the_first() {
    let slot = held_slot("ada");
    let later = NOON.plus(WINDOW).plus(seconds(5));
    let events = no_candidate(&slot, later).expect("expired, and nobody");
    assert_eq!(names(&events), ["hold-released", "candidate-not-found"]);
    let refusal = no_candidate(&slot, NOON).expect_err("held");
    assert_eq!(refusal.code(), "slot-held");
}

#[test]
fn a_slot_that_started_unfilled_is_closed() {
    let start = release_command().starts_at;
    assert_eq!(next_step(&open_slot(), &timing(), start), Step::Close);
    assert_eq!(no_candidate(&open_slot(), start), Err(Refusal::SlotStarted));
    assert_eq!(
        names(&close(&open_slot(), &timing(), start).expect("closed")),
        ["slot-withdrawn"]
    );
    assert_eq!(
        close(&open_slot(), &timing(), NOON),
        Err(Refusal::SlotNotStarted)
    );
    let shortly_before = NOON.plus(seconds(86_000));
    let held = fold(
        open_slot(),
        &hold(&open_slot(), "ada", shortly_before).expect("a hold"),
        shortly_before,
    );
    assert_eq!(
        next_step(&held, &timing(), start),
        Step::Wait {
            until: start.plus(seconds(5))
        }
    );
    let after = start.plus(seconds(5));
    assert_eq!(
        names(&close(&held, &timing(), after).expect("closed")),
        ["hold-released", "slot-withdrawn"]
    );
}

#[test]
fn a_withdrawn_slot_refuses_everything_with_its_own_reason() {
    let held = held_slot("ada");
    let slot = fold(held.clone(), &withdraw(&held).expect("withdrawn"), NOON);
    assert_eq!(
        accept(&slot, &offer_of("ada"), NOON),
        Err(Refusal::SlotWithdrawn)
    );
    assert_eq!(withdraw(&slot), Err(Refusal::AlreadyWithdrawn));
    assert_eq!(hold(&slot, "bob", NOON), Err(Refusal::SlotWithdrawn));
}

#[test]
fn a_slot_nobody_released_is_not_found() {
    let none = Slot::default();
    let not_found = Refusal::SlotNotFound;
    assert_eq!(withdraw(&none), Err(not_found.clone()));
    assert_eq!(accept(&none, &offer_id("o"), NOON), Err(not_found.clone()));
    assert_eq!(decline(&none, &offer_id("o"), NOON), Err(not_found.clone()));
    assert_eq!(no_candidate(&none, NOON), Err(not_found));
    assert_eq!(next_step(&none, &timing(), NOON), Step::Nothing);
    assert_eq!(due(&none, &timing()), None);
}

#[test]
fn open_work_is_due_at_once_or_when_the_hold_may_be_released() {
    assert_eq!(due(&open_slot(), &timing()), Some(NOON));
    let held = held_slot("ada");
    let until = NOON.plus(WINDOW).plus(seconds(5));
    assert_eq!(due(&held, &timing()), Some(until));
    assert_eq!(next_step(&held, &timing(), NOON), Step::Wait { until });
    assert_eq!(next_step(&held, &timing(), until), FIND_ONE);
}

#[test]
fn events_and_snapshots_survive_the_journal() {
    let (events, _) = story();
    assert_eq!(through_the_journal(&events), events);
    let state = fold(Slot::default(), &events, NOON);
    let snapshot = serde_json::to_string(&state).expect("a snapshot");
    assert_eq!(
        serde_json::from_str::<Slot>(&snapshot).expect("a state"),
        state
    );
    assert_eq!(Slot::VERSION, 6);
}
