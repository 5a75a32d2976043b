//! What CloudWatch tells of queues.

use std::time::Duration;

use crate::sqs::{delete, receive, send};
use crate::support::{engine, queue};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use callboard_engine::Engine;
use serde_json::{Value, json};
use tower::ServiceExt;

async fn ask(engine: &Engine, operation: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::post("/")
        .header("content-type", "application/x-amz-json-1.0")
        .header(
            "x-amz-target",
            format!("GraniteServiceVersion20100801.{operation}"),
        )
        .body(Body::from(body.to_string()))
        .expect("a request");
    let answer = engine.router().oneshot(request).await.expect("answered");
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1_000_000).await.expect("read");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

/// The newest value of a metric of a queue.
async fn metric(engine: &Engine, name: &str, queue: &str) -> Option<i64> {
    let metric = json!({
        "Namespace": "AWS/SQS", "MetricName": name,
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
    });
    let request = json!({
        "StartTime": 1_800_000_000, "EndTime": 1_800_000_900,
        "MetricDataQueries": [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}],
    });
    let (status, answer) = ask(engine, "GetMetricData", &request).await;
    assert_eq!(status, 200, "{answer}");
    let result = &answer["MetricDataResults"][0];
    assert_eq!(result["Id"], "m");
    result["Values"].get(0).and_then(Value::as_i64)
}

async fn age(engine: &Engine, queue: &str) -> Option<i64> {
    metric(engine, "ApproximateAgeOfOldestMessage", queue).await
}

#[tokio::test(start_paused = true)]
async fn the_oldest_message_ages_until_it_is_deleted_received_or_not() {
    let engine = engine().await;
    let sqs = Client::new(&engine.sdk_config());
    let url = queue(&sqs, "jobs", &[]).await;
    assert_eq!(age(&engine, "jobs").await, Some(0));
    send(&sqs, &url, "first").await;
    tokio::time::advance(Duration::from_secs(60)).await;
    send(&sqs, &url, "second").await;
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(age(&engine, "jobs").await, Some(90));
    let first = receive(&sqs, &url, 1).await;
    assert_eq!(age(&engine, "jobs").await, Some(90), "under a lease");
    let seen = metric(&engine, "ApproximateNumberOfMessagesVisible", "jobs").await;
    let leased = metric(&engine, "ApproximateNumberOfMessagesNotVisible", "jobs").await;
    assert_eq!((seen, leased), (Some(1), Some(1)));
    delete(&sqs, &url, &first[0]).await;
    assert_eq!(age(&engine, "jobs").await, Some(30));
}

#[tokio::test(start_paused = true)]
async fn of_a_fifo_queue_the_oldest_of_all_groups_counts() {
    let engine = engine().await;
    let sqs = Client::new(&engine.sdk_config());
    let fifo = [(QueueAttributeName::FifoQueue, "true")];
    let url = queue(&sqs, "jobs.fifo", &fifo).await;
    for (group, wait) in [("a", 40), ("b", 20)] {
        let call = sqs.send_message().queue_url(&url).message_body("x");
        let call = call.message_group_id(group).message_deduplication_id(group);
        call.send().await.expect("sent");
        tokio::time::advance(Duration::from_secs(wait)).await;
    }
    assert_eq!(age(&engine, "jobs.fifo").await, Some(60));
    let messages = receive(&sqs, &url, 1).await;
    assert_eq!(age(&engine, "jobs.fifo").await, Some(60), "under a lease");
    delete(&sqs, &url, &messages[0]).await;
    assert_eq!(age(&engine, "jobs.fifo").await, Some(20));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reports_has_no_value_and_what_is_not_served_is_refused() {
    let engine = engine().await;
    assert_eq!(age(&engine, "nobody").await, None);
    assert_eq!(metric(&engine, "IteratorAge", "nobody").await, None);
    let (status, answer) = ask(&engine, "PutMetricAlarm", &json!({})).await;
    assert_eq!(status, 400);
    assert!(
        answer["__type"]
            .as_str()
            .is_some_and(|code| code.contains("UnknownOperation"))
    );
    let expression = json!({
        "StartTime": 0, "EndTime": 60,
        "MetricDataQueries": [{"Id": "e", "Expression": "MAX(METRICS())"}],
    });
    let (status, answer) = ask(&engine, "GetMetricData", &expression).await;
    assert_eq!(
        (status, &answer["__type"]),
        (StatusCode::BAD_REQUEST, &json!("ValidationError"))
    );
}
