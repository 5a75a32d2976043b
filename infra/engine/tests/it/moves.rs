//! SQS: dead letters moved back to their queues.

use crate::sqs::{bodies, count, receive, send};
use crate::support::{engine, engine_in, queue};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    ListMessageMoveTasksResultEntry, Message, MessageSystemAttributeName as A,
    QueueAttributeName as Q,
};
use std::time::Duration;

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

/// A queue and its dead-letter queue, to which everything goes that was received once.
async fn pair(sqs: &Client, name: &str, dead: &str, more: &[(Q, &str)]) -> (String, String) {
    let dlq = queue(sqs, dead, more).await;
    let policy = format!(
        r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":1}}"#,
        arn(dead)
    );
    let mut attributes = more.to_vec();
    attributes.push((Q::RedrivePolicy, &policy));
    (queue(sqs, name, &attributes).await, dlq)
}

/// Lets what waits in a queue become dead.
async fn die(sqs: &Client, url: &str) -> Vec<Message> {
    let mut seen = Vec::new();
    loop {
        let messages = receive(sqs, url, 10).await;
        if messages.is_empty() {
            break;
        }
        seen.extend(messages);
    }
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert!(receive(sqs, url, 10).await.is_empty());
    seen
}

async fn list(sqs: &Client, dead: &str) -> Vec<ListMessageMoveTasksResultEntry> {
    let request = sqs.list_message_move_tasks().source_arn(arn(dead));
    let answer = request.max_results(10).send().await.expect("listed");
    answer.results.unwrap_or_default()
}

/// Status, moved, to move.
fn told(task: &ListMessageMoveTasksResultEntry) -> (&str, i64, Option<i64>) {
    (
        task.status().unwrap_or_default(),
        task.approximate_number_of_messages_moved(),
        task.approximate_number_of_messages_to_move(),
    )
}

