//! The live view of `dev`: one line per event, read from the journal's stream as any
//! consumer would. Ids only, for the journal holds nothing else.

use std::io::Write;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use callboard_runtime::journal::Committed;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// Logical id of the table whose stream is shown.
pub(crate) const JOURNAL: &str = "JournalTable";

/// How long the engine holds back an empty answer: no polling while nothing happens.
const WAIT_MS: &str = "15000";

/// Header by which that is asked for; AWS ignores it.
const WAIT_HEADER: &str = "x-callboard-wait-ms";

/// Pause after a failed read, and before looking for new shards.
const PAUSE: Duration = Duration::from_secs(1);

/// For whom a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A person.
    Words,
    /// A program.
    Json,
}

/// Shows events of the stream, from now on, until the output is gone.
pub(crate) async fn show(sdk: &SdkConfig, stream_arn: &str, form: Form, mut out: impl Write) {
    let client = Client::new(sdk);
    let mut shard = None;
    loop {
        match newest_shard(&client, stream_arn).await {
            Some(newest) if shard.as_ref() != Some(&newest) => {
                let read = follow(&client, stream_arn, &newest, form, &mut out).await;
                if read.is_break() {
                    return;
                }
                shard = Some(newest);
            }
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The shard without an end; the engine has one, AWS may have several, of which a
/// live view shows one.
pub(crate) async fn newest_shard(client: &Client, stream_arn: &str) -> Option<String> {
    let described = client.describe_stream().stream_arn(stream_arn).send().await;
    let description = described.ok()?.stream_description?;
    let shards = description.shards.unwrap_or_default();
    shards.into_iter().next_back()?.shard_id
}

/// Reads one shard to its end; breaks off when the output is gone.
async fn follow(
    client: &Client,
    stream_arn: &str,
    shard: &str,
    form: Form,
    out: &mut impl Write,
) -> std::ops::ControlFlow<()> {
    use std::ops::ControlFlow::{Break, Continue};
    let first = client
        .get_shard_iterator()
        .stream_arn(stream_arn)
        .shard_id(shard)
        .shard_iterator_type(ShardIteratorType::Latest)
        .send()
        .await;
    let mut iterator = first.ok().and_then(|answer| answer.shard_iterator);
    while let Some(at) = iterator {
        let answer = client
            .get_records()
            .shard_iterator(&at)
            .customize()
            .mutate_request(|request| {
                request.headers_mut().insert(WAIT_HEADER, WAIT_MS);
            })
            .send()
            .await;
        let Ok(answer) = answer else {
            return Continue(());
        };
        for record in answer.records() {
            for line in lines_of(record, form) {
                if writeln!(out, "{line}").is_err() {
                    return Break(());
                }
            }
        }
        iterator = answer.next_shard_iterator;
    }
    Continue(())
}

/// The events of one record; none for what is no commit (a removal by TTL, say).
fn lines_of(record: &Record, form: Form) -> Vec<String> {
    let commit = commit_of(record);
    let lines = commit.iter().flat_map(|commit| {
        let events = commit.events.iter();
        events.map(|event| match form {
            Form::Words => line(commit, &event.event_type),
            Form::Json => json_line(commit, &event.event_type),
        })
    });
    lines.collect()
}

/// The commit in a record, if it is one.
pub(crate) fn commit_of(record: &Record) -> Option<Committed> {
    let image = record.dynamodb()?.new_image()?;
    let typed: Map<String, Value> = image
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), typed_json(value)?)))
        .collect();
    Committed::from_stream_image(&Value::Object(typed)).ok()
}

/// A commit is made of texts and numbers only.
fn typed_json(value: &AttributeValue) -> Option<Value> {
    match value {
        AttributeValue::S(text) => Some(json!({ "S": text })),
        AttributeValue::N(number) => Some(json!({ "N": number })),
        _ => None,
    }
}

fn line(commit: &Committed, event_type: &str) -> String {
    let time = Timestamp::from_millisecond(commit.at.as_millis())
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::system())
        .strftime("%H:%M:%S%.3f")
        .to_string();
    let correlation = shortened(&commit.cause.correlation_id);
    format!(
        "{time}  {:<36} {:<48} {correlation}",
        short_type(event_type),
        commit.stream.to_string()
    )
}

fn json_line(commit: &Committed, event_type: &str) -> String {
    let at = Timestamp::from_millisecond(commit.at.as_millis()).unwrap_or(Timestamp::UNIX_EPOCH);
    let event = json!({
        "at": at.to_string(),
        "type": event_type,
        "stream": commit.stream.to_string(),
        "correlationId": commit.cause.correlation_id,
    });
    json!({ "event": event }).to_string()
}

/// `waitlist.slot-released` of `callboard.waitlist.slot-released.v1`; foreign types
/// stay whole.
fn short_type(event_type: &str) -> &str {
    let Some(ours) = event_type.strip_prefix("callboard.") else {
        return event_type;
    };
    ours.rsplit_once('.').map_or(ours, |(name, _version)| name)
}

/// Characters of a correlation id that are shown, from its end: a UUID's last group.
const CORRELATION_SHOWN: usize = 12;

/// The random end of a UUIDv7, and all of a short id.
fn shortened(id: &str) -> &str {
    let start = id
        .char_indices()
        .rev()
        .nth(CORRELATION_SHOWN - 1)
        .map_or(0, |(start, _)| start);
    &id[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_ids_are_shortened_to_what_a_person_reads() {
        assert_eq!(
            short_type("callboard.waitlist.slot-released.v1"),
            "waitlist.slot-released"
        );
        assert_eq!(
            short_type("com.example.order-placed.v1"),
            "com.example.order-placed.v1"
        );
        assert_eq!(
            shortened("0193b1e2-0000-7000-8000-0123456789ab"),
            "0123456789ab"
        );
        assert_eq!(shortened("demo"), "demo");
        assert_eq!(shortened("ü"), "ü");
    }
}
