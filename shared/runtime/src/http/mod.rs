//! HTTP functions: an axum router behind API Gateway (payload format 2.0), problem details
//! (RFC 9457) for every error, and bodies read with a limit and a JSON pointer to what is wrong.
//!
//! Here stands what any HTTP function needs; routes and their meaning live in the functions.

mod body;
pub mod page;
mod problem;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_contracts::Timestamp;
use lambda_http::request::{LambdaRequest, RequestContext};
use serde_json::Value;
use tower::ServiceExt;

use crate::clock::Clock;
use crate::function::{self, Service};

pub use body::{
    BODY_BYTES_MAX, JsonBody, RawBody, id_from_path, media_type, parse_json, parse_member, query,
    unsupported_media_type,
};
pub use problem::{FieldError, PROBLEM_PREFIX, Problem};

/// Largest answer in bytes (Lambda quotas: 6 MB for a synchronous response).
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Turns a router into a function that API Gateway can invoke.
///
/// `clock` stands in for the gateway's time where an invocation carries none.
pub fn service(router: Router, clock: Clock) -> Service {
    let router = router.layer(axum::Extension(clock));
    function::service(move |mut event: lambda_runtime::LambdaEvent<Value>| {
        let router = router.clone();
        async move {
            if let Some(Value::String(path)) = event.payload.get_mut("rawPath") {
                let Some(routable) = routable(path) else {
                    return Ok(gateway_response(no_such_route()).await?);
                };
                *path = routable;
            }
            let request: LambdaRequest = serde_json::from_value(event.payload)?;
            let request: lambda_http::Request = request.into();
            let response = router
                .oneshot(request)
                .await
                .map_err(|never| match never {})?;
            Ok(gateway_response(as_problem(response)).await?)
        }
    })
}

/// The path of an event as a URL can carry it; `None` if it is no path of ours.
///
/// API Gateway hands over the path *decoded* (<https://github.com/honojs/hono/issues/2156>), and
/// what makes a URL of it reads it as if it were not: a `#` would end it, a `%41` be decoded once
/// more, and `/o/..%2Fv1%2Fevents` lead from a route that is open to one behind the authorizer.
/// So all is encoded but what stands for itself, and a path with steps to be taken is refused.
fn routable(path: &str) -> Option<String> {
    use std::fmt::Write;
    if path.split('/').any(|step| matches!(step, "." | "..")) {
        return None;
    }
    Some(path.bytes().fold(String::new(), |mut routable, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            routable.push(char::from(byte));
        } else {
            let _ = write!(routable, "%{byte:02X}");
        }
        routable
    }))
}

fn no_such_route() -> Response {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "There is no such route.",
    )
    .into_response()
}

/// An error that the framework itself answered (a path or query that it cannot read, a method that
/// is not served) in the form of all others. Its text is left out: it may quote what was sent.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let own = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    if own || !status.is_client_error() {
        return response;
    }
    if status == StatusCode::NOT_FOUND {
        return no_such_route();
    }
    let (slug, detail) = match status {
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "This method is not served here."),
        _ => ("malformed", "The path or the query cannot be read."),
    };
    let mut problem = Problem::new(status, slug, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
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
    use axum::extract::Path;
    use axum::routing::get;
    use serde_json::json;

    /// What a router of two routes answers to an event with this `rawPath`: status and body.
    async fn answered(raw_path: &str) -> (u16, String) {
        let router = Router::new()
            .route(
                "/o/{token}",
                get(|Path(token): Path<String>| async { token }),
            )
            .route("/v1/events", get(|| async { "behind the authorizer" }));
        let event = json!({
            "version": "2.0",
            "routeKey": "GET /o/{token}",
            "rawPath": raw_path,
            "rawQueryString": "",
            "headers": {"host": "api.test", "x-forwarded-proto": "https"},
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "api.test", "domainPrefix": "a",
                "http": {
                    "method": "GET", "path": raw_path, "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1", "userAgent": "probe",
                },
                "requestId": "r", "routeKey": "GET /o/{token}", "stage": "$default",
                "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_i64,
            },
            "isBase64Encoded": false,
        });
        let context = lambda_runtime::Context::default();
        let answer = service(router, Clock::system())
            .oneshot(lambda_runtime::LambdaEvent::new(event, context))
            .await
            .expect("an answer");
        (
            answer["statusCode"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or(0),
            answer["body"].as_str().unwrap_or_default().to_owned(),
        )
    }

    #[tokio::test]
    async fn a_decoded_path_names_the_thing_that_was_asked_for() {
        for token in [
            "a b", "a#b", "50%", "a%41", "ü", "a+b", "a\\b", "a\tb", "a;b", "..%2f",
        ] {
            assert_eq!(
                answered(&format!("/o/{token}")).await,
                (200, token.to_owned()),
                "{token}"
            );
        }
    }

    #[tokio::test]
    async fn no_path_leads_to_a_route_that_the_gateway_did_not_authorize() {
        for path in [
            "/o/../v1/events",
            "/o/./../v1/events",
            "/o/%2e%2e/v1/events",
            "/o/..\\v1\\events",
            "/o/.\t./v1/events",
            "/x/../v1/events",
        ] {
            let (status, body) = answered(path).await;
            assert!(!body.contains("behind"), "{path}");
            assert!(
                status == 404 || body == path.trim_start_matches("/o/"),
                "{path} {status} {body}"
            );
        }
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
