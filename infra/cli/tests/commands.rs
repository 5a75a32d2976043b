//! The binary as a shell meets it: exit codes, sentences, signals, files.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a start or an end; wide, for a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

fn callboard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    callboard(arguments).output().unwrap()
}

/// Runs to the end and checks for a sentence instead of a panic.
fn refused(arguments: &[&str], code: i32, sentence: &str) {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(sentence), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// A command that goes on until it is told to stop; killed if the test fails.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a command and reads until the line that says it is ready.
    fn start(arguments: &[&str]) -> (Self, String) {
        Self::of(callboard(arguments))
    }

    fn of(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, stdout };
        let mut said = String::new();
        while !said.lines().any(|line| line.starts_with("Ready")) {
            let read = running.stdout.read_line(&mut said).unwrap();
            assert!(read > 0, "it ended before it was ready: {said}");
        }
        (running, said)
    }

    /// The next line on standard output.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// SIGTERM, as a supervisor would; the exit code.
    fn stop(self) -> Option<i32> {
        self.signalled("-TERM")
    }

    fn signalled(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it did not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dev<'a>(state: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let any = ["--engine-port=0", "--mailbox-port=0", "--smtp-port=0"];
    [&["dev", "--port=0", "--state", state], &any[..], more].concat()
}

fn get(url: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let (host, path) = address.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn help_is_there_and_an_unknown_word_is_refused() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for command in ["dev", "demo", "engine", "Exit codes:"] {
        assert!(help.contains(command), "{help}");
    }
    refused(&["dev", "--prot", "1"], 2, "unexpected argument");
    refused(&["dev", "--parameter", "x"], 2, "expected KEY=VALUE");
}

#[test]
fn a_port_in_use_is_said_and_nothing_is_left_behind() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let arguments = ["dev", "--port", &port, "--state", state.to_str().unwrap()];
    refused(
        &arguments,
        3,
        &format!("port {port} for the HTTP API is in use by another process"),
    );
    assert!(!state.exists());
    let arguments = ["engine", "--ephemeral", "--port", &port];
    refused(&arguments, 3, "for the AWS engine is in use");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("state");
    refused(
        &dev(below.to_str().unwrap(), &[]),
        4,
        below.to_str().unwrap(),
    );
    refused(
        &["engine", "--port=0", "--state", below.to_str().unwrap()],
        4,
        "cannot be written",
    );
}

#[test]
fn damaged_state_is_named_and_left_alone() {
    for name in [
        "dynamodb.sqlite",
        "messages.sqlite",
        "mailbox.sqlite",
        "link-keys",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let rubbish = "rubbish, and enough of it to fill a page ".repeat(200);
        fs::write(&path, &rubbish).unwrap();
        refused(&dev(directory.path().to_str().unwrap(), &[]), 5, name);
        assert_eq!(fs::read_to_string(&path).unwrap(), rubbish, "{name}");
    }
}

#[test]
fn a_template_that_cannot_be_served_is_refused_by_line() {
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("mine.yaml");
    fs::write(
        &template,
        "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n",
    )
    .unwrap();
    let state = directory.path().join("state");
    let template = template.to_str().unwrap();
    let arguments = dev(state.to_str().unwrap(), &["--template", template]);
    refused(&arguments, 6, "mine.yaml:");
    let arguments = dev(
        state.to_str().unwrap(),
        &["--parameter", "NoSuchParameter=1"],
    );
    refused(&arguments, 6, "NoSuchParameter");
}

#[test]
fn a_file_that_is_no_env_file_is_refused_by_demo() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("env");
    let arguments = ["demo", "--env-file", path.to_str().unwrap()];
    refused(&arguments, 2, "cannot be read");
    fs::write(&path, "CALLBOARD_API='http://127.0.0.1:1'\n").unwrap();
    refused(&arguments, 2, "AWS_REGION is missing");
}

