//! Dependencies point down only, and files stay in their rooms.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every crate may carry the shared feature set; it holds no code.
const FEATURES: &str = "callboard-features";

const FUNCTIONS: [&str; 9] = [
    "command-api",
    "query-api",
    "outbox-relay",
    "waitlist-cascade",
    "waitlist-projector",
    "deadline-clock",
    "calendar-importer",
    "notification-planner",
    "email-sender",
];

/// Longest `main.rs` of a function, in lines: it is wiring.
const MAIN_LINES_MAX: usize = 40;

fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let shared = [
        "callboard-contracts",
        "callboard-domain",
        "callboard-runtime",
    ];
    let mut allowed = BTreeMap::from([
        (FEATURES, vec![]),
        ("callboard-contracts", vec![]),
        ("callboard-domain", vec!["callboard-contracts"]),
        ("callboard-runtime", vec!["callboard-contracts"]),
        (
            "callboard-testkit",
            vec![
                "callboard-contracts",
                "callboard-runtime",
                "callboard-engine",
                // Whose policies it holds functions to.
                "callboard-template",
            ],
        ),
        ("callboard-template", vec![]),
        ("callboard-engine", vec![]),
        ("callboard-mailbox", vec![]),
        ("callboard-conformance", vec!["callboard-engine"]),
    ]);
    for function in FUNCTIONS {
        allowed.insert(function, shared.to_vec());
    }
    let mut host = vec!["callboard-template", "callboard-runtime"];
    host.extend(FUNCTIONS);
    allowed.insert("callboard-host", host);
    let mut cli = shared.to_vec();
    cli.extend([
        "callboard-testkit",
        "callboard-template",
        "callboard-engine",
        "callboard-host",
        "callboard-mailbox",
        // What a topic gave up is published again, by the relay's own word on which topic that is.
        "outbox-relay",
        // A view is rebuilt by the code that wrote it.
        "waitlist-projector",
    ]);
    allowed.insert("callboard-cli", cli);
    allowed
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_path_buf()
}

fn packages() -> Vec<Value> {
    workspace()["packages"]
        .as_array()
        .expect("packages")
        .clone()
}

/// What `cargo metadata` says.
fn workspace() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn dependencies(package: &Value) -> Vec<(&str, bool)> {
    let all = package["dependencies"].as_array().expect("dependencies");
    all.iter()
        .map(|dependency| {
            (
                dependency["name"].as_str().expect("a name"),
                dependency["kind"] == "dev",
            )
        })
        .collect()
}

#[test]
fn dependencies_between_rooms_point_down_only() {
    let allowed = allowed();
    let packages = packages();
    let ours: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        if name == "callboard-tests" {
            continue;
        }
        let may = allowed
            .get(name)
            .unwrap_or_else(|| panic!("say in this test what {name} may depend on"));
        for (dependency, dev) in dependencies(package) {
            let fine = dev
                || dependency == FEATURES
                || !ours.contains(&dependency)
                || may.contains(&dependency);
            if !fine {
                wrong.push(format!("{name} -> {dependency}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that point up or across: {wrong:?}"
    );
}

#[test]
fn functions_reach_tables_queues_and_topics_through_the_runtime_alone() {
    for package in packages() {
        let name = package["name"].as_str().expect("a name").to_owned();
        if !FUNCTIONS.contains(&name.as_str()) {
            continue;
        }
        for (dependency, dev) in dependencies(&package) {
            // A provider adapter may use its own SDK crate.
            let provider = name == "email-sender" && dependency == "aws-sdk-sesv2";
            let direct = dependency.starts_with("aws-sdk-") && !dev && !provider;
            assert!(!direct, "{name} depends on {dependency}");
        }
    }
}

#[test]
fn the_domain_and_the_contracts_know_neither_aws_nor_a_runtime() {
    for package in packages() {
        let name = package["name"].as_str().expect("a name").to_owned();
        if !["callboard-domain", "callboard-contracts"].contains(&name.as_str()) {
            continue;
        }
        for (dependency, dev) in dependencies(&package) {
            let outside = ["aws", "lambda", "tokio", "axum", "hyper", "rusqlite"];
            let foul = !dev && outside.iter().any(|prefix| dependency.starts_with(prefix));
            assert!(!foul, "{name} depends on {dependency}");
        }
    }
}

#[test]
fn cargo_lambda_builds_the_functions_and_nothing_else() {
    let workspace = workspace();
    let built = workspace["metadata"]["lambda"]["build"]["packages"]
        .as_array()
        .expect("packages to build");
    assert_eq!(built, &FUNCTIONS);
}

#[test]
fn a_functions_main_is_wiring() {
    for function in FUNCTIONS {
        let path = root().join("functions").join(function).join("src/main.rs");
        let text = std::fs::read_to_string(&path).expect("a main.rs");
        let lines = text.lines().count();
        assert!(
            lines <= MAIN_LINES_MAX,
            "{} has {lines} lines",
            path.display()
        );
    }
}

#[test]
fn the_domain_reads_no_clock() {
    let mut files = vec![
        root().join("shared/domain/src"),
        root().join("shared/contracts/src"),
    ];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path()),
            );
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a file");
        for forbidden in ["SystemTime", "Instant::now", "Timestamp::now", "Zoned::now"] {
            assert!(
                !text.contains(forbidden),
                "{} reads a clock: {forbidden}",
                path.display()
            );
        }
    }
}
