//! Why a command could not do its work, in words for the person at the terminal,
//! and as an exit code for a script.

use std::io;
use std::path::PathBuf;

use callboard_engine::EngineError;
use callboard_host::{CheckpointError, HostError};
use callboard_mailbox::MailboxError;
use callboard_runtime::fault::AwsFault;

use crate::client::HttpFailure;

/// A failure that ends the command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A port cannot be listened on.
    #[error("port {port} for {what} {reason}; choose another with {option} (0 takes any free one)", reason = port_reason(source))]
    Port {
        /// What was to listen there, `the HTTP API`.
        what: &'static str,
        /// The option that sets it, `--port`.
        option: &'static str,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A file or directory of ours cannot be written.
    #[error("{path} cannot be written: {source}", path = path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that was named cannot be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A state file of ours holds something else than it should.
    #[error("{path} is damaged ({detail}): move it away to start with a new one", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The environment file lacks something.
    #[error("{path} is not the env file of a running `callboard dev`: {detail}", path = path.display())]
    EnvFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The template is not valid, or a parameter is not.
    #[error("the template cannot be served:\n{0}")]
    Template(#[from] callboard_template::Problems),
    /// The engine refused its state, or the storage failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The mailbox refused its file.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// The functions could not be provided for or started.
    #[error("the functions could not be started: {0}")]
    Host(#[from] HostError),
    /// Anything else the system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, as a clause: `the terminal could not be written`.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// AWS was asked for, and nothing says as whom or where.
    #[error("AWS cannot be used: {0}; log in, or set AWS_PROFILE and AWS_REGION")]
    Credentials(String),
    /// A teardown without a place.
    #[error(
        "--teardown deletes what was made at --endpoint or AWS_ENDPOINT_URL_…, and none is named; the engine's own state is its directory"
    )]
    NothingElsewhere,
    /// A part of a running system ended without being asked to.
    #[error("{0} ended by itself; see the messages above")]
    Ended(&'static str),
    /// The bench could not measure what it should.
    #[error("the bench could not go on: {0}")]
    Bench(String),
    /// A part of a running system gave no answer.
    #[error(transparent)]
    Silent(#[from] HttpFailure),
    /// What was asked for is not there, or is not to be had.
    #[error("{0}")]
    NotFound(String),
    /// The system refused what it was given.
    #[error("{0}")]
    Refused(String),
    /// A limit of `lag` is exceeded.
    #[error("{0}")]
    Exceeded(String),
    /// What was given to a command cannot be used.
    #[error("{0}")]
    Input(String),
    /// An AWS call failed.
    #[error(transparent)]
    Aws(#[from] AwsFault),
    /// Some dead letters stay that were to leave.
    #[error("{0} dead letters were not taken and stay where they are; see the list above")]
    LettersStay(usize),
    /// A view is not what its journal says.
    #[error("the view is not what the journal says; see above")]
    Differs,
    /// A long command met what may pass.
    #[error("not finished: {0}; run it again to go on")]
    Unfinished(String),
    /// Somebody asked a long command to stop.
    #[error("stopped as asked; run it again to go on")]
    Stopped,
    /// A rule of the waitlist does not hold in a simulation.
    #[error(
        "{what} (policy \"{policy}\", seed {seed}, {at}); --seed {seed} --seeds 1 shows it again"
    )]
    Broken {
        /// Which, and how.
        what: String,
        /// The policy that was simulated.
        policy: String,
        /// The seed.
        seed: u64,
        /// When, in the simulation's time.
        at: String,
    },
    /// A step of the demo did not come out as it should.
    #[error("the demo failed at \"{step}\": {reason}")]
    Demo {
        /// The step's title.
        step: String,
        /// What was expected and what was found.
        reason: String,
    },
}

impl CliError {
    /// The process's exit code; the list is in `callboard --help`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Demo { .. } | Self::Broken { .. } | Self::Bench(_) | Self::Ended(_) => 1,
            Self::NotFound(_) | Self::Refused(_) | Self::LettersStay(_) => 1,
            Self::EnvFile { .. } | Self::Unreadable { .. } => 2,
            Self::Input(_) | Self::NothingElsewhere => 2,
            // As a shell names an end by Ctrl-C.
            Self::Stopped => 130,
            Self::Port { .. } => 3,
            Self::Unwritable { .. } => 4,
            Self::Damaged { .. } => 5,
            Self::Template(_) | Self::Host(HostError::Template(_)) => 6,
            Self::Engine(error) => match error {
                EngineError::LambdaEndpoint(_) => 2,
                EngineError::Unwritable { .. } | EngineError::InUse { .. } => 4,
                EngineError::Damaged { .. } | EngineError::Newer { .. } => 5,
                _ => 7,
            },
            Self::Mailbox(error) => match error {
                MailboxError::Unwritable { .. } | MailboxError::InUse { .. } => 4,
                MailboxError::Damaged { .. } | MailboxError::Newer { .. } => 5,
                MailboxError::Sqlite(_) | MailboxError::Stopped => 7,
            },
            Self::Host(HostError::Checkpoints(error)) => match error {
                CheckpointError::Io { .. } => 4,
                CheckpointError::Damaged { .. } | CheckpointError::Format { .. } => 5,
            },
            Self::Exceeded(_) => 8,
            Self::Differs => 9,
            Self::Host(_) | Self::Io { .. } | Self::Credentials(_) => 7,
            Self::Silent(_) | Self::Aws(_) | Self::Unfinished(_) => 7,
        }
    }
}

fn port_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "is in use by another process".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be used by this user".to_owned(),
        _ => format!("cannot be used ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_said_with_the_option_that_helps() {
        let error = CliError::Port {
            what: "the HTTP API",
            option: "--port",
            port: 8787,
            source: io::ErrorKind::AddrInUse.into(),
        };
        assert_eq!(
            error.to_string(),
            "port 8787 for the HTTP API is in use by another process; choose another with --port (0 takes any free one)"
        );
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn state_that_cannot_be_used_has_its_own_codes() {
        let path = PathBuf::from("x");
        let in_use = EngineError::InUse {
            path: path.clone(),
            pid: None,
        };
        assert_eq!(CliError::from(in_use).exit_code(), 4);
        let damaged = MailboxError::Damaged {
            path,
            detail: "torn".into(),
        };
        assert_eq!(CliError::from(damaged).exit_code(), 5);
        let path = PathBuf::from("x");
        let format = CheckpointError::Format { path, found: 9 };
        assert_eq!(CliError::from(HostError::from(format)).exit_code(), 5);
    }
}