#[tokio::test(start_paused = true)]
async fn dead_letters_go_back_to_where_they_came_from_at_the_rate_asked_for() {
    let sqs = Client::new(&engine().await.sdk_config());
    let (first, dlq) = pair(&sqs, "first", "dead", &[]).await;
    let (second, _) = pair(&sqs, "second", "dead", &[]).await;
    for number in 0..3 {
        send(&sqs, &first, &format!("1-{number}")).await;
    }
    send(&sqs, &second, "2-0").await;
    let dead = die(&sqs, &first).await;
    die(&sqs, &second).await;
    assert_eq!(count(&sqs, &dlq).await, [4, 0, 0]);
    let start = || {
        let request = sqs.start_message_move_task().source_arn(arn("dead"));
        request.max_number_of_messages_per_second(2).send()
    };
    let started = start().await.expect("started");
    let tasks = list(&sqs, "dead").await;
    assert_eq!(told(&tasks[0]), ("RUNNING", 0, Some(4)));
    assert_eq!(tasks[0].task_handle(), started.task_handle());
    assert_eq!(tasks[0].destination_arn(), None);
    assert_eq!(tasks[0].max_number_of_messages_per_second(), Some(2));
    let error = start()
        .await
        .expect_err("one at a time")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(told(&list(&sqs, "dead").await[0]), ("RUNNING", 2, Some(4)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tasks = list(&sqs, "dead").await;
    assert_eq!(told(&tasks[0]), ("COMPLETED", 4, Some(4)));
    assert_eq!(tasks[0].task_handle(), None, "only a running task has one");
    assert_eq!(count(&sqs, &dlq).await, [0, 0, 0]);
    let back = receive(&sqs, &first, 10).await;
    let mut texts = bodies(&back);
    texts.sort_unstable();
    assert_eq!(texts, ["1-0", "1-1", "1-2"]);
    let attributes = back[0].attributes().expect("attributes");
    assert_eq!(attributes[&A::ApproximateReceiveCount], "1");
    assert!(!attributes.contains_key(&A::DeadLetterQueueSourceArn));
    assert!(
        dead.iter()
            .all(|old| old.message_id() != back[0].message_id()),
        "a moved message is a new one"
    );
    assert_eq!(bodies(&receive(&sqs, &second, 10).await), ["2-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_move_can_be_cancelled_and_refuses_what_does_not_fit() {
    let sqs = Client::new(&engine().await.sdk_config());
    let (source, _) = pair(&sqs, "letters", "dead", &[]).await;
    queue(&sqs, "other", &[]).await;
    for number in 0..5 {
        send(&sqs, &source, &number.to_string()).await;
    }
    die(&sqs, &source).await;
    let request = |from: &str| sqs.start_message_move_task().source_arn(arn(from));
    let refusals = [
        (
            request("letters"),
            "InvalidParameterValue",
            "Dead Letter Queue",
        ),
        (request("nowhere"), "ResourceNotFoundException", "SourceArn"),
        (
            request("dead").destination_arn(arn("nowhere")),
            "ResourceNotFoundException",
            "DestinationArn",
        ),
        (
            request("dead").max_number_of_messages_per_second(501),
            "InvalidParameterValue",
            "MaxNumberOfMessagesPerSecond",
        ),
    ];
    for (request, code, words) in refusals {
        let error = request.send().await.expect_err(words).into_service_error();
        assert_eq!(error.code(), Some(code), "{error:?}");
        assert!(
            error.message().unwrap_or_default().contains(words),
            "{error:?}"
        );
    }
    let started = request("dead")
        .destination_arn(arn("other"))
        .max_number_of_messages_per_second(1)
        .send()
        .await
        .expect("started");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let cancel = |handle: &str| sqs.cancel_message_move_task().task_handle(handle).send();
    let handle = started.task_handle().expect("a handle");
    let cancelled = cancel(handle).await.expect("cancelled");
    assert_eq!(cancelled.approximate_number_of_messages_moved(), 2);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(
        told(&list(&sqs, "dead").await[0]),
        ("CANCELLED", 2, Some(5))
    );
    let error = cancel(handle).await.expect_err("over").into_service_error();
    assert!(error.is_unsupported_operation(), "{error:?}");
    let error = cancel("x")
        .await
        .expect_err("no handle")
        .into_service_error();
    assert_eq!(
        error.message(),
        Some("Value for parameter TaskHandle is invalid.")
    );
}

#[tokio::test(start_paused = true)]
async fn a_move_goes_on_after_a_restart_and_fails_when_its_destination_is_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = engine_in(directory.path()).await;
    let sqs = Client::new(&first.sdk_config());
    let (source, _) = pair(&sqs, "letters", "dead", &[]).await;
    for number in 0..5 {
        send(&sqs, &source, &number.to_string()).await;
    }
    die(&sqs, &source).await;
    let request = sqs.start_message_move_task().source_arn(arn("dead"));
    let request = request.max_number_of_messages_per_second(1);
    request.send().await.expect("started");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    drop((first, sqs));
    let second = engine_in(directory.path()).await;
    let sqs = Client::new(&second.sdk_config());
    assert_eq!(told(&list(&sqs, "dead").await[0]), ("RUNNING", 2, Some(5)));
    // The second engine's clock begins anew, some seconds before the first one's end.
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(
        told(&list(&sqs, "dead").await[0]),
        ("COMPLETED", 5, Some(5))
    );
    die(&sqs, &source).await;
    sqs.start_message_move_task()
        .source_arn(arn("dead"))
        .max_number_of_messages_per_second(1)
        .send()
        .await
        .expect("started");
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}"#;
    queue(&sqs, "keeps-it-a-dlq", &[(Q::RedrivePolicy, policy)]).await;
    sqs.delete_queue()
        .queue_url(&source)
        .send()
        .await
        .expect("deleted");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tasks = list(&sqs, "dead").await;
    assert_eq!(told(&tasks[0]), ("FAILED", 0, Some(5)));
    assert_eq!(
        tasks[0].failure_reason(),
        Some("AWS.SimpleQueueService.NonExistentQueue")
    );
}

#[tokio::test(start_paused = true)]
async fn a_fifo_move_keeps_the_order_and_gives_new_deduplication_ids() {
    let sqs = Client::new(&engine().await.sdk_config());
    let kind = [
        (Q::FifoQueue, "true"),
        (Q::ContentBasedDeduplication, "true"),
    ];
    let (source, dlq) = pair(&sqs, "letters.fifo", "dead.fifo", &kind).await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
        let message = sqs.send_message().queue_url(&source).message_body(body);
        message.message_group_id(group).send().await.expect("sent");
    }
    let dead = die(&sqs, &source).await;
    assert_eq!(count(&sqs, &dlq).await, [3, 0, 0]);
    let request = sqs.start_message_move_task().source_arn(arn("dead.fifo"));
    request.send().await.expect("started");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        told(&list(&sqs, "dead.fifo").await[0]),
        ("COMPLETED", 3, Some(3))
    );
    let back = receive(&sqs, &source, 10).await;
    let of = |group: &str| -> Vec<&str> {
        let all = bodies(&back);
        all.into_iter()
            .filter(|body| body.starts_with(group))
            .collect()
    };
    assert_eq!((of("a"), of("b")), (vec!["a1", "a2"], vec!["b1"]));
    let dedup =
        |message: &Message| message.attributes().expect("all")[&A::MessageDeduplicationId].clone();
    assert!(
        back.iter()
            .all(|new| dead.iter().all(|old| dedup(old) != dedup(new)))
    );
}
