//! The documents that stand in the table `views`, and the keys they stand under.
//!
//! One projector writes them, several functions read them, so their form is part of the
//! vocabulary. Every document is JSON in the attribute `doc`; `applied` is the commit it has
//! seen of its stream, `as_of` that commit's time in milliseconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::figures::{OverrideTally, SlotTally};
use crate::id::{EntryId, OfferId, RecipientId, SlotId, WaitlistId};
use crate::time::Timestamp;
use crate::waitlist::Urgency;

/// Sort key of the one item that shows a whole stream.
pub const VIEW_SORT_KEY: &str = "view";

/// Partition key of everything on one waitlist's board.
#[must_use]
pub fn board_key(waitlist: &WaitlistId) -> String {
    format!("waitlist#{waitlist}")
}

/// Partition key of the people who wait for `service` in one class of urgency. Within it the
/// order by join time never changes, so the next person is found by reading from the front.
#[must_use]
pub fn candidates_key(waitlist: &WaitlistId, service: &str, urgency: Urgency) -> String {
    format!("candidates#{waitlist}#{service}#{}", urgency.as_str())
}

/// Sort key of one candidate: by join time, then by id.
#[must_use]
pub fn candidate_sort_key(joined_at: Timestamp, entry: &EntryId) -> String {
    format!("{}#{entry}", moment_prefix(joined_at))
}

/// What the sort keys of everything at this moment begin with; that of an earlier one is less.
#[must_use]
pub fn moment_prefix(at: Timestamp) -> String {
    format!("{:013}", at.as_millis())
}

/// Partition key of the people who wait for `service` and whom staff moved to the front: a class of
/// its own, in the order in which they were moved.
#[must_use]
pub fn front_key(waitlist: &WaitlistId, service: &str) -> String {
    format!("candidates#{waitlist}#{service}#front")
}

/// Sort key of one candidate at the front: by when it was moved there, then by join time and id.
#[must_use]
pub fn front_sort_key(overridden_at: Timestamp, joined_at: Timestamp, entry: &EntryId) -> String {
    let joined = candidate_sort_key(joined_at, entry);
    format!("{}-{joined}", front_sort_prefix(overridden_at))
}

/// What the sort keys of everybody who was moved to the front at this moment begin with.
#[must_use]
pub fn front_sort_prefix(overridden_at: Timestamp) -> String {
    moment_prefix(overridden_at)
}

/// Partition key of the slots of `service` that nobody holds.
#[must_use]
pub fn open_slots_key(waitlist: &WaitlistId, service: &str) -> String {
    format!("open#{waitlist}#{service}")
}

/// Partition key of the slots of `service` that were offered to anybody, by when they were last.
#[must_use]
pub fn recent_key(waitlist: &WaitlistId, service: &str) -> String {
    format!("recent#{waitlist}#{service}")
}

/// Sort key of a slot that was last offered at this moment.
#[must_use]
pub fn recent_sort_key(offered_at: Timestamp, slot: &SlotId) -> String {
    format!("{}#slot#{slot}", moment_prefix(offered_at))
}

/// A slot that was offered to somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecentSlot {
    /// The slot.
    pub slot_id: SlotId,
    /// When it was last offered.
    pub offered_at: Timestamp,
}

/// Partition key of the entries of one person who has something to answer or has answered it.
#[must_use]
pub fn answers_key(recipient: &RecipientId) -> String {
    format!("recipient#{recipient}")
}

/// What the sort keys of entries begin with to which a slot is offered.
pub const OFFERED_PREFIX: &str = "offered#";

/// What the sort keys of entries begin with that have accepted.
pub const BOOKED_PREFIX: &str = "booked#";

/// Partition key of a waitlist's slots in the order in which they start.
#[must_use]
pub fn calendar_key(waitlist: &WaitlistId) -> String {
    format!("calendar#{waitlist}")
}

/// Sort key of one of them: by start, then by id.
#[must_use]
pub fn calendar_sort_key(starts_at: Timestamp, slot: &SlotId) -> String {
    format!("{}#slot#{slot}", moment_prefix(starts_at))
}

/// A slot, as it may be shown to anybody: no person is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotView {
    /// The slot.
    pub slot_id: SlotId,
    /// Its waitlist.
    pub waitlist_id: WaitlistId,
    /// `open`, `held`, `booked`, `opened-to-public` or `withdrawn`.
    pub state: String,
    /// Its version.
    pub slot_version: u32,
    /// What is done in it.
    pub service: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// With whom it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The time zone (IANA) that people read its times in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Who holds or has booked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_id: Option<EntryId>,
    /// The live or accepted offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<OfferId>,
    /// When the live offer ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How many entries this version was offered to.
    pub offers: u32,
    /// When it was last offered to anybody, in whichever version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_at: Option<Timestamp>,
    /// What became of each version; empty in what a former version of the projector wrote, and in
    /// the rows of boards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tallies: Vec<SlotTally>,
}

/// An entry, as staff may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    /// The entry.
    pub entry_id: EntryId,
    /// Its waitlist.
    pub waitlist_id: WaitlistId,
    /// The person.
    pub recipient_id: RecipientId,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
    /// `waiting`, `offered`, `paused`, `booked`, `given-up` (a booking, for a sooner one) or `left`.
    pub state: String,
    /// What the person waits for.
    pub service: String,
    /// How pressing it is.
    pub urgency: Urgency,
    /// Since when.
    pub joined_at: Timestamp,
    /// The slot offered, booked or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_id: Option<SlotId>,
    /// When the live offer ends; after it the entry waits again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How many offers it let pass.
    pub skips: u32,
    /// When staff moved it to the front, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden_at: Option<Timestamp>,
    /// When it was booked, or left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How often staff changed its rank, and why; absent in what a former version of the projector
    /// wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Vec<OverrideTally>>,
}

/// An entry of a person who may answer an offer by a message, in which no link says which one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answering {
    /// The entry.
    pub entry_id: EntryId,
}

/// Somebody who may be offered a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The entry.
    pub entry_id: EntryId,
    /// Since when it waits.
    pub joined_at: Timestamp,
    /// How pressing it is.
    pub urgency: Urgency,
    /// Busy with another offer until then, as far as the view knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_until: Option<Timestamp>,
    /// When staff moved it to the front, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden_at: Option<Timestamp>,
}
