//! `callboard completions`: commands and options for a shell, from the command line's own definition.

use std::io;

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::error::CliError;
use crate::print::text_to;

/// Prints the shell's script to standard output.
///
/// # Errors
/// [`CliError::Io`] when it cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "callboard", &mut script);
    text_to(&mut io::stdout(), &String::from_utf8_lossy(&script))
}
