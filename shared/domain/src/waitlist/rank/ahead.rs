//! Who comes before somebody, told without looking at the list.
//!
//! Within a class the order never changes, so those of a class who come before a candidate are the
//! first ones of it, up to a place that follows from the rule alone. To tell a position they are
//! counted, not read.

use std::time::Duration;

use callboard_contracts::waitlist::Urgency;
use callboard_contracts::{EntryId, Timestamp};

use super::{Candidate, weight};

/// Those of one class who come before a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ahead {
    /// None of them.
    Nobody,
    /// All of them.
    Everybody,
    /// Those at the front who stand before the candidate, who stands there as well.
    FrontBefore(Candidate),
    /// Those who joined before this place.
    JoinedBefore(Place),
}

/// A place in the order of joining.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whoever joined before this moment stands before it,
    pub joined_at: Timestamp,
    /// and of those who joined at it, who has a lesser id than this; absent for nobody.
    pub entry_id: Option<EntryId>,
}

impl Ahead {
    /// Who of `class` (an urgency, or `None` for those whom staff moved to the front) comes before
    /// `candidate` at `now`.
    ///
    /// ```
    /// use callboard_contracts::{EntryId, Timestamp, waitlist::Urgency};
    /// use callboard_domain::waitlist::rank::{Ahead, Candidate};
    ///
    /// let id = EntryId::parse("soon-1").expect("an id");
    /// let soon = Candidate::new(id, Urgency::Soon, Timestamp::from_millis(10_000));
    /// // It has waited for 3 s, which counts as 9 s of a routine entry and 1 s of an urgent one.
    /// let now = Timestamp::from_millis(13_000);
    /// let joined_before = |class| match Ahead::of(&soon, Some(class), None, now) {
    ///     Ahead::JoinedBefore(place) => place.joined_at.as_millis(),
    ///     other => panic!("{other:?}"),
    /// };
    /// // Who joined at 4,000 has the same score, and joined earlier.
    /// assert_eq!(joined_before(Urgency::Routine), 4_001);
    /// assert_eq!(joined_before(Urgency::Urgent), 12_000);
    /// ```
    #[must_use]
    pub fn of(
        candidate: &Candidate,
        class: Option<Urgency>,
        max_wait: Option<Duration>,
        now: Timestamp,
    ) -> Self {
        match (candidate.overridden_at, class) {
            (Some(_), None) => Self::FrontBefore(candidate.clone()),
            (Some(_), Some(_)) => Self::Nobody,
            (None, None) => Self::Everybody,
            (None, Some(class)) => {
                let over = Place::over_ceiling(max_wait, now);
                let place = if candidate.is_over(max_wait, now) {
                    Some(Place::of(candidate))
                } else {
                    over.max(scored_higher(candidate, class, now))
                };
                place.map_or(Self::Nobody, Self::JoinedBefore)
            }
        }
    }

    /// Whether `other`, who is of the class, is one of them.
    #[must_use]
    pub fn holds(&self, other: &Candidate) -> bool {
        let at_front = |of: &Candidate| (of.overridden_at, of.joined_at, of.entry_id.clone());
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::FrontBefore(candidate) => at_front(other) < at_front(candidate),
            Self::JoinedBefore(place) => place.is_after(other),
        }
    }
}

impl Place {
    /// The candidate's own.
    fn of(candidate: &Candidate) -> Self {
        Self {
            joined_at: candidate.joined_at,
            entry_id: Some(candidate.entry_id.clone()),
        }
    }

    /// Before this place stands whoever has waited for `max_wait` or longer; `None` if nobody can
    /// have.
    #[must_use]
    pub fn over_ceiling(max_wait: Option<Duration>, now: Timestamp) -> Option<Self> {
        let millis = i64::try_from(max_wait?.as_millis()).ok()?;
        Self::until(now.as_millis().checked_sub(millis)?)
    }

    /// Before this place stands whoever joined at this millisecond or earlier.
    fn until(millis: i64) -> Option<Self> {
        let joined_at = Timestamp::from_millis(millis.checked_add(1)?);
        (millis >= 0).then_some(Self {
            joined_at,
            entry_id: None,
        })
    }

    fn is_after(&self, other: &Candidate) -> bool {
        let first = other.joined_at < self.joined_at;
        let lesser = |id: &EntryId| other.entry_id < *id;
        let same = other.joined_at == self.joined_at;
        first || (same && self.entry_id.as_ref().is_some_and(lesser))
    }
}

/// The place before which whoever is in `class` has the higher score: that of who joined when the
/// class would have gathered as much. With the same score, who joined first comes first.
fn scored_higher(candidate: &Candidate, class: Urgency, now: Timestamp) -> Option<Place> {
    let (score, rate) = (candidate.score(now), u128::from(weight(class)));
    if score == 0 {
        return Some(Place::of(candidate));
    }
    let waited = i64::try_from(score / rate).ok()?;
    let as_much = now.as_millis().checked_sub(waited)?;
    if score % rate != 0 {
        // To the millisecond nobody has as much: who has more joined a millisecond earlier.
        return Place::until(as_much.checked_sub(1)?);
    }
    match as_much.cmp(&candidate.joined_at.as_millis()) {
        std::cmp::Ordering::Less => Place::until(as_much),
        std::cmp::Ordering::Equal => Some(Place::of(candidate)),
        std::cmp::Ordering::Greater => Place::until(as_much.checked_sub(1)?),
    }
}
