//! Offers a free slot to the next fair person, again and again until it is filled.
//!
//! A message here is a hint that a slot may need its next step; [`advance`] takes it. What the
//! rules are stands in `callboard_domain::waitlist`, who waits stands in the table `views`, and
//! what is true stands in the journal.

pub mod advance;
pub mod announce;
pub mod look_up;
pub mod message;
mod search;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_contracts::{Cause, EntryId, SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::timing::Timing;
use callboard_domain::waitlist::{Entry, entry};
use callboard_runtime::batch::{Batch, Outlet};
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::Failure;
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Journal;
use callboard_runtime::settings::{self, SettingsError, Vars};
use callboard_runtime::table::Table;
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::advance::{Deps, Outcome};
use crate::look_up::Views;
use crate::message::{Ask, Message};

/// Waitlists served at the same time: a FIFO batch has at most ten messages, so at most ten
/// groups.
const CONCURRENCY: usize = 10;

/// How much earlier than its deadline a reminder may come and still be waited for: clocks of
/// two machines differ by milliseconds, and a message that blocks its waitlist any longer is
/// worse than one that is taken for a mistake.
const EARLY_MAX: Duration = Duration::from_secs(5);

/// Builds the function from its settings.
///
/// # Errors
/// [`SettingsError`] names the variable that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let seconds = |name| settings::parsed(vars, name).map(Duration::from_secs);
    let deps = Deps {
        journal: Journal::open(sdk, settings::required(vars, "JOURNAL_TABLE")?),
        views: Views::new(Table::new(sdk, settings::required(vars, "VIEWS_TABLE")?)),
        timing: Timing {
            hold_grace: seconds("HOLD_GRACE_SECONDS")?,
            second_look: seconds("SECOND_LOOK_SECONDS")?,
        },
        clock: Clock::from_sdk(sdk),
    };
    let outlet = Outlet::from_vars(vars, sdk)?;
    function::warm(vars, deps.journal.client(), deps.journal.table()).await;
    let shared = Arc::new((deps, outlet));
    Ok(function::service(move |event: LambdaEvent<Value>| {
        let shared = Arc::clone(&shared);
        async move { handle(&shared.0, &shared.1, event.payload).await }
    }))
}

async fn handle(
    deps: &Deps,
    outlet: &Outlet,
    event: Value,
) -> Result<Value, lambda_runtime::Error> {
    let batch = Batch::fifo(event, Message::read)?;
    let batch = batch
        .stage(CONCURRENCY, |record| async move {
            run(deps, &record.value).await
        })
        .await;
    Ok(batch.finish(outlet).await)
}

/// Does what a message asks for.
///
/// # Errors
/// [`Failure`] as its class says.
pub async fn run(deps: &Deps, message: &Message) -> Result<(), Failure> {
    let cause = &message.cause;
    match &message.ask {
        Ask::Slot(slot_id) => step(deps, slot_id, None, cause).await.map(drop),
        Ask::Due { slot_id, due_at } => {
            let outcome = step(deps, slot_id, None, cause).await?;
            not_too_early(&outcome, *due_at, deps.clock.now())
        }
        Ask::Broadcast { slot_id, version } => {
            Box::pin(announce::go_on(deps, slot_id, *version, None, cause)).await
        }
        Ask::Entry(entry_id) => look_for_slots(deps, entry_id, cause).await,
    }
}

/// A reminder that came before the very deadline it reminds of (two clocks differ) waits for it.
fn not_too_early(outcome: &Outcome, due_at: Timestamp, now: Timestamp) -> Result<(), Failure> {
    let (Outcome::Waits { until }
    | Outcome::StillNobody {
        look_again_at: until,
    }) = outcome
    else {
        return Ok(());
    };
    if *until == due_at && until.since(now) <= EARLY_MAX {
        return Err(Failure::hold_until(*until));
    }
    Ok(())
}

/// Tries the open slots on an entry that may suit one now, until one is its own to answer.
///
/// Joining, coming back, other wishes and another rank lead here (another rank, because the entry
/// may stand in front of where a search has come to in its new class). The end of an offer does
/// not: the slot that was offered looks on by itself, and one that passed the entry over as busy
/// looks once more before it is opened to the public, and then asks the entry's own stream.
async fn look_for_slots(deps: &Deps, entry_id: &EntryId, cause: &Cause) -> Result<(), Failure> {
    let stream = StreamId::entry(entry_id);
    let entry = deps.journal.load::<Entry>(&stream).await?.state;
    let (Some(facts), Some(candidate)) = (&entry.facts, entry.candidate()) else {
        return Ok(());
    };
    if entry::available(&entry, &deps.timing, deps.clock.now()).is_err() {
        return Ok(());
    }
    let (waitlist, service) = (&facts.waitlist_id, &facts.service);
    for slot_id in deps.views.open_slots(waitlist, service).await? {
        let outcome = step(deps, &slot_id, Some(&candidate), cause).await?;
        if is_for(&outcome, entry_id) {
            break;
        }
    }
    Ok(())
}

/// Whether the entry has been offered the slot, or has taken it.
fn is_for(outcome: &Outcome, entry: &EntryId) -> bool {
    match outcome {
        Outcome::Offered { offers, .. } => offers.iter().any(|offer| offer.entry_id == *entry),
        Outcome::Filled { entry_id } => entry_id == entry,
        _ => false,
    }
}

async fn step(
    deps: &Deps,
    slot_id: &SlotId,
    known: Option<&Candidate>,
    cause: &Cause,
) -> Result<Outcome, Failure> {
    let outcome = advance::run(deps, slot_id, known, cause).await?;
    log(slot_id, &outcome, cause);
    Ok(outcome)
}

fn log(slot_id: &SlotId, outcome: &Outcome, cause: &Cause) {
    let correlation_id = cause.correlation_id.as_str();
    match outcome {
        Outcome::Offered { offers, expires_at } => {
            for offer in offers {
                let (entry_id, offer_id) = (&offer.entry_id, &offer.offer_id);
                tracing::info!(%slot_id, %entry_id, %offer_id, %expires_at, correlation_id, "a slot was offered");
            }
        }
        Outcome::Filled { entry_id } => {
            tracing::info!(%slot_id, %entry_id, correlation_id, "a slot was taken at once, as the person wished");
        }
        Outcome::NobodyFound { look_again_at } => {
            tracing::info!(%slot_id, %look_again_at, correlation_id, "nobody waits for the slot");
        }
        Outcome::OpenedToPublic => {
            tracing::info!(%slot_id, correlation_id, "a slot was opened to the public");
        }
        Outcome::Broadcast => {
            tracing::info!(%slot_id, correlation_id, "a slot was opened to all who wait");
        }
        Outcome::Closed => {
            tracing::info!(%slot_id, correlation_id, "it is too late to offer the slot again");
        }
        Outcome::Nothing | Outcome::Waits { .. } | Outcome::StillNobody { .. } => {
            tracing::debug!(%slot_id, ?outcome, correlation_id, "nothing to do for the slot");
        }
    }
}
