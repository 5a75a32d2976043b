//! A receive that is tried again (AWS, `ReceiveMessage`, `ReceiveRequestAttemptId`): whoever lost
//! the answer gets the same messages and handles once more, under a lease that begins anew.

use super::Outcome;
use super::queues::Queue;
use super::refusal::SqsError;
use super::send::check_id;
use crate::messages::{Row, Work};

const PARAMETER: &str = "ReceiveRequestAttemptId";

/// A lease as it is remembered: message, its receives, the end of the lease.
type Lease = (i64, i64, i64);

/// The messages of the earlier receive with this id, leased anew; `None` if there is none, or if
/// its leases have ended.
pub(super) fn repeat(
    work: &mut Work<'_>,
    queue: &Queue,
    id: &str,
    visible_at: i64,
) -> Outcome<Option<Vec<Row>>> {
    check_id(PARAMETER, id)?;
    if !queue.settings.fifo {
        return Err(SqsError::invalid_value(
            id,
            PARAMETER,
            "The request include parameter that is not valid for this queue type.",
        ));
    }
    let Some(leases) = work.attempt(queue.id, id)? else {
        return Ok(None);
    };
    let leases: Vec<Lease> =
        serde_json::from_str(&leases).map_err(|error| SqsError::internal(&error))?;
    if leases.iter().any(|(_, _, until)| *until <= work.now) {
        return Ok(None);
    }
    let mut rows = Vec::with_capacity(leases.len());
    for (message, receives, until) in leases {
        match work.find(queue.id, message)? {
            Some(row) if row.receives == receives && row.visible_at == until => rows.push(row),
            // Deleted, or its visibility changed.
            _ => {
                return Err(SqsError::invalid_value(
                    id,
                    PARAMETER,
                    "The receiveRequestAttemptId is not valid anymore since the receive call is \
                     not retryable.",
                ));
            }
        }
    }
    for row in &mut rows {
        work.extend(row, visible_at)?;
        row.visible_at = visible_at;
        if let Some(lane) = &row.lane {
            work.settle_lane(queue.id, lane)?;
        }
    }
    remember(work, queue, id, &rows)?;
    Ok(Some(rows))
}

/// Remembers what a receive leased.
pub(super) fn remember(work: &Work<'_>, queue: &Queue, id: &str, rows: &[Row]) -> Outcome<()> {
    let lease = |row: &Row| -> Lease { (row.id, row.receives, row.visible_at) };
    let leases: Vec<Lease> = rows.iter().map(lease).collect();
    work.remember_attempt(queue.id, id, &super::write(&leases)?)?;
    Ok(())
}
