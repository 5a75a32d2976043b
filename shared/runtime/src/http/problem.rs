//! Problem details (RFC 9457): the one form that every error takes on its way out.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// Prefix of every problem's `type`.
pub const PROBLEM_PREFIX: &str = "urn:callboard:problem:";

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

    /// 404: a link that was not signed here, or is of no use any more.
    #[must_use]
    pub fn unknown_link() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-link",
            "This link is not one of ours. Please use the link in the message as it is.",
        )
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

    /// The same of a part of a larger body: `prefix` is the pointer at which the part stands.
    #[must_use]
    pub fn beneath(self, prefix: &str) -> Self {
        let errors = self.errors.into_iter().map(|error| FieldError {
            pointer: format!("{prefix}{}", error.pointer),
            ..error
        });
        Self {
            errors: errors.collect(),
            ..self
        }
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
