//! `callboard dlq`: what the people on call lack in SQS. Lists, shows, replays, edits, drops and
//! exports dead letters of any system that an env file describes.
//!
//! A letter leaves its queue only after its copy is accepted elsewhere. What is interrupted in
//! between is sent twice and has one effect, for consumers know an event by its id.

pub mod args;
pub mod filter;
mod letter;
mod look;
mod mend;
pub(crate) mod pace;
mod queues;
mod relay;
mod replay;
mod send;
pub(crate) mod sweep;

use std::io::{self, Write};

pub use args::DlqArgs;
use args::{Common, DlqCommand};
use aws_sdk_sqs::Client;
use callboard_runtime::publish::Publisher;
use queues::DeadLetterQueue;
use sweep::Enough;

use crate::error::CliError;
use crate::signals::StopSignals;
use crate::target::Target;

/// What every command for dead letters works with.
struct Dlq {
    sqs: Client,
    publisher: Publisher,
    queues: Vec<DeadLetterQueue>,
    /// Said when the person has had enough.
    enough: Enough,
}

impl DlqCommand {
    fn common(&self) -> (&Common, &[String]) {
        match self {
            Self::List(args) => (&args.common, &args.filter.queues),
            Self::Show(args) => (&args.common, &args.filter.queues),
            Self::Replay(args) => (&args.common, &args.filter.queues),
            Self::Edit(args) => (&args.common, &args.queues),
            Self::Drop(args) => (&args.common, &args.filter.queues),
            Self::Export(args) => (&args.common, &args.filter.queues),
        }
    }
}

/// Runs a command for dead letters; a first Ctrl-C lets what is in hand come to its end.
///
/// # Errors
/// [`CliError::Input`] and [`CliError::NotFound`] for what is not there, [`CliError::Aws`] for a call that failed,
/// [`CliError::LettersStay`] and [`CliError::Stopped`] for work that is not all done.
pub async fn run(args: &DlqArgs) -> Result<(), CliError> {
    run_to(args, &mut io::stdout()).await
}

/// The same, answering to `out`; what a test wants.
///
/// # Errors
/// As [`run`].
pub async fn run_to(args: &DlqArgs, out: &mut impl Write) -> Result<(), CliError> {
    let mut signals = StopSignals::listen()?;
    let (common, wanted) = args.command.common();
    let target = Target::read(&common.target.env_file)?;
    let dlq = Dlq {
        sqs: Client::new(target.sdk()),
        publisher: Publisher::open(target.sdk()),
        queues: queues::of(&target, wanted)?,
        enough: Enough::default(),
    };
    let mut work = std::pin::pin!(dlq.command(&args.command, out));
    tokio::select! {
        outcome = &mut work => return outcome,
        () = signals.asked() => dlq.enough.say(),
    }
    tokio::select! {
        outcome = &mut work => outcome.and(Err(CliError::Stopped)),
        () = signals.asked() => Err(CliError::Stopped),
    }
}

impl Dlq {
    async fn command(&self, command: &DlqCommand, out: &mut impl Write) -> Result<(), CliError> {
        match command {
            DlqCommand::List(args) => look::list(self, args, out).await,
            DlqCommand::Show(args) => look::show(self, args, out).await,
            DlqCommand::Export(args) => look::export(self, args, out).await,
            DlqCommand::Replay(args) => replay::replay(self, args, out).await,
            DlqCommand::Edit(args) => mend::edit(self, args, out).await,
            DlqCommand::Drop(args) => mend::drop_letters(self, args, out).await,
        }
    }
}

/// One answer, with the end of its line.
fn say(out: &mut impl Write, text: &str) -> Result<(), CliError> {
    writeln!(out, "{text}").map_err(|source| CliError::Io {
        what: "the terminal could not be written",
        source,
    })
}
