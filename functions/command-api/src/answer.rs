//! Answers that several routes give.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use callboard_contracts::{Cause, EntryEvent, SlotEvent, StreamId, Timestamp, cause};
use callboard_domain::waitlist::entry::{self, Entry};
use callboard_domain::waitlist::slot::{self, Slot};
use callboard_domain::waitlist::{Refusal, RefusalKind, Timing};
use callboard_runtime::http::{Problem, RequestFacts, with_commit};
use callboard_runtime::journal::{AppendError, Commit, CommitError, Loaded};
use serde_json::Value;

/// How often a command is decided again when another commit came between.
pub(crate) const TRIES_MAX: u32 = 8;

/// What a command led to: ids only, so that it may be stored and given again.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// `<stream>@<number>`
    pub(crate) commit: String,
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        with_commit((self.status, Json(self.body)).into_response(), &self.commit)
    }
}

pub(crate) fn commit_name(stream: &StreamId, number: u64) -> String {
    format!("{stream}@{number}")
}

/// The cause of what a request leads to; `body` is what was asked for.
pub(crate) fn cause_of(facts: &RequestFacts, body: &Value) -> Cause {
    Cause {
        causation_id: facts.request_id.clone(),
        correlation_id: facts
            .correlation_id
            .clone()
            .unwrap_or_else(|| facts.request_id.clone()),
        hash: cause::hash_of(body),
        traceparent: facts.traceparent.clone(),
    }
}

/// A refusal with its own code: 404, 409 or 422 by its kind.
pub(crate) fn refused(refusal: &Refusal) -> Problem {
    let status = match refusal.kind() {
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::LostRace => StatusCode::CONFLICT,
        RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalKind::Repeated => StatusCode::OK,
    };
    Problem::new(status, refusal.code(), refusal.to_string())
}

/// A refusal of what stands at `pointer` in the body.
pub(crate) fn refused_at(pointer: impl Into<String>, refusal: &Refusal) -> Problem {
    Problem {
        slug: refusal.code(),
        ..Problem::invalid_at(pointer, refusal.to_string())
    }
}

/// The next commit of an entry.
pub(crate) fn entry_commit(
    entry: &Loaded<Entry>,
    cause: &Cause,
    events: Vec<EntryEvent>,
    at: Timestamp,
) -> Result<Commit, CommitError> {
    let next = entry.next(cause, at).events(events);
    next.handled(entry::handling).build()
}

/// The next commit of a slot.
pub(crate) fn slot_commit(
    slot: &Loaded<Slot>,
    cause: &Cause,
    events: Vec<SlotEvent>,
    timing: &Timing,
    at: Timestamp,
) -> Result<Commit, CommitError> {
    let next = slot.next(cause, at).events(events);
    next.handled(|slot| slot::handling(slot, timing)).build()
}

/// 409: somebody else was faster, again and again.
pub(crate) fn lost_race() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "lost-race",
        "Somebody else changed the same thing at the same moment. Look at it and decide again.",
    )
}

/// A table that could not be read or written, as a caller may see it; what it was goes to the log.
pub(crate) fn unavailable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a table could not be read or written");
    Problem::unavailable()
}

/// An append that failed for another reason than a conflict.
pub(crate) fn append_problem(error: &AppendError) -> Problem {
    match error {
        AppendError::Conflict(_) => lost_race(),
        AppendError::Journal(error) => unavailable(error),
        other => {
            tracing::error!(error = %other, "a commit was refused");
            Problem::unavailable()
        }
    }
}

/// A commit that cannot be made of what was sent: it is too large.
pub(crate) fn commit_problem(error: &CommitError) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        error.to_string(),
    )
}

/// Does not name the path: that of a link holds its token, which must not be given back.
pub(crate) async fn no_such_route() -> Problem {
    Problem::not_found("There is no such route.")
}

pub(crate) async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        format!("{method} is not served here."),
    )
}
