//! The commands that prove something on a system of their own: demo, bench.

use std::path::PathBuf;

use clap::Args;

use super::with_codes;

pub(super) fn demo_help() -> String {
    with_codes(
        "  callboard demo                                   on a system of its own, some ten seconds
  callboard demo --env-file .callboard/env         on the one that `callboard dev` runs
  callboard demo --env-file stack.env              on a deployed stack that may send to a mailbox
  callboard demo --json | jq 'select(.ok == false)'

With --json standard output has one JSON object per line: each step's as it ends (step, title, ok,
seconds, facts, details; reason if it failed), then the whole story's (ok, steps, seconds).",
    )
}

pub(super) fn bench_help() -> String {
    with_codes(
        "  callboard bench                                  tables; some minutes
  callboard bench --json > today.json
  callboard bench --events 500 --journal-sizes 1000    a short one",
    )
}

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Play on the running system whose `dev` wrote this file
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,

    /// Print JSON lines in place of the story: one per step, and one at the end
    #[arg(long)]
    pub json: bool,
}

/// Options of `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Print JSON in place of tables
    #[arg(long)]
    pub json: bool,

    /// Orders posted under load; each is four journal events
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = positive)]
    pub events: usize,

    /// Commits in the journal before each measurement, as a list
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_values_t = [1_000, 100_000]
    )]
    pub journal_sizes: Vec<usize>,
}

/// A rate needs something to count.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a number above zero".to_owned()),
    }
}
