//! Queues in this process, and `callboard dlq` as typed.

use std::path::PathBuf;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use callboard_cli::CliError;
use callboard_cli::args::{Cli, Command};
use callboard_cli::dlq;
use callboard_cli::env_file::EnvFile;
use callboard_cli::ports::{Port, listen, url_of};
use callboard_engine::{Engine, EngineConfig};
use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const EMAILS: (&str, &str) = ("email-sender", "");
pub(crate) const CASCADE: (&str, &str) = ("waitlist-cascade", ".fifo");

/// A place with queues, and the env file that tells of it.
pub(crate) struct Place {
    _directory: TempDir,
    pub(crate) env_file: PathBuf,
    pub(crate) sqs: Client,
    env: EnvFile,
}

impl Place {
    /// Two queues per consumer on an engine of its own, which nobody reads: what is sent stays.
    pub(crate) async fn bare(consumers: &[(&str, &str)]) -> Self {
        let listener = listen(Port::Any, "an engine", "--port").await.unwrap();
        let url = url_of(&listener).unwrap();
        let engine = Engine::open(EngineConfig::default()).await.unwrap();
        engine.set_public_url(url.clone());
        let sqs = Client::new(&engine.sdk_config());
        tokio::spawn(async move { engine.serve(listener, std::future::pending()).await });
        let mut env = EnvFile::default();
        env.set("AWS_ENDPOINT_URL", url);
        for (name, value) in [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ] {
            env.set(name, value);
        }
        for (consumer, suffix) in consumers {
            for kind in ["QUEUE", "DEAD_LETTER_QUEUE"] {
                let mut call = sqs
                    .create_queue()
                    .queue_name(format!("{consumer}-{kind}{suffix}"));
                if !suffix.is_empty() {
                    call = call.attributes("FifoQueue".into(), "true");
                }
                let made = call.send().await.unwrap();
                let variable = consumer.to_uppercase().replace('-', "_");
                env.set(
                    format!("CALLBOARD_{variable}_{kind}"),
                    made.queue_url.unwrap(),
                );
            }
        }
        Self::with(env, sqs)
    }

    pub(crate) fn with(env: EnvFile, sqs: Client) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let env_file = directory.path().join("env");
        env.write(&env_file).unwrap();
        Self {
            _directory: directory,
            env_file,
            sqs,
            env,
        }
    }

    pub(crate) fn url(&self, variable: &str) -> &str {
        self.env.get(&format!("CALLBOARD_{variable}")).unwrap()
    }

    /// `callboard dlq …` on this place; its answer.
    pub(crate) async fn dlq(&self, typed: &[&str]) -> Result<String, CliError> {
        let (told, outcome) = self.told(typed).await;
        outcome.map(|()| told)
    }

    /// The same; what it told, and how it ended.
    pub(crate) async fn told(&self, typed: &[&str]) -> (String, Result<(), CliError>) {
        let file = self.env_file.to_str().unwrap();
        let words = ["callboard", "dlq"].iter().chain(typed);
        let cli = Cli::try_parse_from(words.copied().chain(["--env-file", file]));
        let Command::Dlq(args) = cli.unwrap_or_else(|error| panic!("{error}")).command else {
            panic!("`dlq` was typed");
        };
        let mut out = Vec::new();
        let outcome = dlq::run_to(&args, &mut out).await;
        (String::from_utf8(out).unwrap(), outcome)
    }

    pub(crate) async fn json(&self, typed: &[&str]) -> Value {
        let typed = [typed, &["--json"]].concat();
        serde_json::from_str(&self.dlq(&typed).await.unwrap()).unwrap()
    }

    /// Puts a letter into a dead-letter queue as a function does.
    pub(crate) async fn letter(&self, variable: &str, body: &Value, attributes: &[(&str, &str)]) {
        let url = self.url(variable);
        let mut call = self.sqs.send_message().queue_url(url);
        call = call.message_body(body.to_string());
        for (name, value) in attributes {
            call = call.message_attributes(*name, text(value));
        }
        if url.ends_with(".fifo") {
            call = call.message_group_id(body["group"].as_str().unwrap());
            call = call.message_deduplication_id(body["id"].as_str().unwrap());
        }
        call.send().await.unwrap();
    }

    /// Takes all messages there are off a queue.
    pub(crate) async fn take(&self, variable: &str) -> Vec<Message> {
        let url = self.url(variable);
        let mut all = Vec::new();
        loop {
            let call = self.sqs.receive_message().queue_url(url);
            let call = call.max_number_of_messages(10);
            let call = call.message_attribute_names("All");
            let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
            let messages = call.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            for message in messages {
                let receipt = message.receipt_handle().unwrap();
                let deleted = self.sqs.delete_message().queue_url(url);
                deleted.receipt_handle(receipt).send().await.unwrap();
                all.push(message);
            }
        }
    }

    pub(crate) async fn depth(&self, name: &str) -> u64 {
        let listed = self.json(&["list", "--queue", name]).await;
        listed["queues"][0]["messages"].as_u64().unwrap()
    }
}

pub(crate) fn text(value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().string_value(value);
    value.data_type("String").build().unwrap()
}

pub(crate) fn attribute<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.message_attributes()?.get(name)?.string_value()
}

pub(crate) fn event_id(message: &Message) -> String {
    let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

/// What `callboard_runtime::dead_letter` writes on a letter.
pub(crate) fn died<'a>(reason: &'a str, event_type: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("callboard-reason", reason),
        ("callboard-error-class", "retryable"),
        ("callboard-function", "email-sender"),
        ("callboard-attempt", "5"),
        ("type", event_type),
    ]
}

/// How many messages a queue holds, in anybody's hands or not.
pub(crate) async fn held(place: &Place, variable: &str) -> usize {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let call = place
        .sqs
        .get_queue_attributes()
        .queue_url(place.url(variable));
    let answer = call.set_attribute_names(Some(names.to_vec())).send().await;
    let attributes = answer.unwrap().attributes.unwrap();
    names
        .iter()
        .map(|name| attributes[name].parse::<usize>().unwrap())
        .sum()
}
