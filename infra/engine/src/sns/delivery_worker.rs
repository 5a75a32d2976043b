//! The sending of what waits for endpoints outside: on tokio's time, a bounded number at once, no
//! endpoint holding up another.

use super::delivery_request::{Outside, attempt};
use super::delivery_rows::{self, Due, Ending, Places, Room, Row};
use super::reply::SnsError;
use crate::messages::Messages;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

/// Deliveries under way in all: that many sockets.
const AT_ONCE: usize = 256;
/// Deliveries under way to one subscription.
const AT_ONCE_EACH: usize = 16;
/// Deliveries under way to all subscriptions whose last one got no answer. They hold their places
/// for up to 15 s each: the other half is for those that do answer.
const AT_ONCE_SILENT: usize = AT_ONCE / 2;
/// How long to wait when the storage failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The deliveries under way. What is not known here is in the rows: after a kill they are sent
/// again.
#[derive(Debug)]
pub(crate) struct Sender {
    outside: Outside,
    tasks: JoinSet<Ending>,
    running: HashMap<Id, Row>,
    lanes: HashMap<String, Lane>,
    /// Endings that are not written down yet.
    ended: Vec<(Row, Ending)>,
    /// The subscription of which something was begun last: the next ones have their turn first.
    last: String,
}

/// What is known of a subscription with deliveries.
#[derive(Debug, Default)]
struct Lane {
    room: Room,
    /// Nothing begins before this; the end of a limit per second.
    rested_at: Option<Instant>,
}

impl Sender {
    pub(crate) fn new(outside: Outside) -> Sender {
        Sender {
            outside,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            lanes: HashMap::new(),
            ended: Vec::new(),
            last: String::new(),
        }
    }

    /// Writes down what has ended and begins what is due; gives how long to wait for more.
    pub(crate) fn advance(&mut self, messages: &Messages) -> Option<Duration> {
        let (rooms, rested) = self.rooms();
        let places = self.places();
        let (ended, last, lanes) = (&self.ended, &self.last, &mut self.lanes);
        let outcome = messages.transact(|work| {
            for (row, ending) in ended {
                delivery_rows::settle(work, row, ending)?;
            }
            lanes.retain(|arn, lane| !lane.room.busy.is_empty() || work.topics.has(arn));
            let due = delivery_rows::due(work, &rooms, places, last)?;
            Ok::<_, SnsError>((due, work.now))
        });
        let Ok((due, now)) = outcome else {
            return Some(AFTER_FAILURE);
        };
        self.ended.clear();
        let next = due.next_at;
        let rested = self.begin(due).into_iter().chain(rested).min();
        let wait = next.map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0)));
        let rest = rested.map(|at| at.saturating_duration_since(Instant::now()));
        wait.into_iter().chain(rest).min()
    }

    /// The room of each subscription that is not as usual, and the first end of a rest.
    fn rooms(&mut self) -> (HashMap<String, Room>, Option<Instant>) {
        let now = Instant::now();
        self.lanes.retain(|_, lane| {
            let room = &lane.room;
            !room.busy.is_empty() || room.silent || lane.rested_at.is_some_and(|at| at > now)
        });
        let mut first = None;
        let mut rooms = HashMap::new();
        for (arn, lane) in &mut self.lanes {
            let resting = lane.rested_at.filter(|at| *at > now);
            first = first.into_iter().chain(resting).min();
            lane.room.free = match resting {
                Some(_) => 0,
                // With a limit they begin one by one.
                None if lane.rested_at.is_some() => 1,
                None => AT_ONCE_EACH.saturating_sub(lane.room.busy.len()),
            };
            rooms.insert(arn.clone(), lane.room.clone());
        }
        (rooms, first)
    }

    /// What may be begun beside what is under way.
    fn places(&self) -> Places {
        let silent = self.lanes.values().filter(|lane| lane.room.silent);
        let silent: usize = silent.map(|lane| lane.room.busy.len()).sum();
        Places {
            each: AT_ONCE_EACH,
            all: AT_ONCE.saturating_sub(self.running.len()),
            silent: AT_ONCE_SILENT.saturating_sub(silent),
        }
    }

    /// Begins what is due; gives the first end of a rest that this brings about.
    fn begin(&mut self, due: Due) -> Option<Instant> {
        let mut first = None;
        for (row, per_second) in due.rows {
            let lane = self.lanes.entry(row.delivery.subscription_arn.clone());
            let lane = lane.or_default();
            let now = Instant::now();
            if lane.rested_at.is_some_and(|at| at > now) {
                continue;
            }
            lane.rested_at =
                per_second.map(|rate| now + Duration::from_secs(1).div_f64(f64::from(rate)));
            first = first.into_iter().chain(lane.rested_at).min();
            lane.room.busy.insert(row.id);
            self.last.clone_from(&row.delivery.subscription_arn);
            let (outside, task) = (self.outside.clone(), row.clone());
            let handle = self
                .tasks
                .spawn(async move { attempt(&outside, &task).await });
            self.running.insert(handle.id(), row);
        }
        first
    }

    /// Waits until there is something to write down or begin: an end, a word of new deliveries, or
    /// the passing of `wait`.
    pub(crate) async fn rest(&mut self, wait: Option<Duration>, told: &Notify) {
        let pause = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id() => self.note(ended),
            () = told.notified() => {}
            () = pause => {}
        }
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note(ended);
        }
    }

    fn note(&mut self, ended: Result<(Id, Ending), tokio::task::JoinError>) {
        let (id, ending) = match ended {
            Ok(ended) => ended,
            // The router of an in-process endpoint may panic.
            Err(error) => {
                let failed = Ending::Silent {
                    reason: "the endpoint did not answer: it panicked".to_owned(),
                };
                (error.id(), failed)
            }
        };
        let Some(row) = self.running.remove(&id) else {
            return;
        };
        if let Ending::Failed { reason, .. } | Ending::Silent { reason } = &ending {
            tracing::debug!(
                subscription = row.delivery.subscription_arn,
                retries = row.retries,
                reason,
                "a delivery failed"
            );
        }
        if let Some(lane) = self.lanes.get_mut(&row.delivery.subscription_arn) {
            lane.room.busy.remove(&row.id);
            lane.room.silent = matches!(ending, Ending::Silent { .. });
        }
        self.ended.push((row, ending));
    }
}
