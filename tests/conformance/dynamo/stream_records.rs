//! What a stream's records say: which writes leave one, and what of the item it shows.

use super::shards::{arn_of, events, iterator, put, records, streamed};
use crate::prelude::*;

const RECORDS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html";
const RECORD: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html";
const STREAMS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html";

/// Sets `field` of the item `pk`.
async fn set(aws: &Aws, table: &Table, pk: &str, field: &str, value: Value) -> Result {
    let input = json!({
        "TableName": table.name,
        "Key": {"pk": {"S": pk}},
        "UpdateExpression": "SET #field = :value",
        "ExpressionAttributeNames": {"#field": field},
        "ExpressionAttributeValues": {":value": value},
    });
    aws.dynamo("UpdateItem", input).await?.ok()?;
    Ok(())
}

async fn delete(aws: &Aws, table: &Table, pk: &str) -> Result {
    let input = json!({"TableName": table.name, "Key": {"pk": {"S": pk}}});
    aws.dynamo("DeleteItem", input).await?.ok()?;
    Ok(())
}

/// Writes, changes and removes an item; gives the three records of it.
async fn life(aws: &Aws, view: &str) -> Result<Vec<Value>> {
    let table = aws.table("life", streamed(view)).await?;
    put(aws, &table, "slot", json!({"state": {"S": "free"}})).await?;
    set(aws, &table, "slot", "state", json!({"S": "held"})).await?;
    delete(aws, &table, "slot").await?;
    let found = records(aws, &table, 3).await?;
    ensure_eq!(events(&found), ["INSERT", "MODIFY", "REMOVE"]);
    for record in &found {
        ensure_eq!(record["dynamodb"]["Keys"], json!({"pk": {"S": "slot"}}));
        ensure_eq!(record["dynamodb"]["StreamViewType"], view);
    }
    Ok(found)
}

/// The states that old and new images show, record by record.
fn states(records: &[Value]) -> Vec<(Option<&str>, Option<&str>)> {
    records
        .iter()
        .map(|record| {
            let image = |name: &str| record["dynamodb"][name]["state"]["S"].as_str();
            (image("OldImage"), image("NewImage"))
        })
        .collect()
}

