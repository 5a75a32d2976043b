//! What every command has: examples, documented exit codes, `--json`.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use callboard_cli::args::Cli;
use clap::CommandFactory;
use serde_json::Value;

/// Commands that answer in no JSON, and why.
const NO_JSON: [(&str, &str); 1] = [(
    "callboard completions",
    "what it prints is a program in the shell's own language",
)];

/// All commands that do something, by their whole name.
fn commands() -> BTreeMap<String, clap::Command> {
    let mut root = Cli::command();
    root.build();
    let mut all = BTreeMap::new();
    let mut open = vec![(String::from("callboard"), root)];
    while let Some((name, command)) = open.pop() {
        for sub in command.get_subcommands() {
            if sub.get_name() != "help" {
                open.push((format!("{name} {}", sub.get_name()), sub.clone()));
            }
        }
        all.insert(name, command);
    }
    all
}

fn does_something(command: &clap::Command) -> bool {
    !command.has_subcommands()
}

#[test]
fn every_help_text_has_examples_of_its_own_and_all_exit_codes() {
    let all = commands();
    assert!(all.len() > 16, "{:?}", all.keys());
    for (name, mut command) in all {
        let help = command.render_long_help().to_string();
        let examples = help.split("Examples:\n").nth(1);
        let examples = examples.unwrap_or_else(|| panic!("{name} has no examples"));
        let examples = examples.split("Exit codes:").next().unwrap();
        assert!(
            examples.contains(&name),
            "{name} is in no example of its own"
        );
        for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "130"] {
            let line = format!("\n  {code}  ");
            assert!(help.contains(&line), "{name} does not say what {code} is");
        }
        let short = command.render_help().to_string();
        assert!(short.contains("Exit codes:"), "{name} -h");
    }
}

#[test]
fn every_command_answers_in_json_or_there_is_a_reason() {
    for (name, command) in commands() {
        let has = command.get_arguments().any(|it| it.get_id() == "json");
        let reason = NO_JSON.iter().any(|(without, _)| *without == name);
        let wanted = does_something(&command) && !reason;
        assert_eq!(has, wanted, "{name}");
    }
}

#[test]
fn every_example_is_understood() {
    for (name, mut command) in commands() {
        let help = command.render_long_help().to_string();
        let examples = help.split("Examples:\n").nth(1).unwrap();
        let examples = examples.split("\n\n").next().unwrap();
        for line in examples.lines().map(str::trim) {
            for words in spoken(line) {
                let parsed = Cli::command().try_get_matches_from(&words);
                if let Err(error) = parsed {
                    let fine = matches!(error.kind(), clap::error::ErrorKind::DisplayHelp);
                    assert!(fine, "{name}: {line}: {error}");
                }
            }
        }
    }
}

/// The commands of ours in a line of a shell, without what follows them in it.
fn spoken(line: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for part in line.split(" | ").flat_map(|part| part.split(" && ")) {
        if !part.starts_with("callboard ") {
            continue;
        }
        // Two or more spaces part a command from what is said of it.
        let typed = part.split("  ").next().unwrap();
        let typed = typed.split(" > ").next().unwrap();
        commands.push(words(typed));
    }
    commands
}

/// Words as a shell splits them: quotes hold a word together.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in text.chars() {
        match quote {
            Some(mark) if letter == mark => quote = None,
            Some(_) => word.push(letter),
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter == ' ' => words.push(std::mem::take(&mut word)),
            None => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// A command that runs until it is stopped; killed if the test fails.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
        command.args(arguments).env_remove("RUST_LOG");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.stdout.read_line(&mut line).unwrap() > 0, "it ended");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn engine_and_mailbox_say_in_json_where_they_are() {
    let mut engine = Running::start(&["engine", "--json", "--port=0", "--ephemeral"]);
    let ready = engine.line();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["environment"]["AWS_ENDPOINT_URL"], ready["url"]);
    assert_eq!(ready["environment"]["AWS_REGION"], "us-east-1");

    let any = [
        "mailbox",
        "--json",
        "--port=0",
        "--smtp-port=0",
        "--ephemeral",
    ];
    let ready = Running::start(&any).line();
    assert_eq!(ready["ready"], true);
    let smtp: std::net::SocketAddr = ready["smtp"].as_str().unwrap().parse().unwrap();
    assert!(smtp.port() > 0);
    assert!(ready["mails"].as_str().unwrap().starts_with("http://127."));
}

#[test]
fn dev_says_in_json_that_it_is_ready_and_each_event_and_demo_each_step() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().to_str().unwrap();
    let any = [
        "--port=0",
        "--engine-port=0",
        "--mailbox-port=0",
        "--smtp-port=0",
    ];
    let mut dev = Running::start(&[&["dev", "--json", "--state", state], &any[..]].concat());
    let ready = dev.line();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["environment"]["CALLBOARD_API"], ready["api"]);
    assert_eq!(ready["environment"]["AWS_SECRET_ACCESS_KEY"], Value::Null);
    assert!(ready["environment"]["CALLBOARD_JOURNAL_TABLE"].is_string());

    let env = ready["envFile"].as_str().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_callboard"));
    let told = demo.args(["demo", "--json", "--env-file", env]).output();
    let told = told.unwrap();
    assert!(told.status.success(), "{told:?}");
    let lines: Vec<Value> = String::from_utf8(told.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let (end, steps) = lines.split_last().unwrap();
    assert_eq!(
        (&end["ok"], &end["steps"]),
        (&Value::Bool(true), &Value::from(steps.len()))
    );
    assert!(
        steps.len() > 5 && steps.iter().all(|step| step["ok"] == true),
        "{lines:?}"
    );
    assert!(end["seconds"].as_f64().unwrap() > 0.0);
    let event = dev.line();
    assert!(event["event"]["type"].is_string(), "{event}");
}
