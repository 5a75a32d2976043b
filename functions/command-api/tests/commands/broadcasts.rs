//! A slot that is open to all who wait: the first to accept has it.

use std::time::Duration;

use callboard_contracts::link::OfferLink;
use callboard_contracts::{EntryId, SlotId, StreamId};
use callboard_domain::waitlist::Timing;
use callboard_domain::waitlist::slot::{self, Slot};
use callboard_testkit::gateway::{Answer, Request};
use serde_json::{Value, json};

use super::super::{Api, KEYS, cause, slot_body, token};
use super::refusal;

const POLICY: &str = "/v1/waitlists/w1/policy";

/// `s1` is broadcast, as the cascade does it; gives the links of so many who were told.
async fn broadcast(api: &Api, told: usize) -> Vec<String> {
    let policy = json!({"windowSeconds": 600, "mode": {"is": "broadcast"}, "audienceMax": 200});
    let set = api.call("PUT", POLICY, Some(&policy)).await;
    assert_eq!(set.status, 201, "{}", set.text);
    for who in 0..told {
        let (person, entry) = (format!("usr-{who}"), format!("e{who}"));
        api.register(&person).await;
        let body = json!({"entryId": entry, "recipientId": person, "service": "physio"});
        let joined = api.post("/v1/waitlists/w1/entries", &body).await;
        assert_eq!(joined.status, 201, "{}", joined.text);
    }
    api.released().await;
    open_to_all(api).await;
    (0..told).map(|who| link(api, &format!("e{who}"))).collect()
}

async fn open_to_all(api: &Api) {
    let (journal, now) = (api.world.journal(), api.world.now());
    let stream = StreamId::slot(&SlotId::parse("s1").expect("an id"));
    let slot = journal.load::<Slot>(&stream).await.expect("a slot");
    let events = slot::broadcast(&slot.state, &Timing::default(), now).expect("broadcast");
    let commit = slot.next(&cause(), now).events(events);
    let commit = commit.build().expect("a commit");
    journal.append(commit).await.expect("appended");
}

fn link(api: &Api, entry: &str) -> String {
    let slot = SlotId::parse("s1").expect("an id");
    let entry = EntryId::parse(entry).expect("an id");
    let link = OfferLink {
        offer: slot::offer_id(&slot, 1, &entry),
        slot,
        version: 1,
        entry,
    };
    token(&link, KEYS, api.world.now().plus(Duration::from_secs(600)))
}

async fn shown(api: &Api, token: &str) -> Value {
    api.call("GET", &format!("/o/{token}"), None).await.json()
}

async fn press(api: &Api, token: &str, answer: &str) -> Answer {
    api.request("POST", &format!("/o/{token}"))
        .header("accept", "text/html")
        .body(
            "application/x-www-form-urlencoded",
            &format!("answer={answer}"),
        )
        .send(&api.function)
        .await
}

#[tokio::test]
async fn of_many_who_accept_a_broadcast_at_once_one_has_it_and_the_others_hear_so() {
    let api = Api::open().await;
    let links = broadcast(&api, 60).await;
    for link in &links {
        let open = shown(&api, link).await;
        assert_eq!(
            (&open["state"], &open["firstCome"]),
            (&json!("open"), &json!(true))
        );
    }
    let accepts = links.iter().map(|link| api.answer_offer(link, "accept"));
    let answers = futures::future::join_all(accepts).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        (links.iter().zip(&answers)).partition(|(_, answer)| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 59));
    for (link, answer) in lost {
        assert_eq!(refusal(answer), (409, "slot-taken".to_owned()));
        let after = shown(&api, link).await;
        assert_eq!(
            (&after["state"], &after["firstCome"]),
            (&json!("taken"), &Value::Null)
        );
    }
    let (winner, answer) = won[0];
    assert_eq!(answer.json()["state"], "accepted");
    let again = api.answer_offer(winner, "accept").await;
    assert_eq!(
        (again.status, &again.json()["state"]),
        (200, &json!("accepted"))
    );
    let calendar = format!("/o/{winner}/calendar.ics");
    let calendar = api.call("GET", &calendar, None).await;
    assert_eq!(calendar.status, 200, "{}", calendar.text);
    assert!(calendar.text.contains("UID:s1-1@clinic.example\r\n"));
    let other = links.iter().find(|link| *link != winner).expect("others");
    let calendar = api
        .call("GET", &format!("/o/{other}/calendar.ics"), None)
        .await;
    assert_eq!(refusal(&calendar), (409, "not-booked".to_owned()));
    let commits = api.world.journal();
    let stream = StreamId::slot(&SlotId::parse("s1").expect("an id"));
    let commits = commits.read(&stream, 1).await.expect("commits");
    let filled = commits.iter().flat_map(|commit| &commit.events);
    let filled = filled.filter(|event| event.event_type.contains("slot-filled"));
    assert_eq!(filled.count(), 1, "I1");
}

