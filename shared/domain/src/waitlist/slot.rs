//! A slot: an appointment that became free, and who it is held for.
//!
//! The fold is trusted, the commands are not: a decision looks at the state alone, and the
//! conditional write on the next commit number makes it the only one (invariants I1, I3).

use std::collections::{BTreeMap, BTreeSet};

use callboard_contracts::figures::SlotTally;
use callboard_contracts::waitlist::{BookedBy, CalendarWord, Cursor, HoldEnd, SlotEvent};
use callboard_contracts::{EntryId, Fold, OfferId, RecipientId, Timestamp};
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

mod answer;
mod calendar;
mod facts;
mod offer;
mod release;
mod step;
mod tally;

pub use answer::{BookSlot, accept, book, decline, is_meant, told, withdraw};
pub(super) use answer::{answerable_in_broadcast, filled};
pub use calendar::{Freed, FromCalendar, News, told_by_calendar};
pub use facts::{SlotFacts, offer_id};
pub use offer::{Look, broadcast, close, hold, no_candidate, passed_over};
pub use release::{
    NAME_BYTES_MAX, OFFER_WINDOW_MAX, ReleaseSlot, SERVICE_BYTES_MAX, SlotDetails, check_service,
    id_by_name, is_released_as, release,
};
pub(super) use release::{freed_by_swap, is_name};
pub(super) use step::CASCADE;
pub use step::{DrawFrom, Step, due, handling, is_last_look, next_step};
pub use tally::VERSIONS_MAX;

/// An offer under which the slot is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOffer {
    /// The offer.
    pub offer_id: OfferId,
    /// The entry.
    pub entry_id: EntryId,
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
    /// Held while it is offered.
    Held {
        /// The offers that stand, by rank; never empty.
        offers: Vec<HeldOffer>,
        /// An acceptance received before this moment is honoured.
        expires_at: Timestamp,
    },
    /// Everybody whom it suits may take it.
    Broadcast {
        /// An acceptance received before this moment is honoured.
        ends_at: Timestamp,
    },
    /// Booked through an accepted offer.
    Filled {
        /// The offer.
        offer_id: OfferId,
        /// The entry.
        entry_id: EntryId,
        /// The person; absent in what was filled before it was recorded.
        recipient_id: Option<RecipientId>,
    },
    /// Booked without an offer.
    Booked {
        /// By whom.
        by: BookedBy,
        /// The other system's own name for the booking.
        external_id: Option<String>,
        /// For whom, if it is one of ours.
        recipient_id: Option<RecipientId>,
    },
    /// Nobody on the waitlist took it.
    OpenedToPublic,
    /// No longer to be had.
    Withdrawn,
}

/// How an offer of a slot ended without filling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferFate {
    /// The person said no.
    Declined,
    /// There was no answer in time.
    Expired,
    /// Somebody else of the same batch was faster.
    Superseded,
    /// The slot was booked without an offer.
    Booked,
    /// The slot was withdrawn.
    Withdrawn,
}

impl From<HoldEnd> for OfferFate {
    fn from(end: HoldEnd) -> Self {
        match end {
            HoldEnd::Declined => Self::Declined,
            HoldEnd::Expired => Self::Expired,
        }
    }
}

/// An offer that somebody else's act ended, so that its entry has to be told:
/// [`entry::told`](super::entry::told).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The offer.
    pub offer_id: OfferId,
    /// The entry.
    pub entry_id: EntryId,
    /// How it ended: superseded, booked or withdrawn.
    pub fate: OfferFate,
}

/// What the practice's own calendar said last of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWord {
    /// Its number.
    pub revision: u64,
    /// How the slot stands.
    pub word: CalendarWord,
    /// The version that was current when it was heard; 0 before the first release.
    pub version: u32,
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
    pub ended: BTreeMap<OfferId, OfferFate>,
    /// The entries to tell that their offer has ended, until they are: the slot may be released
    /// again before that.
    pub to_tell: Vec<Told>,
    /// Since when they are to be told.
    pub to_tell_since: Option<Timestamp>,
    /// Draws by lot for this version.
    pub draws: u32,
    /// Where the next look-up for this version goes on, class by class; empty if at the heads.
    pub cursors: Vec<Cursor>,
    /// When it was last offered to anybody, in whichever version.
    pub offered_at: Option<Timestamp>,
    /// What the practice's own calendar said last, of whichever version.
    pub calendar: Option<LastWord>,
    /// What became of each version, for the figures; at most [`VERSIONS_MAX`].
    pub tallies: Vec<SlotTally>,
}

