//! What the practice's own calendar says of a slot: free, booked, gone.
//!
//! It may be heard twice, late, and in any order. So what it says has a number of its own, and the
//! slot keeps the last one: what is older changes nothing any more (an old cancellation must not
//! free what was booked since).

use std::time::Duration;

use callboard_contracts::waitlist::{BookedBy, CalendarTold, CalendarWord, SlotEvent};
use callboard_contracts::{RecipientId, SlotId, Timestamp, WaitlistId};

use super::{
    BookSlot, ReleaseSlot, Slot, SlotDetails, SlotStatus, book, id_by_name, is_released_as,
    release, withdraw,
};
use crate::waitlist::policy::Resolved;
use crate::waitlist::refusal::Refusal;

/// What the calendar said of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromCalendar {
    /// The waitlist that the slot belongs to.
    pub waitlist_id: WaitlistId,
    /// The calendar's own name for the slot.
    pub external_id: String,
    /// Its own count of what it says of this slot, or the moment of it in milliseconds: more is
    /// later.
    pub revision: u64,
    /// What it said.
    pub news: News,
}

/// How the slot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nobody has it (any more).
    Free(Freed),
    /// Somebody has it.
    Booked {
        /// For whom, if it is one of ours.
        recipient_id: Option<RecipientId>,
    },
    /// There is no such appointment any more.
    Gone,
}

/// A free slot, as the calendar describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freed {
    /// What is done in it.
    pub service: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Where it is.
    pub location: Option<String>,
    /// With whom it is.
    pub provider: Option<String>,
    /// The time zone (IANA) that people read its times in.
    pub zone: Option<String>,
    /// The version of ours that the calendar knows to have been given up; absent if it does not
    /// know our versions.
    pub after_version: Option<u32>,
}

impl FromCalendar {
    /// The slot that is meant.
    #[must_use]
    pub fn slot_id(&self) -> SlotId {
        id_by_name(&self.waitlist_id, &self.external_id)
    }

    const fn word(&self) -> CalendarWord {
        match self.news {
            News::Free(_) => CalendarWord::Free,
            News::Booked { .. } => CalendarWord::Booked,
            News::Gone => CalendarWord::Gone,
        }
    }

    fn release(&self, freed: &Freed, slot: &Slot, resolved: Resolved) -> ReleaseSlot {
        ReleaseSlot {
            waitlist_id: self.waitlist_id.clone(),
            slot_id: self.slot_id(),
            service: freed.service.clone(),
            starts_at: freed.starts_at,
            ends_at: freed.ends_at,
            offer_window: Duration::from_secs(resolved.window_seconds.into()),
            after_version: Some(slot.version()),
            details: SlotDetails {
                location: freed.location.clone(),
                provider: freed.provider.clone(),
                zone: resolved.zone,
                external_id: Some(self.external_id.clone()),
                terms: Some(resolved.terms),
            },
        }
    }
}

/// Decides on what the calendar said; `resolve` gives what the waitlist's policy means for a free
/// slot ([`Policies::resolve`](crate::waitlist::policy::Policies::resolve)). What it said is always recorded, even where nothing follows from it.
///
/// The calendar is believed about its own bookings alone. Somebody who has the slot through the
/// waitlist loses it only if the calendar had told of that booking, or names the version.
///
/// # Errors
/// [`Refusal::CalendarToldLater`] for what is known or outdated: an honest repetition.
/// [`Refusal::SlotTaken`] where a person has to look; otherwise why it cannot be done.
pub fn told_by_calendar(
    slot: &Slot,
    said: &FromCalendar,
    resolve: impl FnOnce(&Freed) -> Resolved,
    now: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let word = said.word();
    match slot.calendar {
        Some(last) if last.revision == said.revision && last.word != word => {
            return Err(Refusal::CalendarContradicts);
        }
        Some(last) if last.revision >= said.revision => return Err(Refusal::CalendarToldLater),
        _ => {}
    }
    let mut events = match &said.news {
        News::Free(freed) => {
            let command = said.release(freed, slot, resolve(freed));
            free(slot, &command, freed.after_version, now)?
        }
        News::Booked { recipient_id } => booked(slot, said, recipient_id.as_ref())?,
        News::Gone => gone(slot)?,
    };
    let told = CalendarTold {
        waitlist_id: said.waitlist_id.clone(),
        slot_id: said.slot_id(),
        revision: said.revision,
        word,
    };
    events.push(told.into());
    Ok(events)
}

fn free(
    slot: &Slot,
    command: &ReleaseSlot,
    after_version: Option<u32>,
    now: Timestamp,
) -> Result<Vec<SlotEvent>, Refusal> {
    let known_to_be_given_up = knows_of_booking(slot) || after_version == Some(slot.version());
    match &slot.status {
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } if !known_to_be_given_up => {
            Err(Refusal::SlotTaken)
        }
        SlotStatus::Open { .. } | SlotStatus::Held { .. } | SlotStatus::Broadcast { .. }
            if is_released_as(slot, command, false) =>
        {
            Ok(Vec::new())
        }
        _ => release(slot, command, now),
    }
}

fn booked(
    slot: &Slot,
    said: &FromCalendar,
    person: Option<&RecipientId>,
) -> Result<Vec<SlotEvent>, Refusal> {
    match &slot.status {
        // Nobody was offered it; that it is taken must be known when an older word arrives.
        SlotStatus::Absent | SlotStatus::Withdrawn => Ok(Vec::new()),
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } => {
            // The calendar tells of the very booking that it heard of from us, or of one that
            // follows its own.
            let other = slot.booked_for().zip(person).is_some_and(|(a, b)| a != b);
            if other && !knows_of_booking(slot) {
                return Err(Refusal::SlotTaken);
            }
            Ok(Vec::new())
        }
        _ => {
            let command = BookSlot {
                by: BookedBy::Elsewhere,
                external_id: Some(said.external_id.clone()),
                recipient_id: person.cloned(),
            };
            book(slot, &command)
        }
    }
}

fn gone(slot: &Slot) -> Result<Vec<SlotEvent>, Refusal> {
    match &slot.status {
        SlotStatus::Absent | SlotStatus::Withdrawn => Ok(Vec::new()),
        SlotStatus::Filled { .. } | SlotStatus::Booked { .. } if knows_of_booking(slot) => {
            Ok(Vec::new())
        }
        _ => withdraw(slot),
    }
}

/// Whether the booking that stands is one that the calendar has told of: the last that it said, and
/// nothing was released since.
fn knows_of_booking(slot: &Slot) -> bool {
    let said = slot.calendar;
    said.is_some_and(|last| last.word == CalendarWord::Booked && last.version == slot.version())
}
