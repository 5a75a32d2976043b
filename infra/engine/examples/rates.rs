//! Calls per second through the AWS SDK, by one client: `cargo run -p callboard-engine --example
//! rates -- [DIRECTORY [served]]`. Without a directory (or with `-`) the engine is in memory; with
//! `served` the calls go over a socket, else in process.

#![allow(clippy::print_stdout, clippy::expect_used)]

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put,
    ScalarAttributeType, StreamSpecification, StreamViewType, TransactWriteItem,
};
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use aws_sdk_sqs::types::QueueAttributeName as Q;
use callboard_engine::{Engine, EngineConfig, State};
use std::future::Future;
use std::time::{Duration, Instant};

/// How long each measurement runs.
const EACH: Duration = Duration::from_secs(2);
const BACKLOG: usize = 20_000;

async fn rate<F: Future>(what: &str, mut call: impl FnMut(usize) -> F) {
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < EACH {
        call(calls).await;
        calls += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{what:<58} {:>8.0}/s", calls as f64 / seconds);
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let state = match arguments.first().map(String::as_str) {
        None | Some("-") => State::Ephemeral,
        Some(directory) => State::Directory(directory.into()),
    };
    let start = Instant::now();
    let engine = Engine::open(EngineConfig {
        state,
        ..EngineConfig::default()
    })
    .await
    .expect("an engine");
    let opened = start.elapsed().as_secs_f64() * 1000.0;
    println!("{:<58} {opened:>8.1} ms", "open");
    let mut config = engine.sdk_config();
    if arguments.get(1).is_some_and(|served| served == "served") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn({
            let engine = engine.clone();
            async move { engine.serve(listener, std::future::pending()).await }
        });
        let mut served = config.into_builder();
        served.set_http_client(None).set_endpoint_url(Some(url));
        config = served.build();
    }
    dynamo(&config).await;
    queues(&config).await;
    topics(&config).await;
}

fn item(pk: String) -> std::collections::HashMap<String, AttributeValue> {
    [
        ("pk".to_owned(), AttributeValue::S(pk)),
        ("sk".to_owned(), AttributeValue::N("1".to_owned())),
        ("body".to_owned(), AttributeValue::S("x".repeat(600))),
    ]
    .into()
}

async fn table(db: &aws_sdk_dynamodb::Client) -> String {
    let attribute = |name: &str, kind| {
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind);
        attribute.build().expect("complete")
    };
    let key = |name: &str, kind| {
        let key = KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind);
        key.build().expect("complete")
    };
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewImage)
        .build()
        .expect("complete");
    db.create_table()
        .table_name("journal")
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream)
        .send()
        .await
        .expect("a table")
        .table_description
        .and_then(|table| table.latest_stream_arn)
        .expect("a stream")
}

async fn dynamo(config: &SdkConfig) {
    let db = aws_sdk_dynamodb::Client::new(config);
    let streams = aws_sdk_dynamodbstreams::Client::new(config);
    let arn = table(&db).await;
    let put = |name: &'static str, number: usize| {
        db.put_item()
            .table_name("journal")
            .set_item(Some(item(format!("{name}{number}"))))
            .condition_expression("attribute_not_exists(pk)")
            .send()
    };
    rate("conditional put with stream", |n| async move {
        put("a", n).await.expect("written");
    })
    .await;
    for n in 0..BACKLOG {
        put("b", n).await.expect("written");
    }
    rate(
        "conditional put with stream, 20 000 records later",
        |n| async move {
            put("c", n).await.expect("written");
        },
    )
    .await;
    let db = &db;
    rate("transaction on two items with stream", |n| async move {
        let action = |name: &str| {
            let put = Put::builder()
                .table_name("journal")
                .set_item(Some(item(format!("{name}{n}"))))
                .condition_expression("attribute_not_exists(pk)");
            TransactWriteItem::builder()
                .put(put.build().expect("complete"))
                .build()
        };
        let both = db.transact_write_items().transact_items(action("d"));
        both.transact_items(action("e"))
            .send()
            .await
            .expect("written");
    })
    .await;
    rate("get by key", |n| async move {
        let mut key = item(format!("b{}", n % BACKLOG));
        key.remove("body");
        db.get_item()
            .table_name("journal")
            .set_key(Some(key))
            .send()
            .await
            .expect("read");
    })
    .await;
    let described = streams.describe_stream().stream_arn(&arn).send().await;
    let description = described.expect("described").stream_description;
    let shards = description
        .and_then(|stream| stream.shards)
        .unwrap_or_default();
    let shard = shards[0].shard_id().expect("an id");
    let new_iterator = || {
        let request = streams
            .get_shard_iterator()
            .stream_arn(&arn)
            .shard_id(shard);
        request
            .shard_iterator_type(ShardIteratorType::Latest)
            .send()
    };
    rate("new shard iterator at the latest record", |_| async {
        new_iterator().await.expect("an iterator");
    })
    .await;
    let latest = new_iterator().await.expect("an iterator").shard_iterator;
    let (streams, latest) = (&streams, &latest);
    rate("read of a stream: empty", |_| async move {
        let request = streams.get_records().set_shard_iterator(latest.clone());
        request.send().await.expect("read");
    })
    .await;
}

