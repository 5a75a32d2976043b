//! Whom to offer a slot: who waits is looked up, each entry is read from its own stream, and is
//! taken or passed over for a reason.

use std::collections::{HashMap, HashSet};

use callboard_contracts::waitlist::{Cursor, Draw, Ineligible};
use callboard_contracts::{Cause, EntryId, StreamId, Timestamp};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::slot::{DrawFrom, Look, Slot, SlotFacts};
use callboard_domain::waitlist::{Considered, Entry, Selection, entry, lottery};
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{AppendError, Loaded};

use crate::advance::Deps;
use crate::look_up::{self, Found, LookUp, Mark};

/// Entries passed over by one commit: their ids, some 40 bytes each, make four write units of it. They
/// stand beside a hold where that does not cost it a write unit more.
/// Whoever waits behind them is looked at by the next one.
const PASSED_MAX: usize = 100;

/// From so many settled entries in front of a class, the hold says where the next look-up goes on:
/// a page, which that look-up need not read.
const SETTLED_MIN: usize = 25;

/// The search for one decision on a slot. It outlives a lost race for an entry: what was read of
/// the others is kept.
pub struct Search<'a> {
    deps: &'a Deps,
    slot: &'a Slot,
    facts: &'a SlotFacts,
    cause: &'a Cause,
    now: Timestamp,
    look_up: LookUp<'a>,
    found: Vec<Found>,
    drawn: Option<(Vec<EntryId>, Draw)>,
    entries: HashMap<EntryId, Loaded<Entry>>,
}

impl<'a> Search<'a> {
    /// Nobody yet. `known` is an entry that the views may not show, or not as it is.
    #[must_use]
    pub fn new(
        deps: &'a Deps,
        (slot, facts): (&'a Slot, &'a SlotFacts),
        known: Option<&Candidate>,
        cause: &'a Cause,
        now: Timestamp,
    ) -> Self {
        Self {
            look_up: deps.views.look_up(slot, facts, known, deps.timing, now),
            deps,
            slot,
            facts,
            cause,
            now,
            found: Vec::new(),
            drawn: None,
            entries: HashMap::new(),
        }
    }

