//! The commands that prove something on a system of their own: demo, bench.

use std::path::PathBuf;

use clap::Args;

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Play on the running system whose `dev` wrote this file
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
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
