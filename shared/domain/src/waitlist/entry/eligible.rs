//! Whether an entry may be offered a slot.

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::Ineligible;

use super::change::reaches_limit;
use super::{Entry, EntryFacts, EntryStatus, has_lapsed};
use crate::waitlist::matching;
use crate::waitlist::slot::{Slot, SlotFacts, SlotStatus};
use crate::waitlist::timing::Timing;

/// Whether an entry may be offered a slot now. Who is passed over has this reason recorded (I4).
///
/// # Errors
/// [`Ineligible`] says why not. After [`Ineligible::SkipLimit`] the events of
/// [`settle`](super::settle) are to be committed, so that the person hears of the pause.
pub fn eligible(
    entry: &Entry,
    slot: &Slot,
    timing: &Timing,
    now: Timestamp,
) -> Result<(), Ineligible> {
    available(entry, timing, now)?;
    let facts = entry.facts.as_ref().ok_or(Ineligible::NotThere)?;
    let Some(slot_facts) = &slot.facts else {
        return Ok(());
    };
    wants(facts, slot_facts)?;
    if slot.offered.contains(&facts.entry_id) && slot.status != SlotStatus::Absent {
        return Err(Ineligible::OfferedBefore);
    }
    matching::suits(&entry.wishes.preferences, slot_facts, now)?;
    swaps_in_a_row(entry, slot_facts)
}

/// Whether the entry is free for an offer at all.
///
/// # Errors
/// [`Ineligible`] says why not.
pub fn available(entry: &Entry, timing: &Timing, now: Timestamp) -> Result<(), Ineligible> {
    match &entry.status {
        EntryStatus::Absent => Err(Ineligible::NotThere),
        EntryStatus::Waiting => Ok(()),
        EntryStatus::Offered(offer) if !has_lapsed(offer, timing, now) => Err(Ineligible::HasOffer),
        EntryStatus::Offered(offer) if reaches_limit(entry, offer) => Err(Ineligible::SkipLimit),
        EntryStatus::Offered(_) => Ok(()),
        EntryStatus::Paused(_) => Err(Ineligible::Paused),
        EntryStatus::Booked(_) | EntryStatus::GivenUp { .. } => Err(Ineligible::Booked),
        EntryStatus::Left => Err(Ineligible::Left),
    }
}

pub(super) fn wants(entry: &EntryFacts, slot: &SlotFacts) -> Result<(), Ineligible> {
    if entry.waitlist_id != slot.waitlist_id {
        return Err(Ineligible::OtherWaitlist);
    }
    if entry.service != slot.service {
        return Err(Ineligible::OtherService);
    }
    Ok(())
}

/// A chain of swaps goes from sooner slots to later ones, because a swap is for a sooner slot
/// only: so it never comes back to a slot it has passed. Here it is kept from going on too long.
fn swaps_in_a_row(entry: &Entry, slot: &SlotFacts) -> Result<(), Ineligible> {
    let allowed = slot.terms.rules.swap_depth;
    if entry.swaps().is_some() && slot.swap_depth >= allowed {
        return Err(Ineligible::SwapDepth);
    }
    Ok(())
}

/// Whether a reason holds for this version of the slot until the entry's wishes change, so that
/// a look-up that goes on need not come back to it. The others pass by themselves.
#[must_use]
pub const fn lasts(reason: Ineligible) -> bool {
    !matches!(
        reason,
        Ineligible::HasOffer
            | Ineligible::SkipLimit
            | Ineligible::Paused
            | Ineligible::BeyondHorizon
    )
}
