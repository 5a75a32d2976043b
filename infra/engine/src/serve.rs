//! The engine on a port.

use crate::Engine;
use crate::engine::Inner;
use crate::wire::Call;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::IntoResponse;
use axum::serve::{Listener, ListenerExt};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::LengthLimitError;
use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

/// The largest body taken, in bytes: DynamoDB's limit for a request, the largest of the three
/// services.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Threads that parse, run SQLite and write answers. One more than can hold the storage's lock, so
/// that parsing goes on meanwhile. Each has a runtime of its own and keeps its connections: threads
/// that share them spend a third of their time waking one another.
const THREADS: usize = 2;
const THREAD_NAME: &str = "callboard-engine";
/// How long answers under way may take after shutdown is asked for. A long poll is not waited out.
const GRACE: Duration = Duration::from_millis(300);

impl Engine {
    /// Serves all three services on one port until `shutdown` is ready. Runs on threads of its own,
    /// so that SQLite's work does not hold up the caller's runtime.
    ///
    /// # Errors
    /// When the listener cannot be taken over or a thread cannot be started.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let listener = listener.into_std()?;
        let router = self.router();
        let (stop, stopped) = watch::channel(());
        let (report, mut reported) = oneshot::channel::<io::Result<()>>();
        Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            let _ = report.send(run(listener, router, stopped));
        })?;
        tokio::select! {
            () = shutdown => {}
            early = &mut reported => return finished(early),
        }
        drop(stop);
        finished(reported.await)
    }

    /// All three services as an [`axum::Router`], to be put beside other routes.
    pub fn router(&self) -> Router {
        let inner = self.inner().clone();
        Router::new()
            .fallback(move |request: Request| handle(inner.clone(), request))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
    }
}

fn finished(report: Result<io::Result<()>, oneshot::error::RecvError>) -> io::Result<()> {
    report.unwrap_or_else(|_| finished_early())
}

fn finished_early() -> io::Result<()> {
    Err(io::Error::other("the engine's server thread ended early"))
}

/// Serves on this thread and, dealing connections out to them, on the others.
fn run(
    listener: std::net::TcpListener,
    router: Router,
    stopped: watch::Receiver<()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut others = Vec::new();
    let mut threads: Vec<JoinHandle<io::Result<()>>> = Vec::new();
    for _ in 1..THREADS {
        let (hand, dealt) = unbounded_channel();
        let (router, stopped) = (router.clone(), stopped.clone());
        let thread = Builder::new().name(THREAD_NAME.to_owned());
        threads.push(
            thread.spawn(move || serve_here(|| Ok(Dealt { address, dealt }), router, stopped))?,
        );
        others.push(hand);
    }
    let dealer = || {
        Ok(Dealer {
            listener: TcpListener::from_std(listener)?,
            others,
            turn: 0,
        })
    };
    let outcome = serve_here(dealer, router, stopped);
    // Waited for, so that nothing holds the state any more when this returns.
    let ended = |thread: JoinHandle<_>| thread.join().unwrap_or_else(|_| finished_early());
    threads.into_iter().map(ended).fold(outcome, Result::and)
}

/// Serves on this thread until `stopped` has no sender any more.
fn serve_here<L: Listener<Io = TcpStream>>(
    listener: impl FnOnce() -> io::Result<L>,
    router: Router,
    stopped: watch::Receiver<()>,
) -> io::Result<()>
where
    L::Addr: std::fmt::Debug,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async move {
        let listener = listener()?.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(closed(stopped.clone()));
        let grace = async {
            closed(stopped).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            outcome = server.into_future() => outcome,
            () = grace => Ok(()),
        }
    });
    runtime.shutdown_timeout(GRACE);
    outcome
}

async fn closed(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}

/// Takes connections, and hands them round: to this thread and the others in turn.
struct Dealer {
    listener: TcpListener,
    others: Vec<UnboundedSender<std::net::TcpStream>>,
    turn: usize,
}

impl Listener for Dealer {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            self.turn = (self.turn + 1) % (self.others.len() + 1);
            let Some(other) = self.turn.checked_sub(1).map(|index| &self.others[index]) else {
                return (stream, address);
            };
            // A connection that fails here was closed by its client.
            match stream.into_std() {
                Ok(stream) => drop(other.send(stream)),
                Err(error) => tracing::debug!(%error, "a connection could not be handed on"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The connections dealt to one thread.
struct Dealt {
    address: SocketAddr,
    dealt: UnboundedReceiver<std::net::TcpStream>,
}

impl Listener for Dealt {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        while let Some(stream) = self.dealt.recv().await {
            match TcpStream::from_std(stream) {
                Ok(stream) => return (stream, self.address),
                Err(error) => tracing::debug!(%error, "a connection could not be taken over"),
            }
        }
        // The dealer has ended, and this thread is about to.
        pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn handle(inner: Arc<Inner>, request: Request) -> Response<Body> {
    if is_of_a_web_page(request.headers()) {
        tracing::warn!("a web page's request was refused");
        return (
            StatusCode::FORBIDDEN,
            "Web pages may not call the engine.\n",
        )
            .into_response();
    }
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => inner.answer(Call::of(parts, body)).await.map(Body::from),
        Err(error) => {
            tracing::debug!(%error, "a request's body could not be read");
            let too_large = error.source().is_some_and(|it| it.is::<LengthLimitError>());
            match too_large {
                true => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
                false => StatusCode::BAD_REQUEST.into_response(),
            }
        }
    }
}

/// Whether a page in a browser makes the request. Nobody checks a signature here, and a form or an
/// image needs no leave to call another host: any page that is open could change what is kept, or
/// have the engine call others. A link that a person follows is none of these.
fn is_of_a_web_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text("origin").is_some_and(|it| it == "null" || it.starts_with("http"));
    let other_site = matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"));
    origin || (other_site && text("sec-fetch-dest") != Some("document"))
}
