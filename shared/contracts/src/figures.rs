//! What a slot and an entry contribute to a waitlist's figures: small documents in the table `views`,
//! summed up when somebody asks.
//!
//! One row for each version of a slot, under the UTC day of its release; one for each entry, under
//! the day on which it was booked or left, and with all others while it waits; one for each change
//! of a rank by staff, under its day. A row of the past never changes.

mod answer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{EntryId, SlotId, WaitlistId};
use crate::time::Timestamp;
use crate::waitlist::{OverrideReason, Urgency};

pub use answer::{
    Asked, Ended, Evenness, Figures, OfferCounts, Overrides, Seconds, SlotCounts, StillWaiting,
    Waits,
};

/// Partition key of a waitlist's figures of one UTC day, written as `2026-01-31`.
#[must_use]
pub fn figures_key(waitlist: &WaitlistId, day: &str) -> String {
    format!("figures#{waitlist}#{day}")
}

/// Partition key of everybody who waits, whatever for.
#[must_use]
pub fn waiting_key(waitlist: &WaitlistId) -> String {
    figures_key(waitlist, "waiting")
}

/// Sort key of one version of a slot.
#[must_use]
pub fn slot_figure_key(slot: &SlotId, version: u32) -> String {
    format!("slot#{slot}#{version}")
}

/// Sort key of an entry that waits no more.
#[must_use]
pub fn entry_figure_key(entry: &EntryId) -> String {
    format!("entry#{entry}")
}

/// Sort key of an entry's change of rank by staff, counted from 0.
#[must_use]
pub fn override_figure_key(entry: &EntryId, number: usize) -> String {
    format!("override#{entry}#{number}")
}

/// The UTC day of a moment, as [`figures_key`] has it.
#[must_use]
pub fn utc_day(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('T')
        .map_or_else(String::new, |(day, _)| day.to_owned())
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Figure {
    /// A version of a slot.
    Slot(SlotTally),
    /// An entry that waits.
    Waiting(Waiting),
    /// An entry that waits no more.
    Waited(Waited),
    /// A rank that staff changed.
    Override(Overridden),
}

impl Figure {
    /// What it is a figure of.
    #[must_use]
    pub fn service(&self) -> &str {
        match self {
            Self::Slot(tally) => &tally.service,
            Self::Waiting(waiting) => &waiting.service,
            Self::Waited(waited) => &waited.service,
            Self::Override(overridden) => &overridden.service,
        }
    }
}

/// What became of one version of a slot, as far as it has come. Versions beyond the first
/// few of one slot are counted together with the last of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotTally {
    /// The waitlist that was asked.
    pub waitlist_id: WaitlistId,
    /// What is done in it.
    pub service: String,
    /// The version.
    pub version: u32,
    /// When it was released.
    pub released_at: Timestamp,
    /// Releases that are counted here: 1, but for versions counted together.
    pub released: u32,
    /// Booked by somebody who waited.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filled: u32,
    /// Booked without an offer while the waitlist was asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub booked: u32,
    /// Withdrawn while the waitlist was asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub withdrawn: u32,
    /// Opened to the public, whoever booked it then.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub opened_to_public: u32,
    /// Nobody had taken it when it started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unfilled: u32,
    /// Offers: to one person each, an automatic acceptance counts as one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offers: u32,
    /// Offers that were declined.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub declined: u32,
    /// Offers that ran out without an answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expired: u32,
    /// Offers that somebody else's act ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ended: u32,
    /// Of those filled: accepted automatically.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub automatic: u32,
    /// Broadcasts to everybody whom it suits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub broadcasts: u32,
    /// Of those filled: taken in a broadcast.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub by_broadcast: u32,
    /// From the release to the booking by somebody who waited, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms_to_fill: Option<u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A change of rank by staff. Changes beyond the first few of one entry are counted together with
/// the last of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideTally {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: OverrideReason,
    /// Changes that are counted here.
    pub count: u32,
}

/// A change of rank by staff, of somebody who waits or waited for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overridden {
    /// What the person waits for.
    pub service: String,
    /// The change.
    #[serde(flatten)]
    pub tally: OverrideTally,
}

/// Somebody who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// What the person waits for.
    pub service: String,
    /// How pressing it is.
    pub urgency: Urgency,
    /// Since when.
    pub joined_at: Timestamp,
    /// Whether offers rest at the moment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// Somebody who waits no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waited {
    /// What the person waited for.
    pub service: String,
    /// How pressing it was at the end.
    pub urgency: Urgency,
    /// Since when.
    pub joined_at: Timestamp,
    /// Until when.
    pub ended_at: Timestamp,
    /// Whether the end was a booking.
    pub booked: bool,
    /// Whether staff had moved the person to the front.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub front: bool,
}
