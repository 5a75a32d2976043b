//! Dead letters in the hands of the people on call: looked at, replayed, edited, dropped, exported.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use callboard_cli::CliError;
use callboard_cli::args::{Cli, Command};
use callboard_cli::dlq;
use callboard_cli::env_file::EnvFile;
use callboard_cli::ports::{Port, listen, url_of};
use callboard_cli::system::{Options, System};
use callboard_engine::{Engine, EngineConfig};
use clap::Parser;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Longest wait for what should be there soon; a killed replay's letters are hidden for 30 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

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

    /// The same by many at once.
    async fn take_side_by_side(&self, variable: &str) -> Vec<Message> {
        let takers = (0..8).map(|_| self.take(variable));
        futures::future::join_all(takers).await.concat()
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

/// Letters of the great redrive.
const MANY: usize = 10_000;

/// `callboard dlq replay --execute` as a process of its own.
fn replaying(place: &Place) -> tokio::process::Child {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_callboard"))
        .args(["dlq", "replay", "--execute", "--json", "--env-file"])
        .arg(&place.env_file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn seed(place: &Place, variable: &str) {
    let url = place.url(variable);
    let calls = (0..MANY / 10).map(|call| async move {
        let entries = (0..10).map(|at| {
            let body = json!({ "id": format!("evt-{}", call * 10 + at), "type": "a.v1" });
            let entry = SendMessageBatchRequestEntry::builder().id(at.to_string());
            let mut entry = entry.message_body(body.to_string());
            for (name, value) in died("throttled", "a.v1") {
                entry = entry.message_attributes(name, text(value));
            }
            entry.build().unwrap()
        });
        let call = place.sqs.send_message_batch().queue_url(url);
        let sent = call.set_entries(Some(entries.collect())).send();
        assert!(sent.await.unwrap().failed.is_empty());
    });
    stream::iter(calls)
        .buffer_unordered(8)
        .collect::<()>()
        .await;
}

/// How many messages a queue holds, in anybody's hands or not.
async fn held(place: &Place, variable: &str) -> usize {
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

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_letters_survive_two_kills_of_the_replay() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    seed(&place, letters).await;
    for left in [MANY * 3 / 4, MANY / 2] {
        let mut child = replaying(&place);
        let deadline = Instant::now() + PATIENCE;
        while held(&place, letters).await > left {
            assert!(Instant::now() < deadline, "nothing is replayed");
            sleep(LOOK_EVERY).await;
        }
        child.kill().await.unwrap();
        assert!(held(&place, letters).await > 0, "killed in its midst");
    }
    let deadline = Instant::now() + PATIENCE;
    let mut rate = None;
    while held(&place, letters).await > 0 {
        assert!(Instant::now() < deadline, "letters stay");
        let output = replaying(&place).wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let done: Value = serde_json::from_slice(&output.stdout).unwrap();
        // The last ones were in the hands of a killed one, and are but a few.
        rate = rate.or(done["perSecond"].as_f64());
        sleep(LOOK_EVERY).await;
    }
    let copies = place.take_side_by_side("EMAIL_SENDER_QUEUE").await;
    let ids: BTreeSet<String> = copies.iter().map(event_id).collect();
    assert_eq!(ids.len(), MANY, "every letter has a copy");
    // What one life had sent and not deleted is at most what it had in hand: 8 pages of 10.
    let twice = copies.len() - MANY;
    assert!(twice <= 160, "{twice} copies were sent twice");
    let rate = rate.unwrap();
    println!("{MANY} letters, 2 kills, {twice} copies twice; {rate:.0} letters/s after the kills");
}

fn order(number: u32) -> Value {
    json!({
        "specversion": "1.0", "id": format!("evt-{number}"), "source": "callboard",
        "subject": format!("event#orders#ord-{number}"), "sequence": "000000000001.00",
        "type": "com.example.orders.order-placed.v1", "time": format!("{:.3}", jiff::Timestamp::now()),
        "group": "orders",
        "data": {
            "orderId": format!("ord-{number}"), "userId": "dana", "items": ["book"],
            "totalAmount": 29.99,
        },
    })
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// How often each type of event stands in the journal.
async fn journal(system: &System) -> BTreeMap<String, usize> {
    let table = system.env().get("CALLBOARD_JOURNAL_TABLE").unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(system.sdk());
    let commits = dynamodb.scan().table_name(table).send().await.unwrap();
    let mut counts = BTreeMap::new();
    for commit in commits.items() {
        let events: Vec<Value> = serde_json::from_str(commit["ev"].as_s().unwrap()).unwrap();
        for event in events {
            let event_type = event["t"].as_str().unwrap().to_owned();
            *counts.entry(event_type).or_default() += 1;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_replayed_by_topic_and_by_queue_has_one_effect() {
    const PLANNED: &str = "callboard.notification.notification-planned.v1";
    const ATTEMPTED: &str = "callboard.notification.delivery-attempted.v1";
    // The order is in no journal here, so its mail is dropped, which is an outcome like others.
    const DROPPED: &str = "callboard.notification.notification-dropped.v1";
    let system = System::start(Options::default()).await.unwrap();
    let place = Place::with(system.env().clone(), Client::new(system.sdk()));
    let event_type = [
        ("type", "com.example.orders.order-placed.v1"),
        ("ErrorCode", "NotFound"),
    ];
    place
        .letter("SUBSCRIPTIONS_DEAD_LETTER_QUEUE", &order(1), &event_type)
        .await;
    let done = place
        .json(&["replay", "--execute", "--queue", "subscriptions"])
        .await;
    assert_eq!(done["groups"][0]["to"], "the topic of its type", "{done}");
    let outcomes = async |wanted: usize| {
        until("an outcome", async || {
            let in_hand = held(&place, "NOTIFICATION_PLANNER_QUEUE").await;
            let counts = journal(&system).await;
            (in_hand == 0 && counts.get(DROPPED) == Some(&wanted)).then_some(counts)
        })
        .await
    };
    outcomes(1).await;

    let planner = "NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE";
    place.letter(planner, &order(1), &event_type).await;
    place.letter(planner, &order(2), &event_type).await;
    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(done["replayed"], 2, "{done}");
    let counts = outcomes(2).await;
    assert_eq!(
        (counts[PLANNED], counts[ATTEMPTED]),
        (2, 2),
        "one for each order: {counts:?}"
    );
    assert_eq!(held(&place, planner).await, 0);
    system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_comes_back_with_its_count_and_stops_at_the_cap() {
    let system = System::start(Options::default()).await.unwrap();
    let place = Place::with(system.env().clone(), Client::new(system.sdk()));
    let letters = "NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE";
    place.letter(letters, &json!("no event"), &[]).await;
    for replays in 1..=3 {
        let done = place.json(&["replay", "--execute"]).await;
        assert_eq!(done["replayed"], 1, "{done}");
        let letter = until("the letter to come back", async || {
            let letters = place.json(&["show"]).await;
            letters
                .get(0)
                .filter(|it| it["replays"] == replays)
                .cloned()
        });
        let letter = letter.await;
        assert_eq!(letter["function"], "notification-planner");
        assert_eq!(
            letter["attributes"]["callboard-error-class"]["value"],
            "poison"
        );
    }
    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(
        (&done["replayed"], &done["left"][0]["queue"]),
        (&json!(0), &json!("notification-planner"))
    );

    place
        .letter(
            "OUTBOX_RELAY_DEAD_LETTER_QUEUE",
            &json!({ "commit": "a@1" }),
            &[],
        )
        .await;
    let done = place
        .json(&["replay", "--execute", "--queue", "outbox-relay"])
        .await;
    let why = done["left"][0]["why"].as_str().unwrap();
    assert!(why.contains("places in the journal's stream"), "{why}");
    assert_eq!(held(&place, "OUTBOX_RELAY_DEAD_LETTER_QUEUE").await, 1);
    system.shutdown().await;
}
