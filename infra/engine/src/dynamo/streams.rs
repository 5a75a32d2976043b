//! DynamoDB Streams: one shard per table, 24 hours of records.
//!
//! `DescribeStream` and `GetShardIterator` are done here: the crate's read the whole stream for its
//! bounds, give an open shard an end (a reader takes that for a closed shard), leave out the key
//! schema and ignore the start shard and the stream's label.

use super::dispatch::{encode, run};
use super::refusal::{Outcome, Refusal};
use super::{Dynamo, refusal};
use crate::Clock;
use crate::wire::Call;
use dynoxide::actions::get_shard_iterator::encode_shard_iterator;
use dynoxide::storage::{Storage, TableMetadata};
use dynoxide::{DynoxideError, actions};
use rusqlite::{OptionalExtension, params};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Asks an empty `GetRecords` to wait for a record, in milliseconds. AWS does not know the header
/// and answers at once, so a reader that sends it works on both.
const WAIT_HEADER: &str = "x-callboard-wait-ms";
/// The longest such wait: SQS's longest poll, for want of another measure.
const WAIT_MS_MAX: u64 = 20_000;
/// How long a record is kept (AWS, DynamoDB Streams: 24 hours).
pub(super) const RETENTION_S: i64 = 24 * 3600;
/// The crate's public sequence numbers are its stored ones plus this; the stored ones are
/// microseconds since the epoch, or one more than the last.
const SEQUENCE_BASE: u128 = 100_000_000_000_000_000_000;

/// The label and the first number of a stream made and written at once are rounded apart by about a
/// microsecond; nothing is deleted and made again within this.
const LABEL_SLACK_US: i64 = 1000;

/// How long the caller wants an empty answer held back.
pub(super) fn wait(call: &Call) -> Duration {
    let ms = call
        .header(WAIT_HEADER)
        .and_then(|value| value.parse().ok())
        .unwrap_or(0u64);
    Duration::from_millis(ms.min(WAIT_MS_MAX))
}

/// The row id of the newest record of all streams.
pub(super) fn last_record(storage: &Storage) -> i64 {
    storage
        .conn()
        .prepare_cached("SELECT MAX(id) FROM _stream_records")
        .and_then(|mut statement| statement.query_row([], |row| row.get::<_, Option<i64>>(0)))
        .ok()
        .flatten()
        .unwrap_or(0)
}

impl Dynamo {
    pub(super) async fn get_records(&self, body: &str, wait: Duration) -> Outcome<String> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let recorded = self.recorded.notified();
            tokio::pin!(recorded);
            // Listening begins before looking: a record written in between is not missed.
            recorded.as_mut().enable();
            let (empty, answer) = self.read_records(body)?;
            if !empty || wait.is_zero() {
                return Ok(answer);
            }
            tokio::select! {
                () = &mut recorded => {}
                () = tokio::time::sleep_until(deadline) => return Ok(answer),
            }
        }
    }

    fn read_records(&self, body: &str) -> Outcome<(bool, String)> {
        let request: actions::get_records::GetRecordsRequest = refusal::decode(body)?;
        let mut answer = run(actions::get_records::execute(&*self.storage(), request))?;
        let mut removals = false;
        for record in &mut answer.records {
            self.arns.region().clone_into(&mut record.aws_region);
            removals |= record.user_identity.is_some();
        }
        let empty = answer.records.is_empty();
        if !removals {
            return Ok((empty, encode(&answer)?));
        }
        let mut answer = serde_json::to_value(&answer)
            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
        capitalise_identities(&mut answer);
        Ok((empty, answer.to_string()))
    }
}

