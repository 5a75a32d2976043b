//! What a person who waits can take, and why an entry is passed over.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::local::{LocalDate, LocalTime};
use crate::id::SlotId;
use crate::time::Timestamp;

/// A day of the week.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each says itself which day it is")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Hours of the week in which the whole appointment has to lie, by the clock on the clinic's wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeeklyWindow {
    /// The days; none means every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// Not before.
    pub from: LocalTime,
    /// Not after; later than `from`.
    pub to: LocalTime,
}

/// Days in which the appointment has to start, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DateRange {
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LocalDate>,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<LocalDate>,
}

/// How long the appointment may be, in minutes, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Minutes {
    /// At least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u16>,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u16>,
}

/// An appointment that the person has already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnBooking {
    /// Its slot, if it is one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_id: Option<SlotId>,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Whether it is given up for a sooner one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub swap: bool,
}

/// What a person can take. What is left out does not matter to them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// One of these places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// With one of these people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// In one of these hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WeeklyWindow>,
    /// In these days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateRange>,
    /// Of this length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<Minutes>,
    /// Known so many seconds before it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notice_seconds: Option<u32>,
    /// So many seconds away from the person's own booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_seconds: Option<u32>,
    /// The person's own booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_booking: Option<OwnBooking>,
    /// On none of these days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackout_dates: Vec<LocalDate>,
    /// At most so many days ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_days: Option<u16>,
}

impl Preferences {
    /// Whether anything goes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why an entry is passed over for a slot: it is not free, or the slot is none it can take.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Ineligible {
    /// No such entry ever joined.
    NotThere,
    /// It left the waitlist.
    Left,
    /// It has its appointment.
    Booked,
    /// It is paused.
    Paused,
    /// It let as many offers pass as the policy allows; to be paused with its next commit.
    SkipLimit,
    /// It has a live offer.
    HasOffer,
    /// It waits on another waitlist.
    OtherWaitlist,
    /// It waits for another service.
    OtherService,
    /// It was offered this version of the slot before.
    OfferedBefore,
    /// The slot is at a place that the person did not name.
    OtherLocation,
    /// The slot is with somebody whom the person did not name.
    OtherProvider,
    /// The slot is of a length that the person ruled out.
    WrongDuration,
    /// The slot is outside the days that the person named.
    OutsideDates,
    /// The slot is on a day that the person ruled out.
    BlackoutDate,
    /// The slot is outside the hours of the week that the person named.
    OutsideWindows,
    /// The slot is further ahead than the person plans.
    BeyondHorizon,
    /// The slot starts too soon.
    TooShortNotice,
    /// The slot is too close to the person's own booking.
    TooCloseToOwnBooking,
    /// The slot is no sooner than the booking that the person would give up.
    NoSooner,
    /// To fill the slot would free another one, once more than the policy allows in a row.
    SwapDepth,
}

impl Ineligible {
    /// All reasons, in the order in which they are looked for.
    pub const ALL: [Self; 20] = [
        Self::NotThere,
        Self::Left,
        Self::Booked,
        Self::Paused,
        Self::SkipLimit,
        Self::HasOffer,
        Self::OtherWaitlist,
        Self::OtherService,
        Self::OfferedBefore,
        Self::OtherLocation,
        Self::OtherProvider,
        Self::WrongDuration,
        Self::OutsideDates,
        Self::BlackoutDate,
        Self::OutsideWindows,
        Self::BeyondHorizon,
        Self::TooShortNotice,
        Self::TooCloseToOwnBooking,
        Self::NoSooner,
        Self::SwapDepth,
    ];

    /// The reason as it is recorded.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotThere => "not-there",
            Self::Left => "left",
            Self::Booked => "booked",
            Self::Paused => "paused",
            Self::SkipLimit => "skip-limit",
            Self::HasOffer => "has-offer",
            Self::OtherWaitlist => "other-waitlist",
            Self::OtherService => "other-service",
            Self::OfferedBefore => "offered-before",
            Self::OtherLocation => "other-location",
            Self::OtherProvider => "other-provider",
            Self::WrongDuration => "wrong-duration",
            Self::OutsideDates => "outside-dates",
            Self::BlackoutDate => "blackout-date",
            Self::OutsideWindows => "outside-windows",
            Self::BeyondHorizon => "beyond-horizon",
            Self::TooShortNotice => "too-short-notice",
            Self::TooCloseToOwnBooking => "too-close-to-own-booking",
            Self::NoSooner => "no-sooner",
            Self::SwapDepth => "swap-depth",
        }
    }
}

impl fmt::Display for Ineligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotThere => "it is not on the waitlist",
            Self::Left => "it left the waitlist",
            Self::Booked => "it has its appointment",
            Self::Paused => "it is paused",
            Self::SkipLimit => "it let too many offers pass",
            Self::HasOffer => "it has another offer at the moment",
            Self::OtherWaitlist => "it is on another waitlist",
            Self::OtherService => "it waits for another service",
            Self::OfferedBefore => "it was offered this slot before",
            Self::OtherLocation => "it waits for another location",
            Self::OtherProvider => "it waits for another provider",
            Self::WrongDuration => "the slot's length does not suit it",
            Self::OutsideDates => "the slot is outside its dates",
            Self::BlackoutDate => "the slot is on a day it ruled out",
            Self::OutsideWindows => "the slot is outside its hours of the week",
            Self::BeyondHorizon => "the slot is too far ahead for it",
            Self::TooShortNotice => "the slot starts too soon for it",
            Self::TooCloseToOwnBooking => "the slot is too close to its own booking",
            Self::NoSooner => "the slot is no sooner than its own booking",
            Self::SwapDepth => "too many bookings were swapped in a row",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_as_it_is_written() {
        for reason in Ineligible::ALL {
            assert_eq!(
                serde_json::to_value(reason).expect("JSON"),
                serde_json::json!(reason.code())
            );
        }
    }
}
