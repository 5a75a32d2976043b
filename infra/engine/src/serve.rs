//! The engine on a port.

use crate::Engine;
use crate::engine::Inner;
use crate::wire::Call;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use http::{Response, StatusCode};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The largest body taken, in bytes: DynamoDB's limit for a request, the largest of the three
/// services.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Threads that parse, run SQLite and write answers. One more than can hold the storage's lock, so
/// that parsing goes on meanwhile.
const THREADS: usize = 2;
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
        let (stop, stopped) = oneshot::channel::<()>();
        let (report, mut reported) = oneshot::channel::<io::Result<()>>();
        std::thread::Builder::new()
            .name("callboard-engine".to_owned())
            .spawn(move || {
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
    report.unwrap_or_else(|_| Err(io::Error::other("the engine's server thread ended early")))
}

fn run(
    listener: std::net::TcpListener,
    router: Router,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("callboard-engine")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
        });
        let (closing, closed) = oneshot::channel::<()>();
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopped.await;
            let _ = closing.send(());
        });
        let grace = async {
            let _ = closed.await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            outcome = server.into_future() => outcome,
            () = grace => Ok(()),
        }
    });
    // Waited for, so that nothing holds the state any more when this returns.
    runtime.shutdown_timeout(GRACE);
    outcome
}

async fn handle(inner: Arc<Inner>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => inner.answer(Call::of(parts, body)).await.map(Body::from),
        Err(error) => {
            tracing::debug!(%error, "a request's body could not be read");
            StatusCode::PAYLOAD_TOO_LARGE.into_response()
        }
    }
}
