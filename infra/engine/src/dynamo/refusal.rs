//! How refusals of the crate reach the wire, and how a body that does not fit is refused.
//!
//! The crate classifies malformed values by marker words in serde's messages; its own reader of
//! them is private, so the part that clients meet is done again here.

use super::arns::Foreign;
use crate::wire::Answer;
use dynoxide::{AttributeValue, DynoxideError, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What an operation comes to.
pub(super) type Outcome<T> = std::result::Result<T, Refusal>;

/// Why an operation was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// As the crate refuses.
    Crate(DynoxideError),
    /// For a reason that the crate has no word for.
    Named { name: &'static str, message: String },
    /// An ARN of another account or region.
    Foreign(Foreign),
}

impl Refusal {
    /// Whether members of the request are outside the bounds of the model.
    pub(super) fn is_of_members(&self) -> bool {
        matches!(
            self,
            Refusal::Crate(
                DynoxideError::ValidationException(words)
                    | DynoxideError::EnvelopedValidation(words)
            ) if words.contains("failed to satisfy constraint")
        )
    }
}

impl From<DynoxideError> for Refusal {
    fn from(error: DynoxideError) -> Refusal {
        Refusal::Crate(error)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Refusal {
        Refusal::Crate(error.into())
    }
}

/// The answer to a body that is no JSON.
pub(super) fn unreadable() -> Answer {
    Answer::json(
        400,
        r#"{"__type":"com.amazon.coral.service#SerializationException"}"#.to_owned(),
    )
}

/// The answer to the ARN of another account or region.
fn foreign(operation: &str, foreign: Foreign) -> Answer {
    let (name, words) = match foreign {
        Foreign::Account { caller, arn } => (
            "com.amazon.coral.service#AccessDeniedException",
            format!(
                "User: arn:aws:iam::{caller}:user/callboard is not authorized to perform: \
                 dynamodb:{operation} on resource: {arn} because no resource-based policy allows \
                 the dynamodb:{operation} action"
            ),
        ),
        Foreign::Region => (
            "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            "Requested resource not found".to_owned(),
        ),
    };
    let body = json!({ "__type": name, "message": words });
    Answer::json(400, body.to_string())
}

/// Reads a request's body. A member that is null is one that is not there.
pub(super) fn decode<T: DeserializeOwned>(body: &str) -> Result<T> {
    let error = match serde_json::from_str(body) {
        Ok(request) => return Ok(request),
        Err(error) => error,
    };
    if error.to_string().contains("invalid type: null")
        && let Ok(mut request) = serde_json::from_str::<Value>(body)
    {
        drop_nulls(&mut request);
        return serde_json::from_value(request).map_err(|error| classify(&error));
    }
    Err(classify(&error))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Reads the body of `SearchVectors`, whose endpoint refuses in serde's own words.
pub(super) fn decode_search<T: DeserializeOwned>(body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|error| {
        let whole = error.to_string();
        if error.is_syntax() || error.is_eof() {
            return DynoxideError::SerializationException(String::new());
        }
        marked(&whole).unwrap_or_else(|| {
            let missing = ["missing field", "unknown variant", "invalid type: null"];
            if missing.iter().any(|sign| whole.contains(sign)) {
                DynoxideError::ValidationException(whole)
            } else {
                DynoxideError::SerializationException(whole)
            }
        })
    })
}

fn classify(error: &serde_json::Error) -> DynoxideError {
    use DynoxideError::{SerializationException, ValidationException};
    if error.is_syntax() || error.is_eof() {
        return SerializationException(String::new());
    }
    let whole = error.to_string();
    if let Some(refusal) = marked(&whole) {
        return refusal;
    }
    let message = without_position(&whole);
    if message.contains("empty AttributeValue") {
        return ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
                .to_owned(),
        );
    }
    if [
        "missing field",
        "unknown variant",
        "invalid type: null",
        "Supplied AttributeValue",
    ]
    .iter()
    .any(|sign| message.contains(sign))
    {
        return ValidationException(message.to_owned());
    }
    SerializationException(message.to_owned())
}

/// A refusal that the crate has worded, and marked with its kind.
fn marked(whole: &str) -> Option<DynoxideError> {
    use DynoxideError::{EnvelopedValidation, SerializationException, ValidationException};
    if let Some(rest) = whole.strip_prefix("SERIALIZATION_AS_READ:") {
        return Some(SerializationException(rest.to_owned()));
    }
    if let Some(rest) = whole.strip_prefix("VALIDATION_AS_READ:") {
        return Some(ValidationException(rest.to_owned()));
    }
    let message = without_position(whole);
    if let Some(rest) = message.strip_prefix("SERIALIZATION:") {
        return Some(SerializationException(rest.to_owned()));
    }
    if let Some(rest) = message.strip_prefix("VALIDATION_REQUEST:") {
        return Some(EnvelopedValidation(rest.to_owned()));
    }
    let rest = message.strip_prefix("VALIDATION:")?;
    Some(ValidationException(rest.to_owned()))
}

fn without_position(message: &str) -> &str {
    message
        .rfind(" at line ")
        .map_or(message, |at| &message[..at])
}

/// The answer that carries `refusal`. `older` requests are read by AWS's older layer, which tells
/// what is wrong with a value without an envelope.
pub(super) fn answer(operation: &str, body: &str, older: bool, refusal: Refusal) -> Answer {
    let error = match refusal {
        Refusal::Crate(error) => error,
        Refusal::Named { name, message } => {
            let name = format!("com.amazonaws.dynamodb.v20120810#{name}");
            let body = json!({ "__type": name, "message": message });
            return Answer::json(400, body.to_string());
        }
        Refusal::Foreign(arn) => return foreign(operation, arn),
    };
    let error = match (operation, error) {
        (_, error) if older => older_words(operation, body, error),
        ("PutItem" | "UpdateItem" | "DeleteItem", DynoxideError::EnvelopedValidation(message)) => {
            DynoxideError::ValidationException(format!("1 validation error detected: {message}"))
        }
        (_, error) => error,
    };
    let error = match (operation, error) {
        (_, DynoxideError::ValidationException(message)) => DynoxideError::ValidationException(
            super::retold::words(&message, body).unwrap_or(message),
        ),
        (
            "ExecuteStatement",
            DynoxideError::ConditionalCheckFailedException(message, Some(item)),
        ) => DynoxideError::StatementConditionalCheckFailed(message, item),
        (_, error) => error,
    };
    if error.status_code() >= 500 {
        tracing::error!(operation, %error, "DynamoDB failed inside");
    }
    let json = match &error {
        DynoxideError::SerializationException(words) if operation == "SearchVectors" => {
            searched(words)
        }
        error => error.to_json(),
    };
    Answer::json(error.status_code(), json)
}

/// A refusal of a value, as the older layer words it.
fn older_words(operation: &str, body: &str, error: DynoxideError) -> DynoxideError {
    let (DynoxideError::ValidationException(message) | DynoxideError::EnvelopedValidation(message)) =
        error
    else {
        return error;
    };
    let words = match message.strip_suffix("numeric value: ") {
        Some(before) => format!("{before}numeric value"),
        None => message,
    };
    let named = (operation == "UpdateItem")
        .then(|| expression_value_refused_with(&words, body))
        .flatten();
    DynoxideError::ValidationException(match named {
        Some(key) => {
            format!("ExpressionAttributeValues contains invalid value: {words} for key {key}")
        }
        None => words,
    })
}

/// The first expression value that is refused by itself, if it is refused with these words.
fn expression_value_refused_with(words: &str, body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let values = body.get("ExpressionAttributeValues")?.as_object()?;
    values.iter().find_map(|(key, value)| {
        let refusal = decode::<AttributeValue>(&value.to_string()).err()?;
        (refusal.to_string().trim_end_matches(": ") == words).then(|| key.clone())
    })
}

/// A `SerializationException` of the endpoint that searches.
fn searched(words: &str) -> String {
    let kind = "com.amazon.coral.service#SerializationException";
    let mut answer = json!({"__type": kind});
    if !words.is_empty() {
        answer["message"] = words.into();
    }
    answer.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Probe {
        #[serde(rename = "Limit")]
        _limit: u32,
    }

    #[test]
    fn what_is_no_json_is_a_serialization_exception_without_a_word() {
        let error = decode::<Probe>("{").expect_err("refused");
        assert!(matches!(&error, DynoxideError::SerializationException(m) if m.is_empty()));
        assert_eq!(answer("Scan", "{", false, error.into()).status, 400);
    }

    #[test]
    fn a_missing_member_is_a_validation_exception() {
        let error = decode::<Probe>("{}").expect_err("refused");
        assert!(matches!(error, DynoxideError::ValidationException(_)));
    }
}
