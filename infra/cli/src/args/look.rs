//! The commands that look into a system, or say something to it: publish, trace, explain, lag.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap_complete::Shell;

use super::with_codes;

/// Which system.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// The system that this file describes: of `callboard dev`, or of infra/scripts/stack-env.py
    #[arg(long, value_name = "FILE", default_value = ".callboard/env")]
    pub env_file: PathBuf,
}

/// Options of `trace`.
#[derive(Debug, Clone, Args)]
pub struct TraceArgs {
    /// What the answer to the first command or event named, or an envelope's `correlationid`
    #[arg(value_name = "CORRELATION-ID")]
    pub correlation_id: String,

    /// Print the events as JSON, with their data
    #[arg(long)]
    pub json: bool,

    /// Which system.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Options of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// An envelope's `id`, a `Callboard-Commit` (`slot#s1@3`), or with --source another system's id
    #[arg(value_name = "EVENT")]
    pub event: String,

    /// The event is another system's: its `source`
    #[arg(long, value_name = "SOURCE", conflicts_with = "correlation_id")]
    pub source: Option<String>,

    /// The event's `correlationid`, if it is known: nothing needs to be searched
    #[arg(long, value_name = "ID")]
    pub correlation_id: Option<String>,

    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,

    /// Which system.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Options of `publish`.
#[derive(Debug, Clone, Args)]
pub struct PublishArgs {
    /// A file with one event, or an array of CloudEvents; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "event_type")]
    pub file: Option<PathBuf>,

    /// The event's type, `OrderPlaced`, in place of a file
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "file")]
    pub event_type: Option<String>,

    /// Its id [default: a new one]; the same id again is the same event
    #[arg(long, value_name = "ID", requires = "event_type")]
    pub id: Option<String>,

    /// Its source [default: that of the registered type]
    #[arg(long, value_name = "SOURCE", requires = "event_type")]
    pub source: Option<String>,

    /// Its data, as JSON; `-` is standard input
    #[arg(
        long,
        value_name = "JSON",
        requires = "event_type",
        default_value = "{}"
    )]
    pub data: String,

    /// Shared by all that follows [default: one that follows from source and id]
    #[arg(long, value_name = "ID")]
    pub correlation_id: Option<String>,

    /// Wait until every notification that follows has ended, and show what happened
    #[arg(long)]
    pub wait: bool,

    /// Longest wait, in seconds; what has not ended by then is exit code 1
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, requires = "wait")]
    pub timeout: Duration,

    /// Print answer and events as JSON
    #[arg(long)]
    pub json: bool,

    /// Which system.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Options of `lag`.
#[derive(Debug, Clone, Args)]
pub struct LagArgs {
    /// Look again and again, every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    pub watch: Option<Duration>,

    /// Exit code 8 if more messages than this wait for any consumer
    #[arg(long, value_name = "N")]
    pub max_backlog: Option<u64>,

    /// Exit code 8 if any dead-letter queue holds more than this
    #[arg(long, value_name = "N")]
    pub max_dlq: Option<u64>,

    /// Exit code 8 if a message, or a stream's reader, is older than this; 1 where nobody knows
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub max_age: Option<Duration>,

    /// Print JSON in place of a table; with --watch one document after another
    #[arg(long)]
    pub json: bool,

    /// Which system.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Options of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// Whose language
    pub shell: Shell,
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
    seconds
        .map(Duration::from_secs)
        .ok_or("expected a number of seconds above zero")
}

pub(super) fn trace_help() -> String {
    with_codes(
        "  callboard trace 0190b8c2-4b8e-7c61-9d5a-0c7b3f0d8a11
  callboard trace order-7 --json | jq '.events[].type'
  callboard trace order-7 --env-file stack.env       a deployed stack's",
    )
}

pub(super) fn explain_help() -> String {
    with_codes(
        "  callboard explain evt-001 --source shop              another system's event
  callboard explain 'slot#s1@3'                        the first event of a commit
  callboard explain 5b1e…-… --correlation-id order-7   an event in an envelope, at once
  callboard explain 5b1e…-…                            the same by its id alone: reads the whole journal",
    )
}

pub(super) fn lag_help() -> String {
    with_codes(
        "  callboard lag --watch                              a table that refreshes
  callboard lag --max-backlog 1000 --max-dlq 0       for a cron job: exit code 8 is the alarm
  callboard lag --json | jq '.consumers[] | select(.deadLetters > 0).name'",
    )
}

pub(super) fn dlq_help() -> String {
    with_codes(
        "  callboard dlq list                               per queue: reason, function, type, how many
  callboard dlq show --first 3 --reason throttled
  callboard dlq replay --queue email-sender        says what it would do; --execute does it
  callboard dlq replay --help                      each has examples of its own

Without this binary: infra/scripts/replay-dlq.sh, with bash and the AWS CLI.",
    )
}

pub(super) fn completions_help() -> String {
    with_codes(
        "  callboard completions bash > ~/.local/share/bash-completion/completions/callboard
  callboard completions zsh > \"${fpath[1]}/_callboard\"
  callboard completions fish > ~/.config/fish/completions/callboard.fish",
    )
}

pub(super) fn publish_help() -> String {
    with_codes(
        r#"  callboard publish order.json --wait
  callboard publish --type OrderPlaced --id evt-001 --data '{"orderId": "ord-123", …}'
  generate-events | callboard publish - --json        an array is a batch, at most 100 CloudEvents

Interrupted, say it again with the same ids: an event that is known is answered as before, and
nothing is sent twice."#,
    )
}
