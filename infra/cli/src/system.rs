//! The whole of it in one process: engine, mailbox, functions on their host, and
//! the HTTP API. `dev` runs it, `demo` and the tests run their own; several can run
//! side by side, and nothing here prints.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_engine::{Engine, EngineConfig};
use callboard_host::{Host, HostConfig, Registry, Resource, Roles, TornDown};
use callboard_mailbox::Mailbox;
use callboard_template::{Parameters, Stack};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::env_file::{EnvFile, variable_name};
use crate::env_files::EnvFiles;
use crate::error::CliError;
use crate::ports::{Port, address_of, listen, url_of};
use crate::servers::{self, Servers};
use crate::services::Elsewhere;
use crate::state::{self, ACCOUNT, REGION};

pub use crate::state::StateDirectory;

/// The template that is compiled in, so that the binary works from anywhere.
pub const TEMPLATE: &str = include_str!("../../template.yaml");

/// Its name in messages.
pub const TEMPLATE_NAME: &str = "infra/template.yaml";

/// Prefix of the physical names of tables, queues and topics, unless another is asked for.
const NAMES_PREFIX: &str = "callboard-";

/// How long servers may take to end after they were told to.
const SERVERS_END: Duration = Duration::from_secs(3);

/// What a system is started with.
pub struct Options {
    /// Where everything is kept.
    pub state: StateDirectory,
    /// Port of the HTTP API.
    pub api_port: Port,
    /// Port of the AWS engine.
    pub engine_port: Port,
    /// Port of the mailbox's JSON.
    pub mailbox_port: Port,
    /// Port of the mailbox's SMTP.
    pub smtp_port: Port,
    /// Where addresses and names are written as shell variables. The file is there
    /// exactly while the system is: one left by a killed system is removed first. The
    /// environment of each function is beside it, in a directory of that name with `.d`.
    pub env_file: Option<PathBuf>,
    /// The template's name in messages, and its text.
    pub template: (String, String),
    /// Values for the template's parameters; they win over those set here.
    pub parameters: BTreeMap<String, String>,
    /// The functions' code by name.
    pub registry: Registry,
    /// Under whose name each function calls.
    pub roles: Roles,
    /// Which services are not the engine's.
    pub elsewhere: Elsewhere,
    /// Prefix of the physical names of tables, queues and topics.
    pub names_prefix: String,
}

impl Default for Options {
    /// In memory, on any free ports, with the built-in template and functions: what
    /// a test wants.
    fn default() -> Self {
        Self {
            state: StateDirectory::Ephemeral,
            api_port: Port::Any,
            engine_port: Port::Any,
            mailbox_port: Port::Any,
            smtp_port: Port::Any,
            env_file: None,
            template: (TEMPLATE_NAME.to_owned(), TEMPLATE.to_owned()),
            parameters: BTreeMap::new(),
            registry: Registry::standard(),
            roles: Roles::default(),
            elsewhere: Elsewhere::default(),
            names_prefix: NAMES_PREFIX.to_owned(),
        }
    }
}

/// Where a running system is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Base URL of the HTTP API.
    pub api: String,
    /// Base URL of the AWS engine, if any service is its.
    pub engine: Option<String>,
    /// Base URL of the mailbox's JSON.
    pub mailbox: String,
    /// The mailbox's SMTP.
    pub smtp: SocketAddr,
}

/// A running system. Dropped, its servers end at once; [`System::shutdown`] lets
/// work under way come to its end first.
pub struct System {
    addresses: Addresses,
    env: EnvFile,
    env_files: Option<EnvFiles>,
    sdk: SdkConfig,
    mailbox: Mailbox,
    host: Host,
    servers: Servers,
    stop_api: watch::Sender<bool>,
    stop: watch::Sender<bool>,
}

/// The listeners, bound before anything is started, so that a port in use is found
/// before any state is touched.
struct Listeners {
    api: TcpListener,
    engine: Option<TcpListener>,
    mailbox: TcpListener,
    smtp: TcpListener,
}

