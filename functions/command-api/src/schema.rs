//! The JSON Schemas of foreign events, compiled once.

use std::collections::BTreeMap;

use callboard_domain::foreign::Registry;
use callboard_runtime::http::FieldError;
use jsonschema::Validator;
use serde_json::Value;

/// Most faults named in one answer.
const FAULTS_MAX: usize = 20;

pub(crate) struct Schemas {
    by_type: BTreeMap<String, Validator>,
}

impl Schemas {
    /// Compiles the schema of every registered type.
    pub(crate) fn compile(registry: &Registry) -> Self {
        let by_type = registry
            .iter()
            .map(|registered| {
                let validator = jsonschema::options()
                    .should_validate_formats(true)
                    .build(&registered.schema)
                    .expect("the registry's schemas are checked when it is loaded in the domain's tests");
                (registered.event_type.clone(), validator)
            })
            .collect();
        Self { by_type }
    }

    /// What in `data` does not fit the type's schema; pointers start with `/data`.
    pub(crate) fn faults(&self, event_type: &str, data: &Value) -> Vec<FieldError> {
        let Some(validator) = self.by_type.get(event_type) else {
            return Vec::new();
        };
        validator
            .iter_errors(data)
            .take(FAULTS_MAX)
            .map(|error| FieldError {
                pointer: format!("/data{}", error.instance_path()),
                // `masked` keeps the value, which may be personal, out of the sentence.
                detail: error.masked().to_string(),
            })
            .collect()
    }
}
