//! Whom a broadcast slot is told to: by rank, page by page, each person once, and not more than
//! the policy wants.
//!
//! Telling claims nobody: the slot's own stream says who has it. So a broadcast's pages stand in a
//! stream of their own, which is read and written without getting in the way of an acceptance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callboard_contracts::waitlist::{
    AudienceSearched, BroadcastAnnounced, BroadcastEvent, Cursor, Invited,
};
use callboard_contracts::{EntryId, Fold, Handling, RecipientId, Timestamp, WaitlistId};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::slot::{CASCADE, Look, Slot, SlotFacts, SlotStatus};

/// Told of a broadcast unless the policy says otherwise. Where one in ten says yes (8 to 11 % of
/// the offers of Epic's Fast Pass, as published), of 50 some five do, and four of them are too late.
pub const AUDIENCE: u8 = 50;

/// Most who are told: beyond it most of them hear of a slot that is gone.
pub const AUDIENCE_MAX: u8 = 200;

/// Told by one commit: some 80 bytes each make two write units of it, and one message leads to so
/// many notifications.
pub const PAGE: usize = 16;

/// After this the sweep looks after a page that was not followed by another: as long as an
/// invocation may take, so that it does not call where one is still at work.
pub const GOES_ON_AFTER: Duration = Duration::from_secs(30);

/// The state of a broadcast's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audience {
    /// The waitlist.
    pub waitlist_id: Option<WaitlistId>,
    /// When somebody was last looked for.
    pub searched_at: Option<Timestamp>,
    /// Who was told.
    pub invited: BTreeMap<EntryId, RecipientId>,
    /// How far the waitlist was looked through, class by class.
    pub cursors: Vec<Cursor>,
    /// Nobody else is looked for.
    pub done: bool,
}

impl Fold for Audience {
    type Event = BroadcastEvent;
    const VERSION: u32 = 1;

    fn evolve(mut self, event: &BroadcastEvent, at: Timestamp) -> Self {
        match event {
            BroadcastEvent::BroadcastAnnounced(event) => {
                self.waitlist_id = Some(event.waitlist_id.clone());
                let invited = event.invited.iter().cloned();
                self.invited
                    .extend(invited.map(|one| (one.entry_id, one.recipient_id)));
            }
            BroadcastEvent::AudienceSearched(event) => {
                self.cursors.clone_from(&event.cursors);
                self.done = event.done;
                self.searched_at = Some(at);
            }
        }
        self
    }
}

/// What comes next for a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nobody else is looked for.
    Nothing,
    /// The slot is not to be had any more: record that with [`stop`].
    Stop,
    /// Look for the next ones, and tell them with [`announce`].
    Tell {
        /// At most so many.
        want: usize,
    },
}

/// What comes next for the broadcast of the slot's version `version`, whose stream says
/// `audience`.
#[must_use]
pub fn next(slot: &Slot, version: u32, audience: &Audience, now: Timestamp) -> Next {
    if audience.done {
        return Next::Nothing;
    }
    match &slot.facts {
        Some(facts) if facts.version == version && is_open(slot, now) => Next::Tell {
            want: room(facts, audience).min(PAGE),
        },
        _ => Next::Stop,
    }
}

/// How many of those who come later may still be told; none if the slot is not to be had.
#[must_use]
pub fn room_for_others(slot: &Slot, audience: &Audience, now: Timestamp) -> usize {
    match &slot.facts {
        Some(facts) if is_open(slot, now) => room(facts, audience),
        _ => 0,
    }
}

/// The slot as the search for the next page sees it: it goes on where the last one ended, and
/// those who were told are not asked again.
#[must_use]
pub fn to_search(slot: &Slot, audience: &Audience) -> Slot {
    let mut slot = slot.clone();
    slot.cursors.clone_from(&audience.cursors);
    slot.offered.extend(audience.invited.keys().cloned());
    slot
}

/// One page of a search.
#[derive(Debug)]
pub struct Page<'a> {
    /// Whom the slot suits, by rank.
    pub found: Vec<&'a Entry>,
    /// What else the search saw.
    pub look: Look,
    /// Nobody is waiting behind them.
    pub is_last: bool,
}

/// Tells those who were found, a person with two entries once. `slot` is broadcast.
#[must_use]
pub fn announce(slot: &Slot, audience: &Audience, page: Page<'_>) -> Vec<BroadcastEvent> {
    let (Some(facts), SlotStatus::Broadcast { ends_at }) = (&slot.facts, &slot.status) else {
        return stop(audience);
    };
    let mut told: BTreeSet<&RecipientId> = audience.invited.values().collect();
    let found = page.found.into_iter().filter_map(|entry| {
        let known = entry.facts.as_ref()?;
        let is_new = !audience.invited.contains_key(&known.entry_id);
        (is_new && told.insert(&known.recipient_id)).then(|| Invited {
            entry_id: known.entry_id.clone(),
            recipient_id: known.recipient_id.clone(),
            proxy_id: entry.wishes.proxy_id.clone(),
        })
    });
    let invited: Vec<_> = found.take(room(facts, audience)).collect();
    let is_full = audience.invited.len() + invited.len() >= facts.audience_max();
    let mut events = Vec::new();
    if !invited.is_empty() {
        events.push(announced(facts, *ends_at, invited).into());
    }
    // Whoever comes later is told without another search.
    if !audience.done {
        let searched = AudienceSearched {
            passed: page.look.by_reason(),
            cursors: page.look.cursors,
            as_of: page.look.as_of,
            done: page.is_last || is_full,
        };
        events.push(searched.into());
    }
    events
}

/// Records that nobody else is told, for the slot is not to be had any more. No event follows if
/// that is known.
#[must_use]
pub fn stop(audience: &Audience) -> Vec<BroadcastEvent> {
    if audience.done {
        return Vec::new();
    }
    let stopped = AudienceSearched {
        passed: BTreeMap::new(),
        cursors: audience.cursors.clone(),
        as_of: None,
        done: true,
    };
    vec![stopped.into()]
}

/// How a commit after which the broadcast is this one is handed on: in the group of its waitlist,
/// and due until all are told.
#[must_use]
pub fn handling(audience: &Audience) -> Handling {
    let due = audience.searched_at.filter(|_| !audience.done);
    Handling {
        group: audience.waitlist_id.as_ref().map(ToString::to_string),
        due: due.map(|at| (at.plus(GOES_ON_AFTER), CASCADE)),
    }
}

fn is_open(slot: &Slot, now: Timestamp) -> bool {
    matches!(slot.status, SlotStatus::Broadcast { ends_at } if now < ends_at)
}

fn room(facts: &SlotFacts, audience: &Audience) -> usize {
    facts.audience_max().saturating_sub(audience.invited.len())
}

fn announced(
    facts: &SlotFacts,
    expires_at: Timestamp,
    invited: Vec<Invited>,
) -> BroadcastAnnounced {
    BroadcastAnnounced {
        waitlist_id: facts.waitlist_id.clone(),
        slot_id: facts.slot_id.clone(),
        slot_version: facts.version,
        service: facts.service.clone(),
        starts_at: facts.starts_at,
        ends_at: facts.ends_at,
        expires_at,
        location: facts.location.clone(),
        provider: facts.provider.clone(),
        zone: facts.zone.clone(),
        invited,
    }
}
