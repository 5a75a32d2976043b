//! What may be typed after `callboard dlq`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::filter::Filter;
use crate::args::{TargetArgs, with_codes};

/// A copy of a letter that failed this often again is not sent once more.
const REPLAYS_MAX: u32 = 3;

/// Options of `dlq`.
#[derive(Debug, Clone, Args)]
pub struct DlqArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: DlqCommand,
}

/// The commands for dead letters.
#[derive(Debug, Clone, Subcommand)]
pub enum DlqCommand {
    /// Counts the letters of each queue by reason, function and type
    ///
    /// SQS knows no look without taking: each letter is received, hidden from others for a moment
    /// and shown again, and its receive count rises. In a FIFO queue only the first ten of a group
    /// can be seen.
    #[command(after_help = with_codes("\
  callboard dlq list
  callboard dlq list --queue email-sender --since 2h
  callboard dlq list --env-file stack.env --type 'callboard.waitlist.*' --json"))]
    List(ListArgs),

    /// Shows letters with their reason, attributes and body
    #[command(after_help = with_codes("\
  callboard dlq show                               the first one found
  callboard dlq show --first 5 --reason 'unknown event type'
  callboard dlq show 5ca1ab1e --json"))]
    Show(ShowArgs),

    /// Sends letters to where they came from, and takes them off the dead-letter queue
    ///
    /// A letter leaves only after its copy is accepted, so that Ctrl-C, `kill -9` or a lost
    /// connection lose nothing; a copy sent twice has no second effect, for consumers know an event
    /// by its id. Run it again to go on; after a `kill -9` what was in hand shows again after half a
    /// minute. Letters of a FIFO queue go in the order of their group. What a subscription gave
    /// up is published to its event's topic again. The copy bears how often it was replayed
    /// (callboard-replays); with --max-replays of them it is left.
    ///
    /// Letters of the relay name places in the journal: outbox-relay one commit that it parked,
    /// outbox-relay-failure a range of the stream that Lambda gave up. What stands there is published
    /// to the topics of its types again, with deduplication ids of its own. A range comes from the
    /// stream while that keeps it (24 hours), else from the journal by time, which reads all of it:
    /// without --execute you are told what that takes, and nothing is read. --rate then counts commits.
    /// What cannot be published stays, and you are told why.
    #[command(after_help = with_codes("\
  callboard dlq replay                             says what it would do
  callboard dlq replay --queue outbox-relay-failure --execute
  callboard dlq replay --queue email-sender --since 2h --execute --rate 50
  callboard dlq replay --where '$.data.slotId=s-1' --max 10 --execute"))]
    Replay(ReplayArgs),

    /// Sends an edited copy of one letter to where it came from, and keeps the original
    ///
    /// The original stays in its queue, marked with callboard-edited, so that `replay` leaves it;
    /// the copy says with callboard-edited-from which letter it was made of.
    #[command(after_help = with_codes("\
  callboard dlq edit 5ca1ab1e --output letter.json          writes its body to edit
  callboard dlq edit 5ca1ab1e --body letter.json            says what it would do
  callboard dlq edit 5ca1ab1e --body letter.json --execute"))]
    Edit(EditArgs),

    /// Deletes letters for good
    #[command(after_help = with_codes("\
  callboard dlq drop --queue email-sender --until 3d               says what it would do
  callboard dlq export --until 3d --output old.jsonl && callboard dlq drop --until 3d --execute
  callboard dlq drop --queue email-sender --all --execute"))]
    Drop(DropArgs),

    /// Writes letters as JSON lines, and leaves them where they are
    #[command(after_help = with_codes("\
  callboard dlq export --output letters.jsonl
  callboard dlq export --queue email-sender | jq .reason"))]
    Export(ExportArgs),
}

/// Which system, and how to answer.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Which system.
    #[command(flatten)]
    pub target: TargetArgs,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `dlq list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Which system.
    #[command(flatten)]
    pub common: Common,
    /// Which letters.
    #[command(flatten)]
    pub filter: Filter,
}

/// Options of `dlq show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Which system.
    #[command(flatten)]
    pub common: Common,
    /// Which letters.
    #[command(flatten)]
    pub filter: Filter,
    /// At most this many
    #[arg(long, value_name = "N", default_value = "1")]
    pub first: NonZeroUsize,
}

/// Options of `dlq replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Which system.
    #[command(flatten)]
    pub common: Common,
    /// Which letters.
    #[command(flatten)]
    pub filter: Filter,
    /// Whether to do it.
    #[command(flatten)]
    pub execute: Execute,
    /// At most this many letters in all
    #[arg(long, value_name = "N")]
    pub max: Option<NonZeroUsize>,
    /// At most this many letters per second
    #[arg(long, value_name = "N")]
    pub rate: Option<NonZeroU32>,
    /// Leave letters that were replayed this often
    #[arg(long, value_name = "N", default_value_t = REPLAYS_MAX)]
    pub max_replays: u32,
}

/// Only said, unless it is to be done.
#[derive(Debug, Clone, Args)]
pub struct Execute {
    /// Do it
    #[arg(long, conflicts_with = "dry_run")]
    pub execute: bool,
    /// Only say what would be done, which is the default
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `dlq edit`.
#[derive(Debug, Clone, Args)]
pub struct EditArgs {
    /// Which system.
    #[command(flatten)]
    pub common: Common,
    /// Its message id; the beginning is enough
    #[arg(value_name = "ID")]
    pub id: String,
    /// Only look in this queue
    #[arg(long = "queue", value_name = "QUEUE")]
    pub queues: Vec<String>,
    /// Write the body to this file, and do nothing else
    #[arg(long, value_name = "FILE", required_unless_present = "body")]
    pub output: Option<PathBuf>,
    /// Send a copy with this file as its body
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    pub body: Option<PathBuf>,
    /// Whether to do it.
    #[command(flatten)]
    pub execute: Execute,
}

/// Options of `dlq drop`.
#[derive(Debug, Clone, Args)]
pub struct DropArgs {
    /// Which system.
    #[command(flatten)]
    pub common: Common,
    /// Which letters.
    #[command(flatten)]
    pub filter: Filter,
    /// Whether to do it.
    #[command(flatten)]
    pub execute: Execute,
    /// All letters of the queues named; needed where no filter says which
    #[arg(long)]
    pub all: bool,
    /// At most this many letters in all
    #[arg(long, value_name = "N")]
    pub max: Option<NonZeroUsize>,
}

/// Options of `dlq export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Which system.
    #[command(flatten)]
    pub common: Common,
    /// Which letters.
    #[command(flatten)]
    pub filter: Filter,
    /// Write to this file, readable by its owner only [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
