//! What comes next for a slot, and when.

use callboard_contracts::{Handling, Timestamp};

use super::{Slot, SlotFacts, SlotStatus};
use crate::waitlist::lottery::POOL_MAX;
use crate::waitlist::timing::{TELL_AFTER, Timing};

/// The consumer that owns a slot's open work.
pub(in crate::waitlist) const CASCADE: &str = "waitlist-cascade";

/// What the cascade should do with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing is left to do.
    Nothing,
    /// Somebody is thinking it over, or the first offer has time.
    Wait {
        /// Until here.
        until: Timestamp,
    },
    /// Look for the next entries; then offer it to them, or record that there are none.
    FindCandidates {
        /// At most so many.
        want: usize,
        /// Drawn by lot, if not by rank.
        draw: Option<DrawFrom<'a>>,
    },
    /// Open it to everybody whom it suits: [`broadcast`](super::broadcast).
    Broadcast,
    /// It is too late for another offer: [`close`](super::close) it.
    Close,
}

/// What a draw by lot is made of: see [`lottery::draw`](crate::waitlist::lottery::draw).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawFrom<'a> {
    /// The seed that was fixed with the release.
    pub seed: &'a str,
    /// The number of this draw.
    pub number: u32,
    /// At most so many of the best ranked have a lot.
    pub pool: usize,
}

/// What the cascade should do with the slot now.
///
/// An open slot is always worth a look-up, also before the second look is due: the reason to
/// ask may be an entry that has just joined.
#[must_use]
pub fn next_step<'a>(slot: &'a Slot, timing: &Timing, now: Timestamp) -> Step<'a> {
    let Some(facts) = &slot.facts else {
        return Step::Nothing;
    };
    let until = match &slot.status {
        SlotStatus::Open { .. } => first_offer_at(slot, facts),
        SlotStatus::Held {
            expires_at: end, ..
        }
        | SlotStatus::Broadcast { ends_at: end } => Some(end.plus(timing.hold_grace)),
        _ => return Step::Nothing,
    };
    if let Some(until) = until.filter(|until| now < *until) {
        return Step::Wait { until };
    }
    if now >= facts.last_call() || matches!(slot.status, SlotStatus::Broadcast { .. }) {
        return Step::Close;
    }
    if facts.broadcast_from().is_some_and(|from| now >= from) {
        return Step::Broadcast;
    }
    Step::FindCandidates {
        want: facts.offers_at_once(),
        draw: facts.terms.seed.as_deref().map(|seed| DrawFrom {
            seed,
            number: slot.draws,
            pool: POOL_MAX,
        }),
    }
}

/// Whether a look-up that finds nobody opens the slot to the public.
#[must_use]
pub fn is_last_look(slot: &Slot, now: Timestamp) -> bool {
    match slot.status {
        SlotStatus::Open { empty_look_up, .. } => empty_look_up.is_some_and(|at| now >= at),
        _ => false,
    }
}

/// When the work that the slot's stream leaves open is due; `None` if it leaves none.
///
/// Whoever is to be told that their offer has ended is such work as well, until
/// [`told`](super::told) is committed.
#[must_use]
pub fn due(slot: &Slot, timing: &Timing) -> Option<Timestamp> {
    let to_tell = slot.to_tell_since.map(|since| since.plus(TELL_AFTER));
    let step = step_due(slot, timing);
    step.into_iter().chain(to_tell).min()
}

fn step_due(slot: &Slot, timing: &Timing) -> Option<Timestamp> {
    let facts = slot.facts.as_ref()?;
    match &slot.status {
        SlotStatus::Open {
            since,
            empty_look_up,
        } => {
            let next = empty_look_up.unwrap_or(*since);
            let next = first_offer_at(slot, facts).map_or(next, |first| next.max(first));
            // Never before the commit: the agenda's sweep does not go back.
            Some(next.min(facts.last_call()).max(*since))
        }
        SlotStatus::Held {
            expires_at: end, ..
        }
        | SlotStatus::Broadcast { ends_at: end } => Some(end.plus(timing.hold_grace)),
        _ => None,
    }
}

/// How a commit after which the slot is this one is handed on: in the group of its waitlist, so that
/// one list cascades in turn, and due when its open work is.
#[must_use]
pub fn handling(slot: &Slot, timing: &Timing) -> Handling {
    let waitlist = slot.facts.as_ref().map(|facts| &facts.waitlist_id);
    Handling {
        group: waitlist.map(ToString::to_string),
        due: due(slot, timing).map(|due| (due, CASCADE)),
    }
}

/// When the grace before the first offer is over; `None` once there was an offer.
fn first_offer_at(slot: &Slot, facts: &SlotFacts) -> Option<Timestamp> {
    match slot.status {
        SlotStatus::Open { since, .. } if slot.offered.is_empty() => {
            let grace = std::time::Duration::from_secs(facts.terms.rules.grace_seconds.into());
            Some(since.plus(grace).min(facts.last_call()))
        }
        _ => None,
    }
}
