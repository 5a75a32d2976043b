//! Events of a broadcast: whom an open slot was told to. They stand in a stream of their own, so
//! that telling many does not get in the way of those who accept.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::preferences::Ineligible;
use super::slot::Cursor;
use crate::id::{EntryId, RecipientId, SlotId, WaitlistId};
use crate::stream::domain_events;
use crate::time::Timestamp;

/// Somebody who is told of a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    /// The entry. The id of the offer that it may accept follows from slot, version and entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
}

/// Some of those whom a broadcast slot suits are told of it; more may follow. Nobody has a claim:
/// the first to accept gets the slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BroadcastAnnounced {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version that is broadcast.
    pub slot_version: u32,
    /// What is done in it.
    pub service: String,
    /// When the appointment starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// An acceptance received before this moment may be honoured, a later one is refused.
    pub expires_at: Timestamp,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// With whom it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The time zone (IANA) that people read its times in; UTC unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Who is told, by rank.
    pub invited: Vec<Invited>,
}

/// How far the waitlist was looked through for those whom a broadcast slot suits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AudienceSearched {
    /// The entries that were not told, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passed: BTreeMap<Ineligible, Vec<EntryId>>,
    /// Where the search goes on, class by class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<Cursor>,
    /// How fresh the view was in which they were found; absent if it was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Nobody else is looked for: everybody was told, as many as the policy wants, or the slot is
    /// not to be had any more.
    pub done: bool,
}

domain_events! {
    /// What may happen to a broadcast.
    pub enum BroadcastEvent {
        BroadcastAnnounced = "callboard.waitlist.broadcast-announced.v1" Public,
        AudienceSearched = "callboard.waitlist.audience-searched.v1" Internal,
    }
}
