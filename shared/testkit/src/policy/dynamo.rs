//! What a request to DynamoDB asks leave for: its tables, indexes and partition keys.
//!
//! The parts of a transaction are authorized as `PutItem`, `UpdateItem`, `DeleteItem`, `GetItem`
//! and `ConditionCheckItem`, not under the transaction's own name:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>.
//! A query of an index is one on the index, with the index's partition key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::access::{Access, Unreadable};
use super::place::Place;

type Accesses = Result<Vec<Access>, Unreadable>;

pub(super) fn accesses(operation: &str, body: &Value, place: &Place) -> Accesses {
    let request = Request { place, body };
    match operation {
        "GetItem" | "DeleteItem" | "UpdateItem" => request.item(operation, "Key"),
        "PutItem" => request.item(operation, "Item"),
        "Query" => request.query(),
        "Scan" => request.whole(operation),
        "BatchGetItem" => request.batch(operation, |table| {
            let keys = table["Keys"].as_array();
            keys.into_iter().flatten().collect()
        }),
        "BatchWriteItem" => request.batch(operation, |table| {
            let writes = table.as_array().into_iter().flatten();
            writes
                .filter_map(|write| {
                    write
                        .pointer("/PutRequest/Item")
                        .or_else(|| write.pointer("/DeleteRequest/Key"))
                })
                .collect()
        }),
        "TransactWriteItems" => request.transaction("TransactWriteItems"),
        "TransactGetItems" => request.transaction("TransactGetItems"),
        // Of a table as a whole.
        _ => request.whole(operation),
    }
}

struct Request<'a> {
    place: &'a Place,
    body: &'a Value,
}

impl Request<'_> {
    fn item(&self, operation: &str, member: &str) -> Accesses {
        self.one_item(operation, self.body, member)
            .map(|access| vec![access])
    }

    fn one_item(&self, operation: &str, part: &Value, member: &str) -> Result<Access, Unreadable> {
        let table = name(&part["TableName"])?;
        let key = self.key_in(table, &part[member])?;
        Ok(self.access(operation, table, None, vec![key]))
    }

    fn query(&self) -> Accesses {
        let table = name(&self.body["TableName"])?;
        let index = self.body["IndexName"].as_str();
        let key = self.place.partition_key(table, index).and_then(|key| {
            let expression = self.body["KeyConditionExpression"].as_str()?;
            equal_to(expression, key, self.body)
        });
        let key = key.ok_or_else(|| {
            Unreadable(format!(
                "a query of {table} whose partition key is not seen"
            ))
        })?;
        Ok(vec![self.access("Query", table, index, vec![key])])
    }

    fn whole(&self, operation: &str) -> Accesses {
        let index = self.body["IndexName"].as_str();
        let table = self.body["TableName"].as_str().unwrap_or("*");
        Ok(vec![self.access(operation, table, index, Vec::new())])
    }

    fn batch<'b>(
        &'b self,
        operation: &str,
        items: impl Fn(&'b Value) -> Vec<&'b Value>,
    ) -> Accesses {
        let tables = self.body["RequestItems"].as_object();
        let tables = tables.ok_or_else(|| Unreadable("a batch without tables".to_owned()))?;
        let access = |(table, asked): (&'b String, &'b Value)| {
            let keys = items(asked)
                .into_iter()
                .map(|item| self.key_in(table, item))
                .collect::<Result<_, _>>()?;
            Ok(self.access(operation, table, None, keys))
        };
        tables.iter().map(access).collect()
    }

    fn transaction(&self, enclosing: &'static str) -> Accesses {
        let parts = BTreeMap::from([
            ("Put", ("PutItem", "Item")),
            ("Update", ("UpdateItem", "Key")),
            ("Delete", ("DeleteItem", "Key")),
            ("Get", ("GetItem", "Key")),
            ("ConditionCheck", ("ConditionCheckItem", "Key")),
        ]);
        let items = self.body["TransactItems"].as_array();
        let mut accesses = Vec::new();
        for item in items.into_iter().flatten() {
            for (kind, part) in item.as_object().into_iter().flatten() {
                let (operation, member) = parts
                    .get(kind.as_str())
                    .ok_or_else(|| Unreadable(format!("a transaction's {kind}")))?;
                accesses.push(Access {
                    enclosing: Some(enclosing),
                    ..self.one_item(operation, part, member)?
                });
            }
        }
        Ok(accesses)
    }

    fn key_in(&self, table: &str, item: &Value) -> Result<String, Unreadable> {
        let key = self.place.partition_key(table, None);
        key.and_then(|key| text(&item[key]))
            .ok_or_else(|| Unreadable(format!("an item of {table} without its key")))
    }

    fn access(
        &self,
        operation: &str,
        table: &str,
        index: Option<&str>,
        leading_keys: Vec<String>,
    ) -> Access {
        let path = match index {
            None => format!("table/{table}"),
            Some(index) => format!("table/{table}/index/{index}"),
        };
        Access {
            action: format!("dynamodb:{operation}"),
            resource: self.place.arn("dynamodb", &path),
            leading_keys,
            ..Access::default()
        }
    }
}

fn name(table: &Value) -> Result<&str, Unreadable> {
    table
        .as_str()
        .ok_or_else(|| Unreadable("no table is named".to_owned()))
}

/// An attribute value's text, whatever its type.
fn text(value: &Value) -> Option<String> {
    let (_, value) = value.as_object()?.iter().next()?;
    value.as_str().map(str::to_owned)
}

/// The value to which `expression` says `key` is equal.
fn equal_to(expression: &str, key: &str, body: &Value) -> Option<String> {
    let clauses = expression
        .split_inclusive(' ')
        .fold(vec![String::new()], |mut clauses, word| {
            if word.trim().eq_ignore_ascii_case("and") {
                clauses.push(String::new());
            } else if let Some(clause) = clauses.last_mut() {
                clause.push_str(word);
            }
            clauses
        });
    let parentheses: &[_] = &['(', ')', ' '];
    clauses.iter().find_map(|clause| {
        let (left, right) = clause.trim_matches(parentheses).split_once('=')?;
        let left = left.trim();
        let named = body["ExpressionAttributeNames"][left].as_str();
        if named.unwrap_or(left) != key {
            return None;
        }
        text(&body["ExpressionAttributeValues"][right.trim()])
    })
}
