//! The template is the truth of the topology: a copy with another topology runs as it
//! says, without a change of code.

use std::convert::Infallible;

use callboard_host::{Host, HostConfig, HostError, Registry, Resource, Service};
use callboard_template::{Parameters, Stack};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tower::ServiceExt;

use crate::support::{
    Counting, Seen, TestQueue, bodies, engine, named, registry, stack, start, until,
};

const FLOW: &str = "  Events:
    Type: AWS::SNS::Topic
  Inbox:
    Type: AWS::SQS::Queue
  Subscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Events
      Protocol: sqs
      Endpoint: !GetAtt Inbox.Arn
      RawMessageDelivery: true
  Worker:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: worker}}
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
      Timeout: 5
      Environment:
        Variables:
          QUEUE_URL: !Ref Inbox
          TOPIC_ARN: !Ref Events
          BOTH: !Sub '${Inbox.QueueName} of ${AWS::Region}'
      Events:
        Source:
          Type: SQS
          Properties:
            Queue: !GetAtt Inbox.Arn
";

/// A second queue and a second function on the same topic.
const SECOND: &str = "  Audit:
    Type: AWS::SQS::Queue
  AuditSubscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Events
      Protocol: sqs
      Endpoint: !GetAtt Audit.Arn
      RawMessageDelivery: true
  Auditor:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: worker}}
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
      Timeout: 5
      Environment:
        Variables:
          QUEUE_URL: !Ref Audit
          TOPIC_ARN: !Ref Events
          BOTH: none
      Events:
        Source:
          Type: SQS
          Properties:
            Queue: !GetAtt Audit.Arn
";

