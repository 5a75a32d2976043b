//! Many slots in one request, and slots named as their calendar names them.

use std::time::Duration;

use callboard_testkit::gateway::Answer;
use serde_json::{Value, json};

use super::super::Api;
use super::{commit, refusal};

const BATCH: &str = "/v1/waitlists/w1/slot-batches";
const SLOTS: &str = "/v1/waitlists/w1/slots";

fn one(api: &Api, name: &str) -> Value {
    let now = api.world.now();
    json!({
        "externalId": name, "service": "physio",
        "startsAt": now.plus(Duration::from_secs(86_400)), "endsAt": now.plus(Duration::from_secs(88_200)),
    })
}

fn batch(slots: impl IntoIterator<Item = Value>) -> Value {
    json!({ "slots": slots.into_iter().collect::<Vec<_>>() })
}

fn statuses(answer: &Answer) -> Vec<u64> {
    let slots = answer.json();
    let slots = slots["slots"].as_array().expect("an answer for each slot");
    slots
        .iter()
        .map(|slot| slot["status"].as_u64().expect("a status"))
        .collect()
}

impl Api {
    async fn commits(&self) -> i32 {
        let journal = self.world.dynamodb().scan().table_name("journal");
        journal.send().await.expect("a scan").count
    }
}

#[tokio::test]
async fn a_hundred_slots_come_in_at_once_and_the_same_batch_again_changes_nothing() {
    let api = Api::open().await;
    let slots = batch((0..100).map(|n| one(&api, &format!("apt-{n}"))));
    let started = std::time::Instant::now();
    let first = api.post(BATCH, &slots).await;
    println!("100 slots released in {:?}", started.elapsed());
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(statuses(&first), [201; 100]);
    assert_eq!(api.commits().await, 100);
    let again = api.post(BATCH, &slots).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(statuses(&again), [200; 100]);
    assert_eq!(api.commits().await, 100);
    let (mut first, mut again) = (first.json(), again.json());
    for answer in [&mut first, &mut again] {
        for slot in answer["slots"].as_array_mut().expect("slots") {
            slot["status"].take();
        }
    }
    assert_eq!(first, again, "the same ids, commits and correlation ids");
    let alone = api.post(SLOTS, &slots["slots"][7]).await;
    assert_eq!(alone.status, 200, "{}", alone.text);
    assert_eq!(alone.json()["slotId"], first["slots"][7]["slotId"]);
}

#[tokio::test]
async fn a_bad_slot_is_pointed_at_and_its_neighbours_are_released() {
    let api = Api::open().await;
    api.post(SLOTS, &one(&api, "taken")).await;
    let mut past = one(&api, "past");
    past["startsAt"] = json!("2020-01-01T10:00:00Z");
    let mut typo = one(&api, "typo");
    typo["servcie"] = json!("physio");
    let mut moved = one(&api, "taken");
    moved["service"] = json!("dentist");
    let mut nameless = one(&api, "x");
    nameless["externalId"].take();
    let slots = [one(&api, "a"), past, typo, moved, nameless, one(&api, "b")];
    let answer = api.post(BATCH, &batch(slots)).await;
    assert_eq!(answer.status, 207, "{}", answer.text);
    assert_eq!(statuses(&answer), [201, 422, 422, 409, 422, 201]);
    let told = answer.json();
    let at = |nth: usize| told["slots"][nth]["errors"][0]["pointer"].as_str();
    assert_eq!(at(1), Some("/slots/1/startsAt"));
    assert_eq!(at(2), Some("/slots/2/servcie"));
    assert_eq!(at(4), Some("/slots/4/externalId"));
    assert_eq!(
        told["slots"][3]["type"],
        "urn:callboard:problem:already-released"
    );
    assert!(
        told["slots"][5]["commit"]
            .as_str()
            .expect("a commit")
            .ends_with("@1")
    );
    for (body, pointer) in [
        (batch([]), "/slots"),
        (
            batch((0..101).map(|n| one(&api, &format!("m-{n}")))),
            "/slots",
        ),
        (json!({"slots": {}}), "/slots"),
    ] {
        let refused = api.post(BATCH, &body).await;
        assert_eq!(
            (refused.status, refused.pointers()),
            (422, vec![pointer.to_owned()])
        );
    }
    assert_eq!(api.commits().await, 3);
}

