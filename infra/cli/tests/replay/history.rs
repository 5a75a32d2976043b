//! Random histories of slots and entries, the same for the same seed, as commits made by the
//! journal's own builder: several events in some, snapshots where they are due.

use std::collections::BTreeSet;
use std::time::Duration;

use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::stream::Unfolded;
use callboard_contracts::waitlist::*;
use callboard_contracts::{Cause, Fold, StreamId, Timestamp};
use callboard_domain::waitlist::entry::EntryStatus;
use callboard_domain::waitlist::slot::SlotStatus;
use callboard_domain::waitlist::{Entry, Slot};
use callboard_runtime::journal::{Commit, Loaded, TRANSACTION_ITEMS_MAX};
use serde_json::json;

/// Long before any test runs.
const START: &str = "2025-03-03T09:00:00.000Z";

/// One commit in so many is of a stream that no view is of.
const NOISE: usize = 8;

/// A history, and how it may go on.
pub(crate) struct History {
    random: fastrand::Rng,
    now: Timestamp,
    slots: Vec<Loaded<Slot>>,
    entries: Vec<Loaded<Entry>>,
    others: usize,
    /// All of it, in the order in which it happened.
    pub(crate) commits: Vec<Commit>,
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: String) -> T {
    text.parse().expect("an id")
}

impl History {
    /// A beginning with `streams` streams, of which nothing has happened.
    pub(crate) fn new(seed: u64, streams: usize) -> Self {
        let slots = (0..streams / 2).map(|at| StreamId::slot(&id(format!("s-{at}"))));
        let entries = (0..streams / 2).map(|at| StreamId::entry(&id(format!("e-{at}"))));
        Self {
            random: fastrand::Rng::with_seed(seed),
            now: START.parse().expect("a time"),
            slots: slots.map(Loaded::fresh).collect(),
            entries: entries.map(Loaded::fresh).collect(),
            others: 0,
            commits: Vec::new(),
        }
    }

    /// `count` commits more, in transactions.
    pub(crate) fn more(&mut self, count: usize) -> Vec<Vec<Commit>> {
        let mut transactions = vec![];
        let mut left = count;
        while left > 0 {
            let mut taken = BTreeSet::new();
            let mut transaction = Vec::new();
            // Few enough for the busiest stream to have a part in most.
            let most = TRANSACTION_ITEMS_MAX.min(self.slots.len() / 8).max(1);
            let many = left.min(most);
            while transaction.len() < many {
                self.now = self
                    .now
                    .plus(Duration::from_millis(self.random.u64(0..2_000)));
                transaction.extend(self.one(&mut taken));
            }
            left -= many;
            self.commits.extend(transaction.iter().cloned());
            transactions.push(transaction);
        }
        transactions
    }

    /// The moment between the first and the second half of what happened.
    pub(crate) fn middle(&self) -> Timestamp {
        self.commits[self.commits.len() / 2].record().at
    }

    /// The streams that views are made of.
    pub(crate) fn streams(&self) -> BTreeSet<StreamId> {
        let streams = self.commits.iter().map(|commit| commit.stream().clone());
        streams.filter(|stream| stream.kind() != "event").collect()
    }

    fn one(&mut self, taken: &mut BTreeSet<StreamId>) -> Option<Commit> {
        if self.random.usize(..NOISE) == 0 {
            self.others += 1;
            let stream = StreamId::event("shop", &format!("evt-{}", self.others));
            let event = ForeignEvent {
                event_type: "com.example.orders.order-placed.v1".to_owned(),
                data: json!({ "orderId": "ord-1" }),
            };
            let other = Loaded::<Unfolded<ForeignEvent>>::fresh(stream);
            return Some(next(&other, self.now, [event]).1);
        }
        // A few streams have most of the commits, and so more than one snapshot.
        let skewed = self.random.f64().powi(3) * self.slots.len() as f64;
        let at = skewed as usize;
        let events = if self.random.u8(..6) == 0 { 2 } else { 1 };
        if self.random.bool() {
            let loaded = &self.slots[at];
            if !taken.insert(loaded.stream.clone()) {
                return None;
            }
            let mut state = loaded.state.clone();
            let mut made = Vec::new();
            for _ in 0..events {
                let event = slot_event(&mut self.random, at, &state, self.now);
                state = state.evolve(&event, self.now);
                made.push(event);
            }
            let (after, commit) = next(loaded, self.now, made);
            self.slots[at] = after;
            Some(commit)
        } else {
            let loaded = &self.entries[at];
            if !taken.insert(loaded.stream.clone()) {
                return None;
            }
            let mut state = loaded.state.clone();
            let mut made = Vec::new();
            for _ in 0..events {
                let event = entry_event(&mut self.random, at, &state, self.now);
                state = state.evolve(&event, self.now);
                made.push(event);
            }
            let (after, commit) = next(loaded, self.now, made);
            self.entries[at] = after;
            Some(commit)
        }
    }
}

fn next<S: Fold>(
    loaded: &Loaded<S>,
    now: Timestamp,
    events: impl IntoIterator<Item = S::Event>,
) -> (Loaded<S>, Commit) {
    let cause = Cause {
        causation_id: "test".to_owned(),
        correlation_id: "test".to_owned(),
        hash: "0".repeat(32),
        traceparent: None,
    };
    let commit = loaded.next(&cause, now).events(events);
    let commit = commit.build().expect("a commit");
    let after = loaded.clone().after(commit.record()).expect("the next one");
    (after, commit)
}

