//! One simulation: a clinic under one policy, event by event in virtual time.
//!
//! Every decision is the waitlist's own (`callboard_domain::waitlist`), taken as the functions take
//! them: a slot's next step when it is due, an answer when it is received. There are no second
//! rules here, and no view that is behind: who waits is known at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use callboard_contracts::waitlist::{BookedBy, Urgency};
use callboard_contracts::{
    EntryId, Fold as _, OfferId, RecipientId, SlotId, Timestamp, WaitlistId,
};
use callboard_domain::waitlist::entry::{self, Join};
use callboard_domain::waitlist::policy::{self, SetPolicy};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::slot::{self, BookSlot, ReleaseSlot, SlotDetails};
use callboard_domain::waitlist::{
    Entry, EntryStatus, Policies, Refusal, Slot, SlotStatus, Timing, cascade,
};

use super::config::{Config, Plan};
use super::figures::Counts;
use super::ledger::{Breach, Ledger};
use super::story::{Answer, Story};

mod commit;
mod look_up;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests;

/// How often it is looked whether a hold or a slot is overdue (I5), in the simulation's time.
const LOOK_AROUND: Duration = Duration::from_secs(6 * 3_600);

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Join(usize),
    Release(usize),
    /// A slot's next step, if it is still due then.
    Step(usize),
    StaffBook(usize),
    Answer {
        slot: usize,
        entry: usize,
        offer: OfferId,
        yes: bool,
    },
    Resume(usize),
    Leave(usize),
}

/// Why a simulation could not go on: a mistake in the rules, or in the simulation.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// An invariant does not hold.
    #[error(transparent)]
    Breach(#[from] Breach),
    /// The rules refuse what they have asked for.
    #[error("the rules refuse what they have asked for: {0:?}")]
    Refused(#[from] Refusal),
}

/// A clinic under one policy.
pub struct World<'a> {
    config: &'a Config,
    story: &'a Story,
    policies: Policies,
    waitlist: WaitlistId,
    timing: Timing,
    now: Timestamp,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Happens)>>,
    happened: u64,
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    /// Who waits or has an offer: by service and urgency, in the order of joining.
    waiting: BTreeMap<(usize, Urgency), BTreeMap<(Timestamp, EntryId), usize>>,
    /// Slots that nobody is asked for at the moment: who joins may want one.
    open: BTreeSet<usize>,
    invited: BTreeMap<usize, u32>,
    ledger: Ledger,
    counts: Counts,
    /// Measured slots that have not come to an end.
    to_measure: BTreeSet<usize>,
}

/// Simulates a plan.
///
/// # Errors
/// [`Broken`], with when and where.
pub fn simulate(
    config: &Config,
    story: &Story,
    plan: &Plan,
) -> Result<Counts, (Timestamp, Broken)> {
    let mut world = World::new(config, story, plan).map_err(|broken| (story.begins, broken))?;
    match world.run() {
        Ok(()) => Ok(world.counts),
        Err(broken) => Err((world.now, broken)),
    }
}

fn entry_id(at: usize) -> Option<EntryId> {
    EntryId::parse(&format!("e{at}")).ok()
}

