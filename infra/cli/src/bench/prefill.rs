//! Makes a journal long before it is measured: commits of a usual size, through the journal's own
//! API, a hundred in a transaction. They are internal ones, which the relay does not publish.

use std::time::Duration;

use callboard_contracts::{DecodeError, DomainEvent, Visibility};
use callboard_runtime::journal::{Journal, Loaded, TRANSACTION_ITEMS_MAX};
use callboard_runtime::{Cause, Clock, Fold, StreamId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::process::Process;
use crate::error::CliError;

/// Commits of one stream, for it to look like a slot's or a notification's.
const STREAM_COMMITS: usize = 4;

/// Bytes of an event's data: a commit then has about 700, as most have.
const DATA_BYTES: usize = 300;

/// How often the process is looked at while the host reads past the prefilled commits.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// CPU time between two looks that counts as rest: 8 % of one core.
const RESTING: Duration = Duration::from_millis(20);

/// Longest wait for rest.
const REST_LIMIT: Duration = Duration::from_secs(120);

/// Pause where the system does not tell of CPU time.
const REST_UNSEEN: Duration = Duration::from_secs(5);

/// An event that says nothing and is not published.
#[derive(Debug, Clone)]
struct Filler;

impl DomainEvent for Filler {
    fn event_type(&self) -> &str {
        "callboard.bench.filled.v1"
    }

    fn visibility(&self) -> Visibility {
        Visibility::Internal
    }

    fn data(&self) -> Value {
        json!({ "filler": "x".repeat(DATA_BYTES) })
    }

    fn decode(_: &str, _: Value) -> Result<Self, DecodeError> {
        Ok(Filler)
    }
}

/// Nothing is folded.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Filled;

impl Fold for Filled {
    type Event = Filler;
    const VERSION: u32 = 1;

    fn evolve(self, _: &Filler, _: Timestamp) -> Self {
        self
    }
}

/// Appends `commits` commits of one event each.
///
/// # Errors
/// [`CliError::Bench`] when the journal refuses one.
pub(super) async fn fill(journal: &Journal, clock: &Clock, commits: usize) -> Result<(), CliError> {
    let failed = |error: String| CliError::Bench(format!("the journal cannot be filled: {error}"));
    let mut made = 0;
    while made < commits {
        let many = (commits - made).min(TRANSACTION_ITEMS_MAX);
        let transaction = (made..made + many).map(|number| {
            // Numbers of one stream are in transactions of their own: each item once.
            let (stream, number) = place(number, commits);
            let stream = StreamId::event("bench", &format!("filler-{stream}"));
            let cause = Cause {
                causation_id: format!("filler-{number}"),
                correlation_id: stream.to_string(),
                hash: "0".repeat(32),
                traceparent: None,
            };
            Loaded::told(stream, Filled, number)
                .next(&cause, clock.now())
                .event(Filler)
                .build()
        });
        let transaction = transaction
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(error.to_string()))?;
        journal
            .append_all(transaction, Vec::new())
            .await
            .map_err(|error| failed(error.to_string()))?;
        made += many;
    }
    Ok(())
}

/// Stream, and commits already in it, of the commit at `position` of `commits`: all first
/// commits come first, then all second ones.
fn place(position: usize, commits: usize) -> (usize, u64) {
    let streams = commits.div_ceil(STREAM_COMMITS).max(TRANSACTION_ITEMS_MAX);
    (position % streams, (position / streams) as u64)
}

/// Waits until this process has nothing left to do: the host reads what was filled in, too.
pub(super) async fn rest() {
    let deadline = tokio::time::Instant::now() + REST_LIMIT;
    let Some(mut before) = Process(None).cpu() else {
        return tokio::time::sleep(REST_UNSEEN).await;
    };
    while tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = Process(None).cpu().unwrap_or(before);
        if now.saturating_sub(before) <= RESTING {
            return;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_transaction_holds_a_stream_twice_and_no_number_is_left_out() {
        for commits in [1, 99, 1_000, 1_234] {
            let places: Vec<_> = (0..commits).map(|at| place(at, commits)).collect();
            for transaction in places.chunks(TRANSACTION_ITEMS_MAX) {
                let streams: HashSet<_> = transaction.iter().map(|(stream, _)| stream).collect();
                assert_eq!(streams.len(), transaction.len());
            }
            let known: HashSet<_> = places.iter().copied().collect();
            assert_eq!(known.len(), commits);
            assert!(
                known
                    .iter()
                    .all(|(stream, number)| *number == 0 || known.contains(&(*stream, number - 1)))
            );
        }
    }
}
