//! The sweep: due work is found in the journal, with no message to tell of it.

use std::time::Duration;

use callboard_contracts::waitlist::{CandidateNotFound, SlotEvent};
use callboard_contracts::{Fold, SlotId, StreamId, Timestamp, WaitlistId};
use callboard_runtime::journal::Loaded;
use callboard_runtime::metrics::Metric;
use callboard_testkit::{Fault, cause};
use serde::{Deserialize, Serialize};

use crate::world::{World, time};

/// What the streams fold to here: nothing of it is looked at.
#[derive(Default, Clone, Serialize, Deserialize)]
struct Any;

impl Fold for Any {
    type Event = SlotEvent;
    const VERSION: u32 = 1;
    fn evolve(self, _: &SlotEvent, _: Timestamp) -> Self {
        Self
    }
}

const OWNER: &str = "waitlist-cascade";
const MINUTE: Duration = Duration::from_secs(60);

/// Commits to `slot#<slot>`, leaving work open until `due` if there is one.
async fn commit(world: &World, slot: &str, due: Option<(&str, &str)>) {
    let slot_id = SlotId::parse(slot).expect("an id");
    let stream = StreamId::slot(&slot_id);
    let journal = world.kit().journal();
    let loaded: Loaded<Any> = journal.load(&stream).await.expect("loaded");
    let event = CandidateNotFound {
        waitlist_id: WaitlistId::parse("w-physio").expect("an id"),
        slot_id,
        slot_version: 1,
        look_again_at: world.kit().now(),
    };
    let mut next = loaded
        .next(&cause(), world.kit().now())
        .event(event)
        .group("w-physio");
    if let Some((at, owner)) = due {
        next = next.due(time(at), owner);
    }
    journal
        .append(next.build().expect("a commit"))
        .await
        .expect("appended");
}

/// `stream dueAt group` of what the owner was told since it last looked.
async fn told(world: &World) -> Vec<String> {
    let handed = world.handed().await;
    let line = |one: &crate::world::Handed| format!("{} {} {}", one.stream, one.due_at, one.group);
    handed.iter().map(line).collect()
}

async fn swept(world: &World) -> (u64, u64) {
    let answer = world.sweep().await.expect("swept");
    let number = |name: &str| answer[name].as_u64().expect("a number");
    (number("seen"), number("handedOver"))
}

