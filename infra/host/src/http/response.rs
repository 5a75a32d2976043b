//! A function's answer as an HTTP response, by the rules of payload format 2.0.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// Content type of an answer that names none.
const CONTENT_TYPE_DEFAULT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The content type of what the gateway itself says, and of inferred answers.
const CONTENT_TYPE_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// API Gateway's name for the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// The response for a function's answer; `None` if the answer is malformed.
///
/// JSON without `statusCode` is an inferred answer: 200, `application/json`, the JSON itself.
pub(super) fn from_answer(answer: &Value) -> Option<Response<Body>> {
    let Some(status) = answer.get("statusCode") else {
        let text = match answer {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        return Some(with_type(StatusCode::OK, CONTENT_TYPE_JSON, text.into()));
    };
    let status = status
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .and_then(|status| StatusCode::from_u16(status).ok())?;
    let body = body(answer)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    add_headers(&mut response, answer.get("headers"))?;
    add_cookies(&mut response, answer.get("cookies"))?;
    response
        .headers_mut()
        .entry(header::CONTENT_TYPE)
        .or_insert(CONTENT_TYPE_DEFAULT);
    Some(response)
}

/// `{"message": …}`, as the gateway speaks for itself.
pub(super) fn message(status: StatusCode, message: &str) -> Response<Body> {
    let body = json!({ "message": message }).to_string();
    with_type(status, CONTENT_TYPE_JSON, body.into())
}

/// The gateway's word for a function that failed.
pub(super) fn internal_server_error() -> Response<Body> {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// Adds the request id.
pub(super) fn with_request_id(mut response: Response<Body>, id: &str) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn with_type(status: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn body(answer: &Value) -> Option<Vec<u8>> {
    let text = match answer.get("body") {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(Value::String(text)) => text,
        Some(_) => return None,
    };
    match answer.get("isBase64Encoded") {
        Some(Value::Bool(true)) => BASE64_STANDARD.decode(text).ok(),
        None | Some(Value::Bool(false) | Value::Null) => Some(text.clone().into_bytes()),
        Some(_) => None,
    }
}

fn add_headers(response: &mut Response<Body>, headers: Option<&Value>) -> Option<()> {
    let headers = match headers {
        None | Some(Value::Null) => return Some(()),
        Some(Value::Object(headers)) => headers,
        Some(_) => return None,
    };
    for (name, value) in headers {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        // The length follows from the body; a wrong one would break the connection.
        if name != header::CONTENT_LENGTH {
            let value = HeaderValue::from_str(&text).ok()?;
            response.headers_mut().insert(name, value);
        }
    }
    Some(())
}

fn add_cookies(response: &mut Response<Body>, cookies: Option<&Value>) -> Option<()> {
    let cookies = match cookies {
        None | Some(Value::Null) => return Some(()),
        Some(Value::Array(cookies)) => cookies,
        Some(_) => return None,
    };
    for cookie in cookies {
        let value = HeaderValue::from_str(cookie.as_str()?).ok()?;
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn text(response: Response<Body>) -> String {
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn status_headers_cookies_and_base64_body_are_passed_on() {
        let response = from_answer(&json!({
            "statusCode": 201,
            "headers": {"Content-Type": "application/problem+json", "X-Number": 7},
            "multiValueHeaders": {},
            "cookies": ["a=1", "b=2; Secure"],
            "body": "aGVsbG8=",
            "isBase64Encoded": true,
        }))
        .expect("a response");
        assert_eq!(response.status(), 201);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert_eq!(response.headers()["x-number"], "7");
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2; Secure"]);
        assert_eq!(text(response).await, "hello");
    }

    #[tokio::test]
    async fn an_answer_without_status_is_inferred_to_be_a_200_with_json() {
        let response = from_answer(&json!({"ok": true})).expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(text(response).await, r#"{"ok":true}"#);
        let response = from_answer(&json!("plain")).expect("a response");
        assert_eq!(text(response).await, "plain");
    }

    #[test]
    fn a_malformed_answer_has_no_response() {
        for answer in [
            json!({"statusCode": "oops"}),
            json!({"statusCode": 99}),
            json!({"statusCode": 200, "body": {"not": "text"}}),
            json!({"statusCode": 200, "headers": ["a"]}),
            json!({"statusCode": 200, "headers": {"a": {"b": 1}}}),
            json!({"statusCode": 200, "body": "%%%", "isBase64Encoded": true}),
            json!({"statusCode": 200, "cookies": "a=1"}),
        ] {
            assert!(from_answer(&answer).is_none(), "{answer}");
        }
    }
}