    /// Chooses at most `want`, by rank or by lot.
    ///
    /// # Errors
    /// [`Failure`] (retryable) when the tables cannot be read.
    pub async fn select(
        &mut self,
        want: usize,
        draw: Option<DrawFrom<'_>>,
    ) -> Result<Selection<'a>, Failure> {
        let mut selection = Selection::new(self.slot, want, self.deps.timing, self.now);
        if let Some(draw) = draw {
            self.draw(draw).await?;
        }
        let drawn = self.drawn.as_ref().map(|(order, _)| order.clone());
        if let Some(order) = drawn {
            for found in &self.found {
                if found.mark == Mark::Busy {
                    selection.pass_over(&found.candidate.entry_id, Ineligible::HasOffer);
                }
            }
            for id in &order {
                if selection.is_full() {
                    break;
                }
                self.consider(&mut selection, id).await?;
            }
            return Ok(selection);
        }
        self.by_rank(selection).await
    }

    /// Chooses at most `want`, by rank, who are told of a broadcast.
    ///
    /// # Errors
    /// [`Failure`] (retryable) when the tables cannot be read.
    pub async fn select_to_tell(&mut self, want: usize) -> Result<Selection<'a>, Failure> {
        let (timing, now) = (self.deps.timing, self.now);
        self.by_rank(Selection::to_tell(self.slot, want, timing, now))
            .await
    }

    async fn by_rank(&mut self, mut selection: Selection<'a>) -> Result<Selection<'a>, Failure> {
        let mut at = 0;
        while !selection.is_full() && selection.passed().len() < PASSED_MAX {
            let Some((id, mark)) = self.at(at).await? else {
                break;
            };
            at += 1;
            match mark {
                Mark::Free => self.consider(&mut selection, &id).await?,
                Mark::Busy => selection.pass_over(&id, Ineligible::HasOffer),
                Mark::Offered | Mark::Again => {}
            }
        }
        Ok(selection)
    }

    /// What is recorded of the search beside those who are offered the slot, whose stream has these
    /// `cursors`, and has `recorded` some of those passed over.
    #[must_use]
    pub fn look(
        &self,
        selection: &Selection<'_>,
        cursors: &[Cursor],
        recorded: &HashSet<EntryId>,
    ) -> Look {
        let passed: HashMap<_, _> = selection.passed().iter().map(|(id, r)| (id, *r)).collect();
        let taken = |id: &EntryId| selection.takes(id);
        let offered = |id: &EntryId| self.slot.offered.contains(id);
        let lasts = |id: &EntryId| passed.get(id).is_some_and(|reason| entry::lasts(*reason));
        let settled = |id: &EntryId| offered(id) || taken(id) || lasts(id);
        let settled_count = self
            .found
            .iter()
            .filter(|found| settled(&found.candidate.entry_id))
            .count();
        let reached = if self.drawn.is_none() && settled_count >= SETTLED_MIN {
            look_up::cursors(cursors, &self.found, settled)
        } else {
            cursors.to_vec()
        };
        // No word of them leaves them as they are.
        let are_told = reached != cursors || passed.keys().any(|id| !recorded.contains(id));
        Look {
            as_of: self.look_up.as_of(),
            cursors: if are_told { reached } else { Vec::new() },
            draw: self.drawn.as_ref().map(|(_, record)| record.clone()),
            ..Look::default()
        }
    }

    /// What is recorded when nobody was found among those looked at, but more are waiting behind
    /// them; `None` if there are none.
    #[must_use]
    pub fn look_behind(&self, selection: &Selection<'_>) -> Option<Look> {
        let (look, is_last) = self.looked_at(selection);
        (!is_last).then_some(look)
    }

    /// What is recorded of a search that does not come back to anybody, and whether nobody is
    /// waiting behind those looked at.
    #[must_use]
    pub fn looked_at(&self, selection: &Selection<'_>) -> (Look, bool) {
        let look = Look {
            as_of: self.look_up.as_of(),
            passed: selection.passed().to_vec(),
            cursors: look_up::cursors(&self.slot.cursors, &self.found, |_| true),
            draw: None,
        };
        let goes_on = !self.look_up.is_at_end() && look.cursors != self.slot.cursors;
        (look, !goes_on)
    }

    /// How fresh the view was in which they were found.
    #[must_use]
    pub const fn as_of(&self) -> Option<Timestamp> {
        self.look_up.as_of()
    }

    /// The entry as it was read.
    #[must_use]
    pub fn entry(&self, id: &EntryId) -> Option<&Loaded<Entry>> {
        self.entries.get(id)
    }

    /// Forgets what was read of an entry whose stream has gone on; whether it was read.
    pub fn forget(&mut self, stream: &StreamId) -> bool {
        let before = self.entries.len();
        self.entries.retain(|_, loaded| loaded.stream != *stream);
        self.entries.len() < before
    }

    async fn at(&mut self, at: usize) -> Result<Option<(EntryId, Mark)>, Failure> {
        if at >= self.found.len() {
            self.found.extend(self.look_up.next().await?);
        }
        let found = self.found.get(at);
        Ok(found.map(|found| (found.candidate.entry_id.clone(), found.mark)))
    }

    /// Draws among the best ranked who are free.
    async fn draw(&mut self, from: DrawFrom<'_>) -> Result<(), Failure> {
        if self.drawn.is_some() {
            return Ok(());
        }
        let mut pool = Vec::new();
        while pool.len() < from.pool {
            let Some(found) = self.look_up.next().await? else {
                break;
            };
            if found.mark == Mark::Free {
                pool.push(found.candidate.clone());
            }
            self.found.push(found);
        }
        let max_wait = self.facts.max_wait();
        let drawn = lottery::draw(from.seed, from.number, pool, max_wait, self.now);
        let order = drawn.order.into_iter().map(|candidate| candidate.entry_id);
        self.drawn = Some((order.collect(), drawn.record));
        Ok(())
    }

    async fn consider(
        &mut self,
        selection: &mut Selection<'_>,
        id: &EntryId,
    ) -> Result<(), Failure> {
        if !self.entries.contains_key(id) {
            let loaded = self.deps.journal.load(&StreamId::entry(id)).await?;
            self.entries.insert(id.clone(), loaded);
        }
        let Some(loaded) = self.entries.get(id) else {
            return Ok(());
        };
        let considered = selection.consider(id, &loaded.state);
        if let Considered::PassedOver(reason) = considered {
            tracing::info!(
                slot_id = %self.facts.slot_id,
                slot_version = self.facts.version,
                entry_id = %id,
                reason = reason.code(),
                correlation_id = self.cause.correlation_id,
                "a candidate was passed over"
            );
            if reason == Ineligible::SkipLimit {
                self.pause(loaded).await?;
            }
        }
        Ok(())
    }

    /// Counts the last skip that an entry is allowed, which pauses it. A lost race means that
    /// somebody else has done so, or that the person has come back; the next search sees which.
    async fn pause(&self, loaded: &Loaded<Entry>) -> Result<(), Failure> {
        let events = entry::settle(&loaded.state, &self.deps.timing, self.now);
        let commit = loaded
            .next(self.cause, self.now)
            .events(events)
            .handled(entry::handling)
            .build()?;
        match self.deps.journal.append(commit).await {
            Ok(_) | Err(AppendError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
