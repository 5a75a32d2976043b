//! The system that an env file describes, seen from outside: one of `callboard dev`, a deployed
//! stack (`infra/scripts/stack-env.py`), on the engine, LocalStack or AWS alike. Commands that mend
//! or look begin here.

use std::path::{Path, PathBuf};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::env_file::EnvFile;
use crate::error::CliError;
use crate::services::Elsewhere;

/// What the names of tables, topics and queues begin with, as variables.
const PREFIX: &str = "CALLBOARD_";

/// Where a system is, as whom to speak to it, and what its parts are called.
#[derive(Debug, Clone)]
pub struct Target {
    env: EnvFile,
    origin: PathBuf,
    region: String,
    credentials: Credentials,
    sdk: SdkConfig,
}

impl Target {
    /// Reads an env file.
    ///
    /// # Errors
    /// [`CliError::Unreadable`], or [`CliError::EnvFile`] with the line or variable at fault.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        Self::new(EnvFile::read(path)?, path)
    }

    /// Takes the variables of an env file; `origin` names it in messages.
    ///
    /// # Errors
    /// [`CliError::EnvFile`] with the variable that is missing.
    pub fn new(env: EnvFile, origin: &Path) -> Result<Self, CliError> {
        let wanted = |name| wanted(&env, origin, name);
        let region = wanted("AWS_REGION")?;
        let credentials = Credentials::new(
            wanted("AWS_ACCESS_KEY_ID")?,
            wanted("AWS_SECRET_ACCESS_KEY")?,
            env.get("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "env-file",
        );
        let sdk = sdk(&env, region.clone(), credentials.clone());
        Ok(Self {
            origin: origin.to_owned(),
            env,
            region,
            credentials,
            sdk,
        })
    }

    /// For clients of any service, each at its own endpoint; AWS where none is named.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// Who calls.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The region, `eu-central-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The value of a variable, if it is there: a queue's URL, a topic's ARN, a table's name.
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.env.get(variable)
    }

    /// The value of a variable that a command cannot do without.
    ///
    /// # Errors
    /// [`CliError::EnvFile`] with its name.
    pub fn wanted(&self, variable: &str) -> Result<String, CliError> {
        wanted(&self.env, &self.origin, variable)
    }

    /// All queues as `(name, URL)`, by name: `waitlist-cascade-dead-letter-queue` for
    /// `CALLBOARD_WAITLIST_CASCADE_DEAD_LETTER_QUEUE`.
    pub fn queues(&self) -> impl Iterator<Item = (String, &str)> {
        self.env.variables.iter().filter_map(|(variable, url)| {
            let name = variable.strip_prefix(PREFIX)?;
            let name = name.ends_with("_QUEUE").then(|| name.replace('_', "-"))?;
            Some((name.to_lowercase(), url.as_str()))
        })
    }

    /// The physical names of all tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.env.variables.iter().filter_map(|(variable, name)| {
            let ours = variable.starts_with(PREFIX) && variable.ends_with("_TABLE");
            ours.then_some(name.as_str())
        })
    }

    /// The physical names of the functions that are deployed by themselves; of `callboard dev`'s
    /// there are none.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.env.variables.iter().filter_map(|(variable, name)| {
            let ours = variable.starts_with(PREFIX) && variable.ends_with("_FUNCTION");
            ours.then_some(name.as_str())
        })
    }
}

fn wanted(env: &EnvFile, origin: &Path, variable: &str) -> Result<String, CliError> {
    let value = env.get(variable).map(str::to_owned);
    value.ok_or_else(|| CliError::EnvFile {
        path: origin.to_owned(),
        detail: format!("{variable} is missing"),
    })
}

/// Only the file counts: the caller's own `AWS_ENDPOINT_URL…` are not this system's.
fn sdk(env: &EnvFile, region: String, credentials: Credentials) -> SdkConfig {
    let url = |variable: &str| env.get(variable).map(str::to_owned);
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .service_config(Elsewhere::named(url));
    config.set_endpoint_url(url("AWS_ENDPOINT_URL"));
    config.build()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    fn env(more: &[(&str, &str)]) -> EnvFile {
        let mut env = EnvFile::default();
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            env.set(name, "x");
        }
        for (name, value) in more {
            env.set(*name, *value);
        }
        env
    }

    fn target(more: &[(&str, &str)]) -> Target {
        Target::new(env(more), Path::new("env")).unwrap()
    }

    #[test]
    fn queues_are_named_as_one_types_them() {
        let target = target(&[
            ("CALLBOARD_EMAIL_SENDER_QUEUE", "http://q"),
            ("CALLBOARD_JOURNAL_TABLE", "t"),
        ]);
        let queues: Vec<_> = target.queues().collect();
        assert_eq!(queues, [("email-sender-queue".to_owned(), "http://q")]);
    }

    #[test]
    fn a_service_with_an_endpoint_of_its_own_is_found_there() {
        let target = target(&[
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_SQS", "http://sqs-alone"),
        ]);
        let sqs = aws_sdk_sqs::config::Builder::from(target.sdk()).build();
        let streams = aws_sdk_dynamodbstreams::config::Builder::from(target.sdk()).build();
        assert!(format!("{sqs:?}").contains("http://sqs-alone"));
        assert!(format!("{streams:?}").contains("http://all"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut env = env(&[]);
        env.variables.remove("AWS_REGION");
        let error = Target::new(env, Path::new("some/env")).unwrap_err();
        assert!(
            error.to_string().contains("AWS_REGION is missing"),
            "{error}"
        );
        assert!(target(&[]).wanted("CALLBOARD_API").is_err());
    }
}
