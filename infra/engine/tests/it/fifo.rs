//! FIFO queues: order, locked groups, deduplication.

use crate::support::{engine, engine_in, queue};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{Message, QueueAttributeName as Q};
use std::time::Duration;

async fn fifo(sqs: &Client, more: &[(Q, &str)]) -> String {
    let mut attributes = vec![
        (Q::FifoQueue, "true"),
        (Q::ContentBasedDeduplication, "true"),
    ];
    attributes.extend(more.iter().cloned());
    queue(sqs, "letters.fifo", &attributes).await
}

async fn send(sqs: &Client, url: &str, group: &str, body: &str) -> String {
    let sent = sqs
        .send_message()
        .queue_url(url)
        .message_group_id(group)
        .message_body(body)
        .send()
        .await
        .expect("sent");
    sent.message_id().expect("an id").to_owned()
}

async fn receive(sqs: &Client, url: &str, max: i32) -> Vec<Message> {
    let answer = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(max)
        .send()
        .await
        .expect("received");
    answer.messages.unwrap_or_default()
}

async fn delete(sqs: &Client, url: &str, message: &Message) {
    let handle = message.receipt_handle().expect("a handle");
    sqs.delete_message()
        .queue_url(url)
        .receipt_handle(handle)
        .send()
        .await
        .expect("deleted");
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

#[tokio::test(start_paused = true)]
async fn a_group_is_received_in_order_and_locked_while_any_of_it_is_in_flight() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = fifo(&sqs, &[]).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        send(&sqs, &url, group, body).await;
    }
    let first = receive(&sqs, &url, 2).await;
    assert_eq!(
        bodies(&first),
        ["a1", "a2"],
        "as many as possible of one group"
    );
    assert_eq!(
        bodies(&receive(&sqs, &url, 10).await),
        ["b1"],
        "group a is locked"
    );
    delete(&sqs, &url, &first[0]).await;
    assert!(
        receive(&sqs, &url, 10).await.is_empty(),
        "a2 is still in flight"
    );
    delete(&sqs, &url, &first[1]).await;
    assert_eq!(bodies(&receive(&sqs, &url, 10).await), ["a3"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_head_is_received_again_before_its_followers() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = fifo(&sqs, &[]).await;
    for body in ["1", "2", "3"] {
        send(&sqs, &url, "a", body).await;
    }
    let batch = receive(&sqs, &url, 3).await;
    delete(&sqs, &url, &batch[0]).await;
    for message in &batch[1..] {
        sqs.change_message_visibility()
            .queue_url(&url)
            .receipt_handle(message.receipt_handle().expect("a handle"))
            .visibility_timeout(0)
            .send()
            .await
            .expect("given up");
    }
    assert_eq!(bodies(&receive(&sqs, &url, 10).await), ["2", "3"]);
    tokio::time::advance(Duration::from_secs(31)).await;
    let again = receive(&sqs, &url, 10).await;
    assert_eq!(bodies(&again), ["2", "3"], "and after the lease has ended");
    let error = sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle(batch[1].receipt_handle().expect("a handle"))
        .send()
        .await
        .expect_err("stale")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_poll_is_woken_when_a_group_is_unlocked() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = fifo(&sqs, &[]).await;
    send(&sqs, &url, "a", "1").await;
    send(&sqs, &url, "a", "2").await;
    let first = receive(&sqs, &url, 1).await.remove(0);
    let start = tokio::time::Instant::now();
    let poll = tokio::spawn({
        let (sqs, url) = (sqs.clone(), url.clone());
        async move {
            sqs.receive_message()
                .queue_url(url)
                .wait_time_seconds(20)
                .send()
                .await
        }
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    delete(&sqs, &url, &first).await;
    let answer = poll.await.expect("ends").expect("received");
    assert_eq!(bodies(answer.messages()), ["2"]);
    assert_eq!(start.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_within_five_minutes_is_answered_and_not_delivered() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = fifo(&sqs, &[]).await;
    let first = send(&sqs, &url, "a", "same").await;
    assert_eq!(send(&sqs, &url, "b", "same").await, first);
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(send(&sqs, &url, "a", "same").await, first);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_ne!(send(&sqs, &url, "a", "same").await, first);
    assert_eq!(receive(&sqs, &url, 10).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn with_the_group_as_scope_two_groups_may_say_the_same() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = fifo(
        &sqs,
        &[
            (Q::DeduplicationScope, "messageGroup"),
            (Q::FifoThroughputLimit, "perMessageGroupId"),
        ],
    )
    .await;
    let first = send(&sqs, &url, "a", "same").await;
    assert_ne!(send(&sqs, &url, "b", "same").await, first);
    assert_eq!(send(&sqs, &url, "a", "same").await, first);
}

#[tokio::test(start_paused = true)]
async fn another_scope_holds_a_minute_after_it_was_set() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = fifo(&sqs, &[]).await;
    let first = send(&sqs, &url, "a", "same").await;
    sqs.set_queue_attributes()
        .queue_url(&url)
        .attributes(Q::DeduplicationScope, "messageGroup")
        .send()
        .await
        .expect("set");
    assert_eq!(send(&sqs, &url, "b", "same").await, first, "as before");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_ne!(send(&sqs, &url, "b", "same").await, first, "by group");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_a_group_makes_way_for_its_followers() {
    let sqs = Client::new(&engine().await.sdk_config());
    let dlq = queue(&sqs, "dead.fifo", &[(Q::FifoQueue, "true")]).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead.fifo","maxReceiveCount":"1"}"#;
    let url = fifo(&sqs, &[(Q::RedrivePolicy, policy)]).await;
    send(&sqs, &url, "a", "poison").await;
    send(&sqs, &url, "a", "good").await;
    assert_eq!(bodies(&receive(&sqs, &url, 1).await), ["poison"]);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(bodies(&receive(&sqs, &url, 1).await), ["good"]);
    assert_eq!(bodies(&receive(&sqs, &dlq, 1).await), ["poison"]);
}

#[tokio::test(start_paused = true)]
async fn a_fifo_queue_asks_for_a_group_and_a_deduplication_id() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "strict.fifo", &[(Q::FifoQueue, "true")]).await;
    let message = || sqs.send_message().queue_url(&url).message_body("x");
    let error = message()
        .message_deduplication_id("1")
        .send()
        .await
        .expect_err("no group")
        .into_service_error();
    assert_eq!(error.code(), Some("MissingParameter"));
    let error = message()
        .message_group_id("a")
        .send()
        .await
        .expect_err("no id")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    let first = message()
        .message_group_id("a")
        .message_deduplication_id("1")
        .send()
        .await
        .expect("sent");
    let second = message()
        .message_group_id("a")
        .message_deduplication_id("2")
        .send()
        .await
        .expect("sent");
    assert!(first.sequence_number() < second.sequence_number());
    assert_eq!(first.sequence_number().map(str::len), Some(20));
    let error = sqs
        .create_queue()
        .queue_name("plain")
        .attributes(Q::FifoQueue, "true")
        .send()
        .await
        .expect_err("no suffix")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test(start_paused = true)]
async fn order_locks_and_deduplication_outlive_the_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = engine_in(directory.path()).await;
    let sqs = Client::new(&engine.sdk_config());
    let url = fifo(&sqs, &[]).await;
    let first = send(&sqs, &url, "a", "1").await;
    send(&sqs, &url, "a", "2").await;
    let leased = receive(&sqs, &url, 1).await.remove(0);
    drop((engine, sqs));
    let engine = engine_in(directory.path()).await;
    let sqs = Client::new(&engine.sdk_config());
    assert_eq!(send(&sqs, &url, "a", "1").await, first);
    assert!(receive(&sqs, &url, 10).await.is_empty());
    delete(&sqs, &url, &leased).await;
    assert_eq!(bodies(&receive(&sqs, &url, 10).await), ["2"]);
}