fn later(now: Timestamp, minutes: u64) -> Timestamp {
    now.plus(Duration::from_secs(minutes * 60))
}

fn service(random: &mut fastrand::Rng) -> String {
    ["physio", "massage"][random.usize(..2)].to_owned()
}

fn slot_event(random: &mut fastrand::Rng, at: usize, slot: &Slot, now: Timestamp) -> SlotEvent {
    let slot_id = id(format!("s-{at}"));
    let waitlist_id = id(format!("w-{}", at % 7));
    let slot_version = slot.version();
    let offer_id = || id(format!("o-{at}-{slot_version}-{}", slot.offered.len()));
    match (&slot.status, random.u8(..10)) {
        (SlotStatus::Open { .. }, 0..6) => SlotHeld {
            waitlist_id,
            slot_id,
            slot_version,
            offer_id: offer_id(),
            entry_id: id(format!("e-{}", random.usize(..500))),
            expires_at: later(now, 30),
            as_of: None,
            draw: None,
        }
        .into(),
        (SlotStatus::Open { .. }, 6..8) => CandidateNotFound {
            waitlist_id,
            slot_id,
            slot_version,
            look_again_at: later(now, 1),
        }
        .into(),
        (SlotStatus::Open { .. }, 8) => SlotOpenedToPublic {
            waitlist_id,
            slot_id,
            slot_version,
        }
        .into(),
        (SlotStatus::Held { offers, .. }, 0..7) => HoldReleased {
            waitlist_id,
            slot_id,
            slot_version,
            offer_id: offers[0].offer_id.clone(),
            reason: [HoldEnd::Declined, HoldEnd::Expired][random.usize(..2)],
        }
        .into(),
        (SlotStatus::Held { offers, .. }, 7..9) => SlotFilled {
            waitlist_id,
            slot_id,
            slot_version,
            offer_id: offers[0].offer_id.clone(),
            entry_id: offers[0].entry_id.clone(),
            recipient_id: None,
            auto: false,
            as_of: None,
        }
        .into(),
        (SlotStatus::Open { .. } | SlotStatus::Held { .. }, _) => SlotWithdrawn {
            waitlist_id,
            slot_id,
            slot_version,
        }
        .into(),
        _ => SlotReleased {
            waitlist_id,
            slot_id,
            slot_version: slot_version + 1,
            service: service(random),
            starts_at: later(now, 300),
            ends_at: later(now, 330),
            offer_window_seconds: 1_800,
            location: None,
            provider: None,
            zone: None,
            external_id: None,
            terms: None,
            swap_depth: 0,
        }
        .into(),
    }
}

fn entry_event(random: &mut fastrand::Rng, at: usize, entry: &Entry, now: Timestamp) -> EntryEvent {
    let entry_id = id(format!("e-{at}"));
    let waitlist_id = id(format!("w-{}", at % 7));
    let recipient_id = id(format!("usr-{at}"));
    match (&entry.status, random.u8(..10)) {
        (EntryStatus::Waiting, 0..9) => OfferMade {
            waitlist_id,
            entry_id,
            recipient_id,
            offer_id: id(format!("o-{}", random.u32(..))),
            slot_id: id(format!("s-{}", random.usize(..500))),
            slot_version: 1,
            service: "physio".to_owned(),
            starts_at: later(now, 300),
            ends_at: later(now, 330),
            expires_at: later(now, 30),
            zone: None,
            proxy_id: None,
            batch: None,
            skip_limit: None,
            score: None,
            gives_up_starts_at: None,
        }
        .into(),
        (EntryStatus::Offered(offer), 0..4) => OfferDeclined {
            waitlist_id,
            entry_id,
            offer_id: offer.offer_id.clone(),
            slot_id: offer.slot_id.clone(),
        }
        .into(),
        (EntryStatus::Offered(offer), 4..8) => OfferLapsed {
            waitlist_id,
            entry_id,
            offer_id: offer.offer_id.clone(),
        }
        .into(),
        (EntryStatus::Offered(offer), 8) => OfferAccepted {
            waitlist_id,
            entry_id,
            recipient_id,
            offer_id: offer.offer_id.clone(),
            slot_id: offer.slot_id.clone(),
            service: offer.service.clone(),
            starts_at: offer.starts_at,
            ends_at: offer.ends_at,
            zone: None,
            location: None,
            slot_version: None,
            proxy_id: None,
            auto: false,
            score: None,
            swapped: None,
            swapped_starts_at: None,
            swap_failed: false,
        }
        .into(),
        (EntryStatus::Waiting | EntryStatus::Offered(_), _) => EntryLeft {
            waitlist_id,
            entry_id,
        }
        .into(),
        _ => EntryJoined {
            waitlist_id,
            entry_id,
            recipient_id,
            service: service(random),
            urgency: Urgency::ALL[random.usize(..3)],
            preferences: Preferences::default(),
            auto_accept: false,
            proxy_id: None,
        }
        .into(),
    }
}
