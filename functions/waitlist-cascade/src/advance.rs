//! One slot, taken one step further: the use case of this function.
//!
//! Nothing here depends on what the message said happened. The slot is read, the rules say what
//! comes next, and the commit numbers just read decide whether it may stand. So a message that
//! comes twice, late or out of order finds its work done, or finds other work.

mod ahead;

use std::time::Duration;

use callboard_contracts::waitlist::CandidatesPassedOver;
use callboard_contracts::{Cause, EntryId, SlotEvent, SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::cascade::Offers;
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::slot::{
    self, DrawFrom, HeldOffer, Look, Slot, SlotFacts, SlotStatus, Step,
};
use callboard_domain::waitlist::timing::Timing;
use callboard_domain::waitlist::{Entry, Former, Refusal, Selection, entry};
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{AppendError, Commit, Journal, Loaded};
use callboard_runtime::metrics::{self, Metric};

use crate::look_up::Views;
use crate::search::Search;
use crate::tell;
use ahead::Ahead;

/// Decisions on one slot before its message goes back to the queue. Each repetition means that
/// somebody else committed to the slot in between, which most often leaves nothing to do.
const SLOT_TRIES_MAX: u32 = 5;

/// Lost races for entries in one decision. Each repetition reads again only the entry that was
/// lost, which may be taken once more or has another offer by now.
const ENTRY_TRIES_MAX: u32 = 25;

/// Commits in one invocation that find nobody and go on behind those whom they passed over.
const PASSES_MAX: u32 = 5;

/// Until the next look behind those who were passed over, once an invocation has done its share.
const PASSES_PAUSE: Duration = Duration::from_secs(1);

/// What the cascade needs to do its work.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Where slots and entries stand.
    pub journal: Journal,
    /// Where candidates are looked up.
    pub views: Views,
    /// The waits to keep.
    pub timing: Timing,
    /// What time it is.
    pub clock: Clock,
}

/// How a slot stands after its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing to do: filled, withdrawn, public, or no such slot.
    Nothing,
    /// Somebody is thinking it over.
    Waits {
        /// The hold can be ended from here on.
        until: Timestamp,
    },
    /// It was offered.
    Offered {
        /// To these entries, by rank.
        offers: Vec<HeldOffer>,
        /// The offers stand until then.
        expires_at: Timestamp,
    },
    /// It was taken at once by an entry that wished so.
    Filled {
        /// The entry.
        entry_id: EntryId,
    },
    /// Nobody was found, as before, and the second look-up is not due yet.
    StillNobody {
        /// A look-up from here on opens it to the public.
        look_again_at: Timestamp,
    },
    /// Nobody was found for the first time.
    NobodyFound {
        /// A second look-up from here on opens it to the public.
        look_again_at: Timestamp,
    },
    /// Nobody was found for the second time.
    OpenedToPublic,
    /// Everybody whom it suits may take it.
    Broadcast,
    /// It was too late for another offer.
    Closed,
}

/// Whether a try settled the matter.
pub(crate) enum Try<T> {
    Settled(T),
    /// Somebody else committed to the slot: everything is to be decided anew.
    SlotMoved,
    /// Nobody suits among those looked at, which is recorded: more are waiting behind them.
    GoesOn,
}

/// Takes `slot_id` one step further. `known` is an entry that the views may not show yet, or not as
/// it is.
///
/// # Errors
/// [`Failure`]: retryable if the tables cannot be reached or the slot keeps changing.
pub async fn run(
    deps: &Deps,
    slot_id: &SlotId,
    known: Option<&Candidate>,
    cause: &Cause,
) -> Result<Outcome, Failure> {
    let stream = StreamId::slot(slot_id);
    let (mut tries, mut passes) = (0, 0);
    while tries < SLOT_TRIES_MAX {
        let slot = deps.journal.load::<Slot>(&stream).await?;
        if tell::all(deps, &slot, cause).await? {
            tries += 1;
            continue;
        }
        let turn = Turn {
            deps,
            slot: &slot,
            cause,
            now: deps.clock.now(),
        };
        match turn.take(known).await? {
            Try::Settled(outcome) => {
                turn.measure(&outcome);
                return Ok(outcome);
            }
            Try::SlotMoved => tries += 1,
            Try::GoesOn => passes += 1,
        }
        if passes == PASSES_MAX {
            return Err(Failure::hold_until(deps.clock.now().plus(PASSES_PAUSE)));
        }
    }
    Err(Failure::retryable("the slot kept changing"))
}

