//! Where an event stands that is known by its id alone. The journal has no index by event id (each
//! would cost a write unit per commit), so that the last resort is to read all of it.

use std::io::{IsTerminal, Write, stderr};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::error::display::DisplayErrorContext;
use callboard_contracts::StreamId;
use callboard_runtime::journal::{Committed, EVENTS_MAX, Item, Journal};
use uuid::Uuid;

use crate::args::ExplainArgs;
use crate::error::CliError;

/// An event's id and the correlation id under which its timeline is found.
pub(super) struct Found {
    pub(super) event_id: String,
    pub(super) correlation_id: String,
}

/// Finds what the command line means, by the shortest way.
pub(super) async fn find(journal: &Journal, args: &ExplainArgs) -> Result<Option<Found>, CliError> {
    if let Some(source) = &args.source {
        return first_of(journal, &StreamId::event(source, &args.event), 1).await;
    }
    if let Some((stream, number)) = reference(&args.event) {
        return first_of(journal, &stream, number).await;
    }
    everywhere(journal, &args.event).await
}

/// `slot#s1@3`, as in the header `Callboard-Commit`.
pub(crate) fn reference(text: &str) -> Option<(StreamId, u64)> {
    let (stream, number) = text.rsplit_once('@')?;
    let stream = StreamId::try_from(stream.to_owned()).ok()?;
    Some((stream, number.parse().ok()?))
}

async fn first_of(
    journal: &Journal,
    stream: &StreamId,
    number: u64,
) -> Result<Option<Found>, CliError> {
    let commits = journal.read(stream, number).await;
    let commits = commits.map_err(|error| unreadable(&error))?;
    let commit = commits.into_iter().find(|commit| commit.number == number);
    Ok(commit.map(|commit: Committed| Found {
        event_id: commit.event_id(0),
        correlation_id: commit.cause.correlation_id,
    }))
}

/// Reads the journal until an event has the id, as one of ours or as another system's.
async fn everywhere(journal: &Journal, id: &str) -> Result<Option<Found>, CliError> {
    let mut progress = Progress::default();
    let mut start = None;
    loop {
        let scan = journal.client().scan().table_name(journal.table());
        let page = scan
            .projection_expression("pk, id, corr")
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| unreadable(&DisplayErrorContext(&error)))?;
        if let Some(found) = page.items().iter().find_map(|item| meant(item, id)) {
            progress.end();
            return Ok(Some(found));
        }
        progress.read(page.items().len());
        start = page.last_evaluated_key().cloned();
        if start.is_none() {
            progress.end();
            return Ok(None);
        }
    }
}

/// The event of a commit that has this id, or that another system gave it.
fn meant(item: &Item, id: &str) -> Option<Found> {
    let text = |name| {
        item.get(name)
            .and_then(|value: &AttributeValue| value.as_s().ok())
    };
    let commit: Uuid = text("id")?.parse().ok()?;
    let of_index = |index: usize| Uuid::new_v5(&commit, index.to_string().as_bytes()).to_string();
    let foreign = text("pk")?
        .strip_prefix("event#")
        .and_then(|rest| rest.strip_suffix(id))
        .is_some_and(|source| source.ends_with('#'));
    let event_id = match foreign {
        true => of_index(0),
        false => (0..EVENTS_MAX).map(of_index).find(|it| it == id)?,
    };
    Some(Found {
        event_id,
        correlation_id: text("corr")?.clone(),
    })
}

/// How far the search is, for a person who waits.
#[derive(Default)]
struct Progress {
    commits: usize,
    shown: bool,
}

impl Progress {
    fn read(&mut self, commits: usize) {
        self.commits += commits;
        if stderr().is_terminal() {
            self.shown = true;
            // Nobody is told less if the terminal is gone.
            let _ = write!(stderr(), "\r{} commits searched", self.commits);
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> CliError {
    CliError::Refused(format!("the journal cannot be read: {error}"))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    fn item(stream: &str, id: Uuid) -> Item {
        [
            ("pk", stream.to_owned()),
            ("id", id.simple().to_string()),
            ("corr", "c".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value)))
        .into()
    }

    #[test]
    fn an_event_is_found_by_its_own_id_and_by_the_one_its_source_gave() {
        let commit = Uuid::from_u128(7);
        let second = Uuid::new_v5(&commit, b"1").to_string();
        let item = item("event#shop#evt-1", commit);
        assert_eq!(meant(&item, &second).unwrap().event_id, second);
        let first = Uuid::new_v5(&commit, b"0").to_string();
        assert_eq!(meant(&item, "evt-1").unwrap().event_id, first);
        assert!(meant(&item, "1").is_none());
    }

    #[test]
    fn a_reference_is_a_stream_and_a_number() {
        let (stream, number) = reference("event#shop@home#e1@12").unwrap();
        assert_eq!((stream.as_str(), number), ("event#shop@home#e1", 12));
        assert!(reference("evt-1").is_none());
    }
}
