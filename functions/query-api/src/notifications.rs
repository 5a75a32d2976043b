//! `GET /v1/notifications/{id}`: where a notification stands, and every decision on its way.

use axum::Json;
use axum::extract::{Path, State};
use callboard_contracts::{NotificationId, StreamId};
use callboard_domain::notifications::notification::Notification;
use callboard_runtime::http::Problem;
use serde_json::{Value, json};

use crate::App;
use crate::read_problem;
use crate::timelines::event_json;

pub(crate) async fn show(State(deps): App, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let id: NotificationId = id
        .parse()
        .map_err(|_| Problem::malformed("The id in the path is not that of a notification."))?;
    let stream = StreamId::notification(id);
    let commits = deps
        .journal
        .read(&stream, 1)
        .await
        .map_err(|error| read_problem(&error))?;
    if commits.is_empty() {
        return Err(Problem::not_found(
            "There is no such notification, or it is past its retention.",
        ));
    }
    let loaded = deps
        .journal
        .load::<Notification>(&stream)
        .await
        .map_err(|error| read_problem(&error))?;
    let events: Vec<Value> = commits
        .iter()
        .flat_map(|commit| (0..commit.events.len()).map(|index| event_json(commit, index)))
        .collect();
    Ok(Json(json!({
        "notificationId": id,
        "state": loaded.state.status,
        "events": events,
    })))
}
