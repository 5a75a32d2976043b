//! Many at once: fifty slots cascade through five hundred people, and two hundred answers fight for
//! one slot (I1 to I5). Figures are printed; `--nocapture` shows them.

pub mod ledger;
pub mod people;

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::house::{Answer, House};
use crate::story::SERVICE;
use ledger::Ledger;
use people::Crowd;

/// People who wait.
const PEOPLE: usize = 500;

/// Slots that are released at the same time.
const SLOTS: usize = 50;

/// How long an offer stands.
const WINDOW: Duration = Duration::from_secs(600);

/// How often everybody looks into their mail.
const LOOK: Duration = Duration::from_secs(120);

/// By when every slot has ended: all start a day later, and none is offered after that.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// Answers to one offer at the same moment.
const ACCEPTS: usize = 200;

/// Sets how the slots that are released from now on are offered.
async fn offered(house: &House, mode: serde_json::Value) {
    let policy = json!({ "mode": mode, "windowSeconds": WINDOW.as_secs() });
    let path = "/v1/waitlists/clinic/policy";
    let answer = house.api.json("PUT", path, &policy).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.text());
}

async fn release_all(house: &House, slots: std::ops::Range<usize>) -> Vec<String> {
    let starts = house.now().plus(PATIENCE);
    let releases = slots.map(|at| {
        let body = json!({
            "slotId": format!("slot-{at:02}"), "service": SERVICE, "startsAt": starts,
            "endsAt": starts.plus(Duration::from_secs(1_800)),
        });
        async move {
            let path = "/v1/waitlists/clinic/slots";
            let answer = house.api.json("POST", path, &body).await.expect(201).json();
            answer["slotId"].as_str().expect("an id").to_owned()
        }
    });
    join_all(releases).await
}

pub async fn all_over(house: &House, slots: &[String]) -> bool {
    let views = join_all(slots.iter().map(|slot| house.slot(slot))).await;
    let over = ["booked", "opened-to-public", "withdrawn"];
    let mut states = views.iter().map(|view| view["state"].as_str());
    states.all(|state| state.is_some_and(|state| over.contains(&state)))
}

#[tokio::test(start_paused = true)]
async fn fifty_slots_cascade_through_five_hundred_people_at_once_and_every_invariant_holds() {
    let began = Instant::now();
    let house = House::still().await;
    let mut crowd = Crowd::join(&house, PEOPLE).await;
    house.at_rest().await;
    let (joined, released_at) = (began.elapsed(), house.now());
    offered(&house, json!({ "is": "sequential" })).await;
    let mut slots = release_all(&house, 0..SLOTS / 2).await;
    offered(&house, json!({ "is": "batch", "size": 3 })).await;
    slots.extend(release_all(&house, SLOTS / 2..SLOTS).await);
    while !all_over(&house, &slots).await {
        assert!(
            house.now() < released_at.plus(PATIENCE),
            "I5: a slot never ended"
        );
        tokio::time::sleep(LOOK).await;
        crowd.read_and_answer(&house).await;
    }
    house.at_rest().await;
    let took = house.now().since(released_at);
    house.expect_no_dead_letters().await;

    let ledger = Ledger::of(&house.journal().await);
    ledger.every_slot_ended(&slots);
    ledger.agrees_with(&crowd);
    println!(
        "{SLOTS} slots x {PEOPLE} people: {} s to join, {:.0} min of clinic time in {} s",
        joined.as_secs(),
        took.as_secs_f64() / 60.0,
        began.elapsed().as_secs(),
    );
    println!("{ledger}");
    println!("{crowd}");
    house.close().await;
}

/// Those who won, by the commit that a winner alone is told; and that all others were told so.
fn winners(answers: &[Answer], refusals: &[&str]) -> usize {
    let mut winners = 0;
    for answer in answers {
        match answer.status {
            200 | 201 if answer.headers.contains_key("callboard-commit") => winners += 1,
            200 => assert_eq!(answer.json()["state"], "accepted", "the same answer again"),
            409 => assert!(
                refusals.contains(&answer.problem().as_str()),
                "{}",
                answer.text()
            ),
            _ => panic!("{}: {}", answer.status, answer.text()),
        }
    }
    winners
}

#[tokio::test]
async fn i1_of_two_hundred_accepts_and_the_staff_at_the_same_instant_one_has_the_slot() {
    let house = House::live().await;
    let anna = house.register("anna").await;
    house.join("clinic", &anna, "urgent").await;
    let released = house.release("clinic", WINDOW).await;
    let link = house.offer_to(&anna).await;
    let booking = format!("/v1/slots/{}/booking", released.slot);
    let body = json!({ "by": "staff" });
    let accepts = (0..ACCEPTS).map(|_| house.press(&link, "accept"));
    let (accepts, booked) =
        tokio::join!(join_all(accepts), house.api.json("POST", &booking, &body));
    let all: Vec<_> = accepts.into_iter().chain([booked]).collect();
    let refused = all.iter().filter(|answer| answer.status == 409).count();
    assert_eq!(winners(&all, &["slot-taken", "offer-superseded"]), 1);
    println!(
        "{ACCEPTS} accepts and a booking: 1 won, {refused} refused, the rest repeated the winner"
    );
    let ended = house.events_of("slot-filled").await + house.events_of("slot-booked").await;
    assert_eq!(ended, 1);
    house.close().await;
}

#[tokio::test]
async fn i1_of_a_batch_of_twenty_who_all_accept_ten_times_one_has_the_slot() {
    let house = House::live().await;
    let mut people = Vec::new();
    for at in 0..20 {
        let person = house.register(&format!("person-{at}")).await;
        house.join("clinic", &person, "urgent").await;
        people.push(person);
    }
    offered(&house, json!({ "is": "batch", "size": 20 })).await;
    house.release("clinic", WINDOW).await;
    let links = join_all(people.iter().map(|person| house.offer_to(person))).await;
    let accepts = links
        .iter()
        .cycle()
        .take(ACCEPTS)
        .map(|link| house.press(link, "accept"));
    let all = join_all(accepts).await;
    let refused = all.iter().filter(|answer| answer.status == 409).count();
    assert_eq!(winners(&all, &["slot-taken", "offer-superseded"]), 1);
    assert!(refused >= 190, "{refused} of the nineteen others");
    println!("{ACCEPTS} accepts of 20 offers of one slot: 1 won, {refused} refused");
    assert_eq!(house.events_of("slot-filled").await, 1);
    house.at_rest().await;
    assert_eq!(house.events_of("offer-superseded").await, 19);
    house.close().await;
}
