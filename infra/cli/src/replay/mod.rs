//! `callboard replay`: a view rebuilt from the journal while the system runs, or shown as it was.
//!
//! How rows follow from streams, and how they are put in place, is the projector's own code
//! ([`waitlist_projector::rebuild`]). Here the journal is read from end to end, with progress, a
//! rate, and a place to go on from.

mod args;
mod checkpoint;
mod into;
mod report;
mod show;
mod walk;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use aws_sdk_dynamodb::Client;
use callboard_contracts::Timestamp;
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{Item, Journal};
use callboard_runtime::table::Table;
use waitlist_projector::kind::Kind;
use waitlist_projector::projection::Deps;
use waitlist_projector::rebuild::{Folded, Rebuild, Tally};

pub(crate) use args::help;
pub use args::{At, ReplayArgs};
use checkpoint::{Asked, Checkpoint, Pass};
use report::Report;
use show::Shown;
use walk::{Cursor, Portion, Walk};

use crate::dlq::pace::{Pace, Progress};
use crate::dlq::sweep::{Enough, lock};
use crate::error::CliError;
use crate::signals::StopSignals;
use crate::target::Target;

/// Streams settled by one call: their rows are read by one `BatchGetItem` of at most 100 keys, up
/// to three for each.
const SETTLED_AT_ONCE: usize = 33;

/// Rebuilds or shows a view; a first Ctrl-C lets what is in hand come to its end.
///
/// # Errors
/// [`CliError::Differs`] for a look that found something, [`CliError::Stopped`] after Ctrl-C,
/// [`CliError::Aws`] for a call that failed.
pub async fn run(args: &ReplayArgs) -> Result<(), CliError> {
    run_to(args, &mut io::stdout()).await
}

/// The same, answering to `out`; what a test wants.
///
/// # Errors
/// As [`run`].
pub async fn run_to(args: &ReplayArgs, out: &mut impl Write) -> Result<(), CliError> {
    let mut signals = StopSignals::listen()?;
    let target = Target::read(&args.target.env_file)?;
    let enough = Enough::default();
    let mut work = std::pin::pin!(command(&target, args, &enough, out));
    tokio::select! {
        outcome = &mut work => return outcome,
        () = signals.asked() => enough.say(),
    }
    tokio::select! {
        outcome = &mut work => outcome,
        () = signals.asked() => Err(CliError::Stopped),
    }
}

async fn command(
    target: &Target,
    args: &ReplayArgs,
    enough: &Enough,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let journal = Journal::open(target.sdk(), target.wanted("CALLBOARD_JOURNAL_TABLE")?);
    match (&args.at, &args.into) {
        (Some(at), None) if args.execute.execute => Err(CliError::Input(format!(
            "the live view is not set back to {}; --into names another table",
            at.typed
        ))),
        (Some(at), None) => show_as_of(&journal, args, at.moment, enough, out).await,
        _ => rebuild(target, journal, args, enough, out).await,
    }
}

async fn show_as_of(
    journal: &Journal,
    args: &ReplayArgs,
    at: Timestamp,
    enough: &Enough,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let shown = Mutex::new(Shown::default());
    let waitlist = args.waitlist.as_ref();
    let add = |one: &Folded| match &one.rows {
        Ok(Some(rows)) => lock(&shown).add(one.kind, rows, waitlist),
        Ok(None) => {}
        Err(failure) => {
            tracing::warn!(stream = %one.stream, reason = failure.reason(), "not shown");
        }
    };
    if let Some(stream) = &args.stream {
        let kind = args.view.shows(stream).ok_or_else(|| {
            let view = args.view.name();
            CliError::Input(format!("the view {view} shows no stream like {stream}"))
        })?;
        add(&by_itself(journal, kind, stream, at).await?);
    } else {
        let progress = Progress::new(about(journal.client(), journal.table()).await?);
        let walk = Walk {
            pace: &Pace::new(args.rate),
            enough,
            progress: &progress,
        };
        let cursors = vec![Cursor::default(); args.segments as usize];
        let until = Some(at);
        let walked = walk.streams(journal, args.view, until, cursors, async |_, portion| {
            for one in portion.of {
                match &one.rows {
                    Ok(_) => add(&one),
                    Err(_) => add(&by_itself(journal, one.kind, &one.stream, at).await?),
                }
            }
            Ok(())
        });
        let walked = walked.await;
        progress.end();
        walked?;
        if enough.is_said() {
            return Err(CliError::Stopped);
        }
    }
    let shown = std::mem::take(&mut *lock(&shown));
    shown.tell(args.view.name(), at, args.json, out)
}

async fn by_itself(
    journal: &Journal,
    kind: Kind,
    stream: &callboard_contracts::StreamId,
    at: Timestamp,
) -> Result<Folded, CliError> {
    let rows = kind.load(journal, stream, Some(at)).await;
    match rows {
        Err(failure) if failure.is_retryable() => Err(refused(&failure)),
        rows => Ok(Folded {
            stream: stream.clone(),
            kind,
            rows,
        }),
    }
}

