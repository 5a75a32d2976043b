//! Offers a free slot to the next fair person, again and again until it is filled.
//!
//! A message here is a hint that a slot may need its next step; [`advance`] takes it. What the
//! rules are stands in `callboard_domain::waitlist`, who waits stands in the table `views`, and
//! what is true stands in the journal.

pub mod advance;
pub mod look_up;
pub mod message;
mod search;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_contracts::{Cause, SlotId, Timestamp, WaitlistId};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::timing::Timing;
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
        Ask::Joined {
            waitlist_id,
            service,
            candidate,
        } => joined(deps, waitlist_id, service, candidate, cause).await,
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

/// Tries the open slots for somebody new, until one is theirs to answer.
async fn joined(
    deps: &Deps,
    waitlist: &WaitlistId,
    service: &str,
    candidate: &Candidate,
    cause: &Cause,
) -> Result<(), Failure> {
    for slot_id in deps.views.open_slots(waitlist, service).await? {
        let outcome = step(deps, &slot_id, Some(candidate), cause).await?;
        match outcome {
            Outcome::Offered { offers, .. }
                if offers
                    .iter()
                    .any(|offer| offer.entry_id == candidate.entry_id) =>
            {
                break;
            }
            Outcome::Filled { entry_id } if entry_id == candidate.entry_id => break,
            _ => {}
        }
    }
    Ok(())
}

async fn step(
    deps: &Deps,
    slot_id: &SlotId,
    joined: Option<&Candidate>,
    cause: &Cause,
) -> Result<Outcome, Failure> {
    let outcome = advance::run(deps, slot_id, joined, cause).await?;
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
