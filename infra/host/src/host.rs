//! The running whole: resources made, functions built, mappings polling, HTTP answered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use callboard_template::{EventSource, Function as Definition, Stack};
use futures::FutureExt;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use crate::error::{HostError, Place};
use crate::http::{Gateway, GatewayConfig, Routes};
use crate::invocation::{Function, FunctionConfig, Running};
use crate::mappings::Source;
use crate::observe::{Invocation, Observer, Totals};
use crate::provision::{REGION_DEFAULT, TEMPLATE, provision, text};
use crate::registry::Registry;
use crate::resources::{Resource, Resources};
use crate::stop::{Stop, Stopper};
use crate::stream::{Checkpoints, StreamContext};
use crate::{Vars, http, queue, stream};

/// Prefix of physical names unless another is asked for.
const PREFIX_DEFAULT: &str = "callboard-";

/// Where the HTTP API is unless the caller says: in process, so nowhere in particular.
const API_ENDPOINT_DEFAULT: &str = "http://localhost";

/// What a shutdown waits beyond the longest function time-out: deletes and checkpoints.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// What a host runs on.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The topology.
    pub stack: Stack,
    /// For the host's own calls: provisioning and polling. Its time source is the host's
    /// clock.
    pub sdk: SdkConfig,
    /// Handed to the functions' `build`. Apart from `sdk`, so that requests can be counted
    /// apart.
    pub function_sdk: SdkConfig,
    /// The functions.
    pub registry: Registry,
    /// Stands before every logical id in a physical name.
    pub names_prefix: String,
    /// Where stream checkpoints are kept; in memory alone if `None`.
    pub checkpoints: Option<PathBuf>,
    /// Where the caller will serve [`Host::router`], without a slash at the end: what the
    /// template's `ApiEndpoint` gives.
    pub api_endpoint: String,
}

impl HostConfig {
    /// One SDK configuration for all, names with the prefix `callboard-`, checkpoints in memory.
    #[must_use]
    pub fn new(stack: Stack, sdk: SdkConfig, registry: Registry) -> Self {
        HostConfig {
            stack,
            function_sdk: sdk.clone(),
            sdk,
            registry,
            names_prefix: PREFIX_DEFAULT.to_owned(),
            checkpoints: None,
            api_endpoint: API_ENDPOINT_DEFAULT.to_owned(),
        }
    }
}

/// A running stack. Dropping it ends everything at once, running invocations included;
/// [`Host::shutdown`] ends it in order.
pub struct Host {
    resources: Resources,
    environments: BTreeMap<String, Vars>,
    gateway: Arc<Gateway>,
    observer: Observer,
    running: Running,
    checkpoints: Checkpoints,
    stopper: Stopper,
    pollers: JoinSet<()>,
    longest_timeout: Duration,
}

impl Host {
    /// Provisions the stack, builds every function (Lambda's init phase) and begins to poll.
    ///
    /// # Errors
    /// [`HostError`]: a construct that cannot be served, a resource that cannot be made, a
    /// function that does not start. Nothing polls then.
    pub async fn start(config: HostConfig) -> Result<Host, HostError> {
        let checkpoints = match &config.checkpoints {
            Some(path) => Checkpoints::open(path).await?,
            None => Checkpoints::in_memory(),
        };
        check_binaries(&config)?;
        let mut resources = provision(&config.stack, &config.sdk, &config.names_prefix).await?;
        if let Some(api) = &config.stack.http_api {
            resources.insert(&api.logical_id, http_api(&config, &api.logical_id));
        }
        let observer = Observer::new();
        let running = Running::new();
        let environments = environments(&config, &resources)?;
        let starting = Starting {
            config: &config,
            resources: &resources,
            environments: &environments,
            observer: &observer,
            running: &running,
        };
        let functions = starting.functions().await?;
        let (stopper, stop) = Stopper::new();
        let pollers = starting.pollers(&functions, &checkpoints, &stop)?;
        let gateway = Arc::new(starting.gateway(&functions));
        let longest_timeout = functions
            .values()
            .map(|function| function.config().timeout)
            .max()
            .unwrap_or_default();
        Ok(Host {
            resources,
            environments,
            gateway,
            observer,
            running,
            checkpoints,
            stopper,
            pollers,
            longest_timeout,
        })
    }

