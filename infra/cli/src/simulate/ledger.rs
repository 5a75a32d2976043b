//! The invariants I1 to I5 of the waitlist, watched from outside: by the events alone, and without
//! the code that decided on them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use callboard_contracts::waitlist::{EntryEvent, HoldEnd, SlotEvent};
use callboard_contracts::{EntryId, OfferId, Timestamp};

/// The sweep of the agenda comes once a minute: no hold may stand longer past its grace (I5).
const RECONCILE: Duration = Duration::from_secs(60);

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} does not hold: {what}")]
pub struct Breach {
    /// Its name.
    pub invariant: &'static str,
    /// What happened.
    pub what: String,
}

fn breach<T>(invariant: &'static str, what: impl Into<String>) -> Result<T, Breach> {
    Err(Breach {
        invariant,
        what: what.into(),
    })
}

#[derive(Debug, Default)]
struct KnownSlot {
    version: u32,
    released: bool,
    held: Vec<EntryId>,
    until: Option<Timestamp>,
    broadcast: bool,
    booked: bool,
    ended: bool,
}

/// What the events told.
#[derive(Debug)]
pub struct Ledger {
    grace: Duration,
    slots: HashMap<usize, KnownSlot>,
    live: HashMap<EntryId, (OfferId, Timestamp)>,
    asked: HashSet<(usize, u32, EntryId)>,
}

