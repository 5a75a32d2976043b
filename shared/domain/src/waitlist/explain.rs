//! Why a slot went to somebody else: read from what was recorded when it was offered.
//!
//! The slot's stream says who was asked, who was passed over and for which reason; the entry's own
//! says how it stood at that moment. Who is in neither record stood behind whoever was asked, which
//! [`compare`] proves by the rule of that day. Nobody is named: of others there is an urgency and a
//! time of waiting, as the offer's score has them.

use std::time::Duration;

use callboard_contracts::waitlist::{
    CandidatesPassedOver, Draw, EntryEvent, Ineligible, PauseReason, RankTo, Score, SlotEvent,
};
use callboard_contracts::{EntryId, Fold, OfferId, Timestamp};

use super::entry::{Entry, EntryStatus, lasts};
use super::rank::Candidate;
use super::slot::{HeldOffer, OfferFate, Slot, SlotFacts};

mod words;

/// Commits of one stream, ascending: when each was decided, and what it says.
pub type Commits<E> = [(Timestamp, Vec<E>)];

/// How a slot was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To so many at once, by rank or by lot.
    Offered(usize),
    /// To one who had wished to take it at once.
    TakenAtOnce,
    /// To everybody whom it suited.
    Broadcast,
}

/// A moment at which a slot was offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// When.
    pub at: Timestamp,
    /// The slot as it was then.
    pub facts: SlotFacts,
    /// How.
    pub way: Way,
    /// To whom, by rank. For reading their scores, not for showing.
    pub to: Vec<HeldOffer>,
    /// How fresh the list was in which they were found; absent if it is not known.
    pub as_of: Option<Timestamp>,
    /// What it meant for the entry.
    pub why: Why,
}

/// What an offer of a slot meant for an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It was made to this entry; how it ended, if it has without a booking.
    Own(Option<OfferFate>),
    /// The entry had been offered this release of the slot before; how that had ended.
    HadItsTurn(Option<OfferFate>),
    /// The entry was paused.
    Paused(PauseReason),
    /// The entry had its appointment.
    Booked,
    /// The entry had left.
    Left,
    /// The entry stood before whoever was asked, and was passed over.
    PassedOver {
        /// Why.
        reason: Ineligible,
        /// When that was recorded.
        recorded_at: Timestamp,
    },
    /// Who was asked was drawn by lot.
    Drawn {
        /// What the draw depended on.
        draw: Draw,
        /// What it was drawn from; to repeat it.
        seed: Option<String>,
    },
    /// Everybody whom the slot suited was told, and somebody was faster or nobody came.
    ForAll,
    /// By rank: [`compare`] says whether the entry stood behind.
    ByRank,
    /// The entry would have come first by rank, but no reason is recorded: the list that was looked
    /// at did not show it as it stood.
    NotSeen,
}

/// All moments at which a slot was offered while an entry was on its list, ascending. `slot` are
/// the commits of the slot's stream behind the state `start`, `own` those of the entry's.
#[must_use]
pub fn turns(
    id: &EntryId,
    (start, slot): (Slot, &Commits<SlotEvent>),
    (own_start, own): (Entry, &Commits<EntryEvent>),
) -> Vec<Turn> {
    let mut telling = Telling {
        id,
        slot: start,
        entry: own_start,
        own,
        recorded: None,
        wishes_since: Timestamp::from_millis(0),
        turns: Vec::new(),
    };
    for (at, events) in slot {
        telling.entry_at(*at);
        for event in events {
            telling.event(*at, event);
        }
    }
    telling.turns
}

struct Telling<'a> {
    id: &'a EntryId,
    slot: Slot,
    entry: Entry,
    own: &'a Commits<EntryEvent>,
    /// Why the entry was passed over for this release, and when.
    recorded: Option<(Ineligible, Timestamp)>,
    /// When its wishes were changed last.
    wishes_since: Timestamp,
    turns: Vec<Turn>,
}