    /// The HTTP API, to be served on whatever listener. `into_make_service_with_connect_info`
    /// with a `SocketAddr` shows functions the client's address.
    #[must_use]
    pub fn router(&self) -> axum::Router {
        http::router(self.gateway.clone())
    }

    /// What exists, by logical id.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The resolved environment of a function, by logical id.
    #[must_use]
    pub fn environment(&self, logical_id: &str) -> Option<&Vars> {
        self.environments.get(logical_id)
    }

    /// Every invocation from now on. A listener that lags sees a gap, not a slower host.
    #[must_use]
    pub fn observe(&self) -> broadcast::Receiver<Arc<Invocation>> {
        self.observer.subscribe()
    }

    /// Exact sums by binary since the start; a function without invocation is not in it.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<Arc<str>, Totals> {
        self.observer.totals()
    }

    /// Stops polling, lets running invocations finish (at most the longest function
    /// time-out and 2 s), and keeps the checkpoints.
    pub async fn shutdown(mut self) {
        self.stopper.stop();
        let finish = async {
            while self.pollers.join_next().await.is_some() {}
            self.running.none().await;
        };
        let bound = self.longest_timeout + SHUTDOWN_GRACE;
        if tokio::time::timeout(bound, finish).await.is_err() {
            tracing::warn!("invocations were still running at the end and are cut off");
        }
        self.pollers.shutdown().await;
        self.checkpoints.write_or_log().await;
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}

/// The parts at hand while a host starts.
struct Starting<'a> {
    config: &'a HostConfig,
    resources: &'a Resources,
    environments: &'a BTreeMap<String, Vars>,
    observer: &'a Observer,
    running: &'a Running,
}

impl Starting<'_> {
    fn clock(&self) -> SharedTimeSource {
        self.config
            .sdk
            .time_source()
            .unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new()))
    }

    /// Builds all functions at once, as Lambda would, by logical id.
    async fn functions(&self) -> Result<BTreeMap<String, Function>, HostError> {
        let building = self
            .config
            .stack
            .functions
            .iter()
            .map(|definition| self.function(definition));
        futures::future::try_join_all(building)
            .await
            .map(|functions| functions.into_iter().collect())
    }

    async fn function(&self, definition: &Definition) -> Result<(String, Function), HostError> {
        let binary = &definition.binary;
        let failed = |source| HostError::Build {
            binary: binary.clone(),
            source,
        };
        let build = self
            .config
            .registry
            .get(binary)
            .ok_or_else(|| unknown_binary(self.config, definition))?;
        let vars = self
            .environments
            .get(&definition.logical_id)
            .cloned()
            .unwrap_or_default();
        let sdk = self.config.function_sdk.clone();
        let building = std::panic::AssertUnwindSafe(async move { build(vars, sdk).await });
        let service = building
            .catch_unwind()
            .await
            .map_err(|_panic| failed("it panicked".into()))?
            .map_err(failed)?;
        let arn = self
            .resources
            .get(&definition.logical_id)
            .map(|function| function.arn().to_owned())
            .unwrap_or_default();
        let config = FunctionConfig {
            name: binary.as_str().into(),
            arn,
            timeout: Duration::from_secs(definition.timeout_s.into()),
            memory_mb: i32::try_from(definition.memory_mb).unwrap_or(i32::MAX),
        };
        let function = Function::new(
            config,
            service,
            self.clock(),
            self.observer.clone(),
            self.running.clone(),
        );
        Ok((definition.logical_id.clone(), function))
    }

    /// Checks every mapping, then starts all of them.
    fn pollers(
        &self,
        functions: &BTreeMap<String, Function>,
        checkpoints: &Checkpoints,
        stop: &Stop,
    ) -> Result<JoinSet<()>, HostError> {
        let region = region(&self.config.sdk);
        let (mut queues, mut streams) = (Vec::new(), Vec::new());
        for definition in &self.config.stack.functions {
            let Some(function) = functions.get(&definition.logical_id) else {
                continue;
            };
            let source = Source {
                stack: &self.config.stack,
                resources: self.resources,
                region: &region,
                function: definition,
                file: TEMPLATE,
            };
            for event in &definition.events {
                match event {
                    EventSource::Sqs(sqs) if sqs.enabled => {
                        queues.push((source.queue(sqs)?, function.clone()));
                    }
                    EventSource::Stream(stream) if stream.enabled => {
                        streams.push((source.stream(stream)?, function.clone()));
                    }
                    EventSource::Sqs(_) | EventSource::Stream(_) => {}
                }
            }
        }
        let mut pollers = JoinSet::new();
        let sqs = aws_sdk_sqs::Client::new(&self.config.sdk);
        for (mapping, function) in queues {
            pollers.spawn(queue::run(mapping, function, sqs.clone(), stop.clone()));
        }
        for (mapping, function) in streams {
            let context = StreamContext {
                mapping,
                function,
                streams: aws_sdk_dynamodbstreams::Client::new(&self.config.sdk),
                sqs: sqs.clone(),
                sns: aws_sdk_sns::Client::new(&self.config.sdk),
                checkpoints: checkpoints.clone(),
            };
            pollers.spawn(stream::run(Arc::new(context), stop.clone()));
        }
        let (checkpoints, stop) = (checkpoints.clone(), stop.clone());
        pollers.spawn(async move { checkpoints.keep_written(stop).await });
        Ok(pollers)
    }

    fn gateway(&self, functions: &BTreeMap<String, Function>) -> Gateway {
        let api = self.config.stack.http_api.as_ref();
        let routes = api
            .into_iter()
            .flat_map(|api| &api.routes)
            .filter_map(|route| {
                let function = functions.get(&route.function)?.clone();
                Some((route.method.clone(), route.path.clone(), function))
            });
        Gateway {
            config: GatewayConfig {
                account: self.resources.account().unwrap_or_default().to_owned(),
                api_id: api.map_or_else(String::new, |api| api_id(&api.logical_id)),
            },
            routes: Routes::new(routes),
            clock: self.clock(),
        }
    }
}

