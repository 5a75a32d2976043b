//! Entries that an open slot may suit now: who joins, comes back, wishes something else or is
//! moved. The views show none of it yet.

use callboard_contracts::waitlist::{EntryEvent, OverrideReason, Preferences, RankTo, Urgency};
use callboard_contracts::{DomainEvent as _, StreamId};
use callboard_domain::waitlist::entry::{self, Wishes};
use callboard_domain::waitlist::{Entry, EntryStatus, Timing};
use callboard_testkit::{Message, envelope, sqs_event, twice_and_backwards};
use serde_json::{Value, json};
use waitlist_cascade::advance::{self, Outcome};

use crate::world::{RELEASED, WAITLIST, World, cause, entry as entry_id, sample, slot};

const SLOT: &str = "slot-0900";
const EVE: &str = "entry-eve";

fn elsewhere() -> Preferences {
    Preferences {
        locations: vec!["south-side".to_owned()],
        ..Preferences::default()
    }
}

/// Commits what was decided on Eve's entry; gives the message that tells of it.
async fn decided(world: &World, decide: impl Fn(&Entry) -> Vec<EntryEvent>) -> Value {
    let loaded = world.entry(EVE).await;
    let events = decide(&loaded.state);
    let last = events.last().expect("an event");
    let stream = StreamId::entry(&entry_id(EVE));
    let told = envelope(last.event_type(), &stream, world.clock.now(), last.data());
    world.commit(&loaded, events).await;
    sqs_event(&[Message::of(&told).group(WAITLIST)])
}

async fn pauses(world: &World) -> Value {
    let now = world.clock.now();
    decided(world, |eve| {
        entry::pause(eve, &Timing::default(), now).expect("paused")
    })
    .await
}

async fn resumes(world: &World) -> Value {
    let now = world.clock.now();
    decided(world, |eve| {
        entry::resume(eve, &Timing::default(), now).expect("resumed")
    })
    .await
}

async fn wishes(world: &World, preferences: Preferences) -> Value {
    let now = world.clock.now();
    let wishes = Wishes {
        preferences,
        ..Wishes::default()
    };
    decided(world, |eve| {
        entry::change_preferences(eve, &wishes, &Timing::default(), now).expect("changed")
    })
    .await
}

async fn moved(world: &World, to: RankTo) -> Value {
    let (now, reason) = (world.clock.now(), OverrideReason::Clinical);
    decided(world, |eve| {
        entry::override_rank(eve, to, reason, &Timing::default(), now).expect("moved")
    })
    .await
}

/// Nobody is found for the slot, which stands among the open ones.
async fn with_an_open_slot(world: &World) {
    world.go_to(RELEASED).await;
    world.release(SLOT).await;
    world.invoke(&sample("good")).await;
    let history = world.history("slot#slot-0900").await;
    let last = history.last().and_then(|commit| commit.last());
    assert_eq!(last.map(String::as_str), Some("candidate-not-found"));
    world.show_open(SLOT).await;
}

