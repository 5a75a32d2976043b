//! The servers of a system: each a task that ends when it is told to, and says which
//! part it was.

use std::future::Future;
use std::io;

use axum::serve::ListenerExt;
use callboard_engine::Engine;
use callboard_mailbox::Mailbox;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// The tasks: the part's name for a message, and how it ended.
pub(crate) type Servers = JoinSet<(&'static str, io::Result<()>)>;

/// Ends when the system is told to stop, or is dropped.
async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the system was dropped, which is a stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// DynamoDB with Streams, SQS and SNS.
pub(crate) fn serve_engine(
    servers: &mut Servers,
    engine: &Engine,
    listener: TcpListener,
    stopped: watch::Receiver<bool>,
) {
    let engine = engine.clone();
    servers.spawn(async move {
        let outcome = engine.serve(listener, until(stopped)).await;
        ("the AWS engine", outcome)
    });
}

/// The mailbox's JSON and its SMTP.
pub(crate) fn serve_mailbox(
    servers: &mut Servers,
    mailbox: &Mailbox,
    http: TcpListener,
    smtp: TcpListener,
    stopped: watch::Receiver<bool>,
) {
    let (reader, post) = (mailbox.clone(), mailbox.clone());
    let stop_http = until(stopped.clone());
    servers.spawn(async move { ("the mailbox", reader.serve_http(http, stop_http).await) });
    servers.spawn(async move {
        let outcome = on_own_thread(smtp, "callboard-smtp", async move |smtp| {
            post.serve_smtp(smtp, until(stopped)).await
        });
        ("the mailbox's SMTP", outcome.await)
    });
}

/// Runs a server on a thread of its own: it stands for somebody else's server, whose answers do
/// not wait for our work. (Under load they did, for seconds: each line of SMTP stood in the queue
/// behind the functions.) The thread ends with the server.
async fn on_own_thread<F>(
    listener: TcpListener,
    name: &str,
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>>,
{
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (report, reported) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let outcome = runtime.block_on(async { serve(TcpListener::from_std(listener)?).await });
            // Nobody listens once the system was dropped.
            let _ = report.send(outcome);
        })?;
    reported
        .await
        .unwrap_or_else(|_| Err(io::Error::other("its thread ended early")))
}

/// The HTTP API of the functions.
pub(crate) fn serve_api(
    servers: &mut Servers,
    router: axum::Router,
    listener: TcpListener,
    stopped: watch::Receiver<bool>,
) {
    let listener = listener.tap_io(|stream| {
        // Small answers: Nagle would delay them. A stream that cannot be set fails
        // on its first read, which tells more.
        let _ = stream.set_nodelay(true);
    });
    servers.spawn(async move {
        let outcome = axum::serve(listener, router)
            .with_graceful_shutdown(until(stopped))
            .await;
        ("the HTTP API", outcome)
    });
}
