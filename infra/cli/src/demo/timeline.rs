//! The timeline of the released slot: everything that followed from one request.

use std::cell::RefCell;
use std::io::Write;

use super::Story;
use super::waitlist::Outcome;
use super::world::{Failed, PATIENCE, Step, eventually};
use crate::timeline::{self, Event, render};

/// What must be in it, and how often: by the last words of the type.
const EXPECTED: [(&str, usize); 6] = [
    ("slot-released", 1),
    ("slot-held", 3),
    ("offer-declined", 1),
    ("slot-filled", 1),
    ("notification-planned", 4),
    ("delivery-succeeded", 4),
];

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
        let last_seen = RefCell::new(Vec::new());
        let whole = eventually(PATIENCE, "the whole timeline", || async {
            let timeline = timeline::read(self.world.api(), correlation_id).await?;
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
    let count = |name: &str| events.iter().filter(|event| event.name() == name).count();
    EXPECTED
        .iter()
        .filter(|(name, wanted)| count(name) != *wanted)
        .map(|(name, wanted)| format!("{} of {wanted} {name}", count(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str) -> Event {
        let event = json!({
            "eventId": name, "type": format!("callboard.waitlist.{name}.v1"), "stream": "slot#1",
            "commit": 1, "index": 0, "time": "2026-01-01T00:00:00Z", "causationId": "x",
            "public": true, "data": {},
        });
        serde_json::from_value(event).expect("an event of a timeline")
    }

    #[test]
    fn what_is_missing_is_counted() {
        let events = [event("slot-released"), event("slot-held")];
        let missing = missing_from(&events);
        assert_eq!(missing[0], "1 of 3 slot-held");
        assert!(!missing.iter().any(|text| text.contains("slot-released")));
    }
}
