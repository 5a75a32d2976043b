//! Receiving: leases, dead letters, long polls, and what of a message is shown.

use super::attempt;
use super::attributes::{self, Attributes};
use super::in_flight;
use super::queues::{Queue, find};
use super::refusal::SqsError;
use super::send::{Details, sequence};
use super::settings::{COUNTED, SETTABLE, VISIBILITY_S_MAX, WAIT_S_MAX};
use super::settle::Handle;
use super::{Outcome, write};
use crate::messages::{Messages, Ready, Row, Work};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The most messages of one receive (AWS, `ReceiveMessage`).
const MESSAGES_MAX: usize = 10;
/// What a message shows of itself when asked.
const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];
/// The sender that every message names: the engine knows no others.
const SENDER: &str = "AIDACKCEVSQ6C2EXAMPLE";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    queue_url: String,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    receive_request_attempt_id: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

impl Receive {
    fn wait_ms(&self, queue: &Queue) -> i64 {
        self.wait_time_seconds
            .map_or(queue.settings.wait_ms, |seconds| seconds * 1000)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Shown>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    message_attributes: Attributes,
}

/// What one look into the queue comes to.
enum Look {
    Found(Vec<Row>),
    /// Nothing now; by the passing of time alone, something at this time (milliseconds).
    Empty {
        queue: Arc<Queue>,
        next: Option<i64>,
    },
}

pub(super) async fn receive(messages: &Messages, request: Receive) -> Outcome<String> {
    check(&request)?;
    let mut deadline = None;
    let mut arrivals = None;
    loop {
        // Listening begins before looking: a message that comes in between is not missed.
        let arrived = arrivals
            .as_ref()
            .map(|arrivals: &Arc<tokio::sync::Notify>| arrivals.clone().notified_owned());
        let mut arrived = arrived.map(Box::pin);
        if let Some(arrived) = &mut arrived {
            arrived.as_mut().enable();
        }
        let (queue, next) = match messages
            .transact_together(|work| look(work, &request))
            .await?
        {
            Look::Found(rows) => return show(&rows, &request),
            Look::Empty { queue, next } => (queue, next),
        };
        let wait_ms = request.wait_ms(&queue);
        let now = tokio::time::Instant::now();
        let deadline = *deadline.get_or_insert(now + millis(wait_ms));
        if now >= deadline {
            return show(&[], &request);
        }
        let Some(arrived) = arrived else {
            // The first look: now that the queue is known, listen, and look once more.
            arrivals = Some(messages.arrivals(queue.id));
            continue;
        };
        let wake = match next {
            Some(at) => deadline.min(now + millis((at - messages.clock().now_ms()).max(1))),
            None => deadline,
        };
        tokio::select! {
            () = arrived => {}
            () = tokio::time::sleep_until(wake) => {}
        }
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn check(request: &Receive) -> Outcome<()> {
    let bounds = [
        (
            request.max_number_of_messages,
            "MaxNumberOfMessages",
            1,
            MESSAGES_MAX as i64,
        ),
        (
            request.visibility_timeout,
            "VisibilityTimeout",
            0,
            VISIBILITY_S_MAX,
        ),
        (request.wait_time_seconds, "WaitTimeSeconds", 0, WAIT_S_MAX),
    ];
    let asked = request.attribute_names.iter();
    let mut asked = asked.chain(&request.message_system_attribute_names);
    if let Some(name) = asked.find(|name| !is_attribute(name)) {
        return Err(SqsError::unknown_attribute(name));
    }
    for (value, name, least, most) in bounds {
        if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
            let reason = if name == "WaitTimeSeconds" {
                format!("Must be >= {least} and <= {most}, if provided.")
            } else {
                format!("Must be between {least} and {most}, if provided.")
            };
            return Err(SqsError::invalid_value(value, name, &reason));
        }
    }
    Ok(())
}

/// Whether a name may stand in a receive. Attributes of queues may, without effect.
fn is_attribute(name: &str) -> bool {
    name == "All"
        || SYSTEM_ATTRIBUTES.contains(&name)
        || SETTABLE.contains(&name)
        || COUNTED.contains(&name)
}

fn look(work: &mut Work<'_>, request: &Receive) -> Outcome<Look> {
    let queue = find(work, &request.queue_url)?;
    let limit = usize::try_from(request.max_number_of_messages.unwrap_or(1)).unwrap_or(1);
    let visibility_ms = request
        .visibility_timeout
        .map_or(queue.settings.visibility_ms, |seconds| seconds * 1000);
    let visible_at = work.now + visibility_ms;
    let attempt = request.receive_request_attempt_id.as_deref();
    if let Some(id) = attempt
        && let Some(rows) = attempt::repeat(work, &queue, id, visible_at)?
    {
        return Ok(Look::Found(rows));
    }
    let limit = limit.min(in_flight::room(work, &queue, limit)?);
    if limit == 0 && !queue.settings.fifo && request.wait_ms(&queue) == 0 {
        return Err(SqsError::over_limit(in_flight::MAX));
    }
    let mut taking = Taking {
        queue: &queue,
        visible_at,
        limit,
        taken: Vec::new(),
    };
    if queue.settings.fifo {
        taking.take_from_lanes(work)?;
    } else {
        taking.take_any(work)?;
    }
    let taken = taking.taken;
    if taken.is_empty() {
        let next = work.next_ready_at(queue.id, queue.settings.fifo)?;
        return Ok(Look::Empty { queue, next });
    }
    if let Some(id) = attempt {
        attempt::remember(work, &queue, id, &taken)?;
    }
    Ok(Look::Found(taken))
}

/// One receive at work.
struct Taking<'a> {
    queue: &'a Queue,
    visible_at: i64,
    limit: usize,
    taken: Vec<Row>,
}

impl Taking<'_> {
    fn room(&self) -> usize {
        self.limit - self.taken.len()
    }

