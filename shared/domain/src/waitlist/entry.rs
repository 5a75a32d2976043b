//! An entry: one person's place on one waitlist, and the one offer it may have (invariant I2).

use callboard_contracts::figures::OverrideTally;
use callboard_contracts::waitlist::{
    EntryEvent, EntryJoined, OfferAccepted, OfferMade, OverrideReason, PauseReason, RankTo, Urgency,
};
use callboard_contracts::{
    EntryId, Fold, Handling, OfferId, RecipientId, SlotId, Timestamp, WaitlistId,
};
use serde::{Deserialize, Serialize};

use super::rank::Candidate;

mod answer;
mod change;
mod eligible;
mod join;

pub(super) use answer::{Accepted, accepted, given_up, may_answer};
pub use answer::{OfferDetails, Swap, accept, decline, offer, told};
pub use callboard_contracts::waitlist::Ineligible;
pub use change::{change_preferences, leave, override_rank, pause, resume, settle};
pub use eligible::{available, eligible, lasts};
pub use join::{Join, Wishes, join};

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
    /// How pressing it is, unless staff decided otherwise: see [`Entry::urgency`].
    pub urgency: Urgency,
    /// Waiting counts from here.
    pub joined_at: Timestamp,
    /// A digest of the wishes that it joined with, to tell a repetition from another command.
    pub wishes: String,
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
    /// The time zone (IANA) that people read its times in.
    pub zone: Option<String>,
    /// The offer stands until this moment; of a booking without an offer, when it was made.
    pub expires_at: Timestamp,
    /// The entry is paused when it has let so many offers pass; absent is never.
    pub skip_limit: Option<u8>,
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
    /// Gets no offer until it is resumed.
    Paused(PauseReason),
    /// Has an appointment.
    Booked(EntryOffer),
    /// Had an appointment, and gave it up for a sooner one that another entry of the person's has.
    GivenUp {
        /// What it had.
        booking: EntryOffer,
        /// What was taken instead.
        instead: Booking,
    },
    /// Left the waitlist.
    Left,
}

/// Another booking of the same person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Its slot.
    pub slot_id: SlotId,
    /// When it starts.
    pub starts_at: Timestamp,
}

/// How an offer of an entry ended without a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferEnd {
    /// The person said no.
    Declined,
    /// There was no answer in time.
    Lapsed,
    /// Somebody else got the slot.
    Superseded,
    /// The slot was withdrawn.
    Withdrawn,
}

/// Where staff put an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Where to.
    pub to: RankTo,
    /// Why.
    pub reason: OverrideReason,
    /// When.
    pub at: Timestamp,
}

/// Changes of rank by staff that an entry tells apart; the later ones are counted with the last of
/// them, so that its document stays small.
pub const OVERRIDES_MAX: usize = 8;

/// The state of an entry's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands.
    pub status: EntryStatus,
    /// What is known of it; absent only while [`EntryStatus::Absent`].
    pub facts: Option<EntryFacts>,
    /// What the person can take, and who answers for them.
    pub wishes: Wishes,
    /// Where staff put it, if they did.
    pub overridden: Option<Override>,
    /// Offers that ran out without an answer since it joined or was resumed.
    pub skips: u32,
    /// The latest offer that ended without a booking.
    pub last_offer: Option<(OfferId, OfferEnd)>,
    /// The booking that was given up for this entry's.
    pub gave_up: Option<Booking>,
    /// When it was booked, or left.
    pub ended_at: Option<Timestamp>,
    /// How often staff changed its rank, for the figures; at most [`OVERRIDES_MAX`].
    pub overrides: Vec<OverrideTally>,
}

impl Entry {
    /// Who is told and answers: the person, or who does so in the person's stead.
    #[must_use]
    pub fn answered_by(&self) -> Option<&RecipientId> {
        let own = self.facts.as_ref().map(|facts| &facts.recipient_id);
        self.wishes.proxy_id.as_ref().or(own)
    }

    /// The slot of the offer that was made last and not answered yet.
    #[must_use]
    pub const fn offered_slot(&self) -> Option<&SlotId> {
        match &self.status {
            EntryStatus::Offered(offer) => Some(&offer.slot_id),
            _ => None,
        }
    }

    /// How pressing it is: as staff decided, or as it joined.
    #[must_use]
    pub fn urgency(&self) -> Option<Urgency> {
        let decided = self.overridden.and_then(|overridden| match overridden.to {
            RankTo::Urgent => Some(Urgency::Urgent),
            RankTo::Soon => Some(Urgency::Soon),
            RankTo::Routine => Some(Urgency::Routine),
            RankTo::Front | RankTo::Own => None,
        });
        decided.or_else(|| self.facts.as_ref().map(|facts| facts.urgency))
    }

    /// What its rank depends on; `None` if it never joined.
    #[must_use]
    pub fn candidate(&self) -> Option<Candidate> {
        let facts = self.facts.as_ref()?;
        Some(Candidate {
            entry_id: facts.entry_id.clone(),
            urgency: self.urgency()?,
            joined_at: facts.joined_at,
            overridden_at: self
                .overridden
                .filter(|overridden| overridden.to == RankTo::Front)
                .map(|overridden| overridden.at),
        })
    }

    /// The slot that the person gives up for a sooner one; read it before an acceptance.
    #[must_use]
    pub fn swaps(&self) -> Option<&SlotId> {
        let own = self.wishes.preferences.own_booking.as_ref()?;
        own.slot_id.as_ref().filter(|_| own.swap)
    }

