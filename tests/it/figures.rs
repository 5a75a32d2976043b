//! A morning of a clinic, played by hand, and its figures.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;
use crate::story::{Person, link};

const WINDOW: Duration = Duration::from_secs(1_800);

/// The links that somebody has got, until there are so many; the last of them.
async fn nth_offer(house: &House, person: &Person, count: usize) -> String {
    let mut known = BTreeSet::new();
    for number in 1..=count {
        let patience = Duration::from_secs(7_200);
        let what = format!("offer {number} to {}", person.id);
        let new = house
            .until_within(patience, &what, async || {
                let mails = house.mails_to(&person.email).await;
                let mut links = mails.iter().filter_map(link);
                links.find(|link| !known.contains(link))
            })
            .await;
        if number == count {
            return new;
        }
        known.insert(new);
    }
    unreachable!("offers are counted from one")
}

/// Seconds from the first event of one type in a stream to the first of another.
async fn seconds(house: &House, stream: &str, from: &str, to: &str) -> f64 {
    let commits = house.journal().await;
    let of = |event_type: &str| {
        let event_type = format!("callboard.waitlist.{event_type}.v1");
        let mut commits = commits
            .iter()
            .filter(|commit| commit.stream.as_str() == stream);
        let found = commits.find(|commit| {
            let mut events = commit.events.iter();
            events.any(|event| event.event_type == event_type)
        });
        found
            .unwrap_or_else(|| panic!("{event_type} in {stream}"))
            .at
    };
    of(to).since(of(from)).as_secs_f64()
}

fn close(value: &Value, expected: f64) {
    let value = value.as_f64().expect("a number");
    assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[tokio::test(start_paused = true)]
async fn a_mornings_figures_are_what_was_counted_by_hand() {
    let house = House::still().await;
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    let (carl, dora) = (house.register("carl").await, house.register("dora").await);
    house.join("clinic", &anna, "urgent").await;
    let ben_waits = house.join("clinic", &ben, "routine").await;
    let carl_waits = house.join("clinic", &carl, "routine").await;
    let dora_waits = house.join("clinic", &dora, "soon").await;
    let entries = "/v1/waitlists/clinic/entries";
    let leaves = format!("{entries}/{dora_waits}");
    let left = house.api.json("DELETE", &leaves, &json!({})).await;
    left.expect(200);

    // Anna declines, Ben is silent, Carl accepts.
    let first = house.release("clinic", WINDOW).await.slot;
    let offer = nth_offer(&house, &anna, 1).await;
    house.press(&offer, "decline").await.expect(200);
    nth_offer(&house, &ben, 1).await;
    let offer = nth_offer(&house, &carl, 1).await;
    house.press(&offer, "accept").await.expect(200);
    house.slot_when(&first, "booked").await;

    // Ben is moved to the front, and accepts at once.
    let front = format!("{entries}/{ben_waits}/override");
    let body = json!({ "to": "front", "reason": "complaint" });
    let moved = house.api.json("POST", &front, &body).await.expect(200);
    let seen = format!("{entries}/{ben_waits}?at-least={}", moved.commit());
    house.api.get(&seen).await.expect(200);
    let second = house.release("clinic", WINDOW).await.slot;
    let offer = nth_offer(&house, &ben, 2).await;
    house.press(&offer, "accept").await.expect(200);
    house.slot_when(&second, "booked").await;

    // While Anna thinks it over, staff book one slot and withdraw another.
    let third = house.release("clinic", WINDOW).await.slot;
    nth_offer(&house, &anna, 2).await;
    let booking = format!("/v1/slots/{third}/booking");
    house
        .api
        .json("POST", &booking, &json!({}))
        .await
        .expect(201);
    house.at_rest().await;
    let fourth = house.release("clinic", WINDOW).await.slot;
    nth_offer(&house, &anna, 3).await;
    let withdraw = format!("/v1/slots/{fourth}");
    house
        .api
        .json("DELETE", &withdraw, &json!({}))
        .await
        .expect(200);
    house.at_rest().await;

    // Anna declines again, and nobody else is left.
    let fifth = house.release("clinic", WINDOW).await.slot;
    let offer = nth_offer(&house, &anna, 4).await;
    let declined = house.press(&offer, "decline").await.expect(200);
    assert_eq!(declined.status, 200);
    house.slot_when(&fifth, "opened-to-public").await;
    house.at_rest().await;

    let answer = house
        .api
        .get("/v1/waitlists/clinic/figures")
        .await
        .expect(200);
    let figures = answer.json();
    assert_eq!(
        figures["slots"],
        json!({ "released": 5, "filled": 2, "bookedOtherwise": 1, "withdrawn": 1,
            "openedToPublic": 1, "unfilled": 0, "open": 0 }),
        "{figures:#}"
    );
    close(&figures["fillRate"], 2.0 / 3.0);
    assert_eq!(
        figures["offers"],
        json!({ "made": 7, "accepted": 2, "automatic": 0, "declined": 2, "expired": 1,
            "endedByOthers": 2, "standing": 0, "broadcasts": 0, "filledByBroadcast": 0 })
    );
    close(&figures["offersPerFill"], 3.5);
    close(&figures["acceptance"], 0.4);
    let mut took = Vec::new();
    for slot in [&first, &second] {
        let stream = format!("slot#{slot}");
        took.push(seconds(&house, &stream, "slot-released", "slot-filled").await);
    }
    let to_fill = &figures["timeToFillSeconds"];
    close(&to_fill["mean"], f64::midpoint(took[0], took[1]));
    close(&to_fill["max"], took[0]);
    close(&to_fill["p50"], took[1]);

    let mut waited = Vec::new();
    for entry in [&ben_waits, &carl_waits] {
        let stream = format!("entry#{entry}");
        waited.push(seconds(&house, &stream, "entry-joined", "offer-accepted").await);
    }
    let (ben, carl) = (waited[0], waited[1]);
    let routine = &figures["ended"]["booked"]["routine"];
    assert_eq!(routine["seconds"]["count"], 2);
    close(&routine["seconds"]["max"], ben.max(carl));
    close(
        &routine["evenness"]["jain"],
        (ben + carl).powi(2) / (2.0 * (ben * ben + carl * carl)),
    );
    close(
        &routine["evenness"]["gini"],
        (ben - carl).abs() / (2.0 * (ben + carl)),
    );
    // Carl has no equal: Ben was moved.
    assert_eq!(figures["ended"]["amongEquals"], json!({}));
    assert_eq!(figures["ended"]["left"], 1);
    assert_eq!(figures["waiting"]["seconds"]["urgent"]["count"], 1);
    assert_eq!(
        figures["waiting"]["seconds"].as_object().map(|it| it.len()),
        Some(1)
    );
    assert_eq!(
        figures["overrides"],
        json!({ "count": 1, "byReason": { "complaint": 1 } })
    );
    assert_eq!(figures["complete"], true);
    let other = house
        .api
        .get("/v1/waitlists/clinic/figures?service=dental")
        .await;
    assert_eq!(other.json()["slots"]["released"], 0);
    house.expect_no_dead_letters().await;
    house.close().await;
}
