//! `command-api`: takes commands and foreign events over HTTP, decides, and commits.
//!
//! Every route parses at the edge, loads the streams concerned, asks the domain, and appends
//! under a condition. It answers with ids and the commit that a reader can wait for; it never
//! publishes. It decides on streams alone; a view only says which entries a person may mean who
//! answers by a message (`replies`).

mod answer;
mod calendar;
mod contacts;
mod entries;
mod entry_commands;
mod events;
mod idempotency;
mod incoming;
mod offers;
mod page;
mod place;
mod policies;
mod recipients;
mod replies;
mod schema;
mod slot_batches;
mod slot_commands;
mod slots;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use axum::Router;
use axum::routing::{delete, get, post, put};
use callboard_domain::calendar::Organizer;
use callboard_domain::foreign::Registry;
use callboard_domain::waitlist::Timing;
use callboard_domain::when::Zone;
use callboard_runtime::clock::Clock;
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Journal;
use callboard_runtime::settings::{self, SettingsError, Vars};
use callboard_runtime::table::Table;
use callboard_runtime::token::Keys;

use crate::contacts::Contacts;
use crate::schema::Schemas;

/// What the routes work with; made once, when the function starts.
pub(crate) struct Deps {
    pub(crate) journal: Journal,
    pub(crate) contacts: Contacts,
    /// Read for one question alone, which offers a person may mean who answers by a message.
    pub(crate) views: Table,
    pub(crate) registry: Registry,
    pub(crate) schemas: Schemas,
    pub(crate) link_keys: Keys,
    pub(crate) clock: Clock,
    pub(crate) offer_window_seconds: u32,
    pub(crate) timing: Timing,
    /// The zone in which pages tell times.
    pub(crate) clinic_zone: Zone,
    pub(crate) organizer: Organizer,
}

type App = axum::extract::State<Arc<Deps>>;

/// Builds the function from its settings.
///
/// # Errors
/// [`SettingsError`] names the variable that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let clock = Clock::from_sdk(sdk);
    let registry = Registry::builtin()
        .map_err(|problems| SettingsError::malformed("events/foreign", problems))?;
    let deps = Deps {
        journal: Journal::open(sdk, settings::required(vars, "JOURNAL_TABLE")?),
        contacts: Contacts::new(Table::new(sdk, settings::required(vars, "CONTACTS_TABLE")?)),
        views: Table::new(sdk, settings::required(vars, "VIEWS_TABLE")?),
        schemas: Schemas::compile(&registry),
        registry,
        link_keys: Keys::parse(&settings::required(vars, "LINK_KEYS")?)
            .map_err(|error| SettingsError::malformed("LINK_KEYS", error))?,
        clinic_zone: settings::parsed_or(vars, "CLINIC_TIME_ZONE", Zone::default())?,
        organizer: settings::parsed(vars, "MAIL_FROM")?,
        clock: clock.clone(),
        offer_window_seconds: settings::parsed_or(vars, "OFFER_WINDOW_SECONDS", 1_800)?,
        timing: Timing {
            hold_grace: Duration::from_secs(settings::parsed_or(vars, "HOLD_GRACE_SECONDS", 5)?),
            second_look: Duration::from_secs(settings::parsed_or(vars, "SECOND_LOOK_SECONDS", 30)?),
        },
    };
    function::warm(vars, deps.journal.client(), deps.journal.table()).await;
    Ok(callboard_runtime::http::service(router(deps), clock))
}

/// The JSON Schemas of what callers send and are shown, by name: components of the API's document
/// (`functions/openapi.json`), which is made and checked in `tests/it/openapi`.
#[must_use]
pub fn body_schemas() -> serde_json::Map<String, serde_json::Value> {
    schema::of_bodies()
}

fn router(deps: Deps) -> Router {
    Router::new()
        .route(
            "/v1/recipients/{id}",
            put(recipients::register).delete(recipients::erase),
        )
        .route("/v1/recipients/{id}/replies", post(replies::answer))
        .route("/v1/events", post(events::accept))
        .route("/v1/waitlists/{waitlist}/entries", post(entries::join))
        .route(
            "/v1/waitlists/{waitlist}/entries/{entry}",
            delete(entry_commands::leave),
        )
        .merge(entry_routes())
        .merge(slot_routes())
        .route("/v1/waitlists/{waitlist}/policy", put(policies::set))
        .route("/o/{token}", get(offers::show).post(offers::answer))
        .route("/o/{token}/calendar.ics", get(offers::calendar))
        .route("/w/{token}", post(place::change))
        .fallback(answer::no_such_route)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .with_state(Arc::new(deps))
}

fn slot_routes() -> Router<Arc<Deps>> {
    Router::new()
        .route(
            "/v1/waitlists/{waitlist}/slots",
            post(slots::release).delete(slot_commands::withdraw_by_name),
        )
        .route(
            "/v1/waitlists/{waitlist}/slots/booking",
            post(slot_commands::book_by_name),
        )
        .route(
            "/v1/waitlists/{waitlist}/slot-batches",
            post(slot_batches::release),
        )
        .route("/v1/slots/{slot}", delete(slot_commands::withdraw))
        .route("/v1/slots/{slot}/booking", post(slot_commands::book))
}

fn entry_routes() -> Router<Arc<Deps>> {
    let of = |command: &str| format!("/v1/waitlists/{{waitlist}}/entries/{{entry}}/{command}");
    Router::new()
        .route(&of("pause"), post(entry_commands::pause))
        .route(&of("resume"), post(entry_commands::resume))
        .route(&of("preferences"), put(entry_commands::change_preferences))
        .route(&of("override"), post(entry_commands::override_rank))
}
