//! A notification: what is decided on it, and what its events fold to, the fence of the lease
//! above all (I7, I13).

use callboard_contracts::notification::{
    AttemptFailed, CauseRef, Channel, DeliveryAttempted, DeliveryFailed, DeliverySucceeded,
    DropReason, LateOutcome, NotificationCancelled, NotificationDropped, NotificationEvent,
    NotificationPlanned, OutcomeUnknown, UnknownPolicy,
};
use callboard_contracts::{
    AttemptView, Attempts as _, NotificationId, RecipientId, StreamId, Timestamp,
};
use callboard_domain::notifications::notification::{
    AttemptKey, Notification, NotificationStatus, Refusal, STALE_AFTER, Settled, cancel, plan,
};
use uuid::Uuid;

use crate::given::*;

const CHANNEL: Channel = Channel::Email;
const KEY: AttemptKey = AttemptKey::first(CHANNEL);
const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

fn planned_event() -> NotificationPlanned {
    let recipient_id = RecipientId::parse("usr-456").expect("an id");
    NotificationPlanned {
        notification_id: NotificationId::derived("evt-001", &recipient_id, "order-confirmation"),
        definition: "order-confirmation".to_owned(),
        recipient_id,
        channel: CHANNEL,
        cause: CauseRef {
            stream: StreamId::event("orders", "evt-001"),
            commit: 1,
            index: 0,
        },
        expires_at: None,
    }
}

fn attempted_on(step: u32, attempt_id: Uuid, now: Timestamp) -> NotificationEvent {
    DeliveryAttempted {
        attempt_id,
        channel: CHANNEL,
        step,
        owner: "request-1".to_owned(),
        lease_until: now.plus(seconds(15)),
    }
    .into()
}

fn attempted(attempt_id: Uuid, now: Timestamp) -> NotificationEvent {
    attempted_on(0, attempt_id, now)
}

fn succeeded(attempt_id: Uuid) -> NotificationEvent {
    DeliverySucceeded {
        attempt_id,
        channel: CHANNEL,
        step: 0,
        provider: "smtp".to_owned(),
    }
    .into()
}

fn failed(attempt_id: Uuid) -> NotificationEvent {
    DeliveryFailed {
        attempt_id,
        channel: CHANNEL,
        step: 0,
        code: "smtp-550".to_owned(),
    }
    .into()
}

fn failed_for_now(attempt_id: Uuid) -> NotificationEvent {
    AttemptFailed {
        attempt_id,
        channel: CHANNEL,
        step: 0,
        code: "smtp-451".to_owned(),
    }
    .into()
}

fn unknown(attempt_id: Uuid, policy: UnknownPolicy) -> NotificationEvent {
    OutcomeUnknown {
        attempt_id,
        channel: CHANNEL,
        step: 0,
        policy,
    }
    .into()
}

fn late(attempt_id: Uuid, outcome: &str) -> NotificationEvent {
    LateOutcome {
        attempt_id,
        channel: CHANNEL,
        step: 0,
        outcome: outcome.to_owned(),
    }
    .into()
}

fn dropped(reason: DropReason) -> NotificationEvent {
    NotificationDropped {
        reason,
        instead_of: None,
    }
    .into()
}

fn cancelled() -> NotificationEvent {
    NotificationCancelled {
        reason: "order-cancelled".to_owned(),
    }
    .into()
}

fn planned() -> Notification {
    then(&Notification::default(), &[planned_event().into()])
}

/// Planned, and attempted at noon by `ONE`.
fn attempting() -> Notification {
    then(&planned(), &[attempted(ONE, NOON)])
}

/// The lease of `ONE` ended, and `TWO` took over.
fn taken_over() -> Notification {
    let later = NOON.plus(seconds(15));
    let events = [unknown(ONE, UnknownPolicy::Resend), attempted(TWO, later)];
    fold(attempting(), &events, later)
}

/// The state after `events`.
fn then(state: &Notification, events: &[NotificationEvent]) -> Notification {
    fold(state.clone(), events, NOON)
}

/// Which attempt is the latest, and how it ended.
fn latest(state: &Notification) -> Option<(Uuid, Option<Settled>)> {
    let attempt = state.attempt(KEY)?;
    Some((attempt.attempt_id, attempt.settled))
}

#[test]
fn a_cause_that_is_delivered_twice_plans_once() {
    let again = plan(&planned(), planned_event(), NOON, NOON);
    assert_eq!(again, Err(Refusal::AlreadyPlanned));
}

