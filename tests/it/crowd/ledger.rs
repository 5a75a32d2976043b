//! What a run's journal says happened, read without the code under test, and held against I1 to I5.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use callboard_contracts::waitlist::{EntryEvent, HoldEnd, SlotEvent, Urgency};
use callboard_contracts::{DomainEvent as _, EntryId, SlotId, Timestamp};
use callboard_domain::waitlist::statistics::{among_equals, jain};
use callboard_runtime::journal::Committed;

use super::people::Crowd;

/// The template's `HoldGraceSeconds`.
const GRACE: Duration = Duration::from_secs(5);

/// A hold, or several offers under one.
#[derive(Debug, Clone)]
struct Hold {
    slot: SlotId,
    version: u32,
    at: Timestamp,
    as_of: Timestamp,
    entries: Vec<EntryId>,
    expires_at: Timestamp,
}

/// How an entry stood from a moment on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stands {
    Free,
    Busy { until: Timestamp },
    Gone,
}

#[derive(Debug)]
struct Person {
    urgency: Urgency,
    joined_at: Timestamp,
    history: Vec<(Timestamp, Stands)>,
    first_offer: Option<Timestamp>,
    booked: Option<SlotId>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    commits: usize,
    holds: Vec<Hold>,
    /// Why somebody was not asked for a version of a slot.
    passed: BTreeSet<(SlotId, u32, EntryId)>,
    offered: BTreeSet<(SlotId, u32, EntryId)>,
    filled: BTreeMap<SlotId, EntryId>,
    public: BTreeSet<SlotId>,
    lapses: usize,
    declines: usize,
    people: BTreeMap<EntryId, Person>,
}

impl Ledger {
    /// Reads the journal, in order of each stream; every event is held against I1 to I3, every hold
    /// against I4.
    pub fn of(journal: &[Committed]) -> Self {
        let mut streams: BTreeMap<&str, Vec<&Committed>> = BTreeMap::new();
        for commit in journal {
            streams
                .entry(commit.stream.as_str())
                .or_default()
                .push(commit);
        }
        let mut ledger = Self {
            commits: journal.len(),
            ..Self::default()
        };
        for (stream, mut commits) in streams {
            commits.sort_by_key(|commit| commit.number);
            match stream.split_once('#') {
                Some(("slot", id)) => ledger.slot(&SlotId::parse(id).expect("an id"), &commits),
                Some(("entry", id)) => ledger.entry(&EntryId::parse(id).expect("an id"), &commits),
                _ => {}
            }
        }
        ledger.nobody_is_passed_over_without_a_reason();
        ledger
    }

    fn slot(&mut self, slot: &SlotId, commits: &[&Committed]) {
        let mut live: Option<Hold> = None;
        let mut version = 0;
        for commit in commits {
            for event in &commit.events {
                let event = SlotEvent::decode(&event.event_type, event.data.clone());
                match event.expect("a slot's event") {
                    SlotEvent::SlotReleased(it) => version = it.slot_version,
                    SlotEvent::CandidatesPassedOver(it) => {
                        let passed = it.passed.into_values().flatten();
                        let passed = passed.map(|entry| (slot.clone(), version, entry));
                        self.passed.extend(passed);
                    }
                    SlotEvent::SlotHeld(it) => {
                        let offers = (vec![it.entry_id], it.expires_at, it.as_of);
                        self.hold(slot, version, commit.at, offers, &mut live);
                    }
                    SlotEvent::BatchHeld(it) => {
                        let offers = (it.entry_ids, it.expires_at, it.as_of);
                        self.hold(slot, version, commit.at, offers, &mut live);
                    }
                    SlotEvent::HoldReleased(it) => {
                        let hold = live.take().expect("a hold that ends was there");
                        let ran_out = commit.at >= hold.expires_at.plus(GRACE);
                        assert!(
                            it.reason == HoldEnd::Declined || ran_out,
                            "I3: {slot} ended early"
                        );
                        self.lapses += usize::from(it.reason == HoldEnd::Expired);
                        self.declines += usize::from(it.reason == HoldEnd::Declined);
                    }
                    SlotEvent::BatchReleased(it) => {
                        let hold = live.take().expect("a hold that ends was there");
                        assert!(
                            commit.at >= hold.expires_at.plus(GRACE),
                            "I3: {slot} ended early"
                        );
                        self.lapses += it.offers as usize;
                    }
                    SlotEvent::OfferEnded(_) => self.declines += 1,
                    SlotEvent::SlotFilled(it) => {
                        let hold = live.take().expect("an accepted offer was held");
                        assert!(
                            hold.entries.contains(&it.entry_id),
                            "I1: {slot} went elsewhere"
                        );
                        let before = self.filled.insert(slot.clone(), it.entry_id);
                        assert_eq!(before, None, "I1: {slot} was booked twice");
                    }
                    SlotEvent::SlotOpenedToPublic(_) => {
                        assert!(live.is_none(), "I1: {slot} was held");
                        self.public.insert(slot.clone());
                    }
                    SlotEvent::CandidateNotFound(_) | SlotEvent::EndedOffersTold(_) => {}
                    other => panic!("nobody asked for this: {other:?}"),
                }
            }
        }
        assert!(live.is_none(), "I5: {slot} is still held");
    }

    fn hold(
        &mut self,
        slot: &SlotId,
        version: u32,
        at: Timestamp,
        (entries, expires_at, as_of): (Vec<EntryId>, Timestamp, Option<Timestamp>),
        live: &mut Option<Hold>,
    ) {
        assert!(live.is_none(), "I1: a second hold of {slot}");
        for entry in &entries {
            let offered = (slot.clone(), version, entry.clone());
            assert!(
                self.offered.insert(offered),
                "I2: {entry} was offered {slot} twice"
            );
        }
        let hold = Hold {
            slot: slot.clone(),
            version,
            at,
            as_of: as_of.unwrap_or(at),
            entries,
            expires_at,
        };
        self.holds.push(hold.clone());
        *live = Some(hold);
    }

