//! Hands a due command to the owner of a stream when its deadline has come.
//!
//! A message on this queue (an event with a deadline in it, or a `due` command of our own that
//! still waits) becomes a [`Timer`]; a timer either waits on as a delayed message or goes to the
//! queue of the consumer that owns the stream. No rule lives here: whether something is *done*
//! at a deadline is decided by that owner, on the journal. A lost or early reminder costs time,
//! never correctness.

pub mod remind;
pub mod timer;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_runtime::batch::{Batch, Outlet, SqsRecord};
use callboard_runtime::clock::Clock;
use callboard_runtime::function::{self, Service};
use callboard_runtime::queue::Queue;
use callboard_runtime::settings::{self, SettingsError, Vars};
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::remind::{Deps, Outcome};
use crate::timer::{GROUP_ATTRIBUTE, Timer};

/// Timers handled at the same time: a batch has at most ten, and each is one request.
const CONCURRENCY: usize = 10;

/// Builds the function from its settings.
///
/// # Errors
/// [`SettingsError`] names the variable that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let grace_seconds: u32 = settings::parsed(vars, "HOLD_GRACE_SECONDS")?;
    let deps = Deps {
        clock: Clock::from_sdk(sdk),
        own_queue: Queue::new(sdk, settings::required(vars, "QUEUE_URL")?),
        owner_queue: Queue::new(sdk, settings::required(vars, "WAITLIST_CASCADE_QUEUE_URL")?),
    };
    let outlet = Outlet::from_vars(vars, sdk)?;
    deps.own_queue.warm(vars).await;
    let shared = Arc::new((deps, outlet, Duration::from_secs(grace_seconds.into())));
    Ok(function::service(move |event: LambdaEvent<Value>| {
        let shared = Arc::clone(&shared);
        async move {
            let (deps, outlet, grace) = &*shared;
            handle(deps, outlet, *grace, event.payload).await
        }
    }))
}

async fn handle(
    deps: &Deps,
    outlet: &Outlet,
    grace: Duration,
    event: Value,
) -> Result<Value, lambda_runtime::Error> {
    let decode = |record: &SqsRecord| {
        let envelope = record.envelope()?;
        Timer::read(envelope, record.attribute(GROUP_ATTRIBUTE), grace)
    };
    let batch = Batch::sqs(event, decode)?;
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
