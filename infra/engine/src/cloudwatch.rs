//! CloudWatch's `GetMetricData` in its JSON protocol, for what SQS reports there: how old the oldest
//! message of a queue is, and how many there are. CloudWatch keeps a history by the minute; here there
//! is the present alone, as one value at the end of the time asked for. What is not known has no value,
//! as a metric that nobody reported.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::messages::{Messages, Work};
use crate::sqs::SqsError;
use crate::wire::{Answer, unknown_json_operation};

/// Queries of one call at most
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).
const QUERIES_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetMetricData {
    end_time: f64,
    metric_data_queries: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: String,
    metric_stat: Option<MetricStat>,
    label: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Metric,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

/// Answers one call.
pub(crate) async fn answer(messages: &Messages, operation: &str, body: &[u8]) -> Answer {
    if operation != "GetMetricData" {
        return unknown_json_operation("CloudWatch", operation);
    }
    let request: GetMetricData = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return refused("SerializationException", &error.to_string()),
    };
    if request.metric_data_queries.is_empty() || request.metric_data_queries.len() > QUERIES_MAX {
        let message = format!("MetricDataQueries takes 1 to {QUERIES_MAX} queries");
        return refused("ValidationError", &message);
    }
    if let Some(query) = request
        .metric_data_queries
        .iter()
        .find(|query| query.metric_stat.is_none())
    {
        let message = format!("{}: the engine computes no expressions", query.id);
        return refused("ValidationError", &message);
    }
    let read = messages.transact_together(move |work| results(work, &request));
    match read.await {
        Ok(results) => {
            let answer = json!({ "MetricDataResults": results, "Messages": [] });
            Answer::json(200, answer.to_string())
        }
        Err(error) => error.answer(operation),
    }
}

fn refused(code: &str, message: &str) -> Answer {
    Answer::json(
        400,
        json!({ "__type": code, "message": message }).to_string(),
    )
}

fn results(work: &mut Work<'_>, request: &GetMetricData) -> Result<Vec<Value>, SqsError> {
    let mut results = Vec::new();
    for query in &request.metric_data_queries {
        let Some(MetricStat { metric }) = &query.metric_stat else {
            continue;
        };
        let value = value(work, metric)?;
        let (times, values) = match value {
            Some(value) => (vec![request.end_time], vec![value]),
            None => (Vec::new(), Vec::new()),
        };
        let label = query.label.as_ref().unwrap_or(&metric.metric_name);
        results.push(json!({
            "Id": query.id, "Label": label, "StatusCode": "Complete",
            "Timestamps": times, "Values": values,
        }));
    }
    Ok(results)
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
fn value(work: &mut Work<'_>, metric: &Metric) -> Result<Option<i64>, SqsError> {
    let [dimension] = metric.dimensions.as_slice() else {
        return Ok(None);
    };
    if metric.namespace != "AWS/SQS" || dimension.name != "QueueName" {
        return Ok(None);
    }
    let Some(queue) = work.queues.named(&dimension.value).cloned() else {
        return Ok(None);
    };
    if metric.metric_name == "ApproximateAgeOfOldestMessage" {
        let oldest = work.oldest(queue.id, queue.fifo())?;
        return Ok(Some(
            oldest.map_or(0, |sent_at| (work.now - sent_at).max(0) / 1_000),
        ));
    }
    let (total, leased, delayed) = work.census(queue.id, queue.fifo())?;
    Ok(match metric.metric_name.as_str() {
        "ApproximateNumberOfMessagesVisible" => Some(total - leased - delayed),
        "ApproximateNumberOfMessagesNotVisible" => Some(leased),
        "ApproximateNumberOfMessagesDelayed" => Some(delayed),
        _ => None,
    })
}
