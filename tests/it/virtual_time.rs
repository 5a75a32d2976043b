//! Half an hour passes in milliseconds: the whole system under paused time, with nothing
//! replaced but sockets.

use std::time::{Duration, Instant};

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::SlotEvent;

use serde_json::json;

use crate::house::House;
use crate::story::is;

/// How long an offer stands in these tests.
const WINDOW: Duration = Duration::from_secs(1_800);

/// The template's `HoldGraceSeconds`.
const GRACE: Duration = Duration::from_secs(5);

/// The template's `SecondLookSeconds`.
const SECOND_LOOK: Duration = Duration::from_secs(30);

/// By when a timer must have done its work: SQS delays in whole seconds, and a message that
/// comes a moment early waits up to three seconds more.
const TIMER_SLACK: Duration = Duration::from_secs(10);

/// From a moment that a timer waits for to what follows from it: the timer's whole seconds, and the
/// way through two queues.
const TIMER_MAX: Duration = Duration::from_secs(2);

/// Real time that a test here may take on a busy machine. It covers more than an hour of virtual
/// time, so it proves that nobody waits.
const REAL_TIME_MAX: Duration = Duration::from_secs(300);

/// When an event of this type was committed in a slot's stream, each time.
async fn times_of(house: &House, slot: &str, event_type: &str) -> Vec<Timestamp> {
    let stream = format!("slot#{slot}");
    let commits = house.journal().await;
    let of_slot = commits
        .iter()
        .filter(|commit| commit.stream.as_str() == stream);
    let with = of_slot.filter(|commit| {
        let mut events = commit.events.iter();
        events.any(|event| event.event_type == event_type)
    });
    with.map(|commit| commit.at).collect()
}

/// The only time at which it was.
async fn time_of(house: &House, slot: &str, event_type: &str) -> Timestamp {
    let times = times_of(house, slot, event_type).await;
    assert_eq!(times.len(), 1, "{event_type}");
    times[0]
}

fn between(time: Timestamp, from: Timestamp, slack: Duration) {
    assert!(
        from <= time && time <= from.plus(slack),
        "{time} is not within {slack:?} after {from}"
    );
}

async fn wait_until(house: &House, time: Timestamp) {
    tokio::time::sleep(time.since(house.now())).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_list_is_asked_in_turn_and_the_slot_opens_to_the_public_in_no_time() {
    let began = Instant::now();
    let house = House::still().await;
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "routine").await;
    let released_at = house.now();
    let released = house.release("clinic", WINDOW).await;
    house.offer_to(&anna).await;
    house.offer_to(&ben).await;
    let hour = Duration::from_secs(3_600);
    house
        .until_within(hour, "the slot to open to the public", async || {
            let view = house.slot(&released.slot).await;
            (view["state"] == "opened-to-public").then_some(())
        })
        .await;
    house.at_rest().await;

    let slot = &released.slot;
    let held = times_of(&house, slot, "callboard.waitlist.slot-held.v1").await;
    let [first, second] = held[..] else {
        panic!("two holds: {held:?}")
    };
    between(first, released_at, TIMER_SLACK);
    between(second, first.plus(WINDOW + GRACE), TIMER_SLACK);
    let empty = time_of(&house, slot, "callboard.waitlist.candidate-not-found.v1").await;
    between(empty, second.plus(WINDOW + GRACE), TIMER_SLACK);
    let opened = time_of(&house, slot, "callboard.waitlist.slot-opened-to-public.v1").await;
    between(opened, empty.plus(SECOND_LOOK), TIMER_SLACK);
    assert_eq!(house.mails().await.len(), 2, "one offer each");
    house.expect_no_dead_letters().await;
    house.close().await;
    let took = began.elapsed();
    assert!(took < REAL_TIME_MAX, "an hour took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_until_the_deadline_and_not_after_it_whatever_the_timers_do() {
    let house = House::still().await;
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "routine").await;
    let released = house.release("clinic", WINDOW).await;
    let link = house.offer_to(&anna).await;
    let deadline = deadline_of(&house, &released.slot).await;

    // The hold is still there: it is released five seconds later.
    wait_until(&house, deadline).await;
    let late = house.press(&link, "accept").await;
    assert_eq!(
        (late.status, late.problem().as_str()),
        (409, "offer-expired")
    );
    assert!(
        times_of(
            &house,
            &released.slot,
            "callboard.waitlist.hold-released.v1"
        )
        .await
        .is_empty()
    );

    let link = house.offer_to(&ben).await;
    let deadline = deadline_of(&house, &released.slot).await;
    wait_until(&house, Timestamp::from_millis(deadline.as_millis() - 1)).await;
    house.press(&link, "accept").await.expect(200);
    let view = house.slot_when(&released.slot, "booked").await;
    assert_eq!(view["offers"], 2);
    house.close().await;
}

