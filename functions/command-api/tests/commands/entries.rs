use callboard_contracts::{SlotId, StreamId};
use callboard_domain::waitlist::slot::{Slot, SlotStatus};
use serde_json::json;

use super::super::{Api, KEYS, token};
use super::{commit, refusal};

const ENTRY: &str = "/v1/waitlists/w1/entries/e1";

fn of(command: &str) -> String {
    format!("{ENTRY}/{command}")
}

async fn slot(api: &Api) -> Slot {
    let stream = StreamId::slot(&SlotId::parse("s1").expect("an id"));
    let slot = api.world.journal().load::<Slot>(&stream).await;
    slot.expect("a slot").state
}

#[tokio::test]
async fn who_leaves_gives_the_slot_back_and_leaves_once() {
    let api = Api::open().await;
    let link = api.offered(60).await;
    let left = api.call("DELETE", ENTRY, None).await;
    assert_eq!(
        (left.status, left.json()),
        (200, json!({"entryId": "e1", "waitlistId": "w1"}))
    );
    assert_eq!(commit(&left), "entry#e1@3");
    assert!(matches!(slot(&api).await.status, SlotStatus::Open { .. }));
    let again = api.call("DELETE", ENTRY, None).await;
    assert_eq!((again.status, commit(&again)), (200, "entry#e1@3"));
    for command in ["pause", "resume"] {
        let refused = api.call("POST", &of(command), None).await;
        assert_eq!(refusal(&refused), (409, "entry-left".to_owned()));
    }
    let token = token(
        &link,
        KEYS,
        api.world.now().plus(std::time::Duration::from_secs(60)),
    );
    let late = api.answer_offer(&token, "accept").await;
    assert_eq!(refusal(&late), (409, "already-answered".to_owned()));
}

#[tokio::test]
async fn of_leaving_and_accepting_at_once_one_wins_on_both_sides() {
    let api = Api::open().await;
    let link = api.offered(60).await;
    let token = token(
        &link,
        KEYS,
        api.world.now().plus(std::time::Duration::from_secs(60)),
    );
    let accepts = (0..20).map(|_| api.answer_offer(&token, "accept"));
    let leaves = (0..20).map(|_| api.call("DELETE", ENTRY, None));
    let (accepts, leaves) = tokio::join!(
        futures::future::join_all(accepts),
        futures::future::join_all(leaves)
    );
    let accepted = accepts.iter().any(|answer| answer.status == 200);
    let left = leaves.iter().any(|answer| answer.status == 200);
    assert!(
        accepted != left,
        "one of the two, and every repetition of it"
    );
    for answer in accepts.iter().chain(&leaves) {
        assert!([200, 409].contains(&answer.status), "{}", answer.text);
    }
    let filled = matches!(slot(&api).await.status, SlotStatus::Filled { .. });
    assert_eq!(filled, accepted);
}

#[tokio::test]
async fn a_pause_gives_the_slot_back_and_lasts_until_it_is_ended() {
    let api = Api::open().await;
    api.offered(60).await;
    let paused = api.call("POST", &of("pause"), None).await;
    assert_eq!((paused.status, commit(&paused)), (200, "entry#e1@3"));
    assert!(matches!(slot(&api).await.status, SlotStatus::Open { .. }));
    let again = api.call("POST", &of("pause"), None).await;
    assert_eq!((again.status, commit(&again)), (200, "entry#e1@3"));
    for _ in 0..2 {
        let resumed = api.call("POST", &of("resume"), None).await;
        assert_eq!((resumed.status, commit(&resumed)), (200, "entry#e1@4"));
    }
}

#[tokio::test]
async fn a_command_repeated_by_its_key_does_nothing_after_the_opposite_was_done() {
    let api = Api::open().await;
    api.joined().await;
    let first = api.with_key("POST", &of("pause"), "k").await;
    assert_eq!(first.status, 200, "{}", first.text);
    // The same key is another command's own.
    let resumed = api.with_key("POST", &of("resume"), "k").await;
    assert_eq!((resumed.status, commit(&resumed)), (200, "entry#e1@3"));
    let again = api.with_key("POST", &of("pause"), "k").await;
    assert_eq!((again.status, commit(&again)), (200, "entry#e1@2"));
    let unpaused = api.call("POST", &of("resume"), None).await;
    assert_eq!(commit(&unpaused), "entry#e1@3", "it was not paused again");
    let other = "/v1/waitlists/w1/entries/e2/pause";
    let other = api.with_key("POST", other, "k").await;
    assert_eq!(refusal(&other), (422, "idempotency-key-reused".to_owned()));
}

