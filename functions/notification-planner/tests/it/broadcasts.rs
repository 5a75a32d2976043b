//! An event about several people: one notification for each.

use callboard_contracts::Envelope;
use callboard_contracts::waitlist::{BroadcastAnnounced, Invited};
use callboard_domain::notifications::definition::Catalogue;
use callboard_runtime::journal::WRITE_UNIT_BYTES;
use callboard_testkit::{Fault, twice_and_backwards};
use notification_planner::plan;
use serde_json::json;

use crate::world::{NOON, World, batch, order};

const DEFINITION: &str = "waitlist-broadcast";

/// As many as one commit tells.
const TOLD: usize = 16;

fn announced(people: impl IntoIterator<Item = String>) -> Envelope {
    let told = BroadcastAnnounced {
        waitlist_id: "w-physio".parse().unwrap(),
        slot_id: "slot-0900".parse().unwrap(),
        slot_version: 1,
        service: "physio".to_owned(),
        starts_at: NOON,
        ends_at: NOON,
        expires_at: NOON,
        location: None,
        provider: None,
        zone: None,
        invited: people
            .into_iter()
            .enumerate()
            .map(|(number, person)| Invited {
                entry_id: format!("entry-{number}").parse().unwrap(),
                recipient_id: person.parse().unwrap(),
                proxy_id: None,
            })
            .collect(),
    };
    let mut event = order(1, json!(told));
    event.event_type = "callboard.waitlist.broadcast-announced.v1".to_owned();
    event.subject = Some("broadcast#slot-0900#1".to_owned());
    event
}

fn sixteen() -> impl Iterator<Item = String> {
    (0..TOLD).map(|number| format!("usr-{number}"))
}

#[tokio::test(start_paused = true)]
async fn each_person_whom_an_event_names_has_a_notification_of_their_own() {
    let world = World::open().await;
    let event = announced(sixteen());
    let message = batch(std::slice::from_ref(&event));
    assert!(world.invoke(message.clone()).await.is_empty());
    assert_eq!(world.costs().requests("PutItem"), 16);
    assert!(world.invoke(twice_and_backwards(&message)).await.is_empty());
    assert_eq!(world.size().await, TOLD);
    for person in sixteen() {
        let commits = world.planned(&event, &person, DEFINITION).await;
        assert_eq!(commits.len(), 1, "{person}");
        let planned = &commits[0].events[0].data;
        assert_eq!(planned["recipientId"], json!(person));
        assert_eq!(planned["cause"]["stream"], "broadcast#slot-0900#1");
    }
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_who_cannot_be_planned_now_keeps_no_other_from_it_and_comes_back() {
    let world = World::open().await;
    let message = batch(&[announced(sixteen())]);
    world.faults().times("PutItem", 18, &Fault::DropRequest);
    assert_eq!(world.invoke(message.clone()).await.len(), 1);
    assert_eq!(world.size().await, TOLD - 1);
    assert!(world.invoke(message).await.is_empty());
    assert_eq!(world.size().await, TOLD);
}

#[tokio::test(start_paused = true)]
async fn a_person_named_twice_is_told_once() {
    let world = World::open().await;
    let twice = ["usr-1", "usr-2", "usr-1"].map(str::to_owned);
    let message = batch(&[announced(twice)]);
    assert!(world.invoke(message).await.is_empty());
    assert_eq!(world.size().await, 2);
}

#[test]
fn the_plan_for_one_of_a_broadcast_fits_into_one_write_unit() {
    let long = "x".repeat(64);
    let mut event = announced([long.clone()]);
    event.subject = Some(format!("broadcast#{long}#4294967295"));
    event.correlationid = Some(long);
    event.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    let catalogue = Catalogue::builtin().unwrap();
    let definition = catalogue.get(DEFINITION).unwrap();
    let commits = plan::commits(definition, &event, &event.as_cause(), NOON).unwrap();
    let [commit] = commits.as_slice() else {
        panic!("{} commits", commits.len())
    };
    assert!(
        commit.bytes() <= WRITE_UNIT_BYTES,
        "{} bytes",
        commit.bytes()
    );
}