async fn deadline_of(house: &House, slot: &str) -> Timestamp {
    let view = house.slot_when(slot, "held").await;
    let text = view["expiresAt"].as_str().expect("a deadline");
    text.parse().expect("a time")
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_between_the_two_looks_is_offered_the_slot() {
    let house = House::still().await;
    let released = house.release("clinic", WINDOW).await;
    house
        .until("the first empty look", async || {
            let times = times_of(
                &house,
                &released.slot,
                "callboard.waitlist.candidate-not-found.v1",
            );
            (!times.await.is_empty()).then_some(())
        })
        .await;
    let dana = house.register("dana").await;
    house.join("clinic", &dana, "routine").await;
    let link = house.offer_to(&dana).await;
    house.press(&link, "accept").await.expect(200);
    house.slot_when(&released.slot, "booked").await;
    house.at_rest().await;
    let opened = "callboard.waitlist.slot-opened-to-public.v1";
    assert!(times_of(&house, &released.slot, opened).await.is_empty());
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_between_the_two_looks_is_offered_the_slot_before_the_second_one() {
    let house = House::still().await;
    let dana = house.register("dana").await;
    let entry = house.join("clinic", &dana, "routine").await;
    let say = async |what: &str| {
        let path = format!("/v1/waitlists/clinic/entries/{entry}/{what}");
        house.api.json("POST", &path, &json!({})).await.expect(200);
    };
    say("pause").await;
    house.at_rest().await;
    let released = house.release("clinic", WINDOW).await;
    let not_found = "callboard.waitlist.candidate-not-found.v1";
    house
        .until("the first empty look", async || {
            let times = times_of(&house, &released.slot, not_found).await;
            (!times.is_empty()).then_some(())
        })
        .await;
    // The slot has to stand in the view of open slots, or the second look finds the entry.
    house.slot_when(&released.slot, "open").await;
    let before = house.now();
    say("resume").await;
    house.offer_to(&dana).await;
    let held = time_of(&house, &released.slot, "callboard.waitlist.slot-held.v1").await;
    between(held, before, Duration::from_secs(3));
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_offer_is_made_when_its_grace_is_over_and_not_when_the_sweep_comes_by() {
    let house = House::still().await;
    for (person, waitlist) in [("anna", "clinic"), ("ben", "surgery")] {
        let person = house.register(person).await;
        house.join(waitlist, &person, "urgent").await;
    }
    // Both cannot fall on the minute of a sweep.
    for (waitlist, grace) in [("clinic", 77), ("surgery", 101)] {
        let policy = json!({ "windowSeconds": 1_800, "mode": { "is": "sequential" }, "graceSeconds": grace });
        let path = format!("/v1/waitlists/{waitlist}/policy");
        house.api.json("PUT", &path, &policy).await.expect(201);
        let released = house.release(waitlist, WINDOW).await.slot;
        let hold = "callboard.waitlist.slot-held.v1";
        house
            .until("the first offer", async || {
                (!times_of(&house, &released, hold).await.is_empty()).then_some(())
            })
            .await;
        let at = time_of(&house, &released, "callboard.waitlist.slot-released.v1").await;
        let due = at.plus(Duration::from_secs(grace));
        between(time_of(&house, &released, hold).await, due, TIMER_MAX);
    }
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_first_offer_has_no_grace_sets_no_timer_before_its_hold() {
    let house = House::still().await;
    let anna = house.register("anna").await;
    house.join("clinic", &anna, "urgent").await;
    let released = house.release("clinic", WINDOW).await;
    house.offer_to(&anna).await;
    let heard = house.host().totals()["deadline-clock"].records;
    assert_eq!(heard, 1, "of the hold alone");
    assert_eq!(house.slot(&released.slot).await["state"], "held");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_timeline_tells_the_whole_story_under_one_correlation_id() {
    let house = House::still().await;
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "routine").await;
    let released = house.release("clinic", WINDOW).await;
    let link = house.offer_to(&anna).await;
    house.press(&link, "decline").await.expect(200);
    let link = house.offer_to(&ben).await;
    house.press(&link, "accept").await.expect(200);
    house.at_rest().await;

    let events = house.timeline(&released.correlation).await;
    for (name, times) in [
        ("slot-released", 1),
        ("slot-held", 2),
        ("hold-released", 1),
        ("slot-filled", 1),
        ("offer-made", 2),
        ("offer-declined", 1),
        ("offer-accepted", 1),
        ("notification-planned", 3),
        ("delivery-attempted", 3),
        ("delivery-succeeded", 3),
    ] {
        let found = events.iter().filter(|event| is(event, name)).count();
        assert_eq!(found, times, "{name}");
    }
    house.close().await;
}

#[test]
fn every_slot_event_is_one_that_these_tests_know_by_name() {
    for name in [
        "slot-held",
        "candidate-not-found",
        "slot-opened-to-public",
        "hold-released",
    ] {
        let full = format!("callboard.waitlist.{name}.v1");
        assert!(SlotEvent::TYPES.contains(&full.as_str()), "{full}");
    }
}
