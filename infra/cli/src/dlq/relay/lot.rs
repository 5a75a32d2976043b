//! What a letter stands for: the commits at the place that it names.

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::StreamId;
use callboard_runtime::fault::AwsFault;
use callboard_runtime::journal::{Committed, Item};

use super::Relay;
use super::by_time::Window;
use super::place::{Place, Range};
use super::stream::{self, Answer};

/// Where commits were read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The stream of the journal, by shard and range.
    Stream,
    /// The journal, by time.
    Time,
    /// The journal, by the commit's key.
    Key,
}

/// What one letter stands for.
#[derive(Debug)]
pub(super) struct Lot {
    /// The letter's place in its round.
    pub(super) letter: usize,
    pub(super) source: Source,
    pub(super) commits: Vec<Committed>,
    /// When they were decided, if they are to be found by that.
    pub(super) window: Option<Window>,
    /// How many records the letter speaks of.
    pub(super) records: usize,
    /// Why the letter stays even if all commits are published.
    pub(super) short: Option<String>,
}

impl Lot {
    fn new(letter: usize, source: Source, records: usize) -> Self {
        Self {
            letter,
            source,
            commits: Vec::new(),
            window: None,
            records,
            short: None,
        }
    }

    /// Takes what was found for it, and notes what is missing.
    pub(super) fn fill<'a>(&mut self, items: impl IntoIterator<Item = &'a Item>) {
        let mut damaged = None;
        for item in items {
            match Committed::from_item(item) {
                Ok(commit) => self.commits.push(commit),
                Err(error) => damaged = Some(error.to_string()),
            }
        }
        let (found, wanted) = (self.commits.len(), self.records);
        if damaged.is_some() {
            self.short = damaged;
        } else if found < wanted {
            self.short = Some(format!(
                "Lambda gave up {wanted} records, and {found} are to be found; those were published, \
                 and the letter is yours to drop"
            ));
        }
    }
}

impl Relay {
    /// What stands at the place that a letter names. What only time tells is not read yet.
    ///
    /// # Errors
    /// Why nothing of it can be published.
    pub(super) async fn lot(&self, letter: usize, place: &Place) -> Result<Lot, String> {
        match place {
            Place::Commit { stream, number } => self.commit(letter, stream, *number).await,
            Place::Range(range) => self.range(letter, range).await,
        }
    }

    async fn commit(&self, letter: usize, stream: &StreamId, number: u64) -> Result<Lot, String> {
        let call = self
            .journal
            .client()
            .get_item()
            .table_name(self.journal.table())
            .key("pk", AttributeValue::S(stream.to_string()))
            .key("sk", AttributeValue::N(number.to_string()))
            .consistent_read(true);
        let answer = call.send().await;
        let answer = answer.map_err(|error| AwsFault::of("GetItem", error).to_string())?;
        let Some(item) = answer.item else {
            return Err(format!("the journal has no commit {stream}@{number}"));
        };
        let commit = Committed::from_item(&item).map_err(|error| error.to_string())?;
        if commit.public().next().is_none() {
            return Err(format!(
                "no event of {stream}@{number} is public, so that there is nothing to publish"
            ));
        }
        Ok(Lot {
            commits: vec![commit],
            ..Lot::new(letter, Source::Key, 1)
        })
    }

    async fn range(&self, letter: usize, range: &Range) -> Result<Lot, String> {
        if !range.is_of(self.journal.table()) {
            let stream = &range.stream_arn;
            return Err(format!("{stream} is not the stream of this journal"));
        }
        let answer = stream::read(&self.streams, range).await;
        match answer.map_err(|fault| fault.to_string())? {
            Answer::Records(items) => {
                let mut lot = Lot::new(letter, Source::Stream, range.records);
                lot.fill(&items);
                Ok(lot)
            }
            Answer::Gone(why) => {
                let window = Window::of(range)
                    .ok_or_else(|| format!("{why}, and it does not say when its records came"))?;
                Ok(Lot {
                    window: Some(window),
                    ..Lot::new(letter, Source::Time, range.records)
                })
            }
        }
    }
}
