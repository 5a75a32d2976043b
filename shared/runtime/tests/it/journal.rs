//! One stream: races, lost answers, loads, limits.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_runtime::journal::{
    AppendError, Commit, CommitError, ITEM_BYTES_MAX, Journal, JournalError, Loaded,
    SNAPSHOT_EVERY, due_bucket,
};
use callboard_runtime::{Cause, StreamId};
use callboard_testkit::build::cause_of;
use callboard_testkit::world::JOURNAL;
use callboard_testkit::{Fault, World, cause, stream_id};
use serde_json::json;

use crate::parcel::{NewerParcel, Parcel, ParcelEvent};

fn note(text: &str) -> ParcelEvent {
    ParcelEvent::Noted(text.to_owned())
}

async fn next(world: &World, stream: &StreamId, cause: &Cause, text: &str) -> Commit {
    let loaded = world
        .journal()
        .load::<Parcel>(stream)
        .await
        .expect("it loads");
    loaded
        .next(cause, world.now())
        .event(note(text))
        .build()
        .expect("a commit")
}

async fn fill(world: &World, stream: &StreamId, commits: u64) {
    let mut loaded = Loaded::<Parcel>::fresh(stream.clone());
    for n in 1..=commits {
        let commit = loaded
            .next(&cause(), world.now())
            .event(note(&n.to_string()))
            .build()
            .expect("a commit");
        let record = commit.record().clone();
        world.journal().append(commit).await.expect("it is free");
        loaded = loaded.after(&record).expect("it is the next");
    }
}