impl Ledger {
    /// Knows nothing; `grace` is that of holds after their deadline.
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            slots: HashMap::new(),
            live: HashMap::new(),
            asked: HashSet::new(),
        }
    }

    /// An event of a slot.
    pub fn slot(&mut self, at: usize, event: &SlotEvent, now: Timestamp) -> Result<(), Breach> {
        let grace = self.grace;
        let slot = self.slots.entry(at).or_default();
        match event {
            SlotEvent::SlotReleased(event) => {
                *slot = KnownSlot {
                    version: event.slot_version,
                    released: true,
                    ..KnownSlot::default()
                };
            }
            SlotEvent::SlotHeld(event) => {
                return self.hold(at, std::slice::from_ref(&event.entry_id), event.expires_at);
            }
            SlotEvent::BatchHeld(event) => {
                return self.hold(at, &event.entry_ids, event.expires_at);
            }
            SlotEvent::OfferEnded(_) => {}
            SlotEvent::HoldReleased(event) if event.reason == HoldEnd::Declined => slot.free(),
            SlotEvent::HoldReleased(_) | SlotEvent::BatchReleased(_) => {
                if slot.until.is_none_or(|until| now < until.plus(grace)) {
                    return breach(
                        "I3",
                        format!("slot {at} was taken from its offer too early"),
                    );
                }
                slot.free();
            }
            SlotEvent::SlotBroadcast(event) => {
                slot.broadcast = true;
                slot.until = Some(event.ends_at);
            }
            SlotEvent::SlotFilled(event) => {
                if slot.booked || slot.ended {
                    return breach("I1", format!("slot {at} was booked twice"));
                }
                let claimed = event.auto || slot.broadcast || slot.held.contains(&event.entry_id);
                if !claimed {
                    return breach("I1", format!("slot {at} went to one it was not held for"));
                }
                slot.free();
                slot.booked = true;
            }
            SlotEvent::SlotBooked(_) => {
                if slot.booked {
                    return breach("I1", format!("slot {at} was booked twice"));
                }
                slot.free();
                slot.booked = true;
            }
            SlotEvent::SlotOpenedToPublic(_) | SlotEvent::SlotWithdrawn(_) => {
                if slot.booked {
                    return breach("I1", format!("slot {at} was taken from who had booked it"));
                }
                slot.free();
                slot.ended = true;
            }
            SlotEvent::CandidatesPassedOver(_)
            | SlotEvent::CandidateNotFound(_)
            | SlotEvent::EndedOffersTold(_)
            | SlotEvent::CalendarTold(_) => {}
        }
        Ok(())
    }

    fn hold(&mut self, at: usize, entries: &[EntryId], until: Timestamp) -> Result<(), Breach> {
        let slot = self.slots.entry(at).or_default();
        if !slot.held.is_empty() || slot.booked || slot.ended || !slot.released {
            return breach("I1", format!("slot {at} was held while it was not free"));
        }
        for entry in entries {
            if !self.asked.insert((at, slot.version, entry.clone())) {
                return breach("I2", format!("{entry} was offered slot {at} twice"));
            }
        }
        slot.held = entries.to_vec();
        slot.until = Some(until);
        Ok(())
    }

    /// An event of an entry.
    pub fn entry(
        &mut self,
        id: &EntryId,
        event: &EntryEvent,
        now: Timestamp,
    ) -> Result<(), Breach> {
        match event {
            EntryEvent::OfferMade(event) => {
                let offer = (event.offer_id.clone(), event.expires_at);
                match self.live.insert(id.clone(), offer) {
                    Some((_, until)) if now < until.plus(self.grace) => {
                        breach("I2", format!("{id} has two live offers"))
                    }
                    _ => Ok(()),
                }
            }
            EntryEvent::OfferAccepted(_)
            | EntryEvent::OfferDeclined(_)
            | EntryEvent::OfferLapsed(_)
            | EntryEvent::OfferSuperseded(_)
            | EntryEvent::OfferWithdrawn(_) => {
                self.live.remove(id);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An answer to an offer, received at `now`, was honoured or not.
    pub fn answered(
        &self,
        (at, entry, offer): (usize, &EntryId, &OfferId),
        honoured: bool,
        now: Timestamp,
    ) -> Result<(), Breach> {
        let Some(slot) = self.slots.get(&at).filter(|slot| !slot.broadcast) else {
            return Ok(());
        };
        let live = self.live.get(entry).is_some_and(|(live, _)| live == offer);
        let stands = live && slot.held.contains(entry) && slot.until.is_some_and(|end| now < end);
        match (stands, honoured) {
            (true, false) => breach("I3", format!("{entry} answered in time and was refused")),
            (false, true) => breach("I3", format!("{entry} answered too late and was honoured")),
            _ => Ok(()),
        }
    }

    /// What stands at `now`, once all that was due has been done.
    pub fn at_rest(&self, now: Timestamp) -> Result<(), Breach> {
        let late = self.slots.iter().find(|(_, slot)| {
            let until = slot
                .until
                .map(|until| until.plus(self.grace).plus(RECONCILE));
            (!slot.held.is_empty() || slot.broadcast && !slot.booked && !slot.ended)
                && until.is_some_and(|until| now > until)
        });
        match late {
            Some((at, _)) => breach("I5", format!("slot {at} stays held past its deadline")),
            None => Ok(()),
        }
    }

    /// Slot `at` has started.
    pub fn over(&self, at: usize) -> Result<(), Breach> {
        match self.slots.get(&at) {
            Some(slot) if slot.released && !slot.booked && !slot.ended => {
                breach("I5", format!("slot {at} has started and came to no end"))
            }
            _ => Ok(()),
        }
    }
}

impl KnownSlot {
    fn free(&mut self) {
        self.held.clear();
        self.until = None;
        self.broadcast = false;
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;
    use callboard_contracts::waitlist::{SlotFilled, SlotHeld, SlotReleased};
    use callboard_contracts::{SlotId, WaitlistId};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn id(text: &str) -> EntryId {
        EntryId::parse(text).unwrap()
    }

    fn released() -> Ledger {
        let mut ledger = Ledger::new(Duration::from_secs(5));
        let event = SlotReleased {
            waitlist_id: WaitlistId::parse("w").unwrap(),
            slot_id: SlotId::parse("s").unwrap(),
            slot_version: 1,
            service: "visit".to_owned(),
            starts_at: at(9_000),
            ends_at: at(9_900),
            offer_window_seconds: 60,
            location: None,
            provider: None,
            zone: None,
            external_id: None,
            terms: None,
            swap_depth: 0,
        };
        ledger.slot(0, &event.into(), at(0)).unwrap();
        ledger
    }

    fn held(entry: &str) -> SlotEvent {
        SlotHeld {
            waitlist_id: WaitlistId::parse("w").unwrap(),
            slot_id: SlotId::parse("s").unwrap(),
            slot_version: 1,
            offer_id: OfferId::parse("o").unwrap(),
            entry_id: id(entry),
            expires_at: at(60),
            as_of: None,
            draw: None,
        }
        .into()
    }

    fn filled(entry: &str) -> SlotEvent {
        SlotFilled {
            waitlist_id: WaitlistId::parse("w").unwrap(),
            slot_id: SlotId::parse("s").unwrap(),
            slot_version: 1,
            offer_id: OfferId::parse("o").unwrap(),
            entry_id: id(entry),
            recipient_id: None,
            auto: false,
            as_of: None,
        }
        .into()
    }

    #[test]
    fn a_second_hold_and_a_second_booking_are_found() {
        let mut ledger = released();
        ledger.slot(0, &held("a"), at(0)).unwrap();
        assert_eq!(
            ledger.slot(0, &held("b"), at(1)).unwrap_err().invariant,
            "I1"
        );
        assert_eq!(
            ledger.slot(0, &filled("c"), at(1)).unwrap_err().invariant,
            "I1"
        );
        ledger.slot(0, &filled("a"), at(1)).unwrap();
        assert_eq!(
            ledger.slot(0, &filled("a"), at(2)).unwrap_err().invariant,
            "I1"
        );
    }

    #[test]
    fn a_hold_that_stays_and_a_slot_without_an_end_are_found() {
        let mut ledger = released();
        assert_eq!(ledger.over(0).unwrap_err().invariant, "I5");
        ledger.slot(0, &held("a"), at(0)).unwrap();
        assert_eq!(ledger.at_rest(at(125)), Ok(()));
        assert_eq!(ledger.at_rest(at(126)).unwrap_err().invariant, "I5");
    }

    #[test]
    fn an_answer_without_an_offer_that_counts_is_found() {
        let mut ledger = released();
        ledger.slot(0, &held("a"), at(0)).unwrap();
        let offer = OfferId::parse("o").unwrap();
        let late = ledger.answered((0, &id("a"), &offer), true, at(60));
        assert_eq!(late.unwrap_err().invariant, "I3");
    }
}
