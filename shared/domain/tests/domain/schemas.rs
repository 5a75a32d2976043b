//! `events/schemas`: the JSON Schema of every event type, generated from the contracts.
//!
//! The committed files are what readers elsewhere were built against. A difference fails this
//! test; a difference that would break a reader fails it even when the files are regenerated:
//!
//! ```text
//! CALLBOARD_REGENERATE=1 cargo test -p callboard-domain schemas          # compatible changes
//! CALLBOARD_REGENERATE=breaking cargo test -p callboard-domain schemas   # types nobody reads yet
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::{env, fs};

use callboard_contracts::command::{CommandEvent, Due};
use callboard_contracts::{
    BroadcastEvent, EntryEvent, Envelope, NotificationEvent, RecipientEvent, SlotEvent,
    WaitlistEvent,
};
use serde_json::{Map, Value, json};

/// Schemas by type, as the code has them.
fn generated() -> BTreeMap<String, Value> {
    [
        SlotEvent::schemas(),
        BroadcastEvent::schemas(),
        EntryEvent::schemas(),
        WaitlistEvent::schemas(),
        NotificationEvent::schemas(),
        RecipientEvent::schemas(),
        CommandEvent::schemas(),
        vec![
            (Due::TYPE, schemars::schema_for!(Due)),
            ("envelope", schemars::schema_for!(Envelope)),
        ],
    ]
    .into_iter()
    .flatten()
    .map(|(name, schema)| (name.to_owned(), Value::from(schema)))
    .collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/schemas")
}

/// Schemas by type, as they are committed.
fn committed() -> BTreeMap<String, Value> {
    let Ok(files) = fs::read_dir(folder()) else {
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for file in files {
        let path = file.expect("a folder that can be listed").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(name) = name.strip_suffix(".json") {
            let text = fs::read_to_string(&path).expect("a file that can be read");
            let schema = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.insert(name.to_owned(), schema);
        }
    }
    found
}

fn write(name: &str, schema: &Value) {
    let text = serde_json::to_string_pretty(schema).expect("JSON") + "\n";
    fs::create_dir_all(folder()).expect("a folder that can be made");
    fs::write(folder().join(format!("{name}.json")), text).expect("a file that can be written");
}

#[test]
fn schemas_on_file_are_those_of_the_code_and_break_no_reader() {
    let (new, old) = (generated(), committed());
    let mode = env::var("CALLBOARD_REGENERATE").unwrap_or_default();
    let broken = breaks(&old, &new);
    assert!(
        broken.is_empty() || mode == "breaking",
        "readers would break; make a new version of the type, or (only if nobody reads it yet) set CALLBOARD_REGENERATE=breaking:\n{}",
        broken.join("\n")
    );
    if mode.is_empty() {
        let drift: Vec<_> = new
            .iter()
            .filter(|(name, schema)| old.get(*name) != Some(schema))
            .collect();
        let names: Vec<_> = drift.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            names.is_empty(),
            "events/schemas differs from the code in {names:?}; run CALLBOARD_REGENERATE=1 cargo test -p callboard-domain schemas"
        );
    } else {
        for (name, schema) in &new {
            write(name, schema);
        }
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            fs::remove_file(folder().join(format!("{name}.json"))).expect("removed");
        }
    }
}

/// What of `old` a reader relies on, and `new` does not keep; one sentence each.
fn breaks(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, before) in old {
        match new.get(name) {
            Some(after) => compare(
                &Place {
                    name,
                    before,
                    after,
                },
                (before, after),
                "",
                &mut found,
            ),
            None => found.push(format!(
                "{name}: the type is gone; events of it stand in journals"
            )),
        }
    }
    found
}

/// The documents that `$ref` points into.
struct Place<'a> {
    name: &'a str,
    before: &'a Value,
    after: &'a Value,
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'))
        .and_then(|pointer| document.pointer(pointer));
    target.unwrap_or(schema)
}

fn members<'a>(schema: &'a Value, keyword: &str) -> Option<&'a Map<String, Value>> {
    schema.get(keyword).and_then(Value::as_object)
}

