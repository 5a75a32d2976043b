//! `kill -9`: what was answered is there afterwards.
//!
//! The child is this test binary, told to run one ignored test, which writes to an engine in a
//! directory and notes each thing after its answer. The parent kills it and looks.

use crate::support::{item, journal, queue};
use aws_sdk_sqs::types::QueueAttributeName as Q;
use callboard_engine::{Engine, EngineConfig, State};
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the child's directory.
const DIRECTORY: &str = "CALLBOARD_KILLED_DIRECTORY";
const ROUNDS: usize = 10;
/// How many answers a child must have had before it is killed, so that each round shows something.
const ANSWERS_LEAST: usize = 30;
/// The longest that one round may take before the test gives up.
const ROUND_MAX: Duration = Duration::from_secs(60);

/// On the system's clock, which goes on over restarts.
async fn engine_in(directory: &Path) -> Engine {
    let state = State::Directory(directory.to_owned());
    Engine::open(EngineConfig {
        state,
        ..EngineConfig::default()
    })
    .await
    .expect("opens")
}

#[tokio::test]
#[ignore = "is run by the test below, as a process of its own"]
async fn child_that_writes_until_it_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    let engine = engine_in(directory).await;
    let sqs = aws_sdk_sqs::Client::new(&engine.sdk_config());
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let fifo = queue(&sqs, "ordered.fifo", &[(Q::FifoQueue, "true")]).await;
    let plain = queue(&sqs, "plain", &[]).await;
    if db
        .describe_table()
        .table_name("journal")
        .send()
        .await
        .is_err()
    {
        journal(&db, "journal").await;
    }
    let mut notes = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join("notes"))
        .expect("a file");
    let start = std::fs::read_to_string(directory.join("notes"))
        .expect("readable")
        .lines()
        .count();
    for number in start.. {
        let body = number.to_string();
        sqs.send_message()
            .queue_url(&plain)
            .message_body(&body)
            .send()
            .await
            .expect("sent");
        sqs.send_message()
            .queue_url(&fifo)
            .message_body(&body)
            .message_group_id("g")
            .message_deduplication_id(&body)
            .send()
            .await
            .expect("sent");
        db.put_item()
            .table_name("journal")
            .set_item(Some(item(&body, 1)))
            .send()
            .await
            .expect("written");
        notes
            .write_all(format!("{body}\n").as_bytes())
            .expect("noted");
    }
}

fn start_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--ignored",
            "--exact",
            "killed::child_that_writes_until_it_is_killed",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

fn noted(directory: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join("notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_was_answered_before_a_kill_is_there_after_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    for round in 0..ROUNDS {
        let before = noted(path).len();
        let mut child = start_child(path);
        let start = Instant::now();
        while noted(path).len() < before + ANSWERS_LEAST + round * 3 {
            assert!(start.elapsed() < ROUND_MAX, "the child does not get on");
            assert!(
                child.try_wait().expect("known").is_none(),
                "the child ended by itself"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let notes = noted(path);
    let engine = engine_in(path).await;
    let sqs = aws_sdk_sqs::Client::new(&engine.sdk_config());
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let plain: HashSet<String> = drain(&sqs, "plain").await.into_iter().collect();
    let fifo = drain(&sqs, "ordered.fifo").await;
    let fifo_set: HashSet<&String> = fifo.iter().collect();
    assert_eq!(fifo_set.len(), fifo.len(), "nothing came twice");
    for note in &notes {
        assert!(plain.contains(note), "message {note} is lost");
        assert!(fifo_set.contains(note), "FIFO message {note} is lost");
        let read = db
            .get_item()
            .table_name("journal")
            .set_key(Some(item(note, 1)))
            .send()
            .await
            .expect("read");
        assert!(read.item.is_some(), "item {note} is lost");
    }
    let mut last = None;
    for body in fifo {
        let number: usize = body.parse().expect("a number");
        assert!(
            last.is_none_or(|last| last < number),
            "order is kept over restarts"
        );
        last = Some(number);
    }
}

async fn drain(sqs: &aws_sdk_sqs::Client, name: &str) -> Vec<String> {
    let url = sqs
        .get_queue_url()
        .queue_name(name)
        .send()
        .await
        .expect("there");
    let url = url.queue_url().expect("a URL");
    let mut bodies = Vec::new();
    loop {
        let answer = sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .send()
            .await
            .expect("received");
        if answer.messages().is_empty() {
            return bodies;
        }
        for message in answer.messages() {
            bodies.push(message.body().expect("a body").to_owned());
            sqs.delete_message()
                .queue_url(url)
                .receipt_handle(message.receipt_handle().expect("a handle"))
                .send()
                .await
                .expect("deleted");
        }
    }
}
