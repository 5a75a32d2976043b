//! Local and global secondary indexes.

use crate::prelude::*;

const CREATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html";
const UPDATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html";
const QUERY: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html";
const GLOBAL: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html";
const LOCAL: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html";

fn attributes(names: &[&str]) -> Value {
    let attributes = names.iter();
    attributes
        .map(|name| json!({"AttributeName": name, "AttributeType": "S"}))
        .collect()
}

fn keys(hash: &str, range: Option<&str>) -> Value {
    let mut keys = vec![json!({"AttributeName": hash, "KeyType": "HASH"})];
    keys.extend(range.map(|range| json!({"AttributeName": range, "KeyType": "RANGE"})));
    keys.into()
}

/// A table by `pk` with the global index `by-room`, sorted by `day`.
fn global(projection: Value) -> Value {
    json!({
        "AttributeDefinitions": attributes(&["pk", "room", "day"]),
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-room",
            "KeySchema": keys("room", Some("day")),
            "Projection": projection,
        }],
    })
}

/// A table by `pk` and `sk` with the local index `by-day`.
fn local(projection: Value) -> Value {
    json!({
        "AttributeDefinitions": attributes(&["pk", "sk", "day"]),
        "KeySchema": keys("pk", Some("sk")),
        "LocalSecondaryIndexes": [{
            "IndexName": "by-day",
            "KeySchema": keys("pk", Some("day")),
            "Projection": projection,
        }],
    })
}

/// An item whose attributes are strings.
fn strings(pairs: &[(&str, &str)]) -> Value {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), json!({"S": value})))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn put(aws: &Aws, table: &Table, pairs: &[(&str, &str)]) -> Result {
    let input = json!({"TableName": table.name, "Item": strings(pairs)});
    aws.dynamo("PutItem", input).await?.ok()?;
    Ok(())
}

/// What an index holds of one partition, once that is `count` items: global ones follow a little
/// later.
async fn held(
    aws: &Aws,
    table: &Table,
    index: &str,
    key: (&str, &str),
    count: usize,
) -> Result<Vec<Value>> {
    let input = json!({
        "TableName": table.name,
        "IndexName": index,
        "KeyConditionExpression": "#key = :key",
        "ExpressionAttributeNames": {"#key": key.0},
        "ExpressionAttributeValues": {":key": {"S": key.1}},
    });
    aws.poll(SOON, || async {
        let page = aws.dynamo("Query", input.clone()).await?.ok()?;
        let items = page.list_at("/Items").to_vec();
        Ok((items.len() == count).then_some(items))
    })
    .await
}

