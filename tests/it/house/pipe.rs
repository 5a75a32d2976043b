//! The sender's real SMTP, over a pipe into the mailbox's real server: no sockets, so that it
//! works while time stands still.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use callboard_mailbox::Mailbox;
use email_sender::provider::Provider;
use email_sender::provider::smtp::{Connect, Connecting, Peered, Smtp};
use lettre::transport::smtp::client::AsyncTokioStream;

/// What a pipe holds before the writer waits, in bytes.
const PIPE_BYTES: usize = 16 * 1_024;

/// What a pipe says of its other end: a mailbox on this machine.
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 25);

/// The SMTP provider of `email-sender` into `mailbox`.
pub fn smtp(mailbox: &Mailbox) -> Arc<dyn Provider> {
    Arc::new(Smtp::over(Arc::new(Pipes(mailbox.clone())), "example.com"))
}

struct Pipes(Mailbox);

impl Connect for Pipes {
    fn connect(&self) -> Connecting<'_> {
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        let mailbox = self.0.clone();
        tokio::spawn(async move { mailbox.session(server).await });
        Box::pin(async { Ok(Box::new(Peered::new(client, LOOPBACK)) as Box<dyn AsyncTokioStream>) })
    }
}
