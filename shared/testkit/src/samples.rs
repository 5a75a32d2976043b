//! The samples under `events/samples`: what functions are tested with.

use std::path::PathBuf;

use serde_json::Value;

/// Set, it makes [`assert_sample`] write what the code says.
const UPDATE: &str = "UPDATE_SAMPLES";

fn path(function: &str, case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../events/samples")
        .join(function)
        .join(format!("{case}.json"))
}

/// A sample of `function`.
///
/// # Panics
/// When there is none of that name, or it is not JSON.
#[must_use]
pub fn sample(function: &str, case: &str) -> Value {
    let path = path(function, case);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
