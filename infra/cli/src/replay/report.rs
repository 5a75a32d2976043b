//! What a rebuild found and did, for a person or for a script.

use std::io::Write;

use callboard_contracts::{StreamId, Timestamp};
use serde::Serialize;

use super::checkpoint::State;
use crate::error::CliError;
use crate::print::{json_to, text_to};

/// How many streams are named one by one on a terminal; JSON names all.
const NAMED_MAX: usize = 10;

/// What a rebuild found and did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    pub(crate) view: &'a str,
    pub(crate) table: &'a str,
    pub(crate) dry_run: bool,
    /// Whether the table was made, or would be.
    pub(crate) made: bool,
    pub(crate) at: Option<Timestamp>,
    /// Commits read, of whichever stream.
    commits: u64,
    streams: u64,
    differ: u64,
    on_their_way: u64,
    rows_wrong: u64,
    rows_stale: u64,
    rows_unknown: u64,
    unreadable: Vec<Unreadable>,
    read_units: f64,
    seconds: f64,
    commits_per_second: f64,
    resumed: u32,
}

#[derive(Debug, Clone, Serialize)]
struct Unreadable {
    stream: StreamId,
    why: String,
}

impl<'a> Report<'a> {
    pub(crate) fn of(view: &'a str, table: &'a str, state: State) -> Self {
        let tally = state.tally;
        let unreadable = tally.unreadable.into_iter();
        Self {
            view,
            table,
            dry_run: false,
            made: false,
            at: state.until,
            commits: state.commits,
            streams: tally.streams,
            differ: tally.differ,
            on_their_way: tally.on_their_way,
            rows_wrong: tally.rows_wrong,
            rows_stale: tally.rows_stale,
            rows_unknown: tally.rows_unknown,
            unreadable: unreadable
                .map(|(stream, why)| Unreadable { stream, why })
                .collect(),
            read_units: state.read_units,
            seconds: state.seconds,
            commits_per_second: state.commits as f64 / state.seconds.max(0.001),
            resumed: state.resumed,
        }
    }

    pub(crate) fn tell(&self, as_json: bool, out: &mut impl Write) -> Result<(), CliError> {
        match as_json {
            true => json_to(out, self),
            false => text_to(out, &self.text()),
        }
    }

    /// What the run means, where it came to its end.
    ///
    /// # Errors
    /// [`CliError::Differs`] for a look that found something, [`CliError::Refused`] for streams
    /// that cannot be read.
    pub(crate) fn verdict(&self) -> Result<(), CliError> {
        match self.unreadable.len() {
            0 if self.dry_run && self.differs() => Err(CliError::Differs),
            0 => Ok(()),
            streams => Err(CliError::Refused(format!(
                "{streams} streams cannot be read, and their rows stay as they are"
            ))),
        }
    }

    const fn differs(&self) -> bool {
        self.rows_wrong + self.rows_stale > 0
    }

    fn text(&self) -> String {
        let Self { view, table, .. } = self;
        let mut text = format!(
            "{} commits read, {} streams of {view} folded; {:.0} commits per second, {:.0} read units\n",
            self.commits, self.streams, self.commits_per_second, self.read_units,
        );
        if let Some(at) = self.at {
            text.push_str(&format!("as of {at}\n"));
        }
        if self.resumed > 0 {
            text.push_str(&format!(
                "went on after an interrupt ({} in all)\n",
                self.resumed
            ));
        }
        if self.on_their_way > 0 {
            let streams = self.on_their_way;
            text.push_str(&format!(
                "{streams} streams have commits of the last minute on their way to the projector; not judged\n"
            ));
        }
        if self.rows_unknown > 0 {
            let rows = self.rows_unknown;
            text.push_str(&format!(
                "{rows} rows of {table} are no view's of this version; left\n"
            ));
        }
        for Unreadable { stream, why } in self.unreadable.iter().take(NAMED_MAX) {
            text.push_str(&format!("  cannot be read: {stream}: {why}\n"));
        }
        if let more @ 1.. = self.unreadable.len().saturating_sub(NAMED_MAX) {
            text.push_str(&format!(
                "  cannot be read: {more} more (--json names all)\n"
            ));
        }
        if self.made {
            let made = if self.dry_run {
                "would be made"
            } else {
                "was made"
            };
            text.push_str(&format!("{table} {made}\n"));
        }
        text.push_str(&self.last_line());
        text
    }

    fn last_line(&self) -> String {
        let Self {
            table,
            differ,
            rows_wrong,
            rows_stale,
            ..
        } = self;
        let counts = format!(
            "{rows_wrong} rows of {differ} streams, and {rows_stale} that should not stand there"
        );
        match (self.dry_run, self.differs()) {
            (_, false) => format!("{table} is what the journal says\n"),
            (true, true) => {
                format!("{table} differs: {counts}; nothing was changed, --execute puts it right\n")
            }
            (false, true) => format!("{table} was put right: {counts}\n"),
        }
    }
}
