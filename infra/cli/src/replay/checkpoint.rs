//! How far a rebuild has come, kept in a file so that it goes on after an interrupt. All work is
//! idempotent: what a `kill -9` takes from the file is only done again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use callboard_contracts::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use waitlist_projector::rebuild::Tally;

use super::walk::{Cursor, Portion};
use crate::dlq::sweep::lock;
use crate::env_file::write_private;
use crate::error::CliError;

/// Between two writes of the file, each of which waits for the disk.
const WRITE_EVERY: Duration = Duration::from_millis(250);

/// What was put right longer ago may be worth another look.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);

/// What a rebuild is of. One of anything else does not go on from its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    pub(crate) view: String,
    pub(crate) journal: String,
    pub(crate) table: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    /// As typed.
    pub(crate) at: Option<String>,
    pub(crate) segments: u32,
    /// Of the documents and folds: another version of the code gives other rows.
    pub(crate) versions: Vec<u32>,
    pub(crate) callboard: String,
}

/// What was done, and where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    asked: Asked,
    begun: Timestamp,
    /// The time that `at` meant when the rebuild began.
    pub(crate) until: Option<Timestamp>,
    pub(crate) journal: Vec<Cursor>,
    pub(crate) views: Vec<Cursor>,
    pub(crate) tally: Tally,
    pub(crate) commits: u64,
    pub(crate) rows: u64,
    pub(crate) read_units: f64,
    pub(crate) seconds: f64,
    /// How often it was interrupted.
    pub(crate) resumed: u32,
}

/// Which of the two tables is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Journal,
    Views,
}

/// The state, and the file that it is kept in.
pub(crate) struct Checkpoint {
    /// None where nothing is changed: a look begins anew.
    file: Option<PathBuf>,
    before: f64,
    begun: Instant,
    state: Mutex<(State, Option<Instant>)>,
}

impl Checkpoint {
    /// Goes on from `file` if it is of the same rebuild and of late, else begins anew.
    ///
    /// # Errors
    /// [`CliError::Damaged`] or [`CliError::Unreadable`], with the file.
    pub(crate) fn open(
        file: Option<PathBuf>,
        asked: Asked,
        until: Option<Timestamp>,
        now: Timestamp,
        restart: bool,
    ) -> Result<Self, CliError> {
        let left = match (&file, restart) {
            (Some(file), false) => read(file)?,
            _ => None,
        };
        let left = left.filter(|left| left.asked == asked && now.since(left.begun) < GOOD_FOR);
        let state = match left {
            Some(left) => State {
                resumed: left.resumed + 1,
                ..left
            },
            None => State {
                begun: now,
                until,
                journal: vec![Cursor::default(); asked.segments as usize],
                views: vec![Cursor::default(); asked.segments as usize],
                tally: Tally::default(),
                commits: 0,
                rows: 0,
                read_units: 0.0,
                seconds: 0.0,
                resumed: 0,
                asked,
            },
        };
        Ok(Self {
            file,
            before: state.seconds,
            begun: Instant::now(),
            state: Mutex::new((state, None)),
        })
    }

    pub(crate) fn state(&self) -> State {
        let mut state = lock(&self.state).0.clone();
        state.seconds = self.before + self.begun.elapsed().as_secs_f64();
        state
    }

    /// All of a portion is dealt with.
    ///
    /// # Errors
    /// [`CliError::Unwritable`] with the file.
    pub(crate) fn passed<T>(
        &self,
        pass: Pass,
        segment: usize,
        portion: Portion<T>,
        tally: Tally,
    ) -> Result<(), CliError> {
        let due = {
            let (state, written) = &mut *lock(&self.state);
            let (cursors, count) = match pass {
                Pass::Journal => (&mut state.journal, &mut state.commits),
                Pass::Views => (&mut state.views, &mut state.rows),
            };
            cursors[segment] = portion.cursor;
            *count += portion.read as u64;
            state.read_units += portion.read_units;
            state.tally.add(tally);
            let due = written.is_none_or(|written| written.elapsed() >= WRITE_EVERY);
            if due {
                *written = Some(Instant::now());
            }
            due
        };
        if due { self.write() } else { Ok(()) }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`CliError::Unwritable`] with the file.
    pub(crate) fn write(&self) -> Result<(), CliError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let json = serde_json::to_vec_pretty(&self.state()).map_err(|error| CliError::Io {
            what: "the checkpoint cannot be made",
            source: error.into(),
        })?;
        write_private(file, &json)
    }

    /// Takes the file away: all is done.
    ///
    /// # Errors
    /// [`CliError::Unwritable`] with the file.
    pub(crate) fn end(&self) -> Result<(), CliError> {
        match self.file.as_ref().map(|file| (file, fs::remove_file(file))) {
            Some((path, Err(source))) if source.kind() != ErrorKind::NotFound => {
                Err(CliError::Unwritable {
                    path: path.clone(),
                    source,
                })
            }
            _ => Ok(()),
        }
    }
}

fn read(file: &Path) -> Result<Option<State>, CliError> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(CliError::Unreadable {
                path: file.to_owned(),
                source,
            });
        }
    };
    let state = serde_json::from_slice(&bytes).map_err(|error| CliError::Damaged {
        path: file.to_owned(),
        detail: error.to_string(),
    })?;
    Ok(Some(state))
}
