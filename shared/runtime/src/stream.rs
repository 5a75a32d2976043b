//! DynamoDB Streams batches: in order, with a checkpoint at the first failure.
//!
//! Lambda takes the *lowest* reported sequence number as checkpoint and delivers everything from
//! there again; so exactly one is reported, the first that failed, and nothing after it counts
//! as done unless the consumer can bear to see it twice.
//!
//! ```no_run
//! # use serde_json::Value;
//! use callboard_runtime::stream;
//! # async fn handle(event: Value) -> Result<Value, lambda_runtime::Error> {
//! let answer = stream::process(event, |record| async move {
//!     let image = record.new_image; // DynamoDB JSON
//!     Ok(())
//! })
//! .await?;
//! # Ok(answer) }
//! ```

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::metrics::{self, Metric};

/// An event that is no stream batch: nothing in it could be reported.
#[derive(Debug, thiserror::Error)]
#[error("the event is not a DynamoDB Streams batch: {0}")]
pub struct NotAStream(&'static str);

/// One change of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRecord {
    /// Its place in the shard.
    pub sequence_number: String,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub event_name: String,
    /// The item after the change, in DynamoDB JSON; `null` if there is none.
    pub new_image: Value,
    /// Whether TTL removed the item.
    pub by_ttl: bool,
}

/// Reads the records of a stream batch, in their order.
///
/// # Errors
/// [`NotAStream`] when there are no records, or one has no sequence number: it could not be
/// reported, so the whole invocation fails.
pub fn records(event: &Value) -> Result<Vec<StreamRecord>, NotAStream> {
    let records = event
        .get("Records")
        .and_then(Value::as_array)
        .ok_or(NotAStream("it has no Records"))?;
    let read = |record: &Value| {
        let dynamodb = record.get("dynamodb").unwrap_or(&Value::Null);
        let number = dynamodb
            .get("SequenceNumber")
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        let principal = record
            .pointer("/userIdentity/principalId")
            .and_then(Value::as_str);
        Ok(StreamRecord {
            sequence_number: number
                .ok_or(NotAStream("a record has no SequenceNumber"))?
                .to_owned(),
            event_name: record
                .get("eventName")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            new_image: dynamodb.get("NewImage").cloned().unwrap_or(Value::Null),
            by_ttl: principal == Some("dynamodb.amazonaws.com"),
        })
    };
    records.iter().map(read).collect()
}

/// Lambda's answer for a batch whose records ended in `results` (in the records' order): the
/// first failure, or none.
#[must_use]
pub fn checkpoint<'a, E: 'a>(
    results: impl IntoIterator<Item = (&'a StreamRecord, &'a Result<(), E>)>,
) -> Value {
    let first = results.into_iter().find(|(_, result)| result.is_err());
    if first.is_some() {
        metrics::count(Metric::BatchItemFailures, "checkpoint");
    }
    let failures: Vec<Value> = first
        .iter()
        .map(|(record, _)| json!({ "itemIdentifier": record.sequence_number }))
        .collect();
    json!({ "batchItemFailures": failures })
}

/// Hands the records to `step` one after the other and stops at the first that fails or panics.
///
/// # Errors
/// [`NotAStream`] when the event is no stream batch.
pub async fn process<F, Fut>(event: Value, step: F) -> Result<Value, NotAStream>
where
    F: Fn(StreamRecord) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    for record in records(&event)? {
        let sequence_number = record.sequence_number.clone();
        let run = async { step(record).await };
        let outcome = AssertUnwindSafe(run)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Failure::panicked()));
        if let Err(failure) = outcome {
            tracing::warn!(%sequence_number, class = failure.label(), reason = failure.reason(), "a stream record failed");
            metrics::count(Metric::BatchItemFailures, "checkpoint");
            return Ok(json!({ "batchItemFailures": [{ "itemIdentifier": sequence_number }] }));
        }
    }
    Ok(json!({ "batchItemFailures": [] }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn event(numbers: &[&str]) -> Value {
        let records = numbers.iter().map(|number| {
            json!({ "eventName": "INSERT", "dynamodb": { "SequenceNumber": number, "NewImage": { "pk": { "S": number } } } })
        });
        json!({ "Records": records.collect::<Vec<_>>() })
    }

    #[tokio::test]
    async fn the_first_failure_is_the_checkpoint_and_nothing_after_it_is_tried() {
        let seen = Mutex::new(Vec::new());
        let answer = process(event(&["1", "2", "3"]), |record| {
            seen.lock()
                .expect("unpoisoned")
                .push(record.sequence_number.clone());
            async move {
                match record.sequence_number.as_str() {
                    "2" => Err(Failure::retryable("later")),
                    _ => Ok(()),
                }
            }
        });
        let answer = answer.await.expect("a stream batch");
        assert_eq!(
            answer,
            json!({ "batchItemFailures": [{ "itemIdentifier": "2" }] })
        );
        assert_eq!(*seen.lock().expect("unpoisoned"), ["1", "2"]);
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_of_its_record() {
        let answer = process(event(&["1", "2"]), |record| async move {
            assert_ne!(record.sequence_number, "2", "boom");
            Ok(())
        });
        assert_eq!(
            answer.await.expect("a batch"),
            json!({ "batchItemFailures": [{ "itemIdentifier": "2" }] })
        );
    }

    #[tokio::test]
    async fn a_record_that_could_not_be_reported_fails_the_whole_invocation() {
        let event = json!({ "Records": [{ "dynamodb": {} }] });
        assert!(process(event, |_| async { Ok(()) }).await.is_err());
        assert!(process(json!({}), |_| async { Ok(()) }).await.is_err());
    }

    #[test]
    fn of_several_failures_the_first_is_reported() {
        let records = records(&event(&["1", "2", "3"])).expect("a batch");
        let results = [Ok(()), Err("late"), Err("later")];
        let answer = checkpoint(records.iter().zip(&results));
        assert_eq!(
            answer,
            json!({ "batchItemFailures": [{ "itemIdentifier": "2" }] })
        );
    }

    #[test]
    fn a_removal_by_ttl_is_told_apart() {
        let event = json!({ "Records": [{
            "eventName": "REMOVE",
            "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" },
            "dynamodb": { "SequenceNumber": "9" }
        }]});
        assert!(records(&event).expect("a batch")[0].by_ttl);
    }
}