impl Telling<'_> {
    /// Folds the entry up to a moment.
    fn entry_at(&mut self, until: Timestamp) {
        while let Some(((at, events), rest)) = self.own.split_first() {
            if *at > until {
                break;
            }
            for event in events {
                if matches!(event, EntryEvent::PreferencesChanged(_)) {
                    self.wishes_since = *at;
                }
                self.entry = std::mem::take(&mut self.entry).evolve(event, *at);
            }
            self.own = rest;
        }
    }

    fn event(&mut self, at: Timestamp, event: &SlotEvent) {
        match event {
            SlotEvent::SlotReleased(_) => self.recorded = None,
            SlotEvent::CandidatesPassedOver(event) => self.passed_over(at, event),
            _ => {}
        }
        let turn = self.turn(at, event);
        self.slot = std::mem::take(&mut self.slot).evolve(event, at);
        self.turns.extend(turn);
        let slot = &self.slot;
        for turn in &mut self.turns {
            if let Why::Own(end @ None) = &mut turn.why
                && turn.facts.version == slot.version()
            {
                *end = slot.ended.get(&turn.facts.offer_id(self.id)).copied();
            }
        }
    }

    fn passed_over(&mut self, at: Timestamp, event: &CandidatesPassedOver) {
        let of_entry = |(_, passed): &(&Ineligible, &Vec<EntryId>)| passed.contains(self.id);
        if let Some((reason, _)) = event.passed.iter().find(of_entry) {
            self.recorded = Some((*reason, at));
        }
    }

    fn turn(&self, at: Timestamp, event: &SlotEvent) -> Option<Turn> {
        let facts = self.slot.facts.as_ref()?;
        let own = self.entry.facts.as_ref()?;
        if own.waitlist_id != facts.waitlist_id || own.service != facts.service {
            return None;
        }
        let one = |offer_id: &OfferId, entry_id: &EntryId| HeldOffer {
            offer_id: offer_id.clone(),
            entry_id: entry_id.clone(),
        };
        let (way, to, as_of, draw) = match event {
            SlotEvent::SlotHeld(held) => (
                Way::Offered(1),
                vec![one(&held.offer_id, &held.entry_id)],
                held.as_of,
                held.draw.as_ref(),
            ),
            SlotEvent::BatchHeld(held) => {
                let to = held.entry_ids.iter();
                let to: Vec<_> = to.map(|id| one(&facts.offer_id(id), id)).collect();
                (Way::Offered(to.len()), to, held.as_of, None)
            }
            SlotEvent::SlotFilled(filled) if filled.auto => (
                Way::TakenAtOnce,
                vec![one(&filled.offer_id, &filled.entry_id)],
                filled.as_of,
                None,
            ),
            SlotEvent::SlotBroadcast(_) => (Way::Broadcast, Vec::new(), None, None),
            _ => return None,
        };
        Some(Turn {
            at,
            why: self.why(at, way, &to, draw, facts),
            facts: facts.clone(),
            way,
            to,
            as_of,
        })
    }

    fn why(
        &self,
        at: Timestamp,
        way: Way,
        to: &[HeldOffer],
        draw: Option<&Draw>,
        facts: &SlotFacts,
    ) -> Why {
        if to.iter().any(|held| held.entry_id == *self.id) {
            return Why::Own(None);
        }
        if self.slot.offered.contains(self.id) {
            return Why::HadItsTurn(self.slot.ended.get(&facts.offer_id(self.id)).copied());
        }
        match (&self.entry.status, self.still_recorded(at)) {
            (EntryStatus::Paused(reason), _) => Why::Paused(*reason),
            (EntryStatus::Booked(_), _) => Why::Booked,
            (EntryStatus::Left, _) => Why::Left,
            (_, Some((reason, recorded_at))) => Why::PassedOver {
                reason,
                recorded_at,
            },
            _ => match (draw, way) {
                (Some(draw), _) => Why::Drawn {
                    draw: draw.clone(),
                    seed: facts.terms.seed.clone(),
                },
                (None, Way::Broadcast) => Why::ForAll,
                (None, _) => Why::ByRank,
            },
        }
    }

    /// Why the entry was passed over, if that holds at `at`: it was recorded now, or it lasts as
    /// long as the entry's wishes, or the look-up went on behind it.
    fn still_recorded(&self, at: Timestamp) -> Option<(Ineligible, Timestamp)> {
        let (reason, recorded_at) = self.recorded?;
        let holds = recorded_at == at
            || (recorded_at >= self.wishes_since && lasts(reason))
            || !self.slot.cursors.is_empty();
        holds.then_some((reason, recorded_at))
    }
}

/// An entry beside whoever was asked in its stead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What the entry's rank was made of then.
    pub own: Score,
    /// What the other's was made of; of several asked at once, the last one's.
    pub other: Score,
    /// Whether the other came first by the rule.
    pub other_first: bool,
}

/// Compares the entry with the last one who was asked, as both stood then. `own` and `other` are
/// the commits of the two streams; `None` if the other's do not go back so far.
#[must_use]
pub fn compare(
    turn: &Turn,
    (own_start, own): (Entry, &Commits<EntryEvent>),
    other: &Commits<EntryEvent>,
) -> Option<Compared> {
    let held = turn.to.last()?;
    let score = score_of(other, &held.offer_id)?;
    let then = until(own, turn.at);
    let entry = then.fold(own_start, |entry, (at, event)| entry.evolve(event, at));
    let candidate = entry.candidate()?;
    let max_wait = turn.facts.max_wait();
    let waited = Duration::from_millis(score.waited_ms);
    let rival = Candidate {
        overridden_at: score
            .overridden
            .then(|| moved_to_front(other, turn.at))
            .flatten(),
        ..Candidate::new(held.entry_id.clone(), score.urgency, turn.at.minus(waited))
    };
    let front_unknown = score.overridden && rival.overridden_at.is_none();
    Some(Compared {
        other_first: front_unknown || rival.compare(&candidate, max_wait, turn.at).is_lt(),
        own: candidate.parts(max_wait, turn.at, (0, 0)),
        other: score.clone(),
    })
}

/// The score that stands with an offer.
fn score_of<'a>(commits: &'a Commits<EntryEvent>, offer: &OfferId) -> Option<&'a Score> {
    let mut events = commits.iter().flat_map(|(_, events)| events);
    events.find_map(|event| match event {
        EntryEvent::OfferMade(event) if event.offer_id == *offer => event.score.as_ref(),
        EntryEvent::OfferAccepted(event) if event.offer_id == *offer => event.score.as_ref(),
        _ => None,
    })
}

/// When staff moved the entry to the front, by its last word of it before `at`.
fn moved_to_front(commits: &Commits<EntryEvent>, at: Timestamp) -> Option<Timestamp> {
    let moved = until(commits, at).filter_map(|(at, event)| match event {
        EntryEvent::RankOverridden(event) => Some((event.to == RankTo::Front).then_some(at)),
        _ => None,
    });
    moved.last().flatten()
}

fn until(
    commits: &Commits<EntryEvent>,
    at: Timestamp,
) -> impl Iterator<Item = (Timestamp, &EntryEvent)> {
    let then = commits.iter().take_while(move |(when, _)| *when <= at);
    then.flat_map(|(at, events)| events.iter().map(move |event| (*at, event)))
}
