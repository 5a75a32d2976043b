//! The ways in which a person or a supervisor asks a program to stop.

use std::io;

use crate::error::CliError;

/// Returns at Ctrl-C or SIGTERM.
///
/// # Errors
/// [`CliError::Io`] if signals cannot be listened for.
pub(crate) async fn asked_to_stop() -> Result<(), CliError> {
    wait().await.map_err(|source| CliError::Io {
        what: "signals cannot be listened for",
        source,
    })
}

#[cfg(unix)]
async fn wait() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn wait() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