impl System {
    /// Starts everything and returns when it is ready.
    ///
    /// # Errors
    /// [`CliError`] says which part could not be started and why; what had been
    /// started is stopped.
    pub async fn start(options: Options) -> Result<Self, CliError> {
        let listeners = Listeners::bind(&options).await?;
        let addresses = listeners.addresses()?;
        let (stop_api, api_stopped) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let mut servers = Servers::new();
        // The engine's lock on the directory comes first: what follows is ours alone.
        let engine = match &listeners.engine {
            Some(_) => {
                let config = EngineConfig {
                    region: REGION.to_owned(),
                    account: ACCOUNT.to_owned(),
                    ..EngineConfig::default()
                };
                Some(state::open_engine(&options.state, config).await?)
            }
            None => None,
        };
        let mailbox = state::open_mailbox(&options.state).await?;
        let sdk = sdk_of(&options.elsewhere, &addresses, engine.as_ref()).await?;
        let stack = load_template(&options, &addresses, &sdk)?;
        let env_files = match &options.env_file {
            Some(path) => Some(EnvFiles::clear(path.clone(), &stack)?),
            None => None,
        };
        if let (Some(engine), Some(listener)) = (&engine, listeners.engine) {
            servers::serve_engine(&mut servers, engine, listener, stopped.clone());
        }
        servers::serve_mailbox(
            &mut servers,
            &mailbox,
            listeners.mailbox,
            listeners.smtp,
            stopped.clone(),
        );
        let host = start_host(stack, &sdk, &options).await?;
        servers::serve_api(&mut servers, host.router(), listeners.api, api_stopped);
        let mut env = environment(&options.elsewhere, &addresses, &host, &sdk).await?;
        if let Some(files) = &env_files {
            files.write(&host, &mut env)?;
        }
        Ok(Self {
            addresses,
            env,
            env_files,
            sdk,
            mailbox,
            host,
            servers,
            stop_api,
            stop,
        })
    }

    /// Where it is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Addresses and names as variables, for a shell or for `demo`.
    pub fn env(&self) -> &EnvFile {
        &self.env
    }

    /// For clients of its services, wherever they are.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The mailbox.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The functions' host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns when a part ends without being asked to; never otherwise.
    pub async fn ended(&mut self) -> CliError {
        match self.servers.join_next().await {
            Some(Ok((part, _))) => CliError::Ended(part),
            Some(Err(_)) | None => CliError::Ended("a server"),
        }
    }

    /// Stops in good order: no new requests, then the functions' work under way,
    /// then mailbox and engine.
    pub async fn shutdown(mut self) {
        if let Some(files) = &self.env_files
            && let Err(error) = files.remove()
        {
            tracing::warn!(%error, "env files stay behind");
        }
        self.stop_api.send_replace(true);
        tracing::debug!("the host is stopping");
        self.host.shutdown().await;
        tracing::debug!("the servers are stopping");
        self.stop.send_replace(true);
        let all_ended = async { while self.servers.join_next().await.is_some() {} };
        if tokio::time::timeout(SERVERS_END, all_ended).await.is_err() {
            self.servers.abort_all();
        }
        tracing::debug!("all has stopped");
    }
}

impl Listeners {
    async fn bind(options: &Options) -> Result<Self, CliError> {
        let engine = match options.elsewhere.needs_engine() {
            true => Some(listen(options.engine_port, "the AWS engine", "--engine-port").await?),
            false => None,
        };
        Ok(Self {
            api: listen(options.api_port, "the HTTP API", "--port").await?,
            engine,
            mailbox: listen(options.mailbox_port, "the mailbox", "--mailbox-port").await?,
            smtp: listen(options.smtp_port, "the mailbox's SMTP", "--smtp-port").await?,
        })
    }

    fn addresses(&self) -> Result<Addresses, CliError> {
        Ok(Addresses {
            api: url_of(&self.api)?,
            engine: self.engine.as_ref().map(url_of).transpose()?,
            mailbox: url_of(&self.mailbox)?,
            smtp: address_of(&self.smtp)?,
        })
    }
}

