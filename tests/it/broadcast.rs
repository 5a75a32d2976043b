//! A slot that is told to all who wait at once: each hears of it once, and the first to accept has
//! it, whatever breaks (I1, I6, I7).

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_testkit::Fault;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::house::{House, Setup, Site};
use crate::story::{Person, Released, link};
use callboard_testkit::twice_and_shuffled;

/// How many wait: more than one commit tells.
const PEOPLE: usize = 18;

/// The mail that tells of a broadcast.
const SUBJECT: &str = "the first to say yes gets it";

/// Seconds from the end of a broadcast to the slot, of tomorrow: it ends after twenty minutes, when
/// its timer leaves the house at rest.
const CUTOFF: u64 = 86_400 - 1_200;

/// The template's schedule of the sweep twice, for what is left open lets half a minute pass
/// first, and a moment for the work itself.
const SWEEPS: Duration = Duration::from_secs(2 * 60 + 30);

/// `PEOPLE` wait for a slot whose policy is to tell them all.
async fn waiting(house: &House) -> Vec<Person> {
    let path = "/v1/waitlists/clinic/policy";
    let policy =
        json!({"mode": {"is": "broadcast"}, "windowSeconds": 600, "cutoffSeconds": CUTOFF});
    house.api.json("PUT", path, &policy).await.expect(201);
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let person = house.register(&format!("p{number:02}")).await;
        house.join("clinic", &person, "routine").await;
        people.push(person);
    }
    house.at_rest().await;
    people
}

async fn released(house: &House) -> Released {
    house.release("clinic", Duration::from_secs(600)).await
}

/// The links of all who were told, once every one of them was.
async fn links(house: &House, people: &[Person]) -> Vec<String> {
    let patience = Duration::from_secs(900);
    house
        .until_within(patience, "all to be told", async || {
            let mails = house.mails().await;
            (mails.len() >= people.len()).then_some(())
        })
        .await;
    let mut links = Vec::new();
    for person in people {
        let mails = house.mails_to(&person.email).await;
        assert_eq!(mails.len(), 1, "{} is told once", person.id);
        assert!(mails[0].subject.contains(SUBJECT), "{}", mails[0].subject);
        links.push(link(&mails[0]).expect("a link"));
    }
    links
}

async fn shown(house: &House, link: &str) -> Value {
    house.api.get(link).await.expect(200).json()
}

/// How many events of each type the broadcast's stream has.
async fn told(house: &House) -> BTreeMap<String, usize> {
    let journal = house.journal().await;
    let of_it = journal
        .iter()
        .filter(|commit| commit.stream.kind() == "broadcast");
    let mut counts = BTreeMap::new();
    for event in of_it.flat_map(|commit| &commit.events) {
        let name = event.event_type.rsplit('.').nth(1).unwrap_or_default();
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_are_told_at_once_and_the_first_to_accept_has_the_slot() {
    let house = House::still().await;
    let people = waiting(&house).await;
    let before = house.host().totals()["waitlist-cascade"].invocations;
    let released = released(&house).await;
    let links = links(&house, &people).await;
    assert_eq!(house.slot(&released.slot).await["state"], "broadcast");
    assert_eq!(told(&house).await["broadcast-announced"], 2);
    let woken = house.host().totals()["waitlist-cascade"].invocations - before;
    assert!(woken <= 1, "{woken} calls of the cascade for one release");
    for link in &links {
        let open = shown(&house, link).await;
        assert_eq!(
            (&open["state"], &open["firstCome"]),
            (&json!("open"), &json!(true))
        );
    }

    let answers = join_all(links.iter().map(|link| house.press(link, "accept"))).await;
    let won: Vec<_> = (0..PEOPLE)
        .filter(|at| answers[*at].status == 200)
        .collect();
    let [winner] = won[..] else {
        panic!("I1: {won:?}")
    };
    for (at, answer) in answers.iter().enumerate().filter(|(at, _)| *at != winner) {
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (409, "slot-taken")
        );
        assert_eq!(shown(&house, &links[at]).await["state"], "taken");
    }
    assert_eq!(shown(&house, &links[winner]).await["state"], "accepted");
    let view = house.slot_when(&released.slot, "booked").await;
    assert_eq!(view["slotVersion"], 1);
    house.at_rest().await;
    let mails = house.mails_to(&people[winner].email).await;
    assert_eq!(mails.len(), 2, "the invitation and the confirmation");
    assert_eq!(
        house.mails().await.len(),
        PEOPLE + 1,
        "nobody is sent a rejection"
    );
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_is_cut_off_between_its_commits_goes_on_and_tells_nobody_twice() {
    let house = House::still().await;
    let people = waiting(&house).await;
    // The first page stands in a transaction. What follows it finds a broken line, for longer than
    // the message comes back.
    let faults = house.faults("waitlist-cascade");
    faults.times("PutItem", 24, &Fault::DropRequest);
    let released = released(&house).await;
    let links = links(&house, &people).await;
    assert_eq!(links.len(), PEOPLE);
    assert_eq!(told(&house).await["broadcast-announced"], 2);
    house.press(&links[3], "accept").await.expect(200);
    house.slot_when(&released.slot, "booked").await;
    house.at_rest().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn with_a_dead_relay_the_sweep_alone_tells_all_and_they_hear_of_it_once_it_is_back() {
    let house = House::still().await;
    let people = waiting(&house).await;
    let relay = house.faults("outbox-relay");
    relay.unavailable_for(Some("Action=Publish"));
    // One page, then nothing more, as if the function had been killed.
    house
        .faults("waitlist-cascade")
        .times("PutItem", 3, &Fault::DropRequest);
    released(&house).await;
    house
        .until_within(2 * SWEEPS, "the sweep to find the broadcast", async || {
            let told = told(&house).await;
            (told.get("audience-searched") == Some(&2)).then_some(())
        })
        .await;
    assert!(house.mails().await.is_empty());
    relay.unavailable_for(None);
    let links = links(&house, &people).await;
    assert_eq!(links.len(), PEOPLE);
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn every_message_twice_and_out_of_order_tells_each_once() {
    let setup = Setup::layered(|_, service| twice_and_shuffled(service, 7));
    let house = Site::new(setup).await.open().await;
    let people = waiting(&house).await;
    let released = released(&house).await;
    let links = links(&house, &people).await;
    house.press(&links[0], "accept").await.expect(200);
    let again = house.press(&links[0], "accept").await.expect(200);
    assert_eq!(again.json()["state"], "accepted");
    house.slot_when(&released.slot, "booked").await;
    house.at_rest().await;
    assert_eq!(house.mails().await.len(), PEOPLE + 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_joins_while_a_slot_is_open_to_all_is_told_and_nobody_else_again() {
    let house = House::still().await;
    let people = waiting(&house).await;
    released(&house).await;
    links(&house, &people).await;
    let late = house.register("late").await;
    house.join("clinic", &late, "urgent").await;
    let link = house.offer_to(&late).await;
    house.press(&link, "accept").await.expect(200);
    house.at_rest().await;
    assert_eq!(house.mails_to(&late.email).await.len(), 2);
    assert_eq!(house.mails().await.len(), PEOPLE + 2);
    house.close().await;
}
