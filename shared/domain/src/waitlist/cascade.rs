//! Decisions on a slot *and* entries: all sides agree, or none changes.
//!
//! The lists of events belong into one transaction, on the commit numbers that the states were
//! read at.

use callboard_contracts::waitlist::{EntryEvent, Score, SlotEvent};
use callboard_contracts::{EntryId, OfferId, Timestamp};

use super::entry::{self, Accepted, Entry, EntryStatus, OfferDetails};
use super::refusal::Refusal;
use super::slot::{self, Look, Slot, SlotFacts, SlotStatus};
use super::swap::{self, Former};
use super::timing::Timing;

/// What follows for the slot and for the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Both {
    /// Events of the slot's stream.
    pub slot: Vec<SlotEvent>,
    /// Events of the entry's stream.
    pub entry: Vec<EntryEvent>,
}

/// What follows for a slot that was accepted, for the entry, and for the person's former
/// booking.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Events of the slot's stream.
    pub slot: Vec<SlotEvent>,
    /// Events of the entry's stream.
    pub entry: Vec<EntryEvent>,
    /// Events of the former slot's stream, and of the entry that it was booked for, if that is one
    /// of ours; absent if no booking is given up.
    pub former: Option<Both>,
}

/// What follows for a slot that is offered, and for each entry that it is offered to.
#[derive(Debug, Clone, PartialEq)]
pub struct Offers {
    /// Events of the slot's stream.
    pub slot: Vec<SlotEvent>,
    /// Events of each entry's stream.
    pub entries: Vec<(EntryId, Vec<EntryEvent>)>,
    /// As of [`Taken`], if the one entry accepted at once and gave up a booking.
    pub former: Option<Both>,
    /// Whether the slot was accepted at once, as the person had wished.
    pub accepted: bool,
    /// The offers stand until this moment.
    pub expires_at: Timestamp,
}

/// Somebody who is to be offered a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The entry as it was read.
    pub entry: Entry,
    /// Why it is its turn.
    pub score: Option<Score>,
}

/// The id of the offer of a slot version to an entry; see [`SlotFacts::offer_id`].
#[must_use]
pub fn offer_id(slot: &SlotFacts, entry_id: &EntryId) -> OfferId {
    slot.offer_id(entry_id)
}

/// Holds the slot for the entries, one or the several of a batch, and offers it to each. A hold
/// of the slot and offers of the entries that have run out are ended by the same decision.
///
/// A single entry that wishes so accepts at once. `former` is its own booking ([`Entry::swaps`]),
/// which it gives up with that.
///
/// # Errors
/// A [`Refusal`]; [`Refusal::NotEligible`] means that others should be tried.
pub fn offer(
    slot: &Slot,
    asked: &[Asked],
    former: Option<Former<'_>>,
    look: &Look,
    timing: &Timing,
    now: Timestamp,
) -> Result<Offers, Refusal> {
    let facts = slot.facts.as_ref().ok_or(Refusal::SlotNotFound)?;
    for asked in asked {
        entry::eligible(&asked.entry, slot, timing, now).map_err(Refusal::NotEligible)?;
    }
    let expires_at = facts.offer_expires_at(now);
    let ids: Vec<EntryId> = asked
        .iter()
        .map(|asked| Ok(entry_id(&asked.entry)?.clone()))
        .collect::<Result<_, Refusal>>()?;
    // Whether it may be held is the same question as whether it may be taken at once.
    let held = slot::hold(slot, &ids, look, timing, now)?;
    if let [asked] = asked
        && asked.entry.wishes.auto_accept
    {
        return taken_at_once(slot, facts, asked, former, look, (held, now));
    }
    let entries = asked.iter().zip(ids).map(|(asked, id)| {
        let details = OfferDetails {
            expires_at,
            batch: entries_len(held.last()),
            score: asked.score.clone(),
        };
        Ok((
            id,
            entry::offer(&asked.entry, facts, &details, timing, now)?,
        ))
    });
    Ok(Offers {
        entries: entries.collect::<Result<_, Refusal>>()?,
        slot: held,
        former: None,
        accepted: false,
        expires_at,
    })
}

fn entries_len(held: Option<&SlotEvent>) -> usize {
    match held {
        Some(SlotEvent::BatchHeld(batch)) => batch.entry_ids.len(),
        _ => 1,
    }
}

/// The hold that would be made becomes the booking: there is no time between the two in which
/// anybody could do anything.
fn taken_at_once(
    slot: &Slot,
    facts: &SlotFacts,
    asked: &Asked,
    former: Option<Former<'_>>,
    look: &Look,
    (mut held, now): (Vec<SlotEvent>, Timestamp),
) -> Result<Offers, Refusal> {
    let entry = &asked.entry;
    let id = entry_id(entry)?;
    let (swap, former) = swap::decide(slot, entry, former, now);
    held.pop();
    held.push(
        callboard_contracts::waitlist::SlotFilled {
            auto: true,
            as_of: look.as_of,
            ..slot::filled(facts, id, recipient(entry))
        }
        .into(),
    );
    let how = Accepted {
        auto: true,
        score: asked.score.clone(),
        swap,
    };
    Ok(Offers {
        slot: held,
        entries: vec![(id.clone(), entry::accepted(entry, facts, how)?)],
        former,
        accepted: true,
        expires_at: facts.offer_expires_at(now),
    })
}

