//! Time to live: its configuration. AWS deletes within days, so a removal is not waited for here.

use crate::prelude::*;

const UPDATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html";
const DESCRIBE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html";
const HOW: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html";

async fn update(aws: &Aws, table: &Table, attribute: &str, enabled: bool) -> Result<Reply> {
    let input = json!({"TableName": table.name,
        "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": enabled}});
    aws.dynamo("UpdateTimeToLive", input).await
}

async fn described(aws: &Aws, table: &Table) -> Result<Value> {
    let input = json!({"TableName": table.name});
    let mut reply = aws.dynamo("DescribeTimeToLive", input).await?.ok()?;
    Ok(reply["TimeToLiveDescription"].take())
}

checks! {
    DESCRIBE => async fn it_is_disabled_at_first(aws: Aws) {
        let table = aws.table("timeless", json!({})).await?;
        ensure_eq!(described(&aws, &table).await?, json!({"TimeToLiveStatus": "DISABLED"}));
        Ok(())
    }

    UPDATE => async fn the_answer_repeats_what_was_asked_for(aws: Aws) {
        let table = aws.table("timed", json!({})).await?;
        let reply = update(&aws, &table, "expires", true).await?.ok()?;
        let expected = json!({"AttributeName": "expires", "Enabled": true});
        ensure_eq!(reply["TimeToLiveSpecification"], expected);
        let found = described(&aws, &table).await?;
        ensure_eq!(found["AttributeName"], "expires");
        let status = found.text_at("/TimeToLiveStatus")?;
        ensure!(["ENABLING", "ENABLED"].contains(&status), "it is {status}");
        Ok(())
    }

    UPDATE => async fn it_is_not_enabled_twice(aws: Aws) {
        let table = aws.table("twice", json!({})).await?;
        update(&aws, &table, "expires", true).await?.ok()?;
        for attribute in ["expires", "another"] {
            let reply = update(&aws, &table, attribute, true).await?;
            reply.refused(400, "ValidationException")?;
        }
        Ok(())
    }

    UPDATE => async fn it_is_not_disabled_where_it_is_not_enabled(aws: Aws) {
        let table = aws.table("never", json!({})).await?;
        let reply = update(&aws, &table, "expires", false).await?;
        reply.refused_saying(400, "ValidationException", "TimeToLive is already disabled")
    }

    UPDATE => async fn an_attribute_has_a_name(aws: Aws) {
        let table = aws.table("nameless", json!({})).await?;
        update(&aws, &table, "", true).await?.refused(400, "ValidationException")
    }

    UPDATE => async fn a_table_that_is_not_there_has_none(aws: Aws) {
        let missing = Table { name: aws.name("missing"), arn: String::new(), stream: None };
        let reply = update(&aws, &missing, "expires", true).await?;
        reply.refused(400, "ResourceNotFoundException")?;
        let input = json!({"TableName": missing.name});
        let reply = aws.dynamo("DescribeTimeToLive", input).await?;
        reply.refused(400, "ResourceNotFoundException")
    }

    HOW => async fn an_item_whose_time_is_no_number_stays(aws: Aws) {
        let table = aws.table("texts", json!({})).await?;
        update(&aws, &table, "expires", true).await?.ok()?;
        let item = json!({"pk": {"S": "a"}, "expires": {"S": "1500000000"}});
        aws.dynamo("PutItem", json!({"TableName": table.name, "Item": item})).await?.ok()?;
        let get = json!({"TableName": table.name, "Key": {"pk": {"S": "a"}}});
        let reply = aws.dynamo("GetItem", get).await?.ok()?;
        ensure_eq!(reply["Item"], item);
        Ok(())
    }
}