/// API Gateway makes ids up; here the logical id is enough.
fn api_id(logical_id: &str) -> String {
    logical_id.to_lowercase()
}

fn http_api(config: &HostConfig, logical_id: &str) -> Resource {
    let id = api_id(logical_id);
    Resource::HttpApi {
        arn: format!("arn:aws:apigateway:{}::/apis/{id}", region(&config.sdk)),
        id,
        endpoint: config.api_endpoint.clone(),
    }
}

/// Before anything is created: is every function known?
fn check_binaries(config: &HostConfig) -> Result<(), HostError> {
    let unknown = config
        .stack
        .functions
        .iter()
        .find(|definition| config.registry.get(&definition.binary).is_none());
    unknown.map_or(Ok(()), |definition| Err(unknown_binary(config, definition)))
}

fn unknown_binary(config: &HostConfig, definition: &Definition) -> HostError {
    let known: Vec<&str> = config.registry.names().collect();
    place(definition).problem(
        "Metadata.BuildProperties.Binary",
        format!(
            "`{}` is no function that this host knows; it has {}",
            definition.binary,
            known.join(", ")
        ),
    )
}

fn place(definition: &Definition) -> Place<'_> {
    Place {
        file: TEMPLATE,
        logical_id: &definition.logical_id,
        position: definition.position,
    }
}

fn region(sdk: &SdkConfig) -> String {
    sdk.region()
        .map_or(REGION_DEFAULT, |region| region.as_ref())
        .to_owned()
}

/// Every function's environment with all references resolved, and what Lambda adds:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
fn environments(
    config: &HostConfig,
    resources: &Resources,
) -> Result<BTreeMap<String, Vars>, HostError> {
    let mut environments = BTreeMap::new();
    for definition in &config.stack.functions {
        let mut vars = Vars::from([
            ("AWS_REGION".to_owned(), region(&config.sdk)),
            (
                "AWS_LAMBDA_FUNCTION_NAME".to_owned(),
                resources
                    .get(&definition.logical_id)
                    .map(|function| function.name().to_owned())
                    .unwrap_or_default(),
            ),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(),
                definition.memory_mb.to_string(),
            ),
        ]);
        for (name, value) in &definition.env {
            let path = format!("Properties.Environment.Variables.{name}");
            let value = text(value, resources, place(definition), &path)?;
            vars.insert(name.clone(), value);
        }
        environments.insert(definition.logical_id.clone(), vars);
    }
    Ok(environments)
}
