//! SQS event source mappings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_host::{HostError, Registry, Resources, Verdict, provision};
use callboard_template::Parameters;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    Seen, TestQueue, bodies, engine, failures, invocations, records, registry, stack, start, until,
    worker,
};

/// A queue with a dead-letter queue, and a worker on it.
fn jobs(queue: &str, mapping: &str) -> String {
    format!(
        "  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 30
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}}
{queue}
  Dead:
    Type: AWS::SQS::Queue
{}",
        worker(&format!(
            "          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
{mapping}"
        ))
    )
}

const REPORTING: &str = "            FunctionResponseTypes: [ReportBatchItemFailures]\n";

/// Makes the queues and puts messages in before anybody polls, so that they come together.
async fn with_messages(
    resources: &str,
    messages: &[&str],
) -> (
    callboard_engine::Engine,
    callboard_template::Stack,
    Resources,
) {
    let engine = engine().await;
    let stack = stack(resources);
    let made = provision(&stack, &engine.sdk_config(), "callboard-")
        .await
        .expect("provisioned");
    let queue = TestQueue::of(&made, &engine.sdk_config(), "Jobs");
    for message in messages {
        queue.send(message).await;
    }
    (engine, stack, made)
}

#[tokio::test(start_paused = true)]
async fn only_the_reported_message_comes_again() {
    let (engine, stack, made) = with_messages(&jobs("", REPORTING), &["a", "bad", "c"]).await;
    let seen = Seen::new();
    let registry = registry({
        let seen = seen.clone();
        move |event: LambdaEvent<Value>| {
            let seen = seen.clone();
            async move {
                let first_time = seen.len() == 0;
                seen.push(bodies(&event.payload));
                let bad = records(&event.payload)
                    .iter()
                    .filter(|record| first_time && record["body"] == "bad");
                Ok(failures(bad.map(|record| {
                    record["messageId"].as_str().expect("an id").to_owned()
                })))
            }
        }
    });
    let host = start(stack, &engine, registry).await;
    let mut observed = host.observe();
    let calls = invocations(&mut observed, 2).await;
    assert_eq!(calls[0].verdict, Verdict::Partial);
    assert_eq!((calls[0].records, calls[0].failed), (3, 1));
    assert_eq!(calls[1].verdict, Verdict::Succeeded);
    TestQueue::of(&made, &engine.sdk_config(), "Jobs")
        .becomes_empty()
        .await;
    let all = seen.all();
    assert_eq!(all[0].len(), 3);
    assert_eq!(all[1], ["bad"]);
    assert_eq!(host.totals()["worker"].invocations, 2);
    host.shutdown().await;
}

