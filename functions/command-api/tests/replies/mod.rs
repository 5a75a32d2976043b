//! Answers by text message: words that are understood, the offer that is meant, and consent.

use std::time::Duration;

use callboard_contracts::view::answers_key;
use callboard_contracts::{RecipientId, SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::slot::{Slot, SlotStatus};
use callboard_runtime::table::{Item, Table, integer, key, string};
use callboard_testkit::gateway::{Answer, Request};
use serde_json::{Value, json};

use super::{Api, KEYS, token};

const REPLIES: &str = "/v1/recipients/usr-1/replies";

impl Api {
    async fn reply(&self, text: &str) -> Answer {
        self.post(REPLIES, &json!({ "text": text })).await
    }

    async fn keyed_reply(&self, text: &str, key: &str) -> Answer {
        let request = self.request("POST", REPLIES).header("idempotency-key", key);
        let body = json!({ "text": text });
        request.json(&body).send(&self.function).await
    }

    /// What the projector writes of an entry that has an offer, or has accepted.
    async fn shown(&self, person: &str, sort_key: &str, entry: &str) {
        let person = RecipientId::parse(person).expect("an id");
        let table = Table::new(self.world.sdk(), "views");
        let mut item = key(&answers_key(&person), sort_key);
        item.insert(
            "doc".to_owned(),
            string(json!({"entryId": entry}).to_string()),
        );
        item.insert("applied".to_owned(), integer(2));
        let put = vec![table.put(item, None)];
        table.write_all(put).await.expect("written");
    }

    /// `usr-1` has an offer of `s1`, as the view has it too.
    async fn texted(&self, window: u64) {
        self.offered(window).await;
        self.shown("usr-1", "offered#e1", "e1").await;
    }

    async fn status_of(&self, slot: &str) -> SlotStatus {
        let stream = StreamId::slot(&SlotId::parse(slot).expect("an id"));
        let slot = self.world.journal().load::<Slot>(&stream).await;
        slot.expect("a slot").state.status
    }

    async fn consent(&self) -> Option<Item> {
        let table = Table::new(self.world.sdk(), "contacts");
        table.get("usr-1", "consent#sms").await.expect("read")
    }
}

fn outcome(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["outcome"].clone())
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.problem())
}

#[tokio::test]
async fn a_yes_books_the_slot_and_the_same_again_is_answered_the_same() {
    let api = Api::open().await;
    api.texted(60).await;
    let first = api.reply("Yes please!\n\nSent from my iPhone").await;
    assert_eq!(outcome(&first), (200, json!("accepted")), "{}", first.text);
    assert_eq!(first.headers["callboard-commit"], "slot#s1@3");
    let text = first.json()["reply"].as_str().expect("a text").to_owned();
    assert!(text.starts_with("You are booked: physio, 20"), "{text}");
    assert!(matches!(
        api.status_of("s1").await,
        SlotStatus::Filled { .. }
    ));
    // The view lags behind, and then does not.
    for row in ["offered#e1", "booked#e1"] {
        api.shown("usr-1", row, "e1").await;
        let again = api.reply("YES").await;
        assert_eq!(again.json(), first.json());
        assert_eq!(again.headers.get("callboard-commit"), None);
    }
    let opposite = api.reply("no").await;
    assert_eq!(refusal(&opposite), (409, "already-answered".to_owned()));
    assert!(
        opposite.json()["reply"]
            .as_str()
            .expect("a text")
            .contains("please call us")
    );
}

#[tokio::test]
async fn a_no_frees_the_slot_and_its_key_gives_the_first_answer_whatever_was_offered_since() {
    let api = Api::open().await;
    api.texted(60).await;
    let first = api.keyed_reply("Nein danke", "sms-1").await;
    assert_eq!(outcome(&first), (200, json!("declined")), "{}", first.text);
    assert!(matches!(api.status_of("s1").await, SlotStatus::Open { .. }));
    api.offered_to("e2", "s2", 60).await;
    api.shown("usr-1", "offered#e2", "e2").await;
    let again = api.keyed_reply("Nein danke", "sms-1").await;
    assert_eq!(
        (
            again.status,
            again.json(),
            &again.headers["callboard-commit"]
        ),
        (200, first.json(), &first.headers["callboard-commit"])
    );
    assert!(matches!(api.status_of("s2").await, SlotStatus::Held { .. }));
    let other = api.keyed_reply("yes", "sms-1").await;
    assert_eq!(refusal(&other), (422, "idempotency-key-reused".to_owned()));
}

