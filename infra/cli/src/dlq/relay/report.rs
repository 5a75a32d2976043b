//! What became of letters of the relay, in words and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::by_time::{Cost, MARGIN};
use super::lot::{Lot, Source};

/// What was published for letters of the relay, or would be.
#[derive(Debug, Default)]
pub(in crate::dlq) struct Relayed {
    by_source: BTreeMap<(String, Source), Counts>,
    /// What a search by time would take.
    pub(super) cost: Option<Cost>,
    /// What it took.
    pub(super) read_units: f64,
}

#[derive(Debug, Default)]
struct Counts {
    letters: usize,
    commits: usize,
    events: usize,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Time => "journal-by-time",
            Self::Key => "journal",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Stream => "the stream",
            Self::Time => "the journal by time",
            Self::Key => "the journal",
        }
    }
}

impl Relayed {
    /// One letter of `queue`, to be published or published whole.
    pub(super) fn letter(&mut self, queue: &str, lot: &Lot) {
        self.counts(queue, lot.source).letters += 1;
        if self.cost.is_some() && lot.source == Source::Time {
            // What is not searched for yet is counted as Lambda did.
            self.counts(queue, lot.source).commits += lot.records;
        }
    }

    /// One commit of `events` public events.
    pub(super) fn commit(&mut self, queue: &str, source: Source, events: usize) {
        let counts = self.counts(queue, source);
        counts.commits += 1;
        counts.events += events;
    }

    fn counts(&mut self, queue: &str, source: Source) -> &mut Counts {
        let key = (queue.to_owned(), source);
        self.by_source.entry(key).or_default()
    }

    pub(in crate::dlq) fn letters(&self) -> usize {
        self.by_source.values().map(|counts| counts.letters).sum()
    }

    pub(in crate::dlq) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(cost) = self.cost {
            let (items, bytes, units) = (cost.items, cost.bytes, cost.read_units());
            let margin = MARGIN.as_mins();
            lines.push(format!(
                "  to be found by time, for the stream no longer has them: all of the journal would be \
                 read\n          ({items} items, {bytes} bytes, some {units} read units), and what was \
                 decided up to {margin} minutes\n          around their arrival be published"
            ));
        } else if self.read_units > 0.0 {
            let units = self.read_units;
            lines.push(format!("  read all of the journal: {units:.1} read units"));
        }
        for ((queue, source), counts) in &self.by_source {
            let Counts {
                letters,
                commits,
                events,
            } = counts;
            let commits = match self.cost.is_some() && *source == Source::Time {
                true => format!("at least {commits} commits"),
                false => format!("{commits} commits with {events} events"),
            };
            let words = source.words();
            lines.push(format!(
                "  {letters:>6}  of {queue}: {commits} from {words} to the topics of their types"
            ));
        }
        lines
    }

    pub(in crate::dlq) fn json(&self) -> Value {
        let by_source = self.by_source.iter().map(|((queue, source), counts)| {
            json!({
                "queue": queue, "source": source.name(), "letters": counts.letters,
                "commits": counts.commits, "events": counts.events,
            })
        });
        json!({
            "published": by_source.collect::<Value>(),
            "wouldRead": self.cost.map(|cost| json!({
                "items": cost.items, "bytes": cost.bytes, "readUnits": cost.read_units(),
                "marginSeconds": MARGIN.as_secs(),
            })),
            "readUnits": self.read_units,
        })
    }
}
