//! `BatchGetItem` and `BatchWriteItem`.

use super::data::{INVALID, n, s};
use crate::prelude::*;

const GET: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html";
const WRITE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html";

fn put(key: &str) -> Value {
    json!({"PutRequest": {"Item": {"pk": s(key), "v": n(1)}}})
}

fn delete(key: &str) -> Value {
    json!({"DeleteRequest": {"Key": {"pk": s(key)}}})
}

async fn write(aws: &Aws, table: &str, requests: &[Value]) -> Result<Reply> {
    let input = json!({"RequestItems": {table: requests}});
    aws.dynamo("BatchWriteItem", input).await
}

async fn get(aws: &Aws, table: &str, keys: &[Value]) -> Result<Reply> {
    let input = json!({"RequestItems": {table: {"Keys": keys}}});
    aws.dynamo("BatchGetItem", input).await
}

checks! {
    WRITE => async fn puts_and_deletions_of_several_tables_go_together(aws: Aws) {
        let (one, two) = (aws.table("one", json!({})).await?, aws.table("two", json!({})).await?);
        aws.put(&one, json!({"pk": s("old")})).await?;
        let input = json!({"RequestItems": {
            one.name.as_str(): [put("a"), delete("old")], two.name.as_str(): [put("b")],
        }});
        let reply = aws.dynamo("BatchWriteItem", input).await?.ok()?;
        ensure_eq!(reply["UnprocessedItems"], json!({}));
        ensure_eq!(aws.get(&one, json!({"pk": s("old")})).await?, Value::Null);
        ensure_eq!(aws.get(&one, json!({"pk": s("a")})).await?["v"], n(1));
        ensure_eq!(aws.get(&two, json!({"pk": s("b")})).await?["v"], n(1));
        Ok(())
    }

    WRITE => async fn a_batch_has_25_requests_at_most(aws: Aws) {
        let table = aws.table("many", json!({})).await?;
        let requests: Vec<Value> = (0..26).map(|number| put(&format!("k{number}"))).collect();
        write(&aws, &table.name, &requests[..25]).await?.ok()?;
        write(&aws, &table.name, &requests).await?.refused_saying(
            400,
            INVALID,
            "Member must have length less than or equal to 25",
        )
    }

    WRITE => async fn an_empty_batch_is_refused(aws: Aws) {
        let reply = aws.dynamo("BatchWriteItem", json!({"RequestItems": {}})).await?;
        let words = "The requestItems parameter is required for BatchWriteItem";
        reply.refused_saying(400, INVALID, words)
    }

    WRITE => async fn a_key_comes_once_in_a_batch(aws: Aws) {
        let table = aws.table("twice", json!({})).await?;
        let reply = write(&aws, &table.name, &[put("a"), delete("a")]).await?;
        let words = "Provided list of item keys contains duplicates";
        reply.refused_saying(400, INVALID, words)?;
        ensure_eq!(aws.get(&table, json!({"pk": s("a")})).await?, Value::Null);
        Ok(())
    }

    WRITE => async fn one_bad_request_refuses_the_whole_batch(aws: Aws) {
        let table = aws.table("whole", json!({})).await?;
        let bad = json!({"PutRequest": {"Item": {"pk": n(1)}}});
        let reply = write(&aws, &table.name, &[put("a"), bad]).await?;
        let words = "The provided key element does not match the schema";
        reply.refused_saying(400, INVALID, words)?;
        ensure_eq!(aws.get(&table, json!({"pk": s("a")})).await?, Value::Null);
        Ok(())
    }

    WRITE => async fn a_request_is_either_a_put_or_a_deletion(aws: Aws) {
        let table = aws.table("either", json!({})).await?;
        let both = with(put("a"), delete("b"));
        for request in [both, json!({})] {
            let reply = write(&aws, &table.name, &[request]).await?;
            reply.refused_saying(
                400,
                INVALID,
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one \
                 of the supported datatypes",
            )?;
        }
        Ok(())
    }

    WRITE => async fn a_table_that_is_not_there_refuses_the_batch(aws: Aws) {
        let reply = write(&aws, &aws.name("missing"), &[put("a")]).await?;
        reply.refused_saying(400, "ResourceNotFoundException", "Requested resource not found")
    }

    WRITE => async fn capacity_is_told_by_table(aws: Aws) {
        let table = aws.table("billed", json!({})).await?;
        let input = json!({
            "RequestItems": {table.name.as_str(): [put("a"), put("b")]},
            "ReturnConsumedCapacity": "TOTAL",
        });
        let reply = aws.dynamo("BatchWriteItem", input).await?.ok()?;
        let billed = reply.at("/ConsumedCapacity/0")?;
        ensure_eq!(billed["TableName"], table.name.as_str());
        ensure_eq!(billed["CapacityUnits"].as_f64(), Some(2.0));
        Ok(())
    }

    GET => async fn items_that_are_there_are_given_and_others_left_out(aws: Aws) {
        let table = aws.table("some", json!({})).await?;
        write(&aws, &table.name, &[put("a"), put("b")]).await?.ok()?;
        let keys = ["a", "b", "c"].map(|key| json!({"pk": s(key)}));
        let reply = get(&aws, &table.name, &keys).await?.ok()?;
        ensure_eq!(reply["UnprocessedKeys"], json!({}));
        let items = &reply["Responses"][table.name.as_str()];
        ensure_eq!(items.as_array().map(Vec::len), Some(2), "{items}");
        Ok(())
    }

    GET => async fn a_projection_is_of_its_table(aws: Aws) {
        let table = aws.table("part", json!({})).await?;
        write(&aws, &table.name, &[put("a")]).await?.ok()?;
        let input = json!({"RequestItems": {table.name.as_str(): {
            "Keys": [{"pk": s("a")}],
            "ProjectionExpression": "#v",
            "ExpressionAttributeNames": {"#v": "v"},
            "ConsistentRead": true,
        }}});
        let reply = aws.dynamo("BatchGetItem", input).await?.ok()?;
        ensure_eq!(reply["Responses"][table.name.as_str()], json!([{"v": n(1)}]));
        Ok(())
    }

    GET => async fn a_batch_has_100_keys_at_most(aws: Aws) {
        let table = aws.table("hundred", json!({})).await?;
        let keys: Vec<Value> = (0..101).map(|key| json!({"pk": s(&format!("k{key}"))})).collect();
        get(&aws, &table.name, &keys[..100]).await?.ok()?;
        get(&aws, &table.name, &keys).await?.refused(400, INVALID)
    }

    GET => async fn a_key_is_asked_for_once(aws: Aws) {
        let table = aws.table("asked", json!({})).await?;
        let keys = [json!({"pk": s("a")}), json!({"pk": s("a")})];
        let words = "Provided list of item keys contains duplicates";
        get(&aws, &table.name, &keys).await?.refused_saying(400, INVALID, words)
    }

    GET => async fn what_does_not_fit_into_16_mb_is_left_for_the_next_call(aws: Aws) {
        let table = aws.table("huge", json!({})).await?;
        let value = "x".repeat(390_000);
        for key in 0..44 {
            aws.put(&table, json!({"pk": s(&format!("k{key}")), "v": s(&value)})).await?;
        }
        let keys: Vec<Value> = (0..44).map(|key| json!({"pk": s(&format!("k{key}"))})).collect();
        let mut left = json!({table.name.as_str(): {"Keys": keys}});
        let mut counts = Vec::new();
        while left.as_object().is_some_and(|tables| !tables.is_empty()) && counts.len() < 4 {
            let input = json!({"RequestItems": left});
            let mut reply = aws.dynamo("BatchGetItem", input).await?.ok()?;
            let items = &reply["Responses"][table.name.as_str()];
            counts.push(items.as_array().map_or(0, Vec::len));
            left = reply["UnprocessedKeys"].take();
        }
        ensure_eq!(counts.iter().sum::<usize>(), 44, "{counts:?}");
        ensure!(counts.len() > 1 && counts[0] > 40, "{counts:?}");
        Ok(())
    }
}
