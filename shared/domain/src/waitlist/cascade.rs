//! Decisions on a slot *and* an entry: both sides agree, or neither changes.
//!
//! The two lists of events belong into one transaction, on the commit numbers that the two
//! states were read at.

use callboard_contracts::waitlist::{EntryEvent, SlotEvent};
use callboard_contracts::{EntryId, OfferId, Timestamp};

use super::entry::{self, Entry, EntryStatus};
use super::refusal::Refusal;
use super::slot::{self, Slot, SlotFacts};
use super::timing::Timing;

/// What follows for the slot and for the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Both {
    /// Events of the slot's stream.
    pub slot: Vec<SlotEvent>,
    /// Events of the entry's stream.
    pub entry: Vec<EntryEvent>,
}

/// The id of the offer of a slot version to an entry. Derived, because there is at most one
/// (I2): a cascade that is run twice makes the same offer.
#[must_use]
pub fn offer_id(slot: &SlotFacts, entry_id: &EntryId) -> OfferId {
    OfferId::derived(&[
        "offer",
        slot.slot_id.as_str(),
        &slot.version.to_string(),
        entry_id.as_str(),
    ])
}

/// Holds the slot for the entry and offers it. An earlier hold of the slot and an earlier offer
/// of the entry that have run out are ended by the same decision.
///
/// # Errors
/// A [`Refusal`]; [`Refusal::NotEligible`] means that the next candidate should be tried.
pub fn offer(
    slot: &Slot,
    entry: &Entry,
    as_of: Option<Timestamp>,
    timing: &Timing,
    now: Timestamp,
) -> Result<Both, Refusal> {
    entry::eligible(entry, slot, timing, now).map_err(Refusal::NotEligible)?;
    let facts = slot.facts.as_ref().ok_or(Refusal::SlotNotFound)?;
    let entry_id = match &entry.facts {
        Some(facts) => &facts.entry_id,
        None => return Err(Refusal::EntryNotFound),
    };
    let id = offer_id(facts, entry_id);
    Ok(Both {
        slot: slot::hold(slot, entry_id, &id, as_of, timing, now)?,
        entry: entry::offer(entry, facts, &id, facts.offer_expires_at(now), timing, now)?,
    })
}

/// The person says yes, received at `received_at`.
///
/// # Errors
/// The slot's refusal, or the entry's if the slot has none.
pub fn accept(
    slot: &Slot,
    entry: &Entry,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Both, Refusal> {
    Ok(Both {
        slot: slot::accept(slot, offer_id, received_at)?,
        entry: entry::accept(entry, offer_id, received_at)?,
    })
}

/// The person says no, received at `received_at`.
///
/// # Errors
/// The slot's refusal, or the entry's if the slot has none.
pub fn decline(
    slot: &Slot,
    entry: &Entry,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Both, Refusal> {
    Ok(Both {
        slot: slot::decline(slot, offer_id, received_at)?,
        entry: entry::decline(entry, offer_id, received_at)?,
    })
}

/// The person leaves the waitlist. `slot` is the one that the entry's standing offer is for, if
/// it has one ([`Entry::offered_slot`]); its hold is released at once. The slot's list is empty
/// if there is nothing to release.
///
/// # Errors
/// The entry's refusal.
pub fn leave(slot: Option<&Slot>, entry: &Entry, now: Timestamp) -> Result<Both, Refusal> {
    let events = entry::leave(entry, now)?;
    let slot_events = match (slot, &entry.status) {
        (Some(slot), EntryStatus::Offered(offer)) => {
            slot::decline(slot, &offer.offer_id, now).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    Ok(Both {
        slot: slot_events,
        entry: events,
    })
}
