//! A function as a value: a `tower` service over the Lambda event, built from settings and SDK
//! configuration alone, so that it runs in Lambda, in a test and in a host process alike.
//!
//! ```no_run
//! use aws_config::SdkConfig;
//! use callboard_runtime::function::{self, Service};
//! use callboard_runtime::settings::{self, SettingsError, Vars};
//!
//! async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
//!     let table = settings::required(vars, "JOURNAL_TABLE")?;
//!     let client = aws_sdk_dynamodb::Client::new(sdk);
//!     function::warm(vars, &client, &table).await;
//!     Ok(function::service(|event| async move { Ok(event.payload) }))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), lambda_runtime::Error> {
//!     function::main(build).await
//! }
//! ```

use std::future::Future;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use futures::{FutureExt, TryFutureExt};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;
use tower::util::BoxCloneSyncService;

use crate::clock::Clock;
use crate::fault::AwsFault;
use crate::metrics::{self, Owner};
use crate::settings::{SettingsError, Vars};
use crate::telemetry;

/// A Lambda function: takes an event, gives an answer.
pub type Service = BoxCloneSyncService<LambdaEvent<Value>, Value, Error>;

/// A connection that is not up after this long is tried anew rather than waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// One try of one AWS call. Tables, queues and topics answer in tens of milliseconds; the first
/// call of a 128 MB function can take 0.9 s (published measurements).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest time that init spends on a connection: the first call of a 128 MB function can take
/// 0.9 s, and a cold start must not eat up the seconds that an answer in flight is waited for.
const WARM_MAX: Duration = Duration::from_secs(1);

/// Makes a [`Service`] of a handler. Its futures share nothing but what the handler clones.
///
/// A panic fails the invocation with a fixed sentence: the panic's own text may quote what was
/// being handled, and Lambda would report it.
pub fn service<H, Fut>(handler: H) -> Service
where
    H: Fn(LambdaEvent<Value>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Error>> + Send + 'static,
{
    Service::new(tower::service_fn(move |event| {
        let handling = std::panic::AssertUnwindSafe(handler(event)).catch_unwind();
        async move {
            handling
                .await
                .unwrap_or_else(|_| Err(Error::from("the function panicked")))
        }
    }))
}

/// Logs where a panic happened, in place of its text.
fn report_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
}

/// The whole of a function's `main`: telemetry, settings from the environment, SDK
/// configuration, `build`, metrics where the function belongs to a stack, and then Lambda's loop.
///
/// # Errors
/// A [`SettingsError`] ends the process with its sentence; so does an error of the loop.
pub async fn main<B>(build: B) -> Result<(), Error>
where
    B: AsyncFnOnce(&Vars, &SdkConfig) -> Result<Service, SettingsError>,
{
    let vars: Vars = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    telemetry::init(&vars);
    report_panics_by_place();
    let sdk = sdk_config().await;
    let built = async {
        let service = build(&vars, &sdk).await?;
        Ok::<_, SettingsError>(match Owner::from_vars(&vars)? {
            Some(owner) => {
                metrics::metered(service, owner, Clock::from_sdk(&sdk), metrics::stdout())
            }
            None => service,
        })
    };
    match built.await {
        Ok(service) => lambda_runtime::run(service).await,
        Err(error) => {
            tracing::error!(error = %error, "the function cannot start");
            Err(Error::from(error.to_string()))
        }
    }
}

/// The SDK configuration of a function, with time-outs that leave room for another try.
async fn sdk_config() -> SdkConfig {
    sdk_loader().load().await
}

fn sdk_loader() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .http_client(http_client())
}

