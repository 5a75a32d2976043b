//! A table read from end to end, in segments side by side.
//!
//! All items of a partition lie in one segment. The read is strongly consistent page by page, and
//! costs one read unit per 4 KB of what stands in the table, wanted or not: a filter spares the
//! wire, not the bill (DynamoDB Developer Guide, "Scanning tables").

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};

use crate::backoff::Backoff;
use crate::fault::{Again, AwsFault};
use crate::journal::Item;

/// Items read for one page, wanted or not: an interrupt or a rate takes hold between two pages,
/// which should not be a whole megabyte apart.
const PAGE_ITEMS: i32 = 500;

/// How often one page is asked for, on top of the SDK's own retries: a scan is the first to be
/// throttled, and the last that should give up.
const TRIES_MAX: u32 = 8;

/// One segment of a table.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The table's name.
    pub table: &'a str,
    /// Which one, from 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// Only items whose `pk` begins with one of these; all if there is none.
    pub prefixes: &'a [String],
}

/// One page of a segment.
#[derive(Debug, Clone)]
pub struct Page {
    /// What is wanted, those of a partition one after another.
    pub items: Vec<Item>,
    /// How many were read, wanted or not.
    pub read: usize,
    /// Read units that it took; 0 if DynamoDB did not say.
    pub read_units: f64,
    /// The key to go on after; `None` at the segment's end.
    pub next: Option<Item>,
}

/// Reads the page of `segment` after the key `after`, or the first one.
///
/// # Errors
/// [`AwsFault`] when DynamoDB refuses, or is too busy to the last try.
pub async fn page(
    client: &Client,
    segment: Segment<'_>,
    after: Option<&Item>,
) -> Result<Page, AwsFault> {
    for attempt in 1.. {
        match try_page(client, segment, after).await {
            Err(fault) if fault.again == Again::Soon && attempt < TRIES_MAX => {
                Backoff::CALL.wait(attempt).await;
            }
            outcome => return outcome,
        }
    }
    unreachable!("the loop returns by its {TRIES_MAX}th attempt")
}

async fn try_page(
    client: &Client,
    segment: Segment<'_>,
    after: Option<&Item>,
) -> Result<Page, AwsFault> {
    let mut call = client
        .scan()
        .table_name(segment.table)
        .segment(i32::try_from(segment.number).unwrap_or(i32::MAX))
        .total_segments(i32::try_from(segment.of).unwrap_or(i32::MAX))
        .consistent_read(true)
        .limit(PAGE_ITEMS)
        .set_exclusive_start_key(after.cloned())
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    let mut filter = Vec::new();
    for (at, prefix) in segment.prefixes.iter().enumerate() {
        filter.push(format!("begins_with(pk, :p{at})"));
        let value = AttributeValue::S(prefix.clone());
        call = call.expression_attribute_values(format!(":p{at}"), value);
    }
    if !filter.is_empty() {
        call = call.filter_expression(filter.join(" OR "));
    }
    let output = call
        .send()
        .await
        .map_err(|error| AwsFault::of("Scan", error))?;
    let used = output
        .consumed_capacity
        .and_then(|used| used.capacity_units);
    Ok(Page {
        read: usize::try_from(output.scanned_count).unwrap_or_default(),
        read_units: used.unwrap_or_default(),
        items: output.items.unwrap_or_default(),
        next: output.last_evaluated_key,
    })
}
