//! Making, describing and deleting tables.

use crate::prelude::*;

const CREATE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html";
const DESCRIBE: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html";

checks! {
    CREATE => async fn a_table_that_is_there_is_not_made_again(aws: Aws) {
        let table = aws.table("orders", json!({})).await?;
        let again = json!({
            "TableName": table.name,
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        aws.dynamo("CreateTable", again).await?.refused(400, "ResourceInUseException")
    }

    DESCRIBE => async fn a_table_that_is_not_there_is_named_in_the_refusal(aws: Aws) {
        let name = aws.name("missing");
        aws.dynamo("DescribeTable", json!({"TableName": name})).await?.refused_saying(
            400,
            "ResourceNotFoundException",
            &format!("Requested resource not found: Table: {name} not found"),
        )
    }
}
