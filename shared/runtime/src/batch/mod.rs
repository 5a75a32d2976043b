//! SQS batches in stages: decode each record alone, take the good ones through any number of
//! stages, and answer Lambda with exactly the records that must come back.
//!
//! ```no_run
//! use callboard_runtime::batch::{Batch, Outlet};
//! use callboard_runtime::Failure;
//! # use serde_json::Value;
//!
//! # async fn handle(event: Value, outlet: &Outlet) -> Result<Value, lambda_runtime::Error> {
//! let batch = Batch::sqs(event, |record| record.envelope())?;
//! // Between stages: one read for the whole batch.
//! let ids: Vec<String> = batch.items().map(|(_, envelope)| envelope.id.clone()).collect();
//! let batch = batch
//!     .stage(4, |record| async move {
//!         if record.value.data.is_null() {
//!             return Err(Failure::terminal("nothing to do"));
//!         }
//!         Ok(())
//!     })
//!     .await;
//! Ok(batch.finish(outlet).await)
//! # }
//! ```
//!
//! A failure, or a panic, concerns its own record. Terminal failures and last tries go to the
//! dead-letter queue with their reason and then count as handled; retryable ones come back after
//! a jittered while. In a FIFO batch a failure stops its message group and no other: the
//! group's followers are handed back untried, and never dead-lettered for it.

mod finish;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use serde_json::Value;
use tracing::Instrument;

pub use finish::{MAX_TRIES, Outlet};
pub use record::SqsRecord;

use crate::failure::Failure;

/// The most records that one batch of a standard queue without a window has (Lambda Developer Guide,
/// "Configuring scaling behavior for SQS event source mappings").
pub const STANDARD_RECORDS_MAX: usize = 10;

/// An event that is no SQS batch at all.
#[derive(Debug, thiserror::Error)]
#[error("the event is not an SQS batch: it has no Records")]
pub struct NotABatch;

/// One record on its way through the stages.
#[derive(Debug, Clone)]
pub struct Record<T> {
    /// The message it came as.
    pub message: Arc<SqsRecord>,
    /// What the stages so far have made of it.
    pub value: T,
}

/// Why a record is no longer on its way.
#[derive(Debug)]
enum Aside {
    Failed(Failure),
    /// A predecessor of its message group failed.
    Untried,
}

/// The records of one invocation.
#[derive(Debug)]
pub struct Batch<T> {
    fifo: bool,
    live: Vec<Record<T>>,
    aside: Vec<(Arc<SqsRecord>, Aside)>,
    /// Message groups that have stopped.
    stopped: BTreeSet<String>,
}

impl<T> Batch<T> {
    /// Reads the event of a standard queue, decoding the records one by one.
    ///
    /// # Errors
    /// [`NotABatch`] when the event has no list of records; a record that cannot be decoded is
    /// only set aside.
    pub fn sqs(
        event: Value,
        decode: impl Fn(&SqsRecord) -> Result<T, Failure>,
    ) -> Result<Self, NotABatch> {
        Self::read(&event, decode, false)
    }

    /// Reads the event of a FIFO queue: groups side by side, records of one group in order.
    ///
    /// # Errors
    /// [`NotABatch`] when the event has no list of records.
    pub fn fifo(
        event: Value,
        decode: impl Fn(&SqsRecord) -> Result<T, Failure>,
    ) -> Result<Self, NotABatch> {
        Self::read(&event, decode, true)
    }

    fn read(
        event: &Value,
        decode: impl Fn(&SqsRecord) -> Result<T, Failure>,
        fifo: bool,
    ) -> Result<Self, NotABatch> {
        let records = event
            .get("Records")
            .and_then(Value::as_array)
            .ok_or(NotABatch)?;
        let mut batch = Self::empty(fifo);
        for record in records {
            let message = Arc::new(SqsRecord::read(record));
            if batch.is_stopped(&message) {
                batch.set_aside(message, Aside::Untried);
                continue;
            }
            let decoded = match message.defect {
                Some(defect) => Err(Failure::poison(defect)),
                None => std::panic::catch_unwind(AssertUnwindSafe(|| decode(&message)))
                    .unwrap_or_else(|_| Err(Failure::panicked())),
            };
            match decoded {
                Ok(value) => batch.live.push(Record { message, value }),
                Err(failure) => batch.set_aside(message, Aside::Failed(failure)),
            }
        }
        Ok(batch)
    }

    const fn empty(fifo: bool) -> Self {
        Self {
            fifo,
            live: Vec::new(),
            aside: Vec::new(),
            stopped: BTreeSet::new(),
        }
    }

