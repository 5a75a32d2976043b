//! Makes the document: operations are written out, and the schemas of the code's types added.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use callboard_contracts::figures::Figures;
use callboard_contracts::view::{EntryView, SlotView};
use callboard_runtime::http::PROBLEM_PREFIX;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::source;

const SHARED: &str = "components";

/// Refusals that most operations have, for they come with a body or a table: said once.
const EVERYWHERE: [(&str, &str, &str); 4] = [
    ("Malformed", "400", "malformed"),
    ("TooLarge", "413", "too-large"),
    ("UnsupportedMediaType", "415", "unsupported-media-type"),
    ("Unavailable", "503", "unavailable"),
];

/// What every answer can be that is no answer of the operation.
type Refusals = BTreeMap<String, BTreeSet<String>>;

pub(super) fn document(folder: &Path) -> Value {
    let (shared, subjects): (Vec<_>, Vec<_>) = source::read(folder)
        .into_iter()
        .partition(|(name, _)| name == SHARED);
    let (_, mut document) = shared.into_iter().next().expect("components.yaml");
    let mut paths = Map::new();
    for (subject, items) in subjects {
        for (path, operations) in members(&items) {
            let operations = members(operations)
                .map(|(method, source)| (method.clone(), operation(&subject, path, source)));
            let before = paths.insert(path.clone(), Value::Object(operations.collect()));
            assert!(before.is_none(), "{path} stands in two files");
        }
    }
    document["paths"] = Value::Object(paths);
    for (name, status, code) in EVERYWHERE {
        let codes = BTreeSet::from([code.to_owned()]);
        document["components"]["responses"][name] = refusal(status, &codes, false);
    }
    let by_hand = document["components"]["schemas"].take();
    document["components"]["schemas"] = Value::Object(schemas(&by_hand));
    document
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Those of the code, and those by hand; no name twice.
fn schemas(by_hand: &Value) -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12();
    let settings = settings.with(|it| it.definitions_path = "/components/schemas".into());
    let mut generator = settings.for_serialize().into_generator();
    generator.subschema_for::<SlotView>();
    generator.subschema_for::<EntryView>();
    generator.subschema_for::<Figures>();
    let mut all = command_api::body_schemas();
    for (name, schema) in generator.take_definitions(true) {
        let other = all.insert(name.clone(), schema.clone());
        assert!(
            other.is_none_or(|other| other == schema),
            "two types have the name {name}"
        );
    }
    for (name, schema) in members(by_hand) {
        let schema = match schema.get("merge") {
            Some(parts) => merged(parts, |part| all.get(part).or_else(|| by_hand.get(part))),
            None => schema.clone(),
        };
        assert!(!all.contains_key(name), "{name} is a type of the code");
        all.insert(name.clone(), schema);
    }
    let merged = members(by_hand).flat_map(|(_, schema)| list(&schema["merge"]));
    merged.for_each(|part| drop(all.remove(part)));
    all
}

