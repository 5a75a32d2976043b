//! The command line: what may be said, its help, and its exit codes. Nothing is
//! done here.

mod alone;
mod dev;
mod look;
mod prove;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::dlq::DlqArgs;
use crate::replay::ReplayArgs;
use crate::simulate::args::SimulateArgs;

pub use alone::{EngineArgs, MailboxArgs};
pub use dev::{DevArgs, ElsewhereArgs, Parameter, by_name};
pub use look::{CompletionsArgs, ExplainArgs, LagArgs, PublishArgs, TargetArgs, TraceArgs};
pub use prove::{BenchArgs, DemoArgs};

/// Shown below every help text.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a step of the demo or bench failed, a simulation broke a rule, a running system stopped by itself, the system refused
     what it was given, what was asked for is not there, dead letters stay that were to leave, or streams
     cannot be read
  2  the command line, or a file that it names, was not understood
  3  a port is in use or may not be used
  4  the state directory cannot be written, or is in use by another process
  5  a state file is damaged, or was written by a later version
  6  the template or one of its parameters is not valid
  7  anything else that kept the system from starting, or from answering
  8  a limit given to `lag` is exceeded
  9  a view is not what its journal says, as `replay` without --execute found
  130  stopped by Ctrl-C or SIGTERM in the midst of a replay; run it again to go on";

/// What to say first.
const FIRST_STEPS: &str = "\
  callboard demo                                   the whole story, checked step by step
  callboard dev                                    all of it on this machine, until Ctrl-C
  callboard lag                                    of a running system: who is behind
  callboard dlq list                               what was given up, and why
  callboard dlq replay --help                      every command has examples";

/// Examples, then the exit codes.
pub(crate) fn with_codes(examples: &str) -> String {
    format!("Examples:\n{examples}\n\n{EXIT_CODES}")
}

/// `callboard`, as typed.
#[derive(Debug, Parser)]
#[command(
    name = "callboard",
    version,
    about = "Run Callboard on a laptop, look inside it, and mend it",
    after_help = with_codes(FIRST_STEPS)
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs everything here: AWS engine, functions, HTTP API and mailbox
    ///
    /// All listen on 127.0.0.1 only. When ready, `<state>/env` holds the addresses and
    /// names as shell variables, and `<state>/env.d/<function>` the environment of each
    /// function, to run it apart (infra/scripts/lambda-watch.sh); they are there exactly
    /// while the system is.
    /// Ctrl-C or SIGTERM stops it in good order; what was committed survives `kill -9`.
    #[command(after_help = dev::help())]
    Dev(DevArgs),

    /// Shows one slot on its way to an accepted offer, and fails if any step does
    ///
    /// Starts a system of its own in memory, or takes a running one by --env-file. It
    /// uses only HTTP, the mailbox's JSON and the AWS wire protocol, as you would.
    #[command(after_help = prove::demo_help())]
    Demo(DemoArgs),

    /// Measures latency, throughput, what AWS would be asked for, and what an idle `dev` takes
    ///
    /// Everything runs in memory on ports of its own. Best on a quiet machine.
    #[command(after_help = prove::bench_help())]
    Bench(BenchArgs),

    /// Runs the AWS engine alone: DynamoDB with Streams, SQS and SNS on one port
    ///
    /// Listens on 127.0.0.1 only. Ctrl-C or SIGTERM stops it in good order, within a second; what
    /// was answered with 200 survives `kill -9`. Point any AWS SDK or the AWS CLI at it with
    /// AWS_ENDPOINT_URL; --help has examples.
    #[command(after_help = EXIT_CODES, after_long_help = alone::engine_help())]
    Engine(EngineArgs),

    /// Runs the mailbox alone: an SMTP server that shows as JSON what it gets
    ///
    /// For functions that run elsewhere: give them MAIL_TRANSPORT=smtp://127.0.0.1:PORT.
    #[command(after_help = alone::mailbox_help())]
    Mailbox(MailboxArgs),

    /// Says that something happened in another system, and shows what follows from it
    ///
    /// By the HTTP API's POST /v1/events: the minimal shape {eventType, eventId, timestamp, data},
    /// a CloudEvent, or an array of these.
    #[command(after_help = look::publish_help())]
    Publish(PublishArgs),

    /// Shows all that followed from one first cause, as a tree with times
    ///
    /// By the HTTP API's GET /v1/timelines/{id}; the stack needs TimelineIndex=true, its default.
    #[command(after_help = look::trace_help())]
    Trace(TraceArgs),

    /// Says in plain sentences why an event happened and what it led to
    ///
    /// What caused it, which notifications were planned by which definition, and whether they were
    /// sent or dropped for which stored reason. No personal data: the journal has none.
    #[command(after_help = look::explain_help())]
    Explain(ExplainArgs),

    /// Lists, shows, replays, edits, drops and exports dead letters
    ///
    /// Of the system that --env-file describes: one of `callboard dev`, or a deployed stack
    /// (infra/scripts/stack-env.py). Whatever changes something only says what it would do, unless
    /// it is told to --execute.
    #[command(after_help = look::dlq_help())]
    Dlq(DlqArgs),

    /// Rebuilds a view from the journal, or shows it as it was at a time
    ///
    /// Of the system that --env-file describes, while it runs. Reads the whole journal in segments
    /// side by side, folds each stream as it passes, and puts right the rows that differ, those of
    /// one stream in one transaction: readers never miss one, and what the projector writes
    /// meanwhile stands. Rows that no stream explains are removed. Without --execute it only says
    /// what differs. Ctrl-C and `kill -9` lose nothing; run it again to go on.
    ///
    /// Notifications and timelines are no views: query-api reads them from the journal itself.
    #[command(after_help = crate::replay::help())]
    Replay(ReplayArgs),

    /// Shows how far each consumer is behind, and its dead letters
    ///
    /// By SQS's own counts, of every queue that the env file names; what a queue's dead-letter queue
    /// is, its redrive policy says. Ages of messages and of streams' readers are known to CloudWatch
    /// alone, which is asked at the same endpoint.
    #[command(after_help = look::lag_help())]
    Lag(LagArgs),

    /// Compares policies in virtual time, and recommends one
    #[command(after_help = crate::simulate::args::help())]
    Simulate(SimulateArgs),

    /// Prints what makes a shell complete the commands and options of callboard
    #[command(after_help = look::completions_help())]
    Completions(CompletionsArgs),
}

/// Where state is kept.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Directory for the state; made if missing, kept for the next start
    #[arg(long, value_name = "DIR", default_value = ".callboard")]
    pub state: PathBuf,

    /// Keep tables, messages and mails in memory only
    #[arg(long)]
    pub ephemeral: bool,
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
