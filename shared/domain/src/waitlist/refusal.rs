//! Why a command of the waitlist is refused: a code for programs, a sentence for people.

use callboard_contracts::Timestamp;

use super::entry::Ineligible;

/// A command that cannot be done as things stand. The text is fit for the person who asked; it
/// holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such slot was ever released.
    #[error("There is no such slot.")]
    SlotNotFound,
    /// No such entry ever joined.
    #[error("There is no such waitlist entry.")]
    EntryNotFound,
    /// The slot is open or held already.
    #[error("This slot is released already (version {version}).")]
    AlreadyReleased {
        /// The version that is open or held.
        version: u32,
    },
    /// The slot was released before, and the command does not name that version.
    #[error(
        "This slot was released before; to release it again, name the version it follows ({version})."
    )]
    ReleasedBefore {
        /// The latest version.
        version: u32,
    },
    /// The command is for another release of the slot.
    #[error(
        "The command is for another release of this slot; to mean the latest, name its \
         `slotVersion` ({version})."
    )]
    SlotMoved {
        /// The latest version.
        version: u32,
    },
    /// The slot would start in the past.
    #[error("A slot must start in the future when it is released.")]
    StartsInPast,
    /// The slot would end before it starts.
    #[error("A slot must end after it starts.")]
    EndsBeforeStart,
    /// The offer window is zero or too long.
    #[error("An offer must stand for at least one second and at most 7 days.")]
    OfferWindow,
    /// The service's name is empty, too long, or holds a character that keys are built with.
    #[error("A service's name has 1 to 64 bytes, without `#` and control characters.")]
    ServiceName,
    /// A place, a provider, a zone or a foreign id is none, or too long.
    #[error("The slot's `{0}` is not valid.")]
    SlotDetail(&'static str),
    /// A preference cannot be kept.
    #[error("The preference `{0}` is not valid: too much, or it ends before it begins.")]
    Preferences(&'static str),
    /// A policy cannot be kept.
    #[error("The policy's `{0}` is not valid.")]
    Policy(&'static str),
    /// Nobody, somebody twice, or too many were to be offered a slot at once.
    #[error("A slot is offered to 1 to 20 different entries at once.")]
    BatchSize,
    /// Somebody else has the slot.
    #[error("This slot is taken.")]
    SlotTaken,
    /// The slot is held for somebody at the moment.
    #[error("This slot is held for somebody else at the moment.")]
    SlotHeld {
        /// The hold can be released from here on.
        until: Timestamp,
    },
    /// The slot was withdrawn.
    #[error("This slot is no longer available.")]
    SlotWithdrawn,
    /// The slot is open to everybody.
    #[error("This slot is open to the public now.")]
    SlotPublic,
    /// The slot has started.
    #[error("This slot has started.")]
    SlotStarted,
    /// It is too late for another offer of the slot.
    #[error("It is too late to offer this slot.")]
    PastCutoff,
    /// The slot has not started, so it is not to be closed yet.
    #[error("This slot has not started yet.")]
    SlotNotStarted,
    /// The person's answer came at or after the deadline.
    #[error("The time to answer this offer has passed.")]
    OfferExpired,
    /// The offer is of an older version of the slot, or another offer took its place.
    #[error(
        "The appointment went to somebody else or was offered anew; this offer can no longer be answered."
    )]
    OfferSuperseded,
    /// The offer was answered before, and differently.
    #[error("This offer was answered before, and the answer cannot be changed.")]
    AlreadyAnswered,
    /// The very same offer was accepted before: an honest repetition.
    #[error("You have accepted this offer already; the slot is yours.")]
    AlreadyAccepted,
    /// The very same offer was declined before: an honest repetition.
    #[error("You have declined this offer already.")]
    AlreadyDeclined,
    /// The slot was withdrawn before: an honest repetition.
    #[error("This slot was withdrawn already.")]
    AlreadyWithdrawn,
    /// The same booking was made before: an honest repetition.
    #[error("This slot is booked already, by the same booking.")]
    AlreadyBooked,
    /// The practice's calendar has said something later of the slot, or this before.
    #[error("The calendar has told this already, or something later.")]
    CalendarToldLater,
    /// The practice's calendar said two things of a slot under one number.
    #[error("The calendar has told something else under this number.")]
    CalendarContradicts,
    /// The slot is open to everybody on the waitlist: there is nothing that one could decline.
    #[error("This slot is not held for you; you need not answer.")]
    NothingToDecline,
    /// The entry's offer has just run out, and an answer in time may still be on its way.
    #[error("Your offer has just ended; please try again in a few seconds.")]
    AnswerOnItsWay {
        /// From here on it is known.
        until: Timestamp,
    },
    /// The same policy holds already: an honest repetition.
    #[error("This policy holds already.")]
    PolicyUnchanged,
    /// The policy was set by somebody else in between.
    #[error("The policy was changed in between (version {version}).")]
    PolicyMoved {
        /// The latest version.
        version: u32,
    },
    /// The same wishes hold already: an honest repetition.
    #[error("These preferences hold already.")]
    WishesUnchanged,
    /// The entry is paused already: an honest repetition.
    #[error("This entry is paused already.")]
    AlreadyPaused,
    /// The entry is not paused: an honest repetition.
    #[error("This entry is not paused.")]
    NotPaused,
    /// The entry has this rank already: an honest repetition.
    #[error("This entry has this rank already.")]
    RankUnchanged,
    /// The same person joined with the same wishes before: an honest repetition.
    #[error("You are on this waitlist already.")]
    AlreadyJoined,
    /// The person left before: an honest repetition.
    #[error("You have left this waitlist already.")]
    AlreadyLeft,
    /// The entry id is in use with other data.
    #[error("This entry exists already with other data.")]
    EntryExists,
    /// The person left the waitlist.
    #[error("This entry has left the waitlist.")]
    EntryLeft,
    /// The entry has its appointment.
    #[error("This entry has its appointment already.")]
    EntryBooked,
    /// The entry had its appointment, and gave it up for a sooner one.
    #[error("This appointment was given up for an earlier one.")]
    BookingGivenUp,
    /// The entry may not be offered this slot.
    #[error("This entry cannot be offered the slot: {0}.")]
    NotEligible(Ineligible),
}

