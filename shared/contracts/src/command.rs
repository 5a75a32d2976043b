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
