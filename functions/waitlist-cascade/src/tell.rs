//! Whose offer somebody else's act has ended is told, so that the entry waits again at once.
//!
//! The slot says whom to tell for as long as no other offers have ended so, not whether they know:
//! that stands in each entry's own stream. So it is asked at every message about the slot, and
//! written once.

use callboard_contracts::{Cause, StreamId};
use callboard_domain::waitlist::slot::{Slot, SlotFacts, Told};
use callboard_domain::waitlist::{Entry, entry};
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::AppendError;

use crate::advance::Deps;

/// Decisions on one entry before its message goes back to the queue.
const TRIES_MAX: u32 = 3;

/// Tells every entry whose offer of `slot` was ended by somebody else's act.
///
/// # Errors
/// [`Failure`]: retryable if the journal cannot be reached or an entry keeps changing. Those
/// who were told before it are not told again.
pub async fn all(deps: &Deps, slot: &Slot, cause: &Cause) -> Result<(), Failure> {
    let Some(facts) = &slot.facts else {
        return Ok(());
    };
    for told in &slot.to_tell {
        one(deps, facts, told, cause).await?;
    }
    Ok(())
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
