//! What is checked again at the moment of sending.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::Timestamp;
use callboard_contracts::notification::{DropReason, NotificationCancelled};
use callboard_domain::notifications::NotificationStatus;
use serde_json::json;

use crate::world::{NOON, World};

async fn dropped(world: &World, recipient: &str) -> NotificationStatus {
    let planned = world.order(1, recipient).await;
    let answer = world.deliver(&planned).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert!(world.mails().await.is_empty());
    world.state(&planned).await.status
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_after_the_planning_counts_at_the_moment_of_sending() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let out = AttributeValue::Ss(vec!["orders".to_owned()]);
    world
        .register("usr-456", "anna@example.com", &[("opted_out", out)])
        .await;
    world.deliver(&planned).await;

    assert!(world.mails().await.is_empty());
    assert_eq!(
        world.story(&planned).await,
        ["delivery-attempted", "notification-dropped"]
    );
    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Dropped(DropReason::OptedOut)
    );
}

#[tokio::test(start_paused = true)]
async fn a_suppressed_address_gets_nothing() {
    let world = World::open().await;
    world
        .register(
            "usr-456",
            "anna@example.com",
            &[("suppressed", AttributeValue::Bool(true))],
        )
        .await;
    assert_eq!(
        dropped(&world, "usr-456").await,
        NotificationStatus::Dropped(DropReason::Suppressed)
    );
}

#[tokio::test(start_paused = true)]
async fn somebody_erased_or_unknown_gets_nothing() {
    let world = World::open().await;
    assert_eq!(
        dropped(&world, "usr-456").await,
        NotificationStatus::Dropped(DropReason::NoContact)
    );
    let world = World::open().await;
    world
        .register(
            "usr-456",
            "anna@example.com",
            &[("erased", AttributeValue::Bool(true))],
        )
        .await;
    assert_eq!(
        dropped(&world, "usr-456").await,
        NotificationStatus::Dropped(DropReason::NoContact)
    );
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_has_ended_is_not_sent_any_more() {
    let world = World::open().await;
    world.register("usr-1", "anna@example.com", &[]).await;
    let planned = world
        .offer("usr-1", NOON.plus(Duration::from_secs(30)))
        .await;
    tokio::time::advance(Duration::from_secs(30)).await;
    world.deliver(&planned).await;

    assert!(world.mails().await.is_empty());
    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Dropped(DropReason::Expired)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cause_older_than_retention_vouches_for_is_recorded_as_stale() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let long_ago = Timestamp::from_millis(NOON.as_millis() - 15 * 24 * 3_600_000);
    let planned = world.order_with(1, "usr-456", long_ago).await;
    world.deliver(&planned).await;

    assert!(world.mails().await.is_empty());
    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Dropped(DropReason::Stale)
    );
}

#[tokio::test(start_paused = true)]
async fn a_notification_cancelled_before_its_message_came_is_not_attempted() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let cancelled = NotificationCancelled {
        reason: "order-withdrawn".to_owned(),
    };
    world.commit(&planned, cancelled).await;
    let answer = world.deliver(&planned).await;

    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert!(world.mails().await.is_empty());
    assert_eq!(world.story(&planned).await, ["notification-cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_journal_has_forgotten_cannot_be_put_into_words() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let delete = world.dynamo.delete_item().table_name("journal");
    let delete = delete.key("pk", AttributeValue::S("event#orders#ord-1".to_owned()));
    delete
        .key("sk", AttributeValue::N("1".to_owned()))
        .send()
        .await
        .unwrap();
    world.deliver(&planned).await;

    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Dropped(DropReason::Unrenderable)
    );
}
