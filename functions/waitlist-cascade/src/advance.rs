//! One slot, taken one step further: the use case of this function.
//!
//! Nothing here depends on what the message said happened. The slot is read, the rules say what
//! comes next, and the commit numbers just read decide whether it may stand. So a message that
//! comes twice, late or out of order finds its work done, or finds other work.

use callboard_contracts::{Cause, EntryId, OfferId, SlotEvent, SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::cascade::{self, Asked};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::slot::{self, Look, Slot, SlotFacts, SlotStatus, Step};
use callboard_domain::waitlist::timing::Timing;
use callboard_domain::waitlist::{Entry, Refusal};
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{AppendError, Commit, Journal, Loaded};
use callboard_runtime::metrics::{self, Metric};

use crate::look_up::Views;
use crate::tell;

/// Name of this consumer, to which work that a slot leaves open comes back when it is due.
pub const CONSUMER: &str = "waitlist-cascade";

/// Decisions on one slot before its message goes back to the queue. Each repetition means that
/// somebody else committed to the slot in between, which most often leaves nothing to do.
const SLOT_TRIES_MAX: u32 = 5;

/// Looks at one entry before the next one is asked: one that changes so often is being used.
const ENTRY_TRIES_MAX: u32 = 3;

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
        /// To this entry.
        entry_id: EntryId,
        /// By this offer.
        offer_id: OfferId,
        /// Which stands until then.
        expires_at: Timestamp,
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
enum Try<T> {
    Settled(T),
    /// Somebody else committed to the slot: everything is to be decided anew.
    SlotMoved,
}

/// Takes `slot_id` one step further. `joined` is an entry that the views may not show yet.
///
/// # Errors
/// [`Failure`]: retryable if the tables cannot be reached or the slot keeps changing.
pub async fn run(
    deps: &Deps,
    slot_id: &SlotId,
    joined: Option<&Candidate>,
    cause: &Cause,
) -> Result<Outcome, Failure> {
    let stream = StreamId::slot(slot_id);
    for _ in 0..SLOT_TRIES_MAX {
        let slot = deps.journal.load::<Slot>(&stream).await?;
        tell::all(deps, &slot.state, cause).await?;
        let turn = Turn {
            deps,
            slot: &slot,
            cause,
            now: deps.clock.now(),
        };
        if let Try::Settled(outcome) = turn.take(joined).await? {
            turn.measure(&outcome);
            return Ok(outcome);
        }
    }
    Err(Failure::retryable("the slot kept changing"))
}

/// One decision on one reading of the slot.
struct Turn<'a> {
    deps: &'a Deps,
    slot: &'a Loaded<Slot>,
    cause: &'a Cause,
    now: Timestamp,
}

