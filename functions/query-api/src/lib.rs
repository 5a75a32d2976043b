//! `query-api`: answers questions, and changes nothing.
//!
//! Waitlists, slots and entries are read from `views`, which lag behind the journal a little:
//! every answer says its `asOf`, and `?at-least=<stream>@<number>` waits for a commit that the
//! caller has made. Notifications, timelines and policies are read from the journal itself.

mod board;
mod calendar;
mod figures;
mod fresh;
mod notifications;
mod policies;
mod position;
mod status;
mod timelines;
mod views;
mod went_first;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use callboard_domain::when::Zone;
use callboard_runtime::clock::Clock;
use callboard_runtime::function::{self, Service};
use callboard_runtime::http::Problem;
use callboard_runtime::journal::Journal;
use callboard_runtime::settings::{self, SettingsError, Vars};
use callboard_runtime::table::Table;
use callboard_runtime::token::Keys;

use crate::views::Views;

/// What the routes work with; made once, when the function starts.
pub(crate) struct Deps {
    pub(crate) journal: Journal,
    pub(crate) views: Views,
    pub(crate) clock: Clock,
    pub(crate) link_keys: Keys,
    /// What links begin with, without a slash at the end.
    pub(crate) public_url: String,
    /// The zone in which a person's own page tells days.
    pub(crate) clinic_zone: Zone,
    /// Whether the optional index by correlation id was deployed.
    pub(crate) timelines: bool,
}

type App = axum::extract::State<Arc<Deps>>;

/// Builds the function from its settings.
///
/// # Errors
/// [`SettingsError`] names the variable that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let deps = Deps {
        journal: Journal::open(sdk, settings::required(vars, "JOURNAL_TABLE")?),
        views: Views::new(Table::new(sdk, settings::required(vars, "VIEWS_TABLE")?)),
        clock: Clock::from_sdk(sdk),
        link_keys: Keys::parse(&settings::required(vars, "LINK_KEYS")?)
            .map_err(|error| SettingsError::malformed("LINK_KEYS", error))?,
        public_url: settings::required(vars, "PUBLIC_URL")?
            .trim_end_matches('/')
            .to_owned(),
        clinic_zone: settings::parsed_or(vars, "CLINIC_TIME_ZONE", Zone::default())?,
        timelines: settings::parsed_or(vars, "TIMELINE_INDEX", false)?,
    };
    function::warm(vars, deps.journal.client(), deps.journal.table()).await;
    Ok(callboard_runtime::http::service(
        router(deps),
        Clock::from_sdk(sdk),
    ))
}

fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/health", get(health))
        .route("/v1/openapi.json", get(document))
        .route("/v1/waitlists/{waitlist}", get(board::waitlist))
        .route(
            "/v1/waitlists/{waitlist}/entries/{entry}",
            get(board::entry),
        )
        .route("/v1/waitlists/{waitlist}/policy", get(policies::show))
        .route("/v1/waitlists/{waitlist}/figures", get(figures::show))
        .route("/v1/waitlists/{waitlist}/calendar.ics", get(calendar::show))
        .route(
            "/v1/waitlists/{waitlist}/calendar-link",
            get(calendar::link),
        )
        .route("/c/{token}", get(calendar::subscribed))
        .route("/v1/slots/{slot}", get(board::slot))
        .route("/w/{token}", get(status::show))
        .route("/v1/notifications/{id}", get(notifications::show))
        .route("/v1/timelines/{correlation}", get(timelines::show))
        .fallback(async || Problem::not_found("There is no such route."))
        .with_state(Arc::new(deps))
}

async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok" }))
}

/// The whole API's document, as OpenAPI 3.1.
async fn document() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, include_str!("../../openapi.json"))
}

/// A table that could not be read, as a caller may see it; what it was goes to the log.
pub(crate) fn read_problem(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a table could not be read");
    Problem::unavailable()
}
