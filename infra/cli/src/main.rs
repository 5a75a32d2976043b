//! Wiring: logging, arguments, exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use callboard_cli::args::Cli;
use callboard_cli::{CliError, demo};
use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
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

/// Warnings and errors by default; `RUST_LOG` asks for more.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}
