//! The commands that run one part alone: engine, mailbox.

use clap::Args;

use super::{EXIT_CODES, StateArgs, with_codes};
use crate::state::{ACCOUNT, REGION};

/// Shown below the long help of `engine`.
const ENGINE_USE: &str = "\
Examples:
  callboard engine                                 port 4566, state in ./.callboard
  callboard engine --ephemeral --port 0            for one run of tests: any port, in memory
  callboard engine --json --port 0 | jq --unbuffered -r .url
  callboard engine --state .engine --region eu-west-1 --account 111122223333

Standard output has two lines, once calls are answered; all else is on standard error:
  Ready: DynamoDB, SQS and SNS at http://127.0.0.1:PORT
  export AWS_ENDPOINT_URL=http://127.0.0.1:PORT AWS_REGION=… AWS_DEFAULT_REGION=… …

Point a client at it:
  AWS CLI v2, boto3 and all recent SDKs read AWS_ENDPOINT_URL from the environment
  AWS CLI v1 does so too, but for `aws sqs`, which would call AWS: give it --endpoint-url
  older SDKs: set the endpoint in the client's configuration (endpoint_url, endpoint, endpointOverride)
  credentials are needed, since clients sign, and may be anything: no signature is checked
  curl http://127.0.0.1:PORT/_callboard/health     which accounts and regions are open

A signed request is for the region that its signature names, and for the account that its access
key id names, if that is twelve digits; each such pair has tables, queues and topics of its own.

To start afresh, stop the engine and remove the state directory.";

pub(super) fn engine_help() -> String {
    format!("{ENGINE_USE}\n\n{EXIT_CODES}")
}

pub(super) fn mailbox_help() -> String {
    with_codes(
        "  callboard mailbox                                mails at port 8025, SMTP at port 1025
  callboard mailbox --ephemeral --port 0 --smtp-port 0
  callboard mailbox --json --ephemeral | jq --unbuffered -r .smtp
  curl http://127.0.0.1:8025/                      what has come, as JSON

Standard output has one line, once mail is taken: Ready: mails at URL, SMTP at ADDRESS, or with
--json {\"ready\": true, \"mails\": URL, \"smtp\": ADDRESS}.",
    )
}

/// Options of `engine`.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// Port; 0 takes any free one, and the first line says which
    #[arg(long, value_name = "PORT", default_value_t = 4566)]
    pub port: u16,

    /// Region of requests that are not signed, and in the line to export
    #[arg(long, value_name = "REGION", default_value = REGION, value_parser = region)]
    pub region: String,

    /// Account of requests whose access key id is not itself an account's twelve digits
    #[arg(long, value_name = "DIGITS", default_value = ACCOUNT, value_parser = account)]
    pub account: String,

    /// Where SNS invokes functions: the base URL of a Lambda Invoke API, for example
    /// http://127.0.0.1:9000 of `cargo lambda watch`
    #[arg(long, value_name = "URL", value_parser = web_url)]
    pub lambda_endpoint: Option<String>,

    /// Print one line of JSON when ready, in place of words: url, and environment to export
    #[arg(long)]
    pub json: bool,

    /// Where state is kept.
    #[command(flatten)]
    pub state: StateArgs,
}

fn web_url(text: &str) -> Result<String, &'static str> {
    let known = ["http://", "https://"]
        .iter()
        .any(|it| text.starts_with(it));
    known
        .then(|| text.to_owned())
        .ok_or("expected a URL that begins with http:// or https://")
}

fn region(text: &str) -> Result<String, &'static str> {
    let known = callboard_engine::is_region(text).then(|| text.to_owned());
    known.ok_or("expected a region of AWS, for example us-east-1")
}

fn account(text: &str) -> Result<String, &'static str> {
    let known = callboard_engine::is_account(text).then(|| text.to_owned());
    known.ok_or("expected twelve digits")
}

/// Options of `mailbox`.
#[derive(Debug, Clone, Args)]
pub struct MailboxArgs {
    /// Port of the mailbox's JSON [default: 8025, or any free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Port of the mailbox's SMTP [default: 1025, or any free one]
    #[arg(long, value_name = "PORT")]
    pub smtp_port: Option<u16>,

    /// Print one line of JSON when ready, in place of words
    #[arg(long)]
    pub json: bool,

    /// Where state is kept.
    #[command(flatten)]
    pub state: StateArgs,
}
