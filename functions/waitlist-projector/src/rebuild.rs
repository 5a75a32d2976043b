//! Views put right from the journal while messages keep being projected: what `callboard replay`
//! does, in portions of its own choosing.
//!
//! The rows of one stream are the unit. They are replaced in one transaction, under the same
//! condition as the projector's (nobody wrote since they were read), so readers find the rows as
//! they were or as they should be, and nothing newer is undone. Two passes make a whole view right:
//! [`Rebuild::settle`] over all streams of the journal, [`Rebuild::sweep`] over all rows of the
//! table for those that no stream explains.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use callboard_contracts::view::VIEW_SORT_KEY;
use callboard_contracts::{StreamId, Timestamp};
use callboard_runtime::backoff::Backoff;
use callboard_runtime::bulk;
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::{Class, Failure};
use callboard_runtime::table::{self, Item};
use futures::{StreamExt, TryStreamExt, stream};

use crate::kind::{Kind, View};
use crate::projection::{Deps, unwritten};
use crate::rows::{Extent, Rows, Standing, overtaken, swap};
use crate::view::Key;

/// Looks at one stream before the run is given up: each lost one means that the projector has just
/// written it.
const TRIES_MAX: u32 = 8;

/// Streams written at the same time by one call.
const CONCURRENCY: usize = 16;

/// A stream whose newest commit is younger than this may be on its way to the projector; longer
/// than a message's first three waits after a failure (`Backoff::MESSAGE`).
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// How views are put right.
#[derive(Debug, Clone)]
pub struct Rebuild {
    /// The journal, and the table to put right.
    pub deps: Deps,
    /// As of when; as of now if absent.
    pub until: Option<Timestamp>,
    /// Whether the projector writes the same table.
    pub live: bool,
    /// Whether to write, or only to say what differs.
    pub write: bool,
    /// For the age of commits.
    pub clock: Clock,
}

/// A stream that has passed.
#[derive(Debug)]
pub struct Folded {
    /// The stream.
    pub stream: StreamId,
    /// Its kind.
    pub kind: Kind,
    /// Its rows; an error lets it be read again by itself.
    pub rows: Result<Option<Rows>, Failure>,
}

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tally {
    /// Streams looked at.
    pub streams: u64,
    /// Streams whose rows were not what the journal says.
    pub differ: u64,
    /// Streams whose newest commit is on its way to the projector; not judged.
    pub on_their_way: u64,
    /// Rows that were missing or other than the journal says.
    pub rows_wrong: u64,
    /// Rows that should not stand there: left by a former document, or explained by no stream.
    pub rows_stale: u64,
    /// Rows under keys that no view of this version has. They are left.
    pub rows_unknown: u64,
    /// Streams that cannot be read, and why. Their rows are left.
    pub unreadable: Vec<(StreamId, String)>,
}

impl Tally {
    /// Adds another's counts.
    pub fn add(&mut self, other: Self) {
        self.streams += other.streams;
        self.differ += other.differ;
        self.on_their_way += other.on_their_way;
        self.rows_wrong += other.rows_wrong;
        self.rows_stale += other.rows_stale;
        self.rows_unknown += other.rows_unknown;
        for unreadable in other.unreadable {
            if !self.unreadable.contains(&unreadable) {
                self.unreadable.push(unreadable);
            }
        }
    }
}

/// How the rows of one stream stand.
#[derive(Debug)]
enum Settled {
    Right,
    OnItsWay,
    Wrong(Change),
    Unreadable(String),
}

/// What is to change for one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Change {
    wrong: BTreeSet<Key>,
    stale: BTreeSet<Key>,
}

type Found = HashMap<bulk::Key, Item>;

impl Rebuild {
    /// Puts the rows of streams right, each by itself.
    ///
    /// # Errors
    /// [`Failure`], a retryable one, when a table cannot be read or written.
    pub async fn settle(&self, folded: Vec<Folded>) -> Result<Tally, Failure> {
        let keys = folded.iter().flat_map(|one| {
            let rows = one.rows.as_ref().ok().and_then(Option::as_ref);
            self.keys(&Key::of(&one.stream), rows, &[])
        });
        let found = &self.get(keys.collect()).await?;
        let settled = stream::iter(folded).map(|one| async move {
            let settled = self.settle_one(&one.stream, one.kind, Some(one.rows), &[], found);
            Ok::<_, Failure>((one.stream.clone(), settled.await?))
        });
        let settled = settled.buffer_unordered(CONCURRENCY);
        let tally = settled.try_fold(Tally::default(), async |mut tally, (stream, settled)| {
            tally.streams += 1;
            match settled {
                Settled::Right => {}
                Settled::OnItsWay => tally.on_their_way += 1,
                Settled::Wrong(change) => {
                    tally.differ += 1;
                    tally.rows_wrong += change.wrong.len() as u64;
                    tally.rows_stale += change.stale.len() as u64;
                }
                Settled::Unreadable(why) => tally.unreadable.push((stream, why)),
            }
            Ok(tally)
        });
        tally.await
    }

