//! Where mails are kept: one SQLite table, in a file or in memory, so that both
//! behave alike. Nothing here knows SMTP or HTTP.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use crate::mail::{self, Mail};
use crate::{MailboxError, Store};

/// Most mails in one answer: at ~3 KB each about 30 MB of JSON, more than anyone
/// reads and still an answer.
pub const LIST_MAX: usize = 10_000;

/// Marks the file as a mailbox (`PRAGMA application_id`; "cbmb" in ASCII).
const APPLICATION_ID: i64 = 0x6362_6d62;

/// Format of the tables (`PRAGMA user_version`).
const FORMAT: i64 = 1;

/// Names every column that the statements below rely on.
const COLUMNS_ALL: &str = "SELECT id, at_ms, sender, recipients, raw FROM mail";

/// How long a statement waits for another process's lock before it fails.
const BUSY_MS: u64 = 2_000;

/// Which mails to list; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only mails to this recipient (whole address, case ignored).
    pub to: Option<String>,
    /// Only mails that came after the one with this id.
    pub after: Option<i64>,
    /// At most this many, the newest; [`LIST_MAX`] binds as well.
    pub limit: Option<usize>,
}

/// An id as stored; `None` for one that no mail can have.
pub(crate) fn parse_id(id: &str) -> Option<i64> {
    id.parse().ok().filter(|id| *id > 0)
}

/// One connection behind a lock: a mailbox has one writer and few readers, and
/// each statement takes microseconds.
#[derive(Clone)]
pub(crate) struct SharedStore {
    connection: Arc<Mutex<Connection>>,
    /// Disk work leaves the async threads; memory work does not, so that a
    /// simulation on one thread stays deterministic.
    on_disk: bool,
}

impl SharedStore {
    pub(crate) async fn open(store: Store) -> Result<Self, MailboxError> {
        let (connection, on_disk) = match store {
            Store::Memory => (open_memory()?, false),
            Store::File(path) => (spawn(move || open_file(&path)).await?, true),
        };
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            on_disk,
        })
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, MailboxError> + Send + 'static,
    ) -> Result<T, MailboxError> {
        if self.on_disk {
            let store = self.clone();
            spawn(move || work(&store.lock())).await
        } else {
            work(&self.lock())
        }
    }

    /// A panic while holding the lock cannot leave a statement half done:
    /// SQLite rolls it back, so the connection stays good.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn insert(
        &self,
        at: Timestamp,
        from: &str,
        to: &[String],
        raw: Vec<u8>,
    ) -> Result<i64, MailboxError> {
        let from = from.to_owned();
        // One recipient per line: an address holds no line break.
        let to = to.join("\n");
        self.with(move |db| {
            db.prepare_cached(
                "INSERT INTO mail (at_ms, sender, recipients, raw) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![at.as_millisecond(), from, to, raw])?;
            Ok(db.last_insert_rowid())
        })
        .await
    }

    pub(crate) async fn list(&self, query: Query) -> Result<Vec<Mail>, MailboxError> {
        self.with(move |db| {
            let limit = query.limit.unwrap_or(LIST_MAX).min(LIST_MAX);
            let mut statement = db.prepare_cached(
                "SELECT id, at_ms, sender, recipients, raw FROM mail
                 WHERE id > ?1
                   AND (?2 IS NULL OR instr(char(10) || lower(recipients) || char(10), char(10) || lower(?2) || char(10)) > 0)
                 ORDER BY id DESC LIMIT ?3",
            )?;
            let rows = statement.query_map(
                params![query.after.unwrap_or(0), query.to, limit as i64],
                read_row,
            )?;
            let mut mails = rows.collect::<Result<Vec<_>, _>>()?;
            mails.reverse();
            Ok(mails)
        })
        .await
    }

    pub(crate) async fn get(&self, id: i64) -> Result<Option<Mail>, MailboxError> {
        self.with(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT id, at_ms, sender, recipients, raw FROM mail WHERE id = ?1",
            )?;
            Ok(statement.query_row([id], read_row).optional()?)
        })
        .await
    }

    pub(crate) async fn raw(&self, id: i64) -> Result<Option<Vec<u8>>, MailboxError> {
        self.with(move |db| {
            let mut statement = db.prepare_cached("SELECT raw FROM mail WHERE id = ?1")?;
            Ok(statement.query_row([id], |row| row.get(0)).optional()?)
        })
        .await
    }

    pub(crate) async fn clear(&self) -> Result<usize, MailboxError> {
        self.with(|db| Ok(db.execute("DELETE FROM mail", [])?))
            .await
    }
}

async fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MailboxError> + Send + 'static,
) -> Result<T, MailboxError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| MailboxError::Stopped)?
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Mail> {
    let recipients: String = row.get(3)?;
    let raw = row.get_ref(4)?.as_blob()?;
    Ok(mail::read(
        row.get(0)?,
        Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH),
        row.get_ref(2)?.as_str()?,
        recipients.lines().map(str::to_owned).collect(),
        raw,
    ))
}

fn open_memory() -> Result<Connection, MailboxError> {
    let db = Connection::open_in_memory()?;
    create(&db)?;
    Ok(db)
}

fn open_file(path: &Path) -> Result<Connection, MailboxError> {
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        std::fs::create_dir_all(parent).map_err(|error| MailboxError::Unwritable {
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
    }
    prepare_file(path).map_err(|error| explain(error, path))
}

fn prepare_file(path: &Path) -> Result<Connection, MailboxError> {
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_millis(BUSY_MS))?;
    // WAL with NORMAL: a commit is in the file before `execute` returns, so a
    // killed process loses nothing; only a power cut can.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let fresh = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    })? == 0;
    if !fresh {
        check(&db, path)?;
    }
    create(&db)?;
    // A table of that name may have been there, made by somebody else.
    db.prepare(COLUMNS_ALL)
        .map_err(|error| damaged(path, &error.to_string()))?;
    Ok(db)
}

/// Refuses another program's database, a later format and damaged pages.
fn check(db: &Connection, path: &Path) -> Result<(), MailboxError> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(damaged(path, "it is another program's database"));
    }
    let found = pragma("user_version")?;
    if found > FORMAT {
        return Err(MailboxError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    let verdict: String =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(damaged(path, &verdict))
    }
}

/// Makes the table in one transaction that really writes, so that a read-only
/// file is found at the start and not at the first mail.
fn create(db: &Connection) -> Result<(), rusqlite::Error> {
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS mail (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             at_ms INTEGER NOT NULL,
             sender TEXT NOT NULL,
             recipients TEXT NOT NULL,
             raw BLOB NOT NULL
         ) STRICT;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {FORMAT};
         COMMIT;"
    ))
}

fn damaged(path: &Path, detail: &str) -> MailboxError {
    MailboxError::Damaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    }
}

fn explain(error: MailboxError, path: &Path) -> MailboxError {
    let MailboxError::Sqlite(cause) = error else {
        return error;
    };
    let path: PathBuf = path.to_owned();
    let detail = match &cause {
        rusqlite::Error::SqliteFailure(_, Some(detail)) => detail.clone(),
        other => other.to_string(),
    };
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            MailboxError::Damaged { path, detail }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => MailboxError::InUse { path },
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull,
        ) => MailboxError::Unwritable { path, detail },
        _ => MailboxError::Sqlite(cause),
    }
}
