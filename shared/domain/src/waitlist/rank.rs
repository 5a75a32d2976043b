//! Who comes next: urgency weight × waiting time.
//!
//! This is a rule of dynamic priority scoring (doi 10.1007/s10729-023-09648-1): each class of
//! urgency gathers priority at its own constant rate while it waits, so a routine entry is
//! overtaken by an urgent one, but never for ever. Within one class the order is that of
//! joining and does not change as time passes; so the next person is found by merging the heads
//! of the classes, without looking at the rest of the list.

use std::cmp::{Ordering, Reverse};
use std::iter::Peekable;

use callboard_contracts::waitlist::Urgency;
use callboard_contracts::{EntryId, Timestamp};

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
}

impl Candidate {
    /// Weight × milliseconds of waiting.
    #[must_use]
    pub fn score(&self, now: Timestamp) -> u128 {
        u128::from(weight(self.urgency)) * now.since(self.joined_at).as_millis()
    }

    /// Order by rank at `now`, the first to be asked first: score, then time of joining, then id.
    #[must_use]
    pub fn compare(&self, other: &Self, now: Timestamp) -> Ordering {
        let key = |candidate: &Self| (Reverse(candidate.score(now)), candidate.joined_at);
        key(self)
            .cmp(&key(other))
            .then_with(|| self.entry_id.cmp(&other.entry_id))
    }
}

/// Merges classes into one ranked order, lazily. Each class must hold one urgency only and be
/// sorted by time of joining, then id, as the view `waitlist` keeps it.
///
/// ```
/// use callboard_contracts::{EntryId, Timestamp, waitlist::Urgency};
/// use callboard_domain::waitlist::rank::{Candidate, merge};
///
/// let at = |id: &str, urgency, joined_at| Candidate {
///     entry_id: EntryId::parse(id).expect("an id"),
///     urgency,
///     joined_at: Timestamp::from_millis(joined_at),
/// };
/// let urgent = vec![at("u", Urgency::Urgent, 900)];
/// let routine = vec![at("r1", Urgency::Routine, 0), at("r2", Urgency::Routine, 500)];
/// let order: Vec<_> = merge(vec![urgent, routine], Timestamp::from_millis(1_000))
///     .map(|candidate| candidate.entry_id.to_string())
///     .collect();
/// // 1 × 1,000 for r1, 9 × 100 for u, 1 × 500 for r2
/// assert_eq!(order, ["r1", "u", "r2"]);
/// ```
pub fn merge<I>(classes: Vec<I>, now: Timestamp) -> Merge<I::IntoIter>
where
    I: IntoIterator<Item = Candidate>,
{
    Merge {
        heads: classes
            .into_iter()
            .map(|class| class.into_iter().peekable())
            .collect(),
        now,
    }
}

/// The iterator that [`merge`] gives.
#[derive(Debug)]
pub struct Merge<I: Iterator<Item = Candidate>> {
    heads: Vec<Peekable<I>>,
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
                .is_none_or(|(_, leader)| head.compare(leader, self.now).is_lt());
            if better {
                best = Some((at, head.clone()));
            }
        }
        let (at, _) = best?;
        self.heads.get_mut(at)?.next()
    }
}
