//! Reads in bulk, over tables, with keys left unprocessed.

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_runtime::bulk::{self, Key};
use callboard_runtime::journal::{Committed, Loaded};
use callboard_testkit::world::{CONTACTS, JOURNAL};
use callboard_testkit::{Fault, World, cause, stream_id};
use serde_json::json;

use crate::parcel::{Parcel, ParcelEvent};

async fn filled() -> (World, Vec<Key>) {
    let world = World::open().await;
    let stream = stream_id("parcel#bulk");
    let event = ParcelEvent::Noted("here".to_owned());
    let commit = Loaded::<Parcel>::fresh(stream.clone())
        .next(&cause(), world.now())
        .event(event)
        .build();
    world
        .journal()
        .append(commit.expect("a commit"))
        .await
        .expect("it is free");
    let put = world
        .dynamodb()
        .put_item()
        .table_name(CONTACTS)
        .item("pk", AttributeValue::S("r-1".to_owned()))
        .item("sk", AttributeValue::S("profile".to_owned()));
    put.send().await.expect("it is put");
    let keys = vec![
        Key::commit(&world.journal(), &stream, 1),
        Key::commit(&world.journal(), &stream, 2),
        Key::text(CONTACTS, "r-1", "profile"),
        Key::text(CONTACTS, "r-1", "profile"),
    ];
    world.faults().reset();
    (world, keys)
}

#[tokio::test]
async fn one_call_reads_tails_and_contacts_and_what_is_absent_is_not_there() {
    let (world, keys) = filled().await;
    let found = bulk::get(&world.dynamodb(), keys.clone())
        .await
        .expect("an answer");
    assert_eq!(world.faults().costs().requests("BatchGetItem"), 1);
    assert_eq!(found.len(), 2);
    let commit = Committed::from_item(&found[&keys[0]]).expect("a commit");
    assert_eq!(commit.number, 1);
    assert!(!found.contains_key(&keys[1]), "the tail is empty");
    assert!(found.contains_key(&keys[2]));
}

#[tokio::test(start_paused = true)]
async fn keys_left_unprocessed_are_asked_for_again() {
    let (world, keys) = filled().await;
    let left = json!({
        "Responses": {},
        "UnprocessedKeys": {
            JOURNAL: { "Keys": [{ "pk": { "S": "parcel#bulk" }, "sk": { "N": "1" } }] },
            CONTACTS: { "Keys": [{ "pk": { "S": "r-1" }, "sk": { "S": "profile" } }] },
        }
    });
    world
        .faults()
        .times("BatchGetItem", 2, &Fault::Answer(200, left.to_string()));
    let found = bulk::get(&world.dynamodb(), keys).await.expect("an answer");
    assert_eq!(found.len(), 2);
    assert_eq!(world.faults().costs().requests("BatchGetItem"), 3);
}

#[tokio::test]
async fn more_than_a_hundred_keys_are_read_in_several_calls() {
    let (world, mut keys) = filled().await;
    keys.extend((0..205).map(|n| Key::text(CONTACTS, &format!("nobody-{n}"), "profile")));
    let found = bulk::get(&world.dynamodb(), keys).await.expect("an answer");
    assert_eq!(
        (found.len(), world.faults().costs().requests("BatchGetItem")),
        (2, 3)
    );
}
