//! Events of one notification: one cause, one recipient, one definition.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{RecipientId, derived_uuid};
use crate::stream::{StreamId, domain_events};
use crate::time::Timestamp;

/// The id of a notification, derived from what caused it, so that a redelivered cause finds
/// its own work done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NotificationId(Uuid);

impl NotificationId {
    /// The id that follows from the causing event, the recipient and the definition.
    #[must_use]
    pub fn derived(cause_event_id: &str, recipient: &RecipientId, definition: &str) -> Self {
        Self(derived_uuid(&[
            "notification",
            cause_event_id,
            recipient.as_str(),
            definition,
        ]))
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for NotificationId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl JsonSchema for NotificationId {
    fn schema_name() -> Cow<'static, str> {
        "NotificationId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}

/// A way to reach a person.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// E-mail.
    Email,
}

impl Channel {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
        }
    }
}

/// What is done when nobody can know whether an attempt reached the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownPolicy {
    /// Send again: twice is better than never.
    Resend,
    /// Leave it: never is better than twice.
    Park,
}

/// The event in the journal that a notification is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseRef {
    /// Its stream.
    #[schemars(with = "String")]
    pub stream: StreamId,
    /// Its commit's number.
    pub commit: u64,
    /// Its index in the commit, from 0.
    pub index: u32,
}

/// It was decided that somebody should be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationPlanned {
    /// The notification.
    pub notification_id: NotificationId,
    /// Which definition (wording, category, channel) is used.
    pub definition: String,
    /// Who is told.
    pub recipient_id: RecipientId,
    /// On which channel.
    pub channel: Channel,
    /// What it is about; its data fill the wording at the moment of sending.
    pub cause: CauseRef,
    /// After this moment it must not be sent any more (an offer's end); absent means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A sender is about to call the provider. Internal: the fence of the lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryAttempted {
    /// The attempt; the fence that an outcome is checked against.
    pub attempt_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Which step of an escalation this is, from 0.
    pub step: u32,
    /// Who holds the lease (a function's request id).
    pub owner: String,
    /// The lease ends here.
    pub lease_until: Timestamp,
}

/// The provider took the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliverySucceeded {
    /// The attempt that succeeded.
    pub attempt_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Step.
    pub step: u32,
    /// The provider that took it.
    pub provider: String,
}

/// An attempt certainly did not reach the person; another may follow. Internal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptFailed {
    /// The attempt.
    pub attempt_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Step.
    pub step: u32,
    /// The provider's code and class, for instance `smtp-451`; never its text.
    pub code: String,
}

/// The person cannot be reached this way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryFailed {
    /// The attempt.
    pub attempt_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Step.
    pub step: u32,
    /// The provider's code and class, for instance `smtp-550`; never its text.
    pub code: String,
}

/// A lease ended without an outcome: nobody can know whether the person was reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeUnknown {
    /// The attempt.
    pub attempt_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Step.
    pub step: u32,
    /// What follows from it.
    pub policy: UnknownPolicy,
}

/// An outcome came after its attempt had been taken over. Recorded, and changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LateOutcome {
    /// The attempt.
    pub attempt_id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Step.
    pub step: u32,
    /// What it would have been: `succeeded`, or the failure's code.
    pub outcome: String,
}

/// Why a notification was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// The recipient has no address on this channel, or is not registered.
    NoContact,
    /// The recipient opted out of the category.
    OptedOut,
    /// The address is suppressed (bounced, complained).
    Suppressed,
    /// It came too late to be of use.
    Expired,
    /// Its cause is older than retention guarantees.
    Stale,
    /// It was cancelled before it was sent.
    Cancelled,
    /// The wording could not be filled from the event's data.
    Unrenderable,
}

/// It will not be sent, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationDropped {
    /// Why.
    pub reason: DropReason,
    /// What would have been planned, where planning and dropping is one decision: nobody was
    /// asked to deliver it. Absent if it was planned before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<NotificationPlanned>,
}

/// It must not be sent any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationCancelled {
    /// A word on why, from a fixed list of the caller's; no personal data.
    pub reason: String,
}

domain_events! {
    /// What may happen to a notification.
    pub enum NotificationEvent {
        NotificationPlanned = "callboard.notification.notification-planned.v1" Public,
        DeliveryAttempted = "callboard.notification.delivery-attempted.v1" Internal,
        DeliverySucceeded = "callboard.notification.delivery-succeeded.v1" Public,
        AttemptFailed = "callboard.notification.attempt-failed.v1" Internal,
        DeliveryFailed = "callboard.notification.delivery-failed.v1" Public,
        OutcomeUnknown = "callboard.notification.outcome-unknown.v1" Public,
        LateOutcome = "callboard.notification.late-outcome.v1" Internal,
        NotificationDropped = "callboard.notification.notification-dropped.v1" Public,
        NotificationCancelled = "callboard.notification.notification-cancelled.v1" Public,
    }
}
