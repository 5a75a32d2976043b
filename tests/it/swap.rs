//! Bookings that are given up for sooner slots: whole chains, answers that race with staff, answers
//! that come twice, and what people are told.

use std::collections::BTreeSet;
use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_testkit::{Fault, Gate};
use serde_json::{Value, json};

use crate::house::{Answer, House, Mail};
use crate::story::{Person, link};

/// How long an offer stands.
const WINDOW: Duration = Duration::from_secs(1_800);

const LIST: &str = "clinic";

/// What a browser asks for.
const BROWSER: [(&str, &str); 1] = [("accept", "text/html")];

/// An appointment that somebody has, and would give up for a sooner one.
struct Own {
    slot: String,
    starts_at: Timestamp,
    /// The entry and the link by which it was booked, if it was by an offer.
    by_offer: Option<(String, String)>,
}

impl House {
    async fn allowing(&self, swaps_in_a_row: u8) {
        let policy = json!({
            "windowSeconds": WINDOW.as_secs(), "mode": { "is": "sequential" },
            "swapDepth": swaps_in_a_row,
        });
        let path = format!("/v1/waitlists/{LIST}/policy");
        self.api.json("PUT", &path, &policy).await.expect(201);
    }

    /// The newest link in a person's mails, once they have had so many.
    async fn nth_offer(&self, person: &Person, count: usize) -> String {
        let what = format!("offer {count} to {}", person.id);
        self.until_within(2 * WINDOW, &what, async || {
            let mails = self.mails_to(&person.email).await;
            mails.iter().filter_map(link).nth(count - 1)
        })
        .await
    }

    async fn starts_at(&self, slot: &str) -> Timestamp {
        let view = self.slot(slot).await;
        serde_json::from_value(view["startsAt"].clone()).expect("a time")
    }

    /// An appointment in so many days that came about by an offer.
    async fn booked_by_offer(&self, person: &Person, days: u64) -> Own {
        let entry = self.join(LIST, person, "urgent").await;
        let released = self.release_in(LIST, days, WINDOW).await;
        let link = self.nth_offer(person, 1).await;
        self.press(&link, "accept").await.expect(200);
        self.slot_when(&released.slot, "booked").await;
        self.at_rest().await;
        Own {
            starts_at: self.starts_at(&released.slot).await,
            slot: released.slot,
            by_offer: Some((entry, link)),
        }
    }

    /// One that staff booked.
    async fn booked_by_staff(&self, person: &Person, days: u64) -> Own {
        let slot = self.release_in(LIST, days, WINDOW).await.slot;
        let booking = json!({ "recipientId": person.id });
        let path = format!("/v1/slots/{slot}/booking");
        self.api.json("POST", &path, &booking).await.expect(201);
        self.slot_when(&slot, "booked").await;
        self.at_rest().await;
        let starts_at = self.starts_at(&slot).await;
        Own {
            slot,
            starts_at,
            by_offer: None,
        }
    }

    /// Joins for something sooner than the person has.
    async fn join_for_sooner(&self, person: &Person, own: &Own, more: Value) -> String {
        let mut wishes = more;
        wishes["preferences"] = json!({ "ownBooking": {
            "slotId": own.slot, "swap": true,
            "startsAt": own.starts_at, "endsAt": own.starts_at.plus(Duration::from_secs(2_700)),
        }});
        self.join_wishing(LIST, person, &wishes).await
    }

    /// Staff release a slot that is booked, as if the appointment had been cancelled by telephone.
    async fn release_again(&self, slot: &str) -> Answer {
        let view = self.slot(slot).await;
        let body = json!({
            "slotId": slot, "service": view["service"], "startsAt": view["startsAt"],
            "endsAt": view["endsAt"], "afterVersion": 1,
        });
        let path = format!("/v1/waitlists/{LIST}/slots");
        self.api.json("POST", &path, &body).await
    }

    async fn page(&self, link: &str) -> String {
        let page = self.api.send("GET", link, &BROWSER, Vec::new()).await;
        page.expect(200).text()
    }

    async fn entry_state(&self, entry: &str) -> Value {
        let path = format!("/v1/waitlists/{LIST}/entries/{entry}");
        self.api.get(&path).await.json()["state"].clone()
    }

    /// The data of every event of a type, oldest first.
    async fn all_of(&self, name: &str) -> Vec<Value> {
        let name = format!("callboard.waitlist.{name}.v1");
        let commits = self.journal().await;
        let events = commits.iter().flat_map(|commit| &commit.events);
        let of = events.filter(|event| event.event_type == name);
        of.map(|event| event.data.clone()).collect()
    }

