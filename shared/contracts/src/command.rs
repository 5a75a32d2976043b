//! Commands that travel by queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stream::StreamId;
use crate::time::Timestamp;

/// The work that a stream left open is due: its owner decides what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Due {
    /// The stream that has open work.
    #[schemars(with = "String")]
    pub stream: StreamId,
    /// When it was due.
    pub due_at: Timestamp,
}

impl Due {
    /// Its full type in an envelope.
    pub const TYPE: &'static str = "callboard.command.due.v1";
}

/// A command that came with an `Idempotency-Key` was carried out. It stands in a stream of its
/// own, committed together with what the command did, so that the key's next use finds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandAccepted {
    /// HTTP status of the answer given.
    pub status: u16,
    /// `<stream>@<number>` of what was done.
    pub commit: String,
    /// The answer's body: ids only.
    pub answer: serde_json::Value,
}

crate::stream::domain_events! {
    /// What may stand in a key's stream.
    pub enum CommandEvent {
        CommandAccepted = "callboard.command.command-accepted.v1" Internal,
    }
}
