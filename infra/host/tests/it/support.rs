//! What the tests share: an engine on virtual time, stacks from a few lines of YAML,
//! functions that record what they get.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use callboard_engine::{Clock, Engine, EngineConfig};
use callboard_host::{Host, HostConfig, Invocation, Registry, Resource, Resources, Service};
use callboard_template::{Parameters, Stack};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

/// Where virtual time begins, in seconds since 1970.
pub const START_S: u64 = 1_800_000_000;

/// How long a test waits for something, in virtual time.
const PATIENCE: Duration = Duration::from_secs(3_600);

pub async fn engine() -> Engine {
    Engine::open(EngineConfig {
        clock: Clock::tokio(UNIX_EPOCH + Duration::from_secs(START_S)),
        ..EngineConfig::default()
    })
    .await
    .expect("an ephemeral engine")
}

/// A template with a role that every function may take.
pub fn template(resources: &str) -> String {
    format!(
        "AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{}}
      Policies: []
{resources}"
    )
}

pub fn stack(resources: &str) -> Stack {
    let text = template(resources);
    callboard_template::load("template.yaml", &text, &Parameters::default())
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// A function `worker` with a time-out of 5 s and one event source.
pub fn worker(event: &str) -> String {
    format!(
        "  Worker:
    Type: AWS::Serverless::Function
    Metadata: {{BuildMethod: rust-cargolambda, BuildProperties: {{Binary: worker}}}}
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
      Timeout: 5
      Events:
        Source:
{event}
"
    )
}

/// A registry with `handler` as the function `worker`.
pub fn registry<F, Fut>(handler: F) -> Registry
where
    F: Fn(LambdaEvent<Value>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, lambda_runtime::Error>> + Send + 'static,
{
    named(Registry::new(), "worker", handler)
}

pub fn named<F, Fut>(registry: Registry, binary: &str, handler: F) -> Registry
where
    F: Fn(LambdaEvent<Value>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, lambda_runtime::Error>> + Send + 'static,
{
    let service = Service::new(tower::service_fn(handler));
    registry.with(binary, move |_vars, _sdk| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service) }
    })
}

pub async fn start(stack: Stack, engine: &Engine, registry: Registry) -> Host {
    Host::start(HostConfig::new(stack, engine.sdk_config(), registry))
        .await
        .expect("the host starts")
}

/// Things that functions saw, in order.
#[derive(Debug)]
pub struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Seen(self.0.clone())
    }
}

impl<T: Clone> Seen<T> {
    pub fn new() -> Self {
        Seen(Arc::default())
    }

    pub fn push(&self, thing: T) {
        self.0.lock().expect("not poisoned").push(thing);
    }

    pub fn all(&self) -> Vec<T> {
        self.0.lock().expect("not poisoned").clone()
    }

    pub fn len(&self) -> usize {
        self.all().len()
    }
}

/// Polls until `condition` holds; panics after an hour of virtual time.
pub async fn until<Fut>(what: &str, mut condition: impl FnMut() -> Fut)
where
    Fut: Future<Output = bool>,
{
    let end = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < end, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The next `count` invocations.
pub async fn invocations(
    observed: &mut Receiver<Arc<Invocation>>,
    count: usize,
) -> Vec<Arc<Invocation>> {
    let mut found = Vec::new();
    for position in 0..count {
        let next = tokio::time::timeout(PATIENCE, observed.recv())
            .await
            .unwrap_or_else(|_| panic!("only {position} of {count} invocations came"));
        found.push(next.expect("no lag and an open channel"));
    }
    found
}

/// A queue of the stack, by logical id.
pub struct TestQueue {
    pub sqs: aws_sdk_sqs::Client,
    pub url: String,
}

impl TestQueue {
    pub fn of(resources: &Resources, sdk: &SdkConfig, logical_id: &str) -> Self {
        let Some(Resource::Queue { url, .. }) = resources.get(logical_id) else {
            panic!("no queue {logical_id} in {resources:?}");
        };
        TestQueue {
            sqs: aws_sdk_sqs::Client::new(sdk),
            url: url.clone(),
        }
    }

    pub async fn send(&self, body: &str) {
        self.sqs
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await
            .expect("sent");
    }

    pub async fn send_to_group(&self, group: &str, body: &str) {
        self.sqs
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_group_id(group)
            .message_deduplication_id(body)
            .send()
            .await
            .expect("sent");
    }

    /// Messages visible, in flight and delayed.
    pub async fn held(&self) -> u32 {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let attributes = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .expect("attributes")
            .attributes
            .unwrap_or_default();
        names
            .iter()
            .filter_map(|name| attributes.get(name)?.parse::<u32>().ok())
            .sum()
    }

    pub async fn becomes_empty(&self) {
        until("an empty queue", || async { self.held().await == 0 }).await;
    }

    /// Waits for `count` messages and takes their bodies, sorted.
    pub async fn take(&self, count: usize) -> Vec<String> {
        let mut bodies = Vec::new();
        while bodies.len() < count {
            let received = self
                .sqs
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(10)
                .wait_time_seconds(20)
                .send()
                .await
                .expect("received");
            for message in received.messages.unwrap_or_default() {
                bodies.push(message.body.unwrap_or_default());
            }
        }
        bodies.sort();
        bodies
    }
}

/// Bodies of an SQS event's records.
pub fn bodies(event: &Value) -> Vec<String> {
    records(event)
        .iter()
        .map(|record| record["body"].as_str().expect("a body").to_owned())
        .collect()
}

pub fn records(event: &Value) -> &Vec<Value> {
    event["Records"].as_array().expect("records")
}

/// A partial batch response.
pub fn failures(ids: impl IntoIterator<Item = String>) -> Value {
    let items: Vec<Value> = ids
        .into_iter()
        .map(|id| json!({ "itemIdentifier": id }))
        .collect();
    json!({ "batchItemFailures": items })
}

/// Counts requests on their way to another client.
#[derive(Debug, Clone)]
pub struct Counting {
    inner: SharedHttpClient,
    requests: Arc<AtomicUsize>,
}

impl Counting {
    pub fn new(inner: SharedHttpClient) -> Self {
        Counting {
            inner,
            requests: Arc::default(),
        }
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl HttpClient for Counting {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(CountingConnector {
            inner: self.inner.http_connector(settings, components),
            requests: self.requests.clone(),
        })
    }
}

#[derive(Debug)]
struct CountingConnector {
    inner: SharedHttpConnector,
    requests: Arc<AtomicUsize>,
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.inner.call(request)
    }
}