    /// Removes those of `items`, read from the table, that belong to `view` and that no stream
    /// explains.
    ///
    /// # Errors
    /// [`Failure`], a retryable one, when a table cannot be read or written.
    pub async fn sweep(&self, view: View, items: &[Item]) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        let mut rows = Vec::new();
        for item in items {
            match key_of(item).and_then(|key| Some((key.owner()?, key))) {
                None => tally.rows_unknown += 1,
                Some((owner, key)) => {
                    rows.extend(view.shows(&owner).map(|kind| (owner, kind, key, item)));
                }
            }
        }
        let doubtful = self.doubtful(&rows).await?;
        let none = &Found::new();
        let settled = stream::iter(doubtful).map(|((stream, kind), keys)| async move {
            let settled = self.settle_one(&stream, kind, None, &keys, none).await?;
            Ok::<_, Failure>((stream, settled))
        });
        let settled = settled.buffer_unordered(CONCURRENCY);
        let swept = settled.try_fold(tally, async |mut tally, (stream, settled)| {
            match settled {
                // What is wrong beside is counted where its stream passes.
                Settled::Wrong(change) => tally.rows_stale += change.stale.len() as u64,
                Settled::Unreadable(why) => tally.unreadable.push((stream, why)),
                Settled::Right | Settled::OnItsWay => {}
            }
            Ok(tally)
        });
        swept.await
    }

    /// By stream, the rows that it may have nothing to do with: a main row whose commit the
    /// journal does not hold, a row beside that its main row does not tell of.
    async fn doubtful(
        &self,
        rows: &[(StreamId, Kind, Key, &Item)],
    ) -> Result<BTreeMap<(StreamId, Kind), Vec<Key>>, Failure> {
        let commit = |stream: &StreamId, item: &Item| {
            let applied = Standing::of(item).applied();
            bulk::Key::commit(&self.deps.journal, stream, applied)
        };
        let wanted = rows
            .iter()
            .map(|(stream, _, key, item)| match is_main(key) {
                true => commit(stream, item),
                false => self.at(&Key::of(stream)),
            });
        let found = self.get(wanted.collect()).await?;
        let mut doubtful: BTreeMap<_, Vec<Key>> = BTreeMap::new();
        for (stream, kind, key, item) in rows {
            let explained = if is_main(key) {
                found
                    .get(&commit(stream, item))
                    .is_some_and(|commit| self.counts(commit))
            } else {
                let main = Key::of(stream);
                let standing = found.get(&self.at(&main)).map(Standing::of);
                let beside = standing.map(|it| it.beside((*kind, &main)));
                beside.is_some_and(|rows| rows.iter().any(|row| row.key == *key))
            };
            if !explained {
                let keys = doubtful.entry((stream.clone(), *kind)).or_default();
                keys.push(key.clone());
            }
        }
        Ok(doubtful)
    }

    /// Whether a commit was there at the time asked for.
    fn counts(&self, commit: &Item) -> bool {
        let at = table::number(commit, "at").map(Timestamp::from_millis);
        self.until
            .is_none_or(|until| at.is_some_and(|at| at <= until))
    }

    /// Puts the rows of one stream right. `passed` is what the caller has seen of it, `also` are
    /// keys under which it may have left something, `found` what the caller has read of the table.
    async fn settle_one(
        &self,
        stream: &StreamId,
        kind: Kind,
        passed: Option<Result<Option<Rows>, Failure>>,
        also: &[Key],
        found: &Found,
    ) -> Result<Settled, Failure> {
        let main = Key::of(stream);
        let (mut rows, mut fresh) = match passed {
            Some(Ok(rows)) => (rows, Some(found)),
            // Out of order, or damaged: by itself it is read as the projector reads it.
            Some(Err(_)) | None => match self.load(kind, stream).await? {
                Ok(rows) => (rows, None),
                Err(why) => return Ok(Settled::Unreadable(why)),
            },
        };
        // A commit that the views claim and the journal does not reach.
        let mut beyond = None;
        let mut before = None;
        for attempt in 1..=TRIES_MAX {
            let looked;
            let found = match fresh.take() {
                Some(found) => found,
                None => {
                    looked = self.get(self.keys(&main, rows.as_ref(), also)).await?;
                    &looked
                }
            };
            let standing = found.get(&self.at(&main)).map(Standing::of);
            let applied = standing.as_ref().map_or(0, Standing::applied);
            let reached = |rows: &Option<Rows>| rows.as_ref().map_or(0, |rows| rows.seen.applied);
            if self.live && applied > reached(&rows) && beyond != Some(applied) {
                // The stream went on since it passed; what is read now is later than the views.
                rows = match self.load(kind, stream).await? {
                    Ok(rows) => rows,
                    Err(why) => return Ok(Settled::Unreadable(why)),
                };
                beyond = (reached(&rows) < applied).then_some(applied);
                continue;
            }
            let change = self.change((kind, &main), standing.as_ref(), rows.as_ref(), also, found);
            if change == Change::default() {
                return Ok(Settled::Right);
            }
            if self.write {
                let of = (kind, &main);
                if self
                    .put_right(of, standing.as_ref(), rows.as_ref(), also)
                    .await?
                {
                    return Ok(Settled::Wrong(change));
                }
                Backoff::CALL.wait(attempt).await;
                continue;
            }
            if applied < reached(&rows) && self.is_on_its_way(rows.as_ref()) {
                return Ok(Settled::OnItsWay);
            }
            // Rows read one by one may be of two moments; twice the same is no accident.
            if before.as_ref() == Some(&change) {
                return Ok(Settled::Wrong(change));
            }
            before = Some(change);
        }
        Err(Failure::retryable("others kept writing the same views"))
    }

    /// Whether nobody was faster.
    async fn put_right(
        &self,
        of: (Kind, &Key),
        standing: Option<&Standing>,
        rows: Option<&Rows>,
        also: &[Key],
    ) -> Result<bool, Failure> {
        let views = &self.deps.views;
        let writes = swap(views, of, standing, rows, also, Extent::All);
        match views.write_all(writes).await {
            Ok(()) => Ok(true),
            Err(error) if overtaken(&error) => Ok(false),
            Err(error) => Err(unwritten(error)),
        }
    }

    /// The stream by itself, or why it cannot be read.
    async fn load(
        &self,
        kind: Kind,
        stream: &StreamId,
    ) -> Result<Result<Option<Rows>, String>, Failure> {
        match kind.load(&self.deps.journal, stream, self.until).await {
            Ok(rows) => Ok(Ok(rows)),
            Err(failure) if failure.class() == Class::Terminal => {
                Ok(Err(failure.reason().to_owned()))
            }
            Err(failure) => Err(failure),
        }
    }

    fn change(
        &self,
        (kind, main): (Kind, &Key),
        standing: Option<&Standing>,
        rows: Option<&Rows>,
        also: &[Key],
        found: &Found,
    ) -> Change {
        let mut change = Change::default();
        for row in rows.iter().flat_map(|rows| rows.all()) {
            let item = rows.map(|rows| rows.item(row));
            if found.get(&self.at(&row.key)) != item.as_ref() {
                change.wrong.insert(row.key.clone());
            }
        }
        let also = also
            .iter()
            .filter(|key| found.contains_key(&self.at(key)))
            .cloned();
        let former = standing.into_iter().flat_map(|it| it.beside((kind, main)));
        let former = former.map(|row| row.key);
        change.stale.extend(former.chain(also));
        if let (Some(_), None) = (standing, rows) {
            change.stale.insert(main.clone());
        }
        for row in rows.iter().flat_map(|rows| rows.all()) {
            change.stale.remove(&row.key);
        }
        change
    }

    fn is_on_its_way(&self, rows: Option<&Rows>) -> bool {
        let age = rows.map(|rows| self.clock.now().since(rows.seen.as_of));
        self.live && age.is_some_and(|age| age < ON_ITS_WAY)
    }

    fn at(&self, key: &Key) -> bulk::Key {
        bulk::Key::text(self.deps.views.name(), &key.pk, &key.sk)
    }

    /// All keys that tell how a stream's rows stand.
    fn keys(&self, main: &Key, rows: Option<&Rows>, also: &[Key]) -> Vec<bulk::Key> {
        let beside = rows.iter().flat_map(|rows| &rows.beside);
        let keys = std::iter::once(main).chain(beside.map(|row| &row.key));
        keys.chain(also).map(|key| self.at(key)).collect()
    }

    async fn get(&self, keys: Vec<bulk::Key>) -> Result<Found, Failure> {
        Ok(bulk::get(self.deps.views.client(), keys).await?)
    }
}

/// The key of an item of the table; none if it is not one of the house.
#[must_use]
pub fn key_of(item: &Item) -> Option<Key> {
    Some(Key {
        pk: table::text(item, "pk")?.to_owned(),
        sk: table::text(item, "sk")?.to_owned(),
    })
}

fn is_main(key: &Key) -> bool {
    key.sk == VIEW_SORT_KEY
}
