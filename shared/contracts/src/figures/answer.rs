//! The figures of a waitlist, as they are told.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::id::WaitlistId;
use crate::time::Timestamp;
use crate::waitlist::Urgency;

/// What became of the slots that were released; each is in one of the other counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotCounts {
    /// Releases. A slot that is released again counts again.
    pub released: u32,
    /// Booked by somebody who waited.
    pub filled: u32,
    /// Booked by staff or in another system while the waitlist was asked.
    pub booked_otherwise: u32,
    /// Withdrawn before its start, while the waitlist was asked.
    pub withdrawn: u32,
    /// Nobody on the waitlist took it in time: everybody may.
    pub opened_to_public: u32,
    /// The waitlist was still asked when it started.
    pub unfilled: u32,
    /// The waitlist is being asked.
    pub open: u32,
}

/// What became of the offers of these slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferCounts {
    /// Offers to one person each. An automatic acceptance counts as one; an invitation by a
    /// broadcast does not.
    pub made: u32,
    /// Accepted by an answer.
    pub accepted: u32,
    /// Accepted automatically, as the person had wished.
    pub automatic: u32,
    /// Declined.
    pub declined: u32,
    /// Ran out without an answer.
    pub expired: u32,
    /// Ended by somebody else: another of a batch was faster, or the slot was booked otherwise or
    /// withdrawn.
    pub ended_by_others: u32,
    /// Stand at the moment.
    pub standing: u32,
    /// Broadcasts to everybody whom a slot suits.
    pub broadcasts: u32,
    /// Slots that were filled by a broadcast.
    pub filled_by_broadcast: u32,
}

/// How long something took: count, and seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seconds {
    /// How many values there are.
    pub count: u32,
    /// The arithmetic mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Half of the values do not exceed it (nearest rank).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// 90 % do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<f64>,
    /// 95 % do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// The largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// How evenly waiting was shared.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct Evenness {
    /// Jain's index, (Σx)²/(n Σx²): 1 if all waited alike, 1/n if one alone waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jain: Option<f64>,
    /// Gini's coefficient, Σ(2i − n − 1)xᵢ/(n Σx): 0 if all waited alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gini: Option<f64>,
}

/// How long people of one urgency waited until their booking.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct Waits {
    /// From joining to the booking.
    pub seconds: Seconds,
    /// Among all of that urgency, whatever they waited for.
    pub evenness: Evenness,
}

/// Those whose waiting ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Those who were booked, by urgency at that moment.
    pub booked: BTreeMap<Urgency, Waits>,
    /// Evenness among equals: those booked who waited for one service with one urgency and whom
    /// staff had not moved to the front; the mean over these groups, weighted by their size.
    /// A group of one is left out.
    pub among_equals: Evenness,
    /// Those who left without a booking.
    pub left: u32,
}

/// Those who wait.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StillWaiting {
    /// By urgency, from joining to now. These times have not come to their end
    /// (they are *censored*): they tell how long people have waited, not how long they will have.
    pub seconds: BTreeMap<Urgency, Seconds>,
    /// Of all these: those whose offers rest.
    pub paused: u32,
}

/// Changes of rank by staff.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overrides {
    /// How many.
    pub count: u32,
    /// By the reason that was given.
    pub by_reason: BTreeMap<String, u32>,
}

/// What is summed up: of which waitlist and when.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// One service; null is all.
    pub service: Option<String>,
    /// The first UTC day.
    pub from: String,
    /// The last UTC day.
    pub to: String,
    /// Whether all was looked at. Of more than 10,000 who wait it is those who wait longest.
    pub complete: bool,
}

/// The figures of a waitlist. What nothing is known of is left out: a rate of nothing is not 0.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// What was asked.
    #[serde(flatten)]
    pub asked: Asked,
    /// Slots that were released in the range, as they stand now.
    pub slots: SlotCounts,
    /// `filled / (filled + openedToPublic + unfilled)`: of the slots for which the waitlist had its
    /// whole time, those that it filled. Slots that others booked or withdrew meanwhile, and those
    /// that are still open, are no part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_rate: Option<f64>,
    /// From the release to the booking by somebody who waited.
    pub time_to_fill_seconds: Seconds,
    /// Offers of these slots.
    pub offers: OfferCounts,
    /// `made / slots.filled`, with the offers of slots that were not filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers_per_fill: Option<f64>,
    /// `accepted / (accepted + declined + expired)`: of the offers that had their whole time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<f64>,
    /// Entries that were booked or left in the range.
    pub ended: Ended,
    /// Entries that wait now, whenever they joined.
    pub waiting: StillWaiting,
    /// Changes of rank in the range.
    pub overrides: Overrides,
    /// The newest release, booking, joining, leaving or change of rank that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
}
