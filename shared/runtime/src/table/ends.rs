//! How many items a part of a partition has, and which are a partition's last ones.

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, Select};

use super::{Item, Table, key, string};
use crate::fault::AwsFault;

/// The items of a partition between two sort keys, which need not be there.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// Partition key.
    pub pk: &'a str,
    /// Only sort keys after this one.
    pub after: Option<&'a str>,
    /// Only sort keys before this one.
    pub before: Option<&'a str>,
}

/// How many items there are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Count {
    /// As many as were counted.
    pub items: u32,
    /// Whether there are more.
    pub more: bool,
    /// Read units that it took.
    pub read_units: f64,
}

impl Table {
    /// Counts items, at most `most` of them: eventually consistent, half a read unit for each 4 KB
    /// of those counted.
    ///
    /// # Errors
    /// [`AwsFault`] if a call fails.
    pub async fn count(&self, span: Span<'_>, most: u32) -> Result<Count, AwsFault> {
        let mut count = Count::default();
        // DynamoDB refuses a start that lies outside the condition.
        if span.after.zip(span.before).is_some_and(|(a, b)| a >= b) {
            return Ok(count);
        }
        let mut start = span.after.map(|after| key(span.pk, after));
        loop {
            // One more than wanted, for a last key does not tell that anything is behind it.
            let left = (most - count.items).saturating_add(1);
            let call = self.client.query().table_name(&self.name);
            let call = call.select(Select::Count);
            let call = call
                .key_condition_expression(match span.before {
                    Some(_) => "pk = :pk AND sk < :before",
                    None => "pk = :pk",
                })
                .expression_attribute_values(":pk", string(span.pk));
            let call = span.before.into_iter().fold(call, |call, before| {
                call.expression_attribute_values(":before", string(before))
            });
            let answer = call
                .set_exclusive_start_key(start)
                .limit(i32::try_from(left).unwrap_or(i32::MAX))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| AwsFault::of("Query", error))?;
            let found = u32::try_from(answer.count).unwrap_or(0);
            let units = answer.consumed_capacity.and_then(|it| it.capacity_units);
            count.read_units += units.unwrap_or_default();
            count.more = found >= left;
            count.items = (count.items + found).min(most);
            start = answer.last_evaluated_key;
            if start.is_none() || count.more {
                return Ok(count);
            }
        }
    }

    /// The last items of a partition from the sort key `from` on, at most `most`, the last one
    /// first; eventually consistent.
    ///
    /// # Errors
    /// [`AwsFault`] if the call fails.
    pub async fn last(&self, pk: &str, from: &str, most: i32) -> Result<Vec<Item>, AwsFault> {
        let call = self.client.query().table_name(&self.name);
        let answer = call
            .key_condition_expression("pk = :pk AND sk >= :from")
            .expression_attribute_values(":pk", string(pk))
            .expression_attribute_values(":from", string(from))
            .scan_index_forward(false)
            .limit(most)
            .send()
            .await
            .map_err(|error| AwsFault::of("Query", error))?;
        Ok(answer.items.unwrap_or_default())
    }
}