#[tokio::test]
async fn of_many_answers_at_once_by_text_and_by_link_one_counts() {
    let api = Api::open().await;
    let link = api.offered(60).await;
    api.shown("usr-1", "offered#e1", "e1").await;
    let token = token(&link, KEYS, api.world.now().plus(Duration::from_secs(60)));
    let texts = (0..20).map(|nth| api.reply(if nth % 2 == 0 { "yes" } else { "no" }));
    let clicks = (0..20).map(|_| api.answer_offer(&token, "accept"));
    let (texts, clicks) = tokio::join!(
        futures::future::join_all(texts),
        futures::future::join_all(clicks)
    );
    let counts = texts
        .iter()
        .chain(&clicks)
        .filter(|answer| answer.headers.contains_key("callboard-commit"))
        .count();
    assert_eq!(counts, 1);
    for answer in texts.iter().chain(&clicks) {
        assert!([200, 409].contains(&answer.status), "{}", answer.text);
    }
}

#[tokio::test]
async fn with_several_offers_nothing_is_guessed_until_one_is_named() {
    let api = Api::open().await;
    api.texted(60).await;
    let second = api.offered_to("e2", "s2", 60).await;
    api.shown("usr-1", "offered#e2", "e2").await;
    let unclear = api.reply("yes").await;
    assert_eq!(refusal(&unclear), (409, "several-offers".to_owned()));
    let offers = unclear.json()["offers"]
        .as_array()
        .cloned()
        .expect("a list");
    let mut slots: Vec<_> = offers.iter().map(|offer| offer["slotId"].clone()).collect();
    slots.sort_by_key(Value::to_string);
    assert_eq!(slots, [json!("s1"), json!("s2")]);
    for slot in ["s1", "s2"] {
        assert!(matches!(api.status_of(slot).await, SlotStatus::Held { .. }));
    }
    let named = api
        .post(REPLIES, &json!({"text": "yes", "offer": second.offer}))
        .await;
    assert_eq!(outcome(&named), (200, json!("accepted")), "{}", named.text);
    assert_eq!(named.json()["slotId"], "s2");
    let unknown = json!({"text": "yes", "offer": "none"});
    let unknown = api.post(REPLIES, &unknown).await;
    assert_eq!(refusal(&unknown), (409, "no-offer".to_owned()));
}

#[tokio::test]
async fn an_answer_counts_by_when_it_was_received_and_not_for_an_offer_made_later() {
    let api = Api::open().await;
    let before = api.world.now();
    api.texted(60).await;
    let at = |at: Timestamp| json!({"text": "yes", "receivedAt": at});
    let older = api
        .post(REPLIES, &at(Timestamp::from_millis(before.as_millis() - 1)))
        .await;
    assert_eq!(refusal(&older), (409, "reply-outdated".to_owned()));
    let now = api.world.now();
    let late = Request::new("POST", REPLIES, now.plus(Duration::from_secs(61)));
    let too_late = late.clone().json(&json!({"text": "yes"}));
    let too_late = too_late.send(&api.function).await;
    assert_eq!(refusal(&too_late), (409, "offer-expired".to_owned()));
    assert!(
        too_late.json()["reply"]
            .as_str()
            .expect("a text")
            .contains("no longer open")
    );
    // Said in time, handed over late, and nobody has the slot yet.
    let in_time = late.json(&at(now)).send(&api.function).await;
    assert_eq!(
        outcome(&in_time),
        (200, json!("accepted")),
        "{}",
        in_time.text
    );
}

#[tokio::test]
async fn a_moment_still_to_come_gives_nobody_more_time() {
    let api = Api::open().await;
    api.texted(60).await;
    let now = api.world.now().plus(Duration::from_secs(61));
    let body = json!({"text": "yes", "receivedAt": now.plus(Duration::from_secs(9))});
    let late = Request::new("POST", REPLIES, now).json(&body);
    let late = late.send(&api.function).await;
    assert_eq!(refusal(&late), (409, "offer-expired".to_owned()));
}

