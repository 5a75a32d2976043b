//! Many who stand before the one whom a slot suits: found in bounded portions, each with a reason on
//! record (I4).

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::waitlist::{
    CandidatesPassedOver, EntryLeft, Ineligible, Preferences, SlotEvent, Urgency,
};
use callboard_contracts::{DomainEvent as _, EntryId, StreamId};
use callboard_runtime::journal::{WRITE_UNIT_BYTES, item_bytes};
use callboard_testkit::{Fault, Gate};
use waitlist_cascade::advance::{self, Outcome};

use crate::world::{World, cause, entry, sample, slot, time, waitlist};

const SLOT: &str = "slot-0900";

/// Who was passed over by each commit of the slot.
async fn passed(world: &World) -> Vec<CandidatesPassedOver> {
    let stream = StreamId::slot(&slot(SLOT));
    let commits = world.journal.read(&stream, 1).await.expect("read");
    let events = commits.iter().flat_map(|commit| &commit.events);
    let events = events.map(|it| SlotEvent::decode(&it.event_type, it.data.clone()));
    let lists = events.filter_map(|event| match event.expect("an event") {
        SlotEvent::CandidatesPassedOver(passed) => Some(passed),
        _ => None,
    });
    lists.collect()
}

/// How often each was recorded with this reason.
fn times(lists: &[CandidatesPassedOver], reason: Ineligible) -> BTreeMap<EntryId, usize> {
    let mut times = BTreeMap::new();
    let ids = lists.iter().filter_map(|list| list.passed.get(&reason));
    for id in ids.flatten() {
        *times.entry(id.clone()).or_default() += 1;
    }
    times
}

/// So many wait with another offer, as the view shows.
async fn busy(world: &World, count: usize) {
    let until = Some(time("2026-03-02T16:00:00.000Z"));
    for number in 0..count {
        let id = format!("entry-busy-{number:021}");
        world.join_unseen(&id, Urgency::Routine).await;
        world.show_candidate(&id, Urgency::Routine, until).await;
    }
    world.go_to("2026-03-02T09:05:00.000Z").await;
}

/// What a commit of the slot weighs.
async fn bytes(world: &World, number: u64) -> usize {
    let client = aws_sdk_dynamodb::Client::new(&world.sdk);
    let get = client
        .get_item()
        .table_name("journal")
        .key("pk", AttributeValue::S(format!("slot#{SLOT}")))
        .key("sk", AttributeValue::N(number.to_string()));
    item_bytes(&get.send().await.expect("read").item.expect("a commit"))
}

async fn advance(world: &World) -> Outcome {
    let outcome = advance::run(&world.deps(), &slot(SLOT), None, &cause()).await;
    outcome.expect("an outcome")
}

