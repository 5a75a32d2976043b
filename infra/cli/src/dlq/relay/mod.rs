//! Letters of the relay name places in the journal instead of holding messages: a commit that could not
//! be published, or a range of the stream that Lambda gave up. A replay reads what stands there, and
//! publishes it as the relay would have.
//!
//! Publishing any of it once more is safe: consumers know an event by its id.

mod by_time;
mod lot;
mod place;
mod report;
mod round;
mod stream;

use aws_config::SdkConfig;
use aws_sdk_dynamodbstreams::Client;
use callboard_runtime::journal::Journal;
use outbox_relay::route::Topics;

pub(super) use report::Relayed;

/// Where the relay reads, and where it publishes to.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    journal: Journal,
    streams: Client,
    topics: Topics,
}

impl Relay {
    pub(super) fn open(sdk: &SdkConfig, table: &str, topics: Topics) -> Self {
        Self {
            journal: Journal::open(sdk, table),
            streams: Client::new(sdk),
            topics,
        }
    }
}
