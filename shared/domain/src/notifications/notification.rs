//! One notification: planned once, attempted under a lease, ended by exactly one outcome.
//!
//! The fence is the attempt id (invariant I13): an outcome is late only if the fold shows a newer
//! attempt, or a takeover, for the same channel and step. A cancel or any other commit that is not
//! about the attempt fences nobody.

use std::time::Duration;

use callboard_contracts::notification::{
    AttemptFailed, CauseRef, Channel, DeliveryAttempted, DeliveryFailed, DeliverySucceeded,
    DropReason, LateOutcome, NotificationCancelled, NotificationDropped, NotificationEvent,
    NotificationPlanned, OutcomeUnknown, UnknownPolicy,
};
use callboard_contracts::{AttemptView, Attempts, Fold, NotificationId, RecipientId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What was caused longer ago than this is dropped as stale, not sent. It must stay below
/// [`KEPT_FOR`]: no replay may send again what retention has forgotten.
pub const STALE_AFTER: Duration = Duration::from_secs(14 * 24 * 3600);

/// A notification's stream is kept this long (TTL of its commits).
pub const KEPT_FOR: Duration = Duration::from_secs(60 * 24 * 3600);

/// One effect of a notification: a step of it on one channel. Each has a lease of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The channel.
    pub channel: Channel,
    /// The step of an escalation, from 0.
    pub step: u32,
}

impl AttemptKey {
    /// The first step on `channel`.
    #[must_use]
    pub const fn first(channel: Channel) -> Self {
        Self { channel, step: 0 }
    }
}

/// What is known of a notification since it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationFacts {
    /// The notification.
    pub notification_id: NotificationId,
    /// The definition whose wording it has.
    pub definition: String,
    /// Who is told.
    pub recipient_id: RecipientId,
    /// On which channel.
    pub channel: Channel,
    /// What it is about.
    pub cause: CauseRef,
    /// After this moment it must not be sent any more.
    pub expires_at: Option<Timestamp>,
    /// When it was planned.
    pub planned_at: Timestamp,
}

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum NotificationStatus {
    /// Never planned.
    #[default]
    Absent,
    /// To be sent.
    Planned,
    /// An attempt has no outcome yet.
    Attempting,
    /// The provider took it.
    Delivered,
    /// The person cannot be reached this way.
    Failed,
    /// Nobody can know whether it arrived, and it is not sent again.
    Unknown,
    /// Not sent, for this reason.
    Dropped(DropReason),
    /// Cancelled before it was sent.
    Cancelled,
}

impl NotificationStatus {
    /// Whether nothing follows any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Absent | Self::Planned | Self::Attempting)
    }

    /// The status in one word, as views and timelines show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Planned => "planned",
            Self::Attempting => "attempting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unknown => "outcome-unknown",
            Self::Dropped(_) => "dropped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// By an outcome of its own.
    Outcome,
    /// By a takeover: its lease ended without an outcome.
    Unknown,
}

/// The latest attempt at one effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which effect.
    pub key: AttemptKey,
    /// The attempt.
    pub attempt_id: Uuid,
    /// Its lease ends here.
    pub lease_until: Timestamp,
    /// How it ended; absent while it has no outcome.
    pub settled: Option<Settled>,
    /// How many attempts at this effect there were, this one included.
    pub count: u32,
}

/// The state of a notification's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notification {
    /// Where it stands.
    pub status: NotificationStatus,
    /// What is known of it; absent only while [`NotificationStatus::Absent`].
    pub facts: Option<NotificationFacts>,
    /// The latest attempt per effect.
    pub attempts: Vec<Attempt>,
    /// It must not be sent any more. An attempt under way may still end as delivered.
    pub cancelled: bool,
}

impl Notification {
    /// The latest attempt at `key`.
    #[must_use]
    pub fn attempt(&self, key: AttemptKey) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.key == key)
    }

    fn settle(&mut self, key: AttemptKey, attempt_id: Uuid, how: Settled) {
        let attempt = self
            .attempts
            .iter_mut()
            .find(|attempt| attempt.key == key && attempt.attempt_id == attempt_id);
        if let Some(attempt) = attempt {
            attempt.settled = Some(how);
        }
    }

    /// The status after an attempt that may be followed by another.
    const fn open_status(&self) -> NotificationStatus {
        if self.cancelled {
            NotificationStatus::Cancelled
        } else {
            NotificationStatus::Planned
        }
    }
}

impl Attempts for Notification {
    type Key = AttemptKey;

    fn latest_attempt(&self, key: &AttemptKey) -> Option<AttemptView> {
        self.attempt(*key).map(|attempt| AttemptView {
            attempt_id: attempt.attempt_id,
            lease_until: attempt.lease_until,
            settled: attempt.settled.is_some(),
        })
    }
}

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

/// Plans a notification. With `stale`, it is recorded as dropped in the same commit.
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

impl Fold for Notification {
    type Event = NotificationEvent;
    const VERSION: u32 = 1;

    fn evolve(mut self, event: &NotificationEvent, at: Timestamp) -> Self {
        let key = |channel, step| AttemptKey { channel, step };
        match event {
            NotificationEvent::NotificationPlanned(event) => return first(event, at),
            NotificationEvent::DeliveryAttempted(event) => {
                let key = key(event.channel, event.step);
                let count = self.attempt(key).map_or(0, |last| last.count) + 1;
                self.attempts.retain(|attempt| attempt.key != key);
                self.attempts.push(Attempt {
                    key,
                    attempt_id: event.attempt_id,
                    lease_until: event.lease_until,
                    settled: None,
                    count,
                });
                self.status = NotificationStatus::Attempting;
            }
            NotificationEvent::DeliverySucceeded(event) => {
                let key = key(event.channel, event.step);
                self.settle(key, event.attempt_id, Settled::Outcome);
                self.status = NotificationStatus::Delivered;
            }
            NotificationEvent::AttemptFailed(event) => {
                let key = key(event.channel, event.step);
                self.settle(key, event.attempt_id, Settled::Outcome);
                self.status = self.open_status();
            }
            NotificationEvent::DeliveryFailed(event) => {
                let key = key(event.channel, event.step);
                self.settle(key, event.attempt_id, Settled::Outcome);
                self.status = NotificationStatus::Failed;
            }
            NotificationEvent::OutcomeUnknown(event) => {
                let key = key(event.channel, event.step);
                self.settle(key, event.attempt_id, Settled::Unknown);
                self.status = match event.policy {
                    UnknownPolicy::Resend => self.open_status(),
                    UnknownPolicy::Park => NotificationStatus::Unknown,
                };
            }
            NotificationEvent::LateOutcome(_) => {}
            NotificationEvent::NotificationDropped(event) => {
                for attempt in &mut self.attempts {
                    attempt.settled.get_or_insert(Settled::Outcome);
                }
                self.status = NotificationStatus::Dropped(event.reason);
            }
            NotificationEvent::NotificationCancelled(_) => {
                self.cancelled = true;
                if self.status == NotificationStatus::Planned {
                    self.status = NotificationStatus::Cancelled;
                }
            }
        }
        self
    }
}

fn first(event: &NotificationPlanned, at: Timestamp) -> Notification {
    Notification {
        status: NotificationStatus::Planned,
        facts: Some(NotificationFacts {
            notification_id: event.notification_id,
            definition: event.definition.clone(),
            recipient_id: event.recipient_id.clone(),
            channel: event.channel,
            cause: event.cause.clone(),
            expires_at: event.expires_at,
            planned_at: at,
        }),
        attempts: Vec::new(),
        cancelled: false,
    }
}
