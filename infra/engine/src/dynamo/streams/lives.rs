//! Which streams there are and were. The crate knows at most one of a table, and forgets it when
//! it is disabled; AWS keeps it readable for a day, also when its table is gone.

use super::super::refusal::{Outcome, Refusal};
use super::{RETENTION_S, unchanged};
use crate::Clock;
use dynoxide::DynoxideError;
use dynoxide::storage::{Storage, TableMetadata};
use rusqlite::{OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

/// `after` is the stored sequence number after which the stream's records begin, `last` the one
/// that ends it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS _callboard_streams (\
     table_name TEXT NOT NULL, label TEXT NOT NULL, view_type TEXT NOT NULL, \
     key_schema TEXT NOT NULL, made_s INTEGER NOT NULL, after INTEGER NOT NULL, \
     last INTEGER, ended_s INTEGER, table_id TEXT, PRIMARY KEY (table_name, label))";
const COLUMNS: &str = "table_name, label, view_type, key_schema, made_s, after, last";

/// A stream of a table, open or ended.
#[derive(Debug)]
pub(in super::super) struct Stream {
    pub(in super::super) table: String,
    pub(in super::super) label: String,
    pub(super) view_type: String,
    /// In JSON.
    pub(super) key_schema: String,
    pub(super) made_s: i64,
    /// Its records have stored sequence numbers above this.
    pub(super) after: i64,
    /// The last stored sequence number, once it has ended.
    pub(super) last: Option<i64>,
}

impl Stream {
    fn of(row: &Row<'_>) -> rusqlite::Result<Stream> {
        Ok(Stream {
            table: row.get(0)?,
            label: row.get(1)?,
            view_type: row.get(2)?,
            key_schema: row.get(3)?,
            made_s: row.get(4)?,
            after: row.get(5)?,
            last: row.get(6)?,
        })
    }

    pub(in super::super) fn arn(&self) -> String {
        dynoxide::streams::stream_arn(&self.table, &self.label)
    }

    /// The id of its one shard, in AWS's form: SDKs that check ask for at least 28 characters.
    pub(super) fn shard_id(&self) -> String {
        let digest = Sha256::digest(format!("{}/{}", self.table, self.label));
        let tail: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
        format!("shardId-{:020}-{tail}", self.made_s)
    }

    pub(super) fn status(&self) -> &'static str {
        match self.last {
            None => "ENABLED",
            Some(_) => "DISABLED",
        }
    }

    /// The last stored number that belongs to it, as far as is known.
    pub(super) fn until(&self) -> i64 {
        self.last.unwrap_or(i64::MAX)
    }
}

/// Makes what is kept here, and takes up the tables as they are: the state may be of an earlier
/// version, and a kill may have come between the crate's change of a table and what follows here.
pub(in super::super) fn adopt_all(storage: &Storage, clock: &Clock) -> dynoxide::Result<()> {
    storage.conn().execute_batch(TABLE)?;
    unchanged::prepare(storage)?;
    for stream in open_streams(storage)? {
        let table = storage.get_table_metadata(&stream.table)?;
        let its_own = |table: &&TableMetadata| {
            table.stream_enabled && table.stream_label.as_ref() == Some(&stream.label)
        };
        if table.as_ref().filter(its_own).is_none() {
            end(storage, &stream, table.is_some(), clock)?;
        }
    }
    for table in storage.list_stream_enabled_tables()? {
        if open_stream(storage, &table.table_name)?.is_none() {
            begin(storage, &table, table.stream_label.as_deref(), clock)?;
        }
    }
    Ok(())
}

/// Brings the streams of a table in line with what an operation has made of the table. Gives the
/// label that the crate chose and the one that it has now, when a stream has begun.
pub(in super::super) fn settle(
    storage: &Storage,
    table_name: &str,
    clock: &Clock,
) -> Outcome<Option<(String, String)>> {
    let table = storage.get_table_metadata(table_name)?;
    let wanted = table.as_ref().filter(|table| table.stream_enabled);
    let label = wanted.and_then(|table| table.stream_label.clone());
    let open = open_stream(storage, table_name)?;
    if label.as_ref() == open.as_ref().map(|stream| &stream.label) {
        return Ok(None);
    }
    if let Some(stream) = &open {
        end(storage, stream, table.is_some(), clock)?;
    }
    let (Some(table), Some(chosen)) = (wanted, label) else {
        return Ok(None);
    };
    let label = free_label(storage, table_name, clock)?;
    let view_type = table.stream_view_type.as_deref().unwrap_or(EVERYTHING);
    storage.enable_stream(table_name, view_type, &label)?;
    begin(storage, table, Some(&label), clock)?;
    Ok(Some((chosen, label)))
}

