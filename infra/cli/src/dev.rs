//! `callboard dev`: the system until somebody stops it, with a line per event.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use callboard_host::{Registry, Resource, Roles};
use serde_json::json;

use crate::args::{DevArgs, StateArgs, by_name};
use crate::error::CliError;
use crate::live::{self, Form};
use crate::ports::Port;
use crate::print::json_line_to;
use crate::services::{Elsewhere, described};
use crate::signals::StopSignals;
use crate::system::{self, Options, StateDirectory, System, TEMPLATE, TEMPLATE_NAME};

/// Usual ports, taken if free: those that LocalStack and common mail catchers use.
const ENGINE_PORT: u16 = 4566;
pub(crate) const MAILBOX_PORT: u16 = 8025;
pub(crate) const SMTP_PORT: u16 = 1025;

/// Name of the env file in the state directory.
const ENV_FILE: &str = "env";

/// Variables that whoever reads a log must not learn.
const CREDENTIALS: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Runs until Ctrl-C, SIGTERM, or the end of a part.
///
/// # Errors
/// [`CliError`] says which part could not be started, or ended by itself.
pub async fn run(args: &DevArgs) -> Result<(), CliError> {
    let begun = Instant::now();
    let mut signals = StopSignals::listen()?;
    if args.teardown {
        return teardown(args).await;
    }
    let env_file = env_file_of(args);
    let mut system = System::start(options_of(args)?).await?;
    if args.json {
        announce_json(&system, &env_file, begun.elapsed())?;
    } else {
        announce(
            &system,
            &args.elsewhere.elsewhere(),
            &env_file,
            begun.elapsed(),
        )?;
    }
    let form = if args.json { Form::Json } else { Form::Words };
    let live = (!args.quiet).then(|| start_live(&system, form)).flatten();
    let outcome = tokio::select! {
        () = signals.asked() => Ok(()),
        error = system.ended() => Err(error),
    };
    if let Some(live) = live {
        live.abort();
    }
    system.shutdown().await;
    outcome
}

/// Where state is kept, as typed.
pub(crate) fn state_of(args: &StateArgs) -> StateDirectory {
    if args.ephemeral {
        StateDirectory::Ephemeral
    } else {
        StateDirectory::At(args.state.clone())
    }
}

fn env_file_of(args: &DevArgs) -> PathBuf {
    let usual = || args.state.state.join(ENV_FILE);
    args.env_file.clone().unwrap_or_else(usual)
}

fn options_of(args: &DevArgs) -> Result<Options, CliError> {
    let template = match &args.template {
        None => (TEMPLATE_NAME.to_owned(), TEMPLATE.to_owned()),
        Some(path) => (path.display().to_string(), read(path)?),
    };
    Ok(Options {
        state: state_of(&args.state),
        api_port: Port::from_option(Some(args.port), args.port),
        engine_port: Port::from_option(args.engine_port, ENGINE_PORT),
        mailbox_port: Port::from_option(args.mailbox_port, MAILBOX_PORT),
        smtp_port: Port::from_option(args.smtp_port, SMTP_PORT),
        env_file: Some(env_file_of(args)),
        template,
        parameters: by_name(&args.parameters),
        registry: Registry::standard(),
        roles: Roles::default(),
        elsewhere: args.elsewhere.elsewhere(),
        names_prefix: args.elsewhere.prefix.clone(),
    })
}

/// Deletes what an earlier `dev` has made at an endpoint.
async fn teardown(args: &DevArgs) -> Result<(), CliError> {
    if args.elsewhere.elsewhere().is_nowhere() {
        return Err(CliError::NothingElsewhere);
    }
    let done = system::teardown(&options_of(args)?).await?;
    if args.json {
        let done = json!({ "deleted": done.removed, "leftAlone": done.foreign });
        return json_line_to(&mut io::stdout(), &done);
    }
    for name in &done.removed {
        say(&format!("deleted     {name}\n"))?;
    }
    for name in &done.foreign {
        say(&format!("left alone  {name} (it does not bear our tag)\n"))?;
    }
    say(&format!("{} deleted\n", done.removed.len()))
}

fn read(path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(|source| CliError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// The last line is the one to wait for.
fn announce(
    system: &System,
    elsewhere: &Elsewhere,
    env_file: &Path,
    took: Duration,
) -> Result<(), CliError> {
    let addresses = system.addresses();
    let text = format!(
        "HTTP API  {}\nmailbox   {}   (SMTP {})\nAWS       {}\n\
         Ready in {:.2} s.  Names and addresses:  . {}\n",
        addresses.api,
        addresses.mailbox,
        addresses.smtp,
        described(elsewhere, addresses.engine.as_deref()),
        took.as_secs_f64(),
        env_file.display(),
    );
    say(&text)
}

/// The credentials are in the env file alone, which only its owner may read: this may go to a log.
fn announce_json(system: &System, env_file: &Path, took: Duration) -> Result<(), CliError> {
    let addresses = system.addresses();
    let is_public = |name: &str| !CREDENTIALS.contains(&name);
    let variables = system.env().variables.iter();
    let environment: BTreeMap<_, _> = variables.filter(|(name, _)| is_public(name)).collect();
    let ready = json!({
        "ready": true,
        "seconds": took.as_secs_f64(),
        "api": addresses.api,
        "mailbox": addresses.mailbox,
        "smtp": addresses.smtp.to_string(),
        "engine": addresses.engine,
        "envFile": env_file,
        "environment": environment,
    });
    json_line_to(&mut io::stdout(), &ready)
}

pub(crate) fn say(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    said.map_err(|source| CliError::Io {
        what: "the terminal could not be written",
        source,
    })
}

/// The lines go beside the system's work; without a journal there are none.
fn start_live(system: &System, form: Form) -> Option<tokio::task::JoinHandle<()>> {
    let Some(Resource::Table {
        stream_arn: Some(stream_arn),
        ..
    }) = system.host().resources().get(live::JOURNAL)
    else {
        return None;
    };
    let (sdk, stream_arn) = (system.sdk().clone(), stream_arn.clone());
    Some(tokio::spawn(async move {
        live::show(&sdk, &stream_arn, form, io::stdout()).await;
    }))
}
