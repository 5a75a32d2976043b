//! One cold start: a new process, from its exec to the answer of its first invocation.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use crate::Error;
use crate::runtime_api::{RuntimeApi, Said};

/// What is executed, as Lambda would.
pub struct Program {
    /// The executable with its arguments.
    pub command: Vec<PathBuf>,
    /// The directory that Lambda would unpack the zip into.
    pub root: PathBuf,
}

/// What one start took.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// From just before exec until the process asks for its first event.
    pub to_next: Duration,
    /// From that until its answer is here.
    pub first: Duration,
    /// What both took of the processors, all threads together.
    pub cpu: Duration,
    /// The most memory that was resident, in KiB (`VmHWM`).
    pub peak_kib: u64,
}

/// Starts the program with `vars` and nothing else in its environment, and gives it one event.
pub async fn measure(
    program: &Program,
    vars: &BTreeMap<String, String>,
    event: &Value,
    log: &Path,
) -> Result<(Start, Value), Error> {
    let mut api = RuntimeApi::serve(event).await?;
    let output = File::create(log)?;
    let mut command = Command::new(&program.command[0]);
    command
        .args(&program.command[1..])
        .current_dir(&program.root)
        .env_clear()
        .envs(vars)
        .env("AWS_LAMBDA_RUNTIME_API", &api.address)
        .env("LAMBDA_TASK_ROOT", &program.root)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true);
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let told = tokio::select! {
        told = listen(&mut api) => told,
        status = child.wait() => Err(format!("the process ended: {}", status?).into()),
    };
    let (asked, answered, answer) =
        told.map_err(|error| format!("{error}; its log is {}", log.display()))?;
    let pid = child.id().ok_or("the process ended")?;
    let (cpu, peak_kib) = (cpu(pid)?, peak_kib(pid)?);
    child.kill().await?;
    let start = Start {
        to_next: asked - begun,
        first: answered - asked,
        cpu,
        peak_kib,
    };
    Ok((start, answer))
}

/// Until the process waits for a second event: then all that its first one needed is in memory.
async fn listen(api: &mut RuntimeApi) -> Result<(Instant, Instant, Value), Error> {
    let (mut asked, mut answer) = (None, None);
    loop {
        match api.heard().await {
            Some(Said::Next(at)) => match (asked, answer.take()) {
                (None, _) => asked = Some(at),
                (Some(asked), Some((answered, answer))) => return Ok((asked, answered, answer)),
                (Some(_), None) => return Err("it asked for a second event unanswered".into()),
            },
            Some(Said::Response(at, value)) => answer = Some((at, value)),
            Some(Said::Error(report)) => return Err(report.into()),
            None => return Err("the process said nothing for 30 s".into()),
        }
    }
}

/// Time on a processor: the first figure of each thread's `schedstat`, in nanoseconds.
fn cpu(pid: u32) -> Result<Duration, Error> {
    let mut total_ns = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let schedstat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let figure = schedstat.split_whitespace().next();
        total_ns += figure.ok_or("no schedstat in /proc")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total_ns))
}

/// The largest resident set so far.
fn peak_kib(pid: u32) -> Result<u64, Error> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.ok_or("no VmHWM in /proc: is this Linux?")?.parse()?)
}
