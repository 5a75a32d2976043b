use std::time::Duration;

use callboard_contracts::waitlist::{BookedBy, Mode};
use callboard_contracts::{SlotId, StreamId};
use callboard_domain::waitlist::policy::standard;
use callboard_domain::waitlist::slot::{Slot, SlotStatus};
use serde_json::json;

use super::super::{Api, KEYS, slot_body, token};
use super::{commit, refusal};

const SLOT: &str = "/v1/slots/s1";
const BOOKING: &str = "/v1/slots/s1/booking";
const SLOTS: &str = "/v1/waitlists/w1/slots";

async fn slot(api: &Api, id: &str) -> Slot {
    let stream = StreamId::slot(&SlotId::parse(id).expect("an id"));
    let slot = api.world.journal().load::<Slot>(&stream).await;
    slot.expect("a slot").state
}

#[tokio::test]
async fn a_slot_is_withdrawn_once_and_can_be_had_no_more() {
    let api = Api::open().await;
    api.offered(60).await;
    let first = api.call("DELETE", SLOT, None).await;
    assert_eq!((first.status, commit(&first)), (200, "slot#s1@3"));
    assert_eq!(first.json()["slotVersion"], 1);
    let again = api.call("DELETE", SLOT, None).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    assert_eq!(commit(&again), "slot#s1@3");
    let booked = api.call("POST", BOOKING, Some(&json!({}))).await;
    assert_eq!(refusal(&booked), (409, "slot-withdrawn".to_owned()));
    let unknown = api.call("DELETE", "/v1/slots/s9", None).await;
    assert_eq!(refusal(&unknown), (404, "slot-not-found".to_owned()));
}

#[tokio::test]
async fn what_was_released_again_is_not_taken_away_by_an_old_command() {
    let api = Api::open().await;
    api.released().await;
    api.call("DELETE", SLOT, None).await;
    let mut body = slot_body(api.world.now(), 60);
    body["afterVersion"] = json!(1);
    let second = api.post(SLOTS, &body).await;
    assert_eq!(
        (second.status, &second.json()["slotVersion"]),
        (201, &json!(2))
    );
    for old in [
        api.call("DELETE", SLOT, None).await,
        api.call("DELETE", "/v1/slots/s1?slotVersion=1", None).await,
        api.call("POST", BOOKING, Some(&json!({"slotVersion": 1})))
            .await,
    ] {
        assert_eq!(refusal(&old), (409, "slot-moved".to_owned()));
    }
    let booked = api
        .call("POST", BOOKING, Some(&json!({"slotVersion": 2})))
        .await;
    assert_eq!(booked.status, 201, "{}", booked.text);
    let withdrawn = api.call("DELETE", "/v1/slots/s1?slotVersion=2", None).await;
    assert_eq!(refusal(&withdrawn), (409, "slot-taken".to_owned()));
    let typo = api.call("DELETE", "/v1/slots/s1?version=2", None).await;
    assert_eq!(refusal(&typo), (400, "malformed".to_owned()));
}

#[tokio::test]
async fn a_booking_made_elsewhere_is_told_once() {
    let api = Api::open().await;
    api.register("usr-1").await;
    api.released().await;
    let body = json!({"by": "elsewhere", "externalId": "apt-7", "recipientId": "usr-1"});
    let first = api.call("POST", BOOKING, Some(&body)).await;
    assert_eq!((first.status, commit(&first)), (201, "slot#s1@2"));
    let again = api.call("POST", BOOKING, Some(&body)).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    let other = json!({"by": "elsewhere", "externalId": "apt-8"});
    let other = api.call("POST", BOOKING, Some(&other)).await;
    assert_eq!(refusal(&other), (409, "slot-taken".to_owned()));
    assert_eq!(
        slot(&api, "s1").await.status,
        SlotStatus::Booked {
            by: BookedBy::Elsewhere,
            external_id: Some("apt-7".to_owned()),
            recipient_id: Some(callboard_contracts::RecipientId::parse("usr-1").expect("an id")),
        }
    );
    for (body, code, pointer) in [
        (json!({"externalId": ""}), "slot-detail", "/externalId"),
        (json!({"by": "me"}), "invalid", "/by"),
        (
            json!({"recipientId": "nobody"}),
            "recipient-not-found",
            "/recipientId",
        ),
    ] {
        let refused = api.call("POST", BOOKING, Some(&body)).await;
        assert_eq!(
            refusal(&refused),
            (422, code.to_owned()),
            "{}",
            refused.text
        );
        assert_eq!(refused.pointers(), [pointer]);
    }
}

#[tokio::test]
async fn i1_of_a_hundred_accepts_and_the_staff_at_the_same_moment_one_has_the_slot() {
    let api = Api::open().await;
    let link = api.offered(60).await;
    let token = token(&link, KEYS, api.world.now().plus(Duration::from_secs(60)));
    let accepts = (0..100).map(|_| api.answer_offer(&token, "accept"));
    let bookings = ["a", "b", "c"].map(|name| {
        let (api, body) = (&api, json!({"by": "elsewhere", "externalId": name}));
        async move { api.call("POST", BOOKING, Some(&body)).await }
    });
    let (bookings, accepts) = tokio::join!(
        futures::future::join_all(bookings),
        futures::future::join_all(accepts)
    );
    let booked = bookings
        .iter()
        .filter(|answer| answer.status == 201)
        .count();
    let accepted = accepts.iter().any(|answer| answer.status == 200);
    assert_eq!(booked + usize::from(accepted), 1);
    for answer in bookings.iter().chain(&accepts) {
        assert!([200, 201, 409].contains(&answer.status), "{}", answer.text);
    }
    let after = slot(&api, "s1").await;
    assert_eq!(matches!(after.status, SlotStatus::Filled { .. }), accepted);
}

