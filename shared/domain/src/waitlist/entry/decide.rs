//! The decisions on an entry, and whether it may be offered a slot.

use std::fmt;

use callboard_contracts::waitlist::{
    EntryEvent, EntryJoined, EntryLeft, OfferAccepted, OfferDeclined, OfferLapsed, OfferMade,
    Urgency,
};
use callboard_contracts::{EntryId, OfferId, RecipientId, Timestamp, WaitlistId};

use super::{Entry, EntryFacts, EntryOffer, EntryStatus, OfferEnd};
use crate::waitlist::refusal::Refusal;
use crate::waitlist::slot::{Slot, SlotFacts, SlotStatus, check_service};
use crate::waitlist::timing::Timing;

/// Puts a person on a waitlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
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
}

/// Why an entry is passed over for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ineligible {
    /// No such entry ever joined.
    NotThere,
    /// It left the waitlist.
    Left,
    /// It has its appointment.
    Booked,
    /// It has a live offer.
    HasOffer,
    /// It waits on another waitlist.
    OtherWaitlist,
    /// It waits for another service.
    OtherService,
    /// It was offered this version of the slot before.
    OfferedBefore,
}

impl Ineligible {
    /// The reason as it is recorded.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotThere => "not-there",
            Self::Left => "left",
            Self::Booked => "booked",
            Self::HasOffer => "has-offer",
            Self::OtherWaitlist => "other-waitlist",
            Self::OtherService => "other-service",
            Self::OfferedBefore => "offered-before",
        }
    }
}

impl fmt::Display for Ineligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotThere => "it is not on the waitlist",
            Self::Left => "it left the waitlist",
            Self::Booked => "it has its appointment",
            Self::HasOffer => "it has another offer at the moment",
            Self::OtherWaitlist => "it is on another waitlist",
            Self::OtherService => "it waits for another service",
            Self::OfferedBefore => "it was offered this slot before",
        })
    }
}

/// Decides on a person's wish to wait.
///
/// An entry that left or was booked does not wait again: a new wish is a new entry, so that a
/// redelivered command cannot bring anybody back.
///
/// # Errors
/// [`Refusal::AlreadyJoined`] for a repetition, [`Refusal::EntryExists`] if the id is in use.
pub fn join(entry: &Entry, command: &Join) -> Result<Vec<EntryEvent>, Refusal> {
    check_service(&command.service)?;
    if let Some(facts) = &entry.facts {
        let same = facts.waitlist_id == command.waitlist_id
            && facts.recipient_id == command.recipient_id
            && facts.service == command.service
            && facts.urgency == command.urgency;
        return Err(match (&entry.status, same) {
            (_, false) => Refusal::EntryExists,
            (EntryStatus::Left, _) => Refusal::EntryLeft,
            (EntryStatus::Booked(_), _) => Refusal::EntryBooked,
            _ => Refusal::AlreadyJoined,
        });
    }
    Ok(vec![
        EntryJoined {
            waitlist_id: command.waitlist_id.clone(),
            entry_id: command.entry_id.clone(),
            recipient_id: command.recipient_id.clone(),
            service: command.service.clone(),
            urgency: command.urgency,
        }
        .into(),
    ])
}

/// Whether an entry may be offered a slot now. Who is passed over has this reason recorded (I4).
///
/// # Errors
/// [`Ineligible`] says why not.
pub fn eligible(
    entry: &Entry,
    slot: &Slot,
    timing: &Timing,
    now: Timestamp,
) -> Result<(), Ineligible> {
    available(entry, timing, now)?;
    let facts = entry.facts.as_ref().ok_or(Ineligible::NotThere)?;
    if let Some(slot_facts) = &slot.facts {
        wants(facts, slot_facts)?;
    }
    if slot.offered.contains(&facts.entry_id) && slot.status != SlotStatus::Absent {
        return Err(Ineligible::OfferedBefore);
    }
    Ok(())
}

/// Whether the entry is free for an offer at all. An offer blocks its entry until the grace
/// after its deadline has passed, as the hold does: a yes that was received in time may still be
/// on its way to the journal (I3).
fn available(entry: &Entry, timing: &Timing, now: Timestamp) -> Result<(), Ineligible> {
    match &entry.status {
        EntryStatus::Absent => Err(Ineligible::NotThere),
        EntryStatus::Waiting => Ok(()),
        EntryStatus::Offered(offer) if now >= offer.expires_at.plus(timing.hold_grace) => Ok(()),
        EntryStatus::Offered(_) => Err(Ineligible::HasOffer),
        EntryStatus::Booked(_) => Err(Ineligible::Booked),
        EntryStatus::Left => Err(Ineligible::Left),
    }
}

