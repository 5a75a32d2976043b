//! Reads functions with their event source mappings.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::document::Resource;
use crate::problem::Collector;
use crate::resolve::Resolver;
use crate::schedule;
use crate::source::{EventSource, SqsSource, StartingPosition, StreamSource};
use crate::stack::Function;
use crate::value::{self, Fields, Kind, Value};
use crate::yaml::{Node, join};

/// Time-out that Lambda gives a function without one, in seconds.
const TIMEOUT_DEFAULT_S: u32 = 3;
/// Memory that Lambda gives a function without a size, in MiB.
const MEMORY_DEFAULT_MB: u32 = 128;
/// Batches of an SQS mapping: at most 10,000 records, 10 without a window; default 10.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html>
const SQS_BATCH_DEFAULT: u32 = 10;
/// Batches of a stream mapping: at most 10,000 records; default 100.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html>
const STREAM_BATCH_DEFAULT: u32 = 100;
/// Records per batch that any mapping may ask for.
const BATCH_MAX: u32 = 10_000;
/// Longest batch window, in seconds.
const WINDOW_MAX_S: u32 = 300;

/// A function, and the logical id of its role.
pub(crate) struct Read {
    pub(crate) function: Function,
    pub(crate) role: Option<String>,
}

pub(crate) fn read(
    resource: &Resource,
    mut fields: Fields<'_>,
    resolver: &Resolver<'_>,
) -> Option<Read> {
    let problems = resolver.problems;
    fields.required_word("Runtime", &["provided.al2023"]);
    let role = fields
        .required("Role")
        .filter(|value| resolver.leads_to(value, "AWS::IAM::Role", Some("Arn")));
    let timeout_s = fields.count("Timeout", 1..=900, TIMEOUT_DEFAULT_S);
    let memory_mb = fields.count("MemorySize", 128..=10_240, MEMORY_DEFAULT_MB);
    let env = fields
        .map("Environment")
        .map(environment)
        .unwrap_or_default();
    let events = fields
        .take("Events")
        .map(|value| events(value, resolver))
        .unwrap_or_default();
    let binary = binary(resource, problems);
    fields.finish();
    Some(Read {
        role: role.and_then(|value| value.to_expr().target().map(str::to_owned)),
        function: Function {
            logical_id: resource.logical_id.clone(),
            position: resource.at,
            binary: binary?,
            timeout_s,
            memory_mb,
            env,
            events,
            statements: Vec::new(),
        },
    })
}

/// `Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: …}}`: what `sam build`
/// builds and the host runs.
fn binary(resource: &Resource, problems: &Collector) -> Option<String> {
    let path = join(&resource.path(), "Metadata");
    let Some(metadata) = &resource.metadata else {
        let message = "`Metadata` is missing: BuildMethod and BuildProperties.Binary say what to \
                       build and run";
        problems.add(resource.at, &resource.path(), message);
        return None;
    };
    let method = metadata.get("BuildMethod").and_then(Node::text);
    if method != Some("rust-cargolambda") {
        let message = "`BuildMethod` must be rust-cargolambda: the host runs Rust binaries only";
        problems.add(metadata.at, &path, message);
    }
    let binary = metadata
        .get("BuildProperties")
        .and_then(|properties| properties.get("Binary"))
        .and_then(Node::text);
    if binary.is_none() {
        problems.add(metadata.at, &path, "`BuildProperties.Binary` is missing");
    }
    binary.map(str::to_owned)
}

fn environment(mut fields: Fields<'_>) -> BTreeMap<String, crate::Expr> {
    let variables = fields.take("Variables");
    fields.finish();
    match variables.map(|value| value.kind) {
        Some(Kind::Map(entries)) => entries
            .into_iter()
            .map(|(key, value)| (key.name, value.to_expr()))
            .collect(),
        _ => BTreeMap::new(),
    }
}

fn events(value: Value, resolver: &Resolver<'_>) -> Vec<EventSource> {
    let problems = resolver.problems;
    let Kind::Map(entries) = value.kind else {
        value::complain(&value, "must be a map", problems);
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        let Some(mut event) = Fields::of(value, problems) else {
            continue;
        };
        let kind = event.required_word("Type", &["SQS", "DynamoDB", "Schedule"]);
        let properties = event.map("Properties");
        event.finish();
        let (Some(kind), Some(properties)) = (kind, properties) else {
            continue;
        };
        found.extend(match kind {
            "SQS" => sqs(key.name, key.at, properties, resolver).map(EventSource::Sqs),
            "DynamoDB" => stream(key.name, key.at, properties, resolver).map(EventSource::Stream),
            _ => schedule::read(key.name, key.at, properties, problems).map(EventSource::Schedule),
        });
    }
    found
}

