//! Stage 2: everything the gate and the wording need, for the whole batch, in one strongly
//! consistent `BatchGetItem`.
//!
//! Four keys per notification (the next commit's number, the profile, a foreign event's
//! personal fields, the cause), so a batch of ten stays below the hundred keys of one call.

use std::collections::HashMap;

use callboard_contracts::{DecodeError, StreamId, version};
use callboard_runtime::bulk::{self, Key};
use callboard_runtime::fault::AwsFault;
use callboard_runtime::journal::{Committed, Item};
use callboard_runtime::lease::Granted;
use serde_json::Value;

use crate::contact::{self, Contact, PROFILE_SORT_KEY};
use crate::deliver::Leased;
use crate::deps::Deps;
use crate::effect::Email;
use crate::job::Job;

/// What one call found for a batch.
pub type Found = HashMap<Key, Item>;

/// What was found for one notification.
pub struct Facts {
    /// Something was committed after our attempt: a cancel, or a takeover.
    pub overtaken: bool,
    /// Who is told.
    pub contact: Option<Contact>,
    /// What it is about; an error if other code than this can read it.
    pub cause: Result<Option<Caused>, DecodeError>,
    /// The personal fields of a foreign event, in their nesting; an object.
    pub personal: Value,
}

/// The event that a notification is about.
pub struct Caused {
    /// Its full type, as it would be written today.
    pub event_type: String,
    /// Its data, as they would be written today.
    pub data: Value,
    /// When it happened.
    pub at: callboard_contracts::Timestamp,
}

/// Reads what a batch of attempts needs.
///
/// # Errors
/// [`AwsFault`] when DynamoDB cannot be read.
pub async fn read(deps: &Deps, batch: impl Iterator<Item = &Leased>) -> Result<Found, AwsFault> {
    let keys: Vec<Key> = batch
        .flat_map(|leased| Keys::of(deps, &leased.job, &leased.granted).all())
        .collect();
    if keys.is_empty() {
        return Ok(Found::new());
    }
    bulk::get(deps.journal.client(), keys).await
}

/// What of `found` is about one notification.
#[must_use]
pub fn facts(deps: &Deps, job: &Job, granted: &Granted<Email>, found: &Found) -> Facts {
    let keys = Keys::of(deps, job, granted);
    let extras = keys.extras.as_ref().and_then(|key| found.get(key));
    let index = job.planned.cause.index;
    Facts {
        overtaken: found.contains_key(&keys.next),
        contact: Contact::from_item(found.get(&keys.profile)),
        cause: found
            .get(&keys.cause)
            .and_then(|item| Committed::from_item(item).ok())
            .map_or(Ok(None), |commit| caused(commit, index)),
        personal: contact::extras(extras),
    }
}

fn caused(commit: Committed, index: u32) -> Result<Option<Caused>, DecodeError> {
    let at = commit.at;
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let Some(event) = commit.events.into_iter().nth(index) else {
        return Ok(None);
    };
    match version::as_written_today(event.event_type, event.data) {
        Ok((event_type, data)) => Ok(Some(Caused {
            event_type,
            data,
            at,
        })),
        Err(DecodeError::Data { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Keys {
    next: Key,
    profile: Key,
    extras: Option<Key>,
    cause: Key,
}

impl Keys {
    fn of(deps: &Deps, job: &Job, granted: &Granted<Email>) -> Self {
        let planned = &job.planned;
        let recipient = planned.recipient_id.as_str();
        let contact = |sort_key: &str| Key::text(&deps.contacts_table, recipient, sort_key);
        Self {
            next: granted.tail_key(&deps.journal),
            profile: contact(PROFILE_SORT_KEY),
            extras: is_foreign(&planned.cause.stream)
                .then(|| contact(contact::extras_sort_key(planned.cause.stream.as_str()))),
            cause: Key::commit(&deps.journal, &planned.cause.stream, planned.cause.commit),
        }
    }

    fn all(self) -> impl Iterator<Item = Key> {
        [
            Some(self.next),
            Some(self.profile),
            self.extras,
            Some(self.cause),
        ]
        .into_iter()
        .flatten()
    }
}

/// Only foreign events have fields that stand in `contacts`.
fn is_foreign(stream: &StreamId) -> bool {
    stream.kind() == "event"
}