#[tokio::test(start_paused = true)]
async fn due_work_is_found_without_any_message() {
    let world = World::new().await;
    commit(&world, "s-1", Some(("2026-03-02T10:05:00.000Z", OWNER))).await;
    assert_eq!(swept(&world).await, (0, 0));
    world.run_until("2026-03-02T10:05:00.000Z").await;
    assert_eq!(swept(&world).await, (1, 1));
    assert_eq!(
        told(&world).await,
        ["slot#s-1 2026-03-02T10:05:00.000Z w-physio"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_told_by_a_timer_and_by_the_sweep_is_one_command() {
    let world = World::new().await;
    world.invoke(&crate::world::sample("good")).await;
    commit(
        &world,
        "slot-0930",
        Some(("2026-03-02T10:00:30.000Z", OWNER)),
    )
    .await;
    world.run_until("2026-03-02T10:01:00.000Z").await;
    world.sweep().await.expect("swept");
    world.sweep().await.expect("swept twice");
    assert_eq!(
        told(&world).await,
        ["slot#slot-0930 2026-03-02T10:00:30.000Z w-physio"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_another_followed_is_no_longer_due() {
    let world = World::new().await;
    commit(&world, "s-done", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    commit(&world, "s-done", None).await;
    commit(&world, "s-moved", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    commit(&world, "s-moved", Some(("2026-03-02T10:09:00.000Z", OWNER))).await;
    world.run_until("2026-03-02T10:02:00.000Z").await;
    assert_eq!(swept(&world).await, (2, 0));
    world.run_until("2026-03-02T10:10:00.000Z").await;
    assert_eq!(swept(&world).await, (3, 1));
    assert_eq!(
        told(&world).await,
        ["slot#s-moved 2026-03-02T10:09:00.000Z w-physio"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_tail_is_read_once_after_it_was_found_overtaken() {
    let world = World::new().await;
    world.sweep().await.expect("the first one reads a day back");
    commit(&world, "s-1", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    commit(&world, "s-1", None).await;
    world.run_until("2026-03-02T10:02:00.000Z").await;
    let mut requests = Vec::new();
    for _ in 0..2 {
        world.kit().faults().reset();
        world.sweep().await.expect("swept");
        requests.push(world.kit().faults().costs().requests("Query"));
    }
    assert_eq!(requests[0], requests[1] + 1);
}

#[tokio::test(start_paused = true)]
async fn settled_buckets_are_not_read_again_but_late_work_in_them_is_told_until_it_is_done() {
    let mut world = World::new().await;
    commit(&world, "s-stuck", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    commit(&world, "s-done", Some(("2026-03-02T10:02:00.000Z", OWNER))).await;
    commit(&world, "s-done", None).await;
    world.run_until("2026-03-02T10:29:00.000Z").await;
    assert_eq!(swept(&world).await, (2, 1));
    told(&world).await;
    // Bucket 10:00 is settled 20 minutes after its end.
    world.run_until("2026-03-02T10:35:00.000Z").await;
    assert_eq!(swept(&world).await, (2, 1));
    world.restart().await;
    world.run_until("2026-03-02T10:41:00.000Z").await;
    assert_eq!(swept(&world).await, (1, 1), "the late one alone");
    assert!(!told(&world).await.is_empty());
    world.kit().faults().reset();
    world.sweep().await.expect("swept");
    let queries = world.kit().faults().costs().requests("Query");
    assert_eq!(
        queries,
        3 * 8 + 1,
        "three open buckets, eight shards, one tail"
    );
    commit(&world, "s-stuck", None).await;
    assert_eq!(swept(&world).await, (1, 0));
    assert_eq!(swept(&world).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_looks_a_day_back() {
    let world = World::new().await;
    commit(&world, "s-old", Some(("2026-03-01T12:00:00.000Z", OWNER))).await;
    commit(&world, "s-older", Some(("2026-03-01T08:00:00.000Z", OWNER))).await;
    assert_eq!(swept(&world).await, (1, 1));
    assert_eq!(
        told(&world).await,
        ["slot#s-old 2026-03-01T12:00:00.000Z w-physio"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_cannot_be_told_blocks_no_other_and_is_told_by_the_next_sweep() {
    let world = World::new().await;
    commit(&world, "s-1", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    commit(&world, "s-2", Some(("2026-03-02T10:01:00.000Z", "nobody"))).await;
    commit(&world, "s-3", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    world.run_until("2026-03-02T10:02:00.000Z").await;
    let error = world.sweep().await.expect_err("one has no owner");
    assert_eq!(
        error.to_string(),
        "the owners of 1 due streams were not told"
    );
    assert_eq!(told(&world).await.len(), 2);
    commit(&world, "s-2", None).await;
    let faults = world.kit().faults();
    // Two streams, three tries of the SDK each.
    faults.times("SendMessage", 6, &Fault::Throttle);
    world.sweep().await.expect_err("the queue throttles");
    world.kit().advance(5 * MINUTE).await;
    assert_eq!(swept(&world).await.1, 2);
    assert_eq!(told(&world).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_two_sweeps_at_once_both_succeed() {
    let world = World::new().await;
    commit(&world, "s-1", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    world.run_until("2026-03-02T10:40:00.000Z").await;
    let (one, other) = tokio::join!(world.sweep(), world.sweep());
    one.expect("swept");
    other.expect("swept");
    assert_eq!(told(&world).await.len(), 1);
    assert_eq!(swept(&world).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn how_long_open_work_has_been_due_is_measured_and_nothing_when_there_is_none() {
    let mut world = World::new().await;
    let measured = world.measure();
    world.sweep().await.expect("swept");
    commit(&world, "s-1", Some(("2026-03-02T10:01:00.000Z", OWNER))).await;
    commit(&world, "s-2", Some(("2026-03-02T10:03:00.000Z", OWNER))).await;
    world.run_until("2026-03-02T10:04:00.000Z").await;
    world.sweep().await.expect("swept");
    assert_eq!(
        measured.values(Metric::DeadlineOverdue),
        [serde_json::json!([180_000])]
    );
}
