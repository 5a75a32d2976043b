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

mod attempt;

use std::time::Duration;

use callboard_contracts::{Attempts, Cause};
use uuid::Uuid;

pub use attempt::{Attempt, Begun, Effect, Ended, Granted, LeaseError, OnUnknown, Terms};

use crate::clock::Clock;
use crate::journal::{AppendError, Appended, Commit, Journal, JournalError, Loaded, new_id};
use crate::metrics::{self, Metric};
use attempt::stands;

/// What a lease lasts beyond the invocation's deadline, and what must be left of the invocation
/// beyond the provider's time-out: room for committing the outcome, and for two machines' clocks
/// to differ.
pub const MARGIN: Duration = Duration::from_secs(5);

/// How often a commit is decided anew after a lost race. Two writers on one stream are rare,
/// this many in a row mean that something writes without end.
const RACES_MAX: u32 = 16;

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
    /// Commit that the effect is attempted, in the place of an attempt that ended without an
    /// outcome if there is one.
    Attempt(Commit, Attempt, Option<Uuid>),
    /// Commit that an attempt ended without an outcome, and leave it at that.
    Park(Commit),
}

impl<E: Effect> Lease<E> {
    /// Leases on effects of the streams in `journal`.
    #[must_use]
    pub const fn new(journal: Journal, clock: Clock, effect: E) -> Self {
        Self {
            journal,
            clock,
            effect,
        }
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
            let (commit, attempt) = match self.step(&loaded, &key, cause, terms)? {
                Step::Stop(begun) => return Ok(begun),
                Step::Attempt(commit, attempt, took_over) => (commit, Some((attempt, took_over))),
                Step::Park(commit) => (commit, None),
            };
            let record = commit.record().clone();
            if self.append(commit).await?.is_none() {
                loaded = self.journal.load(&loaded.stream).await?;
                continue;
            }
            match &attempt {
                Some((_, None)) => {}
                Some((_, Some(_))) => metrics::count(Metric::LeaseOutcomeUnknown, "repeat"),
                None => metrics::count(Metric::LeaseOutcomeUnknown, "park"),
            }
            let loaded = loaded.after(&record)?;
            let Some((attempt, took_over)) = attempt else {
                return Ok(Begun::Parked(Box::new(loaded)));
            };
            return Ok(Begun::Granted(Box::new(Granted {
                key,
                attempt,
                cause: cause.clone(),
                loaded,
                took_over,
            })));
        }
        Err(LeaseError::Busy {
            stream: loaded.stream,
        })
    }

    fn step(
        &self,
        loaded: &Loaded<E::State>,
        key: &E::Key,
        cause: &Cause,
        terms: &Terms,
    ) -> Result<Step<E>, LeaseError> {
        let now = self.clock.now();
        let open = loaded
            .state
            .latest_attempt(key)
            .filter(|latest| !latest.settled);
        if let Some(latest) = open
            && now < latest.lease_until
        {
            let until = latest.lease_until;
            return Ok(Step::Stop(Begun::Held { until }));
        }
        let mut builder = loaded.next(cause, now);
        let took_over = open.map(|latest| latest.attempt_id);
        if let Some(expired) = took_over {
            builder = builder.events(self.effect.unknown(key, expired, terms.on_unknown));
        }
        let wanted = self.effect.is_wanted(&builder.state(), key);
        if took_over.is_some() && (terms.on_unknown == OnUnknown::Park || !wanted) {
            return Ok(Step::Park(self.effect.dress(builder).build()?));
        }
        if !wanted {
            return Ok(Step::Stop(Begun::Settled(Box::new(loaded.clone()))));
        }
        let left = terms.deadline.remaining(now);
        let needed = terms.provider_timeout + MARGIN;
        if left < needed {
            return Ok(Step::Stop(Begun::NoTime { left, needed }));
        }
        let attempt = Attempt {
            attempt_id: new_id(now),
            owner: terms.owner.clone(),
            lease_until: terms.deadline.timestamp().plus(MARGIN),
        };
        let builder = builder.events(self.effect.begun(key, &attempt));
        let commit = self.effect.dress(builder).build()?;
        Ok(Step::Attempt(commit, attempt, took_over))
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
    pub async fn end(
        &self,
        granted: Granted<E>,
        outcome: &E::Outcome,
    ) -> Result<Ended, LeaseError> {
        let Granted {
            key,
            attempt,
            cause,
            mut loaded,
            ..
        } = granted;
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
        Err(LeaseError::Busy {
            stream: loaded.stream,
        })
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
