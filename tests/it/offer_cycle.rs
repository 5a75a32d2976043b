//! What a cycle of offers costs, how soon one offer follows the other, and that nobody is passed over
//! in between: sequential offers after a grace, on virtual time. Figures are printed; `--nocapture`
//! shows them.

use std::collections::BTreeSet;
use std::time::Duration;

use callboard_contracts::waitlist::SlotEvent;
use callboard_contracts::{DomainEvent as _, StreamId, Timestamp};
use callboard_runtime::journal::{Committed, WRITE_UNIT_BYTES, item_bytes};
use serde_json::{Value, json};

use crate::crowd::ledger::Ledger;
use crate::crowd::people::Crowd;
use crate::evidence::Item;
use crate::house::{FUNCTIONS, House};
use crate::story::{Released, SERVICE};

/// How long an offer stands.
const WINDOW: Duration = Duration::from_secs(1_800);

/// How long a slot is kept before its first offer.
const GRACE: Duration = Duration::from_secs(120);

/// The template's `HoldGraceSeconds`.
const HOLD_GRACE: Duration = Duration::from_secs(5);

/// From the moment at which an offer may be made until it is.
const NEXT_OFFER_MAX: Duration = Duration::from_secs(2);

/// Write units of a notification: planned, attempted, succeeded.
const MAIL_UNITS: f64 = 3.0;

/// What a cycle may cost without expired offers, and for each of those.
const UNITS_MAX: (f64, f64) = (14.0, 8.0);

/// What writes no view.
const WRITERS: [&str; 4] = [
    "command-api",
    "waitlist-cascade",
    "notification-planner",
    "email-sender",
];

async fn sequential(house: &House, window: Duration) {
    let policy = json!({
        "mode": { "is": "sequential" }, "windowSeconds": window.as_secs(),
        "graceSeconds": GRACE.as_secs(),
    });
    let path = "/v1/waitlists/clinic/policy";
    house.api.json("PUT", path, &policy).await.expect(201);
}

/// A slot's offers, and when each could have been made at the earliest.
fn offers(journal: &[Committed], slot: &str) -> Vec<(Timestamp, Timestamp)> {
    let stream = format!("slot#{slot}");
    let (mut due, mut offers) = (None, Vec::new());
    for commit in journal.iter().filter(|it| it.stream.as_str() == stream) {
        for event in &commit.events {
            let event = SlotEvent::decode(&event.event_type, event.data.clone());
            match event.expect("a slot's event") {
                SlotEvent::SlotReleased(_) => due = Some(commit.at.plus(GRACE)),
                SlotEvent::SlotHeld(held) => {
                    offers.push((due.expect("released"), commit.at));
                    due = Some(held.expires_at.plus(HOLD_GRACE));
                }
                _ => {}
            }
        }
    }
    offers
}

/// The longest time from when an offer could be made until it was.
fn slowest(journal: &[Committed], slot: &str) -> Duration {
    let offers = offers(journal, slot).into_iter();
    let late = offers.map(|(due, at)| {
        assert!(at >= due, "an offer at {at}, due {due}");
        at.since(due)
    });
    late.max().expect("an offer")
}

/// A slot is released, so many let its offer run out, and the next one accepts.
async fn cycle(expired: usize) -> (House, Released) {
    let house = House::still().await;
    let mut people = Vec::new();
    for at in 0..=expired {
        let person = house.register(&format!("person-{at}")).await;
        house.join("clinic", &person, "routine").await;
        people.push(person);
    }
    sequential(&house, WINDOW).await;
    house.at_rest().await;
    for function in FUNCTIONS {
        house.faults(function).reset();
    }
    let released = house.release("clinic", WINDOW).await;
    let last = people.last().expect("one accepts");
    let patience = people
        .iter()
        .fold(GRACE, |sum, _| sum + WINDOW + HOLD_GRACE);
    let link = house.offer_within(last, patience).await;
    house.press(&link, "accept").await.expect(200);
    house.at_rest().await;
    (house, released)
}

/// Write units of the commits of a cycle, but for the confirmation's mail, and for the row of each in
/// the index `by-correlation`, which nothing but the timeline needs.
async fn units(house: &House, journal: &[Committed], expired: usize) -> f64 {
    let costs = WRITERS.map(|function| house.faults(function).costs().all_write_units());
    let of = |stream: &StreamId| journal.iter().filter(|it| it.stream == *stream).count();
    let mails = journal.iter().map(|commit| &commit.stream);
    let mails: BTreeSet<_> = mails.filter(|it| it.kind() == "notification").collect();
    assert_eq!(mails.len(), expired + 2, "offers and the confirmation");
    assert!(mails.into_iter().all(|mail| of(mail) == 3));
    let rows = journal.iter().map(|_| 1.0).sum::<f64>();
    costs.iter().sum::<f64>() - rows - MAIL_UNITS
}

/// Bytes of the largest of these commits.
async fn largest(house: &House, commits: &[Committed]) -> usize {
    let items = house.items("JournalTable").await;
    let of_cycle = |item: &&Item| {
        let commit = Committed::from_item(item);
        commit.is_ok_and(|commit| commits.contains(&commit))
    };
    let bytes = items.iter().filter(of_cycle).map(item_bytes);
    bytes.max().expect("a commit")
}

