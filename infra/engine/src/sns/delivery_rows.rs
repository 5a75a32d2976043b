//! Deliveries that wait for an endpoint to take them: rows, written in the transaction of the
//! publish and gone when the endpoint has answered or was given up.

use super::Outcome;
use super::delivery::{self, Lost, Order};
use super::delivery_policy::{OF_FUNCTIONS, OfSubscription, Retries};
use super::reply::SnsError;
use crate::messages::{StorageError, Work};
use crate::sqs::Attributes;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// A row's `delivery` is a [`Delivery`] in JSON; times are milliseconds since the epoch.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS deliveries(
    id INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT NULL, next_at INTEGER NOT NULL,
    retries INTEGER NOT NULL, begun_at INTEGER NOT NULL, delivery TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries(subscription, next_at, id);
";

/// The longest that retries to a web endpoint may take in all, in milliseconds (AWS, "Amazon SNS
/// message delivery retries": 3,600 s).
const RETRIES_MS_MAX: i64 = 3_600_000;

/// What kind of message it is, as `x-amz-sns-message-type` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    SubscriptionConfirmation,
    Notification,
    UnsubscribeConfirmation,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::SubscriptionConfirmation => "SubscriptionConfirmation",
            Kind::Notification => "Notification",
            Kind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        }
    }
}

/// A message on its way to an endpoint outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    pub(super) kind: Kind,
    /// `http`, `https` or `lambda`.
    pub(super) protocol: String,
    pub(super) endpoint: String,
    pub(super) topic_arn: String,
    pub(super) subscription_arn: String,
    pub(super) message_id: String,
    pub(super) body: String,
    #[serde(default)]
    pub(super) raw: bool,
    /// What a dead-letter queue gets in place of the body, where that differs.
    #[serde(default)]
    pub(super) dead_body: Option<String>,
    /// What a dead-letter queue gets beside it.
    #[serde(default)]
    pub(super) attributes: Attributes,
    #[serde(default)]
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) trace: Option<String>,
}

/// A delivery with its place in time.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(super) id: i64,
    /// How often it was tried again so far.
    pub(super) retries: u32,
    begun_at: i64,
    pub(super) delivery: Delivery,
    pub(super) content_type: String,
}

/// How a delivery went.
#[derive(Debug)]
pub(crate) enum Ending {
    Taken,
    /// Refused, or unanswered. `again` if another try may succeed.
    Failed {
        again: bool,
        reason: String,
    },
    /// Not answered at all.
    Silent {
        reason: String,
    },
}

/// What may be begun of a subscription's deliveries.
#[derive(Debug, Default, Clone)]
pub(crate) struct Room {
    /// Deliveries that are under way.
    pub(crate) busy: HashSet<i64>,
    /// How many more may be.
    pub(crate) free: usize,
    /// Whether the last one got no answer.
    pub(crate) silent: bool,
}

/// How many deliveries may be begun: they hold sockets.
#[derive(Debug)]
pub(crate) struct Places {
    /// Of a subscription of which nothing is known.
    pub(crate) each: usize,
    pub(crate) all: usize,
    /// Of all subscriptions that are silent.
    pub(crate) silent: usize,
}

/// What there is to do.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(super) rows: Vec<(Row, Option<u32>)>,
    /// When the next of the others may be begun, in milliseconds since the epoch.
    pub(super) next_at: Option<i64>,
}

/// Puts a delivery in, to be sent as soon as the transaction is committed.
pub(super) fn put(work: &mut Work<'_>, delivery: &Delivery) -> Outcome<()> {
    let json = serde_json::to_string(delivery).map_err(|error| SnsError::internal(&error))?;
    work.db
        .prepare_cached(
            "INSERT INTO deliveries(subscription, next_at, retries, begun_at, delivery) \
             VALUES(?1, ?2, 0, ?2, ?3)",
        )?
        .execute(params![delivery.subscription_arn, work.now, json])?;
    work.delivering();
    Ok(())
}

/// Forgets what a subscription has not got yet.
pub(super) fn forget(work: &Work<'_>, subscription_arn: &str) -> Result<(), StorageError> {
    work.db
        .prepare_cached("DELETE FROM deliveries WHERE subscription = ?1")?
        .execute(params![subscription_arn])?;
    Ok(())
}

/// The policy that holds for a subscription, also for one that is gone.
fn policy(work: &Work<'_>, delivery: &Delivery) -> OfSubscription {
    if delivery.protocol == "lambda" {
        return OfSubscription::default();
    }
    let usual = OfSubscription::default();
    let subscription = work.topics.subscriptions.get(&delivery.subscription_arn);
    let own = subscription.map_or(&usual, |it| &it.policy);
    let topic = work.topics.delivery_policy(&delivery.topic_arn);
    own.under(&topic.unwrap_or_default())
}

fn retries(work: &Work<'_>, delivery: &Delivery) -> Retries {
    match delivery.protocol.as_str() {
        "lambda" => OF_FUNCTIONS,
        _ => policy(work, delivery).retries(),
    }
}

