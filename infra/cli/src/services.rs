//! Where DynamoDB, SQS and SNS are: the engine of this process, an endpoint elsewhere, or AWS.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::env_file::EnvFile;
use crate::error::CliError;
use crate::state::REGION;

/// Whatever checks no signature takes any; SDKs insist on signing.
pub(crate) const DUMMY_CREDENTIAL: &str = "callboard";

/// The names by which an SDK asks for the endpoint of its own service.
const DYNAMODB: &str = "DynamoDB";
const DYNAMODB_STREAMS: &str = "DynamoDB Streams";
const SNS: &str = "SNS";
const SQS: &str = "SQS";

/// A place where AWS's protocols are spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS itself, with the usual chain of credentials and profiles.
    Aws,
    /// Anything else, by its URL.
    Url(String),
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "aws" {
            return Ok(Self::Aws);
        }
        let url = url::Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or("expected `aws` or an http or https URL")?;
        Ok(Self::Url(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws => f.write_str("AWS"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// Which services are not the engine's. `all` stands for those that have no endpoint of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// All services.
    pub all: Option<Endpoint>,
    /// DynamoDB and its streams.
    pub dynamodb: Option<String>,
    /// SNS.
    pub sns: Option<String>,
    /// SQS.
    pub sqs: Option<String>,
}

impl Elsewhere {
    /// What this process's variables `AWS_ENDPOINT_URL_DYNAMODB`, `_SNS` and `_SQS` say.
    #[must_use]
    pub fn from_env() -> Self {
        Self::named(|variable| std::env::var(variable).ok())
    }

    /// The same of any variables.
    pub(crate) fn named(value: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            all: None,
            dynamodb: value("AWS_ENDPOINT_URL_DYNAMODB"),
            sns: value("AWS_ENDPOINT_URL_SNS"),
            sqs: value("AWS_ENDPOINT_URL_SQS"),
        }
    }

    /// Where the services are that have no endpoint of their own; AWS's own have no URL.
    fn rest<'a>(&'a self, engine: Option<&'a str>) -> Option<&'a str> {
        match &self.all {
            Some(Endpoint::Url(url)) => Some(url),
            Some(Endpoint::Aws) => None,
            None => engine,
        }
    }

    /// Whether DynamoDB is the engine's.
    pub(crate) fn dynamodb_is_here(&self) -> bool {
        self.all.is_none() && self.dynamodb.is_none()
    }

    /// Whether SNS is the engine's.
    pub(crate) fn sns_is_here(&self) -> bool {
        self.all.is_none() && self.sns.is_none()
    }

    /// Whether SQS is the engine's.
    pub(crate) fn sqs_is_here(&self) -> bool {
        self.all.is_none() && self.sqs.is_none()
    }

    /// Whether any service is the engine's.
    pub(crate) fn needs_engine(&self) -> bool {
        self.dynamodb_is_here() || self.sns_is_here() || self.sqs_is_here()
    }

    /// Whether every service is the engine's.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        *self == Self::default()
    }

    /// Writes endpoints and credentials as the variables that every SDK reads.
    ///
    /// # Errors
    /// [`CliError::Credentials`] where they cannot be had any more.
    pub(crate) async fn tell(
        &self,
        env: &mut EnvFile,
        engine: Option<&str>,
        sdk: &SdkConfig,
    ) -> Result<(), CliError> {
        let endpoints = [
            ("AWS_ENDPOINT_URL", self.rest(engine)),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.as_deref()),
            (
                "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
                self.dynamodb.as_deref(),
            ),
            ("AWS_ENDPOINT_URL_SNS", self.sns.as_deref()),
            ("AWS_ENDPOINT_URL_SQS", self.sqs.as_deref()),
        ];
        for (variable, url) in endpoints {
            if let Some(url) = url {
                env.set(variable, url);
            }
        }
        let credentials = credentials_of(sdk).await?;
        env.set("AWS_ACCESS_KEY_ID", credentials.access_key_id());
        env.set("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key());
        if let Some(token) = credentials.session_token() {
            env.set("AWS_SESSION_TOKEN", token);
        }
        Ok(())
    }

    /// A configuration for clients of all services; what has no endpoint is at `engine`.
    ///
    /// # Errors
    /// [`CliError::Credentials`] where AWS is asked for and no credentials are found.
    pub(crate) async fn sdk_config(&self, engine: Option<&str>) -> Result<SdkConfig, CliError> {
        let on_aws = self.all == Some(Endpoint::Aws);
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if !on_aws {
            // Named here, or the chain would ask the metadata service of a cloud machine.
            let region = EnvironmentVariableRegionProvider::new().region().await;
            loader = loader.region(region.unwrap_or(Region::from_static(REGION)));
            if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
                let dummy =
                    Credentials::new(DUMMY_CREDENTIAL, DUMMY_CREDENTIAL, None, None, "dummy");
                loader = loader.credentials_provider(SharedCredentialsProvider::new(dummy));
            }
        }
        let loaded = loader.load().await;
        if loaded.region().is_none() {
            return Err(CliError::Credentials("no region is set".into()));
        }
        let mut config = loaded.into_builder();
        config.set_endpoint_url(self.rest(engine).map(str::to_owned));
        let config = config.service_config(self.clone()).build();
        if on_aws {
            // Said at once, and not by the first of many calls.
            credentials_of(&config).await?;
        }
        Ok(config)
    }
}

