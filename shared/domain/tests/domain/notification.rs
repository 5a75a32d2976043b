//! Decisions on a notification: the lease's fence above all (I7, I13).

use callboard_contracts::notification::{
    CauseRef, Channel, DropReason, NotificationEvent, NotificationPlanned, UnknownPolicy,
};
use callboard_contracts::{Attempts as _, NotificationId, RecipientId, StreamId, Timestamp};
use callboard_domain::notifications::notification::{
    AttemptKey, NewAttempt, Notification, NotificationStatus, Refusal, STALE_AFTER, attempt,
    cancel, drop_with, fail, fail_transient, plan, succeed, take_over, unknown,
};
use uuid::Uuid;

use crate::given::*;

const KEY: AttemptKey = AttemptKey::first(Channel::Email);
const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

fn planned_event() -> NotificationPlanned {
    let recipient_id = RecipientId::parse("usr-456").expect("an id");
    NotificationPlanned {
        notification_id: NotificationId::derived("evt-001", &recipient_id, "order-confirmation"),
        definition: "order-confirmation".to_owned(),
        recipient_id,
        channel: Channel::Email,
        cause: CauseRef {
            stream: StreamId::event("orders", "evt-001"),
            commit: 1,
            index: 0,
        },
        expires_at: None,
    }
}

fn planned() -> Notification {
    let events = plan(&Notification::default(), planned_event(), NOON, NOON).expect("a plan");
    fold(Notification::default(), &events, NOON)
}

fn new_attempt(attempt_id: Uuid, now: Timestamp) -> NewAttempt {
    NewAttempt {
        key: KEY,
        attempt_id,
        owner: "request-1".to_owned(),
        lease_until: now.plus(seconds(15)),
    }
}

/// Planned, and attempted at noon by `ONE`.
fn attempting() -> Notification {
    let events = attempt(&planned(), &new_attempt(ONE, NOON), NOON).expect("an attempt");
    fold(planned(), &events, NOON)
}

/// The lease of `ONE` ended, and `TWO` took over.
fn taken_over() -> Notification {
    let later = NOON.plus(seconds(15));
    let events = take_over(
        &attempting(),
        UnknownPolicy::Resend,
        &new_attempt(TWO, later),
        later,
    )
    .expect("a takeover");
    assert_eq!(names(&events), ["outcome-unknown", "delivery-attempted"]);
    fold(attempting(), &events, later)
}

fn then(state: Notification, events: Result<Vec<NotificationEvent>, Refusal>) -> Notification {
    fold(state, &events.expect("a decision"), NOON)
}

#[test]
fn a_cause_that_is_delivered_twice_plans_once() {
    let again = plan(&planned(), planned_event(), NOON, NOON);
    assert_eq!(again, Err(Refusal::AlreadyPlanned));
}

#[test]
fn a_cause_older_than_retention_is_planned_and_dropped_as_stale_in_one() {
    let late = NOON.plus(STALE_AFTER).plus(seconds(1));
    let events = plan(&Notification::default(), planned_event(), NOON, late).expect("a plan");
    assert_eq!(
        names(&events),
        ["notification-planned", "notification-dropped"]
    );
    let state = fold(Notification::default(), &events, late);
    assert_eq!(state.status, NotificationStatus::Dropped(DropReason::Stale));
    let in_time = plan(
        &Notification::default(),
        planned_event(),
        NOON,
        NOON.plus(STALE_AFTER),
    );
    assert_eq!(in_time.map(|events| events.len()), Ok(1));
}

#[test]
fn the_fold_tells_the_lease_its_latest_attempt() {
    assert_eq!(planned().latest_attempt(&KEY), None);
    let view = attempting().latest_attempt(&KEY).expect("an attempt");
    assert_eq!((view.attempt_id, view.settled), (ONE, false));
    assert_eq!(view.lease_until, NOON.plus(seconds(15)));
    let view = taken_over().latest_attempt(&KEY).expect("an attempt");
    assert_eq!((view.attempt_id, view.settled), (TWO, false));
}

