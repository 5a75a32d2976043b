//! Waitlists, slots and entries, from their views.

use axum::Json;
use axum::extract::{Path, Query, State};
use callboard_contracts::view::board_key;
use callboard_contracts::{EntryId, SlotId, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::entry::Entry;
use callboard_runtime::http::{Problem, RequestFacts, id_from_path};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::fresh::{AtLeast, view_of, wait_for};
use crate::position;
use crate::read_problem;
use crate::views::View;
use crate::went_first::{self, ENTRY_COMMITS_MAX};

/// Most members of a board in one answer.
const PAGE_MAX: i32 = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(rename = "at-least")]
    at_least: Option<String>,
    /// Where the page before ended.
    after: Option<String>,
    limit: Option<i32>,
    /// Whether an entry's rank is explained; it is unless told otherwise.
    explain: Option<bool>,
}

pub(crate) async fn slot(
    State(deps): App,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let id: SlotId = id_from_path(&id)?;
    one(
        &deps,
        &StreamId::slot(&id),
        &wanted,
        None,
        "There is no such slot.",
    )
    .await
}

pub(crate) async fn entry(
    State(deps): App,
    Path((waitlist, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    facts: RequestFacts,
) -> Result<Json<Value>, Problem> {
    let waitlist: WaitlistId = id_from_path(&waitlist)?;
    let id: EntryId = id_from_path(&id)?;
    let stream = StreamId::entry(&id);
    let absent = "There is no such entry on this waitlist.";
    let Json(mut body) = one(&deps, &stream, &wanted, Some(&waitlist), absent).await?;
    if wanted.explain.unwrap_or(true) {
        explain(&deps, &stream, facts.received_at, &mut body).await?;
    }
    Ok(Json(body))
}

/// Adds where the entry stands and why others went first, from the journal as it is now.
async fn explain(
    deps: &crate::Deps,
    stream: &StreamId,
    now: Timestamp,
    body: &mut Value,
) -> Result<(), Problem> {
    let own = deps
        .journal
        .history::<Entry>(stream, ENTRY_COMMITS_MAX)
        .await
        .map_err(|error| read_problem(&error))?;
    let entry = went_first::entry_of(deps, &own, stream).await?;
    let (position, score) = position::explain(deps, &entry, now).await?;
    body["position"] = position;
    body["score"] = score;
    if let Some(facts) = &entry.facts {
        body["wentFirst"] = went_first::explain(deps, &own, facts).await?;
    }
    Ok(())
}

async fn one(
    deps: &crate::Deps,
    stream: &StreamId,
    wanted: &Wanted,
    waitlist: Option<&WaitlistId>,
    absent: &str,
) -> Result<Json<Value>, Problem> {
    let at_least = AtLeast::parse(wanted.at_least.as_deref())?;
    let view = view_of(deps, stream.as_str(), at_least.as_ref()).await?;
    view.map(shown)
        .filter(|body| waitlist.is_none_or(|waitlist| body["waitlistId"] == waitlist.as_str()))
        .map(Json)
        .ok_or_else(|| Problem::not_found(absent))
}

pub(crate) async fn waitlist(
    State(deps): App,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let id: WaitlistId = id_from_path(&id)?;
    if let Some(at_least) = AtLeast::parse(wanted.at_least.as_deref())? {
        wait_for(&deps, &at_least).await?;
    }
    let limit = wanted.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let page = deps
        .views
        .page(&board_key(&id), wanted.after.as_deref(), limit)
        .await
        .map_err(|error| read_problem(&error))?;
    let as_of = page.views.iter().map(|view| view.as_of).max();
    let (entries, slots): (Vec<View>, Vec<View>) = page
        .views
        .into_iter()
        .partition(|view| view.sort_key.starts_with("entry#"));
    Ok(Json(json!({
        "waitlistId": id,
        "entries": entries.into_iter().map(shown).collect::<Vec<_>>(),
        "slots": slots.into_iter().map(shown).collect::<Vec<_>>(),
        "next": page.next,
        "asOf": as_of,
    })))
}

fn shown(view: View) -> Value {
    let mut body = view.document;
    body["asOf"] = json!(view.as_of);
    body["applied"] = json!(view.applied);
    body
}
