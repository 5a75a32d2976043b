//! What was decided takes effect: it is folded, counted, checked, and what follows is put in the
//! queue.

use std::time::Duration;

use callboard_contracts::waitlist::{EntryEvent, SlotEvent};
use callboard_contracts::{Fold as _, SlotId};
use callboard_domain::waitlist::{EntryStatus, SlotStatus, entry, slot};

use super::{Broken, Happens, World, entry_id, place};

impl World<'_> {
    pub(super) fn commit_slot(&mut self, at: usize, events: &[SlotEvent]) -> Result<(), Broken> {
        if events.is_empty() {
            return Ok(());
        }
        let mut told = false;
        for event in events {
            self.ledger.slot(at, event, self.now)?;
            self.count_slot(at, event);
            told |= matches!(
                event,
                SlotEvent::SlotFilled(_) | SlotEvent::SlotBooked(_) | SlotEvent::SlotWithdrawn(_)
            );
            let slot = std::mem::take(&mut self.slots[at]);
            self.slots[at] = slot.evolve(event, self.now);
        }
        match self.slots[at].status {
            SlotStatus::Open { .. } => self.open.insert(at),
            _ => self.open.remove(&at),
        };
        if told {
            for told in self.slots[at].to_tell.clone() {
                let who = place(told.entry_id.as_str());
                let events = entry::told(&self.entries[who], &told);
                self.commit_entry(who, &events)?;
            }
            let told = slot::told(&self.slots[at]);
            self.commit_slot(at, &told)?;
        }
        if let Some(due) = slot::due(&self.slots[at], &self.timing) {
            self.at(due.max(self.now), Happens::Step(at));
        } else {
            // Staff may still book what was opened to the public: it has ended before.
            self.to_measure.remove(&at);
        }
        Ok(())
    }

    fn count_slot(&mut self, at: usize, event: &SlotEvent) {
        let frees = &self.story.frees[at];
        let SlotEvent::SlotFilled(event) = event else {
            return;
        };
        if !frees.measured {
            return;
        }
        let counts = &mut self.counts;
        counts.filled += 1;
        counts.same_day_filled += u32::from(frees.same_day);
        counts
            .minutes_to_fill
            .push(self.now.since(frees.at).as_secs_f64() / 60.0);
        // Of a broadcast all but one were slower.
        if let Some(invited) = self.invited.get(&at) {
            counts.superseded += invited.saturating_sub(1);
        }
        let joins = &self.story.joins[place(event.entry_id.as_str())];
        let days = self.now.since(joins.at).as_secs_f64() / 86_400.0;
        let equals = counts.waits.entry((joins.service, joins.urgency));
        equals.or_default().push(days);
    }

    pub(super) fn commit_entry(&mut self, at: usize, events: &[EntryEvent]) -> Result<(), Broken> {
        let Some(id) = entry_id(at) else {
            return Ok(());
        };
        for event in events {
            self.ledger.entry(&id, event, self.now)?;
            self.count_entry(event);
            match event {
                EntryEvent::OfferMade(event) => {
                    self.will_answer(place(event.slot_id.as_str()), at, &event.offer_id);
                }
                EntryEvent::EntryPaused(_) if self.story.joins[at].resumes => {
                    let after = self.config.entries.resumes_after_hours * 3_600.0;
                    let time = self.now.plus(Duration::from_secs_f64(after));
                    self.at(time, Happens::Resume(at));
                }
                _ => {}
            }
            let entry = std::mem::take(&mut self.entries[at]);
            self.entries[at] = entry.evolve(event, self.now);
        }
        let joins = &self.story.joins[at];
        let class = self
            .waiting
            .entry((joins.service, joins.urgency))
            .or_default();
        match self.entries[at].status {
            EntryStatus::Waiting | EntryStatus::Offered(_) => {
                class.entry((joins.at, id)).or_insert(at);
            }
            _ => {
                class.remove(&(joins.at, id));
            }
        }
        Ok(())
    }

    fn count_entry(&mut self, event: &EntryEvent) {
        let of = |id: &SlotId| self.story.frees[place(id.as_str())].measured;
        let counts = &mut self.counts;
        match event {
            EntryEvent::OfferMade(event) if of(&event.slot_id) => {
                counts.offers += 1;
                counts.messages += 1;
            }
            EntryEvent::OfferAccepted(event) if of(&event.slot_id) => {
                // Who took it without an offer was asked by the rules all the same.
                counts.offers += u32::from(event.auto);
                counts.messages += 1;
            }
            EntryEvent::OfferSuperseded(event) if of(&event.slot_id) => {
                counts.superseded += 1;
                counts.messages += 1;
            }
            EntryEvent::OfferWithdrawn(event) if of(&event.slot_id) => counts.messages += 1,
            // No one slot's: it counts if it is told in the measured days.
            EntryEvent::EntryPaused(_)
                if self.now >= self.story.measured_from && self.now < self.story.measured_until =>
            {
                counts.messages += 1;
            }
            _ => {}
        }
    }
}
