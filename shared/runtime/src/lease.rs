//! At most one attempt at a time at an effect that no conditional write can cover: an e-mail, a
//! payment, a call to somebody else's API.
//!
//! Before the effect, the attempt is committed to the stream (attempt id, owner, end of the
//! lease); after it, the outcome, at whatever number is next. The fence is the attempt id: an
//! outcome is *late* only if the fold shows a newer attempt or a takeover for the same key, and
//! a late outcome is recorded as late and changes nothing else. A commit that is not about the
//! attempt (a cancel, a note) fences nobody.
//!
//! A lease that ended without an outcome means that nobody can know whether the effect happened.
//! What follows from that is a choice ([`OnUnknown`]), and no attempt can be begun without
//! naming it. No lease is released on an ambiguous error: see [`Granted::ambiguous`].
//!
//! The happy path costs two puts and no read: [`Lease::begin`] appends to the stream as the
//! message tells it ([`Loaded::told`]), and loads only when that number is taken.
//!
//! ```no_run
//! use std::time::Duration;
//! use callboard_runtime::lease::{Effect, Lease, OnUnknown, Terms};
//! use callboard_runtime::journal::Loaded;
//! use callboard_runtime::{Cause, Deadline, Failure};
//! # async fn call_provider(key: &str) -> Result<u16, std::io::Error> { Ok(200) }
//!
//! # async fn example<E>(lease: &Lease<E>, loaded: Loaded<E::State>, key: E::Key, cause: &Cause, deadline: Deadline)
//! # -> Result<(), Failure> where E: Effect<Outcome = u16> {
//! let terms = Terms {
//!     owner: "request-1".to_owned(),
//!     deadline,
//!     provider_timeout: Duration::from_secs(2),
//!     on_unknown: OnUnknown::Park,
//! };
//! let Some(granted) = lease.begin(loaded, key, cause, &terms).await?.or_failure()? else {
//!     return Ok(()); // it has its outcome already
//! };
//! match call_provider(&granted.idempotency_key()).await {
//!     Ok(code) => lease.end(granted, &code).await.map(drop).map_err(Failure::from),
//!     // A time-out is not "not sent": the lease runs out, and the policy decides.
//!     Err(_) => Err(granted.ambiguous()),
//! }
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use callboard_contracts::{Attempts, Cause, Fold, StreamId, Timestamp};
use uuid::Uuid;

use crate::bulk::Key;
use crate::clock::{Clock, Deadline};
use crate::failure::Failure;
use crate::journal::{
    AppendError, Appended, Commit, CommitBuilder, CommitError, Journal, JournalError, Loaded, new_id,
};

/// What a lease lasts beyond the invocation's deadline, and what must be left of the invocation
/// beyond the provider's time-out: room for committing the outcome, and for two machines' clocks
/// to differ.
pub const MARGIN: Duration = Duration::from_secs(5);

/// How often a commit is decided anew after a lost race. Two writers on one stream are rare,
/// this many in a row mean that something writes without end.
const RACES_MAX: u32 = 16;

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
    fn ended(&self, key: &Self::Key, attempt_id: Uuid, outcome: &Self::Outcome) -> Vec<<Self::State as Fold>::Event>;

    /// The outcome of `attempt_id` came after its attempt was taken over: a record, which must
    /// change nothing in the fold.
    fn late(&self, key: &Self::Key, attempt_id: Uuid, outcome: &Self::Outcome) -> Vec<<Self::State as Fold>::Event>;

    /// The lease of `attempt_id` ended without an outcome, and what follows from that.
    fn unknown(&self, key: &Self::Key, attempt_id: Uuid, policy: OnUnknown) -> Vec<<Self::State as Fold>::Event>;

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
            Self::NoTime { .. } => Err(Failure::retryable("too little of the invocation was left to begin")),
        }
    }
}

/// An attempt that may be made, by its owner, until its lease ends.
#[must_use = "an attempt is committed: it must end, or be given up as ambiguous"]
#[derive(Debug)]
pub struct Granted<E: Effect> {
    key: E::Key,
    attempt: Attempt,
    cause: Cause,
    loaded: Loaded<E::State>,
    took_over: Option<Uuid>,
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
    /// nothing has come after the attempt; if it does, [`Lease::refresh`].
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

fn stands<S: Attempts>(state: &S, key: &S::Key, attempt_id: Uuid) -> bool {
    state.latest_attempt(key).is_some_and(|latest| latest.attempt_id == attempt_id && !latest.settled)
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

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Journal(error) => error.into(),
            LeaseError::Commit(error) => error.into(),
            LeaseError::Busy { .. } => Self::retryable(error.to_string()),
        }
    }
}

/// Leases on the effects of one kind of stream.
#[derive(Debug, Clone)]
pub struct Lease<E> {
    journal: Journal,
    clock: Clock,
    effect: E,
}

/// What the state at hand allows.
enum Step<E: Effect> {
    Stop(Begun<E>),
    /// Try this commit; it begins the attempt, if there is one, else parks.
    Try { commit: Commit, attempt: Option<Attempt>, took_over: Option<Uuid> },
}

impl<E: Effect> Lease<E> {
    /// Leases on effects of the streams in `journal`.
    #[must_use]
    pub const fn new(journal: Journal, clock: Clock, effect: E) -> Self {
        Self { journal, clock, effect }
    }

