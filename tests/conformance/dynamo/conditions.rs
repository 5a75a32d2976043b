//! Conditions of writes.

use super::data::{INVALID, n, s};
use crate::prelude::*;

const CONDITIONS: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html";
const OPERATORS: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html";
const PUT: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html";
const OLDER: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.Expected.html";
const FAILED: &str = "ConditionalCheckFailedException";

async fn table(aws: &Aws) -> Result<Table> {
    let table = aws.table("conditional", json!({})).await?;
    aws.put(
        &table,
        json!({
            "pk": s("a"), "num": n(5), "txt": s("hello"), "elems": {"L": [n(1), s("x")]},
            "tags": {"SS": ["p", "q"]}, "doc": {"M": {"in1": n(1)}}, "null1": {"NULL": true},
        }),
    )
    .await?;
    Ok(table)
}

/// Updates under a condition.
async fn check(aws: &Aws, table: &Table, condition: &str, values: &Value) -> Result<Reply> {
    let mut input = json!({
        "Key": {"pk": s("a")}, "ConditionExpression": condition, "UpdateExpression": "SET seen = num",
    });
    if !values.is_null() {
        input["ExpressionAttributeValues"] = values.clone();
    }
    aws.on(table, "UpdateItem", input).await
}

/// Holds when each condition is met, or none is.
async fn met(aws: &Aws, whether: bool, conditions: &[(&str, Value)]) -> Result {
    let table = table(aws).await?;
    for (condition, values) in conditions {
        let reply = check(aws, &table, condition, values).await?;
        if whether {
            ensure_eq!(reply.status, 200, "{condition}: {}", reply.message());
        } else {
            ensure_eq!(reply.code(), FAILED, "{condition}: {}", reply.message());
        }
    }
    Ok(())
}

