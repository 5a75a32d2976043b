//! One notification: planned once, attempted under a lease, ended by exactly one outcome.
//!
//! The fence is the attempt id (invariant I13): an outcome is late only if the fold shows a newer
//! attempt, or a takeover, for the same channel and step. A cancel or any other commit that is not
//! about the attempt fences nobody.

use std::time::Duration;

use callboard_contracts::notification::{
    CauseRef, Channel, DropReason, NotificationEvent, NotificationPlanned, UnknownPolicy,
};
use callboard_contracts::{AttemptView, Attempts, Fold, NotificationId, RecipientId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod decide;

pub use decide::{Refusal, cancel, is_stale, plan};

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
                if let Some(planned) = &event.instead_of {
                    self = first(planned, at);
                }
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