    /// When the booking starts that an acceptance gives up, as the person said.
    #[must_use]
    pub fn gives_up_starts_at(&self) -> Option<Timestamp> {
        let own = self.wishes.preferences.own_booking.as_ref();
        own.filter(|_| self.swaps().is_some())
            .map(|own| own.starts_at)
    }

    /// Whether it is booked, and a booking that should have been given up for it was not.
    #[must_use]
    pub fn swap_failed(&self) -> bool {
        let booked = matches!(self.status, EntryStatus::Booked(_));
        booked && self.swaps().is_some() && self.gave_up.is_none()
    }

    fn ended(&mut self, offer_id: &OfferId, end: OfferEnd) {
        self.status = EntryStatus::Waiting;
        self.last_offer = Some((offer_id.clone(), end));
    }

    fn count_override(&mut self, reason: OverrideReason, at: Timestamp) {
        let full = self.overrides.len() >= OVERRIDES_MAX;
        match self.overrides.last_mut() {
            Some(last) if full => last.count += 1,
            _ => self.overrides.push(OverrideTally {
                at,
                reason,
                count: 1,
            }),
        }
    }
}

impl Fold for Entry {
    type Event = EntryEvent;
    const VERSION: u32 = 4;

    fn evolve(mut self, event: &EntryEvent, at: Timestamp) -> Self {
        match event {
            EntryEvent::EntryJoined(event) => {
                self.status = EntryStatus::Waiting;
                self.facts = Some(joined(event, at));
                self.wishes = Wishes::from(event);
            }
            EntryEvent::OfferMade(event) => self.status = EntryStatus::Offered(offered(event)),
            EntryEvent::OfferAccepted(event) => {
                let former = event.swapped.clone().zip(event.swapped_starts_at);
                self.gave_up = former.map(|(slot_id, starts_at)| Booking { slot_id, starts_at });
                self.ended_at = Some(at);
                self.status = EntryStatus::Booked(match self.status {
                    EntryStatus::Offered(offer) if offer.offer_id == event.offer_id => offer,
                    _ => booked(event, at),
                });
            }
            EntryEvent::BookingGivenUp(event) => {
                let instead = Booking {
                    slot_id: event.instead.clone(),
                    starts_at: event.instead_starts_at,
                };
                if let EntryStatus::Booked(booking) = self.status {
                    self.status = EntryStatus::GivenUp { booking, instead };
                }
            }
            EntryEvent::OfferDeclined(event) => self.ended(&event.offer_id, OfferEnd::Declined),
            EntryEvent::OfferLapsed(event) => {
                self.ended(&event.offer_id, OfferEnd::Lapsed);
                self.skips += 1;
            }
            EntryEvent::OfferSuperseded(event) => self.ended(&event.offer_id, OfferEnd::Superseded),
            EntryEvent::OfferWithdrawn(event) => self.ended(&event.offer_id, OfferEnd::Withdrawn),
            EntryEvent::PreferencesChanged(event) => self.wishes = Wishes::from(event),
            EntryEvent::EntryPaused(event) => self.status = EntryStatus::Paused(event.reason),
            EntryEvent::EntryResumed(_) => {
                self.status = EntryStatus::Waiting;
                self.skips = 0;
            }
            EntryEvent::RankOverridden(event) => {
                self.overridden = (event.to != RankTo::Own).then_some(Override {
                    to: event.to,
                    reason: event.reason,
                    at,
                });
                self.count_override(event.reason, at);
            }
            EntryEvent::EntryLeft(_) => {
                self.ended_at = Some(at);
                self.status = EntryStatus::Left;
            }
        }
        self
    }
}

fn joined(event: &EntryJoined, at: Timestamp) -> EntryFacts {
    EntryFacts {
        waitlist_id: event.waitlist_id.clone(),
        entry_id: event.entry_id.clone(),
        recipient_id: event.recipient_id.clone(),
        service: event.service.clone(),
        urgency: event.urgency,
        joined_at: at,
        wishes: Wishes::from(event).digest(),
    }
}

fn offered(event: &OfferMade) -> EntryOffer {
    EntryOffer {
        offer_id: event.offer_id.clone(),
        slot_id: event.slot_id.clone(),
        slot_version: event.slot_version,
        service: event.service.clone(),
        starts_at: event.starts_at,
        ends_at: event.ends_at,
        zone: event.zone.clone(),
        expires_at: event.expires_at,
        skip_limit: event.skip_limit,
    }
}

/// What was accepted without an offer before: a broadcast slot, or one taken automatically.
fn booked(event: &OfferAccepted, at: Timestamp) -> EntryOffer {
    EntryOffer {
        offer_id: event.offer_id.clone(),
        slot_id: event.slot_id.clone(),
        slot_version: event.slot_version.unwrap_or_default(),
        service: event.service.clone(),
        starts_at: event.starts_at,
        ends_at: event.ends_at,
        zone: event.zone.clone(),
        expires_at: at,
        skip_limit: None,
    }
}

/// How a commit after which the entry is this one is handed on: in the group of its waitlist.
#[must_use]
pub fn handling(entry: &Entry) -> Handling {
    let waitlist = entry.facts.as_ref().map(|facts| &facts.waitlist_id);
    Handling {
        group: waitlist.map(ToString::to_string),
        due: None,
    }
}

/// Whether the offer's time is over for good: an offer blocks its entry until the grace after its
/// deadline has passed, as the hold does, because a yes that was received in time may still be on
/// its way to the journal (I3).
fn has_lapsed(offer: &EntryOffer, timing: &super::Timing, now: Timestamp) -> bool {
    now >= offer.expires_at.plus(timing.hold_grace)
}
