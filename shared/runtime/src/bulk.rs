//! Strongly consistent reads of many items, over several tables, in as few calls as possible.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};
use callboard_contracts::StreamId;

use crate::backoff::Backoff;
use crate::fault::AwsFault;
use crate::journal::{Item, Journal};

/// Keys in one call (DynamoDB API reference, `BatchGetItem`).
pub const CALL_KEYS_MAX: usize = 100;

/// How often keys that DynamoDB left unprocessed are asked for again before the caller is told.
const TRIES_MAX: u32 = 8;

/// A sort key: the journal's are numbers, the other tables' are text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SortKey {
    /// Text.
    S(String),
    /// A number.
    N(u64),
}

/// The key of one item: table, `pk`, `sk`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The table's name.
    pub table: String,
    /// `pk`.
    pub pk: String,
    /// `sk`.
    pub sk: SortKey,
}

impl Key {
    /// The key of a commit.
    #[must_use]
    pub fn commit(journal: &Journal, stream: &StreamId, number: u64) -> Self {
        Self {
            table: journal.table().to_owned(),
            pk: stream.as_str().to_owned(),
            sk: SortKey::N(number),
        }
    }

    /// The key of an item with a text sort key.
    #[must_use]
    pub fn text(table: &str, pk: &str, sk: &str) -> Self {
        Self {
            table: table.to_owned(),
            pk: pk.to_owned(),
            sk: SortKey::S(sk.to_owned()),
        }
    }

    fn attributes(&self) -> Item {
        let sk = match &self.sk {
            SortKey::S(text) => AttributeValue::S(text.clone()),
            SortKey::N(number) => AttributeValue::N(number.to_string()),
        };
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), sk),
        ])
    }

    fn of(table: &str, item: &Item) -> Option<Self> {
        let sk = match item.get("sk")? {
            AttributeValue::S(text) => SortKey::S(text.clone()),
            AttributeValue::N(number) => SortKey::N(number.parse().ok()?),
            _ => return None,
        };
        let pk = item.get("pk")?.as_s().ok()?.clone();
        Some(Self {
            table: table.to_owned(),
            pk,
            sk,
        })
    }
}

/// Reads all of `keys`, strongly consistent. What is not in the answer does not exist. Keys may
/// repeat; each is asked for once. Up to [`CALL_KEYS_MAX`] keys cost one call.
///
/// # Errors
/// [`AwsFault`] when DynamoDB refuses, or leaves keys unprocessed to the last try.
pub async fn get(client: &Client, keys: Vec<Key>) -> Result<HashMap<Key, Item>, AwsFault> {
    let unique: Vec<Key> = keys
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut found = HashMap::with_capacity(unique.len());
    for chunk in unique.chunks(CALL_KEYS_MAX) {
        let mut open: Vec<Key> = chunk.to_vec();
        for attempt in 1.. {
            open = call(client, &open, &mut found).await?;
            if open.is_empty() {
                break;
            }
            if attempt >= TRIES_MAX {
                return Err(AwsFault {
                    operation: "BatchGetItem",
                    code: "UnprocessedKeys".to_owned(),
                    again: crate::fault::Again::Soon,
                    source: "keys were left unprocessed".into(),
                });
            }
            Backoff::CALL.wait(attempt).await;
        }
    }
    Ok(found)
}

async fn call(
    client: &Client,
    keys: &[Key],
    found: &mut HashMap<Key, Item>,
) -> Result<Vec<Key>, AwsFault> {
    let mut tables: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
    for key in keys {
        tables.entry(&key.table).or_default().push(key.attributes());
    }
    let mut request = client
        .batch_get_item()
        .return_consumed_capacity(ReturnConsumedCapacity::Total);
    for (table, keys) in tables {
        let asked = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build();
        request = request.request_items(table, asked.expect("the keys are set"));
    }
    let output = request
        .send()
        .await
        .map_err(|error| AwsFault::of("BatchGetItem", error))?;
    for (table, items) in output.responses().into_iter().flatten() {
        for item in items {
            if let Some(key) = Key::of(table, item) {
                found.insert(key, item.clone());
            }
        }
    }
    let unprocessed = output.unprocessed_keys().into_iter().flatten();
    Ok(unprocessed
        .flat_map(|(table, left)| left.keys().iter().filter_map(|key| Key::of(table, key)))
        .collect())
}
