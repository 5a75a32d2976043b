//! What a lease is about: the effect, the terms, the attempt, and how it begins and ends.

use std::fmt;
use std::time::Duration;

use callboard_contracts::{Attempts, Cause, Fold, StreamId, Timestamp};
use uuid::Uuid;

use super::{MARGIN, RACES_MAX};
use crate::bulk::Key;
use crate::clock::Deadline;
use crate::failure::Failure;
use crate::journal::{Appended, CommitBuilder, CommitError, Journal, JournalError, Loaded};

/// The latest attempt's state, and events, of one kind of effect. Implemented by the team that
/// owns the stream; the lease knows none of its events.
pub trait Effect: Send + Sync {
    /// The folded stream.
    type State: Fold + Attempts<Key = Self::Key>;
    /// What tells one effect of a stream from another, for instance channel and step.
    type Key: Clone + fmt::Debug + Send + Sync;
    /// What the provider answered, once that is certain.
    type Outcome: Send + Sync;

    /// Whether the effect is still to happen: false once it has happened, was given up, or was
    /// cancelled. Asked only while no attempt is without outcome.
    fn is_wanted(&self, state: &Self::State, key: &Self::Key) -> bool;

    /// An attempt begins.
    fn begun(&self, key: &Self::Key, attempt: &Attempt) -> Vec<<Self::State as Fold>::Event>;

    /// The outcome of `attempt_id`.
    fn ended(
        &self,
        key: &Self::Key,
        attempt_id: Uuid,
        outcome: &Self::Outcome,
    ) -> Vec<<Self::State as Fold>::Event>;

    /// The outcome of `attempt_id` came after its attempt was taken over: a record, which must
    /// change nothing in the fold.
    fn late(
        &self,
        key: &Self::Key,
        attempt_id: Uuid,
        outcome: &Self::Outcome,
    ) -> Vec<<Self::State as Fold>::Event>;

    /// The lease of `attempt_id` ended without an outcome, and what follows from that.
    fn unknown(
        &self,
        key: &Self::Key,
        attempt_id: Uuid,
        policy: OnUnknown,
    ) -> Vec<<Self::State as Fold>::Event>;

    /// What every commit of such a stream carries besides its events: when it may be forgotten,
    /// for instance.
    fn dress(&self, commit: CommitBuilder<Self::State>) -> CommitBuilder<Self::State> {
        commit
    }
}

/// What is done when nobody can know whether an attempt had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnknown {
    /// Attempt it again: twice is better than never.
    Repeat,
    /// Leave it: never is better than twice.
    Park,
}

/// Under which terms an attempt is begun. There is no default: what an unknown outcome means
/// has to be said.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who attempts, for the record: the invocation's request id.
    pub owner: String,
    /// When the invocation ends.
    pub deadline: Deadline,
    /// How long the provider may take.
    pub provider_timeout: Duration,
    /// What an earlier attempt means whose lease ended without an outcome.
    pub on_unknown: OnUnknown,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The fence.
    pub attempt_id: Uuid,
    /// Who attempts.
    pub owner: String,
    /// The lease ends here.
    pub lease_until: Timestamp,
}

/// How an attempt to begin ended.
#[derive(Debug)]
pub enum Begun<E: Effect> {
    /// The attempt is committed: go on.
    Granted(Box<Granted<E>>),
    /// Somebody else's attempt is alive: look again after `until`.
    Held {
        /// The other's lease ends here.
        until: Timestamp,
    },
    /// The effect has its outcome, or is not wanted any more. The stream as it is.
    Settled(Box<Loaded<E::State>>),
    /// An earlier attempt ended without an outcome; that is now on record, and nothing follows.
    Parked(Box<Loaded<E::State>>),
    /// Too little of the invocation is left to begin.
    NoTime {
        /// What is left.
        left: Duration,
        /// What would be needed.
        needed: Duration,
    },
}

