//! What the tests share: engines, clients, a journal-like table.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType, StreamSpecification, StreamViewType,
};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use callboard_engine::{Clock, Engine, EngineConfig, State};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tower::ServiceExt;

/// An engine in memory, on tokio's clock.
pub async fn engine() -> Engine {
    Engine::open(EngineConfig {
        clock: clock(),
        ..EngineConfig::default()
    })
    .await
    .expect("an engine in memory opens")
}

/// An engine in a directory, on tokio's clock.
pub async fn engine_in(directory: &Path) -> Engine {
    Engine::open(EngineConfig {
        state: State::Directory(directory.to_owned()),
        clock: clock(),
        ..EngineConfig::default()
    })
    .await
    .expect("an engine in a directory opens")
}

/// Tokio's clock, set to a day in 2026.
pub fn clock() -> Clock {
    Clock::tokio(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S))
}

/// What the engine answers to a request, without a socket and without a signature of an SDK's.
pub async fn answer(engine: &Engine, request: Request<Body>) -> (StatusCode, String) {
    let Ok(answer) = engine.router().oneshot(request).await;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    let body = String::from_utf8(body.expect("a body").to_vec());
    (status, body.expect("a text"))
}

/// Where [`clock`] starts, in seconds since the epoch.
pub const NOW_S: u64 = 1_790_000_000;

pub fn s(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub fn n(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub fn item(pk: &str, sk: i64) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), n(sk))])
}

/// A table with key `pk` (S), `sk` (N) and a stream of new images; gives the stream's ARN.
pub async fn journal(db: &aws_sdk_dynamodb::Client, name: &str) -> String {
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
            .expect("complete")
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .expect("complete")
    };
    let table = db
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::NewImage)
                .build()
                .expect("complete"),
        )
        .send()
        .await
        .expect("a table is made");
    table
        .table_description
        .and_then(|table| table.latest_stream_arn)
        .expect("a stream's ARN")
}

/// A queue with these attributes; gives its URL.
pub async fn queue(
    sqs: &aws_sdk_sqs::Client,
    name: &str,
    attributes: &[(aws_sdk_sqs::types::QueueAttributeName, &str)],
) -> String {
    let mut request = sqs.create_queue().queue_name(name);
    for (name, value) in attributes {
        request = request.attributes(name.clone(), *value);
    }
    let queue = request.send().await.expect("a queue is made");
    queue.queue_url().expect("a URL").to_owned()
}
