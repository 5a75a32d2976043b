//! How refusals of the crate reach the wire, and how a body that does not fit is refused.
//!
//! The crate classifies malformed values by marker words in serde's messages; its own reader of
//! them is private, so the part that clients meet is done again here.

use super::arns::Foreign;
use crate::wire::Answer;
use dynoxide::{DynoxideError, Result};
use serde::de::DeserializeOwned;
use serde_json::json;

const TRIMMED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException","message":"The operation attempted to read past the oldest stream record in a shard."}"#;

/// What an operation comes to.
pub(super) type Outcome<T> = std::result::Result<T, Refusal>;

/// Why an operation was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// As the crate refuses.
    Crate(DynoxideError),
    /// A sequence number from before the retention of its stream, which the crate has no word for.
    Trimmed,
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
pub(super) fn foreign(operation: &str, foreign: Foreign) -> Answer {
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

/// Reads a request's body.
pub(super) fn decode<T: DeserializeOwned>(body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|error| classify(&error))
}

fn classify(error: &serde_json::Error) -> DynoxideError {
    use DynoxideError::{EnvelopedValidation, SerializationException, ValidationException};
    if error.is_syntax() || error.is_eof() {
        return SerializationException(String::new());
    }
    let whole = error.to_string();
    if let Some(rest) = whole.strip_prefix("SERIALIZATION_AS_READ:") {
        return SerializationException(rest.to_owned());
    }
    if let Some(rest) = whole.strip_prefix("VALIDATION_AS_READ:") {
        return ValidationException(rest.to_owned());
    }
    let message = without_position(&whole);
    if let Some(rest) = message.strip_prefix("SERIALIZATION:") {
        return SerializationException(rest.to_owned());
    }
    if let Some(rest) = message.strip_prefix("VALIDATION_REQUEST:") {
        return EnvelopedValidation(rest.to_owned());
    }
    if let Some(rest) = message.strip_prefix("VALIDATION:") {
        return ValidationException(rest.to_owned());
    }
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

fn without_position(message: &str) -> &str {
    message
        .rfind(" at line ")
        .map_or(message, |at| &message[..at])
}

/// The answer that carries `refusal`.
pub(super) fn answer(operation: &str, refusal: Refusal) -> Answer {
    let Refusal::Crate(error) = refusal else {
        return Answer::json(400, TRIMMED.to_owned());
    };
    let error = match (operation, error) {
        ("PutItem" | "UpdateItem" | "DeleteItem", DynoxideError::EnvelopedValidation(message)) => {
            DynoxideError::ValidationException(format!("1 validation error detected: {message}"))
        }
        (
            "ExecuteStatement",
            DynoxideError::ConditionalCheckFailedException(message, Some(item)),
        ) => DynoxideError::StatementConditionalCheckFailed(message, item),
        (_, error) => error,
    };
    if error.status_code() >= 500 {
        tracing::error!(operation, %error, "DynamoDB failed inside");
    }
    Answer::json(error.status_code(), error.to_json())
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
        assert_eq!(answer("Scan", error.into()).status, 400);
    }

    #[test]
    fn a_missing_member_is_a_validation_exception() {
        let error = decode::<Probe>("{}").expect_err("refused");
        assert!(matches!(error, DynoxideError::ValidationException(_)));
    }
}
