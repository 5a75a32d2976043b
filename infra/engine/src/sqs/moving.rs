//! A running task at work: at its pace, dead letters become new messages of the queue they came
//! from, or of the one that was named. Each step and its progress are one transaction.

use super::Outcome;
use super::moves::{self, COLUMNS, Task};
use super::queues::Queue;
use super::refusal::SqsError;
use super::send::{Details, sequence};
use crate::messages::{Messages, Ready, Row, Work};
use rusqlite::params;
use std::sync::Arc;
use std::time::Duration;

/// Steps per second of a task that is held to a rate, at most: often enough to look even, rare
/// enough to cost nothing.
const STEPS_PER_S: i64 = 10;
/// A task without a rate. AWS chooses one by the backlog; this is 5,000 per second, in
/// transactions of some milliseconds between which others get their turn.
const FREE: Pace = Pace {
    messages: 100,
    every_ms: 20,
};

/// How many messages are moved at once, and how long it is from one step to the next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) messages: i64,
    pub(super) every_ms: i64,
}

pub(super) fn pace(rate: Option<i64>) -> Pace {
    rate.map_or(FREE, |rate| {
        let messages = (rate + STEPS_PER_S - 1) / STEPS_PER_S;
        Pace {
            messages,
            every_ms: messages * 1000 / rate.max(1),
        }
    })
}

/// Moves what is due, and says how long it is until more will be, if any task goes on.
pub(crate) fn advance(messages: &Messages) -> Option<Duration> {
    match messages.transact(step) {
        Ok(next) => {
            let wait_ms = next? - messages.clock().now_ms();
            Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
        }
        Err(error) => {
            tracing::error!(error = error.message, "dead letters could not be moved");
            // Tried again: the storage may recover.
            Some(Duration::from_secs(1))
        }
    }
}

fn step(work: &mut Work<'_>) -> Outcome<Option<i64>> {
    let due: Vec<Task> = work
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM moves WHERE status = 'RUNNING' AND next_at <= ?1"
        ))?
        .query_map(params![work.now], moves::read)?
        .collect::<Result<_, _>>()?;
    for task in due {
        step_one(work, task)?;
    }
    let next = work
        .db
        .prepare_cached("SELECT MIN(next_at) FROM moves WHERE status = 'RUNNING'")?
        .query_row([], |row| row.get(0))?;
    Ok(next)
}

fn step_one(work: &mut Work<'_>, mut task: Task) -> Outcome<()> {
    let Some(source) = work.queues.named(&task.source).cloned() else {
        moves::end(work, &task, "FAILED", Some(NO_QUEUE))?;
        return Ok(());
    };
    let pace = pace(task.rate);
    let rows = next_rows(work, &source, pace.messages.min(task.to_move - task.moved))?;
    let none_left = rows.is_empty();
    for row in rows {
        match destination(work, &task, &row)? {
            Ok(target) => give_back(work, &source, &target, row)?,
            Err(reason) => {
                moves::end(work, &task, "FAILED", Some(reason))?;
                return Ok(());
            }
        }
        task.moved += 1;
    }
    if none_left || task.moved >= task.to_move {
        moves::end(work, &task, "COMPLETED", None)?;
        return Ok(());
    }
    let next_at = (task.next_at + pace.every_ms).max(work.now + 1);
    work.db
        .prepare_cached("UPDATE moves SET moved = ?2, next_at = ?3 WHERE id = ?1")?
        .execute(params![task.id, task.moved, next_at])?;
    Ok(())
}

/// Messages that nobody holds, in their order.
fn next_rows(work: &Work<'_>, source: &Queue, limit: i64) -> Outcome<Vec<Row>> {
    let limit = usize::try_from(limit).unwrap_or(0);
    if limit == 0 {
        return Ok(Vec::new());
    }
    if !source.settings.fifo {
        return Ok(work.ready(source.id, &Ready::Any, limit)?);
    }
    let mut rows = Vec::new();
    for lane in work.open_lanes(source.id, limit)? {
        let lane = work.ready(source.id, &Ready::Lane(&lane), limit - rows.len())?;
        rows.extend(
            lane.into_iter()
                .take_while(|row| row.visible_at <= work.now),
        );
        if rows.len() == limit {
            break;
        }
    }
    Ok(rows)
}

const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";
const NO_SOURCE: &str = "CouldNotDetermineMessageSource";

/// Where a message goes, or why the task fails.
fn destination(
    work: &Work<'_>,
    task: &Task,
    row: &Row,
) -> Outcome<Result<Arc<Queue>, &'static str>> {
    let name = match &task.destination {
        Some(name) => name.clone(),
        None => {
            let details: Details =
                serde_json::from_str(&row.details).map_err(|error| SqsError::internal(&error))?;
            let arn = details.source.unwrap_or_default();
            match work.names.queue_in(&arn) {
                Some(name) => name.to_owned(),
                None => return Ok(Err(NO_SOURCE)),
            }
        }
    };
    Ok(work.queues.named(&name).cloned().ok_or(NO_QUEUE))
}

/// A moved message is a new one (AWS, "dead-letter queue redrive"): its id, its age, its receive
/// count and, in a FIFO queue, its deduplication id and sequence number begin anew.
fn give_back(work: &mut Work<'_>, source: &Queue, target: &Queue, row: Row) -> Outcome<()> {
    work.remove(&row)?;
    if let Some(lane) = &row.lane {
        work.settle_lane(source.id, lane)?;
    }
    let mut details: Details =
        serde_json::from_str(&row.details).map_err(|error| SqsError::internal(&error))?;
    details.source = None;
    let id = work.next_id();
    if target.settings.fifo {
        details.sequence = Some(sequence(id));
        details.dedup = Some(crate::ids::random_id());
    }
    work.put(&Row {
        id,
        queue: target.id,
        visible_at: work.now + target.settings.delay_ms,
        leased_at: 0,
        receives: 0,
        sent_at: work.now,
        first_at: None,
        message_id: crate::ids::random_id(),
        details: super::write(&details)?,
        ..row
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_keeps_to_its_rate() {
        for rate in [1, 3, 7, 10, 15, 99, 500] {
            let Pace { messages, every_ms } = pace(Some(rate));
            let per_s = messages as f64 * 1000.0 / every_ms as f64;
            assert!(
                (per_s - rate as f64).abs() < 0.1 * rate as f64,
                "{rate}: {per_s}"
            );
            assert!(every_ms >= 90, "{rate}");
        }
    }
}
