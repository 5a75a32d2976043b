//! What a message of the queue asks for.

use callboard_contracts::command::Due;
use callboard_contracts::stream::StreamId;
use callboard_contracts::{
    Cause, DecodeError, DomainEvent, EntryEvent, EntryId, Envelope, SlotEvent, SlotId, Timestamp,
};
use callboard_runtime::batch::SqsRecord;
use callboard_runtime::failure::Failure;

/// A message, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What is to be looked at.
    pub ask: Ask,
    /// What commits name as their cause.
    pub cause: Cause,
}

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// A slot to which something happened.
    Slot(SlotId),
    /// A slot whose work may be due.
    Due {
        /// The slot.
        slot_id: SlotId,
        /// When the work was said to be due.
        due_at: Timestamp,
    },
    /// A broadcast of which not all were told.
    Broadcast {
        /// The slot.
        slot_id: SlotId,
        /// Its version.
        version: u32,
    },
    /// An entry that an open slot may suit now.
    Entry(EntryId),
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Failure`] (terminal): it cannot be read, or it is none of ours.
    pub fn read(record: &SqsRecord) -> Result<Self, Failure> {
        let envelope = record.envelope()?;
        let mut cause = envelope.as_cause();
        if envelope.event_type == Due::TYPE {
            // A reminder stands in no journal. What it reminds of does, so that a timeline has
            // no gap between a hold and its end.
            cause.causation_id = envelope.causationid.clone().unwrap_or(cause.causation_id);
        }
        Ok(Self {
            ask: ask(envelope)?,
            cause,
        })
    }
}

fn ask(envelope: Envelope) -> Result<Ask, Failure> {
    let event_type = envelope.event_type.as_str();
    if event_type == Due::TYPE {
        return due(envelope);
    }
    match SlotEvent::decode(event_type, envelope.data.clone()) {
        Ok(event) => {
            return slot_of(&event)
                .map(|slot| Ask::Slot(slot.clone()))
                .ok_or_else(|| asks_nothing(event_type));
        }
        Err(DecodeError::UnknownType(_)) => {}
        Err(error) => return Err(error.into()),
    }
    match EntryEvent::decode(event_type, envelope.data)? {
        EntryEvent::EntryJoined(event) => Ok(Ask::Entry(event.entry_id)),
        EntryEvent::EntryResumed(event) => Ok(Ask::Entry(event.entry_id)),
        EntryEvent::PreferencesChanged(event) => Ok(Ask::Entry(event.entry_id)),
        EntryEvent::RankOverridden(event) => Ok(Ask::Entry(event.entry_id)),
        other => Err(asks_nothing(other.event_type())),
    }
}

fn asks_nothing(event_type: &str) -> Failure {
    Failure::terminal(format!("`{event_type}` asks nothing of the cascade"))
}

fn due(envelope: Envelope) -> Result<Ask, Failure> {
    let due: Due = serde_json::from_value(envelope.data).map_err(|source| DecodeError::Data {
        event_type: Due::TYPE.to_owned(),
        source,
    })?;
    if let Some((slot_id, version)) = due.stream.as_broadcast() {
        return Ok(Ask::Broadcast { slot_id, version });
    }
    Ok(Ask::Due {
        slot_id: slot_in(&due.stream)?,
        due_at: due.due_at,
    })
}

fn slot_in(stream: &StreamId) -> Result<SlotId, Failure> {
    if stream.kind() != "slot" {
        let kind = stream.kind();
        return Err(Failure::terminal(format!(
            "a stream of kind `{kind}` is not owned by the cascade"
        )));
    }
    SlotId::parse(stream.rest())
        .map_err(|error| Failure::terminal("the stream's id is not a slot's").because(error))
}

/// The slot of an event; none if it is one that does not travel.
const fn slot_of(event: &SlotEvent) -> Option<&SlotId> {
    Some(match event {
        SlotEvent::SlotReleased(event) => &event.slot_id,
        SlotEvent::SlotHeld(event) => &event.slot_id,
        SlotEvent::BatchHeld(event) => &event.slot_id,
        SlotEvent::SlotBroadcast(event) => &event.slot_id,
        SlotEvent::CandidatesPassedOver(_)
        | SlotEvent::EndedOffersTold(_)
        | SlotEvent::CalendarTold(_) => return None,
        SlotEvent::OfferEnded(event) => &event.slot_id,
        SlotEvent::BatchReleased(event) => &event.slot_id,
        SlotEvent::SlotBooked(event) => &event.slot_id,
        SlotEvent::HoldReleased(event) => &event.slot_id,
        SlotEvent::SlotFilled(event) => &event.slot_id,
        SlotEvent::CandidateNotFound(event) => &event.slot_id,
        SlotEvent::SlotOpenedToPublic(event) => &event.slot_id,
        SlotEvent::SlotWithdrawn(event) => &event.slot_id,
    })
}
