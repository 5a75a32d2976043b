//! Transactions: all or nothing, reasons of a cancellation, tokens.

use crate::prelude::*;

const WRITE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html";
const GET: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html";
const HOW: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html";

fn key(pk: &str) -> Value {
    json!({"pk": {"S": pk}})
}

fn put(table: &Table, pk: &str, v: &str) -> Value {
    json!({"Put": {"TableName": table.name, "Item": {"pk": {"S": pk}, "v": {"N": v}}}})
}

/// A put that is refused where the item is.
fn put_new(table: &Table, pk: &str) -> Value {
    let mut put = put(table, pk, "9");
    put["Put"]["ConditionExpression"] = "attribute_not_exists(pk)".into();
    put
}

async fn write(aws: &Aws, items: Value, more: Value) -> Result<Reply> {
    let input = with(json!({"TransactItems": items}), more);
    aws.dynamo("TransactWriteItems", input).await
}

async fn value(aws: &Aws, table: &Table, pk: &str) -> Result<Option<String>> {
    let input = json!({"TableName": table.name, "Key": key(pk), "ConsistentRead": true});
    let reply = aws.dynamo("GetItem", input).await?.ok()?;
    Ok(reply["Item"]["v"]["N"].as_str().map(ToOwned::to_owned))
}

fn codes(reply: &Reply) -> Vec<&str> {
    let reasons = reply.body.list_at("/CancellationReasons").iter();
    reasons
        .map(|reason| reason["Code"].as_str().unwrap_or_default())
        .collect()
}