/// Notes which queue each message came from, by the environment the function was built with.
fn noting(seen: &Seen<(String, String)>) -> Registry {
    let seen = seen.clone();
    Registry::new().with("worker", move |vars, _sdk| {
        let seen = seen.clone();
        let queue = vars["QUEUE_URL"]
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        async move {
            Ok::<_, Infallible>(Service::new(tower::service_fn(
                move |event: LambdaEvent<Value>| {
                    for body in bodies(&event.payload) {
                        seen.push((queue.clone(), body));
                    }
                    async { Ok(Value::Null) }
                },
            )))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_renamed_queue_and_an_added_consumer_are_followed_without_a_change_of_code() {
    let engine = engine().await;
    let sdk = engine.sdk_config();
    let seen = Seen::new();
    let host = start(stack(FLOW), &engine, noting(&seen)).await;
    let sns = aws_sdk_sns::Client::new(&sdk);
    let topic = host
        .resources()
        .get("Events")
        .expect("made")
        .arn()
        .to_owned();
    let publish = |body: &'static str| sns.publish().topic_arn(&topic).message(body).send();
    publish("one").await.expect("published");
    until("the first", || async { seen.len() == 1 }).await;
    host.shutdown().await;

    let copy = FLOW.replace("Inbox", "Letters") + SECOND;
    let host = start(stack(&copy), &engine, noting(&seen)).await;
    publish("two").await.expect("published");
    until("both consumers", || async { seen.len() == 3 }).await;
    let mut all = seen.all();
    all.sort();
    let expected = [
        ("callboard-Audit", "two"),
        ("callboard-Inbox", "one"),
        ("callboard-Letters", "two"),
    ]
    .map(|(queue, body)| (queue.to_owned(), body.to_owned()));
    assert_eq!(all, expected);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn environments_hold_real_names_urls_and_arns() {
    let engine = engine().await;
    let host = start(
        stack(FLOW),
        &engine,
        registry(|_| async { Ok(Value::Null) }),
    )
    .await;
    let vars = host.environment("Worker").expect("an environment");
    let resources = host.resources();
    let queue = TestQueue::of(resources, &engine.sdk_config(), "Inbox");
    assert_eq!(vars["QUEUE_URL"], queue.url);
    assert_eq!(
        vars["TOPIC_ARN"],
        resources.get("Events").expect("made").arn()
    );
    assert_eq!(vars["BOTH"], "callboard-Inbox of us-east-1");
    assert_eq!(vars["AWS_REGION"], "us-east-1");
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_that_does_not_start_stops_the_host_with_its_name() {
    let engine = engine().await;
    let failing = Registry::new().with("worker", |_vars, _sdk| async {
        Err::<Service, _>("the setting X is missing")
    });
    let config = HostConfig::new(stack(FLOW), engine.sdk_config(), failing);
    let error = Host::start(config).await.expect_err("refused");
    assert!(matches!(error, HostError::Build { .. }));
    let text = error.to_string();
    assert!(
        text.contains("worker") && text.contains("the setting X"),
        "{text}"
    );

    let panicking = Registry::new().with("worker", |_vars, _sdk| async {
        if true {
            panic!("asked to");
        }
        Err::<Service, _>("never")
    });
    let config = HostConfig::new(stack(FLOW), engine.sdk_config(), panicking);
    let error = Host::start(config).await.expect_err("refused");
    assert!(error.to_string().contains("panicked"), "{error}");
}

/// The template that AWS gets.
fn house() -> Stack {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
    let text = std::fs::read_to_string(path).expect("the template");
    let parameters = Parameters::default().with("LinkKeys", "k1:none");
    callboard_template::load("template.yaml", &text, &parameters)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every function of the house as one that does nothing.
fn doing_nothing() -> Registry {
    let names: Vec<String> = Registry::standard().names().map(str::to_owned).collect();
    names.iter().fold(Registry::new(), |registry, name| {
        named(registry, name, |_| async { Ok(json!({})) })
    })
}

#[test]
fn the_standard_registry_has_every_binary_of_the_template_and_no_other() {
    let stack = house();
    let wanted: BTreeSet<&str> = stack
        .functions
        .iter()
        .map(|function| function.binary.as_str())
        .collect();
    let registry = Registry::standard();
    assert_eq!(registry.names().collect::<BTreeSet<_>>(), wanted);
}

#[tokio::test(start_paused = true)]
async fn the_houses_template_is_served_whole_and_again_after_a_restart() {
    let engine = engine().await;
    let first = start(house(), &engine, doing_nothing()).await;
    let resources = first.resources().clone();
    first.shutdown().await;
    let host = start(house(), &engine, doing_nothing()).await;
    assert_eq!(host.resources(), &resources);
    for queue in &house().queues {
        assert!(matches!(
            resources.get(&queue.logical_id),
            Some(Resource::Queue { .. })
        ));
    }
    for function in &house().functions {
        let vars = host
            .environment(&function.logical_id)
            .expect("an environment");
        assert_eq!(vars["FUNCTION_NAME"], function.binary);
    }
    let api = house().http_api.expect("an API");
    assert!(!api.routes.is_empty());
    for route in api.routes {
        let path = route.path.replace(['{', '}'], "");
        let request = axum::http::Request::builder()
            .method(route.method.as_str())
            .uri(path)
            .body(axum::body::Body::empty())
            .expect("a request");
        let response = host.router().oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), 200, "{} {}", route.method, route.path);
    }
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_costs_three_requests_a_minute_for_each_mapping() {
    let engine = engine().await;
    let counting = Counting::new(engine.http_client());
    let sdk = engine
        .sdk_config()
        .to_builder()
        .http_client(counting.clone())
        .build();
    let host = Host::start(HostConfig::new(house(), sdk, doing_nothing()))
        .await
        .expect("started");
    let before = counting.requests();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let requests = counting.requests() - before;
    // One long poll of 20 s for each mapping, and a look at the stream's shards each minute.
    let mappings: usize = house()
        .functions
        .iter()
        .flat_map(|function| &function.events)
        .filter(|event| event.source().is_some())
        .count();
    let expected = mappings * 180 + 60;
    assert!(
        requests.abs_diff(expected) <= mappings,
        "{requests} requests, not about {expected}"
    );
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_around_the_registry_sees_every_call_by_name() {
    let engine = engine().await;
    let calls = Seen::new();
    let layered = registry(|_| async { Ok(json!({})) }).wrapped({
        let calls = calls.clone();
        move |binary, inner| {
            let (calls, binary) = (calls.clone(), binary.to_owned());
            Service::new(tower::service_fn(move |event: LambdaEvent<Value>| {
                calls.push((binary.clone(), bodies(&event.payload)));
                inner.clone().oneshot(event)
            }))
        }
    });
    let host = start(stack(FLOW), &engine, layered).await;
    TestQueue::of(host.resources(), &engine.sdk_config(), "Inbox")
        .send("hello")
        .await;
    until("a call", || async { calls.len() == 1 }).await;
    assert_eq!(
        calls.all(),
        [("worker".to_owned(), vec!["hello".to_owned()])]
    );
    host.shutdown().await;
}