fn wants(entry: &EntryFacts, slot: &SlotFacts) -> Result<(), Ineligible> {
    if entry.waitlist_id != slot.waitlist_id {
        return Err(Ineligible::OtherWaitlist);
    }
    if entry.service != slot.service {
        return Err(Ineligible::OtherService);
    }
    Ok(())
}

/// Decides on an offer to the entry. An earlier offer that ran out is recorded first.
///
/// # Errors
/// [`Refusal::NotEligible`], above all while another offer stands.
pub fn offer(
    entry: &Entry,
    slot: &SlotFacts,
    offer_id: &OfferId,
    expires_at: Timestamp,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<EntryEvent>, Refusal> {
    available(entry, timing, now).map_err(Refusal::NotEligible)?;
    let facts = entry.facts.as_ref().ok_or(Refusal::EntryNotFound)?;
    wants(facts, slot).map_err(Refusal::NotEligible)?;
    let mut events = lapsed_offer(entry, facts);
    events.push(
        OfferMade {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
            recipient_id: facts.recipient_id.clone(),
            offer_id: offer_id.clone(),
            slot_id: slot.slot_id.clone(),
            slot_version: slot.version,
            service: slot.service.clone(),
            starts_at: slot.starts_at,
            ends_at: slot.ends_at,
            expires_at,
        }
        .into(),
    );
    Ok(events)
}

/// Decides on a yes that was received at `received_at`.
///
/// # Errors
/// [`Refusal::AlreadyAccepted`] for a repetition; otherwise why it is too late.
pub fn accept(
    entry: &Entry,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Vec<EntryEvent>, Refusal> {
    let (facts, offer) = answerable(entry, offer_id, received_at)?;
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
        }
        .into(),
    ])
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

/// Decides on a person's wish to wait no longer. A standing offer is declined with it; see
/// [`cascade::leave`](crate::waitlist::cascade::leave) for the slot's part.
///
/// # Errors
/// [`Refusal::AlreadyLeft`] for a repetition, [`Refusal::EntryBooked`] after a booking.
pub fn leave(entry: &Entry, now: Timestamp) -> Result<Vec<EntryEvent>, Refusal> {
    let facts = entry.facts.as_ref().ok_or(Refusal::EntryNotFound)?;
    let mut events = match &entry.status {
        EntryStatus::Absent => return Err(Refusal::EntryNotFound),
        EntryStatus::Left => return Err(Refusal::AlreadyLeft),
        EntryStatus::Booked(_) => return Err(Refusal::EntryBooked),
        EntryStatus::Offered(offer) if now < offer.expires_at => vec![declined(facts, offer)],
        EntryStatus::Offered(_) | EntryStatus::Waiting => lapsed_offer(entry, facts),
    };
    events.push(
        EntryLeft {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
        }
        .into(),
    );
    Ok(events)
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
            (Some((last, OfferEnd::Declined)), _) if last == offer_id => Refusal::AlreadyAnswered,
            (Some((last, OfferEnd::Lapsed)), _) if last == offer_id => Refusal::OfferExpired,
            (_, EntryStatus::Left) => Refusal::EntryLeft,
            (_, EntryStatus::Booked(_)) => Refusal::EntryBooked,
            _ => Refusal::OfferSuperseded,
        }),
    }
}

fn lapsed_offer(entry: &Entry, facts: &EntryFacts) -> Vec<EntryEvent> {
    match &entry.status {
        EntryStatus::Offered(offer) => vec![
            OfferLapsed {
                waitlist_id: facts.waitlist_id.clone(),
                entry_id: facts.entry_id.clone(),
                offer_id: offer.offer_id.clone(),
            }
            .into(),
        ],
        _ => Vec::new(),
    }
}

fn declined(facts: &EntryFacts, offer: &EntryOffer) -> EntryEvent {
    OfferDeclined {
        waitlist_id: facts.waitlist_id.clone(),
        entry_id: facts.entry_id.clone(),
        offer_id: offer.offer_id.clone(),
        slot_id: offer.slot_id.clone(),
    }
    .into()
}