/// One HTTP client for all clients of a function, made as the SDK makes its own. Without it each
/// client has connections of its own, and only the one that was warmed is warm.
///
/// Every SDK client, when it is made, has a connector built without settings and drops it again, so
/// that root certificates are read early. That one does without TLS here: the connector that is used
/// reads them during init as well, when [`warm_by`] calls, and then they are parsed but once.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        if settings.is_none() {
            return ConnectorBuilder::default().build_http();
        }
        let rustls = tls::Provider::Rustls(CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(rustls);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// Opens the connection to DynamoDB during init, where CPU is free and unthrottled, by reading
/// a key that does not exist (0.5 read units). All clients that share an HTTP client profit.
/// As [`warm_by`] otherwise.
pub async fn warm(vars: &Vars, client: &aws_sdk_dynamodb::Client, table: &str) {
    // A Query, because it needs no knowledge of the sort key's type.
    let call = client
        .query()
        .table_name(table)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S("warm#".to_owned()))
        .limit(1)
        .send();
    let call = call.map_err(|error| AwsFault::of("Query", error));
    warm_by(vars, call.map_ok(drop)).await;
}

/// Opens a connection during init by `call`, which must have no effect. Does nothing outside
/// Lambda (the variable `AWS_LAMBDA_FUNCTION_NAME` tells). A failure is only logged, and a slow
/// call is left after a second: the first real call says it better, and a request may be
/// waiting whose deadline is judged by when it came in.
pub async fn warm_by(vars: &Vars, call: impl Future<Output = Result<(), AwsFault>>) {
    if !vars.contains_key("AWS_LAMBDA_FUNCTION_NAME") {
        return;
    }
    match tokio::time::timeout(WARM_MAX, call).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "warming the connection failed"),
        Err(_) => tracing::warn!("warming the connection took too long"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use lambda_runtime::Context;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_panic_fails_the_invocation_without_its_text() {
        let panicking = service(|_| async { panic!("kim@example.org") });
        let event = LambdaEvent::new(json!({}), Context::default());
        let error = panicking.oneshot(event).await.expect_err("it panicked");
        assert_eq!(error.to_string(), "the function panicked");
    }

    /// Answers every request with `{}`; counts connections.
    async fn counting_server() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut buffer = [0; 8_192];
                    while matches!(socket.read(&mut buffer).await, Ok(read) if read > 0) {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                        socket.write_all(answer).await.expect("written");
                    }
                });
            }
        });
        (url, count)
    }

    #[tokio::test]
    async fn what_one_client_has_warmed_is_warm_for_all() {
        let (url, connections) = counting_server().await;
        let sdk = sdk_loader()
            .endpoint_url(url)
            .region("us-east-1")
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
                "a", "b", None, None, "test",
            ))
            .load()
            .await;
        let vars = Vars::from([("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "f".to_owned())]);
        warm(&vars, &aws_sdk_dynamodb::Client::new(&sdk), "journal").await;
        let found = crate::table::Table::new(&sdk, "contacts")
            .get("a", "b")
            .await;
        assert_eq!(found.expect("an answer"), None);
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn an_https_endpoint_is_spoken_to_in_tls() {
        const HANDSHAKE: u8 = 0x16; // RFC 8446, 5.1
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let sdk = sdk_loader()
            .endpoint_url(format!("https://{address}"))
            .region("us-east-1")
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
                "a", "b", None, None, "test",
            ))
            .load()
            .await;
        let table = crate::table::Table::new(&sdk, "contacts");
        let heard = async {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            socket.read_u8().await.expect("a byte")
        };
        tokio::select! {
            _ = table.get("a", "b") => panic!("answered by nobody"),
            first = heard => assert_eq!(first, HANDSHAKE),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_table_does_not_hold_up_the_start() {
        let begun = tokio::time::Instant::now();
        let vars = Vars::from([("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "f".to_owned())]);
        warm_by(&vars, std::future::pending()).await;
        assert_eq!(begun.elapsed(), WARM_MAX);
        warm_by(&Vars::new(), std::future::pending()).await;
    }

    #[tokio::test]
    async fn a_handler_becomes_a_service_that_can_be_cloned_and_called() {
        let echo = service(|event: LambdaEvent<Value>| async move { Ok(event.payload) });
        let call = |n: u32| {
            echo.clone()
                .oneshot(LambdaEvent::new(json!({ "n": n }), Context::default()))
        };
        assert_eq!(call(1).await.expect("an answer"), json!({ "n": 1 }));
        assert_eq!(call(2).await.expect("an answer"), json!({ "n": 2 }));
    }
}