    /// I1: no version of a slot was booked twice, by whomever.
    async fn nothing_is_booked_twice(&self) {
        let mut bookings = self.all_of("slot-filled").await;
        bookings.extend(self.all_of("slot-booked").await);
        let versions = bookings
            .iter()
            .map(|it| (it["slotId"].to_string(), it["slotVersion"].to_string()));
        let versions: BTreeSet<_> = versions.collect();
        assert_eq!(versions.len(), bookings.len(), "{bookings:#?}");
    }
}

fn says<'a>(mails: &'a [Mail], words: &str) -> Vec<&'a Mail> {
    let says = |mail: &&Mail| mail.text.replace('\n', " ").contains(words);
    mails.iter().filter(says).collect()
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_swaps_goes_on_as_often_as_the_policy_allows_and_books_nothing_twice() {
    let house = House::still().await;
    house.allowing(2).await;
    let [anna, ben, cleo] = [
        house.register("anna").await,
        house.register("ben").await,
        house.register("cleo").await,
    ];
    let of_anna = house.booked_by_offer(&anna, 2).await;
    let of_ben = house.booked_by_staff(&ben, 3).await;
    let of_cleo = house.booked_by_staff(&cleo, 4).await;
    let sooner = house
        .join_for_sooner(&anna, &of_anna, json!({ "urgency": "urgent" }))
        .await;
    house.join_for_sooner(&ben, &of_ben, json!({})).await;
    house.join_for_sooner(&cleo, &of_cleo, json!({})).await;

    let first = house.release_in(LIST, 1, WINDOW).await;
    let link = house.nth_offer(&anna, 2).await;
    assert!(house.page(&link).await.contains("if you take this one"));
    house.press(&link, "accept").await.expect(200);
    let bens = house.nth_offer(&ben, 1).await;
    house.press(&bens, "accept").await.expect(200);
    // A third swap in a row would be one too many.
    house.slot_when(&of_ben.slot, "opened-to-public").await;
    house.at_rest().await;

    for (slot, state, version) in [
        (&first.slot, "booked", 1),
        (&of_anna.slot, "booked", 2),
        (&of_ben.slot, "opened-to-public", 2),
        (&of_cleo.slot, "booked", 1),
    ] {
        let view = house.slot(slot).await;
        assert_eq!(
            (&view["state"], &view["slotVersion"]),
            (&json!(state), &json!(version))
        );
    }
    house.nothing_is_booked_twice().await;
    let depths: Vec<_> = house.all_of("slot-released").await;
    let chain: Vec<_> = depths
        .iter()
        .filter(|it| !it["swapDepth"].is_null())
        .collect();
    let depths: Vec<_> = chain.iter().map(|it| it["swapDepth"].clone()).collect();
    assert_eq!(depths, [json!(1), json!(2)]);
    assert!(chain[0]["startsAt"].as_str() < chain[1]["startsAt"].as_str());
    let passed = house.all_of("candidates-passed-over").await;
    assert!(
        passed
            .iter()
            .any(|it| !it["passed"]["swap-depth"].is_null()),
        "I4: why cleo was not asked: {passed:#?}"
    );

    // Everybody is told the truth, before and after.
    assert_eq!(house.entry_state(&sooner).await, "booked");
    let (old_entry, old_link) = of_anna.by_offer.expect("an offer");
    assert_eq!(house.entry_state(&old_entry).await, "given-up");
    let mails = house.mails_to(&anna.email).await;
    assert_eq!(says(&mails, "if you take this one").len(), 1);
    assert_eq!(says(&mails, "was given up for it").len(), 1);
    assert!(house.page(&link).await.contains("was given up for it"));
    let old = house.page(&old_link).await;
    assert!(
        old.contains("You have taken an earlier appointment instead"),
        "{old}"
    );
    for answer in ["accept", "decline"] {
        let late = house.press(&old_link, answer).await;
        assert_eq!(
            (late.status, late.problem().as_str()),
            (409, "booking-given-up")
        );
    }
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_that_comes_twice_gives_up_once() {
    let house = House::still().await;
    house.allowing(1).await;
    let anna = house.register("anna").await;
    let own = house.booked_by_offer(&anna, 2).await;
    house.join_for_sooner(&anna, &own, json!({})).await;
    house.release_in(LIST, 1, WINDOW).await;
    let link = house.nth_offer(&anna, 2).await;
    // The answer to the one write is lost, so that it is repeated; and the person presses again.
    house
        .faults("command-api")
        .next("TransactWriteItems", Fault::DropAnswer);
    let answers = ["accept", "accept", "accept"].map(|answer| house.press(&link, answer));
    for answer in futures::future::join_all(answers).await {
        answer.expect(200);
    }
    house.at_rest().await;
    house.press(&link, "accept").await.expect(200);
    let no = house.press(&link, "decline").await;
    assert_eq!(
        (no.status, no.problem().as_str()),
        (409, "already-answered")
    );
    assert_eq!(house.events_of("booking-given-up").await, 1);
    assert_eq!(house.events_of("slot-released").await, 3);
    house.nothing_is_booked_twice().await;
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_swap_and_a_cancellation_at_the_same_instant_the_first_releases_the_slot() {
    let house = House::still().await;
    house.allowing(1).await;
    let anna = house.register("anna").await;
    let own = house.booked_by_staff(&anna, 2).await;
    let entry = house.join_for_sooner(&anna, &own, json!({})).await;
    house.release_in(LIST, 1, WINDOW).await;
    let link = house.nth_offer(&anna, 1).await;
    // She has read her old booking when staff release it; so her transaction must not stand.
    let gate = Gate::new();
    house
        .faults("command-api")
        .next("TransactWriteItems", Fault::Hold(gate.clone()));
    let staff = async {
        gate.reached().await;
        let released = house.release_again(&own.slot).await;
        gate.open();
        released.expect(201)
    };
    let (accepted, _) = tokio::join!(house.press(&link, "accept"), staff);
    let accepted = accepted.expect(200).json();
    assert_eq!(accepted["otherBooking"]["is"], "kept", "{accepted}");
    house.at_rest().await;
    assert_eq!(house.entry_state(&entry).await, "booked");
    let of_own = house.all_of("slot-released").await;
    let versions = of_own.iter().filter(|it| it["slotId"] == json!(own.slot));
    assert_eq!(versions.count(), 2, "its second version was released once");
    let mails = house.mails_to(&anna.email).await;
    assert_eq!(
        says(&mails, "We could not, so that one is as it was.").len(),
        1
    );
    assert!(house.page(&link).await.contains("that one is as it was"));

    house.nothing_is_booked_twice().await;
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test]
async fn whatever_staff_do_at_the_same_time_there_is_one_clear_outcome() {
    let house = House::live().await;
    house.allowing(1).await;
    let anna = house.register("anna").await;
    let own = house.booked_by_offer(&anna, 2).await;
    house.join_for_sooner(&anna, &own, json!({})).await;
    let sooner = house.release_in(LIST, 1, WINDOW).await;
    let link = house.nth_offer(&anna, 2).await;
    let path = format!("/v1/slots/{}/booking", own.slot);
    let (first, second) = (json!({}), json!({ "slotVersion": 2 }));
    let (yes, again, released, booked, rebooked) = tokio::join!(
        house.press(&link, "accept"),
        house.press(&link, "accept"),
        house.release_again(&own.slot),
        house.api.json("POST", &path, &first),
        house.api.json("POST", &path, &second),
    );
    let kinds = [yes, again].map(|answer| answer.expect(200).json()["otherBooking"]["is"].clone());
    assert_eq!(kinds[0], kinds[1], "the same to both");
    house.slot_when(&sooner.slot, "booked").await;
    // The first version was anna's all the time.
    assert!(["slot-taken", "slot-moved"].contains(&booked.problem().as_str()));
    if kinds[0] == "given-up" {
        assert!([200, 409].contains(&released.status), "{}", released.text());
        assert_eq!(house.events_of("booking-given-up").await, 1);
    } else {
        assert_eq!((kinds[0].as_str(), released.status), (Some("kept"), 201));
        assert_eq!(house.events_of("booking-given-up").await, 0);
    }
    assert!([201, 409].contains(&rebooked.status), "{}", rebooked.text());
    assert_eq!(
        house.events_of("slot-released").await,
        3,
        "each version once"
    );
    house.nothing_is_booked_twice().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_accepts_at_once_swaps_at_once_and_with_a_dead_relay_the_sweep_goes_on() {
    let house = House::still().await;
    house.allowing(1).await;
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    let own = house.booked_by_offer(&anna, 2).await;
    let wishes = json!({ "urgency": "urgent", "autoAccept": true });
    house.join_for_sooner(&anna, &own, wishes).await;
    house.join(LIST, &ben, "routine").await;
    house.at_rest().await;
    house
        .faults("outbox-relay")
        .unavailable_for(Some("Action=Publish"));
    house.release_in(LIST, 1, WINDOW).await;
    house
        .until_within(
            WINDOW,
            "the slot that was given up to be offered",
            async || {
                let held = house.all_of("slot-held").await;
                let version =
                    |it: &Value| it["slotId"] == json!(own.slot) && it["slotVersion"] == 2;
                held.iter().find(|it| version(it)).cloned()
            },
        )
        .await;
    let filled = house.all_of("slot-filled").await;
    assert_eq!(filled.last().expect("a booking")["auto"], true);
    assert_eq!(house.events_of("booking-given-up").await, 1);
    house.nothing_is_booked_twice().await;
    house.close().await;
}
