//! `email-sender`: delivers planned notifications by e-mail, once.
//!
//! This file maps Lambda's event to the use case in [`deliver`] and its results to the partial
//! batch response. Each notification passes three stages: an attempt under the runtime's lease
//! ([`effect`]), one read for the whole batch ([`lookup`]), and its [`mail`] with the outcome.
//! The gate and the wordings are those of `callboard_domain::notifications`; the ways out are in
//! [`provider`].

pub mod compose;
pub mod contact;
pub mod deliver;
pub mod deps;
pub mod effect;
pub mod job;
pub mod lookup;
pub mod mail;
pub mod provider;
pub mod settings;

use std::sync::Arc;

use aws_config::SdkConfig;
use callboard_domain::calendar::Organizer;
use callboard_domain::notifications::definition::Catalogue;
use callboard_runtime::batch::{Batch, Outlet};
use callboard_runtime::function::{self, Service};
use callboard_runtime::journal::Journal;
use callboard_runtime::lease::Lease;
use callboard_runtime::settings::{SettingsError, Vars};
use callboard_runtime::{Clock, Deadline};
use lambda_runtime::LambdaEvent;
use lettre::message::Mailbox;
use serde_json::Value;

use deliver::Invocation;
use deps::Deps;
use effect::Email;
use job::Job;
use provider::Provider;
use provider::ses::Ses;
use provider::smtp::Smtp;
use provider::transport::Transport;
use settings::Settings;

/// The function, with the provider that `MAIL_TRANSPORT` names.
///
/// # Errors
/// [`SettingsError`] names the setting that is missing or malformed.
pub async fn build(vars: &Vars, sdk: &SdkConfig) -> Result<Service, SettingsError> {
    let settings = Settings::from_vars(vars)?;
    let provider: Arc<dyn Provider> = match &settings.transport {
        Transport::Ses => Arc::new(Ses::new(sdk)),
        Transport::Smtp(server) => Arc::new(
            Smtp::new(server, settings.from.email.domain())
                .map_err(|error| SettingsError::malformed("MAIL_TRANSPORT", error))?,
        ),
    };
    build_with(vars, sdk, provider).await
}

/// The function with a provider of the caller's making: for tests without sockets.
///
/// # Errors
/// [`SettingsError`] names the setting that is missing or malformed.
pub async fn build_with(
    vars: &Vars,
    sdk: &SdkConfig,
    provider: Arc<dyn Provider>,
) -> Result<Service, SettingsError> {
    let deps = deps(vars, sdk, provider)?;
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
/// [`SettingsError`] names the setting that is missing or malformed.
pub fn deps(
    vars: &Vars,
    sdk: &SdkConfig,
    provider: Arc<dyn Provider>,
) -> Result<Deps, SettingsError> {
    let settings = Settings::from_vars(vars)?;
    let journal = Journal::open(sdk, settings.journal_table);
    let clock = Clock::from_sdk(sdk);
    Ok(Deps {
        lease: Lease::new(journal.clone(), clock.clone(), Email::new(clock.clone())),
        journal,
        contacts_table: settings.contacts_table,
        provider,
        organizer: organizer(&settings.from)?,
        from: settings.from,
        public_url: settings.public_url,
        keys: settings.keys,
        catalogue: Arc::new(
            Catalogue::builtin()
                .expect("a test keeps the embedded definitions in order")
                .told_in(settings.clinic_zone),
        ),
        clock,
    })
}

fn organizer(from: &Mailbox) -> Result<Organizer, SettingsError> {
    let address: &str = from.email.as_ref();
    let organizer = address.parse();
    organizer.map_err(|error| SettingsError::malformed("MAIL_FROM", error))
}

async fn handle(
    deps: &Deps,
    outlet: &Outlet,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Error> {
    let invocation = Invocation {
        deadline: Deadline::of(&event.context, deps.clock.now()),
        owner: event.context.request_id,
    };
    let batch = Batch::sqs(event.payload, Job::of)?;
    Ok(deliver::run(deps, &invocation, batch)
        .await
        .finish(outlet)
        .await)
}
