//! The dashboard, and the alarms on our own metrics: each metric they name exists.

use std::collections::BTreeSet;

use callboard_runtime::metrics::{DIMENSIONS, Metric, NAMESPACE};
use serde_json::{Value, json};

use crate::resources;

/// The dashboard's body, each `${…}` in it as CloudFormation would name it: `<…>`.
fn body() -> Value {
    let dashboards = resources("AWS::CloudWatch::Dashboard");
    let [(_, text)] = dashboards[..] else {
        panic!("one dashboard")
    };
    let (_, body) = text
        .split_once("DashboardBody: !Sub |\n")
        .expect("a body by Fn::Sub");
    let mut substituted = String::new();
    let mut parts = body.split("${");
    substituted.extend(parts.next());
    for part in parts {
        let (name, rest) = part.split_once('}').expect("closed");
        substituted.push_str(&format!("<{name}>{rest}"));
    }
    serde_json::from_str(&substituted).expect("JSON")
}

/// Every metric of every graph.
fn metrics(body: &Value) -> Vec<Vec<String>> {
    let widgets = body["widgets"].as_array().expect("widgets");
    let lists = widgets
        .iter()
        .filter_map(|widget| widget["properties"]["metrics"].as_array());
    let words = |metric: &Value| {
        let words = metric.as_array().expect("a list").iter();
        words.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    lists.flatten().map(words).collect()
}

fn ids(kind: &str) -> BTreeSet<&'static str> {
    resources(kind).into_iter().map(|(id, _)| id).collect()
}

/// The plain names of all functions.
fn functions() -> BTreeSet<&'static str> {
    let functions = resources("AWS::Serverless::Function").into_iter();
    functions
        .filter_map(|(_, text)| text.split_once("FUNCTION_NAME: "))
        .filter_map(|(_, rest)| rest.lines().next())
        .collect()
}

/// What AWS measures, of what we look at (the services' own pages on their metrics).
const OF_AWS: [(&str, &[&str], &str, &str); 6] = [
    (
        "AWS/SQS",
        &[
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
        ],
        "QueueName",
        "AWS::SQS::Queue",
    ),
    (
        "AWS/Lambda",
        &[
            "Duration",
            "Errors",
            "IteratorAge",
            "Throttles",
            "DestinationDeliveryFailures",
        ],
        "FunctionName",
        "AWS::Serverless::Function",
    ),
    (
        "AWS/ApiGateway",
        &["4xx", "5xx", "Count", "Latency"],
        "ApiId",
        "AWS::ApiGatewayV2::Api",
    ),
    (
        "AWS/DynamoDB",
        &["ReadThrottleEvents", "WriteThrottleEvents"],
        "TableName",
        "AWS::DynamoDB::Table",
    ),
    (
        "AWS/SNS",
        &["NumberOfNotificationsFailedToRedriveToDlq"],
        "TopicName",
        "AWS::SNS::Topic",
    ),
    ("Callboard", &[], "Stack", ""),
];

/// The resource that a metric of AWS is of.
fn resource_of(metric: &[String]) -> String {
    let [namespace, name, dimension, value, more @ ..] = metric else {
        panic!("{metric:?}")
    };
    let known = OF_AWS.iter().find(|known| known.0 == namespace);
    let (_, names, of, kind) = known.unwrap_or_else(|| panic!("{metric:?}"));
    assert!(names.contains(&name.as_str()), "{metric:?}");
    assert_eq!(dimension, of, "{metric:?}");
    assert!(
        more.is_empty() || more == ["GlobalSecondaryIndexName", "agenda"],
        "{metric:?}"
    );
    let id = value.trim_start_matches('<').trim_end_matches('>');
    let id = id.split('.').next().unwrap_or_default();
    assert!(ids(kind).contains(id), "{metric:?}");
    id.to_owned()
}

