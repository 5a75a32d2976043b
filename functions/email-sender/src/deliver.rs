//! The use case, in three stages over a batch: the attempts (one put each), one read for all,
//! and for each its mail and its outcome (one put). So a delivered notification costs two write
//! units here and, in batches of ten, little more than two requests.

use callboard_domain::notifications::notification::Notification;
use callboard_runtime::batch::{Batch, STANDARD_RECORDS_MAX};
use callboard_runtime::lease::{Ended, Granted, OnUnknown, Terms};
use callboard_runtime::metrics::{self, Metric};
use callboard_runtime::{Deadline, Failure, Timestamp};

use crate::deps::Deps;
use crate::effect::{Email, Outcome};
use crate::job::Job;
use crate::lookup::{self, Facts, Found};
use crate::mail;
use crate::provider::{Class, PROVIDER_TIMEOUT};

/// Who attempts, and until when.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The function's request id.
    pub owner: String,
    /// When the invocation ends.
    pub deadline: Deadline,
}

/// A notification that this invocation alone may deliver now.
#[derive(Debug)]
pub struct Leased {
    /// What is asked for.
    pub job: Job,
    /// The lease.
    pub granted: Granted<Email>,
}

/// Delivers a batch of planned notifications; each record ends on its own.
pub async fn run(deps: &Deps, invocation: &Invocation, batch: Batch<Job>) -> Batch<()> {
    let batch = batch
        .stage(STANDARD_RECORDS_MAX, |record| {
            begin(deps, invocation, record.value)
        })
        .await;
    let leased = batch.items().filter_map(|(_, leased)| leased.as_deref());
    let found = lookup::read(deps, leased).await;
    if let Err(error) = &found {
        tracing::warn!(%error, "contacts and causes could not be read; nothing is sent");
    }
    let found = found.as_ref().ok();
    let batch = batch
        .stage(STANDARD_RECORDS_MAX, |record| async move {
            match record.value {
                Some(leased) => conclude(deps, *leased, found).await,
                None => Ok(()),
            }
        })
        .await;
    deps.provider.end_of_invocation();
    batch
}

/// Stage 1: the attempt is committed before anything else is done. Whoever else holds the same
/// message finds its number taken, reads the stream, and waits or takes over. `None`: nothing is
/// to be sent (any more).
async fn begin(
    deps: &Deps,
    invocation: &Invocation,
    job: Job,
) -> Result<Option<Box<Leased>>, Failure> {
    let definition = &job.planned.definition;
    if deps.catalogue.get(definition).is_none() {
        // Nothing is on record yet, so that the code which has it finds the notification planned.
        return Err(Failure::retryable(format!(
            "no definition `{definition}` in this version"
        )));
    }
    let terms = Terms {
        owner: invocation.owner.clone(),
        deadline: invocation.deadline,
        provider_timeout: PROVIDER_TIMEOUT,
        on_unknown: on_unknown(deps, &job),
    };
    let begun = deps
        .lease
        .begin(job.as_planned(), job.key(), &job.cause, &terms)
        .await?;
    Ok(begun
        .or_failure()?
        .map(|granted| Box::new(Leased { job, granted })))
}

/// On the last try an unknown outcome is left alone even where the policy is to send again: a
/// provider that takes every mail and answers none would get copies for ever.
fn on_unknown(deps: &Deps, job: &Job) -> OnUnknown {
    if job.last_try {
        OnUnknown::Park
    } else {
        deps.on_unknown(&job.planned.definition)
    }
}

/// Stage 3 for one notification.
async fn conclude(deps: &Deps, leased: Leased, found: Option<&Found>) -> Result<(), Failure> {
    let Leased { job, granted } = leased;
    let Some(found) = found else {
        return settle(deps, &job, granted, Outcome::for_now("lookup-failed")).await;
    };
    let facts = lookup::facts(deps, &job, &granted, found);
    let granted = if facts.overtaken {
        let held = Failure::hold_until(granted.attempt().lease_until);
        deps.lease
            .refresh(granted)
            .await
            .map_err(|error| held.because(error))?
    } else {
        granted
    };
    match attempt(deps, &job, &granted, &facts).await {
        Ok(outcome) => settle(deps, &job, granted, outcome).await,
        Err(Ambiguous { code }) => {
            tracing::warn!(code, attempt_id = %granted.attempt().attempt_id, "the outcome is ambiguous; the lease stays");
            Err(granted.ambiguous())
        }
    }
}

