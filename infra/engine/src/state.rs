//! The state directory: its lock and its SQLite files.

use crate::config::{EngineError, State};
use crate::scope::Scope;
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
    directory: Option<Directory>,
    lock: Option<File>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Whose files are in the directory itself; those of others are below it. `ACCOUNT/REGION` of
    /// the engine that had it first: another one may have another pair for its own.
    first: String,
}

impl Place {
    /// Opens or makes the place for an engine whose own account and region are `own`.
    pub(crate) fn open(state: &State, own: &Scope) -> Result<Place, EngineError> {
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
            directory: Some(Directory {
                path: directory.clone(),
                first: first(directory, own).map_err(unwritable)?,
            }),
            lock: Some(lock),
        })
    }

    /// Whether state is in files.
    pub(crate) fn is_kept(&self) -> bool {
        self.directory.is_some()
    }

    /// Whose state is here.
    pub(crate) fn kept(&self) -> Vec<Scope> {
        let Some(directory) = &self.directory else {
            return Vec::new();
        };
        let below = names_in(&directory.path).into_iter().flat_map(|account| {
            let regions = names_in(&directory.path.join(&account)).into_iter();
            regions.map(move |region| format!("{account}/{region}"))
        });
        let first = directory.first.clone();
        std::iter::once(first)
            .chain(below)
            .filter_map(|pair| {
                let (account, region) = pair.split_once('/')?;
                let scope = Scope {
                    account: account.to_owned(),
                    region: region.to_owned(),
                };
                scope.is_well_formed().then_some(scope)
            })
            .collect()
    }

    /// The path of a state file of `scope`, checked for damage, or `None` when state is in memory.
    pub(crate) fn file(&self, scope: &Scope, name: &str) -> Result<Option<PathBuf>, EngineError> {
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        let path = directory.of(scope)?.join(name);
        if path.exists() {
            check(&path)?;
        }
        Ok(Some(path))
    }
}

impl Directory {
    fn of(&self, scope: &Scope) -> Result<PathBuf, EngineError> {
        if self.first == pair(scope) {
            return Ok(self.path.clone());
        }
        if !scope.is_well_formed() {
            return Err(EngineError::Storage(format!(
                "account {} in region {} cannot have a directory: an account is twelve digits, a \
                 region one of AWS's",
                scope.account, scope.region
            )));
        }
        let path = self.path.join(&scope.account).join(&scope.region);
        std::fs::create_dir_all(&path).map_err(|source| EngineError::Unwritable {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }
}

/// The names of the directories in a directory; none if it is none.
fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn pair(scope: &Scope) -> String {
    format!("{}/{}", scope.account, scope.region)
}

/// Whose the directory itself is: as was written down, or else `own`, which is written down.
fn first(directory: &Path, own: &Scope) -> std::io::Result<String> {
    let path = directory.join("engine.scope");
    match std::fs::read_to_string(&path) {
        Ok(first) => Ok(first),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Whole or not at all: a process killed meanwhile must not leave half a name.
            let draft = directory.join("engine.scope.new");
            std::fs::write(&draft, pair(own))?;
            std::fs::rename(&draft, &path)?;
            Ok(pair(own))
        }
        Err(error) => Err(error),
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

    fn scope(account: &str, region: &str) -> Scope {
        Scope {
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }

    fn own() -> Scope {
        scope("000000000000", "us-east-1")
    }

    #[test]
    fn a_directory_stays_that_of_who_had_it_first() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = State::Directory(dir.path().to_owned());
        let west = scope("000000000000", "eu-west-1");
        for engines_own in [own(), west.clone()] {
            let place = Place::open(&state, &engines_own).expect("opened");
            let file = |scope: &Scope| place.file(scope, "x").expect("a path").expect("kept");
            assert_eq!(file(&own()), dir.path().join("x"));
            let below = dir.path().join("000000000000/eu-west-1/x");
            assert_eq!(file(&west), below);
        }
        let place = Place::open(&state, &own()).expect("opened");
        for bad in [scope("..", "us-east-1"), scope("111122223333", "../..")] {
            place.file(&bad, "x").expect_err("refused");
        }
    }

    #[test]
    fn a_directory_is_opened_by_one_holder_at_a_time() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = State::Directory(dir.path().to_owned());
        let first = Place::open(&state, &own()).expect("the first holder");
        let second = Place::open(&state, &own());
        assert!(matches!(
            second,
            Err(EngineError::InUse { pid: Some(pid), .. }) if pid == std::process::id()
        ));
        drop(first);
        Place::open(&state, &own()).expect("free again");
    }

    #[test]
    fn a_file_that_is_no_database_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("x.sqlite"), vec![7u8; 9000]).expect("written");
        let place = Place::open(&State::Directory(dir.path().to_owned()), &own()).expect("opened");
        let error = place.file(&own(), "x.sqlite").expect_err("refused");
        assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("x.sqlite"));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("file");
        std::fs::write(&file, "x").expect("written");
        let error =
            Place::open(&State::Directory(file.join("below")), &own()).expect_err("refused");
        assert!(matches!(error, EngineError::Unwritable { .. }), "{error}");
    }
}
