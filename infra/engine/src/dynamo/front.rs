//! What DynamoDB's endpoint asks of a request before it looks at the body, and what it puts on
//! every answer.

use crate::wire::{Answer, Call, JSON};
use dynoxide::auth_material::{self, AuthMaterial};
use serde::de::IgnoredAny;

const PLAIN_JSON: &str = "application/json";
/// Characters in a request id of DynamoDB.
const REQUEST_ID_LEN: usize = 52;

/// The media type to answer in: the request's, if it is one of JSON's. A request without a body
/// may leave it out.
pub(super) fn media_type(call: &Call) -> Option<&'static str> {
    let given = call.header("content-type").unwrap_or_default();
    let base = given.split(';').next().unwrap_or_default().trim();
    if base.eq_ignore_ascii_case(JSON) {
        return Some(JSON);
    }
    let unnamed = given.is_empty() && call.body.is_empty();
    (unnamed || base.eq_ignore_ascii_case(PLAIN_JSON)).then_some(PLAIN_JSON)
}

/// The answer to a request that is in no media type DynamoDB knows.
pub(crate) fn not_found() -> Answer {
    Answer::xml(404, "<UnknownOperationException/>\n".to_owned())
}

/// The answer to a request in JSON that names no operation of a service that is here.
pub(crate) fn unnamed(call: &Call) -> Answer {
    tracing::warn!("a request in JSON named no operation of a service that is here");
    match media_type(call) {
        Some(media_type) => dressed(unknown_operation(call), media_type),
        None => not_found(),
    }
}

/// The answer to a call of an operation that there is not.
pub(super) fn unknown_operation(call: &Call) -> Answer {
    unreadable(call).unwrap_or_else(|| {
        Answer::json(
            400,
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned(),
        )
    })
}

/// The answer to a body that is there and no JSON, which is given before any other.
pub(super) fn unreadable(call: &Call) -> Option<Answer> {
    let readable = call.body.is_empty() || serde_json::from_slice::<IgnoredAny>(&call.body).is_ok();
    (!readable).then(super::refusal::unreadable)
}

/// The refusal of a request that is not signed, or only in part. No signature is checked.
pub(super) fn unsigned(call: &Call) -> Option<Answer> {
    auth_material::validate(AuthMaterial {
        authorization: call.header("authorization"),
        query: &call.query,
        has_date_header: call.headers.contains_key("x-amz-date")
            || call.headers.contains_key("date"),
    })
    .map(|body| Answer::json(400, body))
}

/// The answer with the headers that all of DynamoDB's have.
pub(super) fn dressed(mut answer: Answer, media_type: &'static str) -> Answer {
    if answer.content_type == JSON {
        answer.content_type = media_type;
    }
    let checksum = crc32fast::hash(answer.body.as_bytes());
    answer.headers.push(("x-amz-crc32", checksum.to_string()));
    let id = std::iter::repeat_with(|| fastrand::alphanumeric().to_ascii_uppercase());
    let id = id.take(REQUEST_ID_LEN).collect();
    answer.headers.push(("x-amzn-requestid", id));
    answer
}