/// Deletes what a system with these options has made at endpoints other than the engine's.
///
/// # Errors
/// [`CliError::Host`] with the first resource that could not be deleted.
pub async fn teardown(options: &Options) -> Result<TornDown, CliError> {
    let elsewhere = &options.elsewhere;
    let sdk = elsewhere.sdk_config(None).await?;
    // Nobody will send a mail or follow a link.
    let nowhere = Addresses {
        api: "http://127.0.0.1".to_owned(),
        engine: None,
        mailbox: String::new(),
        smtp: SocketAddr::from((Ipv4Addr::LOCALHOST, 25)),
    };
    let mut stack = load_template(options, &nowhere, &sdk)?;
    // What is the engine's is in the state directory.
    if elsewhere.dynamodb_is_here() {
        stack.tables.clear();
    }
    if elsewhere.sns_is_here() {
        stack.topics.clear();
    }
    if elsewhere.sqs_is_here() {
        stack.queues.clear();
    }
    Ok(callboard_host::teardown(&stack, &sdk, &options.names_prefix).await?)
}

/// Reads the template with what is known only here: where mails go, what links
/// begin with, and the keys that sign them.
fn load_template(
    options: &Options,
    addresses: &Addresses,
    sdk: &SdkConfig,
) -> Result<Stack, CliError> {
    let (name, text) = &options.template;
    let mut parameters = Parameters {
        region: region_of(sdk),
        ..Parameters::default()
    };
    let ours = [
        ("MailTransport", format!("smtp://{}", addresses.smtp)),
        ("PublicUrl", addresses.api.clone()),
        ("LinkKeys", state::link_keys_of(&options.state)?),
    ];
    for (parameter, value) in ours {
        // A template of another make need not know our parameters.
        if declares(text, parameter) {
            parameters = parameters.with(parameter, value);
        }
    }
    parameters.values.extend(options.parameters.clone());
    Ok(callboard_template::load(name, text, &parameters)?)
}

/// Whether a line of the template opens a parameter (or anything else at that
/// depth) of this name; only to leave out what a foreign template has no use for.
fn declares(template: &str, parameter: &str) -> bool {
    template
        .lines()
        .any(|line| line.trim_end() == format!("  {parameter}:"))
}

async fn start_host(stack: Stack, sdk: &SdkConfig, options: &Options) -> Result<Host, CliError> {
    let config = HostConfig {
        names_prefix: options.names_prefix.clone(),
        checkpoints: state::checkpoints_of(&options.state),
        roles: options.roles.clone(),
        ..HostConfig::new(stack, sdk.clone(), options.registry.clone())
    };
    Ok(Host::start(config).await?)
}

/// In this process where all is the engine's: no socket is between functions and tables.
async fn sdk_of(
    elsewhere: &Elsewhere,
    addresses: &Addresses,
    engine: Option<&Engine>,
) -> Result<SdkConfig, CliError> {
    if let (Some(engine), Some(url)) = (engine, &addresses.engine) {
        engine.set_public_url(url.clone());
        if elsewhere.is_nowhere() {
            return Ok(engine.sdk_config());
        }
    }
    elsewhere.sdk_config(addresses.engine.as_deref()).await
}

fn region_of(sdk: &SdkConfig) -> String {
    let region = sdk.region().map(|region| region.as_ref().to_owned());
    region.unwrap_or_else(|| REGION.to_owned())
}

async fn environment(
    elsewhere: &Elsewhere,
    addresses: &Addresses,
    host: &Host,
    sdk: &SdkConfig,
) -> Result<EnvFile, CliError> {
    let mut env = EnvFile::default();
    elsewhere
        .tell(&mut env, addresses.engine.as_deref(), sdk)
        .await?;
    env.set("AWS_REGION", region_of(sdk));
    // boto3 and older AWS CLIs read this one.
    env.set("AWS_DEFAULT_REGION", region_of(sdk));
    env.set("CALLBOARD_API", &addresses.api);
    env.set("CALLBOARD_MAILBOX", &addresses.mailbox);
    env.set("CALLBOARD_SMTP", addresses.smtp.to_string());
    for (logical_id, resource) in host.resources().iter() {
        // Functions and the API exist in this process alone: no client of AWS's
        // protocols has a use for their names.
        let is_of_the_engine = matches!(
            resource,
            Resource::Table { .. } | Resource::Queue { .. } | Resource::Topic { .. }
        );
        if is_of_the_engine {
            env.set(variable_name(logical_id), resource.reference());
        }
    }
    Ok(env)
}
