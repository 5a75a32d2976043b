//! SQS: sending, receiving, settling, batches, limits.

use crate::support::{engine, queue};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use std::time::Duration;

pub async fn receive(sqs: &Client, url: &str, max: i32) -> Vec<Message> {
    sqs.receive_message()
        .queue_url(url)
        .max_number_of_messages(max)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await
        .expect("received")
        .messages
        .unwrap_or_default()
}

pub async fn send(sqs: &Client, url: &str, body: &str) {
    sqs.send_message()
        .queue_url(url)
        .message_body(body)
        .send()
        .await
        .expect("sent");
}

pub fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

fn handle(message: &Message) -> &str {
    message.receipt_handle().expect("a handle")
}

fn receives(message: &Message) -> &str {
    &message.attributes().expect("attributes")[&MessageSystemAttributeName::ApproximateReceiveCount]
}

pub async fn delete(sqs: &Client, url: &str, message: &Message) {
    sqs.delete_message()
        .queue_url(url)
        .receipt_handle(handle(message))
        .send()
        .await
        .expect("deleted");
}

pub async fn count(sqs: &Client, url: &str) -> [i64; 3] {
    use QueueAttributeName as Q;
    let names = [
        Q::ApproximateNumberOfMessages,
        Q::ApproximateNumberOfMessagesNotVisible,
        Q::ApproximateNumberOfMessagesDelayed,
    ];
    let answer = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(Q::All)
        .send()
        .await
        .expect("described");
    let attributes = answer.attributes().expect("attributes");
    names.map(|name| attributes[&name].parse().expect("a number"))
}

