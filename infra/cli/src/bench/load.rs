//! One system, one journal's length: how long an order takes to its e-mail when little is going
//! on, and how many journal events a second come out under load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use callboard_host::Resource;
use callboard_runtime::Clock;
use callboard_runtime::journal::Journal;
use http::Method;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::invocations::{Calls, Watch};
use super::journal_reader::{Position, Written};
use super::process::Process;
use super::{orders, prefill};
use crate::client::Http;
use crate::error::CliError;
use crate::live::JOURNAL;
use crate::system::{Options, System};

/// Orders sent one after another before anything is measured: code paged in, connections open.
const WARM_UP: usize = 20;

/// Orders whose way is timed, one after another.
const TIMED: usize = 200;

/// Pause between them: "light load" is about this many a second times one.
const BETWEEN: Duration = Duration::from_millis(10);

/// Producers under load, each with a connection and one request at a time.
const PRODUCERS: usize = 32;

/// Recipients that the orders are spread over.
const RECIPIENTS: usize = 100;

/// The function whose records end the way of an order.
const LAST: &str = "email-sender";

/// How often it is asked whether all have come through.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Longest wait for one mail, and for the next one under load.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was measured with a journal of one length.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Commits in the journal before anything was measured.
    pub journal_commits: usize,
    /// From the start of `POST /v1/events` to the e-mail in the mailbox, at light load.
    pub command_to_email: Latency,
    /// From the start of `POST /v1/events` to its answer, at light load.
    pub command_to_answer: Latency,
    /// What came out under load.
    pub load: Load,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Half were faster.
    pub p50_ms: f64,
    /// One in a hundred was slower.
    pub p99_ms: f64,
}

/// What came out under load.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Orders posted, by so many producers at once.
    pub orders: usize,
    /// Producers.
    pub producers: usize,
    /// Until every e-mail was there and every outcome in the journal.
    pub seconds: f64,
    /// Until the last order was accepted: the producers' part of it.
    pub accepted_seconds: f64,
    /// Commits that the journal's stream shows for the time.
    pub journal_commits: u64,
    /// Events in them.
    pub journal_events: u64,
    /// The rate: events by seconds.
    pub journal_events_per_second: f64,
    /// Cores that this process kept busy, producers and mailbox included.
    pub cores_busy: Option<f64>,
    /// CPU time per journal event.
    pub cpu_ms_per_event: Option<f64>,
    /// How functions were called meanwhile.
    pub functions: BTreeMap<String, Calls>,
}

/// Starts a system in memory, fills its journal, and measures.
///
/// # Errors
/// [`CliError`] when the system does not start or an order gets lost.
pub async fn measure(journal_commits: usize, orders: usize) -> Result<Measured, CliError> {
    let system = System::start(Options::default()).await?;
    let bench = Bench::new(&system)?;
    prefill::fill(&bench.journal, &bench.clock, journal_commits).await?;
    prefill::rest().await;
    bench.register().await?;
    bench.one_by_one("warm", WARM_UP).await?;
    let (answers, mails) = bench.one_by_one("timed", TIMED).await?;
    let load = bench.under_load(orders).await?;
    system.shutdown().await;
    Ok(Measured {
        journal_commits,
        command_to_email: Latency::of(mails),
        command_to_answer: Latency::of(answers),
        load,
    })
}

struct Bench<'a> {
    system: &'a System,
    http: Http,
    journal: Journal,
    stream_arn: String,
    clock: Clock,
}

impl<'a> Bench<'a> {
    fn new(system: &'a System) -> Result<Self, CliError> {
        let sdk = system.sdk();
        let Some(Resource::Table {
            name,
            stream_arn: Some(stream_arn),
            ..
        }) = system.host().resources().get(JOURNAL)
        else {
            return Err(CliError::Bench(format!("there is no {JOURNAL}")));
        };
        Ok(Self {
            system,
            http: Http::new(),
            journal: Journal::open(sdk, name),
            stream_arn: stream_arn.clone(),
            clock: Clock::from_sdk(sdk),
        })
    }

