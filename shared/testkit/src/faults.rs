//! Faults between an SDK client and its service, and a count of what the calls cost.
//!
//! Wraps any HTTP client, so that it works on the engine, an emulator or AWS alike.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use tokio::sync::Semaphore;

/// Stands for every operation.
pub const ANY: &str = "*";

/// What happens to one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It never arrives; the client sees a broken connection.
    DropRequest,
    /// It is performed; the client sees a broken connection.
    DropAnswer,
    /// It arrives late.
    Delay(Duration),
    /// It is performed; its answer comes late.
    DelayAnswer(Duration),
    /// It is refused as too much, with the code `ThrottlingException`.
    Throttle,
    /// It is answered with this status and body, without being performed.
    Answer(u16, String),
    /// It waits before it arrives until the gate is opened.
    Hold(Gate),
    /// Nothing: lets a request pass before the next fault.
    Pass,
}

/// Holds requests until it is opened.
#[derive(Debug, Clone)]
pub struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            reached: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until one more request stands at the gate.
    pub async fn reached(&self) {
        take(&self.reached).await;
    }

    /// Lets one request through.
    pub fn open(&self) {
        self.open.add_permits(1);
    }

    async fn pass(&self) {
        self.reached.add_permits(1);
        take(&self.open).await;
    }
}

async fn take(semaphore: &Semaphore) {
    if let Ok(permit) = semaphore.acquire().await {
        permit.forget();
    }
}

/// What calls have cost since the last [`Faults::reset`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs {
    /// Requests that reached the service, by operation.
    pub by_operation: BTreeMap<String, u64>,
    /// Requests answered with an error, by operation.
    pub refused: BTreeMap<String, u64>,
    /// Write units by operation, as `ConsumedCapacity` told. AWS bills failed conditional writes
    /// too, without telling.
    pub write_units: BTreeMap<String, f64>,
    /// Read units by operation, as `ConsumedCapacity` told.
    pub read_units: BTreeMap<String, f64>,
}

impl Costs {
    /// Requests of one operation.
    #[must_use]
    pub fn requests(&self, operation: &str) -> u64 {
        self.by_operation
            .get(operation)
            .copied()
            .unwrap_or_default()
    }

    /// Requests of all operations.
    #[must_use]
    pub fn all_requests(&self) -> u64 {
        self.by_operation.values().sum()
    }

    /// Write units of all operations.
    #[must_use]
    pub fn all_write_units(&self) -> f64 {
        self.write_units.values().sum()
    }

    /// Read units of all operations.
    #[must_use]
    pub fn all_read_units(&self) -> f64 {
        self.read_units.values().sum()
    }
}

#[derive(Debug, Default)]
struct Plan {
    next: BTreeMap<String, VecDeque<Fault>>,
    unavailable: Option<String>,
    costs: Costs,
}

/// A client with faults; clones share their plan.
#[derive(Clone)]
pub struct Faults {
    client: SharedHttpClient,
    plan: Arc<Mutex<Plan>>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}

impl Faults {
    /// Wraps a client.
    #[must_use]
    pub fn around(client: SharedHttpClient) -> Self {
        Self {
            client,
            plan: Arc::default(),
        }
    }

    /// The same configuration, with this client between.
    #[must_use]
    pub fn sdk_config(&self, base: &SdkConfig) -> SdkConfig {
        base.to_builder()
            .http_client(SharedHttpClient::new(self.clone()))
            .build()
    }

    /// The same configuration, with these faults before the client that `base` has, whatever that
    /// is: a guard, for instance.
    #[must_use]
    pub fn before(&self, base: &SdkConfig) -> SdkConfig {
        let client = base.http_client().unwrap_or_else(|| self.client.clone());
        let plan = Arc::clone(&self.plan);
        Self { client, plan }.sdk_config(base)
    }

    /// The next request of `operation` (or of [`ANY`]) meets `fault`; faults queue up.
    pub fn next(&self, operation: &str, fault: Fault) {
        self.plan()
            .next
            .entry(operation.to_owned())
            .or_default()
            .push_back(fault);
    }

    /// The next `times` requests of `operation` meet `fault`.
    pub fn times(&self, operation: &str, times: usize, fault: &Fault) {
        for _ in 0..times {
            self.next(operation, fault.clone());
        }
    }

    /// From now on, whatever request has `text` in its body is answered with 503, as if the
    /// service were down for it; `None` ends that. SNS is spoken to in forms, SQS in JSON: `%3A`
    /// before a topic's name keeps a queue of the same name reachable.
    pub fn unavailable_for(&self, text: Option<&str>) {
        self.plan().unavailable = text.map(str::to_owned);
    }

