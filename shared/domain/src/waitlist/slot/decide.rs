//! The decisions on a slot, and what the cascade should do next.

use std::time::Duration;

use callboard_contracts::waitlist::{
    CandidateNotFound, HoldEnd, HoldReleased, SlotEvent, SlotFilled, SlotHeld, SlotOpenedToPublic,
    SlotReleased, SlotWithdrawn,
};
use callboard_contracts::{EntryId, OfferId, SlotId, Timestamp, WaitlistId};

use super::{OFFER_WINDOW_MAX, SERVICE_BYTES_MAX, Slot, SlotFacts, SlotStatus};
use crate::waitlist::entry::Ineligible;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::timing::Timing;

/// Releases a slot to a waitlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSlot {
    /// The waitlist that is asked first.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// What is done in it.
    pub service: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// How long an offer of it stands; counted in whole seconds.
    pub offer_window: Duration,
    /// The version after which it is released *again*; absent for the first release. Without it
    /// a command that arrives twice would free a slot that was booked in between.
    pub after_version: Option<u32>,
}

/// What the cascade should do with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing is left to do.
    Nothing,
    /// Somebody is thinking it over.
    Wait {
        /// Until here.
        until: Timestamp,
    },
    /// Look for the next entry; then [`hold`] the slot for it, or record [`no_candidate`].
    FindCandidate,
    /// The slot has started: [`close`] it.
    Close,
}

/// Whether a service's name may stand in events and keys.
///
/// # Errors
/// [`Refusal::ServiceName`].
pub fn check_service(name: &str) -> Result<(), Refusal> {
    let fits = !name.is_empty() && name.len() <= SERVICE_BYTES_MAX;
    if fits && !name.contains(|c: char| c == '#' || c.is_control()) {
        Ok(())
    } else {
        Err(Refusal::ServiceName)
    }
}

/// Decides on the release of a slot.
///
/// # Errors
/// A [`Refusal`] if the command is not valid, or the slot is not to be released now.
pub fn release(
    slot: &Slot,
    command: &ReleaseSlot,
    now: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    check_service(&command.service)?;
    if command.starts_at <= now {
        return Err(Refusal::StartsInPast);
    }
    if command.ends_at <= command.starts_at {
        return Err(Refusal::EndsBeforeStart);
    }
    let window = command.offer_window;
    let offer_window_seconds = u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
    if offer_window_seconds == 0 || window > OFFER_WINDOW_MAX {
        return Err(Refusal::OfferWindow);
    }
    let version = slot.version();
    let follows = command.after_version == Some(version);
    match &slot.status {
        SlotStatus::Absent => {}
        SlotStatus::Open { .. } | SlotStatus::Held { .. } => {
            return Err(Refusal::AlreadyReleased { version });
        }
        SlotStatus::Filled { .. } if !follows => return Err(Refusal::SlotTaken),
        _ if !follows => return Err(Refusal::ReleasedBefore { version }),
        _ => {}
    }
    Ok(vec![
        SlotReleased {
            waitlist_id: command.waitlist_id.clone(),
            slot_id: command.slot_id.clone(),
            slot_version: version + 1,
            service: command.service.clone(),
            starts_at: command.starts_at,
            ends_at: command.ends_at,
            offer_window_seconds,
        }
        .into(),
    ])
}

/// Decides on the withdrawal of a slot, held or not. An offer that stands ends with it.
///
/// # Errors
/// [`Refusal::SlotTaken`] once it is filled.
pub fn withdraw(slot: &Slot) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    match &slot.status {
        SlotStatus::Absent => Err(Refusal::SlotNotFound),
        SlotStatus::Filled { .. } => Err(Refusal::SlotTaken),
        SlotStatus::Withdrawn => Err(Refusal::AlreadyWithdrawn),
        SlotStatus::Open { .. } | SlotStatus::Held { .. } | SlotStatus::OpenedToPublic => {
            Ok(vec![withdrawn(facts)])
        }
    }
}

