//! The decisions on a notification.

use callboard_contracts::Timestamp;
use callboard_contracts::notification::{
    AttemptFailed, DeliveryAttempted, DeliveryFailed, DeliverySucceeded, DropReason, LateOutcome,
    NotificationCancelled, NotificationDropped, NotificationEvent, NotificationPlanned,
    OutcomeUnknown, UnknownPolicy,
};
use uuid::Uuid;

use super::{
    AttemptKey, Notification, NotificationFacts, NotificationStatus, STALE_AFTER, Settled,
};

/// Why a decision on a notification is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was never planned.
    #[error("the notification was never planned")]
    NotPlanned,
    /// It was planned before: a redelivered cause.
    #[error("the notification was planned before")]
    AlreadyPlanned,
    /// It has ended.
    #[error("the notification has ended as {}", .0.as_str())]
    Ended(NotificationStatus),
    /// It was cancelled; nothing may be sent.
    #[error("the notification was cancelled")]
    Cancelled,
    /// Somebody else's attempt is under way.
    #[error("another attempt is under way until {until}")]
    Leased {
        /// The other's lease ends here.
        until: Timestamp,
    },
    /// An attempt's lease has ended without an outcome: what that means must be said first, by
    /// [`take_over`].
    #[error("the attempt {attempt_id} has no outcome")]
    OutcomeMissing {
        /// The attempt without outcome.
        attempt_id: Uuid,
    },
    /// No such attempt was recorded.
    #[error("the attempt {attempt_id} was never recorded")]
    NoSuchAttempt {
        /// The attempt.
        attempt_id: Uuid,
    },
    /// The attempt has its outcome already: a repetition.
    #[error("the attempt {attempt_id} has its outcome already")]
    AlreadySettled {
        /// The attempt.
        attempt_id: Uuid,
    },
    /// The lease would end before it begins.
    #[error("a lease must end in the future")]
    LeaseInPast,
}

/// A new attempt, before its provider is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    /// Which effect.
    pub key: AttemptKey,
    /// Its id, made for it alone.
    pub attempt_id: Uuid,
    /// Who holds the lease (a function's request id).
    pub owner: String,
    /// The lease ends here.
    pub lease_until: Timestamp,
}

/// Plans a notification. If its cause is older than [`STALE_AFTER`], it is recorded as dropped
/// in the same commit.
///
/// # Errors
/// [`Refusal::AlreadyPlanned`] when its cause was delivered before.
pub fn plan(
    state: &Notification,
    planned: NotificationPlanned,
    caused_at: Timestamp,
    now: Timestamp,
) -> Result<Vec<NotificationEvent>, Refusal> {
    if state.facts.is_some() {
        return Err(Refusal::AlreadyPlanned);
    }
    let stale = is_stale(caused_at, now);
    let mut events = vec![planned.into()];
    if stale {
        events.push(
            NotificationDropped {
                reason: DropReason::Stale,
            }
            .into(),
        );
    }
    Ok(events)
}

/// Whether a cause of `caused_at` is too old to act on.
#[must_use]
pub fn is_stale(caused_at: Timestamp, now: Timestamp) -> bool {
    now.since(caused_at) > STALE_AFTER
}

/// Begins an attempt: the fence and the lease, to be committed before the provider is called.
///
/// # Errors
/// [`Refusal::Leased`] while another attempt is alive, [`Refusal::OutcomeMissing`] if one ended
/// without outcome, [`Refusal::Ended`] or [`Refusal::Cancelled`] if nothing is to be sent.
pub fn attempt(
    state: &Notification,
    new: &NewAttempt,
    now: Timestamp,
) -> Result<Vec<NotificationEvent>, Refusal> {
    sendable(state)?;
    if let Some(last) = state.attempt(new.key).filter(|last| last.settled.is_none()) {
        return Err(if now < last.lease_until {
            Refusal::Leased {
                until: last.lease_until,
            }
        } else {
            Refusal::OutcomeMissing {
                attempt_id: last.attempt_id,
            }
        });
    }
    if new.lease_until <= now {
        return Err(Refusal::LeaseInPast);
    }
    Ok(vec![attempted(new)])
}

/// Says what follows from an attempt whose lease ended without an outcome, and with
/// [`UnknownPolicy::Resend`] begins `next` in the same commit (unless it was cancelled).
///
/// # Errors
/// [`Refusal::Leased`] while the lease lives, [`Refusal::AlreadySettled`] if there is an outcome.
pub fn take_over(
    state: &Notification,
    policy: UnknownPolicy,
    next: &NewAttempt,
    now: Timestamp,
) -> Result<Vec<NotificationEvent>, Refusal> {
    let mut events = unknown(state, next.key, policy, now)?;
    if policy == UnknownPolicy::Resend && !state.cancelled {
        if next.lease_until <= now {
            return Err(Refusal::LeaseInPast);
        }
        events.push(attempted(next));
    }
    Ok(events)
}

/// Records that an attempt's lease ended without an outcome, and the policy that applies.
///
/// # Errors
/// [`Refusal::Leased`] while the lease lives, [`Refusal::AlreadySettled`] if there is an outcome.
pub fn unknown(
    state: &Notification,
    key: AttemptKey,
    policy: UnknownPolicy,
    now: Timestamp,
) -> Result<Vec<NotificationEvent>, Refusal> {
    planned(state)?;
    let Some(last) = state.attempt(key) else {
        return Err(Refusal::NotPlanned);
    };
    if last.settled.is_some() {
        return Err(Refusal::AlreadySettled {
            attempt_id: last.attempt_id,
        });
    }
    if now < last.lease_until {
        return Err(Refusal::Leased {
            until: last.lease_until,
        });
    }
    Ok(vec![
        OutcomeUnknown {
            attempt_id: last.attempt_id,
            channel: key.channel,
            step: key.step,
            policy,
        }
        .into(),
    ])
}

