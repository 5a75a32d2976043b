//! The samples under `events/samples`: what functions are tested with.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Set, it makes [`assert_sample`] write what the code says.
const UPDATE: &str = "UPDATE_SAMPLES";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/samples")
}

fn path(function: &str, case: &str) -> PathBuf {
    root().join(function).join(format!("{case}.json"))
}

fn read(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A sample of `function`.
///
/// # Panics
/// When there is none of that name, or it is not JSON.
#[must_use]
pub fn sample(function: &str, case: &str) -> Value {
    read(&path(function, case))
}

/// What `function` answers to its samples on a fresh system, one after the other: each case with
/// its documented answer (`events/samples/answers.json`).
///
/// # Panics
/// When the file cannot be read as that.
#[must_use]
pub fn documented(function: &str) -> Vec<(String, Value)> {
    let Value::Array(entries) = read(&root().join("answers.json")) else {
        panic!("answers.json is no list");
    };
    entries
        .into_iter()
        .filter(|entry| entry["function"] == function)
        .map(|mut entry| {
            let case = entry["case"].as_str().expect("a case").to_owned();
            (case, entry["answer"].take())
        })
        .collect()
}

/// Whether `actual` has all that `expected` has. Lists must be as long.
#[must_use]
pub fn holds(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => expected
            .iter()
            .all(|(name, value)| actual.get(name).is_some_and(|actual| holds(value, actual))),
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(e, a)| holds(e, a))
        }
        _ => expected == actual,
    }
}

/// The sample says what the code says; with `UPDATE_SAMPLES=1` it is written anew first.
///
/// # Panics
/// When it says something else.
pub fn assert_sample(function: &str, case: &str, made: &Value) {
    if std::env::var_os(UPDATE).is_some() {
        let text = format!("{made:#}\n");
        std::fs::write(path(function, case), text).expect("the sample can be written");
    }
    assert_eq!(
        &sample(function, case),
        made,
        "{function}/{case}: run with {UPDATE}=1"
    );
}
