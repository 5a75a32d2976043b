//! What comes by the queue: the samples, doubled, out of order, poisoned.

use callboard_contracts::waitlist::Urgency;
use callboard_runtime::metrics::Metric;
use callboard_runtime::settings::SettingsError;
use callboard_testkit::twice_and_backwards;
use serde_json::{Value, json};

use crate::world::{World, sample};

#[tokio::test(start_paused = true)]
async fn a_released_slot_is_offered_to_who_waits_longest() {
    let world = World::with_three_waiting().await;
    assert!(world.invoke(&sample("good")).await.is_empty());
    assert_eq!(
        world.holder("slot-0900").await.as_deref(),
        Some("entry-ada")
    );
    assert_eq!(
        world.history("entry#entry-ada").await,
        [["entry-joined"], ["offer-made"]]
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_twice_makes_one_offer() {
    let world = World::with_three_waiting().await;
    assert!(world.invoke(&sample("duplicate")).await.is_empty());
    assert!(world.invoke(&sample("duplicate")).await.is_empty());
    assert_eq!(
        world.history("slot#slot-0900").await,
        [["slot-released"], ["slot-held"]]
    );
    assert_eq!(world.history("entry#entry-ben").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_sample_twice_and_backwards_ends_as_it_does_once_in_order() {
    for case in ["good", "duplicate", "mixed", "poison"] {
        let (plain, doubled) = (
            World::with_three_waiting().await,
            World::with_three_waiting().await,
        );
        plain.deliver(&sample(case)).await;
        doubled.deliver(&twice_and_backwards(&sample(case))).await;
        for stream in ["slot#slot-0900", "entry#entry-ada", "entry#entry-ben"] {
            assert_eq!(
                plain.history(stream).await,
                doubled.history(stream).await,
                "{case}: {stream}"
            );
        }
        assert_eq!(
            plain.holder("slot-0900").await,
            doubled.holder("slot-0900").await
        );
    }
}

#[tokio::test(start_paused = true)]
async fn poison_ends_in_the_dlq_with_its_reason_and_nothing_happens() {
    let world = World::with_three_waiting().await;
    world.deliver(&sample("poison")).await;
    let reasons: Vec<_> = world
        .dead_letters()
        .await
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    assert_eq!(
        reasons,
        [
            "not a CloudEvents envelope (line 1, column 69)",
            "unknown event type `callboard.waitlist.slot-painted.v1`",
            "data of `callboard.waitlist.slot-released.v1` cannot be read",
            "a stream of kind `entry` is not owned by the cascade",
        ]
    );
    assert_eq!(world.history("slot#slot-0900").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn poison_stops_its_own_group_and_no_other() {
    let world = World::with_three_waiting().await;
    let mixed = sample("mixed");
    let back = world.invoke(&mixed).await;
    let in_group = |group: &str| {
        let records = mixed["Records"].as_array().expect("records").iter();
        let ids = records.filter(|record| record["attributes"]["MessageGroupId"] == group);
        ids.map(|record| record["messageId"].as_str().expect("id").to_owned())
            .collect::<Vec<_>>()
    };
    // The group's first record is poison and is gone; its followers come back untried.
    let mut expected = in_group("w-physio")[1..].to_vec();
    expected.sort();
    assert_eq!(back, expected);
    assert_eq!(world.holder("slot-0900").await, None);
    world.deliver(&mixed).await;
    assert_eq!(
        world.holder("slot-0900").await.as_deref(),
        Some("entry-ada")
    );
    assert_eq!(world.dead_letters().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn somebody_new_is_offered_a_slot_that_nobody_wanted_before_the_views_show_them() {
    let world = World::new().await;
    world.go_to("2026-03-02T09:00:50.000Z").await;
    world.release("slot-0900").await;
    world.invoke(&sample("good")).await;
    assert_eq!(
        world.history("slot#slot-0900").await,
        [["slot-released"], ["candidate-not-found"]]
    );
    world.show_open("slot-0900").await;
    world.go_to("2026-03-02T09:01:00.000Z").await;
    world.join_unseen("entry-eve", Urgency::Routine).await;
    let mut message = sample("mixed")["Records"][2].clone();
    let body = message["body"].as_str().expect("a body");
    message["body"] = Value::from(body.replace("w-dental", "w-physio"));
    let event = json!({ "Records": [message.clone(), message] });
    assert!(world.invoke(&event).await.is_empty());
    assert_eq!(
        world.holder("slot-0900").await.as_deref(),
        Some("entry-eve")
    );
    assert_eq!(world.history("slot#slot-0900").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reminder_that_is_early_by_a_clocks_error_waits_and_an_old_one_is_done() {
    let world = World::with_three_waiting().await;
    world.invoke(&sample("good")).await;
    let due = json!({ "Records": [sample("mixed")["Records"][4].clone()] });
    assert!(world.invoke(&due).await.is_empty(), "half an hour early");
    world.go_to("2026-03-02T10:30:04.900Z").await;
    assert_eq!(world.invoke(&due).await.len(), 1, "a moment early");
    assert_eq!(
        world.holder("slot-0900").await.as_deref(),
        Some("entry-ada")
    );
    world.go_to("2026-03-02T10:30:05.000Z").await;
    assert!(world.invoke(&due).await.is_empty());
    assert_eq!(
        world.holder("slot-0900").await.as_deref(),
        Some("entry-ben")
    );
    let second = world.slot("slot-0900").await.last.expect("a commit");
    assert_eq!(second.cause.causation_id, "evt-1", "what set the deadline");
    assert!(world.invoke(&due).await.is_empty(), "it has been done");
    assert_eq!(
        world.holder("slot-0900").await.as_deref(),
        Some("entry-ben")
    );
}

#[tokio::test(start_paused = true)]
async fn who_ends_a_hold_tells_how_late_it_was_and_who_finds_it_ended_tells_nothing() {
    let mut world = World::with_three_waiting().await;
    let measured = world.measure();
    world.invoke(&sample("good")).await;
    let due = json!({ "Records": [sample("mixed")["Records"][4].clone()] });
    world.go_to("2026-03-02T10:31:15.250Z").await;
    assert!(world.invoke(&due).await.is_empty());
    assert!(world.invoke(&due).await.is_empty());
    // Offered at once; the hold ended at half past, and its grace of five seconds after that.
    assert_eq!(
        measured.values(Metric::DeadlineOverdue),
        [json!([0]), json!([70_250])]
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_setting_stops_the_function_by_name() {
    let world = World::new().await;
    for name in world.vars.keys() {
        let mut vars = world.vars.clone();
        vars.remove(name);
        let error = waitlist_cascade::build(&vars, &world.sdk).await.err();
        let name = name.clone();
        assert_eq!(error, Some(SettingsError::Missing { name }));
    }
}
