//! A person changes their own place by a signed link.

use std::time::Duration;

use callboard_contracts::link::EntryLink;
use callboard_contracts::{EntryId, WaitlistId};
use callboard_runtime::token::Keys;
use callboard_testkit::gateway::Answer;
use serde_json::json;

use super::super::{Api, KEYS, token};
use super::{commit, refusal};

const FORM: &str = "application/x-www-form-urlencoded";

fn link(entry: &str) -> EntryLink {
    EntryLink {
        waitlist: WaitlistId::parse("w1").expect("an id"),
        entry: EntryId::parse(entry).expect("an id"),
    }
}

impl Api {
    fn place(&self, entry: &str) -> String {
        let expires = self.world.now().plus(Duration::from_secs(60));
        Keys::parse(KEYS).expect("keys").sign(&link(entry), expires)
    }

    async fn change(&self, token: &str, form: &str, accept: &str) -> Answer {
        let request = self.request("POST", &format!("/w/{token}"));
        let request = request.header("accept", accept).body(FORM, form);
        request.send(&self.function).await
    }
}

#[tokio::test]
async fn a_person_rests_comes_back_and_leaves_and_a_browser_is_led_to_the_page() {
    let api = Api::open().await;
    api.joined().await;
    let token = api.place("e1");
    let paused = api.change(&token, "do=pause", "text/html").await;
    assert_eq!(paused.status, 303, "{}", paused.text);
    assert_eq!(paused.headers["location"], format!("./{token}"));
    assert_eq!(paused.headers["cache-control"], "no-store");
    assert_eq!(commit(&paused), "entry#e1@2");
    let again = api.change(&token, "do=pause", "application/json").await;
    assert_eq!((again.status, commit(&again)), (200, "entry#e1@2"));
    let resumed = api.change(&token, "do=resume", "application/json").await;
    assert_eq!(resumed.json(), json!({"entryId": "e1", "waitlistId": "w1"}));
    let left = api.change(&token, "do=leave&sure=yes", "text/html").await;
    assert_eq!((left.status, commit(&left)), (303, "entry#e1@4"));
    let late = api.change(&token, "do=pause", "application/json").await;
    assert_eq!(refusal(&late), (409, "entry-left".to_owned()));
}

#[tokio::test]
async fn nobody_leaves_by_one_press_and_no_other_link_opens_a_place() {
    let api = Api::open().await;
    let offer = api.offered(60).await;
    let unsure = api
        .change(&api.place("e1"), "do=leave", "application/json")
        .await;
    assert_eq!(unsure.status, 422, "{}", unsure.text);
    let expires = api.world.now().plus(Duration::from_secs(60));
    let of_offer = token(&offer, KEYS, expires);
    let forged = api
        .change(&of_offer, "do=leave&sure=yes", "application/json")
        .await;
    assert_eq!(refusal(&forged), (404, "unknown-link".to_owned()));
    let expired = Keys::parse(KEYS)
        .expect("keys")
        .sign(&link("e1"), api.world.now());
    let late = api.change(&expired, "do=pause", "text/html").await;
    assert_eq!(late.status, 404);
    assert!(late.text.contains("We do not know this link") && !late.text.contains(&expired));
    let nobody = api
        .change(&api.place("e9"), "do=pause", "application/json")
        .await;
    assert_eq!(refusal(&nobody), (404, "entry-not-found".to_owned()));
}