async fn credentials_of(config: &SdkConfig) -> Result<Credentials, CliError> {
    let provider = config.credentials_provider();
    let provider = provider.ok_or(CliError::Credentials("there are no credentials".into()))?;
    let provided = provider.provide_credentials().await;
    provided.map_err(|error| CliError::Credentials(error.to_string()))
}

impl LoadServiceConfig for Elsewhere {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let is_endpoint = key.env() == "AWS_ENDPOINT_URL";
        let url = match key.service_id() {
            DYNAMODB | DYNAMODB_STREAMS => &self.dynamodb,
            SNS => &self.sns,
            SQS => &self.sqs,
            _ => &None,
        };
        url.clone().filter(|_| is_endpoint)
    }
}

/// A sentence for the terminal: where what is.
pub(crate) fn described(elsewhere: &Elsewhere, engine: Option<&str>) -> String {
    let all = elsewhere.all.as_ref().map(Endpoint::to_string);
    let rest = all.or(engine.map(str::to_owned)).map(Cow::from);
    let single = [
        ("DynamoDB", &elsewhere.dynamodb),
        ("SNS", &elsewhere.sns),
        ("SQS", &elsewhere.sqs),
    ]
    .into_iter()
    .filter_map(|(name, url)| Some(Cow::from(format!("{name} at {}", url.as_deref()?))));
    rest.into_iter()
        .chain(single)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_aws_or_a_url() {
        assert_eq!("aws".parse(), Ok(Endpoint::Aws));
        let url = Endpoint::Url("http://127.0.0.1:4566".to_owned());
        assert_eq!("http://127.0.0.1:4566/".parse(), Ok(url));
        assert!("127.0.0.1:4566".parse::<Endpoint>().is_err());
        assert!("ftp://x".parse::<Endpoint>().is_err());
    }

    #[tokio::test]
    async fn each_client_goes_to_the_endpoint_of_its_service() {
        let elsewhere = Elsewhere {
            sqs: Some("http://127.0.0.1:2".to_owned()),
            ..Elsewhere::default()
        };
        assert!(elsewhere.needs_engine() && !elsewhere.is_nowhere());
        let sdk = elsewhere.sdk_config(Some("http://127.0.0.1:1")).await;
        let sdk = sdk.unwrap();
        let sqs = aws_sdk_sqs::config::Builder::from(&sdk).build();
        let dynamodb = aws_sdk_dynamodbstreams::config::Builder::from(&sdk).build();
        assert!(format!("{sqs:?}").contains("http://127.0.0.1:2"));
        assert!(format!("{dynamodb:?}").contains("http://127.0.0.1:1"));
    }
}
