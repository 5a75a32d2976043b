//! Hands records of a shard to the function until each has succeeded or was given up.
//!
//! The rules, with the pages they are from
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>):
//! - With `ReportBatchItemFailures` the lowest reported sequence number is the
//!   checkpoint: what is before it is done, it and all after it are tried again.
//! - With `BisectBatchOnFunctionError` a failed batch is split, at the reported sequence
//!   number if there is one, else in halves. A split does not consume a retry.
//! - A batch that cannot be split is tried `MaximumRetryAttempts` times more.
//! - Records older than `MaximumRecordAgeInSeconds` are not handed over.
//! - What is given up goes to the on-failure destination, and the shard goes on.
//!
//! AWS does not say whether a retry is consumed when part of a batch succeeded and no
//! bisect is on; here it is. Nor does it give the back-off's numbers.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::StreamContext;
use super::event::{self, StreamRecord};
use super::failure::{self, Condition, LastCall};
use crate::batch_response::{Judged, judge};
use crate::invocation::Judgement;
use crate::observe::{CORRELATION_IDS_MAX, Trigger};
use crate::stop::Stop;

/// First pause before a batch is tried again; doubled up to [`RETRY_PAUSE_MAX`].
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(100);

/// Longest pause between tries: a mended function is noticed within it.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(20);

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// Every record succeeded or was given up.
    All,
    /// A stop came first; what is not checkpointed will be delivered again.
    Stopped,
}

/// Delivers the records of one shard.
pub(super) struct Delivery<'a> {
    context: &'a StreamContext,
    shard_id: &'a str,
    checkpoint_key: &'a str,
}

/// Records in order, with what was tried for them.
struct Chunk {
    records: Vec<StreamRecord>,
    /// Retries consumed.
    retries: u64,
    /// The last invocation with exactly these records or more.
    last: Option<LastCall>,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(
        context: &'a StreamContext,
        shard_id: &'a str,
        checkpoint_key: &'a str,
    ) -> Self {
        Delivery {
            context,
            shard_id,
            checkpoint_key,
        }
    }

    /// Delivers a batch, in concurrent lanes if the mapping asks for more than one.
    pub(super) async fn deliver(&self, records: Vec<StreamRecord>, stop: &mut Stop) -> Delivered {
        let lanes = self.context.mapping.parallelization;
        if lanes <= 1 {
            return self.in_order(records, true, stop).await;
        }
        // Records of one item share a lane, so their order holds.
        let mut by_lane: BTreeMap<u64, Vec<StreamRecord>> = BTreeMap::new();
        for record in records {
            let mut hasher = DefaultHasher::new();
            record.key().hash(&mut hasher);
            let lane = hasher.finish() % lanes as u64;
            by_lane.entry(lane).or_default().push(record);
        }
        let deliveries = by_lane.into_values().map(|lane| {
            let mut stop = stop.clone();
            async move { self.in_order(lane, false, &mut stop).await }
        });
        let ends = futures::future::join_all(deliveries).await;
        if ends.contains(&Delivered::Stopped) {
            Delivered::Stopped
        } else {
            Delivered::All
        }
    }

    /// Delivers records strictly in order. Chunks still to do are a stack: the halves of
    /// a split batch come before what follows it.
    async fn in_order(
        &self,
        records: Vec<StreamRecord>,
        checkpoint: bool,
        stop: &mut Stop,
    ) -> Delivered {
        let mut to_do = vec![Chunk {
            records,
            retries: 0,
            last: None,
        }];
        while let Some(chunk) = to_do.pop() {
            if stop.is_requested() {
                return Delivered::Stopped;
            }
            let Some(chunk) = self.without_aged(chunk, stop).await else {
                return Delivered::Stopped;
            };
            if chunk.records.is_empty() {
                continue;
            }
            let (judged, last) = self.invoke(&chunk).await;
            let done = judged.failed.first().copied();
            let handled = done.unwrap_or(chunk.records.len());
            if checkpoint && handled > 0 {
                let sequence_number = &chunk.records[handled - 1].sequence_number;
                self.context
                    .checkpoints
                    .advance(self.checkpoint_key, sequence_number);
            }
            if done.is_some()
                && self
                    .after_failure(chunk, handled, last, &mut to_do, stop)
                    .await
                    == Delivered::Stopped
            {
                return Delivered::Stopped;
            }
        }
        Delivered::All
    }

