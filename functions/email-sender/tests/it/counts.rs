//! What a delivery costs here: exact, so that a change of it is noticed.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_contracts::notification::{
    CauseRef, Channel, DeliveryAttempted, NotificationPlanned, OutcomeUnknown, UnknownPolicy,
};
use callboard_contracts::{Cause, DomainEvent, Fold, NotificationEvent, NotificationId, StreamId};
use callboard_domain::notifications::notification::{KEPT_FOR, Notification};
use callboard_runtime::journal::{Loaded, WRITE_UNIT_BYTES, new_id};

use crate::world::{NOON, World, batch, invoke};

#[tokio::test(start_paused = true)]
async fn a_batch_of_ten_costs_two_write_units_each_and_one_read_for_all() {
    let world = World::open().await;
    let mut planned = Vec::new();
    for number in 0..10 {
        let recipient = format!("usr-{number}");
        world
            .register(&recipient, &format!("person-{number}@example.com"), &[])
            .await;
        planned.push(world.order(number, &recipient).await);
    }
    let function = world.function().await;
    world.faults.reset();
    invoke(&function, batch(&planned), world.now()).await;

    let calls = [("PutItem", 20), ("BatchGetItem", 1)];
    let calls: BTreeMap<_, _> = calls
        .into_iter()
        .map(|(name, n)| (name.to_owned(), n))
        .collect();
    let costs = world.faults.costs();
    assert_eq!(costs.by_operation, calls);
    assert!((costs.all_write_units() - 20.0).abs() < f64::EPSILON);
    assert_eq!(world.mails().await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_poison_alone_reads_and_writes_nothing() {
    let world = World::open().await;
    let function = world.function().await;
    world.faults.reset();
    let event = serde_json::json!({ "Records": [crate::world::record("m-0", "{ not JSON", 1)] });
    invoke(&function, event, world.now()).await;
    assert_eq!(
        world.faults.costs().by_operation.keys().collect::<Vec<_>>(),
        ["SendMessage"]
    );
}

/// The longest ids that may be: 64 bytes each, and a definition of 48.
#[test]
fn the_largest_commits_of_a_delivery_fit_into_one_write_unit() {
    let recipient = "r".repeat(64).parse().unwrap();
    let id = NotificationId::derived("event", &recipient, "definition");
    let planned = NotificationEvent::from(NotificationPlanned {
        notification_id: id,
        definition: "d".repeat(48),
        recipient_id: recipient,
        channel: Channel::Email,
        cause: CauseRef {
            stream: StreamId::event("orders", "ord-1"),
            commit: 1,
            index: 0,
        },
        expires_at: Some(NOON),
    });
    let cause = Cause {
        causation_id: uuid::Uuid::nil().to_string(),
        correlation_id: "c".repeat(64),
        hash: "0".repeat(32),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    };
    let state = Notification::default().evolve(&planned, NOON);
    let (channel, attempt_id) = (Channel::Email, new_id(NOON));
    let unknown = OutcomeUnknown {
        attempt_id,
        channel,
        step: 0,
        policy: UnknownPolicy::Resend,
    };
    let attempted = DeliveryAttempted {
        attempt_id,
        channel,
        step: 0,
        owner: uuid::Uuid::nil().to_string(),
        lease_until: NOON.plus(Duration::from_secs(15)),
    };
    let events = [NotificationEvent::from(unknown), attempted.into()];
    assert!(events.iter().all(|event| !event.event_type().is_empty()));
    let commit = Loaded::told(StreamId::notification(id), state, 99)
        .next(&cause, NOON)
        .events(events)
        .expires(NOON.plus(KEPT_FOR))
        .build()
        .unwrap();
    assert!(
        commit.bytes() <= WRITE_UNIT_BYTES,
        "{} bytes",
        commit.bytes()
    );
}