async fn is_offered(world: &World, message: &Value) {
    assert_eq!(world.holder(SLOT).await, None);
    for message in [&twice_and_backwards(message), message] {
        assert!(world.invoke(message).await.is_empty());
    }
    assert_eq!(world.holder(SLOT).await.as_deref(), Some(EVE));
    assert_eq!(world.history("slot#slot-0900").await.len(), 3, "once");
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_offered_an_open_slot_at_once() {
    let world = World::new().await;
    world.join_unseen(EVE, Urgency::Routine).await;
    pauses(&world).await;
    with_an_open_slot(&world).await;
    let message = resumes(&world).await;
    is_offered(&world, &message).await;
}

#[tokio::test(start_paused = true)]
async fn whom_an_open_slot_suits_after_a_change_of_wishes_is_offered_it_at_once() {
    let world = World::new().await;
    world
        .join_wishing(EVE, Urgency::Routine, elsewhere(), false)
        .await;
    world.show_candidate(EVE, Urgency::Routine, None).await;
    with_an_open_slot(&world).await;
    let message = wishes(&world, Preferences::default()).await;
    is_offered(&world, &message).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_moved_while_no_view_shows_them_is_offered_an_open_slot_at_once() {
    let world = World::new().await;
    world.join_unseen(EVE, Urgency::Routine).await;
    with_an_open_slot(&world).await;
    let message = moved(&world, RankTo::Urgent).await;
    is_offered(&world, &message).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_about_an_entry_that_cannot_be_offered_anything_changes_nothing() {
    let world = World::new().await;
    world.join_unseen(EVE, Urgency::Routine).await;
    pauses(&world).await;
    with_an_open_slot(&world).await;
    let resumed = resumes(&world).await;
    let paused_again = pauses(&world).await;
    assert!(world.invoke(&resumed).await.is_empty(), "it came too late");
    assert_eq!(world.holder(SLOT).await, None);
    // Nobody subscribes to it, so it is a mistake.
    assert!(world.invoke(&paused_again).await.is_empty());
    let reasons: Vec<_> = world.dead_letters().await;
    assert_eq!(
        reasons[0].0,
        "`callboard.waitlist.entry-paused.v1` asks nothing of the cascade"
    );
    assert_eq!(world.history("slot#slot-0900").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_first_offer_has_time_is_not_offered_to_somebody_new_before() {
    let world = World::new().await;
    world.go_to(RELEASED).await;
    let mut policy = callboard_domain::waitlist::policy::standard();
    policy.rules.grace_seconds = 120;
    let terms = callboard_domain::waitlist::policy::Numbered { version: 1, policy };
    world.release_on(SLOT, Some(terms.terms(7))).await;
    world.show_open(SLOT).await;
    world.join_unseen(EVE, Urgency::Routine).await;
    let message = wishes(&world, elsewhere()).await;
    let back = wishes(&world, Preferences::default()).await;
    for message in [&message, &back] {
        assert!(world.invoke(message).await.is_empty());
    }
    assert_eq!(world.history("slot#slot-0900").await, [["slot-released"]]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_ranked_as_its_stream_has_it_and_not_as_the_view_still_shows_it() {
    let world = World::with_three_waiting().await;
    world.join(EVE, Urgency::Urgent).await;
    world.go_to("2026-03-02T11:00:00.000Z").await;
    moved(&world, RankTo::Routine).await;
    let eve = world.entry(EVE).await.state.candidate();
    let outcome = advance::run(&world.deps(), &slot(SLOT), eve.as_ref(), &cause()).await;
    let Ok(Outcome::Offered { offers, .. }) = &outcome else {
        panic!("not offered: {outcome:?}");
    };
    assert_eq!(offers[0].entry_id, entry_id("entry-ada"));
}

/// Eve has been offered another slot, and the view shows it, when nobody else is found for the slot.
async fn with_eve_busy() -> World {
    let world = World::new().await;
    world.join(EVE, Urgency::Routine).await;
    world.go_to("2026-03-02T09:59:55.000Z").await;
    world.release("slot-0930").await;
    let outcome = advance::run(&world.deps(), &slot("slot-0930"), None, &cause()).await;
    let Ok(Outcome::Offered { expires_at, .. }) = outcome else {
        panic!("not offered: {outcome:?}");
    };
    let until = Some(expires_at);
    world.show_candidate(EVE, Urgency::Routine, until).await;
    with_an_open_slot(&world).await;
    world
}

#[tokio::test(start_paused = true)]
async fn who_is_free_a_moment_before_the_second_look_is_found_though_the_view_shows_them_busy() {
    let world = with_eve_busy().await;
    world.go_to("2026-03-02T10:00:29.900Z").await;
    let now = world.clock.now();
    decided(&world, |eve| {
        let EntryStatus::Offered(offer) = &eve.status else {
            panic!("no offer");
        };
        entry::decline(eve, &offer.offer_id, now).expect("declined")
    })
    .await;
    world.go_to("2026-03-02T10:00:30.000Z").await;
    world.invoke(&sample("good")).await;
    assert_eq!(world.holder(SLOT).await.as_deref(), Some(EVE));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_opened_to_the_public_over_somebody_busy_with_that_reason() {
    let world = with_eve_busy().await;
    world.go_to("2026-03-02T10:00:30.000Z").await;
    world.invoke(&sample("good")).await;
    let stream = StreamId::slot(&slot(SLOT));
    let commits = world.journal.read(&stream, 3).await.expect("read");
    let types: Vec<_> = commits[0].events.iter().map(|it| &it.event_type).collect();
    assert_eq!(
        types,
        [
            "callboard.waitlist.candidates-passed-over.v1",
            "callboard.waitlist.slot-opened-to-public.v1"
        ]
    );
    assert_eq!(
        commits[0].events[0].data["passed"],
        json!({ "has-offer": [EVE] })
    );
}

#[tokio::test(start_paused = true)]
async fn the_sample_of_entries_that_are_not_there_leads_to_nothing() {
    let world = World::new().await;
    with_an_open_slot(&world).await;
    world
        .deliver(&twice_and_backwards(&sample("entries")))
        .await;
    assert_eq!(world.history("slot#slot-0900").await.len(), 2);
    assert_eq!(world.dead_letters().await, []);
    assert_eq!(
        json!(sample("entries")["Records"].as_array().map(Vec::len)),
        3
    );
}
