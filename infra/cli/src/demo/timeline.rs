//! The timeline of the released slot: everything that followed from one request, as
//! a tree of causes with times.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use jiff::Timestamp;
use serde::Deserialize;

use super::Story;
use super::waitlist::Outcome;
use super::world::{Failed, PATIENCE, Step, eventually};

/// What must be in it, and how often: by the last words of the type.
const EXPECTED: [(&str, usize); 6] = [
    ("slot-released", 1),
    ("slot-held", 3),
    ("offer-declined", 1),
    ("slot-filled", 1),
    ("notification-planned", 4),
    ("delivery-succeeded", 4),
];

/// `GET /v1/timelines/{correlation id}`.
#[derive(Debug, Deserialize)]
struct Timeline {
    events: Vec<Event>,
}

/// One event of it; what else the answer holds is not needed here.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_id: String,
    #[serde(rename = "type")]
    event_type: String,
    stream: String,
    time: Timestamp,
    causation_id: String,
}

impl<W: Write> Story<W> {
    /// Waits until the timeline is whole, and prints it.
    pub(crate) async fn timeline(&mut self, waitlist: &Outcome) -> Step<()> {
        self.narrator
            .step("The timeline of the correlation id tells why")?;
        let events = self.whole_timeline(&waitlist.correlation_id).await?;
        self.narrator.block(&render(&events))?;
        let count = events.len();
        Ok(self
            .narrator
            .fact(&format!("{count} events from one cause"))?)
    }

    /// The last mail's outcome may be committed a moment after the mail is there.
    async fn whole_timeline(&self, correlation_id: &str) -> Step<Vec<Event>> {
        let path = format!("/v1/timelines/{correlation_id}");
        let last_seen = RefCell::new(Vec::new());
        let whole = eventually(PATIENCE, "the whole timeline", || async {
            let timeline: Timeline = serde_json::from_value(self.world.read(&path).await?)
                .map_err(|error| Failed(format!("the timeline cannot be read: {error}")))?;
            let missing = missing_from(&timeline.events);
            let is_whole = missing.is_empty();
            last_seen.replace(missing);
            Ok(is_whole.then_some(timeline.events))
        })
        .await;
        whole.map_err(|failed| {
            let missing = last_seen.take().join(", ");
            Failed(format!("{}: {missing}", failed.0))
        })
    }
}

/// `2 of 4 delivery-succeeded` for whatever is not there as often as it should be.
fn missing_from(events: &[Event]) -> Vec<String> {
    let count = |name: &str| {
        events
            .iter()
            .filter(|event| short(&event.event_type) == name)
            .count()
    };
    EXPECTED
        .iter()
        .filter(|(name, wanted)| count(name) != *wanted)
        .map(|(name, wanted)| format!("{} of {wanted} {name}", count(name)))
        .collect()
}

/// The events as a tree of causes, each with the time since the first. What was not
/// caused by an event came by a command (a request, a timer), which stands above it.
fn render(events: &[Event]) -> String {
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
        let name = format!("{own}{}", short(&event.event_type));
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
fn ending(id: &str) -> String {
    const SHOWN: usize = 8;
    match id.char_indices().rev().nth(SHOWN - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &id[start..]),
        _ => id.to_owned(),
    }
}

/// `slot-released` of `callboard.waitlist.slot-released.v1`.
fn short(event_type: &str) -> &str {
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
            time: Timestamp::from_millisecond(1_000_000 + millis).unwrap(),
            causation_id: cause.to_owned(),
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

    #[test]
    fn what_is_missing_is_counted() {
        let events = [
            event("a", "x", "slot-released", 0),
            event("b", "x", "slot-held", 1),
        ];
        let missing = missing_from(&events);
        assert_eq!(missing[0], "1 of 3 slot-held");
        assert!(!missing.iter().any(|text| text.contains("slot-released")));
    }
}
