//! A slot is opened to all who wait for it, and those whom it suits are told, page by page.
//!
//! The first page stands in the transaction that opens the slot, so that no slot is open to all
//! without anybody being told. Each page is one commit of the broadcast's own stream and leaves
//! open work until the last one: whoever comes back goes on where it stopped, and the number of a
//! commit is what tells nobody twice.

use std::time::Duration;

use callboard_contracts::waitlist::BroadcastEvent;
use callboard_contracts::{Cause, Fold, SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::broadcast::{self, Audience, Next, PAGE, Page};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::slot::{self, Slot, SlotFacts, SlotStatus};
use callboard_domain::waitlist::{Entry, Selection};
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{AppendError, Commit, Loaded};

use crate::advance::{Deps, Outcome, Try, Turn, impossible};
use crate::search::Search;

/// Commits in one invocation: 128 who are told, or, where few are free, 800 entries read.
const PAGES_MAX: u32 = 8;

/// Until the next page, once an invocation has done its share.
const PAGES_PAUSE: Duration = Duration::from_secs(1);

impl Turn<'_> {
    /// Opens the slot to all whom it suits and tells them, the best ranked first; if it suits
    /// nobody, records that like an offer's search.
    pub(crate) async fn broadcast(
        &self,
        facts: &SlotFacts,
        known: Option<&Candidate>,
    ) -> Result<Try<Outcome>, Failure> {
        let (deps, before) = (self.deps, &self.slot.state);
        let mut search = Search::new(deps, (before, facts), known, self.cause, self.now);
        let want = facts.audience_max().min(PAGE);
        let selection = search.select_to_tell(want).await?;
        if selection.is_empty() {
            return self.nobody(&search, &selection).await;
        }
        let opened = slot::broadcast(before, &deps.timing, self.now).map_err(impossible)?;
        let fold = |slot: Slot, event| slot.evolve(event, self.now);
        let slot = opened.iter().fold(before.clone(), fold);
        let stream = StreamId::broadcast(&facts.slot_id, facts.version);
        let audience = Loaded::fresh(stream);
        let told = broadcast::announce(&slot, &audience.state, page(&search, &selection));
        let commits = vec![
            self.slot_commit(opened)?,
            commit(&audience, told, self.cause, self.now)?,
        ];
        match deps.journal.append_all(commits, Vec::new()).await {
            Ok(_) => {}
            Err(AppendError::Conflict(_)) => return Ok(Try::SlotMoved),
            Err(error) => return Err(error.into()),
        }
        Box::pin(go_on(
            deps,
            &facts.slot_id,
            facts.version,
            known,
            self.cause,
        ))
        .await?;
        Ok(Try::Settled(Outcome::Broadcast))
    }

    /// Tells of a broadcast who was not told yet, somebody who came after the search included.
    pub(crate) async fn tell_more(
        &self,
        facts: &SlotFacts,
        known: Option<&Candidate>,
    ) -> Result<(), Failure> {
        if !matches!(self.slot.state.status, SlotStatus::Broadcast { .. }) {
            return Ok(());
        }
        go_on(self.deps, &facts.slot_id, facts.version, known, self.cause).await
    }
}

/// Goes on with the broadcast of a slot's version until all are told, or the slot is not to be
/// had any more; then tells `known`, if there is room for one more.
///
/// # Errors
/// [`Failure`]: retryable if the tables cannot be reached, or more is to be done than one
/// invocation should.
pub async fn go_on(
    deps: &Deps,
    slot_id: &SlotId,
    version: u32,
    known: Option<&Candidate>,
    cause: &Cause,
) -> Result<(), Failure> {
    let stream = StreamId::broadcast(slot_id, version);
    let of_slot = StreamId::slot(slot_id);
    for _ in 0..PAGES_MAX {
        let audience = deps.journal.load::<Audience>(&stream).await?;
        // Read anew for each page: whoever has the slot by now need not be waited for.
        let slot = deps.journal.load::<Slot>(&of_slot).await?.state;
        let Some(facts) = slot.facts.as_ref().filter(|_| audience.exists()) else {
            return Ok(());
        };
        let now = deps.clock.now();
        let events = match broadcast::next(&slot, version, &audience.state, now) {
            Next::Stop => broadcast::stop(&audience.state),
            Next::Nothing => match known {
                Some(known) if facts.version == version => {
                    late(deps, &slot, &audience.state, known, now).await?
                }
                _ => Vec::new(),
            },
            Next::Tell { want } => {
                let ahead = broadcast::to_search(&slot, &audience.state);
                let mut search = Search::new(deps, (&ahead, facts), known, cause, now);
                let selection = search.select_to_tell(want).await?;
                broadcast::announce(&slot, &audience.state, page(&search, &selection))
            }
        };
        if events.is_empty() {
            return Ok(());
        }
        let told = count(&events);
        let commit = commit(&audience, events, cause, now)?;
        match deps.journal.append(commit).await {
            Ok(_) => log(facts, told, cause),
            // Somebody else has told the same; the stream says whom.
            Err(AppendError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::hold_until(deps.clock.now().plus(PAGES_PAUSE)))
}

/// Tells somebody who came when all others had been told.
async fn late(
    deps: &Deps,
    slot: &Slot,
    audience: &Audience,
    known: &Candidate,
    now: Timestamp,
) -> Result<Vec<BroadcastEvent>, Failure> {
    let was_told = audience.invited.contains_key(&known.entry_id);
    if was_told || broadcast::room_for_others(slot, audience, now) == 0 {
        return Ok(Vec::new());
    }
    let stream = StreamId::entry(&known.entry_id);
    let entry = deps.journal.load::<Entry>(&stream).await?.state;
    let mut selection = Selection::to_tell(slot, 1, deps.timing, now);
    selection.consider(&known.entry_id, &entry);
    let page = Page {
        found: selection.taken().collect(),
        look: slot::Look::default(),
        is_last: true,
    };
    Ok(broadcast::announce(slot, audience, page))
}

fn page<'a>(search: &Search<'_>, selection: &'a Selection<'_>) -> Page<'a> {
    let (look, is_last) = search.looked_at(selection);
    Page {
        found: selection.taken().collect(),
        look,
        is_last,
    }
}

fn commit(
    audience: &Loaded<Audience>,
    events: Vec<BroadcastEvent>,
    cause: &Cause,
    now: Timestamp,
) -> Result<Commit, Failure> {
    let commit = audience.next(cause, now).events(events);
    Ok(commit.handled(broadcast::handling).build()?)
}

fn count(events: &[BroadcastEvent]) -> usize {
    let told = events.iter().map(|event| match event {
        BroadcastEvent::BroadcastAnnounced(event) => event.invited.len(),
        BroadcastEvent::AudienceSearched(_) => 0,
    });
    told.sum()
}

fn log(facts: &SlotFacts, told: usize, cause: &Cause) {
    tracing::info!(
        slot_id = %facts.slot_id,
        slot_version = facts.version,
        told,
        correlation_id = cause.correlation_id,
        "more of those who wait were told of a broadcast"
    );
}
