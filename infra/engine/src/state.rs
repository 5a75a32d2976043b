//! The state directory: its lock and its SQLite files.

use crate::config::{EngineError, State};
use rusqlite::Connection;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files up to this size (bytes) are checked page by page when opened; larger ones only by their
/// header and schema, so that a start stays well under 0.2 s.
const CHECKED_FILE_MAX: u64 = 8 * 1024 * 1024;

/// How often, and how far apart, a lock that is held is tried: a fifth of a second in all, so that a
/// person is told at once and a dying process may finish.
const LOCK_TRIES: usize = 10;
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// An opened place for state. Holds the directory's lock until dropped; the system gives the lock
/// back when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct Place {
    directory: Option<PathBuf>,
    lock: Option<File>,
}

impl Place {
    pub(crate) fn open(state: &State) -> Result<Place, EngineError> {
        let State::Directory(directory) = state else {
            return Ok(Place {
                directory: None,
                lock: None,
            });
        };
        let unwritable = |source| EngineError::Unwritable {
            path: directory.clone(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(unwritable)?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(directory.join("engine.lock"))
            .map_err(unwritable)?;
        if !acquire(&lock).map_err(unwritable)? {
            return Err(EngineError::InUse {
                path: directory.clone(),
                pid: holder(&mut lock),
            });
        }
        record_holder(&mut lock).map_err(unwritable)?;
        Ok(Place {
            directory: Some(directory.clone()),
            lock: Some(lock),
        })
    }

    /// The path of a state file, checked for damage, or `None` when state is in memory.
    pub(crate) fn file(&self, name: &str) -> Result<Option<PathBuf>, EngineError> {
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        let path = directory.join(name);
        if path.exists() {
            check(&path)?;
        }
        Ok(Some(path))
    }
}

impl Drop for Place {
    /// Gives the lock back in so many words: closing the file would leave it with a child that this
    /// process is just about to start, until that child has begun its own program.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.lock.as_ref().map(File::unlock) {
            tracing::warn!(%error, "the state directory's lock could not be given back");
        }
    }
}

/// Takes the lock, if need be after a moment: a killed process may still be on its way out.
fn acquire(lock: &File) -> std::io::Result<bool> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            // Real time, whatever clock the engine runs on: another process is waited for.
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY),
        }
    }
    Ok(false)
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn record_holder(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    write!(lock, "{}", std::process::id())
}

fn check(path: &Path) -> Result<(), EngineError> {
    let damaged = |error: rusqlite::Error| EngineError::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let size = std::fs::metadata(path)
        .map_err(|source| EngineError::Unwritable {
            path: path.to_owned(),
            source,
        })?
        .len();
    let connection = Connection::open(path).map_err(damaged)?;
    connection
        .query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| {
            row.get::<_, i64>(0)
        })
        .map_err(damaged)?;
    if size > CHECKED_FILE_MAX {
        return Ok(());
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(damaged)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(EngineError::Damaged {
        path: path.to_owned(),
        detail: verdict,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_opened_by_one_holder_at_a_time() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = State::Directory(dir.path().to_owned());
        let first = Place::open(&state).expect("the first holder");
        let second = Place::open(&state);
        assert!(matches!(
            second,
            Err(EngineError::InUse { pid: Some(pid), .. }) if pid == std::process::id()
        ));
        drop(first);
        Place::open(&state).expect("free again");
    }

    #[test]
    fn a_file_that_is_no_database_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("x.sqlite"), vec![7u8; 9000]).expect("written");
        let place = Place::open(&State::Directory(dir.path().to_owned())).expect("opened");
        let error = place.file("x.sqlite").expect_err("refused");
        assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("x.sqlite"));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("file");
        std::fs::write(&file, "x").expect("written");
        let error = Place::open(&State::Directory(file.join("below"))).expect_err("refused");
        assert!(matches!(error, EngineError::Unwritable { .. }), "{error}");
    }
}
