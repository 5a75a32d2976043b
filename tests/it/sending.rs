//! One mail under the lease: cancels in between, outcomes that cannot be written, a provider that
//! never answers.

use std::collections::BTreeSet;
use std::time::Duration;

use callboard_domain::notifications::notification::{self, Notification};
use callboard_runtime::journal::Journal;
use callboard_testkit::{Fault, Gate};
use serde_json::json;

use crate::house::House;
use crate::story::is;

/// Writes that a test loses: more than the sender makes.
const PLENTY: usize = 500;

/// Cancels the only notification of the journal, as a use case would.
async fn cancel(house: &House) {
    let journal = Journal::open(&house.sdk, house.reference("JournalTable"));
    let commits = house.journal().await;
    let mut streams = commits.iter().map(|commit| &commit.stream);
    let stream = streams.find(|stream| stream.kind() == "notification");
    let loaded = journal
        .load::<Notification>(stream.expect("a notification"))
        .await
        .expect("loaded");
    let events = notification::cancel(&loaded.state, "order-withdrawn").expect("not ended");
    let cause = callboard_testkit::cause();
    let commit = loaded.next(&cause, house.now()).events(events).build();
    journal
        .append(commit.expect("a commit"))
        .await
        .expect("first");
}

/// What happened to the only notification, by the short names of the types.
async fn course(house: &House) -> Vec<String> {
    let journal = house.journal().await;
    let mut commits: Vec<_> = journal
        .into_iter()
        .filter(|commit| commit.stream.kind() == "notification")
        .collect();
    commits.sort_by_key(|commit| commit.number);
    let events = commits.into_iter().flat_map(|commit| commit.events);
    let short = |event_type: &str| event_type.split('.').nth(2).unwrap_or_default().to_owned();
    events.map(|event| short(&event.event_type)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_cancel_between_attempt_and_sending_is_seen_and_no_mail_goes_out() {
    let house = House::still().await;
    let anna = house.register("anna").await;
    let gate = Gate::new();
    // The one read in which the gate's facts come, after the attempt was committed.
    house
        .faults("email-sender")
        .next("BatchGetItem", Fault::Hold(gate.clone()));
    house.order(&anna.id).await.expect(202);
    gate.reached().await;
    cancel(&house).await;
    gate.open();
    house.at_rest().await;
    assert!(house.mails().await.is_empty());
    let course = course(&house).await;
    assert_eq!(
        course[..3],
        [
            "notification-planned",
            "delivery-attempted",
            "notification-cancelled"
        ]
    );
    assert_eq!(
        course[3..],
        ["notification-dropped"],
        "the reason is on record"
    );
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_between_sending_and_outcome_does_not_fence_the_sender() {
    let house = House::still().await;
    let anna = house.register("anna").await;
    let gate = Gate::new();
    let faults = house.faults("email-sender");
    faults.next("PutItem", Fault::Pass);
    faults.next("PutItem", Fault::Hold(gate.clone()));
    house.order(&anna.id).await.expect(202);
    gate.reached().await;
    assert_eq!(
        house.mails().await.len(),
        1,
        "it is out before its outcome stands"
    );
    cancel(&house).await;
    gate.open();
    house.at_rest().await;
    let expected = [
        "notification-planned",
        "delivery-attempted",
        "notification-cancelled",
        "delivery-succeeded",
    ];
    assert_eq!(course(&house).await, expected);
    assert_eq!(house.mails().await.len(), 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_written_is_recorded_as_unknown_and_repeated_by_its_policy() {
    let house = House::still().await;
    let anna = house.register("anna").await;
    let faults = house.faults("email-sender");
    faults.next("PutItem", Fault::Pass);
    faults.times("PutItem", PLENTY, &Fault::DropRequest);
    house.order(&anna.id).await.expect(202);
    house
        .until("the first mail", async || {
            house.mails().await.first().cloned()
        })
        .await;
    // As if the sender had died with the provider's answer in its hands: until its lease is over.
    tokio::time::sleep(Duration::from_secs(10)).await;
    faults.reset();
    house.at_rest().await;

    let expected = [
        "notification-planned",
        "delivery-attempted",
        "outcome-unknown",
        "delivery-attempted",
        "delivery-succeeded",
    ];
    assert_eq!(course(&house).await, expected);
    let mails = house.mails().await;
    let ids: Vec<_> = mails.iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!(ids.len(), 2);
    assert!(!ids[0].is_empty());
    assert_eq!(ids[0], ids[1], "two copies of one message");
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_ends_as_unknown_with_every_copy_on_record() {
    let house = House::still().await;
    house
        .register_as("anna", &json!({ "email": "lost-answer@example.com" }))
        .await;
    let answer = house.order("anna").await.expect(202).json();
    house.at_rest().await;

    let correlation = answer["correlationId"].as_str().expect("an id");
    let events = house.timeline(correlation).await;
    let count = |name| events.iter().filter(|event| is(event, name)).count();
    let mails = house.mails().await;
    assert_eq!(count("delivery-attempted"), mails.len());
    assert_eq!(
        count("outcome-unknown"),
        mails.len(),
        "every attempt is accounted for"
    );
    assert_eq!(count("delivery-succeeded") + count("delivery-failed"), 0);
    let ids: BTreeSet<_> = mails.iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!(ids.len(), 1, "one message, whatever the number of copies");
    house.close().await;
}
