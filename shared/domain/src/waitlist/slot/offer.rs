//! A slot is offered, or nobody is left to offer it to.

use std::collections::BTreeMap;

use callboard_contracts::waitlist::{
    BatchHeld, BatchReleased, CandidateNotFound, CandidatesPassedOver, Cursor, Draw, HoldEnd,
    Ineligible, SlotBroadcast, SlotEvent, SlotHeld, SlotOpenedToPublic,
};
use callboard_contracts::{EntryId, Timestamp};

use super::answer::{hold_released, withdrawn};
use super::{Slot, SlotFacts, SlotStatus, is_last_look};
use crate::waitlist::policy::BATCH_MAX;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::timing::Timing;

/// What a look-up of candidates saw, as it is recorded (I4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// How fresh the view was in which they were found; absent if it was empty.
    pub as_of: Option<Timestamp>,
    /// Who stood before those who are asked, and why each is not.
    pub passed: Vec<(EntryId, Ineligible)>,
    /// Where the next look-up for this version goes on; empty if it starts with the heads.
    pub cursors: Vec<Cursor>,
    /// How the order was drawn, if it was.
    pub draw: Option<Draw>,
}

impl Look {
    /// A look-up that passed nobody over.
    #[must_use]
    pub fn as_of(as_of: Option<Timestamp>) -> Self {
        Self {
            as_of,
            ..Self::default()
        }
    }

    /// Who was passed over, by reason.
    #[must_use]
    pub fn by_reason(&self) -> BTreeMap<Ineligible, Vec<EntryId>> {
        let mut passed: BTreeMap<Ineligible, Vec<EntryId>> = BTreeMap::new();
        for (entry, reason) in &self.passed {
            passed.entry(*reason).or_default().push(entry.clone());
        }
        passed
    }
}

/// Holds a slot for entries: one, or the several of a batch. A hold that has run out is released
/// by the same decision, and who was passed over is recorded by it.
///
/// # Errors
/// A [`Refusal`] if the slot is not free, it is too late, one was offered it before, or
/// ([`Refusal::BatchSize`]) there are none or too many.
pub fn hold(
    slot: &Slot,
    entries: &[EntryId],
    look: &Look,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let (facts, mut events) = to_offer(slot, timing, now)?;
    if entries.iter().any(|entry| slot.offered.contains(entry)) {
        return Err(Refusal::NotEligible(Ineligible::OfferedBefore));
    }
    let twice = entries
        .iter()
        .enumerate()
        .any(|(at, id)| entries[..at].contains(id));
    if twice || entries.len() > usize::from(BATCH_MAX) {
        return Err(Refusal::BatchSize);
    }
    events.extend(passed_over_event(look, true));
    let expires_at = facts.offer_expires_at(now);
    events.push(match entries {
        [] => return Err(Refusal::BatchSize),
        [entry_id] => SlotHeld {
            waitlist_id: facts.waitlist_id.clone(),
            slot_id: facts.slot_id.clone(),
            slot_version: facts.version,
            offer_id: facts.offer_id(entry_id),
            entry_id: entry_id.clone(),
            expires_at,
            as_of: look.as_of,
            draw: look.draw.clone(),
        }
        .into(),
        _ => BatchHeld {
            waitlist_id: facts.waitlist_id.clone(),
            slot_id: facts.slot_id.clone(),
            slot_version: facts.version,
            entry_ids: entries.to_vec(),
            expires_at,
            as_of: look.as_of,
        }
        .into(),
    });
    Ok(events)
}

/// Records who was passed over without a hold, and where the look-up goes on: for when a capped
/// look-up found nobody who suits, but more are waiting. A hold that has run out is released by
/// the same decision.
///
/// # Errors
/// A [`Refusal`] if the slot is not free, or it is too late.
pub fn passed_over(
    slot: &Slot,
    look: &Look,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let (_, mut events) = to_offer(slot, timing, now)?;
    events.extend(passed_over_event(look, false));
    Ok(events)
}

/// Opens the slot to everybody whom it suits, until its cutoff. A hold that has run out is
/// released by the same decision.
///
/// # Errors
/// A [`Refusal`] if the slot is not free, or it is too late.
pub fn broadcast(slot: &Slot, timing: &Timing, now: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    let (facts, mut events) = to_offer(slot, timing, now)?;
    events.push(
        SlotBroadcast {
            waitlist_id: facts.waitlist_id.clone(),
            slot_id: facts.slot_id.clone(),
            slot_version: facts.version,
            ends_at: facts.cutoff(),
        }
        .into(),
    );
    Ok(events)
}

