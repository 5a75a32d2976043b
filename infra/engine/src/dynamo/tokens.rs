//! Client request tokens of transactions, on the engine's clock: the same token again within ten
//! minutes is answered with the first answer, without a second effect.

use super::dispatch::act;
use super::refusal::{self, Outcome, Refusal};
use super::{Dynamo, tables};
use dynoxide::storage::Storage;
use dynoxide::{DynoxideError, actions};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::PoisonError;

/// How long a token is remembered (AWS, TransactWriteItems, `ClientRequestToken`: 10 minutes).
const TOKEN_MS: i64 = 10 * 60 * 1000;
/// The longest token, in characters (AWS, same page).
const TOKEN_LEN_MAX: usize = 36;
/// Old tokens are looked for when this many have been added since the last time, so that the cost
/// of looking is spread over as many calls.
const SWEEP_AT_LEAST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Tokens {
    seen: HashMap<String, Seen>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Seen {
    until_ms: i64,
    items: u64,
    answer: String,
}

impl Dynamo {
    pub(super) fn once_per_token(
        &self,
        operation: &str,
        body: &str,
        run: impl FnOnce() -> Outcome<String>,
    ) -> Outcome<String> {
        let Some((token, items)) = token_of(body) else {
            return run();
        };
        if !(1..=TOKEN_LEN_MAX).contains(&token.len()) {
            let bound = match token.len() {
                0 => "greater than or equal to 1".to_owned(),
                _ => format!("less than or equal to {TOKEN_LEN_MAX}"),
            };
            return Err(Refusal::Crate(DynoxideError::ValidationException(format!(
                "1 validation error detected: Value '{token}' at 'clientRequestToken' failed to \
                 satisfy constraint: Member must have length {bound}"
            ))));
        }
        let now = self.clock.now_ms();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{operation} {token}");
        if let Some(seen) = tokens.seen.get(&key).filter(|seen| seen.until_ms > now) {
            if seen.items != items {
                return Err(Refusal::Crate(
                    DynoxideError::IdempotentParameterMismatchException(
                        "An error occurred (IdempotentParameterMismatchException)".to_owned(),
                    ),
                ));
            }
            let answer = seen.answer.clone();
            return match operation {
                "TransactWriteItems" => self.replayed(body, &answer),
                _ => Ok(answer),
            };
        }
        let answer = run()?;
        tokens.remember(key, now, items, answer.clone());
        Ok(answer)
    }
}

impl Dynamo {
    /// The answer to a write that was made before: capacity, if it is asked for, as the reads of
    /// the items (AWS, TransactWriteItems, "Idempotency").
    fn replayed(&self, body: &str, first: &str) -> Outcome<String> {
        let mut request: Value = refusal::decode(body)?;
        let mut answer: Value = refusal::decode(first)?;
        if let Some(answer) = answer.as_object_mut() {
            answer.remove("ConsumedCapacity");
        }
        if matches!(
            request["ReturnConsumedCapacity"].as_str(),
            Some("TOTAL" | "INDEXES")
        ) {
            let storage = self.storage();
            let reads = reads_of(&storage, &mut request)?.to_string();
            let read = act(&storage, &reads, actions::transact_get_items::execute)?;
            let mut read: Value = refusal::decode(&read)?;
            answer["ConsumedCapacity"] = read["ConsumedCapacity"].take();
        }
        Ok(answer.to_string())
    }
}

/// The `TransactGetItems` of what a `TransactWriteItems` writes.
fn reads_of(storage: &Storage, request: &mut Value) -> Outcome<Value> {
    let mut gets = Vec::new();
    let actions = request["TransactItems"].as_array_mut();
    for action in actions.into_iter().flatten() {
        for action in action.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let key = match action["Item"].take() {
                Value::Null => action["Key"].take(),
                item => key_of(storage, action, item)?,
            };
            gets.push(json!({ "Get": { "TableName": action["TableName"], "Key": key } }));
        }
    }
    let capacity = request["ReturnConsumedCapacity"].take();
    Ok(json!({ "TransactItems": gets, "ReturnConsumedCapacity": capacity }))
}

fn key_of(storage: &Storage, action: &Value, mut item: Value) -> Outcome<Value> {
    let table = tables::existing(storage, &action.to_string())?;
    let keys: Vec<Value> = refusal::decode(&table.key_schema)?;
    let names = keys.iter().filter_map(|key| key["AttributeName"].as_str());
    Ok(names
        .map(|name| (name.to_owned(), item[name].take()))
        .collect::<Map<_, _>>()
        .into())
}

impl Tokens {
    fn remember(&mut self, key: String, now: i64, items: u64, answer: String) {
        if self.seen.len() >= self.sweep_at.max(SWEEP_AT_LEAST) {
            self.seen.retain(|_, seen| seen.until_ms > now);
            self.sweep_at = self.seen.len() * 2;
        }
        let until_ms = now + TOKEN_MS;
        self.seen.insert(
            key,
            Seen {
                until_ms,
                items,
                answer,
            },
        );
    }
}

/// The token of a request and a hash of what it asks for, whatever the order of members.
fn token_of(body: &str) -> Option<(String, u64)> {
    if !body.contains("ClientRequestToken") {
        return None;
    }
    let request: Value = serde_json::from_str(body).ok()?;
    let token = request.get("ClientRequestToken")?.as_str()?.to_owned();
    let mut hasher = DefaultHasher::new();
    for member in ["TransactItems", "TransactStatements"] {
        hash_value(request.get(member).unwrap_or(&Value::Null), &mut hasher);
    }
    Some((token, hasher.finish()))
}

fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Array(values) => {
            values.len().hash(hasher);
            values.iter().for_each(|value| hash_value(value, hasher));
        }
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            names.len().hash(hasher);
            for name in names {
                name.hash(hasher);
                hash_value(&members[name], hasher);
            }
        }
        scalar => scalar.hash(hasher),
    }
}
