//! The use case: from one event to the notifications that should follow from it.
//!
//! A notification's stream id is derived from event, recipient and definition, and it is planned
//! at number 1. So one conditional `PutItem` per notification is all there is to it: no read, and
//! a redelivered event finds its own work done.

use callboard_contracts::notification::{CauseRef, NotificationPlanned};
use callboard_contracts::{Cause, Envelope, NotificationId, RecipientId, StreamId, version};
use callboard_domain::foreign::Registry;
use callboard_domain::notifications::definition::{Catalogue, Definition, FactError};
use callboard_domain::notifications::notification::{self as rules, KEPT_FOR, Notification};
use callboard_runtime::journal::{AppendError, Commit, Journal, Loaded};
use callboard_runtime::{Clock, Failure, Timestamp};

/// The number of the commit in which a notification is planned.
const FIRST: u64 = 1;

/// What the use case works with.
#[derive(Debug)]
pub struct Deps {
    /// The journal.
    pub journal: Journal,
    /// Which event leads to what.
    pub catalogue: Catalogue,
    /// Which foreign types there are.
    pub registry: Registry,
    /// The present.
    pub clock: Clock,
}

/// Plans what follows from `event`, and says how many notifications that is, those of an earlier
/// delivery included. An event that leads to none is done.
///
/// # Errors
/// Terminal, when the event names no recipient where a definition looks for one, or was seen
/// with other data; retryable, when the journal cannot be written, or other code than this knows
/// what the event is. One definition's failure does not keep the others from being planned.
pub async fn run(deps: &Deps, event: &Envelope) -> Result<usize, Failure> {
    let cause = event.as_cause();
    let event = read(deps, event)?;
    let mut planned = 0;
    let mut failure: Option<Failure> = None;
    for definition in deps.catalogue.for_event(&event.event_type) {
        let commits = match commits(definition, &event, &cause, deps.clock.now()) {
            Ok(commits) => commits,
            Err(error) => {
                failure = worse(failure, error);
                continue;
            }
        };
        for commit in commits {
            match plan(deps, definition, commit).await {
                Ok(()) => planned += 1,
                Err(error) => failure = worse(failure, error),
            }
        }
    }
    if planned == 0 && failure.is_none() {
        tracing::debug!(event_type = %event.event_type, "no definition is for this event");
    }
    failure.map_or(Ok(planned), Err)
}

/// The event in the version that definitions are for. A foreign type was registered where it came
/// in: if it is not here, that was done by other code.
fn read(deps: &Deps, event: &Envelope) -> Result<Envelope, Failure> {
    let event = event.as_written_today()?;
    let event_type = event.event_type.as_str();
    if event_type.starts_with(version::OWN) || deps.registry.find(event_type).is_some() {
        Ok(event)
    } else {
        Err(Failure::retryable(format!(
            "`{event_type}` is not registered in this version"
        )))
    }
}

/// What may pass is told rather than what may not: the message must come back.
fn worse(known: Option<Failure>, other: Failure) -> Option<Failure> {
    match known {
        Some(known) if known.is_retryable() || !other.is_retryable() => Some(known),
        _ => Some(other),
    }
}

async fn plan(deps: &Deps, definition: &Definition, commit: Commit) -> Result<(), Failure> {
    let stream = commit.stream().clone();
    match deps.journal.append(commit).await {
        Ok(_) => {
            tracing::info!(definition = %definition.id, %stream, "planned");
            Ok(())
        }
        Err(AppendError::Conflict(conflict)) => match conflict.same_cause() {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::terminal(format!(
                "{stream}@{FIRST} was planned from the same event id with other data"
            ))),
            None => Err(Failure::retryable("the commit that was in the way is gone")),
        },
        Err(error) => Err(error.into()),
    }
}

/// The commits that plan the notifications of one definition, one for each who is told; `cause`
/// is of the event as it came.
///
/// # Errors
/// Terminal, when `event` does not say for whom or where it stands.
pub fn commits(
    definition: &Definition,
    event: &Envelope,
    cause: &Cause,
    now: Timestamp,
) -> Result<Vec<Commit>, Failure> {
    let facts =
        |error: FactError| Failure::terminal(format!("definition {}: {error}", definition.id));
    let recipients = definition.recipients_of(&event.data).map_err(facts)?;
    let expires_at = definition.expires_at(&event.data).map_err(facts)?;
    let of = |recipient| commit(definition, event, cause, (recipient, expires_at), now);
    recipients.into_iter().map(of).collect()
}

fn commit(
    definition: &Definition,
    event: &Envelope,
    cause: &Cause,
    (recipient_id, expires_at): (RecipientId, Option<Timestamp>),
    now: Timestamp,
) -> Result<Commit, Failure> {
    let notification_id = NotificationId::derived(&event.id, &recipient_id, &definition.id);
    let planned = NotificationPlanned {
        notification_id,
        definition: definition.id.clone(),
        recipient_id,
        channel: definition.channel,
        cause: place(event)?,
        expires_at,
    };
    let nothing_there = Notification::default();
    let events = rules::plan(&nothing_there, planned, event.time, now)
        .map_err(|refusal| Failure::terminal(refusal.to_string()))?;
    Ok(
        Loaded::<Notification>::fresh(StreamId::notification(notification_id))
            .next(cause, now)
            .events(events)
            .expires(now.plus(KEPT_FOR))
            .build()?,
    )
}

/// Where the event stands in the journal; the sender reads its data there.
fn place(event: &Envelope) -> Result<CauseRef, Failure> {
    let stream = event
        .subject
        .clone()
        .and_then(|subject| StreamId::try_from(subject).ok())
        .ok_or_else(|| Failure::poison("the envelope's subject is not a stream"))?;
    let sequence = event
        .sequence
        .ok_or_else(|| Failure::poison("the envelope has no sequence"))?;
    Ok(CauseRef {
        stream,
        commit: sequence.commit,
        index: sequence.index,
    })
}