/// Nobody can know what became of the mail.
struct Ambiguous {
    code: String,
}

/// The gate again, the mail, the call.
async fn attempt(
    deps: &Deps,
    job: &Job,
    granted: &Granted<Email>,
    facts: &Facts,
) -> Result<Outcome, Ambiguous> {
    let now = deps.clock.now();
    if !granted.stands() {
        return Ok(Outcome::for_now("taken-over"));
    }
    if let Err(error) = &facts.cause {
        let why = error.to_string();
        return Ok(Outcome::NotReadableHere { why });
    }
    let message = match mail::prepare(deps, job, granted.state(), facts, now) {
        Ok(message) => message,
        Err(outcome) => return Ok(outcome),
    };
    if !granted.may_call(now, PROVIDER_TIMEOUT) {
        return Ok(Outcome::for_now("no-time-left"));
    }
    match deps.provider.send(&message).await {
        Ok(accepted) => Ok(Outcome::Delivered {
            provider: accepted.provider,
        }),
        Err(error) => match error.class {
            Class::Permanent => Ok(Outcome::Failed { code: error.code }),
            Class::Transient => Ok(Outcome::FailedForNow { code: error.code }),
            Class::Ambiguous => Err(Ambiguous { code: error.code }),
        },
    }
}

/// Commits the outcome at whatever number is next, and says what becomes of the message. What
/// cannot be written is as good as ambiguous: the message waits for the lease's end.
async fn settle(
    deps: &Deps,
    job: &Job,
    granted: Granted<Email>,
    outcome: Outcome,
) -> Result<(), Failure> {
    let outcome = if job.last_try {
        outcome.on_last_try()
    } else {
        outcome
    };
    let lease_until = granted.attempt().lease_until;
    match deps.lease.end(granted, &outcome).await {
        Ok(Ended::Recorded(_)) => match &outcome {
            Outcome::FailedForNow { code: why } | Outcome::NotReadableHere { why } => {
                Err(Failure::retryable(format!("the attempt failed: {why}")))
            }
            _ => {
                log(deps.clock.now(), job, &outcome);
                Ok(())
            }
        },
        Ok(Ended::Late(_)) => await_successor(deps, job).await,
        Err(error) => {
            tracing::error!(%error, notification_id = %job.planned.notification_id, "an outcome could not be written");
            Err(Failure::hold_until(lease_until).because(error))
        }
    }
}

/// Our attempt was taken over. The message is the timer of its successor's lease, so it goes
/// only when nothing follows any more.
async fn await_successor(deps: &Deps, job: &Job) -> Result<(), Failure> {
    tracing::warn!(notification_id = %job.planned.notification_id, "an outcome came late");
    let state = deps
        .journal
        .load::<Notification>(&job.stream())
        .await?
        .state;
    let alive = state
        .attempt(job.key())
        .filter(|attempt| attempt.settled.is_none());
    match alive {
        Some(attempt) => Err(Failure::hold_until(attempt.lease_until)),
        None if state.status.is_final() => Ok(()),
        None => Err(Failure::retryable(
            "the attempt was taken over, and its successor failed",
        )),
    }
}

/// The one line per notification that ended.
fn log(now: Timestamp, job: &Job, outcome: &Outcome) {
    let age = now.since(job.planned_at);
    metrics::observe(Metric::NotificationLag, age);
    tracing::info!(
        notification_id = %job.planned.notification_id,
        definition = %job.planned.definition,
        outcome = outcome.as_str(),
        age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        "notification ended"
    );
}
