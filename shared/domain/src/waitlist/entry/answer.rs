//! An entry is offered a slot, answers, or hears that somebody else was faster.

use callboard_contracts::waitlist::{
    BookingGivenUp, EntryEvent, OfferAccepted, OfferDeclined, OfferMade, OfferSuperseded,
    OfferWithdrawn, Score,
};
use callboard_contracts::{OfferId, Timestamp};

use super::change::lapsed;
use super::eligible::{available, wants};
use super::{Booking, Entry, EntryFacts, EntryOffer, EntryStatus, OfferEnd};
use crate::waitlist::refusal::Refusal;
use crate::waitlist::slot::{OfferFate, SlotFacts, Told};
use crate::waitlist::timing::Timing;

/// What holds for one offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferDetails {
    /// It stands until this moment.
    pub expires_at: Timestamp,
    /// How many are offered the slot at once.
    pub batch: usize,
    /// Why it is this entry's turn.
    pub score: Option<Score>,
}

/// What becomes of the person's own booking with an acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Swap {
    /// Nothing: none was to be given up.
    #[default]
    None,
    /// It is given up.
    GivenUp(Booking),
    /// It should have been given up, and is left as it is.
    Failed,
}

impl Swap {
    fn given_up(self) -> Option<Booking> {
        match self {
            Self::GivenUp(booking) => Some(booking),
            Self::None | Self::Failed => None,
        }
    }
}

