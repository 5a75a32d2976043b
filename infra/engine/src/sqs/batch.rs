//! Batches: rules for the batch as a whole, then each entry for itself.

use super::queues::{Queue, find};
use super::refusal::SqsError;
use super::send::{self, Outgoing, Sent};
use super::settings::MESSAGE_BYTES_MAX;
use super::{Nothing, Outcome, settle};
use crate::messages::Work;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The most entries of a batch (AWS, "Amazon SQS message quotas").
const ENTRIES_MAX: usize = 10;
/// The longest entry id, in characters (AWS, same page).
const ID_LEN_MAX: usize = 80;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<E> {
    queue_url: String,
    #[serde(default = "Vec::new")]
    entries: Vec<Entry<E>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<E> {
    id: String,
    #[serde(flatten)]
    what: E,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Deleted {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changed {
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Results<R> {
    successful: Vec<Done<R>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done<R> {
    id: String,
    #[serde(flatten)]
    result: R,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

pub(super) fn send(work: &mut Work<'_>, batch: Batch<Outgoing>) -> Outcome<Results<Sent>> {
    let queue = find(work, &batch.queue_url)?;
    batch.check()?;
    if queue.settings.fifo {
        check_fifo(&queue, &batch)?;
    }
    let size = batch.entries.iter().map(|entry| entry.what.size()).sum();
    if size > MESSAGE_BYTES_MAX {
        return Err(SqsError::batch_too_long(MESSAGE_BYTES_MAX, size));
    }
    batch.run(work, &queue, |work, queue, message| {
        let limit = queue.settings.bytes_max;
        if message.size() > limit {
            // In other words than those of a message that is sent alone.
            return Err(SqsError::invalid(format!(
                "One or more parameters cannot be validated. Reason: Message must be shorter than \
                 {limit} bytes."
            )));
        }
        send::send(work, queue, message)
    })
}

pub(super) fn delete(work: &mut Work<'_>, batch: Batch<Deleted>) -> Outcome<Results<Nothing>> {
    let queue = find(work, &batch.queue_url)?;
    batch.check()?;
    batch.run(work, &queue, |work, queue, entry| {
        settle::delete_one(work, queue, &entry.receipt_handle)
    })
}

pub(super) fn change(work: &mut Work<'_>, batch: Batch<Changed>) -> Outcome<Results<Nothing>> {
    let queue = find(work, &batch.queue_url)?;
    batch.check()?;
    batch.run(work, &queue, |work, queue, entry| {
        let seconds = entry
            .visibility_timeout
            .ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
        settle::change_one(work, queue, &entry.receipt_handle, seconds)
    })
}

/// Without a group, or any way to tell duplicates, a batch for a FIFO queue is refused whole.
fn check_fifo(queue: &Queue, batch: &Batch<Outgoing>) -> Outcome<()> {
    for Entry { what, .. } in &batch.entries {
        if what.group.is_none() {
            return Err(SqsError::invalid(
                "The request must contain the parameter MessageGroupId.",
            ));
        }
        send::dedup_id(queue, what)?;
    }
    Ok(())
}

/// What an entry of a batch is called in refusals.
pub(super) trait Named {
    const ENTRY: &'static str;
}

impl Named for Outgoing {
    const ENTRY: &'static str = "SendMessageBatchRequestEntry";
}

impl Named for Deleted {
    const ENTRY: &'static str = "DeleteMessageBatchRequestEntry";
}

impl Named for Changed {
    const ENTRY: &'static str = "ChangeMessageVisibilityBatchRequestEntry";
}

impl<E: Named> Batch<E> {
    fn check(&self) -> Outcome<()> {
        if self.entries.is_empty() {
            return Err(SqsError::empty_batch(E::ENTRY));
        }
        if self.entries.len() > ENTRIES_MAX {
            return Err(SqsError::too_many_entries(self.entries.len()));
        }
        let mut seen = HashSet::new();
        for Entry { id, .. } in &self.entries {
            let well_formed = (1..=ID_LEN_MAX).contains(&id.len())
                && id
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            if !well_formed {
                return Err(SqsError::invalid_entry_id());
            }
            if !seen.insert(id) {
                return Err(SqsError::ids_not_distinct(id));
            }
        }
        Ok(())
    }

    /// Does each entry for itself. Only a failure of the storage fails them all.
    fn run<R>(
        self,
        work: &mut Work<'_>,
        queue: &Queue,
        mut run: impl FnMut(&mut Work<'_>, &Queue, E) -> Outcome<R>,
    ) -> Outcome<Results<R>> {
        let mut results = Results {
            successful: Vec::new(),
            failed: Vec::new(),
        };
        for Entry { id, what } in self.entries {
            match run(work, queue, what) {
                Ok(result) => results.successful.push(Done { id, result }),
                Err(error) if error.senders_fault() => results.failed.push(Failed {
                    id,
                    sender_fault: true,
                    code: error.code,
                    message: error.message,
                }),
                Err(error) => return Err(error),
            }
        }
        Ok(results)
    }
}
