//! Nothing but time changes when every message comes twice, in another order, or once more long
//! after all is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_host::Service;
use callboard_testkit::twice_and_shuffled;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::house::{House, Setup, Site};

/// How long an offer stands in the story.
const WINDOW: Duration = Duration::from_secs(600);

/// Seeds of the orders tried. Each is a run of the whole story.
const SEEDS: std::ops::Range<u64> = 0..3;

/// Records in one delivery (`BatchSize` of the template's queues).
const BATCH_SIZE: usize = 10;

/// All that a person, or an auditor, could see of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// State, holder and number of offers of each slot, in the order of the story.
    slots: Vec<Value>,
    /// Subjects of each person's mails.
    mails: BTreeMap<String, Vec<String>>,
    /// How often each type of event stands in the journal.
    events: BTreeMap<String, usize>,
    /// Bodies of dead letters; one body may lie there twice if it was delivered twice.
    dead: BTreeSet<String>,
}

/// One decline, one silence, one yes; a slot that nobody wants; an order, told twice; poison.
pub async fn story(house: &House) -> Outcome {
    let [anna, ben, cleo, dana] = [
        house.register("anna").await,
        house.register("ben").await,
        house.register("cleo").await,
        house.register("dana").await,
    ];
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "soon").await;
    house.join("clinic", &cleo, "routine").await;
    let wanted = house.release("clinic", WINDOW).await;
    let unwanted = house.release("elsewhere", WINDOW).await;
    poison(house).await;

    let link = house.offer_to(&anna).await;
    house.press(&link, "decline").await.expect(200);
    for status in [202, 200] {
        let order = crate::story::order_of(&dana.id);
        house
            .say("OrderPlaced", "evt-1", order)
            .await
            .expect(status);
    }
    house.offer_to(&ben).await;
    let link = house.offer_to(&cleo).await;
    house.press(&link, "accept").await.expect(200);
    house.at_rest().await;
    outcome(house, [&wanted.slot, &unwanted.slot]).await
}

async fn poison(house: &House) {
    let sqs = aws_sdk_sqs::Client::new(&house.sdk);
    let send = sqs
        .send_message()
        .queue_url(house.reference("NotificationPlannerQueue"))
        .message_body("{poison");
    send.send().await.expect("sent");
}

async fn outcome(house: &House, slots: [&String; 2]) -> Outcome {
    let mut views = Vec::new();
    for slot in slots {
        let view = house.slot(slot).await;
        views.push(json!([view["state"], view["slotVersion"], view["offers"]]));
    }
    let mut mails: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mail in house.mails().await {
        mails
            .entry(mail.to.join(" "))
            .or_default()
            .push(mail.subject);
    }
    let mut dead = BTreeSet::new();
    for (queue, _) in house.queues() {
        if queue.contains("DeadLetter") || queue.contains("Failure") {
            let letters = house.letters(&queue).await;
            dead.extend(letters.into_iter().map(|letter| letter.body));
        }
    }
    Outcome {
        slots: views,
        mails,
        events: house.events_by_type().await,
        dead,
    }
}

/// The outcome of a run in which nothing goes wrong.
pub async fn undisturbed() -> Outcome {
    let house = House::still().await;
    let outcome = story(&house).await;
    house.close().await;
    outcome
}

#[tokio::test(start_paused = true)]
async fn the_undisturbed_story_ends_as_told() {
    let outcome = undisturbed().await;
    let slots = [json!(["booked", 1, 3]), json!(["opened-to-public", 1, 0])];
    assert_eq!(outcome.slots, slots);
    let counts: Vec<_> = outcome.mails.values().map(Vec::len).collect();
    assert_eq!(counts, [1, 1, 2, 1], "anna, ben, cleo twice, dana");
    assert_eq!(outcome.dead, BTreeSet::from(["{poison".to_owned()]));
    let of = |name: &str| outcome.events[&format!("callboard.{name}.v1")];
    assert_eq!(of("waitlist.slot-filled"), 1);
    assert_eq!(of("notification.notification-planned"), 5);
    assert_eq!(of("notification.delivery-attempted"), 5);
    assert_eq!(of("notification.delivery-succeeded"), 5);
    assert_eq!(outcome.events["com.example.orders.order-placed.v1"], 1);
}

#[tokio::test(start_paused = true)]
async fn every_record_twice_and_shuffled_leaves_the_outcome_identical() {
    let expected = undisturbed().await;
    for seed in SEEDS {
        let archive = Archive::default();
        let layers = archive.clone();
        let setup = Setup::layered(move |name, service| {
            twice_and_shuffled(layers.layer(name, service), seed)
        });
        let house = Site::new(setup).await.open().await;
        let outcome = story(&house).await;
        let (given, taken) = (records_of_consumers(&house), archive.records());
        house.close().await;
        assert_eq!(taken, 2 * given, "the switch was on");
        assert_eq!(outcome, expected, "seed {seed}");
    }
}

