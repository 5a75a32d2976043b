//! Several streams in one transaction, and extra writes beside them.

use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use callboard_runtime::StreamId;
use callboard_runtime::journal::{AppendError, Commit, CommitError, Loaded};
use callboard_testkit::world::VIEWS;
use callboard_testkit::{Fault, World, cause, stream_id};
use serde_json::json;
use std::time::Duration;

use crate::parcel::{Parcel, ParcelEvent};

fn first(world: &World, stream: &StreamId) -> Commit {
    let event = ParcelEvent::Noted("first".to_owned());
    Loaded::<Parcel>::fresh(stream.clone())
        .next(&cause(), world.now())
        .event(event)
        .build()
        .expect("a commit")
}

fn streams() -> [StreamId; 2] {
    [stream_id("parcel#a"), stream_id("parcel#b")]
}

fn reservation() -> TransactWriteItem {
    let put = Put::builder()
        .table_name(VIEWS)
        .item("pk", AttributeValue::S("shelf".to_owned()))
        .item("sk", AttributeValue::S("1".to_owned()))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .expect("it is whole");
    TransactWriteItem::builder().put(put).build()
}

async fn numbers(world: &World) -> [u64; 2] {
    let mut numbers = [0; 2];
    for (number, stream) in numbers.iter_mut().zip(streams()) {
        *number = world
            .journal()
            .load::<Parcel>(&stream)
            .await
            .expect("it loads")
            .number;
    }
    numbers
}

#[tokio::test]
async fn two_streams_agree_or_nothing_is_written() {
    let world = World::open().await;
    let [a, b] = streams();
    let rival = first(&world, &b);
    let rival_id = rival.id();
    world.journal().append(rival).await.expect("it is free");
    let result = world
        .journal()
        .append_all(vec![first(&world, &a), first(&world, &b)], Vec::new())
        .await;
    match result {
        Err(AppendError::Conflict(conflict)) => {
            assert_eq!((conflict.stream, conflict.number), (b, 1));
            assert_eq!(conflict.winner.map(|winner| winner.id), Some(rival_id));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(numbers(&world).await, [0, 1]);
}

#[tokio::test]
async fn the_condition_of_an_extra_write_is_told_by_its_index_with_what_it_met() {
    let world = World::open().await;
    let [a, b] = streams();
    let done = world
        .journal()
        .append_all(vec![first(&world, &a)], vec![reservation()])
        .await
        .expect("all free");
    assert_eq!(done.reference(), "parcel#a@1");
    match world
        .journal()
        .append_all(vec![first(&world, &b)], vec![reservation()])
        .await
    {
        Err(AppendError::Also {
            index: 0,
            found: Some(found),
        }) => {
            assert_eq!(
                found.get("pk"),
                Some(&AttributeValue::S("shelf".to_owned()))
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(numbers(&world).await, [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_whose_answer_was_lost_is_recognised_even_after_its_token_is_forgotten() {
    let world = World::on_virtual_time().await;
    let [a, b] = streams();
    let commits = vec![first(&world, &a), first(&world, &b)];
    world.faults().next("TransactWriteItems", Fault::DropAnswer);
    world
        .journal()
        .append_all(commits.clone(), vec![reservation()])
        .await
        .expect("our own");
    world.advance(Duration::from_secs(11 * 60)).await;
    world
        .journal()
        .append_all(commits, vec![reservation()])
        .await
        .expect("still our own");
    assert_eq!(numbers(&world).await, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn another_transaction_in_the_way_is_waited_out_and_is_no_refusal() {
    let world = World::on_virtual_time().await;
    let [a, b] = streams();
    let canceled = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled",
        "CancellationReasons": [{ "Code": "TransactionConflict", "Message": "in the way" }, { "Code": "None" }],
    });
    world.faults().times(
        "TransactWriteItems",
        3,
        &Fault::Answer(400, canceled.to_string()),
    );
    let commits = vec![first(&world, &a), first(&world, &b)];
    world
        .journal()
        .append_all(commits, Vec::new())
        .await
        .expect("in the end");
    assert_eq!(numbers(&world).await, [1, 1]);
}

#[tokio::test]
async fn a_transaction_that_cannot_be_is_refused_before_any_call() {
    let world = World::open().await;
    let [a, _] = streams();
    let twice = world
        .journal()
        .append_all(vec![first(&world, &a), first(&world, &a)], Vec::new())
        .await;
    assert!(
        matches!(twice, Err(AppendError::Commit(CommitError::Twice(_)))),
        "{twice:?}"
    );
    let many = world
        .journal()
        .append_all(vec![first(&world, &a)], vec![reservation(); 100])
        .await;
    assert!(
        matches!(
            many,
            Err(AppendError::Commit(CommitError::Transaction(101)))
        ),
        "{many:?}"
    );
    assert_eq!(world.faults().costs().all_requests(), 0);
}

#[tokio::test]
async fn of_many_transactions_on_the_same_two_streams_one_wins() {
    let world = World::open().await;
    let [a, b] = streams();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (journal, commits) = (world.journal(), vec![first(&world, &a), first(&world, &b)]);
            tokio::spawn(async move { journal.append_all(commits, Vec::new()).await })
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        match writer.await.expect("no panic") {
            Ok(_) => won += 1,
            Err(AppendError::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((won, numbers(&world).await), (1, [1, 1]));
}
