//! The accepted appointment as a file for the person's calendar: the same event as in the mail
//! that confirms it.

use callboard_contracts::Timestamp;
use callboard_domain::calendar::{Event, Method, Organizer, Status, joined, message};
use callboard_domain::waitlist::SlotFacts;

/// How the appointment is handed over.
pub(crate) const METHOD: Method = Method::Publish;

/// The appointment; `now` is when this file of it is made. `None` if a time is out of range.
pub(crate) fn of_appointment(
    facts: &SlotFacts,
    organizer: &Organizer,
    now: Timestamp,
) -> Option<String> {
    let event = Event {
        uid: organizer.uid(&joined([
            facts.slot_id.to_string(),
            facts.version.to_string(),
        ])),
        sequence: 0,
        stamp: now,
        starts_at: facts.starts_at,
        ends_at: facts.ends_at,
        summary: facts.service.clone(),
        location: facts.location.clone(),
        description: None,
        status: Status::Confirmed,
    };
    message(&event, METHOD, organizer)
}