checks! {
    CREATE => async fn an_index_is_described(aws: Aws) {
        let table = aws.table("indexed", global(json!({"ProjectionType": "ALL"}))).await?;
        let input = json!({"TableName": table.name});
        let reply = aws.dynamo("DescribeTable", input).await?.ok()?;
        let index = reply.at("/Table/GlobalSecondaryIndexes/0")?;
        ensure_eq!(index["IndexName"], "by-room");
        ensure_eq!(index["IndexStatus"], "ACTIVE");
        ensure_eq!(index["KeySchema"], keys("room", Some("day")));
        ensure_eq!(index["Projection"], json!({"ProjectionType": "ALL"}));
        ensure_eq!(index["IndexArn"], json!(format!("{}/index/by-room", table.arn)));
        Ok(())
    }

    CREATE => async fn two_indexes_have_two_names(aws: Aws) {
        let mut more = global(json!({"ProjectionType": "ALL"}));
        let index = more["GlobalSecondaryIndexes"][0].clone();
        more["GlobalSecondaryIndexes"] = json!([index, index]);
        let input = with(json!({
            "TableName": aws.name("duplicate"),
            "KeySchema": keys("pk", None),
            "BillingMode": "PAY_PER_REQUEST",
        }), more);
        let reply = aws.dynamo("CreateTable", input).await?;
        reply.refused_saying(400, "ValidationException", "by-room")
    }

    CREATE => async fn a_local_index_needs_a_table_with_a_sort_key(aws: Aws) {
        let more = with(local(json!({"ProjectionType": "ALL"})), json!({
            "TableName": aws.name("sortless"),
            "AttributeDefinitions": attributes(&["pk", "day"]),
            "KeySchema": keys("pk", None),
            "BillingMode": "PAY_PER_REQUEST",
        }));
        aws.dynamo("CreateTable", more).await?.refused(400, "ValidationException")
    }

    CREATE => async fn a_local_index_has_the_tables_partition_key(aws: Aws) {
        let mut more = local(json!({"ProjectionType": "ALL"}));
        more["LocalSecondaryIndexes"][0]["KeySchema"] = keys("day", Some("sk"));
        let named = json!({"TableName": aws.name("astray"), "BillingMode": "PAY_PER_REQUEST"});
        let reply = aws.dynamo("CreateTable", with(more, named)).await?;
        reply.refused(400, "ValidationException")
    }

    CREATE => async fn an_index_that_includes_names_what(aws: Aws) {
        let named = json!({
            "TableName": aws.name("including"),
            "KeySchema": keys("pk", None),
            "BillingMode": "PAY_PER_REQUEST",
        });
        let input = with(global(json!({"ProjectionType": "INCLUDE"})), named);
        aws.dynamo("CreateTable", input).await?.refused(400, "ValidationException")
    }

    GLOBAL => async fn items_without_the_keys_are_not_in_the_index(aws: Aws) {
        let table = aws.table("sparse", global(json!({"ProjectionType": "ALL"}))).await?;
        put(&aws, &table, &[("pk", "in"), ("room", "1"), ("day", "mon")]).await?;
        put(&aws, &table, &[("pk", "half"), ("room", "1")]).await?;
        put(&aws, &table, &[("pk", "out")]).await?;
        let found = held(&aws, &table, "by-room", ("room", "1"), 1).await?;
        ensure_eq!(found[0]["pk"]["S"], "in");
        Ok(())
    }

    GLOBAL => async fn items_are_sorted_and_move_with_their_keys(aws: Aws) {
        let table = aws.table("moving", global(json!({"ProjectionType": "KEYS_ONLY"}))).await?;
        put(&aws, &table, &[("pk", "b"), ("room", "1"), ("day", "2"), ("note", "x")]).await?;
        put(&aws, &table, &[("pk", "a"), ("room", "1"), ("day", "1")]).await?;
        let found = held(&aws, &table, "by-room", ("room", "1"), 2).await?;
        let expected = [
            strings(&[("pk", "a"), ("room", "1"), ("day", "1")]),
            strings(&[("pk", "b"), ("room", "1"), ("day", "2")]),
        ];
        ensure_eq!(found, expected);
        put(&aws, &table, &[("pk", "a"), ("room", "2"), ("day", "1")]).await?;
        held(&aws, &table, "by-room", ("room", "1"), 1).await?;
        held(&aws, &table, "by-room", ("room", "2"), 1).await?;
        let delete = json!({"TableName": table.name, "Key": strings(&[("pk", "a")])});
        aws.dynamo("DeleteItem", delete).await?.ok()?;
        held(&aws, &table, "by-room", ("room", "2"), 0).await?;
        Ok(())
    }

    GLOBAL => async fn only_included_attributes_are_projected(aws: Aws) {
        let include = json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]});
        let table = aws.table("included", global(include)).await?;
        let item = [("pk", "a"), ("room", "1"), ("day", "1"), ("note", "x"), ("other", "y")];
        put(&aws, &table, &item).await?;
        let found = held(&aws, &table, "by-room", ("room", "1"), 1).await?;
        ensure_eq!(found[0], strings(&item[..4]));
        Ok(())
    }

    GLOBAL => async fn a_key_of_another_type_is_refused(aws: Aws) {
        let table = aws.table("mistyped", global(json!({"ProjectionType": "ALL"}))).await?;
        let item = json!({"pk": {"S": "a"}, "room": {"N": "1"}, "day": {"S": "1"}});
        let reply = aws.dynamo("PutItem", json!({"TableName": table.name, "Item": item})).await?;
        reply.refused_saying(400, "ValidationException", "by-room")
    }

    QUERY => async fn a_global_index_is_never_read_consistently(aws: Aws) {
        let table = aws.table("consistent", global(json!({"ProjectionType": "ALL"}))).await?;
        let input = json!({
            "TableName": table.name,
            "IndexName": "by-room",
            "ConsistentRead": true,
            "KeyConditionExpression": "room = :room",
            "ExpressionAttributeValues": {":room": {"S": "1"}},
        });
        let reply = aws.dynamo("Query", input).await?;
        reply.refused_saying(400, "ValidationException", "Consistent reads are not supported")
    }

    QUERY => async fn an_index_that_is_not_there_is_refused(aws: Aws) {
        let table = aws.table("unindexed", json!({})).await?;
        let input = json!({
            "TableName": table.name,
            "IndexName": "by-room",
            "KeyConditionExpression": "room = :room",
            "ExpressionAttributeValues": {":room": {"S": "1"}},
        });
        let reply = aws.dynamo("Query", input).await?;
        reply.refused_saying(400, "ValidationException", "does not have the specified index: by-room")
    }

    QUERY => async fn a_page_of_an_index_ends_with_both_keys(aws: Aws) {
        let table = aws.table("index-pages", global(json!({"ProjectionType": "ALL"}))).await?;
        for pk in ["a", "b"] {
            put(&aws, &table, &[("pk", pk), ("room", "1"), ("day", "1")]).await?;
        }
        held(&aws, &table, "by-room", ("room", "1"), 2).await?;
        let input = json!({
            "TableName": table.name,
            "IndexName": "by-room",
            "Limit": 1,
            "KeyConditionExpression": "room = :room",
            "ExpressionAttributeValues": {":room": {"S": "1"}},
        });
        let first = aws.dynamo("Query", input.clone()).await?.ok()?;
        let last = first.at("/LastEvaluatedKey")?;
        let pk = first.text_at("/Items/0/pk/S")?;
        ensure_eq!(*last, strings(&[("pk", pk), ("room", "1"), ("day", "1")]));
        let input = with(input, json!({"ExclusiveStartKey": last}));
        let second = aws.dynamo("Query", input).await?.ok()?;
        ensure_eq!(second.list_at("/Items").len(), 1);
        ensure!(second.text_at("/Items/0/pk/S")? != pk, "the same item again: {second}");
        Ok(())
    }

    LOCAL => async fn a_local_index_is_consistent_and_fetches_what_it_lacks(aws: Aws) {
        let table = aws.table("local", local(json!({"ProjectionType": "KEYS_ONLY"}))).await?;
        put(&aws, &table, &[("pk", "p"), ("sk", "1"), ("day", "2"), ("note", "x")]).await?;
        put(&aws, &table, &[("pk", "p"), ("sk", "2"), ("day", "1"), ("note", "y")]).await?;
        put(&aws, &table, &[("pk", "p"), ("sk", "3")]).await?;
        let input = json!({
            "TableName": table.name,
            "IndexName": "by-day",
            "ConsistentRead": true,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "p"}},
        });
        let keys = aws.dynamo("Query", input.clone()).await?.ok()?;
        let expected = json!([
            strings(&[("pk", "p"), ("sk", "2"), ("day", "1")]),
            strings(&[("pk", "p"), ("sk", "1"), ("day", "2")]),
        ]);
        ensure_eq!(keys["Items"], expected);
        let all = with(input, json!({"Select": "ALL_ATTRIBUTES"}));
        let all = aws.dynamo("Query", all).await?.ok()?;
        ensure_eq!(all["Items"][0]["note"]["S"], "y");
        Ok(())
    }

    UPDATE => async fn an_index_made_later_holds_what_was_there(aws: Aws) {
        let table = aws.table("later", json!({})).await?;
        put(&aws, &table, &[("pk", "a"), ("room", "1")]).await?;
        let create = json!({
            "TableName": table.name,
            "AttributeDefinitions": attributes(&["pk", "room"]),
            "GlobalSecondaryIndexUpdates": [{"Create": {
                "IndexName": "by-room",
                "KeySchema": keys("room", None),
                "Projection": {"ProjectionType": "ALL"},
            }}],
        });
        aws.dynamo("UpdateTable", create).await?.ok()?;
        let named = json!({"TableName": table.name});
        aws.poll(Duration::from_secs(50), || async {
            let reply = aws.dynamo("DescribeTable", named.clone()).await?.ok()?;
            let index = reply.pointer("/Table/GlobalSecondaryIndexes/0/IndexStatus");
            Ok(index.is_some_and(|status| status == "ACTIVE").then_some(()))
        })
        .await?;
        held(&aws, &table, "by-room", ("room", "1"), 1).await?;
        Ok(())
    }

    UPDATE => async fn an_index_is_deleted(aws: Aws) {
        let table = aws.table("unmade", global(json!({"ProjectionType": "ALL"}))).await?;
        let delete = json!({"TableName": table.name,
            "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-room"}}]});
        aws.dynamo("UpdateTable", delete.clone()).await?.ok()?;
        let named = json!({"TableName": table.name});
        aws.poll(Duration::from_secs(50), || async {
            let reply = aws.dynamo("DescribeTable", named.clone()).await?.ok()?;
            Ok(reply.list_at("/Table/GlobalSecondaryIndexes").is_empty().then_some(()))
        })
        .await?;
        let again = aws.dynamo("UpdateTable", delete).await?;
        again.refused(400, "ResourceNotFoundException")
    }
}
