//! What may be typed after `callboard dev`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::{StateArgs, with_codes};
use crate::services::{Elsewhere, Endpoint};

pub(super) fn help() -> String {
    with_codes(
        "  callboard dev                                    port 8787, state in ./.callboard
  callboard dev --ephemeral --port 0 --engine-port 0 --mailbox-port 0 --smtp-port 0
  callboard dev --parameter OfferWindowSeconds=60 --template mine.yaml
  callboard dev --json --quiet | jq --unbuffered -r .api     one line, once it is ready
  callboard dev --endpoint http://localhost:4566 --prefix mine-    on LocalStack; see --teardown

With --json standard output has one JSON object per line: {\"ready\": true, …} once calls are
answered, with addresses and variables (but not the credentials, which the env file has), then
{\"event\": {…}} for each event unless --quiet. --teardown answers with one object.",
    )
}

/// Options of `dev`.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// Port of the HTTP API; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8787)]
    pub port: u16,

    /// Port of the AWS engine [default: 4566, or any free one]
    #[arg(long, value_name = "PORT")]
    pub engine_port: Option<u16>,

    /// Port of the mailbox's JSON [default: 8025, or any free one]
    #[arg(long, value_name = "PORT")]
    pub mailbox_port: Option<u16>,

    /// Port of the mailbox's SMTP [default: 1025, or any free one]
    #[arg(long, value_name = "PORT")]
    pub smtp_port: Option<u16>,

    /// Where state is kept.
    #[command(flatten)]
    pub state: StateArgs,

    /// Where to write the addresses and names (default: `env` in the state directory);
    /// the functions' environments are written to FILE.d
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,

    /// A parameter of the template, for example OfferWindowSeconds=60; may be repeated
    #[arg(long = "parameter", value_name = "KEY=VALUE")]
    pub parameters: Vec<Parameter>,

    /// Serve this SAM template in place of the built-in infra/template.yaml
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,

    /// Where the services are, and whose names.
    #[command(flatten)]
    pub elsewhere: ElsewhereArgs,

    /// Delete what an earlier `dev` made at the endpoints named, and end
    ///
    /// Only what bears the tag of its prefix. The engine's own state is its directory.
    #[arg(long)]
    pub teardown: bool,

    /// No line per event
    #[arg(long, short)]
    pub quiet: bool,

    /// Print JSON lines: one when ready, with addresses and names, and one per event
    #[arg(long)]
    pub json: bool,
}

/// Services that are not the engine of this process.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "On other endpoints")]
pub struct ElsewhereArgs {
    /// Use the services at this URL, or of `aws`, in place of the engine
    ///
    /// What the template asks for is made there, tagged; --teardown removes it.
    #[arg(long, value_name = "URL|aws")]
    pub endpoint: Option<Endpoint>,

    /// DynamoDB and its streams at this URL
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_DYNAMODB")]
    pub endpoint_dynamodb: Option<String>,

    /// SNS at this URL
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_SNS")]
    pub endpoint_sns: Option<String>,

    /// SQS at this URL
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_SQS")]
    pub endpoint_sqs: Option<String>,

    /// Begins the names of tables, topics and queues: two systems at one endpoint need two
    #[arg(long, value_name = "PREFIX", default_value = "callboard-")]
    pub prefix: String,
}

impl ElsewhereArgs {
    /// Which services are not the engine's.
    pub fn elsewhere(&self) -> Elsewhere {
        Elsewhere {
            all: self.endpoint.clone(),
            dynamodb: self.endpoint_dynamodb.clone(),
            sns: self.endpoint_sns.clone(),
            sqs: self.endpoint_sqs.clone(),
        }
    }
}

/// One `KEY=VALUE` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name of the template's parameter.
    pub key: String,
    /// Its value; may be empty and may hold `=`.
    pub value: String,
}

impl FromStr for Parameter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected KEY=VALUE"),
        }
    }
}

/// The parameters by name; of a repeated one the last counts.
pub fn by_name(parameters: &[Parameter]) -> BTreeMap<String, String> {
    parameters
        .iter()
        .map(|parameter| (parameter.key.clone(), parameter.value.clone()))
        .collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn parameters_are_split_at_the_first_equals_sign() {
        let parameter: Parameter = "PublicUrl=http://x/?a=b".parse().unwrap();
        assert_eq!(parameter.key, "PublicUrl");
        assert_eq!(parameter.value, "http://x/?a=b");
        assert!("=x".parse::<Parameter>().is_err());
        assert!("x".parse::<Parameter>().is_err());
        let cli = Cli::try_parse_from([
            "callboard",
            "dev",
            "--parameter",
            "A=1",
            "--parameter",
            "A=2",
        ]);
        let Command::Dev(dev) = cli.unwrap().command else {
            panic!("dev was asked for");
        };
        assert_eq!(by_name(&dev.parameters)["A"], "2");
    }
}
