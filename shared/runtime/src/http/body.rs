//! Request bodies: read with a limit, and with a JSON pointer to what is wrong.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::IdError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::header_text;
use super::problem::Problem;

/// Largest request body in bytes: what one SNS message may carry with its envelope
/// (256 KiB, SNS Developer Guide, "Amazon SNS message size").
pub const BODY_BYTES_MAX: usize = 256 * 1024;

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

/// What stands in a query.
///
/// # Errors
/// 400 if it cannot be read.
pub fn query<T>(wanted: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let Query(wanted) =
        wanted.map_err(|error| Problem::malformed(format!("The query is not valid: {error}.")))?;
    Ok(wanted)
}

/// An id from the path.
///
/// # Errors
/// 400 when it cannot be an id: it names nothing, but a 404 would hide the mistake.
pub fn id_from_path<T: FromStr<Err = IdError>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: IdError| {
        Problem::malformed(format!("The id in the path is not valid: {error}."))
    })
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
}