async fn rebuild(
    target: &Target,
    journal: Journal,
    args: &ReplayArgs,
    enough: &Enough,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let live = target.wanted("CALLBOARD_VIEWS_TABLE")?;
    let name = args.into.as_deref().unwrap_or(&live);
    let client = journal.client().clone();
    let there = match &args.into {
        Some(into) => into::is_there(target, &client, into).await?,
        None => true,
    };
    let write = args.execute.execute;
    if write && !there {
        into::make(&client, name, args.view.name()).await?;
    }
    let clock = Clock::from_sdk(target.sdk());
    let checkpoint = Checkpoint::open(
        write.then(|| file_of(args)),
        asked(target, args, journal.table(), name),
        args.at.as_ref().map(|at| at.moment),
        clock.now(),
        args.restart,
    )?;
    let replay = Replay {
        args,
        rebuild: Rebuild {
            deps: Deps {
                journal,
                views: Table::new(target.sdk(), name),
            },
            until: checkpoint.state().until,
            live: args.into.is_none(),
            write,
            clock,
        },
        there: there || write,
        pace: Pace::new(args.rate),
        enough,
        checkpoint,
    };
    let walked = replay.walk().await;
    replay.checkpoint.write()?;
    let mut report = Report::of(args.view.name(), name, replay.checkpoint.state());
    report.dry_run = !write;
    report.made = !there;
    // What was done is told even if a call failed later.
    report.tell(args.json, out)?;
    walked?;
    if enough.is_said() {
        return Err(CliError::Stopped);
    }
    replay.checkpoint.end()?;
    report.verdict()
}

struct Replay<'a> {
    args: &'a ReplayArgs,
    rebuild: Rebuild,
    /// Whether the table can be read; one that would be made cannot.
    there: bool,
    pace: Pace,
    enough: &'a Enough,
    checkpoint: Checkpoint,
}

impl Replay<'_> {
    /// Both passes. Rows that no stream explains are looked for when all streams have passed.
    async fn walk(&self) -> Result<(), CliError> {
        let Deps { journal, views } = &self.rebuild.deps;
        let state = self.checkpoint.state();
        let progress = Progress::new(about(journal.client(), journal.table()).await?);
        let settle = async |segment, portion| self.settle(segment, portion).await;
        let walk = self.with(&progress);
        let (view, until) = (self.args.view, self.rebuild.until);
        let walked = walk.streams(journal, view, until, state.journal, settle);
        let walked = walked.await;
        progress.end();
        walked?;
        if self.enough.is_said() || !self.there {
            return Ok(());
        }
        let progress = Progress::new(about(views.client(), views.name()).await?);
        let sweep = async |segment, portion| self.sweep(segment, portion).await;
        let walked = self.with(&progress).rows(views, state.views, sweep).await;
        progress.end();
        walked
    }

    const fn with<'a>(&'a self, progress: &'a Progress) -> Walk<'a> {
        Walk {
            pace: &self.pace,
            enough: self.enough,
            progress,
        }
    }

    async fn settle(&self, segment: usize, mut portion: Portion<Folded>) -> Result<(), CliError> {
        let mut tally = Tally::default();
        let mut streams = std::mem::take(&mut portion.of).into_iter();
        loop {
            let some: Vec<Folded> = streams.by_ref().take(SETTLED_AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            tally.add(match self.there {
                true => self
                    .rebuild
                    .settle(some)
                    .await
                    .map_err(|failure| refused(&failure))?,
                false => all_new(some),
            });
        }
        self.checkpoint
            .passed(Pass::Journal, segment, portion, tally)
    }

    async fn sweep(&self, segment: usize, portion: Portion<Item>) -> Result<(), CliError> {
        let swept = self.rebuild.sweep(self.args.view, &portion.of).await;
        let tally = swept.map_err(|failure| refused(&failure))?;
        self.checkpoint.passed(Pass::Views, segment, portion, tally)
    }
}

/// What would be written to a table that is not there.
fn all_new(folded: Vec<Folded>) -> Tally {
    let mut tally = Tally::default();
    for one in folded {
        tally.streams += 1;
        match one.rows {
            Ok(rows) => {
                let rows = rows.iter().flat_map(|rows| rows.all()).count() as u64;
                tally.differ += u64::from(rows > 0);
                tally.rows_wrong += rows;
            }
            Err(failure) => {
                let why = failure.reason().to_owned();
                tally.unreadable.push((one.stream, why));
            }
        }
    }
    tally
}

/// How many items a table holds, about: DynamoDB counts them some four times a day.
async fn about(client: &Client, table: &str) -> Result<u64, CliError> {
    let described = client.describe_table().table_name(table).send().await;
    let described = described
        .map_err(|error| callboard_runtime::fault::AwsFault::of("DescribeTable", error))?;
    let items = described.table.and_then(|table| table.item_count);
    Ok(items.and_then(|items| items.try_into().ok()).unwrap_or(0))
}

fn asked(target: &Target, args: &ReplayArgs, journal: &str, table: &str) -> Asked {
    let endpoint = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"];
    let mut endpoint = endpoint.iter().filter_map(|name| target.get(name));
    let kinds = args.view.kinds().iter();
    Asked {
        view: args.view.name().to_owned(),
        journal: journal.to_owned(),
        table: table.to_owned(),
        endpoint: endpoint.next().map(str::to_owned),
        region: target.region().to_owned(),
        at: args.at.as_ref().map(|at| at.typed.clone()),
        segments: args.segments,
        versions: kinds.map(|kind| kind.fold_version()).collect(),
        callboard: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Where it is kept how far a rebuild has come.
fn file_of(args: &ReplayArgs) -> PathBuf {
    args.checkpoint.clone().unwrap_or_else(|| {
        let view = args.view.name();
        let name = match &args.into {
            None => format!("replay-{view}.json"),
            Some(table) => format!("replay-{view}-into-{table}.json"),
        };
        args.target.env_file.with_file_name(name)
    })
}

fn refused(failure: &Failure) -> CliError {
    CliError::Unfinished(failure.to_string())
}
