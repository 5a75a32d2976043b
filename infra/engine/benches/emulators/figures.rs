//! What is measured of a target, one after another, each in queues, topics and tables of its own.

use super::client::{Aws, DYNAMO, SQS, STREAMS};
use super::process::{self, Busy};
use super::target::Target;
use super::{Failure, Plan};
use futures::future::{ready, try_join_all};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// How long each rate is measured.
const EACH: Duration = Duration::from_secs(3);
/// Calls before a measurement, so that lazily loaded parts of a target are loaded.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long messages are put into a queue at most.
const FILL_MAX: Duration = Duration::from_secs(60);
/// How many messages are put into it at most.
const BACKLOG: usize = 1_000_000;
/// How long what was published, or written to a stream, may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
const CLIENTS: usize = 16;
const BODY_BYTES: usize = 200;

const EMPTY: &str = "resident, empty, MiB";
const ONE: &str = "cycles/s, 1 client";
const MANY: &str = "cycles/s, 16 clients";
const SERVER_CPU: &str = "server's CPU, µs a cycle of 16 clients";
const CLIENT_CPU: &str = "client's CPU, µs a cycle of 16 clients";
const BOTO3: &str = "cycles/s, 1 boto3 client";
const PUBLISH_1: &str = "publishes/s to 1 subscription";
const PUBLISH_10: &str = "publishes/s to 10 subscriptions";
const PUT: &str = "conditional put and stream read/s";
const WAITING: &str = "messages put in to wait";
const FULL: &str = "resident with them, MiB";
const WITH_BACKLOG: &str = "cycles/s with them, 1 client";

type Outcome = Result<f64, Failure>;

/// Which figures a target is worth the time of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Foreign,
    Engine,
    WithoutBacklog,
}

/// A target's figures, in the order of the table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) foreign: bool,
    /// Figures without this in their names are not measured.
    only: Option<String>,
    figures: Vec<(&'static str, Outcome)>,
}

impl Column {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.figures.iter().map(|(name, _)| *name)
    }

    /// A figure, if it could be measured.
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        let (_, figure) = self.figures.iter().find(|(of, _)| *of == name)?;
        figure.as_ref().ok().copied()
    }

    /// Measures a figure, unless only others are wanted.
    async fn measure(&mut self, name: &'static str, figure: impl Future<Output = Outcome>) {
        if !self.only.as_ref().is_none_or(|only| name.contains(only)) {
            return;
        }
        let figure = figure.await;
        match &figure {
            Ok(value) => eprintln!("{:>14} {name}: {value:.1}", self.name),
            Err(failure) => eprintln!("{:>14} {name}: {failure}", self.name),
        }
        self.figures.push((name, figure));
    }
}

/// All figures of a target, or those whose names contain `plan.only`.
pub(crate) async fn of(target: &Target, plan: &Plan, measure: Measure) -> Result<Column, Failure> {
    let (port, pid) = (target.port, target.pid);
    let mut column = Column {
        name: target.name.clone(),
        foreign: measure == Measure::Foreign,
        only: plan.only.clone(),
        figures: Vec::new(),
    };
    let resident = async || process::resident_mib(pid);
    column.measure(EMPTY, resident()).await;
    column.measure(ONE, cycles(port, 1, "one")).await;
    let busy = Busy::now(pid);
    column.measure(MANY, cycles(port, CLIENTS, "many")).await;
    if let Some(rate) = column.figure(MANY) {
        let (server, client) = busy?.us_each(rate)?;
        column.measure(SERVER_CPU, ready(Ok(server))).await;
        column.measure(CLIENT_CPU, ready(Ok(client))).await;
    }
    if let Some(python) = &plan.python {
        column.measure(BOTO3, boto3(python, port)).await;
    }
    column.measure(PUBLISH_1, publishes(port, 1)).await;
    column.measure(PUBLISH_10, publishes(port, 10)).await;
    column.measure(PUT, puts(port)).await;
    if measure != Measure::WithoutBacklog {
        column.measure(WAITING, fill(port, "long")).await;
        column.measure(FULL, resident()).await;
        column.measure(WITH_BACKLOG, cycles(port, 1, "long")).await;
    }
    Ok(column)
}

