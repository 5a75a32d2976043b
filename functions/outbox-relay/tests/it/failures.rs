//! Poison is parked and passed; what may pass stops the stream, and nothing overtakes it.

use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::recipient::RecipientRegistered;
use callboard_contracts::{RecipientEvent, StreamId};
use callboard_runtime::metrics::Metric;
use serde_json::json;
use std::time::Duration;

use crate::world::{World, commit, event, image, order, record, release, sequence_number};

fn large() -> callboard_runtime::journal::Committed {
    let data = json!({ "text": "x".repeat(300_000) });
    let event = ForeignEvent {
        event_type: "com.example.large.v1".to_owned(),
        data,
    };
    commit::<ForeignEvent>(StreamId::event("orders", "large"), 0, event, None)
}

#[tokio::test(start_paused = true)]
async fn of_ten_records_with_one_poisonous_nine_are_published_and_one_is_parked() {
    let mut world = World::open().await;
    let measured = world.measure();
    tokio::time::advance(Duration::from_millis(1_250)).await;
    let records = (0..10).map(|n| {
        let mut image = image(&order(n));
        if n == 4 {
            image["ev"] = json!({ "S": "[{\"t\":" });
        }
        record(n, image)
    });
    assert_eq!(world.invoke(event(records.collect())).await, None);

    assert_eq!(world.published("external-events").await.len(), 9);
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1);
    let (body, reason) = &parked[0];
    assert_eq!(body["commit"], "event#orders#ord-4@1");
    assert_eq!(body["sequenceNumber"], sequence_number(4));
    assert!(reason.contains("ev"), "{reason}");
    // Nine have waited since they were committed; the one that is parked has not been published.
    assert_eq!(measured.values(Metric::PublishLag), [json!(vec![1_250; 9])]);
    assert_eq!(measured.values(Metric::DeadLetters), [json!(1)]);
    assert_eq!(
        measured.kinds(Metric::DeadLetters),
        [json!({ "poison": 1 })]
    );
    assert!(measured.values(Metric::BatchItemFailures).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_commit_too_large_for_a_message_or_without_a_topic_is_parked() {
    let world = World::open().await;
    let registered = RecipientRegistered {
        recipient_id: "usr-456".parse().unwrap(),
    };
    let stream = StreamId::recipient(&registered.recipient_id);
    let mut topicless = commit::<RecipientEvent>(stream, 0, registered.into(), None);
    topicless.events[0].public = true;
    let mut imageless = record(3, image(&order(3)));
    imageless["dynamodb"]
        .as_object_mut()
        .unwrap()
        .remove("NewImage");
    let records = vec![
        record(0, image(&large())),
        record(1, image(&topicless)),
        record(2, image(&order(1))),
        imageless,
    ];
    assert_eq!(world.invoke(event(records)).await, None);

    assert_eq!(world.published("external-events").await.len(), 1);
    let reasons: Vec<_> = world
        .parked()
        .await
        .into_iter()
        .map(|(_, reason)| reason)
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for expected in ["TooLong", "no topic", "NEW_IMAGE"] {
        assert!(
            reasons.iter().any(|reason| reason.contains(expected)),
            "{expected}: {reasons:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_down_stops_the_stream_at_its_first_record() {
    let world = World::open().await;
    let records = vec![
        record(0, image(&order(0))),
        record(1, image(&release("slot-0900", 0))),
        record(2, image(&order(1))),
        record(3, image(&release("slot-0900", 1))),
    ];
    world.faults.unavailable_for(Some("%3Awaitlist-events"));
    assert_eq!(
        world.invoke(event(records.clone())).await,
        Some(sequence_number(1))
    );
    assert_eq!(
        world.published("external-events").await.len(),
        2,
        "other groups go on"
    );
    assert!(world.published("waitlist-events").await.is_empty());

    world.faults.unavailable_for(None);
    assert_eq!(world.invoke(event(records[1..].to_vec())).await, None);
    let numbers: Vec<_> = world
        .published("waitlist-events")
        .await
        .iter()
        .map(|one| one.envelope.sequence.unwrap().commit)
        .collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_message_never_overtakes_one_of_its_group_that_failed() {
    let world = World::open().await;
    let first = release("slot-0900", 0);
    let records = vec![
        record(0, image(&first)),
        record(1, image(&release("slot-1000", 0))),
        record(2, image(&release("slot-0900", 1))),
    ];
    // Only the call that carries the first record's event fails.
    world.faults.unavailable_for(Some(&first.event_id(0)));
    assert_eq!(world.invoke(event(records)).await, Some(sequence_number(0)));
    assert!(
        world.published("waitlist-events").await.is_empty(),
        "all three are of one group"
    );
}

#[tokio::test(start_paused = true)]
async fn poison_that_cannot_be_parked_stops_the_stream_and_poison_behind_it_is_left_alone() {
    let world = World::open().await;
    let mut poison = image(&order(1));
    poison["ev"] = json!({ "S": "" });
    let records = vec![
        record(0, image(&order(0))),
        record(1, poison.clone()),
        record(2, poison),
    ];
    world.faults.unavailable_for(Some("outbox-relay-dlq"));
    assert_eq!(world.invoke(event(records)).await, Some(sequence_number(1)));
    world.faults.unavailable_for(None);
    assert!(world.parked().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn poison_behind_the_checkpoint_is_parked_once_when_it_comes_again() {
    let world = World::open().await;
    let mut poison = image(&order(1));
    poison["ev"] = json!({ "S": "" });
    let records = vec![
        record(0, image(&release("slot-0900", 0))),
        record(1, poison),
    ];
    world.faults.unavailable_for(Some("%3Awaitlist-events"));
    assert_eq!(
        world.invoke(event(records.clone())).await,
        Some(sequence_number(0))
    );
    world.faults.unavailable_for(None);
    assert_eq!(world.invoke(event(records)).await, None);
    assert_eq!(world.parked().await.len(), 1);
}