/// The person says yes, received at `received_at`. `former` is the person's own booking, if it is
/// given up for this one ([`Entry::swaps`]): its slot's next release stands in the same
/// transaction. Is it not theirs (any more), the slot is taken without it.
///
/// # Errors
/// The slot's refusal, or the entry's if the slot has none.
pub fn accept(
    slot: &Slot,
    entry: &Entry,
    former: Option<Former<'_>>,
    offer_id: &OfferId,
    received_at: Timestamp,
    timing: &Timing,
) -> Result<Taken, Refusal> {
    entry::may_answer(entry, offer_id)?;
    if matches!(slot.status, SlotStatus::Broadcast { .. }) && !slot.ended.contains_key(offer_id) {
        return accept_in_broadcast(slot, entry, former, offer_id, received_at, timing);
    }
    let (swap, former) = swap::decide(slot, entry, former, received_at);
    let location = slot.facts.as_ref().and_then(|it| it.location.as_deref());
    Ok(Taken {
        slot: slot::accept(slot, offer_id, recipient(entry), received_at)?,
        entry: entry::accept(entry, offer_id, location, swap, received_at)?,
        former,
    })
}

/// Nobody has a claim in a broadcast, so the entry must be one whom the slot could be offered.
fn accept_in_broadcast(
    slot: &Slot,
    entry: &Entry,
    former: Option<Former<'_>>,
    offer_id: &OfferId,
    received_at: Timestamp,
    timing: &Timing,
) -> Result<Taken, Refusal> {
    let facts = slot.facts.as_ref().ok_or(Refusal::SlotNotFound)?;
    let id = entry_id(entry)?;
    if facts.offer_id(id) != *offer_id {
        return Err(Refusal::OfferSuperseded);
    }
    slot::answerable_in_broadcast(slot, received_at)?;
    entry::eligible(entry, slot, timing, received_at).map_err(Refusal::NotEligible)?;
    let (swap, former) = swap::decide(slot, entry, former, received_at);
    let how = Accepted {
        auto: false,
        score: None,
        swap,
    };
    Ok(Taken {
        slot: vec![slot::filled(facts, id, recipient(entry)).into()],
        entry: entry::accepted(entry, facts, how)?,
        former,
    })
}

/// The person says no, received at `received_at`.
///
/// # Errors
/// The slot's refusal, or the entry's if the slot has none.
pub fn decline(
    slot: &Slot,
    entry: &Entry,
    offer_id: &OfferId,
    received_at: Timestamp,
) -> Result<Both, Refusal> {
    entry::may_answer(entry, offer_id)?;
    Ok(Both {
        slot: slot::decline(slot, offer_id, received_at)?,
        entry: entry::decline(entry, offer_id, received_at)?,
    })
}

/// The person leaves the waitlist. `slot` is the one that the entry's standing offer is for, if
/// it has one ([`Entry::offered_slot`]); its hold is released at once. The slot's list is empty
/// if there is nothing to release.
///
/// # Errors
/// The entry's refusal.
pub fn leave(slot: Option<&Slot>, entry: &Entry, now: Timestamp) -> Result<Both, Refusal> {
    Ok(Both {
        entry: entry::leave(entry, now)?,
        slot: given_back(slot, entry, now),
    })
}

/// The person wants no offers for a while. `slot` is as for [`leave`].
///
/// # Errors
/// The entry's refusal.
pub fn pause(
    slot: Option<&Slot>,
    entry: &Entry,
    timing: &Timing,
    now: Timestamp,
) -> Result<Both, Refusal> {
    Ok(Both {
        entry: entry::pause(entry, timing, now)?,
        slot: given_back(slot, entry, now),
    })
}

fn given_back(slot: Option<&Slot>, entry: &Entry, now: Timestamp) -> Vec<SlotEvent> {
    match (slot, &entry.status) {
        (Some(slot), EntryStatus::Offered(offer)) => {
            slot::decline(slot, &offer.offer_id, now).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn entry_id(entry: &Entry) -> Result<&EntryId, Refusal> {
    let facts = entry.facts.as_ref().ok_or(Refusal::EntryNotFound)?;
    Ok(&facts.entry_id)
}

fn recipient(entry: &Entry) -> Option<&callboard_contracts::RecipientId> {
    entry.facts.as_ref().map(|facts| &facts.recipient_id)
}
