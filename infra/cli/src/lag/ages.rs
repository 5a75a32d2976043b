//! Ages, which CloudWatch alone knows (the engine answers for queues): neither SQS nor Lambda tells
//! them. By its JSON protocol and not by its SDK, which would cost every build a minute for one call.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{Answer, Http, Signer};
use crate::target::Target;

/// The name that CloudWatch's requests are signed for, and its hosts begin with.
const SERVICE: &str = "monitoring";

/// The operation in the JSON protocol, as AWS's service model (2010-08-01) names it.
const OPERATION: &str = "GraniteServiceVersion20100801.GetMetricData";

/// SQS and Lambda report once a minute
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>).
const PERIOD_S: i64 = 60;

/// How far back the newest value may be, in seconds: metrics come some minutes late.
const WINDOW_S: i64 = 15 * PERIOD_S;

/// Most metrics that one request may ask for
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).
const METRICS_MAX: usize = 500;

/// What has an age, by its physical name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Aged {
    /// A queue: the age of its oldest message.
    Queue(String),
    /// A function on a stream: the age of the last record that it was given.
    Function(String),
}

impl Aged {
    /// The metric, and how many of its units are a second.
    fn metric(&self) -> (Value, f64) {
        let metric = |namespace, metric, dimension, name: &str| {
            json!({
                "Namespace": namespace, "MetricName": metric,
                "Dimensions": [{ "Name": dimension, "Value": name }],
            })
        };
        match self {
            Self::Queue(name) => {
                let oldest = "ApproximateAgeOfOldestMessage";
                (metric("AWS/SQS", oldest, "QueueName", name), 1.0)
            }
            Self::Function(name) => {
                let age = metric("AWS/Lambda", "IteratorAge", "FunctionName", name);
                (age, 1_000.0)
            }
        }
    }
}

/// The newest known ages in seconds; of what has reported nothing lately there is none.
///
/// # Errors
/// Why CloudWatch does not tell: an emulator may have none, a role may not be allowed to ask.
pub(super) async fn ask(
    target: &Target,
    of: &[Aged],
    now: jiff::Timestamp,
) -> Result<BTreeMap<Aged, f64>, String> {
    let signer = Signer::new(target.credentials().clone(), target.region()).of(SERVICE);
    let http = Http::new().signing(signer);
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", OPERATION),
    ];
    let mut ages = BTreeMap::new();
    for part in of.chunks(METRICS_MAX) {
        let body = Bytes::from(request(part, now.as_second()).to_string());
        let answer = http.post(&endpoint(target), &headers, body).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(refusal(&answer));
        }
        let results = &answer.json()["MetricDataResults"];
        let results = results.as_array().ok_or("its answer is no metric data")?;
        ages.extend(results.iter().filter_map(|result| newest(result, part)));
    }
    Ok(ages)
}

/// Status and code, without the message, which may name whoever asked.
fn refusal(answer: &Answer) -> String {
    let answered = answer.json();
    let code = answered["__type"].as_str().unwrap_or("no code");
    let code = code.rsplit('#').next().unwrap_or(code);
    format!("it answered {} ({code})", answer.status.as_u16())
}

/// Where CloudWatch is: beside the other services, unless it is named by itself.
fn endpoint(target: &Target) -> String {
    let named = ["AWS_ENDPOINT_URL_CLOUDWATCH", "AWS_ENDPOINT_URL"];
    if let Some(url) = named.iter().find_map(|name| target.get(name)) {
        return format!("{}/", url.trim_end_matches('/'));
    }
    let region = target.region();
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://{SERVICE}.{region}.amazonaws.com{china}/")
}

fn request(of: &[Aged], now_s: i64) -> Value {
    let queries = of.iter().enumerate().map(|(index, aged)| {
        json!({
            "Id": format!("m{index}"),
            "MetricStat": { "Metric": aged.metric().0, "Period": PERIOD_S, "Stat": "Maximum" },
        })
    });
    json!({
        "StartTime": now_s - WINDOW_S, "EndTime": now_s, "ScanBy": "TimestampDescending",
        "MetricDataQueries": queries.collect::<Vec<_>>(),
    })
}

/// The first value of a result, which is the newest.
fn newest(result: &Value, of: &[Aged]) -> Option<(Aged, f64)> {
    let index: usize = result["Id"].as_str()?.strip_prefix('m')?.parse().ok()?;
    let aged = of.get(index)?;
    let value = result["Values"].get(0)?.as_f64()?;
    Some((aged.clone(), value / aged.metric().1))
}