    /// Begins an attempt at `key`, from the stream as the caller knows it: just loaded, or as a
    /// message tells it. One put if nobody else has written since; otherwise the stream is
    /// loaded and decided upon again.
    ///
    /// # Errors
    /// [`LeaseError`]; that somebody else holds the lease is no error but [`Begun::Held`].
    pub async fn begin(
        &self,
        mut loaded: Loaded<E::State>,
        key: E::Key,
        cause: &Cause,
        terms: &Terms,
    ) -> Result<Begun<E>, LeaseError> {
        for _ in 0..RACES_MAX {
            let (commit, attempt, took_over) = match self.step(loaded, &key, cause, terms)? {
                (Step::Stop(begun), _) => return Ok(begun),
                (Step::Try { commit, attempt, took_over }, back) => {
                    loaded = back;
                    (commit, attempt, took_over)
                }
            };
            let record = commit.record().clone();
            if self.append(commit).await?.is_none() {
                loaded = self.journal.load(&loaded.stream).await?;
                continue;
            }
            let loaded = loaded.after(&record)?;
            return Ok(match attempt {
                Some(attempt) => {
                    let cause = cause.clone();
                    Begun::Granted(Box::new(Granted { key, attempt, cause, loaded, took_over }))
                }
                None => Begun::Parked(Box::new(loaded)),
            });
        }
        Err(LeaseError::Busy { stream: loaded.stream })
    }

    fn step(
        &self,
        loaded: Loaded<E::State>,
        key: &E::Key,
        cause: &Cause,
        terms: &Terms,
    ) -> Result<(Step<E>, Loaded<E::State>), LeaseError> {
        let now = self.clock.now();
        let open = loaded.state.latest_attempt(key).filter(|latest| !latest.settled);
        if let Some(latest) = open
            && now < latest.lease_until
        {
            return Ok((Step::Stop(Begun::Held { until: latest.lease_until }), loaded));
        }
        let mut builder = loaded.next(cause, now);
        let took_over = open.map(|latest| latest.attempt_id);
        if let Some(expired) = took_over {
            builder = builder.events(self.effect.unknown(key, expired, terms.on_unknown));
        }
        let wanted = self.effect.is_wanted(&builder.state(), key);
        let parks = took_over.is_some() && (terms.on_unknown == OnUnknown::Park || !wanted);
        if parks {
            let commit = self.effect.dress(builder).build()?;
            return Ok((Step::Try { commit, attempt: None, took_over }, loaded));
        }
        if !wanted {
            return Ok((Step::Stop(Begun::Settled(Box::new(loaded.clone()))), loaded));
        }
        let (left, needed) = (terms.deadline.remaining(now), terms.provider_timeout + MARGIN);
        if left < needed {
            return Ok((Step::Stop(Begun::NoTime { left, needed }), loaded));
        }
        let attempt = Attempt {
            attempt_id: new_id(now),
            owner: terms.owner.clone(),
            lease_until: terms.deadline.timestamp().plus(MARGIN),
        };
        let commit = self.effect.dress(builder.events(self.effect.begun(key, &attempt))).build()?;
        Ok((Step::Try { commit, attempt: Some(attempt), took_over }, loaded))
    }

    /// The attempt with the stream as it is now. A commit that is not about the attempt changes
    /// the state and not the lease: see [`Granted::stands`].
    ///
    /// # Errors
    /// [`JournalError`] when the stream cannot be read.
    pub async fn refresh(&self, granted: Granted<E>) -> Result<Granted<E>, JournalError> {
        let loaded = self.journal.load(granted.stream()).await?;
        Ok(Granted { loaded, ..granted })
    }

    /// Commits the outcome of an attempt, at whatever number is next: as the outcome while the
    /// attempt stands, even if its lease has ended meanwhile; as late if it was taken over.
    ///
    /// # Errors
    /// [`LeaseError`] when the journal cannot be written. The attempt then stays without an
    /// outcome until its lease ends.
    pub async fn end(&self, granted: Granted<E>, outcome: &E::Outcome) -> Result<Ended, LeaseError> {
        let Granted { key, attempt, cause, mut loaded, .. } = granted;
        for _ in 0..RACES_MAX {
            let late = !stands(&loaded.state, &key, attempt.attempt_id);
            let events = if late {
                self.effect.late(&key, attempt.attempt_id, outcome)
            } else {
                self.effect.ended(&key, attempt.attempt_id, outcome)
            };
            let builder = loaded.next(&cause, self.clock.now()).events(events);
            let commit = self.effect.dress(builder).build()?;
            match self.append(commit).await? {
                Some(appended) if late => return Ok(Ended::Late(appended)),
                Some(appended) => return Ok(Ended::Recorded(appended)),
                None => loaded = self.journal.load(&loaded.stream).await?,
            }
        }
        Err(LeaseError::Busy { stream: loaded.stream })
    }

    /// Appends; `None` if the number is taken.
    async fn append(&self, commit: Commit) -> Result<Option<Appended>, LeaseError> {
        match self.journal.append(commit).await {
            Ok(appended) => Ok(Some(appended)),
            Err(AppendError::Conflict(_) | AppendError::Also { .. }) => Ok(None),
            Err(AppendError::Commit(error)) => Err(error.into()),
            Err(AppendError::Journal(error)) => Err(error.into()),
        }
    }
}