/// One object with the members of several.
fn merged<'a>(parts: &Value, of: impl Fn(&str) -> Option<&'a Value>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let mut description = Value::Null;
    for part in list(parts) {
        let schema = of(part).unwrap_or_else(|| panic!("no schema {part}"));
        properties.extend(members(&schema["properties"]).map(|(k, v)| (k.clone(), v.clone())));
        required.extend(list(&schema["required"]).map(str::to_owned));
        if description.is_null() {
            description = schema["description"].clone();
        }
    }
    json!({
        "type": "object", "description": description, "properties": properties, "required": required,
    })
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn operation(subject: &str, path: &str, source: &Value) -> Value {
    let is = |flag: &str| source[flag] == true;
    let tag = source["tag"].as_str().unwrap_or(subject);
    let mut made = json!({
        "operationId": source["operationId"],
        "summary": source["summary"],
        "tags": [tag],
        "responses": responses(source),
    });
    if let Some(description) = source.get("description") {
        made["description"] = description.clone();
    }
    let parameters = parameters(path, source);
    if !parameters.is_empty() {
        made["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = source.get("body") {
        let content = content_of(body, source.get("example"));
        made["requestBody"] = json!({ "required": true, "content": content });
    }
    if is("open") {
        made["security"] = json!([]);
    }
    made
}

fn has_key(source: &Value) -> bool {
    list(&source["parameters"]).any(|name| name == "idempotencyKey")
}

fn parameters(path: &str, source: &Value) -> Vec<Value> {
    let in_path = path
        .split('/')
        .filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
    let traced: &[&str] = if has_key(source) {
        &["correlationId", "traceparent"]
    } else {
        &[]
    };
    in_path
        .chain(list(&source["parameters"]))
        .chain(traced.iter().copied())
        .map(|name| reference("parameters", name))
        .collect()
}

/// A schema by name, or one for each content type; the example is one of the last.
fn content_of(body: &Value, example: Option<&Value>) -> Value {
    let kinds: Vec<(&str, &Value)> = match body {
        Value::Object(kinds) => kinds
            .iter()
            .map(|(kind, name)| (kind.as_str(), name))
            .collect(),
        name => vec![("application/json", name)],
    };
    let content = kinds.into_iter().map(|(kind, name)| {
        let mut content = json!({ "schema": named(name) });
        if let Some(example) = example.filter(|_| kind == "application/json") {
            content["example"] = example.clone();
        }
        (kind.to_owned(), content)
    });
    Value::Object(content.collect())
}

/// The schema of a name, or one of several.
fn named(name: &Value) -> Value {
    match name {
        Value::Array(names) => json!({ "oneOf": names.iter().map(named).collect::<Vec<_>>() }),
        name => reference("schemas", name.as_str().expect("a schema's name")),
    }
}

fn responses(source: &Value) -> Value {
    let pages = source["pages"] == true;
    let answers =
        members(&source["answers"]).map(|(status, answer)| (status.clone(), told(answer, pages)));
    let mut all: Map<String, Value> = answers.collect();
    for (status, codes) in refusals(source) {
        let shared = EVERYWHERE
            .iter()
            .find(|(_, of, code)| !pages && *of == status && codes.iter().eq([code]));
        let refusal = match shared {
            Some((name, ..)) => reference("responses", name),
            None => refusal(&status, &codes, pages),
        };
        all.insert(status, refusal);
    }
    if source["open"] != true {
        all.insert("401".to_owned(), reference("responses", "Unauthorized"));
        all.insert("403".to_owned(), reference("responses", "Forbidden"));
    }
    all.insert("429".to_owned(), reference("responses", "TooManyRequests"));
    Value::Object(all)
}

fn told(answer: &Value, pages: bool) -> Value {
    let mut made = json!({ "description": answer["what"] });
    let mut content = match (answer.get("schema"), answer["content"].as_str()) {
        (Some(schema), _) => content_of(
            &json!({ "application/json": schema }),
            answer.get("example"),
        ),
        (None, Some(kind)) => json!({ kind: { "schema": { "type": "string" } } }),
        (None, None) => Value::Null,
    };
    if pages && answer.get("schema").is_some() {
        content["text/html"] = json!({ "schema": { "type": "string" } });
    }
    if !content.is_null() {
        made["content"] = content;
    }
    if answer["commit"] == true {
        made["headers"] = json!({ "Callboard-Commit": reference("headers", "Commit") });
    }
    made
}

/// The operation's own, and those that come with a body, a key or a table.
fn refusals(source: &Value) -> Refusals {
    let mut all = Refusals::new();
    let mut add = |status: &str, code: &str| {
        all.entry(status.to_owned())
            .or_default()
            .insert(code.to_owned());
    };
    for (status, codes) in members(&source["refusals"]) {
        list(codes).for_each(|code| add(status, code));
    }
    if source["plain"] != true {
        add("400", "malformed");
        add("503", "unavailable");
    }
    if source.get("body").is_some() {
        add("413", "too-large");
        add("415", "unsupported-media-type");
        add("422", "invalid");
    }
    if has_key(source) {
        add("409", "lost-race");
        add("422", "idempotency-key-reused");
    }
    all
}

fn refusal(status: &str, codes: &BTreeSet<String>, pages: bool) -> Value {
    let types: Vec<_> = codes
        .iter()
        .map(|code| format!("{PROBLEM_PREFIX}{code}"))
        .collect();
    let names: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
    let mut schema = reference("schemas", "Problem");
    schema["properties"] = json!({ "type": { "enum": types } });
    let mut made = json!({
        "description": format!("Refused: {}.", names.join(", ")),
        "content": { "application/problem+json": { "schema": schema } },
    });
    if pages {
        made["content"]["text/html"] = json!({ "schema": { "type": "string" } });
    }
    if status == "503" {
        made["headers"] = json!({ "Retry-After": reference("headers", "RetryAfter") });
    }
    made
}
