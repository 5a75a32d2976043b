//! An offer is answered, or the slot is taken away from those it is offered to.

use callboard_contracts::waitlist::{
    BookedBy, EndedOffersTold, HoldEnd, HoldReleased, OfferEnded, SlotBooked, SlotEvent,
    SlotFilled, SlotWithdrawn,
};
use callboard_contracts::{EntryId, OfferId, RecipientId, Timestamp};

use super::{OfferFate, Slot, SlotFacts, SlotStatus, is_name};
use crate::waitlist::refusal::Refusal;

/// Books a slot without an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookSlot {
    /// Who did.
    pub by: BookedBy,
    /// The other system's own name for the booking.
    pub external_id: Option<String>,
    /// For whom, if it is one of ours.
    pub recipient_id: Option<RecipientId>,
}

/// Decides on a yes that was received at `received_at` (by the API's gateway, not by us). An
/// offer is honoured if it was accepted before its deadline, whatever the timers did (I3). Of a
/// batch the first to accept gets the slot; the offers of the others end with it.
///
/// # Errors
/// [`Refusal::AlreadyAccepted`] for a repetition; otherwise why it is too late.
pub fn accept(
    slot: &Slot,
    offer_id: &OfferId,
    recipient_id: Option<&RecipientId>,
    received_at: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    let entry_id = answerable(slot, offer_id, received_at).map_err(|refusal| match refusal {
        // Not the same answer again, but another one.
        Refusal::AlreadyDeclined => Refusal::AlreadyAnswered,
        refusal => refusal,
    })?;
    Ok(vec![filled(facts, entry_id, recipient_id).into()])
}

/// Decides on a no that was received at `received_at`. The others of a batch keep their offers.
///
/// # Errors
/// [`Refusal::AlreadyDeclined`] for a repetition, [`Refusal::NothingToDecline`] in a broadcast;
/// otherwise why it is too late.
pub fn decline(
    slot: &Slot,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    if matches!(slot.status, SlotStatus::Broadcast { .. }) && !slot.ended.contains_key(offer_id) {
        return Err(Refusal::NothingToDecline);
    }
    answerable(slot, offer_id, received_at).map_err(|refusal| match refusal {
        Refusal::AlreadyAccepted => Refusal::AlreadyAnswered,
        refusal => refusal,
    })?;
    if slot.held().len() == 1 {
        return Ok(vec![hold_released(facts, offer_id, HoldEnd::Declined)]);
    }
    Ok(vec![
        OfferEnded {
            waitlist_id: facts.waitlist_id.clone(),
            slot_id: facts.slot_id.clone(),
            slot_version: facts.version,
            offer_id: offer_id.clone(),
            reason: HoldEnd::Declined,
        }
        .into(),
    ])
}

/// Whether a command to one release of a slot means this one. Which names none means the first:
/// it must not take away what was released again in between.
///
/// # Errors
/// [`Refusal::SlotMoved`].
pub fn is_meant(slot: &Slot, wanted: Option<u32>) -> Result<(), Refusal> {
    let version = slot.version();
    if version == 0 || version == wanted.unwrap_or(1) {
        Ok(())
    } else {
        Err(Refusal::SlotMoved { version })
    }
}

/// Decides on a booking without an offer, by staff or in another system. Every offer that stands
/// ends with it.
///
/// # Errors
/// [`Refusal::AlreadyBooked`] for a repetition, [`Refusal::SlotTaken`] if somebody else has it.
pub fn book(slot: &Slot, command: &BookSlot) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    if command
        .external_id
        .as_deref()
        .is_some_and(|id| !is_name(id))
    {
        return Err(Refusal::SlotDetail("externalId"));
    }
    match &slot.status {
        SlotStatus::Absent => Err(Refusal::SlotNotFound),
        SlotStatus::Booked {
            by,
            external_id,
            recipient_id,
        } if *by == command.by
            && *external_id == command.external_id
            && *recipient_id == command.recipient_id =>
        {
            Err(Refusal::AlreadyBooked)
        }
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } => Err(Refusal::SlotTaken),
        SlotStatus::Withdrawn => Err(Refusal::SlotWithdrawn),
        SlotStatus::Open { .. }
        | SlotStatus::Held { .. }
        | SlotStatus::Broadcast { .. }
        | SlotStatus::OpenedToPublic => Ok(vec![
            SlotBooked {
                waitlist_id: facts.waitlist_id.clone(),
                slot_id: facts.slot_id.clone(),
                slot_version: facts.version,
                by: command.by,
                external_id: command.external_id.clone(),
                recipient_id: command.recipient_id.clone(),
            }
            .into(),
        ]),
    }
}