#[tokio::test]
async fn an_entry_is_found_on_its_own_waitlist_alone() {
    let api = Api::open().await;
    api.joined().await;
    for path in ["/v1/waitlists/w2/entries/e1", "/v1/waitlists/w1/entries/e9"] {
        let body = json!({"to": "front", "reason": "clinical"});
        for (method, path, body) in [
            ("DELETE", path.to_owned(), None),
            ("POST", format!("{path}/pause"), None),
            ("POST", format!("{path}/resume"), None),
            ("POST", format!("{path}/override"), Some(&body)),
            ("PUT", format!("{path}/preferences"), Some(&json!({}))),
        ] {
            let refused = api.call(method, &path, body).await;
            assert_eq!(
                refusal(&refused),
                (404, "entry-not-found".to_owned()),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn preferences_are_replaced_as_a_whole_and_once() {
    let api = Api::open().await;
    api.joined().await;
    let wishes = json!({
        "preferences": {"locations": ["north"], "windows": [{"from": "09:00", "to": "12:00"}]},
        "autoAccept": true,
    });
    for _ in 0..2 {
        let changed = api.call("PUT", &of("preferences"), Some(&wishes)).await;
        assert_eq!((changed.status, commit(&changed)), (200, "entry#e1@2"));
    }
    let taken_back = api.call("PUT", &of("preferences"), Some(&json!({}))).await;
    assert_eq!(
        (taken_back.status, commit(&taken_back)),
        (200, "entry#e1@3")
    );
}

#[tokio::test]
async fn a_preference_that_cannot_be_kept_is_named_by_its_pointer() {
    let api = Api::open().await;
    api.joined().await;
    for (wishes, code, pointer) in [
        (
            json!({"preferences": {"loctions": ["n"]}}),
            "invalid",
            "/preferences",
        ),
        (
            json!({"preferences": {"horizonDays": "x"}}),
            "invalid",
            "/preferences/horizonDays",
        ),
        (
            json!({"preferences": {"windows": [{"from": "12:00", "to": "09:00"}]}}),
            "preferences",
            "/preferences/windows",
        ),
        (
            json!({"preferences": {"ownBooking": {
                "startsAt": "2030-05-02T09:00:00Z", "endsAt": "2030-05-02T09:30:00Z", "swap": true,
            }}}),
            "invalid",
            "/preferences/ownBooking/slotId",
        ),
        (json!({"autoAccept": "yes"}), "invalid", "/autoAccept"),
        (
            json!({"proxyId": "nobody"}),
            "recipient-not-found",
            "/proxyId",
        ),
    ] {
        let changed = api.call("PUT", &of("preferences"), Some(&wishes)).await;
        assert_eq!(
            refusal(&changed),
            (422, code.to_owned()),
            "{}",
            changed.text
        );
        assert_eq!(changed.pointers(), [pointer]);
        let mut join = wishes.clone();
        join["entryId"] = json!("e2");
        join["recipientId"] = json!("usr-1");
        join["service"] = json!("physio");
        let joined = api.post("/v1/waitlists/w1/entries", &join).await;
        assert_eq!(
            (refusal(&joined), joined.pointers()),
            ((422, code.to_owned()), vec![pointer.to_owned()])
        );
    }
}

#[tokio::test]
async fn joining_with_preferences_again_is_once_though_they_were_changed_since() {
    let api = Api::open().await;
    api.register("usr-1").await;
    api.register("mum").await;
    let body = json!({
        "entryId": "e1", "recipientId": "usr-1", "service": "physio", "proxyId": "mum",
        "preferences": {"providers": ["dr-a"]}, "autoAccept": true,
    });
    let joined = api.post("/v1/waitlists/w1/entries", &body).await;
    assert_eq!(joined.status, 201, "{}", joined.text);
    let changed = api
        .call("PUT", &of("preferences"), Some(&json!({"proxyId": "mum"})))
        .await;
    assert_eq!((changed.status, commit(&changed)), (200, "entry#e1@2"));
    let again = api.post("/v1/waitlists/w1/entries", &body).await;
    assert_eq!((again.status, commit(&again)), (200, "entry#e1@2"));
    let mut other = body.clone();
    other["preferences"] = json!({"providers": ["dr-b"]});
    let other = api.post("/v1/waitlists/w1/entries", &other).await;
    assert_eq!(refusal(&other), (409, "entry-exists".to_owned()));
}

#[tokio::test]
async fn a_rank_is_changed_for_one_of_the_reasons_alone() {
    let api = Api::open().await;
    api.joined().await;
    for (body, pointer) in [
        (json!({"to": "front"}), ""),
        (json!({"to": "front", "reason": "she is ill"}), "/reason"),
        (json!({"to": "top", "reason": "clinical"}), "/to"),
        (
            json!({"to": "front", "reason": "clinical", "note": "she is ill"}),
            "/note",
        ),
    ] {
        let refused = api.call("POST", &of("override"), Some(&body)).await;
        assert_eq!(refusal(&refused), (422, "invalid".to_owned()));
        assert_eq!(refused.pointers(), [pointer], "{}", refused.text);
    }
    assert!(!api.journal_text().await.contains("she is ill"));
    let body = json!({"to": "front", "reason": "clinical"});
    for _ in 0..2 {
        let moved = api.call("POST", &of("override"), Some(&body)).await;
        assert_eq!((moved.status, commit(&moved)), (200, "entry#e1@2"));
    }
    let body = json!({"to": "soon", "reason": "complaint"});
    let moved = api.call("POST", &of("override"), Some(&body)).await;
    assert_eq!((moved.status, commit(&moved)), (200, "entry#e1@3"));
}
