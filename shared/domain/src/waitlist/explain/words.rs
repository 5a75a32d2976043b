//! The reasons in words: for staff, who read of an entry, and for the person whose it is.

use callboard_contracts::waitlist::{Ineligible, PauseReason};

use super::Why;
use crate::waitlist::slot::OfferFate;

impl Why {
    /// The reason as programs tell it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Own(_) => "offered",
            Self::HadItsTurn(_) => "had-its-turn",
            Self::Paused(_) => "paused",
            Self::Booked => "booked",
            Self::Left => "left",
            Self::PassedOver { reason, .. } => reason.code(),
            Self::Drawn { .. } => "drawn-by-lot",
            Self::ForAll => "open-to-all",
            Self::ByRank => "ranked-behind",
            Self::NotSeen => "not-seen",
        }
    }

    /// The reason for staff, as a sentence about the entry.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Own(None) => "The slot was offered to this entry.".to_owned(),
            Self::Own(Some(end)) => format!("The slot was offered to this entry, {}.", ended(*end)),
            Self::HadItsTurn(None) => {
                "The slot had been offered to this entry before, and nobody is asked twice."
                    .to_owned()
            }
            Self::HadItsTurn(Some(end)) => format!(
                "The slot had been offered to this entry before, {}; nobody is asked twice.",
                ended(*end)
            ),
            Self::Paused(PauseReason::Asked) => {
                "The entry was paused, as the person had asked.".to_owned()
            }
            Self::Paused(PauseReason::Skips) => {
                "The entry was paused, for it had let too many offers pass.".to_owned()
            }
            Self::Booked => "The entry had its appointment.".to_owned(),
            Self::Left => "The entry had left the waitlist.".to_owned(),
            Self::PassedOver { reason, .. } => {
                format!("It was this entry's turn, but it was passed over: {reason}.")
            }
            Self::Drawn { .. } => "Who was asked was drawn by lot; rank is the number of lots. \
                The draw can be repeated from its seed and number."
                .to_owned(),
            Self::ForAll => "The slot was open to everybody whom it suited; the first to accept \
                gets it, whatever the rank."
                .to_owned(),
            Self::ByRank => "Whoever was asked came first by rank.".to_owned(),
            Self::NotSeen => "The list that was looked at was some moments old and did not show \
                this entry as it stood."
                .to_owned(),
        }
    }

    /// Whether it follows from what the person can take: other wishes would have changed it.
    #[must_use]
    pub const fn is_by_wish(&self) -> bool {
        matches!(
            self,
            Self::PassedOver {
                reason: Ineligible::OtherLocation
                    | Ineligible::OtherProvider
                    | Ineligible::WrongDuration
                    | Ineligible::OutsideDates
                    | Ineligible::BlackoutDate
                    | Ineligible::OutsideWindows
                    | Ineligible::BeyondHorizon
                    | Ineligible::TooShortNotice,
                ..
            }
        )
    }

    /// The reason for the person, said of slots in the plural: "three slots were …".
    #[must_use]
    pub const fn to_person(&self) -> &'static str {
        match self {
            Self::Own(_) | Self::HadItsTurn(_) => "were offered to you",
            Self::Paused(_) => "came up while your place was paused",
            Self::Booked => "came up while you had an appointment",
            Self::Left => "came up after you had left",
            Self::PassedOver { reason, .. } => to_person(*reason),
            Self::Drawn { .. } => "went to somebody who was drawn by lot",
            Self::ForAll => "were open to everybody, and somebody else was faster",
            Self::ByRank | Self::NotSeen => "went to somebody who was before you",
        }
    }
}

const fn ended(end: OfferFate) -> &'static str {
    match end {
        OfferFate::Declined => "which declined",
        OfferFate::Expired => "which did not answer in time",
        OfferFate::Superseded => "but somebody else accepted first",
        OfferFate::Booked => "but it was booked without an offer",
        OfferFate::Withdrawn => "but it was withdrawn",
    }
}

const fn to_person(reason: Ineligible) -> &'static str {
    match reason {
        Ineligible::NotThere | Ineligible::OtherWaitlist | Ineligible::OtherService => {
            "were for something else than you wait for"
        }
        Ineligible::Left => "came up after you had left",
        Ineligible::Booked => "came up while you had an appointment",
        Ineligible::Paused | Ineligible::SkipLimit => "came up while your place was paused",
        Ineligible::HasOffer => "came up while you had another offer",
        Ineligible::OfferedBefore => "were offered to you",
        Ineligible::OtherLocation => "were at a place that you did not name",
        Ineligible::OtherProvider => "were with somebody whom you did not name",
        Ineligible::WrongDuration => "were shorter or longer than you asked for",
        Ineligible::OutsideDates => "were outside the dates that you named",
        Ineligible::BlackoutDate => "were on days that you ruled out",
        Ineligible::OutsideWindows => "were outside the times that you named",
        Ineligible::BeyondHorizon => "were further ahead than you plan",
        Ineligible::TooShortNotice => "came up too shortly before",
        Ineligible::TooCloseToOwnBooking => "were too close to your own appointment",
        Ineligible::NoSooner => "were no sooner than your own appointment",
        Ineligible::SwapDepth => "would have moved too many appointments in a row",
    }
}
