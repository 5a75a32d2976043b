//! A person wishes something else, rests, comes back or leaves; staff change a rank.

use callboard_contracts::waitlist::{
    EntryEvent, EntryLeft, EntryPaused, EntryResumed, OfferLapsed, OverrideReason, PauseReason,
    PreferencesChanged, RankOverridden, RankTo,
};
use callboard_contracts::{Fold as _, Timestamp};

use super::answer::declined;
use super::{Entry, EntryFacts, EntryOffer, EntryStatus, Wishes, has_lapsed};
use crate::waitlist::matching;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::timing::Timing;

/// Counts an offer that ran out; an entry that has then let as many offers pass as the policy
/// allows is paused by the same decision. No events if there is nothing to count.
#[must_use]
pub fn settle(entry: &Entry, timing: &Timing, now: Timestamp) -> Vec<EntryEvent> {
    let (Some(facts), EntryStatus::Offered(offer)) = (&entry.facts, &entry.status) else {
        return Vec::new();
    };
    if !has_lapsed(offer, timing, now) {
        return Vec::new();
    }
    let mut events = lapsed(entry, facts);
    if reaches_limit(entry, offer) {
        events.push(paused(entry, facts, PauseReason::Skips, entry.skips + 1));
    }
    events
}

/// Decides on other wishes. An offer that stands is not touched.
///
/// # Errors
/// [`Refusal::Preferences`] with the field that is wrong, [`Refusal::WishesUnchanged`] for a
/// repetition, or that the entry waits no more.
pub fn change_preferences(
    entry: &Entry,
    wishes: &Wishes,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<EntryEvent>, Refusal> {
    matching::check(&wishes.preferences)?;
    let facts = on_the_list(entry)?;
    if entry.wishes == *wishes {
        return Err(Refusal::WishesUnchanged);
    }
    let wishes = wishes.clone();
    let mut events = settle(entry, timing, now);
    events.push(
        PreferencesChanged {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
            preferences: wishes.preferences,
            auto_accept: wishes.auto_accept,
            proxy_id: wishes.proxy_id,
        }
        .into(),
    );
    Ok(events)
}

/// Decides on a person's wish to get no offers for a while. A standing offer is declined with it;
/// see [`cascade::pause`](crate::waitlist::cascade::pause) for the slot's part.
///
/// # Errors
/// [`Refusal::AlreadyPaused`] for a repetition, [`Refusal::AnswerOnItsWay`] in the seconds after
/// an offer's deadline (who pauses and comes back at once would be offered another slot before an
/// acceptance in time has arrived), or that the entry waits no more.
pub fn pause(entry: &Entry, timing: &Timing, now: Timestamp) -> Result<Vec<EntryEvent>, Refusal> {
    let facts = on_the_list(entry)?;
    let mut events = match &entry.status {
        EntryStatus::Paused(_) => return Err(Refusal::AlreadyPaused),
        EntryStatus::Offered(offer) if now < offer.expires_at => vec![declined(facts, offer)],
        EntryStatus::Offered(offer) if !has_lapsed(offer, timing, now) => {
            let until = offer.expires_at.plus(timing.hold_grace);
            return Err(Refusal::AnswerOnItsWay { until });
        }
        _ => lapsed(entry, facts),
    };
    let skips = fold(entry, &events, now).skips;
    events.push(paused(entry, facts, PauseReason::Asked, skips));
    Ok(events)
}

/// Decides on a person's wish to get offers again. Skips are forgotten.
///
/// # Errors
/// [`Refusal::NotPaused`] for a repetition, or that the entry waits no more.
pub fn resume(entry: &Entry, timing: &Timing, now: Timestamp) -> Result<Vec<EntryEvent>, Refusal> {
    let facts = on_the_list(entry)?;
    let mut events = settle(entry, timing, now);
    if !matches!(fold(entry, &events, now).status, EntryStatus::Paused(_)) {
        return Err(Refusal::NotPaused);
    }
    events.push(
        EntryResumed {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
        }
        .into(),
    );
    Ok(events)
}

/// Decides on another rank by staff, who say why.
///
/// # Errors
/// [`Refusal::RankUnchanged`] for a repetition, or that the entry waits no more.
pub fn override_rank(
    entry: &Entry,
    to: RankTo,
    reason: OverrideReason,
    timing: &Timing,
    now: Timestamp,
) -> Result<Vec<EntryEvent>, Refusal> {
    let facts = on_the_list(entry)?;
    let unchanged = match entry.overridden {
        Some(overridden) => overridden.to == to && overridden.reason == reason,
        None => to == RankTo::Own,
    };
    if unchanged {
        return Err(Refusal::RankUnchanged);
    }
    let mut events = settle(entry, timing, now);
    events.push(
        RankOverridden {
            waitlist_id: facts.waitlist_id.clone(),
            entry_id: facts.entry_id.clone(),
            to,
            reason,
        }
        .into(),
    );
    Ok(events)
}

/// Decides on a person's wish to wait no longer. A standing offer is declined with it; see
/// [`cascade::leave`](crate::waitlist::cascade::leave) for the slot's part.
///
/// # Errors
/// [`Refusal::AlreadyLeft`] for a repetition, [`Refusal::EntryBooked`] after a booking.
pub fn leave(entry: &Entry, now: Timestamp) -> Result<Vec<EntryEvent>, Refusal> {
    let facts = match &entry.status {
        EntryStatus::Left => return Err(Refusal::AlreadyLeft),
        _ => on_the_list(entry)?,
    };
    let mut events = match &entry.status {
        EntryStatus::Offered(offer) if now < offer.expires_at => vec![declined(facts, offer)],
        _ => lapsed(entry, facts),
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

/// What is known of an entry that waits, paused or not.
fn on_the_list(entry: &Entry) -> Result<&EntryFacts, Refusal> {
    match &entry.status {
        EntryStatus::Left => Err(Refusal::EntryLeft),
        EntryStatus::Booked(_) => Err(Refusal::EntryBooked),
        EntryStatus::GivenUp { .. } => Err(Refusal::BookingGivenUp),
        _ => entry.facts.as_ref().ok_or(Refusal::EntryNotFound),
    }
}

/// Whether the entry is to be paused once this offer is counted as a skip.
pub(super) fn reaches_limit(entry: &Entry, offer: &EntryOffer) -> bool {
    offer
        .skip_limit
        .is_some_and(|limit| entry.skips + 1 >= u32::from(limit))
}

pub(super) fn lapsed(entry: &Entry, facts: &EntryFacts) -> Vec<EntryEvent> {
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

fn paused(entry: &Entry, facts: &EntryFacts, reason: PauseReason, skips: u32) -> EntryEvent {
    EntryPaused {
        waitlist_id: facts.waitlist_id.clone(),
        entry_id: facts.entry_id.clone(),
        recipient_id: facts.recipient_id.clone(),
        proxy_id: entry.wishes.proxy_id.clone(),
        reason,
        skips,
    }
    .into()
}

fn fold(entry: &Entry, events: &[EntryEvent], at: Timestamp) -> Entry {
    events
        .iter()
        .fold(entry.clone(), |entry, event| entry.evolve(event, at))
}