#[test]
fn a_demo_on_a_system_that_is_gone_fails_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("env");
    let gone = "http://127.0.0.1:1";
    let text = format!(
        "CALLBOARD_API={gone}\nCALLBOARD_MAILBOX={gone}\nAWS_ENDPOINT_URL={gone}\n\
         AWS_REGION=x\nAWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=x\n"
    );
    fs::write(&path, text).unwrap();
    refused(
        &["demo", "--env-file", path.to_str().unwrap()],
        1,
        "was not answered",
    );
}

fn word<'s>(said: &'s str, start: &str) -> &'s str {
    said.split_whitespace()
        .find_map(|word| word.strip_prefix(start))
        .unwrap_or_else(|| panic!("{start} is missing in {said}"))
}

#[test]
fn the_engine_alone_answers_and_stops_at_sigterm_and_at_ctrl_c() {
    for signal in ["-TERM", "-INT"] {
        let (mut engine, said) = Running::start(&["engine", "--port=0", "--ephemeral"]);
        let url = word(&said, "http://");
        assert!(get(&format!("http://{url}/_callboard/health")).starts_with("HTTP/1.1 200"));
        assert_eq!(engine.line().split_whitespace().next(), Some("export"));
        assert_eq!(engine.signalled(signal), Some(0), "{signal}");
    }
}

