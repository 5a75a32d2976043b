//! The records that a range names, read from the stream of the journal while it keeps them.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{
    AttributeValue as Streamed, OperationType, Record, ShardIteratorType,
};
use callboard_runtime::fault::AwsFault;
use callboard_runtime::journal::Item;

use super::place::Range;

/// Answers without a record, one after another, before a range is taken for gone. DynamoDB gives some
/// where a shard is sparse.
const EMPTY_ANSWERS_MAX: usize = 50;

/// Codes that say that the records are not there any more: the stream keeps them for 24 hours
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html>).
const GONE: [&str; 2] = ["TrimmedDataAccessException", "ResourceNotFoundException"];

/// What the stream says of a range.
pub(super) enum Answer {
    /// The items that the relay's mapping lets through, in the order of the stream.
    Records(Vec<Item>),
    /// They are not there any more, and how that was said.
    Gone(String),
}

/// Reads the records of a range, as often as there are pages of them.
///
/// # Errors
/// A call that failed for another reason than that the records are gone.
pub(super) async fn read(streams: &Client, range: &Range) -> Result<Answer, AwsFault> {
    let first = streams
        .get_shard_iterator()
        .stream_arn(&range.stream_arn)
        .shard_id(&range.shard)
        .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
        .sequence_number(&range.start)
        .send()
        .await
        .map_err(|error| AwsFault::of("GetShardIterator", error));
    let mut iterator = match first {
        Ok(answer) => answer.shard_iterator,
        Err(fault) => return gone(fault),
    };
    let (mut items, mut empty) = (Vec::new(), 0);
    while let Some(at) = iterator {
        let page = streams.get_records().shard_iterator(at).send().await;
        let page = match page.map_err(|error| AwsFault::of("GetRecords", error)) {
            Ok(page) => page,
            Err(fault) => return gone(fault),
        };
        for record in page.records() {
            let number = number_of(record);
            if !range.ends_before(number) {
                items.extend(let_through(record));
            }
            if range.ends_at(number) {
                return Ok(Answer::Records(items));
            }
        }
        empty = match page.records().is_empty() {
            true => empty + 1,
            false => 0,
        };
        if empty > EMPTY_ANSWERS_MAX {
            break;
        }
        iterator = page.next_shard_iterator;
    }
    Ok(Answer::Gone(
        "its shard does not reach to the end of the range".to_owned(),
    ))
}

fn gone(fault: AwsFault) -> Result<Answer, AwsFault> {
    match GONE.contains(&fault.code.as_str()) {
        true => Ok(Answer::Gone(fault.to_string())),
        false => Err(fault),
    }
}

fn number_of(record: &Record) -> &str {
    let change = record.dynamodb.as_ref();
    change
        .and_then(|change| change.sequence_number())
        .unwrap_or_default()
}

/// The item, if the mapping's filter (`relay` is `1`) lets the record through.
fn let_through(record: &Record) -> Option<Item> {
    if record.event_name == Some(OperationType::Remove) {
        return None;
    }
    let image = record.dynamodb.as_ref()?.new_image.as_ref()?;
    match image.get("relay") {
        Some(Streamed::S(relay)) if relay == "1" => {}
        _ => return None,
    }
    let plain = image.iter().filter_map(|(name, value)| match value {
        Streamed::S(text) => Some((name.clone(), AttributeValue::S(text.clone()))),
        Streamed::N(number) => Some((name.clone(), AttributeValue::N(number.clone()))),
        // A commit has no other kinds.
        _ => None,
    });
    Some(plain.collect())
}
