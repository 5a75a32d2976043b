//! Schedules.

use std::time::Duration;

use callboard_host::{Trigger, Verdict};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};

use crate::support::{START_S, Seen, engine, invocations, registry, stack, start, worker};

const EVERY_TWO_MINUTES: &str = "          Type: Schedule
          Properties: {Schedule: rate(2 minutes)}";

#[tokio::test(start_paused = true)]
async fn a_function_is_called_once_per_period_with_the_event_of_a_rule() {
    let engine = engine().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let handler = registry(move |event: LambdaEvent<Value>| {
        noted.push(event.payload);
        async { Ok(json!({})) }
    });
    let host = start(stack(&worker(EVERY_TWO_MINUTES)), &engine, handler).await;
    let calls = invocations(&mut host.observe(), 3).await;
    let starts: Vec<u64> = calls
        .iter()
        .map(|call| {
            let since = call.started_at.duration_since(std::time::UNIX_EPOCH);
            since.expect("after 1970").as_secs() - START_S
        })
        .collect();
    assert_eq!(starts, [120, 240, 360]);
    assert!(calls.iter().all(|call| call.verdict == Verdict::Succeeded));
    assert_eq!(calls[0].trigger, Trigger::Schedule("Source".into()));
    let event = &seen.all()[0];
    assert_eq!(event["source"], "aws.events");
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["time"], "2027-01-15T08:02:00Z");
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_reported_and_the_next_one_comes_in_its_time() {
    let engine = engine().await;
    let fails = registry(|_| async { Err("no".into()) });
    let host = start(stack(&worker(EVERY_TWO_MINUTES)), &engine, fails).await;
    let calls = invocations(&mut host.observe(), 2).await;
    let apart = calls[1].started_at.duration_since(calls[0].started_at);
    assert_eq!(apart.expect("in order"), Duration::from_secs(120));
    assert!(calls.iter().all(|call| call.verdict == Verdict::Failed));
    host.shutdown().await;
}
