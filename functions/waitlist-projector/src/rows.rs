//! All rows of one stream, as items, and the one transaction that puts them in place of others.

use std::collections::BTreeMap;

use callboard_contracts::Timestamp;
use callboard_runtime::journal::Loaded;
use callboard_runtime::table::{self, AttributeValue, Condition, Item, Table, Write, WriteError};

use crate::kind::Kind;
use crate::view::{Document, Key, Row};

/// How far rows have seen their stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The commit's number.
    pub applied: u64,
    /// The commit's time.
    pub as_of: Timestamp,
}

/// The rows of one stream at one of its commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The one that shows all of it.
    pub main: Row,
    /// Those that stand beside it.
    pub beside: Vec<Row>,
    /// The commit.
    pub seen: Seen,
}

impl Rows {
    /// The rows of a loaded stream; none while nothing has happened.
    ///
    /// # Errors
    /// If a document cannot be written as JSON.
    pub fn of<D: Document>(loaded: &Loaded<D::State>) -> Result<Option<Self>, serde_json::Error> {
        let (Some(doc), Some(last)) = (D::of(&loaded.state), &loaded.last) else {
            return Ok(None);
        };
        Ok(Some(Self {
            main: {
                let Key { pk, sk } = Key::of(&loaded.stream);
                Row::new(pk, sk, serde_json::to_string(&doc)?)
            },
            beside: doc.rows_beside()?,
            seen: Seen {
                applied: loaded.number,
                as_of: last.at,
            },
        }))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Row> {
        std::iter::once(&self.main).chain(&self.beside)
    }

    /// A row as it stands in the table.
    #[must_use]
    pub fn item(&self, row: &Row) -> Item {
        let mut item = table::key(&row.key.pk, &row.key.sk);
        item.insert("doc".to_owned(), table::string(&row.doc));
        if row.lasting {
            return item;
        }
        item.insert("applied".to_owned(), table::integer(self.seen.applied));
        let as_of = self.seen.as_of.as_millis();
        item.insert("as_of".to_owned(), table::integer(as_of));
        item
    }
}

/// The main row of a stream as it stands in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What stands as `applied`, whatever it is.
    applied: Option<AttributeValue>,
    /// The document, whoever wrote it.
    doc: Option<String>,
}

impl Standing {
    /// Reads an item.
    #[must_use]
    pub fn of(item: &Item) -> Self {
        Self {
            applied: item.get("applied").cloned(),
            doc: table::text(item, "doc").map(str::to_owned),
        }
    }

    /// The commit that it has seen; 0 if it does not say.
    #[must_use]
    pub fn applied(&self) -> u64 {
        let number = self.applied.as_ref().and_then(|value| value.as_n().ok());
        number.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The rows that stand beside it under `main`, by its own document. None if a former version
    /// of this function wrote what this one cannot read; rows that only it knew of stay until a
    /// rebuild. A document of another stream's does not count.
    #[must_use]
    pub fn beside(&self, (kind, main): (Kind, &Key)) -> Vec<Row> {
        let rows = self.doc.as_deref().and_then(|doc| kind.beside(doc));
        let rows = rows.into_iter().flatten();
        rows.filter(|row| row.key.owner() == main.owner()).collect()
    }

    /// That nobody wrote since it was read.
    fn unchanged(standing: Option<&Self>) -> Condition {
        match standing.map(|standing| &standing.applied) {
            None => Condition::new("attribute_not_exists(pk)"),
            Some(Some(read)) => Condition::new("applied = :read").value(":read", read.clone()),
            Some(None) => Condition::new("attribute_exists(pk) AND attribute_not_exists(applied)"),
        }
    }
}

/// Which rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those that have changed since they were written.
    Changed,
    /// All of them, for what stands there may not be what was written.
    All,
}

/// The writes that put `rows` (or nothing) in the place of what stands there for one stream, all of
/// them or none, under the condition that nobody wrote since `standing` was read. `also` are keys
/// under which something may stand that `standing` does not tell of.
#[must_use]
pub fn swap(
    views: &Table,
    (kind, main): (Kind, &Key),
    standing: Option<&Standing>,
    rows: Option<&Rows>,
    also: &[Key],
    extent: Extent,
) -> Vec<Write> {
    let unchanged = Standing::unchanged(standing);
    let mut writes = Vec::new();
    writes.push(match (rows, standing) {
        (Some(rows), _) => views.put(rows.item(&rows.main), Some(unchanged)),
        (None, Some(_)) => views.remove(&main.pk, &main.sk, Some(unchanged)),
        (None, None) => views.check(&main.pk, &main.sk, unchanged),
    });
    // By key, for a transaction takes each item once.
    let mut beside: BTreeMap<Key, Option<Item>> = BTreeMap::new();
    let former = standing.map(|standing| standing.beside((kind, main)));
    let former = former.unwrap_or_default();
    for key in former.iter().map(|row| &row.key).chain(also) {
        beside.insert(key.clone(), None);
    }
    for row in rows.iter().flat_map(|rows| &rows.beside) {
        if extent == Extent::Changed && row.lasting && former.contains(row) {
            beside.remove(&row.key);
        } else {
            beside.insert(row.key.clone(), rows.map(|rows| rows.item(row)));
        }
    }
    beside.remove(main);
    writes.extend(beside.into_iter().map(|(key, item)| match item {
        Some(item) => views.put(item, None),
        None => views.remove(&key.pk, &key.sk, None),
    }));
    writes
}

/// Whether somebody else wrote the same rows since we read, or is writing them now.
#[must_use]
pub fn overtaken(error: &WriteError) -> bool {
    match error {
        WriteError::Condition(_) => true,
        WriteError::Aws(fault) => fault.code == "TransactionCanceledException",
    }
}
