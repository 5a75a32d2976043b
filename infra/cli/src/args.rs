//! The command line: what may be said, its help, and its exit codes. Nothing is
//! done here.

mod look;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::dlq::DlqArgs;
use crate::services::{Elsewhere, Endpoint};
use crate::state::{ACCOUNT, REGION};

pub use look::{CompletionsArgs, ExplainArgs, LagArgs, PublishArgs, TargetArgs, TraceArgs};

/// Shown below every help text.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a step of the demo or bench failed, a running system stopped by itself, the system refused
     what it was given, what was asked for is not there, or dead letters stay that were to leave
  2  the command line, or a file that it names, was not understood
  3  a port is in use or may not be used
  4  the state directory cannot be written, or is in use by another process
  5  a state file is damaged, or was written by a later version
  6  the template or one of its parameters is not valid
  7  anything else that kept the system from starting, or from answering
  8  a limit given to `lag` is exceeded
  130  stopped by Ctrl-C or SIGTERM in the midst of a replay; run it again to go on";

/// Shown below the long help of `engine`.
const ENGINE_USE: &str = "\
Examples:
  callboard engine                                 port 4566, state in ./.callboard
  callboard engine --ephemeral --port 0            for one run of tests: any port, in memory
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

fn engine_help() -> String {
    format!("{ENGINE_USE}\n\n{EXIT_CODES}")
}

/// `callboard`, as typed.
#[derive(Debug, Parser)]
#[command(
    name = "callboard",
    version,
    about = "Run Callboard on a laptop, look inside it, and mend it",
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs everything here: AWS engine, functions, HTTP API and mailbox
    ///
    /// All listen on 127.0.0.1 only. When ready, `<state>/env` holds the addresses and
    /// names as shell variables, and `<state>/env.d/<function>` the environment of each
    /// function, to run it apart (infra/scripts/lambda-watch.sh); they are there exactly
    /// while the system is.
    /// Ctrl-C or SIGTERM stops it in good order; what was committed survives `kill -9`.
    #[command(after_help = EXIT_CODES)]
    Dev(DevArgs),

    /// Shows one slot on its way to an accepted offer, and fails if any step does
    ///
    /// Starts a system of its own in memory, or takes a running one by --env-file. It
    /// uses only HTTP, the mailbox's JSON and the AWS wire protocol, as you would.
    #[command(after_help = EXIT_CODES)]
    Demo(DemoArgs),

    /// Measures latency, throughput, what AWS would be asked for, and what an idle `dev` takes
    ///
    /// Everything runs in memory on ports of its own. Best on a quiet machine.
    #[command(after_help = EXIT_CODES)]
    Bench(BenchArgs),

    /// Runs the AWS engine alone: DynamoDB with Streams, SQS and SNS on one port
    ///
    /// Listens on 127.0.0.1 only. Ctrl-C or SIGTERM stops it in good order, within a second; what
    /// was answered with 200 survives `kill -9`. Point any AWS SDK or the AWS CLI at it with
    /// AWS_ENDPOINT_URL; --help has examples.
    #[command(after_help = EXIT_CODES, after_long_help = engine_help())]
    Engine(EngineArgs),

    /// Runs the mailbox alone: an SMTP server that shows as JSON what it gets
    ///
    /// For functions that run elsewhere: give them MAIL_TRANSPORT=smtp://127.0.0.1:PORT.
    #[command(after_help = EXIT_CODES)]
    Mailbox(MailboxArgs),

    /// Says that something happened in another system, and shows what follows from it
    ///
    /// By the HTTP API's POST /v1/events: the minimal shape {eventType, eventId, timestamp, data},
    /// a CloudEvent, or an array of these.
    #[command(after_help = look::publish_help())]
    Publish(PublishArgs),

    /// Shows all that followed from one first cause, as a tree with times
    ///
    /// By the HTTP API's GET /v1/timelines/{id}; the stack needs TimelineIndex=true, its default.
    #[command(after_help = look::trace_help())]
    Trace(TraceArgs),

    /// Says in plain sentences why an event happened and what it led to
    ///
    /// What caused it, which notifications were planned by which definition, and whether they were
    /// sent or dropped for which stored reason. No personal data: the journal has none.
    #[command(after_help = look::explain_help())]
    Explain(ExplainArgs),

    /// Lists, shows, replays, edits, drops and exports dead letters
    ///
    /// Of the system that --env-file describes: one of `callboard dev`, or a deployed stack
    /// (infra/scripts/stack-env.py). Whatever changes something only says what it would do, unless
    /// it is told to --execute.
    #[command(after_help = EXIT_CODES)]
    Dlq(DlqArgs),

    /// Shows how far each consumer is behind, and its dead letters
    ///
    /// By SQS's own counts, of every queue that the env file names; what a queue's dead-letter queue
    /// is, its redrive policy says. Ages of messages and of streams' readers are known to CloudWatch
    /// alone, which is asked at the same endpoint.
    #[command(after_help = look::lag_help())]
    Lag(LagArgs),

    /// Prints what makes a shell complete the commands and options of callboard
    #[command(after_help = look::completions_help())]
    Completions(CompletionsArgs),
}

/// Where state is kept.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Directory for the state; made if missing, kept for the next start
    #[arg(long, value_name = "DIR", default_value = ".callboard")]
    pub state: PathBuf,

    /// Keep tables, messages and mails in memory only
    #[arg(long)]
    pub ephemeral: bool,
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

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Play on the running system whose `dev` wrote this file
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}

/// Options of `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Print JSON in place of tables
    #[arg(long)]
    pub json: bool,

    /// Orders posted under load; each is four journal events
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = positive)]
    pub events: usize,

    /// Commits in the journal before each measurement, as a list
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_values_t = [1_000, 100_000]
    )]
    pub journal_sizes: Vec<usize>,
}

/// A rate needs something to count.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a number above zero".to_owned()),
    }
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

    /// Where state is kept.
    #[command(flatten)]
    pub state: StateArgs,
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
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_text_names_the_exit_codes() {
        let mut command = Cli::command();
        assert!(command.render_help().to_string().contains("Exit codes:"));
        // clap's own `help` comes only with a build, which `render_help` has done.
        for sub in command
            .get_subcommands_mut()
            .filter(|sub| sub.get_name() != "help")
        {
            let help = sub.render_long_help().to_string();
            assert!(help.contains("3  a port is in use"), "{}", sub.get_name());
        }
    }

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
