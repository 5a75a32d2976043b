//! Services that fail, and answers that are lost. All of it on virtual time, with faults between
//! one function and its services.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::{StreamId, Timestamp, Unfolded};
use callboard_host::Service;
use callboard_runtime::Clock;
use callboard_runtime::journal::{Journal, Loaded};
use callboard_testkit::Fault;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::house::{FUNCTIONS, House, Setup, Site};
use crate::redelivery::{story, undisturbed};
use crate::story::{Person, Released, order_of};

/// Calls whose answer, or which themselves, a test loses: more than the story makes.
const PLENTY: usize = 500;

/// What an SDK client tries at most for one call (standard retry mode).
const SDK_TRIES: usize = 3;

/// Every call to a table.
const TABLE_CALLS: [&str; 5] = [
    "PutItem",
    "TransactWriteItems",
    "Query",
    "GetItem",
    "BatchGetItem",
];

#[tokio::test(start_paused = true)]
async fn every_write_and_message_whose_first_answer_is_lost_counts_once() {
    let expected = undisturbed().await;
    let house = House::still().await;
    for function in FUNCTIONS {
        for write in [
            "PutItem",
            "TransactWriteItems",
            "PublishBatch",
            "SendMessage",
        ] {
            for _ in 0..PLENTY {
                house.faults(function).next(write, Fault::DropAnswer);
                house.faults(function).next(write, Fault::Pass);
            }
        }
    }
    assert_eq!(story(&house).await, expected);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_every_answer_is_lost_is_repeated_by_its_key_and_done_once() {
    let house = House::still().await;
    let starts = house.now().plus(Duration::from_secs(86_400));
    let body = json!({
        "service": "physio", "startsAt": starts, "endsAt": starts.plus(Duration::from_secs(60)),
    });
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "release-1"),
    ];
    let release = async || {
        let path = "/v1/waitlists/clinic/slots";
        let body = body.to_string().into_bytes();
        house.api.send("POST", path, &headers, body).await
    };
    let faults = house.faults("command-api");
    faults.times("TransactWriteItems", PLENTY, &Fault::DropAnswer);
    let unheard = release().await;
    assert!(unheard.status >= 500, "{}", unheard.text());
    faults.reset();
    let done = release().await.expect(201).json();
    assert_eq!(release().await.json(), done, "the same answer, for ever");
    house
        .slot_when(done["slotId"].as_str().expect("an id"), "opened-to-public")
        .await;
    assert_eq!(house.events_of("slot-released").await, 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_throttled_topic_delays_and_loses_nothing() {
    let expected = undisturbed().await;
    let house = House::still().await;
    let faults = house.faults("outbox-relay");
    faults.times("PublishBatch", 40, &Fault::Throttle);
    assert_eq!(story(&house).await, expected);
    let relay = house.host().totals()["outbox-relay"];
    assert!(
        relay.unsuccessful > 0,
        "the relay never gave up a batch: {relay:?}"
    );
    house.close().await;
}

/// What SNS answers when it took a batch, and each of its entries failed or is not spoken of.
fn publish_answer(failed: &[usize]) -> Fault {
    let failed: String = failed
        .iter()
        .map(|id| {
            format!(
                "<member><Id>{id}</Id><Code>InternalError</Code>\
                 <Message>injected</Message><SenderFault>false</SenderFault></member>"
            )
        })
        .collect();
    let body = format!(
        "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
         <PublishBatchResult><Failed>{failed}</Failed><Successful/></PublishBatchResult>\
         <ResponseMetadata><RequestId>injected</RequestId></ResponseMetadata>\
         </PublishBatchResponse>"
    );
    Fault::Answer(200, body)
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_failed_in_a_batch_that_succeeded_is_published_later() {
    let expected = undisturbed().await;
    let house = House::still().await;
    let faults = house.faults("outbox-relay");
    for _ in 0..5 {
        faults.next("PublishBatch", publish_answer(&[0]));
        faults.next("PublishBatch", publish_answer(&[]));
        faults.next("PublishBatch", Fault::Pass);
    }
    assert_eq!(story(&house).await, expected);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn messages_whose_deletion_is_lost_come_again_and_change_nothing() {
    let expected = undisturbed().await;
    let house = House::still().await;
    for _ in 0..10 {
        let host = house.host_faults();
        host.times("DeleteMessageBatch", SDK_TRIES, &Fault::DropRequest);
        host.next("DeleteMessageBatch", Fault::Pass);
    }
    assert_eq!(story(&house).await, expected);
    house.close().await;
}

/// Somebody waits, a slot is released and an order placed while no function but the edge reaches
/// a table; after `outage` they all do again.
async fn tables_away(house: &House, outage: Duration) -> (Person, Released) {
    let anna = house.register("anna").await;
    house.join("clinic", &anna, "urgent").await;
    house.at_rest().await;
    let consumers = FUNCTIONS.iter().filter(|name| **name != "command-api");
    for function in consumers {
        for call in TABLE_CALLS {
            house
                .faults(function)
                .times(call, PLENTY, &Fault::DropRequest);
        }
    }
    let released = house.release("clinic", Duration::from_secs(1_200)).await;
    house.order(&anna.id).await.expect(202);
    tokio::time::sleep(outage).await;
    assert!(house.mails().await.is_empty());
    for function in FUNCTIONS {
        house.faults(function).reset();
    }
    (anna, released)
}

async fn ends_well(house: &House, anna: &Person, released: &Released) {
    let link = house.offer_to(anna).await;
    house.press(&link, "accept").await.expect(200);
    house.slot_when(&released.slot, "booked").await;
    house.at_rest().await;
    assert_eq!(house.mails().await.len(), 3, "offer, booking, order");
    assert_eq!(house.events_of("slot-filled").await, 1);
    house.expect_no_dead_letters().await;
}

#[tokio::test(start_paused = true)]
async fn tables_that_are_away_for_a_moment_delay_and_lose_nothing() {
    let house = House::still().await;
    let (anna, released) = tables_away(&house, Duration::from_secs(20)).await;
    ends_well(&house, &anna, &released).await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn tables_that_are_away_for_long_leave_dead_letters_whose_redrive_ends_the_story() {
    let house = House::still().await;
    let (anna, released) = tables_away(&house, Duration::from_secs(900)).await;
    let mut redriven = 0;
    for consumer in [
        "WaitlistCascade",
        "WaitlistProjector",
        "NotificationPlanner",
        "EmailSender",
    ] {
        redriven += house.redrive(consumer).await;
    }
    assert!(redriven > 0, "the outage outlasts a message's tries");
    ends_well(&house, &anna, &released).await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_without_tables_keeps_its_message_until_they_are_back() {
    /// Far beyond the tries of other messages: what was not recorded must not be set aside.
    const OUTAGE: Duration = Duration::from_secs(4 * 3_600);
    let house = House::still().await;
    let anna = house.register("anna").await;
    let sender = house.faults("email-sender");
    for call in TABLE_CALLS {
        sender.times(call, 10 * PLENTY, &Fault::DropRequest);
    }
    house.order(&anna.id).await.expect(202);
    tokio::time::sleep(OUTAGE).await;
    house.expect_no_dead_letters().await;
    sender.reset();
    house.at_rest().await;
    assert_eq!(house.mails().await.len(), 1);
    house.close().await;
}

/// One invocation of the relay: how many records it got, and how many it reported.
type Batches = Arc<Mutex<Vec<(usize, usize)>>>;

/// A site whose relay notes its invocations.
async fn site_that_notes(batches: &Batches) -> Site {
    let batches = batches.clone();
    let note = move |name: &str, inner: Service| {
        if name != "outbox-relay" {
            return inner;
        }
        let batches = batches.clone();
        Service::new(service_fn(move |event: LambdaEvent<Value>| {
            let (inner, batches) = (inner.clone(), batches.clone());
            let count = |value: &Value| value.as_array().map_or(0, Vec::len);
            async move {
                let records = count(&event.payload["Records"]);
                let answer = inner.oneshot(event).await?;
                let failed = count(&answer["batchItemFailures"]);
                batches.lock().expect("unpoisoned").push((records, failed));
                Ok::<_, lambda_runtime::Error>(answer)
            }
        }))
    };
    Site::new(Setup::layered(note)).await
}

/// Ten orders in the journal before anything polls; the one at `poison` cannot be read.
async fn ten_orders(site: &Site, poison: usize) {
    let table = site
        .provision()
        .await
        .get("JournalTable")
        .expect("made")
        .name()
        .to_owned();
    let client = aws_sdk_dynamodb::Client::new(&site.sdk());
    let journal = Journal::new(client.clone(), table.clone());
    let now = Clock::from_sdk(&site.sdk()).now();
    for number in 0..10 {
        let stream = StreamId::event("orders", &format!("evt-{number}"));
        if number == poison {
            let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
            let put = client
                .put_item()
                .table_name(&table)
                .item("pk", text(stream.as_str()))
                .item(
                    "sk",
                    aws_sdk_dynamodb::types::AttributeValue::N("1".to_owned()),
                )
                .item("relay", text("1"))
                .item("ev", text("[{\"t\":"));
            put.send().await.expect("put");
        } else {
            append_order(&journal, stream, now).await;
        }
    }
}

async fn append_order(journal: &Journal, stream: StreamId, now: Timestamp) {
    let event = ForeignEvent {
        event_type: "com.example.orders.order-placed.v1".to_owned(),
        data: order_of("usr-456"),
    };
    let commit = Loaded::<Unfolded<ForeignEvent>>::fresh(stream)
        .next(&callboard_testkit::cause(), now)
        .event(event)
        .build();
    journal
        .append(commit.expect("a commit"))
        .await
        .expect("appended");
}

#[tokio::test(start_paused = true)]
async fn poison_in_a_batch_of_ten_is_parked_and_nine_are_published() {
    let batches = Batches::default();
    let site = site_that_notes(&batches).await;
    ten_orders(&site, 4).await;
    let house = site.open().await;
    house.at_rest().await;

    assert_eq!(
        batches.lock().expect("unpoisoned")[0],
        (10, 0),
        "one invocation, no failure"
    );
    assert_eq!(house.events_of("notification-planned").await, 9);
    let letters = house.letters("OutboxRelayDeadLetterQueue").await;
    assert_eq!(letters.len(), 1);
    let body: Value = serde_json::from_str(&letters[0].body).expect("JSON");
    assert_eq!(body["commit"], "event#orders#evt-4@1");
    assert!(
        letters[0].reason().contains("ev"),
        "{}",
        letters[0].reason()
    );
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn poison_that_cannot_be_parked_splits_the_batch_where_it_stands() {
    let batches = Batches::default();
    let site = site_that_notes(&batches).await;
    ten_orders(&site, 4).await;
    site.faults("outbox-relay")
        .times("SendMessage", SDK_TRIES, &Fault::DropRequest);
    let house = site.open().await;
    house.at_rest().await;

    // ReportBatchItemFailures with BisectBatchOnFunctionError: what stands before the reported
    // record is done, and the batch is tried again from there.
    let first_two = batches.lock().expect("unpoisoned")[..2].to_vec();
    assert_eq!(first_two, [(10, 1), (6, 0)]);
    assert_eq!(house.events_of("notification-planned").await, 9);
    assert_eq!(house.letters("OutboxRelayDeadLetterQueue").await.len(), 1);
    house.expect_no_dead_letters().await;
    house.close().await;
}