#[test]
fn a_live_lease_keeps_others_out_and_an_ended_one_must_be_explained_first() {
    let state = attempting();
    let end = NOON.plus(seconds(15));
    assert_eq!(
        attempt(&state, &new_attempt(TWO, NOON), NOON),
        Err(Refusal::Leased { until: end })
    );
    assert_eq!(
        take_over(&state, UnknownPolicy::Resend, &new_attempt(TWO, NOON), NOON),
        Err(Refusal::Leased { until: end })
    );
    assert_eq!(
        attempt(&state, &new_attempt(TWO, end), end),
        Err(Refusal::OutcomeMissing { attempt_id: ONE })
    );
}

#[test]
fn a_success_ends_the_notification_and_its_repetition_is_recognised() {
    let state = then(attempting(), succeed(&attempting(), KEY, ONE, "smtp"));
    assert_eq!(state.status, NotificationStatus::Delivered);
    assert_eq!(
        succeed(&state, KEY, ONE, "smtp"),
        Err(Refusal::AlreadySettled { attempt_id: ONE })
    );
    assert_eq!(
        attempt(&state, &new_attempt(TWO, NOON), NOON),
        Err(Refusal::Ended(NotificationStatus::Delivered))
    );
    assert_eq!(
        cancel(&state, "order-cancelled"),
        Err(Refusal::Ended(NotificationStatus::Delivered))
    );
}

#[test]
fn a_certain_failure_may_be_followed_by_another_attempt_and_a_permanent_one_not() {
    let state = then(
        attempting(),
        fail_transient(&attempting(), KEY, ONE, "smtp-451"),
    );
    assert_eq!(state.status, NotificationStatus::Planned);
    let again = then(
        state.clone(),
        attempt(&state, &new_attempt(TWO, NOON), NOON),
    );
    assert_eq!(again.attempt(KEY).map(|attempt| attempt.count), Some(2));
    let state = then(again.clone(), fail(&again, KEY, TWO, "smtp-550"));
    assert_eq!(state.status, NotificationStatus::Failed);
    assert_eq!(
        attempt(&state, &new_attempt(ONE, NOON), NOON),
        Err(Refusal::Ended(NotificationStatus::Failed))
    );
}

#[test]
fn the_outcome_of_an_attempt_that_was_taken_over_is_late_and_changes_nothing() {
    let state = taken_over();
    for late in [
        succeed(&state, KEY, ONE, "smtp"),
        fail(&state, KEY, ONE, "smtp-550"),
        fail_transient(&state, KEY, ONE, "smtp-451"),
        drop_with(&state, Some((KEY, ONE)), DropReason::OptedOut),
    ] {
        let events = late.expect("recorded");
        assert_eq!(names(&events), ["late-outcome"]);
        assert_eq!(fold(state.clone(), &events, NOON), state);
    }
    let delivered = then(state.clone(), succeed(&state, KEY, TWO, "smtp"));
    assert_eq!(delivered.status, NotificationStatus::Delivered);
    let events = succeed(&delivered, KEY, ONE, "smtp").expect("recorded");
    assert_eq!(names(&events), ["late-outcome"], "also after the end");
}

#[test]
fn an_attempt_whose_outcome_was_declared_unknown_is_late_without_any_newer_one() {
    let end = NOON.plus(seconds(15));
    let state = then(
        attempting(),
        unknown(&attempting(), KEY, UnknownPolicy::Park, end),
    );
    assert_eq!(state.status, NotificationStatus::Unknown);
    let events = succeed(&state, KEY, ONE, "smtp").expect("recorded");
    assert_eq!(names(&events), ["late-outcome"]);
    assert_eq!(
        fold(state.clone(), &events, end).status,
        NotificationStatus::Unknown
    );
    assert_eq!(
        attempt(&state, &new_attempt(TWO, end), end),
        Err(Refusal::Ended(NotificationStatus::Unknown))
    );
}

#[test]
fn an_unknown_outcome_is_declared_only_after_the_lease_and_only_without_outcome() {
    let end = NOON.plus(seconds(15));
    let policy = UnknownPolicy::Park;
    assert_eq!(
        unknown(&attempting(), KEY, policy, NOON),
        Err(Refusal::Leased { until: end })
    );
    let done = then(attempting(), succeed(&attempting(), KEY, ONE, "smtp"));
    assert_eq!(
        unknown(&done, KEY, policy, end),
        Err(Refusal::AlreadySettled { attempt_id: ONE })
    );
}

