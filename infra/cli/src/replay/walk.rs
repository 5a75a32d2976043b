//! Reading the journal and a table of views from end to end, a page at a time, from wherever a run
//! was interrupted.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::{StreamId, Timestamp};
use callboard_runtime::journal::{Committed, Item, Journal};
use callboard_runtime::scan::{self, Segment};
use callboard_runtime::table::{self, Table};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use waitlist_projector::kind::{Folding, Kind, View};
use waitlist_projector::rebuild::Folded;

use crate::dlq::pace::{Pace, Progress};
use crate::dlq::sweep::Enough;
use crate::error::CliError;

/// Items for which a page waits, where there is a rate.
const PAGE: usize = 500;

/// How far a segment was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The key after which to go on; from the beginning if absent.
    after: Option<(String, String)>,
    /// Whether its end was reached.
    done: bool,
}

/// What one page gave.
pub(crate) struct Portion<T> {
    /// Streams that have passed, or rows.
    pub(crate) of: Vec<T>,
    /// How many items were read for it.
    pub(crate) read: usize,
    /// Read units that it took.
    pub(crate) read_units: f64,
    /// Where to go on once all of it is dealt with.
    pub(crate) cursor: Cursor,
}

/// How to walk.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a> {
    pub(crate) pace: &'a Pace,
    pub(crate) enough: &'a Enough,
    pub(crate) progress: &'a Progress,
}

/// A stream that is passing.
struct Open {
    stream: StreamId,
    kind: Kind,
    folding: Folding,
    /// Whether a commit has passed that is later than the time asked for.
    over: bool,
    last: (String, String),
}

