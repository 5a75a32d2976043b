//! Raw HTTP: one request, its answer as it came.

use crate::check::Result;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// LocalStack takes this key for the account 000000000000; nobody checks it.
const ACCESS_KEY: &str = "test";
/// Where all requests say they go.
pub const REGION: &str = "us-east-1";

type Http = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

/// A client of one endpoint.
pub struct Client {
    http: Http,
    endpoint: String,
}

/// An answer as it came.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// `endpoint` without a slash at its end.
    pub fn new(endpoint: &str) -> Client {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Client {
            http: hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .build(connector),
            endpoint: endpoint.to_owned(),
        }
    }

    /// Posts to `path` (which starts with a slash). The `Authorization` header is well formed and
    /// signs nothing; a header that the caller gives replaces one of ours.
    pub async fn post(
        &self,
        service: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let now = jiff::Timestamp::now();
        let mut request =
            Request::post(format!("{}{path}", self.endpoint)).body(Full::new(body.into()))?;
        let signed = authorization(service, &now.strftime("%Y%m%d").to_string());
        let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let all = request.headers_mut();
        all.insert("authorization", signed.parse()?);
        all.insert("x-amz-date", date.parse()?);
        for (name, value) in headers {
            all.insert(http::HeaderName::try_from(*name)?, value.parse()?);
        }
        self.send(request).await
    }

    /// Gets what is at a whole URL, without a signature, as a reader of a message does.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        self.send(Request::get(url).body(Full::default())?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let (parts, body) = self.http.request(request).await?.into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

fn authorization(service: &str, day: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{day}/{REGION}/{service}/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={}",
        "0".repeat(64)
    )
}
