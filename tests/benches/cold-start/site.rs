//! A system in memory in which nothing happens by itself, for one cold start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use callboard_cli::system::{Options, System};
use callboard_host::{Registry, Service, Vars};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::Error;
use crate::story::{self, Sample};

/// What AWS reserves and Lambda sets, but for the address of its API.
const LAMBDA: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "callboard"),
    ("AWS_SECRET_ACCESS_KEY", "callboard"),
    ("AWS_SESSION_TOKEN", "callboard"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "measured"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "measured"),
    ("LANG", "en_US.UTF-8"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("TZ", ":UTC"),
];

/// Engine, mailbox and the template's resources, and the environments of its functions.
pub struct Site {
    system: System,
    environments: Arc<Mutex<BTreeMap<String, Vars>>>,
}

impl Site {
    pub async fn open() -> Result<Self, Error> {
        let environments = Arc::<Mutex<BTreeMap<String, Vars>>>::default();
        let mut registry = Registry::new();
        for name in Registry::standard().names() {
            let (seen, binary) = (Arc::clone(&environments), name.to_owned());
            registry = registry.with(name, move |vars, _sdk| {
                seen.lock().expect("no panic").insert(binary.clone(), vars);
                async { Ok::<_, Error>(idle()) }
            });
        }
        let system = System::start(Options {
            registry,
            ..Options::default()
        })
        .await?;
        Ok(Self {
            system,
            environments,
        })
    }

    /// Lets functions handle samples, in this process.
    pub async fn play(&self, samples: &[Sample]) -> Result<(), Error> {
        let registry = Registry::standard();
        for (function, case) in samples {
            let vars = self.template_vars(function)?;
            let built = registry.build(function, vars, self.system.sdk().clone());
            let service = built.await.ok_or("no such function")??;
            let event = LambdaEvent::new(story::sample(function, case)?, Context::default());
            let answer = service.oneshot(event).await?;
            story::check(&answer).map_err(|error| format!("{function}, {case}: {error}"))?;
        }
        Ok(())
    }

    /// The whole environment of a function.
    pub fn vars_of(&self, function: &str) -> Result<BTreeMap<String, String>, Error> {
        let mut vars = self.lambda_vars()?;
        vars.extend(self.template_vars(function)?);
        Ok(vars)
    }

    /// The whole environment of the peer, whose tables are made here.
    pub async fn peer_vars(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut vars = self.lambda_vars()?;
        for (variable, table, key) in [
            ("NOTIFICATIONS_TABLE", "peer-notifications", "pk"),
            ("IDEMPOTENCY_TABLE", "peer-idempotency", "id"),
        ] {
            self.table(table, key).await?;
            vars.insert(variable.to_owned(), table.to_owned());
        }
        Ok(vars)
    }

    pub async fn close(self) {
        self.system.shutdown().await;
    }

    fn template_vars(&self, function: &str) -> Result<Vars, Error> {
        let environments = self.environments.lock().expect("no panic");
        let vars = environments.get(function).cloned();
        Ok(vars.ok_or_else(|| format!("the template has no {function}"))?)
    }

    fn lambda_vars(&self) -> Result<BTreeMap<String, String>, Error> {
        let engine = self.system.addresses().engine.clone().ok_or("no engine")?;
        let fixed = LAMBDA
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(fixed
            .chain([("AWS_ENDPOINT_URL".to_owned(), engine)])
            .collect())
    }

    async fn table(&self, name: &str, key: &str) -> Result<(), Error> {
        let definition = AttributeDefinition::builder()
            .attribute_name(key)
            .attribute_type(ScalarAttributeType::S)
            .build()?;
        let schema = KeySchemaElement::builder()
            .attribute_name(key)
            .key_type(KeyType::Hash)
            .build()?;
        aws_sdk_dynamodb::Client::new(self.system.sdk())
            .create_table()
            .table_name(name)
            .attribute_definitions(definition)
            .key_schema(schema)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await?;
        Ok(())
    }
}

/// Stands where the host's own functions would: takes what comes and does nothing.
fn idle() -> Service {
    Service::new(tower::service_fn(|_event: LambdaEvent<Value>| async {
        Ok(json!({ "batchItemFailures": [] }))
    }))
}
