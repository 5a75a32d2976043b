//! How far the agenda has been swept: kept beside the views, so that a sweep reads minutes of
//! the index and not its history.

use callboard_contracts::{StreamId, Timestamp};
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{Bucket, OpenWork};
use callboard_runtime::table::{self, Condition, Item, Table, WriteError};
use serde::{Deserialize, Serialize};

/// Partition key of the one item; no view begins like this.
const PARTITION_KEY: &str = "sweep#agenda";
/// Its sort key.
const SORT_KEY: &str = "mark";

/// Where the next sweep begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The first bucket that may still hold something not seen.
    pub from: Bucket,
    /// Work in buckets before it that is still open although it was handed over.
    pub late: Vec<OpenWork>,
    /// Counts the writes, so that of two sweeps at once one writes.
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    from: Timestamp,
    late: Vec<(Timestamp, StreamId, u64)>,
}

impl Mark {
    /// The mark of an agenda that was never swept: `back` before `now` is early enough.
    #[must_use]
    pub const fn at(from: Bucket) -> Self {
        Self {
            from,
            late: Vec::new(),
            version: 0,
        }
    }

    /// The mark in `views`; `None` if none was ever kept.
    ///
    /// # Errors
    /// [`Failure`], retryable if the table cannot be read, terminal if what stands there is no
    /// mark.
    pub async fn read(views: &Table) -> Result<Option<Self>, Failure> {
        let Some(item) = views.get(PARTITION_KEY, SORT_KEY).await? else {
            return Ok(None);
        };
        Self::of(&item)
            .map(Some)
            .ok_or_else(|| Failure::terminal("what is kept of the sweep cannot be read"))
    }

    fn of(item: &Item) -> Option<Self> {
        let stored: Stored = serde_json::from_str(table::text(item, "doc")?).ok()?;
        let open = |(due_at, stream, number)| OpenWork {
            due_at,
            stream,
            number,
        };
        Some(Self {
            from: Bucket::of(stored.from),
            late: stored.late.into_iter().map(open).collect(),
            version: table::number(item, "version")?,
        })
    }

    /// Keeps the mark, unless another sweep has kept its own since this one was read: that one
    /// has seen the same agenda.
    ///
    /// # Errors
    /// [`Failure`] (retryable) if the table cannot be written.
    pub async fn keep(&self, views: &Table) -> Result<(), Failure> {
        let stored = Stored {
            from: self.from.starts_at(),
            late: self
                .late
                .iter()
                .map(|open| (open.due_at, open.stream.clone(), open.number))
                .collect(),
        };
        let doc = serde_json::to_string(&stored)
            .map_err(|error| Failure::terminal("the mark cannot be written").because(error))?;
        let mut item = table::key(PARTITION_KEY, SORT_KEY);
        item.insert("doc".to_owned(), table::string(doc));
        item.insert("version".to_owned(), table::integer(self.version + 1));
        let unchanged = if self.version == 0 {
            Condition::new("attribute_not_exists(pk)")
        } else {
            Condition::new("version = :read").value(":read", table::integer(self.version))
        };
        match views
            .write_all(vec![views.put(item, Some(unchanged))])
            .await
        {
            Ok(()) | Err(WriteError::Condition(_)) => Ok(()),
            Err(WriteError::Aws(fault)) => Err(fault.into()),
        }
    }
}