#[test]
fn a_cause_older_than_retention_is_dropped_as_stale_and_never_planned() {
    let late = NOON.plus(STALE_AFTER).plus(seconds(1));
    let events = plan(&Notification::default(), planned_event(), NOON, late).expect("a plan");
    assert_eq!(names(&events), ["notification-dropped"]);
    let state = fold(Notification::default(), &events, late);
    assert_eq!(state.status, NotificationStatus::Dropped(DropReason::Stale));
    assert_eq!(
        state.facts.map(|facts| facts.recipient_id),
        Some(planned_event().recipient_id),
        "it says who was not told"
    );
    let in_time = plan(
        &Notification::default(),
        planned_event(),
        NOON,
        NOON.plus(STALE_AFTER),
    );
    assert_eq!(in_time, Ok(vec![planned_event().into()]));
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
fn each_step_has_an_attempt_of_its_own() {
    let second = AttemptKey {
        channel: CHANNEL,
        step: 1,
    };
    let state = then(&attempting(), &[attempted_on(1, TWO, NOON)]);
    let id = |view: AttemptView| (view.attempt_id, view.settled);
    assert_eq!(state.latest_attempt(&KEY).map(id), Some((ONE, false)));
    assert_eq!(state.latest_attempt(&second).map(id), Some((TWO, false)));

    let settled = then(&state, &[failed_for_now(ONE)]);
    assert_eq!(settled.latest_attempt(&KEY).map(id), Some((ONE, true)));
    assert_eq!(settled.latest_attempt(&second).map(id), Some((TWO, false)));
}

#[test]
fn a_success_ends_the_notification() {
    let state = then(&attempting(), &[succeeded(ONE)]);
    assert_eq!(state.status, NotificationStatus::Delivered);
    assert!(state.status.is_final());
    assert_eq!(latest(&state), Some((ONE, Some(Settled::Outcome))));
    assert_eq!(
        cancel(&state, "order-cancelled"),
        Err(Refusal::Ended(NotificationStatus::Delivered))
    );
}

#[test]
fn a_certain_failure_may_be_followed_by_another_attempt_and_a_permanent_one_not() {
    let state = then(&attempting(), &[failed_for_now(ONE)]);
    assert_eq!(state.status, NotificationStatus::Planned);
    assert_eq!(latest(&state), Some((ONE, Some(Settled::Outcome))));
    let again = then(&state, &[attempted(TWO, NOON)]);
    assert_eq!(again.status, NotificationStatus::Attempting);
    assert_eq!(again.attempt(KEY).map(|attempt| attempt.count), Some(2));
    let state = then(&again, &[failed(TWO)]);
    assert_eq!(state.status, NotificationStatus::Failed);
    assert!(state.status.is_final());
}

#[test]
fn the_outcome_of_an_attempt_that_was_taken_over_is_late_and_changes_nothing() {
    let state = taken_over();
    for outcome in ["succeeded", "smtp-550", "smtp-451", "dropped"] {
        assert_eq!(then(&state, &[late(ONE, outcome)]), state);
    }
    let delivered = then(&state, &[succeeded(TWO)]);
    assert_eq!(delivered.status, NotificationStatus::Delivered);
    let after = then(&delivered, &[late(ONE, "succeeded")]);
    assert_eq!(after, delivered, "also after the end");
}

#[test]
fn a_takeover_is_the_attempt_that_counts_and_the_second_one() {
    let state = taken_over();
    assert_eq!(state.status, NotificationStatus::Attempting);
    assert_eq!(latest(&state), Some((TWO, None)));
    assert_eq!(state.attempt(KEY).map(|attempt| attempt.count), Some(2));
    assert_eq!(state.attempts.len(), 1);
}

#[test]
fn an_unknown_outcome_ends_what_is_parked_and_reopens_what_is_sent_again() {
    let parked = then(&attempting(), &[unknown(ONE, UnknownPolicy::Park)]);
    assert_eq!(parked.status, NotificationStatus::Unknown);
    assert!(parked.status.is_final());
    assert_eq!(latest(&parked), Some((ONE, Some(Settled::Unknown))));
    assert_eq!(
        then(&parked, &[late(ONE, "succeeded")]),
        parked,
        "late without any newer attempt"
    );

    let reopened = then(&attempting(), &[unknown(ONE, UnknownPolicy::Resend)]);
    assert_eq!(reopened.status, NotificationStatus::Planned);
    assert_eq!(latest(&reopened), Some((ONE, Some(Settled::Unknown))));
}

#[test]
fn a_cancel_between_attempt_and_outcome_does_not_settle_the_attempt() {
    let state = then(&attempting(), &[cancelled()]);
    assert_eq!(state.status, NotificationStatus::Attempting);
    assert!(state.cancelled);
    assert_eq!(latest(&state), Some((ONE, None)), "nobody is fenced");

    let delivered = then(&state, &[succeeded(ONE)]);
    assert_eq!(delivered.status, NotificationStatus::Delivered);
    let failed = then(&state, &[failed_for_now(ONE)]);
    assert_eq!(failed.status, NotificationStatus::Cancelled);
    assert_eq!(cancel(&state, "again"), Err(Refusal::Cancelled));
}

#[test]
fn a_cancel_before_any_attempt_ends_the_notification() {
    let events = cancel(&planned(), "order-cancelled").expect("a cancel");
    assert_eq!(events, [cancelled()]);
    let state = then(&planned(), &events);
    assert_eq!(state.status, NotificationStatus::Cancelled);
    assert!(state.cancelled);
}

#[test]
fn a_cancelled_notification_with_unknown_outcome_is_not_open_again() {
    let state = then(
        &attempting(),
        &[cancelled(), unknown(ONE, UnknownPolicy::Resend)],
    );
    assert_eq!(state.status, NotificationStatus::Cancelled);
}

#[test]
fn the_gates_no_ends_the_attempt_that_asked() {
    let reason = DropReason::OptedOut;
    let state = then(&attempting(), &[dropped(reason)]);
    assert_eq!(state.status, NotificationStatus::Dropped(reason));
    assert_eq!(
        state.latest_attempt(&KEY).map(|view| view.settled),
        Some(true)
    );
    let without_attempt = then(&planned(), &[dropped(DropReason::NoContact)]);
    assert_eq!(
        without_attempt.status,
        NotificationStatus::Dropped(DropReason::NoContact)
    );
}

#[test]
fn a_drop_after_an_unknown_outcome_leaves_it_unknown() {
    let events = [
        unknown(ONE, UnknownPolicy::Resend),
        dropped(DropReason::Expired),
    ];
    let state = then(&attempting(), &events);
    assert_eq!(latest(&state), Some((ONE, Some(Settled::Unknown))));
}

#[test]
fn what_was_never_planned_cannot_be_cancelled() {
    let none = Notification::default();
    assert_eq!(cancel(&none, "x"), Err(Refusal::NotPlanned));
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
