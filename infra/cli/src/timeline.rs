//! All that followed from one first cause, as `GET /v1/timelines/{correlation id}` has it, and as a
//! tree of causes with times.

use std::collections::{BTreeMap, HashSet};

use callboard_runtime::http::is_safe_correlation_id;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{Api, described};
use crate::error::CliError;

/// What is known of one correlation id.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The id that all of it shares.
    pub correlation_id: String,
    /// In the order of their times.
    pub events: Vec<Event>,
    /// Whether these are all; a timeline is cut after some thousand commits.
    pub complete: bool,
}

/// One event as the journal holds it: ids, no personal data.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its id, as in its envelope.
    pub event_id: String,
    /// Full type with version.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its stream, `slot#…`.
    pub stream: String,
    /// Its commit's number in the stream, from 1.
    pub commit: u64,
    /// Its index in the commit, from 0.
    pub index: u32,
    /// When it was decided.
    pub time: Timestamp,
    /// Id of the event or command that led to it.
    pub causation_id: String,
    /// Whether the relay publishes it.
    pub public: bool,
    /// What happened.
    pub data: Value,
}

impl Event {
    /// `slot-released` of `callboard.waitlist.slot-released.v1`.
    pub fn name(&self) -> &str {
        short(&self.event_type)
    }

    /// `slot` of `slot#…`.
    pub fn kind(&self) -> &str {
        self.stream.split('#').next().unwrap_or_default()
    }
}

/// What the system knows of a correlation id, if anything.
///
/// # Errors
/// [`CliError::Input`] for a text that is no such id, [`CliError::Silent`] when no answer came,
/// [`CliError::Refused`] for any answer that is no timeline.
pub async fn find(api: &Api, correlation_id: &str) -> Result<Option<Timeline>, CliError> {
    if !is_safe_correlation_id(correlation_id) {
        return Err(CliError::Input(
            "a correlation id has 1 to 64 letters, digits and . _ ~ : @ -".to_owned(),
        ));
    }
    let answer = api.get(&format!("/v1/timelines/{correlation_id}")).await?;
    match answer.status {
        StatusCode::OK => serde_json::from_slice(&answer.body)
            .map(Some)
            .map_err(|error| CliError::Refused(format!("the timeline cannot be read: {error}"))),
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(CliError::Refused(format!(
            "the timeline was refused with {}: {}",
            status.as_u16(),
            described(&answer)
        ))),
    }
}

/// As [`find`], where nothing known is a failure.
///
/// # Errors
/// [`CliError::NotFound`], and those of [`find`].
pub async fn read(api: &Api, correlation_id: &str) -> Result<Timeline, CliError> {
    find(api, correlation_id).await?.ok_or_else(|| {
        CliError::NotFound(format!(
            "nothing is known of the correlation id {correlation_id} (yet)"
        ))
    })
}

/// The events as a tree of causes, each with the time since the first. What was not
/// caused by an event came by a command (a request, a timer), which stands above it.
pub fn render(events: &[Event]) -> String {
    let mut sorted: Vec<&Event> = events.iter().collect();
    // Of one transaction the slot's part comes first, for it tells the story.
    sorted.sort_by_key(|event| (event.time, !event.stream.starts_with("slot#")));
    let known: HashSet<&str> = sorted.iter().map(|event| event.event_id.as_str()).collect();
    let mut children: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let mut commands: Vec<&str> = Vec::new();
    for event in &sorted {
        let cause = event.causation_id.as_str();
        children.entry(cause).or_default().push(event);
        if !known.contains(cause) && !commands.contains(&cause) {
            commands.push(cause);
        }
    }
    let mut tree = Tree {
        children,
        begun: sorted.first().map(|event| event.time),
        shown: HashSet::new(),
        text: String::new(),
    };
    for command in commands {
        tree.text
            .push_str(&format!("{:>10}  command {}\n", "", ending(command)));
        tree.show_children(command, "");
    }
    // Causes that point at each other follow from no command; they are shown as well.
    for event in sorted {
        tree.show(event, "", "");
    }
    tree.text
}

struct Tree<'e> {
    children: BTreeMap<&'e str, Vec<&'e Event>>,
    begun: Option<Timestamp>,
    shown: HashSet<&'e str>,
    text: String,
}

impl<'e> Tree<'e> {
    /// One event and what it led to; `own` stands before it, `below` before those.
    fn show(&mut self, event: &'e Event, own: &str, below: &str) {
        if !self.shown.insert(event.event_id.as_str()) {
            return;
        }
        let begun = self.begun.unwrap_or(event.time);
        let since = event.time.duration_since(begun).as_secs_f64();
        let name = format!("{own}{}", event.name());
        let (kind, id) = event.stream.split_once('#').unwrap_or(("", &event.stream));
        let line = format!("{since:>+8.3} s  {name:<36} {kind} {}\n", ending(id));
        self.text.push_str(&line);
        self.show_children(event.event_id.as_str(), below);
    }

    fn show_children(&mut self, cause: &str, below: &str) {
        let children = self.children.remove(cause).unwrap_or_default();
        let count = children.len();
        for (index, child) in children.into_iter().enumerate() {
            let last = index + 1 == count;
            let own = format!("{below}{}", if last { "└─ " } else { "├─ " });
            let below = format!("{below}{}", if last { "   " } else { "│  " });
            self.show(child, &own, &below);
        }
    }
}

/// The last characters of a long id: enough to tell ids of one run apart.
pub fn ending(id: &str) -> String {
    const SHOWN: usize = 8;
    match id.char_indices().rev().nth(SHOWN - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &id[start..]),
        _ => id.to_owned(),
    }
}

/// `slot-released` of `callboard.waitlist.slot-released.v1`.
pub fn short(event_type: &str) -> &str {
    let name = event_type
        .rsplit_once('.')
        .map_or(event_type, |(name, _version)| name);
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    fn event(id: &str, cause: &str, name: &str, millis: i64) -> Event {
        Event {
            event_id: id.to_owned(),
            event_type: format!("callboard.waitlist.{name}.v1"),
            stream: "slot#1".to_owned(),
            commit: 1,
            index: 0,
            time: Timestamp::from_millisecond(1_000_000 + millis).unwrap(),
            causation_id: cause.to_owned(),
            public: true,
            data: Value::Null,
        }
    }

    #[test]
    fn causes_stand_above_what_they_led_to() {
        let events = [
            event("c", "a", "slot-held", 20),
            event("d", "c", "notification-planned", 30),
            event("e", "a", "offer-made", 21),
            event("a", "request", "slot-released", 0),
        ];
        let text = render(&events);
        let names: Vec<&str> = text.lines().map(|line| line[12..].trim_end()).collect();
        assert_eq!(names[0], "command request");
        let names: Vec<&str> = names[1..]
            .iter()
            .map(|line| line.trim_end_matches(" slot 1").trim_end())
            .collect();
        assert_eq!(
            names,
            [
                "└─ slot-released",
                "   ├─ slot-held",
                "   │  └─ notification-planned",
                "   └─ offer-made"
            ]
        );
        assert!(text.contains("+0.020 s  "), "{text}");
        assert_eq!(ending("01a1fcd8e24175d08d7d31e1ab5c354c"), "…ab5c354c");
    }

    #[test]
    fn causes_in_a_circle_are_shown_once_each() {
        let events = [
            event("a", "b", "one", 0),
            event("b", "a", "two", 1),
            event("c", "c", "three", 2),
        ];
        assert_eq!(render(&events).lines().count(), 3);
    }
}
