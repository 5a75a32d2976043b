//! Streams as a whole: describing and listing them, iterators, enabling and disabling.

use super::shards::{arn_of, first_shard, iterator, put, read, records, streamed};
use crate::prelude::*;

const DESCRIBE: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html";
const LIST: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html";
const ITERATOR: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html";
const RECORDS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html";
const UPDATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html";
const CREATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html";
const DELETE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html";

async fn described(aws: &Aws, arn: &str) -> Result<Value> {
    let reply = aws.streams("DescribeStream", json!({"StreamArn": arn}));
    Ok(reply.await?.ok()?["StreamDescription"].take())
}

/// Switches the stream of a table and waits until the table is active again; gives the table.
async fn switched(aws: &Aws, table: &Table, specification: Value) -> Result<Value> {
    let input = json!({"TableName": table.name, "StreamSpecification": specification});
    aws.dynamo("UpdateTable", input).await?.ok()?;
    let named = json!({"TableName": table.name});
    aws.poll(SOON, || async {
        let mut reply = aws.dynamo("DescribeTable", named.clone()).await?.ok()?;
        let active = reply["Table"]["TableStatus"] == "ACTIVE";
        Ok(active.then(|| reply["Table"].take()))
    })
    .await
}

checks! {
    CREATE => async fn a_table_names_its_stream_and_the_stream_its_label(aws: Aws) {
        let table = aws.table("labelled", streamed("NEW_IMAGE")).await?;
        let named = json!({"TableName": table.name});
        let reply = aws.dynamo("DescribeTable", named).await?.ok()?;
        let label = reply.text_at("/Table/LatestStreamLabel")?;
        ensure_eq!(arn_of(&table)?, format!("{}/stream/{label}", table.arn));
        ensure_eq!(reply["Table"]["StreamSpecification"]["StreamViewType"], "NEW_IMAGE");
        // 2015-05-11T21:21:33.291
        ensure!(
            label.len() == 23 && label.as_bytes()[10] == b'T' && label.as_bytes()[19] == b'.',
            "a label is a time in ISO 8601: {label}"
        );
        Ok(())
    }

    CREATE => async fn an_unknown_view_type_is_refused(aws: Aws) {
        let input = json!({
            "TableName": aws.name("viewed"),
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "ALL_IMAGES"},
        });
        aws.dynamo("CreateTable", input).await?.refused(400, "ValidationException")
    }

    CREATE => async fn a_stream_without_a_view_type_is_refused(aws: Aws) {
        let input = json!({
            "TableName": aws.name("viewless"),
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": true},
        });
        aws.dynamo("CreateTable", input).await?.refused(400, "ValidationException")
    }

    DESCRIBE => async fn an_open_shard_has_a_start_and_no_end(aws: Aws) {
        let table = aws.table("open", streamed("KEYS_ONLY")).await?;
        let arn = arn_of(&table)?;
        let shard = first_shard(&aws, arn).await?;
        ensure!((28..=65).contains(&shard.len()), "a shard id has 28 to 65 characters: {shard}");
        let stream = described(&aws, arn).await?;
        ensure_eq!(stream["StreamViewType"], "KEYS_ONLY");
        ensure_eq!(stream["TableName"], json!(table.name));
        ensure_eq!(stream["StreamArn"], json!(arn));
        ensure_eq!(stream["KeySchema"], json!([{"AttributeName": "pk", "KeyType": "HASH"}]));
        ensure!(stream["CreationRequestDateTime"].is_number(), "no time: {stream}");
        let start = stream.text_at("/Shards/0/SequenceNumberRange/StartingSequenceNumber")?;
        ensure!((21..=40).contains(&start.len()), "a sequence number has 21 to 40 digits: {start}");
        ensure!(
            stream.pointer("/Shards/0/SequenceNumberRange/EndingSequenceNumber").is_none(),
            "an open shard has no end: {stream}"
        );
        Ok(())
    }

    DESCRIBE => async fn no_shard_follows_the_last(aws: Aws) {
        let table = aws.table("paged", streamed("NEW_IMAGE")).await?;
        let arn = arn_of(&table)?;
        let shard = first_shard(&aws, arn).await?;
        let input = json!({"StreamArn": arn, "ExclusiveStartShardId": shard});
        let reply = aws.streams("DescribeStream", input).await?.ok()?;
        ensure_eq!(reply.list_at("/StreamDescription/Shards").len(), 0);
        Ok(())
    }

    DESCRIBE => async fn a_stream_that_is_not_there_is_not_found(aws: Aws) {
        let table = aws.table("elsewhere", json!({})).await?;
        let arn = format!("{}/stream/2015-05-11T21:21:33.291", table.arn);
        aws.streams("DescribeStream", json!({"StreamArn": arn})).await?.refused_saying(
            400,
            "ResourceNotFoundException",
            &format!("Requested resource not found: Stream: {arn} not found"),
        )
    }

    LIST => async fn the_streams_of_one_table_are_listed_by_its_name(aws: Aws) {
        let table = aws.table("listed", streamed("NEW_IMAGE")).await?;
        aws.table("other", streamed("NEW_IMAGE")).await?;
        let reply = aws.streams("ListStreams", json!({"TableName": table.name})).await?.ok()?;
        let streams = reply.list_at("/Streams");
        ensure_eq!(streams.len(), 1);
        ensure_eq!(streams[0]["StreamArn"], json!(arn_of(&table)?));
        ensure_eq!(streams[0]["TableName"], json!(table.name));
        ensure!(streams[0]["StreamLabel"].is_string(), "no label: {}", streams[0]);
        Ok(())
    }

    LIST => async fn pages_of_streams_follow_each_other_without_gaps(aws: Aws) {
        let mut wanted = Vec::new();
        for base in ["page-a", "page-b", "page-c"] {
            wanted.push(arn_of(&aws.table(base, streamed("NEW_IMAGE")).await?)?.to_owned());
        }
        let mut found: Vec<String> = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut input = json!({"Limit": 2});
            if start.is_string() {
                input["ExclusiveStartStreamArn"] = start;
            }
            let mut page = aws.streams("ListStreams", input).await?.ok()?;
            ensure!(page.list_at("/Streams").len() <= 2, "more than the limit: {page}");
            let arns = page.list_at("/Streams").iter().filter_map(|s| s["StreamArn"].as_str());
            found.extend(arns.map(ToOwned::to_owned));
            start = page["LastEvaluatedStreamArn"].take();
            if start.is_null() {
                break;
            }
        }
        for arn in wanted {
            ensure_eq!(found.iter().filter(|found| **found == arn).count(), 1, "{arn}");
        }
        Ok(())
    }

    LIST => async fn a_limit_outside_of_1_to_100_is_refused(aws: Aws) {
        for limit in [0, 101] {
            let reply = aws.streams("ListStreams", json!({"Limit": limit})).await?;
            reply.refused(400, "ValidationException")?;
        }
        Ok(())
    }

    ITERATOR => async fn latest_gives_what_is_written_afterwards(aws: Aws) {
        let table = aws.table("latest", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "before", json!({})).await?;
        records(&aws, &table, 1).await?;
        let latest = iterator(&aws, arn_of(&table)?, "LATEST", json!({})).await?;
        put(&aws, &table, "after", json!({})).await?;
        let found = read(&aws, latest, 1).await?;
        ensure_eq!(found[0]["dynamodb"]["Keys"]["pk"]["S"], "after");
        Ok(())
    }

    ITERATOR => async fn a_sequence_number_is_read_at_or_after(aws: Aws) {
        let table = aws.table("numbered", streamed("NEW_IMAGE")).await?;
        for pk in ["one", "two", "three"] {
            put(&aws, &table, pk, json!({})).await?;
        }
        let all = records(&aws, &table, 3).await?;
        let number = json!({"SequenceNumber": all[1]["dynamodb"]["SequenceNumber"]});
        let arn = arn_of(&table)?;
        let at = iterator(&aws, arn, "AT_SEQUENCE_NUMBER", number.clone()).await?;
        ensure_eq!(read(&aws, at, 2).await?, all[1..].to_vec());
        let after = iterator(&aws, arn, "AFTER_SEQUENCE_NUMBER", number).await?;
        ensure_eq!(read(&aws, after, 1).await?, all[2..].to_vec());
        Ok(())
    }

    ITERATOR => async fn a_sequence_number_must_be_given_where_one_is_meant(aws: Aws) {
        let table = aws.table("numberless", streamed("NEW_IMAGE")).await?;
        let arn = arn_of(&table)?;
        let shard = first_shard(&aws, arn).await?;
        for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
            let input = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": kind});
            let reply = aws.streams("GetShardIterator", input).await?;
            reply.refused(400, "ValidationException")?;
        }
        Ok(())
    }

    ITERATOR => async fn an_unknown_type_of_iterator_is_refused(aws: Aws) {
        let table = aws.table("typed", streamed("NEW_IMAGE")).await?;
        let arn = arn_of(&table)?;
        let shard = first_shard(&aws, arn).await?;
        let input = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "OLDEST"});
        let reply = aws.streams("GetShardIterator", input).await?;
        reply.refused_saying(400, "ValidationException", "shardIteratorType")
    }

    ITERATOR => async fn a_shard_that_is_not_there_is_not_found(aws: Aws) {
        let table = aws.table("shardless", streamed("NEW_IMAGE")).await?;
        let input = json!({
            "StreamArn": arn_of(&table)?,
            "ShardId": "shardId-00000001500000000000-00000000",
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let reply = aws.streams("GetShardIterator", input).await?;
        reply.refused(400, "ResourceNotFoundException")
    }

    RECORDS => async fn an_iterator_that_was_never_given_is_refused(aws: Aws) {
        let reply = aws.streams("GetRecords", json!({"ShardIterator": "bm9uZQ=="})).await?;
        reply.refused(400, "ValidationException")
    }

    RECORDS => async fn a_limit_outside_of_1_to_1000_is_refused(aws: Aws) {
        let table = aws.table("limits", streamed("NEW_IMAGE")).await?;
        let start = iterator(&aws, arn_of(&table)?, "TRIM_HORIZON", json!({})).await?;
        for limit in [0, 1001] {
            let input = json!({"ShardIterator": start, "Limit": limit});
            let reply = aws.streams("GetRecords", input).await?;
            reply.refused(400, "ValidationException")?;
        }
        Ok(())
    }

    UPDATE => async fn a_stream_is_enabled_later_and_begins_then(aws: Aws) {
        let table = aws.table("late", json!({})).await?;
        put(&aws, &table, "before", json!({})).await?;
        let specification = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
        let updated = switched(&aws, &table, specification).await?;
        let stream = Table { stream: Some(updated.text_at("/LatestStreamArn")?.to_owned()), ..table };
        first_shard(&aws, arn_of(&stream)?).await?;
        put(&aws, &stream, "after", json!({})).await?;
        let found = records(&aws, &stream, 1).await?;
        ensure_eq!(found[0]["dynamodb"]["Keys"]["pk"]["S"], "after");
        Ok(())
    }

    UPDATE => async fn a_stream_is_not_enabled_twice(aws: Aws) {
        let table = aws.table("twice", streamed("NEW_IMAGE")).await?;
        let input = with(json!({"TableName": table.name}), streamed("KEYS_ONLY"));
        aws.dynamo("UpdateTable", input).await?.refused(400, "ValidationException")
    }

    UPDATE => async fn a_stream_that_is_not_there_is_not_disabled(aws: Aws) {
        let table = aws.table("unstreamed", json!({})).await?;
        let off = json!({"TableName": table.name, "StreamSpecification": {"StreamEnabled": false}});
        aws.dynamo("UpdateTable", off).await?.refused(400, "ValidationException")
    }

    UPDATE => async fn a_disabled_stream_can_be_read_to_its_end(aws: Aws) {
        let table = aws.table("ended", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "kept", json!({})).await?;
        records(&aws, &table, 1).await?;
        let updated = switched(&aws, &table, json!({"StreamEnabled": false})).await?;
        ensure!(updated.get("StreamSpecification").is_none(), "still streamed: {updated}");
        let arn = arn_of(&table)?;
        let named = json!({"StreamArn": arn});
        aws.poll(SOON, || async {
            let reply = aws.streams("DescribeStream", named.clone()).await?.ok()?;
            Ok((reply["StreamDescription"]["StreamStatus"] == "DISABLED").then_some(()))
        })
        .await?;
        put(&aws, &table, "unseen", json!({})).await?;
        let found = records(&aws, &table, 1).await?;
        ensure_eq!(found[0]["dynamodb"]["Keys"]["pk"]["S"], "kept");
        Ok(())
    }

    UPDATE => async fn a_stream_enabled_again_is_another_stream(aws: Aws) {
        let table = aws.table("again", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "first", json!({})).await?;
        records(&aws, &table, 1).await?;
        switched(&aws, &table, json!({"StreamEnabled": false})).await?;
        let specification = json!({"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"});
        let updated = switched(&aws, &table, specification).await?;
        let arn = updated.text_at("/LatestStreamArn")?;
        ensure!(arn != arn_of(&table)?, "the stream of before: {arn}");
        let second = Table { stream: Some(arn.to_owned()), ..table.clone() };
        first_shard(&aws, arn).await?;
        put(&aws, &second, "second", json!({})).await?;
        let found = records(&aws, &second, 1).await?;
        ensure_eq!(found[0]["dynamodb"]["Keys"]["pk"]["S"], "second");
        let found = records(&aws, &table, 1).await?;
        ensure_eq!(found[0]["dynamodb"]["Keys"]["pk"]["S"], "first");
        Ok(())
    }

    DELETE => async fn the_stream_of_a_deleted_table_is_disabled_and_stays_readable(aws: Aws) {
        let table = aws.table("gone", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "kept", json!({})).await?;
        records(&aws, &table, 1).await?;
        aws.dynamo("DeleteTable", json!({"TableName": table.name})).await?.ok()?;
        let arn = arn_of(&table)?;
        aws.poll(SOON, || async {
            let stream = described(&aws, arn).await?;
            Ok((stream["StreamStatus"] == "DISABLED").then_some(()))
        })
        .await?;
        records(&aws, &table, 1).await?;
        Ok(())
    }
}
