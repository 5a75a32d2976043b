//! What follows from an event, and what it costs.

use std::collections::BTreeMap;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::{
    EntryPaused, OfferAccepted, OfferMade, OfferSuperseded, PauseReason,
};
use callboard_domain::notifications::definition::Catalogue;
use callboard_runtime::batch::MAX_TRIES;
use callboard_runtime::journal::WRITE_UNIT_BYTES;
use callboard_testkit::Costs;
use notification_planner::plan;
use serde_json::json;

use crate::world::{NOON, World, batch, order, order_data};

const ORDER: &str = "order-confirmation";

#[tokio::test(start_paused = true)]
async fn an_order_leads_to_one_planned_notification_at_number_one() {
    let world = World::open().await;
    let event = order(1, order_data(1, "usr-456"));
    assert!(
        world
            .invoke(batch(std::slice::from_ref(&event)))
            .await
            .is_empty()
    );

    let commits = world.planned(&event, "usr-456", ORDER).await;
    assert_eq!(commits.len(), 1);
    let planned = &commits[0];
    assert_eq!(planned.number, 1);
    assert_eq!(
        planned.events[0].event_type,
        "callboard.notification.notification-planned.v1"
    );
    assert_eq!(planned.events[0].data["recipientId"], "usr-456");
    assert_eq!(
        planned.events[0].data["cause"],
        json!({"stream": "event#orders#ord-1", "commit": 1, "index": 0})
    );
    assert_eq!(planned.cause.correlation_id, "req-1");
    let kept = planned.expires.unwrap().since(NOON).as_secs() / 86_400;
    assert!(kept >= 60, "kept for {kept} days");
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_ten_costs_one_request_and_one_write_unit_each() {
    let world = World::open().await;
    let events: Vec<_> = (0..10)
        .map(|n| order(n, order_data(n, &format!("usr-{n}"))))
        .collect();
    world.invoke(batch(&events)).await;
    let costs = world.costs();
    let calls = BTreeMap::from([("PutItem".to_owned(), 10)]);
    assert_eq!(costs.by_operation, calls);
    assert!((costs.all_write_units() - 10.0).abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn every_event_twice_and_out_of_order_plans_each_notification_once() {
    let world = World::open().await;
    let events: Vec<_> = (0..5)
        .map(|n| order(n, order_data(n, &format!("usr-{n}"))))
        .collect();
    let mut twice: Vec<_> = events.iter().chain(&events).cloned().collect();
    fastrand::Rng::with_seed(7).shuffle(&mut twice);
    for _ in 0..2 {
        assert!(world.invoke(batch(&twice)).await.is_empty());
    }
    assert_eq!(world.size().await, 5);
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_event_id_with_other_data_is_dead_lettered() {
    let world = World::open().await;
    world
        .invoke(batch(&[order(1, order_data(1, "usr-456"))]))
        .await;
    let mut other = order_data(1, "usr-456");
    other["totalAmount"] = json!(3_000);
    assert!(world.invoke(batch(&[order(1, other)])).await.is_empty());

    assert_eq!(world.size().await, 1);
    let reasons = world.dead().await;
    assert!(
        reasons[0].contains("the same event id with other data"),
        "{reasons:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_without_its_recipient_is_dead_lettered_and_its_neighbour_is_planned() {
    let world = World::open().await;
    let mut nobody = order_data(1, "usr-456");
    nobody.as_object_mut().unwrap().remove("userId");
    let events = [
        order(1, nobody),
        order(2, order_data(2, "usr-456")),
        order(3, order_data(3, "not an id")),
    ];
    assert!(world.invoke(batch(&events)).await.is_empty());

    assert_eq!(world.size().await, 1);
    let reasons = world.dead().await;
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons.iter().all(|reason| reason.contains("/userId")),
        "{reasons:?}"
    );
    assert!(
        !reasons.iter().any(|reason| reason.contains("not an id")),
        "{reasons:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_no_definition_is_for_is_done_without_a_request() {
    let world = World::open().await;
    let mut event = order(1, json!({}));
    event.event_type = "callboard.waitlist.slot-held.v1".to_owned();
    assert!(world.invoke(batch(&[event])).await.is_empty());
    assert_eq!(world.costs(), Costs::default());
}

#[tokio::test(start_paused = true)]
async fn what_only_other_code_knows_comes_back_and_ends_as_a_letter_that_names_it() {
    for (event_type, back) in [
        ("callboard.waitlist.offer-made.v9", 4),
        ("com.example.orders.order-placed.v9", 4),
        ("callboard.waitlist.offer-sung.v1", 0),
    ] {
        let world = World::open().await;
        let mut event = order(1, json!({}));
        event.event_type = event_type.to_owned();
        let mut deliveries = batch(&[event]);
        let mut came_back = 0;
        for receive_count in 1..=MAX_TRIES {
            deliveries["Records"][0]["attributes"]["ApproximateReceiveCount"] =
                json!(receive_count.to_string());
            let failed = world.invoke(deliveries.clone()).await;
            came_back += failed.len();
            if failed.is_empty() {
                break;
            }
        }
        assert_eq!(came_back, back, "{event_type}");
        let reasons = world.dead().await;
        assert_eq!(reasons.len(), 1, "{event_type}");
        assert!(reasons[0].contains(event_type), "{reasons:?}");
        assert_eq!(world.size().await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_older_than_fourteen_days_is_recorded_as_dropped_and_asks_nobody_to_deliver() {
    let world = World::open().await;
    let mut event = order(1, order_data(1, "usr-456"));
    event.time = Timestamp::from_millis(NOON.as_millis() - 14 * 24 * 3_600_000 - 1);
    world.invoke(batch(std::slice::from_ref(&event))).await;

    let commits = world.planned(&event, "usr-456", ORDER).await;
    let types: Vec<_> = commits[0]
        .events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    assert_eq!(types, ["callboard.notification.notification-dropped.v1"]);
    let dropped = &commits[0].events[0].data;
    assert_eq!(dropped["reason"], "stale");
    let not_planned = &dropped["insteadOf"];
    assert_eq!(not_planned["recipientId"], "usr-456");
    assert_eq!(not_planned["definition"], ORDER);
    assert_eq!(
        not_planned["cause"],
        json!({"stream": "event#orders#ord-1", "commit": 1, "index": 0})
    );
}

#[tokio::test(start_paused = true)]
async fn an_envelope_that_does_not_say_where_it_stands_is_poison() {
    let world = World::open().await;
    let mut no_sequence = order(1, order_data(1, "usr-456"));
    no_sequence.sequence = None;
    let mut no_stream = order(2, order_data(2, "usr-456"));
    no_stream.subject = Some("nowhere".to_owned());
    assert!(
        world
            .invoke(batch(&[no_sequence, no_stream]))
            .await
            .is_empty()
    );
    assert_eq!(world.dead().await.len(), 2);
    assert_eq!(world.size().await, 0);
}

/// A foreign event whose source, id, recipient and correlation are 64 bytes each.
#[test]
fn the_plan_of_a_foreign_event_with_long_ids_fits_into_one_write_unit() {
    let long = "x".repeat(64);
    let mut event = order(1, order_data(1, &long));
    event.subject = Some(format!("event#{long}#{long}"));
    event.correlationid = Some(long);
    event.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    let catalogue = Catalogue::builtin().unwrap();
    for definition in catalogue.for_event(&event.event_type) {
        let commit = plan::commits(definition, &event, &event.as_cause(), NOON)
            .unwrap()
            .remove(0);
        assert!(
            commit.bytes() <= WRITE_UNIT_BYTES,
            "{} bytes",
            commit.bytes()
        );
    }
}

const LONGEST_ZONE: &str = "America/Argentina/ComodRivadavia";

/// Ids as long as they may be, in the events that this tree's own definitions are for.
#[test]
fn the_largest_plan_of_an_own_event_fits_into_one_write_unit() {
    let long = "x".repeat(64);
    let offer = OfferMade {
        waitlist_id: long.parse().unwrap(),
        entry_id: long.parse().unwrap(),
        recipient_id: long.parse().unwrap(),
        offer_id: long.parse().unwrap(),
        slot_id: long.parse().unwrap(),
        slot_version: 1,
        service: long.clone(),
        starts_at: NOON,
        ends_at: NOON,
        expires_at: NOON,
        zone: Some(LONGEST_ZONE.to_owned()),
        proxy_id: None,
        batch: None,
        skip_limit: None,
        score: None,
        gives_up_starts_at: None,
    };
    let accepted = OfferAccepted {
        waitlist_id: long.parse().unwrap(),
        entry_id: long.parse().unwrap(),
        recipient_id: long.parse().unwrap(),
        offer_id: long.parse().unwrap(),
        slot_id: long.parse().unwrap(),
        service: long.clone(),
        starts_at: NOON,
        ends_at: NOON,
        zone: Some(LONGEST_ZONE.to_owned()),
        location: Some(long.clone()),
        slot_version: None,
        proxy_id: None,
        auto: false,
        score: None,
        swapped: None,
        swapped_starts_at: None,
        swap_failed: false,
    };
    let superseded = OfferSuperseded {
        waitlist_id: long.parse().unwrap(),
        entry_id: long.parse().unwrap(),
        recipient_id: long.parse().unwrap(),
        proxy_id: None,
        offer_id: long.parse().unwrap(),
        slot_id: long.parse().unwrap(),
        service: long.clone(),
        starts_at: NOON,
        zone: Some(LONGEST_ZONE.to_owned()),
    };
    let paused = EntryPaused {
        waitlist_id: long.parse().unwrap(),
        entry_id: long.parse().unwrap(),
        recipient_id: long.parse().unwrap(),
        proxy_id: None,
        reason: PauseReason::Skips,
        skips: 3,
    };
    let catalogue = Catalogue::builtin().unwrap();
    let cases = [
        ("callboard.waitlist.offer-made.v1", json!(offer)),
        ("callboard.waitlist.offer-accepted.v1", json!(accepted)),
        ("callboard.waitlist.offer-superseded.v1", json!(superseded)),
        ("callboard.waitlist.entry-paused.v1", json!(paused)),
    ];
    for (event_type, data) in cases {
        let mut event = order(1, data);
        event.event_type = event_type.to_owned();
        event.subject = Some(format!("entry#{long}"));
        event.correlationid = Some(long.clone());
        event.traceparent =
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
        let mut definitions = catalogue.for_event(event_type).peekable();
        assert!(definitions.peek().is_some(), "{event_type}");
        for definition in definitions {
            let commit = plan::commits(definition, &event, &event.as_cause(), NOON)
                .unwrap()
                .remove(0);
            assert!(
                commit.bytes() <= WRITE_UNIT_BYTES,
                "{}: {} bytes",
                definition.id,
                commit.bytes()
            );
        }
    }
}
