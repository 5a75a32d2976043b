//! A table beside the journal: projections and contacts.
//!
//! Key schema of the house: `pk` and `sk`, both strings. Reads are strongly consistent unless
//! asked otherwise. A conditional write of one or several items is one call; which condition
//! was lost is told.

use std::collections::HashMap;
use std::str::FromStr;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};

pub use aws_sdk_dynamodb::types::AttributeValue;

use crate::fault::AwsFault;

mod ends;

pub use ends::{Count, Span};

/// An item, or a key, by attribute name.
pub type Item = HashMap<String, AttributeValue>;

/// A write that takes part in a transaction.
pub type Write = TransactWriteItem;

/// One page of a partition.
#[derive(Debug, Clone)]
pub struct Page {
    /// Items in the order of their sort keys.
    pub items: Vec<Item>,
    /// The sort key to go on after; `None` at the end.
    pub next: Option<String>,
}

/// Which part of a partition to read.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    /// Partition key.
    pub pk: &'a str,
    /// Only sort keys that begin with this.
    pub prefix: Option<&'a str>,
    /// Only sort keys after this one.
    pub after: Option<&'a str>,
    /// Most items to read.
    pub limit: i32,
    /// Whether the newest write must be seen; costs twice as much.
    pub consistent: bool,
}

/// Why a transaction did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The condition of the write at this index (of the first such, from 0) was not met.
    #[error("the condition of write {0} was not met")]
    Condition(usize),
    /// The call failed.
    #[error(transparent)]
    Aws(#[from] AwsFault),
}

/// A table with the key schema of the house.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The table called `name`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        Self {
            client: Client::new(sdk),
            name: name.into(),
        }
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client, for reads in bulk.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// One item, as of now.
    ///
    /// # Errors
    /// [`AwsFault`] if the call fails.
    pub async fn get(&self, pk: &str, sk: &str) -> Result<Option<Item>, AwsFault> {
        let call = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key(pk, sk)));
        let answer = call.consistent_read(true).send().await;
        Ok(answer.map_err(|error| AwsFault::of("GetItem", error))?.item)
    }

    /// One page of a partition.
    ///
    /// # Errors
    /// [`AwsFault`] if the call fails.
    pub async fn page(&self, range: Range<'_>) -> Result<Page, AwsFault> {
        let condition = match range.prefix {
            Some(_) => "pk = :pk AND begins_with(sk, :prefix)",
            None => "pk = :pk",
        };
        let mut call = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", AttributeValue::S(range.pk.to_owned()))
            .set_exclusive_start_key(range.after.map(|after| key(range.pk, after)))
            .consistent_read(range.consistent)
            .limit(range.limit);
        if let Some(prefix) = range.prefix {
            call =
                call.expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
        }
        let answer = call
            .send()
            .await
            .map_err(|error| AwsFault::of("Query", error))?;
        Ok(Page {
            next: answer
                .last_evaluated_key
                .as_ref()
                .and_then(|key| text(key, "sk").map(str::to_owned)),
            items: answer.items.unwrap_or_default(),
        })
    }

    /// Deletes one item, if it is there.
    ///
    /// # Errors
    /// [`AwsFault`] if the call fails.
    pub async fn delete(&self, pk: &str, sk: &str) -> Result<(), AwsFault> {
        let call = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key(pk, sk)));
        call.send()
            .await
            .map_err(|error| AwsFault::of("DeleteItem", error))?;
        Ok(())
    }

    /// A put for a transaction. `item` holds `pk` and `sk`.
    ///
    /// # Panics
    /// Never: table and item are set.
    #[must_use]
    pub fn put(&self, item: Item, condition: Option<Condition>) -> Write {
        let (expression, values) = Condition::split(condition);
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .set_condition_expression(expression)
            .set_expression_attribute_values(values)
            .build()
            .expect("table and item are set");
        Write::builder().put(put).build()
    }

    /// A delete for a transaction.
    ///
    /// # Panics
    /// Never: table and key are set.
    #[must_use]
    pub fn remove(&self, pk: &str, sk: &str, condition: Option<Condition>) -> Write {
        let (expression, values) = Condition::split(condition);
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key(pk, sk)))
            .set_condition_expression(expression)
            .set_expression_attribute_values(values)
            .build()
            .expect("table and key are set");
        Write::builder().delete(delete).build()
    }

    /// A condition that a transaction depends on, without a write.
    ///
    /// # Panics
    /// Never: table, key and condition are set.
    #[must_use]
    pub fn check(&self, pk: &str, sk: &str, condition: Condition) -> Write {
        let (expression, values) = Condition::split(Some(condition));
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key(pk, sk)))
            .condition_expression(expression.unwrap_or_default())
            .set_expression_attribute_values(values)
            .build()
            .expect("table, key and condition are set");
        Write::builder().condition_check(check).build()
    }

    /// Carries out all writes, or none.
    ///
    /// # Errors
    /// [`WriteError`] says which condition was lost, or how the call failed.
    pub async fn write_all(&self, writes: Vec<Write>) -> Result<(), WriteError> {
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .send()
            .await;
        let Err(error) = answer else { return Ok(()) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let lost = cancelled
                .cancellation_reasons()
                .iter()
                .position(|reason| reason.code() == Some("ConditionalCheckFailed"));
            if let Some(index) = lost {
                return Err(WriteError::Condition(index));
            }
        }
        Err(AwsFault::of("TransactWriteItems", error).into())
    }
}

/// A condition with its values.
#[derive(Debug, Clone)]
pub struct Condition {
    expression: String,
    values: Item,
}

impl Condition {
    /// A DynamoDB condition expression.
    #[must_use]
    pub fn new(expression: impl Into<String>) -> Self {
        Self {
            expression: expression.into(),
            values: Item::new(),
        }
    }

    /// The same, with the value of a placeholder such as `:n`.
    #[must_use]
    pub fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    fn split(condition: Option<Self>) -> (Option<String>, Option<Item>) {
        match condition {
            None => (None, None),
            Some(Self { expression, values }) => {
                (Some(expression), (!values.is_empty()).then_some(values))
            }
        }
    }
}

/// The key of an item.
#[must_use]
pub fn key(pk: &str, sk: &str) -> Item {
    Item::from([("pk".to_owned(), string(pk)), ("sk".to_owned(), string(sk))])
}

/// A string attribute.
#[must_use]
pub fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number attribute.
#[must_use]
pub fn integer(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A string attribute's text, if the item has one of that name.
#[must_use]
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
}

/// A number attribute's value, if the item has one of that name and it fits.
#[must_use]
pub fn number<T: FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|text| text.parse().ok())
}
