//! What happened to a stream lately, step by step.

use callboard_contracts::{Fold, StreamId, Timestamp};

use super::committed::Committed;
use super::error::JournalError;
use super::{Journal, snapshot_of};

/// The newest commits of a stream.
#[derive(Debug, Clone)]
pub struct History<S: Fold> {
    /// The state before the first of them.
    pub start: S,
    /// When each was decided, and what it says; ascending.
    pub commits: Vec<(Timestamp, Vec<S::Event>)>,
    /// Whether they are all there are.
    pub whole: bool,
}

impl<S: Fold> History<S> {
    /// The state after the last of them.
    #[must_use]
    pub fn state(&self) -> S {
        let commits = self.commits.iter();
        let events = commits.flat_map(|(at, events)| events.iter().map(|event| (*at, event)));
        events.fold(self.start.clone(), |state, (at, event)| {
            state.evolve(event, at)
        })
    }
}

impl Journal {
    /// The newest commits of a stream, at most `most` of them; strongly consistent. Where there
    /// are more, it begins behind a snapshot, which every 64th commit carries: so it holds at least
    /// `most` - 64 of them, unless all snapshots are of another version of the fold, which leaves
    /// none.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read, or commits are missing from it.
    pub async fn history<S: Fold>(
        &self,
        stream: &StreamId,
        most: usize,
    ) -> Result<History<S>, JournalError> {
        let mut newest: Vec<Committed> = Vec::new();
        let mut from = None;
        while newest.len() < most {
            let (page, next) = self.page(stream, None, false, from).await?;
            newest.extend(page);
            from = next;
            if from.is_none() {
                break;
            }
        }
        newest.truncate(most);
        newest.reverse();
        of(stream, &newest)
    }
}

fn of<S: Fold>(stream: &StreamId, commits: &[Committed]) -> Result<History<S>, JournalError> {
    let whole = commits.first().is_none_or(|first| first.number == 1);
    let (start, commits) = if whole {
        (S::default(), commits)
    } else {
        let snapshot = |(at, commit)| Some((snapshot_of::<S>(commit)?, at));
        match commits.iter().enumerate().find_map(snapshot) {
            Some((state, at)) => (state, commits.get(at + 1..).unwrap_or_default()),
            None => (S::default(), [].as_slice()),
        }
    };
    for (one, next) in commits.iter().zip(commits.iter().skip(1)) {
        if next.number != one.number + 1 {
            return Err(JournalError::Gap {
                stream: stream.clone(),
                missing: one.number + 1,
            });
        }
    }
    let decode = |commit: &Committed| {
        commit
            .decode::<S::Event>()
            .map(|events| (commit.at, events))
    };
    Ok(History {
        start,
        commits: commits.iter().map(decode).collect::<Result<_, _>>()?,
        whole,
    })
}