/// Runs a worker that never succeeds on one message until it is in the dead-letter queue.
async fn ends_in_the_dead_letter_queue<F, Fut>(handler: F, verdict: Verdict)
where
    F: Fn(LambdaEvent<Value>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, lambda_runtime::Error>> + Send + 'static,
{
    let (engine, stack, made) = with_messages(&jobs("", REPORTING), &["a", "b"]).await;
    let host = start(stack, &engine, registry(handler)).await;
    let mut observed = host.observe();
    let dead = TestQueue::of(&made, &engine.sdk_config(), "Dead");
    assert_eq!(dead.take(2).await, ["a", "b"]);
    // As often as `maxReceiveCount` says, and both messages each time.
    for call in invocations(&mut observed, 3).await {
        assert_eq!(call.verdict, verdict);
        assert_eq!((call.records, call.failed), (2, 2));
    }
    assert_eq!(host.totals()["worker"].invocations, 3);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_error_fails_the_whole_batch_until_the_redrive_policy_takes_it() {
    ends_in_the_dead_letter_queue(|_| async { Err("no".into()) }, Verdict::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_the_whole_batch() {
    ends_in_the_dead_letter_queue(|_| async { panic!("asked to") }, Verdict::Panicked).await;
}

#[tokio::test(start_paused = true)]
async fn a_function_past_its_time_out_is_cancelled_and_its_batch_fails() {
    let hang = |_| async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok(Value::Null)
    };
    ends_in_the_dead_letter_queue(hang, Verdict::TimedOut).await;
}

#[tokio::test(start_paused = true)]
async fn a_malformed_response_fails_the_whole_batch() {
    let foreign = |_| async { Ok(failures(["not-of-this-batch".to_owned()])) };
    ends_in_the_dead_letter_queue(foreign, Verdict::Malformed).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_has_lambdas_shape() {
    let (engine, stack, made) = with_messages(&jobs("", ""), &["hello"]).await;
    let seen = Seen::new();
    let registry = registry({
        let seen = seen.clone();
        move |event: LambdaEvent<Value>| {
            seen.push(event.payload);
            async { Ok(Value::Null) }
        }
    });
    let host = start(stack, &engine, registry).await;
    until("an invocation", || async { seen.len() == 1 }).await;
    let record = records(&seen.all()[0])[0].clone();
    assert_eq!(record["body"], "hello");
    assert_eq!(record["md5OfBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(
        record["eventSourceARN"],
        made.get("Jobs").expect("made").arn()
    );
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert!(record["attributes"]["SentTimestamp"].is_string());
    assert!(record["receiptHandle"].is_string());
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_group_has_one_invocation_at_a_time_and_keeps_its_order() {
    let fifo = jobs("      FifoQueue: true", "            BatchSize: 1\n").replace(
        "  Dead:\n    Type: AWS::SQS::Queue",
        "  Dead:\n    Type: AWS::SQS::Queue\n    Properties: {FifoQueue: true}",
    );
    let engine = engine().await;
    let stack = stack(&fifo);
    let sdk = engine.sdk_config();
    let made = provision(&stack, &sdk, "callboard-")
        .await
        .expect("provisioned");
    let queue = TestQueue::of(&made, &sdk, "Jobs");
    for number in 0..4 {
        for group in ["x", "y"] {
            queue
                .send_to_group(group, &format!("{group}{number}"))
                .await;
        }
    }
    /// Order per group, and how many ran at once: of a group, and in all.
    #[derive(Default)]
    struct Watch {
        order: BTreeMap<String, Vec<String>>,
        running: BTreeMap<String, usize>,
        most_of_a_group: usize,
        most: usize,
    }
    let watch = Arc::new(std::sync::Mutex::new(Watch::default()));
    let registry = registry({
        let watch = watch.clone();
        move |event: LambdaEvent<Value>| {
            let watch = watch.clone();
            async move {
                let record = &records(&event.payload)[0];
                let group = record["attributes"]["MessageGroupId"]
                    .as_str()
                    .expect("a group")
                    .to_owned();
                {
                    let mut watch = watch.lock().expect("not poisoned");
                    let body = record["body"].as_str().expect("a body").to_owned();
                    watch.order.entry(group.clone()).or_default().push(body);
                    *watch.running.entry(group.clone()).or_default() += 1;
                    watch.most_of_a_group = watch.most_of_a_group.max(watch.running[&group]);
                    watch.most = watch.most.max(watch.running.values().sum());
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
                let mut watch = watch.lock().expect("not poisoned");
                *watch.running.get_mut(&group).expect("entered") -= 1;
                Ok(Value::Null)
            }
        }
    });
    let host = start(stack, &engine, registry).await;
    queue.becomes_empty().await;
    let watch = watch.lock().expect("not poisoned");
    assert_eq!(watch.order["x"], ["x0", "x1", "x2", "x3"]);
    assert_eq!(watch.order["y"], ["y0", "y1", "y2", "y3"]);
    assert_eq!(watch.most_of_a_group, 1);
    assert_eq!(watch.most, 2, "two groups run side by side");
    drop(host);
}

#[tokio::test(start_paused = true)]
async fn a_group_given_back_while_its_invocation_runs_is_handled_right_after_it() {
    let fifo = jobs("      FifoQueue: true", REPORTING).replace(
        "  Dead:\n    Type: AWS::SQS::Queue",
        "  Dead:\n    Type: AWS::SQS::Queue\n    Properties: {FifoQueue: true}",
    );
    let engine = engine().await;
    let stack = stack(&fifo);
    let sdk = engine.sdk_config();
    let made = provision(&stack, &sdk, "callboard-")
        .await
        .expect("provisioned");
    let queue = TestQueue::of(&made, &sdk, "Jobs");
    queue.send_to_group("x", "a").await;
    let begun = Seen::new();
    let registry = registry({
        let (begun, sqs, url) = (begun.clone(), queue.sqs.clone(), queue.url.clone());
        move |event: LambdaEvent<Value>| {
            let (begun, sqs, url) = (begun.clone(), sqs.clone(), url.clone());
            async move {
                begun.push(Instant::now());
                if begun.len() > 1 {
                    return Ok(Value::Null);
                }
                let record = &records(&event.payload)[0];
                sqs.change_message_visibility()
                    .queue_url(url)
                    .receipt_handle(record["receiptHandle"].as_str().expect("a handle"))
                    .visibility_timeout(0)
                    .send()
                    .await
                    .expect("given back");
                // The message is there again for whoever polls, and its invocation goes on.
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok(failures([record["messageId"]
                    .as_str()
                    .expect("an id")
                    .to_owned()]))
            }
        }
    });
    let host = start(stack, &engine, registry).await;
    queue.becomes_empty().await;
    let begun = begun.all();
    assert_eq!(begun.len(), 2);
    let between = begun[1] - begun[0];
    assert!(
        between >= Duration::from_secs(3),
        "one at a time: {between:?}"
    );
    assert!(
        between < Duration::from_secs(4),
        "not after the visibility time-out of 30 s: {between:?}"
    );
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_invocations_run_at_once_than_the_maximum_concurrency() {
    let mapping = "            BatchSize: 1\n            ScalingConfig: {MaximumConcurrency: 2}\n";
    let messages = ["1", "2", "3", "4", "5", "6"];
    let (engine, stack, made) = with_messages(&jobs("", mapping), &messages).await;
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let registry = registry({
        let (running, most) = (running.clone(), most.clone());
        move |_| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(Value::Null)
            }
        }
    });
    let host = start(stack, &engine, registry).await;
    TestQueue::of(&made, &engine.sdk_config(), "Jobs")
        .becomes_empty()
        .await;
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert_eq!(host.totals()["worker"].invocations, 6);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_batching_window_gathers_what_comes_within_it() {
    let mapping = "            BatchSize: 100\n            MaximumBatchingWindowInSeconds: 5\n";
    let (engine, stack, made) = with_messages(&jobs("", mapping), &[]).await;
    let host = start(stack, &engine, registry(|_| async { Ok(Value::Null) })).await;
    let mut observed = host.observe();
    let queue = TestQueue::of(&made, &engine.sdk_config(), "Jobs");
    let begin = Instant::now();
    for body in ["1", "2", "3"] {
        queue.send(body).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    queue.send("4").await;
    let calls = invocations(&mut observed, 1).await;
    assert_eq!(calls[0].records, 4);
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(5), "{waited:?}");
    assert!(waited < Duration::from_secs(7), "{waited:?}");
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_for_the_window() {
    let mapping = "            BatchSize: 3\n            MaximumBatchingWindowInSeconds: 60\n";
    let (engine, stack, _) = with_messages(&jobs("", mapping), &["1", "2", "3"]).await;
    let begin = Instant::now();
    let host = start(stack, &engine, registry(|_| async { Ok(Value::Null) })).await;
    let mut observed = host.observe();
    assert_eq!(invocations(&mut observed, 1).await[0].records, 3);
    assert!(begin.elapsed() < Duration::from_secs(1));
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_no_filter_wants_are_deleted_unseen() {
    let mapping = "            FilterCriteria:
              Filters:
                - Pattern: '{\"body\": {\"kind\": [\"order\"]}}'\n";
    let messages = [r#"{"kind":"order"}"#, r#"{"kind":"noise"}"#, "no json"];
    let (engine, stack, made) = with_messages(&jobs("", mapping), &messages).await;
    let seen = Seen::new();
    let registry = registry({
        let seen = seen.clone();
        move |event: LambdaEvent<Value>| {
            bodies(&event.payload)
                .into_iter()
                .for_each(|body| seen.push(body));
            async { Ok(Value::Null) }
        }
    });
    let host = start(stack, &engine, registry).await;
    let sdk = engine.sdk_config();
    TestQueue::of(&made, &sdk, "Jobs").becomes_empty().await;
    assert_eq!(seen.all(), [r#"{"kind":"order"}"#]);
    assert_eq!(TestQueue::of(&made, &sdk, "Dead").held().await, 0);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_the_running_invocation_finish_and_deletes_its_message() {
    let (engine, stack, made) = with_messages(&jobs("", ""), &["a"]).await;
    let seen = Seen::new();
    let registry = registry({
        let seen = seen.clone();
        move |_| {
            let seen = seen.clone();
            async move {
                seen.push("begun");
                tokio::time::sleep(Duration::from_secs(3)).await;
                seen.push("done");
                Ok(Value::Null)
            }
        }
    });
    let host = start(stack, &engine, registry).await;
    until("a running invocation", || async { seen.len() == 1 }).await;
    let begin = Instant::now();
    host.shutdown().await;
    assert_eq!(seen.all(), ["begun", "done"]);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "no long poll is waited for"
    );
    let queue = TestQueue::of(&made, &engine.sdk_config(), "Jobs");
    assert_eq!(queue.held().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_visibility_time_out_below_the_functions_is_refused_as_on_aws() {
    let engine = engine().await;
    let text = jobs("", "").replace("VisibilityTimeout: 30", "VisibilityTimeout: 4");
    let config = callboard_host::HostConfig::new(
        stack(&text),
        engine.sdk_config(),
        registry(|_| async { Ok(Value::Null) }),
    );
    let error = callboard_host::Host::start(config)
        .await
        .expect_err("refused");
    let HostError::Template(problem) = &error else {
        panic!("{error}");
    };
    assert_eq!(
        problem.path,
        "Resources.Worker.Properties.Events.Source.Properties.Queue"
    );
    assert!(problem.line > 0, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_binary_that_nobody_knows_is_refused_with_its_place() {
    let engine = engine().await;
    let config =
        callboard_host::HostConfig::new(stack(&jobs("", "")), engine.sdk_config(), Registry::new());
    let error = callboard_host::Host::start(config)
        .await
        .expect_err("refused");
    let text = error.to_string();
    assert!(
        text.contains("Resources.Worker.Metadata.BuildProperties.Binary"),
        "{text}"
    );
    assert!(text.starts_with("template.yaml:"), "{text}");
    let text = crate::support::template(&jobs("", ""));
    let elsewhere = callboard_template::load("my/own.yaml", &text, &Parameters::default());
    let config = callboard_host::HostConfig::new(
        elsewhere.expect("a stack"),
        engine.sdk_config(),
        Registry::new(),
    );
    let error = callboard_host::Host::start(config)
        .await
        .expect_err("refused");
    assert!(error.to_string().starts_with("my/own.yaml:"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_correlation_id_in_the_attributes_is_seen_by_observers() {
    let (engine, stack, made) = with_messages(&jobs("", ""), &[]).await;
    let host = start(stack, &engine, registry(|_| async { Ok(json!({})) })).await;
    let mut observed = host.observe();
    let queue = TestQueue::of(&made, &engine.sdk_config(), "Jobs");
    queue
        .sqs
        .send_message()
        .queue_url(&queue.url)
        .message_body("{}")
        .message_attributes(
            "correlationid",
            aws_sdk_sqs::types::MessageAttributeValue::builder()
                .data_type("String")
                .string_value("c-1")
                .build()
                .expect("an attribute"),
        )
        .send()
        .await
        .expect("sent");
    let calls = invocations(&mut observed, 1).await;
    assert_eq!(calls[0].correlation_ids, ["c-1"]);
    host.shutdown().await;
}
