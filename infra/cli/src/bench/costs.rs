//! What delivered notifications cost, exactly: orders go the whole way in batches of ten.
//!
//! Batches form by chance on a running system. Here they are forced: the way is cut into steps,
//! and each step is a host of its own that runs one function only, started when what it is to
//! take lies ready. Engine, template, mappings and functions are those of `callboard dev`.

use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use callboard_engine::{Engine, EngineConfig};
use callboard_host::{Host, HostConfig, Registry};
use callboard_mailbox::{Mailbox, Query, Store};
use callboard_template::{Parameters, Stack};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::meter::{Cost, Costs, Meter, sum};
use super::orders;
use crate::error::CliError;
use crate::link_keys;
use crate::system::{TEMPLATE, TEMPLATE_NAME};

/// Orders, and so notifications: the most that one receive of a queue gives.
pub const BATCH: usize = 10;

/// The function that takes the command; what it asks for is the command's own cost.
pub const COMMAND: &str = "command-api";

/// Prefix of names: nobody sees them.
const NAMES_PREFIX: &str = "bench-";

/// Wide, for a machine that is busy building; a step takes milliseconds.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// A function that runs in each step, and where its batch comes from.
const STEPS: [(&str, &str); 5] = [
    ("outbox-relay", "publish the orders"),
    ("notification-planner", "plan"),
    ("outbox-relay", "publish the plans"),
    ("email-sender", "send"),
    ("outbox-relay", "publish the outcomes"),
];

/// What one step cost.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCosts {
    /// What it did.
    pub step: &'static str,
    /// By function (the one that ran) and operation.
    pub costs: Costs,
    /// Records that the function was given.
    pub records: u64,
    /// Invocations for them.
    pub invocations: u64,
}

/// What a batch of ten notifications cost, from command to outcome.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchCosts {
    /// Whether the optional index behind `GET /v1/timelines` was on.
    pub timeline_index: bool,
    /// Notifications delivered.
    pub notifications: usize,
    /// The steps in their order, the commands first.
    pub steps: Vec<StepCosts>,
}

impl BatchCosts {
    /// The cost of all steps after the command, divided by the notifications.
    #[must_use]
    pub fn per_notification(&self) -> PerNotification {
        let mut all = Cost::default();
        for step in &self.steps {
            let cost = sum(&step.costs, |function| function != COMMAND);
            all.requests += cost.requests;
            all.write_units += cost.write_units;
            all.read_units += cost.read_units;
        }
        // Ten notifications and a few dozen requests: far from where f64 is not exact.
        let notifications = self.notifications as f64;
        PerNotification {
            requests: all.requests as f64 / notifications,
            write_units: all.write_units / notifications,
            read_units: all.read_units / notifications,
        }
    }
}

/// Averages over a batch of ten.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PerNotification {
    /// Requests of the functions; neither command-api's nor the mappings' polls.
    pub requests: f64,
    /// Write units.
    pub write_units: f64,
    /// Read units.
    pub read_units: f64,
}

/// Sends ten orders on their way, one step after another, and counts.
///
/// # Errors
/// [`CliError`] when a part cannot be started or a step does not come to its end.
pub async fn batch_of_ten(timeline_index: bool) -> Result<BatchCosts, CliError> {
    let track = Track::open(timeline_index).await?;
    let mut steps = vec![track.command().await?];
    for (function, step) in STEPS {
        steps.push(track.step(function, step).await?);
    }
    let mails = track.mailbox.list(&Query::default()).await?;
    Ok(BatchCosts {
        timeline_index,
        notifications: mails.len(),
        steps,
    })
}

/// What outlives the hosts of the steps.
struct Track {
    engine: Engine,
    stack: Stack,
    mailbox: Mailbox,
    post: tokio::task::JoinHandle<()>,
    meter: Meter,
    scratch: tempfile::TempDir,
}

impl Drop for Track {
    fn drop(&mut self) {
        self.post.abort();
    }
}

