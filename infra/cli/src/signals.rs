//! The ways in which a person or a supervisor asks a program to stop.

use std::io;

use crate::error::CliError;

/// Listens for Ctrl-C and SIGTERM. Made before anything is started: a request that
/// comes meanwhile is kept, and not answered by the system's own abrupt end.
pub(crate) struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`CliError::Io`] if signals cannot be listened for.
    pub(crate) fn listen() -> Result<Self, CliError> {
        Self::try_listen().map_err(|source| CliError::Io {
            what: "signals cannot be listened for",
            source,
        })
    }

    #[cfg(unix)]
    fn try_listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    fn try_listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns when the program was asked to stop.
    #[cfg(unix)]
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Returns when the program was asked to stop.
    #[cfg(not(unix))]
    pub(crate) async fn asked(&mut self) {
        // An error means that there is nothing to listen to, hence nobody to ask.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
