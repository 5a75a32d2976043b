//! Messages as rows: put in, taken under a lease, moved, removed. What is a rule of SQS's is not
//! here, but in `sqs`.

use super::{StorageError, Work};
use rusqlite::{OptionalExtension, params};

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) queue: i64,
    /// The message group in a FIFO queue.
    pub(crate) lane: Option<String>,
    /// From when on it may be received, in milliseconds.
    pub(crate) visible_at: i64,
    /// When it was last received, in milliseconds; 0 if never, or not since it was moved or given
    /// back.
    pub(crate) leased_at: i64,
    pub(crate) receives: i64,
    pub(crate) sent_at: i64,
    pub(crate) first_at: Option<i64>,
    pub(crate) message_id: String,
    pub(crate) body: String,
    /// What else was sent with it, as JSON: `sqs` writes and reads it.
    pub(crate) details: String,
}

/// Where to look for messages that may be received.
#[derive(Debug)]
pub(crate) enum Ready<'a> {
    /// A standard queue.
    Any,
    /// One message group of a FIFO queue.
    Lane(&'a str),
}

/// The longest delay of a message, in milliseconds (AWS, "Amazon SQS message quotas": 15 minutes).
const DELAY_MS_MAX: i64 = 900_000;

/// Rows that are looked at for the oldest message, of those that wait and of those under a lease.
const OLDEST_LOOKED_AT: i64 = 1_000;

const COLUMNS: &str = "id, queue, lane, visible_at, leased_at, receives, sent_at, first_at, \
     message_id, body, details";

fn read(row: &rusqlite::Row<'_>) -> Result<Row, StorageError> {
    Ok(Row {
        id: row.get(0)?,
        queue: row.get(1)?,
        lane: row.get(2)?,
        visible_at: row.get(3)?,
        leased_at: row.get(4)?,
        receives: row.get(5)?,
        sent_at: row.get(6)?,
        first_at: row.get(7)?,
        message_id: row.get(8)?,
        body: row.get(9)?,
        details: row.get(10)?,
    })
}

