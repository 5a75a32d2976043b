//! HTTP functions: an axum router behind API Gateway (payload format 2.0), problem details
//! (RFC 9457) for every error, and bodies read with a limit and a JSON pointer to what is wrong.
//!
//! Here stands what any HTTP function needs; routes and their meaning live in the functions.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_contracts::Timestamp;
use lambda_http::request::{LambdaRequest, RequestContext};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;

use crate::clock::Clock;
use crate::function::{self, Service};

/// Largest request body in bytes: what one SNS message may carry with its envelope
/// (256 KiB, SNS Developer Guide, "Amazon SNS message size").
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Largest answer in bytes (Lambda quotas: 6 MB for a synchronous response).
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Prefix of every problem's `type`.
pub const PROBLEM_PREFIX: &str = "urn:callboard:problem:";

/// Turns a router into a function that API Gateway can invoke.
///
/// `clock` stands in for the gateway's time where an invocation carries none.
pub fn service(router: Router, clock: Clock) -> Service {
    let router = router.layer(axum::Extension(clock));
    function::service(move |event: lambda_runtime::LambdaEvent<Value>| {
        let router = router.clone();
        async move {
            let request: LambdaRequest = serde_json::from_value(event.payload)?;
            let request: lambda_http::Request = request.into();
            let response = router
                .oneshot(request)
                .await
                .map_err(|never| match never {})?;
            Ok(gateway_response(response).await?)
        }
    })
}

/// An answer in payload format 2.0
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
async fn gateway_response(response: Response) -> Result<Value, axum::Error> {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await?;
    let mut headers = serde_json::Map::new();
    let mut cookies = Vec::new();
    for (name, value) in &parts.headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if name == header::SET_COOKIE {
            cookies.push(text);
            continue;
        }
        // Format 2.0 has one value per name; several are joined as HTTP allows.
        match headers.get_mut(name.as_str()) {
            Some(Value::String(joined)) => *joined = format!("{joined},{text}"),
            _ => drop(headers.insert(name.to_string(), Value::from(text))),
        }
    }
    let (body, is_base64) = match String::from_utf8(bytes.to_vec()) {
        Ok(text) => (text, false),
        Err(_) => (STANDARD.encode(&bytes), true),
    };
    Ok(serde_json::json!({
        "statusCode": parts.status.as_u16(),
        "headers": headers,
        "cookies": cookies,
        "body": body,
        "isBase64Encoded": is_base64,
    }))
}

/// What is wrong with one member of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What is wrong with it; never the value itself.
    pub detail: String,
}

/// An error as RFC 9457 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Last part of the `type` URI; stable, for programs.
    pub slug: &'static str,
    /// One sentence on this occurrence, for people; no personal data.
    pub detail: String,
    /// The members at fault, if the body is.
    pub errors: Vec<FieldError>,
    /// Seconds after which another try makes sense.
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem without pointers.
    pub fn new(status: StatusCode, slug: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            slug,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// 400: what was sent cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 422: readable, but not of the form that is asked for.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} members of the body are not valid", many.len()),
        };
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
        }
    }

    /// 422 with one pointer.
    pub fn invalid_at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }

    /// 503: a dependency did not answer; the same request may be sent again.
    pub fn unavailable() -> Self {
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The journal could not be reached in time. Nothing is lost: send the same request again.",
            )
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = serde_json::json!({
            "type": format!("{PROBLEM_PREFIX}{}", self.slug),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            body["errors"] = serde_json::json!(self.errors);
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (
            self.status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            self.to_json().to_string(),
        )
            .into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What the gateway knows of a request.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// The gateway's id of the request.
    pub request_id: String,
    /// When the gateway received it: the moment by which a deadline is judged.
    pub received_at: Timestamp,
    /// `Correlation-Id` header, if one of a safe form was sent.
    pub correlation_id: Option<String>,
    /// `traceparent` header, if it has the form of W3C Trace Context.
    pub traceparent: Option<String>,
}

/// Longest correlation id taken from a caller, in bytes: it stands in every commit that follows.
pub const CORRELATION_ID_BYTES_MAX: usize = 64;

impl<S: Send + Sync> FromRequestParts<S> for RequestFacts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let gateway = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => Some(context),
            _ => None,
        };
        let now = parts
            .extensions
            .get::<Clock>()
            .map_or(Timestamp::from_millis(0), Clock::now);
        let correlation_id = header_text(&parts.headers, "correlation-id").map(str::to_owned);
        if correlation_id
            .as_deref()
            .is_some_and(|id| !is_safe_correlation_id(id))
        {
            return Err(Problem::malformed(
                "The header Correlation-Id takes 1 to 64 letters, digits and . _ ~ : @ -",
            ));
        }
        Ok(Self {
            request_id: gateway
                .and_then(|context| context.request_id.clone())
                .unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            received_at: gateway
                .map(|context| context.time_epoch)
                .filter(|millis| *millis > 0)
                .map_or(now, Timestamp::from_millis),
            correlation_id,
            traceparent: header_text(&parts.headers, "traceparent")
                .filter(|text| is_traceparent(text))
                .map(str::to_owned),
        })
    }
}

