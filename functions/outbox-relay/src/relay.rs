//! The use case: publish the public events of some commits, in order within a group.
//!
//! Not here: Lambda's event, the checkpoint, dead letters. Each commit gets its own result, and
//! the caller decides what follows from it.

use std::collections::HashSet;

use callboard_runtime::journal::Committed;
use callboard_runtime::metrics::{self, Metric};
use callboard_runtime::publish::{PublishFailure, Publisher};
use callboard_runtime::{Clock, Failure};

use crate::route::{NoTopic, Outgoing, Topics, messages};

/// What the use case works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Publishes.
    pub publisher: Publisher,
    /// Where to.
    pub topics: Topics,
    /// What time it is.
    pub clock: Clock,
}

/// One message of the batch, and the commit it belongs to.
struct Entry {
    commit: usize,
    outgoing: Outgoing,
}

/// Publishes what `commits` tell the public; one result per commit, in the same order.
///
/// Within a group a message goes out only after the one before it was taken: `PublishBatch` may
/// fail the first of two entries and take the second. So the batch goes out in rounds that hold
/// at most one message of each group, and a group that failed once is left out from then on.
/// Notifications are each a group of their own: for them there is one round.
pub async fn run(deps: &Deps, commits: &[Committed]) -> Vec<Result<(), Failure>> {
    let routed = commits
        .iter()
        .map(|commit| messages(&deps.topics, commit))
        .collect();
    let results = publish(&deps.publisher, routed).await;
    measure(deps, commits, &results);
    results
}

/// The same for messages that are made already; one result per commit, in the same order.
pub async fn publish(
    publisher: &Publisher,
    routed: Vec<Result<Vec<Outgoing>, NoTopic>>,
) -> Vec<Result<(), Failure>> {
    let mut results: Vec<Result<(), Failure>> = Vec::with_capacity(routed.len());
    let mut waiting = Vec::new();
    for (at, outgoing) in routed.into_iter().enumerate() {
        match outgoing {
            Ok(outgoing) => {
                waiting.extend(outgoing.into_iter().map(|outgoing| Entry {
                    commit: at,
                    outgoing,
                }));
                results.push(Ok(()));
            }
            Err(error) => results.push(Err(Failure::terminal(error.to_string()))),
        }
    }
    let mut stopped = HashSet::new();
    while !waiting.is_empty() {
        let (round, rest) = split_round(waiting);
        publish_round(publisher, round, &mut results, &mut stopped).await;
        waiting = leave_out(rest, &stopped, &mut results);
    }
    results
}

/// Tells how long what is published now has waited since it was committed.
fn measure(deps: &Deps, commits: &[Committed], results: &[Result<(), Failure>]) {
    let now = deps.clock.now();
    for (commit, result) in commits.iter().zip(results) {
        if result.is_ok() {
            metrics::observe(Metric::PublishLag, now.since(commit.at));
        }
    }
}

/// The first message of every group and topic, and the others.
fn split_round(waiting: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    let mut seen = HashSet::new();
    waiting.into_iter().partition(|entry| {
        seen.insert((entry.outgoing.topic.clone(), entry.outgoing.group.clone()))
    })
}

async fn publish_round(
    publisher: &Publisher,
    round: Vec<Entry>,
    results: &mut [Result<(), Failure>],
    stopped: &mut HashSet<(String, String)>,
) {
    for (topic, entries) in by_topic(round) {
        let messages = entries
            .iter()
            .map(|entry| entry.outgoing.message.clone())
            .collect();
        let answers = publisher.publish_all(&topic, messages).await;
        for (entry, answer) in entries.into_iter().zip(answers) {
            let Err(failure) = answer else { continue };
            if failure.retryable {
                stopped.insert((topic.clone(), entry.outgoing.group));
            }
            fail(&mut results[entry.commit], &failure);
        }
    }
}

/// What goes to one topic, together.
fn by_topic(round: Vec<Entry>) -> Vec<(String, Vec<Entry>)> {
    let mut topics: Vec<(String, Vec<Entry>)> = Vec::new();
    for entry in round {
        match topics
            .iter_mut()
            .find(|(topic, _)| *topic == entry.outgoing.topic)
        {
            Some((_, entries)) => entries.push(entry),
            None => topics.push((entry.outgoing.topic.clone(), vec![entry])),
        }
    }
    topics
}

/// Messages of a group that has failed are not tried: they would overtake.
fn leave_out(
    rest: Vec<Entry>,
    stopped: &HashSet<(String, String)>,
    results: &mut [Result<(), Failure>],
) -> Vec<Entry> {
    let (out, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|entry| {
        stopped.contains(&(entry.outgoing.topic.clone(), entry.outgoing.group.clone()))
    });
    for entry in out {
        let result = &mut results[entry.commit];
        if !is_retryable(result) {
            *result = Err(Failure::retryable("an earlier message of its group failed"));
        }
    }
    rest
}

/// A commit with two failures is retried if either may pass: publishing twice is harmless, and
/// the other one is parked on the way.
fn fail(result: &mut Result<(), Failure>, failure: &PublishFailure) {
    let reason = format!("publishing failed: {}", failure.code);
    if failure.retryable {
        *result = Err(Failure::retryable(reason));
    } else if result.is_ok() {
        *result = Err(Failure::terminal(reason));
    }
}

fn is_retryable(result: &Result<(), Failure>) -> bool {
    result.as_ref().is_err_and(Failure::is_retryable)
}