/// One decision on one reading of the slot.
pub(crate) struct Turn<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) slot: &'a Loaded<Slot>,
    pub(crate) cause: &'a Cause,
    pub(crate) now: Timestamp,
}

impl Turn<'_> {
    async fn take(&self, known: Option<&Candidate>) -> Result<Try<Outcome>, Failure> {
        let Some(facts) = &self.slot.state.facts else {
            return Ok(Try::Settled(Outcome::Nothing));
        };
        match slot::next_step(&self.slot.state, self.timing(), self.now) {
            Step::Nothing => Ok(Try::Settled(Outcome::Nothing)),
            // On the heap: a step that is seldom taken is not to make every other one larger.
            Step::Wait { until } => {
                Box::pin(self.tell_more(facts, known)).await?;
                Ok(Try::Settled(Outcome::Waits { until }))
            }
            Step::Close => {
                let events = slot::close(&self.slot.state, self.timing(), self.now);
                self.commit_slot(events.map_err(impossible)?, Outcome::Closed)
                    .await
            }
            Step::Broadcast => Box::pin(self.broadcast(facts, known)).await,
            Step::FindCandidates { want, draw } => self.find(facts, known, want, draw).await,
        }
    }

    /// Offers the slot to the next who are free and suit, or records that there are none.
    async fn find(
        &self,
        facts: &SlotFacts,
        known: Option<&Candidate>,
        want: usize,
        draw: Option<DrawFrom<'_>>,
    ) -> Result<Try<Outcome>, Failure> {
        let slot = &self.slot.state;
        let mut search = Search::new(self.deps, (slot, facts), known, self.cause, self.now);
        let mut ahead = Ahead::default();
        for _ in 0..ENTRY_TRIES_MAX {
            let selection = search.select(want, draw).await?;
            if selection.is_empty() {
                return self.nobody(&search, &selection).await;
            }
            let offered = self.offer(facts, &mut search, selection, &mut ahead);
            if let Some(settled) = offered.await? {
                return Ok(settled);
            }
        }
        Err(Failure::retryable("the entries kept changing"))
    }

    pub(crate) async fn nobody(
        &self,
        search: &Search<'_>,
        selection: &Selection<'_>,
    ) -> Result<Try<Outcome>, Failure> {
        let (slot, timing, now) = (&self.slot.state, self.timing(), self.now);
        if let Some(look) = search.look_behind(selection) {
            let events = slot::passed_over(slot, &look, timing, now).map_err(impossible)?;
            let commit = self.slot_commit(events)?;
            return match self.deps.journal.append(commit).await {
                Ok(_) => Ok(Try::GoesOn),
                Err(AppendError::Conflict(_)) => Ok(Try::SlotMoved),
                Err(error) => Err(error.into()),
            };
        }
        let look = Look {
            passed: selection.passed().to_vec(),
            ..Look::as_of(search.as_of())
        };
        let events = slot::no_candidate(slot, &look, timing, now).map_err(impossible)?;
        let outcome = match events.last() {
            None => return Ok(Try::Settled(still_nobody(slot))),
            Some(SlotEvent::CandidateNotFound(event)) => Outcome::NobodyFound {
                look_again_at: event.look_again_at,
            },
            Some(_) => Outcome::OpenedToPublic,
        };
        self.commit_slot(events, outcome).await
    }

    /// Offers the slot to those who were selected, by one transaction on all streams; `None` if
    /// one of their entries has changed since it was read, or those passed over had to be recorded
    /// before it.
    async fn offer(
        &self,
        facts: &SlotFacts,
        search: &mut Search<'_>,
        mut selection: Selection<'_>,
        ahead: &mut Ahead,
    ) -> Result<Option<Try<Outcome>>, Failure> {
        let given_up = self.given_up(selection.swaps()).await?;
        let slot = ahead.slot.as_ref().unwrap_or(self.slot);
        let look = search.look(&selection, &slot.state.cursors, &ahead.recorded);
        selection.leave_out(&ahead.recorded);
        let as_of = look.as_of;
        let former = given_up.as_ref().map(GivenUp::former);
        let offers = selection.offer(former, look).map_err(impossible)?;
        let outcome = outcome_of(facts, &offers);
        let held = self.commit_of(slot, offers.slot.clone())?;
        if let Some(passed) = self.too_many(slot, &held, &offers.slot)? {
            let passed = CandidatesPassedOver { as_of, ..passed };
            return self.record(passed, ahead).await;
        }
        let mut commits = vec![held];
        for (id, events) in offers.entries {
            let Some(entry) = search.entry(&id) else {
                return Err(Failure::terminal(
                    "an entry was selected that was never read",
                ));
            };
            let commit = entry.next(self.cause, self.now).events(events);
            commits.push(commit.handled(entry::handling).build()?);
        }
        if let (Some(given_up), Some(both)) = (&given_up, offers.former) {
            commits.push(self.commit_of(&given_up.slot, both.slot)?);
            if let (Some(entry), false) = (&given_up.entry, both.entry.is_empty()) {
                let commit = entry.next(self.cause, self.now).events(both.entry);
                commits.push(commit.handled(entry::handling).build()?);
            }
        }
        match self.deps.journal.append_all(commits, Vec::new()).await {
            Ok(_) => Ok(Some(Try::Settled(outcome))),
            Err(AppendError::Conflict(conflict)) => {
                let of_entry = search.forget(&conflict.stream);
                Ok((!of_entry).then_some(Try::SlotMoved))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the booking in this slot that the one who accepts at once gives up.
    async fn given_up(&self, slot: Option<&SlotId>) -> Result<Option<GivenUp>, Failure> {
        let Some(id) = slot else { return Ok(None) };
        let journal = &self.deps.journal;
        let slot = journal.load::<Slot>(&StreamId::slot(id)).await?;
        let entry = match slot.state.booked_entry() {
            Some(id) => Some(journal.load::<Entry>(&StreamId::entry(id)).await?),
            None => None,
        };
        Ok(Some(GivenUp { slot, entry }))
    }

    /// Tells how late a step was that this turn has committed.
    fn measure(&self, outcome: &Outcome) {
        let committed = match outcome {
            Outcome::Nothing | Outcome::Waits { .. } | Outcome::StillNobody { .. } => false,
            Outcome::Offered { .. }
            | Outcome::Filled { .. }
            | Outcome::NobodyFound { .. }
            | Outcome::Broadcast
            | Outcome::OpenedToPublic
            | Outcome::Closed => true,
        };
        let due = slot::due(&self.slot.state, self.timing()).filter(|due| *due <= self.now);
        if let (true, Some(due)) = (committed, due) {
            metrics::observe(Metric::DeadlineOverdue, self.now.since(due));
        }
    }

    async fn commit_slot(
        &self,
        events: Vec<SlotEvent>,
        outcome: Outcome,
    ) -> Result<Try<Outcome>, Failure> {
        let commit = self.slot_commit(events)?;
        match self.deps.journal.append(commit).await {
            Ok(_) => Ok(Try::Settled(outcome)),
            Err(AppendError::Conflict(_)) => Ok(Try::SlotMoved),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn slot_commit(&self, events: Vec<SlotEvent>) -> Result<Commit, Failure> {
        self.commit_of(self.slot, events)
    }

    fn commit_of(&self, slot: &Loaded<Slot>, events: Vec<SlotEvent>) -> Result<Commit, Failure> {
        let commit = slot.next(self.cause, self.now).events(events);
        let commit = commit.handled(|slot| slot::handling(slot, self.timing()));
        Ok(commit.build()?)
    }

    fn timing(&self) -> &Timing {
        &self.deps.timing
    }
}

/// The booking that somebody gives up, as it was read.
struct GivenUp {
    slot: Loaded<Slot>,
    entry: Option<Loaded<Entry>>,
}

impl GivenUp {
    fn former(&self) -> Former<'_> {
        Former {
            slot: &self.slot.state,
            entry: self.entry.as_ref().map(|entry| &entry.state),
        }
    }
}

fn still_nobody(slot: &Slot) -> Outcome {
    match slot.status {
        SlotStatus::Open {
            empty_look_up: Some(look_again_at),
            ..
        } => Outcome::StillNobody { look_again_at },
        _ => Outcome::Nothing,
    }
}

/// A refusal of what the rules themselves have just asked for.
pub(crate) fn impossible(refusal: Refusal) -> Failure {
    Failure::terminal(format!(
        "the slot refuses its own next step: {}",
        refusal.code()
    ))
}

fn outcome_of(facts: &SlotFacts, offers: &Offers) -> Outcome {
    let offer = |(id, _): &(EntryId, _)| HeldOffer {
        offer_id: facts.offer_id(id),
        entry_id: id.clone(),
    };
    let mut made: Vec<_> = offers.entries.iter().map(offer).collect();
    match made.pop() {
        Some(only) if offers.accepted => Outcome::Filled {
            entry_id: only.entry_id,
        },
        last => {
            made.extend(last);
            Outcome::Offered {
                offers: made,
                expires_at: offers.expires_at,
            }
        }
    }
}
