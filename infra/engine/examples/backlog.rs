//! What a long queue costs: `cargo run -p callboard-engine --example backlog -- DIRECTORY fill
//! [MESSAGES]`, then, in a process of its own, `… -- DIRECTORY open`. Both call the engine in
//! process, through the AWS SDK.

#![allow(clippy::print_stdout, clippy::expect_used)]

use aws_sdk_sqs::types::{QueueAttributeName as Q, SendMessageBatchRequestEntry};
use callboard_engine::{Engine, EngineConfig, State};
use std::time::Instant;

const MESSAGES: usize = 1_000_000;
/// The most that one call takes (AWS, "Amazon SQS message quotas").
const BATCH: usize = 10;
const WRITERS: usize = 4;
const BODY_BYTES: usize = 200;
/// Message groups of the FIFO queue, which gets one message for each ten of the standard one.
const GROUPS: usize = 1_000;
const CYCLES: usize = 2_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = arguments.first().expect("which directory?");
    let start = Instant::now();
    let engine = Engine::open(EngineConfig {
        state: State::Directory(directory.into()),
        ..EngineConfig::default()
    })
    .await
    .expect("an engine");
    shown("open", start);
    let sqs = aws_sdk_sqs::Client::new(&engine.sdk_config());
    if arguments.get(1).is_some_and(|what| what == "fill") {
        let messages = arguments.get(2).and_then(|count| count.parse().ok());
        fill(&sqs, messages.unwrap_or(MESSAGES)).await;
    } else {
        measure(&sqs).await;
    }
    resident();
}

fn shown(what: &str, since: Instant) {
    println!(
        "{what:<52} {:>10.1} ms",
        since.elapsed().as_secs_f64() * 1000.0
    );
}

/// Memory, as Linux counts it.
fn resident() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for name in ["VmRSS", "RssAnon", "VmHWM"] {
        if let Some(line) = status.lines().find(|line| line.starts_with(name)) {
            println!("{line}");
        }
    }
}

async fn make(sqs: &aws_sdk_sqs::Client, name: &str) -> String {
    let mut queue = sqs.create_queue().queue_name(name);
    if name.ends_with(".fifo") {
        queue = queue.attributes(Q::FifoQueue, "true");
    }
    let queue = queue.send().await.expect("a queue");
    queue.queue_url().expect("a URL").to_owned()
}

async fn fill(sqs: &aws_sdk_sqs::Client, messages: usize) {
    let start = Instant::now();
    let plain = make(sqs, "plain").await;
    let fifo = make(sqs, "ordered.fifo").await;
    let writers = (0..WRITERS).map(|writer| {
        let (sqs, plain, fifo) = (sqs.clone(), plain.clone(), fifo.clone());
        tokio::spawn(async move {
            for batch in (writer..messages / BATCH).step_by(WRITERS) {
                send(&sqs, &plain, batch, false).await;
                if batch % BATCH == 0 {
                    send(&sqs, &fifo, batch, true).await;
                }
            }
        })
    });
    futures::future::join_all(writers).await;
    shown("fill", start);
}

async fn send(sqs: &aws_sdk_sqs::Client, url: &str, batch: usize, fifo: bool) {
    let entries = (0..BATCH).map(|entry| {
        let message = SendMessageBatchRequestEntry::builder().id(entry.to_string());
        let message = message.message_body("x".repeat(BODY_BYTES));
        let message = if fifo {
            let number = batch * BATCH + entry;
            message
                .message_group_id((number % GROUPS).to_string())
                .message_deduplication_id(number.to_string())
        } else {
            message
        };
        message.build().expect("complete")
    });
    let request = sqs.send_message_batch().queue_url(url);
    let entries = entries.collect();
    request
        .set_entries(Some(entries))
        .send()
        .await
        .expect("sent");
}

async fn measure(sqs: &aws_sdk_sqs::Client) {
    for name in ["empty", "empty.fifo", "plain", "ordered.fifo"] {
        let url = make(sqs, name).await;
        let start = Instant::now();
        let attributes = sqs.get_queue_attributes().queue_url(&url);
        let attributes = attributes.attribute_names(Q::ApproximateNumberOfMessages);
        let attributes = attributes.send().await.expect("described").attributes;
        let waiting = attributes.and_then(|all| all.values().next().cloned());
        shown(
            &format!("{name}: count ({})", waiting.unwrap_or_default()),
            start,
        );
        let start = Instant::now();
        cycle(sqs, &url, usize::MAX).await;
        shown(&format!("{name}: first send, receive, delete"), start);
        let start = Instant::now();
        for number in 0..CYCLES {
            cycle(sqs, &url, number).await;
        }
        let rate = CYCLES as f64 / start.elapsed().as_secs_f64();
        println!(
            "{:<52} {rate:>10.0} /s",
            format!("{name}: send, receive, delete")
        );
    }
}

async fn cycle(sqs: &aws_sdk_sqs::Client, url: &str, number: usize) {
    let mut message = sqs
        .send_message()
        .queue_url(url)
        .message_body("x".repeat(BODY_BYTES));
    if url.ends_with(".fifo") {
        message = message
            .message_group_id((number % GROUPS).to_string())
            .message_deduplication_id(format!("cycle-{number}"));
    }
    message.send().await.expect("sent");
    let received = sqs.receive_message().queue_url(url).send().await;
    let received = received.expect("received");
    let handle = received.messages()[0].receipt_handle().expect("a handle");
    let delete = sqs.delete_message().queue_url(url);
    delete.receipt_handle(handle).send().await.expect("deleted");
}