/// The deliveries to begin now, each with its subscription's limit per second, by what room each
/// subscription has. A place goes only to what is due, and first to the subscriptions after `last`:
/// so everyone's turn comes, however many wait.
pub(crate) fn due(
    work: &mut Work<'_>,
    rooms: &HashMap<String, Room>,
    mut places: Places,
    last: &str,
) -> Result<Due, StorageError> {
    let mut waiting = Vec::new();
    while let Some(next) = next_subscription(work, waiting.last().map_or("", String::as_str))? {
        waiting.push(next);
    }
    let first = waiting.partition_point(|arn| arn.as_str() <= last);
    waiting.rotate_left(first);
    let mut due = Due::default();
    for subscription in waiting {
        let usual = || Room {
            free: places.each,
            ..Room::default()
        };
        let mut room = rooms.get(&subscription).cloned().unwrap_or_else(usual);
        room.free = room.free.min(places.all);
        if room.silent {
            room.free = room.free.min(places.silent);
        }
        if room.free == 0 {
            // Its turn comes when something ends, be it a rest.
            continue;
        }
        let before = due.rows.len();
        due_of(work, &subscription, &room, &mut due)?;
        let taken = due.rows.len() - before;
        places.all -= taken;
        if room.silent {
            places.silent -= taken;
        }
    }
    Ok(due)
}

fn next_subscription(work: &Work<'_>, after: &str) -> Result<Option<String>, StorageError> {
    work.db
        .prepare_cached("SELECT MIN(subscription) FROM deliveries WHERE subscription > ?1")?
        .query_row(params![after], |row| row.get(0))
}

fn due_of(
    work: &Work<'_>,
    subscription: &str,
    room: &Room,
    due: &mut Due,
) -> Result<(), StorageError> {
    let mut statement = work.db.prepare_cached(
        "SELECT id, next_at, retries, begun_at, delivery FROM deliveries WHERE subscription = ?1 \
         ORDER BY next_at, id LIMIT ?2",
    )?;
    // One more than may be begun: its time is when to look again.
    let limit = room.busy.len() + room.free + 1;
    let mut rows = statement.query(params![subscription, limit])?;
    let mut free = room.free;
    while let Some(row) = rows.next()? {
        let (id, next_at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if room.busy.contains(&id) {
            continue;
        }
        if next_at > work.now {
            due.next_at = Some(due.next_at.map_or(next_at, |other| other.min(next_at)));
            break;
        }
        if free == 0 {
            break;
        }
        let json: String = row.get(4)?;
        let Ok(delivery) = serde_json::from_str::<Delivery>(&json) else {
            tracing::error!(subscription, id, "a delivery's row cannot be read");
            continue;
        };
        let policy = policy(work, &delivery);
        free -= 1;
        let row = Row {
            id,
            retries: row.get(2)?,
            begun_at: row.get(3)?,
            delivery,
            content_type: policy.content_type().to_owned(),
        };
        due.rows.push((row, policy.per_second()));
    }
    Ok(())
}

/// Draws the conclusion from how a delivery went.
pub(crate) fn settle(work: &mut Work<'_>, row: &Row, ending: &Ending) -> Outcome<()> {
    let (again, reason) = match ending {
        Ending::Taken => {
            remove(work, row)?;
            return Ok(());
        }
        Ending::Failed { again, reason } => (*again, reason),
        Ending::Silent { reason } => (true, reason),
    };
    let later = later(work, row).filter(|_| again);
    if let Some(later) = later {
        work.db
            .prepare_cached("UPDATE deliveries SET next_at = ?2, retries = ?3 WHERE id = ?1")?
            .execute(params![row.id, later, row.retries + 1])?;
        return Ok(());
    }
    if remove(work, row)? == 0 || row.delivery.kind != Kind::Notification {
        // Whoever removed it wanted no more of it; and a confirmation is asked for again.
        return Ok(());
    }
    let Some(subscription) = work
        .topics
        .subscriptions
        .get(&row.delivery.subscription_arn)
        .cloned()
    else {
        return Ok(());
    };
    let delivery = &row.delivery;
    delivery::dead_letter(
        work,
        &subscription,
        &Lost {
            body: delivery.dead_body.as_ref().unwrap_or(&delivery.body),
            attributes: &delivery.attributes,
            order: Order {
                group: delivery.group.as_deref(),
                dedup: None,
                // What goes out of the engine comes from a standard topic.
                fifo: false,
                trace: delivery.trace.as_deref(),
            },
            reason,
        },
    )
}

/// When to try again, in milliseconds since the epoch, if at all.
fn later(work: &Work<'_>, row: &Row) -> Option<i64> {
    let delay: Duration = retries(work, &row.delivery).delay(row.retries + 1)?;
    let later = work.now + i64::try_from(delay.as_millis()).ok()?;
    let in_time = row.delivery.protocol == "lambda" || later - row.begun_at <= RETRIES_MS_MAX;
    in_time.then_some(later)
}

fn remove(work: &Work<'_>, row: &Row) -> Result<usize, StorageError> {
    work.db
        .prepare_cached("DELETE FROM deliveries WHERE id = ?1")?
        .execute(params![row.id])
}
