//! Tells the story: numbered steps with their times, indented facts, colours only
//! where a person looks; or a line of JSON per step, where a program does.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::CliError;
use crate::print::json_line_to;

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

/// For whom the story is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A person, who sees colours or not.
    Person { colours: bool },
    /// A program.
    Program,
}

/// One step, for a program.
#[derive(Debug, Default, Serialize)]
struct Told {
    step: usize,
    title: String,
    ok: bool,
    seconds: f64,
    facts: Vec<Fact>,
    details: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Fact {
    fact: String,
    /// Since the step began.
    seconds: f64,
}

/// The whole story, for a program.
#[derive(Debug, Serialize)]
struct End {
    ok: bool,
    steps: usize,
    seconds: f64,
}

/// Writes to where it was told, for whom it was told.
pub(crate) struct Narrator<W> {
    out: W,
    audience: Audience,
    step: Told,
    begun: Instant,
}

impl Narrator<io::Stdout> {
    /// Standard output, coloured on a terminal.
    pub(crate) fn stdout(json: bool) -> Self {
        let out = io::stdout();
        let colours = colours_wanted() && out.is_terminal();
        let audience = match json {
            true => Audience::Program,
            false => Audience::Person { colours },
        };
        Self::new(out, audience)
    }
}

impl<W: Write> Narrator<W> {
    pub(crate) fn new(out: W, audience: Audience) -> Self {
        Self {
            out,
            audience,
            step: Told::default(),
            begun: Instant::now(),
        }
    }

    /// The title of the step under way, for an error.
    pub(crate) fn current_step(&self) -> &str {
        &self.step.title
    }

    fn is_for_program(&self) -> bool {
        self.audience == Audience::Program
    }

    /// A line on its own, for a person alone.
    pub(crate) fn line(&mut self, tone: Tone, text: &str) -> Result<(), CliError> {
        if self.is_for_program() {
            return Ok(());
        }
        let painted = self.paint(tone, text);
        self.write(&format!("{painted}\n"))
    }

    /// Opens the next step.
    pub(crate) fn step(&mut self, title: &str) -> Result<(), CliError> {
        self.step_ended(None)?;
        self.step = Told {
            step: self.step.step + 1,
            title: title.to_owned(),
            ..Told::default()
        };
        self.begun = Instant::now();
        if self.is_for_program() {
            return Ok(());
        }
        let number = self.paint(Tone::Faint, &format!("{:>2}", self.step.step));
        let title = self.paint(Tone::Title, title);
        self.write(&format!("\n{number}  {title}\n"))
    }

    /// A fact of the step under way, with the time since the step began.
    pub(crate) fn fact(&mut self, text: &str) -> Result<(), CliError> {
        if self.is_for_program() {
            self.step.facts.push(Fact {
                fact: text.to_owned(),
                seconds: self.begun.elapsed().as_secs_f64(),
            });
            return Ok(());
        }
        let mark = self.paint(Tone::Good, "✓");
        let time = self.paint(Tone::Faint, &seconds(self.begun.elapsed()));
        self.write(&format!("    {mark} {text}  {time}\n"))
    }

    /// Something shown that is not a claim: a subject, a row of a table.
    pub(crate) fn detail(&mut self, text: &str) -> Result<(), CliError> {
        if self.is_for_program() {
            self.step.details.push(text.to_owned());
            return Ok(());
        }
        let text = self.paint(Tone::Faint, text);
        self.write(&format!("      {text}\n"))
    }

    /// Lines as they are, indented as details.
    pub(crate) fn block(&mut self, text: &str) -> Result<(), CliError> {
        for line in text.lines() {
            if self.is_for_program() {
                self.step.details.push(line.to_owned());
                continue;
            }
            self.write(&format!("      {line}\n"))?;
        }
        Ok(())
    }

    /// The end of the whole story, for whoever hears it, after `took`.
    pub(crate) fn end(&mut self, failed: Option<&str>, took: Duration) -> Result<(), CliError> {
        self.step_ended(failed)?;
        match (self.is_for_program(), failed) {
            (true, _) => {
                let end = End {
                    ok: failed.is_none(),
                    steps: self.step.step,
                    seconds: took.as_secs_f64(),
                };
                json_line_to(&mut self.out, &end)
            }
            (false, Some(reason)) => self.line(Tone::Bad, &format!("    ✗ {reason}")),
            (false, None) => {
                let text = format!("\nAll of it happened, in {}.", seconds(took));
                self.line(Tone::Good, &text)
            }
        }
    }

    fn step_ended(&mut self, failed: Option<&str>) -> Result<(), CliError> {
        if !self.is_for_program() || self.step.step == 0 {
            return Ok(());
        }
        self.step.ok = failed.is_none();
        self.step.reason = failed.map(str::to_owned);
        self.step.seconds = self.begun.elapsed().as_secs_f64();
        json_line_to(&mut self.out, &self.step)
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if self.audience == (Audience::Person { colours: true }) {
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
        let mut narrator = Narrator::new(&mut out, Audience::Person { colours });
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
    fn a_program_hears_a_line_of_json_per_step_and_one_at_the_end() {
        let mut out = Vec::new();
        let mut narrator = Narrator::new(&mut out, Audience::Program);
        narrator.line(Tone::Title, "for persons").unwrap();
        narrator.step("Somebody joins").unwrap();
        narrator.detail("as Anna").unwrap();
        narrator.fact("joined").unwrap();
        narrator.step("Somebody leaves").unwrap();
        let took = Duration::from_secs(2);
        narrator.end(Some("she stayed"), took).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0]["title"], "Somebody joins");
        assert_eq!(lines[0]["ok"], true);
        assert_eq!(lines[0]["details"][0], "as Anna");
        assert_eq!(lines[0]["facts"][0]["fact"], "joined");
        assert_eq!(lines[1]["reason"], "she stayed");
        let end = serde_json::json!({ "ok": false, "steps": 2, "seconds": 2.0 });
        assert_eq!(lines[2], end);
    }

    #[test]
    fn colours_are_there_if_wanted() {
        assert!(told(true).contains("\x1b[32m✓\x1b[0m"));
    }
}
