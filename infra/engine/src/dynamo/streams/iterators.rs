//! Shard iterators: where a reader of a shard goes on.

use super::super::dispatch::encode;
use super::super::refusal::{self, Outcome, Refusal};
use super::lives::{self, Stream, bound, not_found};
use super::{RETENTION_S, stored};
use crate::Clock;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dynoxide::DynoxideError;
use dynoxide::storage::Storage;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How long an iterator can be used (AWS, GetShardIterator: 15 minutes).
const ITERATOR_MS: i64 = 15 * 60 * 1000;

/// What an iterator holds; clients see it in base64.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Iterator {
    pub(super) table: String,
    pub(super) label: String,
    /// Records with stored sequence numbers above this follow.
    pub(super) position: i64,
    issued_ms: i64,
}

impl Iterator {
    pub(super) fn at(stream: &Stream, position: i64, clock: &Clock) -> Iterator {
        Iterator {
            table: stream.table.clone(),
            label: stream.label.clone(),
            position,
            issued_ms: clock.now_ms(),
        }
    }

    pub(super) fn text(&self) -> Outcome<String> {
        Ok(STANDARD.encode(encode(self)?))
    }

    /// Reads what [`Iterator::text`] wrote.
    ///
    /// # Errors
    /// None of ours, or too old.
    pub(super) fn read(text: &str, clock: &Clock) -> Outcome<Iterator> {
        let iterator: Iterator = STANDARD
            .decode(text)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| invalid("Invalid ShardIterator"))?;
        if clock.now_ms().saturating_sub(iterator.issued_ms) > ITERATOR_MS {
            return Err(Refusal::Named {
                name: "ExpiredIteratorException",
                message: "The shard iterator has expired: it was given more than 15 minutes ago"
                    .to_owned(),
            });
        }
        Ok(iterator)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IteratorRequest {
    stream_arn: String,
    shard_id: String,
    shard_iterator_type: String,
    sequence_number: Option<String>,
}

pub(in super::super) fn iterator(storage: &Storage, body: &str, clock: &Clock) -> Outcome<String> {
    let request: IteratorRequest = refusal::decode(body)?;
    let stream = lives::named(storage, &request.stream_arn)?;
    if request.shard_id != stream.shard_id() {
        return Err(not_found(&format!(
            "Shard does not exist: {}",
            request.shard_id
        )));
    }
    let number = request.sequence_number.as_deref();
    let position = match request.shard_iterator_type.as_str() {
        "TRIM_HORIZON" | "LATEST" if number.is_some() => {
            return Err(invalid(
                "One or more parameter values were invalid: SequenceNumber should not be passed \
                 for this iterator type",
            ));
        }
        // What is too old is passed over even if it is not yet trimmed, as after days without a
        // start.
        "TRIM_HORIZON" => stream.after.max(horizon(clock)),
        "LATEST" => {
            let last = bound(storage, &stream.table, stream.after, stream.until(), "MAX")?;
            last.unwrap_or(stream.after)
        }
        "AT_SEQUENCE_NUMBER" => in_reach(number, &stream, clock)? - 1,
        "AFTER_SEQUENCE_NUMBER" => in_reach(number, &stream, clock)?,
        other => {
            return Err(invalid(&format!(
                "1 validation error detected: Value '{other}' at 'shardIteratorType' failed to \
                 satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, \
                 LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"
            )));
        }
    };
    let iterator = Iterator::at(&stream, position, clock).text()?;
    encode(&json!({ "ShardIterator": iterator }))
}

/// The stored form of a sequence number that a reader names. It is the time of its writing, so it
/// tells by itself whether it is trimmed.
fn in_reach(number: Option<&str>, stream: &Stream, clock: &Clock) -> Outcome<i64> {
    let number = number.ok_or_else(|| {
        invalid(
            "One or more parameter values were invalid: Must provide SequenceNumber for this \
             iterator type",
        )
    })?;
    let unknown = || {
        invalid(&format!(
            "Invalid SequenceNumber: the sequence number {number} is not one of this shard"
        ))
    };
    let stored = stored(number).ok_or_else(unknown)?;
    if stored < horizon(clock) {
        return Err(Refusal::Named {
            name: "TrimmedDataAccessException",
            message: "The operation attempted to read past the oldest stream record in a shard."
                .to_owned(),
        });
    }
    if stored > stream.until() {
        return Err(unknown());
    }
    Ok(stored.max(stream.after))
}

/// Where the records that are kept begin.
fn horizon(clock: &Clock) -> i64 {
    (clock.now_ms() - RETENTION_S * 1000).saturating_mul(1000)
}

fn invalid(message: &str) -> Refusal {
    DynoxideError::ValidationException(message.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_that_a_client_made_up_is_too_old() {
        let json = json!({"table": "t", "label": "l", "position": 0, "issued_ms": i64::MIN});
        let read = Iterator::read(&STANDARD.encode(json.to_string()), &Clock::real());
        assert!(matches!(
            read,
            Err(Refusal::Named {
                name: "ExpiredIteratorException",
                ..
            })
        ));
    }
}
