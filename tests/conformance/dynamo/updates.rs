//! `UpdateItem` and its expressions.

use super::data::{INVALID, n, s};
use crate::prelude::*;

const UPDATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html";
const EXPRESSIONS: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html";
const RESERVED: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html";

/// What the item is after an update of it.
async fn after(aws: &Aws, item: Value, expression: &str, values: Value) -> Result<Value> {
    let table = aws.table("updated", json!({})).await?;
    aws.put(&table, with(json!({"pk": s("a")}), item)).await?;
    aws.update(&table, expression, values).await?.ok()?;
    aws.get(&table, json!({"pk": s("a")})).await
}

async fn refused(aws: &Aws, expression: &str, values: Value, words: &str) -> Result {
    let table = aws.table("kept", json!({})).await?;
    let item = json!({"pk": s("a"), "txt": s("x"), "elems": {"L": []}});
    aws.put(&table, item.clone()).await?;
    let reply = aws.update(&table, expression, values).await?;
    reply.refused_saying(400, INVALID, words)?;
    ensure_eq!(
        aws.get(&table, json!({"pk": s("a")})).await?,
        item,
        "after {expression}"
    );
    Ok(())
}

checks! {
    UPDATE => async fn an_item_that_is_not_there_is_made(aws: Aws) {
        let table = aws.table("made", json!({})).await?;
        aws.update(&table, "SET v = :v", json!({":v": n(1)})).await?.ok()?;
        let item = aws.get(&table, json!({"pk": s("a")})).await?;
        ensure_eq!(item, json!({"pk": s("a"), "v": n(1)}));
        Ok(())
    }

    UPDATE => async fn without_an_expression_the_key_alone_is_made(aws: Aws) {
        let table = aws.table("bare", json!({})).await?;
        aws.on(&table, "UpdateItem", json!({"Key": {"pk": s("a")}})).await?.ok()?;
        ensure_eq!(aws.get(&table, json!({"pk": s("a")})).await?, json!({"pk": s("a")}));
        Ok(())
    }

    EXPRESSIONS => async fn every_clause_sees_the_item_as_it_was(aws: Aws) {
        let expression = "SET a = b, b = a REMOVE c ADD d :one";
        let item = json!({"a": n(1), "b": n(2), "c": n(3), "d": n(4)});
        let item = after(&aws, item, expression, json!({":one": n(1)})).await?;
        ensure_eq!(item, json!({"pk": s("a"), "a": n(2), "b": n(1), "d": n(5)}));
        Ok(())
    }

    EXPRESSIONS => async fn a_number_is_counted_up_and_down_and_may_begin(aws: Aws) {
        let expression = "SET a = a + :by, b = :by - b, c = if_not_exists(c, :by) + :by ADD e :by";
        let values = json!({":by": n(10)});
        let item = after(&aws, json!({"a": n(1), "b": n(1)}), expression, values).await?;
        ensure_eq!(item, json!({"pk": s("a"), "a": n(11), "b": n(9), "c": n(20), "e": n(10)}));
        Ok(())
    }

    EXPRESSIONS => async fn sets_grow_and_shrink_and_go_when_they_are_empty(aws: Aws) {
        let item = json!({"more": {"SS": ["a"]}, "fewer": {"SS": ["a", "b"]}, "gone": {"SS": ["a"]}});
        let values = json!({":b": {"SS": ["b"]}, ":a": {"SS": ["a"]}});
        let item = after(&aws, item, "ADD more :b DELETE fewer :b, gone :a", values).await?;
        ensure_eq!(
            item,
            json!({"pk": s("a"), "more": {"SS": ["a", "b"]}, "fewer": {"SS": ["a"]}})
        );
        Ok(())
    }

    EXPRESSIONS => async fn lists_are_joined_and_set_past_their_end_grow_by_one(aws: Aws) {
        let item = json!({"l": {"L": [n(1)]}, "m": {"L": [n(1)]}});
        let expression = "SET l = list_append(:new, l), m[7] = :two";
        let values = json!({":new": {"L": [n(0)]}, ":two": n(2)});
        let item = after(&aws, item, expression, values).await?;
        ensure_eq!(
            item,
            json!({"pk": s("a"), "l": {"L": [n(0), n(1)]}, "m": {"L": [n(1), n(2)]}})
        );
        Ok(())
    }

    EXPRESSIONS => async fn an_element_taken_out_moves_the_rest_up(aws: Aws) {
        let item = json!({"l": {"L": [n(0), n(1), n(2), n(3)]}});
        let item = after(&aws, item, "REMOVE l[0], l[2]", Value::Null).await?;
        ensure_eq!(item["l"], json!({"L": [n(1), n(3)]}));
        Ok(())
    }

    EXPRESSIONS => async fn what_is_inside_a_map_is_set_alone(aws: Aws) {
        let item = json!({"m": {"M": {"x": n(1), "y": n(2)}}});
        let item = after(&aws, item, "SET m.x = :v REMOVE m.y", json!({":v": s("new")})).await?;
        ensure_eq!(item["m"], json!({"M": {"x": s("new")}}));
        Ok(())
    }

    UPDATE => async fn old_and_new_values_are_given_as_asked(aws: Aws) {
        for (which, given) in [
            ("ALL_OLD", json!({"pk": s("a"), "v": n(1), "w": n(1)})),
            ("UPDATED_OLD", json!({"v": n(1)})),
            ("ALL_NEW", json!({"pk": s("a"), "v": n(2), "w": n(1)})),
            ("UPDATED_NEW", json!({"v": n(2)})),
            ("NONE", Value::Null),
        ] {
            let table = aws.table("returned", json!({})).await?;
            aws.put(&table, json!({"pk": s("a"), "v": n(1), "w": n(1)})).await?;
            let input = json!({
                "Key": {"pk": s("a")},
                "UpdateExpression": "SET v = :v",
                "ExpressionAttributeValues": {":v": n(2)},
                "ReturnValues": which,
            });
            let reply = aws.on(&table, "UpdateItem", input).await?.ok()?;
            ensure_eq!(reply["Attributes"], given, "{which}");
        }
        Ok(())
    }

    UPDATE => async fn a_key_is_not_updated(aws: Aws) {
        let words = "One or more parameter values were invalid: Cannot update attribute pk. This \
                     attribute is part of the key";
        refused(&aws, "SET pk = :v", json!({":v": s("b")}), words).await
    }

    EXPRESSIONS => async fn a_path_through_what_is_not_there_is_refused(aws: Aws) {
        let words = "The document path provided in the update expression is invalid for update";
        refused(&aws, "SET m.x = :v", json!({":v": n(1)}), words).await
    }

    EXPRESSIONS => async fn only_numbers_are_counted(aws: Aws) {
        let words = "An operand in the update expression has an incorrect data type";
        refused(&aws, "SET txt = txt + :v", json!({":v": n(1)}), words).await?;
        refused(&aws, "ADD txt :v", json!({":v": n(1)}), words).await
    }

    EXPRESSIONS => async fn an_attribute_that_is_not_there_cannot_be_read(aws: Aws) {
        let words = "The provided expression refers to an attribute that does not exist in the item";
        refused(&aws, "SET v = nothing + :v", json!({":v": n(1)}), words).await
    }

    EXPRESSIONS => async fn two_clauses_may_not_touch_one_path(aws: Aws) {
        let words = "Invalid UpdateExpression: Two document paths overlap with each other; must \
                     remove or rewrite one of these paths; path one: [v], path two: [v]";
        refused(&aws, "SET v = :v REMOVE v", json!({":v": n(1)}), words).await
    }

    EXPRESSIONS => async fn a_clause_comes_once(aws: Aws) {
        let words = "Invalid UpdateExpression: The \"SET\" section can only be used once in an \
                     update expression;";
        refused(&aws, "SET v = :v SET w = :v", json!({":v": n(1)}), words).await
    }

    EXPRESSIONS => async fn what_is_no_expression_is_refused_with_its_token(aws: Aws) {
        let words = "Invalid UpdateExpression: Syntax error; token: \"PUT\", near: \"PUT v\"";
        refused(&aws, "PUT v = :v", json!({":v": n(1)}), words).await?;
        let words = "Invalid UpdateExpression: The expression can not be empty;";
        refused(&aws, "", Value::Null, words).await
    }

    EXPRESSIONS => async fn a_value_must_be_given_and_used(aws: Aws) {
        let words = "Invalid UpdateExpression: An expression attribute value used in expression is \
                     not defined; attribute value: :v";
        refused(&aws, "SET v = :v", Value::Null, words).await?;
        let words = "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}";
        refused(&aws, "SET v = :v", json!({":v": n(1), ":w": n(1)}), words).await
    }

    RESERVED => async fn a_reserved_word_needs_a_placeholder(aws: Aws) {
        let words = "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved \
                     keyword: status";
        refused(&aws, "SET status = :v", json!({":v": n(1)}), words).await
    }
}
