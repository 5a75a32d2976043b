//! A slot that is told to all whom it suits: page by page, each once, whatever breaks in between.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_contracts::command::Due;
use callboard_contracts::waitlist::{
    AudienceSearched, BroadcastAnnounced, BroadcastEvent, Ineligible, Mode, Preferences, Terms,
    Urgency,
};
use callboard_contracts::{DomainEvent as _, EntryId, StreamId, Timestamp};
use callboard_domain::waitlist::policy::{Numbered, standard};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::{Audience, SlotStatus, Timing, cascade};
use callboard_runtime::journal::{Committed, Loaded};
use callboard_testkit::{Fault, Gate, Message, envelope, sqs_event, twice_and_backwards};
use serde_json::{Value, json};
use waitlist_cascade::advance::{self, Outcome};

use crate::world::{RELEASED, WAITLIST, World, cause, entry, sample, slot, time};

const SLOT: &str = "slot-0900";

fn to_all(audience_max: Option<u8>) -> Option<Terms> {
    let mut policy = standard();
    policy.rules.mode = Mode::Broadcast;
    policy.rules.audience_max = audience_max;
    Some(Numbered { version: 1, policy }.terms(7))
}

/// So many wait since nine, a second after another; the slot is released at ten.
async fn with_waiting(count: usize, audience_max: Option<u8>) -> World {
    let world = World::new().await;
    for number in 0..count {
        tokio::time::advance(Duration::from_secs(1)).await;
        world.join(&id(number), Urgency::Routine).await;
    }
    world.go_to(RELEASED).await;
    world.release_on(SLOT, to_all(audience_max)).await;
    world
}

fn id(number: usize) -> String {
    format!("entry-{number:03}")
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(id).collect()
}

fn stream() -> StreamId {
    StreamId::broadcast(&slot(SLOT), 1)
}

async fn commits(world: &World) -> Vec<Committed> {
    world.journal.read(&stream(), 1).await.expect("read")
}

fn events(commits: &[Committed]) -> Vec<BroadcastEvent> {
    let all = commits.iter().flat_map(|commit| &commit.events);
    let decoded = all.map(|event| BroadcastEvent::decode(&event.event_type, event.data.clone()));
    decoded.map(|event| event.expect("an event")).collect()
}

/// Who was told, page by page.
async fn pages(world: &World) -> Vec<Vec<String>> {
    let events = events(&commits(world).await);
    let pages = events.into_iter().filter_map(|event| match event {
        BroadcastEvent::BroadcastAnnounced(BroadcastAnnounced { invited, .. }) => Some(invited),
        BroadcastEvent::AudienceSearched(_) => None,
    });
    pages
        .map(|page| page.iter().map(|one| one.entry_id.to_string()).collect())
        .collect()
}

async fn audience(world: &World) -> Loaded<Audience> {
    world.journal.load(&stream()).await.expect("loaded")
}

/// The message of the release.
fn released() -> Value {
    sample("good")
}

/// What the sweep sends about the broadcast.
fn due(at: Timestamp) -> Value {
    let due = Due {
        stream: stream(),
        due_at: at,
    };
    let data = serde_json::to_value(due).expect("JSON");
    let message = envelope(Due::TYPE, &stream(), at, data);
    sqs_event(&[Message::of(&message).group(WAITLIST)])
}

/// The newest commit's due time, which a sweep would find.
async fn is_due(world: &World) -> Option<Timestamp> {
    let tail = world.journal.tail(&stream()).await.expect("read");
    tail.expect("a commit").due.map(|due| {
        assert_eq!(due.queue, "waitlist-cascade");
        due.at
    })
}

async fn accepts(world: &World, who: &str) {
    let (loaded, person) = (world.slot(SLOT).await, world.entry(who).await);
    let offer = loaded
        .state
        .facts
        .as_ref()
        .expect("facts")
        .offer_id(&entry(who));
    let (timing, now) = (Timing::default(), world.clock.now());
    let yes = cascade::accept(&loaded.state, &person.state, None, &offer, now, &timing);
    let yes = yes.expect("yes");
    world.commit(&loaded, yes.slot).await;
    world.commit(&person, yes.entry).await;
}