#[test]
fn the_engine_says_how_to_reach_it_in_the_region_and_account_asked_for() {
    let arguments = [
        "engine",
        "--port=0",
        "--ephemeral",
        "--region=eu-west-1",
        "--account=111122223333",
    ];
    let (mut engine, said) = Running::start(&arguments);
    let said = format!("{said}{}", engine.line());
    let url = word(&said, "AWS_ENDPOINT_URL=");
    assert_eq!(url, format!("http://{}", word(&said, "http://")));
    for (name, value) in [
        ("AWS_REGION=", "eu-west-1"),
        ("AWS_DEFAULT_REGION=", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID=", "callboard"),
        ("AWS_SECRET_ACCESS_KEY=", "callboard"),
    ] {
        assert_eq!(word(&said, name), value);
    }
    let made = get(&format!(
        "{url}/?Action=CreateTopic&Name=t&Version=2010-03-31"
    ));
    assert!(
        made.contains("arn:aws:sns:eu-west-1:111122223333:t"),
        "{made}"
    );
    assert_eq!(engine.stop(), Some(0));
}

#[test]
fn the_engine_says_once_that_a_client_is_in_another_region() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut command = callboard(&["engine", "--port=0", "--ephemeral"]);
    command.stderr(fs::File::create(&log).unwrap());
    let (engine, said) = Running::of(command);
    let host = word(&said, "http://");
    for _ in 0..2 {
        let signed = "X-Amz-Credential=x%2F20260921%2Feu-west-1%2Fsns%2Faws4_request";
        let topics = format!("http://{host}/?Action=ListTopics&Version=2010-03-31&{signed}");
        assert!(get(&topics).starts_with("HTTP/1.1 200"));
    }
    let health = get(&format!("http://{host}/_callboard/health"));
    assert!(health.contains(r#""region":"eu-west-1""#), "{health}");
    assert_eq!(engine.stop(), Some(0));
    let log = fs::read_to_string(&log).unwrap();
    assert_eq!(log.matches("another region").count(), 1, "{log}");
    assert!(
        log.contains("eu-west-1") && log.contains("us-east-1"),
        "{log}"
    );
}

#[test]
fn the_engine_takes_only_what_can_be_a_region_or_an_account() {
    refused(
        &["engine", "--region", "local"],
        2,
        "expected a region of AWS",
    );
    refused(&["engine", "--account", "12"], 2, "expected twelve digits");
    let (wrong, reason) = ("127.0.0.1:9000", "expected a URL that begins with http://");
    refused(&["engine", "--lambda-endpoint", wrong], 2, reason);
    let help = String::from_utf8(run(&["engine", "--help"]).stdout).unwrap();
    for part in [
        "--ephemeral --port 0",
        "[default: 4566]",
        "[default: us-east-1]",
        "[default: 000000000000]",
        "[default: .callboard]",
        "--endpoint-url",
        "export AWS_ENDPOINT_URL=",
        "Exit codes:",
    ] {
        assert!(help.contains(part), "{part} is missing in:\n{help}");
    }
}

#[test]
fn the_engine_keeps_its_state_and_says_who_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().to_str().unwrap();
    let arguments = ["engine", "--port=0", "--state", state];
    let queues = "?Action=ListQueues&Version=2012-11-05";
    let (first, said) = Running::start(&arguments);
    let url = format!("http://{}", word(&said, "http://"));
    get(&format!(
        "{url}/?Action=CreateQueue&QueueName=letters&Version=2012-11-05"
    ));
    refused(&arguments, 4, &format!("process {}", first.child.id()));
    assert_eq!(first.stop(), Some(0));
    let (second, said) = Running::start(&arguments);
    let url = format!("http://{}", word(&said, "http://"));
    let listed = get(&format!("{url}/{queues}"));
    assert!(listed.contains("/000000000000/letters"), "{listed}");
    assert_eq!(second.stop(), Some(0));
}

#[test]
fn dev_writes_its_env_file_holds_its_state_and_stops_in_good_order() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().to_str().unwrap().to_owned();
    let env_path = directory.path().join("env");
    fs::write(&env_path, "left by a system that was killed").unwrap();

    let (first, _) = Running::start(&dev(&state, &["--quiet"]));
    let env = fs::read_to_string(&env_path).unwrap();
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "CALLBOARD_API",
        "CALLBOARD_MAILBOX",
        "CALLBOARD_JOURNAL_TABLE",
        "CALLBOARD_WAITLIST_CASCADE_QUEUE",
        "CALLBOARD_NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE",
        "CALLBOARD_EXTERNAL_EVENTS_TOPIC",
    ] {
        assert!(
            env.contains(&format!("export {name}='")),
            "{name} is missing in:\n{env}"
        );
    }
    assert!(
        get(&format!("{}/v1/health", value(&env, "CALLBOARD_API"))).starts_with("HTTP/1.1 200")
    );
    assert!(get(&format!("{}/", value(&env, "CALLBOARD_MAILBOX"))).ends_with("[]"));
    let keys = fs::read_to_string(directory.path().join("link-keys")).unwrap();
    let functions = PathBuf::from(value(&env, "CALLBOARD_FUNCTIONS_ENV"));
    let planner = fs::read_to_string(functions.join("notification-planner")).unwrap();
    assert_eq!(
        value(&planner, "DLQ_URL"),
        value(&env, "CALLBOARD_NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE")
    );
    assert_eq!(
        value(&planner, "AWS_ENDPOINT_URL"),
        value(&env, "AWS_ENDPOINT_URL")
    );
    assert_owner_only(&functions.join("command-api"));

    refused(&dev(&state, &[]), 4, "in use by another process");
    assert_eq!(
        fs::read_to_string(&env_path).unwrap(),
        env,
        "the first system's file stays"
    );

    assert_eq!(first.stop(), Some(0));
    assert!(
        !env_path.exists() && !functions.exists(),
        "the files are there only while the system is"
    );
    let (second, _) = Running::start(&dev(&state, &["--quiet"]));
    assert_eq!(
        fs::read_to_string(directory.path().join("link-keys")).unwrap(),
        keys
    );
    assert_eq!(second.stop(), Some(0));
    assert_owner_only(&directory.path().join("link-keys"));
}

fn value<'e>(env: &'e str, name: &str) -> &'e str {
    let start = format!("export {name}='");
    let line = env
        .lines()
        .find_map(|line| line.strip_prefix(&start))
        .unwrap();
    line.strip_suffix('\'').unwrap()
}

fn assert_owner_only(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