impl Slot {
    /// The current version, 0 before the first release.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.facts.as_ref().map_or(0, |facts| facts.version)
    }

    /// The offers that stand; none if it is not held.
    #[must_use]
    pub fn held(&self) -> &[HeldOffer] {
        match &self.status {
            SlotStatus::Held { offers, .. } => offers,
            _ => &[],
        }
    }

    /// Whether the slot is held under this offer.
    #[must_use]
    pub fn is_held_under(&self, offer_id: &OfferId) -> bool {
        self.held().iter().any(|held| held.offer_id == *offer_id)
    }

    /// For whom the slot is booked, if that is known.
    #[must_use]
    pub const fn booked_for(&self) -> Option<&RecipientId> {
        match &self.status {
            SlotStatus::Filled { recipient_id, .. } | SlotStatus::Booked { recipient_id, .. } => {
                recipient_id.as_ref()
            }
            _ => None,
        }
    }

    /// The entry that it is booked for, if it was booked by an offer.
    #[must_use]
    pub const fn booked_entry(&self) -> Option<&EntryId> {
        match &self.status {
            SlotStatus::Filled { entry_id, .. } => Some(entry_id),
            _ => None,
        }
    }

    fn known(&self) -> Result<&SlotFacts, Refusal> {
        self.facts.as_ref().ok_or(Refusal::SlotNotFound)
    }

    fn hold(&mut self, offers: Vec<HeldOffer>, expires_at: Timestamp) {
        self.offered
            .extend(offers.iter().map(|held| held.entry_id.clone()));
        self.status = SlotStatus::Held { offers, expires_at };
    }

    /// The offers of a batch to these entries.
    fn batch(&self, entries: &[EntryId]) -> Vec<HeldOffer> {
        let offer = |entry_id: &EntryId| {
            Some(HeldOffer {
                offer_id: self.facts.as_ref()?.offer_id(entry_id),
                entry_id: entry_id.clone(),
            })
        };
        entries.iter().filter_map(offer).collect()
    }

    fn open(&mut self, since: Timestamp) {
        self.status = SlotStatus::Open {
            since,
            empty_look_up: None,
        };
    }

    /// Ends the offers that stand at `at`, but for the one that was accepted, by somebody else's
    /// act. Those whose time was over by then have expired as if it had not happened.
    fn end_offers(&mut self, but: Option<&OfferId>, fate: OfferFate, at: Timestamp) {
        let SlotStatus::Held { offers, expires_at } = &self.status else {
            return;
        };
        let expired = at >= *expires_at;
        let others = offers.iter().filter(|held| Some(&held.offer_id) != but);
        let fate = if expired { OfferFate::Expired } else { fate };
        let ended: Vec<Told> = others
            .map(|held| Told {
                offer_id: held.offer_id.clone(),
                entry_id: held.entry_id.clone(),
                fate,
            })
            .collect();
        let fates = ended.iter().map(|told| (told.offer_id.clone(), fate));
        self.ended.extend(fates);
        if !expired && !ended.is_empty() {
            self.to_tell = ended;
            self.to_tell_since = Some(at);
        }
    }
}

impl Fold for Slot {
    type Event = SlotEvent;
    const VERSION: u32 = 6;

    fn evolve(mut self, event: &SlotEvent, at: Timestamp) -> Self {
        self.tallies = tally::counted(&mut self, event, at);
        match event {
            SlotEvent::SlotReleased(event) => {
                return Self {
                    status: SlotStatus::Open {
                        since: at,
                        empty_look_up: None,
                    },
                    facts: Some(SlotFacts::from(event)),
                    to_tell: self.to_tell,
                    to_tell_since: self.to_tell_since,
                    offered_at: self.offered_at,
                    calendar: self.calendar,
                    tallies: self.tallies,
                    ..Self::default()
                };
            }
            SlotEvent::SlotHeld(event) => {
                let offer = HeldOffer {
                    offer_id: event.offer_id.clone(),
                    entry_id: event.entry_id.clone(),
                };
                self.hold(vec![offer], event.expires_at);
                self.offered_at = Some(at);
                self.draws += u32::from(event.draw.is_some());
            }
            SlotEvent::BatchHeld(event) => {
                let offers = self.batch(&event.entry_ids);
                self.hold(offers, event.expires_at);
                self.offered_at = Some(at);
            }
            SlotEvent::SlotBroadcast(event) => {
                self.offered_at = Some(at);
                self.status = SlotStatus::Broadcast {
                    ends_at: event.ends_at,
                };
            }
            SlotEvent::CandidatesPassedOver(event) => self.cursors.clone_from(&event.cursors),
            SlotEvent::OfferEnded(event) => {
                self.ended
                    .insert(event.offer_id.clone(), event.reason.into());
                if let SlotStatus::Held { offers, .. } = &mut self.status {
                    offers.retain(|held| held.offer_id != event.offer_id);
                }
            }
            SlotEvent::HoldReleased(event) => {
                self.ended
                    .insert(event.offer_id.clone(), event.reason.into());
                self.open(at);
            }
            SlotEvent::BatchReleased(_) => {
                let expired = self.held().iter().map(|held| held.offer_id.clone());
                let expired: Vec<_> = expired.map(|id| (id, OfferFate::Expired)).collect();
                self.ended.extend(expired);
                self.open(at);
            }
            SlotEvent::SlotFilled(event) => {
                if event.auto {
                    self.offered_at = Some(at);
                }
                self.end_offers(Some(&event.offer_id), OfferFate::Superseded, at);
                self.status = SlotStatus::Filled {
                    offer_id: event.offer_id.clone(),
                    entry_id: event.entry_id.clone(),
                    recipient_id: event.recipient_id.clone(),
                };
            }
            SlotEvent::SlotBooked(event) => {
                self.end_offers(None, OfferFate::Booked, at);
                self.status = SlotStatus::Booked {
                    by: event.by,
                    external_id: event.external_id.clone(),
                    recipient_id: event.recipient_id.clone(),
                };
            }
            SlotEvent::CandidateNotFound(event) => {
                let since = match self.status {
                    SlotStatus::Open { since, .. } => since,
                    _ => at,
                };
                // The second look-up begins with the heads again: who was not free may be now.
                self.cursors.clear();
                self.status = SlotStatus::Open {
                    since,
                    empty_look_up: Some(event.look_again_at),
                };
            }
            SlotEvent::EndedOffersTold(_) => {
                self.to_tell.clear();
                self.to_tell_since = None;
            }
            SlotEvent::SlotOpenedToPublic(_) => self.status = SlotStatus::OpenedToPublic,
            SlotEvent::SlotWithdrawn(_) => {
                self.end_offers(None, OfferFate::Withdrawn, at);
                self.status = SlotStatus::Withdrawn;
            }
            SlotEvent::CalendarTold(event) => {
                self.calendar = Some(LastWord {
                    revision: event.revision,
                    word: event.word,
                    version: self.version(),
                });
            }
        }
        self
    }
}
