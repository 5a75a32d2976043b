//! JSON Schemas, compiled once: of foreign events, and of those parts of events of ours that a
//! caller sends as they are recorded.

use std::collections::BTreeMap;

use callboard_contracts::waitlist::{Policy, Preferences};
use callboard_domain::foreign::Registry;
use callboard_runtime::http::FieldError;
use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::entries::JoinWaitlist;
use crate::entry_commands::OverrideBody;
use crate::offers::AnswerForm;
use crate::page::Shown;
use crate::recipients::RegisterRecipient;
use crate::replies::ReplyBody;
use crate::slot_batches::BatchBody;
use crate::slot_commands::BookingBody;
use crate::slots::ReleaseBody;
use crate::wishes::WishesBody;

/// Most faults named in one answer.
const FAULTS_MAX: usize = 20;

pub(crate) struct Schemas {
    by_type: BTreeMap<String, Validator>,
    preferences: Validator,
    policy: Validator,
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
        Self {
            by_type,
            preferences: strict::<Preferences>(),
            policy: strict::<Policy>(),
        }
    }

    /// What in preferences at `pointer` is none.
    pub(crate) fn preferences_faults(&self, pointer: &str, value: &Value) -> Vec<FieldError> {
        faults(&self.preferences, pointer, value)
    }

    /// What in a policy, which is the whole body, is none.
    pub(crate) fn policy_faults(&self, value: &Value) -> Vec<FieldError> {
        faults(&self.policy, "", value)
    }

    /// What in `data` does not fit the type's schema; pointers start with `/data`.
    pub(crate) fn faults(&self, event_type: &str, data: &Value) -> Vec<FieldError> {
        let Some(validator) = self.by_type.get(event_type) else {
            return Vec::new();
        };
        faults(validator, "/data", data)
    }
}

fn faults(validator: &Validator, prefix: &str, value: &Value) -> Vec<FieldError> {
    validator
        .iter_errors(value)
        .take(FAULTS_MAX)
        .map(|error| FieldError {
            pointer: format!("{prefix}{}", error.instance_path()),
            // `masked` keeps the value, which may be personal, out of the sentence.
            detail: error.masked().to_string(),
        })
        .collect()
}

/// The schema of a part of an event that takes no member it does not know: readers of events
/// must, but a caller would be promised what is then forgotten.
fn strict<T: JsonSchema>() -> Validator {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    close(&mut schema);
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the schema of a type of ours; its module's tests compile it")
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object) {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The schemas of what callers send and are shown, by name, for the API's document. What is sent
/// takes no member that is not known.
pub(crate) fn of_bodies() -> Map<String, Value> {
    let mut sent = settings().into_generator();
    sent.subschema_for::<RegisterRecipient>();
    sent.subschema_for::<JoinWaitlist>();
    sent.subschema_for::<WishesBody>();
    sent.subschema_for::<OverrideBody>();
    sent.subschema_for::<Policy>();
    sent.subschema_for::<ReleaseBody>();
    sent.subschema_for::<BatchBody>();
    sent.subschema_for::<BookingBody>();
    sent.subschema_for::<AnswerForm>();
    sent.subschema_for::<ReplyBody>();
    let mut shown = settings().for_serialize().into_generator();
    shown.subschema_for::<Shown>();
    let mut schemas = sent.take_definitions(true);
    schemas.values_mut().for_each(close);
    schemas.extend(shown.take_definitions(true));
    schemas
}

/// Schemas that refer to each other as the components of an OpenAPI document do.
fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(faults: &[FieldError]) -> Vec<&str> {
        faults.iter().map(|fault| fault.pointer.as_str()).collect()
    }

    #[test]
    fn a_member_that_is_not_known_is_refused_at_every_depth() {
        let schemas = Schemas::compile(&Registry::builtin().expect("the registry"));
        for (value, pointer) in [
            (json!({"loctions": ["north"]}), "/p"),
            (json!({"dates": {"until": "2026-11-21"}}), "/p/dates"),
            (
                json!({"windows": [{"from": "09:00", "to": "12:00", "weekdays": []}]}),
                "/p/windows/0",
            ),
            (
                json!({"windows": [{"from": "9am", "to": "12:00"}]}),
                "/p/windows/0/from",
            ),
        ] {
            let faults = schemas.preferences_faults("/p", &value);
            assert_eq!(pointers(&faults), [pointer], "{value}: {faults:?}");
        }
        let policy = json!({"windowSeconds": 60, "mode": {"is": "sequential"}, "skipLimt": 3});
        assert_eq!(pointers(&schemas.policy_faults(&policy)), [""]);
    }

    #[test]
    fn what_is_recorded_is_also_taken() {
        let schemas = Schemas::compile(&Registry::builtin().expect("the registry"));
        let policy = json!({
            "windowSeconds": 60, "zone": "Europe/Zurich", "mode": {"is": "batch", "size": 3},
            "windowPercent": 25, "quietHours": {"from": "22:00", "to": "07:00"}, "skipLimit": 3,
        });
        assert_eq!(schemas.policy_faults(&policy), []);
        let preferences = json!({
            "locations": ["north"], "windows": [{"days": ["mon"], "from": "09:00", "to": "12:00"}],
            "dates": {"from": "2026-11-21"}, "minutes": {"max": 30}, "blackoutDates": ["2026-12-24"],
        });
        assert_eq!(schemas.preferences_faults("", &preferences), []);
    }
}
