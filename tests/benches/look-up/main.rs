//! One offer, however long the waitlist is: requests, read units and time for 10², 10⁴ and 10⁶
//! people.
//!
//! The first thousand have their streams in the journal and all their rows in the views, as the
//! projector's own code makes them. Of everybody behind them the row is there by which a candidate
//! is found, and nothing else: a look-up meets no more, and the engine's memory ends at 1 GiB. What
//! is measured is the step of the cascade from a released slot to its offer, by the function's own
//! code through the AWS SDK.
//!
//! `cargo bench --profile dev -p callboard-tests --bench look_up [-- PEOPLE…]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::time::{Duration, Instant};

use callboard_contracts::view::EntryView;
use callboard_contracts::waitlist::{EntryJoined, Preferences, SlotReleased, Urgency};
use callboard_contracts::{Cause, SlotId, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::{Entry, Slot, Timing};
use callboard_runtime::journal::{Commit, Loaded};
use callboard_runtime::table::{Item, Table};
use callboard_testkit::World;
use callboard_testkit::world::VIEWS;
use futures::{StreamExt, TryStreamExt, stream};
use waitlist_cascade::advance::{self, Outcome};
use waitlist_cascade::look_up::Views;
use waitlist_projector::projection;
use waitlist_projector::rows::Rows;
use waitlist_projector::view::Row;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Lengths of the waitlists.
const PEOPLE: [usize; 3] = [100, 10_000, 1_000_000];

/// Offers measured on each: fewer than a page has rows, so that those who were asked before do not
/// lengthen the way to the next.
const OFFERS: usize = 20;

/// Calls under way while a list is filled.
const CONCURRENCY: usize = 16;

/// People who have all that belongs to them.
const WHOLE: usize = 1_000;

/// Items of one `BatchWriteItem`, at most.
const BATCH: usize = 25;

/// Rows of somebody who waits, at most.
const ROWS: usize = 5;

const SERVICE: &str = "physio";

/// What one list took.
struct Took {
    waitlist: WaitlistId,
    people: usize,
    filled_in: Duration,
    requests: Vec<u64>,
    read_units: f64,
    times: Vec<Duration>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let given: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|it| it.parse().ok())
        .collect();
    let lengths = if given.is_empty() {
        PEOPLE.to_vec()
    } else {
        given
    };
    let bench = Bench::new().await;
    let mut all = Vec::new();
    for people in lengths {
        all.push(bench.filled(people).await?);
    }
    // In turn, so that a noisy moment of the machine meets every list.
    for at in 0..OFFERS {
        for took in &mut all {
            bench.offer(at, took).await?;
        }
    }
    println!(
        "| people waiting | requests per offer | read units per offer | ms per offer, median | slowest | list filled in |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for took in &all {
        println!("{took}");
    }
    let first = all.first().ok_or("no list")?;
    for took in &all {
        if took.requests != first.requests {
            return Err(format!(
                "{} people took other requests than {}",
                took.people, first.people
            )
            .into());
        }
    }
    println!("\nEvery offer took as many requests as the same offer of the shortest list.");
    Ok(())
}

struct Bench {
    world: World,
    cascade: advance::Deps,
    projector: projection::Deps,
}

impl Bench {
    async fn new() -> Self {
        let world = World::open().await;
        let views = Table::new(world.sdk(), VIEWS);
        Self {
            cascade: advance::Deps {
                journal: world.journal(),
                views: Views::new(views.clone()),
                timing: Timing::default(),
                clock: world.clock(),
            },
            projector: projection::Deps {
                journal: world.journal(),
                views,
            },
            world,
        }
    }

    /// A list of so many people.
    async fn filled(&self, people: usize) -> Result<Took, Error> {
        let begun = Instant::now();
        let waitlist: WaitlistId = format!("w-{people}").parse()?;
        self.fill(&waitlist, people).await?;
        Ok(Took {
            waitlist,
            people,
            filled_in: begun.elapsed(),
            requests: Vec::new(),
            read_units: 0.0,
            times: Vec::new(),
        })
    }

    /// So many join, one a second until now.
    async fn fill(&self, waitlist: &WaitlistId, people: usize) -> Result<(), Error> {
        let now = self.world.now();
        let whole = (0..people.min(WHOLE)).step_by(BATCH / ROWS);
        let whole = whole.map(|from| from..people.min(WHOLE).min(from + BATCH / ROWS));
        let others = (WHOLE..people).step_by(BATCH);
        let others = others.map(|from| from..people.min(from + BATCH));
        let filled = stream::iter(whole.chain(others)).map(|chunk| async move {
            let (mut commits, mut items) = (Vec::new(), Vec::new());
            for at in chunk {
                let ago = i64::try_from(people - at)?;
                let joined_at = Timestamp::from_millis(now.as_millis() - ago * 1_000);
                let (commit, rows) = joined(waitlist, at, joined_at)?;
                if at < WHOLE {
                    commits.push(commit);
                    items.extend(rows.all().map(|row| rows.item(row)));
                } else {
                    let found_by = |row: &&Row| row.key.pk.starts_with("candidates#");
                    items.extend(rows.all().filter(found_by).map(|row| rows.item(row)));
                }
            }
            if !commits.is_empty() {
                self.cascade.journal.append_all(commits, Vec::new()).await?;
            }
            self.write(items).await
        });
        filled.buffer_unordered(CONCURRENCY).try_collect().await
    }

