//! A message on the queue, read: one planned notification.

use callboard_contracts::notification::NotificationPlanned;
use callboard_contracts::{Cause, DomainEvent, Fold, NotificationEvent, StreamId, Timestamp};
use callboard_domain::notifications::notification::{AttemptKey, Notification};
use callboard_runtime::Failure;
use callboard_runtime::batch::{MAX_TRIES, SqsRecord};
use callboard_runtime::journal::Loaded;

/// A planned notification that a message asks to deliver.
#[derive(Debug, Clone)]
pub struct Job {
    /// What was planned.
    pub planned: NotificationPlanned,
    /// The commit in which it was planned.
    pub number: u64,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// What our commits name as their cause.
    pub cause: Cause,
    /// No further delivery of this message follows: what is transient must be decided now.
    pub last_try: bool,
}

impl Job {
    /// Reads a message.
    ///
    /// # Errors
    /// Poison: not an envelope, another event than a planned notification, or one that does not
    /// say where it stands in its stream.
    pub fn of(message: &SqsRecord) -> Result<Self, Failure> {
        let envelope = message.envelope()?;
        let cause = envelope.as_cause();
        let event_type = envelope.event_type;
        let NotificationEvent::NotificationPlanned(planned) =
            NotificationEvent::decode(&event_type, envelope.data)?
        else {
            return Err(Failure::poison(format!(
                "`{event_type}` asks for no delivery"
            )));
        };
        let sequence = envelope
            .sequence
            .ok_or_else(|| Failure::poison("the envelope has no sequence"))?;
        Ok(Self {
            planned,
            number: sequence.commit,
            planned_at: envelope.time,
            cause,
            last_try: message.receive_count >= MAX_TRIES,
        })
    }

    /// The notification's stream.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        StreamId::notification(self.planned.notification_id)
    }

    /// The effect this function is there for.
    #[must_use]
    pub const fn key(&self) -> AttemptKey {
        AttemptKey::first(self.planned.channel)
    }

    /// The stream as it was just after the planning: what the message tells, without a read.
    /// If more has happened since, the next commit's number is taken, and we learn of it.
    #[must_use]
    pub fn as_planned(&self) -> Loaded<Notification> {
        let event = NotificationEvent::from(self.planned.clone());
        let state = Notification::default().evolve(&event, self.planned_at);
        Loaded::told(self.stream(), state, self.number)
    }
}
