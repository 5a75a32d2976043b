//! A slot becomes free.

use std::time::Duration;

use callboard_contracts::waitlist::{SlotEvent, SlotReleased, Terms};
use callboard_contracts::{RecipientId, SlotId, Timestamp, WaitlistId};

use super::{Slot, SlotFacts, SlotStatus};
use crate::waitlist::local::is_zone;
use crate::waitlist::refusal::Refusal;

/// Longest time an offer may stand: beyond a week a slot is not urgent enough for a cascade.
pub const OFFER_WINDOW_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Longest name of a service in bytes; a commit must stay under 1,024.
pub const SERVICE_BYTES_MAX: usize = 64;

/// Longest name of a place, of a person who treats, or of something in another system, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

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
    /// What else is known of it.
    pub details: SlotDetails,
}

/// What may be known of a slot besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlotDetails {
    /// Where it is.
    pub location: Option<String>,
    /// With whom it is.
    pub provider: Option<String>,
    /// The time zone (IANA) that people read its times in.
    pub zone: Option<String>,
    /// The caller's own name for it.
    pub external_id: Option<String>,
    /// The policy that holds for it.
    pub terms: Option<Terms>,
}

/// The id of a slot that is known by the caller's own name for it: the same name on the same
/// waitlist is the same slot, whoever tells of it and by which way.
#[must_use]
pub fn id_by_name(waitlist: &WaitlistId, external_id: &str) -> SlotId {
    SlotId::derived(&["slot", waitlist.as_str(), external_id])
}

/// Whether the slot's current version was released with just these words. `with_window` says
/// whether the command gives an offer window of its own: what a policy says may have changed since.
#[must_use]
pub fn is_released_as(slot: &Slot, command: &ReleaseSlot, with_window: bool) -> bool {
    slot.facts.as_ref().is_some_and(|facts| {
        let details = &command.details;
        facts.location == details.location
            && facts.provider == details.provider
            && facts.external_id == details.external_id
            && facts.waitlist_id == command.waitlist_id
            && facts.service == command.service
            && facts.starts_at == command.starts_at
            && facts.ends_at == command.ends_at
            && (!with_window || u64::from(facts.window_seconds) == command.offer_window.as_secs())
    })
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

/// Whether a text may stand in an event as a name.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains(char::is_control)
}

fn check_details(details: &SlotDetails) -> Result<(), Refusal> {
    let names = [
        ("location", &details.location),
        ("provider", &details.provider),
        ("externalId", &details.external_id),
    ];
    for (field, name) in names {
        if name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(Refusal::SlotDetail(field));
        }
    }
    if details.zone.as_deref().is_some_and(|zone| !is_zone(zone)) {
        return Err(Refusal::SlotDetail("zone"));
    }
    Ok(())
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
    check_details(&command.details)?;
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
        SlotStatus::Open { .. } | SlotStatus::Held { .. } | SlotStatus::Broadcast { .. } => {
            return Err(Refusal::AlreadyReleased { version });
        }
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } if !follows => {
            return Err(Refusal::SlotTaken);
        }
        _ if !follows => return Err(Refusal::ReleasedBefore { version }),
        _ => {}
    }
    let details = command.details.clone();
    Ok(vec![
        SlotReleased {
            waitlist_id: command.waitlist_id.clone(),
            slot_id: command.slot_id.clone(),
            slot_version: version + 1,
            service: command.service.clone(),
            starts_at: command.starts_at,
            ends_at: command.ends_at,
            offer_window_seconds,
            location: details.location,
            provider: details.provider,
            zone: details.zone,
            external_id: details.external_id,
            terms: details.terms,
            swap_depth: 0,
        }
        .into(),
    ])
}

/// The release of a slot whose booking `person` gives up for another slot, `depth` swaps after
/// the first release. `None` if it is not theirs to give up (any more), or has started. It keeps
/// the terms of its last release: no policy needs to be read in the middle of a swap.
pub(crate) fn freed_by_swap(
    slot: &Slot,
    person: &RecipientId,
    depth: u8,
    now: Timestamp,
) -> Option<SlotEvent> {
    let facts = slot.facts.as_ref()?;
    if slot.booked_for() != Some(person) || facts.starts_at <= now {
        return None;
    }
    Some(again(facts, depth).into())
}

fn again(facts: &SlotFacts, swap_depth: u8) -> SlotReleased {
    SlotReleased {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version + 1,
        service: facts.service.clone(),
        starts_at: facts.starts_at,
        ends_at: facts.ends_at,
        offer_window_seconds: facts.window_seconds,
        location: facts.location.clone(),
        provider: facts.provider.clone(),
        zone: facts.zone.clone(),
        external_id: facts.external_id.clone(),
        terms: Some(facts.terms.clone()),
        swap_depth,
    }
}
