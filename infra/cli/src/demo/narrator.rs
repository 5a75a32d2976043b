//! Tells the story: numbered steps with their times, indented facts, colours only
//! where a person looks.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::error::CliError;

/// How a piece of text is meant; shown as colour on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Title,
    Good,
    Bad,
    Faint,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Title => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Faint => "\x1b[2m",
        }
    }
}

/// Writes to where it was told, coloured or not.
pub(crate) struct Narrator<W> {
    out: W,
    colours: bool,
    steps: usize,
    step: String,
    begun: Instant,
}

impl Narrator<io::Stdout> {
    /// Standard output, coloured on a terminal.
    pub(crate) fn stdout() -> Self {
        let out = io::stdout();
        let colours = colours_wanted() && out.is_terminal();
        Self::new(out, colours)
    }
}

impl<W: Write> Narrator<W> {
    pub(crate) fn new(out: W, colours: bool) -> Self {
        Self {
            out,
            colours,
            steps: 0,
            step: String::new(),
            begun: Instant::now(),
        }
    }

    /// The title of the step under way, for an error.
    pub(crate) fn current_step(&self) -> &str {
        &self.step
    }

    /// A line on its own.
    pub(crate) fn line(&mut self, tone: Tone, text: &str) -> Result<(), CliError> {
        let painted = self.paint(tone, text);
        self.write(&format!("{painted}\n"))
    }

    /// Opens the next step.
    pub(crate) fn step(&mut self, title: &str) -> Result<(), CliError> {
        self.steps += 1;
        self.step = title.to_owned();
        self.begun = Instant::now();
        let number = self.paint(Tone::Faint, &format!("{:>2}", self.steps));
        let title = self.paint(Tone::Title, title);
        self.write(&format!("\n{number}  {title}\n"))
    }

    /// A fact of the step under way, with the time since the step began.
    pub(crate) fn fact(&mut self, text: &str) -> Result<(), CliError> {
        let mark = self.paint(Tone::Good, "✓");
        let time = self.paint(Tone::Faint, &seconds(self.begun.elapsed()));
        self.write(&format!("    {mark} {text}  {time}\n"))
    }

    /// Something shown that is not a claim: a subject, a row of a table.
    pub(crate) fn detail(&mut self, text: &str) -> Result<(), CliError> {
        let text = self.paint(Tone::Faint, text);
        self.write(&format!("      {text}\n"))
    }

    /// Lines as they are, indented as details.
    pub(crate) fn block(&mut self, text: &str) -> Result<(), CliError> {
        for line in text.lines() {
            self.write(&format!("      {line}\n"))?;
        }
        Ok(())
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colours {
            format!("{}{text}\x1b[0m", tone.code())
        } else {
            text.to_owned()
        }
    }

    fn write(&mut self, text: &str) -> Result<(), CliError> {
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        written.map_err(|source| CliError::Io {
            what: "the terminal could not be written",
            source,
        })
    }
}

/// False if the person wants none anywhere: `NO_COLOR` is set to anything
/// (<https://no-color.org>).
pub fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// `0.12 s`, always in seconds, so that times compare at a glance.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    fn told(colours: bool) -> String {
        let mut out = Vec::new();
        let mut narrator = Narrator::new(&mut out, colours);
        narrator.step("Somebody joins").unwrap();
        narrator.detail("as Anna").unwrap();
        narrator.fact("joined").unwrap();
        assert_eq!(narrator.current_step(), "Somebody joins");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn steps_are_numbered_and_facts_are_timed() {
        let text = told(false);
        assert!(
            text.starts_with("\n 1  Somebody joins\n      as Anna\n    ✓ joined  0.0"),
            "{text}"
        );
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn colours_are_there_if_wanted() {
        assert!(told(true).contains("\x1b[32m✓\x1b[0m"));
    }
}
