//! Events of waitlist entries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Urgency;
use super::policy::is_zero;
use super::preferences::Preferences;
use crate::id::{EntryId, OfferId, RecipientId, SlotId, WaitlistId};
use crate::stream::domain_events;
use crate::time::Timestamp;

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
    /// What the person can take.
    #[serde(default, skip_serializing_if = "Preferences::is_empty")]
    pub preferences: Preferences,
    /// Whether a slot that suits is taken without asking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_accept: bool,
    /// Who is told and answers for the person, for instance a parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
}

/// The person can take something else from now on. Everything is replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreferencesChanged {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// What the person can take.
    #[serde(default, skip_serializing_if = "Preferences::is_empty")]
    pub preferences: Preferences,
    /// Whether a slot that suits is taken without asking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_accept: bool,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
}

/// Why an entry is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    /// The person asked for it.
    Asked,
    /// It let as many offers pass as the policy allows.
    Skips,
}

/// The entry gets no offer until it is resumed. It keeps its rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryPaused {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
    /// Why.
    pub reason: PauseReason,
    /// How many offers it had let pass.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skips: u32,
}

/// The entry may be offered slots again. Its skips are forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryResumed {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
}

/// Where staff put an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RankTo {
    /// Before everybody who was not put there earlier.
    Front,
    /// In the class [`Urgency::Urgent`].
    Urgent,
    /// In the class [`Urgency::Soon`].
    Soon,
    /// In the class [`Urgency::Routine`].
    Routine,
    /// Where it belongs by itself: an earlier override is lifted.
    Own,
}

/// Why staff changed an entry's rank. A code, because what they would write may say too much
/// about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverrideReason {
    /// The person's state of health.
    Clinical,
    /// The person's safety.
    Safeguarding,
    /// A mistake of ours is mended.
    AdministrativeError,
    /// A complaint was upheld.
    Complaint,
    /// Something else.
    Other,
}

/// Staff changed the entry's rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RankOverridden {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// Where to.
    pub to: RankTo,
    /// Why.
    pub reason: OverrideReason,
}

/// What an entry's rank was made of when it was offered a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Its class.
    pub urgency: Urgency,
    /// The weight of its class.
    pub weight: u32,
    /// How long it had waited, in milliseconds.
    pub waited_ms: u64,
    /// It had waited longer than anybody should.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_ceiling: bool,
    /// Staff had put it to the front.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overridden: bool,
    /// Its place among those looked at, from 1.
    pub position: u32,
    /// How many were looked at until then.
    pub among: u32,
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
    /// The time zone (IANA) that people read its times in, if the slot has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
    /// How many are offered the slot at once, if it is more than this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u8>,
    /// The entry is paused when it has let so many offers pass; absent is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_limit: Option<u8>,
    /// Why it was this entry's turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// When the booking starts that an acceptance gives up, as the person said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives_up_starts_at: Option<Timestamp>,
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
    /// The time zone (IANA) that people read its times in, if the slot has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The version accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_version: Option<u32>,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
    /// The offer was accepted as soon as it could be made, as the person had wished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    /// Why it was this entry's turn, if no offer was made before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// The slot of the person's former booking, which became free with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped: Option<SlotId>,
    /// When that booking would have started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped_starts_at: Option<Timestamp>,
    /// The person had asked for a booking to be given up, and it was left as it is: it is not
    /// theirs (any more), is no later, or was one too many in a row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub swap_failed: bool,
}

/// The person took a sooner slot and gave up this entry's booking for it, in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookingGivenUp {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// The offer by which the booking had come about.
    pub offer_id: OfferId,
    /// The slot that was given up.
    pub slot_id: SlotId,
    /// The version that was booked.
    pub slot_version: u32,
    /// When the appointment would have started.
    pub starts_at: Timestamp,
    /// The slot that was taken instead.
    pub instead: SlotId,
    /// When that one starts.
    pub instead_starts_at: Timestamp,
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

/// Somebody else got the slot while the offer stood. The entry keeps its rank, and no skip is
/// counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferSuperseded {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
    /// The offer.
    pub offer_id: OfferId,
    /// The slot.
    pub slot_id: SlotId,
    /// What would have been done in it.
    pub service: String,
    /// When it would have started.
    pub starts_at: Timestamp,
    /// The time zone (IANA) that people read its times in, if the slot has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// The slot was withdrawn while the offer stood. The entry keeps its rank, and no skip is
/// counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferWithdrawn {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// Who is told and answers for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_id: Option<RecipientId>,
    /// The offer.
    pub offer_id: OfferId,
    /// The slot.
    pub slot_id: SlotId,
    /// What would have been done in it.
    pub service: String,
    /// When it would have started.
    pub starts_at: Timestamp,
    /// The time zone (IANA) that people read its times in, if the slot has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
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
        BookingGivenUp = "callboard.waitlist.booking-given-up.v1" Public,
        OfferDeclined = "callboard.waitlist.offer-declined.v1" Public,
        OfferLapsed = "callboard.waitlist.offer-lapsed.v1" Public,
        OfferSuperseded = "callboard.waitlist.offer-superseded.v1" Public,
        OfferWithdrawn = "callboard.waitlist.offer-withdrawn.v1" Public,
        PreferencesChanged = "callboard.waitlist.preferences-changed.v1" Public,
        EntryPaused = "callboard.waitlist.entry-paused.v1" Public,
        EntryResumed = "callboard.waitlist.entry-resumed.v1" Public,
        RankOverridden = "callboard.waitlist.rank-overridden.v1" Public,
        EntryLeft = "callboard.waitlist.entry-left.v1" Public,
    }
}
