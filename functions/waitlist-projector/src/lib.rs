//! Keeps the waitlist's views up to date from the journal.
//!
//! A message says that a stream has reached a commit; the views of that stream are then written
//! from its fold. The message's own data are not used: messages come twice and in any order, the
//! journal does not.
//!
//! [`rebuild`] does the same for streams of which no message tells, as `callboard replay` has it.

mod figures;
pub mod kind;
pub mod projection;
pub mod rebuild;
pub mod rows;
pub mod view;

use std::sync::Arc;

use aws_config::SdkConfig;
use callboard_contracts::StreamId;
use callboard_runtime::batch::{Batch, Outlet, SqsRecord};
use callboard_runtime::failure::Failure;
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Journal;
use callboard_runtime::settings::{self, SettingsError, Vars};
use callboard_runtime::table::Table;
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::projection::{Deps, Outcome};

/// Streams projected at the same time: a batch has at most ten messages, and each spends its
/// time waiting for the tables.
const CONCURRENCY: usize = 10;

/// Builds the function from its settings.
///
/// # Errors
/// [`SettingsError`] names the variable that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let deps = Deps {
        journal: Journal::open(sdk, settings::required(vars, "JOURNAL_TABLE")?),
        views: Table::new(sdk, settings::required(vars, "VIEWS_TABLE")?),
    };
    let outlet = Outlet::from_vars(vars, sdk)?;
    function::warm(vars, deps.journal.client(), deps.journal.table()).await;
    let shared = Arc::new((deps, outlet));
    Ok(function::service(move |event: LambdaEvent<Value>| {
        let shared = Arc::clone(&shared);
        async move { handle(&shared.0, &shared.1, event.payload).await }
    }))
}

/// What a message says: this stream has reached this commit.
struct Hint {
    stream: StreamId,
    reached: Option<u64>,
    correlation_id: Option<String>,
}

fn decode(record: &SqsRecord) -> Result<Hint, Failure> {
    let envelope = record.envelope()?;
    let stream = envelope
        .subject
        .and_then(|subject| StreamId::try_from(subject).ok())
        .ok_or_else(|| Failure::poison("`subject` does not name a stream"))?;
    Ok(Hint {
        stream,
        reached: envelope.sequence.map(|sequence| sequence.commit),
        correlation_id: envelope.correlationid,
    })
}

async fn handle(
    deps: &Deps,
    outlet: &Outlet,
    event: Value,
) -> Result<Value, lambda_runtime::Error> {
    let batch = Batch::sqs(event, decode)?;
    let batch = batch
        .stage(CONCURRENCY, |record| async move {
            let hint = &record.value;
            let outcome = projection::run(deps, &hint.stream, hint.reached).await?;
            log(hint, outcome);
            Ok(())
        })
        .await;
    Ok(batch.finish(outlet).await)
}

fn log(hint: &Hint, outcome: Outcome) {
    let (stream, correlation_id) = (&hint.stream, hint.correlation_id.as_deref());
    match outcome {
        Outcome::Written { applied } => {
            tracing::info!(%stream, correlation_id, applied, "the views of a stream were written");
        }
        Outcome::NothingToShow => {
            tracing::debug!(%stream, correlation_id, "there is no view of it");
        }
        Outcome::UpToDate { applied } => {
            tracing::debug!(%stream, correlation_id, applied, "the views had seen it already");
        }
    }
}
