//! Putting, getting and deleting one item.

use super::data::{INVALID, n, s};
use crate::prelude::*;

const PUT: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html";
const GET: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html";
const DELETE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html";
const CONSTRAINTS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html";
const CAPACITY: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html";
const PATHS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.Attributes.html";

fn key() -> Value {
    json!({"pk": s("a")})
}

checks! {
    PUT => async fn every_type_comes_back_as_it_was_put(aws: Aws) {
        let table = aws.table("types", json!({})).await?;
        let item = json!({
            "pk": s("a"),
            "text": s(""), "number": {"N": "-1.5"}, "bytes": {"B": "AQID"},
            "yes": {"BOOL": true}, "no": {"BOOL": false}, "nothing": {"NULL": true},
            "texts": {"SS": ["a", "b"]}, "numbers": {"NS": ["1", "2"]},
            "bytess": {"BS": ["AQ==", "Ag=="]},
            "list": {"L": [s("x"), {"L": []}, {"M": {}}]},
            "map": {"M": {"deep": {"M": {"er": n(1)}}}},
        });
        aws.put(&table, item.clone()).await?;
        ensure_eq!(aws.get(&table, key()).await?, item);
        Ok(())
    }

    PUT => async fn a_put_replaces_the_whole_item(aws: Aws) {
        let table = aws.table("replaced", json!({})).await?;
        aws.put(&table, json!({"pk": s("a"), "old": n(1)})).await?;
        aws.put(&table, json!({"pk": s("a"), "new": n(2)})).await?;
        let item = aws.get(&table, key()).await?;
        ensure_eq!(item, json!({"pk": s("a"), "new": n(2)}));
        Ok(())
    }

    PUT => async fn the_old_item_is_given_back_when_asked_for(aws: Aws) {
        let table = aws.table("old", json!({})).await?;
        let input = |value| json!({
            "Item": {"pk": s("a"), "v": n(value)}, "ReturnValues": "ALL_OLD",
        });
        let first = aws.on(&table, "PutItem", input(1)).await?.ok()?;
        ensure!(first.get("Attributes").is_none(), "{first}");
        let second = aws.on(&table, "PutItem", input(2)).await?.ok()?;
        ensure_eq!(second["Attributes"], json!({"pk": s("a"), "v": n(1)}));
        Ok(())
    }

    PUT => async fn new_values_cannot_be_asked_of_a_put(aws: Aws) {
        let table = aws.table("new", json!({})).await?;
        let input = json!({"Item": {"pk": s("a")}, "ReturnValues": "ALL_NEW"});
        let reply = aws.on(&table, "PutItem", input).await?;
        reply.refused_saying(400, INVALID, "ReturnValues can only be ALL_OLD or NONE")
    }

    PUT => async fn an_item_without_its_key_is_refused(aws: Aws) {
        let table = aws.table("keyless", json!({})).await?;
        let reply = aws.on(&table, "PutItem", json!({"Item": {"v": n(1)}})).await?;
        reply.refused_saying(
            400,
            INVALID,
            "One or more parameter values were invalid: Missing the key pk in the item",
        )
    }

    PUT => async fn a_key_of_another_type_is_refused(aws: Aws) {
        let table = aws.table("typed", json!({})).await?;
        let reply = aws.on(&table, "PutItem", json!({"Item": {"pk": n(1)}})).await?;
        reply.refused_saying(
            400,
            INVALID,
            "One or more parameter values were invalid: Type mismatch for key pk expected: S \
             actual: N",
        )
    }

    CONSTRAINTS => async fn a_key_is_not_empty(aws: Aws) {
        let table = aws.table("empty", json!({})).await?;
        let words = "The AttributeValue for a key attribute cannot contain an empty string value. \
                     Key: pk";
        let reply = aws.on(&table, "PutItem", json!({"Item": {"pk": s("")}})).await?;
        reply.refused_saying(400, INVALID, words)?;
        let reply = aws.on(&table, "GetItem", json!({"Key": {"pk": s("")}})).await?;
        reply.refused_saying(400, INVALID, words)
    }

    CONSTRAINTS => async fn a_partition_key_has_2048_bytes_at_most(aws: Aws) {
        let table = aws.table("long", json!({})).await?;
        aws.put(&table, json!({"pk": s(&"a".repeat(2048))})).await?;
        let input = json!({"Item": {"pk": s(&"a".repeat(2049))}});
        aws.on(&table, "PutItem", input).await?.refused_saying(
            400,
            INVALID,
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        )
    }

    CONSTRAINTS => async fn an_item_has_400_kb_at_most_names_and_all(aws: Aws) {
        let table = aws.table("large", json!({})).await?;
        // `pk`, `a`, `v`: four bytes beside the value.
        let room = 400 * 1024 - 4;
        aws.put(&table, json!({"pk": s("a"), "v": s(&"x".repeat(room))})).await?;
        let input = json!({"Item": {"pk": s("a"), "v": s(&"x".repeat(room + 1))}});
        let reply = aws.on(&table, "PutItem", input).await?;
        reply.refused_saying(400, INVALID, "Item size has exceeded the maximum allowed size")
    }

    CONSTRAINTS => async fn numbers_are_normalised_and_keep_38_digits(aws: Aws) {
        let table = aws.table("numbers", json!({})).await?;
        let digits = "12345678901234567890123456789012345678";
        let item = json!({
            "pk": s("a"), "padded": {"N": "0001.50"}, "zero": {"N": "-0"},
            "power": {"N": "1e3"}, "long": {"N": digits},
        });
        aws.put(&table, item).await?;
        let item = aws.get(&table, key()).await?;
        for (name, number) in [("padded", "1.5"), ("zero", "0"), ("power", "1000"), ("long", digits)] {
            ensure_eq!(item[name]["N"], number, "{name}");
        }
        Ok(())
    }

    CONSTRAINTS => async fn equal_numbers_are_one_key_however_they_are_written(aws: Aws) {
        let table = aws.sorted("equal").await?;
        aws.put(&table, json!({"pk": s("a"), "sk": {"N": "1.0"}, "v": n(1)})).await?;
        aws.put(&table, json!({"pk": s("a"), "sk": {"N": "10e-1"}, "v": n(2)})).await?;
        let found = aws.query(&table, json!({})).await?;
        ensure_eq!(found["Count"], 1);
        ensure_eq!(found["Items"][0]["v"], n(2));
        Ok(())
    }

    GET => async fn an_item_that_is_not_there_is_no_error(aws: Aws) {
        let table = aws.table("absent", json!({})).await?;
        let reply = aws.on(&table, "GetItem", json!({"Key": key()})).await?.ok()?;
        ensure_eq!(reply, json!({}));
        Ok(())
    }

    GET => async fn a_key_must_be_the_tables_whole_and_no_more(aws: Aws) {
        let table = aws.sorted("schema").await?;
        let more = json!({"pk": s("a"), "sk": n(1), "v": n(1)});
        for given in [json!({"pk": s("a")}), json!({"pk": s("a"), "x": n(1)}), more] {
            let reply = aws.on(&table, "GetItem", json!({"Key": given})).await?;
            reply.refused_saying(
                400,
                INVALID,
                "The provided key element does not match the schema",
            )?;
        }
        Ok(())
    }

    GET => async fn a_table_that_is_not_there_is_not_found(aws: Aws) {
        for (operation, input) in [
            ("GetItem", json!({"Key": key()})),
            ("PutItem", json!({"Item": key()})),
            ("DeleteItem", json!({"Key": key()})),
            ("UpdateItem", json!({"Key": key()})),
            ("Scan", json!({})),
        ] {
            let input = with(json!({"TableName": aws.name("missing")}), input);
            aws.dynamo(operation, input).await?.refused_saying(
                400,
                "ResourceNotFoundException",
                "Requested resource not found",
            )?;
        }
        Ok(())
    }

    GET => async fn a_table_may_be_named_by_its_arn(aws: Aws) {
        let table = aws.table("named", json!({})).await?;
        aws.put(&table, json!({"pk": s("a"), "v": n(1)})).await?;
        let input = json!({"TableName": table.arn, "Key": key()});
        let reply = aws.dynamo("GetItem", input).await?.ok()?;
        ensure_eq!(reply["Item"]["v"], n(1));
        Ok(())
    }

    PATHS => async fn a_projection_gives_what_it_names_and_keeps_the_structure(aws: Aws) {
        let table = aws.table("projected", json!({})).await?;
        aws.put(&table, json!({
            "pk": s("a"), "m": {"M": {"x": n(1), "y": n(2)}}, "l": {"L": [n(1), n(2), n(3)]},
        })).await?;
        let input = json!({
            "Key": key(),
            "ProjectionExpression": "#m.x, l[2], l[0], nothing",
            "ExpressionAttributeNames": {"#m": "m"},
        });
        let reply = aws.on(&table, "GetItem", input).await?.ok()?;
        ensure_eq!(reply["Item"], json!({"m": {"M": {"x": n(1)}}, "l": {"L": [n(1), n(3)]}}));
        Ok(())
    }

    PATHS => async fn paths_that_overlap_are_refused(aws: Aws) {
        let table = aws.table("overlap", json!({})).await?;
        let input = json!({"Key": key(), "ProjectionExpression": "m, m.x"});
        let reply = aws.on(&table, "GetItem", input).await?;
        reply.refused_saying(
            400,
            INVALID,
            "Invalid ProjectionExpression: Two document paths overlap with each other; must remove \
             or rewrite one of these paths;",
        )
    }

    CAPACITY => async fn a_read_costs_a_unit_per_4_kb_and_half_when_it_may_be_stale(aws: Aws) {
        let table = aws.table("read-units", json!({})).await?;
        aws.put(&table, json!({"pk": s("a"), "v": s(&"x".repeat(5000))})).await?;
        for (consistent, units) in [(true, 2.0), (false, 1.0)] {
            let input = json!({
                "Key": key(), "ConsistentRead": consistent, "ReturnConsumedCapacity": "TOTAL",
            });
            let reply = aws.on(&table, "GetItem", input).await?.ok()?;
            ensure_eq!(reply["ConsumedCapacity"]["CapacityUnits"].as_f64(), Some(units));
            ensure_eq!(reply["ConsumedCapacity"]["TableName"], table.name.as_str());
        }
        Ok(())
    }

    CAPACITY => async fn a_write_costs_a_unit_per_kb_of_the_larger_item(aws: Aws) {
        let table = aws.table("write-units", json!({})).await?;
        for (length, units) in [(1500, 2.0), (10, 2.0), (10, 1.0)] {
            let input = json!({
                "Item": {"pk": s("a"), "v": s(&"x".repeat(length))},
                "ReturnConsumedCapacity": "TOTAL",
            });
            let reply = aws.on(&table, "PutItem", input).await?.ok()?;
            ensure_eq!(reply["ConsumedCapacity"]["CapacityUnits"].as_f64(), Some(units));
        }
        Ok(())
    }

    DELETE => async fn a_deletion_may_be_repeated(aws: Aws) {
        let table = aws.table("deleted", json!({})).await?;
        aws.put(&table, json!({"pk": s("a"), "v": n(1)})).await?;
        let input = json!({"Key": key(), "ReturnValues": "ALL_OLD"});
        let first = aws.on(&table, "DeleteItem", input.clone()).await?.ok()?;
        ensure_eq!(first["Attributes"]["v"], n(1));
        let second = aws.on(&table, "DeleteItem", input).await?.ok()?;
        ensure_eq!(second, json!({}));
        ensure_eq!(aws.get(&table, key()).await?, Value::Null);
        Ok(())
    }
}
