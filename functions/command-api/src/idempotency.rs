//! `Idempotency-Key`: the same key and body give the same answer, another body is refused.
//!
//! The key has a stream of its own. Its one commit is made in the same transaction as what the
//! command did, and holds the answer; so whoever comes second finds the condition lost and the
//! first answer in the winner.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::command::{CommandAccepted, CommandEvent};
use callboard_contracts::{Cause, DomainEvent, StreamId, Timestamp, Unfolded};
use callboard_runtime::http::Problem;
use callboard_runtime::journal::{AppendError, Commit, Committed, Journal, Loaded};

use crate::answer::{Done, append_problem, commit_problem, lost_race, unavailable};
use crate::incoming::idempotency_key;

/// How long a key is remembered, in days. The draft leaves it to the server; this is the age
/// at which design calls a cause stale.
const KEY_DAYS: u64 = 14;

/// A command's cause, and its key if it came with one.
pub(crate) struct Keyed<'a> {
    cause: &'a Cause,
    stream: Option<StreamId>,
}

impl<'a> Keyed<'a> {
    /// `route` keeps the keys of one route apart from another's.
    pub(crate) fn from_headers(
        headers: &HeaderMap,
        route: &str,
        cause: &'a Cause,
    ) -> Result<Self, Problem> {
        let stream = idempotency_key(headers)?.map(|key| StreamId::command(route, &key));
        Ok(Self { cause, stream })
    }

    /// One of several commands that came in one request under `key`: each is remembered by
    /// itself, so that what failed alone is done when the request comes again.
    pub(crate) fn one_of_many(
        key: Option<&str>,
        route: &str,
        nth: usize,
        cause: &'a Cause,
    ) -> Self {
        let stream = key.map(|key| StreamId::command(route, &format!("{nth}/{key}")));
        Self { cause, stream }
    }

    /// The answer given before, if the key was used.
    pub(crate) async fn earlier(&self, journal: &Journal) -> Result<Option<Done>, Problem> {
        let Some(stream) = &self.stream else {
            return Ok(None);
        };
        let commits = journal
            .read(stream, 1)
            .await
            .map_err(|error| unavailable(&error))?;
        commits
            .first()
            .map(|first| answer_of(first, self.cause))
            .transpose()
    }

    /// An id that follows from the key, so that a lost answer's repetition means the same thing;
    /// a new one without a key.
    pub(crate) fn derived_or_new<T>(&self, derived: fn(&[&str]) -> T, new: fn() -> T) -> T {
        match &self.stream {
            Some(stream) => derived(&[stream.as_str()]),
            None => new(),
        }
    }

    /// Commits what the command does, and the key's answer with it.
    pub(crate) async fn commit(
        &self,
        journal: &Journal,
        commits: Vec<Commit>,
        done: Done,
        at: Timestamp,
    ) -> Result<Done, Problem> {
        let committed = self.try_commit(journal, commits, done, at).await?;
        committed.ok_or_else(lost_race)
    }

    /// As [`Keyed::commit`]; `None` if somebody else was faster, so that it is to be decided again.
    pub(crate) async fn try_commit(
        &self,
        journal: &Journal,
        mut commits: Vec<Commit>,
        done: Done,
        at: Timestamp,
    ) -> Result<Option<Done>, Problem> {
        commits.extend(self.remembered(&done, at)?);
        match journal.append_all(commits, Vec::new()).await {
            Ok(_) => Ok(Some(done)),
            Err(AppendError::Conflict(_)) => self.earlier(journal).await,
            Err(error) => Err(append_problem(&error)),
        }
    }

    /// The commit that keeps the answer under the key, if there is one.
    pub(crate) fn remembered(&self, done: &Done, at: Timestamp) -> Result<Option<Commit>, Problem> {
        let stream = self.stream.as_ref();
        stream
            .map(|stream| self.remember(stream, done, at))
            .transpose()
    }

    fn remember(&self, stream: &StreamId, done: &Done, at: Timestamp) -> Result<Commit, Problem> {
        let accepted = CommandAccepted {
            status: done.status.as_u16(),
            commit: done.commit.clone(),
            answer: done.body.clone(),
        };
        Loaded::<Unfolded<CommandEvent>>::fresh(stream.clone())
            .next(self.cause, at)
            .event(accepted)
            .expires(at.plus(Duration::from_secs(KEY_DAYS * 86_400)))
            .build()
            .map_err(|error| commit_problem(&error))
    }
}

fn answer_of(first: &Committed, cause: &Cause) -> Result<Done, Problem> {
    if first.cause.hash != cause.hash {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "This Idempotency-Key came with another body before. A new command needs a new key.",
        ));
    }
    let recorded = first.events.first().ok_or_else(Problem::unavailable)?;
    match CommandEvent::decode(&recorded.event_type, recorded.data.clone()) {
        Ok(CommandEvent::CommandAccepted(accepted)) => Ok(Done {
            status: StatusCode::from_u16(accepted.status).unwrap_or(StatusCode::OK),
            body: accepted.answer,
            commit: accepted.commit,
        }),
        Err(error) => {
            tracing::error!(error = %error, "a key's commit cannot be read");
            Err(Problem::unavailable())
        }
    }
}
