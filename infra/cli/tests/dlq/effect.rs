//! What the functions make of what is replayed: one effect each, however often it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_sdk_sqs::Client;
use callboard_cli::system::{Options, System, TEMPLATE};
use callboard_host::{Registry, Service};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::live::{journal, order, replayed_with_two_kills, replaying, seed, until};
use crate::place::{Place, held};
use crate::relay_place::{FAILED, ORDER, PARKED, RelayPlace};

const PLANNED: &str = "callboard.notification.notification-planned.v1";

/// The letters of the great redrive.
const MANY: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_letters_have_one_effect_each_with_two_kills_of_the_replay() {
    let handled = Arc::default();
    let options = Options {
        // The relay is silent, so that the machine is the planner's and the replay's.
        registry: Registry::standard().wrapped({
            let handled = Arc::clone(&handled);
            move |name, service| match name {
                "outbox-relay" => silent(),
                "notification-planner" => counted(Arc::clone(&handled), service),
                _ => service,
            }
        }),
        ..Options::default()
    };
    let system = System::start(options).await.unwrap();
    let place = Place::with(system.env().clone(), Client::new(system.sdk()));
    let dead = "NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE";
    seed(&place, dead, MANY, ORDER, order).await;
    let rate = replayed_with_two_kills(&place, dead, MANY).await;
    consumed(&place).await;
    let counts = journal(&system).await;
    assert_eq!(counts.get(PLANNED), Some(&MANY), "one each: {counts:?}");
    assert_eq!(counts.len(), 1, "nothing else: {counts:?}");
    assert_eq!(held(&place, dead).await, 0, "none came back");
    // What one life had sent and not deleted is at most what it had in hand: 8 pages of 10.
    let twice = handled.load(Ordering::SeqCst) - MANY;
    assert!(twice <= 160, "{twice} came twice");

    // One that was sent long ago, and deleted only now.
    place.letter(dead, &order(0), &[("type", ORDER)]).await;
    let again = place.json(&["replay", "--execute"]).await;
    assert_eq!(again["replayed"], 1);
    until("the copy to be handled", async || {
        (handled.load(Ordering::SeqCst) == MANY + twice + 1).then_some(())
    })
    .await;
    assert_eq!(journal(&system).await.get(PLANNED), Some(&MANY));
    println!(
        "{MANY} letters, 2 kills, {twice} came twice, one effect each; {rate:.0} letters/s after the \
         kills, while a function consumes them (StartMessageMoveTask: at most 500/s)"
    );
    system.shutdown().await;
}

async fn consumed(place: &Place) {
    until("the planner's queue to be empty", async || {
        (held(place, "NOTIFICATION_PLANNER_QUEUE").await == 0).then_some(())
    })
    .await;
}

