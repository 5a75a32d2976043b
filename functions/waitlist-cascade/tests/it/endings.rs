//! Offers that somebody else's act ends: each entry is told once, and waits again at once.

use callboard_contracts::waitlist::{BookedBy, SlotEvent};
use callboard_contracts::{DomainEvent as _, StreamId};
use callboard_domain::waitlist::cascade::{self, Asked};
use callboard_domain::waitlist::slot::{self, BookSlot, Look};
use callboard_domain::waitlist::{Entry, EntryStatus, Slot, Timing};
use callboard_runtime::journal::Loaded;
use callboard_testkit::{Fault, Gate, Message, envelope, sqs_event, twice_and_backwards};
use serde_json::Value;
use waitlist_cascade::advance::Outcome;

use crate::world::{WAITLIST, World, cause, entry, slot as slot_id, time};

const SLOT: &str = "slot-0900";
const BATCH: [&str; 3] = ["entry-ada", "entry-ben", "entry-cid"];

/// Ada, Ben and Cid are offered the slot at once; the offers end at half past ten.
async fn with_a_batch() -> World {
    let world = World::with_three_waiting().await;
    offer(&world, &BATCH).await;
    world
}

async fn offer(world: &World, people: &[&str]) {
    let slot = world.slot(SLOT).await;
    let mut entries = Vec::new();
    for id in people {
        entries.push(world.entry(id).await);
    }
    let asked = |entry: &Loaded<Entry>| Asked {
        entry: entry.state.clone(),
        score: None,
    };
    let asked: Vec<_> = entries.iter().map(asked).collect();
    let (timing, now) = (Timing::default(), world.clock.now());
    let offers = cascade::offer(&slot.state, &asked, None, &Look::default(), &timing, now);
    let offers = offers.expect("offers");
    world.commit(&slot, offers.slot).await;
    for (entry, (_, events)) in entries.iter().zip(offers.entries) {
        world.commit(entry, events).await;
    }
}

/// The first of the batch accepts.
async fn ada_accepts(world: &World) -> Value {
    let (slot, entry) = (world.slot(SLOT).await, world.entry("entry-ada").await);
    let offer = slot.state.held()[0].offer_id.clone();
    let (timing, now) = (Timing::default(), world.clock.now());
    let yes = cascade::accept(&slot.state, &entry.state, None, &offer, now, &timing);
    let yes = yes.expect("yes");
    world.commit(&entry, yes.entry).await;
    end(world, &slot, yes.slot).await
}

/// Commits what ends the offers; gives the message that tells of it.
async fn end(world: &World, slot: &Loaded<Slot>, events: Vec<SlotEvent>) -> Value {
    let last = events.last().expect("an event");
    let stream = StreamId::slot(&slot_id(SLOT));
    let told = envelope(last.event_type(), &stream, world.clock.now(), last.data());
    world.commit(slot, events).await;
    sqs_event(&[Message::of(&told).group(WAITLIST)])
}

async fn booked(world: &World) -> Value {
    let loaded = world.slot(SLOT).await;
    let booking = BookSlot {
        by: BookedBy::Staff,
        external_id: None,
        recipient_id: None,
    };
    let events = slot::book(&loaded.state, &booking).expect("booked");
    end(world, &loaded, events).await
}

async fn withdrawn(world: &World) -> Value {
    let loaded = world.slot(SLOT).await;
    let events = slot::withdraw(&loaded.state).expect("withdrawn");
    end(world, &loaded, events).await
}

