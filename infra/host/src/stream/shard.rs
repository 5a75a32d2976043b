//! Reads one shard in order and hands its records on in batches.
//!
//! Lambda polls a shard about four times a second
//! (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>). The embedded engine can
//! do better: asked with the header [`WAIT_HEADER`], it holds an empty answer back until
//! something is written. AWS and emulators ignore the header and answer at once; then
//! the pauses grow to Lambda's rate.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodbstreams::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_dynamodbstreams::operation::get_shard_iterator::GetShardIteratorError;
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use aws_smithy_types::error::display::DisplayErrorContext;
use tokio::time::Instant;

use super::deliver::{Delivered, Delivery};
use super::event::StreamRecord;
use super::{ShardEnd, Start, StreamContext};
use crate::stop::Stop;

/// Asks the engine to hold an empty answer of `GetRecords` back, in milliseconds.
const WAIT_HEADER: &str = "x-callboard-wait-ms";

/// Longest hold of an empty answer: as SQS's longest long poll.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// An empty answer that took this long was held back, so it needs no pause after it.
const HELD_BACK: Duration = Duration::from_millis(500);

/// First pause after an empty answer that came at once; doubled up to [`EMPTY_PAUSE_MAX`].
const EMPTY_PAUSE_FIRST: Duration = Duration::from_millis(5);

/// Lambda's base rate of four polls a second.
const EMPTY_PAUSE_MAX: Duration = Duration::from_millis(250);

/// First pause after a failed request; doubled up to [`ERROR_PAUSE_MAX`].
const ERROR_PAUSE_FIRST: Duration = Duration::from_millis(200);

/// Longest pause between requests to an endpoint that fails.
const ERROR_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Records of one `GetRecords` at most.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html>
const GET_RECORDS_MAX: usize = 1_000;

/// Bytes of one batch at most: Lambda's limit for a synchronous event.
const BATCH_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Reads one shard.
pub(super) struct Reader {
    context: Arc<StreamContext>,
    shard_id: String,
    checkpoint_key: String,
    stop: Stop,
    /// The next iterator, held: a new one is expensive.
    iterator: Option<String>,
    empty_pause: Duration,
    error_pause: Duration,
}

/// What one poll found.
struct Fetched {
    records: Vec<StreamRecord>,
    /// Sequence number of the last record, filtered ones included.
    last: Option<String>,
    /// The shard has no more.
    closed: bool,
}

impl Reader {
    pub(super) fn new(context: Arc<StreamContext>, shard_id: String, stop: Stop) -> Self {
        let checkpoint_key = format!(
            "{}|{}|{shard_id}",
            context.function.config().arn,
            context.mapping.stream_arn
        );
        Reader {
            context,
            shard_id,
            checkpoint_key,
            stop,
            iterator: None,
            empty_pause: EMPTY_PAUSE_FIRST,
            error_pause: ERROR_PAUSE_FIRST,
        }
    }

    /// Reads and delivers until the shard is closed or a stop is asked for.
    pub(super) async fn run(mut self) -> ShardEnd {
        let context = self.context.clone();
        let (shard_id, checkpoint_key) = (self.shard_id.clone(), self.checkpoint_key.clone());
        let delivery = Delivery::new(&context, &shard_id, &checkpoint_key);
        while !self.stop.is_requested() {
            let batch = self.gather().await;
            if !batch.records.is_empty()
                && delivery.deliver(batch.records, &mut self.stop).await == Delivered::Stopped
            {
                return ShardEnd::Stopped;
            }
            if let Some(last) = &batch.last {
                context.checkpoints.advance(&checkpoint_key, last);
            }
            if batch.closed {
                return ShardEnd::Closed;
            }
        }
        ShardEnd::Stopped
    }

    /// One batch: what a poll found, and with a window what the following ones did.
    async fn gather(&mut self) -> Fetched {
        let mapping = &self.context.mapping;
        let (window, size) = (mapping.window, mapping.batch_size);
        let mut batch = self.poll(size, WAIT_MAX).await;
        if window.is_zero() || batch.records.is_empty() {
            return batch;
        }
        let end = Instant::now() + window;
        while batch.records.len() < size && bytes(&batch.records) < BATCH_BYTES_MAX {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || batch.closed || self.stop.is_requested() {
                break;
            }
            let more = self.poll(size - batch.records.len(), left).await;
            batch.records.extend(more.records);
            batch.last = more.last.or(batch.last);
            batch.closed = more.closed;
        }
        batch
    }

