//! The sender's real SMTP, over a pipe into the mailbox's real server: no sockets, so that it
//! works while time stands still.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use callboard_mailbox::Mailbox;
use email_sender::provider::Provider;
use email_sender::provider::smtp::{Connect, Connecting, Smtp};
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What a pipe holds before the writer waits, in bytes.
const PIPE_BYTES: usize = 16 * 1_024;

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
        Box::pin(async { Ok(Box::new(Pipe(client)) as Box<dyn AsyncTokioStream>) })
    }
}

/// lettre asks a stream for its peer; a pipe has none, so this says loopback.
#[derive(Debug)]
struct Pipe(DuplexStream);

impl AsyncTokioStream for Pipe {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 25)))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
