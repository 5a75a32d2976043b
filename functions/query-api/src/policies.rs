//! How a waitlist's slots are offered, from the journal.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use callboard_contracts::{StreamId, WaitlistId};
use callboard_domain::waitlist::policy::Policies;
use callboard_runtime::http::{Problem, id_from_path, query};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, read_problem};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wanted {
    service: Option<String>,
}

/// The policy that holds for a service, or for all that have none of their own; with number 0 the
/// one that holds where none was set.
pub(crate) async fn show(
    State(deps): App,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let id: WaitlistId = id_from_path(&id)?;
    let wanted = query(wanted)?;
    let stream = StreamId::waitlist(&id);
    let policies = deps.journal.load::<Policies>(&stream).await;
    let policies = policies.map_err(|error| read_problem(&error))?.state;
    // No service has an empty name, so that this is the one for all others.
    let numbered = policies.of(wanted.service.as_deref().unwrap_or_default());
    Ok(Json(json!({
        "waitlistId": id,
        "service": wanted.service,
        "policyVersion": numbered.version,
        "latestVersion": policies.version,
        "policy": numbered.policy,
    })))
}