#[tokio::test]
async fn what_is_not_understood_changes_nothing_and_is_kept_nowhere() {
    let api = Api::open().await;
    api.texted(60).await;
    let said = "yes but canary-42 has to be there";
    let answer = api.reply(said).await;
    assert_eq!(outcome(&answer), (200, json!("unknown")));
    assert!(
        answer.json()["reply"]
            .as_str()
            .expect("a text")
            .contains("Reply YES")
    );
    assert!(matches!(api.status_of("s1").await, SlotStatus::Held { .. }));
    assert_eq!(outcome(&api.reply("HELP").await), (200, json!("help")));
    let keyed = api.keyed_reply("stop please", "sms-9").await;
    assert_eq!(keyed.status, 200);
    let long = api.reply(&"y".repeat(1_601)).await;
    assert_eq!(
        (refusal(&long), long.pointers()),
        ((422, "invalid".to_owned()), vec!["/text".to_owned()])
    );
    for answer in [&answer, &long] {
        assert!(!answer.text.contains("canary-42"));
    }
    let journal = api.journal_text().await;
    assert!(!journal.contains("canary-42") && !journal.contains("stop please"));
}

#[tokio::test]
async fn stop_holds_over_a_new_registration_until_start_whichever_arrives_first() {
    let api = Api::open().await;
    api.texted(60).await;
    let now = api.world.now();
    let said = |text: &str, seconds: u64| {
        let at = Timestamp::from_millis(now.as_millis() - 60_000);
        json!({"text": text, "receivedAt": at.plus(Duration::from_secs(seconds))})
    };
    let first = api.post(REPLIES, &said("STOP", 10)).await;
    assert_eq!(outcome(&first), (200, json!("stopped")), "{}", first.text);
    assert_eq!(first.headers["callboard-commit"], "recipient#usr-1@2");
    let again = api.post(REPLIES, &said("STOP", 10)).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    assert_eq!(again.headers.get("callboard-commit"), None);
    // What was said before it comes after it.
    let earlier = api.post(REPLIES, &said("START", 5)).await;
    assert_eq!(outcome(&earlier), (200, json!("stopped")));
    api.register("usr-1").await;
    let stopped = api.consent().await.expect("an item");
    assert_eq!(stopped["stopped"].as_bool(), Ok(&true));
    // A word about a channel: the offer stands, and may be accepted.
    assert_eq!(outcome(&api.reply("yes").await), (200, json!("accepted")));
    let later = api.post(REPLIES, &said("start", 20)).await;
    assert_eq!(outcome(&later), (200, json!("started")));
    let erased = api.request("DELETE", "/v1/recipients/usr-1");
    assert_eq!(erased.send(&api.function).await.status, 200);
    assert_eq!(api.consent().await, None);
    assert_eq!(
        refusal(&api.reply("stop").await),
        (422, "recipient-erased".to_owned())
    );
}

#[tokio::test]
async fn who_is_unknown_or_has_no_offer_is_told_so() {
    let api = Api::open().await;
    let unknown = api.reply("yes").await;
    assert_eq!(refusal(&unknown), (404, "recipient-not-found".to_owned()));
    let body = json!({"email": "kim@example.org", "locale": "de-CH"});
    let known = api.request("PUT", "/v1/recipients/usr-1").json(&body);
    assert_eq!(known.send(&api.function).await.status, 201);
    let nothing = api.reply("ja").await;
    assert_eq!(refusal(&nothing), (409, "no-offer".to_owned()));
    let text = nothing.json()["reply"].as_str().expect("a text").to_owned();
    assert!(text.starts_with("Zurzeit liegt kein Angebot"), "{text}");
}

#[tokio::test]
async fn who_answers_for_a_person_is_the_one_who_may() {
    let api = Api::open().await;
    api.register("mum").await;
    api.texted(60).await;
    // A view that has not heard of it yet names the person too.
    api.shown("mum", "offered#e1", "e1").await;
    let not_hers = api
        .post("/v1/recipients/mum/replies", &json!({"text": "yes"}))
        .await;
    assert_eq!(refusal(&not_hers), (409, "no-offer".to_owned()));
    let wishes = api
        .request("PUT", "/v1/waitlists/w1/entries/e1/preferences")
        .json(&json!({"proxyId": "mum"}));
    assert_eq!(wishes.send(&api.function).await.status, 200);
    assert_eq!(
        refusal(&api.reply("yes").await),
        (409, "no-offer".to_owned())
    );
    let hers = api
        .post("/v1/recipients/mum/replies", &json!({"text": "yes"}))
        .await;
    assert_eq!(outcome(&hers), (200, json!("accepted")), "{}", hers.text);
}