fn place(id: &str) -> usize {
    id.get(1..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(usize::MAX)
}

impl<'a> World<'a> {
    fn new(config: &'a Config, story: &'a Story, plan: &Plan) -> Result<Self, Broken> {
        let waitlist = WaitlistId::derived(&["simulated"]);
        let timing = Timing::default();
        let set = SetPolicy {
            waitlist_id: waitlist.clone(),
            service: None,
            policy: config.policy(plan),
            after_version: None,
        };
        let mut policies = Policies::default();
        for event in policy::set(&policies, &set)? {
            policies = policies.evolve(&event, story.begins);
        }
        let mut world = Self {
            config,
            story,
            policies,
            waitlist,
            timing,
            now: story.begins,
            queue: BinaryHeap::new(),
            happened: 0,
            slots: vec![Slot::default(); story.frees.len()],
            entries: vec![Entry::default(); story.joins.len()],
            waiting: BTreeMap::new(),
            open: BTreeSet::new(),
            invited: BTreeMap::new(),
            ledger: Ledger::new(timing.hold_grace),
            counts: Counts::default(),
            to_measure: (0..story.frees.len())
                .filter(|at| story.frees[*at].measured)
                .collect(),
        };
        for (at, joins) in story.joins.iter().enumerate() {
            world.at(joins.at, Happens::Join(at));
        }
        for (at, frees) in story.frees.iter().enumerate() {
            world.at(frees.at, Happens::Release(at));
        }
        Ok(world)
    }

    fn at(&mut self, time: Timestamp, happens: Happens) {
        self.happened += 1;
        self.queue.push(Reverse((time, self.happened, happens)));
    }

    /// Until every measured slot has come to its end.
    fn run(&mut self) -> Result<(), Broken> {
        let mut looked = self.now;
        while let Some(Reverse((time, _, happens))) = self.queue.pop() {
            self.now = time;
            self.happen(happens)?;
            if self.now.since(looked) > LOOK_AROUND {
                self.look_around()?;
                looked = self.now;
            }
            if self.to_measure.is_empty() && self.now >= self.story.measured_until {
                break;
            }
        }
        self.look_around()
    }

    /// I5.
    fn look_around(&self) -> Result<(), Broken> {
        self.ledger.at_rest(self.now)?;
        for (at, frees) in self.story.frees.iter().enumerate() {
            // What is due is done at the last moment before the start, or by a broadcast's grace.
            if frees.starts_at.plus(self.timing.hold_grace) < self.now {
                self.ledger.over(at)?;
            }
        }
        Ok(())
    }

    fn happen(&mut self, happens: Happens) -> Result<(), Broken> {
        match happens {
            Happens::Join(at) => self.join(at),
            Happens::Release(at) => self.release(at),
            Happens::Step(at) => self.step(at),
            Happens::StaffBook(at) => self.staff_book(at),
            Happens::Answer {
                slot,
                entry,
                offer,
                yes,
            } => self.answer(slot, entry, &offer, yes),
            Happens::Resume(at) => match entry::resume(&self.entries[at], &self.timing, self.now) {
                Ok(events) => {
                    self.commit_entry(at, &events)?;
                    self.ask_again(at)
                }
                Err(_) => Ok(()),
            },
            Happens::Leave(at) => self.leave(at),
        }
    }

    fn join(&mut self, at: usize) -> Result<(), Broken> {
        let joins = &self.story.joins[at];
        let Some(entry_id) = entry_id(at) else {
            return Ok(());
        };
        let command = Join {
            waitlist_id: self.waitlist.clone(),
            recipient_id: RecipientId::derived(&["person", entry_id.as_str()]),
            entry_id,
            service: self.config.clinic.services[joins.service].name.clone(),
            urgency: joins.urgency,
            wishes: joins.wishes.clone(),
        };
        let events = entry::join(&self.entries[at], &command)?;
        self.commit_entry(at, &events)?;
        self.at(joins.leaves_at, Happens::Leave(at));
        self.ask_again(at)
    }

    /// Somebody is there who was not: slots that nobody was found for are looked at again.
    fn ask_again(&mut self, entry: usize) -> Result<(), Broken> {
        let service = self.story.joins[entry].service;
        let open: Vec<usize> = self.open.iter().copied().collect();
        for at in open {
            if self.story.frees[at].service == service {
                self.step(at)?;
            }
        }
        Ok(())
    }

    fn release(&mut self, at: usize) -> Result<(), Broken> {
        let frees = &self.story.frees[at];
        let service = self.config.clinic.services[frees.service].name.clone();
        let numbered = self.policies.of(&service);
        let command = ReleaseSlot {
            waitlist_id: self.waitlist.clone(),
            slot_id: SlotId::parse(&format!("s{at}")).unwrap_or_else(|_| SlotId::generate()),
            service,
            starts_at: frees.starts_at,
            ends_at: frees.ends_at,
            offer_window: Duration::from_secs(numbered.policy.window_seconds.into()),
            after_version: None,
            details: SlotDetails {
                zone: numbered.policy.zone.clone(),
                terms: Some(numbered.terms(frees.random)),
                ..SlotDetails::default()
            },
        };
        if frees.measured {
            self.counts.released += 1;
            self.counts.same_day_released += u32::from(frees.same_day);
        }
        let events = slot::release(&self.slots[at], &command, self.now)?;
        if let Some(time) = frees.staff_book_at {
            self.at(time, Happens::StaffBook(at));
        }
        self.commit_slot(at, &events)
    }

    fn staff_book(&mut self, at: usize) -> Result<(), Broken> {
        let command = BookSlot {
            by: BookedBy::Staff,
            external_id: None,
            recipient_id: None,
        };
        match slot::book(&self.slots[at], &command) {
            Ok(events) => self.commit_slot(at, &events),
            Err(Refusal::SlotTaken | Refusal::SlotWithdrawn) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn leave(&mut self, at: usize) -> Result<(), Broken> {
        let entry = &self.entries[at];
        let held = entry.offered_slot().map(|id| place(id.as_str()));
        let slot = held.map(|held| &self.slots[held]);
        let Ok(both) = cascade::leave(slot, entry, self.now) else {
            // Booked in the meantime.
            return Ok(());
        };
        if let Some(held) = held {
            self.commit_slot(held, &both.slot)?;
        }
        self.commit_entry(at, &both.entry)
    }

    fn answer(&mut self, at: usize, who: usize, offer: &OfferId, yes: bool) -> Result<(), Broken> {
        let (slot, entry) = (&self.slots[at], &self.entries[who]);
        use EntryStatus::{Booked, GivenUp, Left};
        if matches!(entry.status, Booked(_) | GivenUp { .. } | Left) {
            return Ok(());
        }
        let decided = if yes {
            cascade::accept(slot, entry, None, offer, self.now, &self.timing)
                .map(|taken| (taken.slot, taken.entry))
        } else if matches!(slot.status, SlotStatus::Broadcast { .. }) {
            return Ok(());
        } else {
            cascade::decline(slot, entry, offer, self.now).map(|both| (both.slot, both.entry))
        };
        if let Some(id) = entry_id(who) {
            self.ledger
                .answered((at, &id, offer), decided.is_ok(), self.now)?;
        }
        match decided {
            Ok((of_slot, of_entry)) => {
                // One transaction: the entry first, so that nobody is told what they know.
                self.commit_entry(who, &of_entry)?;
                self.commit_slot(at, &of_slot)
            }
            Err(_) => {
                if yes && self.story.frees[at].measured {
                    self.counts.too_late += 1;
                    self.counts.messages += 1;
                }
                Ok(())
            }
        }
    }

    fn will_answer(&mut self, slot: usize, entry: usize, offer: &OfferId) {
        let (time, yes) = match self.story.answer(self.config, entry, slot, self.now) {
            Answer::Yes(time) => (time, true),
            Answer::No(time) => (time, false),
            Answer::Never => return,
        };
        let offer = offer.clone();
        self.at(
            time,
            Happens::Answer {
                slot,
                entry,
                offer,
                yes,
            },
        );
    }

    /// Those who wait for a service, class by class, each in its order.
    fn classes(&self, service: usize) -> Vec<impl Iterator<Item = Candidate> + '_> {
        let classes = Urgency::ALL.iter();
        classes
            .filter_map(|urgency| self.waiting.get(&(service, *urgency)))
            .map(|class| {
                class
                    .values()
                    .filter_map(|at| self.entries[*at].candidate())
            })
            .collect()
    }
}
