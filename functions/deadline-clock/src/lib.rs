//! Hands a due command to the owner of a stream when its deadline has come.
//!
//! A message on this queue (an event with a deadline in it, or a `due` command of our own that
//! still waits) becomes a [`Timer`]; a timer either waits on as a delayed message or goes to the
//! queue of the consumer that owns the stream. No rule lives here: whether something is *done*
//! at a deadline is decided by that owner, on the journal. A lost or early reminder costs time,
//! never correctness.
//!
//! Once a minute a schedule asks for the [`sweep`], which finds due work in the journal itself:
//! it is what holds, the messages only make it quick.

pub mod mark;
pub mod remind;
pub mod sweep;
pub mod timer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_runtime::batch::{Batch, Outlet, SqsRecord};
use callboard_runtime::clock::Clock;
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Journal;
use callboard_runtime::metrics::{self, Metric};
use callboard_runtime::queue::Queue;
use callboard_runtime::settings::{self, SettingsError, Vars};
use callboard_runtime::table::Table;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};

use crate::remind::{Deps, Outcome};
use crate::timer::Timer;

/// Timers handled at the same time: a batch has at most ten, and each is one request.
const CONCURRENCY: usize = 10;

/// Builds the function from its settings.
///
/// # Errors
/// [`SettingsError`] names the variable that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let grace_seconds: u32 = settings::parsed(vars, "HOLD_GRACE_SECONDS")?;
    let owner_queue = Queue::new(sdk, settings::required(vars, "WAITLIST_CASCADE_QUEUE_URL")?);
    let shared = Arc::new(Shared {
        sweep: sweep::Deps {
            clock: Clock::from_sdk(sdk),
            journal: Journal::open(sdk, settings::required(vars, "JOURNAL_TABLE")?),
            views: Table::new(sdk, settings::required(vars, "VIEWS_TABLE")?),
            owners: BTreeMap::from([("waitlist-cascade".to_owned(), owner_queue.clone())]),
            overtaken: Mutex::default(),
        },
        remind: Deps {
            clock: Clock::from_sdk(sdk),
            own_queue: Queue::new(sdk, settings::required(vars, "QUEUE_URL")?),
            owner_queue,
        },
        outlet: Outlet::from_vars(vars, sdk)?,
        grace: Duration::from_secs(grace_seconds.into()),
    });
    shared.remind.own_queue.warm(vars).await;
    Ok(function::service(move |event: LambdaEvent<Value>| {
        let shared = Arc::clone(&shared);
        async move {
            if is_schedule(&event.payload) {
                swept(&shared.sweep).await
            } else {
                handle(&shared.remind, &shared.outlet, shared.grace, event.payload).await
            }
        }
    }))
}

/// What all invocations of one sandbox share.
struct Shared {
    remind: Deps,
    sweep: sweep::Deps,
    outlet: Outlet,
    grace: Duration,
}

/// Whether a rule of EventBridge calls, not a queue
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html>).
fn is_schedule(event: &Value) -> bool {
    event["source"] == "aws.events" && event["detail-type"] == "Scheduled Event"
}

async fn swept(deps: &sweep::Deps) -> Result<Value, lambda_runtime::Error> {
    let swept = sweep::run(deps).await?;
    let overdue_ms = u64::try_from(swept.overdue.as_millis()).unwrap_or(u64::MAX);
    if swept.overdue > Duration::ZERO {
        metrics::observe(Metric::DeadlineOverdue, swept.overdue);
    }
    let (seen, handed_over, failed) = (swept.seen, swept.handed_over, swept.failed);
    if handed_over > 0 {
        tracing::info!(
            seen,
            handed_over,
            overdue_ms,
            "due work was found in the agenda"
        );
    } else {
        tracing::debug!(seen, "the agenda was swept");
    }
    if failed > 0 {
        return Err(format!("the owners of {failed} due streams were not told").into());
    }
    Ok(
        json!({ "seen": seen, "handedOver": handed_over, "failed": failed, "overdueMs": overdue_ms }),
    )
}

async fn handle(
    deps: &Deps,
    outlet: &Outlet,
    grace: Duration,
    event: Value,
) -> Result<Value, lambda_runtime::Error> {
    let batch = Batch::sqs(event, |record: &SqsRecord| Timer::read(record, grace))?;
    let batch = batch
        .stage(CONCURRENCY, |record| async move {
            let timer = &record.value;
            let outcome = remind::run(deps, timer).await?;
            log(timer, outcome);
            Ok(())
        })
        .await;
    Ok(batch.finish(outlet).await)
}

fn log(timer: &Timer, outcome: Outcome) {
    let (stream, due_at) = (&timer.due.stream, timer.due.due_at);
    let correlation_id = timer.correlation_id();
    match outcome {
        Outcome::Waits(delay_seconds) => {
            tracing::info!(%stream, %due_at, correlation_id, delay_seconds, "a deadline is waited for");
        }
        Outcome::HandedOver => {
            tracing::info!(%stream, %due_at, correlation_id, "a due stream was handed to its owner");
        }
    }
}
