//! The file of queues and topics: its tables, and reading them when it is opened.

use super::{Messages, Names, PublicUrl, StorageError, Store};
use crate::Clock;
use crate::config::EngineError;
use crate::scope::Scope;
use crate::sns::Topics;
use crate::sqs::Queues;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The layout below. Raised with every change that an older engine could not read.
const LAYOUT: i64 = 1;
/// Prepared statements kept: all that the services use, with room.
const STATEMENTS: usize = 64;
/// SQLite's page cache, in KiB (it wants that as a negative number) and used only as it fills. Its
/// usual 2 MiB do not hold the inner pages of the indexes of a million messages.
const CACHE_KIB: i64 = -8192;
/// When the write-ahead log is brought into the database, in pages of 4 KiB. That syncs three times,
/// some milliseconds each; at SQLite's usual 1,000 pages it took a tenth of a busy client's time.
const CHECKPOINT_PAGES: i64 = 4000;
/// A database of this connection alone: in the page cache, and what does not fit there in a
/// temporary file without a name, which the system takes back however the process ends. Not
/// `:memory:`: there the cache *is* the database, and SQLite walks through all of it whenever a
/// transaction has split a page in the middle, so that calls cost more the longer a queue is.
const IN_MEMORY: &str = "";

/// `visible_at`, `sent_at`, `leased_at`, `first_at` are milliseconds since the epoch. A message id
/// grows with time of sending, and is the order of a FIFO queue. `lane` is the message group in a
/// FIFO queue and NULL in a standard one. A lane's `open_at` is when its head may be received: the
/// end of its lease, or of its delay. What follows a head in flight waits for it. Both kinds of receive
/// are therefore one look at the front of an index, however long the queue is.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS queues(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, attributes TEXT NOT NULL,
    tags TEXT NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages(
    id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, lane TEXT, visible_at INTEGER NOT NULL,
    leased_at INTEGER NOT NULL DEFAULT 0, receives INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER NOT NULL, first_at INTEGER, message_id TEXT NOT NULL, body TEXT NOT NULL,
    details TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS messages_ready ON messages(queue, visible_at, id) WHERE lane IS NULL;
CREATE INDEX IF NOT EXISTS messages_laned ON messages(queue, lane, id) WHERE lane IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_leased ON messages(queue, lane, visible_at)
    WHERE lane IS NOT NULL AND leased_at > 0;
CREATE INDEX IF NOT EXISTS messages_held ON messages(queue, visible_at)
    WHERE lane IS NULL AND leased_at > 0;
CREATE TABLE IF NOT EXISTS lanes(
    queue INTEGER NOT NULL, lane TEXT NOT NULL, head INTEGER NOT NULL, open_at INTEGER NOT NULL,
    PRIMARY KEY(queue, lane)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lanes_open ON lanes(queue, open_at, head);
CREATE TABLE IF NOT EXISTS dedup(
    scope TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, message_id TEXT NOT NULL,
    sequence TEXT NOT NULL, PRIMARY KEY(scope, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dedup_until ON dedup(until);
CREATE TABLE IF NOT EXISTS topics(
    name TEXT PRIMARY KEY, attributes TEXT NOT NULL, tags TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions(
    arn TEXT PRIMARY KEY, topic TEXT NOT NULL, protocol TEXT NOT NULL, endpoint TEXT NOT NULL,
    attributes TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS moves(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, destination TEXT,
    rate INTEGER, moved INTEGER NOT NULL, to_move INTEGER NOT NULL, started_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT);
CREATE TABLE IF NOT EXISTS deleted(
    name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts(
    queue INTEGER NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, leases TEXT NOT NULL,
    PRIMARY KEY(queue, id)) WITHOUT ROWID;
";

impl Messages {
    pub(crate) fn open(
        file: Option<PathBuf>,
        clock: Clock,
        scope: &Scope,
        public_url: PublicUrl,
    ) -> Result<Messages, EngineError> {
        let failed = |error: StorageError| match &file {
            Some(path) => EngineError::Damaged {
                path: path.clone(),
                detail: error.to_string(),
            },
            None => EngineError::Storage(error.to_string()),
        };
        let db = match &file {
            Some(path) => Connection::open(path),
            None => Connection::open(IN_MEMORY),
        }
        .map_err(failed)?;
        let found = layout(&db).map_err(failed)?;
        if found > LAYOUT {
            return Err(EngineError::Newer {
                path: file.unwrap_or_default(),
                found,
                known: LAYOUT,
            });
        }
        let store = load(db, file.is_some()).map_err(failed)?;
        Ok(Messages {
            store: Mutex::new(store),
            clock,
            names: Names {
                region: scope.region.clone(),
                account: scope.account.clone(),
                public_url,
            },
        })
    }
}

fn layout(db: &Connection) -> Result<i64, StorageError> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn load(db: Connection, on_disk: bool) -> Result<Store, StorageError> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it a statement with `LIMIT ?` is prepared anew whenever it is run: SQLite looks for a
    // better plan for the value.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if on_disk {
        // The directory's lock keeps other processes out; SQLite's cost six system calls a commit.
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
    } else {
        // Without a log, what can be undone is kept in memory as well.
        db.pragma_update(None, "journal_mode", "MEMORY")?;
    }
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", CACHE_KIB)?;
    db.execute_batch(TABLES)?;
    for tables in crate::sns::TABLES {
        db.execute_batch(tables)?;
    }
    db.pragma_update(None, "user_version", LAYOUT)?;
    let last_id = db.query_row("SELECT COALESCE(MAX(id), 0) FROM messages", [], |row| {
        row.get(0)
    })?;
    let queues = Queues::load(&db)?;
    let topics = Topics::load(&db)?;
    Ok(Store {
        db,
        group: None,
        last_id,
        queues,
        topics,
        waiting: HashMap::new(),
        moving: Arc::default(),
        delivering: Arc::default(),
    })
}
