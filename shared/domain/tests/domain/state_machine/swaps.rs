//! Bookings that are given up for sooner slots: whose they were, and what chains they make.

use std::collections::BTreeMap;

use callboard_contracts::waitlist::SlotEvent;
use callboard_contracts::{SlotId, Timestamp};
use callboard_domain::waitlist::cascade::Both;
use callboard_domain::waitlist::entry::{Entry, EntryStatus};
use callboard_domain::waitlist::{Former, Slot};

use super::clinic::{Clinic, entry_at, slot_at};
use crate::given::*;

/// By slot and version that became free by swaps: when the slots started that were taken in a row
/// until then. Kept by the test itself.
pub type Chains = BTreeMap<(usize, u32), Vec<Timestamp>>;

/// A booking that may be given up, as the journal has it.
pub struct Own {
    slot: usize,
    state: Slot,
    entry: Option<(usize, Entry)>,
}

impl Own {
    pub fn former(&self) -> Former<'_> {
        Former {
            slot: &self.state,
            entry: self.entry.as_ref().map(|(_, entry)| entry),
        }
    }
}

impl Clinic {
    pub fn own(&self, slot: Option<&SlotId>) -> Option<Own> {
        let slot = slot_at(slot?);
        let state = self.slots[slot].clone();
        let entry = state.booked_entry().map(entry_at);
        Some(Own {
            slot,
            entry: entry.map(|at| (at, self.entries[at].clone())),
            state,
        })
    }

    pub fn failed(&mut self, entry: &Entry, kept: bool) {
        if entry.swaps().is_some() && kept {
            self.seen.insert("a swap failed".to_owned());
        }
    }

    /// What was given up stands in the same transaction as what it was given up for.
    pub fn swapped(&mut self, taken: usize, own: Option<Own>, given_up: Option<Both>) {
        let (Some(own), Some(given_up)) = (own, given_up) else {
            return;
        };
        let [SlotEvent::SlotReleased(event)] = given_up.slot.as_slice() else {
            panic!("{given_up:?}");
        };
        let new = facts(&self.slots[taken]).clone();
        let old = facts(&self.slots[own.slot]);
        let theirs = self.slots[own.slot].booked_for();
        assert!(theirs.is_some());
        assert_eq!(
            self.slots[taken].booked_for(),
            theirs,
            "somebody else's booking"
        );
        assert_eq!(event.slot_version, old.version + 1);
        let before = self.chains.get(&(taken, new.version)).cloned();
        let mut chain = before.unwrap_or_default();
        chain.push(new.starts_at);
        let sooner = chain.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(
            sooner && new.starts_at < old.starts_at,
            "the chain goes back: {chain:?}"
        );
        assert_eq!(usize::from(event.swap_depth), chain.len());
        let cap = new.terms.rules.swap_depth;
        assert!(
            chain.len() <= usize::from(cap),
            "swapped too often in a row"
        );
        if chain.len() > 1 {
            self.seen.insert("swapped twice in a row".to_owned());
        }
        self.chains.insert((own.slot, event.slot_version), chain);
        self.seen.insert("swapped".to_owned());
        self.commit(own.slot, &given_up.slot);
        let booked = matches!(&own.entry, Some((_, entry)) if matches!(entry.status, EntryStatus::Booked(_)));
        assert_eq!(
            names(&given_up.entry).len(),
            usize::from(booked),
            "who is told: {given_up:?}"
        );
        if let Some((who, _)) = own.entry {
            self.commit_entry(who, &given_up.entry);
            assert!(
                matches!(&self.entries[who].status, EntryStatus::GivenUp { instead, .. }
                if instead.slot_id == new.slot_id)
            );
        }
    }
}
