//! Which binary of the template is which Rust function.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use futures::future::BoxFuture;

use crate::error::BoxError;
use crate::{Service, Vars};

type Build =
    Arc<dyn Fn(Vars, SdkConfig) -> BoxFuture<'static, Result<Service, BoxError>> + Send + Sync>;

/// The functions that a host can run, by the name of their binary
/// (`Metadata.BuildProperties.Binary` in the template).
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Build>);

impl Registry {
    /// No function at all.
    #[must_use]
    pub fn new() -> Self {
        Registry::default()
    }

    /// Puts a layer around every function that is in here now: `layer` gets the binary's
    /// name and the built service. For faults, counts and deliveries that a test wants.
    #[must_use]
    pub fn wrapped<L>(self, layer: L) -> Self
    where
        L: Fn(&str, Service) -> Service + Send + Sync + 'static,
    {
        let layer = Arc::new(layer);
        let wrap = |(binary, build): (String, Build)| {
            let (layer, name) = (layer.clone(), binary.clone());
            let wrapped: Build = Arc::new(move |vars, sdk| {
                let (layer, name, building) = (layer.clone(), name.clone(), build(vars, sdk));
                Box::pin(async move { building.await.map(|service| layer(&name, service)) })
            });
            (binary, wrapped)
        };
        Registry(self.0.into_iter().map(wrap).collect())
    }

    /// Changes the SDK configuration that each function in here now is built with: `change`
    /// gets the binary's name. For counts and faults by function.
    #[must_use]
    pub fn with_sdk<C>(self, change: C) -> Self
    where
        C: Fn(&str, &SdkConfig) -> SdkConfig + Send + Sync + 'static,
    {
        let change = Arc::new(change);
        let wrap = |(binary, build): (String, Build)| {
            let (change, name) = (change.clone(), binary.clone());
            let changed: Build = Arc::new(move |vars, sdk| build(vars, change(&name, &sdk)));
            (binary, changed)
        };
        Registry(self.0.into_iter().map(wrap).collect())
    }

    /// Adds a function, or takes another build for a name that is there already. Tests
    /// use that to put a faulty function in a good one's place.
    ///
    /// ```
    /// use callboard_host::{Registry, Service};
    ///
    /// let registry = Registry::new().with("echo", |_vars, _sdk| async {
    ///     let echo = |event: lambda_runtime::LambdaEvent<serde_json::Value>| async move {
    ///         Ok::<_, lambda_runtime::Error>(event.payload)
    ///     };
    ///     Ok::<_, std::convert::Infallible>(Service::new(tower::service_fn(echo)))
    /// });
    /// assert_eq!(registry.names().collect::<Vec<_>>(), ["echo"]);
    /// ```
    #[must_use]
    pub fn with<F, Fut, E>(mut self, binary: &str, build: F) -> Self
    where
        F: Fn(Vars, SdkConfig) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Service, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let build: Build = Arc::new(move |vars, sdk| {
            let building = build(vars, sdk);
            Box::pin(async move { building.await.map_err(Into::into) })
        });
        self.0.insert(binary.to_owned(), build);
        self
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Builds one function from its environment; `None` if there is none of that name.
    pub async fn build(
        &self,
        binary: &str,
        vars: Vars,
        sdk: SdkConfig,
    ) -> Option<Result<Service, BoxError>> {
        let build = self.get(binary)?;
        Some(build(vars, sdk).await)
    }

    pub(crate) fn get(&self, binary: &str) -> Option<&Build> {
        self.0.get(binary)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
