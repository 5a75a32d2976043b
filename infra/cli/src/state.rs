//! What is kept between two starts, and where: the engine's tables and messages, the
//! mailbox, the keys of links, and how far streams were read.

use std::path::{Path, PathBuf};

use callboard_engine::{Engine, EngineConfig, State};
use callboard_mailbox::{Mailbox, Store};

use crate::error::CliError;
use crate::link_keys;

/// Region of everything here, as the engine has it by default.
pub(crate) const REGION: &str = "us-east-1";

/// Account of everything here, as the engine has it by default.
pub(crate) const ACCOUNT: &str = "000000000000";

/// Name of the mailbox's file in the state directory.
const MAILBOX_FILE: &str = "mailbox.sqlite";

/// Name of the file in the state directory that says how far streams were read.
const CHECKPOINTS_FILE: &str = "stream-checkpoints.json";

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateDirectory {
    /// In memory; gone with the process.
    Ephemeral,
    /// In this directory, made if missing.
    At(PathBuf),
}

/// Opens the engine on this state, whatever `config` says of it, as `dev` and `engine` both do.
///
/// # Errors
/// [`CliError::Engine`] says whether the directory is unwritable, in use or damaged.
pub(crate) async fn open_engine(
    state: &StateDirectory,
    config: EngineConfig,
) -> Result<Engine, CliError> {
    let state = match state {
        StateDirectory::Ephemeral => State::Ephemeral,
        StateDirectory::At(directory) => {
            make_private(directory)?;
            State::Directory(directory.clone())
        }
    };
    Ok(Engine::open(EngineConfig { state, ..config }).await?)
}

/// The state holds addresses and mails of people: for its owner alone. A directory
/// that was there before keeps the rights its owner gave it.
fn make_private(directory: &Path) -> Result<(), CliError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(directory)
        .map_err(|source| CliError::Unwritable {
            path: directory.to_owned(),
            source,
        })
}

/// Opens the mailbox beside the engine's files.
pub(crate) async fn open_mailbox(state: &StateDirectory) -> Result<Mailbox, CliError> {
    let store = match state {
        StateDirectory::Ephemeral => Store::Memory,
        StateDirectory::At(directory) => Store::File(directory.join(MAILBOX_FILE)),
    };
    Ok(Mailbox::open(store).await?)
}

/// The keys that sign links; those of a directory stay the same.
pub(crate) fn link_keys_of(state: &StateDirectory) -> Result<String, CliError> {
    match state {
        StateDirectory::Ephemeral => Ok(link_keys::generate()),
        StateDirectory::At(directory) => link_keys::of_directory(directory),
    }
}

/// Where the host keeps how far it has read streams; in memory alone if nowhere.
pub(crate) fn checkpoints_of(state: &StateDirectory) -> Option<PathBuf> {
    match state {
        StateDirectory::Ephemeral => None,
        StateDirectory::At(directory) => Some(directory.join(CHECKPOINTS_FILE)),
    }
}