    /// What was called so far.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.plan().costs.clone()
    }

    /// Forgets planned faults and costs.
    pub fn reset(&self) {
        *self.plan() = Plan::default();
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, operation: &str, request: &HttpRequest) -> Fault {
        let mut plan = self.plan();
        let body = request.body().bytes().unwrap_or_default();
        let is_in_body = |text: &String| String::from_utf8_lossy(body).contains(text.as_str());
        if plan.unavailable.as_ref().is_some_and(is_in_body) {
            return Fault::Answer(503, String::new());
        }
        let own = plan.next.get_mut(operation).and_then(VecDeque::pop_front);
        own.or_else(|| plan.next.get_mut(ANY).and_then(VecDeque::pop_front))
            .unwrap_or(Fault::Pass)
    }

    fn count(&self, operation: &str, answer: Option<&HttpResponse>) {
        let mut plan = self.plan();
        let costs = &mut plan.costs;
        *costs.by_operation.entry(operation.to_owned()).or_default() += 1;
        let Some(answer) = answer else { return };
        if answer.status().as_u16() >= 400 {
            *costs.refused.entry(operation.to_owned()).or_default() += 1;
        }
        let units = answer.body().bytes().map_or(0.0, consumed);
        if units > 0.0 {
            let reads = matches!(
                operation,
                "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems"
            );
            let kind = if reads {
                &mut costs.read_units
            } else {
                &mut costs.write_units
            };
            *kind.entry(operation.to_owned()).or_default() += units;
        }
    }
}

/// `ConsumedCapacity` of one answer: one table's, or a list of several.
fn consumed(body: &[u8]) -> f64 {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return 0.0;
    };
    let units = |table: &Value| {
        table
            .get("CapacityUnits")
            .and_then(Value::as_f64)
            .unwrap_or(0.0)
    };
    match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.iter().map(units).sum(),
        Some(table) => units(table),
        None => 0.0,
    }
}

impl HttpClient for Faults {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.client.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector {
            faults: self.clone(),
            inner,
        })
    }
}

#[derive(Debug, Clone)]
struct FaultyConnector {
    faults: Faults,
    inner: SharedHttpConnector,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let operation = operation(&request);
            let fault = this.faults.take(&operation, &request);
            match &fault {
                Fault::DropRequest => return Err(broken()),
                Fault::Delay(delay) => tokio::time::sleep(*delay).await,
                Fault::Hold(gate) => gate.pass().await,
                Fault::Throttle => {
                    let body = serde_json::json!({ "__type": "com.amazon.coral.availability#ThrottlingException" });
                    return this.answer(&operation, 400, body.to_string());
                }
                Fault::Answer(status, body) => {
                    return this.answer(&operation, *status, body.clone());
                }
                Fault::DropAnswer | Fault::DelayAnswer(_) | Fault::Pass => {}
            }
            let answer = this.inner.call(request).await;
            this.faults.count(&operation, answer.as_ref().ok());
            match fault {
                Fault::DropAnswer => Err(broken()),
                Fault::DelayAnswer(delay) => {
                    tokio::time::sleep(delay).await;
                    answer
                }
                _ => answer,
            }
        })
    }
}

impl FaultyConnector {
    fn answer(
        &self,
        operation: &str,
        status: u16,
        body: String,
    ) -> Result<HttpResponse, ConnectorError> {
        let status =
            StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
        let mut answer = HttpResponse::new(status, SdkBody::from(body));
        answer
            .headers_mut()
            .insert("content-type", "application/x-amz-json-1.0");
        self.faults.count(operation, Some(&answer));
        Ok(answer)
    }
}

fn broken() -> ConnectorError {
    ConnectorError::io("the connection broke (injected)".into())
}

/// `PutItem` of `X-Amz-Target: DynamoDB_20120810.PutItem`, or of a form's `Action=`; `SendEmail` by
/// its path, for SES v2 has neither.
fn operation(request: &HttpRequest) -> String {
    if request.uri().contains("/v2/email/outbound-emails") {
        return "SendEmail".to_owned();
    }
    if let Some((_, operation)) = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.rsplit_once('.'))
    {
        return operation.to_owned();
    }
    let body = request.body().bytes().unwrap_or_default();
    let form = String::from_utf8_lossy(body);
    form.split('&')
        .find_map(|field| field.strip_prefix("Action="))
        .unwrap_or_default()
        .to_owned()
}
