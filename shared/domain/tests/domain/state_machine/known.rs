//! What the test knows of slots and entries by itself, without the code under test.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use callboard_contracts::waitlist::{
    CalendarWord, EntryEvent, HoldEnd, RankTo, SlotEvent, Urgency,
};
use callboard_contracts::{EntryId, OfferId, Timestamp};
use callboard_domain::waitlist::SlotFacts;
use callboard_domain::waitlist::entry::Wishes;

use super::clinic::{SKIP_LIMIT, entry_at};
use crate::given::seconds;

/// How long an offer blocks after its deadline.
const GRACE: u64 = 5;

/// An offer, as the slots' events tell of it.
#[derive(Debug, Clone)]
pub struct Made {
    pub slot: usize,
    pub version: u32,
    pub entry: usize,
    pub expires_at: Timestamp,
    pub ended: bool,
    pub accepted: bool,
}

/// An entry, as its events tell of it.
#[derive(Debug, Clone, Default)]
pub struct Person {
    pub joined_at: Option<Timestamp>,
    pub urgency: Option<Urgency>,
    pub moved_to: Option<(RankTo, Timestamp)>,
    pub wishes: Wishes,
    pub paused: bool,
    pub gone: bool,
    /// The offer it has and its deadline, as far as it knows.
    pub offer: Option<(OfferId, Timestamp)>,
    pub skips: u32,
}

#[derive(Debug, Default)]
pub struct Known {
    pub offers: BTreeMap<OfferId, Made>,
    pub booked: BTreeSet<(usize, u32)>,
    pub people: Vec<Person>,
    pub versions: BTreeMap<usize, u32>,
    /// What the calendar said last of each slot.
    pub calendar: BTreeMap<usize, Heard>,
}

/// A word of the calendar, and the version that it was heard of.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    pub revision: u64,
    pub word: CalendarWord,
    pub version: u32,
}

impl Person {
    /// Sorts by rank, the first to be asked first; written down once more, from the rule's words.
    fn rank(&self, now: Timestamp) -> impl Ord {
        let joined = self.joined_at.expect("joined");
        let weight = match (self.moved_to, self.urgency) {
            (Some((RankTo::Urgent, _)), _) | (_, Some(Urgency::Urgent)) => 9,
            (_, Some(Urgency::Soon)) => 3,
            _ => 1,
        };
        let front = match self.moved_to {
            Some((RankTo::Front, at)) => (0, at),
            _ => (1, Timestamp::from_millis(0)),
        };
        let score = weight * now.since(joined).as_millis();
        let score = if front.0 == 0 { 0 } else { score };
        (front, Reverse(score), joined)
    }

    fn is_free(&self, now: Timestamp) -> bool {
        let answerable = self.offer.as_ref().is_none_or(|(_, end)| {
            now >= end.plus(seconds(GRACE)) && self.skips + 1 < u32::from(SKIP_LIMIT)
        });
        self.joined_at.is_some() && !self.paused && !self.gone && answerable
    }

    /// Only what `Clinic::wishes` can wish.
    fn can_take(&self, slot: &SlotFacts) -> bool {
        let wants = &self.wishes.preferences;
        let place = wants.locations.is_empty() || slot.location.as_ref() == wants.locations.first();
        let own = wants.own_booking.as_ref();
        place
            && wants.minutes.is_none()
            && own.is_none_or(|own| {
                slot.ends_at <= own.starts_at && slot.swap_depth < slot.terms.rules.swap_depth
            })
    }
}

impl Known {
    pub fn of(people: usize) -> Self {
        Self {
            people: vec![Person::default(); people],
            ..Self::default()
        }
    }

