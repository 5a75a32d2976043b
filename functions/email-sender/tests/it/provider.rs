//! Providers for tests: SMTP to a mailbox over a pipe, and one that waits to be let on.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use callboard_mailbox::Mailbox;
use email_sender::provider::smtp::{Connect, Connecting, Peered, Smtp};
use email_sender::provider::{Accepted, Message, Provider, SendError, Sending};
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::{Semaphore, mpsc};

/// The real SMTP provider, over pipes into `mailbox`.
pub fn smtp(mailbox: &Mailbox) -> Arc<Smtp> {
    Arc::new(Smtp::over(Arc::new(Pipes(mailbox.clone())), "example.com"))
}

/// The real SMTP provider in front of a server that nobody listens at.
pub fn refused() -> Arc<Smtp> {
    Arc::new(Smtp::over(Arc::new(Nobody), "example.com"))
}

/// The real SMTP provider in front of a server that never greets.
pub fn silent() -> Arc<Smtp> {
    Arc::new(Smtp::over(Arc::new(Silent), "example.com"))
}

/// The real SMTP provider in front of a server that takes a mail's text and says no more.
pub fn mute_after_text() -> Arc<Smtp> {
    Arc::new(Smtp::over(Arc::new(MuteAfterText), "example.com"))
}

struct MuteAfterText;

impl Connect for MuteAfterText {
    fn connect(&self) -> Connecting<'_> {
        let (client, server) = tokio::io::duplex(16 * 1024);
        tokio::spawn(async move {
            let (read, mut write) = tokio::io::split(server);
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 mute\r\n").await.unwrap();
            while let Some(line) = lines.next_line().await.unwrap() {
                let reply: &[u8] = if line == "DATA" {
                    b"354 go on\r\n"
                } else {
                    b"250 ok\r\n"
                };
                write.write_all(reply).await.unwrap();
                if line == "DATA" {
                    break;
                }
            }
            // Reads on, and never answers.
            while lines.next_line().await.unwrap().is_some() {}
        });
        piped(client)
    }
}

struct Pipes(Mailbox);

impl Connect for Pipes {
    fn connect(&self) -> Connecting<'_> {
        let (client, server) = tokio::io::duplex(16 * 1024);
        let mailbox = self.0.clone();
        tokio::spawn(async move { mailbox.session(server).await });
        piped(client)
    }
}

struct Nobody;

impl Connect for Nobody {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::ConnectionRefused)) })
    }
}

struct Silent;

impl Connect for Silent {
    fn connect(&self) -> Connecting<'_> {
        let (client, server) = tokio::io::duplex(1024);
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(server);
        });
        piped(client)
    }
}

/// lettre asks a stream for its peer; a pipe has none, so this says loopback.
fn piped(pipe: DuplexStream) -> Connecting<'static> {
    let stream = Peered::new(pipe, SocketAddr::from(([127, 0, 0, 1], 25)));
    Box::pin(async { Ok(Box::new(stream) as Box<dyn AsyncTokioStream>) })
}

/// A provider whose calls begin visibly, wait to be let on, and end as scripted (else accepted).
pub struct Gated {
    begun: mpsc::UnboundedSender<()>,
    gate: Semaphore,
    script: Mutex<VecDeque<Result<(), SendError>>>,
}

impl Gated {
    /// The provider, and what tells that a call has begun.
    pub fn new(script: Vec<Result<(), SendError>>) -> (Arc<Self>, mpsc::UnboundedReceiver<()>) {
        let (begun, calls) = mpsc::unbounded_channel();
        let gated = Self {
            begun,
            gate: Semaphore::new(0),
            script: Mutex::new(script.into()),
        };
        (Arc::new(gated), calls)
    }

    /// Lets `calls` calls on, waiting ones first.
    pub fn open(&self, calls: usize) {
        self.gate.add_permits(calls);
    }
}

impl Provider for Gated {
    fn send<'a>(&'a self, _: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let result = self.script.lock().unwrap().pop_front().unwrap_or(Ok(()));
            self.begun.send(()).unwrap();
            self.gate.acquire().await.unwrap().forget();
            result.map(|()| Accepted { provider: "gated" })
        })
    }
}
