//! Events of a recipient. No address, no name: those stand in `contacts` alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::RecipientId;
use crate::stream::domain_events;

/// A recipient's contact was set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecipientRegistered {
    /// The recipient.
    pub recipient_id: RecipientId,
}

/// A recipient's personal data were erased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecipientErased {
    /// The recipient.
    pub recipient_id: RecipientId,
}

/// A recipient asked by text message for no more of them, or for them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsConsentChanged {
    /// The recipient.
    pub recipient_id: RecipientId,
    /// No text message may be sent.
    pub stopped: bool,
}

domain_events! {
    /// What may happen to a recipient.
    pub enum RecipientEvent {
        RecipientRegistered = "callboard.recipient.recipient-registered.v1" Internal,
        RecipientErased = "callboard.recipient.recipient-erased.v1" Internal,
        SmsConsentChanged = "callboard.recipient.sms-consent-changed.v1" Internal,
    }
}
