//! How far each shard has been handled, for each mapping.
//!
//! Always in memory; with a file, also there, so that a restart goes on where the last
//! run ended. The file is written at most every [`WRITE_PAUSE`] and after the fact: a
//! crash repeats a few records, which at-least-once delivery allows, and loses none.
//! AWS keeps these for as long as the mapping exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::stop::Stop;

/// Shortest time between two writes of the file: what a crash may repeat, against
/// writing a small file for every batch.
const WRITE_PAUSE: Duration = Duration::from_millis(100);

/// Version of the file's format.
const FORMAT: u32 = 1;

/// Why the checkpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Reading or writing failed.
    #[error("checkpoint file `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what this module writes.
    #[error("checkpoint file `{}` is damaged: {source}; delete it to read all streams from their start", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the text stops being readable.
        source: serde_json::Error,
    },
    /// The file was written by another version.
    #[error("checkpoint file `{}` has format {found}, this version reads {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: u32,
    /// Sequence number per "function ARN|stream ARN|shard id".
    checkpoints: BTreeMap<String, String>,
}

/// The checkpoints of all mappings. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    positions: Mutex<BTreeMap<String, String>>,
    changed: Notify,
    file: Option<PathBuf>,
}

impl Checkpoints {
    /// Checkpoints without a file.
    pub(crate) fn in_memory() -> Self {
        Self::with(BTreeMap::new(), None)
    }

    /// Checkpoints kept in a file, which need not exist yet.
    pub(crate) async fn open(path: &Path) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        };
        let text = match tokio::fs::read(path).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::with(BTreeMap::new(), Some(path.to_owned())));
            }
            Err(error) => return Err(io(error)),
        };
        let stored: Stored =
            serde_json::from_slice(&text).map_err(|source| CheckpointError::Damaged {
                path: path.to_owned(),
                source,
            })?;
        if stored.format != FORMAT {
            return Err(CheckpointError::Format {
                path: path.to_owned(),
                found: stored.format,
            });
        }
        Ok(Self::with(stored.checkpoints, Some(path.to_owned())))
    }

    fn with(positions: BTreeMap<String, String>, file: Option<PathBuf>) -> Self {
        Checkpoints(Arc::new(Inner {
            positions: Mutex::new(positions),
            changed: Notify::new(),
            file,
        }))
    }

    /// The last handled sequence number.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.0
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Records that everything up to `sequence_number` is handled.
    pub(crate) fn advance(&self, key: &str, sequence_number: &str) {
        self.0
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), sequence_number.to_owned());
        self.0.changed.notify_one();
    }

    /// Forgets a position that the stream does not know.
    pub(crate) fn forget(&self, key: &str) {
        self.0
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
        self.0.changed.notify_one();
    }

    /// Writes the file after changes, until stopped. Returns at once without a file.
    pub(crate) async fn keep_written(&self, mut stop: Stop) {
        if self.0.file.is_none() {
            return;
        }
        while !stop.is_requested() {
            tokio::select! {
                () = stop.requested() => {}
                () = self.0.changed.notified() => {
                    self.write_or_log().await;
                    stop.sleep(WRITE_PAUSE).await;
                }
            }
        }
    }

    /// Writes the file now, for the end of a run.
    pub(crate) async fn write_or_log(&self) {
        if let Err(error) = self.write().await {
            tracing::warn!(%error, "checkpoints not written; a restart would repeat records");
        }
    }

    async fn write(&self) -> Result<(), CheckpointError> {
        let Some(path) = &self.0.file else {
            return Ok(());
        };
        let io = |source| CheckpointError::Io {
            path: path.clone(),
            source,
        };
        let stored = Stored {
            format: FORMAT,
            checkpoints: self
                .0
                .positions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        };
        let text = serde_json::to_vec_pretty(&stored).map_err(|error| io(error.into()))?;
        // Written beside and renamed: a crash leaves the old file or the new one.
        let beside = path.with_extension("new");
        tokio::fs::write(&beside, text).await.map_err(io)?;
        tokio::fs::rename(&beside, path).await.map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn positions_survive_a_restart_through_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("checkpoints.json");
        let first = Checkpoints::open(&path).await.expect("no file is fine");
        first.advance("f|s|1", "0042");
        first.write().await.expect("written");
        let second = Checkpoints::open(&path).await.expect("the file is read");
        assert_eq!(second.get("f|s|1").as_deref(), Some("0042"));
        second.forget("f|s|1");
        assert_eq!(second.get("f|s|1"), None);
    }

    #[tokio::test]
    async fn a_damaged_file_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("checkpoints.json");
        std::fs::write(&path, "{\"format\": 1, \"check").expect("written");
        let error = Checkpoints::open(&path).await.expect_err("damaged");
        assert!(error.to_string().contains("checkpoints.json"), "{error}");
        std::fs::write(&path, "{\"format\": 9, \"checkpoints\": {}}").expect("written");
        let error = Checkpoints::open(&path).await.expect_err("another version");
        assert!(matches!(error, CheckpointError::Format { found: 9, .. }));
    }
}