impl Work<'_> {
    /// Puts a new message in.
    pub(crate) fn put(&mut self, row: &Row) -> Result<(), StorageError> {
        self.db
            .prepare_cached(
                "INSERT INTO messages(id, queue, lane, visible_at, leased_at, receives, sent_at, \
                 first_at, message_id, body, details) \
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                row.id,
                row.queue,
                row.lane,
                row.visible_at,
                row.leased_at,
                row.receives,
                row.sent_at,
                row.first_at,
                row.message_id,
                row.body,
                row.details
            ])?;
        if let Some(lane) = &row.lane {
            // A lane that is there keeps its head, which is older, and its opening.
            self.db
                .prepare_cached("INSERT OR IGNORE INTO lanes VALUES(?1, ?2, ?3, ?4)")?
                .execute(params![row.queue, lane, row.id, row.visible_at])?;
        }
        self.count(row.queue, 1);
        self.arrived(row.queue);
        Ok(())
    }

    /// The first messages that may be received, at most `limit`. In a lane: its first messages,
    /// whether they may or not, for none may be passed over.
    pub(crate) fn ready(
        &self,
        queue: i64,
        place: &Ready<'_>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        match place {
            Ready::Any => self
                .db
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM messages WHERE queue = ?1 AND lane IS NULL \
                     AND visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3"
                ))?
                .query_map(params![queue, self.now, limit], read)?
                .collect(),
            Ready::Lane(lane) => self
                .db
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM messages WHERE queue = ?1 AND lane = ?2 \
                     ORDER BY id LIMIT ?3"
                ))?
                .query_map(params![queue, lane, limit], read)?
                .collect(),
        }
    }

    /// The lanes from which a message may be received, at most `limit`.
    pub(crate) fn open_lanes(&self, queue: i64, limit: usize) -> Result<Vec<String>, StorageError> {
        self.db
            .prepare_cached(
                "SELECT lane FROM lanes WHERE queue = ?1 AND open_at <= ?2 \
                 ORDER BY open_at, head LIMIT ?3",
            )?
            .query_map(params![queue, self.now, limit], |row| row.get(0))?
            .collect()
    }

    /// When the next message of a queue becomes receivable by the passing of time alone.
    pub(crate) fn next_ready_at(
        &self,
        queue: i64,
        fifo: bool,
    ) -> Result<Option<i64>, StorageError> {
        let sql = if fifo {
            "SELECT MIN(open_at) FROM lanes WHERE queue = ?1 AND open_at > ?2"
        } else {
            "SELECT MIN(visible_at) FROM messages WHERE queue = ?1 AND lane IS NULL \
             AND visible_at > ?2"
        };
        self.db
            .prepare_cached(sql)?
            .query_row(params![queue, self.now], |row| row.get(0))
    }

    /// The message with row id `id`, if it is in `queue`.
    pub(crate) fn find(&self, queue: i64, id: i64) -> Result<Option<Row>, StorageError> {
        self.db
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM messages WHERE id = ?1 AND queue = ?2"
            ))?
            .query_row(params![id, queue], read)
            .optional()
    }

    /// Gives a message to a receiver until `visible_at`. The caller settles its lane.
    pub(crate) fn lease(&mut self, row: &mut Row, visible_at: i64) -> Result<(), StorageError> {
        row.visible_at = visible_at;
        row.leased_at = self.now;
        row.receives += 1;
        row.first_at = row.first_at.or(Some(self.now));
        self.db
            .prepare_cached(
                "UPDATE messages SET visible_at = ?2, leased_at = ?3, receives = ?4, first_at = ?5 \
                 WHERE id = ?1",
            )?
            .execute(params![
                row.id,
                row.visible_at,
                row.leased_at,
                row.receives,
                row.first_at
            ])?;
        if visible_at > self.now {
            self.count_leases(row.queue, 1);
        }
        Ok(())
    }

    /// Moves the end of a lease, or gives one anew. The caller settles the lane.
    pub(crate) fn extend(&mut self, row: &Row, visible_at: i64) -> Result<(), StorageError> {
        let ends = visible_at <= self.now;
        let leased_at = match row.leased_at {
            _ if ends => 0,
            0 => self.now,
            since => since,
        };
        self.db
            .prepare_cached("UPDATE messages SET visible_at = ?2, leased_at = ?3 WHERE id = ?1")?
            .execute(params![row.id, visible_at, leased_at])?;
        match (row.leased_at > 0 && row.visible_at > self.now, ends) {
            (true, true) => self.count_leases(row.queue, -1),
            (false, false) => self.count_leases(row.queue, 1),
            _ => {}
        }
        if ends {
            self.arrived(row.queue);
        }
        Ok(())
    }

    /// Gives back to a standard queue what leases that time ended have held, in the order of its
    /// sending: the oldest message is received first.
    pub(crate) fn return_lapsed(&mut self, queue: i64) -> Result<(), StorageError> {
        self.db
            .prepare_cached(
                "UPDATE messages SET visible_at = sent_at, leased_at = 0 WHERE queue = ?1 \
                 AND lane IS NULL AND leased_at > 0 AND visible_at <= ?2 \
                 AND visible_at > leased_at",
            )?
            .execute(params![queue, self.now])?;
        Ok(())
    }

    /// Removes a message. The caller settles its lane.
    pub(crate) fn remove(&mut self, row: &Row) -> Result<(), StorageError> {
        let removed = self
            .db
            .prepare_cached("DELETE FROM messages WHERE id = ?1")?
            .execute(params![row.id])?;
        self.count(row.queue, -i64::try_from(removed).unwrap_or(0));
        if row.leased_at > 0 && row.visible_at > self.now {
            self.count_leases(row.queue, -1);
        }
        Ok(())
    }

    /// Brings a lane in step with its messages: its head, and when it opens.
    pub(crate) fn settle_lane(&mut self, queue: i64, lane: &str) -> Result<(), StorageError> {
        let head: Option<(i64, i64)> = self
            .db
            .prepare_cached(
                "SELECT id, visible_at FROM messages WHERE queue = ?1 AND lane = ?2 \
                 ORDER BY id LIMIT 1",
            )?
            .query_row(params![queue, lane], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((head, open_at)) = head else {
            self.db
                .prepare_cached("DELETE FROM lanes WHERE queue = ?1 AND lane = ?2")?
                .execute(params![queue, lane])?;
            return Ok(());
        };
        self.db
            .prepare_cached("INSERT OR REPLACE INTO lanes VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![queue, lane, head, open_at])?;
        if open_at <= self.now {
            self.arrived(queue);
        }
        Ok(())
    }

    /// How many messages of a queue are under a lease: of late as counted, which may be too many,
    /// since leases that time ended are only found out by counting anew; or `exact`, which looks at
    /// each.
    pub(crate) fn in_flight(
        &mut self,
        queue: i64,
        fifo: bool,
        exact: bool,
    ) -> Result<i64, StorageError> {
        if let Some(count) = self.queues.known_leases(queue).filter(|_| !exact) {
            return Ok(count);
        }
        let kind = if fifo {
            "lane IS NOT NULL"
        } else {
            "lane IS NULL"
        };
        let count = self
            .db
            .prepare_cached(&format!(
                "SELECT COUNT(*) FROM messages WHERE queue = ?1 AND {kind} AND leased_at > 0 \
                 AND visible_at > ?2"
            ))?
            .query_row(params![queue, self.now], |row| row.get(0))?;
        self.queues.set_leases(queue, Some(count));
        Ok(count)
    }

    /// Removes all messages of a queue.
    pub(crate) fn clear(&mut self, queue: i64) -> Result<(), StorageError> {
        let removed = self
            .db
            .prepare_cached("DELETE FROM messages WHERE queue = ?1")?
            .execute(params![queue])?;
        self.db
            .prepare_cached("DELETE FROM lanes WHERE queue = ?1")?
            .execute(params![queue])?;
        self.count(queue, -i64::try_from(removed).unwrap_or(0));
        self.queues.set_leases(queue, None);
        Ok(())
    }

    /// Messages of a queue: all of them, those under a lease, those still delayed.
    pub(crate) fn census(
        &mut self,
        queue: i64,
        fifo: bool,
    ) -> Result<(i64, i64, i64), StorageError> {
        // Both conditions name an index: the one of the queue's kind.
        let kind = if fifo {
            "lane IS NOT NULL"
        } else {
            "lane IS NULL"
        };
        let total = match self.queues.known_count(queue) {
            Some(total) => total,
            None => {
                let total = self
                    .db
                    .prepare_cached(&format!(
                        "SELECT COUNT(*) FROM messages WHERE queue = ?1 AND {kind}"
                    ))?
                    .query_row(params![queue], |row| row.get(0))?;
                self.queues.set_count(queue, total);
                total
            }
        };
        if fifo {
            let leased = self.in_flight(queue, fifo, true)?;
            return Ok((total, leased, self.delayed_in_lanes(queue)?));
        }
        let (leased, delayed) = self
            .db
            .prepare_cached(
                "SELECT COALESCE(SUM(leased_at > 0), 0), COALESCE(SUM(leased_at = 0), 0) \
                 FROM messages WHERE queue = ?1 AND lane IS NULL AND visible_at > ?2",
            )?
            .query_row(params![queue, self.now], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok((total, leased, delayed))
    }

    /// When the oldest message of a queue was sent, delayed ones apart. Approximate in a long
    /// backlog: it looks at the first [`OLDEST_LOOKED_AT`] of those that wait and of those under a
    /// lease, in the order in which they can be received.
    pub(crate) fn oldest(&mut self, queue: i64, fifo: bool) -> Result<Option<i64>, StorageError> {
        let (waiting, leased) = if fifo {
            (
                "SELECT sent_at FROM messages WHERE id IN \
                 (SELECT head FROM lanes WHERE queue = ?1 AND open_at <= ?2 LIMIT ?3)",
                "SELECT sent_at FROM messages \
                 WHERE queue = ?1 AND lane IS NOT NULL AND leased_at > 0 LIMIT ?3",
            )
        } else {
            (
                "SELECT sent_at FROM messages WHERE queue = ?1 AND lane IS NULL \
                 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3",
                "SELECT sent_at FROM messages \
                 WHERE queue = ?1 AND lane IS NULL AND leased_at > 0 LIMIT ?3",
            )
        };
        let mut oldest: Option<i64> = None;
        for part in [waiting, leased] {
            let found: Option<i64> = self
                .db
                .prepare_cached(&format!("SELECT MIN(sent_at) FROM ({part})"))?
                .query_row(params![queue, self.now, OLDEST_LOOKED_AT], |row| row.get(0))?;
            oldest = match (oldest, found) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        Ok(oldest)
    }

    /// Messages of a FIFO queue that were never received and may not yet be: among those that came
    /// within the longest delay, since no index has the others apart.
    fn delayed_in_lanes(&self, queue: i64) -> Result<i64, StorageError> {
        self.db
            .prepare_cached(
                "SELECT COUNT(*) FROM messages NOT INDEXED WHERE id >= ?2 AND queue = ?1 \
                 AND lane IS NOT NULL AND leased_at = 0 AND visible_at > ?3",
            )?
            .query_row(
                params![queue, Self::first_id_at(self.now - DELAY_MS_MAX), self.now],
                |row| row.get(0),
            )
    }

    /// Removes the messages of a queue that were sent before its retention began.
    pub(super) fn expire(&mut self, queue: i64) -> Result<(), StorageError> {
        let Some((fifo, retention_ms)) = self.queues.retention(queue) else {
            return Ok(());
        };
        let before = self.now - retention_ms;
        if fifo {
            return self.expire_lanes(queue, before);
        }
        // Nothing is visible before it is sent: what was last visible before then is older still.
        let removed = self
            .db
            .prepare_cached(
                "DELETE FROM messages WHERE queue = ?1 AND lane IS NULL AND visible_at < ?2",
            )?
            .execute(params![queue, before])?;
        self.count(queue, -i64::try_from(removed).unwrap_or(0));
        Ok(())
    }

    fn expire_lanes(&mut self, queue: i64, before: i64) -> Result<(), StorageError> {
        let expired: Vec<Row> = self
            .db
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM messages NOT INDEXED WHERE id < ?2 AND queue = ?1"
            ))?
            .query_map(params![queue, Self::first_id_at(before)], read)?
            .collect::<Result<_, _>>()?;
        for row in expired {
            self.remove(&row)?;
            if let Some(lane) = &row.lane {
                self.settle_lane(queue, lane)?;
            }
        }
        Ok(())
    }
}
