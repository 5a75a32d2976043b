//! SMTP through `lettre`, with the one distinction that matters kept: whether the mail's text
//! had begun to go out when something broke.
//!
//! Before that moment every failure is definite, a time-out included: a server that has not
//! seen the text has no mail. From then on only a reply is, and everything else is ambiguous.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::transport::SmtpServer;
use super::{Accepted, Message, PROVIDER_TIMEOUT, Provider, SendError, Sending};

/// What the journal calls this provider.
const NAME: &str = "smtp";

/// Time for a connection and the greeting; half the whole, so that a dead address does not
/// use up the time in which a second connection of the same invocation could be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections of one invocation. A batch has ten mails; Postfix takes 50 connections from one
/// client (`smtpd_client_connection_count_limit`), and ten functions may run at once.
const CONNECTIONS_MAX: usize = 5;

/// Time for `RSET` after a refusal. The outcome is known by then; only a connection is at stake.
const RESET_TIMEOUT: Duration = Duration::from_millis(500);

/// The code with which a server says that it closes the connection (RFC 5321, 3.8).
const CLOSING: u16 = 421;

/// What a stream to a server is reached by: a socket, or a pipe in a test.
pub type Connecting<'a> =
    Pin<Box<dyn Future<Output = io::Result<Box<dyn AsyncTokioStream>>> + Send + 'a>>;

/// Opens streams to an SMTP server.
pub trait Connect: Send + Sync + 'static {
    /// Opens one, ready for the server's greeting.
    fn connect(&self) -> Connecting<'_>;
}

/// The provider.
pub struct Smtp {
    connect: Arc<dyn Connect>,
    hello: ClientId,
    credentials: Option<Credentials>,
    permits: Semaphore,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Smtp {
    /// A provider for `server`, which names itself `hello` (the sender's domain).
    ///
    /// # Errors
    /// When TLS is asked for and the machine's root certificates cannot be read.
    pub fn new(server: &SmtpServer, hello: &str) -> io::Result<Self> {
        let connect = Sockets {
            host: server.host.clone(),
            port: server.port,
            tls: server.tls.then(tls).transpose()?,
        };
        let mut smtp = Self::over(Arc::new(connect), hello);
        smtp.credentials = server
            .credentials
            .as_ref()
            .map(|(user, password)| Credentials::new(user.clone(), password.clone()));
        Ok(smtp)
    }

    /// A provider over streams of the caller's making: SMTP without sockets.
    #[must_use]
    pub fn over(connect: Arc<dyn Connect>, hello: &str) -> Self {
        Self {
            connect,
            hello: ClientId::Domain(hello.to_owned()),
            credentials: None,
            permits: Semaphore::new(CONNECTIONS_MAX),
            idle: Mutex::default(),
        }
    }

    /// The conversation about one mail, and the connection it was had on.
    async fn exchange(
        &self,
        message: &Message,
        text_began: &AtomicBool,
    ) -> Result<(AsyncSmtpConnection, Result<(), Error>), SendError> {
        let _permit = self
            .permits
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open().await?,
        };
        let result = transact(&mut connection, message, text_began).await;
        Ok((connection, result))
    }