    async fn write(&self, items: Vec<Item>) -> Result<(), Error> {
        use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
        let requests: Result<Vec<_>, _> = items
            .into_iter()
            .map(|item| {
                let put = PutRequest::builder().set_item(Some(item)).build();
                put.map(|put| WriteRequest::builder().put_request(put).build())
            })
            .collect();
        let written = self
            .world
            .dynamodb()
            .batch_write_item()
            .request_items(VIEWS, requests?);
        let left = written.send().await?.unprocessed_items.unwrap_or_default();
        if left.is_empty() {
            Ok(())
        } else {
            Err("rows were not taken".into())
        }
    }

    /// A slot is released, and offered; what the offer took.
    async fn offer(&self, at: usize, took: &mut Took) -> Result<(), Error> {
        let slot: SlotId = format!("slot-{}-{at}", took.people).parse()?;
        let slot = &slot;
        let starts_at = self.world.now().plus(Duration::from_secs(86_400));
        let released = SlotReleased {
            waitlist_id: took.waitlist.clone(),
            slot_id: slot.clone(),
            slot_version: 1,
            service: SERVICE.to_owned(),
            starts_at,
            ends_at: starts_at.plus(Duration::from_secs(1_800)),
            offer_window_seconds: 1_800,
            location: None,
            provider: None,
            zone: None,
            external_id: None,
            terms: None,
            swap_depth: 0,
        };
        let loaded = Loaded::<Slot>::fresh(StreamId::slot(slot));
        let commit = loaded
            .next(&cause(), self.world.now())
            .event(released)
            .build()?;
        self.cascade.journal.append(commit).await?;
        self.world.faults().reset();
        let begun = Instant::now();
        let outcome = advance::run(&self.cascade, slot, None, &cause()).await?;
        took.times.push(begun.elapsed());
        let costs = self.world.faults().costs();
        took.requests.push(costs.all_requests());
        took.read_units += costs.all_read_units();
        let Outcome::Offered { offers, .. } = outcome else {
            return Err(format!("not offered: {outcome:?}").into());
        };
        for offer in offers {
            let entry = StreamId::entry(&offer.entry_id);
            projection::run(&self.projector, &entry, None).await?;
        }
        Ok(())
    }
}

/// Somebody joins: the commit, and the rows that the projector makes of it.
fn joined(waitlist: &WaitlistId, at: usize, joined_at: Timestamp) -> Result<(Commit, Rows), Error> {
    let joined = EntryJoined {
        waitlist_id: waitlist.clone(),
        entry_id: format!("{waitlist}-{at:07}").parse()?,
        recipient_id: format!("usr-{at:07}").parse()?,
        service: SERVICE.to_owned(),
        urgency: match at % 10 {
            0 => Urgency::Urgent,
            1..=3 => Urgency::Soon,
            _ => Urgency::Routine,
        },
        preferences: Preferences::default(),
        auto_accept: false,
        proxy_id: None,
    };
    let loaded = Loaded::<Entry>::fresh(StreamId::entry(&joined.entry_id));
    let commit = loaded.next(&cause(), joined_at).event(joined).build()?;
    let loaded = loaded.after(commit.record())?;
    let rows = Rows::of::<EntryView>(&loaded)?.ok_or("an entry has rows")?;
    Ok((commit, rows))
}

fn cause() -> Cause {
    Cause {
        causation_id: "bench".to_owned(),
        correlation_id: "bench".to_owned(),
        hash: "bench".to_owned(),
        traceparent: None,
    }
}

impl std::fmt::Display for Took {
    #[allow(clippy::cast_precision_loss, reason = "twenty offers")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offers = self.requests.len() as f64;
        let mut times = self.times.clone();
        times.sort();
        let millis =
            |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0);
        write!(
            f,
            "| {} | {:.1} | {:.1} | {:.2} | {:.2} | {:.0} s |",
            self.people,
            self.requests.iter().sum::<u64>() as f64 / offers,
            self.read_units / offers,
            millis(times.get(times.len() / 2)),
            millis(times.last()),
            self.filled_in.as_secs_f64(),
        )
    }
}
