//! A message as what a policy looks at.

use crate::sqs::{Attribute, Attributes};
use serde_json::{Map, Value};

/// Attributes as what a policy looks at. AWS ignores those of type Binary.
pub(super) fn as_value(attributes: &Attributes) -> Value {
    let value = |attribute: &Attribute| {
        let text = attribute.string_value.as_deref()?;
        Some(match attribute.data_type.as_str() {
            "Number" => text.parse::<f64>().map_or(Value::Null, Value::from),
            "String.Array" => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
            _ => Value::from(text),
        })
    };
    attributes
        .iter()
        .filter_map(|(name, attribute)| Some((name.clone(), value(attribute)?)))
        .collect::<Map<_, _>>()
        .into()
}

/// A body in which names with dots are nested objects: AWS does not tell the two apart.
pub(super) fn without_dots(body: Map<String, Value>) -> Value {
    let mut nested = Map::new();
    for (name, value) in body {
        let value = undotted(value);
        let mut names = name.split('.');
        let first = names.next().unwrap_or_default().to_owned();
        let value = names.rev().fold(value, |value, name| {
            Value::Object(Map::from_iter([(name.to_owned(), value)]))
        });
        let both = match nested.remove(&first) {
            None => value,
            Some(other) => merged(other, value),
        };
        nested.insert(first, both);
    }
    nested.into()
}

fn undotted(value: Value) -> Value {
    match value {
        Value::Object(members) => without_dots(members),
        Value::Array(elements) => elements.into_iter().map(undotted).collect(),
        scalar => scalar,
    }
}

/// Two values of one name: their members together, or else either.
fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (name, value) in other {
                let both = match one.remove(&name) {
                    None => value,
                    Some(before) => merged(before, value),
                };
                one.insert(name, both);
            }
            one.into()
        }
        (one, other) => vec![one, other].into(),
    }
}
