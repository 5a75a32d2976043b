//! Reads and writes for `smtp`: one session over any stream, and the loop that
//! accepts connections.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf,
};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::Mailbox;
use crate::smtp::{Body, Fault, Next, Protocol, Reply, too_big};

/// Longest command line in bytes: RFC 5321 (4.5.3.1.4) has 512, SMTPUTF8 and
/// parameters add to it; 4 KiB is generous and bounds memory.
const LINE_BYTES_MAX: usize = 4096;

/// A client that says nothing for this long is let go (RFC 5321, 4.5.3.2.7: at
/// least 5 minutes).
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// Open connections at once; more wait in the kernel's queue. Far above the
/// concurrency of any sender here, far below the file limit.
const CONNECTIONS_MAX: usize = 256;

/// How long open sessions get to finish their mail when we stop.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);

/// Pause after a failed `accept` (out of file handles), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `shutdown` ends.
pub(crate) async fn serve(
    mailbox: &Mailbox,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = std::pin::pin!(shutdown);
    let (stop, stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        while sessions.try_join_next().is_some() {}
        let Ok((stream, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (mailbox, stopping) = (mailbox.clone(), stopping.clone());
        sessions.spawn(async move {
            if let Err(error) = run(&mailbox, stream, stopping).await {
                tracing::debug!(%error, "an SMTP connection broke off");
            }
            drop(place);
        });
    }
    stop.send_replace(true);
    let farewell = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL_LIMIT, farewell)
        .await
        .is_err()
    {
        sessions.abort_all();
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Replies are small and answered one by one: Nagle would add 40 ms to each.
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

/// Speaks SMTP over `stream` until the client is done or `stopping` turns true.
pub(crate) async fn run<S>(
    mailbox: &Mailbox,
    stream: S,
    stopping: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (read, write) = tokio::io::split(stream);
    let mut session = Session {
        mailbox,
        read: BufReader::new(read),
        write,
        protocol: Protocol::default(),
        stopping,
    };
    session.say(&Protocol::greeting()).await?;
    while session.step().await? {}
    session.write.shutdown().await
}

struct Session<'m, S> {
    mailbox: &'m Mailbox,
    read: BufReader<ReadHalf<S>>,
    write: WriteHalf<S>,
    protocol: Protocol,
    stopping: watch::Receiver<bool>,
}

/// What came from the client.
enum Line {
    Command(Vec<u8>),
    TooLong,
    /// The client went away, perhaps in the middle of a line.
    Gone,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// One command and its answer; false ends the session.
    async fn step(&mut self) -> io::Result<bool> {
        let line = tokio::select! {
            biased;
            line = tokio::time::timeout(IDLE_LIMIT, read_line(&mut self.read)) => Some(line),
            _ = self.stopping.wait_for(|stop| *stop) => None,
        };
        let Some(line) = line else {
            self.say(&Reply::new(421, "4.3.2 The mailbox is closing"))
                .await?;
            return Ok(false);
        };
        let next = match line {
            Err(_) => Next::Close(Reply::new(421, "4.4.2 Nothing heard for 5 minutes")),
            Ok(line) => match line? {
                Line::Command(line) => self.protocol.command(&line),
                Line::TooLong => self.protocol.line_too_long(),
                Line::Gone => return Ok(false),
            },
        };
        match next {
            Next::Reply(reply) => self.say(&reply).await.map(|()| true),
            Next::Close(reply) => self.say(&reply).await.map(|()| false),
            Next::Body(reply) => {
                self.say(&reply).await?;
                self.take_mail().await
            }
        }
    }

    /// Reads the body, keeps the mail and only then answers `250`.
    async fn take_mail(&mut self) -> io::Result<bool> {
        let body = tokio::time::timeout(IDLE_LIMIT, read_body(&mut self.read)).await;
        let Ok(Some(body)) = body.unwrap_or(Ok(None)) else {
            return Ok(false);
        };
        let envelope = self.protocol.take_envelope();
        let Some(raw) = body.finish() else {
            self.say(&too_big()).await?;
            return Ok(true);
        };
        let kept = self
            .mailbox
            .deliver(&envelope.from, &envelope.to, raw)
            .await;
        let lost = |address: &String| Fault::of(address) == Some(Fault::LostAnswer);
        if envelope.to.iter().any(lost) {
            return Ok(false);
        }
        let reply = match kept {
            Ok(_) => Reply::new(250, "2.0.0 Kept"),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a mail could not be kept"
                );
                Reply::new(451, "4.3.0 The mail could not be kept, try again")
            }
        };
        self.say(&reply).await.map(|()| true)
    }

    async fn say(&mut self, reply: &Reply) -> io::Result<()> {
        self.write.write_all(&reply.to_bytes()).await?;
        self.write.flush().await
    }
}

/// Reads up to a line feed; what is over the limit is read and dropped.
async fn read_line<R: AsyncRead + Unpin>(read: &mut BufReader<R>) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let piece = read.fill_buf().await?;
        if piece.is_empty() {
            return Ok(Line::Gone);
        }
        let end = piece.iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(piece.len(), |end| end + 1);
        too_long |= line.len() + taken > LINE_BYTES_MAX;
        if !too_long {
            line.extend_from_slice(&piece[..taken]);
        }
        read.consume(taken);
        if end.is_some() {
            return Ok(if too_long {
                Line::TooLong
            } else {
                Line::Command(line)
            });
        }
    }
}

/// Reads to the lone dot; nothing if the client went away before it.
async fn read_body<R: AsyncRead + Unpin>(read: &mut BufReader<R>) -> io::Result<Option<Body>> {
    let mut body = Body::new();
    loop {
        let piece = read.fill_buf().await?;
        if piece.is_empty() {
            return Ok(None);
        }
        let length = piece.len();
        let end = body.push(piece);
        read.consume(end.unwrap_or(length));
        if end.is_some() {
            return Ok(Some(body));
        }
    }
}
