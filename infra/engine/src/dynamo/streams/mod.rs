//! DynamoDB Streams: one shard per stream, 24 hours of records.
//!
//! The crate writes the records; all reading is done here. The crate's own reads the whole stream
//! for its bounds, gives an open shard an end (a reader takes that for a closed shard), knows
//! neither closed streams nor expired iterators, and bounds a page by records alone.

mod describe;
mod iterators;
mod lives;
mod records;
mod unchanged;

use crate::wire::Call;
use dynoxide::storage::Storage;
use std::time::Duration;

pub(super) use describe::{describe, list};
pub(super) use iterators::iterator;
pub(super) use lives::{adopt_all, forget_ended, newest, settle};

/// Asks an empty `GetRecords` to wait for a record, in milliseconds. AWS does not know the header
/// and answers at once, so a reader that sends it works on both.
const WAIT_HEADER: &str = "x-callboard-wait-ms";
/// The longest such wait: SQS's longest poll, for want of another measure.
const WAIT_MS_MAX: u64 = 20_000;
/// How long a record is kept, and a stream that has ended (AWS, DynamoDB Streams: 24 hours).
pub(super) const RETENTION_S: i64 = 24 * 3600;
/// Public sequence numbers are the crate's stored ones plus this, so that they have AWS's least
/// length (21 digits); the stored ones are microseconds since the epoch, or one more than the last.
const SEQUENCE_BASE: u128 = 100_000_000_000_000_000_000;

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

fn public(stored: i64) -> String {
    (SEQUENCE_BASE + u128::from(stored.unsigned_abs())).to_string()
}

fn stored(public: &str) -> Option<i64> {
    let number: u128 = public.parse().ok()?;
    i64::try_from(number.checked_sub(SEQUENCE_BASE)?).ok()
}
