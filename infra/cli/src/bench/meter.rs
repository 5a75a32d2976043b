//! Counts what functions ask of AWS: requests, and the units that `ConsumedCapacity` tells, by
//! function and operation. It sits between the SDK and the engine, below the SDK's retries, so
//! that every try counts; what the host polls is not seen, for the host has a client of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use callboard_host::Registry;
use serde::Serialize;
use serde_json::Value;

/// What the calls of one operation cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Requests, tries that failed included.
    pub requests: u64,
    /// Write units as `ConsumedCapacity` told, indexes included.
    pub write_units: f64,
    /// Read units as `ConsumedCapacity` told.
    pub read_units: f64,
}

impl Cost {
    fn add(&mut self, other: Cost) {
        self.requests += other.requests;
        self.write_units += other.write_units;
        self.read_units += other.read_units;
    }
}

/// Costs by function, and by operation within it.
pub type Costs = BTreeMap<String, BTreeMap<String, Cost>>;

/// The sum over all operations of the functions that `counted` picks.
pub fn sum(costs: &Costs, counted: impl Fn(&str) -> bool) -> Cost {
    let mut sum = Cost::default();
    for (_, operations) in costs.iter().filter(|(function, _)| counted(function)) {
        operations.values().for_each(|cost| sum.add(*cost));
    }
    sum
}

/// A meter. Clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    costs: Costs,
    /// Functions that are built: what one asks for to warm up is nobody's cost.
    built: BTreeSet<String>,
}

impl Meter {
    /// A meter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same functions, each with a meter between its SDK clients and the service. Counting
    /// begins when a function is built.
    #[must_use]
    pub fn around(&self, registry: Registry) -> Registry {
        let (meter, begun) = (self.clone(), self.clone());
        registry
            .with_sdk(move |function, sdk| {
                meter.counts().built.remove(function);
                meter.sdk_config(function, sdk)
            })
            .wrapped(move |function, service| {
                begun.counts().built.insert(function.to_owned());
                service
            })
    }

    /// What was counted so far. A function without a call is not in it.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.counts().costs.clone()
    }

    /// Back to zero.
    pub fn reset(&self) {
        self.counts().costs.clear();
    }

    fn sdk_config(&self, function: &str, sdk: &SdkConfig) -> SdkConfig {
        let Some(inner) = sdk.http_client() else {
            return sdk.clone();
        };
        let metered = Metered {
            function: function.into(),
            meter: self.clone(),
            inner,
        };
        sdk.to_builder()
            .http_client(SharedHttpClient::new(metered))
            .build()
    }

    fn counts(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, function: &str, operation: &str, answer: Option<&HttpResponse>) {
        if !self.counts().built.contains(function) {
            return;
        }
        let units = answer
            .and_then(|answer| answer.body().bytes())
            .map_or(0.0, units);
        let mut cost = Cost {
            requests: 1,
            ..Cost::default()
        };
        if matches!(
            operation,
            "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems"
        ) {
            cost.read_units = units;
        } else {
            cost.write_units = units;
        }
        self.counts()
            .costs
            .entry(function.to_owned())
            .or_default()
            .entry(operation.to_owned())
            .or_default()
            .add(cost);
    }
}

/// `ConsumedCapacity` of one answer: one table's, or a list of several. Answers without it (those
/// of queues and topics, and errors) are not parsed.
fn units(body: &[u8]) -> f64 {
    const MEMBER: &[u8] = b"\"ConsumedCapacity\"";
    if !body.windows(MEMBER.len()).any(|window| window == MEMBER) {
        return 0.0;
    }
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let units = |table: &Value| table["CapacityUnits"].as_f64().unwrap_or(0.0);
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(units).sum(),
        table => units(table),
    }
}

#[derive(Clone)]
struct Metered<C> {
    function: Arc<str>,
    meter: Meter,
    inner: C,
}

impl<C> fmt::Debug for Metered<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metered").field(&self.function).finish()
    }
}

impl HttpClient for Metered<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Metered {
            function: self.function.clone(),
            meter: self.meter.clone(),
            inner: self.inner.http_connector(settings, components),
        })
    }
}

impl HttpConnector for Metered<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let operation = operation(&request);
            let answer = this.inner.call(request).await;
            this.meter
                .count(&this.function, &operation, answer.as_ref().ok());
            answer
        })
    }
}

/// `PutItem` of `X-Amz-Target: DynamoDB_20120810.PutItem`, or of a form's `Action=`.
fn operation(request: &HttpRequest) -> String {
    let target = request.headers().get("x-amz-target");
    if let Some((_, operation)) = target.and_then(|target| target.rsplit_once('.')) {
        return operation.to_owned();
    }
    let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
    let action = form
        .split('&')
        .find_map(|field| field.strip_prefix("Action="));
    action.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_one_table_or_of_all() {
        let one = br#"{"ConsumedCapacity":{"TableName":"t","CapacityUnits":2.0}}"#;
        let two = br#"{"ConsumedCapacity":[{"CapacityUnits":1.0},{"CapacityUnits":0.5}]}"#;
        assert!((units(one) - 2.0).abs() < f64::EPSILON);
        assert!((units(two) - 1.5).abs() < f64::EPSILON);
        assert!(units(br#"{"MessageId":"x"}"#).abs() < f64::EPSILON);
    }
}
