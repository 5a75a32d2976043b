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
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;
use tower::util::BoxCloneSyncService;

use crate::settings::{SettingsError, Vars};
use crate::telemetry;

/// A Lambda function: takes an event, gives an answer.
pub type Service = BoxCloneSyncService<LambdaEvent<Value>, Value, Error>;

/// A connection that is not up after this long is tried anew rather than waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// One try of one AWS call. Tables, queues and topics answer in tens of milliseconds; the first
/// call of a 128 MB function can take 0.9 s (published measurements).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Makes a [`Service`] of a handler. Its futures share nothing but what the handler clones.
pub fn service<H, Fut>(handler: H) -> Service
where
    H: Fn(LambdaEvent<Value>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Error>> + Send + 'static,
{
    Service::new(tower::service_fn(handler))
}

/// The whole of a function's `main`: telemetry, settings from the environment, SDK
/// configuration, `build`, and then Lambda's loop.
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
    let sdk = sdk_config().await;
    match build(&vars, &sdk).await {
        Ok(service) => lambda_runtime::run(service).await,
        Err(error) => {
            tracing::error!(error = %error, "the function cannot start");
            Err(Error::from(error.to_string()))
        }
    }
}

/// The SDK configuration of a function, with time-outs that leave room for another try.
async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .load()
        .await
}

/// Opens the connection to DynamoDB during init, where CPU is free and unthrottled, by reading
/// a key that does not exist (0.5 read units). Does nothing outside Lambda (the variable
/// `AWS_LAMBDA_FUNCTION_NAME` tells), and a failure is only logged: the first real call says it
/// better.
pub async fn warm(vars: &Vars, client: &aws_sdk_dynamodb::Client, table: &str) {
    if !vars.contains_key("AWS_LAMBDA_FUNCTION_NAME") {
        return;
    }
    // A Query, because it needs no knowledge of the sort key's type.
    let answer = client
        .query()
        .table_name(table)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S("warm#".to_owned()))
        .limit(1)
        .send()
        .await;
    if let Err(error) = answer {
        tracing::warn!(error = %crate::fault::AwsFault::of("Query", error), "warming the connection failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_runtime::Context;
    use serde_json::json;
    use tower::ServiceExt;

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
