//! Events of slots and of waitlist entries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{EntryId, OfferId, RecipientId, SlotId, WaitlistId};
use crate::stream::domain_events;
use crate::time::Timestamp;

/// How pressing an entry is. Classes, not numbers: within one class the order never changes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Can wait.
    Routine,
    /// Should be seen soon.
    Soon,
    /// Should be seen next.
    Urgent,
}

impl Urgency {
    /// All classes, least pressing first.
    pub const ALL: [Self; 3] = [Self::Routine, Self::Soon, Self::Urgent];

    /// The name used on the wire and in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Soon => "soon",
            Self::Urgent => "urgent",
        }
    }
}

/// A slot became free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotReleased {
    /// The waitlist that is asked first.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// Counts the releases of this slot from 1; an offer names the version it is for.
    pub slot_version: u32,
    /// What is done in the slot, for instance `physio`.
    pub service: String,
    /// When the appointment starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// How long an offer of this slot stands, in seconds.
    pub offer_window_seconds: u32,
}

/// A slot is held for one entry while it is offered to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotHeld {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version held.
    pub slot_version: u32,
    /// The offer that the hold is for.
    pub offer_id: OfferId,
    /// The entry it is offered to.
    pub entry_id: EntryId,
    /// An acceptance received before this moment is honoured, a later one refused.
    pub expires_at: Timestamp,
    /// How fresh the view was in which the candidates were looked up; absent if it was empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}

/// Why a hold ended without a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldEnd {
    /// The person said no.
    Declined,
    /// The deadline passed.
    Expired,
}

/// A hold ended without a booking; the slot is free again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldReleased {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version that was held.
    pub slot_version: u32,
    /// The offer that ended.
    pub offer_id: OfferId,
    /// Why.
    pub reason: HoldEnd,
}

/// A slot was booked through an accepted offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotFilled {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version that was filled.
    pub slot_version: u32,
    /// The offer accepted.
    pub offer_id: OfferId,
    /// Whose entry it was.
    pub entry_id: EntryId,
}

/// Nobody who may be offered the slot was found; it is looked for once more later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateNotFound {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version.
    pub slot_version: u32,
    /// Not before this moment may a second empty look-up open the slot to the public.
    pub look_again_at: Timestamp,
}

/// Nobody on the waitlist took the slot; anybody may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotOpenedToPublic {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version.
    pub slot_version: u32,
}

/// The slot is no longer to be had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotWithdrawn {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version.
    pub slot_version: u32,
}

domain_events! {
    /// What may happen to a slot.
    pub enum SlotEvent {
        SlotReleased = "callboard.waitlist.slot-released.v1" Public,
        SlotHeld = "callboard.waitlist.slot-held.v1" Public,
        HoldReleased = "callboard.waitlist.hold-released.v1" Public,
        SlotFilled = "callboard.waitlist.slot-filled.v1" Public,
        CandidateNotFound = "callboard.waitlist.candidate-not-found.v1" Public,
        SlotOpenedToPublic = "callboard.waitlist.slot-opened-to-public.v1" Public,
        SlotWithdrawn = "callboard.waitlist.slot-withdrawn.v1" Public,
    }
}

/// A person joined a waitlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryJoined {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// What the person waits for.
    pub service: String,
    /// How pressing it is.
    pub urgency: Urgency,
}

/// An entry was offered a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferMade {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// The offer.
    pub offer_id: OfferId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version offered.
    pub slot_version: u32,
    /// What is done in the slot.
    pub service: String,
    /// When the appointment starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The offer stands until this moment.
    pub expires_at: Timestamp,
}

/// The person said yes in time; the slot is theirs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferAccepted {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// The offer.
    pub offer_id: OfferId,
    /// The slot.
    pub slot_id: SlotId,
    /// What is done in the slot.
    pub service: String,
    /// When the appointment starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// The person said no in time. The entry keeps its rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferDeclined {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The offer.
    pub offer_id: OfferId,
    /// The slot.
    pub slot_id: SlotId,
}

/// An offer's deadline had passed without an answer; counted with the entry's next decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferLapsed {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The offer.
    pub offer_id: OfferId,
}

/// The person left the waitlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryLeft {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
}

domain_events! {
    /// What may happen to an entry.
    pub enum EntryEvent {
        EntryJoined = "callboard.waitlist.entry-joined.v1" Public,
        OfferMade = "callboard.waitlist.offer-made.v1" Public,
        OfferAccepted = "callboard.waitlist.offer-accepted.v1" Public,
        OfferDeclined = "callboard.waitlist.offer-declined.v1" Public,
        OfferLapsed = "callboard.waitlist.offer-lapsed.v1" Public,
        EntryLeft = "callboard.waitlist.entry-left.v1" Public,
    }
}
