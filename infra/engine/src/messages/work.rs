//! A running transaction.

use super::{Names, StorageError};
use crate::sns::Topics;
use crate::sqs::Queues;
use rusqlite::{Connection, OptionalExtension, params};

/// A message id is the millisecond of its sending shifted by this, plus a count: about a million
/// ids per millisecond before it runs ahead of the clock, and 63 bits last until the year 2248.
const ID_SHIFT: u32 = 20;
/// How long a deduplication id is remembered, and an attempt to receive (AWS, "Exactly-once
/// processing" and `ReceiveMessage`: 5 minutes).
const DEDUP_MS: i64 = 5 * 60 * 1000;
/// How long the name of a deleted queue is not free (AWS, `CreateQueue`: 60 s).
const NAME_KEPT_MS: i64 = 60_000;

/// The rows, queues and topics within one transaction.
pub(crate) struct Work<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) queues: &'a mut Queues,
    pub(crate) topics: &'a mut Topics,
    pub(crate) names: &'a Names,
    /// The transaction's time, in milliseconds since the epoch.
    pub(crate) now: i64,
    last_id: &'a mut i64,
    pub(super) changes: Changes,
}

/// What is told once the transaction is committed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(super) counts: Vec<(i64, i64)>,
    pub(super) leases: Vec<(i64, i64)>,
    pub(super) moving: bool,
    pub(super) delivering: bool,
    pub(super) arrivals: Vec<i64>,
    pub(super) gone: Vec<i64>,
}

/// What an earlier message with the same deduplication id was answered with.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) message_id: String,
    pub(crate) sequence: String,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        db: &'a Connection,
        last_id: &'a mut i64,
        queues: &'a mut Queues,
        topics: &'a mut Topics,
        names: &'a Names,
        now: i64,
    ) -> Work<'a> {
        Work {
            db,
            queues,
            topics,
            names,
            now,
            last_id,
            changes: Changes::default(),
        }
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// The next message id: greater than all before, whatever the clock does.
    pub(crate) fn next_id(&mut self) -> i64 {
        *self.last_id = (*self.last_id + 1).max(self.now << ID_SHIFT);
        *self.last_id
    }

    /// The least id of a message put in at `at` (milliseconds) or later.
    pub(super) fn first_id_at(at: i64) -> i64 {
        at << ID_SHIFT
    }

    /// When a message was put into a queue, in milliseconds, by its id.
    pub(crate) fn time_of(id: i64) -> i64 {
        id >> ID_SHIFT
    }

    /// Remembers that `queue` holds `by` messages more.
    pub(crate) fn count(&mut self, queue: i64, by: i64) {
        self.changes.counts.push((queue, by));
    }

    /// Remembers that `by` messages more of `queue` are under a lease.
    pub(super) fn count_leases(&mut self, queue: i64, by: i64) {
        self.changes.leases.push((queue, by));
    }

    /// Wakes the mover of dead letters, after the commit.
    pub(crate) fn moving(&mut self) {
        self.changes.moving = true;
    }

    /// Wakes the sender of deliveries to endpoints outside, after the commit.
    pub(crate) fn delivering(&mut self) {
        self.changes.delivering = true;
    }

    /// Wakes who waits for messages of `queue`, after the commit.
    pub(crate) fn arrived(&mut self, queue: i64) {
        if self.changes.arrivals.last() != Some(&queue) {
            self.changes.arrivals.push(queue);
        }
    }

    /// Ends the waiting at a queue that is no more, after the commit.
    pub(crate) fn gone(&mut self, queue: i64) {
        self.changes.gone.push(queue);
    }

    /// The earlier message in `scope` with deduplication id `id`, if one is remembered.
    pub(crate) fn earlier(&self, scope: &str, id: &str) -> Result<Option<Earlier>, StorageError> {
        self.db
            .prepare_cached(
                "SELECT message_id, sequence FROM dedup WHERE scope = ?1 AND id = ?2 AND until > ?3",
            )?
            .query_row(params![scope, id, self.now], |row| {
                Ok(Earlier {
                    message_id: row.get(0)?,
                    sequence: row.get(1)?,
                })
            })
            .optional()
    }

    /// Remembers a deduplication id for five minutes.
    pub(crate) fn remember(
        &self,
        scope: &str,
        id: &str,
        message_id: &str,
        sequence: &str,
    ) -> Result<(), StorageError> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO dedup VALUES(?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                scope,
                id,
                self.now + DEDUP_MS,
                message_id,
                sequence
            ])?;
        Ok(())
    }

    /// Forgets the deduplication ids of a queue or topic that is no more, those by group too.
    pub(crate) fn forget_dedup_ids(&self, scope: &str) -> Result<(), StorageError> {
        self.db.execute(
            "DELETE FROM dedup WHERE scope = ?1 OR substr(scope, 1, length(?1) + 1) = ?1 || ' '",
            params![scope],
        )?;
        Ok(())
    }

    pub(super) fn forget_old_dedup_ids(&self) -> Result<(), StorageError> {
        self.db
            .prepare_cached("DELETE FROM dedup WHERE until <= ?1")?
            .execute(params![self.now])?;
        Ok(())
    }

    /// What an earlier receive with this attempt id leased, as `sqs` wrote it, if it is remembered.
    pub(crate) fn attempt(&self, queue: i64, id: &str) -> Result<Option<String>, StorageError> {
        self.db
            .prepare_cached(
                "SELECT leases FROM attempts WHERE queue = ?1 AND id = ?2 AND until > ?3",
            )?
            .query_row(params![queue, id, self.now], |row| row.get(0))
            .optional()
    }

    /// Remembers for five minutes what a receive leased. A repetition of it does not make them
    /// longer.
    pub(crate) fn remember_attempt(
        &self,
        queue: i64,
        id: &str,
        leases: &str,
    ) -> Result<(), StorageError> {
        self.db
            .prepare_cached(
                "INSERT INTO attempts VALUES(?1, ?2, ?3, ?4) ON CONFLICT(queue, id) DO UPDATE SET \
                 leases = excluded.leases, \
                 until = CASE WHEN until > ?5 THEN until ELSE excluded.until END",
            )?
            .execute(params![queue, id, self.now + DEDUP_MS, leases, self.now])?;
        Ok(())
    }

    pub(super) fn forget_old_attempts(&self) -> Result<(), StorageError> {
        self.db
            .prepare_cached("DELETE FROM attempts WHERE until <= ?1")?
            .execute(params![self.now])?;
        Ok(())
    }

    /// Remembers that a queue of this name was deleted just now.
    pub(crate) fn name_deleted(&self, name: &str) -> Result<(), StorageError> {
        self.db.execute(
            "INSERT OR REPLACE INTO deleted VALUES(?1, ?2)",
            params![name, self.now],
        )?;
        Ok(())
    }

    /// Whether a queue of this name was deleted so lately that the name is not free.
    pub(crate) fn deleted_recently(&self, name: &str) -> Result<bool, StorageError> {
        self.db
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM deleted WHERE name = ?1 AND at > ?2)")?
            .query_row(params![name, self.now - NAME_KEPT_MS], |row| row.get(0))
    }

    pub(super) fn forget_deleted_names(&self) -> Result<(), StorageError> {
        self.db
            .prepare_cached("DELETE FROM deleted WHERE at <= ?1")?
            .execute(params![self.now - NAME_KEPT_MS])?;
        Ok(())
    }
}
