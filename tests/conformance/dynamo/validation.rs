//! Types and bounds of members, before any table is looked for. The words are AWS's.

use super::data::{INVALID, s};
use crate::prelude::*;

const PUT: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html";
const GET: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html";
const SCAN: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html";
const VALUE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html";
const CREATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html";
const BATCH_WRITE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html";
const BATCH_GET: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html";
const TRANSACT_WRITE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html";
const CONSTRAINTS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html";
const TYPES: &str = "SerializationException";

/// Puts an item with this value to a table that is not there: what is wrong with the value comes
/// first.
async fn value(aws: &Aws, value: Value) -> Result<Reply> {
    let item = json!({"pk": s("a"), "v": value});
    let input = json!({"TableName": aws.name("missing"), "Item": item});
    aws.dynamo("PutItem", input).await
}

async fn misfit(aws: &Aws, operation: &str, input: Value, words: &str) -> Result {
    let reply = aws.dynamo(operation, input).await?;
    reply.refused(400, TYPES)?;
    ensure_eq!(reply.message(), words);
    Ok(())
}

checks! {
    GET => async fn a_scalar_where_a_string_is_wanted_is_named_by_how_it_is_written(aws: Aws) {
        for (given, is) in [
            (json!(23), "NUMBER_VALUE"),
            (json!(34.56), "DECIMAL_VALUE"),
            (json!(true), "TRUE_VALUE"),
            (json!(false), "FALSE_VALUE"),
        ] {
            let words = format!("{is} cannot be converted to String");
            misfit(&aws, "GetItem", json!({"TableName": given}), &words).await?;
        }
        Ok(())
    }

    GET => async fn a_collection_where_a_string_is_wanted_is_refused(aws: Aws) {
        let list = "Unrecognized collection type class java.lang.String";
        misfit(&aws, "GetItem", json!({"TableName": []}), list).await?;
        let map = "Start of structure or map found where not expected";
        misfit(&aws, "GetItem", json!({"TableName": {}}), map).await
    }

    SCAN => async fn a_string_where_a_number_is_wanted_is_refused(aws: Aws) {
        let words = "STRING_VALUE cannot be converted to Integer";
        misfit(&aws, "Scan", json!({"TableName": "abc", "Limit": "5"}), words).await
    }

    CREATE => async fn a_boolean_where_a_long_is_wanted_is_refused(aws: Aws) {
        let input = json!({"ProvisionedThroughput": {"ReadCapacityUnits": true}});
        misfit(&aws, "CreateTable", input, "TRUE_VALUE cannot be converted to Long").await
    }

    GET => async fn words_for_booleans_are_taken_and_others_are_not(aws: Aws) {
        let table = aws.table("words", json!({})).await?;
        let input = |flag: &str| json!({
            "TableName": table.name, "Key": {"pk": s("a")}, "ConsistentRead": flag,
        });
        for word in ["true", "No", "1"] {
            aws.dynamo("GetItem", input(word)).await?.ok()?;
        }
        let words = "Unexpected token received from parser";
        misfit(&aws, "GetItem", input("maybe"), words).await
    }

    PUT => async fn a_list_where_a_map_is_wanted_is_named_with_the_maps_type(aws: Aws) {
        let words = "Unrecognized collection type java.util.Map<java.lang.String, \
                     com.amazonaws.dynamodb.v20120810.AttributeValue>";
        misfit(&aws, "PutItem", json!({"Item": []}), words).await?;
        misfit(&aws, "PutItem", json!({"Item": "a"}), "Unexpected field type").await
    }

    PUT => async fn an_attribute_that_is_no_structure_is_refused(aws: Aws) {
        let words = "Unexpected value type in payload";
        misfit(&aws, "PutItem", json!({"Item": {"pk": "a"}}), words).await?;
        let words = "Unrecognized collection type class \
                     com.amazonaws.dynamodb.v20120810.AttributeValue";
        misfit(&aws, "PutItem", json!({"Item": {"pk": ["a"]}}), words).await
    }

    VALUE => async fn a_number_must_be_sent_as_a_string_at_any_depth(aws: Aws) {
        let words = "NUMBER_VALUE cannot be converted to String";
        let nested = json!({"Item": {"a": {"M": {"b": {"L": [{"N": 5}]}}}}});
        misfit(&aws, "PutItem", nested, words).await?;
        misfit(&aws, "PutItem", json!({"Item": {"a": {"NS": [5]}}}), words).await
    }

    VALUE => async fn a_binary_must_be_base64_of_whole_groups(aws: Aws) {
        let words = "Base64 encoded length is expected a multiple of 4 bytes but found: 5";
        misfit(&aws, "PutItem", json!({"Item": {"a": {"B": "23456"}}}), words).await?;
        let words = "only base-64-encoded strings are convertible to bytes";
        misfit(&aws, "PutItem", json!({"Item": {"a": {"B": 5}}}), words).await
    }

    BATCH_WRITE => async fn writes_that_are_no_list_or_hold_no_structures_are_refused(aws: Aws) {
        let words = "Unrecognized collection type java.util.Map<java.lang.String, \
                     java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>";
        misfit(&aws, "BatchWriteItem", json!({"RequestItems": []}), words).await?;
        let words = "Unexpected value type in payload";
        misfit(&aws, "BatchWriteItem", json!({"RequestItems": {"abc": ["x"]}}), words).await
    }

    PUT => async fn what_is_missing_is_named_all_at_once(aws: Aws) {
        let reply = aws.dynamo("PutItem", json!({})).await?;
        reply.refused_saying(400, INVALID, "2 validation errors detected: ")?;
        for member in ["tableName", "item"] {
            let words = format!(
                "Value null at '{member}' failed to satisfy constraint: Member must not be null"
            );
            reply.refused_saying(400, INVALID, &words)?;
        }
        Ok(())
    }

    BATCH_WRITE => async fn a_missing_item_is_named_by_its_path(aws: Aws) {
        let input = json!({"RequestItems": {"abc": [{"PutRequest": {}}]}});
        aws.dynamo("BatchWriteItem", input).await?.refused_saying(
            400,
            INVALID,
            "Value null at 'requestItems.abc.member.1.member.putRequest.item' failed to satisfy \
             constraint: Member must not be null",
        )
    }

    BATCH_GET => async fn missing_keys_are_named_by_their_path(aws: Aws) {
        let input = json!({"RequestItems": {"abc": {}}});
        aws.dynamo("BatchGetItem", input).await?.refused_saying(
            400,
            INVALID,
            "Value null at 'requestItems.abc.member.keys' failed to satisfy constraint: Member \
             must not be null",
        )
    }

    TRANSACT_WRITE => async fn a_transaction_without_actions_is_refused(aws: Aws) {
        aws.dynamo("TransactWriteItems", json!({})).await?.refused_saying(
            400,
            INVALID,
            "Value null at 'transactItems' failed to satisfy constraint: Member must not be null",
        )
    }

    PUT => async fn a_table_name_of_other_characters_is_refused(aws: Aws) {
        let input = json!({"TableName": "bad table!", "Item": {"pk": s("a")}});
        aws.dynamo("PutItem", input).await?.refused_saying(
            400,
            INVALID,
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        )
    }

    PUT => async fn a_table_name_of_more_than_255_characters_is_refused(aws: Aws) {
        let input = json!({"TableName": "a".repeat(256), "Item": {"pk": s("a")}});
        let length = "Member must have length less than or equal to 255";
        aws.dynamo("PutItem", input).await?.refused_saying(400, INVALID, length)
    }

    PUT => async fn a_word_that_is_none_of_an_enumerations_is_refused_with_its_set(aws: Aws) {
        let input = json!({
            "TableName": "abc", "Item": {"pk": s("a")}, "ReturnConsumedCapacity": "SOME",
        });
        aws.dynamo("PutItem", input).await?.refused_saying(
            400,
            INVALID,
            "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
        )
    }

    CREATE => async fn a_key_type_of_an_index_is_hash_or_range(aws: Aws) {
        let input = json!({
            "TableName": aws.name("indexed"),
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "GlobalSecondaryIndexes": [{
                "IndexName": "gsi",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "FIRST"}],
                "Projection": {"ProjectionType": "ALL"},
            }],
        });
        aws.dynamo("CreateTable", input).await?.refused_saying(
            400,
            INVALID,
            "Member must satisfy enum value set: [HASH, RANGE]",
        )
    }

    VALUE => async fn a_value_without_a_type_is_refused(aws: Aws) {
        value(&aws, json!({})).await?.refused_saying(
            400,
            INVALID,
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        )
    }

    VALUE => async fn a_value_of_two_types_is_refused(aws: Aws) {
        value(&aws, json!({"S": "a", "N": "1"})).await?.refused_saying(
            400,
            INVALID,
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of \
             the supported datatypes",
        )
    }

    VALUE => async fn an_empty_set_is_refused(aws: Aws) {
        for (set, words) in [
            (json!({"SS": []}), "An string set  may not be empty"),
            (json!({"NS": []}), "An number set  may not be empty"),
            (json!({"BS": []}), "Binary sets should not be empty"),
        ] {
            value(&aws, set).await?.refused_saying(400, INVALID, words)?;
        }
        Ok(())
    }

    VALUE => async fn a_set_with_a_member_twice_is_refused(aws: Aws) {
        for set in [json!({"SS": ["a", "a"]}), json!({"NS": ["1", "1.0"]})] {
            let reply = value(&aws, set).await?;
            reply.refused_saying(400, INVALID, "Input collection")?;
            reply.refused_saying(400, INVALID, "contains duplicates")?;
        }
        Ok(())
    }

    VALUE => async fn a_number_that_is_none_is_refused(aws: Aws) {
        let words = "The parameter cannot be converted to a numeric value: abc";
        value(&aws, json!({"N": "abc"})).await?.refused_saying(400, INVALID, words)
    }

    CONSTRAINTS => async fn a_number_out_of_range_or_of_too_many_digits_is_refused(aws: Aws) {
        for (number, words) in [
            ("1e126", "Number overflow. Attempting to store a number with magnitude larger"),
            ("1e-131", "Number underflow. Attempting to store a number with magnitude smaller"),
            (
                "123456789012345678901234567890123456789",
                "Attempting to store more than 38 significant digits in a Number",
            ),
        ] {
            value(&aws, json!({"N": number})).await?.refused_saying(400, INVALID, words)?;
        }
        Ok(())
    }

    CONSTRAINTS => async fn a_value_nested_deeper_than_32_levels_is_refused(aws: Aws) {
        for levels in [33, 70, 500] {
            let value = format!(
                "{}{{\"S\":\"a\"}}{}",
                "{\"L\":[".repeat(levels),
                "]}".repeat(levels)
            );
            let body = format!(
                r#"{{"TableName":"missing","Item":{{"pk":{{"S":"a"}},"v":{value}}}}}"#
            );
            let headers = [
                ("content-type", "application/x-amz-json-1.0"),
                ("x-amz-target", "DynamoDB_20120810.PutItem"),
            ];
            let answer = aws.client().post("dynamodb", "/", &headers, body).await?;
            let reply = Reply::read("PutItem", answer)?;
            let words = "Nesting Levels have exceeded supported limits";
            reply.refused_saying(400, INVALID, words)?;
        }
        Ok(())
    }

    SCAN => async fn a_limit_below_one_is_refused(aws: Aws) {
        let words = "failed to satisfy constraint: Member must have value greater than or equal to 1";
        let input = json!({"TableName": "abc", "Limit": 0});
        aws.dynamo("Scan", input).await?.refused_saying(400, INVALID, words)
    }

    PUT => async fn expressions_and_the_older_parameters_do_not_mix(aws: Aws) {
        let input = json!({
            "TableName": "abc",
            "Item": {"pk": s("a")},
            "Expected": {"pk": {"Exists": false}},
            "ConditionExpression": "attribute_not_exists(pk)",
        });
        aws.dynamo("PutItem", input).await?.refused_saying(
            400,
            INVALID,
            "Can not use both expression and non-expression parameters in the same request: \
             Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}",
        )
    }

    PUT => async fn values_without_an_expression_are_refused(aws: Aws) {
        let input = json!({
            "TableName": "abc", "Item": {"pk": s("a")}, "ExpressionAttributeValues": {":v": s("b")},
        });
        aws.dynamo("PutItem", input).await?.refused_saying(
            400,
            INVALID,
            "ExpressionAttributeValues can only be specified when using expressions",
        )
    }
}