/// The provider took the message. Late, it is recorded as late.
///
/// # Errors
/// [`Refusal::AlreadySettled`] for a repetition, [`Refusal::NoSuchAttempt`].
pub fn succeed(
    state: &Notification,
    key: AttemptKey,
    attempt_id: Uuid,
    provider: &str,
) -> Result<Vec<NotificationEvent>, Refusal> {
    settle_or_late(state, key, attempt_id, "succeeded", || {
        DeliverySucceeded {
            attempt_id,
            channel: key.channel,
            step: key.step,
            provider: provider.to_owned(),
        }
        .into()
    })
}

/// The person cannot be reached this way. `code` is the provider's code and class, never its
/// text. Late, it is recorded as late.
///
/// # Errors
/// [`Refusal::AlreadySettled`] for a repetition, [`Refusal::NoSuchAttempt`].
pub fn fail(
    state: &Notification,
    key: AttemptKey,
    attempt_id: Uuid,
    code: &str,
) -> Result<Vec<NotificationEvent>, Refusal> {
    settle_or_late(state, key, attempt_id, code, || {
        DeliveryFailed {
            attempt_id,
            channel: key.channel,
            step: key.step,
            code: code.to_owned(),
        }
        .into()
    })
}

/// The attempt certainly did not reach the person, and another may follow. Only for what is
/// certain: a time-out is not "not sent". Late, it is recorded as late.
///
/// # Errors
/// [`Refusal::AlreadySettled`] for a repetition, [`Refusal::NoSuchAttempt`].
pub fn fail_transient(
    state: &Notification,
    key: AttemptKey,
    attempt_id: Uuid,
    code: &str,
) -> Result<Vec<NotificationEvent>, Refusal> {
    settle_or_late(state, key, attempt_id, code, || {
        AttemptFailed {
            attempt_id,
            channel: key.channel,
            step: key.step,
            code: code.to_owned(),
        }
        .into()
    })
}

/// The gate said no. `by` is the attempt that asked it, if one was begun: a drop of an attempt
/// that was taken over is late like any other outcome.
///
/// # Errors
/// [`Refusal::Leased`] if somebody else's attempt is under way, [`Refusal::Ended`].
pub fn drop_with(
    state: &Notification,
    by: Option<(AttemptKey, Uuid)>,
    reason: DropReason,
) -> Result<Vec<NotificationEvent>, Refusal> {
    let dropped = || NotificationDropped { reason }.into();
    if let Some((key, attempt_id)) = by {
        return settle_or_late(state, key, attempt_id, "dropped", dropped);
    }
    planned(state)?;
    if state.status.is_final() && state.status != NotificationStatus::Cancelled {
        return Err(Refusal::Ended(state.status));
    }
    if let Some(alive) = state.attempts.iter().find(|a| a.settled.is_none()) {
        return Err(Refusal::Leased {
            until: alive.lease_until,
        });
    }
    Ok(vec![dropped()])
}

/// It must not be sent any more. `reason` is from a fixed list of the caller's, without personal
/// data. An attempt that is under way is not fenced by this: if it is past the gate, its outcome
/// counts.
///
/// # Errors
/// [`Refusal::Ended`] when there is nothing left to cancel.
pub fn cancel(state: &Notification, reason: &str) -> Result<Vec<NotificationEvent>, Refusal> {
    planned(state)?;
    if state.cancelled {
        return Err(Refusal::Cancelled);
    }
    if state.status.is_final() {
        return Err(Refusal::Ended(state.status));
    }
    Ok(vec![
        NotificationCancelled {
            reason: reason.to_owned(),
        }
        .into(),
    ])
}

fn planned(state: &Notification) -> Result<&NotificationFacts, Refusal> {
    state.facts.as_ref().ok_or(Refusal::NotPlanned)
}

fn sendable(state: &Notification) -> Result<(), Refusal> {
    planned(state)?;
    match state.status {
        NotificationStatus::Cancelled => Err(Refusal::Cancelled),
        status if status.is_final() => Err(Refusal::Ended(status)),
        _ if state.cancelled => Err(Refusal::Cancelled),
        _ => Ok(()),
    }
}

/// The attempt's own outcome, or the record that it came too late.
fn settle_or_late(
    state: &Notification,
    key: AttemptKey,
    attempt_id: Uuid,
    outcome: &str,
    event: impl FnOnce() -> NotificationEvent,
) -> Result<Vec<NotificationEvent>, Refusal> {
    planned(state)?;
    let Some(last) = state.attempt(key) else {
        return Err(Refusal::NoSuchAttempt { attempt_id });
    };
    let own = last.attempt_id == attempt_id;
    match last.settled {
        None if own => Ok(vec![event()]),
        Some(Settled::Outcome) if own => Err(Refusal::AlreadySettled { attempt_id }),
        _ => Ok(vec![
            LateOutcome {
                attempt_id,
                channel: key.channel,
                step: key.step,
                outcome: outcome.to_owned(),
            }
            .into(),
        ]),
    }
}

fn attempted(new: &NewAttempt) -> NotificationEvent {
    DeliveryAttempted {
        attempt_id: new.attempt_id,
        channel: new.key.channel,
        step: new.key.step,
        owner: new.owner.clone(),
        lease_until: new.lease_until,
    }
    .into()
}
