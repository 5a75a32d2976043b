//! From an operation's name to the crate's action.

use super::refusal::{Outcome, Refusal};
use super::{Dynamo, refusal};
use dynoxide::storage::Storage;
use dynoxide::{DynoxideError, Result, actions};
use futures::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;

/// Runs an action of the crate. Its native futures never suspend (the crate's own facade rests on
/// that), so one poll is enough.
pub(super) fn run<T>(action: impl Future<Output = Result<T>>) -> Result<T> {
    action.now_or_never().unwrap_or_else(|| {
        Err(DynoxideError::InternalServerError(
            "the storage did not answer at once".to_owned(),
        ))
    })
}

pub(super) fn act<'a, Q, A, F>(
    storage: &'a Storage,
    body: &str,
    action: impl FnOnce(&'a Storage, Q) -> F,
) -> Outcome<String>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A>>,
{
    let request = refusal::decode(body)?;
    encode(&run(action(storage, request))?)
}

pub(super) fn encode<A: Serialize>(answer: &A) -> Outcome<String> {
    Ok(serde_json::to_string(answer)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?)
}

/// Refuses members out of their bounds, without running the operation.
pub(super) fn members(operation: &str, body: &str) -> Outcome<()> {
    // Two look at their members when they run: so they do, where there is no table.
    let nowhere = |run: &dyn Fn(&Storage) -> Outcome<String>| {
        let refusal = run(&Storage::memory()?).err();
        refusal.filter(Refusal::is_of_members).map_or(Ok(()), Err)
    };
    match operation {
        "BatchWriteItem" => nowhere(&|s| act(s, body, actions::batch_write_item::execute)),
        "TransactWriteItems" => nowhere(&|s| act(s, body, actions::transact_write_items::execute)),
        _ => decoded(operation, body).map_err(Refusal::from),
    }
}

/// Refuses what the crate refuses while it decodes.
fn decoded(operation: &str, body: &str) -> Result<()> {
    use actions::{
        batch_get_item, delete_item, get_item, put_item, query, scan, transact_get_items,
        update_item,
    };
    match operation {
        "PutItem" => refusal::decode::<put_item::PutItemRequest>(body).map(drop),
        "UpdateItem" => refusal::decode::<update_item::UpdateItemRequest>(body).map(drop),
        "DeleteItem" => refusal::decode::<delete_item::DeleteItemRequest>(body).map(drop),
        "GetItem" => refusal::decode::<get_item::GetItemRequest>(body).map(drop),
        "Query" => refusal::decode::<query::QueryRequest>(body).map(drop),
        "Scan" => refusal::decode::<scan::ScanRequest>(body).map(drop),
        "BatchGetItem" => refusal::decode::<batch_get_item::BatchGetItemRequest>(body).map(drop),
        "TransactGetItems" => {
            refusal::decode::<transact_get_items::TransactGetItemsRequest>(body).map(drop)
        }
        _ => Ok(()),
    }
}

impl Dynamo {
    /// Runs `operation`, or gives `None` if there is none of that name.
    pub(super) fn dispatch(&self, operation: &str, body: &str) -> Option<Outcome<String>> {
        // The token's lock before the storage's: a second call with the same token waits for the
        // first and is answered by it.
        if matches!(operation, "TransactWriteItems" | "ExecuteTransaction") {
            return Some(self.once_per_token(operation, body, || {
                self.write(|storage| {
                    if operation == "TransactWriteItems" {
                        act(storage, body, actions::transact_write_items::execute)
                    } else {
                        act(storage, body, actions::execute_transaction::execute)
                    }
                })
            }));
        }
        self.dispatch_item(operation, body)
            .or_else(|| self.dispatch_setting(operation, body))
            .or_else(|| self.dispatch_table(operation, body))
    }

    fn write(&self, run: impl FnOnce(&Storage) -> Outcome<String>) -> Outcome<String> {
        let storage = self.storage();
        let outcome = run(&storage);
        self.tell_of_records(&storage);
        outcome
    }

    fn search(&self, body: &str) -> Outcome<String> {
        let request = refusal::decode_search(body)?;
        let storage = self.storage();
        let search = actions::search_vectors::execute(&*storage, request, &self.vectors);
        encode(&run(search)?)
    }

    fn dispatch_item(&self, operation: &str, body: &str) -> Option<Outcome<String>> {
        Some(match operation {
            "PutItem" => self.write(|s| act(s, body, actions::put_item::execute)),
            "UpdateItem" => self.write(|s| act(s, body, actions::update_item::execute)),
            "DeleteItem" => self.write(|s| act(s, body, actions::delete_item::execute)),
            "BatchWriteItem" => self.write(|s| act(s, body, actions::batch_write_item::execute)),
            "ExecuteStatement" => self.write(|s| act(s, body, actions::execute_statement::execute)),
            "BatchExecuteStatement" => {
                self.write(|s| act(s, body, actions::batch_execute_statement::execute))
            }
            "GetItem" => act(&self.storage(), body, actions::get_item::execute),
            "BatchGetItem" => act(&self.storage(), body, actions::batch_get_item::execute),
            "TransactGetItems" => act(&self.storage(), body, actions::transact_get_items::execute),
            "Query" => act(&self.storage(), body, actions::query::execute),
            "Scan" => act(&self.storage(), body, actions::scan::execute),
            "SearchVectors" => self.search(body),
            _ => return None,
        })
    }

    fn dispatch_table(&self, operation: &str, body: &str) -> Option<Outcome<String>> {
        let storage = self.storage();
        let s = &*storage;
        Some(match operation {
            "CreateTable" => self.create_table(s, body),
            "DeleteTable" => self.delete_table(s, body),
            "DescribeTable" => self.describe_table(s, body),
            "UpdateTable" => self.update_table(s, body),
            "ListTables" => act(s, body, actions::list_tables::execute),
            "UpdateTimeToLive" => super::tables::update_ttl(s, body),
            "DescribeTimeToLive" => act(s, body, actions::describe_time_to_live::execute),
            "TagResource" => act(s, body, actions::tag_resource::execute),
            "UntagResource" => act(s, body, actions::untag_resource::execute),
            "ListTagsOfResource" => act(s, body, actions::list_tags_of_resource::execute),
            "ListStreams" => super::streams::list(s, body),
            "DescribeStream" => super::streams::describe(s, body),
            "GetShardIterator" => super::streams::iterator(s, body, &self.clock),
            _ => return None,
        })
    }
}
