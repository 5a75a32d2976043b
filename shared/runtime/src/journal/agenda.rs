//! What is due: the commits that left work open, by the sparse index `agenda`.
//!
//! A commit never changes, so it stays in the index for good. It counts only while it is the
//! newest of its stream: every later commit says anew whether work is left and when it is due.

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::{StreamId, Timestamp};

use super::committed::Committed;
use super::error::JournalError;
use super::item::{BUCKET_MINUTES, BUCKET_SHARDS};
use super::{Item, Journal};
use crate::fault::AwsFault;

/// Name of the index. Keys only: what is done with the work stands in the commit.
const INDEX: &str = "agenda";

/// Ten minutes of the agenda, over all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// Epoch minute, a multiple of ten.
    minute: i64,
}

impl Bucket {
    /// The bucket in which `at` lies.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self {
            minute: at.as_millis() / 60_000 / BUCKET_MINUTES * BUCKET_MINUTES,
        }
    }

    /// The first moment of it.
    #[must_use]
    pub const fn starts_at(self) -> Timestamp {
        Timestamp::from_millis(self.minute * 60_000)
    }

    /// The one after it, whose first moment is this one's end.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            minute: self.minute + BUCKET_MINUTES,
        }
    }

    /// Values of the index's partition key, one per shard.
    pub fn shards(self) -> impl Iterator<Item = String> {
        (0..BUCKET_SHARDS).map(move |shard| self.shard(shard))
    }

    pub(super) fn shard(self, shard: u64) -> String {
        format!("{}#{shard}", self.minute)
    }
}

/// A commit that left work open, as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenWork {
    /// When it is due.
    pub due_at: Timestamp,
    /// The stream.
    pub stream: StreamId,
    /// The commit's number.
    pub number: u64,
}

impl Journal {
    /// The work in one shard of a bucket that is due at `until` or before, the oldest first. The
    /// index is eventually consistent: a commit of this moment may be missing.
    ///
    /// # Errors
    /// [`JournalError`] when the index cannot be read.
    pub async fn agenda(
        &self,
        shard: &str,
        until: Timestamp,
    ) -> Result<Vec<OpenWork>, JournalError> {
        let until = AttributeValue::N(until.as_millis().to_string());
        let values = Item::from([
            (":shard".to_owned(), AttributeValue::S(shard.to_owned())),
            (":until".to_owned(), until),
        ]);
        let condition = "due_bucket = :shard AND due_at <= :until";
        let mut open = Vec::new();
        let mut start = None;
        loop {
            let (page, next) = self.index_page(INDEX, condition, &values, start).await?;
            open.extend(page.iter().filter_map(open_work));
            start = next;
            if start.is_none() {
                return Ok(open);
            }
        }
    }

    /// The newest commit of a stream, by one strongly consistent read; `None` if there is none.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read.
    pub async fn tail(&self, stream: &StreamId) -> Result<Option<Committed>, JournalError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(stream.as_str().to_owned()))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(1);
        let output = query
            .send()
            .await
            .map_err(|error| AwsFault::of("Query", error))?;
        output.items().first().map(Committed::from_item).transpose()
    }
}

fn open_work(item: &Item) -> Option<OpenWork> {
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
    Some(OpenWork {
        due_at: Timestamp::from_millis(number("due_at")?),
        stream: StreamId::try_from(item.get("pk")?.as_s().ok()?.clone()).ok()?,
        number: number("sk")?.try_into().ok()?,
    })
}
