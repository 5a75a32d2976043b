//! `callboard engine`: DynamoDB with Streams, SQS and SNS on one port, and nothing
//! else.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use crate::args::EngineArgs;
use crate::dev::{say, state_of};
use crate::error::CliError;
use crate::ports::{Port, listen, url_of};
use crate::print::json_line_to;
use crate::services::DUMMY_CREDENTIAL;
use crate::signals::StopSignals;
use crate::state::open_engine;
use callboard_engine::EngineConfig;

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// [`CliError`] if the port or the state cannot be had, or the server ends by itself.
pub async fn run(args: &EngineArgs) -> Result<(), CliError> {
    let mut signals = StopSignals::listen()?;
    let port = Port::from_option(Some(args.port), args.port);
    let listener = listen(port, "the AWS engine", "--port").await?;
    let url = url_of(&listener)?;
    let config = EngineConfig {
        region: args.region.clone(),
        account: args.account.clone(),
        lambda_endpoint: args.lambda_endpoint.clone(),
        ..EngineConfig::default()
    };
    let engine = open_engine(&state_of(&args.state), config).await?;
    engine.set_public_url(url.clone());
    let region = &args.region;
    announce(&url, region, args.json)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = engine.serve(listener, async {
        // Dropped or sent: both mean stop.
        let _ = stopped.await;
    });
    let mut served = std::pin::pin!(served);
    tokio::select! {
        () = signals.asked() => {
            drop(stop);
            served.await.map_err(|source| CliError::Io {
                what: "the AWS engine did not stop in good order",
                source,
            })
        }
        _ = &mut served => Err(CliError::Ended("the AWS engine")),
    }
}

/// What to export: both names of the region, for boto3 reads the one, newer SDKs the other.
fn announce(url: &str, region: &str, json: bool) -> Result<(), CliError> {
    let environment = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", DUMMY_CREDENTIAL),
        ("AWS_SECRET_ACCESS_KEY", DUMMY_CREDENTIAL),
    ];
    if json {
        let environment: BTreeMap<_, _> = environment.into_iter().collect();
        let ready = json!({ "ready": true, "url": url, "environment": environment });
        return json_line_to(&mut io::stdout(), &ready);
    }
    let words: Vec<String> = environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    say(&format!(
        "Ready: DynamoDB, SQS and SNS at {url}\nexport {}\n",
        words.join(" ")
    ))
}