#[tokio::test(start_paused = true)]
async fn a_cycle_costs_fourteen_write_units_and_eight_for_each_expired_offer_and_goes_on_in_time() {
    for expired in [0_u8, 1, 2, 5] {
        let (house, released) = cycle(expired.into()).await;
        let mut journal = house.journal().await;
        let offers = offers(&journal, &released.slot);
        let released_at = offers[0].0.minus(GRACE);
        // The policy was set in the same millisecond.
        let is_of_cycle = |it: &Committed| it.at >= released_at && it.stream.kind() != "waitlist";
        journal.retain(is_of_cycle);
        assert_eq!(offers.len(), usize::from(expired) + 1);
        let units = units(&house, &journal, expired.into()).await;
        let max = UNITS_MAX.1.mul_add(f64::from(expired), UNITS_MAX.0);
        let bytes = largest(&house, &journal).await;
        let slowest = slowest(&journal, &released.slot);
        println!(
            "{expired} expired: {units} write units of {max}; largest commit {bytes} of {WRITE_UNIT_BYTES} bytes; \
             next offer at most {slowest:?} after it was due"
        );
        assert!(units <= max, "{expired} expired: {units} write units");
        assert!(bytes <= WRITE_UNIT_BYTES, "{bytes} bytes");
        assert!(slowest <= NEXT_OFFER_MAX, "{slowest:?}");
        house.close().await;
    }
}

/// Offers that run out on real time, one after the other.
const LIVE_OFFERS: usize = 5;

/// How long each stands.
const LIVE_WINDOW: Duration = Duration::from_secs(2);

/// Virtual time counts what is waited for, real time also what is done.
#[tokio::test]
async fn on_real_time_the_next_offer_follows_as_well() {
    let house = House::live().await;
    for at in 0..=LIVE_OFFERS {
        let person = house.register(&format!("person-{at}")).await;
        house.join("clinic", &person, "routine").await;
    }
    let released = house.release("clinic", LIVE_WINDOW).await;
    let slot = format!("slot#{}", released.slot);
    let held = async || {
        let journal = house.journal().await;
        let commits = journal.iter().filter(|it| it.stream.as_str() == slot);
        let events =
            commits.flat_map(|commit| commit.events.iter().map(|event| (commit.at, event)));
        let events = events.filter_map(|(at, event)| {
            let event = SlotEvent::decode(&event.event_type, event.data.clone());
            match event.expect("a slot's event") {
                SlotEvent::SlotHeld(held) => Some((at, held.expires_at)),
                _ => None,
            }
        });
        let holds: Vec<_> = events.collect();
        (holds.len() > LIVE_OFFERS).then_some(holds)
    };
    let holds = house.until("the offers", held).await;
    // A live house keeps no grace after an offer's end.
    let late = holds.windows(2).map(|pair| pair[1].0.since(pair[0].1));
    let late: Vec<_> = late.collect();
    let slowest = late.iter().max();
    println!(
        "{LIVE_OFFERS} offers ran out on real time; the next one followed after {slowest:?} at most of {late:?}"
    );
    house.close().await;
}

/// People who wait in the clinic.
const PEOPLE: usize = 60;

/// Slots that become free, one after the other.
const SLOTS: usize = 20;

/// Between two slots.
const APART: Duration = Duration::from_secs(7 * 60);

/// How often everybody looks into their mail.
const LOOK: Duration = Duration::from_secs(60);

/// By when every slot has ended.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// One in two takes any slot; the others only those of a place or with somebody.
fn preferences(at: usize) -> Value {
    match at % 6 {
        0 => json!({ "locations": ["north"] }),
        1 => json!({ "locations": ["south"] }),
        2 => json!({ "providers": ["dr-a"], "locations": ["south"] }),
        _ => json!({}),
    }
}

async fn release(house: &House, at: usize) -> String {
    let starts = house.now().plus(PATIENCE);
    let location = ["north", "south"][at % 2];
    let provider = ["dr-a", "dr-b"][at / 2 % 2];
    let body = json!({
        "slotId": format!("slot-{at:02}"), "service": SERVICE, "startsAt": starts,
        "endsAt": starts.plus(Duration::from_secs(1_800)),
        "location": location, "provider": provider,
    });
    let path = "/v1/waitlists/clinic/slots";
    let answer = house.api.json("POST", path, &body).await.expect(201).json();
    answer["slotId"].as_str().expect("an id").to_owned()
}

async fn is_over(house: &House, slot: &str) -> bool {
    let view = house.slot(slot).await;
    ["booked", "opened-to-public"].contains(&view["state"].as_str().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn twenty_slots_go_through_sixty_people_of_all_urgencies_and_wishes_without_an_inversion() {
    let house = House::still().await;
    let mut crowd = Crowd::join_wishing(&house, PEOPLE, preferences).await;
    sequential(&house, Duration::from_secs(600)).await;
    let mut slots = Vec::new();
    for at in 0..SLOTS {
        slots.push(release(&house, at).await);
        let next = house.now().plus(APART);
        while house.now() < next {
            crowd.read_and_answer(&house).await;
            tokio::time::sleep(LOOK).await;
        }
    }
    for slot in &slots {
        while !is_over(&house, slot).await {
            crowd.read_and_answer(&house).await;
            tokio::time::sleep(LOOK).await;
        }
    }
    house.at_rest().await;
    house.expect_no_dead_letters().await;
    let journal = house.journal().await;
    let ledger = Ledger::of(&journal);
    ledger.every_slot_ended(&slots);
    ledger.agrees_with(&crowd);
    println!("{SLOTS} slots x {PEOPLE} people: {ledger}\n{crowd}");
    house.close().await;
}
