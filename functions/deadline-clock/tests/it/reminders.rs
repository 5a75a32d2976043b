//! Deadlines that are waited for, and what their owner is told.

use callboard_runtime::settings::SettingsError;
use callboard_testkit::{failed, twice_and_backwards};
use serde_json::Value;

use crate::world::{Handed, World, sample};

/// `stream dueAt group` of what was handed over.
async fn handed(world: &World) -> Vec<String> {
    let handed = world.handed().await.into_iter();
    let line = |handed: Handed| format!("{} {} {}", handed.stream, handed.due_at, handed.group);
    handed.map(line).collect()
}

const HELD: &str = "slot#slot-0900 2026-03-02T10:30:05.000Z w-physio";
const EMPTY: &str = "slot#slot-0930 2026-03-02T10:00:30.000Z w-physio";

#[tokio::test(start_paused = true)]
async fn an_owner_is_told_at_its_deadline_and_not_a_second_before() {
    let world = World::new().await;
    assert_eq!(world.invoke(&sample("good")).await, 0);
    assert_eq!(world.waiting().await, 2);
    world.run_until("2026-03-02T10:00:29.900Z").await;
    assert!(handed(&world).await.is_empty());
    world.run_until("2026-03-02T10:00:31.000Z").await;
    assert_eq!(handed(&world).await, [EMPTY]);
    // Half an hour is more than one delay: the timer takes two turns and stays what it was.
    world.run_until("2026-03-02T10:30:04.900Z").await;
    assert!(handed(&world).await.is_empty());
    world.run_until("2026-03-02T10:30:07.000Z").await;
    assert_eq!(handed(&world).await, [HELD]);
    assert_eq!(world.waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_owner_is_told_when_the_time_before_the_first_offer_is_over() {
    let world = World::new().await;
    assert_eq!(
        world.invoke(&twice_and_backwards(&sample("grace"))).await,
        0
    );
    world.run_until("2026-03-02T10:01:59.900Z").await;
    assert!(handed(&world).await.is_empty());
    world.run_until("2026-03-02T10:02:00.000Z").await;
    assert_eq!(
        handed(&world).await,
        ["slot#slot-0900 2026-03-02T10:02:00.000Z w-physio"]
    );
    assert_eq!(world.waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_names_what_set_its_timer_however_many_turns_it_took() {
    let world = World::new().await;
    world.invoke(&sample("good")).await;
    world.run_until("2026-03-02T10:31:00.000Z").await;
    let body = sample("good")["Records"][0]["body"].clone();
    let held: Value = serde_json::from_str(body.as_str().expect("a body")).expect("JSON");
    let handed = world.handed().await;
    let reminder = handed
        .iter()
        .find(|handed| handed.stream == "slot#slot-0900");
    let reminder = reminder.expect("handed over");
    assert_eq!(reminder.causation_id, held["id"]);
    assert_eq!(reminder.correlation_id, "req-0001");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_twice_reminds_once() {
    let world = World::new().await;
    assert_eq!(world.invoke(&sample("duplicate")).await, 0);
    world.run_until("2026-03-02T10:31:00.000Z").await;
    assert_eq!(handed(&world).await, [HELD]);
}

/// What is handed over until noon has passed, and how many dead letters there are.
async fn story(event: &Value) -> (Vec<Handed>, usize) {
    let world = World::new().await;
    assert_eq!(world.invoke(event).await, 0);
    world.run_until("2026-03-02T12:01:00.000Z").await;
    (world.handed().await, world.dead_letters().await.len())
}

#[tokio::test(start_paused = true)]
async fn every_sample_twice_and_backwards_reminds_as_once_in_order() {
    for case in ["good", "duplicate", "grace", "poison", "mixed"] {
        let (handed, letters) = story(&sample(case)).await;
        let doubled = story(&twice_and_backwards(&sample(case))).await;
        assert_eq!(doubled, (handed, letters * 2), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_due_already_goes_to_its_owner_at_once() {
    let world = World::new().await;
    world.run_until("2026-03-02T11:00:00.000Z").await;
    world.invoke(&sample("good")).await;
    assert_eq!(world.waiting().await, 0);
    assert_eq!(handed(&world).await, [HELD, EMPTY]);
}

#[tokio::test(start_paused = true)]
async fn poison_ends_in_the_dlq_with_its_reason() {
    let world = World::new().await;
    assert_eq!(world.invoke(&sample("poison")).await, 0);
    assert_eq!(
        world.dead_letters().await,
        [
            "`callboard.waitlist.slot-released.v1` has no deadline",
            "a due command needs the attribute `group` of at most 128 bytes",
            "data of `callboard.waitlist.slot-held.v1` cannot be read",
            "not a CloudEvents envelope (line 1, column 69)",
        ]
    );
    assert_eq!(world.waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn poison_leaves_its_neighbours_alone() {
    let world = World::new().await;
    assert_eq!(world.invoke(&sample("mixed")).await, 0);
    assert_eq!(world.dead_letters().await.len(), 2);
    world.run_until("2026-03-02T10:31:00.000Z").await;
    assert_eq!(handed(&world).await, [HELD, EMPTY]);
    world.run_until("2026-03-02T12:01:00.000Z").await;
    assert_eq!(
        handed(&world).await,
        ["slot#slot-1000 2026-03-02T12:00:05.000Z w-physio"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_back_while_the_owners_queue_cannot_be_reached() {
    let world = World::new().await;
    let mut vars = world.vars.clone();
    let gone = vars["QUEUE_URL"].replace("deadline-clock", "no-such-queue.fifo");
    vars.insert("WAITLIST_CASCADE_QUEUE_URL".to_owned(), gone);
    let service = deadline_clock::build(&vars, &world.sdk)
        .await
        .expect("built");
    world.run_until("2026-03-02T11:00:00.000Z").await;
    let event = lambda_runtime::LambdaEvent::new(sample("good"), Default::default());
    let answer = tower::ServiceExt::oneshot(service, event)
        .await
        .expect("answer");
    assert_eq!(failed(&answer).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_missing_setting_stops_the_function_by_name() {
    let world = World::new().await;
    for name in world.vars.keys() {
        let mut vars = world.vars.clone();
        vars.remove(name);
        let error = deadline_clock::build(&vars, &world.sdk).await.err();
        let name = name.clone();
        assert_eq!(error, Some(SettingsError::Missing { name }));
    }
}

#[tokio::test(start_paused = true)]
async fn in_lambda_the_connection_is_warmed_while_the_function_starts() {
    let kit = callboard_testkit::World::open().await;
    let mut vars = World::new().await.vars;
    vars.insert("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "f".to_owned());
    kit.faults().reset();
    deadline_clock::build(&vars, kit.sdk())
        .await
        .expect("built");
    let costs = kit.faults().costs();
    assert_eq!(
        (costs.requests("GetQueueAttributes"), costs.all_requests()),
        (1, 1)
    );
}
