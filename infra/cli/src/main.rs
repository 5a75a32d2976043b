//! Wiring: logging, arguments, exit code.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use callboard_cli::args::{Cli, Command};
use callboard_cli::{CliError, demo};
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// After how many tasks a busy worker looks for what has arrived on sockets. Tokio's 61 suits
/// tasks of a few microseconds; an AWS call in process takes up to a millisecond, so that a
/// conversation like SMTP's would wait 30 ms and more for every line while there is load. One
/// costs a microsecond.
const EVENT_INTERVAL: u32 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The demo sends poison on purpose and shows what became of it itself.
    log_to_stderr(if matches!(cli.command, Command::Demo(_)) {
        "error"
    } else {
        "warn"
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(callboard_cli::run(&cli)),
        Err(source) => Err(CliError::Io {
            what: "the runtime cannot be started",
            source,
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if demo::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // If even standard error is gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "callboard: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// From `usual` upwards; `RUST_LOG` asks for more or less.
fn log_to_stderr(usual: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(demo::colours_wanted() && io::stderr().is_terminal())
        .init();
}
