//! `Scan`: pages, segments, filters.

use super::data::{INVALID, n, s, sort_keys};
use crate::prelude::*;
use std::collections::BTreeSet;

const SCAN: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html";
const SEGMENTS: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html";

async fn spread(aws: &Aws, base: &str, count: i64) -> Result<Table> {
    let table = aws.table(base, json!({})).await?;
    for number in 0..count {
        aws.put(
            &table,
            json!({"pk": s(&format!("k{number}")), "n": n(number)}),
        )
        .await?;
    }
    Ok(table)
}

async fn refused(aws: &Aws, input: Value, words: &str) -> Result {
    let table = aws.table("unread", json!({})).await?;
    aws.on(&table, "Scan", input)
        .await?
        .refused_saying(400, INVALID, words)
}

checks! {
    SCAN => async fn every_item_is_read_once_whatever_the_page(aws: Aws) {
        let table = spread(&aws, "read", 7).await?;
        let (mut keys, mut pages, mut start) = (BTreeSet::new(), 0, Value::Null);
        loop {
            let mut input = json!({"Limit": 3});
            if !start.is_null() {
                input["ExclusiveStartKey"] = start;
            }
            let page = aws.on(&table, "Scan", input).await?.ok()?;
            for item in page.list_at("/Items") {
                let key = item.text_at("/pk/S")?.to_owned();
                ensure!(keys.insert(key), "twice: {item}");
            }
            pages += 1;
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() || pages > 7 {
                break;
            }
        }
        ensure_eq!((keys.len(), pages), (7, 3));
        Ok(())
    }

    SCAN => async fn items_of_a_partition_come_in_order(aws: Aws) {
        let table = aws.filled("scanned", 3).await?;
        let page = aws.on(&table, "Scan", json!({})).await?.ok()?;
        ensure_eq!(sort_keys(&page), ["1", "2", "3"]);
        Ok(())
    }

    SEGMENTS => async fn segments_share_the_items_between_them(aws: Aws) {
        let table = spread(&aws, "shared", 20).await?;
        let mut keys = BTreeSet::new();
        for segment in 0..3 {
            let input = json!({"Segment": segment, "TotalSegments": 3});
            let page = aws.on(&table, "Scan", input).await?.ok()?;
            for item in page.list_at("/Items") {
                let key = item.text_at("/pk/S")?.to_owned();
                ensure!(keys.insert(key), "in two segments: {item}");
            }
        }
        ensure_eq!(keys.len(), 20);
        Ok(())
    }

    SEGMENTS => async fn a_segment_is_one_of_the_total(aws: Aws) {
        let words = "The Segment parameter is zero-based and must be less than parameter \
                     TotalSegments";
        refused(&aws, json!({"Segment": 3, "TotalSegments": 3}), words).await
    }

    SEGMENTS => async fn segment_and_total_go_together(aws: Aws) {
        let words = "The TotalSegments parameter is required but was not present in the request \
                     when Segment parameter is present";
        refused(&aws, json!({"Segment": 0}), words).await?;
        let words = "The Segment parameter is required but was not present in the request when \
                     parameter TotalSegments is present";
        refused(&aws, json!({"TotalSegments": 2}), words).await
    }

    SCAN => async fn a_filter_may_look_at_the_key_and_counts_what_was_read(aws: Aws) {
        let table = spread(&aws, "filtered", 4).await?;
        let input = json!({
            "FilterExpression": "pk = :pk AND n = :n",
            "ExpressionAttributeValues": {":pk": s("k2"), ":n": n(2)},
        });
        let page = aws.on(&table, "Scan", input).await?.ok()?;
        ensure_eq!((&page["Count"], &page["ScannedCount"]), (&json!(1), &json!(4)));
        Ok(())
    }

    SCAN => async fn an_empty_table_gives_an_empty_page(aws: Aws) {
        let table = aws.table("empty", json!({})).await?;
        let page = aws.on(&table, "Scan", json!({})).await?.ok()?;
        ensure_eq!(page, json!({"Items": [], "Count": 0, "ScannedCount": 0}));
        Ok(())
    }

    SCAN => async fn specific_attributes_must_be_named(aws: Aws) {
        let words = "Must specify the AttributesToGet or ProjectionExpression when choosing to get \
                     SPECIFIC_ATTRIBUTES";
        refused(&aws, json!({"Select": "SPECIFIC_ATTRIBUTES"}), words).await
    }

    SCAN => async fn the_older_filter_works_too(aws: Aws) {
        let table = spread(&aws, "older", 4).await?;
        let input = json!({"ScanFilter": {
            "n": {"ComparisonOperator": "GT", "AttributeValueList": [n(1)]},
        }});
        let page = aws.on(&table, "Scan", input).await?.ok()?;
        ensure_eq!(page["Count"], 2);
        Ok(())
    }

    SCAN => async fn names_that_are_not_used_are_refused(aws: Aws) {
        let input = json!({
            "FilterExpression": "attribute_exists(n)", "ExpressionAttributeNames": {"#x": "x"},
        });
        let words = "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}";
        refused(&aws, input, words).await
    }
}