#[tokio::test]
async fn nobody_has_to_decline_a_broadcast_and_its_page_says_so() {
    let api = Api::open().await;
    let links = broadcast(&api, 2).await;
    let page = api
        .request("GET", &format!("/o/{}", links[0]))
        .header("accept", "text/html")
        .send(&api.function)
        .await;
    assert!(
        page.text.contains("the first to say yes gets it"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("value=\"decline\""), "{}", page.text);
    let declined = api.answer_offer(&links[0], "decline").await;
    assert_eq!(
        (declined.status, &declined.json()["state"]),
        (200, &json!("open"))
    );
    let told = press(&api, &links[0], "decline").await;
    assert_eq!(told.status, 200);
    assert!(told.text.contains("You need not answer"), "{}", told.text);
    // Whoever said no may still change their mind: nothing was kept of it.
    let accepted = press(&api, &links[0], "accept").await;
    assert_eq!(accepted.status, 303, "{}", accepted.text);
    let late = press(&api, &links[1], "accept").await;
    assert_eq!(late.status, 409);
    assert!(
        late.text.contains("Somebody else has this appointment"),
        "{}",
        late.text
    );
}

#[tokio::test]
async fn a_link_to_a_broadcast_tells_how_it_ended() {
    for (ending, state, refused) in [
        ("/v1/slots/s1/booking", "taken", "slot-taken"),
        ("/v1/slots/s1", "withdrawn", "slot-withdrawn"),
    ] {
        let api = Api::open().await;
        let links = broadcast(&api, 1).await;
        let ended = match ending {
            "/v1/slots/s1" => api.call("DELETE", ending, None).await,
            _ => api.call("POST", ending, Some(&json!({}))).await,
        };
        assert!([200, 201].contains(&ended.status), "{}", ended.text);
        assert_eq!(shown(&api, &links[0]).await["state"], state);
        let late = api.answer_offer(&links[0], "accept").await;
        assert_eq!(refusal(&late), (409, refused.to_owned()));
    }
    let api = Api::open().await;
    api.joined().await;
    let soon = json!({
        "slotId": "s1", "service": "physio",
        "startsAt": api.world.now().plus(Duration::from_secs(3_600)),
        "endsAt": api.world.now().plus(Duration::from_secs(5_400)),
    });
    let released = api.post("/v1/waitlists/w1/slots", &soon).await;
    assert_eq!(released.status, 201, "{}", released.text);
    open_to_all(&api).await;
    let link = link(&api, "e1");
    let over = api.world.now().plus(Duration::from_secs(3_600));
    let after = Request::new("GET", &format!("/o/{link}"), over);
    let after = after.send(&api.function).await;
    assert_eq!(after.json()["state"], "expired", "{}", after.text);
}

#[tokio::test]
async fn who_cannot_be_offered_the_slot_any_more_is_told_why() {
    let api = Api::open().await;
    let links = broadcast(&api, 2).await;
    let paused = api
        .call("POST", "/v1/waitlists/w1/entries/e0/pause", None)
        .await;
    assert_eq!(paused.status, 200, "{}", paused.text);
    let refused = api.answer_offer(&links[0], "accept").await;
    assert_eq!(refusal(&refused), (409, "not-eligible".to_owned()));
    let page = press(&api, &links[0], "accept").await;
    assert!(page.text.contains("paused"), "{}", page.text);
    assert_eq!(shown(&api, &links[1]).await["state"], "open");
}

#[tokio::test]
async fn an_audience_has_its_bounds() {
    let api = Api::open().await;
    let mut policy = json!({"windowSeconds": 600, "mode": {"is": "broadcast"}});
    for (max, status) in [(0, 422), (201, 422), (1, 201), (200, 201)] {
        policy["audienceMax"] = json!(max);
        let set = api.call("PUT", POLICY, Some(&policy)).await;
        assert_eq!(set.status, status, "{max}: {}", set.text);
        if status == 422 {
            assert_eq!(set.pointers(), ["/audienceMax"]);
        }
    }
    let released = api
        .post("/v1/waitlists/w1/slots", &slot_body(api.world.now(), 60))
        .await;
    assert_eq!(released.status, 201);
    let terms = api.journal_text().await;
    assert!(terms.contains("audienceMax"), "the slot takes it with it");
}
