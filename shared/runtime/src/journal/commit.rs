//! A commit in the making: everything is fixed and checked before the first try.

use callboard_contracts::{Cause, DomainEvent, Fold, Handling, StreamId, Timestamp, Visibility};
use uuid::Uuid;

use super::committed::{Committed, Due, RecordedEvent, Snapshot};
use super::error::{CommitError, EVENTS_MAX};
use super::item::Item;
use super::size::{ITEM_BYTES_MAX, item_bytes};

/// Every commit whose number is a multiple of this carries the folded state, so that a load
/// reads at most this many commits: one page of one query even at the size of a full write unit.
pub const SNAPSHOT_EVERY: u64 = 64;

/// Builds a [`Commit`]; made by [`Loaded::next`](super::Loaded::next).
#[derive(Debug, Clone)]
pub struct CommitBuilder<S: Fold> {
    stream: StreamId,
    number: u64,
    at: Timestamp,
    cause: Cause,
    before: S,
    complete: bool,
    events: Vec<S::Event>,
    due: Option<Due>,
    group: Option<String>,
    expires: Option<Timestamp>,
    id: Option<Uuid>,
}

/// A commit that can be appended, any number of times, with the effect of once.
#[derive(Debug, Clone)]
pub struct Commit {
    record: Committed,
    item: Item,
    bytes: usize,
}

/// A new id for a commit or an attempt decided at `at`: a UUIDv7, from the thread's `fastrand`
/// generator, so that a simulation with a seed repeats itself.
#[must_use]
pub fn new_id(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.as_millis()).unwrap_or_default();
    let mut random = [0; 10];
    random.fill_with(|| fastrand::u8(..));
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

impl<S: Fold> CommitBuilder<S> {
    pub(super) fn new(
        stream: StreamId,
        number: u64,
        (before, complete): (S, bool),
        cause: &Cause,
        at: Timestamp,
    ) -> Self {
        Self {
            stream,
            number,
            at,
            cause: cause.clone(),
            before,
            complete,
            events: Vec::new(),
            due: None,
            group: None,
            expires: None,
            id: None,
        }
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: impl Into<S::Event>) -> Self {
        self.events.push(event.into());
        self
    }

    /// Adds events.
    #[must_use]
    pub fn events<E: Into<S::Event>>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        self.events.extend(events.into_iter().map(Into::into));
        self
    }

    /// The commit leaves work open: at `at`, the consumer `queue` is to look at the stream. It
    /// is then found by the agenda even if no message ever arrives. Costs a write unit.
    #[must_use]
    pub fn due(mut self, at: Timestamp, queue: &str) -> Self {
        self.due = Some(Due {
            at,
            queue: queue.to_owned(),
        });
        self
    }

    /// The message group under which the relay publishes; the stream id unless given.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.group = (group != self.stream.as_str()).then(|| group.to_owned());
        self
    }

    /// The group and what is due as they follow from the state after the events added so far. What
    /// was due before the commit is due with it: the agenda's sweep does not go back.
    #[must_use]
    pub fn handled(self, handling: impl FnOnce(&S) -> Handling) -> Self {
        let Handling { group, due } = handling(&self.state());
        let at = self.at;
        let builder = match group {
            Some(group) => self.group(&group),
            None => self,
        };
        match due {
            Some((due, queue)) => builder.due(due.max(at), queue),
            None => builder,
        }
    }

    /// The commit may be forgotten after `expires`. Only for streams of bounded life.
    #[must_use]
    pub const fn expires(mut self, expires: Timestamp) -> Self {
        self.expires = Some(expires);
        self
    }

    /// The commit's id, where it follows from something; a new one unless given.
    #[must_use]
    pub const fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// The state after the events added so far.
    #[must_use]
    pub fn state(&self) -> S {
        self.events
            .iter()
            .fold(self.before.clone(), |state, event| {
                state.evolve(event, self.at)
            })
    }

    /// Fixes the commit: its id, its item, and the snapshot on every 64th number.
    ///
    /// # Errors
    /// [`CommitError`] when it is empty or too large.
    pub fn build(self) -> Result<Commit, CommitError> {
        if self.events.is_empty() {
            return Err(CommitError::Empty(self.stream));
        }
        if self.events.len() > EVENTS_MAX {
            return Err(CommitError::TooMany {
                stream: self.stream,
                events: self.events.len(),
            });
        }
        let snapshot = self.snapshot();
        let id = self.id.unwrap_or_else(|| new_id(self.at));
        let mut cause = self.cause;
        if cause.correlation_id.is_empty() {
            // The key of an index must not be empty; a first cause is its own correlation.
            cause.correlation_id = id.to_string();
        }
        let events = self.events.iter().map(|event| RecordedEvent {
            event_type: event.event_type().to_owned(),
            data: event.data(),
            public: event.visibility() == Visibility::Public,
        });
        let record = Committed {
            events: events.collect(),
            stream: self.stream,
            number: self.number,
            id,
            at: self.at,
            cause,
            due: self.due,
            group: self.group,
            expires: self.expires,
            snapshot,
        };
        Commit::of(record)
    }

    /// The folded state, where one is due and the state at hand is the whole one.
    fn snapshot(&self) -> Option<Snapshot> {
        if !self.complete || !self.number.is_multiple_of(SNAPSHOT_EVERY) {
            return None;
        }
        match serde_json::to_string(&self.state()) {
            Ok(state) => Some(Snapshot {
                version: S::VERSION,
                state,
            }),
            Err(error) => {
                tracing::warn!(%error, stream = %self.stream, "a state cannot be written as a snapshot");
                None
            }
        }
    }
}

impl Commit {
    fn of(mut record: Committed) -> Result<Self, CommitError> {
        let mut item = record.to_item();
        let mut bytes = item_bytes(&item);
        if bytes > ITEM_BYTES_MAX && record.snapshot.take().is_some() {
            // A snapshot is a convenience; a commit is not. The load reads further instead.
            item = record.to_item();
            bytes = item_bytes(&item);
        }
        if bytes > ITEM_BYTES_MAX {
            return Err(CommitError::TooLarge {
                stream: record.stream,
                bytes,
            });
        }
        Ok(Self {
            record,
            item,
            bytes,
        })
    }

    /// As it will stand in the journal.
    #[must_use]
    pub const fn record(&self) -> &Committed {
        &self.record
    }

    /// The stream.
    #[must_use]
    pub const fn stream(&self) -> &StreamId {
        &self.record.stream
    }

    /// The number it is to have.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.record.number
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.record.id
    }

    /// Its size as DynamoDB counts.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn item(&self) -> Item {
        self.item.clone()
    }
}
