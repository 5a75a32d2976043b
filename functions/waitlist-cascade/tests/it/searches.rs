//! Whom a search takes, whom it passes over, and what is recorded of it: by rank, in batches, by lot.

use callboard_contracts::waitlist::{
    CandidatesPassedOver, EntryLeft, Ineligible, Mode, Preferences, SlotEvent, Terms, Urgency,
};
use callboard_contracts::{DomainEvent as _, StreamId};
use callboard_domain::waitlist::EntryStatus;
use callboard_domain::waitlist::policy::{Numbered, standard};
use callboard_testkit::{Fault, Gate};
use waitlist_cascade::advance::{self, Outcome};

use crate::world::{World, cause, entry, slot, waitlist};

const SLOT: &str = "slot-0900";

async fn advance(world: &World, id: &str) -> Outcome {
    let deps = world.deps();
    let outcome = advance::run(&deps, &slot(id), None, &cause()).await;
    outcome.expect("an outcome")
}

fn people(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Offered { offers, .. } => {
            offers.iter().map(|offer| offer.entry_id.as_str()).collect()
        }
        other => panic!("not offered: {other:?}"),
    }
}

fn terms(mode: Mode, skip_limit: Option<u8>) -> Option<Terms> {
    let mut policy = standard();
    policy.rules.mode = mode;
    policy.rules.skip_limit = skip_limit;
    policy.rules.quiet_hours = None;
    Some(Numbered { version: 1, policy }.terms(7))
}

fn elsewhere() -> Preferences {
    Preferences {
        locations: vec!["south-side".to_owned()],
        ..Preferences::default()
    }
}

/// Waits for another place than the slot's, which the view does not know.
async fn join_elsewhere(world: &World, id: &str) {
    world
        .join_wishing(id, Urgency::Routine, elsewhere(), false)
        .await;
    world.show_candidate(id, Urgency::Routine, None).await;
}

/// Who was passed over by each commit of the slot.
async fn passed(world: &World, id: &str) -> Vec<CandidatesPassedOver> {
    let stream = StreamId::slot(&slot(id));
    let commits = world.journal.read(&stream, 1).await.expect("read");
    let events = commits.iter().flat_map(|commit| &commit.events);
    let events = events
        .map(|event| SlotEvent::decode(&event.event_type, event.data.clone()).expect("an event"));
    let passed = events.filter_map(|event| match event {
        SlotEvent::CandidatesPassedOver(passed) => Some(passed),
        _ => None,
    });
    passed.collect()
}

