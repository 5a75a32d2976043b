//! The servers of a system: each a task that ends when it is told to, and says which
//! part it was.

use std::io;

use axum::serve::ListenerExt;
use callboard_engine::Engine;
use callboard_mailbox::Mailbox;
use tokio::net::TcpListener;
use tokio::sync::watch;
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
        (
            "the mailbox's SMTP",
            post.serve_smtp(smtp, until(stopped)).await,
        )
    });
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
