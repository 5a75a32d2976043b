//! The sweep: finds due work in the agenda, whether or not any message ever told of it.
//!
//! A lost message, a dead relay, a queue that was purged: all of them leave the journal as it
//! is, and the journal's sparse index says what is due. A commit counts while it is the newest
//! of its stream; then its owner is told, as by a timer. Telling it twice is harmless.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{Bucket, Journal, OpenWork};
use callboard_runtime::queue::Queue;
use callboard_runtime::table::Table;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::mark::Mark;
use crate::remind;
use crate::timer::Timer;

/// How long a bucket is read again after its end. The index follows the table within seconds,
/// and a commit may name a moment that has just passed; twenty minutes are far more than either.
pub const SETTLE: Duration = Duration::from_secs(20 * 60);

/// Where a sweep begins that finds no mark, for it is the first one.
pub const LOOK_BACK: Duration = Duration::from_secs(24 * 3600);

/// How long a sweep reads on. The function has ten seconds; what is not reached is the next
/// sweep's.
const TIME_MAX: Duration = Duration::from_secs(6);

/// Late work that the mark carries along. With more of it the mark stays where it is, and every
/// sweep reads more: 200 items of some 80 bytes are 16 KB.
const LATE_MAX: usize = 200;

/// Streams whose tail is read at the same time.
const CONCURRENCY: usize = 16;

/// Commits remembered as overtaken, over the sweeps of one sandbox: some 5 MB. It saves reading
/// the tail of the same stream once a minute until its bucket is settled.
const OVERTAKEN_MAX: usize = 50_000;

/// What the sweep needs to do its work.
#[derive(Debug)]
pub struct Deps {
    /// What time it is.
    pub clock: Clock,
    /// Where work stands.
    pub journal: Journal,
    /// Where the mark is kept.
    pub views: Table,
    /// The queues of those who own work, by the name that commits have for them.
    pub owners: BTreeMap<String, Queue>,
    /// Commits known not to be the newest of their stream: a fact that never changes.
    pub overtaken: Mutex<HashSet<OpenWork>>,
}

/// What a sweep found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Commits of the index that were looked at.
    pub seen: usize,
    /// Streams whose owner was told.
    pub handed_over: usize,
    /// Streams whose owner could not be told.
    pub failed: usize,
    /// How long the oldest of what is still open has been due.
    pub overdue: Duration,
}

/// Sweeps the agenda up to now and keeps how far it came.
///
/// # Errors
/// [`Failure`] if the agenda or the mark cannot be read or written. A stream whose owner cannot
/// be told is counted and blocks no other.
pub async fn run(deps: &Deps) -> Result<Swept, Failure> {
    let now = deps.clock.now();
    let mut mark = match Mark::read(&deps.views).await? {
        Some(mark) => mark,
        None => Mark::at(Bucket::of(now.minus(LOOK_BACK))),
    };
    let before = mark.clone();
    let mut swept = Swept::default();
    mark.late = tell(deps, std::mem::take(&mut mark.late), now, &mut swept).await;
    let mut bucket = mark.from;
    let mut settled = true;
    while bucket.starts_at() <= now && deps.clock.now().since(now) < TIME_MAX {
        let open = tell(deps, read(deps, bucket, now).await?, now, &mut swept).await;
        settled = settled
            && bucket.next().starts_at().plus(SETTLE) <= now
            && mark.late.len() + open.len() <= LATE_MAX;
        bucket = bucket.next();
        if settled {
            mark.from = bucket;
            mark.late.extend(open);
        }
    }
    deps.forget_before(mark.from.starts_at());
    if mark != before {
        mark.keep(&deps.views).await?;
    }
    Ok(swept)
}

/// What is due in a bucket, all shards.
async fn read(deps: &Deps, bucket: Bucket, now: Timestamp) -> Result<Vec<OpenWork>, Failure> {
    let shards = bucket
        .shards()
        .map(|shard| async move { deps.journal.agenda(&shard, now).await });
    let mut due = stream::iter(shards)
        .buffer_unordered(CONCURRENCY)
        .try_concat()
        .await?;
    // Shards come in any order; the oldest goes first.
    due.sort();
    Ok(due)
}

/// What became of one commit of the index.
enum Told {
    /// A later commit stands in its place.
    Overtaken,
    Owner,
    Nobody,
}

/// Tells the owners of what is still open, and gives it back.
async fn tell(deps: &Deps, due: Vec<OpenWork>, now: Timestamp, swept: &mut Swept) -> Vec<OpenWork> {
    swept.seen += due.len();
    let told = due
        .into_iter()
        .filter(|work| !deps.is_overtaken(work))
        .map(|work| async move {
            let told = one(deps, &work, now).await;
            (work, told)
        });
    let told: Vec<(OpenWork, Told)> = stream::iter(told).buffered(CONCURRENCY).collect().await;
    let mut open = Vec::new();
    for (work, told) in told {
        match told {
            Told::Overtaken => {
                deps.note_overtaken(work);
                continue;
            }
            Told::Owner => swept.handed_over += 1,
            Told::Nobody => swept.failed += 1,
        }
        swept.overdue = swept.overdue.max(now.since(work.due_at));
        open.push(work);
    }
    open
}

async fn one(deps: &Deps, work: &OpenWork, now: Timestamp) -> Told {
    match hand_over(deps, work, now).await {
        Ok(told) => told,
        Err(failure) => {
            let (stream, due_at) = (&work.stream, work.due_at);
            tracing::error!(%stream, %due_at, error = %failure, "the owner of due work was not told");
            Told::Nobody
        }
    }
}

async fn hand_over(deps: &Deps, work: &OpenWork, now: Timestamp) -> Result<Told, Failure> {
    let Some(commit) = deps.journal.tail(&work.stream).await? else {
        // Its time to live is over.
        return Ok(Told::Overtaken);
    };
    if commit.number != work.number {
        return Ok(Told::Overtaken);
    }
    let Some(due) = &commit.due else {
        return Ok(Told::Overtaken);
    };
    let owner = deps
        .owners
        .get(&due.queue)
        .ok_or_else(|| Failure::terminal(format!("`{}` is no queue that owns work", due.queue)))?;
    let timer = Timer::of_commit(&commit, due.at)?;
    owner.send(remind::to_owner(&timer, now)?).await?;
    Ok(Told::Owner)
}

impl Deps {
    fn overtaken(&self) -> std::sync::MutexGuard<'_, HashSet<OpenWork>> {
        self.overtaken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_overtaken(&self, work: &OpenWork) -> bool {
        self.overtaken().contains(work)
    }

    fn note_overtaken(&self, work: OpenWork) {
        let mut overtaken = self.overtaken();
        if overtaken.len() < OVERTAKEN_MAX {
            overtaken.insert(work);
        }
    }

    fn forget_before(&self, from: Timestamp) {
        self.overtaken().retain(|work| work.due_at >= from);
    }
}