/// Decides on an offer to the entry. An earlier offer that ran out is recorded first.
///
/// # Errors
/// [`Refusal::NotEligible`], above all while another offer stands.
pub fn offer(
    entry: &Entry,
    slot: &SlotFacts,
    details: &OfferDetails,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<EntryEvent>, Refusal> {
    available(entry, timing, now).map_err(Refusal::NotEligible)?;
    let facts = entry.facts.as_ref().ok_or(Refusal::EntryNotFound)?;
    wants(facts, slot).map_err(Refusal::NotEligible)?;
    let mut events = lapsed(entry, facts);
    events.push(
        OfferMade {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
            recipient_id: facts.recipient_id.clone(),
            offer_id: slot.offer_id(&facts.entry_id),
            slot_id: slot.slot_id.clone(),
            slot_version: slot.version,
            service: slot.service.clone(),
            starts_at: slot.starts_at,
            ends_at: slot.ends_at,
            expires_at: details.expires_at,
            zone: slot.zone.clone(),
            proxy_id: entry.wishes.proxy_id.clone(),
            batch: u8::try_from(details.batch).ok().filter(|batch| *batch > 1),
            skip_limit: slot.terms.rules.skip_limit,
            score: details.score.clone(),
            gives_up_starts_at: entry.gives_up_starts_at(),
        }
        .into(),
    );
    Ok(events)
}

/// Decides on a yes to an offer of the slot at `location` that was received at `received_at`.
///
/// # Errors
/// [`Refusal::AlreadyAccepted`] for a repetition; otherwise why it is too late.
pub fn accept(
    entry: &Entry,
    offer_id: &OfferId,
    location: Option<&str>,
    swap: Swap,
    received_at: Timestamp,
) -> Result<Vec<EntryEvent>, Refusal> {
    let (facts, offer) = answerable(entry, offer_id, received_at)?;
    let swap_failed = swap == Swap::Failed;
    let former = swap.given_up();
    Ok(vec![
        OfferAccepted {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
            recipient_id: facts.recipient_id.clone(),
            offer_id: offer.offer_id.clone(),
            slot_id: offer.slot_id.clone(),
            service: offer.service.clone(),
            starts_at: offer.starts_at,
            ends_at: offer.ends_at,
            zone: offer.zone.clone(),
            location: location.map(str::to_owned),
            slot_version: Some(offer.slot_version),
            proxy_id: entry.wishes.proxy_id.clone(),
            auto: false,
            score: None,
            swapped_starts_at: former.as_ref().map(|former| former.starts_at),
            swapped: former.map(|former| former.slot_id),
            swap_failed,
        }
        .into(),
    ])
}

/// A slot that an entry takes without an offer before.
pub(crate) struct Accepted {
    /// As the person wished beforehand, not by an answer.
    pub(crate) auto: bool,
    /// Why it was this entry's turn.
    pub(crate) score: Option<Score>,
    /// What becomes of the person's own booking.
    pub(crate) swap: Swap,
}

/// The events of an entry that takes a slot without an offer before. An earlier offer that ran
/// out is recorded first.
pub(crate) fn accepted(
    entry: &Entry,
    slot: &SlotFacts,
    how: Accepted,
) -> Result<Vec<EntryEvent>, Refusal> {
    let facts = entry.facts.as_ref().ok_or(Refusal::EntryNotFound)?;
    let mut events = lapsed(entry, facts);
    let swap_failed = how.swap == Swap::Failed;
    let former = how.swap.given_up();
    events.push(
        OfferAccepted {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
            recipient_id: facts.recipient_id.clone(),
            offer_id: slot.offer_id(&facts.entry_id),
            slot_id: slot.slot_id.clone(),
            service: slot.service.clone(),
            starts_at: slot.starts_at,
            ends_at: slot.ends_at,
            zone: slot.zone.clone(),
            location: slot.location.clone(),
            slot_version: Some(slot.version),
            proxy_id: entry.wishes.proxy_id.clone(),
            auto: how.auto,
            score: how.score,
            swapped_starts_at: former.as_ref().map(|former| former.starts_at),
            swapped: former.map(|former| former.slot_id),
            swap_failed,
        }
        .into(),
    );
    Ok(events)
}

/// The event of an entry whose booking by `offer_id` is given up for `instead`; none if it has no
/// such booking.
pub(crate) fn given_up(
    entry: &Entry,
    offer_id: &OfferId,
    instead: &SlotFacts,
) -> Option<EntryEvent> {
    let facts = entry.facts.as_ref()?;
    let EntryStatus::Booked(booking) = &entry.status else {
        return None;
    };
    let event = BookingGivenUp {
        waitlist_id: facts.waitlist_id.clone(),
        entry_id: facts.entry_id.clone(),
        recipient_id: facts.recipient_id.clone(),
        offer_id: booking.offer_id.clone(),
        slot_id: booking.slot_id.clone(),
        slot_version: booking.slot_version,
        starts_at: booking.starts_at,
        instead: instead.slot_id.clone(),
        instead_starts_at: instead.starts_at,
    };
    (booking.offer_id == *offer_id).then(|| event.into())
}

/// Whether an answer to the offer can be anything but of no account: the person may have taken it
/// and given it up since, which the slot does not know any more.
pub(crate) fn may_answer(entry: &Entry, offer_id: &OfferId) -> Result<(), Refusal> {
    match &entry.status {
        EntryStatus::GivenUp { booking, .. } if booking.offer_id == *offer_id => {
            Err(Refusal::BookingGivenUp)
        }
        _ => Ok(()),
    }
}

/// Decides on a no that was received at `received_at`. The entry keeps its rank.
///
/// # Errors
/// [`Refusal::AlreadyDeclined`] for a repetition; otherwise why it is too late.
pub fn decline(
    entry: &Entry,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Vec<EntryEvent>, Refusal> {
    match answerable(entry, offer_id, received_at) {
        Ok((facts, offer)) => Ok(vec![declined(facts, offer)]),
        Err(Refusal::AlreadyAccepted) => Err(Refusal::AlreadyAnswered),
        Err(Refusal::AlreadyAnswered) => Err(Refusal::AlreadyDeclined),
        Err(other) => Err(other),
    }
}

/// What follows for an entry from the end of its offer by somebody else's act
/// ([`Slot::to_tell`](crate::waitlist::Slot::to_tell)): it waits again, with its rank and without
/// a skip. Nothing follows if it knows already, or its offer is another by now: so it can be told
/// any number of times.
#[must_use]
pub fn told(entry: &Entry, told: &Told) -> Vec<EntryEvent> {
    let (Some(facts), EntryStatus::Offered(offer)) = (&entry.facts, &entry.status) else {
        return Vec::new();
    };
    if offer.offer_id != told.offer_id {
        return Vec::new();
    }
    let proxy_id = entry.wishes.proxy_id.clone();
    match told.fate {
        OfferFate::Superseded | OfferFate::Booked => vec![
            OfferSuperseded {
                waitlist_id: facts.waitlist_id.clone(),
                entry_id: facts.entry_id.clone(),
                recipient_id: facts.recipient_id.clone(),
                proxy_id,
                offer_id: offer.offer_id.clone(),
                slot_id: offer.slot_id.clone(),
                service: offer.service.clone(),
                starts_at: offer.starts_at,
                zone: offer.zone.clone(),
            }
            .into(),
        ],
        OfferFate::Withdrawn => vec![
            OfferWithdrawn {
                waitlist_id: facts.waitlist_id.clone(),
                entry_id: facts.entry_id.clone(),
                recipient_id: facts.recipient_id.clone(),
                proxy_id,
                offer_id: offer.offer_id.clone(),
                slot_id: offer.slot_id.clone(),
                service: offer.service.clone(),
                starts_at: offer.starts_at,
                zone: offer.zone.clone(),
            }
            .into(),
        ],
        OfferFate::Declined | OfferFate::Expired => Vec::new(),
    }
}

/// The offer that can be answered at `received_at`, or why there is none.
fn answerable<'a>(
    entry: &'a Entry,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<(&'a EntryFacts, &'a EntryOffer), Refusal> {
    let facts = entry.facts.as_ref().ok_or(Refusal::EntryNotFound)?;
    match &entry.status {
        EntryStatus::Offered(offer) if offer.offer_id == *offer_id => {
            if received_at < offer.expires_at {
                Ok((facts, offer))
            } else {
                Err(Refusal::OfferExpired)
            }
        }
        EntryStatus::Booked(offer) if offer.offer_id == *offer_id => Err(Refusal::AlreadyAccepted),
        status => Err(match (&entry.last_offer, status) {
            (Some((last, end)), _) if last == offer_id => match end {
                OfferEnd::Declined => Refusal::AlreadyAnswered,
                OfferEnd::Lapsed => Refusal::OfferExpired,
                OfferEnd::Superseded => Refusal::OfferSuperseded,
                OfferEnd::Withdrawn => Refusal::SlotWithdrawn,
            },
            (_, EntryStatus::Left) => Refusal::EntryLeft,
            (_, EntryStatus::Booked(_)) => Refusal::EntryBooked,
            (_, EntryStatus::GivenUp { .. }) => Refusal::BookingGivenUp,
            _ => Refusal::OfferSuperseded,
        }),
    }
}

pub(super) fn declined(facts: &EntryFacts, offer: &EntryOffer) -> EntryEvent {
    OfferDeclined {
        waitlist_id: facts.waitlist_id.clone(),
        entry_id: facts.entry_id.clone(),
        offer_id: offer.offer_id.clone(),
        slot_id: offer.slot_id.clone(),
    }
    .into()
}
