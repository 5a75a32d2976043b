//! Events of slots, of broadcasts, of waitlist entries, and of a waitlist's policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod broadcast;
mod entry;
mod local;
mod policy;
mod preferences;
mod slot;

pub use broadcast::{AudienceSearched, BroadcastAnnounced, BroadcastEvent, Invited};
pub use entry::{
    BookingGivenUp, EntryEvent, EntryJoined, EntryLeft, EntryPaused, EntryResumed, OfferAccepted,
    OfferDeclined, OfferLapsed, OfferMade, OfferSuperseded, OfferWithdrawn, OverrideReason,
    PauseReason, PreferencesChanged, RankOverridden, RankTo, Score,
};
pub use local::{LocalDate, LocalError, LocalTime};
pub use policy::{Mode, OfferRules, Policy, PolicySet, QuietHours, Terms, WaitlistEvent};
pub use preferences::{
    DateRange, Ineligible, Minutes, OwnBooking, Preferences, Weekday, WeeklyWindow,
};
pub use slot::{
    BatchHeld, BatchReleased, BookedBy, CalendarTold, CalendarWord, CandidateNotFound,
    CandidatesPassedOver, Cursor, Draw, EndedOffersTold, HoldEnd, HoldReleased, OfferEnded,
    SlotBooked, SlotBroadcast, SlotEvent, SlotFilled, SlotHeld, SlotOpenedToPublic, SlotReleased,
    SlotWithdrawn,
};

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
