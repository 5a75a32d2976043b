//! The dead-letter queues of a system, and where what lies in each came from.

use std::sync::Arc;

use callboard_runtime::settings::Vars;
use outbox_relay::route::Topics;

use super::relay::Relay;
use crate::error::CliError;
use crate::target::Target;

/// How the names of dead-letter queues end; what is before it is a consumer's.
const DEAD_LETTERS: &str = "-dead-letter-queue";

/// What the subscriptions gave up: it belongs to a topic, and not to one queue.
const SUBSCRIPTIONS: &str = "subscriptions";

/// What the relay's mapping and the relay itself gave up: places in a stream, not messages.
const RELAY: &str = "outbox-relay";

/// One dead-letter queue.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetterQueue {
    /// `waitlist-cascade`, or `outbox-relay-failure` for what Lambda's mapping gave up.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) origin: Origin,
}

/// Where a replay sends to.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The queue of its consumer.
    Queue { name: String, url: String },
    /// The topic for each event's type.
    Topics(Topics),
    /// The topics, of what the journal has where the letter says.
    Journal(Arc<Relay>),
    /// Nowhere, and why.
    None(&'static str),
}

impl Origin {
    /// Where a replay sends to, in words; or why nowhere.
    pub(crate) fn place(&self) -> Result<&str, &'static str> {
        match self {
            Self::Queue { name, .. } => Ok(name),
            Self::Topics(_) => Ok("the topic of its type"),
            Self::Journal(_) => Ok("the topics of its events"),
            Self::None(why) => Err(why),
        }
    }
}

impl DeadLetterQueue {
    pub(crate) fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }
}

/// Those of `wanted`, or all.
///
/// # Errors
/// [`CliError::Input`] with the names there are, if one of `wanted` is not among them.
pub(crate) fn of(target: &Target, wanted: &[String]) -> Result<Vec<DeadLetterQueue>, CliError> {
    let mut all = Vec::new();
    for (name, url) in target.queues() {
        let name = match name.strip_suffix(DEAD_LETTERS) {
            Some(consumer) => consumer.to_owned(),
            None if name == format!("{RELAY}-failure-queue") => format!("{RELAY}-failure"),
            None => continue,
        };
        all.push(DeadLetterQueue {
            origin: origin(target, &name),
            url: url.to_owned(),
            name,
        });
    }
    if let Some(unknown) = wanted
        .iter()
        .find(|wanted| !all.iter().any(|queue| is_meant(queue, wanted)))
    {
        let names: Vec<_> = all.iter().map(|queue| queue.name.as_str()).collect();
        return Err(CliError::Input(format!(
            "there is no dead-letter queue `{unknown}`; there are: {}",
            names.join(", ")
        )));
    }
    if !wanted.is_empty() {
        all.retain(|queue| wanted.iter().any(|wanted| is_meant(queue, wanted)));
    }
    Ok(all)
}

fn is_meant(queue: &DeadLetterQueue, wanted: &str) -> bool {
    wanted == queue.name || wanted.strip_suffix(DEAD_LETTERS) == Some(&queue.name)
}

fn origin(target: &Target, consumer: &str) -> Origin {
    if consumer == SUBSCRIPTIONS {
        return topics(target);
    }
    if consumer.starts_with(RELAY) {
        return match (target.get("CALLBOARD_JOURNAL_TABLE"), topics(target)) {
            (Some(table), Origin::Topics(topics)) => {
                Origin::Journal(Arc::new(Relay::open(target.sdk(), table, topics)))
            }
            (None, _) => Origin::None("the env file does not name the journal's table"),
            (_, other) => other,
        };
    }
    let name = format!("{consumer}-queue");
    let url = target
        .queues()
        .find_map(|(found, url)| (found == name).then(|| url.to_owned()));
    match url {
        Some(url) => Origin::Queue { name, url },
        None => Origin::None("the env file names no queue that it came from"),
    }
}

fn topics(target: &Target) -> Origin {
    let vars: Vars = ["WAITLIST", "NOTIFICATION", "EXTERNAL"]
        .into_iter()
        .filter_map(|domain| {
            let arn = target.get(&format!("CALLBOARD_{domain}_EVENTS_TOPIC"))?;
            Some((format!("{domain}_EVENTS_TOPIC_ARN"), arn.to_owned()))
        })
        .collect();
    match Topics::from_vars(&vars) {
        Ok(topics) => Origin::Topics(topics),
        Err(_) => Origin::None("the env file does not name the three topics of events"),
    }
}
