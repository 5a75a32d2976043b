//! `callboard simulate`: what a policy would make of a clinic, before it is set.

pub mod args;
pub mod compare;
pub mod config;
mod figures;
mod ledger;
mod plot;
mod story;
mod table;
mod world;

use std::io::{self, Write as _};

use crate::error::CliError;
use crate::print::{json_to, text_to};

use args::{Preset, SimulateArgs, Simulated, WaitlistArgs};
use config::{CLINIC, Config, FAST_PASS};

/// Simulates what was asked for, and prints it.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &SimulateArgs) -> Result<(), CliError> {
    let Simulated::Waitlist(args) = &args.what;
    waitlist(args)
}

fn waitlist(args: &WaitlistArgs) -> Result<(), CliError> {
    let (name, preset) = match args.preset {
        Preset::Clinic => ("preset clinic", CLINIC),
        Preset::FastPass => ("preset fast-pass", FAST_PASS),
    };
    if args.print_config {
        return text_to(&mut io::stdout(), preset);
    }
    let mut config = match &args.config {
        Some(path) => Config::open(path)?,
        None => Config::read(preset, name)?,
    };
    config.seed = args.seed.unwrap_or(config.seed);
    config.seeds = args.seeds.unwrap_or(config.seeds);
    config.days = args.days.unwrap_or(config.days);
    config.check().map_err(CliError::Input)?;
    let (report, seconds) = compare::compare(&config)?;
    if let Some(path) = &args.plot {
        let drawn = std::fs::write(path, plot::draw(&report));
        drawn.map_err(|source| CliError::Unwritable {
            path: path.clone(),
            source,
        })?;
    }
    if args.json {
        json_to(&mut io::stdout(), &report)?;
    } else {
        text_to(&mut io::stdout(), &table::render(&report))?;
    }
    // Not with the answer: the same seed gives the same answer.
    let simulations = config.policies.len() * report.seeds.len();
    let _ = writeln!(
        io::stderr(),
        "{simulations} simulations of {} days, {} of them measured, in {seconds:.1} s: {:.2} s each; I1 to I5 held",
        config.days + config.warm_up_days,
        config.days,
        seconds / simulations as f64
    );
    Ok(())
}