checks! {
    WRITE => async fn all_four_actions_take_effect_together(aws: Aws) {
        let table = aws.table("four", json!({})).await?;
        for pk in ["checked", "updated", "deleted"] {
            write(&aws, json!([put(&table, pk, "1")]), json!({})).await?.ok()?;
        }
        let items = json!([
            {"ConditionCheck": {"TableName": table.name, "Key": key("checked"),
                "ConditionExpression": "attribute_exists(pk)"}},
            {"Update": {"TableName": table.arn, "Key": key("updated"),
                "UpdateExpression": "ADD v :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}}}},
            {"Delete": {"TableName": table.name, "Key": key("deleted")}},
            put(&table, "put", "1"),
        ]);
        let reply = write(&aws, items, json!({})).await?.ok()?;
        ensure_eq!(reply, json!({}));
        ensure_eq!(value(&aws, &table, "updated").await?.as_deref(), Some("2"));
        ensure_eq!(value(&aws, &table, "deleted").await?, None);
        ensure_eq!(value(&aws, &table, "put").await?.as_deref(), Some("1"));
        Ok(())
    }

    WRITE => async fn one_refusal_cancels_all_and_each_action_has_a_reason(aws: Aws) {
        let table = aws.table("cancelled", json!({})).await?;
        write(&aws, json!([put(&table, "there", "1")]), json!({})).await?.ok()?;
        let items = json!([put(&table, "new", "1"), put_new(&table, "there"), put(&table, "other", "1")]);
        let reply = write(&aws, items, json!({})).await?;
        reply.refused_saying(
            400,
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons \
             [None, ConditionalCheckFailed, None]",
        )?;
        ensure_eq!(codes(&reply), ["None", "ConditionalCheckFailed", "None"]);
        let reason = reply.body.at("/CancellationReasons/1")?;
        ensure_eq!(reason["Message"], "The conditional request failed");
        ensure!(reason.get("Item").is_none(), "nobody asked for the item: {reason}");
        ensure_eq!(value(&aws, &table, "new").await?, None);
        Ok(())
    }

    WRITE => async fn a_reason_shows_the_item_when_asked_to(aws: Aws) {
        let table = aws.table("shown", json!({})).await?;
        write(&aws, json!([put(&table, "there", "1")]), json!({})).await?.ok()?;
        let mut action = put_new(&table, "there");
        action["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD".into();
        let reply = write(&aws, json!([action]), json!({})).await?;
        reply.refused(400, "TransactionCanceledException")?;
        let item = reply.body.at("/CancellationReasons/0/Item")?;
        ensure_eq!(*item, json!({"pk": {"S": "there"}, "v": {"N": "1"}}));
        Ok(())
    }

    WRITE => async fn an_invalid_value_is_a_reason(aws: Aws) {
        let table = aws.table("invalid", json!({})).await?;
        let text = json!({"Put": {"TableName": table.name, "Item": {"pk": {"S": "a"}, "v": {"S": "x"}}}});
        write(&aws, json!([text]), json!({})).await?.ok()?;
        let add = json!({"Update": {"TableName": table.name, "Key": key("a"),
            "UpdateExpression": "SET v = v + :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}});
        let reply = write(&aws, json!([put(&table, "b", "1"), add]), json!({})).await?;
        reply.refused(400, "TransactionCanceledException")?;
        ensure_eq!(codes(&reply), ["None", "ValidationError"]);
        ensure_eq!(value(&aws, &table, "b").await?, None);
        Ok(())
    }

    WRITE => async fn an_item_is_named_once(aws: Aws) {
        let table = aws.table("once", json!({})).await?;
        let items = json!([put(&table, "a", "1"), {"Delete": {"TableName": table.name, "Key": key("a")}}]);
        write(&aws, items, json!({})).await?.refused_saying(
            400,
            "ValidationException",
            "Transaction request cannot include multiple operations on one item",
        )
    }

    WRITE => async fn it_has_1_to_100_actions(aws: Aws) {
        let table = aws.table("hundred", json!({})).await?;
        let many = |count: usize| -> Value {
            (0..count).map(|n| put(&table, &format!("{n}"), "1")).collect()
        };
        for count in [0, 101] {
            let reply = write(&aws, many(count), json!({})).await?;
            reply.refused(400, "ValidationException")?;
        }
        write(&aws, many(100), json!({})).await?.ok()?;
        Ok(())
    }

    WRITE => async fn a_table_that_is_not_there_is_not_found(aws: Aws) {
        let missing = Table { name: aws.name("missing"), arn: String::new(), stream: None };
        let reply = write(&aws, json!([put(&missing, "a", "1")]), json!({})).await?;
        reply.refused(400, "ResourceNotFoundException")
    }

    WRITE => async fn an_action_does_one_thing(aws: Aws) {
        let table = aws.table("one-thing", json!({})).await?;
        let both = with(put(&table, "a", "1"), json!({"Delete": {"TableName": table.name, "Key": key("b")}}));
        for action in [json!({}), both] {
            let reply = write(&aws, json!([action]), json!({})).await?;
            reply.refused(400, "ValidationException")?;
        }
        Ok(())
    }

    WRITE => async fn capacity_is_twice_that_of_a_write(aws: Aws) {
        let table = aws.table("billed", json!({})).await?;
        let more = json!({"ReturnConsumedCapacity": "TOTAL"});
        let items = json!([put(&table, "a", "1"), put(&table, "b", "1")]);
        let reply = write(&aws, items, more).await?.ok()?;
        let capacity = reply.at("/ConsumedCapacity/0")?;
        ensure_eq!(capacity["TableName"], json!(table.name));
        ensure_eq!(capacity["CapacityUnits"].as_f64(), Some(4.0));
        ensure_eq!(capacity["WriteCapacityUnits"].as_f64(), Some(4.0));
        Ok(())
    }

    HOW => async fn the_same_token_again_writes_nothing(aws: Aws) {
        let table = aws.table("token", json!({})).await?;
        let token = json!({"ClientRequestToken": aws.name("t")});
        let items = json!([put(&table, "a", "1")]);
        write(&aws, items.clone(), token.clone()).await?.ok()?;
        write(&aws, json!([put(&table, "a", "2")]), json!({})).await?.ok()?;
        write(&aws, items, token).await?.ok()?;
        ensure_eq!(value(&aws, &table, "a").await?.as_deref(), Some("2"));
        Ok(())
    }

    HOW => async fn a_token_again_is_billed_as_reads(aws: Aws) {
        let table = aws.table("replayed", json!({})).await?;
        let more = json!({"ClientRequestToken": aws.name("t"), "ReturnConsumedCapacity": "TOTAL"});
        let items = json!([put(&table, "a", "1"), put(&table, "b", "1")]);
        write(&aws, items.clone(), more.clone()).await?.ok()?;
        let reply = write(&aws, items, more).await?.ok()?;
        let capacity = reply.at("/ConsumedCapacity/0")?;
        ensure_eq!(capacity["ReadCapacityUnits"].as_f64(), Some(4.0));
        ensure!(capacity.get("WriteCapacityUnits").is_none(), "nothing is written: {capacity}");
        Ok(())
    }

    HOW => async fn a_token_with_another_request_is_refused(aws: Aws) {
        let table = aws.table("mismatch", json!({})).await?;
        let token = json!({"ClientRequestToken": aws.name("t")});
        write(&aws, json!([put(&table, "a", "1")]), token.clone()).await?.ok()?;
        let reply = write(&aws, json!([put(&table, "a", "2")]), token).await?;
        reply.refused(400, "IdempotentParameterMismatchException")
    }

    HOW => async fn a_token_of_a_cancelled_transaction_can_be_used_again(aws: Aws) {
        let table = aws.table("retried", json!({})).await?;
        let token = json!({"ClientRequestToken": aws.name("t")});
        write(&aws, json!([put(&table, "a", "1")]), json!({})).await?.ok()?;
        let items = json!([put_new(&table, "a")]);
        let reply = write(&aws, items.clone(), token.clone()).await?;
        reply.refused(400, "TransactionCanceledException")?;
        let delete = json!([{"Delete": {"TableName": table.name, "Key": key("a")}}]);
        write(&aws, delete, json!({})).await?.ok()?;
        write(&aws, items, token).await?.ok()?;
        ensure_eq!(value(&aws, &table, "a").await?.as_deref(), Some("9"));
        Ok(())
    }

    WRITE => async fn a_token_has_1_to_36_characters(aws: Aws) {
        let table = aws.table("tokens", json!({})).await?;
        for token in [String::new(), "x".repeat(37)] {
            let more = json!({"ClientRequestToken": token});
            let reply = write(&aws, json!([put(&table, "a", "1")]), more).await?;
            reply.refused(400, "ValidationException")?;
        }
        Ok(())
    }

    GET => async fn answers_stand_in_the_order_of_the_questions(aws: Aws) {
        let table = aws.table("read", json!({})).await?;
        write(&aws, json!([put(&table, "a", "1"), put(&table, "b", "2")]), json!({})).await?.ok()?;
        let get = |pk: &str| json!({"Get": {"TableName": table.name, "Key": key(pk)}});
        let items = json!([get("b"), get("missing"), get("a")]);
        let input = json!({"TransactItems": items, "ReturnConsumedCapacity": "TOTAL"});
        let reply = aws.dynamo("TransactGetItems", input).await?.ok()?;
        ensure_eq!(reply["Responses"][0]["Item"]["v"]["N"], "2");
        ensure_eq!(reply["Responses"][1], json!({}));
        ensure_eq!(reply["Responses"][2]["Item"]["v"]["N"], "1");
        ensure_eq!(reply["ConsumedCapacity"][0]["CapacityUnits"].as_f64(), Some(6.0));
        Ok(())
    }
}
