//! Why somebody waits still, as the person at the desk is told: through the whole system, from the
//! join to the answer of `query-api` (I4, I12).

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;
use crate::story::{Person, SERVICE};

const WINDOW: Duration = Duration::from_secs(1_800);

async fn explained(house: &House, entry: &str) -> Value {
    let path = format!("/v1/waitlists/clinic/entries/{entry}");
    let answer = house.api.get(&path).await.expect(200);
    for name in ["anna", "ben", "cleo", "dora"] {
        let known = entry_of(&answer.json(), name);
        assert!(known, "another person is named: {}", answer.text());
    }
    answer.json()
}

/// Whether a person is named only as the recipient of their own entry.
fn entry_of(body: &Value, name: &str) -> bool {
    let mut body = body.clone();
    if body["recipientId"] == name {
        body["recipientId"] = json!("");
    }
    !body.to_string().contains(name)
}

/// Joins with a wish that no slot here fits.
async fn join_for_two_hours(house: &House, person: &Person) -> String {
    let body = json!({
        "recipientId": person.id, "service": SERVICE, "urgency": "soon",
        "preferences": { "minutes": { "min": 120 } },
    });
    let path = "/v1/waitlists/clinic/entries";
    let answer = house.api.json("POST", path, &body).await.expect(201);
    answer.json()["entryId"].as_str().expect("an id").to_owned()
}

fn told(body: &Value, member: &str) -> Vec<Value> {
    let offers = body["wentFirst"]["offers"].as_array().expect("a list");
    offers.iter().map(|offer| offer[member].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn everybody_learns_where_they_stand_and_why_others_were_asked_first() {
    let house = House::still().await;
    let [anna, ben, cleo, dora] = [
        house.register("anna").await,
        house.register("ben").await,
        house.register("cleo").await,
        house.register("dora").await,
    ];
    let of_anna = house.join("clinic", &anna, "urgent").await;
    let of_ben = join_for_two_hours(&house, &ben).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let of_cleo = house.join("clinic", &cleo, "routine").await;
    let of_dora = house.join("clinic", &dora, "routine").await;

    tokio::time::sleep(Duration::from_secs(600)).await;
    let ahead = async |entry: &str| explained(&house, entry).await["position"]["ahead"].clone();
    assert_eq!(ahead(&of_anna).await, 0);
    assert_eq!(ahead(&of_ben).await, 1);
    let third = explained(&house, &of_cleo).await;
    assert_eq!(third["position"]["ofWhom"]["urgent"], 1);
    assert_eq!(third["position"]["ofWhom"]["soon"], 1);
    assert_eq!(ahead(&of_dora).await, 3);
    assert_eq!(
        third["wentFirst"]["offers"],
        json!([]),
        "nothing was offered yet"
    );

    house.release("clinic", WINDOW).await;
    let link = house.offer_to(&anna).await;
    house.press(&link, "decline").await.expect(200);
    house.offer_to(&cleo).await;
    let ben_is_told = house
        .until("the view to show the second offer", async || {
            let body = explained(&house, &of_ben).await;
            (told(&body, "code").len() == 2).then_some(body)
        })
        .await;
    assert_eq!(
        told(&ben_is_told, "code"),
        ["wrong-duration", "ranked-behind"]
    );
    assert_eq!(told(&ben_is_told, "to")[0]["urgency"], "routine");
    let dora_is_told = explained(&house, &of_dora).await;
    assert_eq!(
        told(&dora_is_told, "code"),
        ["ranked-behind", "ranked-behind"]
    );
    assert_eq!(told(&dora_is_told, "to")[1]["urgency"], "urgent");
    let anna_is_told = explained(&house, &of_anna).await;
    assert_eq!(told(&anna_is_told, "code"), ["had-its-turn", "offered"]);
    assert_eq!(
        told(&anna_is_told, "because")[1],
        "The slot was offered to this entry, which declined."
    );
    assert_eq!(anna_is_told["wentFirst"]["complete"], true);

    let paused = format!("/v1/waitlists/clinic/entries/{of_dora}/pause");
    let paused = house.api.json("POST", &paused, &json!({})).await;
    assert_eq!(paused.status, 200, "{}", paused.text());
    let none = explained(&house, &of_dora).await;
    assert_eq!(none["position"]["unranked"], "paused");

    // The person herself, by the link in the mail.
    let mail = &house.mails_to(&anna.email).await[0];
    let (_, after) = mail.text.split_once("/w/").expect("a link to her place");
    let place = format!("/w/{}", after.split_whitespace().next().expect("a token"));
    let seen = house.api.get(&place).await.expect(200);
    assert_eq!(seen.json()["state"], "waiting");
    assert_eq!(seen.json()["slots"][0]["code"], "offered");
    assert!(!seen.text().contains("anna"), "{}", seen.text());
    let pause = json!({ "do": "pause" });
    house.api.json("POST", &place, &pause).await.expect(200);
    let seen = house.api.get(&place).await.expect(200);
    assert_eq!(seen.json()["state"], "paused");
    house.expect_no_dead_letters().await;
    house.close().await;
}