/// Records that queues gave to functions.
fn records_of_consumers(house: &House) -> usize {
    let of_queues = |name: &str| !name.ends_with("-api") && name != "outbox-relay";
    let totals = house.host().totals();
    let consumers = totals.iter().filter(|(name, _)| of_queues(name));
    consumers.map(|(_, totals)| totals.records as usize).sum()
}

/// Sets half of all batches aside at their first delivery, so that messages overtake each other
/// by as long as the queue's visibility time-out.
fn held_back(inner: Service, seed: u64) -> Service {
    let seen = Arc::new(Mutex::new((
        fastrand::Rng::with_seed(seed),
        BTreeSet::new(),
    )));
    Service::new(service_fn(move |event: LambdaEvent<Value>| {
        let (inner, seen) = (inner.clone(), seen.clone());
        async move {
            let records = event.payload["Records"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let ids: Vec<_> = records
                .iter()
                .filter_map(|record| record["messageId"].as_str())
                .collect();
            let hold = {
                let mut seen = seen.lock().expect("unpoisoned");
                let (random, known) = &mut *seen;
                let new = ids.iter().all(|id| known.insert((*id).to_owned()));
                new && !ids.is_empty() && random.bool()
            };
            if hold {
                let failures: Vec<_> = ids
                    .iter()
                    .map(|id| json!({ "itemIdentifier": id }))
                    .collect();
                return Ok(json!({ "batchItemFailures": failures }));
            }
            inner.oneshot(event).await
        }
    }))
}

#[tokio::test(start_paused = true)]
async fn messages_that_overtake_each_other_by_a_minute_leave_the_outcome_identical() {
    let expected = undisturbed().await;
    for seed in SEEDS {
        let setup = Setup::layered(move |_, service| held_back(service, seed));
        let house = Site::new(setup).await.open().await;
        let outcome = story(&house).await;
        let held: u64 = house.host().totals().values().map(|one| one.failed).sum();
        house.close().await;
        assert!(held > 10, "only {held} records were held back");
        assert_eq!(outcome, expected, "seed {seed}");
    }
}

/// Every record that a function got from a queue, and the function.
#[derive(Clone, Default)]
struct Archive(Arc<Mutex<BTreeMap<String, Kept>>>);

type Kept = (Service, Vec<Value>);

impl Archive {
    fn layer(&self, name: &str, inner: Service) -> Service {
        let (archive, name) = (self.clone(), name.to_owned());
        archive
            .0
            .lock()
            .expect("unpoisoned")
            .insert(name.clone(), (inner.clone(), Vec::new()));
        Service::new(service_fn(move |event: LambdaEvent<Value>| {
            archive.keep(&name, &event.payload);
            inner.clone().oneshot(event)
        }))
    }

    fn keep(&self, name: &str, event: &Value) {
        let from_queue = event.pointer("/Records/0/eventSource") == Some(&json!("aws:sqs"));
        if from_queue {
            let records = event["Records"].as_array().cloned().unwrap_or_default();
            let mut kept = self.0.lock().expect("unpoisoned");
            kept.get_mut(name)
                .expect("a known function")
                .1
                .extend(records);
        }
    }

    fn records(&self) -> usize {
        let kept = self.0.lock().expect("unpoisoned");
        kept.values().map(|(_, records)| records.len()).sum()
    }

    /// Delivers all of it once more, each function's records in one drawn order. Records of FIFO
    /// queues as well: a person may redrive them in any order.
    async fn deliver_again(&self, seed: u64) -> usize {
        let all = self.0.lock().expect("unpoisoned").clone();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut delivered = 0;
        for (service, mut records) in all.into_values() {
            random.shuffle(&mut records);
            for batch in records.chunks(BATCH_SIZE) {
                delivered += batch.len();
                let event = LambdaEvent::new(json!({ "Records": batch }), Context::default());
                let answer = service.clone().oneshot(event).await.expect("an answer");
                assert_eq!(answer, json!({ "batchItemFailures": [] }));
            }
        }
        delivered
    }
}

#[tokio::test(start_paused = true)]
async fn every_record_once_more_when_all_is_over_leaves_the_outcome_identical() {
    let expected = undisturbed().await;
    let archive = Archive::default();
    let layers = archive.clone();
    let setup = Setup::layered(move |name, service| layers.layer(name, service));
    let house = Site::new(setup).await.open().await;
    let first = story(&house).await;
    assert_eq!(first, expected);
    let board = house.api.get("/v1/waitlists/clinic").await.json();

    let delivered = archive.deliver_again(1).await;
    assert!(delivered > 40, "{delivered} records");
    house.at_rest().await;
    assert_eq!(house.events_by_type().await, expected.events);
    assert_eq!(house.mails().await.len(), 5);
    let after = house.api.get("/v1/waitlists/clinic").await.json();
    assert_eq!(after, board, "I10: the views are what they were");
    let dead = house.letters("NotificationPlannerDeadLetterQueue").await;
    assert_eq!(dead.len(), 1, "the poison, once more");
    house.expect_no_dead_letters().await;
    house.close().await;
}
