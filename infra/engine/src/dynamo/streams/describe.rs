//! `DescribeStream` and `ListStreams`.

use super::super::dispatch::encode;
use super::super::refusal::{self, Outcome};
use super::lives::{self, bound};
use super::public;
use dynoxide::DynoxideError;
use dynoxide::storage::Storage;
use serde::Deserialize;
use serde_json::{Value, json};

/// Streams of a page, and shards of a page, when nothing else is asked for (AWS: 100).
const PAGE: i64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeRequest {
    stream_arn: String,
    exclusive_start_shard_id: Option<String>,
    limit: Option<i64>,
}

pub(in super::super) fn describe(storage: &Storage, body: &str) -> Outcome<String> {
    let request: DescribeRequest = refusal::decode(body)?;
    limited(request.limit, PAGE)?;
    let stream = lives::named(storage, &request.stream_arn)?;
    let shard = stream.shard_id();
    let shards = if request.exclusive_start_shard_id.as_deref() == Some(&shard) {
        json!([])
    } else {
        let first = bound(storage, &stream.table, stream.after, stream.until(), "MIN")?;
        let start = public(first.unwrap_or(stream.made_s.saturating_mul(1_000_000)));
        let mut range = json!({ "StartingSequenceNumber": start });
        if let Some(last) = stream.last {
            let last = public(last).max(start);
            range["EndingSequenceNumber"] = last.into();
        }
        json!([{ "ShardId": shard, "SequenceNumberRange": range }])
    };
    let keys: Value = serde_json::from_str(&stream.key_schema)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
    encode(&json!({ "StreamDescription": {
        "StreamArn": request.stream_arn,
        "StreamLabel": stream.label,
        "StreamStatus": stream.status(),
        "StreamViewType": stream.view_type,
        "TableName": stream.table,
        "KeySchema": keys,
        "CreationRequestDateTime": stream.made_s,
        "Shards": shards,
    }}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListRequest {
    table_name: Option<String>,
    exclusive_start_stream_arn: Option<String>,
    limit: Option<i64>,
}

pub(in super::super) fn list(storage: &Storage, body: &str) -> Outcome<String> {
    let request: ListRequest = refusal::decode(body)?;
    let limit = limited(request.limit, PAGE)?;
    let start = request.exclusive_start_stream_arn.as_deref();
    let after = start.and_then(lives::parts).unwrap_or(("", ""));
    let only = request.table_name.as_deref();
    // One more than asked for tells whether another page follows.
    let mut streams = lives::page(storage, after, only, limit + 1)?;
    let more = i64::try_from(streams.len()).is_ok_and(|found| found > limit);
    if more {
        streams.pop();
    }
    let summaries: Vec<Value> = streams
        .iter()
        .map(|stream| {
            json!({
                "StreamArn": stream.arn(),
                "TableName": stream.table,
                "StreamLabel": stream.label,
            })
        })
        .collect();
    let mut answer = json!({ "Streams": summaries });
    if let Some(last) = streams.last().filter(|_| more) {
        answer["LastEvaluatedStreamArn"] = last.arn().into();
    }
    encode(&answer)
}

/// A `Limit` within what AWS allows, or `max` when none is given.
pub(super) fn limited(limit: Option<i64>, max: i64) -> Outcome<i64> {
    let Some(limit) = limit else {
        return Ok(max);
    };
    let bound = if limit < 1 {
        "greater than or equal to 1".to_owned()
    } else if limit > max {
        format!("less than or equal to {max}")
    } else {
        return Ok(limit);
    };
    let message = format!(
        "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: \
         Member must have value {bound}"
    );
    Err(DynoxideError::ValidationException(message).into())
}