const EVERYTHING: &str = "NEW_AND_OLD_IMAGES";

fn begin(
    storage: &Storage,
    table: &TableMetadata,
    label: Option<&str>,
    clock: &Clock,
) -> dynoxide::Result<()> {
    let after = bound(storage, &table.table_name, 0, i64::MAX, "MAX")?.unwrap_or(0);
    // A stream of an earlier version's state has its records already; an earlier stream's were
    // numbered with times before the label's, in seconds.
    let legacy = label.and_then(|label| label.split_once('.')?.0.parse::<i64>().ok());
    let after = legacy.map_or(after, |seconds| seconds.saturating_mul(1_000_000) - 1);
    storage.conn().execute(
        "INSERT INTO _callboard_streams (table_name, label, view_type, key_schema, made_s, \
         after, table_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            table.table_name,
            label.unwrap_or_default(),
            table.stream_view_type.as_deref().unwrap_or(EVERYTHING),
            table.key_schema,
            legacy.unwrap_or(clock.now_ms() / 1000),
            after,
            table.table_id
        ],
    )?;
    unchanged::watch(storage, &table.table_name)
}

/// The watching ends first: it must not outlive the stream, or what it notes would be taken for
/// another table's.
fn end(
    storage: &Storage,
    stream: &Stream,
    table_stays: bool,
    clock: &Clock,
) -> dynoxide::Result<()> {
    if table_stays {
        unchanged::unwatch(storage, &stream.table)?;
    }
    let last = bound(storage, &stream.table, stream.after, i64::MAX, "MAX")?;
    storage.conn().execute(
        "UPDATE _callboard_streams SET last = ?3, ended_s = ?4 WHERE table_name = ?1 AND label = ?2",
        params![
            stream.table,
            stream.label,
            last.unwrap_or(stream.after),
            clock.now_ms() / 1000
        ],
    )?;
    Ok(())
}

/// The time in AWS's form, a millisecond later as long as a stream of the table has it already.
fn free_label(storage: &Storage, table: &str, clock: &Clock) -> Outcome<String> {
    let mut ms = clock.now_ms();
    loop {
        let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let label = time.strftime("%Y-%m-%dT%H:%M:%S.%3f").to_string();
        if find(storage, table, &label)?.is_none() {
            return Ok(label);
        }
        ms += 1;
    }
}

/// Forgets the streams that ended longer ago than their records are kept.
pub(in super::super) fn forget_ended(storage: &Storage, clock: &Clock) -> dynoxide::Result<()> {
    storage.conn().execute(
        "DELETE FROM _callboard_streams WHERE ended_s < ?1",
        params![clock.now_ms() / 1000 - RETENTION_S],
    )?;
    Ok(())
}

fn open_stream(storage: &Storage, table: &str) -> dynoxide::Result<Option<Stream>> {
    one(storage, "table_name = ?1 AND last IS NULL", &[table])
}

/// The stream that the table of this id has or had last.
pub(in super::super) fn newest(
    storage: &Storage,
    table: &str,
    id: &str,
) -> Outcome<Option<Stream>> {
    let which = "table_name = ?1 AND table_id = ?2 ORDER BY rowid DESC LIMIT 1";
    Ok(one(storage, which, &[table, id])?)
}

