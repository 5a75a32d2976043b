//! Deadlines without messages: what the journal's agenda alone brings about (I1, I3, I5).

use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_runtime::journal::Committed;
use serde_json::json;

use crate::house::House;
use crate::story::Person;

/// How long an offer stands in these tests.
const WINDOW: Duration = Duration::from_secs(1_800);

/// The template's `HoldGraceSeconds`.
const GRACE: Duration = Duration::from_secs(5);

/// The template's schedule of the sweep, and a moment for the work itself.
const SWEEP: Duration = Duration::from_secs(60 + 5);

/// How often queues are emptied where every message is to be lost.
const LOSS: Duration = Duration::from_millis(500);

/// The template's wait until the sweep sees to what a message should have told.
const TELL_AFTER: Duration = callboard_domain::waitlist::timing::TELL_AFTER;

/// The type and time of every commit of a slot.
async fn history(house: &House, slot: &str) -> Vec<(String, Timestamp)> {
    let stream = format!("slot#{slot}");
    let name = |commit: &Committed| {
        let last = commit.events.last().expect("an event");
        last.event_type.rsplit('.').nth(1).map(str::to_owned)
    };
    let commits = house.journal().await;
    let of_slot = commits
        .iter()
        .filter(|commit| commit.stream.as_str() == stream);
    of_slot
        .filter_map(|commit| Some((name(commit)?, commit.at)))
        .collect()
}

async fn two_waiting(house: &House) -> (Person, Person) {
    let (anna, ben) = (house.register("anna").await, house.register("ben").await);
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "routine").await;
    house.at_rest().await;
    (anna, ben)
}

/// Waits until the slot is public, and shows that each step came within a sweep of when it was
/// due, in the order of the list, and once.
async fn cascades_by_the_sweep(house: &House, slot: &str) {
    let steps = house
        .until_within(3 * WINDOW, "the slot to open to the public", async || {
            let steps = history(house, slot).await;
            let last = steps.last().map(|(name, _)| name.as_str());
            (last == Some("slot-opened-to-public")).then_some(steps)
        })
        .await;
    let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "slot-released",
            "slot-held",
            "slot-held",
            "candidate-not-found",
            "slot-opened-to-public"
        ]
    );
    let waits = [
        Duration::ZERO,
        WINDOW + GRACE,
        WINDOW + GRACE,
        Duration::from_secs(30),
    ];
    for (pair, wait) in steps.windows(2).zip(waits) {
        let due = pair[0].1.plus(wait);
        let (name, at) = &pair[1];
        assert!(
            due <= *at && *at <= due.plus(SWEEP),
            "{name} at {at}, due {due}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_dead_relay_the_sweep_alone_cascades_within_its_interval() {
    let house = House::still().await;
    two_waiting(&house).await;
    house
        .faults("outbox-relay")
        .unavailable_for(Some("Action=Publish"));
    let released = house.release("clinic", WINDOW).await;
    cascades_by_the_sweep(&house, &released.slot).await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn with_a_dead_relay_the_sweep_tells_the_others_of_a_batch_once_and_then_has_nothing_to_do() {
    let house = House::still().await;
    let (anna, _) = two_waiting(&house).await;
    let cid = house.register("cid").await;
    house.join("clinic", &cid, "routine").await;
    let policy = json!({ "windowSeconds": WINDOW.as_secs(), "mode": { "is": "batch", "size": 3 } });
    let path = "/v1/waitlists/clinic/policy";
    house.api.json("PUT", path, &policy).await.expect(201);
    let released = house.release("clinic", WINDOW).await;
    let link = house.offer_to(&anna).await;
    house
        .faults("outbox-relay")
        .unavailable_for(Some("Action=Publish"));
    house.press(&link, "accept").await.expect(200);
    let accepted = house.now();
    house
        .until_within(TELL_AFTER + SWEEP, "the others to be told", async || {
            (house.events_of("offer-superseded").await == 2).then_some(())
        })
        .await;
    assert!(house.now() >= accepted.plus(TELL_AFTER), "by the sweep");
    let invocations = || house.host().totals()["waitlist-cascade"].invocations;
    // The timer of the hold, which was set before, has fired by then.
    tokio::time::sleep(WINDOW + SWEEP).await;
    let before = invocations();
    tokio::time::sleep(WINDOW).await;
    assert_eq!(invocations(), before, "nothing is due any more");
    let steps = history(&house, &released.slot).await;
    let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "slot-released",
            "batch-held",
            "slot-filled",
            "ended-offers-told"
        ]
    );
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn with_every_message_lost_the_sweep_alone_cascades_within_its_interval() {
    let house = House::still().await;
    two_waiting(&house).await;
    // Nothing that the relay publishes arrives, and no timer is kept.
    let sqs = aws_sdk_sqs::Client::new(&house.sdk);
    let queues: Vec<String> = ["DeadlineClockQueue", "WaitlistProjectorQueue"]
        .map(|id| house.reference(id))
        .into();
    let losing = tokio::spawn(async move {
        loop {
            for queue in &queues {
                let purged = sqs.purge_queue().queue_url(queue).send().await;
                drop(purged);
            }
            tokio::time::sleep(LOSS).await;
        }
    });
    house
        .faults("deadline-clock")
        .unavailable_for(Some("DelaySeconds"));
    house
        .faults("outbox-relay")
        .unavailable_for(Some("slot-released"));
    let released = house.release("clinic", WINDOW).await;
    cascades_by_the_sweep(&house, &released.slot).await;
    losing.abort();
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_sweep_finds_beside_the_timers_is_done_once() {
    let house = House::still().await;
    let (anna, _) = two_waiting(&house).await;
    let released = house.release("clinic", WINDOW).await;
    let link = house.offer_to(&anna).await;
    // Many sweeps pass over the hold before it is due, and over what it was after.
    tokio::time::sleep(WINDOW - Duration::from_secs(60)).await;
    house.press(&link, "accept").await.expect(200);
    tokio::time::sleep(2 * WINDOW).await;
    house.at_rest().await;
    let steps = history(&house, &released.slot).await;
    let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["slot-released", "slot-held", "slot-filled"]);
    let sweeps = house.host().totals()["deadline-clock"].invocations;
    assert!(sweeps >= 85, "{sweeps} calls in an hour and a half");
    house.expect_no_dead_letters().await;
    house.close().await;
}
