//! `callboard bench`: what this machine makes of the system, and what the same work asks of AWS.
//!
//! * [`idle`]: a `callboard dev` of its own, its start and what it takes at rest.
//! * [`load`]: from a command to the e-mail, alone and under load, with journals of several lengths.
//! * [`costs`]: requests and units, exactly, in batches of ten; a test asserts them.
//!
//! Times are this machine's and nobody's promise for AWS; counts are the same everywhere.

pub mod costs;
pub mod idle;
pub mod invocations;
mod journal_reader;
pub mod load;
pub mod meter;
mod orders;
mod prefill;
mod process;
pub mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::args::BenchArgs;
use crate::dev::say;
use crate::error::CliError;

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `dev` or `release`.
    pub profile: &'static str,
    /// Cores that the process could use.
    pub cores: usize,
    /// `callboard dev` at rest; absent if it was not asked for.
    pub idle: Option<idle::Idle>,
    /// By length of the journal.
    pub journals: Vec<load::Measured>,
    /// Without and with the optional index.
    pub costs: Vec<costs::BatchCosts>,
    /// What keeps the figures from being better, in sentences.
    pub bounds: Vec<String>,
}

/// Measures and prints.
///
/// # Errors
/// [`CliError`] when something cannot be started or gets lost on the way.
pub async fn run(args: &BenchArgs) -> Result<(), CliError> {
    let report = measure(args).await?;
    if args.json {
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| CliError::Bench(error.to_string()))?;
        return say(&format!("{json}\n"));
    }
    say(&table::render(&report))
}

async fn measure(args: &BenchArgs) -> Result<Report, CliError> {
    // First what needs a quiet machine.
    let program = std::env::current_exe().map_err(|source| CliError::Io {
        what: "the program's own file cannot be found",
        source,
    })?;
    note(args, "watching an idle `callboard dev` …");
    let idle = idle::measure(&program).await?;
    let mut journals = Vec::new();
    for commits in &args.journal_sizes {
        note(args, &format!("a journal of {commits} commits …"));
        journals.push(load::measure(*commits, args.events).await?);
    }
    note(args, "counting requests and units …");
    let costs = vec![
        costs::batch_of_ten(false).await?,
        costs::batch_of_ten(true).await?,
    ];
    let cores = process::cores();
    Ok(Report {
        profile: process::profile(),
        cores,
        idle: Some(idle),
        bounds: bounds(cores, &journals),
        journals,
        costs,
    })
}

/// Progress, for who waits at a terminal; never among the figures.
fn note(args: &BenchArgs, what: &str) {
    let mut terminal = io::stderr();
    if !args.json && terminal.is_terminal() {
        // If it is gone there is nobody who waits.
        let _ = writeln!(terminal, "{what}");
    }
}

/// What the figures themselves tell, and what profiling has shown of where the time goes.
fn bounds(cores: usize, journals: &[load::Measured]) -> Vec<String> {
    let mut bounds = Vec::new();
    let busiest = journals
        .iter()
        .filter_map(|journal| journal.load.cores_busy)
        .fold(0.0, f64::max);
    if busiest > 0.0 {
        bounds.push(format!(
            "Load: CPU; {busiest:.1} of {cores} cores were busy with producers, engine, functions and mailbox in"
        ));
        bounds.push(
            "one process (fewer than there are: other processes had the rest). No disk.".to_owned(),
        );
    }
    let known = [
        "A profile of it is flat: no function has more than 6 %. Most is what an AWS SDK call is made of",
        "(JSON both ways, signing, copies, allocation), on both sides of the wire; the rest is SQLite.",
        "Light load: three hops (journal, topic and queue, queue), none of which polls by a timer: an",
        "empty read waits until something is written. On AWS the stream's poll alone takes longer.",
    ];
    bounds.extend(known.map(str::to_owned));
    if let [first, .., last] = journals {
        let per_event = |journal: &load::Measured| journal.load.cpu_ms_per_event;
        let rate = last.load.journal_events_per_second / first.load.journal_events_per_second;
        bounds.push(format!(
            "Length: with {} commits in the journal {:.0} % of the rate with {}{}.",
            last.journal_commits,
            rate * 100.0,
            first.journal_commits,
            match per_event(last).zip(per_event(first)) {
                Some((last, first)) => {
                    format!(", and {:.0} % of the CPU per event", last / first * 100.0)
                }
                None => String::new(),
            }
        ));
    }
    bounds
}