fn sqs(
    name: String,
    position: crate::Position,
    mut fields: Fields<'_>,
    resolver: &Resolver<'_>,
) -> Option<SqsSource> {
    let queue = fields
        .required("Queue")
        .filter(|value| resolver.leads_to(value, "AWS::SQS::Queue", Some("Arn")));
    let batch_size = fields.count("BatchSize", 1..=BATCH_MAX, SQS_BATCH_DEFAULT);
    let window_s = fields.count("MaximumBatchingWindowInSeconds", 0..=WINDOW_MAX_S, 0);
    let max_concurrency = fields.map("ScalingConfig").and_then(|mut scaling| {
        let concurrency = scaling.integer("MaximumConcurrency", 2..=1_000);
        scaling.finish();
        concurrency.and_then(|number| u32::try_from(number).ok())
    });
    let report_item_failures = response_types(&mut fields, resolver.problems);
    let filters = filters(&mut fields, resolver.problems);
    let enabled = fields.flag("Enabled").unwrap_or(true);
    if batch_size > SQS_BATCH_DEFAULT && window_s == 0 {
        fields
            .problem("a batch of more than 10 needs `MaximumBatchingWindowInSeconds` of 1 or more");
    }
    fields.finish();
    Some(SqsSource {
        name,
        position,
        queue: queue?.to_expr(),
        batch_size,
        window_s,
        max_concurrency,
        report_item_failures,
        filters,
        enabled,
    })
}

fn stream(
    name: String,
    position: crate::Position,
    mut fields: Fields<'_>,
    resolver: &Resolver<'_>,
) -> Option<StreamSource> {
    let stream = fields
        .required("Stream")
        .filter(|value| resolver.leads_to(value, "AWS::DynamoDB::Table", Some("StreamArn")));
    let start = fields.required_word("StartingPosition", &["TRIM_HORIZON", "LATEST"]);
    let batch_size = fields.count("BatchSize", 1..=BATCH_MAX, STREAM_BATCH_DEFAULT);
    let window_s = fields.count("MaximumBatchingWindowInSeconds", 0..=WINDOW_MAX_S, 0);
    let bisect = fields.flag("BisectBatchOnFunctionError").unwrap_or(false);
    let max_retries = fields
        .integer("MaximumRetryAttempts", -1..=10_000)
        .unwrap_or(-1);
    let max_record_age_s = record_age(&mut fields, resolver.problems);
    let parallelization = fields.count("ParallelizationFactor", 1..=10, 1);
    let report_item_failures = response_types(&mut fields, resolver.problems);
    let filters = filters(&mut fields, resolver.problems);
    let enabled = fields.flag("Enabled").unwrap_or(true);
    let on_failure = fields
        .map("DestinationConfig")
        .and_then(|destination| on_failure(destination, resolver));
    fields.finish();
    Some(StreamSource {
        name,
        position,
        stream: stream?.to_expr(),
        batch_size,
        window_s,
        starting_position: match start? {
            "LATEST" => StartingPosition::Latest,
            _ => StartingPosition::TrimHorizon,
        },
        bisect,
        max_retries,
        max_record_age_s,
        on_failure: on_failure.map(|value| value.to_expr()),
        filters,
        report_item_failures,
        parallelization,
        enabled,
    })
}

/// −1, or 60 seconds to a week.
fn record_age(fields: &mut Fields<'_>, problems: &Collector) -> i64 {
    let Some(value) = fields.take("MaximumRecordAgeInSeconds") else {
        return -1;
    };
    let age = value::integer(&value, -1..=604_800, problems).unwrap_or(-1);
    if (0..60).contains(&age) {
        problems.add(
            value.at,
            &value.path,
            format!("{age} is out of range: −1, or 60 to 604800"),
        );
    }
    age
}

fn on_failure(mut destination: Fields<'_>, resolver: &Resolver<'_>) -> Option<Value> {
    let inner = destination.map("OnFailure");
    destination.finish();
    let mut inner = inner?;
    inner.required_word("Type", &["SQS"]);
    let target = inner.required("Destination");
    inner.finish();
    target.filter(|value| resolver.leads_to(value, "AWS::SQS::Queue", Some("Arn")))
}

fn response_types(fields: &mut Fields<'_>, problems: &Collector) -> bool {
    let items = fields.list("FunctionResponseTypes");
    items
        .iter()
        .filter_map(|item| value::word(item, &["ReportBatchItemFailures"], problems))
        .count()
        > 0
}

fn filters(fields: &mut Fields<'_>, problems: &Collector) -> Vec<Json> {
    let Some(mut criteria) = fields.map("FilterCriteria") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in criteria.list("Filters") {
        let Some(mut filter) = Fields::of(item, problems) else {
            continue;
        };
        let pattern = filter.required("Pattern");
        filter.finish();
        let Some(pattern) = pattern else { continue };
        let Some(text) = value::text(&pattern, problems) else {
            continue;
        };
        match serde_json::from_str::<Json>(&text) {
            Ok(json) if json.is_object() => found.push(json),
            Ok(_) => problems.add(pattern.at, &pattern.path, "must be a JSON object"),
            Err(error) => {
                problems.add(pattern.at, &pattern.path, format!("is not JSON: {error}"));
            }
        }
    }
    criteria.finish();
    found
}
