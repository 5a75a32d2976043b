//! The Query protocol's answers in JSON, for who asks `Accept: application/json`: what AWS answers
//! there is not documented, and known from LocalStack's tests against it.

use super::query::{MAPS, WITHOUT_RESULT};
use super::refusal::SqsError;
use super::{Outcome, write};
use crate::ids::random_id;
use crate::wire::Answer;
use serde_json::{Map, Value, json};

/// Lists that are called otherwise here than in the JSON protocol.
const LISTS: [(&str, &str); 2] = [("Messages", "messages"), ("QueueUrls", "queueUrls")];

pub(super) fn success(action: &str, answer: &str) -> Outcome<Answer> {
    let result: Map<String, Value> =
        serde_json::from_str(answer).map_err(|error| SqsError::internal(&error))?;
    let mut response = json!({"ResponseMetadata": {"RequestId": random_id()}});
    if !WITHOUT_RESULT.contains(&action) {
        response[format!("{action}Result")] = listed(result);
    }
    let body = json!({ format!("{action}Response"): response });
    Ok(Answer::plain_json(200, write(&body)?))
}

pub(super) fn refusal(error: &SqsError) -> Answer {
    let body = json!({
        "Error": {
            "Type": error.fault(),
            "Code": error.code,
            "Message": error.query_message(),
        },
        "RequestId": random_id(),
    });
    Answer::plain_json(error.query_status(), body.to_string())
}

/// An object whose maps are lists of their entries, as in XML.
fn listed(object: Map<String, Value>) -> Value {
    let members = object.into_iter().map(|(name, value)| {
        let map = MAPS.iter().find(|(_, json, ..)| *json == name);
        let value = match (value, map) {
            (Value::Object(entries), Some((_, _, key, content))) => entries
                .into_iter()
                .map(|(entry, value)| json!({ *key: entry, *content: value }))
                .collect(),
            (Value::Array(values), _) => values.into_iter().map(element).collect(),
            (value, _) => value,
        };
        let other = LISTS.iter().find(|(json, _)| *json == name);
        (other.map_or(name, |(_, here)| (*here).to_owned()), value)
    });
    Value::Object(members.collect())
}

fn element(value: Value) -> Value {
    match value {
        Value::Object(object) => listed(object),
        value => value,
    }
}
