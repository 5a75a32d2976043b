//! A view as it was at a time, on the terminal.

use std::io::Write;

use callboard_contracts::{Timestamp, WaitlistId};
use serde_json::{Value, json};
use waitlist_projector::kind::Kind;
use waitlist_projector::rows::Rows;

use crate::error::CliError;
use crate::print::{json_to, text_to};

/// What is shown of a slot or an entry: title, and member of its document.
type Columns = &'static [(&'static str, &'static str)];

const SLOT: Columns = &[
    ("SLOT", "slotId"),
    ("WAITLIST", "waitlistId"),
    ("STATE", "state"),
    ("SERVICE", "service"),
    ("STARTS", "startsAt"),
    ("ENTRY", "entryId"),
    ("OFFERS", "offers"),
    ("COMMIT", "applied"),
    ("AS OF", "asOf"),
];

const ENTRY: Columns = &[
    ("ENTRY", "entryId"),
    ("WAITLIST", "waitlistId"),
    ("STATE", "state"),
    ("SERVICE", "service"),
    ("URGENCY", "urgency"),
    ("JOINED", "joinedAt"),
    ("SLOT", "slotId"),
    ("SKIPS", "skips"),
    ("COMMIT", "applied"),
    ("AS OF", "asOf"),
];

/// Slots and entries at a time. All that is to be shown is kept in memory.
#[derive(Default)]
pub(crate) struct Shown {
    slots: Vec<Value>,
    entries: Vec<Value>,
}

impl Shown {
    /// Adds a stream, if it is of the waitlist.
    pub(crate) fn add(&mut self, kind: Kind, rows: &Rows, waitlist: Option<&WaitlistId>) {
        let Ok(mut doc) = serde_json::from_str::<Value>(&rows.main.doc) else {
            return;
        };
        if waitlist.is_some_and(|waitlist| doc["waitlistId"] != waitlist.as_str()) {
            return;
        }
        // As query-api has it.
        doc["asOf"] = json!(rows.seen.as_of);
        doc["applied"] = json!(rows.seen.applied);
        match kind {
            Kind::Slot => self.slots.push(doc),
            Kind::Entry => self.entries.push(doc),
        }
    }

    /// Prints it, by id.
    pub(crate) fn tell(
        mut self,
        view: &str,
        at: Timestamp,
        as_json: bool,
        out: &mut impl Write,
    ) -> Result<(), CliError> {
        self.slots.sort_by_key(|slot| text(&slot["slotId"]));
        self.entries.sort_by_key(|entry| text(&entry["entryId"]));
        if as_json {
            let Self { slots, entries } = self;
            let all = json!({ "view": view, "at": at, "slots": slots, "entries": entries });
            return json_to(out, &all);
        }
        let mut shown = format!("{view} at {at}\n");
        for (columns, docs) in [(SLOT, &self.slots), (ENTRY, &self.entries)] {
            if !docs.is_empty() {
                shown.push('\n');
                shown.push_str(&table(columns, docs));
            }
        }
        if self.slots.is_empty() && self.entries.is_empty() {
            shown.push_str("nothing\n");
        }
        text_to(out, &shown)
    }
}

fn table(columns: Columns, docs: &[Value]) -> String {
    let titles = columns.iter().map(|(title, _)| (*title).to_owned());
    let mut lines = vec![titles.collect::<Vec<_>>()];
    lines.extend(docs.iter().map(|doc| {
        let cells = columns.iter().map(|(_, member)| text(&doc[*member]));
        cells.collect::<Vec<_>>()
    }));
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| lines.iter().map(|line| line[at].len()).max().unwrap_or(0))
        .collect();
    let lines = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    });
    lines.collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
