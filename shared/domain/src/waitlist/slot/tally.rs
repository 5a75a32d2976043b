//! What is counted of each version of a slot, for the figures.

use callboard_contracts::Timestamp;
use callboard_contracts::figures::SlotTally;
use callboard_contracts::waitlist::{HoldEnd, SlotEvent, SlotReleased};

use super::{Slot, SlotStatus};

/// Versions of a slot that are told apart. Later ones are counted with the last of them, so that a
/// slot's document and its rows stay few: a slot is an appointment on one day, and is given back
/// a few times at most.
pub const VERSIONS_MAX: usize = 8;

/// The tallies once `event` has happened to `slot`. They are taken out of it.
pub(super) fn counted(slot: &mut Slot, event: &SlotEvent, at: Timestamp) -> Vec<SlotTally> {
    let mut tallies = std::mem::take(&mut slot.tallies);
    let full = tallies.len() >= VERSIONS_MAX;
    match (event, tallies.last_mut()) {
        (SlotEvent::SlotReleased(_), Some(last)) if full => last.released += 1,
        (SlotEvent::SlotReleased(event), _) => tallies.push(released(event, at)),
        (event, Some(tally)) => count(tally, slot, event, at),
        (_, None) => {}
    }
    tallies
}

fn released(event: &SlotReleased, at: Timestamp) -> SlotTally {
    SlotTally {
        waitlist_id: event.waitlist_id.clone(),
        service: event.service.clone(),
        version: event.slot_version,
        released_at: at,
        released: 1,
        filled: 0,
        booked: 0,
        withdrawn: 0,
        opened_to_public: 0,
        unfilled: 0,
        offers: 0,
        declined: 0,
        expired: 0,
        ended: 0,
        automatic: 0,
        broadcasts: 0,
        by_broadcast: 0,
        ms_to_fill: None,
    }
}

/// Counts an event of the current version; `slot` is as it was before.
fn count(tally: &mut SlotTally, slot: &Slot, event: &SlotEvent, at: Timestamp) {
    let asked = matches!(
        slot.status,
        SlotStatus::Open { .. } | SlotStatus::Held { .. } | SlotStatus::Broadcast { .. }
    );
    match event {
        SlotEvent::SlotHeld(_) => tally.offers += 1,
        SlotEvent::BatchHeld(event) => tally.offers += many(event.entry_ids.len()),
        SlotEvent::SlotBroadcast(_) => tally.broadcasts += 1,
        SlotEvent::OfferEnded(event) => end(tally, event.reason),
        SlotEvent::HoldReleased(event) => end(tally, event.reason),
        SlotEvent::BatchReleased(_) => tally.expired += many(slot.held().len()),
        SlotEvent::SlotFilled(event) => {
            let theirs = usize::from(slot.is_held_under(&event.offer_id));
            end_others(tally, slot, slot.held().len() - theirs, at);
            tally.filled += 1;
            tally.automatic += u32::from(event.auto);
            tally.offers += u32::from(event.auto);
            let broadcast = matches!(slot.status, SlotStatus::Broadcast { .. });
            tally.by_broadcast += u32::from(broadcast);
            if tally.released == 1 {
                let ms = at.since(tally.released_at).as_millis();
                tally.ms_to_fill = u64::try_from(ms).ok();
            }
        }
        SlotEvent::SlotBooked(_) => {
            end_others(tally, slot, slot.held().len(), at);
            tally.booked += u32::from(asked);
        }
        SlotEvent::SlotWithdrawn(_) => {
            end_others(tally, slot, slot.held().len(), at);
            let starts_at = slot.facts.as_ref().map(|facts| facts.starts_at);
            let started = starts_at.is_some_and(|starts_at| at >= starts_at);
            tally.unfilled += u32::from(asked && started);
            tally.withdrawn += u32::from(asked && !started);
        }
        SlotEvent::SlotOpenedToPublic(_) => tally.opened_to_public += 1,
        SlotEvent::SlotReleased(_)
        | SlotEvent::CandidatesPassedOver(_)
        | SlotEvent::CandidateNotFound(_)
        | SlotEvent::EndedOffersTold(_)
        | SlotEvent::CalendarTold(_) => {}
    }
}

const fn end(tally: &mut SlotTally, how: HoldEnd) {
    match how {
        HoldEnd::Declined => tally.declined += 1,
        HoldEnd::Expired => tally.expired += 1,
    }
}

/// Offers that end by somebody else's act; those whose time was over by then had expired.
fn end_others(tally: &mut SlotTally, slot: &Slot, others: usize, at: Timestamp) {
    match slot.status {
        SlotStatus::Held { expires_at, .. } if at >= expires_at => tally.expired += many(others),
        _ => tally.ended += many(others),
    }
}

fn many(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
