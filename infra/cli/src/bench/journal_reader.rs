//! Counts what the journal took in a time, afterwards: from a place in its stream to the end.

use aws_config::SdkConfig;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use aws_smithy_types::error::display::DisplayErrorContext;

use crate::error::CliError;
use crate::live;

/// A place in the journal's stream.
pub(super) struct Position {
    client: Client,
    iterator: Option<String>,
}

/// What was written from a place on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    /// Commits.
    pub(super) commits: u64,
    /// Events in them.
    pub(super) events: u64,
}

impl Position {
    /// The end of the stream as it is now.
    pub(super) async fn latest(sdk: &SdkConfig, stream_arn: &str) -> Result<Self, CliError> {
        let client = Client::new(sdk);
        let shard = live::newest_shard(&client, stream_arn)
            .await
            .ok_or_else(|| unreadable("it has no shard"))?;
        let iterator = client
            .get_shard_iterator()
            .stream_arn(stream_arn)
            .shard_id(shard)
            .shard_iterator_type(ShardIteratorType::Latest)
            .send()
            .await
            .map_err(|error| unreadable(DisplayErrorContext(&error)))?
            .shard_iterator;
        Ok(Self { client, iterator })
    }

    /// Counts from here to the end.
    pub(super) async fn written_since(mut self) -> Result<Written, CliError> {
        let mut written = Written::default();
        while let Some(iterator) = self.iterator.take() {
            let read = self.client.get_records().shard_iterator(iterator);
            let page = read
                .send()
                .await
                .map_err(|error| unreadable(DisplayErrorContext(&error)))?;
            if page.records().is_empty() {
                break;
            }
            for commit in page.records().iter().filter_map(live::commit_of) {
                written.commits += 1;
                written.events += commit.events.len() as u64;
            }
            self.iterator = page.next_shard_iterator;
        }
        Ok(written)
    }
}

fn unreadable(reason: impl std::fmt::Display) -> CliError {
    CliError::Bench(format!("the journal's stream cannot be read: {reason}"))
}
