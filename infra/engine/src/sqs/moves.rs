//! Moving dead letters back: tasks that are started, listed and cancelled (AWS,
//! `StartMessageMoveTask`). What a running task does is `moving`'s business.

use super::queues::Queue;
use super::refusal::SqsError;
use super::{Nothing, Outcome};
use crate::messages::Work;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Messages per second that a task may be held to (AWS, `StartMessageMoveTask`).
const RATE_RANGE: std::ops::RangeInclusive<i64> = 1..=500;
/// The most tasks listed, and kept, of a queue (AWS, `ListMessageMoveTasks`: 10).
const LISTED_MAX: i64 = 10;

/// What stands between the colons of an ARN.
const ARN_PARTS: usize = 6;

/// A task, as it is kept.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: String,
    /// The name of the dead-letter queue.
    pub(super) source: String,
    /// The name of the queue that gets the messages; without one, each goes where it came from.
    pub(super) destination: Option<String>,
    pub(super) rate: Option<i64>,
    pub(super) moved: i64,
    pub(super) to_move: i64,
    started_at: i64,
    /// When the next messages may be moved, in milliseconds.
    pub(super) next_at: i64,
    status: String,
    reason: Option<String>,
}

pub(super) const COLUMNS: &str =
    "id, source, destination, rate, moved, to_move, started_at, next_at, status, reason";

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        id: row.get(0)?,
        source: row.get(1)?,
        destination: row.get(2)?,
        rate: row.get(3)?,
        moved: row.get(4)?,
        to_move: row.get(5)?,
        started_at: row.get(6)?,
        next_at: row.get(7)?,
        status: row.get(8)?,
        reason: row.get(9)?,
    })
}

/// What a client gets to name a running task by: base64 of JSON, as AWS's are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskHandle {
    task_id: String,
    source_arn: String,
}

impl TaskHandle {
    fn text(task: &Task, source_arn: String) -> Outcome<String> {
        let handle = TaskHandle {
            task_id: task.id.clone(),
            source_arn,
        };
        Ok(BASE64.encode(super::write(&handle)?))
    }

    fn read(text: &str) -> Outcome<TaskHandle> {
        BASE64
            .decode(text)
            .ok()
            .and_then(|plain| serde_json::from_slice(&plain).ok())
            .ok_or_else(|| SqsError::invalid("Value for parameter TaskHandle is invalid."))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Start {
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Started {
    task_handle: String,
}

pub(super) fn start(work: &mut Work<'_>, request: Start) -> Outcome<Started> {
    let source = by_arn(work, "SourceArn", &request.source_arn)?;
    if !is_dead_letter_queue(work, &request.source_arn) {
        return Err(SqsError::invalid(
            "Source queue must be configured as a Dead Letter Queue.",
        ));
    }
    let destination = match request
        .destination_arn
        .as_deref()
        .filter(|arn| !arn.is_empty())
    {
        Some(arn) => Some(by_arn(work, "DestinationArn", arn)?),
        None => None,
    };
    check_destination(&source, destination.as_deref())?;
    let rate = request.max_number_of_messages_per_second;
    if let Some(rate) = rate.filter(|rate| !RATE_RANGE.contains(rate)) {
        return Err(SqsError::invalid_value(
            rate,
            "MaxNumberOfMessagesPerSecond",
            "Must be between 1 and 500, if provided.",
        ));
    }
    let running: bool = work
        .db
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM moves WHERE source = ?1 AND status = 'RUNNING')",
        )?
        .query_row(params![source.name], |row| row.get(0))?;
    if running {
        return Err(SqsError::invalid(
            "There is already a task running. Only one active task is allowed for a source queue \
             arn at a given time.",
        ));
    }
    let (total, leased, delayed) = work.census(source.id, source.settings.fifo)?;
    let task = Task {
        id: crate::ids::random_id(),
        source: source.name.clone(),
        destination: destination.map(|queue| queue.name.clone()),
        rate,
        moved: 0,
        to_move: total - leased - delayed,
        started_at: work.now,
        next_at: work.now + super::moving::pace(rate).every_ms,
        status: "RUNNING".to_owned(),
        reason: None,
    };
    insert(work, &task)?;
    work.moving();
    Ok(Started {
        task_handle: TaskHandle::text(&task, request.source_arn)?,
    })
}

fn insert(work: &Work<'_>, task: &Task) -> Outcome<()> {
    work.db.execute(
        "INSERT INTO moves(id, source, destination, rate, moved, to_move, started_at, next_at, \
         status) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            task.id,
            task.source,
            task.destination,
            task.rate,
            task.moved,
            task.to_move,
            task.started_at,
            task.next_at,
            task.status
        ],
    )?;
    work.db.execute(
        "DELETE FROM moves WHERE source = ?1 AND number NOT IN \
         (SELECT number FROM moves WHERE source = ?1 ORDER BY number DESC LIMIT ?2)",
        params![task.source, LISTED_MAX],
    )?;
    Ok(())
}

