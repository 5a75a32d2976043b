//! The decisions on a notification that are made without a lease: whether to plan it, and whether
//! to cancel it.
//!
//! Not here: attempts and their outcomes. They are decided by the generic lease of the runtime,
//! which asks the fold for the latest attempt; a sender says which events tell of them.

use callboard_contracts::Timestamp;
use callboard_contracts::notification::{
    DropReason, NotificationCancelled, NotificationDropped, NotificationEvent, NotificationPlanned,
};

use super::{Notification, NotificationStatus, STALE_AFTER};

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
}

/// Plans a notification. If its cause is older than [`STALE_AFTER`], all that is recorded is what
/// was dropped: a planned event would ask its sender to deliver.
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
    let event = if is_stale(caused_at, now) {
        NotificationDropped {
            reason: DropReason::Stale,
            instead_of: Some(planned),
        }
        .into()
    } else {
        planned.into()
    };
    Ok(vec![event])
}

/// Whether a cause of `caused_at` is too old to act on.
#[must_use]
pub fn is_stale(caused_at: Timestamp, now: Timestamp) -> bool {
    now.since(caused_at) > STALE_AFTER
}

/// It must not be sent any more. `reason` is from a fixed list of the caller's, without personal
/// data. An attempt that is under way is not fenced by this: if it is past the gate, its outcome
/// counts.
///
/// # Errors
/// [`Refusal::Ended`] when there is nothing left to cancel.
pub fn cancel(state: &Notification, reason: &str) -> Result<Vec<NotificationEvent>, Refusal> {
    if state.facts.is_none() {
        return Err(Refusal::NotPlanned);
    }
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