/// Whether a caller's correlation id may stand in commits, logs and headers.
#[must_use]
pub fn is_safe_correlation_id(id: &str) -> bool {
    (1..=CORRELATION_ID_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._~:@-".contains(&byte))
}

/// `version-trace_id-parent_id-flags`, all lower-case hexadecimal
/// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2]
        && parts.iter().all(|part| {
            part.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
}

/// A header's value as text; `None` if it is absent or not text.
#[must_use]
pub fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A body of at most [`BODY_BYTES_MAX`] bytes; 413 if it is longer.
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        match axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                format!("A request body has at most {BODY_BYTES_MAX} bytes."),
            )),
        }
    }
}

/// A JSON body, with the value beside the type it was read into: the value is what a cause's
/// hash is taken of.
#[derive(Debug, Clone)]
pub struct JsonBody<T> {
    /// What was read.
    pub parsed: T,
    /// What was sent.
    pub value: Value,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(unsupported_media_type("application/json"));
        }
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        let value = parse_json(&bytes)?;
        let parsed = parse_member(&value, "")?;
        Ok(Self { parsed, value })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_none_or(|kind| kind == "application/json")
}

/// The media type of the body, in lower case and without parameters.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = header_text(headers, "content-type")?;
    Some(
        text.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
    )
}

/// 415, naming what is taken.
#[must_use]
pub fn unsupported_media_type(expected: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        format!("Content-Type must be {expected}."),
    )
}

/// Reads JSON.
///
/// # Errors
/// 400 with line and column; a document nested deeper than 128 is malformed too.
pub fn parse_json(bytes: &[u8]) -> Result<Value, Problem> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Problem::malformed("The body is not UTF-8."));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::malformed(format!(
            "The body is not JSON that can be read, at line {} column {}.",
            error.line(),
            error.column()
        ))
    })
}

/// Reads a value into a type; `prefix` is the pointer at which the value stands in the body.
///
/// # Errors
/// 422 with the pointer of the first member that does not fit. The member's value is left out.
pub fn parse_member<T: DeserializeOwned>(value: &Value, prefix: &str) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = format!("{prefix}{}", pointer_of(error.path()));
        Problem::invalid_at(pointer, without_value(&error.inner().to_string()))
    })
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}

/// serde names the value in "invalid type: string \"x\", expected …"; it may be personal.
fn without_value(message: &str) -> String {
    let is_about_a_value =
        message.starts_with("invalid type:") || message.starts_with("invalid value:");
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if is_about_a_value => format!("expected {expected}"),
        _ => message.to_owned(),
    }
}

/// Names the commit that a reader can wait for, as `Callboard-Commit: <stream>@<number>`.
/// Left out where a foreign id in the stream's name is not fit for a header.
pub fn with_commit(mut response: Response, commit: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(commit) {
        response.headers_mut().insert("callboard-commit", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(rename = "items")]
        _items: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(rename = "count")]
        _count: u32,
    }

    #[test]
    fn a_wrong_type_is_named_by_pointer_and_its_value_kept_out() {
        let value = serde_json::json!({"items": [{"count": 1}, {"count": "anna@example.org"}]});
        let problem = parse_member::<Outer>(&value, "/data").expect_err("not a number");
        assert_eq!(problem.errors[0].pointer, "/data/items/1/count");
        assert!(!problem.to_json().to_string().contains("anna"));
    }

    #[test]
    fn deep_nesting_and_bad_utf8_are_malformed_not_a_crash() {
        let deep = "[".repeat(100_000);
        assert_eq!(
            parse_json(deep.as_bytes()).expect_err("deep").slug,
            "malformed"
        );
        assert_eq!(
            parse_json(&[b'"', 0xff, b'"']).expect_err("utf-8").slug,
            "malformed"
        );
    }

    #[test]
    fn a_traceparent_of_another_form_is_not_taken() {
        assert!(is_traceparent(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        assert!(!is_traceparent(
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"
        ));
        assert!(!is_traceparent("x"));
    }
}
