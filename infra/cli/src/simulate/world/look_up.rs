//! A slot's next step: whom it is offered to.

use callboard_contracts::EntryId;
use callboard_contracts::waitlist::{EntryEvent, Ineligible, SlotEvent};
use callboard_domain::waitlist::cascade::Offers;
use callboard_domain::waitlist::rank::{Candidate, merge};
use callboard_domain::waitlist::slot::{self, DrawFrom, Look, Step};
use callboard_domain::waitlist::{Considered, Selection, Slot, SlotFacts, entry, lottery};

use super::{Breach, Broken, World, place};

impl World<'_> {
    /// Takes the slot one step further, if one is due.
    pub(super) fn step(&mut self, at: usize) -> Result<(), Broken> {
        let (timing, now) = (self.timing, self.now);
        match slot::next_step(&self.slots[at], &timing, now) {
            Step::Nothing | Step::Wait { .. } => Ok(()),
            Step::Close => {
                let events = slot::close(&self.slots[at], &timing, now)?;
                self.commit_slot(at, &events)
            }
            Step::Broadcast => {
                let (invited, look) = self.audience(at);
                let slot = &self.slots[at];
                if invited.is_empty() {
                    let events = slot::no_candidate(slot, &look, &timing, now)?;
                    return self.commit_slot(at, &events);
                }
                let events = slot::broadcast(slot, &timing, now)?;
                self.commit_slot(at, &events)?;
                self.invite(at, invited);
                Ok(())
            }
            Step::FindCandidates { .. } => {
                // Out of the world while it is asked for: the rules only read it.
                let slot = std::mem::take(&mut self.slots[at]);
                let found = self.find(at, &slot);
                self.slots[at] = slot;
                let found = found?;
                for (who, events) in &found.settled {
                    self.commit_entry(*who, events)?;
                }
                for (id, events) in &found.entries {
                    self.commit_entry(place(id.as_str()), events)?;
                }
                self.commit_slot(at, &found.slot)
            }
        }
    }

    /// Who is told of a broadcast, by rank, and what the search saw.
    fn audience(&self, at: usize) -> (Vec<usize>, Look) {
        let slot = &self.slots[at];
        let mut look = Look::as_of(Some(self.now));
        let Some(facts) = &slot.facts else {
            return (Vec::new(), look);
        };
        let service = self.story.frees[at].service;
        let want = facts.audience_max();
        let mut selection = Selection::to_tell(slot, want, self.timing, self.now);
        let mut told = Vec::new();
        for candidate in merge(self.classes(service), facts.max_wait(), self.now) {
            let who = place(candidate.entry_id.as_str());
            let considered = selection.consider(&candidate.entry_id, &self.entries[who]);
            if considered == Considered::Taken {
                told.push(who);
            }
            if selection.is_full() {
                break;
            }
        }
        look.passed = selection.passed().to_vec();
        (told, look)
    }

    fn invite(&mut self, at: usize, invited: Vec<usize>) {
        let Some(facts) = self.slots[at].facts.clone() else {
            return;
        };
        let count = u32::try_from(invited.len()).unwrap_or(u32::MAX);
        if self.story.frees[at].measured {
            self.counts.offers += count;
            self.counts.messages += count;
        }
        self.invited.insert(at, count);
        for who in invited {
            if let Some(id) = super::entry_id(who) {
                self.will_answer(at, who, &facts.offer_id(&id));
            }
        }
    }

    fn find(&self, at: usize, slot: &Slot) -> Result<Found, Broken> {
        let (timing, now) = (self.timing, self.now);
        let Step::FindCandidates { want, draw } = slot::next_step(slot, &timing, now) else {
            return Ok(Found::default());
        };
        let service = self.story.frees[at].service;
        let max_wait = slot.facts.as_ref().and_then(SlotFacts::max_wait);
        let mut look = Look::as_of(Some(now));
        let ranked = merge(self.classes(service), max_wait, now);
        let mut selection = Selection::new(slot, want, timing, now);
        let mut found = Found::default();
        let mut last = None;
        let order: Box<dyn Iterator<Item = Candidate>> = match draw {
            None => Box::new(ranked),
            Some(DrawFrom { seed, number, pool }) => {
                let pool = ranked.take(pool).collect();
                let drawn = lottery::draw(seed, number, pool, max_wait, now);
                look.draw = Some(drawn.record);
                Box::new(drawn.order.into_iter())
            }
        };
        for candidate in order {
            let who = place(candidate.entry_id.as_str());
            let entry = &self.entries[who];
            match selection.consider(&candidate.entry_id, entry) {
                Considered::LeftForNext => break,
                Considered::PassedOver(Ineligible::SkipLimit) => {
                    found
                        .settled
                        .push((who, entry::settle(entry, &timing, now)));
                }
                Considered::Taken | Considered::PassedOver(_) => {}
            }
            last = Some(candidate);
            if selection.is_full() {
                break;
            }
        }
        if selection.is_empty() {
            look.passed = selection.passed().to_vec();
            found.slot = slot::no_candidate(slot, &look, &timing, now)?;
            return Ok(found);
        }
        let drawn = look.draw.is_some();
        let offers = selection.offer(None, look)?;
        if let (Some(last), false) = (last, drawn) {
            self.nobody_was_forgotten(service, &last, &offers, max_wait)?;
        }
        found.slot = offers.slot;
        found.entries = offers.entries;
        Ok(found)
    }

    /// I4, by comparing every class with the last who was looked at: who ranks before is asked as
    /// well, or is recorded with a reason.
    fn nobody_was_forgotten(
        &self,
        service: usize,
        last: &Candidate,
        offers: &Offers,
        max_wait: Option<std::time::Duration>,
    ) -> Result<(), Broken> {
        // Within a class the order is that of joining.
        let up_to = |it: &Candidate| it.compare(last, max_wait, self.now).is_le();
        let classes = self.classes(service).into_iter();
        let before: usize = classes.map(|class| class.take_while(up_to).count()).sum();
        let recorded: usize = offers
            .slot
            .iter()
            .map(|event| match event {
                SlotEvent::CandidatesPassedOver(event) => event.passed.values().map(Vec::len).sum(),
                _ => 0,
            })
            .sum();
        if before == recorded + offers.entries.len() {
            return Ok(());
        }
        let what = format!(
            "{before} rank up to {}, but {} are asked and {recorded} recorded as passed over",
            last.entry_id,
            offers.entries.len()
        );
        Err(Breach {
            invariant: "I4",
            what,
        }
        .into())
    }
}

/// What a look-up came to.
#[derive(Default)]
struct Found {
    slot: Vec<SlotEvent>,
    entries: Vec<(EntryId, Vec<EntryEvent>)>,
    settled: Vec<(usize, Vec<EntryEvent>)>,
}
