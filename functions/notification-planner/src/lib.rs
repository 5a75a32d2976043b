//! `notification-planner`: turns an event into the notifications that should follow from it.
//!
//! This file maps Lambda's event to the use case in [`plan`] and its results to the partial
//! batch response. Which event leads to which notification is data, under `events/notifications`.

pub mod plan;

use std::sync::Arc;

use aws_config::SdkConfig;
use callboard_domain::foreign::Registry;
use callboard_domain::notifications::definition::Catalogue;
use callboard_runtime::Clock;
use callboard_runtime::batch::{Batch, Outlet, STANDARD_RECORDS_MAX, SqsRecord};
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Journal;
use callboard_runtime::settings::{self, SettingsError, Vars};
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use plan::Deps;

/// The function.
///
/// # Errors
/// [`SettingsError`] names the setting that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let deps = deps(vars, sdk)?;
    let outlet = Outlet::from_vars(vars, sdk)?;
    function::warm(vars, deps.journal.client(), deps.journal.table()).await;
    let shared = Arc::new((deps, outlet));
    Ok(function::service(move |event| {
        let shared = Arc::clone(&shared);
        async move { handle(&shared.0, &shared.1, event).await }
    }))
}

/// What the use case works with, made from settings.
///
/// # Errors
/// [`SettingsError`] names the setting that is missing.
pub fn deps(vars: &Vars, sdk: &SdkConfig) -> Result<Deps, SettingsError> {
    let table = settings::required(vars, "JOURNAL_TABLE")?;
    Ok(Deps {
        journal: Journal::open(sdk, table),
        catalogue: Catalogue::builtin().expect("a test keeps the embedded definitions in order"),
        registry: Registry::builtin().expect("a test keeps the embedded types in order"),
        clock: Clock::from_sdk(sdk),
    })
}

async fn handle(
    deps: &Deps,
    outlet: &Outlet,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Error> {
    let batch = Batch::sqs(event.payload, SqsRecord::envelope)?;
    let batch = batch
        .stage(STANDARD_RECORDS_MAX, |record| async move {
            plan::run(deps, &record.value).await
        })
        .await;
    Ok(batch.finish(outlet).await)
}
