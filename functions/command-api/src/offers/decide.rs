//! An answer is decided on, and again if another commit came between.

use callboard_contracts::link::OfferLink;
use callboard_contracts::{Cause, Timestamp};
use callboard_domain::waitlist::cascade::{self, Both};
use callboard_domain::waitlist::{Refusal, RefusalKind};
use callboard_runtime::http::Problem;
use callboard_runtime::journal::AppendError;
use schemars::JsonSchema;
use serde::Deserialize;

use super::standing::Offer;
use crate::Deps;
use crate::answer::{
    TRIES_MAX, append_problem, commit_name, entry_commit, lost_race, refused, slot_commit, within,
};
use crate::page::Shown;

/// What a person says to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Accept,
    Decline,
}

/// What became of an answer.
pub(super) enum Answered {
    /// It counts; with the commit that says so.
    Now(Shown, String),
    /// The same answer counted before.
    Before(Shown),
    /// It does not count, for how the offer stands.
    TooLate(Shown, Problem),
}

pub(super) async fn decide(
    deps: &Deps,
    link: OfferLink,
    answer: Answer,
    cause: &Cause,
    received_at: Timestamp,
) -> Result<Answered, Problem> {
    for _ in 0..TRIES_MAX {
        let offer = Offer::load(deps, link.clone()).await?;
        let both = match decision(deps, &offer, answer, received_at) {
            Ok(both) => both,
            Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
                return Ok(Answered::Before(offer.shown(deps, received_at)));
            }
            Err(refusal) if refusal.kind() == RefusalKind::LostRace => {
                let shown = offer.shown(deps, received_at);
                return Ok(Answered::TooLate(shown, refused(&refusal)));
            }
            Err(refusal) => return Err(refused(&refusal)),
        };
        match append(deps, &offer, both, cause).await {
            Ok(()) => {
                let commit = commit_name(&offer.slot.stream, offer.slot.number + 1);
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
    answer: Answer,
    received_at: Timestamp,
) -> Result<Both, Refusal> {
    let (slot, entry, id) = (&offer.slot.state, &offer.entry.state, &offer.link.offer);
    match answer {
        Answer::Accept => {
            cascade::accept(slot, entry, None, id, received_at, &deps.timing).map(|taken| Both {
                slot: taken.slot,
                entry: taken.entry,
            })
        }
        Answer::Decline => cascade::decline(slot, entry, id, received_at),
    }
}

async fn append(deps: &Deps, offer: &Offer, both: Both, cause: &Cause) -> Result<(), AppendError> {
    let now = deps.clock.now();
    // What follows belongs to the cascade that made the offer, not to the click.
    let cause = within(&offer.slot, cause);
    let commits = vec![
        slot_commit(&offer.slot, &cause, both.slot, &deps.timing, now)?,
        entry_commit(&offer.entry, &cause, both.entry, now)?,
    ];
    deps.journal.append_all(commits, Vec::new()).await?;
    Ok(())
}
