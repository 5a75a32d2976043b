//! DynamoDB Streams event source mappings.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_engine::Engine;
use callboard_host::{Host, HostConfig, Registry, Resources, Verdict, provision};
use callboard_template::Stack;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    START_S, Seen, TestQueue, engine, failures, invocations, records, registry, stack, start,
    until, worker,
};

/// A table with a stream, a failure queue, and a worker on the stream.
fn items(mapping: &str) -> String {
    format!(
        "  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: pk, AttributeType: S}}]
      KeySchema: [{{AttributeName: pk, KeyType: HASH}}]
      StreamSpecification: {{StreamViewType: NEW_IMAGE}}
  GivenUp:
    Type: AWS::SQS::Queue
{}",
        worker(&format!(
            "          Type: DynamoDB
          Properties:
            Stream: !GetAtt Items.StreamArn
            StartingPosition: TRIM_HORIZON
            DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt GivenUp.Arn}}}}
{mapping}"
        ))
    )
}

struct Bench {
    engine: Engine,
    stack: Stack,
    resources: Resources,
}

impl Bench {
    async fn new(mapping: &str) -> Self {
        let engine = engine().await;
        let stack = stack(&items(mapping));
        let resources = provision(&stack, &engine.sdk_config(), "callboard-")
            .await
            .expect("provisioned");
        Bench {
            engine,
            stack,
            resources,
        }
    }

    async fn put(&self, pk: &str) {
        self.put_with(pk, "1").await;
    }

    async fn put_with(&self, pk: &str, relay: &str) {
        aws_sdk_dynamodb::Client::new(&self.engine.sdk_config())
            .put_item()
            .table_name(self.resources.get("Items").expect("made").name())
            .item("pk", AttributeValue::S(pk.to_owned()))
            .item("relay", AttributeValue::S(relay.to_owned()))
            .send()
            .await
            .expect("put");
    }

    async fn put_numbered(&self, count: usize) {
        for number in 0..count {
            self.put(&format!("item-{number}")).await;
        }
    }

    async fn start(&self, registry: Registry) -> Host {
        start(self.stack.clone(), &self.engine, registry).await
    }

    fn given_up(&self) -> TestQueue {
        TestQueue::of(&self.resources, &self.engine.sdk_config(), "GivenUp")
    }
}

/// The keys of a stream event's records.
fn keys(event: &Value) -> Vec<String> {
    records(event)
        .iter()
        .map(|record| {
            let key = &record["dynamodb"]["Keys"]["pk"]["S"];
            key.as_str().expect("a key").to_owned()
        })
        .collect()
}

fn sequence_number(record: &Value) -> String {
    let number = &record["dynamodb"]["SequenceNumber"];
    number.as_str().expect("a sequence number").to_owned()
}

/// Records the batches it gets, and fails each that holds the poison.
fn fails_on(poison: &'static str, seen: &Seen<Vec<String>>) -> Registry {
    let seen = seen.clone();
    registry(move |event: LambdaEvent<Value>| {
        let keys = keys(&event.payload);
        seen.push(keys.clone());
        async move {
            if keys.iter().any(|key| key == poison) {
                return Err("poison".into());
            }
            Ok(Value::Null)
        }
    })
}

/// As [`fails_on`], but reports the poison's sequence number.
fn reports(poison: &'static str, seen: &Seen<Vec<String>>) -> Registry {
    let seen = seen.clone();
    registry(move |event: LambdaEvent<Value>| {
        seen.push(keys(&event.payload));
        let bad = records(&event.payload)
            .iter()
            .filter(|record| record["dynamodb"]["Keys"]["pk"]["S"] == poison)
            .map(sequence_number);
        let answer = failures(bad);
        async move { Ok(answer) }
    })
}

/// `item-from` to `item-(to - 1)`.
fn batch(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("item-{number}")).collect()
}

