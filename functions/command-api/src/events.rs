//! `POST /v1/events`: foreign events, in the three modes of CloudEvents over HTTP and in the
//! minimal shape.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::{Cause, StreamId, Unfolded, cause};
use callboard_domain::foreign::{ForeignType, Registry, Split};
use callboard_runtime::http::{Problem, RawBody, RequestFacts};
use callboard_runtime::journal::{AppendError, Appended, Commit, Loaded};
use callboard_runtime::publish::BATCH_BYTES_MAX;
use callboard_runtime::table::Write;
use serde_json::{Value, json};

use crate::answer::{Done, append_problem, commit_name, commit_problem};
use crate::incoming::{Incoming, Sent};
use crate::{App, Deps};

/// The stream of a foreign event holds this one commit.
const FIRST: u64 = 1;

/// Room in a message for its attributes, in bytes: type, correlation id and trace have at most
/// 300 with their names and types.
const ATTRIBUTES_BYTES_MAX: usize = 512;

pub(crate) async fn accept(
    State(deps): App,
    facts: RequestFacts,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    match Sent::parse(&headers, &body, &facts)? {
        Sent::One(incoming) => Ok(accept_one(&deps, *incoming).await?.into_response()),
        Sent::Batch(all) => Ok(accept_batch(&deps, all).await),
    }
}

/// Each event of a batch stands for itself: one that is refused does not hold back the others.
async fn accept_batch(deps: &Arc<Deps>, all: Vec<Result<Incoming, Problem>>) -> Response {
    let mut answers = Vec::with_capacity(all.len());
    let mut status = StatusCode::OK;
    for (index, incoming) in all.into_iter().enumerate() {
        let outcome = match incoming {
            Ok(incoming) => accept_one(deps, incoming).await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(done) => {
                if done.status == StatusCode::ACCEPTED && status == StatusCode::OK {
                    status = StatusCode::ACCEPTED;
                }
                let mut answer = done.body;
                answer["status"] = json!(done.status.as_u16());
                answers.push(answer);
            }
            Err(problem) => {
                status = StatusCode::MULTI_STATUS;
                answers.push(problem.beneath(&format!("/{index}")).to_json());
            }
        }
    }
    (status, Json(Value::Array(answers))).into_response()
}

async fn accept_one(deps: &Arc<Deps>, incoming: Incoming) -> Result<Done, Problem> {
    let registered = registered_type(deps, &incoming)?;
    let faults = deps.schemas.faults(&registered.event_type, &incoming.data);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    // What it says of a slot is done later and elsewhere; that it says something is told now.
    if let Err(fault) = registered.of_slot(&incoming.data) {
        let pointer = format!("/data{}", fault.pointer);
        return Err(Problem::invalid_at(pointer, fault.detail));
    }
    let source = incoming.source.as_deref().unwrap_or(&registered.source);
    let stream = StreamId::event(source, &incoming.id);
    let cause = Cause {
        causation_id: incoming.id.clone(),
        correlation_id: incoming.correlation_id.clone().unwrap_or_else(|| {
            callboard_contracts::id::derived_uuid(&["correlation", stream.as_str()]).to_string()
        }),
        hash: cause::hash_of(&json!({ "type": registered.event_type, "data": incoming.data })),
        traceparent: incoming.traceparent.clone(),
    };
    commit(deps, registered, &incoming, &stream, &cause).await
}

fn registered_type<'a>(deps: &'a Deps, incoming: &Incoming) -> Result<&'a ForeignType, Problem> {
    let name = &incoming.event_type;
    if let Some(found) = deps.registry.find(name) {
        return Ok(found);
    }
    let pointer = incoming.type_pointer();
    if is_newer_version(&deps.registry, name) {
        return Err(Problem {
            slug: "newer-version",
            ..Problem::invalid_at(
                pointer,
                "is a newer version of a registered type; register its schema first, then send it",
            )
        });
    }
    Err(Problem {
        slug: "unregistered-type",
        ..Problem::invalid_at(
            pointer,
            "is not a registered event type; add a file with its JSON Schema under events/foreign (see events/README.md)",
        )
    })
}