checks! {
    CONDITIONS => async fn a_put_may_ask_that_nothing_be_there(aws: Aws) {
        let table = aws.table("once", json!({})).await?;
        let input = json!({
            "Item": {"pk": s("a")}, "ConditionExpression": "attribute_not_exists(pk)",
        });
        aws.on(&table, "PutItem", input.clone()).await?.ok()?;
        let again = aws.on(&table, "PutItem", input).await?;
        again.refused_saying(400, FAILED, "The conditional request failed")
    }

    PUT => async fn the_item_that_failed_a_condition_is_given_when_asked_for(aws: Aws) {
        let table = table(&aws).await?;
        let input = |more: Value| with(json!({
            "Item": {"pk": s("a")}, "ConditionExpression": "attribute_not_exists(pk)",
        }), more);
        let reply = aws.on(&table, "PutItem", input(json!({}))).await?;
        ensure!(reply.body.get("Item").is_none(), "{}", reply.body);
        let asked = json!({"ReturnValuesOnConditionCheckFailure": "ALL_OLD"});
        let reply = aws.on(&table, "PutItem", input(asked)).await?;
        reply.refused(400, FAILED)?;
        ensure_eq!(reply.body["Item"]["num"], n(5));
        Ok(())
    }

    CONDITIONS => async fn a_write_that_failed_its_condition_leaves_nothing(aws: Aws) {
        let table = aws.table("untouched", json!({})).await?;
        let input = json!({
            "Key": {"pk": s("a")},
            "UpdateExpression": "SET v = :v",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {":v": n(1)},
        });
        aws.on(&table, "UpdateItem", input).await?.refused(400, FAILED)?;
        ensure_eq!(aws.get(&table, json!({"pk": s("a")})).await?, Value::Null);
        Ok(())
    }

    OPERATORS => async fn comparators_compare_values_of_one_type(aws: Aws) {
        met(&aws, true, &[
            ("num = :v", json!({":v": {"N": "5.0"}})),
            ("num <> :v", json!({":v": s("5")})),
            ("num < :v", json!({":v": n(10)})),
            ("num >= :v", json!({":v": n(5)})),
            ("txt > :v", json!({":v": s("he")})),
            ("elems = :v", json!({":v": {"L": [n(1), s("x")]}})),
            ("tags = :v", json!({":v": {"SS": ["q", "p"]}})),
        ]).await?;
        met(&aws, false, &[
            ("num = :v", json!({":v": s("5")})),
            ("num < :v", json!({":v": s("9")})),
            ("nothing <= :v", json!({":v": n(5)})),
            ("nothing = :v", json!({":v": n(5)})),
        ]).await
    }

    OPERATORS => async fn between_and_in_hold_their_ends_and_members(aws: Aws) {
        met(&aws, true, &[
            ("num BETWEEN :a AND :b", json!({":a": n(5), ":b": n(6)})),
            ("num BETWEEN :a AND :b", json!({":a": n(4), ":b": n(5)})),
            ("num IN (:a, :b)", json!({":a": n(1), ":b": n(5)})),
        ]).await?;
        met(&aws, false, &[
            ("num BETWEEN :a AND :b", json!({":a": n(6), ":b": n(9)})),
            ("num IN (:a)", json!({":a": s("5")})),
        ]).await
    }

    OPERATORS => async fn the_functions_look_at_presence_type_and_contents(aws: Aws) {
        met(&aws, true, &[
            ("attribute_exists(doc.in1) AND attribute_not_exists(doc.out1)", Value::Null),
            ("attribute_exists(null1)", Value::Null),
            ("attribute_type(tags, :v)", json!({":v": s("SS")})),
            ("begins_with(txt, :v)", json!({":v": s("he")})),
            ("contains(txt, :v)", json!({":v": s("ell")})),
            ("contains(tags, :v)", json!({":v": s("p")})),
            ("contains(elems, :v)", json!({":v": n(1)})),
            ("size(txt) = :v AND size(elems) < :v", json!({":v": n(5)})),
        ]).await?;
        met(&aws, false, &[
            ("begins_with(num, :v)", json!({":v": s("5")})),
            ("contains(tags, :v)", json!({":v": s("pq")})),
            ("size(num) > :v", json!({":v": n(0)})),
            ("size(nothing) > :v", json!({":v": n(0)})),
        ]).await
    }

    OPERATORS => async fn not_binds_before_and_and_and_before_or(aws: Aws) {
        let values = || json!({":five": n(5), ":six": n(6)});
        met(&aws, true, &[
            ("num = :five OR num = :six AND num = :six", values()),
            ("NOT num = :six AND num = :five", values()),
            ("NOT (num = :six OR num = :six) AND num = :five", values()),
        ]).await?;
        met(&aws, false, &[("(num = :five OR num = :six) AND num = :six", values())]).await
    }

    OPERATORS => async fn what_is_wrong_with_a_condition_is_told(aws: Aws) {
        let table = table(&aws).await?;
        for (condition, values, words) in [
            ("", Value::Null, "Invalid ConditionExpression: The expression can not be empty;"),
            (
                "num = = :v",
                json!({":v": n(1)}),
                "Invalid ConditionExpression: Syntax error; token: \"=\", near: \"= = :v\"",
            ),
            (
                "((attribute_exists(pk)))",
                Value::Null,
                "Invalid ConditionExpression: The expression has redundant parentheses;",
            ),
            (
                "same(num, :v)",
                json!({":v": n(1)}),
                "Invalid ConditionExpression: Invalid function name; function: same",
            ),
            (
                "begins_with(num)",
                Value::Null,
                "Invalid ConditionExpression: Incorrect number of operands for operator or \
                 function; operator or function: begins_with, number of operands: 1",
            ),
            (
                "begins_with(num, :v)",
                json!({":v": n(1)}),
                "Invalid ConditionExpression: Incorrect operand type for operator or function; \
                 operator or function: begins_with, operand type: N",
            ),
            (
                "num BETWEEN :a AND :b",
                json!({":a": n(2), ":b": n(1)}),
                "The BETWEEN operator requires upper bound to be greater than or equal to lower \
                 bound;",
            ),
            (
                "attribute_type(num, :v)",
                json!({":v": s("number")}),
                "Invalid ConditionExpression: Invalid attribute type name found; type: number, \
                 valid types: {",
            ),
            (
                "#n = :v",
                json!({":v": n(1)}),
                "Invalid ConditionExpression: An expression attribute name used in the document \
                 path is not defined; attribute name: #n",
            ),
        ] {
            let reply = check(&aws, &table, condition, &values).await?;
            reply.refused_saying(400, INVALID, words)?;
        }
        Ok(())
    }

    OLDER => async fn the_older_conditions_hold_too(aws: Aws) {
        let table = table(&aws).await?;
        let put = |expected: Value| {
            let input = json!({"Item": {"pk": s("a"), "num": n(5)}, "Expected": expected});
            aws.on(&table, "PutItem", input)
        };
        put(json!({"num": {"Value": n(5)}})).await?.ok()?;
        put(json!({"other": {"Exists": false}})).await?.ok()?;
        let ge = |value| json!({"num": {"ComparisonOperator": "GE", "AttributeValueList": [n(value)]}});
        put(ge(5)).await?.ok()?;
        put(ge(6)).await?.refused(400, FAILED)?;
        put(json!({"num": {"Exists": false}})).await?.refused(400, FAILED)
    }
}
