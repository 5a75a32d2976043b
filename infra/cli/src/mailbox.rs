//! `callboard mailbox`: the SMTP server that shows what it gets, alone; for functions that run
//! elsewhere, as under `cargo lambda` or on an emulator.

use std::io;

use serde_json::json;
use tokio::sync::watch;

use crate::args::MailboxArgs;
use crate::dev::{MAILBOX_PORT, SMTP_PORT, say, state_of};
use crate::error::CliError;
use crate::ports::{Port, address_of, listen, url_of};
use crate::print::json_line_to;
use crate::servers::{Servers, serve_mailbox};
use crate::signals::StopSignals;
use crate::state::open_mailbox;

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// [`CliError`] if a port or the state cannot be had, or a server ends by itself.
pub async fn run(args: &MailboxArgs) -> Result<(), CliError> {
    let mut signals = StopSignals::listen()?;
    let port = Port::from_option(args.port, MAILBOX_PORT);
    let http = listen(port, "the mailbox", "--port").await?;
    let port = Port::from_option(args.smtp_port, SMTP_PORT);
    let smtp = listen(port, "the mailbox's SMTP", "--smtp-port").await?;
    let (url, smtp_address) = (url_of(&http)?, address_of(&smtp)?);
    let mailbox = open_mailbox(&state_of(&args.state)).await?;
    let (stop, stopped) = watch::channel(false);
    let mut servers = Servers::new();
    serve_mailbox(&mut servers, &mailbox, http, smtp, stopped);
    if args.json {
        let ready = json!({ "ready": true, "mails": url, "smtp": smtp_address.to_string() });
        json_line_to(&mut io::stdout(), &ready)?;
    } else {
        say(&format!("Ready: mails at {url}, SMTP at {smtp_address}\n"))?;
    }
    let outcome = tokio::select! {
        () = signals.asked() => Ok(()),
        _ = servers.join_next() => Err(CliError::Ended("the mailbox")),
    };
    stop.send_replace(true);
    while servers.join_next().await.is_some() {}
    outcome
}