/// Decides on the withdrawal of a slot, held or not. Every offer that stands ends with it.
///
/// # Errors
/// [`Refusal::SlotTaken`] once it is filled or booked.
pub fn withdraw(slot: &Slot) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    match &slot.status {
        SlotStatus::Absent => Err(Refusal::SlotNotFound),
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } => Err(Refusal::SlotTaken),
        SlotStatus::Withdrawn => Err(Refusal::AlreadyWithdrawn),
        SlotStatus::Open { .. }
        | SlotStatus::Held { .. }
        | SlotStatus::Broadcast { .. }
        | SlotStatus::OpenedToPublic => Ok(vec![withdrawn(facts)]),
    }
}

/// Records that everybody in [`Slot::to_tell`] knows, so that the slot is due for it no more. No
/// event if there is nobody to tell.
#[must_use]
pub fn told(slot: &Slot) -> Vec<SlotEvent> {
    let facts = slot.facts.as_ref().filter(|_| !slot.to_tell.is_empty());
    let told = facts.map(|facts| EndedOffersTold {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
    });
    told.into_iter().map(Into::into).collect()
}

/// Who the slot is held for under `offer_id`, if an answer that was received at `received_at`
/// counts; otherwise what has become of the offer.
fn answerable<'a>(
    slot: &'a Slot,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<&'a EntryId, Refusal> {
    match &slot.status {
        SlotStatus::Held { offers, expires_at } => {
            if let Some(held) = offers.iter().find(|held| held.offer_id == *offer_id) {
                return if received_at < *expires_at {
                    Ok(&held.entry_id)
                } else {
                    Err(Refusal::OfferExpired)
                };
            }
        }
        SlotStatus::Filled { offer_id: by, .. } if by == offer_id => {
            return Err(Refusal::AlreadyAccepted);
        }
        _ => {}
    }
    Err(match slot.ended.get(offer_id) {
        Some(OfferFate::Declined) => Refusal::AlreadyDeclined,
        Some(OfferFate::Expired) => Refusal::OfferExpired,
        Some(OfferFate::Superseded) => Refusal::OfferSuperseded,
        Some(OfferFate::Booked) => Refusal::SlotTaken,
        Some(OfferFate::Withdrawn) => Refusal::SlotWithdrawn,
        None => unknown_offer(slot),
    })
}

/// Whether a yes to a broadcast that was received at `received_at` counts.
pub(crate) fn answerable_in_broadcast(slot: &Slot, received_at: Timestamp) -> Result<(), Refusal> {
    match slot.status {
        SlotStatus::Broadcast { ends_at } if received_at < ends_at => Ok(()),
        SlotStatus::Broadcast { .. } => Err(Refusal::OfferExpired),
        _ => Err(unknown_offer(slot)),
    }
}

/// Why an offer that this version does not know cannot be answered.
const fn unknown_offer(slot: &Slot) -> Refusal {
    match slot.status {
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } => Refusal::SlotTaken,
        SlotStatus::Withdrawn => Refusal::SlotWithdrawn,
        SlotStatus::OpenedToPublic => Refusal::SlotPublic,
        _ => Refusal::OfferSuperseded,
    }
}

pub(crate) fn filled(
    facts: &SlotFacts,
    entry_id: &EntryId,
    recipient_id: Option<&RecipientId>,
) -> SlotFilled {
    SlotFilled {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
        offer_id: facts.offer_id(entry_id),
        entry_id: entry_id.clone(),
        recipient_id: recipient_id.cloned(),
        auto: false,
        as_of: None,
    }
}

pub(super) fn hold_released(facts: &SlotFacts, offer_id: &OfferId, reason: HoldEnd) -> SlotEvent {
    HoldReleased {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
        offer_id: offer_id.clone(),
        reason,
    }
    .into()
}

pub(super) fn withdrawn(facts: &SlotFacts) -> SlotEvent {
    SlotWithdrawn {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
    }
    .into()
}