#[tokio::test]
async fn a_slot_that_stands_twice_in_a_batch_is_released_once() {
    let api = Api::open().await;
    // Made once: the times in a slot are those of the moment.
    let two = [one(&api, "same"), one(&api, "other")];
    let slots = two.iter().cycle().take(40).cloned();
    let answer = api.post(BATCH, &batch(slots)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let created = statuses(&answer).into_iter().filter(|one| *one == 201);
    assert_eq!((created.count(), api.commits().await), (2, 2));
}

#[tokio::test]
async fn a_key_remembers_each_slot_of_a_batch_by_itself() {
    let api = Api::open().await;
    let mut slots = [one(&api, "x"), one(&api, "y")].map(|mut slot| {
        slot.as_object_mut().expect("a slot").remove("externalId");
        slot
    });
    slots[1]["startsAt"] = json!("2020-01-01T10:00:00Z");
    let send = async |slots: &[Value]| {
        let request = api.request("POST", BATCH).json(&batch(slots.to_vec()));
        let request = request.header("idempotency-key", "day-1");
        request.send(&api.function).await
    };
    let first = send(&slots).await;
    assert_eq!((first.status, statuses(&first)), (207, vec![201, 422]));
    slots[1] = slots[0].clone();
    let mended = send(&slots).await;
    assert_eq!((mended.status, statuses(&mended)), (201, vec![201, 201]));
    assert_eq!(mended.json()["slots"][0], first.json()["slots"][0]);
    assert_ne!(
        mended.json()["slots"][1]["slotId"],
        first.json()["slots"][0]["slotId"]
    );
    slots[0]["service"] = json!("dentist");
    let other = send(&slots).await;
    assert_eq!((other.status, statuses(&other)), (207, vec![422, 201]));
    assert_eq!(
        other.json()["slots"][0]["type"],
        "urn:callboard:problem:idempotency-key-reused"
    );
    assert_eq!(api.commits().await, 4, "two slots, each with its key");
}

#[tokio::test]
async fn a_slot_is_booked_and_withdrawn_by_the_name_that_its_calendar_gave_it() {
    let api = Api::open().await;
    let names = ["apt/7 ä", "apt-8"];
    let released = api
        .post(BATCH, &batch(names.map(|name| one(&api, name))))
        .await;
    let ids = released.json();
    let encoded = "apt%2F7%20%C3%A4";
    let booking = format!("{SLOTS}/booking?externalId={encoded}");
    let body = json!({"by": "elsewhere", "externalId": "booking-1"});
    let booked = api.call("POST", &booking, Some(&body)).await;
    assert_eq!(booked.status, 201, "{}", booked.text);
    assert_eq!(booked.json()["slotId"], ids["slots"][0]["slotId"]);
    let by_id = ids["slots"][0]["slotId"].as_str().expect("an id");
    assert_eq!(commit(&booked), format!("slot#{by_id}@2"));
    let again = api.call("POST", &booking, Some(&body)).await;
    assert_eq!((again.status, again.json()), (200, booked.json()));
    let withdrawal = format!("{SLOTS}?externalId=apt-8&slotVersion=1");
    let withdrawn = api.call("DELETE", &withdrawal, None).await;
    assert_eq!(withdrawn.json()["slotId"], ids["slots"][1]["slotId"]);
    for (method, path, code) in [
        (
            "DELETE",
            format!("{SLOTS}?externalId={encoded}"),
            (409, "slot-taken"),
        ),
        (
            "DELETE",
            format!("{SLOTS}?externalId=nobody"),
            (404, "slot-not-found"),
        ),
        (
            "DELETE",
            "/v1/waitlists/w2/slots?externalId=apt-8".to_owned(),
            (404, "slot-not-found"),
        ),
        ("DELETE", SLOTS.to_owned(), (400, "malformed")),
        ("POST", format!("{SLOTS}/booking"), (400, "malformed")),
    ] {
        let refused = api.call(method, &path, Some(&json!({}))).await;
        assert_eq!(
            refusal(&refused),
            (code.0, code.1.to_owned()),
            "{method} {path}"
        );
    }
}