impl Walk<'_> {
    /// Folds the streams of `view` as they pass, up to the time `until`; all segments side by side,
    /// each from its cursor. All of a stream is in one segment, its commits one after another.
    ///
    /// # Errors
    /// The first of a call or of `handle`, when all segments have come to a halt.
    pub(crate) async fn streams<H>(
        self,
        journal: &Journal,
        view: View,
        until: Option<Timestamp>,
        cursors: Vec<Cursor>,
        handle: H,
    ) -> Result<(), CliError>
    where
        H: AsyncFn(usize, Portion<Folded>) -> Result<(), CliError>,
    {
        let prefixes = view.kinds().iter().map(|kind| kind.prefix().to_owned());
        let prefixes: Vec<String> = prefixes.collect();
        let of = cursors.len() as u32;
        let segments = cursors.into_iter().enumerate().map(|(number, cursor)| {
            let segment = Segment {
                table: journal.table(),
                number: number as u32,
                of,
                prefixes: &prefixes,
            };
            let handle = &handle;
            async move {
                let mut passing = Passing {
                    view,
                    until,
                    open: None,
                    closed: cursor.after.clone(),
                };
                let portion = async |page: scan::Page| {
                    let portion = passing.page(page);
                    handle(number, portion).await
                };
                self.segment(journal.client(), segment, cursor, key_of_commit, portion)
                    .await
            }
        });
        join_all(segments).await.into_iter().collect()
    }

    /// Hands on the rows of a table of views, all segments side by side.
    ///
    /// # Errors
    /// As [`Walk::streams`].
    pub(crate) async fn rows<H>(
        self,
        views: &Table,
        cursors: Vec<Cursor>,
        handle: H,
    ) -> Result<(), CliError>
    where
        H: AsyncFn(usize, Portion<Item>) -> Result<(), CliError>,
    {
        let of = cursors.len() as u32;
        let segments = cursors.into_iter().enumerate().map(|(number, cursor)| {
            let segment = Segment {
                table: views.name(),
                number: number as u32,
                of,
                prefixes: &[],
            };
            let handle = &handle;
            async move {
                let portion = async |page: scan::Page| {
                    let after = page.next.as_ref().and_then(place_of);
                    let portion = Portion {
                        cursor: Cursor {
                            done: page.next.is_none(),
                            after,
                        },
                        read: page.read,
                        read_units: page.read_units,
                        of: page.items,
                    };
                    handle(number, portion).await
                };
                self.segment(views.client(), segment, cursor, key_of_row, portion)
                    .await
            }
        });
        join_all(segments).await.into_iter().collect()
    }

    async fn segment(
        self,
        client: &aws_sdk_dynamodb::Client,
        segment: Segment<'_>,
        cursor: Cursor,
        key: fn(&(String, String)) -> Item,
        mut handle: impl AsyncFnMut(scan::Page) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        if cursor.done {
            return Ok(());
        }
        let mut after = cursor.after.as_ref().map(key);
        while self.pace.wait(PAGE, self.enough).await {
            let outcome = async {
                let page = scan::page(client, segment, after.as_ref()).await?;
                let (read, next) = (page.read, page.next.clone());
                self.progress.looked_at(read);
                handle(page).await?;
                self.progress.done(read);
                Ok::<_, CliError>(next)
            };
            match outcome.await {
                Ok(Some(next)) => after = Some(next),
                Ok(None) => break,
                Err(error) => {
                    self.enough.say();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// The streams of one segment on their way past.
struct Passing {
    view: View,
    until: Option<Timestamp>,
    open: Option<Open>,
    /// The last commit of the last stream that is whole.
    closed: Option<(String, String)>,
}

impl Passing {
    fn page(&mut self, page: scan::Page) -> Portion<Folded> {
        let mut of = Vec::new();
        for item in &page.items {
            let stream = table::text(item, "pk").map(str::to_owned);
            let stream = stream.and_then(|text| StreamId::try_from(text).ok());
            let Some((stream, last)) = stream.zip(place_of(item)) else {
                continue;
            };
            if self.open.as_ref().is_none_or(|open| open.stream != stream) {
                of.extend(self.close());
                self.open = self.view.shows(&stream).map(|kind| Open {
                    folding: Folding::new(kind, stream.clone()),
                    kind,
                    stream,
                    over: false,
                    last: last.clone(),
                });
            }
            if let Some(open) = self.open.take() {
                self.open = Some(open.pass(item, last, self.until));
            }
        }
        let next = page.next.as_ref().and_then(place_of);
        let goes_on = match (&self.open, &next) {
            (Some(open), Some((pk, _))) => open.stream.as_str() == pk,
            _ => false,
        };
        if !goes_on {
            of.extend(self.close());
            self.closed = next.or(self.closed.take());
        }
        Portion {
            of,
            read: page.read,
            read_units: page.read_units,
            cursor: Cursor {
                after: self.closed.clone(),
                done: page.next.is_none(),
            },
        }
    }

    fn close(&mut self) -> Option<Folded> {
        let open = self.open.take()?;
        self.closed = Some(open.last);
        Some(Folded {
            stream: open.stream,
            kind: open.kind,
            rows: open.folding.end(),
        })
    }
}

impl Open {
    fn pass(mut self, item: &Item, last: (String, String), until: Option<Timestamp>) -> Self {
        self.last = last;
        let at = table::number(item, "at").map(Timestamp::from_millis);
        self.over |= until.is_some_and(|until| at.is_some_and(|at| at > until));
        if !self.over {
            let commit = Committed::from_item(item);
            self.folding = match commit {
                Ok(commit) => self.folding.pass(Ok(&commit)),
                Err(error) => self.folding.pass(Err(error)),
            };
        }
        self
    }
}

/// The key of an item as two texts.
fn place_of(item: &Item) -> Option<(String, String)> {
    let sk = match item.get("sk")? {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        _ => return None,
    };
    Some((table::text(item, "pk")?.to_owned(), sk))
}

fn key_of_commit((pk, number): &(String, String)) -> Item {
    let mut key = table::key(pk, "");
    key.insert("sk".to_owned(), AttributeValue::N(number.clone()));
    key
}

fn key_of_row((pk, sk): &(String, String)) -> Item {
    table::key(pk, sk)
}

/// The owners of some rows, each once.
pub(crate) fn owners(items: &[Item]) -> BTreeSet<Option<StreamId>> {
    let keys = items.iter().map(waitlist_projector::rebuild::key_of);
    keys.map(|key| key.and_then(|key| key.owner())).collect()
}