fn silent() -> Service {
    Service::new(service_fn(|_: LambdaEvent<Value>| async {
        Ok(json!({ "batchItemFailures": [] }))
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mapping_gave_up_is_published_and_has_one_effect() {
    let (broken, handled) = (Arc::new(AtomicBool::new(true)), Arc::default());
    let options = Options {
        registry: Registry::standard().wrapped({
            let (broken, handled) = (Arc::clone(&broken), Arc::clone(&handled));
            move |name, service| match name {
                "outbox-relay" => failing_while(Arc::clone(&broken), service),
                "notification-planner" => counted(Arc::clone(&handled), service),
                _ => service,
            }
        }),
        template: (
            "a template with few attempts".to_owned(),
            TEMPLATE.replace("MaximumRetryAttempts: -1", "MaximumRetryAttempts: 1"),
        ),
        ..Options::default()
    };
    let system = System::start(options).await.unwrap();
    let place = Place::with(system.env().clone(), Client::new(system.sdk()));
    publish_order(&system).await;
    until("Lambda to give up", async || {
        (held(&place, FAILED).await > 0).then_some(())
    })
    .await;
    broken.store(false, Ordering::SeqCst);
    // The destination may be told twice.
    let letter = place
        .json(&["show", "--queue", "outbox-relay-failure"])
        .await;
    let document: Value = serde_json::from_str(letter[0]["body"].as_str().unwrap()).unwrap();
    place.letter(FAILED, &document, &[]).await;

    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(done["relay"]["published"][0]["source"], "stream", "{done}");
    assert_eq!(
        done["relay"]["published"][0]["commits"], 2,
        "one for each letter: {done}"
    );
    assert_eq!(held(&place, FAILED).await, 0);
    planned_once(&system, &handled, 2).await;

    // The same commit, as if it had been parked as well.
    let reference = format!("event#{SOURCE}#evt-1@1");
    place
        .letter(PARKED, &json!({ "commit": reference }), &[])
        .await;
    let done = place.json(&["replay", "--execute"]).await;
    assert_eq!(done["relay"]["published"][0]["source"], "journal", "{done}");
    planned_once(&system, &handled, 3).await;
    system.shutdown().await;
}

/// Names the source of minimal events; see `POST /v1/events`.
const SOURCE: &str = "urn:example:orders";

async fn publish_order(system: &System) {
    let event = json!({
        "specversion": "1.0", "id": "evt-1", "source": SOURCE, "type": ORDER,
        "time": jiff::Timestamp::now().to_string(), "data": order(1)["data"],
    });
    let url = format!("{}/v1/events", system.addresses().api);
    let headers = [("content-type", "application/cloudevents+json")];
    let http = callboard_cli::client::Http::new();
    let answer = http
        .post(&url, &headers, event.to_string().into())
        .await
        .unwrap();
    assert!(answer.status.is_success(), "{}", answer.json());
}

/// The planner has handled so many messages, and planned one notification.
async fn planned_once(system: &System, handled: &AtomicUsize, messages: usize) {
    until("the planner", async || {
        (handled.load(Ordering::SeqCst) == messages).then_some(())
    })
    .await;
    assert_eq!(journal(system).await[PLANNED], 1);
}

/// Counts the messages that a function has handled.
fn counted(handled: Arc<AtomicUsize>, inner: Service) -> Service {
    Service::new(service_fn(move |event: LambdaEvent<Value>| {
        let (inner, handled) = (inner.clone(), Arc::clone(&handled));
        let messages = event.payload["Records"].as_array().map_or(0, Vec::len);
        async move {
            let answer = inner.oneshot(event).await;
            handled.fetch_add(messages, Ordering::SeqCst);
            answer
        }
    }))
}

fn failing_while(broken: Arc<AtomicBool>, inner: Service) -> Service {
    Service::new(service_fn(move |event: LambdaEvent<Value>| {
        let (inner, broken) = (inner.clone(), Arc::clone(&broken));
        async move {
            match broken.load(Ordering::SeqCst) {
                true => Err(lambda_runtime::Error::from("the topics are out of reach")),
                false => inner.oneshot(event).await,
            }
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_commits_are_published_once_each_with_a_kill_of_the_replay() {
    const COMMITS: usize = 300;
    let world = RelayPlace::open().await;
    for number in 0..COMMITS {
        let commit = world.commit(&format!("ord-{number}"), ORDER, None).await;
        world.park(&commit.reference(), "poison").await;
    }
    let mut child = replaying(&world.place, &["--rate", "100"]);
    until("some to be published", async || {
        (held(&world.place, PARKED).await < COMMITS * 3 / 4).then_some(())
    })
    .await;
    child.kill().await.unwrap();
    assert!(held(&world.place, PARKED).await > 0, "killed in its midst");
    until("the rest to be replayed", async || {
        let output = replaying(&world.place, &[])
            .wait_with_output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        (held(&world.place, PARKED).await == 0).then_some(())
    })
    .await;
    // Begun anew within five minutes, it has the same deduplication ids.
    let published = world.published("EXTERNAL_EVENTS").await;
    assert_eq!(published.len(), COMMITS);
}
