//! At most once, or known to be unknown: leases, takeovers and late outcomes.

use std::sync::Arc;
use std::time::Duration;

use callboard_contracts::notification::NotificationCancelled;
use callboard_domain::notifications::NotificationStatus;
use callboard_domain::notifications::definition::Catalogue;
use callboard_runtime::batch::{Batch, Outlet};
use callboard_runtime::metrics::Metric;
use callboard_runtime::{Clock, Deadline};
use callboard_testkit::{Measured, failed};
use email_sender::deliver::{self, Invocation};
use email_sender::job::Job;
use email_sender::provider::SendError;
use serde_json::json;

use crate::provider::{Gated, mute_after_text, smtp};
use crate::world::{FUNCTION_TIMEOUT, World, batch, invoke, invoke_until, record};

/// The function's time-out and the five seconds that a lease outlives it, and one more.
const LEASE_HAS_ENDED: Duration = Duration::from_secs(16);

#[tokio::test(start_paused = true)]
async fn of_two_senders_the_one_resumed_after_its_lease_ended_is_late_and_changes_nothing() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let event = batch(std::slice::from_ref(&planned));
    let (slow, mut calls) = Gated::new(vec![]);
    let first = tokio::spawn({
        let (function, event, now) = (
            world.function_with(slow.clone()).await,
            event.clone(),
            world.now(),
        );
        async move { invoke(&function, event, now).await }
    });
    calls.recv().await.unwrap();
    tokio::time::advance(LEASE_HAS_ENDED).await;
    let second = invoke(&world.function().await, event, world.now()).await;
    assert_eq!(second, json!({ "batchItemFailures": [] }));
    let before = world.state(&planned).await;
    assert_eq!(before.status, NotificationStatus::Delivered);

    slow.open(1);
    assert_eq!(first.await.unwrap(), json!({ "batchItemFailures": [] }));
    assert_eq!(
        world.story(&planned).await,
        [
            "delivery-attempted",
            "outcome-unknown",
            "delivery-attempted",
            "delivery-succeeded",
            "late-outcome"
        ]
    );
    assert_eq!(
        world.state(&planned).await,
        before,
        "a late outcome changes nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_sender_does_not_delete_the_message_that_times_its_successors_lease() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let event = batch(std::slice::from_ref(&planned));
    let (slow, mut calls) = Gated::new(vec![]);
    let function = world.function_with(slow.clone()).await;
    let start = |now| {
        let (function, event) = (function.clone(), event.clone());
        tokio::spawn(async move { invoke(&function, event, now).await })
    };
    let first = start(world.now());
    calls.recv().await.unwrap();
    tokio::time::advance(LEASE_HAS_ENDED).await;
    let second = start(world.now());
    calls.recv().await.unwrap();

    slow.open(1);
    assert_eq!(
        failed(&first.await.unwrap()),
        ["m-0"],
        "the second sender is still at it"
    );
    slow.open(1);
    assert_eq!(second.await.unwrap(), json!({ "batchItemFailures": [] }));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_between_attempt_and_outcome_does_not_fence_the_healthy_sender() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let (provider, mut calls) = Gated::new(vec![]);
    let sender = tokio::spawn({
        let function = world.function_with(provider.clone()).await;
        let (event, now) = (batch(std::slice::from_ref(&planned)), world.now());
        async move { invoke(&function, event, now).await }
    });
    calls.recv().await.unwrap();
    let cancelled = NotificationCancelled {
        reason: "order-withdrawn".to_owned(),
    };
    world.commit(&planned, cancelled).await;
    provider.open(1);

    assert_eq!(sender.await.unwrap(), json!({ "batchItemFailures": [] }));
    assert_eq!(
        world.story(&planned).await,
        [
            "delivery-attempted",
            "notification-cancelled",
            "delivery-succeeded"
        ]
    );
    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Delivered
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_keeps_the_lease_and_its_end_makes_it_unknown_and_sends_again() {
    let world = World::open().await;
    world
        .register("usr-456", "lost-answer@example.com", &[])
        .await;
    let planned = world.order(1, "usr-456").await;
    world.enqueue_planned(&planned).await;
    let (function, measured) = Measured::of(world.function().await, Clock::from_sdk(&world.sdk));
    world.pump(&function).await;
    assert_eq!(
        world.story(&planned).await,
        ["delivery-attempted"],
        "no outcome is made up"
    );
    assert_eq!(
        measured.kinds(Metric::BatchItemFailures),
        [json!({ "held": 1 })]
    );
    assert!(measured.values(Metric::LeaseOutcomeUnknown).is_empty());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(
        world.pump(&function).await,
        0,
        "the message waits for the lease's end"
    );

    world.register("usr-456", "anna@example.com", &[]).await;
    world.drain(&function).await;
    assert_eq!(
        world.story(&planned).await,
        [
            "delivery-attempted",
            "outcome-unknown",
            "delivery-attempted",
            "delivery-succeeded"
        ]
    );
    assert_eq!(
        measured.kinds(Metric::LeaseOutcomeUnknown),
        [json!({ "repeat": 1 })]
    );
    assert_eq!(measured.values(Metric::NotificationLag).len(), 1);
    let mails = world.mails().await;
    assert_eq!(mails.len(), 2, "the first one had been taken after all");
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_after_the_text_went_out_is_not_taken_for_not_sent() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let event = batch(std::slice::from_ref(&planned));
    let function = world.function_with(mute_after_text()).await;
    let answer = invoke(&function, event, world.now()).await;

    assert_eq!(failed(&answer), ["m-0"]);
    assert_eq!(world.story(&planned).await, ["delivery-attempted"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_gets_a_bounded_number_of_copies() {
    let world = World::open().await;
    world
        .register("usr-456", "lost-answer@example.com", &[])
        .await;
    let planned = world.order(1, "usr-456").await;
    world.enqueue_planned(&planned).await;
    world.drain(&world.function().await).await;

    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Unknown
    );
    assert_eq!(world.mails().await.len(), 4);
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_the_policy_is_to_park_an_expired_lease_ends_the_matter() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let (provider, _calls) = Gated::new(vec![Err(SendError::ambiguous("smtp-timeout"))]);
    provider.open(1);
    let function = world.function_with(provider).await;
    let event = batch(std::slice::from_ref(&planned));
    assert_eq!(
        failed(&invoke(&function, event.clone(), world.now()).await),
        ["m-0"]
    );
    tokio::time::advance(LEASE_HAS_ENDED).await;

    let mut deps = email_sender::deps(&world.vars, &world.sdk, smtp(&world.mailbox)).unwrap();
    deps.catalogue = Arc::new(parking());
    let invocation = Invocation {
        owner: "second".to_owned(),
        deadline: Deadline::at(world.now().plus(FUNCTION_TIMEOUT)),
    };
    let batch = Batch::sqs(event, Job::of).unwrap();
    let outlet = Outlet::from_vars(&world.vars, &world.sdk).unwrap();
    let answer = deliver::run(&deps, &invocation, batch)
        .await
        .finish(&outlet)
        .await;

    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(
        world.story(&planned).await,
        ["delivery-attempted", "outcome-unknown"]
    );
    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Unknown
    );
    assert!(world.mails().await.is_empty());
}

/// A catalogue whose order confirmation is rather never sent than twice.
fn parking() -> Catalogue {
    let definition = r#"{"id":"order-confirmation","on":"com.example.orders.order-placed.v1",
        "recipient":"/userId","channel":"email","category":"orders","unknownPolicy":"park"}"#;
    Catalogue::load(&[
        ("order-confirmation/definition.json", definition),
        ("order-confirmation/subject.txt", "Order"),
        ("order-confirmation/body.txt", "Order"),
        ("order-confirmation/body.html", "<p>Order</p>"),
    ])
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn whoever_meets_a_live_lease_waits_for_its_end_and_is_never_dead_lettered() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let (provider, mut calls) = Gated::new(vec![]);
    let function = world.function_with(provider.clone()).await;
    let sender = tokio::spawn({
        let (function, event, now) = (
            function.clone(),
            batch(std::slice::from_ref(&planned)),
            world.now(),
        );
        async move { invoke(&function, event, now).await }
    });
    calls.recv().await.unwrap();
    let body = serde_json::to_string(&planned.envelope).unwrap();
    let ninth = json!({ "Records": [record("m-9", &body, 9)] });
    assert_eq!(
        failed(&invoke(&function, ninth, world.now()).await),
        ["m-9"]
    );
    provider.open(1);
    sender.await.unwrap();

    assert!(world.dead().await.is_empty());
    assert_eq!(
        world.story(&planned).await,
        ["delivery-attempted", "delivery-succeeded"]
    );
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_with_too_little_time_left() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order(1, "usr-456").await;
    let deadline = world.now().plus(Duration::from_millis(8_999));
    let event = batch(std::slice::from_ref(&planned));
    let answer = invoke_until(&world.function().await, event, deadline).await;

    assert_eq!(failed(&answer), ["m-0"]);
    assert!(world.story(&planned).await.is_empty());
    assert!(world.mails().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_notification_left_without_outcome_still_gets_one() {
    let world = World::open().await;
    world
        .register("usr-456", "lost-answer@example.com", &[])
        .await;
    let planned = world.order(1, "usr-456").await;
    world.enqueue_planned(&planned).await;
    let function = world.function().await;
    world.pump(&function).await;
    let cancelled = NotificationCancelled {
        reason: "order-withdrawn".to_owned(),
    };
    world.commit(&planned, cancelled).await;
    world.drain(&function).await;

    assert_eq!(
        world.story(&planned).await,
        [
            "delivery-attempted",
            "notification-cancelled",
            "outcome-unknown"
        ]
    );
    assert_eq!(world.mails().await.len(), 1);
    assert_eq!(
        world.state(&planned).await.status,
        NotificationStatus::Cancelled
    );
}
