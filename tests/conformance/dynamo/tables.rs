//! Making, describing, listing, changing and deleting tables.

use crate::prelude::*;

const CREATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html";
const DESCRIBE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html";
const UPDATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html";
const DELETE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html";
const LIST: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html";

/// A `CreateTable` of a table with the key `pk`.
fn definition(name: &str) -> Value {
    json!({
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

async fn described(aws: &Aws, name: &str) -> Result<Value> {
    let reply = aws.dynamo("DescribeTable", json!({"TableName": name}));
    Ok(reply.await?.ok()?["Table"].take())
}

/// Changes a table and waits until it is active again; gives the table.
async fn updated(aws: &Aws, table: &Table, change: Value) -> Result<Value> {
    let input = with(json!({"TableName": table.name}), change);
    aws.dynamo("UpdateTable", input).await?.ok()?;
    aws.poll(SOON, || async {
        let table = described(aws, &table.name).await?;
        Ok((table["TableStatus"] == "ACTIVE").then_some(table))
    })
    .await
}

checks! {
    CREATE => async fn a_table_that_is_there_is_not_made_again(aws: Aws) {
        let table = aws.table("orders", json!({})).await?;
        let again = aws.dynamo("CreateTable", definition(&table.name)).await?;
        again.refused_saying(
            400,
            "ResourceInUseException",
            &format!("Table already exists: {}", table.name),
        )
    }

    CREATE => async fn the_answer_describes_the_table(aws: Aws) {
        let name = aws.name("answer");
        let reply = aws.dynamo("CreateTable", definition(&name)).await?.ok()?;
        let table = reply.at("/TableDescription")?;
        ensure_eq!(table["TableName"], json!(name));
        ensure_eq!(table["KeySchema"], json!([{"AttributeName": "pk", "KeyType": "HASH"}]));
        ensure_eq!(table["ItemCount"], 0);
        ensure_eq!(table["TableSizeBytes"], 0);
        ensure_eq!(table["DeletionProtectionEnabled"], false);
        ensure_eq!(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
        ensure!(table["CreationDateTime"].is_number(), "no time: {table}");
        let arn = table.text_at("/TableArn")?;
        ensure!(arn.ends_with(&format!(":table/{name}")), "the ARN is {arn}");
        let id = table.text_at("/TableId")?;
        ensure!(id.len() == 36 && id.matches('-').count() == 4, "no UUID: {id}");
        Ok(())
    }

    CREATE => async fn names_have_3_to_255_letters_digits_and_three_signs(aws: Aws) {
        for name in ["ab", "a b c", "türe", &"x".repeat(256)] {
            let reply = aws.dynamo("CreateTable", definition(name)).await?;
            reply.refused(400, "ValidationException")?;
        }
        aws.dynamo("CreateTable", definition(&aws.name("A.b_c-1"))).await?.ok()?;
        Ok(())
    }

    CREATE => async fn a_key_attribute_must_be_defined(aws: Aws) {
        let undefined = json!({"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]});
        let input = with(definition(&aws.name("undefined")), undefined);
        aws.dynamo("CreateTable", input).await?.refused(400, "ValidationException")
    }

    CREATE => async fn an_attribute_that_is_no_key_is_not_defined(aws: Aws) {
        let superfluous = json!({"AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "colour", "AttributeType": "S"},
        ]});
        let input = with(definition(&aws.name("superfluous")), superfluous);
        let reply = aws.dynamo("CreateTable", input).await?;
        reply.refused_saying(400, "ValidationException", "AttributeDefinitions")
    }

    CREATE => async fn throughput_is_given_when_and_only_when_provisioned(aws: Aws) {
        let units = json!({"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}});
        let both = with(definition(&aws.name("both")), units.clone());
        aws.dynamo("CreateTable", both).await?.refused_saying(
            400,
            "ValidationException",
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is \
             PAY_PER_REQUEST",
        )?;
        let neither = with(definition(&aws.name("neither")), json!({"BillingMode": "PROVISIONED"}));
        aws.dynamo("CreateTable", neither).await?.refused(400, "ValidationException")?;
        let table = aws.table("units", with(units, json!({"BillingMode": "PROVISIONED"}))).await?;
        let table = described(&aws, &table.name).await?;
        ensure_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 5);
        ensure_eq!(table["ProvisionedThroughput"]["NumberOfDecreasesToday"], 0);
        Ok(())
    }

    CREATE => async fn class_encryption_and_protection_are_kept(aws: Aws) {
        let table = aws.table("kept", json!({
            "TableClass": "STANDARD_INFREQUENT_ACCESS",
            "SSESpecification": {"Enabled": true},
            "OnDemandThroughput": {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 5},
        })).await?;
        let table = described(&aws, &table.name).await?;
        ensure_eq!(table["TableClassSummary"]["TableClass"], "STANDARD_INFREQUENT_ACCESS");
        ensure_eq!(table["SSEDescription"]["Status"], "ENABLED");
        ensure_eq!(table["SSEDescription"]["SSEType"], "KMS");
        let key = table.text_at("/SSEDescription/KMSMasterKeyArn")?;
        ensure!(key.starts_with("arn:aws:kms:") && !key.contains("dynoxide"), "the key is {key}");
        ensure_eq!(table["OnDemandThroughput"]["MaxReadRequestUnits"], 10);
        Ok(())
    }

    DESCRIBE => async fn a_table_that_is_not_there_is_named_in_the_refusal(aws: Aws) {
        let name = aws.name("missing");
        aws.dynamo("DescribeTable", json!({"TableName": name})).await?.refused_saying(
            400,
            "ResourceNotFoundException",
            &format!("Requested resource not found: Table: {name} not found"),
        )
    }

    DESCRIBE => async fn a_table_is_found_by_its_arn(aws: Aws) {
        let table = aws.table("by-arn", json!({})).await?;
        let found = described(&aws, &table.arn).await?;
        ensure_eq!(found["TableName"], json!(table.name));
        Ok(())
    }

    LIST => async fn pages_of_names_follow_each_other(aws: Aws) {
        let mut wanted = Vec::new();
        for base in ["list-a", "list-b", "list-c"] {
            wanted.push(aws.table(base, json!({})).await?.name);
        }
        let mut found: Vec<String> = Vec::new();
        let mut input = json!({"Limit": 2});
        loop {
            let page = aws.dynamo("ListTables", input.clone()).await?.ok()?;
            let names = page.list_at("/TableNames").iter().filter_map(Value::as_str);
            found.extend(names.map(ToOwned::to_owned));
            match page.get("LastEvaluatedTableName") {
                Some(last) => input["ExclusiveStartTableName"] = last.clone(),
                None => break,
            }
        }
        for name in wanted {
            ensure_eq!(found.iter().filter(|found| **found == name).count(), 1, "{name}");
        }
        Ok(())
    }

    LIST => async fn a_limit_outside_of_1_to_100_is_refused(aws: Aws) {
        for limit in [0, 101] {
            let reply = aws.dynamo("ListTables", json!({"Limit": limit})).await?;
            reply.refused_saying(400, "ValidationException", "'limit' failed to satisfy constraint")?;
        }
        Ok(())
    }

    UPDATE => async fn the_billing_mode_changes_both_ways(aws: Aws) {
        let table = aws.table("billed", json!({})).await?;
        let units = json!({"ReadCapacityUnits": 3, "WriteCapacityUnits": 2});
        let change = json!({"BillingMode": "PROVISIONED", "ProvisionedThroughput": units});
        let found = updated(&aws, &table, change).await?;
        ensure_eq!(found["ProvisionedThroughput"]["ReadCapacityUnits"], 3);
        let found = updated(&aws, &table, json!({"BillingMode": "PAY_PER_REQUEST"})).await?;
        ensure_eq!(found["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
        ensure_eq!(found["ProvisionedThroughput"]["ReadCapacityUnits"], 0);
        Ok(())
    }

    UPDATE => async fn the_class_changes(aws: Aws) {
        let table = aws.table("classed", json!({})).await?;
        let change = json!({"TableClass": "STANDARD_INFREQUENT_ACCESS"});
        let found = updated(&aws, &table, change).await?;
        ensure_eq!(found["TableClassSummary"]["TableClass"], "STANDARD_INFREQUENT_ACCESS");
        Ok(())
    }

    UPDATE => async fn encryption_changes(aws: Aws) {
        let table = aws.table("encrypted", json!({})).await?;
        ensure!(
            described(&aws, &table.name).await?.get("SSEDescription").is_none(),
            "a key of AWS's own is not described"
        );
        let change = json!({"SSESpecification": {"Enabled": true, "SSEType": "KMS"}});
        updated(&aws, &table, change).await?;
        aws.poll(SOON, || async {
            let found = described(&aws, &table.name).await?;
            Ok((found["SSEDescription"]["Status"] == "ENABLED").then_some(()))
        })
        .await
    }

    UPDATE => async fn a_change_of_nothing_is_refused(aws: Aws) {
        let table = aws.table("unchanged", json!({})).await?;
        let reply = aws.dynamo("UpdateTable", json!({"TableName": table.name})).await?;
        reply.refused(400, "ValidationException")
    }

    UPDATE => async fn a_table_that_is_not_there_is_not_changed(aws: Aws) {
        let input = json!({"TableName": aws.name("missing"), "BillingMode": "PAY_PER_REQUEST"});
        aws.dynamo("UpdateTable", input).await?.refused(400, "ResourceNotFoundException")
    }

    DELETE => async fn a_protected_table_stays_until_it_is_no_longer(aws: Aws) {
        let table = aws.table("protected", json!({"DeletionProtectionEnabled": true})).await?;
        let named = json!({"TableName": table.name});
        let reply = aws.dynamo("DeleteTable", named.clone()).await?;
        reply.refused_saying(400, "ValidationException", "protected against deletion")?;
        let found = updated(&aws, &table, json!({"DeletionProtectionEnabled": false})).await?;
        ensure_eq!(found["DeletionProtectionEnabled"], false);
        aws.dynamo("DeleteTable", named).await?.ok()?;
        Ok(())
    }

    DELETE => async fn a_deleted_table_is_deleting_and_then_gone(aws: Aws) {
        let table = aws.table("deleted", json!({})).await?;
        let named = json!({"TableName": table.name});
        let reply = aws.dynamo("DeleteTable", named.clone()).await?.ok()?;
        ensure_eq!(reply["TableDescription"]["TableStatus"], "DELETING");
        aws.poll(SOON, || async {
            let reply = aws.dynamo("DescribeTable", named.clone()).await?;
            Ok((reply.code() == "ResourceNotFoundException").then_some(()))
        })
        .await
    }

    DELETE => async fn a_table_that_is_not_there_is_not_deleted(aws: Aws) {
        let name = aws.name("missing");
        let reply = aws.dynamo("DeleteTable", json!({"TableName": name})).await?;
        reply.refused_saying(400, "ResourceNotFoundException", &name)
    }
}