impl<E: Effect> Begun<E> {
    /// The grant; or `None` when there is nothing left to do.
    ///
    /// # Errors
    /// A [`Failure`] that brings the message back when the time has come.
    pub fn or_failure(self) -> Result<Option<Granted<E>>, Failure> {
        match self {
            Self::Granted(granted) => Ok(Some(*granted)),
            Self::Settled(_) | Self::Parked(_) => Ok(None),
            Self::Held { until } => Err(Failure::hold_until(until)),
            // Not the message's fault: it must not be dead-lettered for it.
            Self::NoTime { .. } => {
                Err(Failure::retryable("too little of the invocation was left to begin").kept())
            }
        }
    }
}

/// An attempt that may be made, by its owner, until its lease ends.
#[must_use = "an attempt is committed: it must end, or be given up as ambiguous"]
#[derive(Debug)]
pub struct Granted<E: Effect> {
    pub(super) key: E::Key,
    pub(super) attempt: Attempt,
    pub(super) cause: Cause,
    pub(super) loaded: Loaded<E::State>,
    pub(super) took_over: Option<Uuid>,
}

impl<E: Effect> Granted<E> {
    /// The attempt.
    #[must_use]
    pub const fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// The state of the stream, this attempt included.
    #[must_use]
    pub const fn state(&self) -> &E::State {
        &self.loaded.state
    }

    /// The stream.
    #[must_use]
    pub const fn stream(&self) -> &StreamId {
        &self.loaded.stream
    }

    /// The number of the last commit that this attempt knows of.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.loaded.number
    }

    /// The attempt without outcome whose place this one takes: the effect may happen a second
    /// time.
    #[must_use]
    pub const fn took_over(&self) -> Option<Uuid> {
        self.took_over
    }

    /// The same for every attempt at this effect: for a provider that knows such keys. It adds
    /// to the attempt and never stands in its place.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let key = format!("{:?}", self.key);
        callboard_contracts::id::derived_uuid(&["effect", self.stream().as_str(), &key]).to_string()
    }

    /// The key under which the next commit would stand: if a read in bulk finds nothing there,
    /// nothing has come after the attempt; if it does, [`Lease::refresh`](super::Lease::refresh).
    #[must_use]
    pub fn tail_key(&self, journal: &Journal) -> Key {
        Key::commit(journal, self.stream(), self.number() + 1)
    }

    /// Whether a call to the provider that may take `timeout` can still end within the lease,
    /// with the margin for its outcome. Asked right before the call.
    #[must_use]
    pub fn may_call(&self, now: Timestamp, timeout: Duration) -> bool {
        now.plus(timeout).plus(MARGIN) <= self.attempt.lease_until
    }

    /// Whether the attempt still stands, by the state last seen: no newer attempt, no takeover.
    #[must_use]
    pub fn stands(&self) -> bool {
        stands(self.state(), &self.key, self.attempt.attempt_id)
    }

    /// The attempt may or may not have had its effect: the lease runs out, and whoever comes
    /// then records that under the policy named. The message waits until that moment.
    pub fn ambiguous(self) -> Failure {
        Failure::hold_until(self.attempt.lease_until)
    }
}

pub(super) fn stands<S: Attempts>(state: &S, key: &S::Key, attempt_id: Uuid) -> bool {
    state
        .latest_attempt(key)
        .is_some_and(|latest| latest.attempt_id == attempt_id && !latest.settled)
}

/// How an outcome was recorded.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// As the outcome.
    Recorded(Appended),
    /// As late: another attempt had taken over. It changes nothing else.
    Late(Appended),
}

/// Why a lease could not be begun or ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The journal failed. After this, an attempt's outcome may or may not be on record; either
    /// way the stream tells.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The commit cannot be made.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Every race was lost.
    #[error("{stream} was written to {RACES_MAX} times in a row by others")]
    Busy {
        /// The stream.
        stream: StreamId,
    },
}

/// Nothing is dead-lettered before its stream holds an outcome, and without the journal it cannot
/// hold one: such a message is kept in its queue.
impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Journal(error) => Self::from(error).kept(),
            LeaseError::Commit(error) => error.into(),
            LeaseError::Busy { .. } => Self::retryable(error.to_string()).kept(),
        }
    }
}