/// What sort of answer a refusal is; HTTP status codes follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is nothing of that name (404).
    NotFound,
    /// Somebody or something was faster (409).
    LostRace,
    /// The command can never be done as it is (422).
    Invalid,
    /// The same command was done before: answer as then (200).
    Repeated,
}

impl Refusal {
    /// The code that programs go by; the last part of the problem's `type` URI.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SlotNotFound => "slot-not-found",
            Self::EntryNotFound => "entry-not-found",
            Self::AlreadyReleased { .. } => "already-released",
            Self::ReleasedBefore { .. } => "released-before",
            Self::SlotMoved { .. } => "slot-moved",
            Self::StartsInPast => "starts-in-past",
            Self::EndsBeforeStart => "ends-before-start",
            Self::OfferWindow => "offer-window",
            Self::ServiceName => "service-name",
            Self::SlotDetail(_) => "slot-detail",
            Self::Preferences(_) => "preferences",
            Self::Policy(_) => "policy",
            Self::BatchSize => "batch-size",
            Self::SlotTaken => "slot-taken",
            Self::SlotHeld { .. } => "slot-held",
            Self::SlotWithdrawn => "slot-withdrawn",
            Self::SlotPublic => "slot-public",
            Self::SlotStarted => "slot-started",
            Self::PastCutoff => "past-cutoff",
            Self::SlotNotStarted => "slot-not-started",
            Self::OfferExpired => "offer-expired",
            Self::OfferSuperseded => "offer-superseded",
            Self::AlreadyAnswered => "already-answered",
            Self::AlreadyAccepted => "already-accepted",
            Self::AlreadyDeclined => "already-declined",
            Self::AlreadyWithdrawn => "already-withdrawn",
            Self::AlreadyBooked => "already-booked",
            Self::CalendarToldLater => "calendar-told-later",
            Self::CalendarContradicts => "calendar-contradicts",
            Self::NothingToDecline => "nothing-to-decline",
            Self::AnswerOnItsWay { .. } => "answer-on-its-way",
            Self::PolicyUnchanged => "policy-unchanged",
            Self::PolicyMoved { .. } => "policy-moved",
            Self::WishesUnchanged => "wishes-unchanged",
            Self::AlreadyPaused => "already-paused",
            Self::NotPaused => "not-paused",
            Self::RankUnchanged => "rank-unchanged",
            Self::AlreadyJoined => "already-joined",
            Self::AlreadyLeft => "already-left",
            Self::EntryExists => "entry-exists",
            Self::EntryLeft => "entry-left",
            Self::EntryBooked => "entry-booked",
            Self::BookingGivenUp => "booking-given-up",
            Self::NotEligible(_) => "not-eligible",
        }
    }

    /// What sort of answer it is.
    #[must_use]
    pub const fn kind(&self) -> RefusalKind {
        match self {
            Self::SlotNotFound | Self::EntryNotFound => RefusalKind::NotFound,
            Self::StartsInPast
            | Self::EndsBeforeStart
            | Self::OfferWindow
            | Self::ServiceName
            | Self::SlotDetail(_)
            | Self::Preferences(_)
            | Self::Policy(_)
            | Self::BatchSize
            | Self::SlotNotStarted => RefusalKind::Invalid,
            Self::AlreadyAccepted
            | Self::AlreadyDeclined
            | Self::AlreadyWithdrawn
            | Self::AlreadyBooked
            | Self::CalendarToldLater
            | Self::NothingToDecline
            | Self::PolicyUnchanged
            | Self::WishesUnchanged
            | Self::AlreadyPaused
            | Self::NotPaused
            | Self::RankUnchanged
            | Self::AlreadyJoined
            | Self::AlreadyLeft => RefusalKind::Repeated,
            _ => RefusalKind::LostRace,
        }
    }
}
