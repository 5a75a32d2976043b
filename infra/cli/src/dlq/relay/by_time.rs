//! Commits by the time at which they were decided, for what the stream no longer keeps. The journal has
//! no index by time (it would cost a write unit per commit), so that all of it is read.

use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use callboard_runtime::fault::AwsFault;
use callboard_runtime::journal::{Item, Journal};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

use super::place::Range;
use crate::dlq::pace::Progress;
use crate::dlq::sweep::{Enough, lock};

/// How far from a record's arrival its commit may have been decided: an invocation that decides, meets
/// conflicts and writes late has 30 s at most, arrivals are told to the second, and clocks differ.
pub(super) const MARGIN: SignedDuration = SignedDuration::from_mins(2);

/// Parts of the table that are read side by side.
const SEGMENTS: i32 = 8;

/// Bytes of one read unit at eventual consistency: half a unit for 4 KiB
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).
const READ_UNIT_BYTES: u64 = 2 * 4_096;

/// A span of time, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// When the commits of a range were decided, if it says when they arrived.
    pub(super) fn of(range: &Range) -> Option<Self> {
        let (first, last) = range.arrival?;
        Some(Self {
            from: first.checked_sub(MARGIN).ok()?,
            to: last.checked_add(MARGIN).ok()?,
        })
    }

    /// Whether a commit was decided in it.
    pub(super) fn holds(&self, item: &Item) -> bool {
        let at = item.get("at").and_then(|at| at.as_n().ok()?.parse().ok());
        at.is_some_and(|at| (self.from.as_millisecond()..=self.to.as_millisecond()).contains(&at))
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} to {:.0}", self.from, self.to)
    }
}

/// What reading the whole of the journal takes, as DynamoDB last counted (every six hours or so).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::dlq) struct Cost {
    pub(in crate::dlq) items: u64,
    pub(in crate::dlq) bytes: u64,
}

impl Cost {
    /// # Errors
    /// The call that failed.
    pub(super) async fn of(journal: &Journal) -> Result<Self, AwsFault> {
        let call = journal.client().describe_table();
        let answer = call.table_name(journal.table()).send().await;
        let answer = answer.map_err(|error| AwsFault::of("DescribeTable", error))?;
        let counted = |count: Option<i64>| count.and_then(|it| u64::try_from(it).ok());
        let table = answer.table();
        Ok(Self {
            items: table.and_then(|it| counted(it.item_count)).unwrap_or(0),
            bytes: table
                .and_then(|it| counted(it.table_size_bytes))
                .unwrap_or(0),
        })
    }

    /// Read units, rounded up.
    pub(in crate::dlq) fn read_units(self) -> u64 {
        self.bytes.div_ceil(READ_UNIT_BYTES)
    }
}

/// What was found, and what it took.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In no order.
    pub(super) items: Vec<Item>,
    /// As DynamoDB counted.
    pub(super) read_units: f64,
}

/// Reads the journal once for all `windows`: the items that the relay publishes and that were decided
/// within one of them. `None` if it was enough before the end.
///
/// # Errors
/// The first call that failed.
pub(super) async fn read(
    journal: &Journal,
    windows: &[Window],
    progress: &Progress,
    enough: &Enough,
) -> Result<Option<Found>, AwsFault> {
    let found = Mutex::new(Found::default());
    let segments = (0..SEGMENTS).map(|segment| {
        let scan = Scan {
            journal,
            windows,
            progress,
            enough,
            found: &found,
        };
        async move { scan.segment(segment).await }
    });
    let ended = try_join_all(segments).await?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(ended.into_iter().all(|ended| ended).then_some(found))
}

struct Scan<'a> {
    journal: &'a Journal,
    windows: &'a [Window],
    progress: &'a Progress,
    enough: &'a Enough,
    found: &'a Mutex<Found>,
}

impl Scan<'_> {
    /// Whether it came to the segment's end.
    async fn segment(&self, segment: i32) -> Result<bool, AwsFault> {
        let mut start = None;
        loop {
            if self.enough.is_said() {
                return Ok(false);
            }
            let scan = self.journal.client().scan();
            let mut scan = scan
                .table_name(self.journal.table())
                .segment(segment)
                .total_segments(SEGMENTS)
                .filter_expression(self.filter())
                .expression_attribute_names("#at", "at")
                .expression_attribute_names("#relay", "relay")
                .expression_attribute_values(":public", AttributeValue::S("1".to_owned()))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .set_exclusive_start_key(start);
            for (at, window) in self.windows.iter().enumerate() {
                let ms = |time: Timestamp| AttributeValue::N(time.as_millisecond().to_string());
                scan = scan
                    .expression_attribute_values(format!(":from{at}"), ms(window.from))
                    .expression_attribute_values(format!(":to{at}"), ms(window.to));
            }
            let page = scan.send().await;
            let page = page.map_err(|error| AwsFault::of("Scan", error))?;
            let scanned = usize::try_from(page.scanned_count).unwrap_or(0);
            self.progress.looked_at(scanned);
            self.progress.done(page.items().len());
            start = page.last_evaluated_key;
            let mut found = lock(self.found);
            let capacity = page.consumed_capacity.and_then(|it| it.capacity_units);
            found.read_units += capacity.unwrap_or(0.0);
            found.items.extend(page.items.unwrap_or_default());
            if start.is_none() {
                return Ok(true);
            }
        }
    }

    fn filter(&self) -> String {
        let windows =
            (0..self.windows.len()).map(|at| format!("#at BETWEEN :from{at} AND :to{at}"));
        let windows: Vec<_> = windows.collect();
        format!("#relay = :public AND ({})", windows.join(" OR "))
    }
}
