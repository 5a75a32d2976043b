//! A person gives up a later booking for a sooner slot.
//!
//! The slot that is given up is released again by the same transaction as the one that is taken, so
//! its cascade begins with nothing in between; and where the booking had come about by an offer, the
//! entry of that offer is told by it as well. (It is known, for the slot names it, and nobody else
//! writes to it; told later, its page and its view would show an appointment that somebody else may
//! have by then.)
//!
//! A chain of swaps goes from sooner slots to later ones, so it never comes back to a slot that it
//! has passed, and each slot's policy says how many may have gone before.

use callboard_contracts::Timestamp;

use super::cascade::Both;
use super::entry::{self, Booking, Entry, Swap};
use super::slot::{self, Slot, SlotStatus};

/// The slot of a booking that is to be given up ([`Entry::swaps`]).
#[derive(Debug, Clone, Copy)]
pub struct Former<'a> {
    /// The slot as it was read.
    pub slot: &'a Slot,
    /// The entry that it is booked for, if it was booked by an offer ([`Slot::booked_entry`]).
    pub entry: Option<&'a Entry>,
}

/// What becomes of the person's own booking when `entry` takes `slot`, and the events of the
/// streams that it stands in; none of these if it is not given up.
pub(super) fn decide(
    slot: &Slot,
    entry: &Entry,
    former: Option<Former<'_>>,
    now: Timestamp,
) -> (Swap, Option<Both>) {
    if entry.swaps().is_none() {
        return (Swap::None, None);
    }
    match former.and_then(|former| given_up(slot, entry, former, now)) {
        Some((booking, events)) => (Swap::GivenUp(booking), Some(events)),
        None => (Swap::Failed, None),
    }
}

fn given_up(
    slot: &Slot,
    entry: &Entry,
    former: Former<'_>,
    now: Timestamp,
) -> Option<(Booking, Both)> {
    let (facts, given) = (slot.facts.as_ref()?, former.slot.facts.as_ref()?);
    let theirs = entry.swaps() == Some(&given.slot_id);
    if !theirs || given.starts_at <= facts.starts_at {
        return None;
    }
    // The wish may have come after the offer, which was made without asking how many there were.
    if facts.swap_depth >= facts.terms.rules.swap_depth {
        return None;
    }
    let person = &entry.facts.as_ref()?.recipient_id;
    let released = slot::freed_by_swap(former.slot, person, facts.swap_depth + 1, now)?;
    let told = match &former.slot.status {
        SlotStatus::Filled { offer_id, .. } => former
            .entry
            .and_then(|entry| entry::given_up(entry, offer_id, facts)),
        _ => None,
    };
    let booking = Booking {
        slot_id: given.slot_id.clone(),
        starts_at: given.starts_at,
    };
    let events = Both {
        slot: vec![released],
        entry: told.into_iter().collect(),
    };
    Some((booking, events))
}
