//! Ports on loopback: which one is wanted, and what to say if it cannot be had.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::error::CliError;

/// Which port is wanted. Everything listens on 127.0.0.1: nothing here is made to
/// face a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Any free one.
    Any,
    /// This one, or any free one if it is taken.
    Preferred(u16),
    /// This one or none.
    Exactly(u16),
}

impl Port {
    /// What was typed: 0 is any, nothing is the usual one if it is free.
    pub fn from_option(typed: Option<u16>, usual: u16) -> Self {
        match typed {
            Some(0) => Self::Any,
            Some(port) => Self::Exactly(port),
            None => Self::Preferred(usual),
        }
    }
}

/// Listens on 127.0.0.1.
///
/// # Errors
/// [`CliError::Port`] with what was to listen there and the option that changes it.
pub async fn listen(
    port: Port,
    what: &'static str,
    option: &'static str,
) -> Result<TcpListener, CliError> {
    let wanted = match port {
        Port::Any => 0,
        Port::Preferred(port) | Port::Exactly(port) => port,
    };
    let listener = match bind(wanted).await {
        Err(_) if matches!(port, Port::Preferred(_)) => bind(0).await,
        outcome => outcome,
    };
    listener.map_err(|source| CliError::Port {
        what,
        option,
        port: wanted,
        source,
    })
}

async fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// `http://127.0.0.1:PORT` of a listener.
///
/// # Errors
/// [`CliError::Io`] if the system has lost the listener's address.
pub fn url_of(listener: &TcpListener) -> Result<String, CliError> {
    Ok(format!("http://{}", address_of(listener)?))
}

/// `127.0.0.1:PORT` of a listener.
///
/// # Errors
/// [`CliError::Io`] if the system has lost the listener's address.
pub fn address_of(listener: &TcpListener) -> Result<SocketAddr, CliError> {
    listener.local_addr().map_err(|source| CliError::Io {
        what: "the address of a listener is not known",
        source,
    })
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_any_and_silence_is_the_usual_one() {
        assert_eq!(Port::from_option(Some(0), 25), Port::Any);
        assert_eq!(Port::from_option(Some(7), 25), Port::Exactly(7));
        assert_eq!(Port::from_option(None, 25), Port::Preferred(25));
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_if_it_was_asked_for_and_passed_over_if_not() {
        let first = listen(Port::Any, "the first", "--first").await.unwrap();
        let taken = address_of(&first).unwrap().port();
        let error = listen(Port::Exactly(taken), "the second", "--second")
            .await
            .unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("--second"), "{error}");
        let other = listen(Port::Preferred(taken), "the second", "--second")
            .await
            .unwrap();
        assert_ne!(address_of(&other).unwrap().port(), taken);
    }
}
