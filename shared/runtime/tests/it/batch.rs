//! Batches against real queues: dead letters, visibility, and what is told to Lambda.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use callboard_runtime::Failure;
use callboard_runtime::batch::{Batch, MAX_TRIES, SqsRecord};
use callboard_runtime::function;
use callboard_runtime::metrics::Metric;
use callboard_testkit::{Fault, Measured, Message, QueuePair, World, sqs_event};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

fn decode(record: &SqsRecord) -> Result<Value, Failure> {
    serde_json::from_str(&record.body).map_err(|_| Failure::poison("not JSON"))
}

/// Does what the body says.
async fn obey(
    record: callboard_runtime::batch::Record<Value>,
    now: callboard_runtime::Timestamp,
) -> Result<(), Failure> {
    match record.value["do"].as_str() {
        Some("refuse") => Err(Failure::terminal("refused by rule 7")),
        Some("retry") => Err(Failure::retryable("throttled")),
        Some("hold") => Err(Failure::hold_until(now.plus(Duration::from_secs(9)))),
        Some("panic") => panic!("as told"),
        _ => Ok(()),
    }
}

async fn handle(world: &World, queues: &QueuePair, event: Value) -> Vec<String> {
    let fifo = queues.url.ends_with(".fifo");
    let batch = if fifo {
        Batch::fifo(event, decode)
    } else {
        Batch::sqs(event, decode)
    }
    .expect("a batch");
    let now = world.now();
    let batch = batch.stage(4, |record| obey(record, now)).await;
    let answer = batch.finish(&world.outlet(queues, "parcel-clerk")).await;
    let failures = answer["batchItemFailures"]
        .as_array()
        .expect("a list")
        .clone();
    failures
        .iter()
        .map(|failure| {
            failure["itemIdentifier"]
                .as_str()
                .expect("an id")
                .to_owned()
        })
        .collect()
}

async fn send(world: &World, url: &str, body: &str, group: Option<&str>) {
    let call = world
        .sqs()
        .send_message()
        .queue_url(url)
        .message_body(body)
        .set_message_group_id(group.map(Into::into));
    let call = call.set_message_deduplication_id(group.map(|_| uuid::Uuid::new_v4().to_string()));
    call.send().await.expect("it is sent");
}

fn records(event: &Value) -> Vec<Value> {
    event["Records"].as_array().expect("records").clone()
}

fn attribute<'a>(record: &'a Value, name: &str) -> &'a str {
    record["messageAttributes"][name]["stringValue"]
        .as_str()
        .unwrap_or("absent")
}

#[tokio::test(start_paused = true)]
async fn poison_goes_to_the_dead_letters_with_its_reason_and_its_neighbours_are_done() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    for body in [r#"{"do":"work"}"#, "{not json", r#"{"do":"refuse"}"#] {
        send(&world, &queues.url, body, None).await;
    }
    let failures = handle(&world, &queues, world.receive(&queues.url).await).await;
    assert!(failures.is_empty(), "all three are handled: {failures:?}");
    let mut dead = records(&world.receive(&queues.dlq_url).await);
    dead.sort_by_key(|record| record["body"].as_str().unwrap_or_default().len());
    assert_eq!(dead.len(), 2);
    assert_eq!(dead[0]["body"], "{not json");
    let told = |record, name| attribute(record, name).to_owned();
    assert_eq!(told(&dead[0], "callboard-reason"), "not JSON");
    assert_eq!(told(&dead[0], "callboard-error-class"), "poison");
    assert_eq!(told(&dead[1], "callboard-reason"), "refused by rule 7");
    assert_eq!(told(&dead[1], "callboard-error-class"), "terminal");
    assert_eq!(told(&dead[1], "callboard-function"), "parcel-clerk");
    assert_eq!(told(&dead[1], "callboard-attempt"), "1");
}

#[tokio::test(start_paused = true)]
async fn original_attributes_travel_with_a_dead_letter_and_the_correlation_id_too() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    let mut message = Message::new("{poison")
        .attribute("type", "test.parcel.noted.v1")
        .attribute("correlationid", "k-1");
    for n in 0..8 {
        message = message.attribute(&format!("extra-{n}"), "v");
    }
    assert!(
        handle(&world, &queues, sqs_event(&[message]))
            .await
            .is_empty()
    );
    let dead = records(&world.receive(&queues.dlq_url).await);
    assert_eq!(
        dead[0]["messageAttributes"]
            .as_object()
            .map(serde_json::Map::len),
        Some(10)
    );
    assert_eq!(attribute(&dead[0], "type"), "test.parcel.noted.v1");
    assert_eq!(attribute(&dead[0], "correlationid"), "k-1");
}

