//! Choosing whom to ask, one after the other.

use std::collections::HashSet;

use callboard_contracts::waitlist::Ineligible;
use callboard_contracts::{EntryId, SlotId, Timestamp};

use super::cascade::{self, Asked, Offers};
use super::entry::{self, Entry};
use super::refusal::Refusal;
use super::slot::{Look, Slot, SlotFacts};
use super::swap::Former;
use super::timing::Timing;

/// Who is asked next: candidates are read one after the other, in the order in which they are to
/// be asked, and each is taken, passed over for a reason, or left for the next time.
///
/// ```text
/// let mut selection = Selection::new(&slot, want, timing, now);
/// for candidate in ranked {
///     let entry = load(candidate);
///     match selection.consider(entry) { … }
///     if selection.is_full() { break }
/// }
/// selection.offer(former, look) or slot::no_candidate(…)
/// ```
#[derive(Debug)]
pub struct Selection<'a> {
    slot: &'a Slot,
    want: usize,
    timing: Timing,
    now: Timestamp,
    asked: Vec<Asked>,
    passed: Vec<(EntryId, Ineligible)>,
    looked_at: u32,
    full: bool,
    tells: bool,
}

/// What a [`Selection`] made of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Considered {
    /// It is to be offered the slot.
    Taken,
    /// It is not, for this reason. After [`Ineligible::SkipLimit`], commit
    /// [`entry::settle`] to its stream.
    PassedOver(Ineligible),
    /// It accepts at once, so it is not asked beside others who stand before it: they are asked
    /// first, and it gets the slot as soon as they let it pass. The selection is full.
    LeftForNext,
}

impl<'a> Selection<'a> {
    /// Nobody yet; `want` is what [`next_step`](crate::waitlist::slot::next_step) asked for.
    #[must_use]
    pub const fn new(slot: &'a Slot, want: usize, timing: Timing, now: Timestamp) -> Self {
        Self {
            slot,
            want,
            timing,
            now,
            asked: Vec::new(),
            passed: Vec::new(),
            looked_at: 0,
            full: false,
            tells: false,
        }
    }

    /// The same for those who are told of a broadcast. Who would accept at once is told like the
    /// others: a broadcast is whoever says yes first.
    #[must_use]
    pub const fn to_tell(slot: &'a Slot, want: usize, timing: Timing, now: Timestamp) -> Self {
        let mut selection = Self::new(slot, want, timing, now);
        selection.tells = true;
        selection
    }

    /// Looks at the next entry, as its stream has it; `id` is what it was found under.
    pub fn consider(&mut self, id: &EntryId, entry: &Entry) -> Considered {
        self.looked_at += 1;
        if let Err(reason) = entry::eligible(entry, self.slot, &self.timing, self.now) {
            self.passed.push((id.clone(), reason));
            return Considered::PassedOver(reason);
        }
        let at_once = entry.wishes.auto_accept && !self.tells;
        if at_once && !self.asked.is_empty() {
            self.full = true;
            return Considered::LeftForNext;
        }
        let max_wait = self.slot.facts.as_ref().and_then(SlotFacts::max_wait);
        let place = (self.looked_at, self.looked_at);
        self.asked.push(Asked {
            score: entry
                .candidate()
                .map(|candidate| candidate.parts(max_wait, self.now, place)),
            entry: entry.clone(),
        });
        self.full = at_once || self.asked.len() >= self.want;
        Considered::Taken
    }

    /// Passes over an entry that need not be read: the view says why.
    pub fn pass_over(&mut self, id: &EntryId, reason: Ineligible) {
        self.looked_at += 1;
        self.passed.push((id.clone(), reason));
    }

    /// Forgets those passed over who are recorded already, by an earlier commit of this search.
    pub fn leave_out(&mut self, recorded: &HashSet<EntryId>) {
        self.passed.retain(|(id, _)| !recorded.contains(id));
    }

    /// Whether this entry is to be offered the slot.
    #[must_use]
    pub fn takes(&self, id: &EntryId) -> bool {
        let facts = |asked: &Asked| {
            asked
                .entry
                .facts
                .as_ref()
                .map(|facts| facts.entry_id.clone())
        };
        self.asked
            .iter()
            .any(|asked| facts(asked).as_ref() == Some(id))
    }

    /// Whether nobody else is to be looked at.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.full
    }

    /// Whether somebody is to be offered the slot.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whom the slot suits, as they were read.
    pub fn taken(&self) -> impl Iterator<Item = &Entry> {
        self.asked.iter().map(|asked| &asked.entry)
    }

    /// Who was passed over, and why.
    #[must_use]
    pub fn passed(&self) -> &[(EntryId, Ineligible)] {
        &self.passed
    }

    /// The slot that the one who accepts at once gives up; to be read for [`Selection::offer`].
    #[must_use]
    pub fn swaps(&self) -> Option<&SlotId> {
        match self.asked.as_slice() {
            [asked] if asked.entry.wishes.auto_accept => asked.entry.swaps(),
            _ => None,
        }
    }

    /// Offers the slot to those who were taken. Who was passed over is recorded with the hold;
    /// `look` says what else is.
    ///
    /// # Errors
    /// A [`Refusal`] of the slot.
    pub fn offer(mut self, former: Option<Former<'_>>, mut look: Look) -> Result<Offers, Refusal> {
        look.passed = self.passed;
        for asked in &mut self.asked {
            if let Some(score) = &mut asked.score {
                score.among = self.looked_at;
            }
        }
        cascade::offer(
            self.slot,
            &self.asked,
            former,
            &look,
            &self.timing,
            self.now,
        )
    }
}
