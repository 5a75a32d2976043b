//! The use case itself: who is asked, when, and what stands in the journal afterwards.

use callboard_contracts::waitlist::{EntryLeft, HoldEnd, HoldReleased, SlotEvent, Urgency};
use callboard_contracts::{DomainEvent, OfferId, StreamId};
use callboard_domain::waitlist::EntryStatus;
use callboard_testkit::{Fault, Gate};
use waitlist_cascade::advance::{self, Outcome};

use crate::world::{World, cause, entry, slot, time, waitlist};

async fn advance(world: &World, id: &str) -> Outcome {
    let deps = world.deps();
    let outcome = advance::run(&deps, &slot(id), None, &cause()).await;
    outcome.expect("an outcome")
}

fn offered_to(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Offered { offers, .. } if offers.len() == 1 => offers[0].entry_id.as_str(),
        other => panic!("not offered: {other:?}"),
    }
}

async fn decline(world: &World, id: &str) {
    let loaded = world.slot(id).await;
    let offer_id = &loaded.state.held().first().expect("a hold").offer_id;
    let declined = HoldReleased {
        waitlist_id: waitlist(),
        slot_id: slot(id),
        slot_version: 1,
        offer_id: offer_id.clone(),
        reason: HoldEnd::Declined,
    };
    world.commit(&loaded, [declined]).await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_says_how_fresh_the_view_was_when_it_is_due_and_whose_turn_it_is() {
    let world = World::with_three_waiting().await;
    let outcome = advance(&world, "slot-0900").await;
    let expires_at = time("2026-03-02T10:30:00.000Z");
    let Outcome::Offered { offers, .. } = &outcome else {
        panic!("not offered");
    };
    let stream = StreamId::slot(&slot("slot-0900"));
    let commits = world.journal.read(&stream, 2).await.expect("read");
    let [commit] = &commits[..] else {
        panic!("one commit");
    };
    let held = &commit.events[0];
    let event = SlotEvent::decode(&held.event_type, held.data.clone()).expect("an event");
    let SlotEvent::SlotHeld(held) = event else {
        panic!("not held");
    };
    assert_eq!(held.expires_at, expires_at);
    assert_eq!(held.as_of, Some(time("2026-03-02T09:03:00.000Z")));
    assert_eq!(held.offer_id, offers[0].offer_id);
    let due = commit.due.as_ref().expect("due");
    assert_eq!(due.at, time("2026-03-02T10:30:05.000Z"));
    assert_eq!(due.queue, "waitlist-cascade");
    assert_eq!(commit.message_group(), "w-physio");
    let stream = StreamId::entry(&entry("entry-ada"));
    let made = world.journal.read(&stream, 2).await.expect("read");
    assert_eq!(made[0].message_group(), "w-physio");
    assert_eq!(made[0].due, None);
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_runs_out_is_followed_by_the_next_in_one_commit_and_not_before_the_grace() {
    let world = World::with_three_waiting().await;
    advance(&world, "slot-0900").await;
    world.go_to("2026-03-02T10:30:04.999Z").await;
    let until = time("2026-03-02T10:30:05.000Z");
    assert_eq!(advance(&world, "slot-0900").await, Outcome::Waits { until });
    world.go_to("2026-03-02T10:30:05.000Z").await;
    assert_eq!(offered_to(&advance(&world, "slot-0900").await), "entry-ben");
    assert_eq!(
        world.history("slot#slot-0900").await,
        [
            vec!["slot-released"],
            vec!["slot-held"],
            vec!["hold-released", "slot-held"]
        ]
    );
    // The old entry is not touched: its offer lapses by time.
    assert_eq!(world.history("entry#entry-ada").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_let_an_offer_run_out_has_the_skip_counted_with_the_next_offer() {
    let world = World::with_three_waiting().await;
    advance(&world, "slot-0900").await;
    world.go_to("2026-03-02T10:31:00.000Z").await;
    world.release("slot-0930").await;
    assert_eq!(offered_to(&advance(&world, "slot-0930").await), "entry-ada");
    assert_eq!(
        world.history("entry#entry-ada").await,
        [
            vec!["entry-joined"],
            vec!["offer-made"],
            vec!["offer-lapsed", "offer-made"]
        ]
    );
    assert_eq!(world.entry("entry-ada").await.state.skips, 1);
}

#[tokio::test(start_paused = true)]
async fn a_slot_goes_down_the_list_and_is_opened_to_the_public_by_the_second_empty_look_up() {
    let world = World::with_three_waiting().await;
    for expected in ["entry-ada", "entry-ben", "entry-cid"] {
        assert_eq!(offered_to(&advance(&world, "slot-0900").await), expected);
        decline(&world, "slot-0900").await;
    }
    let look_again_at = time("2026-03-02T10:00:30.000Z");
    assert_eq!(
        advance(&world, "slot-0900").await,
        Outcome::NobodyFound { look_again_at }
    );
    let due = world
        .journal
        .read(&StreamId::slot(&slot("slot-0900")), 8)
        .await
        .expect("read")[0]
        .due
        .clone()
        .expect("due");
    assert_eq!(due.at, look_again_at);
    world.go_to("2026-03-02T10:00:29.999Z").await;
    assert_eq!(
        advance(&world, "slot-0900").await,
        Outcome::StillNobody { look_again_at }
    );
    world.go_to("2026-03-02T10:00:30.000Z").await;
    assert_eq!(advance(&world, "slot-0900").await, Outcome::OpenedToPublic);
    assert_eq!(advance(&world, "slot-0900").await, Outcome::Nothing);
    assert_eq!(world.history("slot#slot-0900").await.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_starts_before_anybody_took_it_is_closed() {
    let world = World::with_three_waiting().await;
    world.go_to("2026-03-02T15:00:00.000Z").await;
    assert_eq!(advance(&world, "slot-0900").await, Outcome::Closed);
    assert_eq!(advance(&world, "slot-0900").await, Outcome::Nothing);
    assert_eq!(advance(&world, "slot-unknown").await, Outcome::Nothing);
}

#[tokio::test(start_paused = true)]
async fn the_journal_overrules_a_view_that_is_behind() {
    let world = World::with_three_waiting().await;
    let loaded = world.entry("entry-ada").await;
    let left = EntryLeft {
        waitlist_id: waitlist(),
        entry_id: entry("entry-ada"),
    };
    world.commit(&loaded, [left]).await;
    assert_eq!(offered_to(&advance(&world, "slot-0900").await), "entry-ben");
    assert!(matches!(
        world.entry("entry-ada").await.state.status,
        EntryStatus::Left
    ));
}

#[tokio::test(start_paused = true)]
async fn urgency_times_waiting_decides_and_who_is_busy_in_the_view_is_left_out() {
    let world = World::new().await;
    world.join("entry-old", Urgency::Routine).await;
    world.go_to("2026-03-02T09:50:00.000Z").await;
    world.join("entry-hurt", Urgency::Urgent).await;
    world.join("entry-sore", Urgency::Soon).await;
    world.go_to("2026-03-02T10:00:00.000Z").await;
    world.release("slot-0900").await;
    // 60 min × 1 for old, 10 min × 9 for hurt, 10 min × 3 for sore
    let until = Some(time("2026-03-02T10:20:00.000Z"));
    world
        .show_candidate("entry-hurt", Urgency::Urgent, until)
        .await;
    assert_eq!(offered_to(&advance(&world, "slot-0900").await), "entry-old");
    world
        .show_candidate("entry-hurt", Urgency::Urgent, None)
        .await;
    decline(&world, "slot-0900").await;
    assert_eq!(
        offered_to(&advance(&world, "slot-0900").await),
        "entry-hurt"
    );
    decline(&world, "slot-0900").await;
    assert_eq!(
        offered_to(&advance(&world, "slot-0900").await),
        "entry-sore"
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_person_is_found_behind_a_page_of_people_who_were_asked() {
    let world = World::new().await;
    for number in 0..40 {
        world
            .join(&format!("entry-{number:02}"), Urgency::Soon)
            .await;
    }
    world.release("slot-0900").await;
    for number in 0..40 {
        let outcome = advance(&world, "slot-0900").await;
        assert_eq!(offered_to(&outcome), format!("entry-{number:02}"));
        decline(&world, "slot-0900").await;
    }
    assert!(matches!(
        advance(&world, "slot-0900").await,
        Outcome::NobodyFound { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn two_cascades_at_once_on_one_slot_make_one_offer() {
    let world = World::with_three_waiting().await;
    let (one, two) = tokio::join!(advance(&world, "slot-0900"), advance(&world, "slot-0900"));
    let offers = [&one, &two].map(|outcome| matches!(outcome, Outcome::Offered { .. }));
    assert_eq!(
        offers.iter().filter(|offered| **offered).count(),
        1,
        "{one:?} {two:?}"
    );
    assert_eq!(
        world.history("slot#slot-0900").await,
        [["slot-released"], ["slot-held"]]
    );
    assert_eq!(world.history("entry#entry-ada").await.len(), 2);
    assert_eq!(world.history("entry#entry-ben").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_slots_at_once_are_offered_to_two_people() {
    let world = World::with_three_waiting().await;
    world.release("slot-0930").await;
    let (one, two) = tokio::join!(advance(&world, "slot-0900"), advance(&world, "slot-0930"));
    let mut people = [offered_to(&one), offered_to(&two)];
    people.sort_unstable();
    assert_eq!(people, ["entry-ada", "entry-ben"]);
    for person in people {
        assert_eq!(world.history(&format!("entry#{person}")).await.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_that_arrives_between_reading_and_committing_wins() {
    let world = World::with_three_waiting().await;
    advance(&world, "slot-0900").await;
    world.go_to("2026-03-02T10:30:05.000Z").await;
    // An acceptance received in time whose commit comes late: it is first, so it stands.
    let loaded = world.slot("slot-0900").await;
    let offer_id = &loaded.state.held().first().expect("a hold").offer_id;
    let received_at = time("2026-03-02T10:29:59.999Z");
    let filled = accepted(&loaded.state, offer_id, received_at);
    let gate = Gate::new();
    world
        .faults
        .next("TransactWriteItems", Fault::Hold(gate.clone()));
    let acceptance = async {
        gate.reached().await;
        world.commit(&loaded, filled).await;
        gate.open();
    };
    let (outcome, ()) = tokio::join!(advance(&world, "slot-0900"), acceptance);
    assert_eq!(outcome, Outcome::Nothing);
    assert_eq!(world.history("entry#entry-ben").await.len(), 1);
}

fn accepted(
    slot: &callboard_domain::waitlist::Slot,
    offer_id: &OfferId,
    received_at: callboard_contracts::Timestamp,
) -> Vec<SlotEvent> {
    callboard_domain::waitlist::slot::accept(slot, offer_id, None, received_at).expect("in time")
}

#[tokio::test(start_paused = true)]
async fn an_offer_whose_answer_was_lost_is_recognised_as_made() {
    let world = World::with_three_waiting().await;
    world.faults.next("TransactWriteItems", Fault::DropAnswer);
    assert_eq!(offered_to(&advance(&world, "slot-0900").await), "entry-ada");
    assert_eq!(world.history("slot#slot-0900").await.len(), 2);
    assert_eq!(world.history("entry#entry-ada").await.len(), 2);
}
