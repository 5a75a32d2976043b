//! The offer behind a link, and how it stands for the person it was made to.

use callboard_contracts::link::OfferLink;
use callboard_contracts::{StreamId, Timestamp};
use callboard_domain::waitlist::entry::{Booking, Entry, EntryOffer, EntryStatus};
use callboard_domain::waitlist::slot::{Slot, SlotFacts, SlotStatus};
use callboard_domain::waitlist::{OfferFate, Refusal};
use callboard_domain::when::Zone;
use callboard_runtime::http::Problem;
use callboard_runtime::journal::Loaded;
use callboard_runtime::token::TokenError;

use crate::Deps;
use crate::answer::{refused, unavailable};
use crate::page::{Other, Shown, Standing};

/// An offer: what its link says, and the streams that it stands in.
pub(super) struct Offer {
    pub(super) link: OfferLink,
    pub(super) slot: Loaded<Slot>,
    pub(super) entry: Loaded<Entry>,
}

impl Offer {
    /// The offer of a token, as it stands now.
    pub(super) async fn of(deps: &Deps, token: &str, now: Timestamp) -> Result<Self, Problem> {
        Self::load(deps, claims(deps, token, now)?).await
    }

    /// The offer of a link, as it stands now.
    pub(super) async fn load(deps: &Deps, link: OfferLink) -> Result<Self, Problem> {
        let slot = deps.journal.load::<Slot>(&StreamId::slot(&link.slot)).await;
        let slot = slot.map_err(|error| unavailable(&error))?;
        if !slot.exists() {
            return Err(refused(&Refusal::SlotNotFound));
        }
        let entry = StreamId::entry(&link.entry);
        let entry = deps.journal.load::<Entry>(&entry).await;
        let entry = entry.map_err(|error| unavailable(&error))?;
        Ok(Self { link, slot, entry })
    }

    /// As a page shows it.
    pub(super) fn shown(&self, deps: &Deps, now: Timestamp) -> Shown {
        let (slot, link) = (&self.slot.state, &self.link);
        if let EntryStatus::GivenUp { booking, instead } = &self.entry.state.status
            && booking.offer_id == link.offer
        {
            return self.given_up(deps, booking, instead.starts_at);
        }
        let facts = slot
            .facts
            .as_ref()
            .filter(|facts| facts.version == link.version);
        let state = match &slot.status {
            _ if facts.is_none() => Standing::Superseded,
            SlotStatus::Held { expires_at, .. } if slot.is_held_under(&link.offer) => {
                if now < *expires_at {
                    Standing::Open
                } else {
                    Standing::Expired
                }
            }
            SlotStatus::Filled { offer_id, .. } if *offer_id == link.offer => Standing::Accepted,
            _ => match slot.ended.get(&link.offer) {
                Some(OfferFate::Declined) => Standing::Declined,
                Some(OfferFate::Expired) => Standing::Expired,
                Some(OfferFate::Superseded | OfferFate::Booked) => Standing::Taken,
                Some(OfferFate::Withdrawn) => Standing::Withdrawn,
                None => told_of(&slot.status, now),
            },
        };
        let (expires_at, first_come) = match &slot.status {
            _ if state != Standing::Open => (None, false),
            SlotStatus::Broadcast { ends_at } => (Some(*ends_at), true),
            SlotStatus::Held { expires_at, .. } => (Some(*expires_at), false),
            _ => (None, false),
        };
        Shown {
            state,
            service: facts.map(|facts| facts.service.clone()),
            location: facts.and_then(|facts| facts.location.clone()),
            provider: facts.and_then(|facts| facts.provider.clone()),
            starts_at: facts.map(|facts| facts.starts_at),
            ends_at: facts.map(|facts| facts.ends_at),
            expires_at,
            first_come,
            other_booking: self.other_booking(state),
            zone: zone(deps, facts),
        }
    }

    /// The slot knows nothing more of a booking that was given up; the entry does.
    fn given_up(&self, deps: &Deps, booking: &EntryOffer, instead: Timestamp) -> Shown {
        Shown {
            state: Standing::GivenUp,
            service: Some(booking.service.clone()),
            location: None,
            provider: None,
            starts_at: Some(booking.starts_at),
            ends_at: Some(booking.ends_at),
            expires_at: None,
            first_come: false,
            other_booking: Some(Other::TakenInstead { starts_at: instead }),
            zone: zone(deps, self.slot.state.facts.as_ref()),
        }
    }

    fn other_booking(&self, state: Standing) -> Option<Other> {
        let entry = &self.entry.state;
        match (state, &entry.gave_up) {
            (Standing::Open, _) => entry
                .gives_up_starts_at()
                .map(|starts_at| Other::WouldBeGivenUp { starts_at }),
            (Standing::Accepted, Some(Booking { starts_at, .. })) => Some(Other::GivenUp {
                starts_at: *starts_at,
            }),
            (Standing::Accepted, None) => entry.swap_failed().then_some(Other::Kept),
            _ => None,
        }
    }
}

/// The zone in which people read the slot's times.
pub(crate) fn zone(deps: &Deps, slot: Option<&SlotFacts>) -> Zone {
    slot.and_then(|slot| slot.zone.as_ref()?.parse().ok())
        .unwrap_or_else(|| deps.clinic_zone.clone())
}

/// How a slot stands for somebody who was told of its broadcast, and was never offered it alone.
fn told_of(slot: &SlotStatus, now: Timestamp) -> Standing {
    match slot {
        SlotStatus::Broadcast { ends_at } if now < *ends_at => Standing::Open,
        SlotStatus::Broadcast { .. } | SlotStatus::OpenedToPublic => Standing::Expired,
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } => Standing::Taken,
        SlotStatus::Withdrawn => Standing::Withdrawn,
        SlotStatus::Absent | SlotStatus::Open { .. } | SlotStatus::Held { .. } => {
            Standing::Superseded
        }
    }
}

/// What the token says. An expired one still says it: whether the offer stands is for the slot
/// to decide, which may have been accepted in time.
pub(super) fn claims(deps: &Deps, token: &str, now: Timestamp) -> Result<OfferLink, Problem> {
    match deps.link_keys.verify::<OfferLink>(token, now) {
        Ok(link) | Err(TokenError::Expired(link)) => Ok(link),
        Err(_) => Err(Problem::unknown_link()),
    }
}