async fn cycle(sqs: &aws_sdk_sqs::Client, url: &str, group: Option<String>, number: usize) {
    let dedup = group.as_ref().map(|_| number.to_string());
    sqs.send_message()
        .queue_url(url)
        .message_body("x".repeat(600))
        .set_message_group_id(group)
        .set_message_deduplication_id(dedup)
        .send()
        .await
        .expect("sent");
    let received = sqs
        .receive_message()
        .queue_url(url)
        .send()
        .await
        .expect("received");
    let handle = received.messages()[0].receipt_handle().expect("a handle");
    sqs.delete_message()
        .queue_url(url)
        .receipt_handle(handle)
        .send()
        .await
        .expect("deleted");
}

async fn queues(config: &SdkConfig) {
    let sqs = &aws_sdk_sqs::Client::new(config);
    let make = |name: &'static str| sqs.create_queue().queue_name(name);
    let plain = make("plain").send().await.expect("a queue");
    let plain = plain.queue_url().expect("a URL");
    let fifo = make("ordered.fifo")
        .attributes(Q::FifoQueue, "true")
        .send()
        .await
        .expect("a queue");
    let fifo = fifo.queue_url().expect("a URL");
    rate("send + receive + delete", |n| cycle(sqs, plain, None, n)).await;
    rate("send + receive + delete, FIFO", |n| {
        cycle(sqs, fifo, Some((n % 100).to_string()), n)
    })
    .await;
    rate("send", |_| async move {
        sqs.send_message()
            .queue_url(plain)
            .message_body("x".repeat(600))
            .send()
            .await
            .expect("sent");
    })
    .await;
    for n in 0..BACKLOG {
        let message = sqs.send_message().queue_url(fifo).message_body("x");
        let message = message.message_group_id((n % 100).to_string());
        message
            .message_deduplication_id(format!("b{n}"))
            .send()
            .await
            .expect("sent");
    }
    rate("send + receive + delete, with a backlog", |n| {
        cycle(sqs, plain, None, n)
    })
    .await;
    rate("send + receive + delete, FIFO, with a backlog", |n| {
        cycle(sqs, fifo, Some((n % 100).to_string()), n + BACKLOG * 100)
    })
    .await;
    rate("empty receive", |_| async move {
        let empty = sqs
            .create_queue()
            .queue_name("empty")
            .send()
            .await
            .expect("a queue");
        sqs.receive_message()
            .queue_url(empty.queue_url().expect("a URL"))
            .send()
            .await
            .expect("none");
    })
    .await;
}

async fn topics(config: &SdkConfig) {
    let sns = &aws_sdk_sns::Client::new(config);
    let sqs = &aws_sdk_sqs::Client::new(config);
    let topic = sns
        .create_topic()
        .name("events")
        .send()
        .await
        .expect("a topic");
    let topic = topic.topic_arn().expect("an ARN");
    for number in 0..10 {
        let name = format!("reader-{number}");
        sqs.create_queue()
            .queue_name(&name)
            .send()
            .await
            .expect("a queue");
        let subscription = sns.subscribe().topic_arn(topic).protocol("sqs");
        subscription
            .endpoint(format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
            .attributes("RawMessageDelivery", "true")
            .attributes("FilterPolicy", r#"{"type":["x"]}"#)
            .send()
            .await
            .expect("subscribed");
        if number == 0 || number == 9 {
            rate(
                &format!("publish to {} filtered subscriptions", number + 1),
                |_| async move {
                    let kind = aws_sdk_sns::types::MessageAttributeValue::builder()
                        .data_type("String")
                        .string_value("x")
                        .build()
                        .expect("complete");
                    let message = sns.publish().topic_arn(topic).message("x".repeat(600));
                    message
                        .message_attributes("type", kind)
                        .send()
                        .await
                        .expect("published");
                },
            )
            .await;
        }
    }
}
