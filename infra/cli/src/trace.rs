//! `callboard trace`: the tree of causes of one correlation id.

use std::io::Write;

use crate::api::Api;
use crate::args::TraceArgs;
use crate::error::CliError;
use crate::print::{json_to, text_to};
use crate::target::Target;
use crate::timeline::{self, render};

/// Prints it to standard output.
///
/// # Errors
/// [`CliError::NotFound`] when nothing is known of the id, and those of [`timeline::read`].
pub async fn run(args: &TraceArgs) -> Result<(), CliError> {
    let target = Target::read(&args.target.env_file)?;
    run_on(&target, args, &mut std::io::stdout()).await
}

/// Prints what `target` knows to `out`.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    target: &Target,
    args: &TraceArgs,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let timeline = timeline::read(&Api::of(target)?, &args.correlation_id).await?;
    if args.json {
        return json_to(out, &timeline);
    }
    text_to(out, &render(&timeline.events))?;
    if !timeline.complete {
        text_to(
            out,
            "…and more: a timeline is cut at its first 2,000 commits\n",
        )?;
    }
    Ok(())
}
