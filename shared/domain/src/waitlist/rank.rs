//! Who comes next: urgency weight × waiting time, with a ceiling.
//!
//! This is a rule of dynamic priority scoring (doi 10.1007/s10729-023-09648-1): each class of
//! urgency gathers priority at its own constant rate while it waits, so a routine entry is
//! overtaken by an urgent one, but never for ever. Two things come before it: whom staff moved to
//! the front, in the order in which they were moved, and who has waited longer than anybody
//! should, in the order of joining.
//!
//! Within one class the order is that of joining and does not change as time passes, for whoever
//! is over the ceiling is so before those who joined later. So the next person is found by
//! merging the heads of the classes, without looking at the rest of the list.

use std::cmp::{Ordering, Reverse};
use std::iter::Peekable;
use std::time::Duration;

use callboard_contracts::waitlist::{Score, Urgency};
use callboard_contracts::{EntryId, Timestamp};

mod ahead;

pub use ahead::{Ahead, Place};

/// Priority per millisecond of waiting for [`Urgency::Routine`]: the unit that the other weights
/// are multiples of (dynamic priority scoring, doi 10.1007/s10729-023-09648-1).
pub const WEIGHT_ROUTINE: u32 = 1;

/// Weight of [`Urgency::Soon`]: a day counts as much as three routine ones.
pub const WEIGHT_SOON: u32 = 3;

/// Weight of [`Urgency::Urgent`]: a day counts as much as nine routine ones.
pub const WEIGHT_URGENT: u32 = 9;

/// The rate at which a class gathers priority.
#[must_use]
pub const fn weight(urgency: Urgency) -> u32 {
    match urgency {
        Urgency::Routine => WEIGHT_ROUTINE,
        Urgency::Soon => WEIGHT_SOON,
        Urgency::Urgent => WEIGHT_URGENT,
    }
}

/// What the rank of an entry depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The entry.
    pub entry_id: EntryId,
    /// Its class.
    pub urgency: Urgency,
    /// Since when it waits.
    pub joined_at: Timestamp,
    /// When staff moved it to the front, if they did.
    pub overridden_at: Option<Timestamp>,
}

/// What is sorted by. Less is first.
type Key = (u8, Reverse<u128>, Timestamp, Timestamp);

impl Candidate {
    /// Somebody whom nobody moved to the front.
    #[must_use]
    pub const fn new(entry_id: EntryId, urgency: Urgency, joined_at: Timestamp) -> Self {
        Self {
            entry_id,
            urgency,
            joined_at,
            overridden_at: None,
        }
    }

    /// Weight × milliseconds of waiting.
    #[must_use]
    pub fn score(&self, now: Timestamp) -> u128 {
        u128::from(weight(self.urgency)) * now.since(self.joined_at).as_millis()
    }

    /// Whether it has waited for `max_wait` or longer.
    #[must_use]
    pub fn is_over(&self, max_wait: Option<Duration>, now: Timestamp) -> bool {
        max_wait.is_some_and(|max_wait| now.since(self.joined_at) >= max_wait)
    }

    /// Whether it comes before every score: moved to the front, or over the ceiling.
    #[must_use]
    pub fn is_before_scores(&self, max_wait: Option<Duration>, now: Timestamp) -> bool {
        self.overridden_at.is_some() || self.is_over(max_wait, now)
    }

    /// Order by rank at `now`, the first to be asked first: who was moved to the front, by when;
    /// who is over the ceiling, by time of joining; then by score, time of joining, and id.
    #[must_use]
    pub fn compare(&self, other: &Self, max_wait: Option<Duration>, now: Timestamp) -> Ordering {
        self.key(max_wait, now)
            .cmp(&other.key(max_wait, now))
            .then_with(|| self.entry_id.cmp(&other.entry_id))
    }

    fn key(&self, max_wait: Option<Duration>, now: Timestamp) -> Key {
        let joined = self.joined_at;
        match self.overridden_at {
            Some(at) => (0, Reverse(0), at, joined),
            None if self.is_over(max_wait, now) => (1, Reverse(0), joined, joined),
            None => (2, Reverse(self.score(now)), joined, joined),
        }
    }

    /// What its rank is made of at `now`; `position` among the `among` looked at counts from 1.
    #[must_use]
    pub fn parts(
        &self,
        max_wait: Option<Duration>,
        now: Timestamp,
        (position, among): (u32, u32),
    ) -> Score {
        Score {
            urgency: self.urgency,
            weight: weight(self.urgency),
            waited_ms: u64::try_from(now.since(self.joined_at).as_millis()).unwrap_or(u64::MAX),
            over_ceiling: self.is_over(max_wait, now),
            overridden: self.overridden_at.is_some(),
            position,
            among,
        }
    }
}

/// Merges classes into one ranked order, lazily. A class holds one urgency and is sorted by time
/// of joining, then id; who was moved to the front is a class of its own, sorted by when, then by
/// time of joining and id.
///
/// ```
/// use callboard_contracts::{EntryId, Timestamp, waitlist::Urgency};
/// use callboard_domain::waitlist::rank::{Candidate, merge};
///
/// let at = |id: &str, urgency, joined_at| {
///     let joined_at = Timestamp::from_millis(joined_at);
///     Candidate::new(EntryId::parse(id).expect("an id"), urgency, joined_at)
/// };
/// let urgent = vec![at("u", Urgency::Urgent, 900)];
/// let routine = vec![at("r1", Urgency::Routine, 0), at("r2", Urgency::Routine, 500)];
/// let order: Vec<_> = merge(vec![urgent, routine], None, Timestamp::from_millis(1_000))
///     .map(|candidate| candidate.entry_id.to_string())
///     .collect();
/// // 1 × 1,000 for r1, 9 × 100 for u, 1 × 500 for r2
/// assert_eq!(order, ["r1", "u", "r2"]);
/// ```
pub fn merge<I>(classes: Vec<I>, max_wait: Option<Duration>, now: Timestamp) -> Merge<I::IntoIter>
where
    I: IntoIterator<Item = Candidate>,
{
    Merge {
        heads: classes
            .into_iter()
            .map(|class| class.into_iter().peekable())
            .collect(),
        max_wait,
        now,
    }
}

/// The iterator that [`merge`] gives.
#[derive(Debug)]
pub struct Merge<I: Iterator<Item = Candidate>> {
    heads: Vec<Peekable<I>>,
    max_wait: Option<Duration>,
    now: Timestamp,
}

impl<I: Iterator<Item = Candidate>> Iterator for Merge<I> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        let mut best: Option<(usize, Candidate)> = None;
        for (at, class) in self.heads.iter_mut().enumerate() {
            let Some(head) = class.peek() else { continue };
            let better = best
                .as_ref()
                .is_none_or(|(_, leader)| head.compare(leader, self.max_wait, self.now).is_lt());
            if better {
                best = Some((at, head.clone()));
            }
        }
        let (at, _) = best?;
        self.heads.get_mut(at)?.next()
    }
}