    async fn register(&self) -> Result<(), CliError> {
        for number in 0..RECIPIENTS {
            let (path, body) = orders::recipient(number);
            send(&self.http, Method::PUT, &self.url(&path), &body).await?;
        }
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.system.addresses().api)
    }

    /// Posts orders, each after the e-mail of the one before. Gives how long answers and e-mails
    /// took.
    async fn one_by_one(
        &self,
        run: &str,
        orders: usize,
    ) -> Result<(Vec<Duration>, Vec<Duration>), CliError> {
        let url = self.url(orders::PATH);
        let mut changes = self.system.mailbox().subscribe();
        let (mut answers, mut mails) = (Vec::new(), Vec::new());
        for number in 0..orders {
            let order = orders::placed(run, number, number % RECIPIENTS);
            changes.borrow_and_update();
            let begun = Instant::now();
            send(&self.http, Method::POST, &url, &order).await?;
            answers.push(begun.elapsed());
            match tokio::time::timeout(PATIENCE, changes.changed()).await {
                Ok(Ok(())) => mails.push(begun.elapsed()),
                _ => return Err(lost(1, PATIENCE)),
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Ok((answers, mails))
    }

    async fn under_load(&self, orders: usize) -> Result<Load, CliError> {
        let sdk = self.system.sdk();
        let before = Position::latest(sdk, &self.stream_arn).await?;
        let sent_before = self.sent();
        let cpu_before = Process(None).cpu();
        let over = Arc::new(Notify::new());
        let watch = Watch::begin(self.system.host().observe(), over.clone());
        let begun = Instant::now();
        let url = self.url(orders::PATH);
        // Outside clients have threads of their own.
        let accepted = tokio::task::spawn_blocking(move || produce(url, orders))
            .await
            .map_err(|error| CliError::Bench(error.to_string()))??;
        self.all_sent(sent_before + orders as u64).await?;
        let took = begun.elapsed();
        over.notify_one();
        let cpu = Process(None)
            .cpu()
            .zip(cpu_before)
            .map(|(after, before)| after.saturating_sub(before).as_secs_f64());
        let Written { commits, events } = before.written_since().await?;
        let seconds = took.as_secs_f64();
        Ok(Load {
            orders,
            producers: PRODUCERS,
            seconds,
            accepted_seconds: accepted.as_secs_f64(),
            journal_commits: commits,
            journal_events: events,
            journal_events_per_second: events as f64 / seconds,
            cores_busy: cpu.map(|cpu| cpu / seconds),
            cpu_ms_per_event: cpu.map(|cpu| cpu * 1_000.0 / events as f64),
            functions: watch.end().await,
        })
    }

    /// Records that the last function has handled.
    fn sent(&self) -> u64 {
        let totals = self.system.host().totals();
        totals
            .get(LAST)
            .map_or(0, |totals| totals.records - totals.failed)
    }

    /// Waits until the last function has handled `wanted` records, as long as it gets on.
    async fn all_sent(&self, wanted: u64) -> Result<(), CliError> {
        let (mut known, mut since) = (self.sent(), Instant::now());
        while known < wanted {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.sent();
            if now > known {
                (known, since) = (now, Instant::now());
            } else if since.elapsed() > PATIENCE {
                return Err(lost(wanted - known, PATIENCE));
            }
        }
        Ok(())
    }
}

/// Posts all orders, as fast as they are taken; gives how long that took.
fn produce(url: String, orders: usize) -> Result<Duration, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Bench(error.to_string()))?;
    runtime.block_on(async move {
        let begun = Instant::now();
        let (http, next) = (Http::new(), Arc::new(AtomicUsize::new(0)));
        let mut producers: JoinSet<Result<(), CliError>> = JoinSet::new();
        for _ in 0..PRODUCERS {
            let (http, url, next) = (http.clone(), url.clone(), next.clone());
            producers.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= orders {
                        return Ok(());
                    }
                    let order = orders::placed("load", number, number % RECIPIENTS);
                    send(&http, Method::POST, &url, &order).await?;
                }
            });
        }
        while let Some(ended) = producers.join_next().await {
            ended.map_err(|error| CliError::Bench(error.to_string()))??;
        }
        Ok(begun.elapsed())
    })
}

fn lost(mails: u64, after: Duration) -> CliError {
    let seconds = after.as_secs();
    CliError::Bench(format!("{mails} e-mails did not come, in {seconds} s"))
}

async fn send(http: &Http, method: Method, url: &str, body: &Value) -> Result<(), CliError> {
    let answer = http
        .json(method.clone(), url, &[], body)
        .await
        .map_err(|failure| CliError::Bench(failure.to_string()))?;
    if answer.status.is_success() {
        return Ok(());
    }
    let status = answer.status;
    Err(CliError::Bench(format!(
        "{method} {url}: answered {status}"
    )))
}

impl Latency {
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            // The smallest that at least so many per cent are not above.
            let rank = (durations.len() * percent).div_ceil(100).max(1) - 1;
            durations
                .get(rank)
                .map_or(0.0, |duration| duration.as_secs_f64() * 1_000.0)
        };
        Self {
            p50_ms: at(50),
            p99_ms: at(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
        assert!((latency.p50_ms - 100.0).abs() < 1e-9);
        assert!((latency.p99_ms - 198.0).abs() < 1e-9);
    }
}
