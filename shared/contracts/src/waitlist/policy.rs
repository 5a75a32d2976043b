//! How a waitlist offers its slots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::local::LocalTime;
use crate::id::WaitlistId;
use crate::stream::domain_events;

/// Who is asked, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Mode {
    /// One after the other, by rank.
    #[default]
    Sequential,
    /// Several at once, by rank: the first to accept gets the slot.
    Batch {
        /// How many, at most 20.
        size: u8,
    },
    /// Everybody whom the slot suits is told; nobody has a claim.
    Broadcast,
    /// One after the other, drawn by lot; rank is the weight.
    Lottery,
}

/// Hours in which nobody is expected to answer, by the clock on the clinic's wall. They go past
/// midnight if they end before they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuietHours {
    /// They begin.
    pub from: LocalTime,
    /// They end.
    pub to: LocalTime,
}

/// What holds for every offer of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferRules {
    /// Who is asked, and how many at once.
    pub mode: Mode,
    /// An offer stands for at most this share of the time to the slot, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_percent: Option<u8>,
    /// The time of an offer stands still in these hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// No offer stands longer than until so many seconds before the slot starts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cutoff_seconds: u32,
    /// The first offer is made so many seconds after the release: who freed the slot by mistake
    /// can take it back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub grace_seconds: u32,
    /// So many seconds before the cutoff the slot is broadcast, whatever the mode; 0 is never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub broadcast_within_seconds: u32,
    /// A broadcast is told to so many at most, by rank; 50 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience_max: Option<u8>,
    /// An entry is paused when it let so many offers pass; absent is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_limit: Option<u8>,
    /// Who has waited for so many days goes before every urgency; absent is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_days: Option<u16>,
    /// How many bookings may be swapped in a row, each for the slot that the one before freed.
    #[serde(default, skip_serializing_if = "is_zero_u8")]
    pub swap_depth: u8,
}

/// A waitlist's policy for one service, or for all that have none of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// How long an offer stands, in seconds.
    pub window_seconds: u32,
    /// The clinic's time zone (IANA); UTC unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What holds for every offer.
    #[serde(flatten)]
    pub rules: OfferRules,
}

/// A policy as it was when a slot was released: it holds for that version of the slot, whatever
/// is decided later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// The policy's version; 0 if none was ever set.
    pub policy_version: u32,
    /// What holds for every offer.
    #[serde(flatten)]
    pub rules: OfferRules,
    /// What the lots are drawn from, as 32 hexadecimal digits: fixed before anybody can know who
    /// will be in the draw. Only in [`Mode::Lottery`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
}

pub(super) const fn is_zero(value: &u32) -> bool {
    *value == 0
}

pub(super) const fn is_zero_u8(value: &u8) -> bool {
    *value == 0
}

/// A waitlist's policy was set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicySet {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// Counts the policies of this waitlist from 1.
    pub version: u32,
    /// The service it is for; absent if it is for all that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The policy.
    pub policy: Policy,
}

domain_events! {
    /// What may happen to a waitlist as a whole.
    pub enum WaitlistEvent {
        PolicySet = "callboard.waitlist.policy-set.v1" Public,
    }
}
