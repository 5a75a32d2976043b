//! One stream's views, brought up to its tail.

use callboard_contracts::StreamId;
use callboard_runtime::backoff::Backoff;
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::Journal;
use callboard_runtime::table::{Table, WriteError};

use crate::kind::Kind;
use crate::rows::{Extent, Standing, overtaken, swap};
use crate::view::Key;

/// Tries before the message goes back to its queue: each lost one means that another projector
/// has just written the same stream, and that we read again what it left.
const TRIES_MAX: u32 = 4;

/// Kinds of stream of which no view is made: a waitlist's policies, and whom a slot's broadcast was
/// told to.
const NOT_SHOWN: [&str; 2] = ["waitlist", "broadcast"];

/// What the projector needs to do its work.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Where streams are read.
    pub journal: Journal,
    /// Where the views stand.
    pub views: Table,
}

/// What became of a stream's views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Written, up to this commit.
    Written {
        /// The commit's number.
        applied: u64,
    },
    /// No view is made of it: whoever needs it reads it in its own stream.
    NothingToShow,
    /// They had seen this commit or a later one already.
    UpToDate {
        /// The commit's number.
        applied: u64,
    },
}

/// Brings the views of `stream` up to its tail.
///
/// `reached` is the commit that the message tells of: views that have seen it need no look at
/// the journal. However often and in whatever order messages come, the views only move forward,
/// because every write stands under the condition that nobody wrote since we read.
///
/// # Errors
/// [`Failure`]: terminal if the stream is of a kind without a view or does not exist, else
/// retryable.
pub async fn run(deps: &Deps, stream: &StreamId, reached: Option<u64>) -> Result<Outcome, Failure> {
    let kind = match (Kind::of(stream), stream.kind()) {
        (Some(kind), _) => kind,
        (None, kind) if NOT_SHOWN.contains(&kind) => return Ok(Outcome::NothingToShow),
        (None, kind) => {
            let reason = format!("no view is made of a stream of kind `{kind}`");
            return Err(Failure::terminal(reason));
        }
    };
    let main = Key::of(stream);
    for attempt in 1..=TRIES_MAX {
        let before = deps.views.get(&main.pk, &main.sk).await?;
        let before = before.as_ref().map(Standing::of);
        let applied = before.as_ref().map_or(0, Standing::applied);
        if reached.is_some_and(|reached| applied >= reached) {
            return Ok(Outcome::UpToDate { applied });
        }
        let rows = kind.load(&deps.journal, stream, None).await?;
        let rows =
            rows.ok_or_else(|| Failure::terminal("the journal holds nothing of the stream"))?;
        if applied >= rows.seen.applied {
            return Ok(Outcome::UpToDate { applied });
        }
        let applied = rows.seen.applied;
        let writes = swap(
            &deps.views,
            (kind, &main),
            before.as_ref(),
            Some(&rows),
            &[],
            Extent::Changed,
        );
        match deps.views.write_all(writes).await {
            Ok(()) => return Ok(Outcome::Written { applied }),
            Err(error) if overtaken(&error) => Backoff::CALL.wait(attempt).await,
            Err(error) => return Err(unwritten(error)),
        }
    }
    Err(Failure::retryable("others kept writing the same views"))
}

/// A transaction that failed for another reason than a race.
pub(crate) fn unwritten(error: WriteError) -> Failure {
    match error {
        WriteError::Aws(fault) => fault.into(),
        error => Failure::retryable("the views were not written").because(error),
    }
}
