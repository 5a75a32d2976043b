//! A client that lets others go first before each call: what runs at once then really does
//! interleave, call by call, on one thread and in the same order every time.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

#[derive(Debug, Clone)]
struct Interleaved<T>(T);

/// `sdk` with such a client.
///
/// # Panics
/// When `sdk` names no HTTP client.
#[must_use]
pub fn interleaved(sdk: &SdkConfig) -> SdkConfig {
    let inner = sdk.http_client().expect("a client");
    let client = SharedHttpClient::new(Interleaved(inner));
    sdk.to_builder().http_client(client).build()
}

impl HttpClient for Interleaved<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Interleaved(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Interleaved<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.0.clone();
        HttpConnectorFuture::new(async move {
            tokio::task::yield_now().await;
            inner.call(request).await
        })
    }
}
