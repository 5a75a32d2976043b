//! The wire between the function and the engine: counts calls, and can make a topic fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// A client that counts, and answers 503 for whatever request holds a given text.
#[derive(Debug, Clone)]
pub struct Wire {
    inner: SharedHttpClient,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: BTreeMap<String, usize>,
    failing: Option<String>,
}

impl Wire {
    pub fn new(inner: SharedHttpClient) -> Self {
        Self {
            inner,
            shared: Arc::default(),
        }
    }

    /// Calls per operation since the last time.
    pub fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.shared.lock().unwrap().calls)
    }

    /// From now on, requests whose body holds `text` fail as if the service were down. SNS is
    /// spoken to in forms: `%3A` before a topic's name keeps its queue reachable.
    pub fn fail_on(&self, text: Option<&str>) {
        self.shared.lock().unwrap().failing = text.map(str::to_owned);
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Tapped {
            inner: self.inner.http_connector(settings, components),
            shared: self.shared.clone(),
        })
    }
}

#[derive(Debug)]
struct Tapped {
    inner: SharedHttpConnector,
    shared: Arc<Mutex<Shared>>,
}

impl HttpConnector for Tapped {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let target = request
            .headers()
            .get("x-amz-target")
            .map(|target| target.rsplit('.').next().unwrap());
        let operation = target
            .map(str::to_owned)
            .or_else(|| form_action(&body))
            .unwrap_or_default();
        let mut shared = self.shared.lock().unwrap();
        *shared.calls.entry(operation).or_default() += 1;
        if shared
            .failing
            .as_ref()
            .is_some_and(|text| body.contains(text))
        {
            let down = HttpResponse::new(StatusCode::try_from(503).unwrap(), SdkBody::empty());
            return HttpConnectorFuture::ready(Ok(down));
        }
        self.inner.call(request)
    }
}

fn form_action(body: &str) -> Option<String> {
    body.split('&')
        .find_map(|field| field.strip_prefix("Action="))
        .map(str::to_owned)
}
