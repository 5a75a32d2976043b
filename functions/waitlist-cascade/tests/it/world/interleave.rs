//! A client that lets others go first before each call: what runs at once then really does
//! interleave, call by call, on one thread and in the same order every time.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use callboard_engine::Engine;

#[derive(Debug, Clone)]
struct Interleaved<T>(T);

/// The engine's configuration with such a client.
pub fn interleaved(engine: &Engine) -> SdkConfig {
    let client = SharedHttpClient::new(Interleaved(engine.http_client()));
    engine
        .sdk_config()
        .into_builder()
        .http_client(client)
        .build()
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
