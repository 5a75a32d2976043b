//! A slot: an appointment that became free, and who it is held for.
//!
//! The fold is trusted, the commands are not: a decision looks at the state alone, and the
//! conditional write on the next commit number makes it the only one (invariants I1, I3).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callboard_contracts::waitlist::{HoldEnd, SlotEvent, SlotReleased};
use callboard_contracts::{EntryId, Fold, OfferId, SlotId, Timestamp, WaitlistId};
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

mod decide;

pub use decide::{
    ReleaseSlot, Step, accept, check_service, close, decline, due, hold, next_step, no_candidate,
    release, withdraw,
};

/// Longest time an offer may stand: beyond a week a slot is not urgent enough for a cascade.
pub const OFFER_WINDOW_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Longest name of a service in bytes; a commit must stay under 1,024.
pub const SERVICE_BYTES_MAX: usize = 64;

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
}

impl SlotFacts {
    /// When an offer made at `now` ends: after the window, and never past the slot's start.
    #[must_use]
    pub fn offer_expires_at(&self, now: Timestamp) -> Timestamp {
        now.plus(Duration::from_secs(u64::from(self.window_seconds)))
            .min(self.starts_at)
    }
}

/// Where a slot stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum SlotStatus {
    /// Never released.
    #[default]
    Absent,
    /// Free, and nobody is asked at the moment.
    Open {
        /// Since when.
        since: Timestamp,
        /// Set by a first empty look-up: a second one from this moment on opens the slot to the
        /// public.
        empty_look_up: Option<Timestamp>,
    },
    /// Held for one entry while it is offered to it.
    Held {
        /// The offer.
        offer_id: OfferId,
        /// The entry.
        entry_id: EntryId,
        /// An acceptance received before this moment is honoured.
        expires_at: Timestamp,
    },
    /// Booked through an accepted offer.
    Filled {
        /// The offer.
        offer_id: OfferId,
        /// The entry.
        entry_id: EntryId,
    },
    /// Nobody on the waitlist took it.
    OpenedToPublic,
    /// No longer to be had.
    Withdrawn,
}

/// The state of a slot's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Slot {
    /// Where it stands.
    pub status: SlotStatus,
    /// What is known of its current version; absent only while [`SlotStatus::Absent`].
    pub facts: Option<SlotFacts>,
    /// Everybody who was offered this version; nobody is asked twice (I2).
    pub offered: BTreeSet<EntryId>,
    /// How the earlier offers of this version ended.
    pub ended: BTreeMap<OfferId, HoldEnd>,
}

impl Slot {
    /// The current version, 0 before the first release.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.facts.as_ref().map_or(0, |facts| facts.version)
    }

    fn known(&self) -> Result<&SlotFacts, Refusal> {
        self.facts.as_ref().ok_or(Refusal::SlotNotFound)
    }
}

impl Fold for Slot {
    type Event = SlotEvent;
    const VERSION: u32 = 1;

    fn evolve(mut self, event: &SlotEvent, at: Timestamp) -> Self {
        match event {
            SlotEvent::SlotReleased(event) => return released(event, at),
            SlotEvent::SlotHeld(event) => {
                self.offered.insert(event.entry_id.clone());
                self.status = SlotStatus::Held {
                    offer_id: event.offer_id.clone(),
                    entry_id: event.entry_id.clone(),
                    expires_at: event.expires_at,
                };
            }
            SlotEvent::HoldReleased(event) => {
                self.ended.insert(event.offer_id.clone(), event.reason);
                self.status = SlotStatus::Open {
                    since: at,
                    empty_look_up: None,
                };
            }
            SlotEvent::SlotFilled(event) => {
                self.status = SlotStatus::Filled {
                    offer_id: event.offer_id.clone(),
                    entry_id: event.entry_id.clone(),
                };
            }
            SlotEvent::CandidateNotFound(event) => {
                let since = match self.status {
                    SlotStatus::Open { since, .. } => since,
                    _ => at,
                };
                self.status = SlotStatus::Open {
                    since,
                    empty_look_up: Some(event.look_again_at),
                };
            }
            SlotEvent::SlotOpenedToPublic(_) => self.status = SlotStatus::OpenedToPublic,
            SlotEvent::SlotWithdrawn(_) => self.status = SlotStatus::Withdrawn,
        }
        self
    }
}

fn released(event: &SlotReleased, at: Timestamp) -> Slot {
    Slot {
        status: SlotStatus::Open {
            since: at,
            empty_look_up: None,
        },
        facts: Some(SlotFacts {
            waitlist_id: event.waitlist_id.clone(),
            slot_id: event.slot_id.clone(),
            version: event.slot_version,
            service: event.service.clone(),
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            window_seconds: event.offer_window_seconds,
        }),
        offered: BTreeSet::new(),
        ended: BTreeMap::new(),
    }
}
