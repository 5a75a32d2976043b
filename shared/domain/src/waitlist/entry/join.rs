//! A person joins a waitlist.

use callboard_contracts::id::derived_uuid;
use callboard_contracts::waitlist::{
    EntryEvent, EntryJoined, Preferences, PreferencesChanged, Urgency,
};
use callboard_contracts::{EntryId, RecipientId, WaitlistId};
use serde::{Deserialize, Serialize};

use super::{Entry, EntryStatus};
use crate::waitlist::matching;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::slot::check_service;

/// What a person can take, and who answers for them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wishes {
    /// What the person can take.
    pub preferences: Preferences,
    /// Whether a slot that suits is taken without asking.
    pub auto_accept: bool,
    /// Who is told and answers for the person.
    pub proxy_id: Option<RecipientId>,
}

impl Wishes {
    /// A digest: of equal wishes the same, of others another.
    ///
    /// # Panics
    /// Never: wishes hold only what JSON can hold.
    #[must_use]
    pub fn digest(&self) -> String {
        let json = serde_json::to_string(self).expect("wishes hold only what JSON can hold");
        derived_uuid(&["wishes", &json]).simple().to_string()
    }
}

impl From<&EntryJoined> for Wishes {
    fn from(event: &EntryJoined) -> Self {
        Self {
            preferences: event.preferences.clone(),
            auto_accept: event.auto_accept,
            proxy_id: event.proxy_id.clone(),
        }
    }
}

impl From<&PreferencesChanged> for Wishes {
    fn from(event: &PreferencesChanged) -> Self {
        Self {
            preferences: event.preferences.clone(),
            auto_accept: event.auto_accept,
            proxy_id: event.proxy_id.clone(),
        }
    }
}

/// Puts a person on a waitlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The entry.
    pub entry_id: EntryId,
    /// The person.
    pub recipient_id: RecipientId,
    /// What the person waits for.
    pub service: String,
    /// How pressing it is.
    pub urgency: Urgency,
    /// What the person can take, and who answers for them.
    pub wishes: Wishes,
}

/// Decides on a person's wish to wait.
///
/// An entry that left or was booked does not wait again: a new wish is a new entry, so that a
/// redelivered command cannot bring anybody back.
///
/// # Errors
/// [`Refusal::AlreadyJoined`] for a repetition (also after the preferences were changed),
/// [`Refusal::EntryExists`] if the id is in use.
pub fn join(entry: &Entry, command: &Join) -> Result<Vec<EntryEvent>, Refusal> {
    check_service(&command.service)?;
    matching::check(&command.wishes.preferences)?;
    if let Some(facts) = &entry.facts {
        let same = facts.waitlist_id == command.waitlist_id
            && facts.recipient_id == command.recipient_id
            && facts.service == command.service
            && facts.urgency == command.urgency
            && facts.wishes == command.wishes.digest();
        return Err(match (&entry.status, same) {
            (_, false) => Refusal::EntryExists,
            (EntryStatus::Left, _) => Refusal::EntryLeft,
            (EntryStatus::Booked(_), _) => Refusal::EntryBooked,
            (EntryStatus::GivenUp { .. }, _) => Refusal::BookingGivenUp,
            _ => Refusal::AlreadyJoined,
        });
    }
    let wishes = command.wishes.clone();
    Ok(vec![
        EntryJoined {
            waitlist_id: command.waitlist_id.clone(),
            entry_id: command.entry_id.clone(),
            recipient_id: command.recipient_id.clone(),
            service: command.service.clone(),
            urgency: command.urgency,
            preferences: wishes.preferences,
            auto_accept: wishes.auto_accept,
            proxy_id: wishes.proxy_id,
        }
        .into(),
    ])
}
