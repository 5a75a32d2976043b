//! Counts what goes over the wire: calls per operation, and write units.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

/// What was counted since the last [`Meter::take`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Calls per operation, for instance `PutItem`.
    pub calls: BTreeMap<String, usize>,
    /// Write units of all puts.
    pub write_units: f64,
}

/// A client that counts and passes on.
#[derive(Debug, Clone)]
pub struct Meter {
    inner: SharedHttpClient,
    counts: Arc<Mutex<Counts>>,
}

impl Meter {
    pub fn new(inner: SharedHttpClient) -> Self {
        Self {
            inner,
            counts: Arc::default(),
        }
    }

    pub fn take(&self) -> Counts {
        std::mem::take(&mut *self.counts.lock().unwrap())
    }
}

impl HttpClient for Meter {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Counting {
            inner: self.inner.http_connector(settings, components),
            counts: self.counts.clone(),
        })
    }
}

#[derive(Debug)]
struct Counting {
    inner: SharedHttpConnector,
    counts: Arc<Mutex<Counts>>,
}

impl HttpConnector for Counting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or("SNS.form");
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let call = self.inner.call(request);
        let counts = self.counts.clone();
        HttpConnectorFuture::new(async move {
            let response = call.await?;
            let body: Value = response
                .body()
                .bytes()
                .and_then(|bytes| serde_json::from_slice(bytes).ok())
                .unwrap_or_default();
            let mut counts = counts.lock().unwrap();
            if operation == "PutItem" {
                let units = body.pointer("/ConsumedCapacity/CapacityUnits");
                counts.write_units += units.and_then(Value::as_f64).unwrap_or_default();
            }
            *counts.calls.entry(operation).or_default() += 1;
            Ok(response)
        })
    }
}
