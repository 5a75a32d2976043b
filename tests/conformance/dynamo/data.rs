//! Tables and items that checks begin with.

use crate::prelude::*;

/// A refusal's code that most checks expect.
pub const INVALID: &str = "ValidationException";

/// A number as it is written in a request.
pub fn n(value: i64) -> Value {
    json!({"N": value.to_string()})
}

/// A string as it is written in a request.
pub fn s(value: &str) -> Value {
    json!({"S": value})
}

impl Aws {
    /// A table with the key `pk` (a string) and `sk` (a number).
    pub async fn sorted(&self, base: &str) -> Result<Table> {
        let more = json!({
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        });
        self.table(base, more).await
    }

    /// As [`Aws::sorted`], with items `a` at 1, 2, … up to `count`, each with `n` ten times that.
    pub async fn filled(&self, base: &str, count: i64) -> Result<Table> {
        let table = self.sorted(base).await?;
        for sk in 1..=count {
            self.put(&table, json!({"pk": s("a"), "sk": n(sk), "n": n(10 * sk)}))
                .await?;
        }
        Ok(table)
    }

    /// Calls an operation of one table. `more` is added to the input.
    pub async fn on(&self, table: &Table, operation: &str, more: Value) -> Result<Reply> {
        let input = with(json!({"TableName": table.name}), more);
        self.dynamo(operation, input).await
    }

    /// Puts an item.
    pub async fn put(&self, table: &Table, item: Value) -> Result<Value> {
        self.on(table, "PutItem", json!({"Item": item})).await?.ok()
    }

    /// The item with this key, read consistently; `Null` if there is none.
    pub async fn get(&self, table: &Table, key: Value) -> Result<Value> {
        let input = json!({"Key": key, "ConsistentRead": true});
        let mut reply = self.on(table, "GetItem", input).await?.ok()?;
        Ok(reply["Item"].take())
    }

    /// Updates the item whose `pk` is `a`, with these values; gives the answer.
    pub async fn update(&self, table: &Table, expression: &str, values: Value) -> Result<Reply> {
        let mut input = json!({"Key": {"pk": s("a")}, "UpdateExpression": expression});
        if !values.is_null() {
            input["ExpressionAttributeValues"] = values;
        }
        self.on(table, "UpdateItem", input).await
    }

    /// What a query of partition `a` gives. `more` is added to the input.
    pub async fn query(&self, table: &Table, more: Value) -> Result<Value> {
        let input = json!({
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": s("a")},
        });
        self.on(table, "Query", with(input, more)).await?.ok()
    }
}

/// The sort keys of an answer's items, in its order.
pub fn sort_keys(answer: &Value) -> Vec<&str> {
    let items = answer.list_at("/Items").iter();
    items
        .filter_map(|item| item.pointer("/sk/N").and_then(Value::as_str))
        .collect()
}