    /// One request and, after an empty answer that came at once, a pause. Never longer
    /// than `wait` or a stop.
    async fn poll(&mut self, limit: usize, wait: Duration) -> Fetched {
        let mut stop = self.stop.clone();
        let start = Instant::now();
        let answer = tokio::select! {
            () = stop.requested() => None,
            answer = self.request(limit, wait.min(WAIT_MAX)) => answer,
        };
        let Some(answer) = answer else {
            return Fetched {
                records: Vec::new(),
                last: None,
                closed: false,
            };
        };
        let fetched = self.convert(answer);
        if fetched.last.is_some() || fetched.closed || start.elapsed() >= HELD_BACK {
            self.empty_pause = EMPTY_PAUSE_FIRST;
        } else {
            let left = wait.saturating_sub(start.elapsed());
            self.stop.sleep(self.empty_pause.min(left)).await;
            self.empty_pause = (self.empty_pause * 2).min(EMPTY_PAUSE_MAX);
        }
        fetched
    }

    fn convert(&mut self, answer: GetRecordsOutput) -> Fetched {
        let mapping = &self.context.mapping;
        self.iterator = answer.next_shard_iterator;
        let mut fetched = Fetched {
            records: Vec::new(),
            last: None,
            closed: self.iterator.is_none(),
        };
        for record in answer.records.unwrap_or_default() {
            let record = StreamRecord::new(&record, &mapping.stream_arn, &mapping.region);
            fetched.last = Some(record.sequence_number.clone());
            if mapping.filters.pass(&record.json) {
                fetched.records.push(record);
            }
        }
        fetched
    }

    /// Asks for records; after a failure pauses and gives none.
    async fn request(&mut self, limit: usize, wait: Duration) -> Option<GetRecordsOutput> {
        if self.iterator.is_none() {
            self.iterator = self.new_iterator().await;
        }
        let iterator = self.iterator.clone()?;
        let wait_ms = wait.as_millis().to_string();
        let answer = self
            .context
            .streams
            .get_records()
            .shard_iterator(iterator)
            .limit(i32::try_from(limit.min(GET_RECORDS_MAX)).unwrap_or(1))
            .customize()
            .mutate_request(move |request| {
                request.headers_mut().insert(WAIT_HEADER, wait_ms.clone());
            })
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.error_pause = ERROR_PAUSE_FIRST;
                Some(answer)
            }
            Err(error) => {
                match error.as_service_error() {
                    // Iterators live 15 minutes: go on from the checkpoint.
                    Some(GetRecordsError::ExpiredIteratorException(_)) => self.iterator = None,
                    Some(GetRecordsError::TrimmedDataAccessException(_)) => {
                        self.restart_at_trim_horizon("records older than 24 h were trimmed");
                    }
                    _ => {
                        self.pause_after_error(&DisplayErrorContext(&error).to_string())
                            .await;
                    }
                }
                None
            }
        }
    }

    /// An iterator after the checkpoint, else at the mapping's starting position.
    async fn new_iterator(&mut self) -> Option<String> {
        let checkpoint = self.context.checkpoints.get(&self.checkpoint_key);
        let kind = match (&checkpoint, self.context.mapping.start) {
            (Some(_), _) => ShardIteratorType::AfterSequenceNumber,
            (None, Start::TrimHorizon) => ShardIteratorType::TrimHorizon,
            (None, Start::Latest) => ShardIteratorType::Latest,
        };
        let has_checkpoint = checkpoint.is_some();
        let answer = self
            .context
            .streams
            .get_shard_iterator()
            .stream_arn(&self.context.mapping.stream_arn)
            .shard_id(&self.shard_id)
            .shard_iterator_type(kind)
            .set_sequence_number(checkpoint)
            .send()
            .await;
        match answer {
            Ok(answer) => answer.shard_iterator,
            Err(error) => {
                let trimmed = matches!(
                    error.as_service_error(),
                    Some(GetShardIteratorError::TrimmedDataAccessException(_))
                );
                if has_checkpoint && trimmed {
                    self.restart_at_trim_horizon("the checkpoint was trimmed");
                } else {
                    self.pause_after_error(&DisplayErrorContext(&error).to_string())
                        .await;
                }
                None
            }
        }
    }

    /// Gives the checkpoint up and reads what the stream still holds: repeats, at worst.
    fn restart_at_trim_horizon(&mut self, reason: &'static str) {
        tracing::warn!(
            stream = %self.context.mapping.table_name,
            shard = self.shard_id,
            reason,
            "reading the shard from its oldest record"
        );
        self.context.checkpoints.forget(&self.checkpoint_key);
        self.iterator = None;
    }

    async fn pause_after_error(&mut self, error: &str) {
        tracing::warn!(
            stream = %self.context.mapping.table_name,
            shard = self.shard_id,
            error,
            "cannot read the shard; trying again"
        );
        tokio::time::sleep(self.error_pause).await;
        self.error_pause = (self.error_pause * 2).min(ERROR_PAUSE_MAX);
    }
}

fn bytes(records: &[StreamRecord]) -> usize {
    records.iter().map(|record| record.bytes).sum()
}
