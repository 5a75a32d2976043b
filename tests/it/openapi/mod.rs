//! `functions/openapi.json`: what it is made of, and that it is the API that is served.
//!
//! That requests and answers are as it says is checked where they are made:
//! `callboard_testkit::gateway`.

mod assemble;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use callboard_cli::system::TEMPLATE;
use callboard_contracts::Timestamp;
use callboard_host::Registry;
use callboard_template::{Authorization, Parameters, Stack};
use callboard_testkit::contract;
use callboard_testkit::gateway::Request;
use serde_json::Value;

use crate::house::House;

const HOW: &str = "see functions/openapi/README.md; then \
    CALLBOARD_REGENERATE=1 cargo test -p callboard-tests --test it openapi";

/// Nothing is signed with it here; the template asks for one.
const LINK_KEYS: &str = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

/// Methods of OpenAPI's path items.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions")
}

fn document() -> Value {
    let path = folder().join("openapi.json");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}; {HOW}", path.display()))
}

/// An operation, as the gateway and the document both name it: `GET /v1/slots/{}`.
fn name_of(method: &str, path: &str) -> String {
    let steps = path.split('/').map(|step| match step.strip_prefix('{') {
        Some(_) => "{}",
        None => step,
    });
    let path: Vec<_> = steps.collect();
    format!("{} {}", method.to_uppercase(), path.join("/"))
}

fn stack() -> Stack {
    let parameters = Parameters::default().with("LinkKeys", LINK_KEYS);
    callboard_template::load("template.yaml", TEMPLATE, &parameters).expect("the template")
}

/// Every operation with its path.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path item");
        item.iter()
            .map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    });
    all.filter(|(method, ..)| METHODS.contains(method))
        .collect()
}

#[test]
fn the_document_is_what_its_sources_and_the_code_say() {
    let made = assemble::document(&folder().join("openapi"));
    let text = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
    let path = folder().join("openapi.json");
    if std::env::var_os("CALLBOARD_REGENERATE").is_some() {
        std::fs::write(&path, &text).expect("a file that can be written");
    }
    let on_file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        on_file == text,
        "functions/openapi.json is not what functions/openapi/*.yaml and the types of the code \
         say; run CALLBOARD_REGENERATE=1 cargo test -p callboard-tests --test it openapi"
    );
}

#[test]
fn every_route_of_the_template_is_documented_and_no_other_with_who_may_call_it() {
    let stack = stack();
    let api = stack.http_api.expect("an HTTP API");
    let routes: BTreeMap<String, bool> = api
        .routes
        .iter()
        .map(|route| {
            let is_open = route.authorization == Authorization::Open;
            (name_of(&route.method, &route.path), is_open)
        })
        .collect();
    let document = document();
    let documented: BTreeMap<String, bool> = operations(&document)
        .into_iter()
        .map(|(method, path, operation)| {
            let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
            (name_of(method, path), is_open)
        })
        .collect();
    let missing: Vec<_> = routes
        .keys()
        .filter(|name| !documented.contains_key(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "routes of infra/template.yaml that functions/openapi.json does not describe: {missing:?}; {HOW}"
    );
    let gone: Vec<_> = documented
        .keys()
        .filter(|name| !routes.contains_key(*name))
        .collect();
    assert!(
        gone.is_empty(),
        "operations of functions/openapi.json that infra/template.yaml does not route: {gone:?}"
    );
    assert_eq!(
        documented, routes,
        "who may call it: `open: true` is a route without authorizer"
    );
}

#[tokio::test]
async fn each_function_serves_what_is_documented_of_it_by_these_methods_alone() {
    let house = House::live().await;
    let registry = Registry::standard();
    let stack = stack();
    let routes = stack.http_api.expect("an HTTP API").routes;
    let mut behind: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for route in routes {
        let key = (route.function.clone(), route.path.clone());
        behind.entry(key).or_default().insert(route.method);
    }
    for ((logical_id, path), methods) in behind {
        let vars = house
            .host()
            .environment(&logical_id)
            .expect("a function")
            .clone();
        let function = stack
            .functions
            .iter()
            .find(|it| it.logical_id == logical_id);
        let name = &function.expect("a function").binary;
        let built = registry.build(name, vars, house.sdk.clone()).await;
        let function = built.expect("a function").expect("its settings");
        // A method that nothing serves is answered with those that are.
        let asked = path.replace('{', "x").replace('}', "");
        let answer = Request::new("TRACE", &asked, Timestamp::from_millis(1))
            .send(&function)
            .await;
        assert_eq!(answer.status, 405, "{path}: {}", answer.text);
        let served: BTreeSet<String> = answer.headers["allow"]
            .split(',')
            .map(|method| method.trim().to_owned())
            .collect();
        // Whatever serves a GET serves a HEAD; the gateway has few routes for it.
        let mut methods = methods;
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        assert_eq!(served, methods, "{path} of {name}");
    }
    house.close().await;
}

#[test]
fn every_operation_has_an_id_of_its_own_and_every_example_fits_its_schema() {
    let document = document();
    let operations = operations(&document);
    let ids: BTreeSet<_> = operations
        .iter()
        .map(|(.., operation)| operation["operationId"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids.len(), operations.len());
    let mut checked = 0;
    for (method, path, operation) in operations {
        let bodies = operation.pointer("/requestBody/content").into_iter();
        let answers = operation["responses"].as_object().expect("responses");
        let answers = answers.values().filter_map(|answer| answer.get("content"));
        let contents = bodies.chain(answers).filter_map(Value::as_object);
        for content in contents.flat_map(serde_json::Map::values) {
            if let Some(example) = content.get("example") {
                let faults = contract::faults(&content["schema"], example);
                assert!(faults.is_empty(), "{method} {path}: {faults:?}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "{checked} examples");
}
