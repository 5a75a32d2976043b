//! What is killed or stopped in its midst, and what functions make of a replay.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use callboard_cli::system::{Options, System};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::place::{EMAILS, Place, died, held, text};

/// Longest wait for what should be there soon; a killed replay's letters are hidden for 30 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The same where a kill must come in time.
const KILL_LOOK_EVERY: Duration = Duration::from_millis(10);

/// `callboard dlq replay --execute` as a process of its own.
pub(crate) fn replaying(place: &Place, more: &[&str]) -> tokio::process::Child {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_callboard"))
        .args(["dlq", "replay", "--execute", "--json", "--env-file"])
        .arg(&place.env_file)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Fills a dead-letter queue with messages made of their numbers.
pub(crate) async fn seed(
    place: &Place,
    variable: &str,
    letters: usize,
    event_type: &str,
    body: impl Fn(usize) -> Value,
) {
    let (url, body) = (place.url(variable), &body);
    let calls = (0..letters / 10).map(|call| async move {
        let entries = (0..10).map(|at| {
            let entry = SendMessageBatchRequestEntry::builder().id(at.to_string());
            let mut entry = entry.message_body(body(call * 10 + at).to_string());
            for (name, value) in died("throttled", event_type) {
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

fn small(number: usize) -> Value {
    json!({ "id": format!("evt-{number}"), "type": "a.v1" })
}

/// Replays a queue of so many letters to its end, with two `kill -9` on the way: after a quarter and
/// after a half. Answers with the letters per second of the first replay after the kills.
pub(crate) async fn replayed_with_two_kills(place: &Place, variable: &str, letters: usize) -> f64 {
    for left in [letters * 3 / 4, letters / 2] {
        let mut child = replaying(place, &[]);
        let deadline = Instant::now() + PATIENCE;
        while held(place, variable).await > left {
            assert!(Instant::now() < deadline, "nothing is replayed");
            sleep(KILL_LOOK_EVERY).await;
        }
        child.kill().await.unwrap();
        assert!(held(place, variable).await > 0, "killed in its midst");
    }
    let deadline = Instant::now() + PATIENCE;
    let mut rate = None;
    while held(place, variable).await > 0 {
        assert!(Instant::now() < deadline, "letters stay");
        let output = replaying(place, &[]).wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let done: Value = serde_json::from_slice(&output.stdout).unwrap();
        // The last ones were in the hands of a killed one, and are but a few.
        rate = rate.or(done["perSecond"].as_f64());
        sleep(LOOK_EVERY).await;
    }
    rate.unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_a_replay_in_good_order() {
    let place = Place::bare(&[EMAILS]).await;
    let letters = "EMAIL_SENDER_DEAD_LETTER_QUEUE";
    seed(&place, letters, 200, "a.v1", small).await;
    let child = replaying(&place, &["--rate", "20"]);
    until("the first copies", async || {
        (held(&place, "EMAIL_SENDER_QUEUE").await > 0).then_some(())
    })
    .await;
    let pid = child.id().unwrap().to_string();
    let mut kill = tokio::process::Command::new("kill");
    let sent = kill.args(["-INT", &pid]).status().await.unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    let replayed = done["replayed"].as_u64().unwrap() as usize;
    assert!(replayed < 200, "{done}");
    assert_eq!(place.take("EMAIL_SENDER_QUEUE").await.len(), replayed);
    let rest = place.take(letters).await.len();
    assert_eq!(rest, 200 - replayed, "at once visible to others");
}

pub(crate) fn order(number: usize) -> Value {
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

pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
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
pub(crate) async fn journal(system: &System) -> BTreeMap<String, usize> {
    let table = system.env().get("CALLBOARD_JOURNAL_TABLE").unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(system.sdk());
    let pages = dynamodb.scan().table_name(table).into_paginator();
    let commits = pages.items().send().try_collect().await.unwrap();
    let mut counts = BTreeMap::new();
    for commit in commits {
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
    system.shutdown().await;
}
