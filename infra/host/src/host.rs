//! The running whole: resources made, functions built, mappings polling, HTTP answered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_template::Stack;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use crate::error::HostError;
use crate::http::Gateway;
use crate::invocation::Running;
use crate::observe::{Invocation, Observer, Totals};
use crate::provision::provision;
use crate::registry::Registry;
use crate::resources::Resources;
use crate::roles::Roles;
use crate::starting::{Starting, check_binaries, environments, http_api};
use crate::stop::Stopper;
use crate::stream::Checkpoints;
use crate::{Vars, http};

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
    /// Under whose name functions and their mappings call; by default as the host itself.
    pub roles: Roles,
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
            roles: Roles::default(),
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
