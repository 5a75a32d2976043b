//! Lambda's Runtime API on loopback, for one process and one invocation.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// What an invocation may take: the template's functions have 4 s and more.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the function's process has asked of the API, and when.
#[derive(Debug)]
pub enum Said {
    /// It asked for an event. The first time it got it, after that it waits.
    Next(Instant),
    /// It answered the event.
    Response(Instant, Value),
    /// Its start or its invocation failed, with this report.
    Error(String),
}

/// A server for one process. Dropped, it is gone.
pub struct RuntimeApi {
    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub address: String,
    said: UnboundedReceiver<Said>,
    server: JoinHandle<()>,
}

struct Shared {
    event: Bytes,
    said: UnboundedSender<Said>,
    given: AtomicBool,
}

impl RuntimeApi {
    /// A server with one event to give.
    pub async fn serve(event: &Value) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (said, receiver) = unbounded_channel();
        let shared = Arc::new(Shared {
            event: Bytes::from(event.to_string()),
            said,
            given: AtomicBool::new(false),
        });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(shared);
        let server = tokio::spawn(async move {
            // It is aborted, so that it has no end to report.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            address,
            said: receiver,
            server,
        })
    }

    /// What the process says next; `None` after 30 s of silence.
    pub async fn heard(&mut self) -> Option<Said> {
        let heard = tokio::time::timeout(TIMEOUT, self.said.recv()).await;
        heard.ok().flatten()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn note(&self, said: Said) {
        // Nobody listens any more: the measurement is over.
        let _ = self.said.send(said);
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> (HeaderMap, Bytes) {
    shared.note(Said::Next(Instant::now()));
    if shared.given.swap(true, Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let deadline = SystemTime::now() + TIMEOUT;
    let deadline_ms = deadline
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let deadline_ms =
        HeaderValue::from_str(&deadline_ms.to_string()).expect("digits are a header's value");
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", HeaderValue::from_static("application/json")),
        (
            "lambda-runtime-aws-request-id",
            HeaderValue::from_static("8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ),
        ("lambda-runtime-deadline-ms", deadline_ms),
        (
            "lambda-runtime-invoked-function-arn",
            HeaderValue::from_static("arn:aws:lambda:us-east-1:000000000000:function:measured"),
        ),
        (
            "lambda-runtime-trace-id",
            HeaderValue::from_static("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"),
        ),
    ] {
        headers.insert(name, value);
    }
    (headers, shared.event.clone())
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    let at = Instant::now();
    shared.note(match serde_json::from_slice(&body) {
        Ok(answer) => Said::Response(at, answer),
        Err(error) => Said::Error(format!("an answer that is not JSON: {error}")),
    });
    StatusCode::ACCEPTED
}

async fn error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    let report = String::from_utf8_lossy(&body).into_owned();
    shared.note(Said::Error(report));
    StatusCode::ACCEPTED
}