    /// Everybody who ever joined, by rank.
    pub fn ranked(&self, now: Timestamp) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.people.len())
            .filter(|at| self.people[*at].joined_at.is_some())
            .collect();
        all.sort_by_key(|at| (self.people[*at].rank(now), *at));
        all
    }

    /// Whether the entry may be offered this version of the slot.
    pub fn may_be_offered(
        &self,
        entry: usize,
        slot: usize,
        facts: &SlotFacts,
        now: Timestamp,
    ) -> bool {
        let before = self
            .offers
            .values()
            .any(|made| (made.slot, made.version, made.entry) == (slot, facts.version, entry));
        let person = &self.people[entry];
        person.is_free(now) && person.can_take(facts) && !before
    }

    /// Keeps book of a slot's event, and checks what a single event may not do.
    pub fn note_slot(&mut self, slot: usize, event: &SlotEvent, now: Timestamp) {
        match event {
            SlotEvent::SlotHeld(it) => {
                let held = [(it.entry_id.clone(), it.offer_id.clone())];
                self.held(slot, it.slot_version, &held, it.expires_at, now);
            }
            SlotEvent::BatchHeld(it) => {
                let slot_id = it.slot_id.as_str();
                let version = it.slot_version.to_string();
                let offer =
                    |id: &EntryId| OfferId::derived(&["offer", slot_id, &version, id.as_str()]);
                let held: Vec<_> = it
                    .entry_ids
                    .iter()
                    .map(|id| (id.clone(), offer(id)))
                    .collect();
                self.held(slot, it.slot_version, &held, it.expires_at, now);
            }
            SlotEvent::OfferEnded(it) => self.end(&it.offer_id),
            SlotEvent::HoldReleased(it) => {
                if it.reason == HoldEnd::Expired {
                    let end = self.offers[&it.offer_id].expires_at;
                    assert!(now >= end.plus(seconds(GRACE)), "expired before its grace");
                }
                self.end(&it.offer_id);
            }
            SlotEvent::BatchReleased(it) => {
                let ended = self.end_all(slot, it.slot_version);
                assert_eq!(ended.len(), it.offers as usize);
                for made in ended {
                    assert!(
                        now >= made.expires_at.plus(seconds(GRACE)),
                        "expired before its grace"
                    );
                }
            }
            SlotEvent::SlotFilled(it) => {
                self.book(slot, it.slot_version);
                self.end_all(slot, it.slot_version);
                if let Some(made) = self.offers.get_mut(&it.offer_id) {
                    made.accepted = true;
                }
            }
            SlotEvent::SlotBooked(it) => {
                self.book(slot, it.slot_version);
                self.end_all(slot, it.slot_version);
            }
            SlotEvent::SlotWithdrawn(it) => {
                self.end_all(slot, it.slot_version);
            }
            SlotEvent::CalendarTold(it) => {
                let (revision, word) = (it.revision, it.word);
                let version = self.versions.get(&slot).copied().unwrap_or(0);
                let last = Heard {
                    revision,
                    word,
                    version,
                };
                self.calendar.insert(slot, last);
            }
            SlotEvent::SlotReleased(it) => {
                self.versions.insert(slot, it.slot_version);
            }
            SlotEvent::SlotBroadcast(_)
            | SlotEvent::CandidatesPassedOver(_)
            | SlotEvent::EndedOffersTold(_)
            | SlotEvent::CandidateNotFound(_)
            | SlotEvent::SlotOpenedToPublic(_) => {}
        }
    }

    fn held(
        &mut self,
        slot: usize,
        version: u32,
        held: &[(EntryId, OfferId)],
        expires_at: Timestamp,
        now: Timestamp,
    ) {
        let live = self
            .offers
            .values()
            .any(|made| made.slot == slot && !made.ended);
        assert!(!live, "I1: a second hold of the slot");
        for (entry_id, offer_id) in held {
            let entry = entry_at(entry_id);
            let elsewhere = self.offers.values().any(|made| {
                made.entry == entry && !made.ended && now < made.expires_at.plus(seconds(GRACE))
            });
            assert!(!elsewhere, "I2: a second live offer of the entry");
            let made = Made {
                slot,
                version,
                entry,
                expires_at,
                ended: false,
                accepted: false,
            };
            let twice = self.offers.insert(offer_id.clone(), made);
            assert!(twice.is_none(), "I2: the same version was offered twice");
        }
    }

    fn book(&mut self, slot: usize, version: u32) {
        assert!(
            self.booked.insert((slot, version)),
            "I1: the version was booked twice"
        );
    }

    fn end(&mut self, offer_id: &OfferId) {
        let made = self
            .offers
            .get_mut(offer_id)
            .expect("an offer that was made");
        assert!(!made.ended, "an offer ended twice");
        made.ended = true;
    }

    fn end_all(&mut self, slot: usize, version: u32) -> Vec<Made> {
        let of_it = |made: &&mut Made| (made.slot, made.version) == (slot, version) && !made.ended;
        let mut ended = Vec::new();
        for made in self.offers.values_mut().filter(of_it) {
            made.ended = true;
            ended.push(made.clone());
        }
        ended
    }

    /// Keeps book of an entry's event, and checks what a single event may not do.
    pub fn note_entry(&mut self, entry: usize, event: &EntryEvent, at: Timestamp) {
        let person = &mut self.people[entry];
        match event {
            EntryEvent::EntryJoined(it) => {
                person.joined_at = Some(at);
                person.urgency = Some(it.urgency);
                person.wishes = Wishes::from(it);
            }
            EntryEvent::OfferMade(it) => {
                assert!(person.offer.is_none(), "I2: offered twice at the same time");
                assert!(
                    person.skips < u32::from(SKIP_LIMIT),
                    "not paused at the limit"
                );
                person.offer = Some((it.offer_id.clone(), it.expires_at));
            }
            EntryEvent::OfferAccepted(_) => {
                person.offer = None;
                person.gone = true;
            }
            EntryEvent::BookingGivenUp(_) => {
                assert!(person.gone, "gave up what it never had");
            }
            EntryEvent::OfferLapsed(_) => {
                person.offer = None;
                person.skips += 1;
            }
            EntryEvent::OfferDeclined(_)
            | EntryEvent::OfferSuperseded(_)
            | EntryEvent::OfferWithdrawn(_) => person.offer = None,
            EntryEvent::PreferencesChanged(it) => person.wishes = Wishes::from(it),
            EntryEvent::EntryPaused(_) => person.paused = true,
            EntryEvent::EntryResumed(_) => {
                person.paused = false;
                person.skips = 0;
            }
            EntryEvent::RankOverridden(it) => {
                person.moved_to = (it.to != RankTo::Own).then_some((it.to, at));
            }
            EntryEvent::EntryLeft(_) => person.gone = true,
        }
    }
}
