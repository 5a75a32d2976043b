//! `calendar-importer`: takes what the practice's own calendar says of a slot to the waitlist.
//!
//! The calendar's words come as foreign events, in any order and more than once. Which type says
//! what is data, under `events/foreign`; what follows from it is the domain's to decide. This file
//! maps Lambda's event to the use case in [`import`] and its results to the partial batch response.

pub mod import;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_domain::foreign::Registry;
use callboard_domain::waitlist::Timing;
use callboard_domain::when::Zone;
use callboard_runtime::Clock;
use callboard_runtime::batch::{Batch, Outlet, STANDARD_RECORDS_MAX, SqsRecord};
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Journal;
use callboard_runtime::settings::{self, SettingsError, Vars};
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use import::Deps;

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

fn deps(vars: &Vars, sdk: &SdkConfig) -> Result<Deps, SettingsError> {
    let seconds = |name| settings::parsed(vars, name).map(Duration::from_secs);
    Ok(Deps {
        journal: Journal::open(sdk, settings::required(vars, "JOURNAL_TABLE")?),
        registry: Registry::builtin()
            .map_err(|problems| SettingsError::malformed("events/foreign", problems))?,
        clock: Clock::from_sdk(sdk),
        clinic_zone: settings::parsed_or(vars, "CLINIC_TIME_ZONE", Zone::default())?,
        offer_window_seconds: settings::parsed(vars, "OFFER_WINDOW_SECONDS")?,
        timing: Timing {
            hold_grace: seconds("HOLD_GRACE_SECONDS")?,
            second_look: seconds("SECOND_LOOK_SECONDS")?,
        },
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
            import::run(deps, &record.value).await
        })
        .await;
    Ok(batch.finish(outlet).await)
}
