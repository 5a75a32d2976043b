//! Deliveries twice and out of order, which must not change outcomes; and what a function's answer
//! reports.

use callboard_runtime::function::{Service, service};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tower::ServiceExt;

/// Wraps a function that reads a queue: every batch is delivered to it shuffled, and then once
/// more in another order. Batches of FIFO queues keep their order, and are only delivered twice.
/// Other events pass as they are.
#[must_use]
pub fn twice_and_shuffled(inner: Service, seed: u64) -> Service {
    let mut seeds = fastrand::Rng::with_seed(seed);
    let seeds = std::sync::Arc::new(std::sync::Mutex::new(std::iter::from_fn(move || {
        Some(seeds.u64(..))
    })));
    service(move |event: LambdaEvent<Value>| {
        let inner = inner.clone();
        let draws = {
            let mut seeds = seeds
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            [
                seeds.next().unwrap_or_default(),
                seeds.next().unwrap_or_default(),
            ]
        };
        async move {
            if !is_queue(&event.payload) {
                return inner.oneshot(event).await;
            }
            let [first, second] = draws.map(|seed| shuffled(&event.payload, seed));
            let first = inner
                .clone()
                .oneshot(LambdaEvent::new(first, event.context.clone()))
                .await?;
            let second = inner
                .oneshot(LambdaEvent::new(second, event.context))
                .await?;
            // What the first delivery could not handle and the second could, is handled; what
            // was handled and then failed, comes back once more.
            checked(&first, second)
        }
    })
}

/// The second answer; a malformed first one is an error, for Lambda would take it as one.
fn checked(first: &Value, second: Value) -> Result<Value, lambda_runtime::Error> {
    match first.get("batchItemFailures") {
        Some(Value::Array(_)) => Ok(second),
        _ => Err("the function's answer holds no batchItemFailures".into()),
    }
}

fn is_queue(event: &Value) -> bool {
    event
        .pointer("/Records/0/eventSource")
        .and_then(Value::as_str)
        == Some("aws:sqs")
}

/// The same batch in another order; in its own, if its queue is FIFO.
#[must_use]
pub fn shuffled(event: &Value, seed: u64) -> Value {
    let arn = event
        .pointer("/Records/0/eventSourceARN")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut records = event
        .get("Records")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if !arn.ends_with(".fifo") {
        fastrand::Rng::with_seed(seed).shuffle(&mut records);
    }
    json!({ "Records": records })
}

/// The same batch with a copy of each record, under an id of its own, and the last first.
///
/// # Panics
/// When `event` is not that of a queue.
#[must_use]
pub fn twice_and_backwards(event: &Value) -> Value {
    let records = event["Records"].as_array().expect("records");
    let copies = records.iter().map(|record| {
        let mut copy = record.clone();
        let id = record["messageId"].as_str().expect("an id");
        copy["messageId"] = Value::from(format!("{id}-again"));
        copy
    });
    let mut all: Vec<Value> = records.iter().cloned().chain(copies).collect();
    all.reverse();
    json!({ "Records": all })
}

/// The ids that a function's answer reports as failed: messages, or a stream's sequence numbers.
///
/// # Panics
/// When the answer is not a partial batch response; Lambda would take that for an error, too.
#[must_use]
pub fn failed(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().expect("a list");
    let id = |failure: &Value| {
        failure["itemIdentifier"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    failures.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Message, sqs_event};
    use lambda_runtime::Context;
    use std::sync::{Arc, Mutex};

    fn bodies(event: &Value) -> Vec<String> {
        let records = event["Records"].as_array().into_iter().flatten();
        records
            .map(|record| record["body"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn recording(seen: &Arc<Mutex<Vec<Vec<String>>>>) -> Service {
        let seen = seen.clone();
        service(move |event: LambdaEvent<Value>| {
            seen.lock()
                .expect("unpoisoned")
                .push(bodies(&event.payload));
            async { Ok(json!({ "batchItemFailures": [] })) }
        })
    }

    #[tokio::test]
    async fn every_record_arrives_twice_and_not_in_its_order() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let messages: Vec<_> = (0..8).map(|n| Message::new(n.to_string())).collect();
        let event = LambdaEvent::new(sqs_event(&messages), Context::default());
        twice_and_shuffled(recording(&seen), 7)
            .oneshot(event)
            .await
            .expect("an answer");
        let seen = seen.lock().expect("unpoisoned");
        assert_eq!(seen.len(), 2);
        assert_ne!(seen[0], seen[1]);
        for mut delivery in seen.clone() {
            delivery.sort();
            assert_eq!(delivery, (0..8).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn a_fifo_batch_keeps_its_order() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let messages: Vec<_> = (0..8)
            .map(|n| Message::new(n.to_string()).group("g"))
            .collect();
        let event = LambdaEvent::new(sqs_event(&messages), Context::default());
        twice_and_shuffled(recording(&seen), 7)
            .oneshot(event)
            .await
            .expect("an answer");
        let order: Vec<_> = (0..8).map(|n| n.to_string()).collect();
        assert_eq!(*seen.lock().expect("unpoisoned"), [order.clone(), order]);
    }
}
