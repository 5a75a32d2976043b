//! The command `callboard`: run the whole of it on a laptop, look inside it, and mend
//! it.
//!
//! * [`system`] puts engine, mailbox, functions and HTTP API together in one process;
//!   tests use it as the commands do.
//! * [`dev`], [`demo`], [`mod@bench`], [`engine`] and [`mailbox`] are the commands that run
//!   something; [`publish`], [`trace`], [`explain`] and [`lag`] look at a system that runs anywhere,
//!   by its [`target`] and [`api`]; [`mod@dlq`] mends one by its queues, [`mod@replay`] by its journal; [`mod@args`] is what may
//!   be typed, which [`completions`] tells a shell.
//!
//! Nothing here knows how a slot is offered or a mail is planned: `demo` sees the
//! system from outside, `dev` shows what its journal says, [`mod@simulate`] asks the rules themselves.

pub mod api;
pub mod args;
pub mod bench;
pub mod client;
pub mod completions;
pub mod demo;
pub mod dev;
pub mod dlq;
pub mod engine;
pub mod env_file;
mod env_files;
mod error;
pub mod explain;
pub mod lag;
mod link_keys;
mod live;
pub mod mailbox;
pub mod ports;
mod print;
pub mod publish;
pub mod replay;
mod servers;
pub mod services;
mod signals;
pub mod simulate;
mod state;
pub mod system;
pub mod target;
pub mod timeline;
pub mod trace;

pub use error::CliError;

use args::{Cli, Command};

/// Runs a command to its end.
///
/// # Errors
/// [`CliError`], with a sentence for the terminal and an exit code.
pub async fn run(cli: &Cli) -> Result<(), CliError> {
    match &cli.command {
        Command::Dev(args) => dev::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Engine(args) => engine::run(args).await,
        Command::Mailbox(args) => mailbox::run(args).await,
        Command::Publish(args) => publish::run(args).await,
        Command::Trace(args) => trace::run(args).await,
        Command::Completions(args) => completions::run(args),
        Command::Lag(args) => lag::run(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Dlq(args) => dlq::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Simulate(args) => simulate::run(args),
    }
}