/// The crate writes `type` and `principalId`; the service's members are `Type` and `PrincipalId`.
fn capitalise_identities(answer: &mut Value) {
    let records = answer.get_mut("Records").and_then(Value::as_array_mut);
    for identity in records
        .into_iter()
        .flatten()
        .filter_map(|record| record.get_mut("userIdentity"))
    {
        *identity = json!({ "Type": identity["type"], "PrincipalId": identity["principalId"] });
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeRequest {
    stream_arn: String,
    exclusive_start_shard_id: Option<String>,
}

pub(super) fn describe(storage: &Storage, body: &str) -> Outcome<String> {
    let request: DescribeRequest = refusal::decode(body)?;
    let table = table_of(storage, &request.stream_arn)?;
    let shard = shard_id(&table);
    let shards = if request.exclusive_start_shard_id.as_deref() == Some(&shard) {
        json!([])
    } else {
        let first = bound(storage, &table.table_name, "MIN")?;
        let start = public(first.unwrap_or(table.created_at.saturating_mul(1_000_000)));
        json!([{ "ShardId": shard, "SequenceNumberRange": { "StartingSequenceNumber": start } }])
    };
    let keys: Value = serde_json::from_str(&table.key_schema)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
    encode(&json!({ "StreamDescription": {
        "StreamArn": request.stream_arn,
        "StreamLabel": table.stream_label,
        "StreamStatus": "ENABLED",
        "StreamViewType": table.stream_view_type,
        "TableName": table.table_name,
        "KeySchema": keys,
        "CreationRequestDateTime": table.created_at,
        "Shards": shards,
    }}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IteratorRequest {
    stream_arn: String,
    shard_id: String,
    shard_iterator_type: String,
    sequence_number: Option<String>,
}

pub(super) fn iterator(storage: &Storage, body: &str, clock: &Clock) -> Outcome<String> {
    let request: IteratorRequest = refusal::decode(body)?;
    let table = table_of(storage, &request.stream_arn)?;
    if request.shard_id != shard_id(&table) {
        return Err(not_found(&format!("Shard: {}", request.shard_id)));
    }
    let named = || {
        request
            .sequence_number
            .as_deref()
            .and_then(stored)
            .ok_or_else(|| {
                Refusal::Crate(DynoxideError::ValidationException(
                    "Invalid SequenceNumber for the shard".to_owned(),
                ))
            })
            .and_then(|stored| not_trimmed(stored, clock))
    };
    let position = match request.shard_iterator_type.as_str() {
        // What is too old is passed over even if it is not yet trimmed, as after days without a
        // start.
        "TRIM_HORIZON" => begin(&table).max(horizon(clock)),
        "LATEST" => bound(storage, &table.table_name, "MAX")?.unwrap_or(0),
        "AT_SEQUENCE_NUMBER" => named()? - 1,
        "AFTER_SEQUENCE_NUMBER" => named()?,
        other => {
            return Err(Refusal::Crate(DynoxideError::ValidationException(format!(
                "1 validation error detected: Value '{other}' at 'shardIteratorType' failed to \
                 satisfy constraint: Member must satisfy enum value set: [TRIM_HORIZON, LATEST, \
                 AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER]"
            ))));
        }
    };
    let shard = dynoxide::streams::shard_id(&table.table_name);
    let iterator = encode_shard_iterator(&table.table_name, &shard, position);
    encode(&json!({ "ShardIterator": iterator }))
}

/// The id of a table's one shard, in AWS's form. The crate's own is too short for SDKs that check
/// the least length (28).
fn shard_id(table: &TableMetadata) -> String {
    let made_s = begin(table) / 1_000_000;
    let digest = Sha256::digest(table.table_name.as_bytes());
    let [a, b, c, d, ..] = digest.as_slice() else {
        return format!("shardId-{made_s:020}-00000000");
    };
    format!("shardId-{made_s:020}-{a:02x}{b:02x}{c:02x}{d:02x}")
}

/// Where a table's present stream begins. Its label is the time of its making; records of an
/// earlier stream of the table are numbered with earlier times.
fn begin(table: &TableMetadata) -> i64 {
    let label = table.stream_label.as_deref().unwrap_or_default();
    let (seconds, nanos) = label.split_once('.').unwrap_or((label, "0"));
    let seconds: i64 = seconds.parse().unwrap_or(0);
    let nanos: i64 = nanos.parse().unwrap_or(0);
    (seconds.saturating_mul(1_000_000) + nanos / 1000 - LABEL_SLACK_US).max(0)
}

/// Where the records that are kept begin.
fn horizon(clock: &Clock) -> i64 {
    (clock.now_ms() - RETENTION_S * 1000).saturating_mul(1000)
}

/// A sequence number is the time of its writing, so it tells by itself whether it is trimmed.
fn not_trimmed(stored: i64, clock: &Clock) -> Outcome<i64> {
    if stored >= horizon(clock) {
        return Ok(stored);
    }
    Err(Refusal::Trimmed)
}

fn table_of(storage: &Storage, stream_arn: &str) -> Outcome<TableMetadata> {
    let missing = || not_found(&format!("Stream: {stream_arn}"));
    let mut parts = stream_arn.split('/');
    let (Some(_), Some(name), Some("stream"), Some(label), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(missing());
    };
    storage
        .get_table_metadata(name)?
        .filter(|table| table.stream_enabled && table.stream_label.as_deref() == Some(label))
        .ok_or_else(missing)
}

/// Removes the records of a table that is no more: the crate leaves them for the next table of the
/// same name.
pub(super) fn forget(storage: &Storage, body: &str) -> Outcome<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        table_name: String,
    }
    let Named { table_name } = refusal::decode(body)?;
    storage.conn().execute(
        "DELETE FROM _stream_records WHERE table_name = ?1",
        params![table_name],
    )?;
    Ok(())
}

fn not_found(what: &str) -> Refusal {
    let message = format!("Requested resource not found: {what}");
    Refusal::Crate(DynoxideError::ResourceNotFoundException(message))
}

/// The first or last stored sequence number of a table: one look into the index.
fn bound(storage: &Storage, table: &str, which: &str) -> Outcome<Option<i64>> {
    let sql = format!(
        "SELECT {which}(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?1"
    );
    let mut statement = storage.conn().prepare_cached(&sql)?;
    Ok(statement
        .query_row(params![table], |row| row.get::<_, Option<i64>>(0))
        .optional()?
        .flatten())
}

fn public(stored: i64) -> String {
    (SEQUENCE_BASE + u128::from(stored.unsigned_abs())).to_string()
}

fn stored(public: &str) -> Option<i64> {
    let number: u128 = public.parse().ok()?;
    i64::try_from(number.checked_sub(SEQUENCE_BASE)?).ok()
}
