//! What becomes of a received message: deletion, or another end of its visibility time-out.

use super::queues::{Queue, find};
use super::refusal::SqsError;
use super::settings::VISIBILITY_S_MAX;
use super::{Nothing, Outcome};
use crate::messages::{Row, Work};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use std::fmt;

/// A receipt handle: which message, and the how manieth receive of it. It goes stale with the next
/// receive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Handle {
    queue: i64,
    id: i64,
    receives: i64,
}

impl Handle {
    pub(super) fn of(row: &Row) -> Handle {
        Handle {
            queue: row.queue,
            id: row.id,
            receives: row.receives,
        }
    }

    /// Reads a handle that a receive from this queue gave.
    fn of_queue(queue: &Queue, text: &str) -> Outcome<Handle> {
        let handle = Handle::read(text)?;
        if handle.queue == queue.id {
            Ok(handle)
        } else {
            Err(SqsError::invalid_handle(text))
        }
    }

    fn read(text: &str) -> Outcome<Handle> {
        let parse = || {
            let plain = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
            let mut numbers = plain.strip_prefix("callboard ")?.split(' ').map(str::parse);
            let handle = Handle {
                queue: numbers.next()?.ok()?,
                id: numbers.next()?.ok()?,
                receives: numbers.next()?.ok()?,
            };
            numbers.next().is_none().then_some(handle)
        };
        parse().ok_or_else(|| SqsError::invalid_handle(text))
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = format!("callboard {} {} {}", self.queue, self.id, self.receives);
        f.write_str(&BASE64.encode(plain))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    queue_url: String,
    receipt_handle: String,
}

pub(super) fn delete(work: &mut Work<'_>, request: Delete) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    delete_one(work, &queue, &request.receipt_handle)
}

pub(super) fn delete_one(work: &mut Work<'_>, queue: &Queue, handle: &str) -> Outcome<Nothing> {
    let receipt = Handle::of_queue(queue, handle)?;
    let Some(row) = work.find(queue.id, receipt.id)? else {
        // Gone already: deleting is idempotent.
        return Ok(Nothing {});
    };
    let current = receipt == Handle::of(&row);
    if queue.settings.fifo && !(current && row.visible_at > work.now) {
        return Err(SqsError::invalid_value(
            handle,
            "ReceiptHandle",
            "The receipt handle has expired.",
        ));
    }
    if current {
        work.remove(&row)?;
        if let Some(lane) = &row.lane {
            work.settle_lane(queue.id, lane)?;
        }
    }
    // A stale handle of a standard queue is answered well and deletes nothing, as the API
    // reference warns.
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: i64,
}

pub(super) fn change(work: &mut Work<'_>, request: Change) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    change_one(
        work,
        &queue,
        &request.receipt_handle,
        request.visibility_timeout,
    )
}

pub(super) fn change_one(
    work: &mut Work<'_>,
    queue: &Queue,
    handle: &str,
    seconds: i64,
) -> Outcome<Nothing> {
    if !(0..=VISIBILITY_S_MAX).contains(&seconds) {
        return Err(SqsError::invalid_value(
            seconds,
            "VisibilityTimeout",
            &format!("VisibilityTimeout must be an integer between 0 and {VISIBILITY_S_MAX}."),
        ));
    }
    let receipt = Handle::of_queue(queue, handle)?;
    let Some(row) = work.find(queue.id, receipt.id)? else {
        return Err(SqsError::invalid_value(
            handle,
            "ReceiptHandle",
            "Message does not exist or is not available for visibility timeout change.",
        ));
    };
    // A standard queue, as recorded from AWS, takes a handle whose lease time has ended, and one
    // that a later receive has made stale.
    let changeable = if queue.settings.fifo {
        receipt == Handle::of(&row) && row.visible_at > work.now
    } else {
        row.leased_at > 0
    };
    if !changeable {
        return Err(SqsError::not_in_flight(handle));
    }
    let visible_at = work.now + seconds * 1000;
    if visible_at > row.leased_at + VISIBILITY_S_MAX * 1000 {
        return Err(SqsError::invalid_value(
            seconds,
            "VisibilityTimeout",
            &format!(
                "Total VisibilityTimeout for the message is beyond the limit \
                 [{VISIBILITY_S_MAX} seconds]."
            ),
        ));
    }
    work.extend(&row, visible_at)?;
    if let Some(lane) = &row.lane {
        work.settle_lane(queue.id, lane)?;
    }
    Ok(Nothing {})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_written_and_nothing_else_is() {
        let handle = Handle {
            queue: 3,
            id: 1 << 60,
            receives: 2,
        };
        assert_eq!(Handle::read(&handle.to_string()).expect("own"), handle);
        for other in [
            "",
            "callboard 1 2 3",
            "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a==",
        ] {
            let error = Handle::read(other).expect_err("foreign");
            assert_eq!(error.code, "ReceiptHandleIsInvalid");
        }
    }
}
