//! An entry: one person's place on one waitlist, and the one offer it may have (invariant I2).

use callboard_contracts::waitlist::{EntryEvent, Urgency};
use callboard_contracts::{EntryId, Fold, OfferId, RecipientId, SlotId, Timestamp, WaitlistId};
use serde::{Deserialize, Serialize};

mod decide;

pub use decide::{Ineligible, Join, accept, decline, eligible, join, leave, offer};

/// What is known of an entry since it joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFacts {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// What the person waits for.
    pub service: String,
    /// How pressing it is.
    pub urgency: Urgency,
    /// Waiting counts from here.
    pub joined_at: Timestamp,
}

/// An offer as the entry knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryOffer {
    /// The offer.
    pub offer_id: OfferId,
    /// The slot.
    pub slot_id: SlotId,
    /// The version offered.
    pub slot_version: u32,
    /// What is done in it.
    pub service: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The offer stands until this moment.
    pub expires_at: Timestamp,
}

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum EntryStatus {
    /// Never joined.
    #[default]
    Absent,
    /// Waits for a slot.
    Waiting,
    /// Has been offered a slot. The offer may have run out; the next decision records that.
    Offered(EntryOffer),
    /// Has an appointment.
    Booked(EntryOffer),
    /// Left the waitlist.
    Left,
}

/// How an offer of an entry ended without a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferEnd {
    /// The person said no.
    Declined,
    /// There was no answer in time.
    Lapsed,
}

/// The state of an entry's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands.
    pub status: EntryStatus,
    /// What is known of it; absent only while [`EntryStatus::Absent`].
    pub facts: Option<EntryFacts>,
    /// Offers that ran out without an answer.
    pub skips: u32,
    /// The latest offer that ended without a booking.
    pub last_offer: Option<(OfferId, OfferEnd)>,
}

impl Entry {
    /// The slot of the offer that was made last and not answered yet.
    #[must_use]
    pub const fn offered_slot(&self) -> Option<&SlotId> {
        match &self.status {
            EntryStatus::Offered(offer) => Some(&offer.slot_id),
            _ => None,
        }
    }
}

impl Fold for Entry {
    type Event = EntryEvent;
    const VERSION: u32 = 1;

    fn evolve(mut self, event: &EntryEvent, at: Timestamp) -> Self {
        match event {
            EntryEvent::EntryJoined(event) => {
                self.status = EntryStatus::Waiting;
                self.facts = Some(EntryFacts {
                    waitlist_id: event.waitlist_id.clone(),
                    entry_id: event.entry_id.clone(),
                    recipient_id: event.recipient_id.clone(),
                    service: event.service.clone(),
                    urgency: event.urgency,
                    joined_at: at,
                });
            }
            EntryEvent::OfferMade(event) => {
                self.status = EntryStatus::Offered(EntryOffer {
                    offer_id: event.offer_id.clone(),
                    slot_id: event.slot_id.clone(),
                    slot_version: event.slot_version,
                    service: event.service.clone(),
                    starts_at: event.starts_at,
                    ends_at: event.ends_at,
                    expires_at: event.expires_at,
                });
            }
            EntryEvent::OfferAccepted(_) => {
                if let EntryStatus::Offered(offer) = self.status {
                    self.status = EntryStatus::Booked(offer);
                }
            }
            EntryEvent::OfferDeclined(event) => {
                self.status = EntryStatus::Waiting;
                self.last_offer = Some((event.offer_id.clone(), OfferEnd::Declined));
            }
            EntryEvent::OfferLapsed(event) => {
                self.status = EntryStatus::Waiting;
                self.skips += 1;
                self.last_offer = Some((event.offer_id.clone(), OfferEnd::Lapsed));
            }
            EntryEvent::EntryLeft(_) => self.status = EntryStatus::Left,
        }
        self
    }
}