    /// Keeps a connection for the next mail after a success, and after a refusal that `RSET`
    /// clears.
    async fn keep(&self, mut connection: AsyncSmtpConnection, result: &Result<(), Error>) {
        let usable = match result {
            Ok(()) => true,
            Err(error)
                if error
                    .status()
                    .is_some_and(|code| u16::from(code) != CLOSING) =>
            {
                let reset = tokio::time::timeout(RESET_TIMEOUT, connection.command(Rset)).await;
                matches!(reset, Ok(Ok(_)))
            }
            Err(_) => false,
        };
        if usable {
            self.idle().push(connection);
        }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, SendError> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.greet())
            .await
            .unwrap_or_else(|_| Err(SendError::transient("smtp-connect-timeout")))
    }

    /// A server that refuses us before it has heard of a mail says nothing about that mail, so
    /// even a 5xx (a changed password) is transient here.
    async fn greet(&self) -> Result<AsyncSmtpConnection, SendError> {
        let stream = self
            .connect
            .connect()
            .await
            .map_err(|_| SendError::transient("smtp-connect"))?;
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &self.hello)
            .await
            .map_err(|error| SendError::transient(code_of(&error, "greeting")))?;
        if let Some(credentials) = &self.credentials {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                .await
                .map_err(|error| SendError::transient(code_of(&error, "auth")))?;
        }
        Ok(connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<AsyncSmtpConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Smtp {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let text_began = AtomicBool::new(false);
            let exchange = self.exchange(message, &text_began);
            match tokio::time::timeout(PROVIDER_TIMEOUT, exchange).await {
                Ok(Ok((connection, result))) => {
                    self.keep(connection, &result).await;
                    let began = text_began.load(Ordering::Relaxed);
                    result.map_err(|error| classify(&error, began))?;
                    Ok(Accepted { provider: NAME })
                }
                Ok(Err(error)) => Err(error),
                Err(_) if text_began.load(Ordering::Relaxed) => {
                    Err(SendError::ambiguous("smtp-timeout"))
                }
                Err(_) => Err(SendError::transient("smtp-timeout")),
            }
        })
    }

    /// A frozen process does not answer keep-alives: a connection kept would be dead.
    fn end_of_invocation(&self) {
        self.idle().clear();
    }
}

async fn transact(
    connection: &mut AsyncSmtpConnection,
    message: &Message,
    text_began: &AtomicBool,
) -> Result<(), Error> {
    let mut parameters = Vec::new();
    let international = !message.to.to_string().is_ascii() || !message.from.to_string().is_ascii();
    if international
        && connection
            .server_info()
            .supports_feature(Extension::SmtpUtfEight)
    {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    connection
        .command(Mail::new(Some(message.from.clone()), parameters))
        .await?;
    connection
        .command(Rcpt::new(message.to.clone(), Vec::new()))
        .await?;
    connection.command(Data).await?;
    text_began.store(true, Ordering::Relaxed);
    connection.message(&message.raw).await?;
    Ok(())
}

fn classify(error: &Error, text_began: bool) -> SendError {
    if error.is_permanent() {
        SendError::permanent(code_of(error, "refused"))
    } else if error.is_transient() {
        SendError::transient(code_of(error, "deferred"))
    } else if text_began {
        SendError::ambiguous("smtp-connection-lost")
    } else {
        SendError::transient("smtp-connection-lost")
    }
}

fn code_of(error: &Error, otherwise: &str) -> String {
    error.status().map_or_else(
        || format!("{NAME}-{otherwise}"),
        |code| format!("{NAME}-{}", u16::from(code)),
    )
}

/// Opens sockets, with TLS if configured.
struct Sockets {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Connect for Sockets {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
            // lettre 0.11.23 writes text and final dot apart: under Nagle that is 44 ms a mail.
            socket.set_nodelay(true)?;
            let Some(tls) = &self.tls else {
                return Ok(Box::new(socket) as Box<dyn AsyncTokioStream>);
            };
            let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
            let peer = socket.peer_addr()?;
            let stream = Peered::new(tls.connect(name, socket).await?, peer);
            Ok(Box::new(stream) as Box<dyn AsyncTokioStream>)
        })
    }
}

fn tls() -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(io::Error::other("no root certificates on this machine"));
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A stream in the form that lettre takes: one that names its peer.
pub struct Peered<S> {
    stream: S,
    peer: SocketAddr,
}

impl<S> Peered<S> {
    /// `stream`, which leads to `peer`.
    pub const fn new(stream: S, peer: SocketAddr) -> Self {
        Self { stream, peer }
    }
}

impl<S> fmt::Debug for Peered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peered").field(&self.peer).finish()
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> AsyncTokioStream for Peered<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Peered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Peered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
