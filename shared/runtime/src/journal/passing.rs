//! A stream that is folded while its commits pass by, for whoever reads many streams in one go.

use callboard_contracts::{Fold, StreamId, Timestamp};

use super::committed::Committed;
use super::error::JournalError;
use super::{Journal, Loaded, snapshot_of};

/// A stream of which the commits are shown one after another, ascending. At its end it is what
/// [`Journal::load`] gives: a snapshot of this version of the fold stands for all before it, so
/// that what is missing or unreadable before one does no harm.
#[derive(Debug)]
pub struct Passing<S>(Result<Loaded<S>, JournalError>);

impl<S: Fold> Passing<S> {
    /// A stream of which nothing was shown yet.
    #[must_use]
    pub fn new(stream: StreamId) -> Self {
        Self(Ok(Loaded::fresh(stream)))
    }

    /// The next commit, or why it cannot be read.
    #[must_use]
    pub fn pass(self, commit: Result<&Committed, JournalError>) -> Self {
        let commit = match commit {
            Ok(commit) => commit,
            Err(error) => return Self(Err(error)),
        };
        match snapshot_of::<S>(commit) {
            Some(state) => Self(Ok(Loaded::at(commit, state))),
            None => Self(self.0.and_then(|loaded| loaded.after(commit))),
        }
    }

    /// The stream as far as it was shown.
    ///
    /// # Errors
    /// [`JournalError`] when commits are missing from it, or cannot be read.
    pub fn end(self) -> Result<Loaded<S>, JournalError> {
        self.0
    }
}

impl Journal {
    /// Folds a stream as it was at `until`: up to the commit before the first that was decided
    /// later. The clocks that decide differ by milliseconds; the order of commits does not.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read, or commits are missing from it.
    pub async fn load_as_of<S: Fold>(
        &self,
        stream: &StreamId,
        until: Timestamp,
    ) -> Result<Loaded<S>, JournalError> {
        let commits = self.read(stream, 1).await?;
        let then = commits.iter().take_while(|commit| commit.at <= until);
        then.fold(Passing::new(stream.clone()), |passing, commit| {
            passing.pass(Ok(commit))
        })
        .end()
    }
}
