//! What becomes of a slot when the practice's own calendar speaks, and what it costs.

use std::collections::BTreeMap;

use callboard_contracts::waitlist::{BookedBy, Mode, Policy, PolicySet};
use callboard_contracts::{Cause, StreamId, WaitlistId};
use callboard_domain::waitlist::slot::SlotStatus;
use callboard_domain::waitlist::{Policies, policy};
use callboard_runtime::batch::MAX_TRIES;
use callboard_testkit::Fault;
use serde_json::json;

use crate::world::{World, batch, booked, cancelled, published, unpublished, word};

fn is_open(status: &SlotStatus) -> bool {
    matches!(status, SlotStatus::Open { .. })
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_elsewhere_becomes_a_release_with_its_cascade() {
    let world = World::open().await;
    world.hear(&[cancelled("apt-1", 4)]).await;
    let commits = world.commits("apt-1").await;
    let [commit] = commits.as_slice() else {
        panic!("{commits:?}");
    };
    let types: Vec<_> = commit
        .events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    assert_eq!(
        types,
        [
            "callboard.waitlist.slot-released.v1",
            "callboard.waitlist.calendar-told.v1"
        ]
    );
    assert_eq!(
        commit
            .events
            .iter()
            .map(|event| event.public)
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(commit.cause.correlation_id, "req-1");
    assert_eq!(commit.group.as_deref(), Some("physio-north"));
    assert_eq!(
        commit.due.as_ref().map(|due| due.queue.as_str()),
        Some("waitlist-cascade")
    );
    assert_eq!(commit.events[0].data["externalId"], "apt-1");
    assert_eq!(commit.events[0].data["offerWindowSeconds"], 600);
}

#[tokio::test(start_paused = true)]
async fn a_release_takes_the_waitlists_policy_with_it() {
    let world = World::open().await;
    let waitlist = WaitlistId::parse("physio-north").unwrap();
    let mut set = policy::standard();
    set.rules.mode = Mode::Batch { size: 3 };
    let policies = world
        .kit
        .journal()
        .load::<Policies>(&StreamId::waitlist(&waitlist))
        .await;
    let cause = Cause {
        causation_id: "t".into(),
        correlation_id: "t".into(),
        hash: "t".into(),
        traceparent: None,
    };
    let event = PolicySet {
        waitlist_id: waitlist,
        version: 1,
        service: Some("physio".to_owned()),
        policy: Policy {
            window_seconds: 120,
            ..set
        },
    };
    let commit = policies
        .unwrap()
        .next(&cause, crate::world::NOON)
        .event(event)
        .build();
    world.kit.journal().append(commit.unwrap()).await.unwrap();
    world.hear(&[published("apt-1", 1)]).await;
    let slot = world.slot("apt-1").await.state;
    let facts = slot.facts.unwrap();
    let ends = facts.offer_expires_at(crate::world::NOON);
    assert_eq!(ends.since(crate::world::NOON).as_secs(), 120);
    assert_eq!(facts.offers_at_once(), 3);
    assert_eq!(facts.terms.policy_version, 1);
}

#[tokio::test(start_paused = true)]
async fn a_booking_elsewhere_takes_the_slot_from_the_waitlist_and_a_cancellation_gives_it_back() {
    let world = World::open().await;
    world.hear(&[published("apt-1", 1)]).await;
    world.hear(&[booked("apt-1", 2)]).await;
    let slot = world.slot("apt-1").await.state;
    let SlotStatus::Booked {
        by,
        external_id,
        recipient_id,
    } = slot.status
    else {
        panic!("{slot:?}");
    };
    assert_eq!(
        (by, external_id.as_deref()),
        (BookedBy::Elsewhere, Some("apt-1"))
    );
    assert_eq!(recipient_id.unwrap().as_str(), "usr-456");
    world.hear(&[cancelled("apt-1", 3)]).await;
    let slot = world.slot("apt-1").await.state;
    assert!(is_open(&slot.status));
    assert_eq!(slot.version(), 2);
    world.hear(&[unpublished("apt-1", 4)]).await;
    assert_eq!(
        world.slot("apt-1").await.state.status,
        SlotStatus::Withdrawn
    );
}

#[tokio::test(start_paused = true)]
async fn every_word_twice_and_out_of_order_ends_as_the_calendar_said_last() {
    for seed in 0..12 {
        let world = World::open().await;
        let mut words = Vec::new();
        for name in ["a", "b", "c"] {
            words.extend([published(name, 1), booked(name, 2), cancelled(name, 3)]);
        }
        words.extend([booked("b", 4), booked("c", 4), cancelled("c", 5)]);
        let mut twice: Vec<_> = words.iter().chain(&words).cloned().collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut twice);
        for some in twice.chunks(10) {
            world.hear(some).await;
        }
        for (name, open, revision) in [("a", true, 3), ("b", false, 4), ("c", true, 5)] {
            let slot = world.slot(name).await.state;
            assert_eq!(is_open(&slot.status), open, "{seed} {name}: {slot:?}");
            assert_eq!(slot.calendar.map(|last| last.revision), Some(revision));
        }
        assert!(world.dead().await.is_empty(), "{seed}");
        let before = world.journal().await.len();
        world.hear(&words[..10]).await;
        assert_eq!(
            world.journal().await.len(),
            before,
            "heard again, nothing is written"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_set_aside_with_its_reason_and_its_neighbours_are_done() {
    let world = World::open().await;
    let mut past = published("past", 1);
    past.data["startsAt"] = json!("2020-05-02T09:00:00Z");
    let mut backwards = published("backwards", 1);
    backwards.data["endsAt"] = json!("2026-05-02T08:00:00Z");
    let mut zone = published("zone", 1);
    zone.data["zone"] = json!("Canary/Bird");
    let mut waitlist = published("waitlist", 1);
    waitlist.data["waitlistId"] = json!("canary bird!");
    let mut revision = published("revision", 1);
    revision.data["revision"] = json!("soon, canary");
    let words = [
        past,
        published("a", 1),
        backwards,
        zone,
        waitlist,
        revision,
        published("b", 1),
    ];
    world.hear(&words).await;
    assert_eq!(world.journal().await.len(), 2);
    let mut dead = world.dead().await;
    dead.sort();
    assert_eq!(dead.len(), 5, "{dead:?}");
    for (reason, start) in dead.iter().zip([
        "ends-before-start: slot ",
        "slot-detail: slot ",
        "starts-in-past: slot ",
        "the data's /revision: ",
        "the data's /waitlistId: ",
    ]) {
        assert!(reason.starts_with(start), "{reason}");
        assert!(!reason.to_lowercase().contains("canary"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_no_waitlist_means_nothing_and_an_unknown_type_waits_for_other_code() {
    let world = World::open().await;
    let mut elsewhere = booked("apt-1", 2);
    elsewhere.data.as_object_mut().unwrap().remove("waitlistId");
    world.hear(&[elsewhere]).await;
    assert!(world.journal().await.is_empty());
    let newer = word("x", "slot-doubled", json!({}));
    assert_eq!(
        world.invoke(batch(std::slice::from_ref(&newer))).await,
        ["m-0"]
    );
    let mut last = batch(&[newer]);
    last["Records"][0]["attributes"]["ApproximateReceiveCount"] = json!(MAX_TRIES.to_string());
    assert!(world.invoke(last).await.is_empty());
    let dead = world.dead().await;
    assert!(
        dead[0].contains("is not registered in this version"),
        "{dead:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_tried_again_and_has_its_effect_once() {
    let world = World::open().await;
    for (name, call, fault) in [
        ("a", "PutItem", Fault::DropRequest),
        ("b", "PutItem", Fault::DropAnswer),
        ("c", "Query", Fault::DropRequest),
    ] {
        world.kit.faults().times(call, 200, &fault);
        let failed = world.invoke(batch(&[cancelled(name, 3)])).await;
        assert_eq!(failed, ["m-0"], "{name}");
        world.kit.faults().reset();
        world.hear(&[cancelled(name, 3)]).await;
        assert_eq!(world.commits(name).await.len(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_costs_two_reads_and_two_write_units_and_a_booking_one_of_each() {
    let world = World::open().await;
    world.hear(&[published("apt-1", 1)]).await;
    let costs = world.costs();
    let calls = BTreeMap::from([("PutItem".to_owned(), 1), ("Query".to_owned(), 2)]);
    assert_eq!(costs.by_operation, calls);
    let units = costs.all_write_units();
    world.hear(&[booked("apt-1", 2)]).await;
    let after = world.costs();
    let calls = BTreeMap::from([("PutItem".to_owned(), 2), ("Query".to_owned(), 3)]);
    assert_eq!(after.by_operation, calls);
    println!(
        "write units: release {units}, booking {}",
        after.all_write_units() - units
    );
    assert!((after.all_write_units() - units - 1.0).abs() < f64::EPSILON);
}
