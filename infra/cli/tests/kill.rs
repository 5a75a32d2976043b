//! `kill -9` at random points of the story, and a restart: nothing is lost, nothing is done twice
//! without the journal saying so.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use callboard_cli::client::Http;
use callboard_cli::env_file::EnvFile;
use http::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// Rounds, each with a system of its own, all side by side.
const ROUNDS: u64 = 10;

/// How often a round's system is killed.
const KILLS: usize = 3;

/// Longest time for a round. A message in flight at the kill comes back after its visibility
/// time-out (15 s here), a lease ends 5 s after a function's 10 s; both may happen twice.
const PATIENCE: Duration = Duration::from_secs(150);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long an offer stands, in seconds.
const WINDOW_SECONDS: u32 = 2;

/// A `callboard dev` that can be killed and started again on the same state.
struct Dev {
    directory: PathBuf,
    child: Child,
    env: EnvFile,
    http: Http,
}

impl Dev {
    async fn start(directory: &Path) -> Self {
        let env_file = directory.join("env");
        // What a killed system left says where it was, not where this one is.
        drop(std::fs::remove_file(&env_file));
        let child = Command::new(env!("CARGO_BIN_EXE_callboard"))
            .args([
                "dev",
                "--port",
                "0",
                "--engine-port",
                "0",
                "--mailbox-port",
                "0",
                "--smtp-port",
                "0",
                "--quiet",
            ])
            .args([
                "--parameter",
                "VisibilityTimeoutSeconds=15",
                "--parameter",
                "HoldGraceSeconds=1",
            ])
            .arg("--state")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let deadline = Instant::now() + PATIENCE;
        let env = loop {
            if let Ok(env) = EnvFile::read(&env_file) {
                break env;
            }
            assert!(Instant::now() < deadline, "`callboard dev` is not ready");
            sleep(LOOK_EVERY).await;
        };
        Self {
            directory: directory.to_owned(),
            child,
            env,
            http: Http::new(),
        }
    }

    async fn kill_and_restart(mut self) -> Self {
        self.child.kill().await.expect("SIGKILL");
        Self::start(&self.directory).await
    }

    fn api(&self, path: &str) -> String {
        format!(
            "{}{path}",
            self.env.get("CALLBOARD_API").expect("the API's address")
        )
    }

    async fn send(&self, method: Method, path: &str, body: &Value) {
        let answer = self
            .http
            .json(method, &self.api(path), &[], body)
            .await
            .expect("an answer");
        assert!(answer.status.is_success(), "{path}: {}", answer.json());
    }

    async fn mails(&self) -> Vec<Value> {
        let url = self
            .env
            .get("CALLBOARD_MAILBOX")
            .expect("the mailbox's address");
        let answer = self.http.get(url).await.expect("the mailbox answers");
        answer.json().as_array().cloned().unwrap_or_default()
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .endpoint_url(
                self.env
                    .get("AWS_ENDPOINT_URL")
                    .expect("the engine's address"),
            )
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
                "callboard",
                "callboard",
                None,
                None,
                "test",
            ))
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// Event types per stream, in the order of the journal.
    async fn journal(&self) -> BTreeMap<String, Vec<(String, Value)>> {
        let table = self
            .env
            .get("CALLBOARD_JOURNAL_TABLE")
            .expect("the journal's name");
        let pages = self
            .dynamodb()
            .scan()
            .table_name(table)
            .into_paginator()
            .items()
            .send();
        let mut commits = pages.try_collect().await.expect("a scan");
        commits.sort_by_key(|item| {
            item["sk"]
                .as_n()
                .expect("a number")
                .parse::<u64>()
                .expect("a number")
        });
        let mut streams: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
        for item in commits {
            let events: Value =
                serde_json::from_str(item["ev"].as_s().expect("events")).expect("JSON");
            let of_stream = streams
                .entry(item["pk"].as_s().expect("a stream").clone())
                .or_default();
            for event in events.as_array().expect("a list") {
                of_stream.push((
                    event["t"].as_str().expect("a type").to_owned(),
                    event["d"].clone(),
                ));
            }
        }
        streams
    }
}

fn tokens_to(mails: &[Value], address: &str) -> Vec<String> {
    let links = mails
        .iter()
        .filter(|mail| mail["to"].to_string().contains(address))
        .filter_map(|mail| {
            let text = mail["text"].as_str()?;
            let start = text.find("/o/")? + 3;
            let end =
                text[start..].find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))?;
            Some(text[start..start + end].trim_end_matches('.').to_owned())
        });
    links.collect()
}

/// Anna declines, Ben says nothing, Cleo accepts: whenever a link is there. Answers whose fate is
/// unknown (the system was killed under them) are given again.
async fn answer_links(dev: &Dev) {
    let mails = dev.mails().await;
    for (address, answer) in [
        ("anna@example.org", "answer=decline"),
        ("cleo@example.org", "answer=accept"),
    ] {
        for token in tokens_to(&mails, address) {
            // A refusal (expired, superseded) is an answer too.
            drop(
                dev.http
                    .form(&dev.api(&format!("/o/{token}")), answer)
                    .await,
            );
        }
    }
}