#[tokio::test(start_paused = true)]
async fn a_retryable_failure_comes_back_until_its_last_try_and_then_is_dead_lettered() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    send(&world, &queues.url, r#"{"do":"retry"}"#, None).await;
    for attempt in 1..=MAX_TRIES {
        let event = world.receive(&queues.url).await;
        assert_eq!(records(&event).len(), 1, "try {attempt}");
        let failures = handle(&world, &queues, event).await;
        assert_eq!(
            failures.len(),
            usize::from(attempt < MAX_TRIES),
            "try {attempt}"
        );
        world.advance(Duration::from_secs(121)).await;
    }
    let dead = records(&world.receive(&queues.dlq_url).await);
    assert_eq!(dead.len(), 1);
    assert_eq!(attribute(&dead[0], "callboard-reason"), "throttled");
    assert_eq!(attribute(&dead[0], "callboard-error-class"), "retryable");
    assert_eq!(attribute(&dead[0], "callboard-attempt"), "5");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_one_try_of_its_own_record() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    let first = [
        Message::new(r#"{"do":"panic"}"#).id("p"),
        Message::new(r#"{"do":"work"}"#).id("w"),
    ];
    assert_eq!(handle(&world, &queues, sqs_event(&first)).await, ["p"]);
    let last = [Message::new(r#"{"do":"panic"}"#)
        .id("p")
        .receive_count(MAX_TRIES)];
    assert!(handle(&world, &queues, sqs_event(&last)).await.is_empty());
    let dead = records(&world.receive(&queues.dlq_url).await);
    assert_eq!(attribute(&dead[0], "callboard-error-class"), "panic");
    assert_eq!(
        attribute(&dead[0], "callboard-reason"),
        "the handler panicked",
        "its text is not told"
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_message_waits_for_the_leases_end_and_is_never_dead_lettered() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    send(&world, &queues.url, r#"{"do":"hold"}"#, None).await;
    for _ in 0..MAX_TRIES + 2 {
        let event = world.receive(&queues.url).await;
        assert_eq!(handle(&world, &queues, event).await.len(), 1);
        world.advance(Duration::from_secs(8)).await;
        assert!(
            records(&world.receive(&queues.url).await).is_empty(),
            "the lease is still alive"
        );
        world.advance(Duration::from_secs(5)).await;
    }
    assert!(records(&world.receive(&queues.dlq_url).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_dead_lettered_is_reported_and_not_lost() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    world
        .faults()
        .times("SendMessage", 100, &Fault::DropRequest);
    let event = sqs_event(&[
        Message::new("{poison").id("m-1"),
        Message::new("{}").id("m-2"),
    ]);
    assert_eq!(handle(&world, &queues, event).await, ["m-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_head_stops_its_group_and_untried_followers_are_never_dead_lettered() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk.fifo").await;
    let message = |id: &str, what: &str, group: &str| {
        Message::new(json!({ "do": what }).to_string())
            .id(id)
            .group(group)
            .receive_count(9)
    };
    let event = sqs_event(&[
        message("a1", "retry", "a"),
        message("b1", "work", "b"),
        message("a2", "work", "a"),
        message("a3", "refuse", "a"),
    ]);
    assert_eq!(
        handle(&world, &queues, event).await,
        ["a2", "a3"],
        "a1 has had its last try"
    );
    let dead = records(&world.receive(&queues.dlq_url).await);
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["body"], r#"{"do":"retry"}"#);
    assert_eq!(dead[0]["attributes"]["MessageGroupId"], "a");
}

#[tokio::test(start_paused = true)]
async fn a_batch_tells_what_came_back_and_what_was_set_aside_once_and_by_why() {
    let world = Arc::new(World::on_virtual_time().await);
    let queues = world.queue("clerk.fifo").await;
    let (inner, clock) = (Arc::clone(&world), world.clock());
    let function = function::service(move |event: LambdaEvent<Value>| {
        let (world, queues) = (Arc::clone(&inner), queues.clone());
        async move { Ok(json!(handle(&world, &queues, event.payload).await)) }
    });
    let (function, measured) = Measured::of(function, clock);
    let message = |id: &str, what: &str, group: &str| {
        Message::new(json!({ "do": what }).to_string())
            .id(id)
            .group(group)
    };
    let event = sqs_event(&[
        message("a1", "retry", "a"),
        message("a2", "work", "a"),
        message("b1", "refuse", "b"),
        message("c1", "panic", "c"),
    ]);
    let event = LambdaEvent::new(event, Context::default());
    let back = function.oneshot(event).await.expect("an answer");
    assert_eq!(back, json!(["a1", "a2", "c1"]));
    assert_eq!(measured.values(Metric::BatchItemFailures), [json!(3)]);
    assert_eq!(
        measured.kinds(Metric::BatchItemFailures),
        [json!({ "retryable": 1, "untried": 1, "panic": 1 })]
    );
    assert_eq!(
        measured.kinds(Metric::DeadLetters),
        [json!({ "terminal": 1 })]
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_on_in_order_after_its_poison_head_was_dead_lettered() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk.fifo").await;
    for body in ["{poison", r#"{"n":2}"#, r#"{"n":3}"#] {
        send(&world, &queues.url, body, Some("a")).await;
    }
    let event = world.receive(&queues.url).await;
    let failures = handle(&world, &queues, event.clone()).await;
    assert_eq!(failures.len(), 2, "the followers are handed back");
    let head = &records(&event)[0];
    let handle_of = head["receiptHandle"].as_str().expect("a handle");
    world
        .sqs()
        .delete_message()
        .queue_url(&queues.url)
        .receipt_handle(handle_of)
        .send()
        .await
        .expect("as Lambda does");
    world.advance(Duration::from_secs(1)).await;
    let bodies: Vec<_> = records(&world.receive(&queues.url).await)
        .iter()
        .map(|record| record["body"].clone())
        .collect();
    assert_eq!(
        bodies,
        [r#"{"n":2}"#, r#"{"n":3}"#],
        "at once, and in order"
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_without_an_id_is_dead_lettered_and_never_reported() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    let event = json!({ "Records": [
        { "body": "no id", "receiptHandle": "h" },
        { "messageId": "", "body": "empty id" },
        { "messageId": "m-3", "body": "{\"do\":\"retry\"}" },
    ]});
    assert_eq!(handle(&world, &queues, event).await, ["m-3"]);
    assert_eq!(records(&world.receive(&queues.dlq_url).await).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_empty_id_is_not_reported_even_if_its_dead_letter_cannot_be_sent() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    world
        .faults()
        .times("SendMessage", 100, &Fault::DropRequest);
    let event = json!({ "Records": [{ "body": "no id" }, { "messageId": "m-2", "body": "{" }] });
    assert_eq!(handle(&world, &queues, event).await, ["m-2"]);
}

#[tokio::test(start_paused = true)]
async fn the_visibility_of_ten_failures_costs_one_request() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    for _ in 0..10 {
        send(&world, &queues.url, r#"{"do":"retry"}"#, None).await;
    }
    let event = world.receive(&queues.url).await;
    world.faults().reset();
    assert_eq!(handle(&world, &queues, event).await.len(), 10);
    let costs = world.faults().costs();
    assert_eq!(
        (
            costs.requests("ChangeMessageVisibilityBatch"),
            costs.all_requests()
        ),
        (1, 1)
    );
    world.faults().reset();
    assert!(
        handle(&world, &queues, sqs_event(&[Message::new("{}")]))
            .await
            .is_empty()
    );
    assert_eq!(
        world.faults().costs().all_requests(),
        0,
        "success costs nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_kept_failure_comes_back_even_after_its_last_try() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk").await;
    let event = sqs_event(&[Message::new("{}").id("m-1").receive_count(MAX_TRIES + 2)]);
    let batch = Batch::sqs(event, decode).expect("a batch");
    let batch = batch.fail_all(|| Failure::retryable("the journal is down").kept());
    let answer = batch.finish(&world.outlet(&queues, "parcel-clerk")).await;
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [{ "itemIdentifier": "m-1" }] })
    );
    assert!(records(&world.receive(&queues.dlq_url).await).is_empty());
}

/// `maxReceiveCount` of a FIFO queue whose batches have up to ten records.
const NATIVE_MAX: u32 = MAX_TRIES + 10;

async fn redrive(world: &World, queues: &QueuePair, max: u32) {
    let sqs = world.sqs();
    let arn = sqs
        .get_queue_attributes()
        .queue_url(&queues.dlq_url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .expect("the queue is there");
    let arn = &arn.attributes.expect("attributes")[&QueueAttributeName::QueueArn];
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": max }).to_string();
    let set = sqs.set_queue_attributes().queue_url(&queues.url);
    let set = set.attributes(QueueAttributeName::RedrivePolicy, policy);
    set.send().await.expect("it is set");
}

#[tokio::test(start_paused = true)]
async fn when_all_of_a_group_fails_each_was_tried_and_died_with_its_reason() {
    let world = World::on_virtual_time().await;
    let queues = world.queue("clerk.fifo").await;
    redrive(&world, &queues, NATIVE_MAX).await;
    for n in 0..12 {
        let body = json!({ "do": "retry", "n": n }).to_string();
        send(&world, &queues.url, &body, Some("a")).await;
    }
    for _ in 0..60 {
        let event = world.receive(&queues.url).await;
        let failed = handle(&world, &queues, event.clone()).await;
        for record in records(&event) {
            if !failed.iter().any(|id| record["messageId"] == id.as_str()) {
                let receipt = record["receiptHandle"].as_str().expect("a handle");
                let delete = world.sqs().delete_message().queue_url(&queues.url);
                delete
                    .receipt_handle(receipt)
                    .send()
                    .await
                    .expect("as Lambda does");
            }
        }
        world.advance(Duration::from_secs(125)).await;
    }
    let mut dead = Vec::new();
    while let letters @ [_, ..] = records(&world.receive(&queues.dlq_url).await).as_slice() {
        for letter in letters {
            dead.push(attribute(letter, "callboard-reason").to_owned());
            let receipt = letter["receiptHandle"].as_str().expect("a handle");
            let delete = world.sqs().delete_message().queue_url(&queues.dlq_url);
            delete.receipt_handle(receipt).send().await.expect("read");
        }
    }
    assert_eq!(dead, vec!["throttled"; 12]);
}
