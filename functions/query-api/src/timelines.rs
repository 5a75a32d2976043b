//! `GET /v1/timelines/{correlation id}`: all that followed from one first cause.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use callboard_runtime::http::{Problem, is_safe_correlation_id};
use callboard_runtime::journal::Committed;
use serde_json::{Value, json};

use crate::App;
use crate::read_problem;

/// Most commits shown: a cascade of a hundred offers with their notifications has about 700.
const COMMITS_MAX: usize = 2_000;

pub(crate) async fn show(
    State(deps): App,
    Path(correlation): Path<String>,
) -> Result<Json<Value>, Problem> {
    if !is_safe_correlation_id(&correlation) {
        return Err(Problem::malformed(
            "The correlation id in the path is not valid.",
        ));
    }
    if !deps.timelines {
        return Err(Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "no-timeline-index",
            "Timelines need the index `by-correlation`: deploy with TimelineIndex=true (one more write unit per commit).",
        ));
    }
    let found = deps
        .journal
        .by_correlation(&correlation, COMMITS_MAX)
        .await
        .map_err(|error| read_problem(&error))?;
    let events: Vec<Value> = found
        .commits
        .iter()
        .flat_map(|commit| (0..commit.events.len()).map(|index| event_json(commit, index)))
        .collect();
    if events.is_empty() {
        return Err(Problem::not_found(
            "Nothing is known of this correlation id (yet).",
        ));
    }
    Ok(Json(
        json!({ "correlationId": correlation, "events": events, "complete": found.complete }),
    ))
}

/// One event as timelines show it. The journal holds ids only, so the data may be shown.
pub(crate) fn event_json(commit: &Committed, index: usize) -> Value {
    let recorded = &commit.events[index];
    json!({
        "eventId": commit.event_id(index),
        "type": recorded.event_type,
        "stream": commit.stream,
        "commit": commit.number,
        "index": index,
        "time": commit.at,
        "causationId": commit.cause.causation_id,
        "public": recorded.public,
        "data": recorded.data,
    })
}