    fn entry(&mut self, id: &EntryId, commits: &[&Committed]) {
        let mut person: Option<Person> = None;
        for commit in commits {
            let at = commit.at;
            for event in &commit.events {
                let event = EntryEvent::decode(&event.event_type, event.data.clone());
                let event = event.expect("an entry's event");
                if let EntryEvent::EntryJoined(it) = &event {
                    person = Some(Person {
                        urgency: it.urgency,
                        joined_at: at,
                        history: vec![(at, Stands::Free)],
                        first_offer: None,
                        booked: None,
                    });
                    continue;
                }
                let person = person.as_mut().expect("joined first");
                let stands = match event {
                    EntryEvent::OfferMade(it) => {
                        assert!(person.is_free_at(at), "I2: a second live offer of {id}");
                        person.first_offer.get_or_insert(at);
                        Stands::Busy {
                            until: it.expires_at.plus(GRACE),
                        }
                    }
                    EntryEvent::OfferAccepted(it) => {
                        person.booked = Some(it.slot_id);
                        Stands::Gone
                    }
                    EntryEvent::EntryPaused(_) | EntryEvent::EntryLeft(_) => Stands::Gone,
                    _ => Stands::Free,
                };
                person.history.push((at, stands));
            }
        }
        self.people
            .insert(id.clone(), person.expect("an entry joined"));
    }

    /// I4: whoever was free from the view's `as_of` to the hold, and ranks higher than somebody who
    /// was asked, was asked before, or has a recorded reason.
    fn nobody_is_passed_over_without_a_reason(&self) {
        for hold in &self.holds {
            let rank = |id: &EntryId| (self.people[id].rank(hold.at), id.clone());
            let last = hold
                .entries
                .iter()
                .map(rank)
                .max()
                .expect("somebody is asked");
            let before = self.people.keys().filter(|id| rank(id) < last);
            for id in before.filter(|id| self.people[*id].is_free_throughout(hold.as_of, hold.at)) {
                let place = (hold.slot.clone(), hold.version, id.clone());
                assert!(
                    self.offered.contains(&place) || self.passed.contains(&place),
                    "I4: {id} was passed over without a reason by {hold:?}"
                );
            }
        }
    }

    /// I5.
    pub fn every_slot_ended(&self, slots: &[String]) {
        let ended = self.filled.len() + self.public.len();
        assert_eq!(ended, slots.len(), "{self}");
    }

    /// What people were told is what happened.
    pub fn agrees_with(&self, crowd: &Crowd) {
        assert_eq!(self.filled.len(), crowd.accepted, "{crowd}\n{self}");
        assert_eq!(self.declines, crowd.declined, "{crowd}\n{self}");
        for (slot, id) in &self.filled {
            assert_eq!(self.people[id].booked.as_ref(), Some(slot), "{id}");
        }
        let booked = self
            .people
            .values()
            .filter(|person| person.booked.is_some());
        assert_eq!(booked.count(), self.filled.len());
    }

    /// Jain's index, `(Σx)² / (n Σx²)`, of the waiting until the first offer among those of one
    /// urgency who joined in the same minute and got one: of each such group, weighted by its size;
    /// with how many people they are.
    fn jain(&self) -> (usize, f64) {
        let mut groups: BTreeMap<(Urgency, i64), Vec<f64>> = BTreeMap::new();
        for person in self.people.values() {
            if let Some(offered) = person.first_offer {
                let minute = person.joined_at.as_millis() / 60_000;
                let wait = offered.since(person.joined_at).as_secs_f64();
                groups
                    .entry((person.urgency, minute))
                    .or_default()
                    .push(wait);
            }
        }
        groups.retain(|_, waits| waits.len() > 1);
        let people = groups.values().map(Vec::len).sum();
        let index = among_equals(groups.values().map(Vec::as_slice), jain);
        (people, index.expect("somebody has an equal"))
    }
}

impl Person {
    /// Sorts by rank, the first to be asked first; the rule written down once more. A millisecond of
    /// waiting counts nine, three or one.
    fn rank(&self, now: Timestamp) -> impl Ord + use<> {
        let weight = match self.urgency {
            Urgency::Urgent => 9,
            Urgency::Soon => 3,
            Urgency::Routine => 1,
        };
        let score = weight * now.since(self.joined_at).as_millis();
        (Reverse(score), self.joined_at)
    }

    fn is_free_at(&self, at: Timestamp) -> bool {
        let before = self.history.iter().rev().find(|(since, _)| *since <= at);
        match before {
            Some((_, Stands::Free)) => true,
            Some((_, Stands::Busy { until })) => at >= *until,
            Some((_, Stands::Gone)) | None => false,
        }
    }

    fn is_free_throughout(&self, from: Timestamp, to: Timestamp) -> bool {
        let changed = self.history.iter().any(|(at, _)| from <= *at && *at <= to);
        !changed && self.is_free_at(from)
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offers = self.offered.len();
        writeln!(
            f,
            "{} commits; {} holds, {offers} offers ({} declined, {} lapsed), {} filled, {} opened to the public",
            self.commits,
            self.holds.len(),
            self.declines,
            self.lapses,
            self.filled.len(),
            self.public.len(),
        )?;
        let (equals, jain) = self.jain();
        write!(
            f,
            "I1 to I5 hold; 0 passed over without a reason, {} with one; Jain of waiting among \
             {equals} equals: {jain:.3}",
            self.passed.len()
        )
    }
}
