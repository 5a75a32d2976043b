//! The hand-written sources of the document: YAML as JSON.

use std::path::Path;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

/// The YAML files of a folder, by name without ending.
///
/// # Panics
/// When one cannot be read.
pub(super) fn read(folder: &Path) -> Vec<(String, Value)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder that can be listed")
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a file that can be read");
            let documents = Yaml::load_from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (name, json(&documents[0]))
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

fn json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(is) => Value::from(*is),
            Scalar::Integer(number) => Value::from(*number),
            Scalar::FloatingPoint(number) => Value::from(number.into_inner()),
            Scalar::String(text) => Value::from(text.as_ref()),
        },
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key_of(key), json(value)));
            Value::Object(members.collect())
        }
        other => panic!("only plain YAML is read here: {other:?}"),
    }
}

/// Statuses are numbers in YAML and names in JSON.
fn key_of(key: &Yaml<'_>) -> String {
    match json(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
