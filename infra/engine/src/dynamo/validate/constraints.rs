//! Members that are not there and must be, or that are not what they may be.

use super::shape::{Shape, Structure};
use serde_json::Value;

/// Failures told of at once (AWS names no more).
const TOLD_MAX: usize = 10;

/// What AWS says of a choice that is not of one; of none it says the same.
const NOT_ONE: &str = "Supplied AttributeValue has more than one datatypes set, must contain \
     exactly one of the supported datatypes";

/// AWS's words for what is wrong with a request; `None` if nothing is.
pub(super) fn refusal(structure: &Structure, request: &Value) -> Option<String> {
    let mut failures = Vec::new();
    look(structure, request, "", &mut failures);
    failures.truncate(TOLD_MAX);
    let errors = match failures.len() {
        0 => return not_one(structure, request).then(|| NOT_ONE.to_owned()),
        1 => "1 validation error detected",
        _ => &format!("{} validation errors detected", failures.len()),
    };
    Some(format!("{errors}: {}", failures.join("; ")))
}

fn failure(value: &str, at: &str, constraint: &str) -> String {
    format!("Value {value} at '{at}' failed to satisfy constraint: Member must {constraint}")
}

fn look(structure: &Structure, value: &Value, at: &str, failures: &mut Vec<String>) {
    let names = structure.required.iter();
    failures.extend(names.filter(|name| value[**name].is_null()).map(|name| {
        let at = format!("{at}{}", lower_first(name));
        failure("null", &at, "not be null")
    }));
    for (name, shape) in structure.members.iter().flat_map(|group| group.iter()) {
        let at = format!("{at}{}", lower_first(name));
        inside(shape, &value[*name], &at, failures);
    }
}

/// Whether a choice anywhere in the request is not of exactly one.
fn not_one(structure: &Structure, value: &Value) -> bool {
    let members = || structure.members.iter().flat_map(|group| group.iter());
    let given = members().filter(|(name, _)| !value[*name].is_null());
    (structure.is_union && given.count() != 1)
        || members().any(|(name, shape)| not_one_inside(shape, &value[*name]))
}

fn not_one_inside(shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Struct(structure), Value::Object(_)) => not_one(structure, value),
        (Shape::List(shape), Value::Array(values)) => {
            values.iter().any(|value| not_one_inside(shape, value))
        }
        (Shape::Map(shape), Value::Object(values)) => {
            values.values().any(|value| not_one_inside(shape, value))
        }
        _ => false,
    }
}

fn inside(shape: &Shape, value: &Value, at: &str, failures: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Struct(structure), Value::Object(_)) => {
            look(structure, value, &format!("{at}."), failures);
        }
        (Shape::OneOf(words), Value::String(given)) if !words.contains(&given.as_str()) => {
            let set = format!("satisfy enum value set: [{}]", words.join(", "));
            failures.push(failure(&format!("'{given}'"), at, &set));
        }
        (Shape::Count, Value::Number(given)) if given.as_f64().is_some_and(|count| count < 0.0) => {
            let least = "have value greater than or equal to 1";
            failures.push(failure(&format!("'{given}'"), at, least));
        }
        (Shape::List(shape), Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                inside(
                    shape,
                    value,
                    &format!("{at}.{}.member", index + 1),
                    failures,
                );
            }
        }
        (Shape::Map(shape), Value::Object(values)) => {
            for (key, value) in values {
                element(shape, value, &format!("{at}.{key}.member"), failures);
            }
        }
        _ => {}
    }
}

fn element(shape: &Shape, value: &Value, at: &str, failures: &mut Vec<String>) {
    if value.is_null() {
        failures.push(failure("null", at, "not be null"));
    } else {
        inside(shape, value, at, failures);
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
