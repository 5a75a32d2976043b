//! A request as the event of payload format 2.0.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{BODY_BYTES_MAX, GatewayConfig, response};
use crate::invocation::{trace_id, unix_ms};

/// What the gateway adds to a request.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub gateway: &'a GatewayConfig,
    pub route_key: &'a str,
    pub parameters: &'a [(String, String)],
    pub request_id: &'a str,
    pub received_at: SystemTime,
}

/// A request that does not reach the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    TooLarge,
    Broken,
}

impl Refusal {
    pub(super) fn into_response(self) -> Response<Body> {
        match self {
            Refusal::TooLarge => {
                response::message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
            }
            Refusal::Broken => response::message(StatusCode::BAD_REQUEST, "Bad Request"),
        }
    }
}

/// Reads a body of at most [`BODY_BYTES_MAX`].
pub(super) async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(Refusal::TooLarge);
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Err(_) => Err(Refusal::Broken),
    }
}

/// The event for a request.
pub(super) fn event(parts: &Parts, body: &Bytes, arrival: &Arrival<'_>) -> Value {
    // API Gateway hands a function the *decoded* path in format 2.0, a slash or a dot that was
    // encoded included: <https://github.com/honojs/hono/issues/2156>.
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let query = parts.uri.query().unwrap_or_default();
    let source_ip = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(|| "127.0.0.1".to_owned(), |info| info.0.ip().to_string());
    let (mut headers, cookies) = headers(&parts.headers);
    let host = headers
        .get("host")
        .and_then(Value::as_str)
        .unwrap_or("localhost")
        .to_owned();
    for (name, value) in [
        ("x-amzn-trace-id", trace_id(arrival.received_at)),
        ("x-forwarded-for", source_ip.clone()),
        ("x-forwarded-proto", "http".to_owned()),
    ] {
        headers.entry(name).or_insert_with(|| value.into());
    }
    let user_agent = headers.get("user-agent").cloned().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": arrival.route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": arrival.gateway.account,
            "apiId": arrival.gateway.api_id,
            "domainName": host,
            "domainPrefix": arrival.gateway.api_id,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", parts.version),
                "sourceIp": source_ip,
                "userAgent": user_agent.as_str().unwrap_or_default(),
            },
            "requestId": arrival.request_id,
            "routeKey": arrival.route_key,
            "stage": "$default",
            "time": common_log_time(arrival.received_at),
            "timeEpoch": unix_ms(arrival.received_at),
        },
        "isBase64Encoded": false,
    });
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if !query.is_empty() {
        event["queryStringParameters"] = query_parameters(query);
    }
    if !arrival.parameters.is_empty() {
        let parameters: Map<String, Value> = arrival
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        event["pathParameters"] = parameters.into();
    }
    if !body.is_empty() {
        let (text, encoded) = body_text(&parts.headers, body);
        event["body"] = text.into();
        event["isBase64Encoded"] = encoded.into();
    }
    event
}

/// The event's size, near enough to hold Lambda's limit: body, headers and address.
pub(super) fn size(parts: &Parts, event: &Value) -> usize {
    let headers: usize = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    event["body"].as_str().map_or(0, str::len) + headers + parts.uri.path().len()
}

