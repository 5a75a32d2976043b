//! The appointment that a notification is about, as a file for the person's calendar.

use callboard_contracts::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::calendar::{Event, Method, Organizer, Status, joined, message};

/// Where an event's data tell of an appointment: JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Appointment {
    /// What its name in every calendar is made of; a text or a whole number each.
    pub uid: Vec<String>,
    /// When it starts.
    pub starts: String,
    /// When it ends.
    pub ends: String,
    /// What it is.
    pub summary: String,
    /// Where it is; it may be missing.
    #[serde(default)]
    pub location: Option<String>,
}

impl Appointment {
    /// The pointers, with their places in the definition.
    pub(super) fn pointers(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let fixed = [
            ("/calendar/starts", Some(&self.starts)),
            ("/calendar/ends", Some(&self.ends)),
            ("/calendar/summary", Some(&self.summary)),
            ("/calendar/location", self.location.as_ref()),
        ];
        let uid = self.uid.iter().map(|pointer| ("/calendar/uid", pointer));
        let fixed = fixed.into_iter();
        fixed.filter_map(|(at, it)| Some((at, it?))).chain(uid)
    }

    /// The file, of the event at `at`; `None` if the data do not tell all of it, for a mail
    /// without the file is better than none.
    #[must_use]
    pub fn file(&self, data: &Value, organizer: &Organizer, at: Timestamp) -> Option<String> {
        let text = |pointer: &str| data.pointer(pointer)?.as_str();
        let uid: Option<Vec<String>> = self.uid.iter().map(|part| name(data, part)).collect();
        let event = Event {
            uid: organizer.uid(&joined(uid?)),
            sequence: 0,
            stamp: at,
            starts_at: text(&self.starts)?.parse().ok()?,
            ends_at: text(&self.ends)?.parse().ok()?,
            summary: text(&self.summary)?.to_owned(),
            location: self.location.as_deref().and_then(text).map(str::to_owned),
            description: None,
            status: Status::Confirmed,
        };
        message(&event, Method::Publish, organizer)
    }
}

fn name(data: &Value, pointer: &str) -> Option<String> {
    match data.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}
