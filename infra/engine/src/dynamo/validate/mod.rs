//! What AWS looks at before an operation runs: whether each member of the request has its type.
//!
//! The crate checks values and constraints while it decodes a body, but it leaves types to serde,
//! whose words are not AWS's. So a body is walked once along the shapes of its operation, without
//! an allocation; a member of another type is refused here, in the words of AWS's serializer.
//! The words were recorded from AWS by dynalite's tests and by the crate's.
//!
//! The walk also notes two things that decide how the crate's own refusals are told: values nested
//! deeper than serde follows ([`deep`]), and whether AWS would read the request with its older
//! layer ([`Reading::older`]).

mod constraints;
mod cursor;
pub(super) mod deep;
mod operations;
mod shape;
mod walk;
mod words;

use dynoxide::DynoxideError;
use serde::de::IgnoredAny;
use serde_json::Value;
use shape::Structure;
use walk::{Fault, Walk};

/// Levels of JSON that serde_json follows in one document; it gives up at the next.
const SERDE_LEVELS: usize = 127;

/// What the walk through a body found.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    /// AWS reads the request with its older validation layer, which tells refused values without
    /// the envelope: the operation is an older one, or there is a boolean written as a string or
    /// a value of two types in it.
    pub(super) older: bool,
    /// The outermost values that nest deeper than DynamoDB allows.
    pub(super) deep: Vec<deep::Deep<'a>>,
    /// A whole number is written with a fraction or an exponent, and the crate does not read it.
    pub(super) fractional: bool,
    /// The document is nested deeper than serde reads it.
    pub(super) beyond_serde: bool,
}

impl<'a> Walk<'a> {
    fn into_reading(self, operation: &str) -> Reading<'a> {
        Reading {
            older: self.older || reads_on_older_layer(operation),
            fractional: self.fractional && !matches!(operation, "Query" | "Scan"),
            beyond_serde: self.deepest() > SERDE_LEVELS,
            deep: self.deep,
        }
    }
}

/// Whether there is an operation of this name.
pub(super) fn known(operation: &str) -> bool {
    operations::of(operation).is_some()
}

/// Walks through the body of an operation.
///
/// # Errors
/// A `SerializationException`: with AWS's words when a member has the wrong type, without a word
/// when the body is no JSON object. A `ValidationException` when a member is missing, or is not
/// what it may be.
pub(super) fn read<'a>(operation: &str, body: &'a str) -> Result<Reading<'a>, DynoxideError> {
    let Some(shape) = operations::of(operation) else {
        return Ok(Reading::default());
    };
    let mut walk = Walk::new(body);
    match walk.document(shape) {
        Ok(()) if walk.constrained => constrained(shape, body, walk.into_reading(operation)),
        Ok(()) => Ok(walk.into_reading(operation)),
        // What is no JSON further on is no JSON, whatever its beginning.
        Err(Fault::Type(words)) if serde_json::from_str::<IgnoredAny>(body).is_ok() => {
            Err(DynoxideError::SerializationException(words))
        }
        Err(Fault::Type(_) | Fault::Unreadable) => {
            Err(DynoxideError::SerializationException(String::new()))
        }
    }
}

/// Looks again, for the words, at a request in which something may be missing or out of bounds.
fn constrained<'a>(
    shape: &Structure,
    body: &str,
    reading: Reading<'a>,
) -> Result<Reading<'a>, DynoxideError> {
    let request: Value = serde_json::from_str(body)
        .map_err(|_| DynoxideError::SerializationException(String::new()))?;
    match constraints::refusal(shape, &request) {
        Some(words) => Err(DynoxideError::ValidationException(words)),
        None => Ok(reading),
    }
}

/// The body with every number made whole, towards nought, as AWS reads those of its model.
pub(super) fn whole(body: &str) -> Result<String, DynoxideError> {
    let mut request: Value = serde_json::from_str(body)
        .map_err(|_| DynoxideError::SerializationException(String::new()))?;
    truncate(&mut request);
    Ok(request.to_string())
}

fn truncate(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it saturates, as Java's does"
            )]
            let whole = number.as_f64().map(|number| number.trunc() as i64);
            *value = whole.into();
        }
        Value::Array(elements) => elements.iter_mut().for_each(truncate),
        Value::Object(members) => members.values_mut().for_each(truncate),
        _ => {}
    }
}

