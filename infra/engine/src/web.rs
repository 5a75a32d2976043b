//! The way out: requests that the engine sends to others, over HTTP and HTTPS or to a router in
//! the same process.

use axum::Router;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::fmt;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tower::ServiceExt;

/// How much of an answer's body is read, so that its connection can be used again; a longer one
/// costs the connection.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

type Over<C> = Client<C, Full<Bytes>>;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The text of the client's error and its causes. It names no address: that may hold a
    /// password.
    #[error("{0}")]
    Unreachable(String),
    #[error("the system's certificates cannot be read: {0}")]
    NoCertificates(String),
}

/// The clients, made when they are first needed: reading the system's certificates takes a while.
#[derive(Default)]
pub(crate) struct Web {
    /// By authority in lower case.
    routers: RwLock<HashMap<String, Router>>,
    plain: OnceLock<Over<HttpConnector>>,
    secure: OnceLock<Result<Over<HttpsConnector<HttpConnector>>, String>>,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

impl Web {
    /// Sends requests for `authority` to `router` from now on.
    pub(crate) fn route(&self, authority: &str, router: Router) {
        self.routers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(authority.to_ascii_lowercase(), router);
    }

    /// Sends a request and waits for the head of its answer and a small body, `limit` in all.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        limit: Duration,
    ) -> Result<Response<()>, WebError> {
        tokio::time::timeout(limit, self.answer(request))
            .await
            .unwrap_or(Err(WebError::TimedOut(limit)))
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<()>, WebError> {
        if let Some(router) = self.router(request.uri()) {
            let answer = match router.oneshot(request.map(Body::from)).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            return Ok(read(answer).await);
        }
        let secure = request.uri().scheme_str() == Some("https");
        let request = request.map(Full::new);
        let answer = if secure {
            let client = self.secure.get_or_init(secure_client);
            let client = client
                .as_ref()
                .map_err(|reason| WebError::NoCertificates(reason.clone()))?;
            client.request(request).await
        } else {
            let client = || Client::builder(TokioExecutor::new()).build_http();
            self.plain.get_or_init(client).request(request).await
        };
        let answer = answer.map_err(|error| WebError::Unreachable(causes(&error)))?;
        Ok(read(answer).await)
    }

    fn router(&self, uri: &Uri) -> Option<Router> {
        let host = uri.host()?;
        let authority = match uri.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        self.routers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&authority.to_ascii_lowercase())
            .cloned()
    }
}

fn secure_client() -> Result<Over<HttpsConnector<HttpConnector>>, String> {
    let provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(|error| error.to_string())?
        .https_only()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Takes in what there is of a body. What it says, and how it ends, is of no interest.
async fn read<B>(answer: Response<B>) -> Response<()>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = answer.into_parts();
    if Limited::new(body, ANSWER_BYTES_MAX)
        .collect()
        .await
        .is_err()
    {
        tracing::debug!("an answer's body was cut short or too long");
    }
    Response::from_parts(head, ())
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
