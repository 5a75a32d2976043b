//! What is known of a slot's current version.

use std::time::Duration;

use callboard_contracts::waitlist::{Mode, SlotReleased, Terms};
use callboard_contracts::{EntryId, OfferId, SlotId, Timestamp, WaitlistId};
use serde::{Deserialize, Serialize};

use crate::waitlist::broadcast::AUDIENCE;
use crate::waitlist::policy::max_wait;
use crate::waitlist::window::{OFFER_LASTS_MIN, offer_end};

/// What is known of a slot's current version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotFacts {
    /// The waitlist that is asked first.
    pub waitlist_id: WaitlistId,
    /// The slot.
    pub slot_id: SlotId,
    /// Counts its releases from 1.
    pub version: u32,
    /// What is done in it.
    pub service: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// How long an offer stands, in seconds.
    pub window_seconds: u32,
    /// Where it is.
    pub location: Option<String>,
    /// With whom it is.
    pub provider: Option<String>,
    /// The time zone (IANA) that people read its times in; UTC unless given.
    pub zone: Option<String>,
    /// The caller's own name for it.
    pub external_id: Option<String>,
    /// The policy that holds for this version.
    pub terms: Terms,
    /// How many bookings in a row were swapped until it became free.
    pub swap_depth: u8,
}

impl From<&SlotReleased> for SlotFacts {
    fn from(event: &SlotReleased) -> Self {
        Self {
            waitlist_id: event.waitlist_id.clone(),
            slot_id: event.slot_id.clone(),
            version: event.slot_version,
            service: event.service.clone(),
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            window_seconds: event.offer_window_seconds,
            location: event.location.clone(),
            provider: event.provider.clone(),
            zone: event.zone.clone(),
            external_id: event.external_id.clone(),
            terms: event.terms.clone().unwrap_or_default(),
            swap_depth: event.swap_depth,
        }
    }
}

/// The id of the offer of a slot's version to an entry; see [`SlotFacts::offer_id`].
#[must_use]
pub fn offer_id(slot: &SlotId, version: u32, entry: &EntryId) -> OfferId {
    let version = version.to_string();
    OfferId::derived(&["offer", slot.as_str(), &version, entry.as_str()])
}

impl SlotFacts {
    /// When an offer made at `now` ends; see [`offer_end`].
    #[must_use]
    pub fn offer_expires_at(&self, now: Timestamp) -> Timestamp {
        offer_end(self, now)
    }

    /// No offer stands longer than until here.
    #[must_use]
    pub fn cutoff(&self) -> Timestamp {
        self.before_start(u64::from(self.terms.rules.cutoff_seconds))
    }

    /// From here on no new offer is made: it would end before anybody could answer it.
    #[must_use]
    pub fn last_call(&self) -> Timestamp {
        let lasts = OFFER_LASTS_MIN.as_secs().min(self.window_seconds.into());
        self.before_start(u64::from(self.terms.rules.cutoff_seconds) + lasts)
    }

    /// From here on the slot is broadcast; `None` if it never is.
    #[must_use]
    pub fn broadcast_from(&self) -> Option<Timestamp> {
        let rules = &self.terms.rules;
        let before = u64::from(rules.broadcast_within_seconds);
        match rules.mode {
            Mode::Broadcast => Some(Timestamp::from_millis(0)),
            _ if before == 0 => None,
            _ => Some(self.before_start(u64::from(rules.cutoff_seconds) + before)),
        }
    }

    /// Who has waited for longer goes before every urgency.
    #[must_use]
    pub fn max_wait(&self) -> Option<Duration> {
        max_wait(&self.terms.rules)
    }

    /// How many entries are offered the slot at once.
    #[must_use]
    pub const fn offers_at_once(&self) -> usize {
        match self.terms.rules.mode {
            Mode::Batch { size } => size as usize,
            Mode::Sequential | Mode::Broadcast | Mode::Lottery => 1,
        }
    }

    /// At most so many are told of a broadcast.
    #[must_use]
    pub fn audience_max(&self) -> usize {
        self.terms.rules.audience_max.unwrap_or(AUDIENCE).into()
    }

    /// The id of the offer of this version to an entry. Derived, because there is at most one
    /// (I2): a cascade that is run twice makes the same offer.
    #[must_use]
    pub fn offer_id(&self, entry_id: &EntryId) -> OfferId {
        offer_id(&self.slot_id, self.version, entry_id)
    }

    fn before_start(&self, seconds: u64) -> Timestamp {
        let millis = i64::try_from(seconds * 1_000).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.starts_at.as_millis().saturating_sub(millis))
    }
}
