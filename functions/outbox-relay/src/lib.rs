//! `outbox-relay`: publishes every public event of the journal's stream to its topic.
//!
//! This file maps Lambda's stream event to the use case in [`relay`], parks what is unpublishable
//! for its own sake, and answers with the checkpoint: the first record that must come again.

pub mod relay;
pub mod route;

use std::sync::Arc;

use aws_config::SdkConfig;
use callboard_runtime::dead_letter::{DeadLetters, Letter};
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Committed;
use callboard_runtime::publish::Publisher;
use callboard_runtime::settings::{self, SettingsError, Vars};
use callboard_runtime::stream::{self, StreamRecord};
use callboard_runtime::{Clock, Failure};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};

use relay::Deps;
use route::Topics;

/// A parked record counts no tries: it is unpublishable at the first.
const FIRST_TRY: u32 = 1;

/// The function.
///
/// # Errors
/// [`SettingsError`] names the setting that is missing.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let deps = Deps {
        publisher: Publisher::open(sdk),
        topics: Topics::from_vars(vars)?,
        clock: Clock::from_sdk(sdk),
    };
    let parked = DeadLetters::open(
        sdk,
        settings::required(vars, "DLQ_URL")?,
        settings::required(vars, "FUNCTION_NAME")?,
    );
    // Any topic will do: they share one endpoint.
    deps.publisher.warm(vars, deps.topics.external()).await;
    let shared = Arc::new((deps, parked));
    Ok(function::service(move |event| {
        let shared = Arc::clone(&shared);
        async move { handle(&shared.0, &shared.1, event).await }
    }))
}

async fn handle(
    deps: &Deps,
    parked: &DeadLetters,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Error> {
    let records = stream::records(&event.payload)?;
    let mut results: Vec<Result<(), Failure>> = Vec::with_capacity(records.len());
    let mut commits = Vec::new();
    let mut places = Vec::new();
    for (at, record) in records.iter().enumerate() {
        results.push(read(record).map(|commit| {
            if let Some(commit) = commit {
                commits.push(commit);
                places.push(at);
            }
        }));
    }
    for (at, result) in places.into_iter().zip(relay::run(deps, &commits).await) {
        results[at] = result;
    }
    park(parked, &records, &mut results).await;
    Ok(stream::checkpoint(records.iter().zip(&results)))
}

/// The commit to publish, if there is one: removals (by TTL or by hand) and commits without a
/// public event are none of the relay's business, should the mapping's filter let them through.
fn read(record: &StreamRecord) -> Result<Option<Committed>, Failure> {
    if record.by_ttl || record.event_name == "REMOVE" {
        return Ok(None);
    }
    if record.new_image.is_null() {
        return Err(Failure::poison(
            "the record has no new image: is the stream's view NEW_IMAGE?",
        ));
    }
    if record.new_image.pointer("/relay/S").and_then(Value::as_str) != Some("1") {
        return Ok(None);
    }
    Committed::from_stream_image(&record.new_image)
        .map(Some)
        .map_err(|error| Failure::poison(error.to_string()).because(error))
}

/// Parks what will never be publishable, and passes it. Records after the checkpoint come again,
/// so they are left for then; a record that cannot be parked is the checkpoint itself.
async fn park(parked: &DeadLetters, records: &[StreamRecord], results: &mut [Result<(), Failure>]) {
    for (record, result) in records.iter().zip(results) {
        let Err(failure) = &*result else { continue };
        if failure.is_retryable() {
            tracing::warn!(
                sequence_number = %record.sequence_number,
                reason = failure.reason(),
                "publishing stopped; the stream comes again from here"
            );
            return;
        }
        let letter = letter(record, failure);
        tracing::error!(
            commit = %place(record),
            reason = failure.reason(),
            "a commit cannot be published and is parked"
        );
        match parked.send(letter).await {
            Ok(()) => *result = Ok(()),
            Err(error) => {
                tracing::error!(%error, "a record could not be parked; the stream comes again from here");
                return;
            }
        }
    }
}

/// What is parked is where the commit stands, not the commit: that may be larger than a message,
/// and the journal has it.
fn letter(record: &StreamRecord, failure: &Failure) -> Letter {
    let body = json!({
        "commit": place(record),
        "sequenceNumber": record.sequence_number,
        "eventName": record.event_name,
    });
    Letter {
        body: body.to_string(),
        reason: failure.reason().to_owned(),
        error_class: failure.label().to_owned(),
        attempt: FIRST_TRY,
        correlation_id: image(record, "/corr/S").map(str::to_owned),
        id: record.sequence_number.clone(),
        ..Letter::default()
    }
}

/// `<stream>@<number>`, as far as the image tells.
fn place(record: &StreamRecord) -> String {
    let stream = image(record, "/pk/S").unwrap_or("?");
    let number = image(record, "/sk/N").unwrap_or("?");
    format!("{stream}@{number}")
}

fn image<'a>(record: &'a StreamRecord, pointer: &str) -> Option<&'a str> {
    record.new_image.pointer(pointer).and_then(Value::as_str)
}