#[tokio::test(start_paused = true)]
async fn many_busy_people_are_recorded_ahead_of_the_hold_which_costs_what_it_always_does() {
    let world = World::new().await;
    busy(&world, 60).await;
    world.join("entry-zoe", Urgency::Routine).await;
    world.release(SLOT).await;
    world.faults.reset();
    assert!(matches!(advance(&world).await, Outcome::Offered { .. }));
    let costs = world.faults.costs();
    assert_eq!(
        world.history("slot#slot-0900").await,
        [["slot-released"], ["candidates-passed-over"], ["slot-held"]]
    );
    let lists = passed(&world).await;
    assert!(lists[0].as_of.is_some(), "no hold beside it says so");
    let times = times(&lists, Ineligible::HasOffer);
    assert_eq!((times.len(), times.values().max()), (60, Some(&1)));
    let stream = StreamId::slot(&slot(SLOT));
    let commits = world.journal.read(&stream, 2).await.expect("read");
    let bytes = [bytes(&world, 2).await, bytes(&world, 3).await];
    assert!(bytes[0] > 2 * WRITE_UNIT_BYTES && bytes[0] <= 3 * WRITE_UNIT_BYTES);
    assert!(bytes[1] <= WRITE_UNIT_BYTES, "{} bytes", bytes[1]);
    // Three for the list, two for each item of the transaction, one for each row of the agenda.
    assert!(
        (costs.all_write_units() - 9.0).abs() < f64::EPSILON,
        "{costs:?}"
    );
    assert!(commits[0].due.is_some(), "the search is not over yet");
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_loses_its_entry_after_the_list_is_made_for_the_next_without_the_list_again() {
    let world = World::new().await;
    busy(&world, 30).await;
    for id in ["entry-ada", "entry-ben"] {
        world.join(id, Urgency::Routine).await;
    }
    world.release(SLOT).await;
    let ada = world.entry("entry-ada").await;
    let gate = Gate::new();
    world
        .faults
        .next("TransactWriteItems", Fault::Hold(gate.clone()));
    let leaves = async {
        gate.reached().await;
        let left = EntryLeft {
            waitlist_id: waitlist(),
            entry_id: entry("entry-ada"),
        };
        world.commit(&ada, [left]).await;
        gate.open();
    };
    let (outcome, ()) = tokio::join!(advance(&world), leaves);
    let Outcome::Offered { offers, .. } = outcome else {
        panic!("not offered: {outcome:?}");
    };
    assert_eq!(offers[0].entry_id, entry("entry-ben"));
    assert_eq!(
        world.history("slot#slot-0900").await,
        [
            vec!["slot-released"],
            vec!["candidates-passed-over"],
            vec!["candidates-passed-over", "slot-held"]
        ]
    );
    let lists = passed(&world).await;
    assert_eq!(times(&lists, Ineligible::HasOffer).values().max(), Some(&1));
    assert_eq!(
        times(&lists[1..], Ineligible::Left),
        BTreeMap::from([(entry("entry-ada"), 1)])
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_hold_was_lost_to_somebody_else_stands_and_the_slot_is_decided_anew() {
    let world = World::new().await;
    busy(&world, 30).await;
    world.join("entry-zoe", Urgency::Routine).await;
    world.release(SLOT).await;
    // The list is taken, its answer lost; and two are at it at the same time.
    world.faults.next("PutItem", Fault::DropAnswer);
    let (one, other) = tokio::join!(advance(&world), advance(&world));
    let offered = |outcome: &Outcome| matches!(outcome, Outcome::Offered { .. });
    assert!(
        offered(&one) != offered(&other),
        "one offers it: {one:?}, {other:?}"
    );
    let history = world.history("slot#slot-0900").await;
    let holds = history.iter().flatten().filter(|name| *name == "slot-held");
    assert_eq!(holds.count(), 1, "{history:?}");
    assert_eq!(world.holder(SLOT).await.as_deref(), Some("entry-zoe"));
    assert_eq!(times(&passed(&world).await, Ineligible::HasOffer).len(), 30);
}

#[tokio::test(start_paused = true)]
async fn who_suits_is_found_behind_six_hundred_who_do_not_by_two_invocations_of_bounded_work() {
    let world = World::new().await;
    let elsewhere = Preferences {
        locations: vec!["south-side".to_owned()],
        ..Preferences::default()
    };
    for number in 0..600 {
        let id = format!("entry-{number:03}");
        world
            .join_wishing(&id, Urgency::Routine, elsewhere.clone(), false)
            .await;
        world.show_candidate(&id, Urgency::Routine, None).await;
    }
    world.go_to("2026-03-02T09:05:00.000Z").await;
    world.join("entry-zoe", Urgency::Routine).await;
    world.release(SLOT).await;

    let message = sample("good");
    world.faults.reset();
    assert_eq!(world.invoke(&message).await.len(), 1, "it comes back");
    let costs = world.faults.costs();
    assert_eq!(costs.requests("PutItem"), 5, "five lists of a hundred");
    // An entry each, and for each list the slot and four pages of each of the four classes at most.
    let queries = costs.requests("Query");
    assert!((500..=500 + 5 * 17).contains(&queries), "{queries} queries");
    assert_eq!(
        costs.requests("ChangeMessageVisibilityBatch"),
        1,
        "held, so that it is no failure: {costs:?}"
    );
    assert_eq!(world.holder(SLOT).await, None);

    world.faults.reset();
    assert!(world.invoke(&message).await.is_empty());
    let queries = world.faults.costs().requests("Query");
    assert!((101..=101 + 2 * 17).contains(&queries), "{queries} queries");
    assert_eq!(world.holder(SLOT).await.as_deref(), Some("entry-zoe"));
    let lists = passed(&world).await;
    let sizes: Vec<_> = lists.iter().map(|list| list.passed.len()).collect();
    assert_eq!(sizes, [1; 6], "one reason each");
    let times = times(&lists, Ineligible::OtherLocation);
    assert_eq!((times.len(), times.values().max()), (600, Some(&1)));
    assert!(world.invoke(&message).await.is_empty(), "once more");
    assert_eq!(world.slot(SLOT).await.number, 8);
}