#[tokio::test]
async fn of_sixteen_writers_one_wins_and_the_others_are_told_who() {
    let world = World::open().await;
    let stream = stream_id("parcel#race");
    let loaded = Loaded::<Parcel>::fresh(stream.clone());
    let writers = (0..16).map(|n| {
        let (journal, loaded, now) = (world.journal(), loaded.clone(), world.now());
        tokio::spawn(async move {
            let commit = loaded
                .next(&cause(), now)
                .event(note(&n.to_string()))
                .build()
                .expect("a commit");
            let id = commit.id();
            (id, journal.append(commit).await)
        })
    });
    let mut winner = None;
    let mut losers = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.expect("no panic") {
            (id, Ok(_)) => assert_eq!(winner.replace(id), None, "a second winner"),
            (_, Err(AppendError::Conflict(conflict))) => losers.push(conflict),
            (_, Err(other)) => panic!("{other}"),
        }
    }
    assert_eq!(losers.len(), 15);
    for conflict in losers {
        assert_eq!(conflict.winner.as_ref().map(|record| record.id), winner);
        assert_eq!(conflict.same_cause(), Some(false));
    }
    assert_eq!(
        world
            .journal()
            .load::<Parcel>(&stream)
            .await
            .expect("it loads")
            .number,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn an_own_write_whose_answer_was_lost_is_a_success() {
    let world = World::on_virtual_time().await;
    let stream = stream_id("parcel#lost");
    let commit = next(&world, &stream, &cause(), "once").await;
    world.faults().next("PutItem", Fault::DropAnswer);
    world.journal().append(commit).await.expect("our own write");
    assert_eq!(world.faults().costs().requests("PutItem"), 2);
    let loaded = world
        .journal()
        .load::<Parcel>(&stream)
        .await
        .expect("it loads");
    assert_eq!(
        (loaded.number, loaded.state.notes),
        (1, vec!["once".to_owned()])
    );
}

#[tokio::test]
async fn the_same_commit_appended_again_by_a_caller_has_the_effect_of_once() {
    let world = World::open().await;
    let stream = stream_id("parcel#again");
    let commit = next(&world, &stream, &cause(), "once").await;
    for _ in 0..3 {
        world
            .journal()
            .append(commit.clone())
            .await
            .expect("our own write");
    }
    assert_eq!(
        world
            .journal()
            .read(&stream, 1)
            .await
            .expect("it reads")
            .len(),
        1
    );
}

#[tokio::test]
async fn the_same_key_with_another_cause_is_told_apart_by_the_causes_hash() {
    let world = World::open().await;
    let stream = stream_id("parcel#key");
    let payload = json!({ "order": 7 });
    let first = next(&world, &stream, &cause_of(&payload), "as decided yesterday").await;
    let again = next(
        &world,
        &stream,
        &cause_of(&payload),
        "as decided after a deployment",
    )
    .await;
    let other = next(
        &world,
        &stream,
        &cause_of(&json!({ "order": 8 })),
        "as decided yesterday",
    )
    .await;
    world.journal().append(first).await.expect("it is free");
    for (commit, same) in [(again, true), (other, false)] {
        match world.journal().append(commit).await {
            Err(AppendError::Conflict(conflict)) => assert_eq!(conflict.same_cause(), Some(same)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttles_and_transactions_in_the_way_are_waited_out() {
    let world = World::on_virtual_time().await;
    let stream = stream_id("parcel#busy");
    let in_the_way =
        json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException" });
    world
        .faults()
        .times("PutItem", 3, &Fault::Answer(400, in_the_way.to_string()));
    world.faults().times("PutItem", 4, &Fault::Throttle);
    let commit = next(&world, &stream, &cause(), "patience").await;
    world.journal().append(commit).await.expect("in the end");
}

#[tokio::test(start_paused = true)]
async fn an_endless_throttle_ends_as_a_retryable_error_after_a_bounded_number_of_calls() {
    let world = World::on_virtual_time().await;
    world.faults().times("PutItem", 1_000, &Fault::Throttle);
    let commit = next(&world, &stream_id("parcel#never"), &cause(), "never").await;
    match world.journal().append(commit).await {
        Err(AppendError::Journal(error)) => assert!(error.is_retryable(), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(world.faults().costs().requests("PutItem") <= 18);
}

#[tokio::test]
async fn a_long_stream_loads_in_one_query_down_to_its_snapshot() {
    let world = World::open().await;
    let stream = stream_id("parcel#long");
    fill(&world, &stream, 2 * SNAPSHOT_EVERY - 1).await;
    world.faults().reset();
    let loaded = world
        .journal()
        .load::<Parcel>(&stream)
        .await
        .expect("it loads");
    assert_eq!(world.faults().costs().requests("Query"), 1);
    assert_eq!(loaded.number, 127);
    let notes: Vec<String> = (1..128).map(|n: u32| n.to_string()).collect();
    assert_eq!(loaded.state.notes, notes);
    assert!(loaded.last.is_some());
}

#[tokio::test]
async fn a_snapshot_of_another_version_is_passed_over() {
    let world = World::open().await;
    let stream = stream_id("parcel#upgraded");
    fill(&world, &stream, SNAPSHOT_EVERY + 6).await;
    world.faults().reset();
    let loaded = world
        .journal()
        .load::<NewerParcel>(&stream)
        .await
        .expect("it loads");
    assert_eq!(loaded.state.notes.len(), 140);
    assert_eq!(
        world.faults().costs().requests("Query"),
        2,
        "down to the beginning"
    );
}

#[tokio::test]
async fn a_commit_from_what_a_message_told_carries_no_snapshot() {
    let stream = stream_id("parcel#told");
    let told = Loaded::told(stream, Parcel::default(), SNAPSHOT_EVERY - 1);
    let world = World::open().await;
    let commit = told
        .next(&cause(), world.now())
        .event(note("x"))
        .build()
        .expect("a commit");
    assert_eq!(commit.number(), SNAPSHOT_EVERY);
    assert_eq!(commit.record().snapshot, None);
}

#[tokio::test]
async fn large_streams_are_read_page_by_page() {
    let world = World::open().await;
    let stream = stream_id("parcel#pages");
    let mut loaded = Loaded::<NewerParcel>::fresh(stream.clone());
    let large = "x".repeat(150_000);
    for _ in 0..10 {
        let commit = loaded
            .next(&cause(), world.now())
            .event(note(&large))
            .build()
            .expect("a commit");
        loaded.number += 1;
        world.journal().append(commit).await.expect("it is free");
    }
    world.faults().reset();
    let commits = world.journal().read(&stream, 2).await.expect("it reads");
    assert_eq!(
        commits
            .iter()
            .map(|commit| commit.number)
            .collect::<Vec<_>>(),
        (2..=10).collect::<Vec<_>>()
    );
    assert!(
        world.faults().costs().requests("Query") >= 2,
        "more than one megabyte"
    );
    let loaded = world
        .journal()
        .load::<NewerParcel>(&stream)
        .await
        .expect("it loads");
    assert_eq!((loaded.number, loaded.state.notes.len()), (10, 20));
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_any_call() {
    let world = World::open().await;
    let loaded = Loaded::<Parcel>::fresh(stream_id("parcel#huge"));
    let builder = || loaded.next(&cause(), world.now());
    let huge = builder().event(note(&"x".repeat(ITEM_BYTES_MAX))).build();
    assert!(matches!(huge, Err(CommitError::TooLarge { bytes, .. }) if bytes > ITEM_BYTES_MAX));
    assert!(matches!(builder().build(), Err(CommitError::Empty(_))));
    let many = builder()
        .events((0..101).map(|n| note(&n.to_string())))
        .build();
    assert!(matches!(
        many,
        Err(CommitError::TooMany { events: 101, .. })
    ));
    assert_eq!(world.faults().costs().all_requests(), 0);
}

#[tokio::test]
async fn a_snapshot_that_does_not_fit_is_left_out_rather_than_the_commit() {
    let world = World::open().await;
    let stream = stream_id("parcel#fat");
    let state = Parcel {
        notes: vec!["x".repeat(ITEM_BYTES_MAX)],
        ..Parcel::default()
    };
    let mut loaded = Loaded::fresh(stream);
    (loaded.state, loaded.number) = (state, SNAPSHOT_EVERY - 1);
    let commit = loaded
        .next(&cause(), world.now())
        .event(note("small"))
        .build()
        .expect("it fits");
    assert_eq!(commit.record().snapshot, None);
}

#[tokio::test]
async fn a_hole_in_a_stream_is_an_error_and_not_a_state() {
    let world = World::open().await;
    let stream = stream_id("parcel#hole");
    fill(&world, &stream, 5).await;
    for missing in [3, 1] {
        let call = world
            .dynamodb()
            .delete_item()
            .table_name(JOURNAL)
            .key("pk", AttributeValue::S(stream.as_str().to_owned()))
            .key("sk", AttributeValue::N(missing.to_string()));
        call.send().await.expect("it is removed");
        match world.journal().load::<Parcel>(&stream).await {
            Err(error @ JournalError::Gap { .. }) => assert!(!error.is_retryable()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_event_of_a_newer_version_is_told_by_name_and_is_not_retried() {
    let world = World::open().await;
    let stream = stream_id("event#shop#1");
    let event = callboard_contracts::foreign::ForeignEvent {
        event_type: "com.example.order-placed.v9".to_owned(),
        data: json!({}),
    };
    #[derive(Default, Clone, serde::Serialize, serde::Deserialize)]
    struct Anything;
    impl callboard_runtime::Fold for Anything {
        type Event = callboard_contracts::foreign::ForeignEvent;
        const VERSION: u32 = 1;
        fn evolve(self, _: &Self::Event, _: callboard_runtime::Timestamp) -> Self {
            self
        }
    }
    let commit = Loaded::<Anything>::fresh(stream.clone())
        .next(&cause(), world.now())
        .event(event)
        .build();
    world
        .journal()
        .append(commit.expect("a commit"))
        .await
        .expect("it is free");
    let error = world
        .journal()
        .load::<Parcel>(&stream)
        .await
        .expect_err("not a parcel");
    assert!(!error.is_retryable());
    assert_eq!(error.to_string(), "event#shop#1@1 cannot be read");
}

#[tokio::test]
async fn due_work_is_found_in_the_agenda_and_costs_one_more_write_unit() {
    let world = World::open().await;
    let stream = stream_id("parcel#due");
    let due = world.now().plus(Duration::from_secs(600));
    let commit = Loaded::<Parcel>::fresh(stream.clone())
        .next(&cause(), world.now())
        .event(note("open"))
        .due(due, "parcel-clerk")
        .build()
        .expect("a commit");
    let appended = world.journal().append(commit).await.expect("it is free");
    assert!(
        (appended.write_units - 2.0).abs() < f64::EPSILON,
        "{}",
        appended.write_units
    );
    let found = world
        .dynamodb()
        .query()
        .table_name(JOURNAL)
        .index_name("agenda")
        .key_condition_expression("due_bucket = :bucket AND due_at <= :now")
        .expression_attribute_values(":bucket", AttributeValue::S(due_bucket(&stream, due)))
        .expression_attribute_values(":now", AttributeValue::N(due.as_millis().to_string()))
        .send()
        .await
        .expect("the index answers");
    assert_eq!(found.count(), 1);
}

#[tokio::test]
async fn the_trace_goes_from_cause_to_commit_to_envelope() {
    let world = World::open().await;
    let stream = stream_id("parcel#trace");
    let cause = cause();
    let commit = next(&world, &stream, &cause, "x").await;
    world.journal().append(commit).await.expect("it is free");
    let commits = world.journal().read(&stream, 1).await.expect("it reads");
    let envelope = commits[0].envelope(0);
    assert_eq!(envelope.traceparent, cause.traceparent);
    assert_eq!(
        envelope.correlationid.as_deref(),
        Some(cause.correlation_id.as_str())
    );
    assert_eq!(
        envelope.causationid.as_deref(),
        Some(cause.causation_id.as_str())
    );
    assert_eq!(envelope.as_cause().correlation_id, cause.correlation_id);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_worth_another_try_once_somebody_has_mended_it() {
    let world = World::open().await;
    let journal = Journal::new(world.dynamodb(), "no-such-table");
    let error = journal
        .load::<Parcel>(&stream_id("parcel#x"))
        .await
        .expect_err("no table");
    assert!(error.is_retryable(), "{error}");
    assert_eq!(error.to_string(), "Query failed: ResourceNotFoundException");
}
