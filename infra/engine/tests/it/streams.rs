//! DynamoDB Streams: order, waiting, trimming, who removed an item.

use crate::support::{NOW_S, engine, engine_in, item, journal, n, s};
use aws_sdk_dynamodb::types::{StreamSpecification, TimeToLiveSpecification};
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{
    AttributeValue, OperationType, Record, ShardIteratorType, StreamStatus,
};
use callboard_engine::{Clock, Engine, EngineConfig, State};
use std::time::Duration;

async fn write(db: &aws_sdk_dynamodb::Client, pk: &str, sk: i64) {
    db.put_item()
        .table_name("journal")
        .set_item(Some(item(pk, sk)))
        .send()
        .await
        .expect("written");
}

async fn shard(streams: &Client, arn: &str) -> String {
    let described = streams.describe_stream().stream_arn(arn).send().await;
    let description = described.expect("described").stream_description;
    let shards = description
        .expect("a description")
        .shards
        .unwrap_or_default();
    shards[0].shard_id().expect("an id").to_owned()
}

async fn iterator(streams: &Client, arn: &str, kind: ShardIteratorType) -> String {
    let shards = streams
        .describe_stream()
        .stream_arn(arn)
        .send()
        .await
        .expect("described");
    let description = shards.stream_description.expect("a description");
    assert_eq!(description.key_schema().len(), 2);
    let shard = &description.shards()[0];
    assert!(
        shard.shard_id().is_some_and(|id| id.len() >= 28),
        "SDKs that check ask for 28"
    );
    assert!(
        shard
            .sequence_number_range
            .as_ref()
            .is_some_and(|r| r.ending_sequence_number.is_none()),
        "an open shard has no end"
    );
    streams
        .get_shard_iterator()
        .stream_arn(arn)
        .shard_id(shard.shard_id().expect("an id"))
        .shard_iterator_type(kind)
        .send()
        .await
        .expect("an iterator")
        .shard_iterator
        .expect("an iterator")
}

async fn read(streams: &Client, iterator: &str, wait_ms: u64) -> (Vec<Record>, String) {
    let answer = streams
        .get_records()
        .shard_iterator(iterator)
        .customize()
        .mutate_request(move |request| {
            request
                .headers_mut()
                .insert("x-callboard-wait-ms", wait_ms.to_string());
        })
        .send()
        .await
        .expect("read");
    let next = answer
        .next_shard_iterator()
        .expect("a shard stays open")
        .to_owned();
    (answer.records.unwrap_or_default(), next)
}