/// Headers with repeated ones joined by commas, and the cookies apart.
fn headers(headers: &HeaderMap) -> (Map<String, Value>, Vec<String>) {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == header::COOKIE {
            cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
            continue;
        }
        joined
            .entry(name.as_str())
            .and_modify(|before| {
                before.push(',');
                before.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let joined = joined
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    (joined, cookies)
}

/// Decoded query parameters, repeated ones joined by commas.
fn query_parameters(query: &str) -> Value {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        joined
            .entry(name.into_owned())
            .and_modify(|before| {
                before.push(',');
                before.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    json!(joined)
}

/// The body as the event carries it, and whether that is base64. API Gateway does not
/// document which types are text; observed on AWS are `text/*` and
/// `application/{json,xml,javascript}`, all else is base64, forms and a missing type
/// included (<https://github.com/ministackorg/ministack/pull/766>). Text that is no UTF-8
/// could not stand in JSON, so it is base64 as well.
fn body_text(headers: &HeaderMap, body: &Bytes) -> (String, bool) {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase())
        .unwrap_or_default();
    let is_text = media_type.starts_with("text/")
        || [
            "application/json",
            "application/xml",
            "application/javascript",
        ]
        .contains(&media_type.as_str());
    match std::str::from_utf8(body) {
        Ok(text) if is_text && !headers.contains_key(header::CONTENT_ENCODING) => {
            (text.to_owned(), false)
        }
        _ => (BASE64_STANDARD.encode(body), true),
    }
}

/// `12/Mar/2026:19:03:58 +0000`, as the payload's `time` has it.
fn common_log_time(at: SystemTime) -> String {
    Timestamp::try_from(at)
        .map(|time| time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use std::time::Duration;

    fn event_for(request: axum::http::request::Builder, body: &'static [u8]) -> Value {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let gateway = GatewayConfig {
            account: "000000000000".into(),
            api_id: "local".into(),
        };
        event(
            &parts,
            &Bytes::from_static(body),
            &Arrival {
                gateway: &gateway,
                route_key: "POST /o/{token}",
                parameters: &[("token".into(), "a b".into())],
                request_id: "r-1",
                received_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            },
        )
    }

    #[test]
    fn a_request_becomes_payload_format_2() {
        let request = Request::post("/o/a%20b?x=1&x=2&y=%C3%BC")
            .header("Host", "api.test")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .header("Cookie", "a=1; b=2")
            .header("User-Agent", "probe");
        let mut event = event_for(request, b"{}");
        let trace = event["headers"]["x-amzn-trace-id"].take();
        assert!(
            trace
                .as_str()
                .is_some_and(|trace| trace.starts_with("Root=1-6553f100-"))
        );
        assert_eq!(
            event,
            json!({
                "version": "2.0",
                "routeKey": "POST /o/{token}",
                "rawPath": "/o/a b",
                "rawQueryString": "x=1&x=2&y=%C3%BC",
                "cookies": ["a=1", "b=2"],
                "headers": {
                    "host": "api.test",
                    "content-type": "application/json; charset=utf-8",
                    "x-twice": "1,2",
                    "user-agent": "probe",
                    "x-amzn-trace-id": null,
                    "x-forwarded-for": "127.0.0.1",
                    "x-forwarded-proto": "http",
                },
                "queryStringParameters": {"x": "1,2", "y": "ü"},
                "pathParameters": {"token": "a b"},
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "local",
                    "domainName": "api.test",
                    "domainPrefix": "local",
                    "http": {
                        "method": "POST",
                        "path": "/o/a b",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1",
                        "userAgent": "probe",
                    },
                    "requestId": "r-1",
                    "routeKey": "POST /o/{token}",
                    "stage": "$default",
                    "time": "14/Nov/2023:22:13:20 +0000",
                    "timeEpoch": 1_700_000_000_000_u64,
                },
                "body": "{}",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn forms_other_types_and_bytes_that_are_no_text_come_as_base64() {
        for (content_type, body) in [
            (
                Some("application/x-www-form-urlencoded"),
                &b"answer=accept"[..],
            ),
            (Some("application/cloudevents+json"), b"{}"),
            (Some("application/json"), b"\xff\xfe"),
            (None, b"{}"),
        ] {
            let mut request = Request::post("/");
            if let Some(content_type) = content_type {
                request = request.header("Content-Type", content_type);
            }
            let event = event_for(request, body);
            assert_eq!(event["isBase64Encoded"], true, "{content_type:?}");
            assert_eq!(event["body"], BASE64_STANDARD.encode(body));
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        let large = vec![0_u8; BODY_BYTES_MAX + 1];
        let refused = read_body(&HeaderMap::new(), Body::from(large)).await;
        assert_eq!(refused, Err(Refusal::TooLarge));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, (BODY_BYTES_MAX + 1).into());
        let refused = read_body(&headers, Body::empty()).await;
        assert_eq!(refused, Err(Refusal::TooLarge));
    }
}
