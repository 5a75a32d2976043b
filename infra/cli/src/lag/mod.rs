//! `callboard lag`: how far each consumer is behind, and what lies aside.

mod ages;
mod queues;
mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::args::LagArgs;
use crate::error::CliError;
use crate::print::{json_to, text_to};
use crate::signals::StopSignals;
use crate::target::Target;
use ages::Aged;

/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// All queues of a system at one moment. The counts are SQS's own, and approximate.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lag {
    /// When they were asked for.
    pub at: jiff::Timestamp,
    /// By name: each queue that has a dead-letter queue of its own.
    pub consumers: Vec<Consumer>,
    /// By name: queues that nothing redrives to another. What is in them waits for a person.
    pub aside: Vec<Aside>,
    /// By name: each function on a stream that the env file names and CloudWatch knows of.
    pub iterators: Vec<StreamReader>,
    /// Why no age is known, where CloudWatch does not tell.
    pub ages_unknown: Option<String>,
    /// Which limits of the command line are exceeded, in sentences.
    pub exceeded: Vec<String>,
}

/// One consumer's queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumer {
    /// `email-sender` for its queue `email-sender-queue`.
    pub name: String,
    /// Messages that could be received now.
    pub backlog: u64,
    /// Messages that are not to be received yet.
    pub delayed: u64,
    /// Messages received and neither deleted nor visible again.
    pub in_flight: u64,
    /// Messages in its dead-letter queue; absent if the env file does not name that queue.
    pub dead_letters: Option<u64>,
    /// Age of its oldest message in seconds, as CloudWatch last knew it.
    pub oldest_s: Option<f64>,
    /// The queue's physical name.
    pub queue: String,
}

/// One function that reads a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamReader {
    /// The function's physical name.
    pub function: String,
    /// Age of the last record that it was given, in seconds, as CloudWatch last knew it.
    pub age_s: f64,
}

/// One queue whose messages wait for a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Aside {
    /// `subscriptions-dead-letter-queue`.
    pub name: String,
    /// All that are in it.
    pub messages: u64,
}

/// Shows it on standard output, once or until it is told to stop.
///
/// # Errors
/// [`CliError::Exceeded`] when a limit of the command line is exceeded (by the last look, if there
/// are several), [`CliError::Refused`] when SQS does not tell.
pub async fn run(args: &LagArgs) -> Result<(), CliError> {
    let target = Target::read(&args.target.env_file)?;
    let mut out = io::stdout();
    let Some(pause) = args.watch else {
        return run_on(&target, args, &mut out).await;
    };
    let mut stop = StopSignals::listen()?;
    let clear = !args.json && out.is_terminal();
    let mut last = Ok(());
    loop {
        if clear {
            text_to(&mut out, CLEAR)?;
        }
        let outcome = tokio::select! {
            outcome = run_on(&target, args, &mut out) => outcome,
            () = stop.asked() => return last,
        };
        if !matches!(outcome, Ok(()) | Err(CliError::Exceeded(_))) {
            return outcome;
        }
        last = outcome;
        tokio::select! {
            () = stop.asked() => return last,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Shows once on `out` how far the consumers of `target` are behind.
///
/// # Errors
/// As [`run`].
pub async fn run_on(target: &Target, args: &LagArgs, out: &mut impl Write) -> Result<(), CliError> {
    let mut lag = queues::ask(target).await?;
    add_ages(&mut lag, target).await;
    lag.exceeded = exceeded(&lag, args);
    match args.json {
        true => json_to(out, &lag)?,
        false => text_to(out, &table::of(&lag))?,
    }
    if !lag.exceeded.is_empty() {
        return Err(CliError::Exceeded(lag.exceeded.join("; ")));
    }
    match &lag.ages_unknown {
        // An alarm that cannot be judged must not look like one that is silent.
        Some(reason) if args.max_age.is_some() => Err(CliError::Refused(format!(
            "--max-age cannot be judged, for CloudWatch does not tell: {reason}"
        ))),
        _ => Ok(()),
    }
}

async fn add_ages(lag: &mut Lag, target: &Target) {
    let queues = lag.consumers.iter().map(|it| Aged::Queue(it.queue.clone()));
    let functions = target.functions().map(|it| Aged::Function(it.to_owned()));
    let asked: Vec<Aged> = queues.chain(functions).collect();
    let ages = match ages::ask(target, &asked, lag.at).await {
        Ok(ages) => ages,
        Err(reason) => {
            lag.ages_unknown = Some(reason);
            return;
        }
    };
    for consumer in &mut lag.consumers {
        consumer.oldest_s = ages.get(&Aged::Queue(consumer.queue.clone())).copied();
    }
    lag.iterators = ages
        .into_iter()
        .filter_map(|(aged, age_s)| match aged {
            Aged::Function(function) => Some(StreamReader { function, age_s }),
            Aged::Queue(_) => None,
        })
        .collect();
}

fn exceeded(lag: &Lag, args: &LagArgs) -> Vec<String> {
    let mut found = Vec::new();
    let mut judge = |name: &str, what: &str, count: u64, limit: Option<u64>| {
        if let Some(limit) = limit.filter(|limit| count > *limit) {
            found.push(format!("{name} has {count} {what}, more than {limit}"));
        }
    };
    for consumer in &lag.consumers {
        let name = &consumer.name;
        judge(name, "messages waiting", consumer.backlog, args.max_backlog);
        let dead = consumer.dead_letters.unwrap_or_default();
        judge(name, "dead letters", dead, args.max_dlq);
    }
    for aside in &lag.aside {
        judge(&aside.name, "messages", aside.messages, args.max_dlq);
    }
    let oldest = lag.consumers.iter().filter_map(|it| {
        let what = format!("the oldest message of {}", it.name);
        Some((what, it.oldest_s?))
    });
    let iterators = lag.iterators.iter();
    let iterators = iterators.map(|it| (format!("the iterator of {}", it.function), it.age_s));
    for (what, age_s) in oldest.chain(iterators) {
        if let Some(limit) = args.max_age.filter(|limit| age_s > limit.as_secs_f64()) {
            let limit = limit.as_secs();
            found.push(format!("{what} is {age_s:.0} s old, more than {limit} s"));
        }
    }
    found
}
