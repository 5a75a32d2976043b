//! Dead letters in the hands of the people on call: looked at, replayed, edited, dropped, exported.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use callboard_cli::CliError;
use callboard_cli::args::{Cli, Command};
use callboard_cli::dlq;
use callboard_cli::env_file::EnvFile;
use callboard_cli::ports::{Port, listen, url_of};
use callboard_engine::{Engine, EngineConfig};
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A place with queues, and the env file that tells of it.
struct Place {
    _directory: TempDir,
    env_file: PathBuf,
    sqs: Client,
    env: EnvFile,
}

impl Place {
    /// Two queues per consumer on an engine of its own, which nobody reads: what is sent stays.
    async fn bare(consumers: &[(&str, &str)]) -> Self {
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

    fn with(env: EnvFile, sqs: Client) -> Self {
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

    fn url(&self, variable: &str) -> &str {
        self.env.get(&format!("CALLBOARD_{variable}")).unwrap()
    }

    /// `callboard dlq …` on this place; its answer.
    async fn dlq(&self, typed: &[&str]) -> Result<String, CliError> {
        let file = self.env_file.to_str().unwrap();
        let words = ["callboard", "dlq"].iter().chain(typed);
        let cli = Cli::try_parse_from(words.copied().chain(["--env-file", file]));
        let Command::Dlq(args) = cli.unwrap_or_else(|error| panic!("{error}")).command else {
            panic!("`dlq` was typed");
        };
        let mut out = Vec::new();
        dlq::run_to(&args, &mut out).await?;
        Ok(String::from_utf8(out).unwrap())
    }

    async fn json(&self, typed: &[&str]) -> Value {
        let typed = [typed, &["--json"]].concat();
        serde_json::from_str(&self.dlq(&typed).await.unwrap()).unwrap()
    }

    /// Puts a letter into a dead-letter queue as a function does.
    async fn letter(&self, variable: &str, body: &Value, attributes: &[(&str, &str)]) {
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
    async fn take(&self, variable: &str) -> Vec<Message> {
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

    async fn depth(&self, name: &str) -> u64 {
        let listed = self.json(&["list", "--queue", name]).await;
        listed["queues"][0]["messages"].as_u64().unwrap()
    }
}

fn text(value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().string_value(value);
    value.data_type("String").build().unwrap()
}

fn attribute<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.message_attributes()?.get(name)?.string_value()
}

fn event_id(message: &Message) -> String {
    let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

/// What `callboard_runtime::dead_letter` writes on a letter.
fn died<'a>(reason: &'a str, event_type: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("callboard-reason", reason),
        ("callboard-error-class", "retryable"),
        ("callboard-function", "email-sender"),
        ("callboard-attempt", "5"),
        ("type", event_type),
    ]
}

const EMAILS: (&str, &str) = ("email-sender", "");
const CASCADE: (&str, &str) = ("waitlist-cascade", ".fifo");

#[tokio::test]
async fn letters_are_counted_by_reason_function_and_type() {
    let place = Place::bare(&[EMAILS, CASCADE]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for id in ["1", "2", "3"] {
        let (reason, event_type) = match id {
            "3" => ("refused", "b.v1"),
            _ => ("throttled", "a.v1"),
        };
        let body = json!({ "id": id, "data": { "slot": id } });
        place
            .letter(letters, &body, &died(reason, event_type))
            .await;
    }
    let listed = place.json(&["list"]).await;
    assert_eq!(listed["queues"][0]["queue"], "email-sender");
    assert_eq!(listed["queues"][0]["messages"], 3);
    let counts: Vec<_> = listed["queues"][0]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            (
                group["reason"].as_str().unwrap(),
                group["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counts, [("refused", 1), ("throttled", 2)]);
    for (filter, fits) in [
        (vec!["--reason", "THROTTLE"], 2),
        (vec!["--where", "$.data.slot=2"], 1),
        (vec!["--until", "1h"], 0),
        (vec!["--type", "a.v1", "--where", "$.data.slot=3"], 0),
    ] {
        let exported = place.dlq(&[vec!["export"], filter.clone()].concat()).await;
        let lines = exported
            .unwrap()
            .lines()
            .filter(|it| !it.is_empty())
            .count();
        assert_eq!(lines, fits, "{filter:?}");
    }
    assert_eq!(
        place.take(letters).await.len(),
        3,
        "all can be seen by others again"
    );
    let unknown = place.dlq(&["list", "--queue", "nobody"]).await.unwrap_err();
    assert!(
        unknown
            .to_string()
            .contains("there are: email-sender, waitlist-cascade")
    );
    assert_eq!(unknown.exit_code(), 2);
}

#[tokio::test]
async fn a_letter_is_shown_with_reason_origin_and_body() {
    let place = Place::bare(&[EMAILS]).await;
    let body = json!({ "id": "1", "correlationid": "c-1", "data": { "slot": "s-1" } });
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    place
        .letter(letters, &body, &died("throttled", "a.v1"))
        .await;
    let shown = place.dlq(&["show"]).await.unwrap();
    for part in [
        "throttled",
        "c-1",
        "came from    email-sender-queue",
        "  \"slot\": \"s-1\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let all = place.json(&["show", "--first", "5"]).await;
    let id = all[0]["id"].as_str().unwrap();
    assert_eq!(place.json(&["show", &id[..8]]).await, all);
}

#[tokio::test]
async fn a_replay_is_dry_unless_it_is_to_execute() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for id in 0..25 {
        let event_type = if id < 20 { "a.v1" } else { "b.v1" };
        let body = json!({ "id": id.to_string() });
        place
            .letter(letters, &body, &died("throttled", event_type))
            .await;
    }
    let dry = place.json(&["replay"]).await;
    assert_eq!(
        (&dry["dryRun"], &dry["replayed"]),
        (&json!(true), &json!(25))
    );
    assert_eq!(place.depth("email-sender").await, 25);
    assert!(place.take("EMAIL_SENDER_QUEUE").await.is_empty());

    let done = place
        .json(&["replay", "--type", "a.v1", "--max", "15", "--execute"])
        .await;
    assert_eq!(done["replayed"], 15, "{done}");
    assert_eq!(place.depth("email-sender").await, 10);
    let copies = place.take("EMAIL_SENDER_QUEUE").await;
    assert_eq!(copies.len(), 15);
    for copy in &copies {
        let names: Vec<_> = copy.message_attributes().unwrap().keys().collect();
        assert_eq!(names.len(), 2, "what the function added is gone: {names:?}");
        assert_eq!(attribute(copy, "type"), Some("a.v1"));
        assert_eq!(attribute(copy, "callboard-replays"), Some("1"));
    }
    let rest = place
        .dlq(&["replay", "--execute", "--rate", "500"])
        .await
        .unwrap();
    assert!(rest.contains("replayed 10 letters"), "{rest}");
    assert_eq!(place.take("EMAIL_SENDER_QUEUE").await.len(), 10);
}

#[tokio::test]
async fn what_was_replayed_often_enough_is_left_and_named() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for (id, replays) in [("twice", "2"), ("thrice", "3")] {
        let mut attributes = died("throttled", "a.v1");
        attributes.push(("callboard-replays", replays));
        place
            .letter(letters, &json!({ "id": id }), &attributes)
            .await;
    }
    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(
        (&done["replayed"], &done["refused"]),
        (&json!(1), &json!([]))
    );
    let left = done["left"].as_array().unwrap();
    assert_eq!(left.len(), 1);
    assert!(
        left[0]["why"]
            .as_str()
            .unwrap()
            .starts_with("replayed 3 times"),
        "{left:?}"
    );
    let copies = place.take("EMAIL_SENDER_QUEUE").await;
    assert_eq!(
        (copies.len(), event_id(&copies[0])),
        (1, "twice".to_owned())
    );
    assert_eq!(attribute(&copies[0], "callboard-replays"), Some("3"));
    let done = place
        .json(&["replay", "--execute", "--max-replays", "4"])
        .await;
    assert_eq!(done["replayed"], 1);
}

#[tokio::test]
async fn groups_of_a_fifo_queue_keep_their_order_and_a_copy_sent_twice_is_one() {
    let place = Place::bare(&[CASCADE]).await;
    let letters = "WAITLIST_CASCADE_DEAD_LETTER_QUEUE";
    for number in 0..24 {
        for group in ["anna", "ben"] {
            let body = json!({ "id": format!("{group}-{number:02}"), "group": group });
            place
                .letter(letters, &body, &died("throttled", "a.v1"))
                .await;
        }
    }
    // As after a kill between copy and delete: the first letter's copy is there already.
    let first = place.json(&["show", "--where", "$.id=anna-00"]).await;
    let id = first[0]["id"].as_str().unwrap();
    let sent = place
        .sqs
        .send_message()
        .queue_url(place.url("WAITLIST_CASCADE_QUEUE"));
    let sent = sent
        .message_group_id("anna")
        .message_body(first[0]["body"].as_str().unwrap());
    sent.message_deduplication_id(format!("replay-{id}-1"))
        .send()
        .await
        .unwrap();

    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(done["replayed"], 48, "{done}");
    assert_eq!(place.depth("waitlist-cascade").await, 0);
    let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for copy in place.take("WAITLIST_CASCADE_QUEUE").await {
        let id = event_id(&copy);
        let group = id.split('-').next().unwrap().to_owned();
        orders.entry(group).or_default().push(id);
    }
    for group in ["anna", "ben"] {
        let wanted: Vec<_> = (0..24)
            .map(|number| format!("{group}-{number:02}"))
            .collect();
        assert_eq!(orders[group], wanted);
    }
}

#[tokio::test]
async fn an_edited_copy_goes_and_the_original_stays() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    place
        .letter(
            letters,
            &json!({ "id": "1", "type": "wrong" }),
            &died("poison", "wrong"),
        )
        .await;
    let id = place.json(&["show"]).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = place.env_file.with_file_name("letter.json");
    place
        .dlq(&["edit", &id, "--output", file.to_str().unwrap()])
        .await
        .unwrap();
    let body = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, body.replace("wrong", "a.v1")).unwrap();
    let edit = ["edit", &id, "--body", file.to_str().unwrap()];
    place.dlq(&edit).await.unwrap();
    assert!(
        place.take("EMAIL_SENDER_QUEUE").await.is_empty(),
        "dry by default"
    );

    place
        .dlq(&[&edit[..], &["--execute"]].concat())
        .await
        .unwrap();
    let copies = place.take("EMAIL_SENDER_QUEUE").await;
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].body(), Some(r#"{"id":"1","type":"a.v1"}"#));
    assert_eq!(attribute(&copies[0], "type"), Some("a.v1"));
    assert_eq!(attribute(&copies[0], "callboard-edited-from"), Some(&*id));
    let originals = place.json(&["show", "--first", "9"]).await;
    assert_eq!(originals.as_array().unwrap().len(), 1);
    assert!(originals[0]["body"].as_str().unwrap().contains("wrong"));
    assert_eq!(originals[0]["reason"], "poison");
    let again = place.json(&["replay", "--execute"]).await;
    assert_eq!(again["replayed"], 0, "the marked original is left: {again}");
}

#[tokio::test]
async fn a_drop_needs_a_filter_and_to_be_told_to_execute() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    for (id, event_type) in [("1", "a.v1"), ("2", "b.v1"), ("3", "b.v1")] {
        place
            .letter(letters, &json!({ "id": id }), &died("refused", event_type))
            .await;
    }
    assert_eq!(
        place
            .dlq(&["drop", "--execute"])
            .await
            .unwrap_err()
            .exit_code(),
        2
    );
    assert_eq!(place.json(&["drop", "--type", "b.v1"]).await["dropped"], 2);
    assert_eq!(place.depth("email-sender").await, 3);
    assert_eq!(
        place.json(&["drop", "--type", "b.v1", "--execute"]).await["dropped"],
        2
    );
    let rest = place.take(letters).await;
    assert_eq!((rest.len(), event_id(&rest[0])), (1, "1".to_owned()));
}
