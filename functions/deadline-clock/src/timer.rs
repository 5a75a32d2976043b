//! What a message asks to be reminded of, whichever of its three forms it has.

use std::time::Duration;

use callboard_contracts::command::Due;
use callboard_contracts::envelope::{Envelope, SOURCE, SPEC_VERSION};
use callboard_contracts::id::derived_uuid;
use callboard_contracts::{DecodeError, DomainEvent, SlotEvent, StreamId, Timestamp};
use callboard_runtime::batch::SqsRecord;
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::Committed;
use callboard_runtime::publish::DUE_ATTRIBUTE;

/// Message attribute that carries the owner's message group on the way through our own queue:
/// a `due` command does not name it, and SQS gives a standard queue no group id.
pub const GROUP_ATTRIBUTE: &str = "group";

/// Bytes a message group id may have (SQS API Reference, `SendMessage`, `MessageGroupId`).
pub const GROUP_BYTES_MAX: usize = 128;

/// One deadline that is waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    /// The command its owner gets when it is due.
    pub due: Due,
    /// The message group in which the owner takes its work in turn.
    pub group: String,
    /// Id of what set the timer.
    causation_id: String,
    /// Shared by everything that follows from one first cause.
    correlation_id: String,
    /// W3C Trace Context, passed on.
    traceparent: Option<String>,
}

impl Timer {
    /// Reads the timer that a message sets.
    ///
    /// A `due` command has its group in the attribute [`GROUP_ATTRIBUTE`]; events say it
    /// themselves. `grace` is how long after an offer's end its hold is ended: until then an acceptance
    /// received in time may still be on its way to the journal.
    ///
    /// # Errors
    /// A terminal [`Failure`]: the message's data are not of its type, or it sets no timer.
    pub fn read(record: &SqsRecord, grace: Duration) -> Result<Self, Failure> {
        let envelope = record.envelope()?;
        let (due, group) = if envelope.event_type == Due::TYPE {
            let group = record.attribute(GROUP_ATTRIBUTE).unwrap_or_default();
            (command(&envelope)?, group.to_owned())
        } else {
            event(&envelope, record.attribute(DUE_ATTRIBUTE), grace)?
        };
        check_group(&group)?;
        let cause = envelope.as_cause();
        let set_by = envelope
            .causationid
            .filter(|_| envelope.event_type == Due::TYPE);
        Ok(Self {
            due,
            group,
            correlation_id: cause.correlation_id,
            causation_id: set_by.unwrap_or(cause.causation_id),
            traceparent: cause.traceparent,
        })
    }

    /// The timer of the work that a commit leaves open, due at `due_at`: as if the message about
    /// the commit's last event had set it.
    ///
    /// # Errors
    /// A terminal [`Failure`] if the commit's group is none that a queue takes.
    pub fn of_commit(commit: &Committed, due_at: Timestamp) -> Result<Self, Failure> {
        let group = commit.message_group().to_owned();
        check_group(&group)?;
        Ok(Self {
            due: Due {
                stream: commit.stream.clone(),
                due_at,
            },
            group,
            causation_id: commit.event_id(commit.events.len().saturating_sub(1)),
            correlation_id: commit.cause.correlation_id.clone(),
            traceparent: commit.cause.traceparent.clone(),
        })
    }

    /// An id that every message about this deadline shares, so that a FIFO queue takes one of
    /// them.
    #[must_use]
    pub fn id(&self) -> String {
        let due_at = self.due.due_at.as_millis().to_string();
        derived_uuid(&["due", self.due.stream.as_str(), &due_at])
            .simple()
            .to_string()
    }

    /// The command as it travels. A timer that was re-queued keeps its id, and names what set
    /// it first.
    #[must_use]
    pub fn envelope(&self, now: Timestamp) -> Envelope {
        let id = self.id();
        Envelope {
            specversion: SPEC_VERSION.to_owned(),
            source: SOURCE.to_owned(),
            event_type: Due::TYPE.to_owned(),
            time: now,
            subject: Some(self.due.stream.to_string()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            data: serde_json::json!({ "stream": self.due.stream, "dueAt": self.due.due_at }),
            sequence: None,
            correlationid: Some(self.correlation_id.clone()),
            causationid: (self.causation_id != id).then(|| self.causation_id.clone()),
            traceparent: self.traceparent.clone(),
            id,
        }
    }

    /// The correlation id, for logs and message attributes.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        &self.correlation_id
    }
}

fn check_group(group: &str) -> Result<(), Failure> {
    if group.is_empty() || group.len() > GROUP_BYTES_MAX {
        return Err(Failure::poison(format!(
            "a due command needs the attribute `{GROUP_ATTRIBUTE}` of at most {GROUP_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

fn command(envelope: &Envelope) -> Result<Due, DecodeError> {
    serde_json::from_value(envelope.data.clone()).map_err(|source| DecodeError::Data {
        event_type: Due::TYPE.to_owned(),
        source,
    })
}

/// `told` is when the work of the event's commit is due, if it says so: the relay does.
fn event(
    envelope: &Envelope,
    told: Option<&str>,
    grace: Duration,
) -> Result<(Due, String), Failure> {
    let stream = envelope
        .subject
        .clone()
        .and_then(|subject| StreamId::try_from(subject).ok())
        .ok_or_else(|| Failure::poison("`subject` does not name a stream"))?;
    let event = SlotEvent::decode(&envelope.event_type, envelope.data.clone())?;
    let told = told.and_then(|told| told.parse().ok());
    let (due_at, waitlist) = match (event, told) {
        // Only where its first offer has time; it is no message otherwise.
        (SlotEvent::SlotReleased(free), Some(due_at)) => (due_at, free.waitlist_id),
        (SlotEvent::SlotHeld(held), _) => (held.expires_at.plus(grace), held.waitlist_id),
        (SlotEvent::BatchHeld(held), _) => (held.expires_at.plus(grace), held.waitlist_id),
        (SlotEvent::SlotBroadcast(open), _) => (open.ends_at.plus(grace), open.waitlist_id),
        (SlotEvent::CandidateNotFound(empty), _) => (empty.look_again_at, empty.waitlist_id),
        (other, _) => {
            let event_type = other.event_type();
            return Err(Failure::terminal(format!("`{event_type}` has no deadline")));
        }
    };
    Ok((Due { stream, due_at }, waitlist.to_string()))
}
