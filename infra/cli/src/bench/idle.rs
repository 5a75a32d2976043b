//! `callboard dev` as its user starts it, in a process of its own: how soon it is ready when
//! everything is there already, and what it takes while nobody uses it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::process::Process;
use crate::error::CliError;

/// Longest wait for the line that says it is ready.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How that line begins.
const READY: &str = "Ready";

/// Between being ready and being idle: timers of the start run out.
const SETTLE: Duration = Duration::from_secs(1);

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// What an idle `callboard dev` takes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    /// From starting the process to its line `Ready`, with a state made before.
    pub warm_start_ms: f64,
    /// The same without any state.
    pub first_start_ms: f64,
    /// Resident memory in MB (10^6 bytes), the binary's own pages included.
    pub resident_mb: Option<f64>,
    /// Per cent of one core.
    pub cpu_percent: Option<f64>,
    /// Seconds over which that was taken.
    pub watched_s: f64,
}

/// Starts `program dev` twice on a state of its own, and watches the second.
///
/// # Errors
/// [`CliError::Bench`] when it does not get ready.
pub async fn measure(program: &Path) -> Result<Idle, CliError> {
    let scratch = tempfile::tempdir().map_err(|source| CliError::Io {
        what: "no directory for the state",
        source,
    })?;
    let state = scratch.path().join("state");
    let first = Running::start(program, &state).await?;
    let first_start = first.took;
    first.end().await;
    let running = Running::start(program, &state).await?;
    tokio::time::sleep(SETTLE).await;
    let process = Process(running.child.id());
    let (before, begun) = (process.cpu(), Instant::now());
    tokio::time::sleep(WATCHED).await;
    let watched_s = begun.elapsed().as_secs_f64();
    let cpu = process.cpu().zip(before);
    let idle = Idle {
        warm_start_ms: running.took.as_secs_f64() * 1_000.0,
        first_start_ms: first_start.as_secs_f64() * 1_000.0,
        resident_mb: process.resident().map(|bytes| bytes as f64 / 1e6),
        cpu_percent: cpu
            .map(|(after, before)| after.saturating_sub(before).as_secs_f64() / watched_s * 100.0),
        watched_s,
    };
    running.end().await;
    Ok(idle)
}

struct Running {
    child: Child,
    /// Kept, or its line per event would have nowhere to go.
    _lines: Lines<BufReader<ChildStdout>>,
    took: Duration,
}

impl Running {
    async fn start(program: &Path, state: &PathBuf) -> Result<Self, CliError> {
        let failed = |reason: String| CliError::Bench(format!("`callboard dev`: {reason}"));
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(["dev", "--port", "0", "--engine-port", "0"])
            .args(["--mailbox-port", "0", "--smtp-port", "0", "--state"])
            .arg(state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let out = child
            .stdout
            .take()
            .ok_or_else(|| failed("no output".to_owned()))?;
        let mut lines = BufReader::new(out).lines();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with(READY) {
                    return true;
                }
            }
            false
        };
        match tokio::time::timeout(START_LIMIT, ready).await {
            Ok(true) => Ok(Self {
                child,
                _lines: lines,
                took: begun.elapsed(),
            }),
            Ok(false) => Err(failed("ended before it was ready".to_owned())),
            Err(_) => Err(failed(format!("not ready in {} s", START_LIMIT.as_secs()))),
        }
    }

    /// What it has committed survives this.
    async fn end(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "a `callboard dev` could not be ended");
        }
    }
}