fn pk(record: &Record) -> &str {
    let keys = record
        .dynamodb
        .as_ref()
        .and_then(|change| change.keys())
        .expect("keys");
    match &keys["pk"] {
        AttributeValue::S(pk) => pk,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn records_come_in_the_order_of_writing_with_the_new_image() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let streams = Client::new(&engine.sdk_config());
    let arn = journal(&db, "journal").await;
    assert!(arn.starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/journal/stream/"));
    for sk in 0..50 {
        write(&db, &format!("slot#{sk}"), sk).await;
    }
    let start = iterator(&streams, &arn, ShardIteratorType::TrimHorizon).await;
    let (records, next) = read(&streams, &start, 0).await;
    let seen: Vec<_> = records.iter().map(pk).collect();
    let written: Vec<_> = (0..50).map(|sk| format!("slot#{sk}")).collect();
    assert_eq!(seen, written);
    assert_eq!(records[0].aws_region(), Some("us-east-1"));
    assert_eq!(records[0].event_name, Some(OperationType::Insert));
    let numbers: Vec<_> = records
        .iter()
        .map(|r| {
            r.dynamodb
                .as_ref()
                .and_then(|d| d.sequence_number.clone())
                .expect("a number")
        })
        .collect();
    assert!(numbers.is_sorted());
    assert!(read(&streams, &next, 0).await.0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_empty_read_waits_until_a_record_comes_or_the_wait_ends() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let streams = Client::new(&engine.sdk_config());
    let arn = journal(&db, "journal").await;
    let latest = iterator(&streams, &arn, ShardIteratorType::Latest).await;
    let before = tokio::time::Instant::now();
    assert!(read(&streams, &latest, 7000).await.0.is_empty());
    assert_eq!(before.elapsed().as_secs(), 7);
    let before = tokio::time::Instant::now();
    let reader = tokio::spawn(async move { read(&streams, &latest, 20_000).await.0 });
    tokio::time::sleep(Duration::from_secs(3)).await;
    write(&db, "slot#1", 1).await;
    let records = reader.await.expect("the reader ends");
    assert_eq!(records.len(), 1);
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_ttl_removal_names_the_service_and_a_deletion_does_not() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let streams = Client::new(&engine.sdk_config());
    let arn = journal(&db, "journal").await;
    let ttl = TimeToLiveSpecification::builder()
        .attribute_name("ttl")
        .enabled(true)
        .build()
        .expect("complete");
    db.update_time_to_live()
        .table_name("journal")
        .time_to_live_specification(ttl)
        .send()
        .await
        .expect("TTL on");
    let mut expiring = item("timed", 1);
    expiring.insert(
        "ttl".to_owned(),
        n(i64::try_from(NOW_S).expect("small") + 10),
    );
    db.put_item()
        .table_name("journal")
        .set_item(Some(expiring))
        .send()
        .await
        .expect("written");
    write(&db, "plain", 1).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    db.delete_item()
        .table_name("journal")
        .key("pk", s("plain"))
        .key("sk", n(1))
        .send()
        .await
        .expect("deleted");
    let start = iterator(&streams, &arn, ShardIteratorType::TrimHorizon).await;
    let (records, _) = read(&streams, &start, 0).await;
    let removals: Vec<_> = records
        .iter()
        .filter(|record| record.event_name == Some(OperationType::Remove))
        .map(|record| {
            (
                pk(record),
                record.user_identity.as_ref().and_then(|u| u.principal_id()),
            )
        })
        .collect();
    assert_eq!(
        removals,
        [("timed", Some("dynamodb.amazonaws.com")), ("plain", None)]
    );
}

#[tokio::test(start_paused = true)]
async fn records_are_trimmed_after_a_day_and_numbers_go_on() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let streams = Client::new(&engine.sdk_config());
    let arn = journal(&db, "journal").await;
    for sk in 0..120 {
        write(&db, "old", sk).await;
    }
    let start = iterator(&streams, &arn, ShardIteratorType::TrimHorizon).await;
    let (old, _) = read(&streams, &start, 0).await;
    tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
    write(&db, "new", 1).await;
    let expired = streams.get_records().shard_iterator(&start).send().await;
    let error = expired.expect_err("too old").into_service_error();
    assert!(error.is_expired_iterator_exception(), "{error:?}");
    let start = iterator(&streams, &arn, ShardIteratorType::TrimHorizon).await;
    let (records, _) = read(&streams, &start, 0).await;
    assert_eq!(records.iter().map(pk).collect::<Vec<_>>(), ["new"]);
    let number = |record: &Record| {
        record
            .dynamodb
            .as_ref()
            .and_then(|d| d.sequence_number.clone())
    };
    assert!(number(&records[0]) > number(&old[119]));
    let error = streams
        .get_shard_iterator()
        .stream_arn(&arn)
        .shard_id(shard(&streams, &arn).await)
        .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
        .sequence_number(number(&old[0]).expect("a number"))
        .send()
        .await
        .expect_err("trimmed")
        .into_service_error();
    assert!(error.is_trimmed_data_access_exception(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = engine_in(directory.path()).await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let streams = Client::new(&engine.sdk_config());
    let arn = journal(&db, "journal").await;
    write(&db, "first", 1).await;
    let start = iterator(&streams, &arn, ShardIteratorType::TrimHorizon).await;
    let (_, next) = read(&streams, &start, 0).await;
    write(&db, "second", 1).await;
    drop((engine, db, streams));
    let engine = engine_in(directory.path()).await;
    let streams = Client::new(&engine.sdk_config());
    let (records, _) = read(&streams, &next, 0).await;
    assert_eq!(records.iter().map(pk).collect::<Vec<_>>(), ["second"]);
}

#[tokio::test(start_paused = true)]
async fn a_table_made_again_has_a_stream_of_its_own() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let streams = Client::new(&engine.sdk_config());
    let old = journal(&db, "journal").await;
    write(&db, "old", 1).await;
    db.delete_table()
        .table_name("journal")
        .send()
        .await
        .expect("deleted");
    tokio::time::advance(Duration::from_secs(1)).await;
    let new = journal(&db, "journal").await;
    assert_ne!(old, new);
    write(&db, "new", 1).await;
    let start = iterator(&streams, &new, ShardIteratorType::TrimHorizon).await;
    let (records, _) = read(&streams, &start, 0).await;
    assert_eq!(records.iter().map(pk).collect::<Vec<_>>(), ["new"]);
    let (records, next) = read_ended(&streams, &old).await;
    assert_eq!(records.iter().map(pk).collect::<Vec<_>>(), ["old"]);
    assert_eq!(next, None, "nothing follows in a stream that has ended");
    tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
    let error = streams
        .describe_stream()
        .stream_arn(&old)
        .send()
        .await
        .expect_err("gone after a day")
        .into_service_error();
    assert!(error.is_resource_not_found_exception());
}

/// Reads a stream that has ended from its beginning.
async fn read_ended(streams: &Client, arn: &str) -> (Vec<Record>, Option<String>) {
    let described = streams.describe_stream().stream_arn(arn).send().await;
    let stream = described.expect("described").stream_description;
    let stream = stream.expect("a description");
    assert_eq!(stream.stream_status, Some(StreamStatus::Disabled));
    let range = stream.shards()[0].sequence_number_range.as_ref();
    assert!(range.is_some_and(|range| range.ending_sequence_number.is_some()));
    let start = streams
        .get_shard_iterator()
        .stream_arn(arn)
        .shard_id(stream.shards()[0].shard_id().expect("an id"))
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .expect("an iterator")
        .shard_iterator;
    let answer = streams.get_records().set_shard_iterator(start).send().await;
    let answer = answer.expect("read");
    (
        answer.records.unwrap_or_default(),
        answer.next_shard_iterator,
    )
}

#[tokio::test(start_paused = true)]
async fn a_start_after_days_shows_no_record_that_is_too_old() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = engine_in(directory.path()).await;
    let db = aws_sdk_dynamodb::Client::new(&first.sdk_config());
    let arn = journal(&db, "journal").await;
    write(&db, "old", 1).await;
    drop((first, db));

    let later = Clock::tokio(std::time::UNIX_EPOCH + Duration::from_secs(NOW_S + 2 * 86_400));
    let second = Engine::open(EngineConfig {
        state: State::Directory(directory.path().to_owned()),
        clock: later,
        ..EngineConfig::default()
    })
    .await
    .expect("opens");
    let db = aws_sdk_dynamodb::Client::new(&second.sdk_config());
    let streams = Client::new(&second.sdk_config());
    write(&db, "new", 1).await;
    // Before the upkeep has had its first turn.
    let (records, _) = read(
        &streams,
        &iterator(&streams, &arn, ShardIteratorType::TrimHorizon).await,
        0,
    )
    .await;
    let keys: Vec<_> = records
        .iter()
        .filter_map(|record| record.dynamodb()?.keys()?.get("pk")?.as_s().ok())
        .collect();
    assert_eq!(keys, ["new"]);
}

#[tokio::test(start_paused = true)]
async fn a_set_in_another_order_is_no_change() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let streams = Client::new(&engine.sdk_config());
    let arn = journal(&db, "journal").await;
    for tags in [["a", "b", "c"], ["c", "a", "b"], ["a", "b", "d"]] {
        let mut tagged = item("slot", 1);
        let tags = tags.map(ToOwned::to_owned).to_vec();
        tagged.insert(
            "tags".to_owned(),
            aws_sdk_dynamodb::types::AttributeValue::Ss(tags),
        );
        db.put_item()
            .table_name("journal")
            .set_item(Some(tagged))
            .send()
            .await
            .expect("written");
    }
    let start = iterator(&streams, &arn, ShardIteratorType::TrimHorizon).await;
    let (records, _) = read(&streams, &start, 0).await;
    let events: Vec<_> = records.iter().map(|r| r.event_name.clone()).collect();
    assert_eq!(
        events,
        [Some(OperationType::Insert), Some(OperationType::Modify)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_goes_on_naming_a_stream_that_was_disabled() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    let arn = journal(&db, "journal").await;
    let off = StreamSpecification::builder().stream_enabled(false);
    db.update_table()
        .table_name("journal")
        .stream_specification(off.build().expect("complete"))
        .send()
        .await
        .expect("disabled");
    let described = db.describe_table().table_name("journal").send().await;
    let table = described.expect("described").table.expect("a table");
    assert_eq!(table.stream_specification, None);
    assert_eq!(table.latest_stream_arn.as_deref(), Some(arn.as_str()));
    let label = arn.rsplit_once('/').map(|(_, label)| label);
    assert_eq!(table.latest_stream_label.as_deref(), label);
}