#[tokio::test]
async fn a_slot_is_the_same_by_the_name_that_its_caller_gave_it() {
    let api = Api::open().await;
    let mut body = slot_body(api.world.now(), 60);
    body.as_object_mut().expect("an object").remove("slotId");
    body["externalId"] = json!("cal-4711");
    let first = api.post(SLOTS, &body).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = api.post(SLOTS, &body).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    body["location"] = json!("north");
    let moved = api.post(SLOTS, &body).await;
    assert_eq!(refusal(&moved), (409, "already-released".to_owned()));
}

#[tokio::test]
async fn what_is_known_of_a_slot_is_checked_and_recorded() {
    let api = Api::open().await;
    for (field, value) in [
        ("location", json!("")),
        ("provider", json!("x".repeat(65))),
        ("zone", json!("Mars/Olympus")),
        ("externalId", json!("\u{7}")),
    ] {
        let mut body = slot_body(api.world.now(), 60);
        body[field] = value;
        let refused = api.post(SLOTS, &body).await;
        assert_eq!(refusal(&refused), (422, "slot-detail".to_owned()));
        assert_eq!(refused.pointers(), [format!("/{field}")]);
    }
    let mut body = slot_body(api.world.now(), 60);
    for (field, value) in [
        ("location", "north"),
        ("provider", "dr-a"),
        ("zone", "Europe/Zurich"),
    ] {
        body[field] = json!(value);
    }
    assert_eq!(api.post(SLOTS, &body).await.status, 201);
    let facts = slot(&api, "s1").await.facts.expect("facts");
    assert_eq!(facts.location.as_deref(), Some("north"));
    assert_eq!(facts.provider.as_deref(), Some("dr-a"));
    assert_eq!(facts.zone.as_deref(), Some("Europe/Zurich"));
}

#[tokio::test]
async fn a_slot_takes_the_policy_with_it_that_holds_when_it_is_released() {
    let api = Api::open().await;
    let policy = "/v1/waitlists/w1/policy";
    let mut batch = json!({
        "windowSeconds": 600, "zone": "Europe/Zurich", "mode": {"is": "batch", "size": 3},
    });
    let set = api
        .call("PUT", &format!("{policy}?service=physio"), Some(&batch))
        .await;
    assert_eq!(set.status, 201, "{}", set.text);
    let mut body = slot_body(api.world.now(), 60);
    body.as_object_mut()
        .expect("an object")
        .remove("offerWindowSeconds");
    assert_eq!(api.post(SLOTS, &body).await.status, 201);

    batch["windowSeconds"] = json!(300);
    api.call("PUT", &format!("{policy}?service=physio"), Some(&batch))
        .await;
    let facts = slot(&api, "s1").await.facts.expect("facts");
    assert_eq!((facts.window_seconds, facts.terms.policy_version), (600, 1));
    assert_eq!(facts.terms.rules.mode, Mode::Batch { size: 3 });
    assert_eq!(facts.zone.as_deref(), Some("Europe/Zurich"));
    assert_eq!(
        api.post(SLOTS, &body).await.status,
        200,
        "a repetition, whatever the policy says now"
    );

    // No policy was set for this service.
    body["slotId"] = json!("s2");
    body["service"] = json!("dental");
    assert_eq!(api.post(SLOTS, &body).await.status, 201);
    let facts = slot(&api, "s2").await.facts.expect("facts");
    assert_eq!(
        (facts.window_seconds, facts.terms.policy_version),
        (1_800, 0)
    );
    assert_eq!(facts.terms.rules.mode, Mode::Sequential);
}

#[tokio::test]
async fn a_slots_clock_is_its_own_else_the_policys_else_the_clinics() {
    let night = standard().rules.quiet_hours;
    assert!(night.is_some());
    let policy = json!({"windowSeconds": 600, "zone": "Asia/Tokyo", "mode": {"is": "sequential"}});
    let cases = [
        ("Europe/Zurich", None, None, Some("Europe/Zurich"), night),
        (
            "Europe/Zurich",
            Some("America/New_York"),
            None,
            Some("America/New_York"),
            night,
        ),
        (
            "Europe/Zurich",
            None,
            Some(&policy),
            Some("Asia/Tokyo"),
            None,
        ),
        // UTC stands where nobody has said; nobody knows when it is night there.
        ("UTC", None, None, None, None),
        ("UTC", Some("UTC"), None, Some("UTC"), night),
    ];
    for (clinic, own, policy, expected, quiet) in cases {
        let api = Api::open_in(clinic).await;
        if let Some(policy) = policy {
            let set = api
                .call("PUT", "/v1/waitlists/w1/policy", Some(policy))
                .await;
            assert_eq!(set.status, 201, "{}", set.text);
        }
        let mut body = slot_body(api.world.now(), 60);
        if let Some(zone) = own {
            body["zone"] = json!(zone);
        }
        assert_eq!(api.post(SLOTS, &body).await.status, 201);
        let facts = slot(&api, "s1").await.facts.expect("facts");
        let told = (facts.zone.as_deref(), facts.terms.rules.quiet_hours);
        assert_eq!(told, (expected, quiet), "{clinic} {own:?}");
    }
}