impl Track {
    async fn open(timeline_index: bool) -> Result<Self, CliError> {
        let io = |what| move |source| CliError::Io { what, source };
        let mailbox = Mailbox::open(Store::Memory).await?;
        let smtp = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(io("no port for the mailbox"))?;
        let address = smtp.local_addr().map_err(io("no port for the mailbox"))?;
        let served = mailbox.clone();
        let post = tokio::spawn(async move {
            // It ends with the track, which aborts it.
            let _ = served.serve_smtp(smtp, std::future::pending()).await;
        });
        let parameters = Parameters::default()
            .with("MailTransport", format!("smtp://{address}"))
            .with("PublicUrl", "http://localhost")
            .with("LinkKeys", link_keys::generate())
            .with("TimelineIndex", timeline_index.to_string());
        Ok(Self {
            engine: Engine::open(EngineConfig::default()).await?,
            stack: callboard_template::load(TEMPLATE_NAME, TEMPLATE, &parameters)?,
            mailbox,
            post,
            meter: Meter::new(),
            scratch: tempfile::tempdir().map_err(io("no directory for the checkpoints"))?,
        })
    }

    /// A host that runs `function` alone; how far it has read the stream outlives it.
    async fn host(&self, function: &str) -> Result<Host, CliError> {
        let mut stack = self.stack.clone();
        stack.functions.retain(|known| known.binary == function);
        let checkpoints: PathBuf = self.scratch.path().join("checkpoints.json");
        let registry = self.meter.around(Registry::standard());
        let config = HostConfig {
            names_prefix: NAMES_PREFIX.to_owned(),
            checkpoints: Some(checkpoints),
            ..HostConfig::new(stack, self.engine.sdk_config(), registry)
        };
        self.meter.reset();
        Ok(Host::start(config).await?)
    }

    /// Ten recipients are registered, then ten orders placed; only the orders count.
    async fn command(&self) -> Result<StepCosts, CliError> {
        let host = self.host(COMMAND).await?;
        let api = host.router();
        for number in 0..BATCH {
            let (path, body) = orders::recipient(number);
            call(&api, "PUT", &path, &body).await?;
        }
        self.meter.reset();
        for number in 0..BATCH {
            call(
                &api,
                "POST",
                orders::PATH,
                &orders::placed("cost", number, number),
            )
            .await?;
        }
        let done = self.done("place the orders", &host, COMMAND);
        host.shutdown().await;
        Ok(StepCosts {
            records: BATCH as u64,
            invocations: BATCH as u64,
            ..done
        })
    }

    async fn step(&self, function: &str, step: &'static str) -> Result<StepCosts, CliError> {
        let host = self.host(function).await?;
        let mut observed = host.observe();
        let all_taken = async {
            while records(&host, function) < BATCH as u64 {
                // An error is a gap or an end: the totals tell either way.
                let _ = observed.recv().await;
            }
        };
        let taken = tokio::time::timeout(STEP_LIMIT, all_taken).await;
        let done = self.done(step, &host, function);
        host.shutdown().await;
        taken.map(|()| done).map_err(|_| {
            CliError::Bench(format!(
                "`{step}` was not done in {} s",
                STEP_LIMIT.as_secs()
            ))
        })
    }

    fn done(&self, step: &'static str, host: &Host, function: &str) -> StepCosts {
        let totals = host.totals().get(function).copied().unwrap_or_default();
        StepCosts {
            step,
            costs: self.meter.costs(),
            records: totals.records,
            invocations: totals.invocations,
        }
    }
}

fn records(host: &Host, function: &str) -> u64 {
    host.totals()
        .get(function)
        .map_or(0, |totals| totals.records - totals.failed)
}

/// One request to the HTTP API, without a socket.
async fn call(api: &axum::Router, method: &str, path: &str, body: &Value) -> Result<(), CliError> {
    let failed = |reason: String| CliError::Bench(format!("{method} {path}: {reason}"));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .map_err(|error| failed(error.to_string()))?;
    let answer = api
        .clone()
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    if answer.status().is_success() {
        return Ok(());
    }
    Err(failed(format!("answered {}", answer.status())))
}
