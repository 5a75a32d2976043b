//! Events of slots.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Urgency;
use super::policy::{Terms, is_zero_u8};
use super::preferences::Ineligible;
use crate::id::{EntryId, OfferId, RecipientId, SlotId, WaitlistId};
use crate::stream::domain_events;
use crate::time::Timestamp;

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
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// With whom it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The time zone (IANA) that people read its times in; UTC unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The caller's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The policy that holds for this release; absent in what was released before there were
    /// policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// How many bookings in a row were swapped until this slot became free.
    #[serde(default, skip_serializing_if = "is_zero_u8")]
    pub swap_depth: u8,
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
    /// How the entry was drawn, if it was drawn by lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
}

/// What is to be known of a draw to repeat it; its seed stands in the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Draw {
    /// The draws of this slot's version, counted from 0.
    pub number: u32,
    /// How many entries had a lot.
    pub pool: u32,
    /// A digest of who they were and how much each weighed, to check a repetition by.
    pub digest: String,
}

/// A slot is held for several entries at once: the first to accept gets it. The id of each offer
/// follows from slot, version and entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchHeld {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version held.
    pub slot_version: u32,
    /// The entries it is offered to, by rank.
    pub entry_ids: Vec<EntryId>,
    /// An acceptance received before this moment may be honoured, a later one is refused.
    pub expires_at: Timestamp,
    /// How fresh the view was in which the candidates were looked up; absent if it was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}

/// Everybody whom the slot suits may take it: the first to accept gets it. Nobody is held to an
/// answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotBroadcast {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version.
    pub slot_version: u32,
    /// An acceptance received before this moment may be honoured, a later one is refused.
    pub ends_at: Timestamp,
}

/// One offer of a batch was declined while others stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferEnded {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version.
    pub slot_version: u32,
    /// The offer that ended.
    pub offer_id: OfferId,
    /// Why.
    pub reason: HoldEnd,
}

/// How far a class of candidates was looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// The class; absent for those who were moved to the front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
    /// When the last entry looked at joined, or was moved to the front.
    pub since: Timestamp,
    /// The last entry looked at.
    pub entry_id: EntryId,
}

/// Who stood before the entries that were offered the slot, and why each was not asked. It stands
/// beside a hold that says the rest and shares its 1,024 bytes, so it does not repeat slot and
/// version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidatesPassedOver {
    /// The entries by reason.
    pub passed: BTreeMap<Ineligible, Vec<EntryId>>,
    /// Where the next look-up for this version goes on, class by class; none if it starts anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<Cursor>,
    /// How fresh the view was in which they were found; absent if a hold beside it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// The time of a batch ran out; every offer of it that stood has ended, and the slot is free
/// again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchReleased {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version that was held.
    pub slot_version: u32,
    /// How many offers ended.
    pub offers: u32,
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
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<RecipientId>,
    /// The offer was accepted as soon as it could be made, as the person had wished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    /// How fresh the view was in which an offer accepted at once was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}

/// Who booked a slot without an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BookedBy {
    /// Staff, here.
    Staff,
    /// Somebody in another system.
    Elsewhere,
}

/// A slot was booked without an offer. Every offer of it has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotBooked {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version that was booked.
    pub slot_version: u32,
    /// By whom.
    pub by: BookedBy,
    /// The other system's own name for the booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// For whom, if it is one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<RecipientId>,
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

/// Everybody whose offer of the slot somebody else's act had ended has been told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndedOffersTold {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version by now; the offers may have been of an earlier one.
    pub slot_version: u32,
}

/// The practice's own calendar said how a slot stands. Recorded even if nothing follows from it, so
/// that what it said before and what arrives later is known to be old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CalendarTold {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The slot; it may never have been released.
    pub slot_id: SlotId,
    /// The calendar's own count of what it says of this slot, or the moment of it in milliseconds
    /// since 1970: more is later.
    pub revision: u64,
    /// What it said.
    pub word: CalendarWord,
}

/// How a slot stands, as the practice's own calendar sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CalendarWord {
    /// Nobody has it.
    Free,
    /// Somebody has it.
    Booked,
    /// There is no such appointment any more.
    Gone,
}

domain_events! {
    /// What may happen to a slot.
    pub enum SlotEvent {
        SlotReleased = "callboard.waitlist.slot-released.v1" Public,
        SlotHeld = "callboard.waitlist.slot-held.v1" Public,
        BatchHeld = "callboard.waitlist.batch-held.v1" Public,
        SlotBroadcast = "callboard.waitlist.slot-broadcast.v1" Public,
        CandidatesPassedOver = "callboard.waitlist.candidates-passed-over.v1" Internal,
        OfferEnded = "callboard.waitlist.offer-ended.v1" Internal,
        EndedOffersTold = "callboard.waitlist.ended-offers-told.v1" Internal,
        HoldReleased = "callboard.waitlist.hold-released.v1" Public,
        BatchReleased = "callboard.waitlist.batch-released.v1" Public,
        SlotFilled = "callboard.waitlist.slot-filled.v1" Public,
        SlotBooked = "callboard.waitlist.slot-booked.v1" Public,
        CandidateNotFound = "callboard.waitlist.candidate-not-found.v1" Public,
        SlotOpenedToPublic = "callboard.waitlist.slot-opened-to-public.v1" Public,
        SlotWithdrawn = "callboard.waitlist.slot-withdrawn.v1" Public,
        CalendarTold = "callboard.waitlist.calendar-told.v1" Internal,
    }
}