fn reads_on_older_layer(operation: &str) -> bool {
    matches!(
        operation,
        "BatchWriteItem"
            | "TransactWriteItems"
            | "TransactGetItems"
            | "ExecuteStatement"
            | "BatchExecuteStatement"
            | "ExecuteTransaction"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: &str, body: &str) -> String {
        match read(operation, body) {
            Err(DynoxideError::SerializationException(words)) => words,
            other => panic!("{body} was not refused: {other:?}"),
        }
    }

    #[test]
    fn scalars_of_another_type_are_named_as_they_are_written() {
        for (given, words) in [
            ("23", "NUMBER_VALUE cannot be converted to String"),
            ("-0", "NUMBER_VALUE cannot be converted to String"),
            ("34.56", "DECIMAL_VALUE cannot be converted to String"),
            ("1e3", "DECIMAL_VALUE cannot be converted to String"),
            ("true", "TRUE_VALUE cannot be converted to String"),
            ("false", "FALSE_VALUE cannot be converted to String"),
            ("[]", "Unrecognized collection type class java.lang.String"),
            ("{}", "Start of structure or map found where not expected"),
        ] {
            let body = format!(r#"{{"TableName":{given}}}"#);
            assert_eq!(refused("GetItem", &body), words, "{given}");
            let body = format!(r#"{{"Item":{{"a":{{"L":[{{"N":{given}}}]}}}}}}"#);
            assert_eq!(refused("PutItem", &body), words, "{given} in a value");
        }
        assert_eq!(
            refused("Scan", r#"{"Limit":"5"}"#),
            "STRING_VALUE cannot be converted to Integer"
        );
        assert_eq!(
            refused(
                "CreateTable",
                r#"{"ProvisionedThroughput":{"ReadCapacityUnits":true}}"#
            ),
            "TRUE_VALUE cannot be converted to Long"
        );
    }

    #[test]
    fn collections_are_named_by_what_was_expected() {
        for (operation, body, words) in [
            (
                "PutItem",
                r#"{"Item":[]}"#,
                "Unrecognized collection type java.util.Map<java.lang.String, \
                 com.amazonaws.dynamodb.v20120810.AttributeValue>",
            ),
            ("PutItem", r#"{"Item":"a"}"#, "Unexpected field type"),
            (
                "PutItem",
                r#"{"Item":{"a":"b"}}"#,
                "Unexpected value type in payload",
            ),
            (
                "PutItem",
                r#"{"Item":{"a":[]}}"#,
                "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
            ),
            (
                "CreateTable",
                r#"{"ProvisionedThroughput":[]}"#,
                "Unrecognized collection type class \
                 com.amazonaws.dynamodb.v20120810.ProvisionedThroughput",
            ),
            (
                "CreateTable",
                r#"{"KeySchema":{}}"#,
                "Start of structure or map found where not expected",
            ),
            (
                "BatchWriteItem",
                r#"{"RequestItems":[]}"#,
                "Unrecognized collection type java.util.Map<java.lang.String, \
                 java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>",
            ),
            (
                "Query",
                r#"{"ExpressionAttributeNames":[]}"#,
                "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>",
            ),
        ] {
            assert_eq!(refused(operation, body), words, "{body}");
        }
        let cast = refused("BatchGetItem", r#"{"RequestItems":{"t":{"Keys":["a"]}}}"#);
        assert!(cast.starts_with("class sun.reflect."), "{cast}");
    }

    #[test]
    fn booleans_may_be_words_and_binaries_must_be_base64() {
        assert!(read("GetItem", r#"{"ConsistentRead":"Yes"}"#).is_ok());
        assert_eq!(
            refused("GetItem", r#"{"ConsistentRead":"maybe"}"#),
            "Unexpected token received from parser"
        );
        assert_eq!(
            refused("GetItem", r#"{"ConsistentRead":-0}"#),
            "NUMBER_VALUE cannot be converted to Boolean"
        );
        assert_eq!(refused("PutItem", r#"{"Item":{"a":{"BOOL":[]}}}"#), "");
        for (given, words) in [
            (
                "23456",
                "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
            ),
            ("+/+=", "Invalid last non-pad Base64 character dectected"),
        ] {
            let body = format!(r#"{{"Item":{{"a":{{"B":"{given}"}}}}}}"#);
            assert_eq!(refused("PutItem", &body), words);
        }
        assert!(read("PutItem", r#"{"Item":{"a":{"B":"AQ=="},"b":{"BS":[""]}}}"#).is_ok());
    }

    #[test]
    fn what_is_no_json_object_is_refused_without_a_word() {
        for body in [
            "",
            "{",
            "[]",
            "\"a\"",
            r#"{"TableName":1"#,
            "{} {}",
            r#"{"a" 1}"#,
        ] {
            assert_eq!(refused("GetItem", body), "", "{body}");
        }
    }

    #[test]
    fn what_is_missing_is_named_by_its_path_all_at_once() {
        let refused = |operation, body| match read(operation, body) {
            Err(DynoxideError::ValidationException(words)) => words,
            other => panic!("{body} was not refused: {other:?}"),
        };
        let null = "failed to satisfy constraint: Member must not be null";
        assert_eq!(
            refused(
                "BatchWriteItem",
                r#"{"RequestItems":{"t":[{"PutRequest":{}}]}}"#
            ),
            format!(
                "1 validation error detected: Value null at \
                 'requestItems.t.member.1.member.putRequest.item' {null}"
            )
        );
        assert_eq!(
            refused(
                "TransactGetItems",
                r#"{"TransactItems":[{"Get":{"TableName":null}}]}"#
            ),
            format!(
                "2 validation errors detected: Value null at \
                 'transactItems.1.member.get.tableName' {null}; Value null at \
                 'transactItems.1.member.get.key' {null}"
            )
        );
    }

    #[test]
    fn what_the_crate_takes_for_granted_is_held_to_its_bounds() {
        let refused = |operation, body: &str| match read(operation, body) {
            Err(DynoxideError::ValidationException(words)) => words,
            other => panic!("{body} was not refused: {other:?}"),
        };
        assert_eq!(
            refused("ListStreams", r#"{"Limit":-1}"#),
            "1 validation error detected: Value '-1' at 'limit' failed to satisfy constraint: \
             Member must have value greater than or equal to 1"
        );
        let index =
            r#"{"LocalSecondaryIndexes":[{"KeySchema":[{"AttributeName":"a","KeyType":"x"}]}]}"#;
        assert_eq!(
            refused("CreateTable", index),
            "1 validation error detected: Value 'x' at \
             'localSecondaryIndexes.1.member.keySchema.1.member.keyType' failed to satisfy \
             constraint: Member must satisfy enum value set: [HASH, RANGE]"
        );
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction() {
        let body = r#"{"Limit":2.9}"#;
        assert!(read("ListTables", body).expect("readable").fractional);
        assert_eq!(whole(body).expect("JSON"), r#"{"Limit":2}"#);
        // The crate reads these two, and tells of them as they are written.
        assert!(!read("Scan", body).expect("readable").fractional);
    }

    #[test]
    fn nulls_and_members_that_are_not_known_are_passed_over() {
        let body = r#"{"TableName":null,"Key":null,"More":[{"TableName":1}],"Item":{"a":{"S":null,"X":4}}}"#;
        assert!(read("PutItem", body).is_ok());
    }

    #[test]
    fn a_boolean_in_words_or_a_value_of_two_types_moves_the_request_to_the_older_layer() {
        let older = |body: &str| read("PutItem", body).expect("readable").older;
        assert!(older(r#"{"Item":{"a":{"BOOL":"no"}}}"#));
        assert!(older(r#"{"Item":{"a":{"S":"a","N":"1"}}}"#));
        assert!(older(r#"{"Expected":{"a":{"Exists":"false"}}}"#));
        assert!(!older(
            r#"{"Item":{"a":{"S":"a","N":null},"b":{"BOOL":true}}}"#
        ));
        assert!(!older(r#"{"Item":{"S":{"S":"a"},"N":{"N":"1"}}}"#));
        assert!(
            read("BatchWriteItem", r#"{"RequestItems":{}}"#)
                .expect("readable")
                .older
        );
    }
}
