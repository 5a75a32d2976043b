//! The DynamoDB Streams event source mapping.
//!
//! As <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html> have it:
//! each shard is read in order, one batch at a time (or `ParallelizationFactor` batches,
//! each item's records in one of them); a batch is repeated until it succeeds, is split,
//! or is given up.
//!
//! This file knows which shards there are. [`shard`] reads one, [`deliver`] hands its
//! records to the function, [`checkpoint`] remembers how far that went.

mod checkpoint;
mod deliver;
mod event;
mod failure;
mod shard;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodbstreams::types::Shard;
use aws_smithy_types::error::display::DisplayErrorContext;
use tokio::task::JoinSet;

use crate::filter::Filters;
use crate::invocation::Function;
use crate::stop::Stop;

pub use checkpoint::CheckpointError;
pub(crate) use checkpoint::Checkpoints;
pub(crate) use failure::Destination;

/// Shards appear when others close, which is seen at once; this is how often a stream
/// is looked at beside that. DynamoDB closes a shard after about four hours.
const SHARDS_REFRESH: Duration = Duration::from_secs(60);

/// Pause before a stream is described again when that failed, or when it has no shard yet.
const SHARDS_RETRY: Duration = Duration::from_secs(1);

/// Where a mapping without checkpoint begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    TrimHorizon,
    Latest,
}

/// One DynamoDB Streams event source mapping.
#[derive(Debug)]
pub(crate) struct StreamMapping {
    pub table_name: Arc<str>,
    pub stream_arn: String,
    pub region: String,
    pub start: Start,
    /// Records per invocation, 1 to 10,000.
    pub batch_size: usize,
    pub window: Duration,
    pub bisect: bool,
    /// `None` repeats without limit.
    pub max_retries: Option<u64>,
    /// `None` never gives up a record for its age.
    pub max_record_age: Option<Duration>,
    pub on_failure: Option<Destination>,
    pub filters: Filters,
    pub report_item_failures: bool,
    /// Concurrent batches per shard, 1 to 10.
    pub parallelization: usize,
}

/// What the readers of a mapping share.
pub(crate) struct StreamContext {
    pub mapping: StreamMapping,
    pub function: Function,
    pub streams: aws_sdk_dynamodbstreams::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub sns: aws_sdk_sns::Client,
    pub checkpoints: Checkpoints,
}

/// Why the reading of a shard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShardEnd {
    /// The shard is closed and read to its end; its children may begin.
    Closed,
    /// A stop was asked for.
    Stopped,
}

/// Reads all shards, parents before children, until stopped.
pub(crate) async fn run(context: Arc<StreamContext>, mut stop: Stop) {
    let mut readers: JoinSet<(String, ShardEnd)> = JoinSet::new();
    let mut reading: HashSet<String> = HashSet::new();
    let mut closed: HashSet<String> = HashSet::new();
    while !stop.is_requested() {
        let shards = describe(&context).await;
        for shard in startable(&shards, &reading, &closed) {
            let reader = shard::Reader::new(context.clone(), shard.clone(), stop.clone());
            reading.insert(shard.clone());
            readers.spawn(async move { (shard, reader.run().await) });
        }
        let pause = if readers.is_empty() {
            SHARDS_RETRY
        } else {
            SHARDS_REFRESH
        };
        tokio::select! {
            _ = stop.sleep(pause) => {}
            Some(ended) = readers.join_next() => match ended {
                Ok((shard, ShardEnd::Closed)) => {
                    reading.remove(&shard);
                    closed.insert(shard);
                }
                Ok((shard, ShardEnd::Stopped)) => {
                    reading.remove(&shard);
                }
                Err(error) => {
                    // A reader does not panic; should it, its shard is read again.
                    tracing::error!(%error, "a shard's reader ended");
                    reading.clear();
                    readers.abort_all();
                    while readers.join_next().await.is_some() {}
                }
            },
        }
    }
    while readers.join_next().await.is_some() {}
}

/// Shards that are neither read nor closed, and whose parent is not to be read before.
fn startable(shards: &[Shard], reading: &HashSet<String>, closed: &HashSet<String>) -> Vec<String> {
    let known: HashSet<&str> = shards.iter().filter_map(Shard::shard_id).collect();
    shards
        .iter()
        .filter(|shard| {
            shard
                .parent_shard_id()
                .is_none_or(|parent| closed.contains(parent) || !known.contains(parent))
        })
        .filter_map(Shard::shard_id)
        .filter(|id| !reading.contains(*id) && !closed.contains(*id))
        .map(str::to_owned)
        .collect()
}

/// Every shard of the stream; none if it cannot be described now.
async fn describe(context: &StreamContext) -> Vec<Shard> {
    let mut shards = Vec::new();
    let mut last = None;
    loop {
        let answer = context
            .streams
            .describe_stream()
            .stream_arn(&context.mapping.stream_arn)
            .set_exclusive_start_shard_id(last.take())
            .send()
            .await;
        let description = match answer {
            Ok(answer) => answer.stream_description.unwrap_or_else(|| {
                aws_sdk_dynamodbstreams::types::StreamDescription::builder().build()
            }),
            Err(error) => {
                tracing::warn!(
                    stream = %context.mapping.table_name,
                    error = %DisplayErrorContext(&error),
                    "cannot describe the stream; trying again"
                );
                return Vec::new();
            }
        };
        let page = description.shards.unwrap_or_default();
        // An endpoint that ignores the start id would page for ever: stop at what is known.
        let fresh = page.iter().any(|shard| {
            !shards
                .iter()
                .any(|seen: &Shard| seen.shard_id == shard.shard_id)
        });
        shards.extend(page);
        last = description.last_evaluated_shard_id;
        if last.is_none() || !fresh {
            return shards;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parent: Option<&str>) -> Shard {
        Shard::builder()
            .shard_id(id)
            .set_parent_shard_id(parent.map(str::to_owned))
            .build()
    }

    #[test]
    fn a_child_shard_waits_for_its_parent_to_be_read_to_the_end() {
        let shards = [
            shard("old", Some("trimmed")),
            shard("child", Some("old")),
            shard("other", None),
        ];
        let none = HashSet::new();
        assert_eq!(startable(&shards, &none, &none), ["old", "other"]);
        let closed = HashSet::from(["old".to_owned()]);
        let reading = HashSet::from(["other".to_owned()]);
        assert_eq!(startable(&shards, &reading, &closed), ["child"]);
    }
}
