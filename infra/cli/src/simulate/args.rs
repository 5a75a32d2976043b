//! What may be said to `callboard simulate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::with_codes;

pub(crate) fn help() -> String {
    with_codes(
        "  callboard simulate waitlist                      which policy fills most, for a clinic of medium size",
    )
}

fn waitlist_help() -> String {
    with_codes(
        "  callboard simulate waitlist                      a clinic of medium size, by default
  callboard simulate waitlist --print-config > clinic.toml && callboard simulate waitlist --config clinic.toml
  callboard simulate waitlist --preset fast-pass --plot plot.svg
  callboard simulate waitlist --seeds 20 --days 28     closer figures
  callboard simulate waitlist --json | jq .recommendation

A policy is a line of the table: the mean over the seeds, with the 95 % confidence interval where ± is
said. \"Superseded\" are offers that ended because somebody else was faster, \"too late\" are people who
said yes and were refused, \"Jain\" is the evenness of waiting among people of one service and urgency
(1: all waited alike). Invariants I1 to I5 of ARCHITECTURE.md are watched in every simulation: if one
does not hold, the command fails and says the seed.",
    )
}

/// Options of `simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// What is simulated.
    #[command(subcommand)]
    pub what: Simulated,
}

/// What can be simulated.
#[derive(Debug, Clone, Subcommand)]
pub enum Simulated {
    /// Compares policies of a waitlist, and recommends one
    ///
    /// A clinic in virtual time, with people who join, cancel, answer or do not, and the waitlist's
    /// own rules. All policies meet the same weeks and the same people. Needs no running system.
    #[command(after_help = waitlist_help())]
    Waitlist(WaitlistArgs),
}

/// Clinics that are known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Of medium size; its figures are assumptions
    Clinic,
    /// Whose people answer as published of Epic's Fast Pass
    FastPass,
}

/// Options of `simulate waitlist`.
#[derive(Debug, Clone, Args)]
pub struct WaitlistArgs {
    /// The clinic, as TOML; --print-config shows one with every field explained
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,

    /// A clinic that is known by name
    #[arg(long, value_enum, default_value = "clinic")]
    pub preset: Preset,

    /// Print the preset's configuration and do nothing else
    #[arg(long, conflicts_with_all = ["config", "json", "plot"])]
    pub print_config: bool,

    /// First seed, in place of the configuration's; the same seed gives the same table
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Simulations of each policy, with seeds that follow the first
    #[arg(long, value_name = "N")]
    pub seeds: Option<u32>,

    /// Days that are measured
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,

    /// Draw the figures as SVG into this file
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,

    /// Print JSON in place of tables
    #[arg(long)]
    pub json: bool,
}