checks! {
    RECORD => async fn new_and_old_images_show_both(aws: Aws) {
        let found = life(&aws, "NEW_AND_OLD_IMAGES").await?;
        ensure_eq!(
            states(&found),
            [(None, Some("free")), (Some("free"), Some("held")), (Some("held"), None)]
        );
        Ok(())
    }

    RECORD => async fn new_image_shows_what_is_there_afterwards(aws: Aws) {
        let found = life(&aws, "NEW_IMAGE").await?;
        ensure_eq!(states(&found), [(None, Some("free")), (None, Some("held")), (None, None)]);
        Ok(())
    }

    RECORD => async fn old_image_shows_what_was_there_before(aws: Aws) {
        let found = life(&aws, "OLD_IMAGE").await?;
        ensure_eq!(states(&found), [(None, None), (Some("free"), None), (Some("held"), None)]);
        Ok(())
    }

    RECORD => async fn keys_only_shows_no_image(aws: Aws) {
        for record in life(&aws, "KEYS_ONLY").await? {
            let change = record.at("/dynamodb")?;
            ensure!(
                change.get("NewImage").is_none() && change.get("OldImage").is_none(),
                "an image: {change}"
            );
        }
        Ok(())
    }

    RECORDS => async fn a_record_says_whence_and_when_it_is(aws: Aws) {
        let table = aws.table("whence", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "one", json!({})).await?;
        let found = records(&aws, &table, 1).await?;
        let region = table.arn.split(':').nth(3).unwrap_or_default();
        ensure_eq!(found[0]["awsRegion"], json!(region));
        ensure_eq!(found[0]["eventSource"], "aws:dynamodb");
        ensure_eq!(found[0]["eventVersion"], "1.1");
        ensure!(found[0]["eventID"].is_string(), "no id: {}", found[0]);
        ensure!(found[0].get("userIdentity").is_none(), "a user's write: {}", found[0]);
        let at = found[0]["dynamodb"]["ApproximateCreationDateTime"].as_f64().unwrap_or_default();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_secs_f64();
        ensure!((now - at).abs() < 300.0, "written at {at}, and it is {now}");
        Ok(())
    }

    RECORD => async fn its_size_is_that_of_keys_and_images(aws: Aws) {
        // AWS's own example: Id 101, "New item!", then "This item has changed".
        let numbered = json!({"AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "N"}],
            "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}]});
        let table = aws.table("sized", with(numbered, streamed("NEW_AND_OLD_IMAGES"))).await?;
        for message in ["New item!", "This item has changed"] {
            let item = json!({"Id": {"N": "101"}, "Message": {"S": message}});
            let input = json!({"TableName": table.name, "Item": item});
            aws.dynamo("PutItem", input).await?.ok()?;
        }
        let input = json!({"TableName": table.name, "Key": {"Id": {"N": "101"}}});
        aws.dynamo("DeleteItem", input).await?.ok()?;
        let found = records(&aws, &table, 3).await?;
        let sizes: Vec<_> = found.iter().map(|r| r["dynamodb"]["SizeBytes"].as_i64()).collect();
        ensure_eq!(sizes, [Some(26), Some(59), Some(38)]);
        Ok(())
    }

    RECORDS => async fn sequence_numbers_grow(aws: Aws) {
        let table = aws.table("growing", streamed("KEYS_ONLY")).await?;
        for pk in ["a", "b", "c", "d", "e"] {
            put(&aws, &table, pk, json!({})).await?;
        }
        let found = records(&aws, &table, 5).await?;
        let number = |record: &Value| record["dynamodb"]["SequenceNumber"].as_str()?.parse::<u128>().ok();
        let numbers: Vec<_> = found.iter().map(number).collect();
        ensure!(
            numbers.windows(2).all(|pair| pair[0].is_some() && pair[0] < pair[1]),
            "{numbers:?}"
        );
        Ok(())
    }

    RECORDS => async fn a_limit_ends_a_page_and_the_next_goes_on(aws: Aws) {
        let table = aws.table("pages", streamed("KEYS_ONLY")).await?;
        for pk in ["a", "b", "c"] {
            put(&aws, &table, pk, json!({})).await?;
        }
        let all = records(&aws, &table, 3).await?;
        let mut next = iterator(&aws, arn_of(&table)?, "TRIM_HORIZON", json!({})).await?;
        for expected in &all {
            let page = aws.poll(SOON, || async {
                let input = json!({"ShardIterator": next, "Limit": 1});
                let page = aws.streams("GetRecords", input).await?.ok()?;
                Ok((!page.list_at("/Records").is_empty()).then_some(page))
            }).await?;
            ensure_eq!(page.list_at("/Records"), std::slice::from_ref(expected));
            page.text_at("/NextShardIterator")?.clone_into(&mut next);
        }
        Ok(())
    }

    RECORDS => async fn a_page_is_no_larger_than_a_megabyte(aws: Aws) {
        let table = aws.table("large", streamed("NEW_IMAGE")).await?;
        for pk in ["a", "b", "c", "d", "e"] {
            put(&aws, &table, pk, json!({"text": {"S": "x".repeat(300_000)}})).await?;
        }
        records(&aws, &table, 5).await?;
        let start = iterator(&aws, arn_of(&table)?, "TRIM_HORIZON", json!({})).await?;
        let page = aws.streams("GetRecords", json!({"ShardIterator": start})).await?.ok()?;
        let bytes: u64 = page
            .list_at("/Records")
            .iter()
            .filter_map(|record| record["dynamodb"]["SizeBytes"].as_u64())
            .sum();
        ensure!(bytes <= 1024 * 1024, "{bytes} bytes in one page");
        Ok(())
    }

    STREAMS => async fn a_put_that_changes_nothing_leaves_no_record(aws: Aws) {
        for view in ["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"] {
            let table = aws.table("unchanged", streamed(view)).await?;
            let item = json!({
                "n": {"N": "1.50"},
                "tags": {"SS": ["a", "b", "c"]},
                "deep": {"M": {"list": {"L": [{"S": "x"}, {"NULL": true}, {"BOOL": false}]}}},
            });
            put(&aws, &table, "slot", item.clone()).await?;
            put(&aws, &table, "slot", item).await?;
            put(&aws, &table, "slot", json!({"n": {"N": "2"}})).await?;
            ensure_eq!(events(&records(&aws, &table, 2).await?), ["INSERT", "MODIFY"], "{view}");
        }
        Ok(())
    }

    STREAMS => async fn an_update_that_changes_nothing_leaves_no_record(aws: Aws) {
        let table = aws.table("still", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "slot", json!({"state": {"S": "free"}})).await?;
        set(&aws, &table, "slot", "state", json!({"S": "free"})).await?;
        set(&aws, &table, "slot", "state", json!({"S": "held"})).await?;
        ensure_eq!(events(&records(&aws, &table, 2).await?), ["INSERT", "MODIFY"]);
        Ok(())
    }

    STREAMS => async fn a_change_that_keeps_the_size_leaves_a_record(aws: Aws) {
        let table = aws.table("equal-size", streamed("NEW_IMAGE")).await?;
        let changes = [
            json!({"v": {"S": "7"}}),
            json!({"v": {"L": []}, "w": {"S": ""}}),
            json!({"v": {"M": {}}, "w": {"S": ""}}),
            json!({"v": {"L": [{"S": "a"}, {"S": "b"}]}}),
            json!({"v": {"L": [{"S": "b"}, {"S": "a"}]}}),
            json!({"v": {"BOOL": true}}),
            json!({"v": {"BOOL": false}}),
        ];
        for change in &changes {
            put(&aws, &table, "slot", change.clone()).await?;
        }
        let found = records(&aws, &table, changes.len()).await?;
        for (record, change) in found.iter().zip(&changes) {
            let expected = with(json!({"pk": {"S": "slot"}}), change.clone());
            ensure_eq!(record["dynamodb"]["NewImage"], expected);
        }
        Ok(())
    }

    STREAMS => async fn the_deletion_of_nothing_leaves_no_record(aws: Aws) {
        let table = aws.table("nothing", streamed("NEW_IMAGE")).await?;
        delete(&aws, &table, "missing").await?;
        put(&aws, &table, "there", json!({})).await?;
        ensure_eq!(events(&records(&aws, &table, 1).await?), ["INSERT"]);
        Ok(())
    }

    STREAMS => async fn a_refused_write_leaves_no_record(aws: Aws) {
        let table = aws.table("refused", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "slot", json!({})).await?;
        let again = json!({
            "TableName": table.name,
            "Item": {"pk": {"S": "slot"}, "more": {"S": "x"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        });
        let reply = aws.dynamo("PutItem", again).await?;
        reply.refused(400, "ConditionalCheckFailedException")?;
        put(&aws, &table, "next", json!({})).await?;
        ensure_eq!(events(&records(&aws, &table, 2).await?), ["INSERT", "INSERT"]);
        Ok(())
    }

    STREAMS => async fn batches_transactions_and_statements_leave_records(aws: Aws) {
        let table = aws.table("all-ways", streamed("NEW_IMAGE")).await?;
        let item = |pk: &str| json!({"pk": {"S": pk}});
        let batch = json!({"RequestItems": {&table.name: [{"PutRequest": {"Item": item("batch")}}]}});
        aws.dynamo("BatchWriteItem", batch).await?.ok()?;
        let put = json!({"Put": {"TableName": table.name, "Item": item("transaction")}});
        aws.dynamo("TransactWriteItems", json!({"TransactItems": [put]})).await?.ok()?;
        let statement = format!("INSERT INTO \"{}\" VALUE {{'pk': 'statement'}}", table.name);
        aws.dynamo("ExecuteStatement", json!({"Statement": statement})).await?.ok()?;
        let found = records(&aws, &table, 3).await?;
        let keys: Vec<_> = found.iter().map(|r| r["dynamodb"]["Keys"]["pk"]["S"].as_str()).collect();
        ensure_eq!(keys, [Some("batch"), Some("transaction"), Some("statement")]);
        Ok(())
    }

    STREAMS => async fn a_transaction_that_changes_one_of_two_leaves_one_record(aws: Aws) {
        let table = aws.table("half", streamed("NEW_IMAGE")).await?;
        put(&aws, &table, "same", json!({"v": {"N": "1"}})).await?;
        put(&aws, &table, "other", json!({"v": {"N": "1"}})).await?;
        let item = |pk: &str, v: &str| json!({"Put": {"TableName": table.name,
            "Item": {"pk": {"S": pk}, "v": {"N": v}}}});
        let items = json!([item("same", "1"), item("other", "2")]);
        aws.dynamo("TransactWriteItems", json!({"TransactItems": items})).await?.ok()?;
        let found = records(&aws, &table, 3).await?;
        ensure_eq!(found[2]["dynamodb"]["Keys"]["pk"]["S"], "other");
        Ok(())
    }
}