#[test]
fn every_metric_of_the_dashboard_is_of_a_resource_or_one_of_ours() {
    let (ours, of_aws): (Vec<_>, Vec<_>) = metrics(&body())
        .into_iter()
        .partition(|metric| metric[0] == NAMESPACE);
    let seen: BTreeSet<String> = of_aws.iter().map(|metric| resource_of(metric)).collect();
    for kind in [
        "AWS::SQS::Queue",
        "AWS::Serverless::Function",
        "AWS::DynamoDB::Table",
    ] {
        for id in ids(kind) {
            assert!(seen.contains(id), "{id} is on no graph");
        }
    }
    let mut named = BTreeSet::new();
    for metric in &ours {
        let [_, name, stack, of_stack, function, of_function] = &metric[..] else {
            panic!("{metric:?}")
        };
        assert_eq!([stack.as_str(), function.as_str()], DIMENSIONS);
        assert_eq!(of_stack, "<AWS::StackName>");
        assert!(functions().contains(of_function.as_str()), "{metric:?}");
        named.insert(name.as_str());
    }
    let known: BTreeSet<&str> = Metric::ALL.into_iter().map(Metric::name).collect();
    assert_eq!(named, known);
}

#[test]
fn the_dashboard_shows_every_alarm() {
    let body = body();
    let shown = &body["widgets"][0]["properties"]["alarms"];
    let shown: BTreeSet<&str> = shown
        .as_array()
        .expect("alarms")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let alarms = ids("AWS::CloudWatch::Alarm");
    let alarms: BTreeSet<String> = alarms.iter().map(|id| format!("<{id}.Arn>")).collect();
    assert_eq!(shown, alarms.iter().map(String::as_str).collect());
}

#[test]
fn no_graph_hides_another() {
    let body = body();
    let mut taken = BTreeSet::new();
    for widget in body["widgets"].as_array().expect("widgets") {
        let [x, y, width, height] =
            ["x", "y", "width", "height"].map(|side| widget[side].as_u64().expect("a number"));
        assert!(x + width <= 24, "{}", widget["properties"]["title"]);
        for place in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{}", widget["properties"]["title"]);
        }
    }
}

#[test]
fn an_alarm_on_a_metric_of_ours_names_one_that_is_written_with_these_dimensions() {
    let mut seen = 0;
    for (id, text) in resources("AWS::CloudWatch::Alarm") {
        if !text.contains(&format!("Namespace: {NAMESPACE}\n")) {
            continue;
        }
        seen += 1;
        for name in text.split("MetricName: ").skip(1) {
            let name = name.lines().next().unwrap_or_default();
            let known = Metric::ALL.into_iter().any(|metric| metric.name() == name);
            assert!(known, "{id}: {name}");
        }
        let dimensions: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- {Name: "))
            .filter_map(|rest| rest.strip_suffix('}'))
            .collect();
        for pair in dimensions.chunks(2) {
            let [stack, function] = pair else {
                panic!("{id}: {dimensions:?}")
            };
            let of_stack = format!("{}, Value: !Ref AWS::StackName", DIMENSIONS[0]);
            assert_eq!(*stack, of_stack, "{id}");
            let value = function.strip_prefix(&format!("{}, Value: ", DIMENSIONS[1]));
            assert!(functions().contains(value.expect("a function")), "{id}");
        }
        assert!(!dimensions.is_empty(), "{id}");
    }
    assert_eq!(seen, 2);
}

#[test]
fn every_function_knows_its_stack_and_its_plain_name() {
    let parameters = callboard_template::Parameters::default()
        .with("LinkKeys", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE")
        .with("PublicUrl", "http://board.example");
    let text = callboard_cli::system::TEMPLATE;
    let stack = callboard_template::load("template.yaml", text, &parameters).expect("a stack");
    assert_eq!(stack.functions.len(), 9);
    for function in &stack.functions {
        let known = |name: &str| function.env[name].evaluate(&|_| None);
        assert_eq!(known("STACK_NAME"), Ok(json!("callboard")));
        assert_eq!(known("FUNCTION_NAME"), Ok(json!(function.binary)));
    }
}
