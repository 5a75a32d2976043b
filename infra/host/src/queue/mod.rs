//! The SQS event source mapping: poll, filter, invoke, delete what succeeded.
//!
//! As <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html> have it.
//! A message that failed is left alone: its visibility time-out, and the queue's redrive
//! policy after enough receives, are all the retry there is. Lambda also lowers its
//! polling after errors; that is not modelled.
//!
//! One poller serves a mapping. It takes a place among the concurrent invocations
//! *before* it receives, so that no message waits, invisible, for a place.

mod delete;
mod event;
mod receive;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::Message;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::batch_response::judge;
use crate::filter::Filters;
use crate::invocation::{Function, Judgement};
use crate::observe::{CORRELATION_IDS_MAX, Trigger};
use crate::stop::Stop;
use event::Origin;

/// Concurrent invocations of a mapping without `MaximumConcurrency`: Lambda starts a
/// standard queue with five and scales from there; this host does not scale.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>
const CONCURRENCY_DEFAULT: usize = 5;

/// A batch as JSON in bytes at most: Lambda's limit for a synchronous event.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Bytes that the event's JSON needs around one message's own text: names, ids, times.
const ENVELOPE_BYTES: usize = 1_024;

/// One SQS event source mapping.
#[derive(Debug)]
pub(crate) struct QueueMapping {
    pub queue_name: Arc<str>,
    pub queue_url: String,
    pub queue_arn: String,
    pub region: String,
    pub fifo: bool,
    /// Records per invocation, 1 to 10,000.
    pub batch_size: usize,
    /// How long a batch may fill; zero for FIFO.
    pub window: Duration,
    pub max_concurrency: Option<usize>,
    pub report_item_failures: bool,
    pub filters: Filters,
}

/// What a running mapping consists of.
struct Running {
    mapping: QueueMapping,
    function: Function,
    sqs: Client,
    /// Message groups with an invocation under way.
    groups: Mutex<HashSet<String>>,
    /// Told when groups are left.
    left: Notify,
}

/// Polls until stopped, then waits for the invocations under way.
pub(crate) async fn run(mapping: QueueMapping, function: Function, sqs: Client, mut stop: Stop) {
    let places = Arc::new(Semaphore::new(
        mapping.max_concurrency.unwrap_or(CONCURRENCY_DEFAULT),
    ));
    let running = Arc::new(Running {
        mapping,
        function,
        sqs,
        groups: Mutex::default(),
        left: Notify::new(),
    });
    let mut invocations = JoinSet::new();
    while !stop.is_requested() {
        let place = tokio::select! {
            () = stop.requested() => break,
            place = places.clone().acquire_owned() => place,
        };
        // The semaphore is never closed; an error could only end the mapping.
        let Ok(place) = place else { break };
        let received = receive::batch(&running.sqs, &running.mapping, &mut stop).await;
        let wanted = running.filter(received).await;
        if !wanted.is_empty() {
            invocations.spawn(running.clone().process(wanted, place));
        }
        while invocations.try_join_next().is_some() {}
    }
    while invocations.join_next().await.is_some() {}
}

impl Running {
    /// Drops and deletes what the filter criteria leave out.
    async fn filter(&self, received: Vec<Message>) -> Vec<Message> {
        let mapping = &self.mapping;
        if mapping.filters.is_empty() || received.is_empty() {
            return received;
        }
        let (wanted, unwanted): (Vec<_>, Vec<_>) = received.into_iter().partition(|message| {
            event::for_filter(message, mapping.filters.parses_body())
                .is_some_and(|record| mapping.filters.pass(&record))
        });
        delete::messages(&self.sqs, &mapping.queue_url, &unwanted).await;
        wanted
    }