    /// Decides about the records from position `handled` on, which did not succeed.
    async fn after_failure(
        &self,
        mut chunk: Chunk,
        handled: usize,
        last: LastCall,
        to_do: &mut Vec<Chunk>,
        stop: &mut Stop,
    ) -> Delivered {
        let mapping = &self.context.mapping;
        let records = chunk.records.split_off(handled);
        if mapping.bisect && handled > 0 {
            // Split at the reported sequence number; its first part is done.
            to_do.push(Chunk {
                records,
                retries: chunk.retries,
                last: Some(last),
            });
            return Delivered::All;
        }
        if mapping.bisect && records.len() > 1 {
            let mut first = records;
            let second = first.split_off(first.len() / 2);
            for records in [second, first] {
                to_do.push(Chunk {
                    records,
                    retries: chunk.retries,
                    last: Some(last.clone()),
                });
            }
            return Delivered::All;
        }
        if mapping.max_retries.is_some_and(|max| chunk.retries >= max) {
            let condition = Condition::RetryAttemptsExhausted;
            return self.give_up(&records, condition, Some(&last), stop).await;
        }
        let pause = retry_pause(chunk.retries);
        to_do.push(Chunk {
            records,
            retries: chunk.retries + 1,
            last: Some(last),
        });
        if stop.sleep(pause).await {
            Delivered::All
        } else {
            Delivered::Stopped
        }
    }

    /// Gives up the records at the front that are too old. `None`: stopped meanwhile.
    async fn without_aged(&self, mut chunk: Chunk, stop: &mut Stop) -> Option<Chunk> {
        let Some(max_age) = self.context.mapping.max_record_age else {
            return Some(chunk);
        };
        let now = self.context.function.now();
        let aged = chunk
            .records
            .iter()
            .take_while(|record| record.age(now) > max_age)
            .count();
        if aged > 0 {
            let fresh = chunk.records.split_off(aged);
            let condition = Condition::RecordAgeExceeded;
            let given_up = self.give_up(&chunk.records, condition, chunk.last.as_ref(), stop);
            if given_up.await == Delivered::Stopped {
                return None;
            }
            chunk.records = fresh;
        }
        Some(chunk)
    }

    /// One invocation with the whole chunk.
    async fn invoke(&self, chunk: &Chunk) -> (Judged, LastCall) {
        let function = &self.context.function;
        let call = function.call(event::batch(&chunk.records)).await;
        let ids: Vec<&str> = chunk
            .records
            .iter()
            .map(|record| record.sequence_number.as_str())
            .collect();
        let mapping = &self.context.mapping;
        let mut judged = judge(&call.outcome, &ids, mapping.report_item_failures);
        if let Some(first) = judged.failed.first().copied() {
            // All after the lowest failure count as failed too.
            judged.failed = (first..ids.len()).collect();
        }
        function.report(
            &call,
            Judgement {
                trigger: Trigger::Stream(mapping.table_name.clone()),
                records: ids.len(),
                failed: judged.failed.len(),
                verdict: judged.verdict,
                status: None,
                correlation_ids: correlation_ids(&chunk.records),
            },
        );
        let last = LastCall {
            request_id: call.request_id,
            verdict: judged.verdict,
            invocations: chunk.last.as_ref().map_or(0, |last| last.invocations) + 1,
        };
        (judged, last)
    }

    /// Tells the on-failure destination and passes the records.
    async fn give_up(
        &self,
        records: &[StreamRecord],
        condition: Condition,
        last: Option<&LastCall>,
        stop: &mut Stop,
    ) -> Delivered {
        tracing::warn!(
            function = %self.context.function.config().name,
            stream = %self.context.mapping.table_name,
            shard = self.shard_id,
            records = records.len(),
            ?condition,
            "stream records given up"
        );
        let Some(destination) = &self.context.mapping.on_failure else {
            return Delivered::All;
        };
        let document = failure::document(self.context, self.shard_id, records, condition, last);
        if failure::send(self.context, destination, &document, stop).await {
            Delivered::All
        } else {
            Delivered::Stopped
        }
    }
}

/// Exponential, between half and the whole of the step.
fn retry_pause(retries: u64) -> Duration {
    let doublings = u32::try_from(retries.min(16)).unwrap_or(16);
    let step = (RETRY_PAUSE_FIRST * 2_u32.pow(doublings)).min(RETRY_PAUSE_MAX);
    step.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn correlation_ids(records: &[StreamRecord]) -> Vec<String> {
    let mut ids: Vec<String> = records
        .iter()
        .filter_map(StreamRecord::correlation_id)
        .map(str::to_owned)
        .collect();
    ids.dedup();
    ids.truncate(CORRELATION_IDS_MAX);
    ids
}
