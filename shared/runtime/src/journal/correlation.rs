//! All that followed from one first cause, by the optional index `by-correlation`.

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::StreamId;

use super::committed::Committed;
use super::error::JournalError;
use super::{Item, Journal};
use crate::bulk;

/// Name of the index; keys only, for it costs a write unit per commit as it is.
const INDEX: &str = "by-correlation";

/// The commits of one correlation id.
#[derive(Debug, Clone)]
pub struct Correlated {
    /// In the order of their times.
    pub commits: Vec<Committed>,
    /// Whether these are all; otherwise there are more than were asked for.
    pub complete: bool,
}

impl Journal {
    /// The commits that carry `correlation`, at most `max` of them. The index is eventually
    /// consistent: a commit of this moment may be missing.
    ///
    /// # Errors
    /// [`JournalError`] when the index or the commits cannot be read.
    pub async fn by_correlation(
        &self,
        correlation: &str,
        max: usize,
    ) -> Result<Correlated, JournalError> {
        let wanted = AttributeValue::S(correlation.to_owned());
        let values = Item::from([(":corr".to_owned(), wanted)]);
        let mut keys = Vec::new();
        let mut start = None;
        loop {
            let (page, next) = self
                .index_page(INDEX, "corr = :corr", &values, start)
                .await?;
            keys.extend(page.iter().filter_map(|item| self.key_of(item)));
            start = next;
            if start.is_none() || keys.len() > max {
                break;
            }
        }
        let complete = keys.len() <= max;
        keys.truncate(max);
        let found = bulk::get(&self.client, keys).await?;
        let mut commits = found
            .values()
            .map(Committed::from_item)
            .collect::<Result<Vec<_>, _>>()?;
        commits.sort_by(|one, two| {
            (one.at, &one.stream, one.number).cmp(&(two.at, &two.stream, two.number))
        });
        Ok(Correlated { commits, complete })
    }

    fn key_of(&self, item: &Item) -> Option<bulk::Key> {
        let stream = StreamId::try_from(item.get("pk")?.as_s().ok()?.clone()).ok()?;
        let number = item.get("sk")?.as_n().ok()?.parse().ok()?;
        Some(bulk::Key::commit(self, &stream, number))
    }
}
