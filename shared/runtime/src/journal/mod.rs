//! Append-only streams in one DynamoDB table: the write model, the outbox and the audit trail.
//!
//! A change of state is a *commit*: one item (`pk` = stream id, `sk` = commit number) with one or
//! more immutable events, put under the condition that its number is free. That write is at once
//! optimistic concurrency, deduplication and the transactional outbox (the table's stream hands
//! it to a relay).
//!
//! ```no_run
//! use callboard_contracts::foreign::ForeignEvent;
//! use callboard_runtime::journal::{AppendError, Journal};
//! use callboard_runtime::{Cause, Fold, StreamId, Timestamp};
//!
//! # #[derive(Default, Clone, serde::Serialize, serde::Deserialize)]
//! struct Seen(u32);
//! impl Fold for Seen {
//!     type Event = ForeignEvent;
//!     const VERSION: u32 = 1;
//!     fn evolve(self, _: &ForeignEvent, _: Timestamp) -> Self {
//!         Self(self.0 + 1)
//!     }
//! }
//!
//! # async fn example(journal: Journal, stream: StreamId, event: ForeignEvent, cause: Cause, now: Timestamp)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let loaded = journal.load::<Seen>(&stream).await?;
//! if loaded.state.0 == 0 {
//!     let commit = loaded.next(&cause, now).event(event).build()?;
//!     match journal.append(commit).await {
//!         Ok(done) => println!("{}", done.reference()),
//!         // Somebody was faster: load and decide again, or tell the caller.
//!         Err(AppendError::Conflict(lost)) if lost.same_cause() == Some(true) => {}
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! # Ok(()) }
//! ```

mod agenda;
mod append;
mod commit;
mod committed;
mod correlation;
mod error;
mod history;
mod item;
mod passing;
mod size;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use callboard_contracts::{Cause, Fold, StreamId, Timestamp};
use uuid::Uuid;

pub use agenda::{Bucket, OpenWork};
pub use append::Appended;
pub use commit::{Commit, CommitBuilder, SNAPSHOT_EVERY, new_id};
pub use committed::{Committed, Due, RecordedEvent, Snapshot};
pub use correlation::Correlated;
pub use error::{
    AppendError, CommitError, Conflict, EVENTS_MAX, JournalError, TRANSACTION_ITEMS_MAX,
};
pub use history::History;
pub use item::{Item, due_bucket};
pub use passing::Passing;
pub use size::{ITEM_BYTES_MAX, WRITE_UNIT_BYTES, item_bytes, write_units};

use crate::fault::AwsFault;

/// The journal of one table.
#[derive(Debug, Clone)]
pub struct Journal {
    client: Client,
    table: String,
}

/// What a loaded stream's last commit was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMeta {
    /// Its id.
    pub id: Uuid,
    /// When it was decided.
    pub at: Timestamp,
    /// Why it was made.
    pub cause: Cause,
}

impl CommitMeta {
    fn of(commit: &Committed) -> Self {
        Self {
            id: commit.id,
            at: commit.at,
            cause: commit.cause.clone(),
        }
    }
}

/// A stream's folded state, and where it stands.
#[derive(Debug, Clone)]
pub struct Loaded<S> {
    /// The stream.
    pub stream: StreamId,
    /// Its state; the default if nothing is there.
    pub state: S,
    /// The number of its last commit; 0 if nothing is there.
    pub number: u64,
    /// Its last commit; absent if nothing is there, or if it was not read (see [`Loaded::told`]).
    pub last: Option<CommitMeta>,
    /// Whether the state was folded from the whole stream.
    complete: bool,
}

impl<S: Fold> Loaded<S> {
    /// A stream of which nothing is there yet, as far as the caller knows. Appending to it is
    /// safe without a load: the condition on number 1 tells.
    #[must_use]
    pub fn fresh(stream: StreamId) -> Self {
        Self {
            stream,
            state: S::default(),
            number: 0,
            last: None,
            complete: true,
        }
    }

    /// A stream as a message tells it: its last commit is `number`, and `state` is what the
    /// message lets know. Appending to it is safe without a load, for the condition on the next
    /// number proves that nothing has come after. The state may be a partial one, so commits
    /// made from it never carry a snapshot; but it must be all that the decision rests on. An
    /// event tells neither of earlier commits nor of other events in its own.
    #[must_use]
    pub fn told(stream: StreamId, state: S, number: u64) -> Self {
        Self {
            stream,
            state,
            number,
            last: None,
            complete: false,
        }
    }

    /// A stream at a commit that carries its state.
    fn at(commit: &Committed, state: S) -> Self {
        Self {
            stream: commit.stream.clone(),
            state,
            number: commit.number,
            last: Some(CommitMeta::of(commit)),
            complete: true,
        }
    }

