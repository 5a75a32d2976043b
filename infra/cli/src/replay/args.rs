//! What may be typed after `callboard replay`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use callboard_contracts::{StreamId, Timestamp, WaitlistId};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use waitlist_projector::kind::View;

use crate::args::{EXIT_CODES, TargetArgs};
use crate::dlq::args::Execute;
use crate::dlq::filter::time;

/// Segments read side by side. A table that was never large has one partition, which gives 3,000
/// read units a second: 12 MB, or some 17,000 commits; eight readers come near it from afar.
const SEGMENTS: u32 = 8;

/// What query-api answers from the journal, and somebody may take for a view.
const NO_VIEWS: [&str; 2] = ["notifications", "timelines"];

/// Options of `replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Which view
    #[arg(long, value_name = "NAME", value_parser = views())]
    pub view: View,

    /// As it was at a time, 2026-01-31T12:00:00Z, or 90m, 2h, 3d ago; shows it, unless --into
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<At>,

    /// Into another table, made if absent, in place of the live one
    #[arg(long, value_name = "TABLE")]
    pub into: Option<String>,

    /// Show only what is of this waitlist
    #[arg(long, value_name = "ID", requires = "at", conflicts_with = "into")]
    pub waitlist: Option<WaitlistId>,

    /// Show only this stream, slot#ID or entry#ID, by reading nothing else
    #[arg(long, value_name = "STREAM", requires = "at", value_parser = stream)]
    #[arg(conflicts_with_all = ["into", "waitlist"])]
    pub stream: Option<StreamId>,

    /// Whether to do it.
    #[command(flatten)]
    pub execute: Execute,

    /// Read at most this many commits and rows per second
    #[arg(long, value_name = "N")]
    pub rate: Option<NonZeroU32>,

    /// Read so many segments side by side
    #[arg(long, value_name = "N", default_value_t = SEGMENTS, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub segments: u32,

    /// Where to keep how far it has come [default: replay-NAME.json beside the env file]
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,

    /// Begin anew, whatever was interrupted
    #[arg(long)]
    pub restart: bool,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,

    /// Which system.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// A moment, and how it was typed: run again, `2h` still means the moment of the first run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The moment.
    pub moment: Timestamp,
    /// As typed.
    pub typed: String,
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let moment = time(text.strip_prefix('-').unwrap_or(text))?;
        Ok(Self {
            moment: Timestamp::from_millis(moment.as_millisecond()),
            typed: text.to_owned(),
        })
    }
}

fn views() -> impl TypedValueParser<Value = View> {
    let known = View::ALL.map(|view| {
        PossibleValue::new(view.name()).help(match view {
            View::Waitlist => "all of the table: boards, candidates, open slots, slots and entries",
            View::Slots => "slots, each by itself, on its board, and among the open ones",
            View::Entries => "entries, each by itself, on its board, and among the candidates",
        })
    });
    let no_views = NO_VIEWS.map(|name| PossibleValue::new(name).hide(true));
    let names = known.into_iter().chain(no_views);
    PossibleValuesParser::new(names.collect::<Vec<_>>()).try_map(|name| {
        let view = View::ALL.into_iter().find(|view| view.name() == name);
        view.ok_or("query-api reads them from the journal itself: there is nothing to rebuild")
    })
}

fn stream(text: &str) -> Result<StreamId, String> {
    StreamId::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// Examples, what a run costs, and the exit codes.
pub(crate) fn help() -> String {
    format!(
        "\
Examples:
  callboard replay --view waitlist                            what differs? exit code 9 if anything
  callboard replay --view waitlist --execute                  puts it right
  callboard replay --view slots --at 2h --waitlist w-physio   the board of slots two hours ago
  callboard replay --view entries --at 2026-01-31T12:00:00Z --stream entry#e-7 --json
  callboard replay --view waitlist --at 1d --into waitlist-yesterday --execute

Costs one read unit per 4 KB of the journal (100,000 commits of 700 bytes: 17,500, some 2 US cents at
most), one or two per row looked at, and two write units per row that is written.

{EXIT_CODES}"
    )
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn typed(more: &[&str]) -> Result<ReplayArgs, String> {
        let typed = ["callboard", "replay"].iter().chain(more);
        match Cli::try_parse_from(typed) {
            Ok(cli) => match cli.command {
                Command::Replay(args) => Ok(args),
                other => panic!("{other:?}"),
            },
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn an_unknown_view_is_answered_with_the_known_ones() {
        let error = typed(&["--view", "boards"]).unwrap_err();
        assert!(error.contains("waitlist, slots, entries]"), "{error}");
        let error = typed(&["--view", "notifications"]).unwrap_err();
        assert!(error.contains("from the journal itself"), "{error}");
    }

    #[test]
    fn a_time_ago_may_have_a_minus_and_is_needed_for_what_is_only_shown() {
        let args = typed(&["--view", "slots", "--at", "-2h", "--waitlist", "w"]).unwrap();
        let plain = typed(&["--view", "slots", "--at", "2h"]).unwrap();
        let apart = plain.at.unwrap().moment.since(args.at.unwrap().moment);
        assert!(apart.as_secs() < 60);
        assert!(typed(&["--view", "slots", "--waitlist", "w"]).is_err());
        assert!(typed(&["--view", "slots", "--at", "soon"]).is_err());
    }
}
