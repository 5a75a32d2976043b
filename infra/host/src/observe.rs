//! What happened, for a live view and for tests that count: one [`Invocation`] for
//! each call of a function, and totals that are exact even if nobody listened.
//!
//! Nothing of a payload is in here but ids that the product calls correlation ids.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast;

/// Observations kept for a listener that lags. Beyond it the listener sees a gap
/// (`RecvError::Lagged`), never a slower system; exact numbers are in [`Totals`].
const OBSERVATIONS_KEPT: usize = 4_096;

/// Correlation ids reported for one invocation; a live view needs no more.
pub(crate) const CORRELATION_IDS_MAX: usize = 10;

/// What called the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A batch of a queue, by the queue's name.
    Queue(Arc<str>),
    /// A batch of a stream's shard, by the table's name.
    Stream(Arc<str>),
    /// An HTTP request, by its route key (`POST /v1/events`), never by its path.
    Http(Arc<str>),
    /// A schedule, by its name in the template.
    Schedule(Arc<str>),
}

/// How an invocation ended, as the event source judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Answered, and nothing is to be tried again.
    Succeeded,
    /// Answered with a list of records that failed.
    Partial,
    /// Returned an error.
    Failed,
    /// Reached its deadline and was cancelled.
    TimedOut,
    /// Panicked.
    Panicked,
    /// Answered with something that the event source cannot read: a failure of all records.
    Malformed,
}

/// One finished call of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The function's binary, `waitlist-cascade`.
    pub function: Arc<str>,
    /// The request id that the function saw.
    pub request_id: String,
    /// What called it.
    pub trigger: Trigger,
    /// Records in the event; 1 for HTTP, 0 for a schedule.
    pub records: usize,
    /// Records that the event source counts as failed.
    pub failed: usize,
    /// How it ended.
    pub verdict: Verdict,
    /// HTTP status of the answer, for HTTP only.
    pub status: Option<u16>,
    /// Start, by the clock of the SDK configuration.
    pub started_at: SystemTime,
    /// Time from call to answer.
    pub duration: Duration,
    /// Correlation ids of the records, where they are cheap to see; at most ten.
    pub correlation_ids: Vec<String>,
}

/// Sums for one function since the host started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls of the function.
    pub invocations: u64,
    /// Calls which did not end in [`Verdict::Succeeded`].
    pub unsuccessful: u64,
    /// Records handed over, repetitions included.
    pub records: u64,
    /// Records counted as failed, repetitions included.
    pub failed: u64,
}

/// Where invocations report to.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    events: broadcast::Sender<Arc<Invocation>>,
    totals: Arc<Mutex<BTreeMap<Arc<str>, Totals>>>,
}

impl Observer {
    pub(crate) fn new() -> Self {
        let (events, _) = broadcast::channel(OBSERVATIONS_KEPT);
        Observer {
            events,
            totals: Arc::default(),
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Invocation>> {
        self.events.subscribe()
    }

    pub(crate) fn totals(&self) -> BTreeMap<Arc<str>, Totals> {
        self.totals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn report(&self, invocation: Invocation) {
        {
            let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
            let sums = totals.entry(invocation.function.clone()).or_default();
            sums.invocations += 1;
            sums.records += invocation.records as u64;
            sums.failed += invocation.failed as u64;
            if invocation.verdict != Verdict::Succeeded {
                sums.unsuccessful += 1;
            }
        }
        // An error means that nobody listens.
        let _ = self.events.send(Arc::new(invocation));
    }
}