/// The queue that an ARN names.
fn by_arn(work: &Work<'_>, parameter: &str, arn: &str) -> Outcome<Arc<Queue>> {
    if arn.splitn(ARN_PARTS, ':').count() < ARN_PARTS {
        return Err(SqsError::invalid(format!(
            "You must use this format to specify the {parameter}: \
             arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )));
    }
    work.names
        .queue_in(arn)
        .and_then(|name| work.queues.named(name))
        .cloned()
        .ok_or_else(|| {
            SqsError::no_such_resource(format!(
                "The resource that you specified for the {parameter} parameter doesn't exist."
            ))
        })
}

fn is_dead_letter_queue(work: &Work<'_>, arn: &str) -> bool {
    work.queues.sorted().any(|queue| {
        let redrive = queue.settings.redrive.as_ref();
        redrive.is_some_and(|redrive| redrive.target_arn == arn)
    })
}

fn check_destination(source: &Queue, destination: Option<&Queue>) -> Outcome<()> {
    let Some(destination) = destination else {
        return Ok(());
    };
    if destination.id == source.id {
        return Err(SqsError::invalid(
            "Source and destination queues must not be the same.",
        ));
    }
    if destination.settings.fifo != source.settings.fifo {
        return Err(SqsError::invalid(
            "Source and destination queues must be of the same type.",
        ));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    source_arn: String,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    results: Vec<Shown>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: String,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<i64>,
    approximate_number_of_messages_moved: i64,
    approximate_number_of_messages_to_move: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    started_timestamp: i64,
}

pub(super) fn list(work: &mut Work<'_>, request: List) -> Outcome<Listed> {
    let source = by_arn(work, "SourceArn", &request.source_arn)?;
    let most = request.max_results.unwrap_or(1);
    if !(1..=LISTED_MAX).contains(&most) {
        return Err(SqsError::invalid_value(
            most,
            "MaxResults",
            "Must be between 1 and 10, if provided.",
        ));
    }
    let tasks: Vec<Task> = work
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM moves WHERE source = ?1 ORDER BY number DESC LIMIT ?2"
        ))?
        .query_map(params![source.name, most], read)?
        .collect::<Result<_, _>>()?;
    let show = |task: Task| -> Outcome<Shown> {
        let running = task.status == "RUNNING";
        Ok(Shown {
            task_handle: if running {
                Some(TaskHandle::text(&task, request.source_arn.clone())?)
            } else {
                None
            },
            source_arn: request.source_arn.clone(),
            destination_arn: task.destination.map(|name| work.names.queue_arn(&name)),
            max_number_of_messages_per_second: task.rate,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason: task.reason,
            started_timestamp: task.started_at,
            status: task.status,
        })
    };
    Ok(Listed {
        results: tasks.into_iter().map(show).collect::<Outcome<_>>()?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cancel {
    task_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cancelled {
    approximate_number_of_messages_moved: i64,
}

pub(super) fn cancel(work: &mut Work<'_>, request: Cancel) -> Outcome<Cancelled> {
    let handle = TaskHandle::read(&request.task_handle)?;
    let source = by_arn(work, "SourceArn", &handle.source_arn)?;
    let task = work
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM moves WHERE id = ?1 AND source = ?2"
        ))?
        .query_row(params![handle.task_id, source.name], read)
        .optional()?
        .ok_or_else(|| SqsError::no_such_resource("Task does not exist."))?;
    if task.status != "RUNNING" {
        return Err(SqsError::unsupported(
            "Only a running message movement task can be cancelled.",
        ));
    }
    end(work, &task, "CANCELLED", None)?;
    Ok(Cancelled {
        approximate_number_of_messages_moved: task.moved,
    })
}

/// Ends a task.
pub(super) fn end(
    work: &Work<'_>,
    task: &Task,
    status: &str,
    reason: Option<&str>,
) -> Outcome<Nothing> {
    work.db
        .prepare_cached("UPDATE moves SET status = ?2, reason = ?3, moved = ?4 WHERE id = ?1")?
        .execute(params![task.id, status, reason, task.moved])?;
    Ok(Nothing {})
}
