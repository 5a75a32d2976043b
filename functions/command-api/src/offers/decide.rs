//! An answer is decided on, and again if another commit came between.

use callboard_contracts::link::OfferLink;
use callboard_contracts::{Cause, StreamId, Timestamp};
use callboard_domain::waitlist::cascade::{self, Taken};
use callboard_domain::waitlist::{Entry, Former, Refusal, RefusalKind, Slot};
use callboard_runtime::http::Problem;
use callboard_runtime::journal::{AppendError, Commit, Loaded};
use schemars::JsonSchema;
use serde::Deserialize;

use super::standing::Offer;
use crate::Deps;
use crate::answer::{
    TRIES_MAX, append_problem, commit_name, entry_commit, lost_race, refused, slot_commit,
    unavailable,
};
use crate::page::Shown;

/// What a person says to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Accept,
    Decline,
}

/// What became of an answer.
pub(crate) enum Answered {
    /// It counts; with the commit that says so.
    Now(Shown, String),
    /// The same answer counted before.
    Before(Shown),
    /// It does not count, for how the offer stands.
    TooLate(Shown, Problem),
}

/// What else is committed with an answer; it is given the commit that will say that it counts.
pub(crate) type Also<'a> = &'a (dyn Fn(&str) -> Result<Option<Commit>, Problem> + Sync);

pub(crate) async fn decide(
    deps: &Deps,
    link: OfferLink,
    answer: Answer,
    cause: &Cause,
    received_at: Timestamp,
    also: Also<'_>,
) -> Result<Answered, Problem> {
    for _ in 0..TRIES_MAX {
        let offer = Offer::load(deps, link.clone()).await?;
        let own = match answer {
            Answer::Accept => Own::load(deps, &offer.entry.state).await?,
            Answer::Decline => None,
        };
        let taken = match decision(deps, &offer, own.as_ref(), answer, received_at) {
            Ok(taken) => taken,
            Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
                return Ok(Answered::Before(offer.shown(deps, received_at)));
            }
            Err(refusal) if refusal.kind() == RefusalKind::LostRace => {
                let shown = offer.shown(deps, received_at);
                return Ok(Answered::TooLate(shown, refused(&refusal)));
            }
            Err(refusal) => return Err(refused(&refusal)),
        };
        let commit = commit_name(&offer.slot.stream, offer.slot.number + 1);
        match append(deps, &offer, (own, taken), cause, also(&commit)?).await {
            Ok(()) => {
                let after = Offer::load(deps, link).await?;
                return Ok(Answered::Now(after.shown(deps, received_at), commit));
            }
            Err(AppendError::Conflict(_)) => {}
            Err(error) => return Err(append_problem(&error)),
        }
    }
    Err(lost_race())
}

fn decision(
    deps: &Deps,
    offer: &Offer,
    own: Option<&Own>,
    answer: Answer,
    received_at: Timestamp,
) -> Result<Taken, Refusal> {
    let (slot, entry, id) = (&offer.slot.state, &offer.entry.state, &offer.link.offer);
    match answer {
        Answer::Accept => {
            let former = own.map(Own::former);
            cascade::accept(slot, entry, former, id, received_at, &deps.timing)
        }
        Answer::Decline => cascade::decline(slot, entry, id, received_at).map(|both| Taken {
            slot: both.slot,
            entry: both.entry,
            former: None,
        }),
    }
}

/// Commits all that follows, or nothing.
async fn append(
    deps: &Deps,
    offer: &Offer,
    (own, taken): (Option<Own>, Taken),
    cause: &Cause,
    also: Option<Commit>,
) -> Result<(), AppendError> {
    let now = deps.clock.now();
    // What follows belongs to the cascade that made the offer, not to the click; so does what
    // becomes of a slot that is given up for it.
    let cause = offer.slot.within(cause);
    let mut commits = vec![
        slot_commit(&offer.slot, &cause, taken.slot, &deps.timing, now)?,
        entry_commit(&offer.entry, &cause, taken.entry, now)?,
    ];
    if let (Some(own), Some(both)) = (own, taken.former) {
        commits.push(slot_commit(
            &own.slot,
            &cause,
            both.slot,
            &deps.timing,
            now,
        )?);
        if let (Some(entry), false) = (own.entry, both.entry.is_empty()) {
            commits.push(entry_commit(&entry, &cause, both.entry, now)?);
        }
    }
    commits.extend(also);
    deps.journal.append_all(commits, Vec::new()).await?;
    Ok(())
}

/// The person's own booking, which is to be given up for another: as it was read.
struct Own {
    slot: Loaded<Slot>,
    entry: Option<Loaded<Entry>>,
}

impl Own {
    async fn load(deps: &Deps, entry: &Entry) -> Result<Option<Self>, Problem> {
        let Some(id) = entry.swaps() else {
            return Ok(None);
        };
        let slot = deps.journal.load::<Slot>(&StreamId::slot(id)).await;
        let slot = slot.map_err(|error| unavailable(&error))?;
        let entry = match slot.state.booked_entry() {
            Some(id) => {
                let entry = deps.journal.load::<Entry>(&StreamId::entry(id)).await;
                Some(entry.map_err(|error| unavailable(&error))?)
            }
            None => None,
        };
        Ok(Some(Self { slot, entry }))
    }

    fn former(&self) -> Former<'_> {
        Former {
            slot: &self.slot.state,
            entry: self.entry.as_ref().map(|entry| &entry.state),
        }
    }
}
