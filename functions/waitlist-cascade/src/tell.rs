//! Whose offer somebody else's act has ended is told, so that the entry waits again at once.
//!
//! Whether somebody knows stands in their own stream, so being told twice changes nothing. When all
//! know, the slot's stream says so, and is due for it no more: the sweep of the agenda found it until
//! then, whether or not a message came. That is one commit for all of them, and an item of the index.

use callboard_contracts::{Cause, StreamId};
use callboard_domain::waitlist::slot::{self, Slot, SlotFacts, Told};
use callboard_domain::waitlist::{Entry, entry};
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{AppendError, Loaded};

use crate::advance::Deps;

/// Decisions on one entry before its message goes back to the queue.
const TRIES_MAX: u32 = 3;

/// Tells every entry whose offer of `slot` was ended by somebody else's act, and records that they
/// know; whether there was somebody to tell, and so the slot's stream has gone on.
///
/// # Errors
/// [`Failure`]: retryable if the journal cannot be reached or an entry keeps changing. Those
/// who were told before it are not told again.
pub async fn all(deps: &Deps, slot: &Loaded<Slot>, cause: &Cause) -> Result<bool, Failure> {
    let events = slot::told(&slot.state);
    let Some(facts) = slot.state.facts.as_ref().filter(|_| !events.is_empty()) else {
        return Ok(false);
    };
    for told in &slot.state.to_tell {
        one(deps, facts, told, cause).await?;
    }
    let commit = slot
        .next(cause, deps.clock.now())
        .events(events)
        .handled(|slot| slot::handling(slot, &deps.timing))
        .build()?;
    match deps.journal.append(commit).await {
        // Whoever was faster may have told them as well.
        Ok(_) | Err(AppendError::Conflict(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

async fn one(deps: &Deps, facts: &SlotFacts, told: &Told, cause: &Cause) -> Result<(), Failure> {
    let stream = StreamId::entry(&told.entry_id);
    for _ in 0..TRIES_MAX {
        let loaded = deps.journal.load::<Entry>(&stream).await?;
        let events = entry::told(&loaded.state, told);
        if events.is_empty() {
            return Ok(());
        }
        let commit = loaded
            .next(cause, deps.clock.now())
            .events(events)
            .handled(entry::handling)
            .build()?;
        match deps.journal.append(commit).await {
            Ok(_) => {
                tracing::info!(
                    slot_id = %facts.slot_id,
                    entry_id = %told.entry_id,
                    offer_id = %told.offer_id,
                    correlation_id = cause.correlation_id,
                    "an offer has ended by somebody else's act"
                );
                return Ok(());
            }
            Err(AppendError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::retryable("an entry kept changing"))
}
