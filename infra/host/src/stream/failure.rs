//! What the on-failure destination hears of records that were given up: metadata only,
//! as <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html> shows it.
//! The records themselves stay in the stream for its 24 hours, and the table has the rest.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::display::DisplayErrorContext;
use serde_json::{Value, json};

use super::StreamContext;
use super::event::StreamRecord;
use crate::observe::Verdict;
use crate::stop::Stop;

/// First pause after the destination refused; doubled up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// Longest pause between tries to reach the destination.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Where the metadata goes.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    /// A standard queue, by URL.
    Queue(String),
    /// A standard topic, by ARN.
    Topic(String),
}

/// Why records were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

impl Condition {
    fn as_str(self) -> &'static str {
        match self {
            Condition::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Condition::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// The last invocation for the records that are given up, if there was one.
#[derive(Debug, Clone)]
pub(super) struct LastCall {
    pub request_id: String,
    pub verdict: Verdict,
    /// Invocations with these records so far.
    pub invocations: u64,
}

/// The document for the destination.
pub(super) fn document(
    context: &StreamContext,
    shard_id: &str,
    records: &[StreamRecord],
    condition: Condition,
    last: Option<&LastCall>,
) -> Value {
    let request_id = last.map_or_else(crate::invocation::request_id, |last| {
        last.request_id.clone()
    });
    let mut document = json!({
        "requestContext": {
            "requestId": request_id,
            "functionArn": context.function.config().arn,
            "condition": condition.as_str(),
            "approximateInvokeCount": last.map_or(0, |last| last.invocations),
        },
        "version": "1.0",
        "timestamp": timestamp(context.function.now()),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": records.first().map(|record| &record.sequence_number),
            "endSequenceNumber": records.last().map(|record| &record.sequence_number),
            "approximateArrivalOfFirstRecord": records.first().and_then(|record| record.created_at).map(timestamp),
            "approximateArrivalOfLastRecord": records.last().and_then(|record| record.created_at).map(timestamp),
            "batchSize": records.len(),
            "streamArn": context.mapping.stream_arn,
        },
    });
    if let Some(last) = last {
        let mut response = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
        if matches!(
            last.verdict,
            Verdict::Failed | Verdict::TimedOut | Verdict::Panicked
        ) {
            response["functionError"] = "Unhandled".into();
        }
        document["responseContext"] = response;
    }
    document
}

/// Sends the document, as often as it takes: giving up here would lose records without
/// a trace. False if a stop came first; the records are then delivered again later.
pub(super) async fn send(
    context: &StreamContext,
    destination: &Destination,
    document: &Value,
    stop: &mut Stop,
) -> bool {
    let text = document.to_string();
    let mut pause = PAUSE_FIRST;
    loop {
        let sent = match destination {
            Destination::Queue(url) => context
                .sqs
                .send_message()
                .queue_url(url)
                .message_body(&text)
                .send()
                .await
                .map(|_| ())
                .map_err(|error| DisplayErrorContext(error).to_string()),
            Destination::Topic(arn) => context
                .sns
                .publish()
                .topic_arn(arn)
                .message(&text)
                .send()
                .await
                .map(|_| ())
                .map_err(|error| DisplayErrorContext(error).to_string()),
        };
        let Err(error) = sent else { return true };
        tracing::warn!(
            function = %context.function.config().name,
            error,
            "the on-failure destination did not take a record; trying again"
        );
        if !stop.sleep(pause).await {
            return false;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// RFC 3339, to the millisecond.
fn timestamp(at: SystemTime) -> String {
    let ms = i64::try_from(crate::invocation::unix_ms(at)).unwrap_or(i64::MAX);
    DateTime::from_millis(ms)
        .fmt(Format::DateTime)
        .unwrap_or_default()
}