/// Whether another, older version of the type is registered.
fn is_newer_version(registry: &Registry, name: &str) -> bool {
    let Some((stem, Ok(version))) = version_of(name) else {
        return false;
    };
    registry
        .iter()
        .filter_map(|known| version_of(&known.event_type))
        .any(|(known_stem, known_version)| {
            known_stem == stem && known_version.is_ok_and(|known| known < version)
        })
}

fn version_of(name: &str) -> Option<(&str, Result<u32, std::num::ParseIntError>)> {
    name.rsplit_once(".v")
        .map(|(stem, version)| (stem, version.parse()))
}

async fn commit(
    deps: &Arc<Deps>,
    registered: &ForeignType,
    incoming: &Incoming,
    stream: &StreamId,
    cause: &Cause,
) -> Result<Done, Problem> {
    let Split { public, personal } = registered.split_personal(&incoming.data);
    let event = ForeignEvent {
        event_type: registered.event_type.clone(),
        data: public,
    };
    let now = deps.clock.now();
    let commit = Loaded::<Unfolded<ForeignEvent>>::fresh(stream.clone())
        .next(cause, now)
        .event(event)
        .build()
        .map_err(|error| commit_problem(&error))?;
    check_message(&commit)?;
    let recipient = registered.recipient_of(&incoming.data).map_err(|error| {
        let pointer = registered.recipient.as_deref().unwrap_or_default();
        Problem::invalid_at(format!("/data{pointer}"), error.to_string())
    })?;
    let outcome = match recipient {
        Some(recipient) if personal.as_object().is_some_and(|some| !some.is_empty()) => {
            let extras = deps.contacts.put_extras(&recipient, stream, &personal, now);
            append_unless_erased(deps, commit, extras).await
        }
        _ => deps.journal.append(commit).await,
    };
    answer(outcome, incoming, stream, cause)
}

/// An event is larger on its way than it came in. One that fits no message could be committed and
/// never be published; its sender is told now.
fn check_message(commit: &Commit) -> Result<(), Problem> {
    let bytes = commit.record().envelope(0).to_body().len() + ATTRIBUTES_BYTES_MAX;
    if bytes <= BATCH_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        format!(
            "The event with its envelope has {bytes} bytes; a message carries {BATCH_BYTES_MAX}."
        ),
    ))
}

/// An erased person's event is still a fact; only what is personal in it is not kept.
async fn append_unless_erased(
    deps: &Arc<Deps>,
    commit: Commit,
    extras: Vec<Write>,
) -> Result<Appended, AppendError> {
    match deps.journal.append_all(vec![commit.clone()], extras).await {
        Err(AppendError::Also { .. }) => deps.journal.append(commit).await,
        outcome => outcome,
    }
}

fn answer(
    outcome: Result<Appended, AppendError>,
    incoming: &Incoming,
    stream: &StreamId,
    cause: &Cause,
) -> Result<Done, Problem> {
    let done = |status, correlation_id: &str| Done {
        status,
        body: json!({ "eventId": incoming.id, "stream": stream, "correlationId": correlation_id }),
        commit: commit_name(stream, FIRST),
    };
    match outcome {
        Ok(_) => Ok(done(StatusCode::ACCEPTED, &cause.correlation_id)),
        Err(AppendError::Conflict(conflict)) => match &conflict.winner {
            Some(winner) if conflict.same_cause() == Some(true) => {
                Ok(done(StatusCode::OK, &winner.cause.correlation_id))
            }
            _ => Err(Problem::new(
                StatusCode::CONFLICT,
                "event-id-reused",
                "This event id came with another payload before. An event never changes: send a new one under a new id.",
            )),
        },
        Err(error) => Err(append_problem(&error)),
    }
}
