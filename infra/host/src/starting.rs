//! From a configuration to the parts of a running host: environments resolved, functions
//! built, mappings checked and then set going.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use callboard_template::{EventSource, Function as Definition, Stack};
use futures::FutureExt;
use tokio::task::JoinSet;

use crate::error::{HostError, Place};
use crate::host::HostConfig;
use crate::http::{Gateway, GatewayConfig, Routes};
use crate::invocation::{Function, FunctionConfig, Running};
use crate::mappings::Source;
use crate::observe::Observer;
use crate::provision::{REGION_DEFAULT, text};
use crate::resources::{Resource, Resources};
use crate::roles::Role;
use crate::stop::Stop;
use crate::stream::{Checkpoints, StreamContext};
use crate::{Vars, queue, schedule, stream};

/// The parts at hand while a host starts.
pub(crate) struct Starting<'a> {
    pub config: &'a HostConfig,
    pub resources: &'a Resources,
    pub environments: &'a BTreeMap<String, Vars>,
    pub observer: &'a Observer,
    pub running: &'a Running,
}

impl Starting<'_> {
    fn clock(&self) -> SharedTimeSource {
        self.config
            .sdk
            .time_source()
            .unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new()))
    }

    /// `sdk` under the role of a function.
    fn as_role(&self, function: &Definition, sdk: &SdkConfig) -> SdkConfig {
        let role = Role {
            stack: &self.config.stack,
            resources: self.resources,
            function,
        };
        self.config.roles.assume(role, sdk)
    }

    /// Builds all functions at once, as Lambda would, by logical id.
    pub(crate) async fn functions(&self) -> Result<BTreeMap<String, Function>, HostError> {
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
        let sdk = self.as_role(definition, &self.config.function_sdk);
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
    pub(crate) fn pollers(
        &self,
        functions: &BTreeMap<String, Function>,
        checkpoints: &Checkpoints,
        stop: &Stop,
    ) -> Result<JoinSet<()>, HostError> {
        let region = region(&self.config.sdk);
        let (mut queues, mut streams, mut schedules) = (Vec::new(), Vec::new(), Vec::new());
        for definition in &self.config.stack.functions {
            let Some(function) = functions.get(&definition.logical_id) else {
                continue;
            };
            let source = Source {
                stack: &self.config.stack,
                resources: self.resources,
                region: &region,
                function: definition,
                file: &self.config.stack.file,
            };
            let sdk = self.as_role(definition, &self.config.sdk);
            for event in &definition.events {
                match event {
                    EventSource::Sqs(sqs) if sqs.enabled => {
                        let client = aws_sdk_sqs::Client::new(&sdk);
                        queues.push((source.queue(sqs)?, function.clone(), client));
                    }
                    EventSource::Stream(stream) if stream.enabled => {
                        streams.push((source.stream(stream)?, function.clone(), sdk.clone()));
                    }
                    EventSource::Schedule(schedule) if schedule.enabled => {
                        schedules.push((source.schedule(schedule), function.clone()));
                    }
                    EventSource::Sqs(_) | EventSource::Stream(_) | EventSource::Schedule(_) => {}
                }
            }
        }
        let mut pollers = JoinSet::new();
        for (mapping, function, sqs) in queues {
            pollers.spawn(queue::run(mapping, function, sqs, stop.clone()));
        }
        for (mapping, function, sdk) in streams {
            let context = StreamContext {
                mapping,
                function,
                streams: aws_sdk_dynamodbstreams::Client::new(&sdk),
                sqs: aws_sdk_sqs::Client::new(&sdk),
                sns: aws_sdk_sns::Client::new(&sdk),
                checkpoints: checkpoints.clone(),
            };
            pollers.spawn(stream::run(Arc::new(context), stop.clone()));
        }
        for (schedule, function) in schedules {
            pollers.spawn(schedule::run(schedule, function, stop.clone()));
        }
        let (checkpoints, stop) = (checkpoints.clone(), stop.clone());
        pollers.spawn(async move { checkpoints.keep_written(stop).await });
        Ok(pollers)
    }

    pub(crate) fn gateway(&self, functions: &BTreeMap<String, Function>) -> Gateway {
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

pub(crate) fn http_api(config: &HostConfig, logical_id: &str) -> Resource {
    let id = api_id(logical_id);
    Resource::HttpApi {
        arn: format!("arn:aws:apigateway:{}::/apis/{id}", region(&config.sdk)),
        id,
        endpoint: config.api_endpoint.clone(),
    }
}

/// Before anything is created: is every function known?
pub(crate) fn check_binaries(config: &HostConfig) -> Result<(), HostError> {
    let unknown = config
        .stack
        .functions
        .iter()
        .find(|definition| config.registry.get(&definition.binary).is_none());
    unknown.map_or(Ok(()), |definition| Err(unknown_binary(config, definition)))
}

fn unknown_binary(config: &HostConfig, definition: &Definition) -> HostError {
    let known: Vec<&str> = config.registry.names().collect();
    place(&config.stack, definition).problem(
        "Metadata.BuildProperties.Binary",
        format!(
            "`{}` is no function that this host knows; it has {}",
            definition.binary,
            known.join(", ")
        ),
    )
}

fn place<'a>(stack: &'a Stack, definition: &'a Definition) -> Place<'a> {
    Place {
        file: &stack.file,
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
pub(crate) fn environments(
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
            let value = text(value, resources, place(&config.stack, definition), &path)?;
            vars.insert(name.clone(), value);
        }
        environments.insert(definition.logical_id.clone(), vars);
    }
    Ok(environments)
}