    fn take_any(&mut self, work: &mut Work<'_>) -> Outcome<()> {
        work.return_lapsed(self.queue.id)?;
        loop {
            let rows = work.ready(self.queue.id, &Ready::Any, self.room())?;
            let mut discarded = false;
            for row in rows {
                discarded |= !self.take(work, row)?;
            }
            // Discarded ones made room for others behind them.
            if !discarded || self.room() == 0 {
                return Ok(());
            }
        }
    }

    fn take_from_lanes(&mut self, work: &mut Work<'_>) -> Outcome<()> {
        loop {
            let lanes = work.open_lanes(self.queue.id, self.room())?;
            let mut discarded = false;
            for lane in lanes {
                if self.room() == 0 {
                    return Ok(());
                }
                for row in work.ready(self.queue.id, &Ready::Lane(&lane), self.room())? {
                    if row.visible_at > work.now {
                        break;
                    }
                    discarded |= !self.take(work, row)?;
                }
                work.settle_lane(self.queue.id, &lane)?;
            }
            if !discarded || self.room() == 0 {
                return Ok(());
            }
        }
    }

    /// Leases a message, unless it is too old or dead; says whether it was leased.
    fn take(&mut self, work: &mut Work<'_>, mut row: Row) -> Outcome<bool> {
        // A dead letter's age begins anew in a FIFO queue, and goes on in a standard one.
        let since = match row.lane {
            Some(_) => Work::time_of(row.id),
            None => row.sent_at,
        };
        if since < work.now - self.queue.settings.retention_ms {
            work.remove(&row)?;
            return Ok(false);
        }
        if let Some(redrive) = &self.queue.settings.redrive
            && row.receives >= redrive.receives_max
            && let Some(target) = work.names.queue_in(&redrive.target_arn)
            && let Some(target) = work.queues.named(target).cloned()
            // A queue that is its own dead-letter queue would give the message back for ever.
            && target.id != self.queue.id
        {
            bury(work, self.queue, &target, row)?;
            return Ok(false);
        }
        work.lease(&mut row, self.visible_at)?;
        self.taken.push(row);
        Ok(true)
    }
}

/// Moves a dead letter. It keeps its message id, its receive count ("across all queues", says the
/// API reference) and, in a standard queue, its age.
fn bury(work: &mut Work<'_>, source: &Queue, target: &Queue, row: Row) -> Outcome<()> {
    work.remove(&row)?;
    let mut details: Details =
        serde_json::from_str(&row.details).map_err(|error| SqsError::internal(&error))?;
    details.source = Some(work.names.queue_arn(&source.name));
    let id = if target.settings.fifo {
        let id = work.next_id();
        details.sequence = Some(sequence(id));
        id
    } else {
        row.id
    };
    work.put(&Row {
        id,
        queue: target.id,
        visible_at: work.now,
        leased_at: 0,
        details: write(&details)?,
        ..row
    })?;
    Ok(())
}

fn show(rows: &[Row], request: &Receive) -> Outcome<String> {
    let messages = rows
        .iter()
        .map(|row| show_one(row, request))
        .collect::<Outcome<_>>()?;
    write(&Received { messages })
}

fn show_one(row: &Row, request: &Receive) -> Outcome<Shown> {
    let details: Details =
        serde_json::from_str(&row.details).map_err(|error| SqsError::internal(&error))?;
    let wanted = |name: &str| {
        request
            .attribute_names
            .iter()
            .chain(&request.message_system_attribute_names)
            .any(|wanted| wanted == name || wanted == "All")
    };
    // In the order of their names above.
    let system = [
        Some(SENDER.to_owned()),
        Some(row.sent_at.to_string()),
        Some(row.receives.to_string()),
        row.first_at.map(|at| at.to_string()),
        details.sequence,
        details.dedup,
        details.group,
        details.trace,
        details.source,
    ];
    let message_attributes: Attributes = details
        .attributes
        .into_iter()
        .filter(|(name, _)| matches_any(name, &request.message_attribute_names))
        .collect();
    Ok(Shown {
        message_id: row.message_id.clone(),
        receipt_handle: Handle::of(row).to_string(),
        md5_of_body: details.md5,
        body: row.body.clone(),
        attributes: SYSTEM_ATTRIBUTES
            .into_iter()
            .zip(system)
            .filter(|(name, _)| wanted(name))
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
        md5_of_message_attributes: attributes::md5_of(&message_attributes),
        message_attributes,
    })
}

/// `All`, `.*` or `*`, a name, or a prefix followed by `.*`.
fn matches_any(name: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|wanted| {
        wanted == "All"
            || wanted == ".*"
            || wanted == "*"
            || wanted == name
            || wanted
                .strip_suffix(".*")
                .is_some_and(|prefix| name.starts_with(prefix))
    })
}