/// Records that a look-up found nobody. A second empty look-up, [`Timing::second_look`] after
/// the first, opens the slot to the public; one in between has nothing to record and gives no
/// event. A hold that has run out is released by the same decision.
///
/// # Errors
/// A [`Refusal`] if the slot is not free.
pub fn no_candidate(
    slot: &Slot,
    look: &Look,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    let mut events = free_at(slot, timing, now)?;
    if now >= facts.starts_at {
        return Err(Refusal::SlotStarted);
    }
    let first_look_up = match &slot.status {
        SlotStatus::Open { empty_look_up, .. } => *empty_look_up,
        _ => None,
    };
    match first_look_up {
        None => {
            events.extend(passed_over_event(look, false));
            events.push(
                CandidateNotFound {
                    waitlist_id: facts.waitlist_id.clone(),
                    slot_id: facts.slot_id.clone(),
                    slot_version: facts.version,
                    look_again_at: now.plus(timing.second_look),
                }
                .into(),
            );
        }
        Some(_) if is_last_look(slot, now) => {
            events.extend(passed_over_event(look, false));
            events.push(opened_to_public(facts));
        }
        Some(_) => {}
    }
    Ok(events)
}

/// Ends the search once it is too late for another offer: the slot is opened to the public, or
/// withdrawn if it has started and nobody can use it any more.
///
/// # Errors
/// [`Refusal::SlotNotStarted`], or that the slot is not free.
pub fn close(slot: &Slot, timing: &Timing, now: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    let mut events = match slot.status {
        SlotStatus::Broadcast { ends_at } if now >= ends_at.plus(timing.hold_grace) => Vec::new(),
        _ => free_at(slot, timing, now)?,
    };
    if now < facts.last_call() {
        return Err(Refusal::SlotNotStarted);
    }
    events.push(if now < facts.starts_at {
        opened_to_public(facts)
    } else {
        withdrawn(facts)
    });
    Ok(events)
}

/// What is known of a slot that may be offered now, and the events that free it.
fn to_offer<'a>(
    slot: &'a Slot,
    timing: &Timing,
    now: Timestamp,
) -> Result<(&'a SlotFacts, Vec<SlotEvent>), Refusal> {
    let facts = slot.known()?;
    let freed = free_at(slot, timing, now)?;
    if now >= facts.starts_at {
        Err(Refusal::SlotStarted)
    } else if now >= facts.last_call() {
        Err(Refusal::PastCutoff)
    } else {
        Ok((facts, freed))
    }
}

/// The events that free the slot: none if it is open, the release of a hold that has run out.
fn free_at(slot: &Slot, timing: &Timing, now: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    let held_until = |end: Timestamp| {
        let until = end.plus(timing.hold_grace);
        if now < until {
            Err(Refusal::SlotHeld { until })
        } else {
            Ok(())
        }
    };
    match &slot.status {
        SlotStatus::Absent => Err(Refusal::SlotNotFound),
        SlotStatus::Open { .. } => Ok(Vec::new()),
        SlotStatus::Held { offers, expires_at } => {
            held_until(*expires_at)?;
            Ok(vec![match offers.as_slice() {
                [held] => hold_released(facts, &held.offer_id, HoldEnd::Expired),
                _ => BatchReleased {
                    waitlist_id: facts.waitlist_id.clone(),
                    slot_id: facts.slot_id.clone(),
                    slot_version: facts.version,
                    offers: u32::try_from(offers.len()).unwrap_or(u32::MAX),
                }
                .into(),
            }])
        }
        SlotStatus::Broadcast { ends_at } => {
            held_until(*ends_at)?;
            Err(Refusal::PastCutoff)
        }
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } => Err(Refusal::SlotTaken),
        SlotStatus::OpenedToPublic => Err(Refusal::SlotPublic),
        SlotStatus::Withdrawn => Err(Refusal::SlotWithdrawn),
    }
}

fn passed_over_event(look: &Look, beside_hold: bool) -> Option<SlotEvent> {
    if look.passed.is_empty() && look.cursors.is_empty() {
        return None;
    }
    let event = CandidatesPassedOver {
        passed: look.by_reason(),
        cursors: look.cursors.clone(),
        as_of: look.as_of.filter(|_| !beside_hold),
    };
    Some(event.into())
}

fn opened_to_public(facts: &SlotFacts) -> SlotEvent {
    SlotOpenedToPublic {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
    }
    .into()
}