fn names(passed: &CandidatesPassedOver, reason: Ineligible) -> Vec<&str> {
    let ids = passed.passed.get(&reason).into_iter().flatten();
    ids.map(|id| id.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_hold_records_why_each_who_stood_before_was_not_asked() {
    let world = World::new().await;
    join_elsewhere(&world, "entry-far").await;
    for id in ["entry-left", "entry-busy", "entry-ada", "entry-ben"] {
        world.join(id, Urgency::Routine).await;
    }
    let left = EntryLeft {
        waitlist_id: waitlist(),
        entry_id: entry("entry-left"),
    };
    let loaded = world.entry("entry-left").await;
    world.commit(&loaded, [left]).await;
    let until = crate::world::time("2026-03-02T09:30:00.000Z");
    world
        .show_candidate("entry-busy", Urgency::Routine, Some(until))
        .await;
    world.release(SLOT).await;
    // Of one moment, so by id: ada, ben, busy, far, left.
    assert_eq!(people(&advance(&world, SLOT).await), ["entry-ada"]);
    assert_eq!(passed(&world, SLOT).await, []);
    world.go_to("2026-03-02T09:30:05.000Z").await;
    world
        .show_candidate(
            "entry-busy",
            Urgency::Routine,
            Some(until.plus(std::time::Duration::from_secs(3_600))),
        )
        .await;
    assert_eq!(people(&advance(&world, SLOT).await), ["entry-ben"]);
    world.go_to("2026-03-02T10:00:10.000Z").await;
    assert!(matches!(
        advance(&world, SLOT).await,
        Outcome::NobodyFound { .. }
    ));
    let passed = passed(&world, SLOT).await;
    assert_eq!(passed.len(), 1);
    assert_eq!(names(&passed[0], Ineligible::OtherLocation), ["entry-far"]);
    assert_eq!(names(&passed[0], Ineligible::Left), ["entry-left"]);
    assert_eq!(names(&passed[0], Ineligible::HasOffer), ["entry-busy"]);
    assert!(passed[0].as_of.is_some());
}

#[tokio::test(start_paused = true)]
async fn who_is_at_the_skip_limit_is_paused_by_a_commit_of_their_own_and_passed_over() {
    let world = World::new().await;
    world.join("entry-ada", Urgency::Routine).await;
    world.join("entry-ben", Urgency::Routine).await;
    world
        .release_on("slot-early", terms(Mode::Sequential, Some(1)))
        .await;
    assert_eq!(people(&advance(&world, "slot-early").await), ["entry-ada"]);
    world.go_to("2026-03-02T09:31:00.000Z").await;
    world
        .release_on(SLOT, terms(Mode::Sequential, Some(1)))
        .await;
    for _ in 0..2 {
        let outcome = advance(&world, SLOT).await;
        assert!(!matches!(outcome, Outcome::Nothing));
    }
    assert_eq!(
        world.history("entry#entry-ada").await,
        [
            vec!["entry-joined"],
            vec!["offer-made"],
            vec!["offer-lapsed", "entry-paused"]
        ]
    );
    assert_eq!(world.holder(SLOT).await.as_deref(), Some("entry-ben"));
    let passed = passed(&world, SLOT).await;
    assert_eq!(names(&passed[0], Ineligible::SkipLimit), ["entry-ada"]);
    assert_eq!(
        world.history(&format!("slot#{SLOT}")).await,
        [
            vec!["slot-released"],
            vec!["candidates-passed-over", "slot-held"]
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_moved_to_the_front_is_asked_first_and_once() {
    let world = World::new().await;
    for id in ["entry-ada", "entry-ben", "entry-cid"] {
        world.join(id, Urgency::Urgent).await;
    }
    world.go_to("2026-03-02T09:10:00.000Z").await;
    // The row of its class is still there, as while the projector is behind.
    world.to_the_front("entry-cid", Urgency::Urgent).await;
    world
        .release_on(SLOT, terms(Mode::Batch { size: 5 }, None))
        .await;
    let outcome = advance(&world, SLOT).await;
    assert_eq!(people(&outcome), ["entry-cid", "entry-ada", "entry-ben"]);
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_longer_than_the_ceiling_is_asked_before_the_urgent() {
    let world = World::new().await;
    world.join("entry-old", Urgency::Routine).await;
    world.go_to("2026-03-02T09:30:00.000Z").await;
    world.join("entry-hurt", Urgency::Urgent).await;
    world.go_to("2026-03-02T10:00:00.000Z").await;
    world.release(SLOT).await;
    assert_eq!(people(&advance(&world, SLOT).await), ["entry-hurt"]);
    world.go_to("2026-03-03T09:00:00.000Z").await;
    let mut ceiling = terms(Mode::Sequential, None).expect("terms");
    ceiling.rules.max_wait_days = Some(1);
    world
        .release_at("slot-late", "2026-03-03T15:00:00.000Z", Some(ceiling))
        .await;
    assert_eq!(people(&advance(&world, "slot-late").await), ["entry-old"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_one_transaction_of_the_slot_and_each_entry() {
    let world = World::with_three_waiting().await;
    world
        .release_on("slot-batch", terms(Mode::Batch { size: 3 }, None))
        .await;
    world.faults.reset();
    let outcome = advance(&world, "slot-batch").await;
    let costs = world.faults.costs();
    assert_eq!(people(&outcome), ["entry-ada", "entry-ben", "entry-cid"]);
    assert_eq!(
        (
            costs.requests("TransactWriteItems"),
            costs.requests("PutItem")
        ),
        (1, 0)
    );
    // The slot and three entries, each twice: it is a transaction; and the agenda's row.
    assert!(
        (costs.all_write_units() - 9.0).abs() < f64::EPSILON,
        "{costs:?}"
    );
    let stream = StreamId::slot(&slot("slot-batch"));
    let held = world.journal.read(&stream, 2).await.expect("read");
    assert!(held[0].due.is_some());
    assert_eq!(
        advance(&world, "slot-batch").await,
        Outcome::Waits {
            until: held[0].due.as_ref().expect("due").at,
        }
    );
    for id in ["entry-ada", "entry-ben", "entry-cid"] {
        assert_eq!(
            world.history(&format!("entry#{id}")).await,
            [["entry-joined"], ["offer-made"]]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_loses_one_entry_is_offered_to_the_next_and_reads_that_one_again_alone() {
    let world = World::with_three_waiting().await;
    world
        .release_on("slot-batch", terms(Mode::Batch { size: 2 }, None))
        .await;
    let ben = world.entry("entry-ben").await;
    let gate = Gate::new();
    world
        .faults
        .next("TransactWriteItems", Fault::Hold(gate.clone()));
    let leaves = async {
        gate.reached().await;
        let left = EntryLeft {
            waitlist_id: waitlist(),
            entry_id: entry("entry-ben"),
        };
        world.commit(&ben, [left]).await;
        gate.open();
    };
    world.faults.next("TransactWriteItems", Fault::DropAnswer);
    let (outcome, ()) = tokio::join!(advance(&world, "slot-batch"), leaves);
    assert_eq!(people(&outcome), ["entry-ada", "entry-cid"]);
    let passed = passed(&world, "slot-batch").await;
    assert_eq!(names(&passed[0], Ineligible::Left), ["entry-ben"]);
    assert_eq!(world.history("entry#entry-ada").await.len(), 2);
    assert_eq!(world.history("entry#entry-ben").await.len(), 2);
    assert_eq!(world.history("slot#slot-batch").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_batches_at_once_offer_nobody_two_slots() {
    let world = World::with_three_waiting().await;
    for id in ["slot-one", "slot-two"] {
        world
            .release_on(id, terms(Mode::Batch { size: 2 }, None))
            .await;
    }
    let (one, two) = tokio::join!(advance(&world, "slot-one"), advance(&world, "slot-two"));
    let mut all = [people(&one), people(&two)].concat();
    all.sort_unstable();
    assert_eq!(all, ["entry-ada", "entry-ben", "entry-cid"]);
    for id in all {
        assert_eq!(world.history(&format!("entry#{id}")).await.len(), 2, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_wishes_so_has_the_slot_at_once() {
    let world = World::new().await;
    world
        .join_wishing("entry-auto", Urgency::Routine, Preferences::default(), true)
        .await;
    world
        .show_candidate("entry-auto", Urgency::Routine, None)
        .await;
    world.release(SLOT).await;
    let entry_id = entry("entry-auto");
    assert_eq!(advance(&world, SLOT).await, Outcome::Filled { entry_id });
    assert_eq!(advance(&world, SLOT).await, Outcome::Nothing);
    assert_eq!(
        world.history(&format!("slot#{SLOT}")).await,
        [["slot-released"], ["slot-filled"]]
    );
    let auto = world.entry("entry-auto").await.state;
    assert!(matches!(auto.status, EntryStatus::Booked(_)));
}

#[tokio::test(start_paused = true)]
async fn a_draw_by_lot_is_recorded_and_gives_the_same_when_it_is_repeated() {
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let world = World::with_three_waiting().await;
        world
            .release_on("slot-lot", terms(Mode::Lottery, None))
            .await;
        drawn.push(people(&advance(&world, "slot-lot").await)[0].to_owned());
        let stream = StreamId::slot(&slot("slot-lot"));
        let held = world.journal.read(&stream, 2).await.expect("read");
        let event = held[0].events.last().expect("an event");
        assert_eq!(event.data["draw"]["pool"], 3);
        assert_eq!(world.slot("slot-lot").await.state.draws, 1);
    }
    assert_eq!(drawn[0], drawn[1]);
}

#[tokio::test(start_paused = true)]
async fn who_suits_is_found_behind_any_number_who_do_not_and_each_has_a_reason() {
    let world = World::new().await;
    for number in 0..230 {
        join_elsewhere(&world, &format!("entry-{number:03}")).await;
    }
    world.go_to("2026-03-02T09:05:00.000Z").await;
    world.join("entry-zoe", Urgency::Routine).await;
    world.release(SLOT).await;
    assert_eq!(people(&advance(&world, SLOT).await), ["entry-zoe"]);
    let passed = passed(&world, SLOT).await;
    let counts: Vec<_> = passed
        .iter()
        .map(|passed| names(passed, Ineligible::OtherLocation).len())
        .collect();
    assert_eq!(counts, [100, 100, 30]);
    // The next look-up goes on behind them: no page of theirs is read.
    let loaded = world.slot(SLOT).await;
    assert_eq!(loaded.state.cursors.len(), 1);
    world.faults.reset();
    world.go_to("2026-03-02T09:36:00.000Z").await;
    assert!(matches!(
        advance(&world, SLOT).await,
        Outcome::NobodyFound { .. }
    ));
    let queries = world.faults.costs().requests("Query");
    assert!(queries <= 5, "the slot and four classes, not {queries}");
}

#[tokio::test(start_paused = true)]
async fn one_offer_takes_as_many_requests_however_many_wait() {
    let mut requests = Vec::new();
    for waiting in [100, 1_000] {
        let world = World::new().await;
        for number in 0..waiting {
            world
                .join(&format!("entry-{number:04}"), Urgency::Soon)
                .await;
        }
        world.release(SLOT).await;
        world.faults.reset();
        advance(&world, SLOT).await;
        requests.push(world.faults.costs().all_requests());
    }
    // The slot, four classes, the entry; and the transaction.
    assert_eq!(requests, [7, 7]);
}
