//! A commit as it stands in the journal, and the envelopes of its events.

use callboard_contracts::envelope::{SOURCE, SPEC_VERSION, Sequence};
use callboard_contracts::{Cause, DomainEvent, Envelope, StreamId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::error::JournalError;

/// An event as it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Full type with version.
    #[serde(rename = "t")]
    pub event_type: String,
    /// Its data.
    #[serde(rename = "d")]
    pub data: Value,
    /// Whether the relay publishes it.
    #[serde(rename = "p", default = "yes", skip_serializing_if = "is_yes")]
    pub public: bool,
}

const fn yes() -> bool {
    true
}

const fn is_yes(value: &bool) -> bool {
    *value
}

/// Work that a commit leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When it is due.
    pub at: Timestamp,
    /// The consumer that is told.
    pub queue: String,
}

/// A folded state that travels with a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The fold's version.
    pub version: u32,
    /// The state after this commit, as JSON.
    pub state: String,
}

/// A commit as it stands in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The stream.
    pub stream: StreamId,
    /// Its number in the stream, from 1.
    pub number: u64,
    /// Its id, fixed before it was first tried.
    pub id: Uuid,
    /// When it was decided.
    pub at: Timestamp,
    /// Why it was made.
    pub cause: Cause,
    /// What happened.
    pub events: Vec<RecordedEvent>,
    /// Work it leaves open.
    pub due: Option<Due>,
    /// The relay's message group, if it is not the stream id.
    pub group: Option<String>,
    /// When it may be forgotten.
    pub expires: Option<Timestamp>,
    /// The folded state, on every 64th commit.
    pub snapshot: Option<Snapshot>,
}

impl Committed {
    /// The id of the event at `index`, derived from the commit's: publishing a range again
    /// gives the same ids.
    #[must_use]
    pub fn event_id(&self, index: usize) -> String {
        Uuid::new_v5(&self.id, index.to_string().as_bytes()).to_string()
    }

    /// `<stream>@<number>`, as in the header `Callboard-Commit`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}@{}", self.stream, self.number)
    }

    /// The message group under which its events are published.
    #[must_use]
    pub fn message_group(&self) -> &str {
        self.group.as_deref().unwrap_or(self.stream.as_str())
    }

    /// The indices of the events that the relay publishes.
    pub fn public(&self) -> impl Iterator<Item = usize> + '_ {
        self.events
            .iter()
            .enumerate()
            .filter(|(_, event)| event.public)
            .map(|(index, _)| index)
    }

    /// The event at `index` as it travels; what an envelope always holds is rebuilt here rather
    /// than stored.
    ///
    /// # Panics
    /// When there is no event at `index`.
    #[must_use]
    pub fn envelope(&self, index: usize) -> Envelope {
        let event = &self.events[index];
        Envelope {
            specversion: SPEC_VERSION.to_owned(),
            id: self.event_id(index),
            source: SOURCE.to_owned(),
            event_type: event.event_type.clone(),
            time: self.at,
            subject: Some(self.stream.as_str().to_owned()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: Some(format!("urn:callboard:schema:{}", event.event_type)),
            data: event.data.clone(),
            sequence: Some(Sequence {
                commit: self.number,
                index: u32::try_from(index).unwrap_or(u32::MAX),
            }),
            correlationid: Some(self.cause.correlation_id.clone()),
            causationid: Some(self.cause.causation_id.clone()),
            traceparent: self.cause.traceparent.clone(),
        }
    }

    /// The events, typed.
    ///
    /// # Errors
    /// [`JournalError::Decode`] when one is unknown to this version of the code.
    pub fn decode<E: DomainEvent>(&self) -> Result<Vec<E>, JournalError> {
        let decoded = self
            .events
            .iter()
            .map(|event| E::decode(&event.event_type, event.data.clone()));
        decoded
            .collect::<Result<_, _>>()
            .map_err(|source| JournalError::Decode {
                stream: self.stream.clone(),
                number: self.number,
                source,
            })
    }
}
