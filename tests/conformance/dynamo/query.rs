//! `Query`: key conditions, order, pages, filters.

use super::data::{INVALID, n, s, sort_keys};
use crate::prelude::*;

const QUERY: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html";
const KEYS: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html";
const PAGES: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html";
const FILTERS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.FilterExpression.html";

/// A query of partition `a` with a condition of the sort key.
fn sorted_by(condition: &str, values: Value) -> Value {
    json!({
        "KeyConditionExpression": format!("pk = :pk AND {condition}"),
        "ExpressionAttributeValues": with(json!({":pk": s("a")}), values),
    })
}

async fn refused(aws: &Aws, input: Value, words: &str) -> Result {
    let table = aws.sorted("unasked").await?;
    let whole = json!({
        "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": s("a")},
    });
    let reply = aws.on(&table, "Query", with(whole, input)).await?;
    reply.refused_saying(400, INVALID, words)
}

checks! {
    QUERY => async fn items_come_in_the_order_of_their_sort_key(aws: Aws) {
        let table = aws.sorted("ordered").await?;
        for sk in [10, 9, -1, 100, 0] {
            aws.put(&table, json!({"pk": s("a"), "sk": n(sk)})).await?;
        }
        let found = aws.query(&table, json!({})).await?;
        ensure_eq!(sort_keys(&found), ["-1", "0", "9", "10", "100"]);
        let found = aws.query(&table, json!({"ScanIndexForward": false})).await?;
        ensure_eq!(sort_keys(&found), ["100", "10", "9", "0", "-1"]);
        Ok(())
    }

    KEYS => async fn sort_keys_are_compared_as_asked(aws: Aws) {
        let table = aws.filled("compared", 5).await?;
        for (condition, found) in [
            ("sk = :v", &["3"][..]),
            ("sk < :v", &["1", "2"]),
            ("sk <= :v", &["1", "2", "3"]),
            ("sk > :v", &["4", "5"]),
            ("sk >= :v", &["3", "4", "5"]),
        ] {
            let answer = aws.query(&table, sorted_by(condition, json!({":v": n(3)}))).await?;
            ensure_eq!(sort_keys(&answer), found, "{condition}");
        }
        let between = sorted_by("sk BETWEEN :v AND :w", json!({":v": n(2), ":w": n(4)}));
        ensure_eq!(sort_keys(&aws.query(&table, between).await?), ["2", "3", "4"]);
        Ok(())
    }

    KEYS => async fn strings_may_be_found_by_their_beginning(aws: Aws) {
        let table = aws.table("begun", json!({
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        })).await?;
        for sk in ["order#1", "order#2", "order", "Order#3", "slot#1"] {
            aws.put(&table, json!({"pk": s("a"), "sk": s(sk)})).await?;
        }
        let begun = sorted_by("begins_with(sk, :v)", json!({":v": s("order#")}));
        let found = aws.query(&table, begun).await?;
        let keys: Vec<_> = found.list_at("/Items").iter().map(|item| &item["sk"]["S"]).collect();
        ensure_eq!(keys, ["order#1", "order#2"]);
        Ok(())
    }

    PAGES => async fn pages_go_on_where_the_last_one_ended(aws: Aws) {
        let table = aws.filled("paged", 5).await?;
        let (mut keys, mut start) = (Vec::new(), Value::Null);
        for _ in 0..4 {
            let mut input = json!({"Limit": 2});
            if !start.is_null() {
                input["ExclusiveStartKey"] = start;
            }
            let page = aws.query(&table, input).await?;
            keys.extend(sort_keys(&page).into_iter().map(ToOwned::to_owned));
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        ensure_eq!(keys, ["1", "2", "3", "4", "5"]);
        ensure_eq!(start, Value::Null);
        Ok(())
    }

    PAGES => async fn a_page_that_is_just_full_names_its_last_key(aws: Aws) {
        let table = aws.filled("full", 2).await?;
        let page = aws.query(&table, json!({"Limit": 2})).await?;
        ensure_eq!(page["LastEvaluatedKey"], json!({"pk": s("a"), "sk": n(2)}));
        let next = json!({"ExclusiveStartKey": page["LastEvaluatedKey"]});
        let next = aws.query(&table, next).await?;
        ensure_eq!((&next["Count"], next.get("LastEvaluatedKey")), (&json!(0), None));
        Ok(())
    }

    PAGES => async fn a_page_holds_1_mb_at_most(aws: Aws) {
        let table = aws.sorted("mega").await?;
        for sk in 0..5 {
            let item = json!({"pk": s("a"), "sk": n(sk), "v": s(&"x".repeat(300_000))});
            aws.put(&table, item).await?;
        }
        let page = aws.query(&table, json!({})).await?;
        ensure_eq!(sort_keys(&page), ["0", "1", "2"]);
        ensure_eq!(page["LastEvaluatedKey"]["sk"], n(2));
        Ok(())
    }

    FILTERS => async fn a_filter_drops_items_after_they_are_read_and_counted(aws: Aws) {
        let table = aws.filled("filtered", 5).await?;
        let input = json!({
            "FilterExpression": "n > :n",
            "ExpressionAttributeValues": {":pk": s("a"), ":n": n(30)},
            "Limit": 4,
        });
        let page = aws.query(&table, input).await?;
        ensure_eq!((&page["Count"], &page["ScannedCount"]), (&json!(1), &json!(4)));
        ensure_eq!(page["LastEvaluatedKey"]["sk"], n(4));
        Ok(())
    }

    QUERY => async fn a_count_gives_no_items(aws: Aws) {
        let table = aws.filled("counted", 3).await?;
        let page = aws.query(&table, json!({"Select": "COUNT"})).await?;
        ensure_eq!((&page["Count"], page.get("Items")), (&json!(3), None));
        Ok(())
    }

    QUERY => async fn a_projection_gives_what_it_names(aws: Aws) {
        let table = aws.filled("narrow", 1).await?;
        let page = aws.query(&table, json!({"ProjectionExpression": "n"})).await?;
        ensure_eq!(page["Items"], json!([{"n": n(10)}]));
        Ok(())
    }

    KEYS => async fn the_partition_must_be_named_by_equality(aws: Aws) {
        let words = "Query condition missed key schema element: pk";
        let input = json!({"KeyConditionExpression": "sk = :pk"});
        refused(&aws, input, words).await?;
        let input = json!({"KeyConditionExpression": "pk > :pk"});
        refused(&aws, input, "Query key condition not supported").await
    }

    KEYS => async fn a_key_condition_takes_only_some_operators(aws: Aws) {
        for (condition, words) in [
            ("pk = :pk OR sk = :pk", "Invalid operator used in KeyConditionExpression: OR"),
            ("pk = :pk AND sk <> :pk", "Invalid operator used in KeyConditionExpression"),
            ("pk = :pk AND NOT sk = :pk", "Invalid operator used in KeyConditionExpression: NOT"),
            ("", "Invalid KeyConditionExpression: The expression can not be empty;"),
        ] {
            refused(&aws, json!({"KeyConditionExpression": condition}), words).await?;
        }
        Ok(())
    }

    KEYS => async fn a_key_is_compared_with_a_value_of_its_type(aws: Aws) {
        let input = json!({"ExpressionAttributeValues": {":pk": n(1)}});
        let words = "One or more parameter values were invalid: Condition parameter type does not \
                     match schema type";
        refused(&aws, input, words).await
    }

    FILTERS => async fn a_filter_does_not_look_at_the_primary_key(aws: Aws) {
        let words = "Filter Expression can only contain non-primary key attributes: Primary key \
                     attribute: pk";
        refused(&aws, json!({"FilterExpression": "pk = :pk"}), words).await
    }

    QUERY => async fn an_index_that_is_not_there_is_refused(aws: Aws) {
        let words = "The table does not have the specified index: missing";
        refused(&aws, json!({"IndexName": "missing"}), words).await
    }

    PAGES => async fn a_start_key_must_be_a_whole_key(aws: Aws) {
        let input = json!({"ExclusiveStartKey": {"pk": s("a")}});
        refused(&aws, input, "The provided starting key is").await
    }

    QUERY => async fn a_query_needs_a_key_condition(aws: Aws) {
        let table = aws.sorted("keyless").await?;
        let words = "Either the KeyConditions or KeyConditionExpression parameter must be \
                     specified in the request.";
        aws.on(&table, "Query", json!({})).await?.refused_saying(400, INVALID, words)
    }
}