#[test]
fn a_healthy_sender_that_is_late_but_was_not_taken_over_is_not_fenced() {
    // Its lease has ended, but nobody else has begun: the outcome is the outcome.
    let events = succeed(&attempting(), KEY, ONE, "smtp").expect("an outcome");
    assert_eq!(names(&events), ["delivery-succeeded"]);
}

#[test]
fn a_cancel_between_attempt_and_outcome_fences_nobody() {
    let cancelled = then(attempting(), cancel(&attempting(), "order-cancelled"));
    assert_eq!(cancelled.status, NotificationStatus::Attempting);
    assert!(cancelled.cancelled);
    let delivered = then(cancelled.clone(), succeed(&cancelled, KEY, ONE, "smtp"));
    assert_eq!(delivered.status, NotificationStatus::Delivered);
    let failed = then(
        cancelled.clone(),
        fail_transient(&cancelled, KEY, ONE, "smtp-451"),
    );
    assert_eq!(failed.status, NotificationStatus::Cancelled);
    assert_eq!(
        attempt(&failed, &new_attempt(TWO, NOON), NOON),
        Err(Refusal::Cancelled)
    );
    assert_eq!(cancel(&cancelled, "again"), Err(Refusal::Cancelled));
}

#[test]
fn a_cancel_before_any_attempt_means_that_none_begins() {
    let cancelled = then(planned(), cancel(&planned(), "order-cancelled"));
    assert_eq!(cancelled.status, NotificationStatus::Cancelled);
    assert_eq!(
        attempt(&cancelled, &new_attempt(ONE, NOON), NOON),
        Err(Refusal::Cancelled)
    );
}

#[test]
fn a_cancelled_notification_with_unknown_outcome_is_not_sent_again() {
    let cancelled = then(attempting(), cancel(&attempting(), "order-cancelled"));
    let end = NOON.plus(seconds(15));
    let events = take_over(
        &cancelled,
        UnknownPolicy::Resend,
        &new_attempt(TWO, end),
        end,
    )
    .expect("a takeover");
    assert_eq!(names(&events), ["outcome-unknown"]);
    assert_eq!(
        fold(cancelled, &events, end).status,
        NotificationStatus::Cancelled
    );
}

#[test]
fn the_gates_no_ends_the_attempt_that_asked() {
    let reason = DropReason::OptedOut;
    let state = then(
        attempting(),
        drop_with(&attempting(), Some((KEY, ONE)), reason),
    );
    assert_eq!(state.status, NotificationStatus::Dropped(reason));
    assert_eq!(
        state.latest_attempt(&KEY).map(|view| view.settled),
        Some(true)
    );
    let without_attempt = then(
        planned(),
        drop_with(&planned(), None, DropReason::NoContact),
    );
    assert_eq!(
        without_attempt.status,
        NotificationStatus::Dropped(DropReason::NoContact)
    );
    assert!(matches!(
        drop_with(&attempting(), None, reason),
        Err(Refusal::Leased { .. })
    ));
}

#[test]
fn what_was_never_planned_or_attempted_has_no_outcome() {
    let none = Notification::default();
    assert_eq!(
        attempt(&none, &new_attempt(ONE, NOON), NOON),
        Err(Refusal::NotPlanned)
    );
    assert_eq!(cancel(&none, "x"), Err(Refusal::NotPlanned));
    assert_eq!(
        succeed(&planned(), KEY, ONE, "smtp"),
        Err(Refusal::NoSuchAttempt { attempt_id: ONE })
    );
    let past = NewAttempt {
        lease_until: NOON,
        ..new_attempt(ONE, NOON)
    };
    assert_eq!(attempt(&planned(), &past, NOON), Err(Refusal::LeaseInPast));
}

#[test]
fn snapshots_of_a_notification_read_back() {
    for state in [
        Notification::default(),
        planned(),
        attempting(),
        taken_over(),
    ] {
        let snapshot = serde_json::to_string(&state).expect("a snapshot");
        let read: Notification = serde_json::from_str(&snapshot).expect("a state");
        assert_eq!(read, state);
    }
}