async fn set_up(dev: &Dev) {
    for name in ["anna", "ben", "cleo"] {
        let contact = json!({"email": format!("{name}@example.org"), "name": name});
        dev.send(Method::PUT, &format!("/v1/recipients/{name}"), &contact)
            .await;
        let entry = json!({"entryId": name, "recipientId": name, "service": "physio"});
        dev.send(Method::POST, "/v1/waitlists/w/entries", &entry)
            .await;
    }
    let starts = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let ends = starts + jiff::SignedDuration::from_mins(30);
    let slot = json!({
        "slotId": "slot", "service": "physio", "offerWindowSeconds": WINDOW_SECONDS,
        "startsAt": starts.to_string(), "endsAt": ends.to_string(),
    });
    dev.send(Method::POST, "/v1/waitlists/w/slots", &slot).await;
}

/// Whether the slot is settled and no notification is under way.
fn is_settled(journal: &BTreeMap<String, Vec<(String, Value)>>) -> bool {
    let last_of = |stream: &str| {
        journal
            .get(stream)
            .and_then(|events| events.last())
            .map(|(kind, _)| kind.as_str())
    };
    let slot_done = last_of("slot#slot")
        .is_some_and(|kind| kind.contains("slot-filled") || kind.contains("opened-to-public"));
    let done = [
        "delivery-succeeded",
        "outcome-unknown",
        "delivery-failed",
        "notification-dropped",
        "late-outcome",
    ];
    slot_done
        && journal
            .iter()
            .filter(|(stream, _)| stream.starts_with("notification#"))
            .all(|(_, events)| {
                events
                    .last()
                    .is_some_and(|(kind, _)| done.iter().any(|done| kind.contains(done)))
            })
}

async fn round(number: u64) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let mut random = fastrand::Rng::with_seed(number);
    let mut dev = Dev::start(directory.path()).await;
    set_up(&dev).await;
    let mut lived = Vec::new();
    for _ in 0..KILLS {
        // Offers, mails, answers, expiry, confirmation: all within the first five seconds.
        let life = Duration::from_millis(random.u64(0..2_000));
        lived.push(life.as_millis());
        let until = Instant::now() + life;
        while Instant::now() < until {
            answer_links(&dev).await;
            sleep(Duration::from_millis(random.u64(1..60))).await;
        }
        dev = dev.kill_and_restart().await;
    }
    let deadline = Instant::now() + PATIENCE;
    let journal = loop {
        answer_links(&dev).await;
        let journal = dev.journal().await;
        if is_settled(&journal) {
            break journal;
        }
        assert!(
            Instant::now() < deadline,
            "round {number}, killed after {lived:?} ms, does not settle: {journal:#?}"
        );
        sleep(LOOK_EVERY).await;
    };
    judge(number, &journal, &dev.mails().await);
    let unknown = journal
        .values()
        .flatten()
        .filter(|(kind, _)| kind.contains("outcome-unknown"))
        .count();
    format!("round {number}: killed after {lived:?} ms, {unknown} outcomes unknown")
}

fn judge(round: u64, journal: &BTreeMap<String, Vec<(String, Value)>>, mails: &[Value]) {
    let count = |stream: &str, kind: &str| {
        journal[stream]
            .iter()
            .filter(|(found, _)| found.contains(kind))
            .count()
    };
    assert!(
        count("slot#slot", "slot-filled") <= 1,
        "round {round}: filled twice (I1)"
    );
    let held: Vec<_> = journal["slot#slot"]
        .iter()
        .filter(|(kind, _)| kind.contains("slot-held"))
        .collect();
    let mut offered: Vec<_> = held
        .iter()
        .map(|(_, data)| data["entryId"].to_string())
        .collect();
    offered.sort();
    offered.dedup();
    assert_eq!(
        offered.len(),
        held.len(),
        "round {round}: somebody was offered the slot twice (I2)"
    );
    for (stream, events) in journal
        .iter()
        .filter(|(stream, _)| stream.starts_with("notification#"))
    {
        let has = |kind: &str| events.iter().any(|(found, _)| found.contains(kind));
        let id = stream.trim_start_matches("notification#");
        let copies = mails
            .iter()
            .filter(|mail| mail["headers"].to_string().contains(id))
            .count();
        assert!(
            copies <= 1 || has("outcome-unknown"),
            "round {round}: {copies} mails of {stream} and no unknown outcome (I7): {events:?}"
        );
        assert!(
            copies >= 1 || !has("delivery-succeeded"),
            "round {round}: {stream} is said to be delivered and is not there"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_thirty_random_points_fills_the_slot_once_and_loses_no_notification() {
    let rounds = (1..=ROUNDS).map(|number| tokio::spawn(round(number)));
    for round in futures::future::join_all(rounds.collect::<Vec<_>>()).await {
        println!("{}", round.expect("the round ends well"));
    }
}
