//! `callboard explain`: why an event happened and what it led to, in plain sentences.

mod search;
mod sentence;

use std::collections::HashSet;
use std::io::Write;

use callboard_runtime::journal::Journal;
use serde::Serialize;

use crate::api::Api;
use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::print::{json_to, text_to};
use crate::target::Target;
use crate::timeline::{self, Event, ending};
use search::Found;
pub(crate) use search::reference;
use sentence::sentence;

/// What is known of one event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained<'t> {
    correlation_id: &'t str,
    event: Said<'t>,
    /// From its own cause up to the first that was an event.
    because_of: Vec<Said<'t>>,
    /// The command (a request or a timer) that began it all, or another system's event.
    began_with: &'t str,
    /// Whether it was another system's event.
    from_outside: bool,
    /// What followed, each after its cause; `depth` 1 followed from the event itself.
    led_to: Vec<Said<'t>>,
    /// Whether nothing was left out.
    complete: bool,
}

/// One event and its sentence.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'t> {
    event_id: &'t str,
    #[serde(rename = "type")]
    event_type: &'t str,
    stream: &'t str,
    commit: u64,
    time: jiff::Timestamp,
    /// After the explained event, in seconds; negative before it.
    after_s: f64,
    depth: usize,
    public: bool,
    sentence: String,
}

/// Explains an event to standard output.
///
/// # Errors
/// [`CliError::NotFound`] when there is no such event, [`CliError::Refused`] when journal or
/// timeline are not to be read.
pub async fn run(args: &ExplainArgs) -> Result<(), CliError> {
    let target = Target::read(&args.target.env_file)?;
    run_on(&target, args, &mut std::io::stdout()).await
}

/// Explains an event of `target` to `out`.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    target: &Target,
    args: &ExplainArgs,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let api = Api::of(target)?;
    let found = match &args.correlation_id {
        Some(correlation_id) => Some(Found {
            event_id: args.event.clone(),
            correlation_id: correlation_id.clone(),
        }),
        None => {
            let journal = Journal::open(target.sdk(), target.wanted("CALLBOARD_JOURNAL_TABLE")?);
            search::find(&journal, args).await?
        }
    };
    let found = found.ok_or_else(|| no_such(&args.event))?;
    let timeline = timeline::read(&api, &found.correlation_id).await?;
    let known = timeline
        .events
        .iter()
        .find(|it| it.event_id == found.event_id);
    let event = known.ok_or_else(|| no_such(&args.event))?;
    let first = first_of(event, &timeline.events);
    let explained = Explained {
        correlation_id: &timeline.correlation_id,
        event: said(event, event, 0, &timeline.events),
        because_of: causes(event, &timeline.events),
        began_with: &first.causation_id,
        from_outside: first.kind() == "event",
        led_to: effects(event, &timeline.events),
        complete: timeline.complete,
    };
    match args.json {
        true => json_to(out, &explained),
        false => text_to(out, &explained.text()),
    }
}

fn no_such(event: &str) -> CliError {
    CliError::NotFound(format!("nothing is known of an event {event} (yet)"))
}

fn said<'t>(event: &'t Event, explained: &Event, depth: usize, all: &[Event]) -> Said<'t> {
    Said {
        event_id: &event.event_id,
        event_type: &event.event_type,
        stream: &event.stream,
        commit: event.commit,
        time: event.time,
        after_s: event.time.duration_since(explained.time).as_secs_f64(),
        depth,
        public: event.public,
        sentence: sentence(event, all),
    }
}

/// The event's causes that are events themselves, its own first. Causes that point at each other
/// are passed once.
fn ancestors<'t>(event: &'t Event, all: &'t [Event]) -> Vec<&'t Event> {
    let mut passed = HashSet::from([event.event_id.as_str()]);
    let mut found = Vec::new();
    let mut at = event;
    while let Some(cause) = all.iter().find(|it| it.event_id == at.causation_id) {
        if !passed.insert(&cause.event_id) {
            break;
        }
        found.push(cause);
        at = cause;
    }
    found
}

fn causes<'t>(event: &'t Event, all: &'t [Event]) -> Vec<Said<'t>> {
    let causes = ancestors(event, all).into_iter().enumerate();
    causes
        .map(|(index, cause)| said(cause, event, index + 1, all))
        .collect()
}

/// The event that no known event led to.
fn first_of<'t>(event: &'t Event, all: &'t [Event]) -> &'t Event {
    ancestors(event, all).pop().unwrap_or(event)
}

fn effects<'t>(event: &'t Event, all: &'t [Event]) -> Vec<Said<'t>> {
    let mut passed = HashSet::from([event.event_id.as_str()]);
    let mut found = Vec::new();
    // Depth first, earlier effects first: the last pushed is taken next.
    let mut open = vec![(event, 0)];
    while let Some((cause, depth)) = open.pop() {
        if depth > 0 {
            found.push(said(cause, event, depth, all));
        }
        let effects = all.iter().filter(|it| it.causation_id == cause.event_id);
        let mut effects: Vec<_> = effects.filter(|it| passed.insert(&it.event_id)).collect();
        effects.reverse();
        open.extend(effects.into_iter().map(|effect| (effect, depth + 1)));
    }
    found
}

impl Explained<'_> {
    fn text(&self) -> String {
        let event = &self.event;
        let mut text = format!(
            "{} ({}@{}, {})\n{}\n\nWhy\n",
            event.event_type, event.stream, event.commit, event.time, event.sentence
        );
        for cause in &self.because_of {
            text.push_str(&line(cause, 1));
        }
        text.push_str(&match self.from_outside {
            true => format!("  It came from outside as {}.\n", self.began_with),
            false => format!("  It began with the command {}.\n", ending(self.began_with)),
        });
        text.push_str("\nWhat it led to\n");
        for effect in &self.led_to {
            text.push_str(&line(effect, effect.depth));
        }
        if self.led_to.is_empty() {
            text.push_str(match event.public {
                true => "  Nothing so far: no consumer acts on it, or it is still on its way.\n",
                false => "  Nothing: it is internal and is not published.\n",
            });
        }
        if !self.complete {
            text.push_str("  …and more: a timeline is cut at its first 2,000 commits\n");
        }
        text
    }
}

fn line(said: &Said<'_>, depth: usize) -> String {
    format!(
        "{:>+9.3} s {}{}\n",
        said.after_s,
        "  ".repeat(depth),
        said.sentence
    )
}
