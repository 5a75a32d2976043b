//! Reading the table `views`.

use callboard_contracts::Timestamp;
use callboard_contracts::view::VIEW_SORT_KEY;
use callboard_runtime::fault::AwsFault;
use callboard_runtime::table::{self, Count, Item, Range, Span, Table, number, text};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One view, as it stands in the table.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) sort_key: String,
    pub(crate) document: Value,
    pub(crate) applied: u64,
    pub(crate) as_of: Timestamp,
}

pub(crate) struct Page {
    pub(crate) views: Vec<View>,
    /// Sort key to go on after.
    pub(crate) next: Option<String>,
}

pub(crate) struct Views {
    table: Table,
}

impl Views {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// The view of one whole stream.
    pub(crate) async fn of_stream(&self, stream: &str) -> Result<Option<View>, AwsFault> {
        Ok(self
            .table
            .get(stream, VIEW_SORT_KEY)
            .await?
            .as_ref()
            .and_then(view))
    }

    /// How many rows a part of a partition has.
    pub(crate) async fn count(&self, span: Span<'_>, most: u32) -> Result<Count, AwsFault> {
        self.table.count(span, most).await
    }

    /// The documents of the last rows of a partition from the sort key `from` on, the last one
    /// first.
    pub(crate) async fn last<T: DeserializeOwned>(
        &self,
        pk: &str,
        from: &str,
        most: i32,
    ) -> Result<Vec<T>, AwsFault> {
        let items = self.table.last(pk, from, most).await?;
        let document = |item| serde_json::from_str(text(item, "doc")?).ok();
        Ok(items.iter().filter_map(document).collect())
    }

    /// One page of a partition, as it stands there.
    pub(crate) async fn rows(&self, range: Range<'_>) -> Result<table::Page, AwsFault> {
        self.table.page(range).await
    }

    /// One page of a board; `after` is the sort key to go on after.
    pub(crate) async fn page(
        &self,
        key: &str,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Page, AwsFault> {
        let range = Range {
            pk: key,
            prefix: None,
            after,
            limit,
            consistent: false,
        };
        let page = self.table.page(range).await?;
        Ok(Page {
            views: page.items.iter().filter_map(view).collect(),
            next: page.next,
        })
    }
}

fn view(item: &Item) -> Option<View> {
    Some(View {
        sort_key: text(item, "sk")?.to_owned(),
        document: serde_json::from_str(text(item, "doc")?).ok()?,
        applied: number(item, "applied")?,
        as_of: Timestamp::from_millis(number(item, "as_of")?),
    })
}
