//! Values nested deeper than serde reads, which AWS reads all the same and refuses for it.
//!
//! serde_json gives up at 128 levels of JSON, which is an attribute value of about 61. DynamoDB
//! refuses more than 31 in words of its own, after it has looked at the request's other members.
//! So each such value is replaced by a shallow one, and the rest of the request is looked at.

use super::Reading;
use super::shape::Origin;
use std::ops::Range;

/// Levels of maps and lists around a value at which it is refused.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>: 32.
pub(super) const NESTING_MAX: usize = 32;
/// Levels at which AWS's parser gives up, in the lower of the cases recorded.
const UNREADABLE: usize = 2000;
const REFUSAL: &str = "Nesting Levels have exceeded supported limits: Attributes in the item have \
     nested levels beyond supported limit";

/// A value that nests deeper than DynamoDB takes it.
#[derive(Debug)]
pub(in crate::dynamo) struct Deep<'a> {
    pub(super) span: Range<usize>,
    pub(super) origin: Origin,
    /// The name it is under, as it is written.
    pub(super) key: &'a str,
    pub(super) nesting: usize,
}

/// What to do with a body that serde cannot read for its depth.
#[derive(Debug)]
pub(in crate::dynamo) enum Way {
    /// Refuse it without a word, as AWS refuses what it cannot read.
    Unreadable,
    /// Run the operation on this body: it checks nesting where AWS does.
    Run(String),
    /// Refuse with `words`, unless the members of this body are refused first.
    Refuse { body: String, words: String },
}

/// How to answer a body with values deeper than serde reads.
pub(in crate::dynamo) fn way(operation: &str, body: &str, reading: &Reading<'_>) -> Way {
    let parameters = matches!(
        operation,
        "ExecuteStatement" | "ExecuteTransaction" | "BatchExecuteStatement"
    );
    // A parameter of a statement may be one level deeper than other values.
    let limit = if parameters {
        NESTING_MAX + 1
    } else {
        NESTING_MAX
    };
    let deep: Vec<&Deep<'_>> = reading
        .deep
        .iter()
        .filter(|value| value.nesting >= limit)
        .collect();
    let Some(first) = deep.first() else {
        return Way::Unreadable;
    };
    if deep.iter().any(|value| value.nesting > UNREADABLE) {
        return Way::Unreadable;
    }
    let stand_in = if parameters {
        // Nested still too deep, but no deeper: one statement of many is refused for it.
        nested(limit)
    } else {
        r#"{"NULL":true}"#.to_owned()
    };
    let mut shallow = String::with_capacity(body.len());
    let mut copied = 0;
    for value in &deep {
        shallow.push_str(&body[copied..value.span.start]);
        shallow.push_str(&stand_in);
        copied = value.span.end;
    }
    shallow.push_str(&body[copied..]);
    if serde_json::from_str::<serde::de::IgnoredAny>(body).is_err()
        || serde_json::from_str::<serde_json::Value>(&shallow).is_err()
    {
        return Way::Unreadable;
    }
    if parameters {
        return Way::Run(shallow);
    }
    Way::Refuse {
        body: shallow,
        words: refusal(first),
    }
}

fn nested(levels: usize) -> String {
    format!(
        "{}{{\"S\":\"\"}}{}",
        "{\"M\":{\"n\":".repeat(levels),
        "}}".repeat(levels)
    )
}

fn refusal(value: &Deep<'_>) -> String {
    match value.origin {
        Origin::Plain => REFUSAL.to_owned(),
        Origin::StartKey => format!("The provided starting key is invalid: {REFUSAL}"),
        Origin::Expression => {
            let quoted = format!("\"{}\"", value.key);
            let key = serde_json::from_str(&quoted).unwrap_or_else(|_| value.key.to_owned());
            format!("ExpressionAttributeValues contains invalid value: {REFUSAL} for key {key}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn put(levels: usize) -> String {
        format!(
            r#"{{"TableName":"t","Item":{{"pk":{{"S":"a"}},"deep":{}}}}}"#,
            nested(levels)
        )
    }

    #[test]
    fn the_walk_follows_values_that_serde_does_not() {
        assert!(!read("PutItem", &put(62)).expect("readable").beyond_serde);
        let body = put(63);
        let reading = read("PutItem", &body).expect("readable");
        assert!(reading.beyond_serde);
        assert_eq!(reading.deep[0].nesting, 63);
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_err());
        let Way::Refuse { body, words } = way("PutItem", &body, &reading) else {
            panic!("not refused");
        };
        assert_eq!(words, REFUSAL);
        assert!(body.ends_with(r#""deep":{"NULL":true}}}"#), "{body}");
    }

    #[test]
    fn what_is_nested_to_no_end_is_unreadable() {
        let body = put(2001);
        let reading = read("PutItem", &body).expect("readable");
        assert!(matches!(way("PutItem", &body, &reading), Way::Unreadable));
        assert!(read("PutItem", &put(100_000)).is_err());
        assert!(read("PutItem", &"[".repeat(1_000_000)).is_err());
        let junk = format!(r#"{{"More":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        let reading = read("PutItem", &junk).expect("readable");
        assert!(matches!(way("PutItem", &junk, &reading), Way::Unreadable));
    }

    #[test]
    fn an_expression_value_is_named_and_a_statements_parameter_runs() {
        let value = nested(100);
        let body = format!(r#"{{"ExpressionAttributeValues":{{":v":{value}}}}}"#);
        let reading = read("Query", &body).expect("readable");
        let Way::Refuse { words, .. } = way("Query", &body, &reading) else {
            panic!("not refused");
        };
        assert!(words.ends_with(" for key :v"), "{words}");
        let body = format!(r#"{{"Statement":"x","Parameters":[{value}]}}"#);
        let reading = read("ExecuteStatement", &body).expect("readable");
        let Way::Run(shallow) = way("ExecuteStatement", &body, &reading) else {
            panic!("not run");
        };
        let reading = read("ExecuteStatement", &shallow).expect("readable");
        assert_eq!(reading.deep[0].nesting, NESTING_MAX + 1);
    }
}