/// Holds a slot for an entry. A hold that has run out is released by the same decision.
///
/// `as_of` says how fresh the view was in which the entry was found (I4).
///
/// # Errors
/// A [`Refusal`] if the slot is not free, has started, or the entry was offered it before.
pub fn hold(
    slot: &Slot,
    entry_id: &EntryId,
    offer_id: &OfferId,
    as_of: Option<Timestamp>,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    let mut events = free_at(slot, timing, now)?;
    if now >= facts.starts_at {
        return Err(Refusal::SlotStarted);
    }
    if slot.offered.contains(entry_id) {
        return Err(Refusal::NotEligible(Ineligible::OfferedBefore));
    }
    events.push(
        SlotHeld {
            waitlist_id: facts.waitlist_id.clone(),
            slot_id: facts.slot_id.clone(),
            slot_version: facts.version,
            offer_id: offer_id.clone(),
            entry_id: entry_id.clone(),
            expires_at: facts.offer_expires_at(now),
            as_of,
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
        None => events.push(
            CandidateNotFound {
                waitlist_id: facts.waitlist_id.clone(),
                slot_id: facts.slot_id.clone(),
                slot_version: facts.version,
                look_again_at: now.plus(timing.second_look),
            }
            .into(),
        ),
        Some(look_again_at) if now >= look_again_at => events.push(
            SlotOpenedToPublic {
                waitlist_id: facts.waitlist_id.clone(),
                slot_id: facts.slot_id.clone(),
                slot_version: facts.version,
            }
            .into(),
        ),
        Some(_) => {}
    }
    Ok(events)
}

/// Closes a slot that has started without being filled: nobody can use it any more.
///
/// # Errors
/// [`Refusal::SlotNotStarted`], or that the slot is not free.
pub fn close(slot: &Slot, timing: &Timing, now: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    let mut events = free_at(slot, timing, now)?;
    if now < facts.starts_at {
        return Err(Refusal::SlotNotStarted);
    }
    events.push(withdrawn(facts));
    Ok(events)
}

/// Decides on a yes that was received at `received_at` (by the API's gateway, not by us). An
/// offer is honoured if it was accepted before its deadline, whatever the timers did (I3).
///
/// # Errors
/// [`Refusal::AlreadyAccepted`] for a repetition; otherwise why it is too late.
pub fn accept(
    slot: &Slot,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    let entry_id = answerable(slot, offer_id, received_at).map_err(|refusal| match refusal {
        // Not the same answer again, but another one.
        Refusal::AlreadyDeclined => Refusal::AlreadyAnswered,
        refusal => refusal,
    })?;
    Ok(vec![
        SlotFilled {
            waitlist_id: facts.waitlist_id.clone(),
            slot_id: facts.slot_id.clone(),
            slot_version: facts.version,
            offer_id: offer_id.clone(),
            entry_id: entry_id.clone(),
        }
        .into(),
    ])
}

/// Decides on a no that was received at `received_at`.
///
/// # Errors
/// [`Refusal::AlreadyDeclined`] for a repetition; otherwise why it is too late.
pub fn decline(
    slot: &Slot,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    answerable(slot, offer_id, received_at).map_err(|refusal| match refusal {
        Refusal::AlreadyAccepted => Refusal::AlreadyAnswered,
        refusal => refusal,
    })?;
    Ok(vec![hold_released(facts, offer_id, HoldEnd::Declined)])
}

/// What the cascade should do with the slot now.
///
/// An open slot is always worth a look-up, also before the second look is due: the reason to
/// ask may be an entry that has just joined.
#[must_use]
pub fn next_step(slot: &Slot, timing: &Timing, now: Timestamp) -> Step {
    let Some(facts) = &slot.facts else {
        return Step::Nothing;
    };
    match &slot.status {
        SlotStatus::Held { expires_at, .. } if now < expires_at.plus(timing.hold_grace) => {
            Step::Wait {
                until: expires_at.plus(timing.hold_grace),
            }
        }
        SlotStatus::Open { .. } | SlotStatus::Held { .. } if now >= facts.starts_at => Step::Close,
        SlotStatus::Open { .. } | SlotStatus::Held { .. } => Step::FindCandidate,
        _ => Step::Nothing,
    }
}

/// When the work that the slot's stream leaves open is due; `None` if it leaves none.
#[must_use]
pub fn due(slot: &Slot, timing: &Timing) -> Option<Timestamp> {
    let facts = slot.facts.as_ref()?;
    match &slot.status {
        SlotStatus::Open {
            since,
            empty_look_up,
        } => Some(empty_look_up.unwrap_or(*since).min(facts.starts_at)),
        SlotStatus::Held { expires_at, .. } => Some(expires_at.plus(timing.hold_grace)),
        _ => None,
    }
}

/// The events that free the slot: none if it is open, the release of a hold that has run out.
fn free_at(slot: &Slot, timing: &Timing, now: Timestamp) -> Result<Vec<SlotEvent>, Refusal> {
    let facts = slot.known()?;
    match &slot.status {
        SlotStatus::Absent => Err(Refusal::SlotNotFound),
        SlotStatus::Open { .. } => Ok(Vec::new()),
        SlotStatus::Held {
            offer_id,
            expires_at,
            ..
        } => {
            let until = expires_at.plus(timing.hold_grace);
            if now < until {
                return Err(Refusal::SlotHeld { until });
            }
            Ok(vec![hold_released(facts, offer_id, HoldEnd::Expired)])
        }
        SlotStatus::Filled { .. } => Err(Refusal::SlotTaken),
        SlotStatus::OpenedToPublic => Err(Refusal::SlotPublic),
        SlotStatus::Withdrawn => Err(Refusal::SlotWithdrawn),
    }
}

/// Who the slot is held for under `offer_id`, if an answer that was received at `received_at`
/// counts; otherwise what has become of the offer.
fn answerable<'a>(
    slot: &'a Slot,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<&'a EntryId, Refusal> {
    match &slot.status {
        SlotStatus::Held {
            offer_id: held,
            entry_id,
            expires_at,
        } if held == offer_id => {
            if received_at < *expires_at {
                Ok(entry_id)
            } else {
                Err(Refusal::OfferExpired)
            }
        }
        SlotStatus::Filled { offer_id: by, .. } if by == offer_id => Err(Refusal::AlreadyAccepted),
        _ => Err(match slot.ended.get(offer_id) {
            Some(HoldEnd::Declined) => Refusal::AlreadyDeclined,
            Some(HoldEnd::Expired) => Refusal::OfferExpired,
            None => unknown_offer(slot),
        }),
    }
}

/// Why an offer that this version does not know cannot be answered.
const fn unknown_offer(slot: &Slot) -> Refusal {
    match slot.status {
        SlotStatus::Filled { .. } => Refusal::SlotTaken,
        SlotStatus::Withdrawn => Refusal::SlotWithdrawn,
        _ => Refusal::OfferSuperseded,
    }
}

fn hold_released(facts: &SlotFacts, offer_id: &OfferId, reason: HoldEnd) -> SlotEvent {
    HoldReleased {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
        offer_id: offer_id.clone(),
        reason,
    }
    .into()
}

fn withdrawn(facts: &SlotFacts) -> SlotEvent {
    SlotWithdrawn {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
    }
    .into()
}
