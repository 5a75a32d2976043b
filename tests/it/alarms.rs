//! The alarms on our own metrics hear what the functions write: namespace, name, unit and dimensions
//! of a line as it leaves a function of the template. (That an alarm goes off is shown by
//! `infra/scripts/fire-alarms.sh`, its entry in the runbook by `infra/cli`.)

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_cli::system::TEMPLATE;
use callboard_runtime::Clock;
use callboard_runtime::function::{Service, service};
use callboard_runtime::metrics::{Metric, NAMESPACE, Owner, count, metered, observe};
use callboard_template::{Parameters, Stack, load};
use lambda_runtime::{Context, Error, LambdaEvent};
use serde_json::Value;
use tower::ServiceExt;

/// What an alarm listens to.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    metric: String,
    dimensions: BTreeMap<String, String>,
}

/// The value after `key: ` in a line of the template, if that is what it says.
fn said<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.trim().strip_prefix(key)?.strip_prefix(": ")
}

/// Name and value, in a line that says a dimension.
fn dimension(line: &str) -> Option<(&str, &str)> {
    let pair = line.trim().strip_prefix("- {Name: ")?.strip_suffix('}')?;
    pair.split_once(", Value: ")
}

/// The alarms of the template on metrics of our own, by their names: all that each listens to.
fn alarms(stack_name: &str) -> BTreeMap<&'static str, Vec<Heard>> {
    let blocks = TEMPLATE.split("\n\n").filter(|block| {
        block.contains("Type: AWS::CloudWatch::Alarm")
            && block
                .lines()
                .any(|line| said(line, "Namespace") == Some(NAMESPACE))
    });
    let heard = blocks.map(|block| {
        let name = block.lines().find_map(|line| line.strip_suffix("Alarm:"));
        let mut heard: Vec<Heard> = Vec::new();
        for line in block.lines() {
            if let Some(metric) = said(line, "MetricName") {
                heard.push(Heard {
                    metric: metric.to_owned(),
                    dimensions: BTreeMap::new(),
                });
            }
            if let Some((name, value)) = dimension(line) {
                let value = value.replace("!Ref AWS::StackName", stack_name);
                let last = heard.last_mut().expect("a metric");
                last.dimensions.insert(name.to_owned(), value);
            }
        }
        assert!(!block.contains(" Unit: "), "{block}");
        (name.expect("a name").trim(), heard)
    });
    heard.collect()
}

/// A function that tells of `metric` once, in the way of its unit.
fn telling(metric: Metric) -> Service {
    service(move |_| async move {
        match metric.unit() {
            "Milliseconds" => observe(metric, Duration::from_mins(2)),
            _ => count(metric, "some"),
        }
        Ok::<_, Error>(Value::Null)
    })
}

/// What a function of the stack writes in an invocation that tells of `metric`.
async fn line_of(stack: &Stack, binary: &str, metric: Metric) -> Value {
    let function = stack.function_by_binary(binary).expect("a function");
    let vars = function
        .env
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_text()?.to_owned())))
        .collect();
    let owner = Owner::from_vars(&vars).expect("settings").expect("a stack");
    let line = Arc::new(Mutex::new(Value::Null));
    let kept = Arc::clone(&line);
    let sink = move |written: &str| {
        *kept.lock().expect("unpoisoned") = serde_json::from_str(written).expect("JSON");
    };
    let event = LambdaEvent::new(Value::Null, Context::default());
    metered(telling(metric), owner, Clock::system(), Arc::new(sink))
        .oneshot(event)
        .await
        .expect("an answer");
    line.lock().expect("unpoisoned").clone()
}

#[tokio::test]
async fn an_alarm_on_a_metric_of_ours_hears_what_its_function_writes() {
    let parameters = Parameters::default().with("LinkKeys", "k1:unused");
    let stack = load("template.yaml", TEMPLATE, &parameters).expect("it loads");
    let alarms = alarms(&parameters.stack_name);
    assert_eq!(
        alarms.keys().collect::<Vec<_>>(),
        [&"DeadlineOverdue", &"LeaseOutcomeUnknown"]
    );
    let all = alarms
        .into_iter()
        .flat_map(|(name, heard)| heard.into_iter().map(move |heard| (name, heard)));
    for (name, heard) in all {
        let metric = Metric::ALL
            .into_iter()
            .find(|metric| metric.name() == heard.metric)
            .unwrap_or_else(|| panic!("{name}: nobody writes {}", heard.metric));
        let line = line_of(&stack, &heard.dimensions["Function"], metric).await;
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], NAMESPACE);
        let definition = &directive["Metrics"][0];
        assert_eq!(definition["Name"], heard.metric.as_str());
        assert_eq!(definition["Unit"], metric.unit());
        assert!(!line[&heard.metric].is_null(), "{line}");
        let names = directive["Dimensions"][0].as_array().expect("names");
        let written = names.iter().map(|name| {
            let name = name.as_str().expect("a name");
            let value = line[name].as_str().expect("a value");
            (name.to_owned(), value.to_owned())
        });
        assert_eq!(written.collect::<BTreeMap<_, _>>(), heard.dimensions);
    }
}