async fn assert_told(world: &World, people: &[&str], last: &str) {
    for id in people {
        let history = world.history(&format!("entry#{id}")).await;
        assert_eq!(history, [["entry-joined"], ["offer-made"], [last]], "{id}");
        let entry = world.entry(id).await.state;
        assert_eq!((&entry.status, entry.skips), (&EntryStatus::Waiting, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_others_of_a_batch_wait_again_as_soon_as_one_has_accepted() {
    let world = with_a_batch().await;
    let message = ada_accepts(&world).await;
    assert!(
        world
            .invoke(&twice_and_backwards(&message))
            .await
            .is_empty()
    );
    assert!(world.invoke(&message).await.is_empty());
    assert_told(&world, &BATCH[1..], "offer-superseded").await;
    let ada = world.history("entry#entry-ada").await;
    assert_eq!(ada, [["entry-joined"], ["offer-made"], ["offer-accepted"]]);
    let slot = world.history("slot#slot-0900").await;
    assert_eq!(slot[2..], [["slot-filled"], ["ended-offers-told"]]);
    let stream = StreamId::entry(&entry("entry-ben"));
    let commits = world.journal.read(&stream, 3).await.expect("read");
    assert_eq!(commits[0].message_group(), WAITLIST);
}

#[tokio::test(start_paused = true)]
async fn who_is_told_can_be_offered_another_slot_before_the_old_offer_would_have_ended() {
    let world = with_a_batch().await;
    let message = ada_accepts(&world).await;
    world.invoke(&message).await;
    world.release("slot-0930").await;
    let deps = world.deps();
    let next = waitlist_cascade::advance::run(&deps, &slot_id("slot-0930"), None, &cause()).await;
    next.expect("an outcome");
    assert_eq!(
        world.holder("slot-0930").await.as_deref(),
        Some("entry-ben")
    );
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_when_staff_book_the_slot_or_withdraw_it() {
    let world = with_a_batch().await;
    let message = booked(&world).await;
    world.deliver(&twice_and_backwards(&message)).await;
    assert_told(&world, &BATCH, "offer-superseded").await;

    let world = World::with_three_waiting().await;
    offer(&world, &BATCH[..1]).await;
    let message = withdrawn(&world).await;
    world.deliver(&twice_and_backwards(&message)).await;
    assert_told(&world, &BATCH[..1], "offer-withdrawn").await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_free_again_before_they_are_told_tells_them_with_its_next_message() {
    let world = with_a_batch().await;
    let booked = booked(&world).await;
    world.release(SLOT).await;
    let loaded = world.slot(SLOT).await;
    let stream = StreamId::slot(&slot_id(SLOT));
    let commits = world.journal.read(&stream, loaded.number).await;
    let released = &commits.expect("read")[0].events[0];
    let told = envelope(
        &released.event_type,
        &stream,
        world.clock.now(),
        released.data.clone(),
    );
    let released = sqs_event(&[Message::of(&told).group(WAITLIST)]);
    // The message of the booking comes last, and twice.
    for message in [&released, &booked, &booked] {
        assert!(world.invoke(message).await.is_empty());
    }
    assert_told(&world, &BATCH[1..], "offer-superseded").await;
    assert_eq!(
        world.history("entry#entry-ada").await,
        [
            ["entry-joined"],
            ["offer-made"],
            ["offer-superseded"],
            ["offer-made"]
        ],
        "told, and offered the slot's new version"
    );
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_ran_out_before_the_booking_is_a_skip_as_any_other() {
    let world = with_a_batch().await;
    world.go_to("2026-03-02T10:30:00.000Z").await;
    let message = booked(&world).await;
    world.deliver(&message).await;
    for id in BATCH {
        assert_eq!(world.history(&format!("entry#{id}")).await.len(), 2, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_changes_meanwhile_and_an_answer_that_is_lost_are_told_once() {
    let world = with_a_batch().await;
    let message = ada_accepts(&world).await;
    let ben = world.entry("entry-ben").await;
    let gate = Gate::new();
    world.faults.next("PutItem", Fault::Hold(gate.clone()));
    world.faults.next("PutItem", Fault::Pass);
    world.faults.next("PutItem", Fault::DropAnswer);
    let declines = async {
        gate.reached().await;
        let EntryStatus::Offered(offer) = &ben.state.status else {
            panic!("no offer");
        };
        let no = callboard_domain::waitlist::entry::decline(
            &ben.state,
            &offer.offer_id,
            time("2026-03-02T10:01:00.000Z"),
        );
        world.commit(&ben, no.expect("no")).await;
        gate.open();
    };
    let (back, ()) = tokio::join!(world.invoke(&message), declines);
    assert!(back.is_empty());
    assert_eq!(
        world.history("entry#entry-ben").await,
        [["entry-joined"], ["offer-made"], ["offer-declined"]],
        "the answer came first, so there is nothing to tell"
    );
    assert_told(&world, &BATCH[2..], "offer-superseded").await;
}

/// What the journal's agenda has of the slot.
async fn due(world: &World) -> Option<String> {
    let stream = StreamId::slot(&slot_id(SLOT));
    let tail = world.journal.tail(&stream).await.expect("read");
    let due = tail.expect("a commit").due;
    due.map(|due| format!("{} {}", due.at, due.queue))
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_due_until_everybody_is_told_and_not_after_it() {
    let world = with_a_batch().await;
    let loaded = world.slot(SLOT).await;
    let events = slot::withdraw(&loaded.state).expect("withdrawn");
    let commit = loaded.next(&cause(), world.clock.now()).events(events);
    let handling = |slot: &Slot| slot::handling(slot, &Timing::default());
    let commit = commit.handled(handling).build().expect("a commit");
    world.journal.append(commit).await.expect("appended");
    assert_eq!(
        due(&world).await.as_deref(),
        Some("2026-03-02T10:00:30.000Z waitlist-cascade")
    );
    // No message tells of it but the sweep's.
    let deps = world.deps();
    for _ in 0..2 {
        let outcome = waitlist_cascade::advance::run(&deps, &slot_id(SLOT), None, &cause()).await;
        assert_eq!(outcome.expect("an outcome"), Outcome::Nothing);
    }
    assert_told(&world, &BATCH, "offer-withdrawn").await;
    assert_eq!(due(&world).await, None);
    assert_eq!(world.slot(SLOT).await.number, 4, "told once");
}

#[tokio::test(start_paused = true)]
async fn two_who_tell_the_same_people_at_once_tell_them_once() {
    let world = with_a_batch().await;
    let message = ada_accepts(&world).await;
    let (one, other) = tokio::join!(world.invoke(&message), world.invoke(&message));
    assert!(one.is_empty() && other.is_empty());
    assert_told(&world, &BATCH[1..], "offer-superseded").await;
    assert_eq!(world.slot(SLOT).await.number, 4);
}

#[tokio::test(start_paused = true)]
async fn to_tell_a_batch_costs_a_write_unit_for_each_and_one_for_all() {
    let world = with_a_batch().await;
    let message = ada_accepts(&world).await;
    world.faults.reset();
    world.invoke(&message).await;
    let costs = world.faults.costs();
    assert_eq!(costs.requests("PutItem"), 3, "Ben, Cid, and the slot");
    assert!(
        (costs.all_write_units() - 3.0).abs() < f64::EPSILON,
        "{costs:?}"
    );
    world.faults.reset();
    world.invoke(&message).await;
    assert!(
        world.faults.costs().all_write_units() < f64::EPSILON,
        "once"
    );
}