    /// Whether anything is there.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.number > 0
    }

    /// `cause`, as part of what goes on in this stream: it keeps its own id, and has the correlation
    /// id of the last commit, if there is one.
    #[must_use]
    pub fn within(&self, cause: &Cause) -> Cause {
        let last = self.last.as_ref();
        Cause {
            correlation_id: last
                .map_or(&cause.correlation_id, |last| &last.cause.correlation_id)
                .clone(),
            ..cause.clone()
        }
    }

    /// The next commit, decided at `at` because of `cause`.
    #[must_use]
    pub fn next(&self, cause: &Cause, at: Timestamp) -> CommitBuilder<S> {
        let before = (self.state.clone(), self.complete);
        CommitBuilder::new(self.stream.clone(), self.number + 1, before, cause, at)
    }

    /// The stream after `commit` was appended to it, without another read.
    ///
    /// # Errors
    /// [`JournalError::Decode`] when the commit holds events of another kind of stream,
    /// [`JournalError::Gap`] when it is not the next one.
    pub fn after(mut self, commit: &Committed) -> Result<Self, JournalError> {
        if commit.number != self.number + 1 {
            return Err(JournalError::Gap {
                stream: self.stream,
                missing: self.number + 1,
            });
        }
        self.apply(commit)?;
        Ok(self)
    }

    fn apply(&mut self, commit: &Committed) -> Result<(), JournalError> {
        let mut state = std::mem::take(&mut self.state);
        for event in commit.decode::<S::Event>()? {
            state = state.evolve(&event, commit.at);
        }
        self.state = state;
        self.number = commit.number;
        self.last = Some(CommitMeta::of(commit));
        Ok(())
    }
}

impl Journal {
    /// The journal in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }

    /// The journal in `table`, by a client of its own.
    #[must_use]
    pub fn open(sdk: &aws_config::SdkConfig, table: impl Into<String>) -> Self {
        Self::new(Client::new(sdk), table)
    }

    /// The table's name, for reads in bulk.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The client, for reads in bulk.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Folds a stream: one strongly consistent query from its tail down to the newest snapshot
    /// of this version of the fold, or to its beginning.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read, or commits are missing from it.
    pub async fn load<S: Fold>(&self, stream: &StreamId) -> Result<Loaded<S>, JournalError> {
        let mut newer: Vec<Committed> = Vec::new();
        let mut base = Loaded::<S>::fresh(stream.clone());
        let mut from = None;
        'pages: loop {
            let (page, next) = self.page(stream, None, false, from).await?;
            for commit in page {
                if let Some(last) = newer.last()
                    && last.number != commit.number + 1
                {
                    return Err(JournalError::Gap {
                        stream: stream.clone(),
                        missing: last.number - 1,
                    });
                }
                if let Some(state) = snapshot_of::<S>(&commit) {
                    base = Loaded::at(&commit, state);
                    break 'pages;
                }
                newer.push(commit);
            }
            match next {
                Some(key) => from = Some(key),
                None => break,
            }
        }
        for commit in newer.iter().rev() {
            base = base.after(commit)?;
        }
        Ok(base)
    }

    /// The commits of a stream from number `from` (inclusive) to its tail, ascending and
    /// strongly consistent.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read.
    pub async fn read(&self, stream: &StreamId, from: u64) -> Result<Vec<Committed>, JournalError> {
        let mut commits = Vec::new();
        let mut key = None;
        loop {
            let (page, next) = self.page(stream, Some(from), true, key).await?;
            commits.extend(page);
            match next {
                Some(next) => key = Some(next),
                None => return Ok(commits),
            }
        }
    }

    /// One page of an index, and where the next one begins.
    async fn index_page(
        &self,
        index: &str,
        condition: &str,
        values: &Item,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), JournalError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values.clone()))
            .set_exclusive_start_key(start);
        let output = query
            .send()
            .await
            .map_err(|error| AwsFault::of("Query", error))?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
    }

    async fn page(
        &self,
        stream: &StreamId,
        from: Option<u64>,
        ascending: bool,
        start: Option<Item>,
    ) -> Result<(Vec<Committed>, Option<Item>), JournalError> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(if from.is_some() {
                "pk = :pk AND sk >= :from"
            } else {
                "pk = :pk"
            })
            .expression_attribute_values(":pk", AttributeValue::S(stream.as_str().to_owned()))
            .consistent_read(true)
            .scan_index_forward(ascending)
            .set_exclusive_start_key(start)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(from) = from {
            query = query.expression_attribute_values(":from", AttributeValue::N(from.to_string()));
        }
        if !ascending {
            // As many as can lie above a snapshot, and the snapshot itself.
            query = query.limit(i32::try_from(SNAPSHOT_EVERY).unwrap_or(i32::MAX));
        }
        let output = query
            .send()
            .await
            .map_err(|error| AwsFault::of("Query", error))?;
        let commits = output
            .items()
            .iter()
            .map(Committed::from_item)
            .collect::<Result<_, _>>()?;
        Ok((commits, output.last_evaluated_key().cloned()))
    }
}

/// The state in a commit's snapshot, if it is one of this version of the fold.
fn snapshot_of<S: Fold>(commit: &Committed) -> Option<S> {
    let snapshot = commit
        .snapshot
        .as_ref()
        .filter(|snapshot| snapshot.version == S::VERSION)?;
    match serde_json::from_str(&snapshot.state) {
        Ok(state) => Some(state),
        Err(_) => {
            tracing::warn!(commit = %commit.reference(), "a snapshot of this version cannot be read; passed over");
            None
        }
    }
}