#[tokio::test(start_paused = true)]
async fn all_whom_the_slot_suits_are_told_by_rank_and_none_of_them_is_written_to() {
    let world = with_waiting(20, None).await;
    assert!(world.invoke(&released()).await.is_empty());
    assert_eq!(pages(&world).await, [ids(0..16), ids(16..20)]);
    assert_eq!(
        world.history(&format!("slot#{SLOT}")).await,
        [["slot-released"], ["slot-broadcast"]]
    );
    for who in ids(0..20) {
        assert_eq!(
            world.history(&format!("entry#{who}")).await,
            [["entry-joined"]]
        );
    }
    assert_eq!(is_due(&world).await, None, "nothing is left to do");
    let all = commits(&world).await;
    assert!(all.iter().all(|commit| commit.message_group() == WAITLIST));
    let told = &events(&all)[0];
    let BroadcastEvent::BroadcastAnnounced(told) = told else {
        panic!("{told:?}")
    };
    let facts = world.slot(SLOT).await.state.facts.expect("facts");
    assert_eq!(told.expires_at, facts.cutoff());
    assert_eq!(told.invited[0].recipient_id.as_str(), "usr-entry-000");
}

#[tokio::test(start_paused = true)]
async fn messages_twice_and_backwards_tell_nobody_twice() {
    let world = with_waiting(40, None).await;
    let all = twice_and_backwards(&released());
    world.deliver(&all).await;
    world.deliver(&all).await;
    world.deliver(&due(world.clock.now())).await;
    assert_eq!(pages(&world).await, [ids(0..16), ids(16..32), ids(32..40)]);
    assert_eq!(commits(&world).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_suit_is_passed_over_with_a_reason() {
    let world = World::new().await;
    let elsewhere = Preferences {
        locations: vec!["south-side".to_owned()],
        ..Preferences::default()
    };
    let wishing = world.join_wishing("entry-far", Urgency::Routine, elsewhere, false);
    wishing.await;
    world
        .show_candidate("entry-far", Urgency::Routine, None)
        .await;
    let busy_until = Some(time("2026-03-02T11:00:00.000Z"));
    world.join_unseen("entry-busy", Urgency::Routine).await;
    world
        .show_candidate("entry-busy", Urgency::Routine, busy_until)
        .await;
    world.join("entry-zoe", Urgency::Routine).await;
    world.go_to(RELEASED).await;
    world.release_on(SLOT, to_all(None)).await;
    world.deliver(&released()).await;
    assert_eq!(pages(&world).await, [["entry-zoe"]]);
    let events = events(&commits(&world).await);
    let [_, BroadcastEvent::AudienceSearched(searched)] = events.as_slice() else {
        panic!("{events:?}")
    };
    let passed: BTreeMap<Ineligible, Vec<EntryId>> = [
        (Ineligible::OtherLocation, vec![entry("entry-far")]),
        (Ineligible::HasOffer, vec![entry("entry-busy")]),
    ]
    .into();
    assert_eq!((&searched.passed, searched.done), (&passed, true), "I4");
}

#[tokio::test(start_paused = true)]
async fn what_breaks_between_two_pages_goes_on_where_it_stopped() {
    let world = with_waiting(40, None).await;
    // The first page stands in the transaction; the second one's request never arrives.
    world.faults.times("PutItem", 20, &Fault::DropRequest);
    assert_eq!(world.invoke(&released()).await.len(), 1, "it comes back");
    assert_eq!(pages(&world).await, [ids(0..16)]);
    let at = is_due(&world).await.expect("work is left");
    assert!(at > world.clock.now() && at <= world.clock.now().plus(Duration::from_secs(60)));
    world.faults.reset();
    // The message is lost for ever; the agenda has the broadcast.
    tokio::time::advance(at.since(world.clock.now())).await;
    world.deliver(&due(at)).await;
    assert_eq!(pages(&world).await, [ids(0..16), ids(16..32), ids(32..40)]);
    assert_eq!(is_due(&world).await, None);
    world.deliver(&due(at)).await;
    assert_eq!(commits(&world).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_answer_is_lost_is_told_once() {
    let world = with_waiting(20, None).await;
    world.faults.next("TransactWriteItems", Fault::DropAnswer);
    world.faults.next("PutItem", Fault::DropAnswer);
    world.deliver(&released()).await;
    assert_eq!(pages(&world).await, [ids(0..16), ids(16..20)]);
}

#[tokio::test(start_paused = true)]
async fn once_somebody_has_the_slot_nobody_else_is_told() {
    let world = with_waiting(40, None).await;
    let gate = Gate::new();
    // The second page stands before its commit while the first of those told accepts.
    world.faults.next("PutItem", Fault::Hold(gate.clone()));
    let accepting = async {
        gate.reached().await;
        accepts(&world, "entry-003").await;
        gate.open();
    };
    let message = released();
    let (back, ()) = tokio::join!(world.invoke(&message), accepting);
    assert!(back.is_empty());
    assert_eq!(pages(&world).await, [ids(0..16), ids(16..32)]);
    let audience = audience(&world).await;
    assert!(audience.state.done, "the third page is not told");
    assert_eq!(is_due(&world).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_was_cut_off_and_then_taken_or_released_anew_is_closed_by_the_sweep() {
    for again in [false, true] {
        let world = with_waiting(20, None).await;
        world.faults.times("PutItem", 20, &Fault::DropRequest);
        world.invoke(&released()).await;
        world.faults.reset();
        accepts(&world, "entry-000").await;
        if again {
            world.release_on(SLOT, to_all(None)).await;
        }
        let at = is_due(&world).await.expect("work is left");
        tokio::time::advance(at.since(world.clock.now())).await;
        world.deliver(&due(at)).await;
        world.deliver(&due(at)).await;
        assert_eq!(pages(&world).await, [ids(0..16)]);
        assert_eq!(is_due(&world).await, None);
        let searched = events(&commits(&world).await).pop();
        assert!(matches!(
            searched,
            Some(BroadcastEvent::AudienceSearched(AudienceSearched {
                done: true,
                ..
            }))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn two_at_once_tell_each_person_once() {
    let world = with_waiting(60, Some(60)).await;
    let message = released();
    let (one, other) = tokio::join!(world.invoke(&message), world.invoke(&message));
    for event in one.iter().chain(&other) {
        assert!(!event.is_empty());
    }
    world.deliver(&message).await;
    let told: Vec<String> = pages(&world).await.into_iter().flatten().collect();
    assert_eq!(told, ids(0..60));
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_suits_nobody_is_looked_at_twice_and_then_opened_to_the_public() {
    let world = with_waiting(0, None).await;
    world.deliver(&released()).await;
    let of_slot = format!("slot#{SLOT}");
    assert_eq!(
        world.history(&of_slot).await,
        [["slot-released"], ["candidate-not-found"]]
    );
    tokio::time::advance(Duration::from_secs(30)).await;
    let outcome = advance::run(&world.deps(), &slot(SLOT), None, &cause()).await;
    assert_eq!(outcome.expect("an outcome"), Outcome::OpenedToPublic);
    assert!(commits(&world).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_joins_while_a_slot_is_broadcast_is_told_of_it_once_and_if_there_is_room() {
    for (room, expected) in [(None, 3), (Some(2), 2)] {
        let world = with_waiting(2, room).await;
        world.deliver(&released()).await;
        world.join_unseen("entry-eve", Urgency::Urgent).await;
        let joined_at = world.clock.now();
        let eve = Candidate::new(entry("entry-eve"), Urgency::Urgent, joined_at);
        for _ in 0..2 {
            let outcome = advance::run(&world.deps(), &slot(SLOT), Some(&eve), &cause()).await;
            assert!(matches!(outcome, Ok(Outcome::Waits { .. })), "{outcome:?}");
        }
        let told: Vec<String> = pages(&world).await.into_iter().flatten().collect();
        assert_eq!(told.len(), expected);
        assert_eq!(is_due(&world).await, None);
        assert_eq!(world.entry("entry-eve").await.number, 1, "no claim");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_to_very_many_goes_on_in_another_invocation_and_ends_with_the_policys_bound() {
    let world = with_waiting(170, Some(160)).await;
    assert_eq!(
        world.invoke(&released()).await.len(),
        1,
        "one invocation's share is done"
    );
    assert!(is_due(&world).await.is_some());
    assert_eq!(audience(&world).await.state.invited.len(), 9 * 16);
    world.deliver(&released()).await;
    let told: Vec<String> = pages(&world).await.into_iter().flatten().collect();
    assert_eq!(told, ids(0..160));
    assert_eq!(is_due(&world).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_suits_is_told_behind_any_number_who_do_not() {
    let world = World::new().await;
    let elsewhere = || Preferences {
        locations: vec!["south-side".to_owned()],
        ..Preferences::default()
    };
    world.join("entry-000", Urgency::Routine).await;
    for number in 1..=130 {
        let who = id(number);
        world
            .join_wishing(&who, Urgency::Routine, elsewhere(), false)
            .await;
        world.show_candidate(&who, Urgency::Routine, None).await;
    }
    world.go_to("2026-03-02T09:59:00.000Z").await;
    world.join("entry-zoe", Urgency::Routine).await;
    world.go_to(RELEASED).await;
    world.release_on(SLOT, to_all(None)).await;
    world.deliver(&released()).await;
    assert_eq!(pages(&world).await, [["entry-000"], ["entry-zoe"]]);
    let events = events(&commits(&world).await);
    let passed = events.iter().map(|event| match event {
        BroadcastEvent::AudienceSearched(searched) => searched.passed.values().map(Vec::len).sum(),
        BroadcastEvent::BroadcastAnnounced(_) => 0_usize,
    });
    assert_eq!(passed.sum::<usize>(), 130, "I4");
}

#[tokio::test(start_paused = true)]
async fn the_requests_of_a_broadcast_grow_with_those_who_are_told_and_not_with_the_list() {
    let mut costs = Vec::new();
    for waiting in [100, 600] {
        let world = with_waiting(waiting, Some(32)).await;
        world.faults.reset();
        world.deliver(&released()).await;
        let told: usize = pages(&world).await.iter().map(Vec::len).sum();
        assert_eq!(told, 32);
        let spent = world.faults.costs();
        costs.push((spent.all_requests(), spent.all_write_units()));
    }
    assert_eq!(costs[0], costs[1]);
    // 32 entries, the slot at each page and at the end, the broadcast, four classes a page.
    let (requests, units) = costs[0];
    eprintln!("FIG {requests} {units}");
    assert!(requests <= 32 + 24, "{requests} requests");
    assert!(
        units <= 14.0,
        "{units} write units for two pages and the slot"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_ends_at_its_cutoff_and_the_slot_is_opened_to_the_public() {
    let world = with_waiting(3, None).await;
    world.deliver(&released()).await;
    let cutoff = world.slot(SLOT).await.state.facts.expect("facts").cutoff();
    let over = cutoff.plus(Duration::from_secs(5));
    tokio::time::advance(over.since(world.clock.now())).await;
    let outcome = advance::run(&world.deps(), &slot(SLOT), None, &cause()).await;
    assert_eq!(outcome.expect("an outcome"), Outcome::Closed);
    let status = world.slot(SLOT).await.state.status;
    assert_eq!(status, SlotStatus::OpenedToPublic);
}

#[test]
fn a_due_message_of_a_broadcast_names_its_slot_and_version() {
    assert_eq!(stream().as_broadcast(), Some((slot(SLOT), 1)));
    for no in ["broadcast#slot-0900", "slot#slot-0900", "broadcast#s#x"] {
        let other = StreamId::try_from(no.to_owned()).expect("a stream");
        assert_eq!(other.as_broadcast(), None, "{no}");
    }
    assert_eq!(json!(stream()), json!("broadcast#slot-0900#1"));
}
