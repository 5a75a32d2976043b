//! What is published, where to, and in how many calls.

use std::collections::BTreeMap;

use callboard_contracts::notification::{CauseRef, Channel, NotificationPlanned};
use callboard_contracts::{NotificationEvent, NotificationId, StreamId};
use callboard_runtime::journal::Due;
use serde_json::json;

use crate::world::{TOPICS, World, commit, event, image, order, record, release};

fn planned() -> callboard_runtime::journal::Committed {
    let recipient: callboard_contracts::RecipientId = "usr-456".parse().unwrap();
    let id = NotificationId::derived("e-1", &recipient, "order-confirmation");
    let planned = NotificationPlanned {
        notification_id: id,
        definition: "order-confirmation".to_owned(),
        recipient_id: recipient,
        channel: Channel::Email,
        cause: CauseRef {
            stream: StreamId::event("orders", "ord-1"),
            commit: 1,
            index: 0,
        },
        expires_at: None,
    };
    commit::<NotificationEvent>(StreamId::notification(id), 0, planned.into(), None)
}

#[tokio::test(start_paused = true)]
async fn each_event_goes_to_the_topic_of_its_domain_with_what_subscribers_filter_on() {
    let world = World::open().await;
    let commits = [order(1), release("slot-0900", 0), planned()];
    let records = commits
        .iter()
        .enumerate()
        .map(|(at, commit)| record(at as u32, image(commit)));
    assert_eq!(world.invoke(event(records.collect())).await, None);

    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let of = |kind: &str| {
        vec![
            ("correlationid", "req-1"),
            ("traceparent", trace),
            ("type", kind),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect::<Vec<_>>()
    };
    let external = world.published("external-events").await;
    assert_eq!(external.len(), 1);
    assert_eq!(
        external[0].attributes,
        of("com.example.orders.order-placed.v1")
    );
    assert_eq!(external[0].envelope, commits[0].envelope(0));
    let waitlist = world.published("waitlist-events").await;
    assert_eq!(
        waitlist[0].attributes,
        of("callboard.waitlist.slot-released.v1")
    );
    let notification = world.published("notification-events").await;
    let mut with_channel = of("callboard.notification.notification-planned.v1");
    with_channel.insert(0, ("channel".to_owned(), "email".to_owned()));
    assert_eq!(notification[0].attributes, with_channel);
}

#[tokio::test(start_paused = true)]
async fn a_message_says_when_the_work_that_its_commit_leaves_open_is_due_unless_it_is_at_once() {
    let world = World::open().await;
    let now = release("slot-0900", 0);
    let mut at_once = release("slot-0930", 0);
    let mut later = release("slot-1000", 0);
    let due = |at| Due {
        at,
        queue: "waitlist-cascade".to_owned(),
    };
    at_once.due = Some(due(at_once.at));
    later.due = Some(due(later.at.plus(std::time::Duration::from_secs(120))));
    let records = [now, at_once, later.clone()];
    let records = records.iter().enumerate();
    let records = records.map(|(at, commit)| record(at as u32, image(commit)));
    assert_eq!(world.invoke(event(records.collect())).await, None);
    let published = world.published("waitlist-events").await;
    let dues = published.iter().map(|message| {
        let mut attributes = message.attributes.iter();
        let due = attributes.find(|(name, _)| name == "due");
        due.map(|(_, at)| at.clone())
    });
    let expected = later.due.map(|due| due.at.to_string());
    assert_eq!(dues.collect::<Vec<_>>(), [None, None, expected]);
}

#[tokio::test(start_paused = true)]
async fn ten_notifications_cost_one_call() {
    let world = World::open().await;
    let records = (0..10).map(|n| record(n, image(&order(n)))).collect();
    assert_eq!(world.invoke(event(records)).await, None);
    assert_eq!(
        world.faults.costs().by_operation,
        BTreeMap::from([("PublishBatch".to_owned(), 1)])
    );
    assert_eq!(world.published("external-events").await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_same_records_again_reach_subscribers_once() {
    let world = World::open().await;
    let records: Vec<_> = (0..3).map(|n| record(n, image(&order(n)))).collect();
    for _ in 0..2 {
        assert_eq!(world.invoke(event(records.clone())).await, None);
    }
    assert_eq!(world.published("external-events").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn records_twice_and_out_of_order_reach_subscribers_once() {
    let world = World::open().await;
    let numbers = [3, 0, 2, 0, 1, 3, 1, 2];
    let records = numbers.iter().map(|n| record(*n, image(&order(*n))));
    assert_eq!(world.invoke(event(records.collect())).await, None);
    assert_eq!(world.published("external-events").await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn within_a_group_the_order_of_the_stream_is_kept() {
    let world = World::open().await;
    let records = (0..5)
        .map(|n| record(n as u32, image(&release("slot-0900", n))))
        .collect();
    assert_eq!(world.invoke(event(records)).await, None);
    let published = world.published("waitlist-events").await;
    let numbers: Vec<_> = published
        .iter()
        .map(|one| one.envelope.sequence.unwrap().commit)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn removals_and_internal_commits_are_passed_over() {
    let world = World::open().await;
    let mut by_ttl = record(0, image(&order(1)));
    by_ttl["eventName"] = json!("REMOVE");
    by_ttl["userIdentity"] = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
    let mut internal = image(&order(2));
    internal.as_object_mut().unwrap().remove("relay");
    let mut removed = record(2, image(&order(3)));
    removed["eventName"] = json!("REMOVE");
    removed["dynamodb"]
        .as_object_mut()
        .unwrap()
        .remove("NewImage");
    assert_eq!(
        world
            .invoke(event(vec![by_ttl, record(1, internal), removed]))
            .await,
        None
    );

    assert!(world.faults.costs().by_operation.is_empty());
    for topic in TOPICS {
        assert!(world.published(topic).await.is_empty());
    }
    assert!(world.parked().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_sns_would_refuse_is_published_all_the_same() {
    let world = World::open().await;
    let odd = commit(
        StreamId::event("https://shop.example/ä b", &"x".repeat(200)),
        0,
        callboard_contracts::foreign::ForeignEvent {
            event_type: "com.example.x.v1".to_owned(),
            data: json!({}),
        },
        None,
    );
    assert_eq!(
        world.invoke(event(vec![record(0, image(&odd))])).await,
        None
    );
    assert_eq!(world.published("external-events").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn characters_that_no_queue_carries_travel_escaped() {
    let world = World::open().await;
    let mut commit = order(1);
    commit.events[0].data["orderId"] = json!("a\u{ffff}b\u{fffe}\u{1}");
    assert_eq!(
        world.invoke(event(vec![record(1, image(&commit))])).await,
        None
    );
    let external = world.published("external-events").await;
    assert_eq!(external.len(), 1, "parked: {:?}", world.parked().await);
    assert_eq!(external[0].envelope, commit.envelope(0));
}

#[tokio::test(start_paused = true)]
async fn in_lambda_the_connection_is_warmed_while_the_function_starts() {
    let kit = callboard_testkit::World::open().await;
    let vars = [
        "DLQ_URL",
        "WAITLIST_EVENTS_TOPIC_ARN",
        "NOTIFICATION_EVENTS_TOPIC_ARN",
        "EXTERNAL_EVENTS_TOPIC_ARN",
        "FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_NAME",
    ];
    let vars = vars.map(|name| (name.to_owned(), "x".to_owned())).into();
    kit.faults().reset();
    outbox_relay::build(&vars, kit.sdk()).await.unwrap();
    let costs = kit.faults().costs();
    assert_eq!(
        (costs.requests("GetTopicAttributes"), costs.all_requests()),
        (1, 1)
    );
}