    /// The records that are still on their way.
    pub fn items(&self) -> impl Iterator<Item = (&SqsRecord, &T)> {
        self.live
            .iter()
            .map(|record| (&*record.message, &record.value))
    }

    /// How many records are still on their way.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether no record is on its way any more.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Makes something else of every record, for instance by what a read in bulk has found.
    #[must_use]
    pub fn map<U>(self, mut f: impl FnMut(&SqsRecord, T) -> U) -> Batch<U> {
        let live = self.live.into_iter().map(|Record { message, value }| {
            let value = f(&message, value);
            Record { message, value }
        });
        Batch {
            fifo: self.fifo,
            live: live.collect(),
            aside: self.aside,
            stopped: self.stopped,
        }
    }

    /// Sets every record aside with the failure that `f` makes: what all of them needed has
    /// failed. Answers Lambda with [`Batch::finish`] as ever.
    #[must_use]
    pub fn fail_all(mut self, f: impl Fn() -> Failure) -> Self {
        for record in std::mem::take(&mut self.live) {
            let aside = if self.is_stopped(&record.message) {
                Aside::Untried
            } else {
                Aside::Failed(f())
            };
            self.set_aside(record.message, aside);
        }
        self
    }

    /// Takes every record through `step`, at most `concurrency` at a time. Those that fail or
    /// panic are set aside, the others go on.
    pub async fn stage<U, F, Fut>(mut self, concurrency: usize, step: F) -> Batch<U>
    where
        F: Fn(Record<T>) -> Fut,
        Fut: Future<Output = Result<U, Failure>>,
    {
        let lanes = self.lanes();
        let step = &step;
        let outcomes: Vec<Lane<U>> = futures::stream::iter(lanes)
            .map(|lane| run_lane(lane, step))
            .buffered(concurrency.max(1))
            .collect()
            .await;
        let mut next = Batch {
            fifo: self.fifo,
            live: Vec::with_capacity(outcomes.len()),
            aside: self.aside,
            stopped: self.stopped,
        };
        for (message, outcome) in outcomes.into_iter().flatten() {
            match outcome {
                Ok(value) => next.live.push(Record { message, value }),
                Err(aside) => next.set_aside(message, aside),
            }
        }
        next
    }

    /// What may run side by side: single records, or whole groups of a FIFO batch.
    fn lanes(&mut self) -> Vec<Vec<Record<T>>> {
        let live = std::mem::take(&mut self.live);
        if !self.fifo {
            return live.into_iter().map(|record| vec![record]).collect();
        }
        let mut lanes: Vec<Vec<Record<T>>> = Vec::new();
        let mut lane_of: BTreeMap<String, usize> = BTreeMap::new();
        for record in live {
            let group = record.message.group.clone().unwrap_or_default();
            let lane = *lane_of.entry(group).or_insert_with(|| {
                lanes.push(Vec::new());
                lanes.len() - 1
            });
            lanes[lane].push(record);
        }
        lanes
    }

    fn is_stopped(&self, message: &SqsRecord) -> bool {
        self.fifo
            && self
                .stopped
                .contains(message.group.as_deref().unwrap_or_default())
    }

    fn set_aside(&mut self, message: Arc<SqsRecord>, aside: Aside) {
        if self.fifo {
            self.stopped
                .insert(message.group.clone().unwrap_or_default());
        }
        self.aside.push((message, aside));
    }
}

/// How the records of one lane ended, in their order.
type Lane<U> = Vec<(Arc<SqsRecord>, Result<U, Aside>)>;

/// Runs one lane in order, up to its first failure.
async fn run_lane<T, U, F, Fut>(lane: Vec<Record<T>>, step: &F) -> Lane<U>
where
    F: Fn(Record<T>) -> Fut,
    Fut: Future<Output = Result<U, Failure>>,
{
    let mut outcomes = Vec::with_capacity(lane.len());
    let mut stopped = false;
    for record in lane {
        let message = record.message.clone();
        if stopped {
            outcomes.push((message, Err(Aside::Untried)));
            continue;
        }
        let span = tracing::info_span!(
            "record",
            message_id = %message.message_id,
            correlation_id = message.correlation_id().unwrap_or_default(),
            attempt = message.receive_count,
        );
        // The call itself may panic before there is a future.
        let run = async move { step(record).await };
        let outcome = AssertUnwindSafe(run).catch_unwind().instrument(span).await;
        let outcome = outcome
            .unwrap_or_else(|_| Err(Failure::panicked()))
            .map_err(Aside::Failed);
        stopped = outcome.is_err();
        outcomes.push((message, outcome));
    }
    outcomes
}

#[cfg(test)]
mod tests;