impl Turn<'_> {
    async fn take(&self, joined: Option<&Candidate>) -> Result<Try<Outcome>, Failure> {
        let Some(facts) = &self.slot.state.facts else {
            return Ok(Try::Settled(Outcome::Nothing));
        };
        match slot::next_step(&self.slot.state, self.timing(), self.now) {
            Step::Nothing => Ok(Try::Settled(Outcome::Nothing)),
            Step::Wait { until } => Ok(Try::Settled(Outcome::Waits { until })),
            Step::Close => {
                let events = slot::close(&self.slot.state, self.timing(), self.now);
                self.commit_slot(facts, events.map_err(impossible)?, Outcome::Closed)
                    .await
            }
            Step::Broadcast => {
                let events = slot::broadcast(&self.slot.state, self.timing(), self.now);
                self.commit_slot(facts, events.map_err(impossible)?, Outcome::Broadcast)
                    .await
            }
            // One at a time and by rank, whatever the mode: batches and lots are still to come.
            Step::FindCandidates { .. } => self.find(facts, joined).await,
        }
    }

    /// Asks one candidate after the other, until one is offered the slot.
    async fn find(
        &self,
        facts: &SlotFacts,
        joined: Option<&Candidate>,
    ) -> Result<Try<Outcome>, Failure> {
        let (slot, timing, now) = (&self.slot.state, self.timing(), self.now);
        let views = &self.deps.views;
        let found = views.candidates(slot, facts, joined, timing, now).await?;
        for candidate in &found.ranked {
            match self.offer(facts, &candidate.entry_id, found.as_of).await? {
                Try::Settled(Some(outcome)) => return Ok(Try::Settled(outcome)),
                Try::Settled(None) => {}
                Try::SlotMoved => return Ok(Try::SlotMoved),
            }
        }
        let look = Look::as_of(found.as_of);
        let events = slot::no_candidate(slot, &look, timing, now).map_err(impossible)?;
        let outcome = match events.last() {
            None => return Ok(Try::Settled(still_nobody(slot))),
            Some(SlotEvent::CandidateNotFound(event)) => Outcome::NobodyFound {
                look_again_at: event.look_again_at,
            },
            Some(_) => Outcome::OpenedToPublic,
        };
        self.commit_slot(facts, events, outcome).await
    }

    /// Offers the slot to one entry; `None` if the entry cannot be offered it.
    async fn offer(
        &self,
        facts: &SlotFacts,
        entry_id: &EntryId,
        as_of: Option<Timestamp>,
    ) -> Result<Try<Option<Outcome>>, Failure> {
        let stream = StreamId::entry(entry_id);
        for _ in 0..ENTRY_TRIES_MAX {
            let entry = self.deps.journal.load::<Entry>(&stream).await?;
            let asked = [Asked {
                entry: entry.state.clone(),
                score: None,
            }];
            let (slot, look) = (&self.slot.state, Look::as_of(as_of));
            let offers = cascade::offer(slot, &asked, None, &look, self.timing(), self.now);
            let offers = match offers {
                Ok(offers) => offers,
                Err(refusal) => {
                    self.passed_over(facts, entry_id, &refusal);
                    return Ok(Try::Settled(None));
                }
            };
            let for_entry = entry
                .next(self.cause, self.now)
                .group(facts.waitlist_id.as_str())
                .events(offers.entries.into_iter().flat_map(|(_, events)| events))
                .build()?;
            let commits = vec![self.slot_commit(facts, offers.slot)?, for_entry];
            match self.deps.journal.append_all(commits, Vec::new()).await {
                Ok(_) => {
                    return Ok(Try::Settled(Some(Outcome::Offered {
                        entry_id: entry_id.clone(),
                        offer_id: cascade::offer_id(facts, entry_id),
                        expires_at: offers.expires_at,
                    })));
                }
                Err(AppendError::Conflict(conflict)) if conflict.stream == stream => {}
                Err(AppendError::Conflict(_)) => return Ok(Try::SlotMoved),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Try::Settled(None))
    }

    /// Tells how late a step was that this turn has committed.
    fn measure(&self, outcome: &Outcome) {
        let committed = match outcome {
            Outcome::Nothing | Outcome::Waits { .. } | Outcome::StillNobody { .. } => false,
            Outcome::Offered { .. }
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

    /// Says why a candidate of the view was not asked (I4).
    fn passed_over(&self, facts: &SlotFacts, entry_id: &EntryId, refusal: &Refusal) {
        tracing::info!(
            slot_id = %facts.slot_id,
            slot_version = facts.version,
            %entry_id,
            reason = reason(refusal),
            correlation_id = self.cause.correlation_id,
            "a candidate was passed over"
        );
    }

    async fn commit_slot(
        &self,
        facts: &SlotFacts,
        events: Vec<SlotEvent>,
        outcome: Outcome,
    ) -> Result<Try<Outcome>, Failure> {
        let commit = self.slot_commit(facts, events)?;
        match self.deps.journal.append(commit).await {
            Ok(_) => Ok(Try::Settled(outcome)),
            Err(AppendError::Conflict(_)) => Ok(Try::SlotMoved),
            Err(error) => Err(error.into()),
        }
    }

    /// The slot's next commit: with when its open work is due, and in the group of its waitlist.
    fn slot_commit(&self, facts: &SlotFacts, events: Vec<SlotEvent>) -> Result<Commit, Failure> {
        let commit = self
            .slot
            .next(self.cause, self.now)
            .group(facts.waitlist_id.as_str())
            .events(events);
        let commit = match slot::due(&commit.state(), self.timing()) {
            Some(due_at) => commit.due(due_at, CONSUMER),
            None => commit,
        };
        Ok(commit.build()?)
    }

    fn timing(&self) -> &Timing {
        &self.deps.timing
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
fn impossible(refusal: Refusal) -> Failure {
    Failure::terminal(format!(
        "the slot refuses its own next step: {}",
        refusal.code()
    ))
}

fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotEligible(reason) => reason.code(),
        other => other.code(),
    }
}