fn texts<'a>(schema: &'a Value, keyword: &str) -> BTreeSet<&'a str> {
    let list = schema.get(keyword).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn compare(place: &Place<'_>, schemas: (&Value, &Value), at: &str, found: &mut Vec<String>) {
    let name = place.name;
    let before = resolved(place.before, schemas.0);
    let after = resolved(place.after, schemas.1);
    let shown = if at.is_empty() { "the data" } else { at };
    for keyword in ["type", "format", "pattern"] {
        if before.get(keyword) != after.get(keyword) {
            found.push(format!("{name}: {shown} changed its {keyword}"));
        }
    }
    let (had, has) = (values(place.before, before), values(place.after, after));
    for value in had.difference(&has) {
        found.push(format!(
            "{name}: {shown} lost the value {value}; events in journals have it"
        ));
    }
    let empty = Map::new();
    let had = members(before, "properties").unwrap_or(&empty);
    let has = members(after, "properties").unwrap_or(&empty);
    let (needed, needs) = (texts(before, "required"), texts(after, "required"));
    for (property, schema) in had {
        let here = format!("{at}/{property}");
        match has.get(property) {
            None => found.push(format!(
                "{name}: {here} was removed or renamed; readers expect it"
            )),
            Some(now) => {
                if needed.contains(property.as_str()) && !needs.contains(property.as_str()) {
                    found.push(format!(
                        "{name}: {here} became optional; readers rely on it"
                    ));
                }
                compare(place, (schema, now), &here, found);
            }
        }
    }
    for property in needs.difference(&needed) {
        found.push(format!(
            "{name}: {at}/{property} became required; events in journals may lack it"
        ));
    }
    if let (Some(before), Some(after)) = (before.get("items"), after.get("items")) {
        compare(place, (before, after), &format!("{at}/*"), found);
    }
    compare_choices(place, (before, after), at, found);
}

/// Optional members are `anyOf [schema, null]`; the choices are compared one by one.
fn compare_choices(
    place: &Place<'_>,
    schemas: (&Value, &Value),
    at: &str,
    found: &mut Vec<String>,
) {
    let list = |schema: &Value| schema.get("anyOf").and_then(Value::as_array).cloned();
    match (list(schemas.0), list(schemas.1)) {
        (None, None) => {}
        (Some(before), Some(after)) if before.len() == after.len() => {
            for both in before.iter().zip(&after) {
                compare(place, both, at, found);
            }
        }
        _ => found.push(format!("{}: {at} changed what it may be", place.name)),
    }
}

/// The values of an enumeration: plain, or one documented constant each.
fn values(document: &Value, schema: &Value) -> BTreeSet<String> {
    let plain = schema.get("enum").and_then(Value::as_array);
    let documented = schema.get("oneOf").and_then(Value::as_array);
    let mut found: BTreeSet<String> = plain.into_iter().flatten().map(Value::to_string).collect();
    for choice in documented.into_iter().flatten() {
        let choice = resolved(document, choice);
        found.extend(choice.get("const").map(Value::to_string));
        found.extend(values(document, choice));
    }
    found
}

fn change(pointer: &str, with: impl FnOnce(&mut Value)) -> Vec<String> {
    let one = json!({
        "type": "object",
        "required": ["slotId", "reason"],
        "properties": {
            "slotId": {"type": "string", "description": "The slot."},
            "reason": {"$ref": "#/$defs/Reason"},
            "asOf": {"type": ["string", "null"]}
        },
        "$defs": {"Reason": {"oneOf": [
            {"type": "string", "enum": ["declined"]},
            {"type": "string", "const": "expired"}
        ]}}
    });
    let old = BTreeMap::from([("t.v1".to_owned(), one.clone())]);
    let mut new = one;
    with(new.pointer_mut(pointer).expect("a place in the schema"));
    breaks(&old, &BTreeMap::from([("t.v1".to_owned(), new)]))
}

fn without(name: &'static str) -> impl FnOnce(&mut Value) {
    move |value| {
        value.as_object_mut().expect("an object").remove(name);
    }
}

#[test]
fn schemas_may_gain_optional_fields_values_and_words() {
    assert_eq!(
        change("/properties/slotId/description", |v| *v =
            json!("New words.")),
        [""; 0]
    );
    let gain = |v: &mut Value| v["note"] = json!({"type": "string"});
    assert_eq!(change("/properties", gain), [""; 0]);
    assert_eq!(
        change("/$defs/Reason/oneOf/0/enum", |v| *v =
            json!(["declined", "other"])),
        [""; 0]
    );
}

#[test]
fn schemas_that_lose_or_change_what_readers_rely_on_are_told_in_a_sentence() {
    assert_eq!(
        change("/properties", without("asOf")),
        ["t.v1: /asOf was removed or renamed; readers expect it"]
    );
    assert_eq!(
        change("/properties/slotId/type", |v| *v = json!("integer")),
        ["t.v1: /slotId changed its type"]
    );
    assert_eq!(
        change("/required", |v| *v = json!(["reason"])),
        ["t.v1: /slotId became optional; readers rely on it"]
    );
    assert_eq!(
        change("/required", |v| *v = json!(["slotId", "reason", "asOf"])),
        ["t.v1: /asOf became required; events in journals may lack it"]
    );
    assert_eq!(
        change("/$defs/Reason/oneOf/1/const", |v| *v = json!("timed-out")),
        ["t.v1: /reason lost the value \"expired\"; events in journals have it"]
    );
    let gone = breaks(
        &BTreeMap::from([("t.v1".to_owned(), json!({}))]),
        &BTreeMap::new(),
    );
    assert_eq!(
        gone,
        ["t.v1: the type is gone; events of it stand in journals"]
    );
}