async fn queue(aws: &mut Aws, name: &str) -> Result<String, Failure> {
    let made = aws
        .json(SQS, "CreateQueue", &json!({"QueueName": name}))
        .await?;
    Ok(made["QueueUrl"].as_str().ok_or("no QueueUrl")?.to_owned())
}

/// Send, receive, delete: by `clients` at once, each waiting for its answers.
async fn cycles(port: u16, clients: usize, name: &str) -> Outcome {
    let url = queue(&mut Aws::connect(port).await?, name).await?;
    let during = async |length: Duration| {
        try_join_all((0..clients).map(|_| cycles_of_one(port, &url, length))).await
    };
    during(WARM_UP).await?;
    let start = Instant::now();
    let done: usize = during(EACH).await?.iter().sum();
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

async fn cycles_of_one(port: u16, url: &str, length: Duration) -> Result<usize, Failure> {
    let mut aws = Aws::connect(port).await?;
    let send = json!({"QueueUrl": url, "MessageBody": "x".repeat(BODY_BYTES)}).to_string();
    let receive = json!({"QueueUrl": url}).to_string();
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < length {
        aws.call(SQS, "SendMessage", send.clone()).await?;
        let received = aws.call(SQS, "ReceiveMessage", receive.clone()).await?;
        let received: Value = serde_json::from_slice(&received)?;
        let Some(handle) = received["Messages"][0]["ReceiptHandle"].as_str() else {
            continue;
        };
        let delete = json!({"QueueUrl": url, "ReceiptHandle": handle}).to_string();
        aws.call(SQS, "DeleteMessage", delete).await?;
        done += 1;
    }
    Ok(done)
}

async fn boto3(python: &str, port: u16) -> Outcome {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/boto3_cycles.py");
    let seconds = EACH.as_secs().to_string();
    let output = Command::new(python)
        .args([script, &port.to_string(), "boto3", &seconds])
        .output()
        .await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Publishes by one client to so many raw subscriptions whose filters let the message pass. The
/// time counts until all of it is in the queues, for some emulators answer before they deliver.
async fn publishes(port: u16, subscriptions: usize) -> Outcome {
    let mut aws = Aws::connect(port).await?;
    let name = format!("topic{subscriptions}");
    let made = aws
        .sns(&[("Action", "CreateTopic"), ("Name", &name)])
        .await?;
    let topic = between(&made, "<TopicArn>", "</TopicArn>")?.to_owned();
    let mut queues = Vec::new();
    for number in 0..subscriptions {
        let name = format!("{name}-{number}");
        queues.push(queue(&mut aws, &name).await?);
        aws.sns(&[
            ("Action", "Subscribe"),
            ("TopicArn", &topic),
            ("Protocol", "sqs"),
            (
                "Endpoint",
                &format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
            ),
            ("Attributes.entry.1.key", "FilterPolicy"),
            (
                "Attributes.entry.1.value",
                r#"{"type":["offer-made","offer-accepted"]}"#,
            ),
            ("Attributes.entry.2.key", "RawMessageDelivery"),
            ("Attributes.entry.2.value", "true"),
        ])
        .await?;
    }
    let publish = [
        ("Action", "Publish"),
        ("TopicArn", topic.as_str()),
        ("Message", &"x".repeat(BODY_BYTES)),
        ("MessageAttributes.entry.1.Name", "type"),
        ("MessageAttributes.entry.1.Value.DataType", "String"),
        ("MessageAttributes.entry.1.Value.StringValue", "offer-made"),
    ];
    aws.sns(&publish).await?;
    let start = Instant::now();
    let mut published = 0;
    while start.elapsed() < EACH {
        aws.sns(&publish).await?;
        published += 1;
    }
    for queue in &queues {
        holds(&mut aws, queue, published + 1).await?;
    }
    Ok(published as f64 / start.elapsed().as_secs_f64())
}

/// Waits until a queue holds so many messages.
async fn holds(aws: &mut Aws, url: &str, count: usize) -> Result<(), Failure> {
    let ask = json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]});
    let start = Instant::now();
    loop {
        let answer = aws.json(SQS, "GetQueueAttributes", &ask).await?;
        let held = answer["Attributes"]["ApproximateNumberOfMessages"]
            .as_str()
            .ok_or("no count")?
            .parse::<usize>()?;
        if held >= count {
            return Ok(());
        }
        if start.elapsed() > ARRIVAL_MAX {
            return Err(format!("{held} of {count} messages arrived").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Result<&'a str, Failure> {
    text.split_once(from)
        .and_then(|(_, rest)| rest.split_once(to))
        .map(|(it, _)| it)
        .ok_or_else(|| format!("no {from} in {text}").into())
}

/// A put under a condition and a look into the stream, by one client; at the end all records must
/// have been seen.
async fn puts(port: u16) -> Outcome {
    let mut aws = Aws::connect(port).await?;
    let table = json!({
        "TableName": "journal", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"}
    });
    let made = aws.json(DYNAMO, "CreateTable", &table).await?;
    let stream = made["TableDescription"]["LatestStreamArn"].clone();
    let mut iterator = iterator(&mut aws, &stream).await?;
    let start = Instant::now();
    let (mut written, mut seen) = (0, 0);
    while start.elapsed() < EACH {
        let put = json!({
            "TableName": "journal", "ConditionExpression": "attribute_not_exists(pk)",
            "Item": {"pk": {"S": written.to_string()}, "body": {"S": "x".repeat(BODY_BYTES)}}
        });
        aws.call(DYNAMO, "PutItem", put.to_string()).await?;
        written += 1;
        seen += read(&mut aws, &mut iterator).await?;
    }
    while seen < written {
        if start.elapsed() > EACH + ARRIVAL_MAX {
            return Err(format!("{seen} of {written} records were seen").into());
        }
        seen += read(&mut aws, &mut iterator).await?;
    }
    Ok(written as f64 / start.elapsed().as_secs_f64())
}

async fn iterator(aws: &mut Aws, stream: &Value) -> Result<Value, Failure> {
    let described = aws
        .json(STREAMS, "DescribeStream", &json!({"StreamArn": stream}))
        .await?;
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let ask = json!({
        "StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"
    });
    let mut given = aws.json(STREAMS, "GetShardIterator", &ask).await?;
    Ok(given["ShardIterator"].take())
}

/// Reads on from an iterator, which moves; gives how many records there were.
async fn read(aws: &mut Aws, iterator: &mut Value) -> Result<usize, Failure> {
    let ask = json!({"ShardIterator": iterator});
    let mut answer = aws.json(STREAMS, "GetRecords", &ask).await?;
    *iterator = answer["NextShardIterator"].take();
    Ok(answer["Records"].as_array().map_or(0, Vec::len))
}

/// Puts messages into a queue, ten a call, as many as there is time for; gives how many.
async fn fill(port: u16, name: &str) -> Outcome {
    let mut aws = Aws::connect(port).await?;
    let url = queue(&mut aws, name).await?;
    let entries: Vec<Value> = (0..10)
        .map(|id| json!({"Id": id.to_string(), "MessageBody": "x".repeat(BODY_BYTES)}))
        .collect();
    let batch = json!({"QueueUrl": url, "Entries": entries}).to_string();
    let start = Instant::now();
    let mut put = 0;
    while put < BACKLOG && start.elapsed() < FILL_MAX {
        aws.call(SQS, "SendMessageBatch", batch.clone()).await?;
        put += entries.len();
    }
    Ok(put as f64)
}