#[tokio::test(start_paused = true)]
async fn a_message_is_hidden_while_leased_and_comes_back_counted() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    send(&sqs, &url, "one").await;
    let first = receive(&sqs, &url, 10).await;
    assert_eq!(bodies(&first), ["one"]);
    assert_eq!(receives(&first[0]), "1");
    assert!(receive(&sqs, &url, 10).await.is_empty());
    assert_eq!(count(&sqs, &url).await, [0, 1, 0]);
    tokio::time::advance(Duration::from_secs(31)).await;
    let second = receive(&sqs, &url, 10).await;
    assert_eq!(receives(&second[0]), "2");
    delete(&sqs, &url, &first[0]).await;
    assert_eq!(
        count(&sqs, &url).await,
        [0, 1, 0],
        "a stale handle deletes nothing"
    );
    delete(&sqs, &url, &second[0]).await;
    assert_eq!(count(&sqs, &url).await, [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn visibility_can_be_lengthened_and_given_up() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    send(&sqs, &url, "one").await;
    let message = receive(&sqs, &url, 1).await.remove(0);
    let change = |seconds: i32| {
        sqs.change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle(&message))
            .visibility_timeout(seconds)
            .send()
    };
    change(100).await.expect("longer");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(receive(&sqs, &url, 1).await.is_empty());
    let error = change(43_200)
        .await
        .expect_err("12 hours in all")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    change(0).await.expect("given up");
    let error = change(10)
        .await
        .expect_err("no longer in flight")
        .into_service_error();
    assert!(error.is_message_not_inflight(), "{error:?}");
    assert_eq!(receive(&sqs, &url, 1).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_the_arrival_of_a_message_or_of_its_time() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(
        &sqs,
        "letters",
        &[(QueueAttributeName::ReceiveMessageWaitTimeSeconds, "20")],
    )
    .await;
    let poll = |sqs: Client, url: String| async move {
        let start = tokio::time::Instant::now();
        let messages = receive(&sqs, &url, 10).await;
        (bodies(&messages).join(","), start.elapsed().as_secs())
    };
    assert_eq!(poll(sqs.clone(), url.clone()).await, (String::new(), 20));
    let waiting = tokio::spawn(poll(sqs.clone(), url.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    send(&sqs, &url, "at once").await;
    assert_eq!(waiting.await.expect("ends"), ("at once".to_owned(), 5));
    sqs.send_message()
        .queue_url(&url)
        .message_body("later")
        .delay_seconds(7)
        .send()
        .await
        .expect("sent");
    assert_eq!(
        poll(sqs.clone(), url.clone()).await,
        ("later".to_owned(), 7),
        "a delay ends the wait"
    );
    assert_eq!(count(&sqs, &url).await, [0, 2, 0]);
    // The lease of the first ends 30 s after its receive, 7 s ago.
    let (_, waited) = poll(sqs.clone(), url.clone()).await;
    assert_eq!(waited, 20);
    assert_eq!(
        poll(sqs, url).await,
        ("at once".to_owned(), 3),
        "a lease's end ends the wait"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_received_too_often_is_found_in_the_dead_letter_queue() {
    let sqs = Client::new(&engine().await.sdk_config());
    let dlq = queue(&sqs, "letters-dlq", &[]).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:letters-dlq","maxReceiveCount":2}"#;
    let url = queue(
        &sqs,
        "letters",
        &[(QueueAttributeName::RedrivePolicy, policy)],
    )
    .await;
    send(&sqs, &url, "poison").await;
    let first = receive(&sqs, &url, 1).await;
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(receive(&sqs, &url, 1).await.len(), 1);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(receive(&sqs, &url, 1).await.is_empty());
    let dead = receive(&sqs, &dlq, 1).await;
    assert_eq!(dead[0].message_id(), first[0].message_id());
    assert_eq!(receives(&dead[0]), "3");
    let attributes = dead[0].attributes().expect("attributes");
    assert_eq!(
        attributes[&MessageSystemAttributeName::DeadLetterQueueSourceArn],
        "arn:aws:sqs:us-east-1:000000000000:letters"
    );
    let sources = sqs
        .list_dead_letter_source_queues()
        .queue_url(&dlq)
        .send()
        .await
        .expect("listed");
    assert_eq!(sources.queue_urls(), std::slice::from_ref(&url));
    let missing = policy.replace("letters-dlq", "nowhere");
    let error = sqs
        .set_queue_attributes()
        .queue_url(&url)
        .attributes(QueueAttributeName::RedrivePolicy, missing)
        .send()
        .await
        .expect_err("no such target")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test(start_paused = true)]
async fn attributes_come_back_with_digests_that_the_sdk_can_check() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    let string = |value: &str| {
        MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()
            .expect("complete")
    };
    let sent = sqs
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .message_attributes("type", string("slot-released"))
        .message_attributes("channel", string("email"))
        .send()
        .await
        .expect("sent");
    assert_eq!(
        sent.md5_of_message_body(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );
    let all = receive(&sqs, &url, 1).await.remove(0);
    assert_eq!(
        all.md5_of_message_attributes(),
        sent.md5_of_message_attributes()
    );
    assert_eq!(all.message_attributes().expect("two").len(), 2);
    tokio::time::advance(Duration::from_secs(31)).await;
    let some = sqs
        .receive_message()
        .queue_url(&url)
        .message_attribute_names("ty.*")
        .send()
        .await
        .expect("received");
    let names: Vec<_> = some.messages()[0]
        .message_attributes()
        .expect("one")
        .keys()
        .collect();
    assert_eq!(names, ["type"]);
    assert!(some.messages()[0].attributes().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_checked_as_a_whole_and_then_entry_by_entry() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    let entry = |id: &str, body: &str| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(body)
            .build()
            .expect("complete")
    };
    let send = |entries: Vec<SendMessageBatchRequestEntry>| {
        sqs.send_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries))
            .send()
    };
    let answer = send(vec![entry("a", "fine"), entry("b", "\u{1}")])
        .await
        .expect("answered");
    assert_eq!(answer.successful()[0].id(), "a");
    assert_eq!(answer.failed()[0].id(), "b");
    assert_eq!(answer.failed()[0].code(), "InvalidMessageContents");
    let half = "x".repeat(600 * 1024);
    let refusals = [
        (vec![], "AWS.SimpleQueueService.EmptyBatchRequest"),
        (
            vec![entry("a", "1"), entry("a", "2")],
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        ),
        (
            vec![entry("a b", "1")],
            "AWS.SimpleQueueService.InvalidBatchEntryId",
        ),
        (
            (0..11).map(|i| entry(&i.to_string(), "1")).collect(),
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ),
        (
            vec![entry("a", &half), entry("b", &half)],
            "AWS.SimpleQueueService.BatchRequestTooLong",
        ),
    ];
    for (entries, code) in refusals {
        let error = send(entries).await.expect_err(code).into_service_error();
        assert_eq!(error.code(), Some(code));
    }
    let received = receive(&sqs, &url, 10).await;
    let answer = sqs
        .delete_message_batch()
        .queue_url(&url)
        .entries(
            DeleteMessageBatchRequestEntry::builder()
                .id("good")
                .receipt_handle(handle(&received[0]))
                .build()
                .expect("complete"),
        )
        .entries(
            DeleteMessageBatchRequestEntry::builder()
                .id("bad")
                .receipt_handle("nonsense")
                .build()
                .expect("complete"),
        )
        .send()
        .await
        .expect("answered");
    assert_eq!(answer.successful()[0].id(), "good");
    assert_eq!(answer.failed()[0].code(), "ReceiptHandleIsInvalid");
    assert_eq!(count(&sqs, &url).await, [0, 0, 0]);
}

#[test]
fn a_queue_that_is_its_own_dead_letter_queue_keeps_its_messages() {
    // On a thread of its own: what is guarded against is a receive that never ends.
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let engine = engine().await;
            let sqs = Client::new(&engine.sdk_config());
            for (name, fifo) in [("own", false), ("own.fifo", true)] {
                let kind: &[_] = if fifo {
                    &[(QueueAttributeName::FifoQueue, "true")]
                } else {
                    &[]
                };
                let url = queue(&sqs, name, kind).await;
                let policy = format!(
                    r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{name}","maxReceiveCount":1}}"#
                );
                sqs.set_queue_attributes()
                    .queue_url(&url)
                    .attributes(QueueAttributeName::RedrivePolicy, policy)
                    .send()
                    .await
                    .expect("set");
                let mut message = sqs.send_message().queue_url(&url).message_body("a");
                if fifo {
                    message = message.message_group_id("g").message_deduplication_id("a");
                }
                message.send().await.expect("sent");
                for count in ["1", "2", "3"] {
                    let received = receive(&sqs, &url, 10).await;
                    assert_eq!(received.len(), 1, "{name} {count}");
                    tokio::time::sleep(Duration::from_secs(31)).await;
                }
            }
        });
        let _ = done.send(());
    });
    finished
        .recv_timeout(Duration::from_secs(20))
        .expect("every receive ends");
}
