//! What a slot and an entry contribute to the figures.

use callboard_contracts::waitlist::{EntryEvent, EntryLeft, OverrideReason, RankTo, SlotEvent};
use serde_json::{Value, json};

use crate::events::{
    accepted, batch, booked, broadcast, expired, filled, offer_of, one_declined, opened, overridden,
};
use crate::world::{
    World, declined, figures, held, id, joined, minutes, offered, released, withdrawn,
};

/// What is not 0 of the only version.
async fn only(world: &World) -> Value {
    let figures = figures(world).await;
    assert_eq!(figures.len(), 1, "{figures:?}");
    let mut doc = figures.into_iter().next().expect("one").1;
    let members = doc.as_object_mut().expect("an object");
    for same in [
        "of",
        "waitlistId",
        "service",
        "version",
        "releasedAt",
        "released",
    ] {
        members.remove(same).expect(same);
    }
    doc
}

#[tokio::test(start_paused = true)]
async fn every_offer_of_a_version_is_counted_by_its_end() {
    let world = World::new().await;
    world.slot([released(1, "physio")]).await;
    assert_eq!(only(&world).await, json!({}));
    world.slot([held("entry-a", "offer-1")]).await;
    world.slot([declined("offer-1")]).await;
    world
        .slot([batch(&["entry-b", "entry-c", "entry-d"])])
        .await;
    assert_eq!(only(&world).await, json!({ "offers": 4, "declined": 1 }));
    world.slot([one_declined(&offer_of("entry-b"))]).await;
    minutes(31).await;
    world
        .slot([expired(), batch(&["entry-ada", "entry-e"])])
        .await;
    assert_eq!(
        only(&world).await,
        json!({ "offers": 6, "declined": 2, "expired": 2 })
    );
    // An acceptance received in time, committed after the deadline: the other offer has run out.
    world.slot([filled(&offer_of("entry-ada"), false)]).await;
    assert_eq!(
        only(&world).await,
        json!({ "offers": 6, "declined": 2, "expired": 3, "filled": 1, "msToFill": 31 * 60_000 })
    );
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_another_was_faster_than_is_no_refusal() {
    let world = World::new().await;
    world.slot([released(1, "physio")]).await;
    world.slot([batch(&["entry-ada", "entry-b"])]).await;
    minutes(7).await;
    world.slot([filled(&offer_of("entry-ada"), false)]).await;
    assert_eq!(
        only(&world).await,
        json!({ "offers": 2, "ended": 1, "filled": 1, "msToFill": 420_000 })
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_ends_in_one_way_by_what_the_waitlist_knew() {
    let ends: [(Vec<SlotEvent>, Value); 6] = [
        (vec![booked()], json!({ "booked": 1 })),
        (vec![withdrawn()], json!({ "withdrawn": 1 })),
        // Whatever the public makes of it.
        (vec![opened(), booked()], json!({ "openedToPublic": 1 })),
        (vec![opened(), withdrawn()], json!({ "openedToPublic": 1 })),
        (
            vec![filled("offer-1", true)],
            json!({ "filled": 1, "automatic": 1, "offers": 1, "msToFill": 0 }),
        ),
        (
            vec![broadcast(), filled("offer-1", false)],
            json!({ "filled": 1, "broadcasts": 1, "byBroadcast": 1, "msToFill": 0 }),
        ),
    ];
    for (events, expected) in ends {
        let world = World::new().await;
        world.slot([released(1, "physio")]).await;
        for event in events {
            world.slot([event]).await;
        }
        assert_eq!(only(&world).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_nobody_had_taken_when_it_started_is_not_withdrawn() {
    let world = World::new().await;
    world.slot([released(1, "physio")]).await;
    minutes(5 * 60).await;
    world.slot([withdrawn()]).await;
    assert_eq!(only(&world).await, json!({ "unfilled": 1 }));
}

#[tokio::test(start_paused = true)]
async fn each_version_stands_under_the_day_and_the_service_of_its_own_release() {
    let world = World::new().await;
    world.slot([released(1, "physio")]).await;
    world.slot([filled("offer-1", true)]).await;
    let first = figures(&world).await;
    minutes(24 * 60).await;
    world.slot([released(2, "massage")]).await;
    let both = figures(&world).await;
    assert_eq!(both[0], first[0]);
    assert_eq!(both[1].0, "2026-03-03 slot#slot-0900#2");
    assert_eq!(both[1].1["service"], "massage");
    for version in 3..=10 {
        world.slot([withdrawn()]).await;
        world.slot([released(version, "physio")]).await;
    }
    let all = figures(&world).await;
    assert_eq!((all.len(), &all[0]), (8, &first[0]));
    // What is beyond the eighth is counted, and not told apart.
    let last = &all[7].1;
    assert_eq!(
        (&last["version"], &last["released"], &last["unfilled"]),
        (&json!(8), &json!(3), &json!(2))
    );
    world.slot([filled("offer-9", true)]).await;
    let last = &figures(&world).await[7].1;
    assert_eq!((&last["filled"], last.get("msToFill")), (&json!(1), None));
}

#[tokio::test(start_paused = true)]
async fn an_entry_moves_from_those_who_wait_to_the_day_of_its_end() {
    let world = World::new().await;
    world.entry([joined()]).await;
    let waiting = json!({
        "of": "waiting", "service": "physio", "urgency": "soon",
        "joinedAt": "2026-03-02T10:00:00.000Z",
    });
    let key = "waiting 1772445600000#entry-ada".to_owned();
    assert_eq!(figures(&world).await, [(key, waiting)]);
    minutes(24 * 60).await;
    world.entry([offered(), accepted()]).await;
    let waited = json!({
        "of": "waited", "service": "physio", "urgency": "soon", "booked": true,
        "joinedAt": "2026-03-02T10:00:00.000Z", "endedAt": "2026-03-03T10:00:00.000Z",
    });
    let key = "2026-03-03 entry#entry-ada".to_owned();
    assert_eq!(figures(&world).await, [(key, waited)]);
}

#[tokio::test(start_paused = true)]
async fn every_change_of_rank_stands_under_its_own_day() {
    let world = World::new().await;
    world.entry([joined()]).await;
    world
        .entry([overridden(RankTo::Front, OverrideReason::Clinical)])
        .await;
    minutes(24 * 60).await;
    world
        .entry([overridden(RankTo::Own, OverrideReason::Complaint)])
        .await;
    let rows = figures(&world).await;
    let keys: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "2026-03-02 override#entry-ada#0",
            "2026-03-03 override#entry-ada#1",
            "waiting 1772445600000#entry-ada",
        ]
    );
    assert_eq!(
        rows[1].1,
        json!({
            "of": "override", "service": "physio", "reason": "complaint", "count": 1,
            "at": "2026-03-03T10:00:00.000Z",
        })
    );
    for _ in 0..5 {
        for to in [RankTo::Front, RankTo::Own] {
            world.entry([overridden(to, OverrideReason::Other)]).await;
        }
    }
    let rows = figures(&world).await;
    let counts: Vec<i64> = rows
        .iter()
        .filter_map(|row| row.1["count"].as_i64())
        .collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 1, 5]);
    let left = EntryLeft {
        waitlist_id: id("w-physio"),
        entry_id: id("entry-ada"),
    };
    world.entry([EntryEvent::from(left)]).await;
    assert_eq!(figures(&world).await.len(), 9);
}