    /// Marks FIFO groups of these messages as busy, once one of them is free, and gives the
    /// messages of those that were; the others stay in `messages`.
    ///
    /// SQS locks a group while one of its messages is in flight, but a function gives messages
    /// back, and the last delete unlocks their group, a moment before the invocation is over.
    /// What is received in that moment waits here: put aside, it would be hidden from all for
    /// the whole visibility time-out.
    async fn enter_groups(&self, messages: &mut Vec<Message>) -> (Vec<Message>, HashSet<String>) {
        if !self.mapping.fifo {
            return (std::mem::take(messages), HashSet::new());
        }
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // Listening begins before looking: a group left in between is not missed.
            left.as_mut().enable();
            let (ready, entered) = self.enter_free_groups(messages);
            if !ready.is_empty() {
                return (ready, entered);
            }
            left.await;
        }
    }

    fn enter_free_groups(&self, messages: &mut Vec<Message>) -> (Vec<Message>, HashSet<String>) {
        let mut entered = HashSet::new();
        let mut busy = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let (ready, waiting) = std::mem::take(messages).into_iter().partition(|message| {
            let group = event::message_group(message).unwrap_or_default();
            if entered.contains(group) {
                return true;
            }
            let free = busy.insert(group.to_owned());
            if free {
                entered.insert(group.to_owned());
            }
            free
        });
        *messages = waiting;
        (ready, entered)
    }

    /// Invokes the function with a batch: at once with the groups that are free, then with the
    /// others.
    async fn process(self: Arc<Self>, mut messages: Vec<Message>, _place: OwnedSemaphorePermit) {
        while !messages.is_empty() {
            let (ready, groups) = self.enter_groups(&mut messages).await;
            let _leave = LeaveGroups {
                running: &self,
                groups,
            };
            self.invoke_all(ready).await;
        }
    }

    /// Invokes the function, in parts if the messages are too large for one event.
    async fn invoke_all(&self, messages: Vec<Message>) {
        for part in by_payload_size(messages) {
            let all_succeeded = self.invoke(&part).await;
            if self.mapping.fifo && !all_succeeded {
                // A later part could overtake a failed message of its group.
                break;
            }
        }
    }

    /// One invocation. True if every message succeeded.
    async fn invoke(&self, messages: &[Message]) -> bool {
        let origin = Origin {
            queue_arn: &self.mapping.queue_arn,
            region: &self.mapping.region,
        };
        let call = self.function.call(event::batch(messages, origin)).await;
        let ids: Vec<&str> = messages
            .iter()
            .map(|message| message.message_id().unwrap_or_default())
            .collect();
        let judged = judge(&call.outcome, &ids, self.mapping.report_item_failures);
        self.function.report(
            &call,
            Judgement {
                trigger: Trigger::Queue(self.mapping.queue_name.clone()),
                records: messages.len(),
                failed: judged.failed.len(),
                verdict: judged.verdict,
                status: None,
                correlation_ids: correlation_ids(messages),
            },
        );
        let succeeded: Vec<Message> = messages
            .iter()
            .enumerate()
            .filter(|(position, _)| !judged.failed.contains(position))
            .map(|(_, message)| message.clone())
            .collect();
        delete::messages(&self.sqs, &self.mapping.queue_url, &succeeded).await;
        judged.failed.is_empty()
    }
}

/// Frees the groups however the invocation ends.
struct LeaveGroups<'a> {
    running: &'a Running,
    groups: HashSet<String>,
}

impl Drop for LeaveGroups<'_> {
    fn drop(&mut self) {
        let mut busy = self
            .running
            .groups
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for group in &self.groups {
            busy.remove(group);
        }
        drop(busy);
        if !self.groups.is_empty() {
            self.running.left.notify_waiters();
        }
    }
}

/// Splits a batch so that each part stays below [`PAYLOAD_BYTES_MAX`].
fn by_payload_size(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut parts: Vec<Vec<Message>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = receive::bytes(&message) + ENVELOPE_BYTES;
        match parts.last_mut() {
            Some(part) if bytes + size <= PAYLOAD_BYTES_MAX => {
                bytes += size;
                part.push(message);
            }
            _ => {
                bytes = size;
                parts.push(vec![message]);
            }
        }
    }
    parts
}

/// The ids which publishers put into the attribute `correlationid`.
fn correlation_ids(messages: &[Message]) -> Vec<String> {
    let mut ids: Vec<String> = messages
        .iter()
        .filter_map(|message| message.message_attributes()?.get("correlationid"))
        .filter_map(|attribute| attribute.string_value())
        .map(str::to_owned)
        .collect();
    ids.dedup();
    ids.truncate(CORRELATION_IDS_MAX);
    ids
}
