//! One keep-alive connection that speaks AWS's protocols without an SDK, so that the load costs
//! little and the same everywhere.

use super::Failure;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A service: the name in its credential scope, and its JSON protocol's prefix and version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    scope: &'static str,
    target: &'static str,
    content_type: &'static str,
}

pub(crate) const SQS: Service = Service {
    scope: "sqs",
    target: "AmazonSQS",
    content_type: "application/x-amz-json-1.0",
};
pub(crate) const DYNAMO: Service = Service {
    scope: "dynamodb",
    target: "DynamoDB_20120810",
    content_type: "application/x-amz-json-1.0",
};
pub(crate) const STREAMS: Service = Service {
    scope: "dynamodb",
    target: "DynamoDBStreams_20120810",
    content_type: "application/x-amz-json-1.0",
};
const SNS: Service = Service {
    scope: "sns",
    target: "",
    content_type: "application/x-www-form-urlencoded; charset=utf-8",
};

/// A connection.
#[derive(Debug)]
pub(crate) struct Aws {
    port: u16,
    connection: SendRequest<Full<Bytes>>,
}

impl Aws {
    pub(crate) async fn connect(port: u16) -> Result<Aws, Failure> {
        Ok(Aws {
            port,
            connection: connect(port).await?,
        })
    }

    /// Calls an operation of a JSON service; any status but 200 is a failure.
    pub(crate) async fn call(
        &mut self,
        service: Service,
        operation: &str,
        body: String,
    ) -> Result<Bytes, Failure> {
        let mut headers = self.headers(service)?;
        headers.insert(
            HeaderName::from_static("x-amz-target"),
            HeaderValue::try_from(format!("{}.{operation}", service.target))?,
        );
        self.post(headers, body).await
    }

    /// As [`Aws::call`], and reads the answer.
    pub(crate) async fn json(
        &mut self,
        service: Service,
        operation: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let answer = self.call(service, operation, body.to_string()).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Calls SNS with a form's fields; gives the XML.
    pub(crate) async fn sns(&mut self, fields: &[(&str, &str)]) -> Result<String, Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .append_pair("Version", "2010-03-31")
            .finish();
        let headers = self.headers(SNS)?;
        Ok(String::from_utf8(self.post(headers, form).await?.to_vec())?)
    }

    /// The headers of every request: signed in form only, for no emulator checks it.
    fn headers(&self, service: Service) -> Result<HeaderMap, Failure> {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={:064}",
            service.scope, 0
        );
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(HOST, format!("127.0.0.1:{}", self.port).try_into()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(service.content_type));
        headers.insert(AUTHORIZATION, authorization.try_into()?);
        headers.insert("x-amz-date", HeaderValue::from_static("20260101T000000Z"));
        Ok(headers)
    }

    async fn post(&mut self, headers: HeaderMap, body: String) -> Result<Bytes, Failure> {
        if self.connection.ready().await.is_err() {
            // Some servers close a connection after a number of requests.
            self.connection = connect(self.port).await?;
        }
        let mut request = Request::post("/").body(Full::from(body))?;
        *request.headers_mut() = headers;
        let answer = self.connection.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into())
    }
}

async fn connect(port: u16) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.ready().await?;
    Ok(sender)
}
