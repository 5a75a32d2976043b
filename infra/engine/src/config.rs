//! How an engine is opened, and why it may refuse.

use crate::Clock;
use std::path::PathBuf;

/// What an [`crate::Engine`] is opened with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where tables, queues and topics are kept.
    pub state: State,
    /// The engine's own region, for instance `us-east-1`: that of requests that are not signed, and
    /// of [`crate::Engine::sdk_config`]. A signed request names its region itself.
    pub region: String,
    /// The engine's own account, twelve digits: that of every request whose access key id is not
    /// itself an account's twelve digits.
    pub account: String,
    /// The clock of all three services.
    pub clock: Clock,
    /// Where the functions are that SNS subscriptions name: the base URL of a Lambda Invoke API,
    /// for instance `http://127.0.0.1:9000` of `cargo lambda watch`. Without one, what is sent to
    /// a function counts as refused.
    pub lambda_endpoint: Option<String>,
}

impl Default for EngineConfig {
    /// Ephemeral, `us-east-1`, account `000000000000`, the system's clock.
    fn default() -> EngineConfig {
        EngineConfig {
            state: State::Ephemeral,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            clock: Clock::real(),
            lambda_endpoint: None,
        }
    }
}

/// Where an engine keeps what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// In memory: gone with the engine. Messages beyond some megabytes go to a temporary file that
    /// has no name, and the system takes it back however the process ends.
    Ephemeral,
    /// In files of this directory, which is made if it is missing. What was answered with 200 is
    /// there after `kill -9`; after a power cut the last moments may be missing (`synchronous =
    /// NORMAL`).
    Directory(PathBuf),
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The state directory cannot be made or written.
    #[error("the state directory {path} cannot be written: {source}")]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has the state directory open.
    #[error("the state directory {path} is in use by another process{}", holder(.pid))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// That process, where it wrote its id down.
        pid: Option<u32>,
    },
    /// A state file is not what this engine wrote.
    #[error(
        "the state file {path} is damaged or of another kind ({detail}); move it away to start afresh"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A state file was written by a newer engine.
    #[error("the state file {path} has layout {found}, this engine knows up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's layout number.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The Lambda endpoint is no base of HTTP URLs.
    #[error("the Lambda endpoint {0} is no http or https URL")]
    LambdaEndpoint(String),
    /// Any other failure of the storage.
    #[error("the engine's storage failed: {0}")]
    Storage(String),
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}
