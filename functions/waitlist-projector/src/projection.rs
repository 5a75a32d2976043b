//! One stream's views, brought up to its tail.

use callboard_contracts::view::{EntryView, SlotView};
use callboard_contracts::{StreamId, Timestamp};
use callboard_runtime::backoff::Backoff;
use callboard_runtime::failure::Failure;
use callboard_runtime::fault::AwsFault;
use callboard_runtime::journal::Journal;
use callboard_runtime::table::{self, Condition, Item, Table, Write, WriteError};

use crate::view::{Document, Key, Row};

/// Tries before the message goes back to its queue: each lost one means that another projector
/// has just written the same stream, and that we read again what it left.
const TRIES_MAX: u32 = 4;

/// What the projector needs to do its work.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Where streams are read.
    pub journal: Journal,
    /// Where the views stand.
    pub views: Table,
}

/// What became of a stream's views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Written, up to this commit.
    Written {
        /// The commit's number.
        applied: u64,
    },
    /// They had seen this commit or a later one already.
    UpToDate {
        /// The commit's number.
        applied: u64,
    },
}

/// Brings the views of `stream` up to its tail.
///
/// `reached` is the commit that the message tells of: views that have seen it need no look at
/// the journal. However often and in whatever order messages come, the views only move forward,
/// because every write stands under the condition that nobody wrote since we read.
///
/// # Errors
/// [`Failure`]: terminal if the stream is of a kind without a view or does not exist, else
/// retryable.
pub async fn run(deps: &Deps, stream: &StreamId, reached: Option<u64>) -> Result<Outcome, Failure> {
    match stream.kind() {
        "slot" => project::<SlotView>(deps, stream, reached).await,
        "entry" => project::<EntryView>(deps, stream, reached).await,
        kind => Err(Failure::terminal(format!(
            "no view is made of a stream of kind `{kind}`"
        ))),
    }
}

async fn project<D: Document>(
    deps: &Deps,
    stream: &StreamId,
    reached: Option<u64>,
) -> Result<Outcome, Failure> {
    let main = Key::of(stream);
    for attempt in 1..=TRIES_MAX {
        let before = read::<D>(deps, &main).await?;
        let applied = before.as_ref().map_or(0, |before| before.applied);
        if reached.is_some_and(|reached| applied >= reached) {
            return Ok(Outcome::UpToDate { applied });
        }
        let loaded = deps.journal.load::<D::State>(stream).await?;
        let (Some(doc), Some(last)) = (D::of(&loaded.state), &loaded.last) else {
            return Err(Failure::terminal("the journal holds nothing of the stream"));
        };
        if applied >= loaded.number {
            return Ok(Outcome::UpToDate { applied });
        }
        let seen = Seen {
            applied: loaded.number,
            as_of: last.at,
        };
        let writes = writes(deps, &main, before.as_ref(), &doc, seen)?;
        match deps.views.write_all(writes).await {
            Ok(()) => {
                let applied = seen.applied;
                return Ok(Outcome::Written { applied });
            }
            Err(error) if overtaken(&error) => Backoff::CALL.wait(attempt).await,
            Err(WriteError::Aws(fault)) => return Err(fault.into()),
            Err(error) => {
                return Err(Failure::retryable("the views were not written").because(error));
            }
        }
    }
    Err(Failure::retryable("others kept writing the same views"))
}

/// How far a document has seen its stream.
#[derive(Debug, Clone, Copy)]
struct Seen {
    applied: u64,
    as_of: Timestamp,
}

/// The main row as it stood before.
struct Before<D> {
    applied: u64,
    /// Absent if a former version of this function wrote what this one cannot read; rows that
    /// only it knew of stay until a rebuild.
    doc: Option<D>,
}

async fn read<D: Document>(deps: &Deps, main: &Key) -> Result<Option<Before<D>>, AwsFault> {
    let item = deps.views.get(&main.pk, &main.sk).await?;
    Ok(item.map(|item| Before {
        applied: table::number(&item, "applied").unwrap_or(0),
        doc: table::text(&item, "doc").and_then(|doc| serde_json::from_str(doc).ok()),
    }))
}

/// The writes that take the views from `before` to `doc`: all of them or none.
fn writes<D: Document>(
    deps: &Deps,
    main: &Key,
    before: Option<&Before<D>>,
    doc: &D,
    seen: Seen,
) -> Result<Vec<Write>, Failure> {
    let main_row = Row {
        key: main.clone(),
        doc: serde_json::to_string(doc).map_err(unwritable)?,
    };
    let condition = match before {
        None => Condition::new("attribute_not_exists(pk)"),
        Some(before) => {
            Condition::new("applied = :read").value(":read", table::integer(before.applied))
        }
    };
    let beside = doc.rows_beside().map_err(unwritable)?;
    let former = match before.and_then(|before| before.doc.as_ref()) {
        Some(former) => former.rows_beside().map_err(unwritable)?,
        None => Vec::new(),
    };
    let mut writes = vec![deps.views.put(item(&main_row, seen), Some(condition))];
    writes.extend(
        beside
            .iter()
            .map(|row| deps.views.put(item(row, seen), None)),
    );
    let gone = former
        .iter()
        .filter(|old| beside.iter().all(|new| new.key != old.key));
    writes.extend(gone.map(|row| deps.views.remove(&row.key.pk, &row.key.sk)));
    Ok(writes)
}

fn item(row: &Row, seen: Seen) -> Item {
    let mut item = table::key(&row.key.pk, &row.key.sk);
    item.insert("doc".to_owned(), table::string(&row.doc));
    item.insert("applied".to_owned(), table::integer(seen.applied));
    item.insert("as_of".to_owned(), table::integer(seen.as_of.as_millis()));
    item
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::terminal("a view's document cannot be written").because(error)
}

/// Whether somebody else wrote the same rows since we read, or is writing them now.
fn overtaken(error: &WriteError) -> bool {
    match error {
        WriteError::Condition(_) => true,
        WriteError::Aws(fault) => fault.code == "TransactionCanceledException",
    }
}