#[tokio::test(start_paused = true)]
async fn bisect_isolates_a_poison_record_in_a_batch_of_ten() {
    let bench = Bench::new(
        "            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: 2\n",
    )
    .await;
    bench.put_numbered(10).await;
    let seen = Seen::new();
    let host = bench.start(fails_on("item-6", &seen)).await;
    let text = bench.given_up().take(1).await.remove(0);
    bench.put("after").await;
    until("the shard goes on", || async {
        seen.all().last().is_some_and(|batch| batch == &["after"])
    })
    .await;
    // Halves until it stands alone; splits consume no retry, so it is tried 1 + 2 times.
    let expected = vec![
        batch(0..10),
        batch(0..5),
        batch(5..10),
        batch(5..7),
        batch(5..6),
        batch(6..7),
        batch(6..7),
        batch(6..7),
        batch(7..10),
        vec!["after".to_owned()],
    ];
    assert_eq!(seen.all(), expected);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let info = &document["DDBStreamBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    assert_eq!(info["startSequenceNumber"], info["endSequenceNumber"]);
    let function_arn = bench_function_arn(&host);
    assert_eq!(
        document["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(document["requestContext"]["functionArn"], function_arn);
    assert_eq!(document["responseContext"]["functionError"], "Unhandled");
    assert_eq!(document["version"], "1.0");
    assert!(!text.contains("item-6"), "metadata only: {text}");
    assert_eq!(
        bench.given_up().held().await,
        1,
        "one document, still in flight"
    );
    host.shutdown().await;
}

fn bench_function_arn(host: &Host) -> String {
    host.resources()
        .get("Worker")
        .expect("made")
        .arn()
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_reported_sequence_number_is_the_checkpoint() {
    let bench = Bench::new(
        "            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: 2
            FunctionResponseTypes: [ReportBatchItemFailures]\n",
    )
    .await;
    bench.put_numbered(10).await;
    let seen = Seen::new();
    let host = bench.start(reports("item-6", &seen)).await;
    bench.given_up().take(1).await;
    until("the rest", || async { seen.len() == 8 }).await;
    let expected = vec![
        batch(0..10),
        batch(6..10),
        batch(6..8),
        batch(6..7),
        batch(6..7),
        batch(6..7),
        batch(7..8),
        batch(8..10),
    ];
    assert_eq!(seen.all(), expected);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_identifier_fails_the_whole_batch() {
    let bench = Bench::new(
        "            MaximumRetryAttempts: 1
            FunctionResponseTypes: [ReportBatchItemFailures]\n",
    )
    .await;
    bench.put_numbered(3).await;
    let host = bench
        .start(registry(|_| async { Ok(failures([String::new()])) }))
        .await;
    let mut observed = host.observe();
    let text = bench.given_up().take(1).await.remove(0);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["DDBStreamBatchInfo"]["batchSize"], 3);
    assert_eq!(document["requestContext"]["approximateInvokeCount"], 2);
    for call in invocations(&mut observed, 2).await {
        assert_eq!(call.verdict, Verdict::Malformed);
        assert_eq!(call.failed, 3);
    }
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_past_its_age_is_given_up_and_the_shard_goes_on() {
    let bench = Bench::new("            MaximumRecordAgeInSeconds: 60\n").await;
    bench.put("old").await;
    let seen = Seen::new();
    let begin = Instant::now();
    let host = bench.start(fails_on("old", &seen)).await;
    let text = bench.given_up().take(1).await.remove(0);
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(60), "{waited:?}");
    assert!(waited < Duration::from_secs(120), "{waited:?}");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["requestContext"]["condition"], "RecordAgeExceeded");
    assert!(
        seen.len() > 2,
        "retried without limit of attempts: {}",
        seen.len()
    );
    bench.put("young").await;
    until("the next record", || async {
        seen.all().last().is_some_and(|batch| batch == &["young"])
    })
    .await;
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_batch_holds_back_what_follows_it() {
    let bench = Bench::new("").await;
    bench.put("first").await;
    let seen = Seen::new();
    let registry = registry({
        let seen = seen.clone();
        move |event: LambdaEvent<Value>| {
            let seen = seen.clone();
            async move {
                seen.push(keys(&event.payload));
                if seen.len() < 4 {
                    return Err("not yet".into());
                }
                Ok(Value::Null)
            }
        }
    });
    let host = bench.start(registry).await;
    until("a first try", || async { seen.len() == 1 }).await;
    bench.put("second").await;
    until("five invocations", || async { seen.len() == 5 }).await;
    let expected: Vec<Vec<String>> = ["first", "first", "first", "first", "second"]
        .map(|key| vec![key.to_owned()])
        .into();
    assert_eq!(seen.all(), expected);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn only_records_that_the_filter_wants_reach_the_function() {
    let bench = Bench::new(
        r#"            FilterCriteria:
              Filters:
                - Pattern: '{"dynamodb":{"NewImage":{"relay":{"S":["1"]}}}}'
"#,
    )
    .await;
    bench.put_with("internal", "0").await;
    bench.put_with("public", "1").await;
    let seen = Seen::new();
    let host = bench.start(fails_on("nothing", &seen)).await;
    until("an invocation", || async { seen.len() == 1 }).await;
    assert_eq!(seen.all(), [["public"]]);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_has_lambdas_shape_and_arrives_within_milliseconds() {
    let bench = Bench::new("").await;
    let seen = Seen::new();
    let registry = registry({
        let seen = seen.clone();
        move |event: LambdaEvent<Value>| {
            seen.push((event.payload, Instant::now()));
            async { Ok(Value::Null) }
        }
    });
    let host = bench.start(registry).await;
    // Long enough for an idle poller to have backed off as far as it does.
    tokio::time::sleep(Duration::from_secs(90)).await;
    let written = Instant::now();
    bench.put("a").await;
    until("an invocation", || async { seen.len() == 1 }).await;
    let (event, arrived) = seen.all().remove(0);
    let latency = arrived.duration_since(written);
    assert!(latency < Duration::from_millis(5), "{latency:?}");
    let record = &records(&event)[0];
    assert_eq!(record["eventName"], "INSERT");
    assert_eq!(record["eventSource"], "aws:dynamodb");
    assert_eq!(record["awsRegion"], "us-east-1");
    let stream_arn = record["eventSourceARN"].as_str().expect("an ARN");
    assert!(stream_arn.contains("/stream/"), "{stream_arn}");
    assert_eq!(
        record["dynamodb"]["NewImage"],
        json!({"pk": {"S": "a"}, "relay": {"S": "1"}})
    );
    let created = &record["dynamodb"]["ApproximateCreationDateTime"];
    assert!(
        created.as_u64().is_some_and(|seconds| seconds >= START_S),
        "{created}"
    );
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_window_gathers_records() {
    let bench = Bench::new("            MaximumBatchingWindowInSeconds: 3\n").await;
    let host = bench.start(registry(|_| async { Ok(Value::Null) })).await;
    let mut observed = host.observe();
    bench.put("a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.put("b").await;
    let calls = invocations(&mut observed, 1).await;
    assert_eq!(calls[0].records, 2);
    let at = calls[0]
        .started_at
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    assert!(at >= Duration::from_secs(START_S + 3), "{at:?}");
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_after_the_checkpoint_file() {
    let bench = Bench::new("").await;
    let directory = tempfile::tempdir().expect("a directory");
    let seen = Seen::new();
    let run = || async {
        let config = HostConfig {
            checkpoints: Some(directory.path().join("checkpoints.json")),
            ..HostConfig::new(
                bench.stack.clone(),
                bench.engine.sdk_config(),
                fails_on("nothing", &seen),
            )
        };
        Host::start(config).await.expect("started")
    };
    let host = run().await;
    bench.put("a").await;
    until("the first", || async { seen.len() == 1 }).await;
    host.shutdown().await;
    bench.put("b").await;
    let host = run().await;
    until("the second", || async { seen.len() == 2 }).await;
    host.shutdown().await;
    assert_eq!(seen.all(), [["a"], ["b"]]);
}

#[tokio::test(start_paused = true)]
async fn parallel_lanes_keep_the_order_of_each_item() {
    let bench = Bench::new(
        "            ParallelizationFactor: 4
            MaximumRetryAttempts: 1\n",
    )
    .await;
    for relay in 0..3 {
        for pk in ["a", "b", "c", "d", "e"] {
            bench.put_with(pk, &relay.to_string()).await;
        }
    }
    let seen = Seen::new();
    let registry = registry({
        let seen = seen.clone();
        move |event: LambdaEvent<Value>| {
            for record in records(&event.payload) {
                let image = &record["dynamodb"]["NewImage"];
                let text = |name: &str| image[name]["S"].as_str().expect("text").to_owned();
                seen.push((text("pk"), text("relay")));
            }
            async { Ok(Value::Null) }
        }
    });
    let host = bench.start(registry).await;
    until("all records", || async { seen.len() == 15 }).await;
    for pk in ["a", "b", "c", "d", "e"] {
        let of_item: Vec<String> = seen
            .all()
            .into_iter()
            .filter(|(item, _)| item == pk)
            .map(|(_, relay)| relay)
            .collect();
        assert_eq!(of_item, ["0", "1", "2"]);
    }
    assert!(
        host.totals()["worker"].invocations > 1,
        "more than one lane"
    );
    host.shutdown().await;
}