fn open_streams(storage: &Storage) -> dynoxide::Result<Vec<Stream>> {
    let sql = format!("SELECT {COLUMNS} FROM _callboard_streams WHERE last IS NULL");
    let mut statement = storage.conn().prepare(&sql)?;
    let rows = statement.query_map([], Stream::of)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn find(storage: &Storage, table: &str, label: &str) -> dynoxide::Result<Option<Stream>> {
    one(storage, "table_name = ?1 AND label = ?2", &[table, label])
}

fn one(storage: &Storage, which: &str, named: &[&str]) -> dynoxide::Result<Option<Stream>> {
    let sql = format!("SELECT {COLUMNS} FROM _callboard_streams WHERE {which}");
    let mut statement = storage.conn().prepare_cached(&sql)?;
    let values = rusqlite::params_from_iter(named);
    Ok(statement.query_row(values, Stream::of).optional()?)
}

/// The streams after `(table, label)`, by table and label; of `only` this table, if one is named.
pub(super) fn page(
    storage: &Storage,
    after: (&str, &str),
    only: Option<&str>,
    limit: i64,
) -> Outcome<Vec<Stream>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM _callboard_streams WHERE (table_name, label) > (?1, ?2) \
         AND (?3 IS NULL OR table_name = ?3) ORDER BY table_name, label LIMIT ?4"
    );
    let mut statement = storage.conn().prepare_cached(&sql)?;
    let rows = statement.query_map(params![after.0, after.1, only, limit], Stream::of)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The stream of an ARN.
pub(super) fn named(storage: &Storage, arn: &str) -> Outcome<Stream> {
    let missing = || not_found(&format!("Stream: {arn} not found"));
    let (table, label) = parts(arn).ok_or_else(missing)?;
    find(storage, table, label)?.ok_or_else(missing)
}

/// Table and label of a stream's ARN.
pub(super) fn parts(arn: &str) -> Option<(&str, &str)> {
    let (_, rest) = arn.split_once(":table/")?;
    rest.split_once("/stream/")
}

/// Refuses with `what` as the resource that is not there.
pub(super) fn not_found(what: &str) -> Refusal {
    let message = format!("Requested resource not found: {what}");
    Refusal::Crate(DynoxideError::ResourceNotFoundException(message))
}

/// The first or last stored sequence number of a table above `after` and up to `until`: one look
/// into the index.
pub(super) fn bound(
    storage: &Storage,
    table: &str,
    after: i64,
    until: i64,
    which: &str,
) -> dynoxide::Result<Option<i64>> {
    let sql = format!(
        "SELECT {which}(CAST(sequence_number AS INTEGER)) FROM _stream_records \
         WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2 \
         AND CAST(sequence_number AS INTEGER) <= ?3"
    );
    let mut statement = storage.conn().prepare_cached(&sql)?;
    Ok(statement
        .query_row(params![table, after, until], |row| {
            row.get::<_, Option<i64>>(0)
        })
        .optional()?
        .flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynoxide::actions::vector_lifecycle::VectorIndexLifecycle;
    use dynoxide::actions::{create_table, update_table};
    use futures::FutureExt;
    use serde_json::json;

    #[test]
    fn a_stream_that_a_kill_left_open_is_ended_by_the_next_start() {
        let clock = Clock::real();
        let storage = Storage::memory().expect("a storage");
        adopt_all(&storage, &clock).expect("prepared");
        let made = json!({
            "TableName": "notes", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
        });
        let made = serde_json::from_value(made).expect("a request");
        let made = create_table::execute(&storage, made).now_or_never();
        made.expect("at once").expect("made");
        settle(&storage, "notes", &clock).expect("settled");
        let stream = open_stream(&storage, "notes").expect("read").expect("open");
        let off = json!({"TableName": "notes", "StreamSpecification": {"StreamEnabled": false}});
        let off = serde_json::from_value(off).expect("a request");
        let vectors = VectorIndexLifecycle::new();
        let off = update_table::execute(&storage, off, &vectors).now_or_never();
        off.expect("at once").expect("disabled");
        // The kill, and the next start.
        adopt_all(&storage, &clock).expect("adopted");
        let ended = find(&storage, "notes", &stream.label).expect("read");
        assert_eq!(ended.map(|it| it.status()), Some("DISABLED"));
        let watching: bool = storage
            .conn()
            .query_row(
                "SELECT EXISTS(SELECT 1 FROM sqlite_master WHERE name = ?1)",
                ["_callboard_unchanged_notes"],
                |row| row.get(0),
            )
            .expect("read");
        assert!(!watching);
    }
}
