//! The few HTTP requests that the commands and the tests make, as a program outside would:
//! one request, one answer, JSON where there is any.

mod resolve;
mod signer;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use resolve::Resolver;
use serde_json::Value;
use tokio_rustls::rustls::crypto::aws_lc_rs;

pub use signer::Signer;

/// Longest time for one request: a view that is waited for takes up to 5 s.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// Largest answer read, in bytes: a mailbox with a few hundred mails.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

type Plain = Client<HttpConnector<Resolver>, Full<Bytes>>;
type Secure = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// An HTTP client. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    plain: Plain,
    /// Made when the first `https://` address comes: reading the system's certificates takes
    /// milliseconds, and a laptop's own system has no use for them.
    secure: Arc<OnceLock<Secure>>,
    signer: Option<Signer>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What went wrong on the way; an answer with an error status is no such thing.
#[derive(Debug)]
pub struct HttpFailure {
    request: String,
    reason: String,
}

impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not answered: {}", self.request, self.reason)
    }
}

impl Error for HttpFailure {}

impl Answer {
    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header's value, if it is there and printable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Http {
    /// A client with connections of its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            plain: Client::builder(TokioExecutor::new()).build(connector()),
            secure: Arc::default(),
            signer: None,
        }
    }

    /// The same client, signing every request.
    #[must_use]
    pub fn signing(self, signer: Signer) -> Self {
        Self {
            signer: Some(signer),
            ..self
        }
    }

    /// `GET url`.
    ///
    /// # Errors
    /// [`HttpFailure`] when no answer came.
    pub async fn get(&self, url: &str) -> Result<Answer, HttpFailure> {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }

    /// A request with a JSON body.
    ///
    /// # Errors
    /// [`HttpFailure`] when no answer came.
    pub async fn json(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &Value,
    ) -> Result<Answer, HttpFailure> {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(method, url, &all, Bytes::from(body.to_string()))
            .await
    }

    /// `POST url` of a body as it is.
    ///
    /// # Errors
    /// [`HttpFailure`] when no answer came.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, HttpFailure> {
        self.send(Method::POST, url, headers, body).await
    }

    /// `POST url` as a form in a browser would send it.
    ///
    /// # Errors
    /// [`HttpFailure`] when no answer came.
    pub async fn form(&self, url: &str, body: &'static str) -> Result<Answer, HttpFailure> {
        let headers = [(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        self.send(
            Method::POST,
            url,
            &headers,
            Bytes::from_static(body.as_bytes()),
        )
        .await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, HttpFailure> {
        // A link's address holds its token: only its beginning is ever shown.
        let shown = url
            .split_once("/o/")
            .map_or(url.to_owned(), |(base, _)| format!("{base}/o/…"));
        let failure = |reason: String| HttpFailure {
            request: format!("{method} {shown}"),
            reason,
        };
        let mut request = build(&method, url, headers, body.clone())
            .map_err(|error| failure(error.to_string()))?;
        if let Some(signer) = &self.signer {
            signer.sign(&mut request, &body).map_err(failure)?;
        }
        match tokio::time::timeout(REQUEST_LIMIT, self.exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(reason)) => Err(failure(reason)),
            Err(_) => Err(failure(format!("nothing in {} s", REQUEST_LIMIT.as_secs()))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let sent = if request.uri().scheme_str() == Some("https") {
            self.secure()?.request(request).await
        } else {
            self.plain.request(request).await
        };
        let response = sent.map_err(|error| chain(&error))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    fn secure(&self) -> Result<&Secure, String> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let client = secure().map_err(|error| format!("the system's certificates: {error}"))?;
        Ok(self.secure.get_or_init(|| client))
    }
}

fn connector() -> HttpConnector<Resolver> {
    let mut connector = HttpConnector::new_with_resolver(Resolver::new());
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}

fn secure() -> io::Result<Secure> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(aws_lc_rs::default_provider())?
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector());
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

fn build(
    method: &Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(HeaderName::try_from(*name)?, HeaderValue::try_from(*value)?);
    }
    request.body(Full::new(body))
}

/// "client error (Connect): connection refused", not only its first part.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
