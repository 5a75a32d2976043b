//! Appending: one conditional put, or one transaction on several commit numbers.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnConsumedCapacity,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use callboard_contracts::StreamId;
use callboard_contracts::id::NAMESPACE;
use uuid::Uuid;

use super::Journal;
use super::commit::Commit;
use super::committed::Committed;
use super::error::{AppendError, CommitError, Conflict, JournalError, TRANSACTION_ITEMS_MAX};
use super::item::Item;
use crate::backoff::Backoff;
use crate::fault::{Again, AwsFault, again};

/// How often one append is tried before its caller is told: a transaction in the way passes
/// within milliseconds, a throttle within a second. On top of the SDK's own retries.
const TRIES_MAX: u32 = 6;

/// The condition of every commit: its number is free.
const NUMBER_IS_FREE: &str = "attribute_not_exists(pk)";

/// What was appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// Stream and number of each commit, in the order given.
    pub commits: Vec<(StreamId, u64)>,
    /// Write units that the winning call consumed, indexes included; 0 if DynamoDB did not say.
    pub write_units: f64,
}

impl Appended {
    /// `<stream>@<number>` of the first commit, as in the header `Callboard-Commit`.
    #[must_use]
    pub fn reference(&self) -> String {
        self.commits
            .first()
            .map(|(stream, number)| format!("{stream}@{number}"))
            .unwrap_or_default()
    }
}

/// How one try ended, short of success.
enum Try {
    Again(AwsFault),
    Lost(AppendError),
    /// The number is taken by this very commit: an earlier try's answer was lost.
    Ours,
}

impl Journal {
    /// Appends one commit: one `PutItem` under the condition that its number is free.
    ///
    /// The SDK, or this function, may send it several times; a conflict whose winner bears the
    /// commit's own id is a success whose answer was lost.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] with the winner when somebody else has the number.
    pub async fn append(&self, commit: Commit) -> Result<Appended, AppendError> {
        for attempt in 1.. {
            let call = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(commit.item()))
                .condition_expression(NUMBER_IS_FREE)
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let error = match call.send().await {
                Ok(output) => {
                    let units = output
                        .consumed_capacity()
                        .and_then(|used| used.capacity_units());
                    return Ok(appended(std::slice::from_ref(&commit), units));
                }
                Err(error) => error,
            };
            match self.put_failed(&commit, error).await? {
                Try::Ours => return Ok(appended(&[commit], None)),
                Try::Lost(error) => return Err(error),
                Try::Again(fault) if attempt >= TRIES_MAX => return Err(fault.into()),
                Try::Again(_) => Backoff::CALL.wait(attempt).await,
            }
        }
        unreachable!("the loop returns by its {TRIES_MAX}th attempt")
    }

    async fn put_failed(
        &self,
        commit: &Commit,
        error: SdkError<PutItemError>,
    ) -> Result<Try, AppendError> {
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) =
            error.as_service_error()
        {
            return self.taken(commit, failed.item()).await;
        }
        let fault = AwsFault::of("PutItem", error);
        if fault.again == Again::Soon {
            Ok(Try::Again(fault))
        } else {
            Err(fault.into())
        }
    }

    /// The commit's number is taken: by ourselves, or by somebody else.
    async fn taken(&self, commit: &Commit, found: Option<&Item>) -> Result<Try, AppendError> {
        let winner = match found {
            Some(item) => Some(Committed::from_item(item)?),
            // Some emulators, and an item removed by TTL meanwhile, give nothing back.
            None => self.get(commit.stream(), commit.number()).await?,
        };
        if winner
            .as_ref()
            .is_some_and(|winner| winner.id == commit.id())
        {
            return Ok(Try::Ours);
        }
        Ok(Try::Lost(AppendError::Conflict(Conflict {
            stream: commit.stream().clone(),
            number: commit.number(),
            winner: winner.map(Box::new),
            cause_hash: commit.record().cause.hash.clone(),
        })))
    }

    /// Appends commits to several streams, and performs extra writes, all or nothing: one
    /// `TransactWriteItems`, idempotent by a token derived from the commits' ids.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] names the first commit whose number is taken,
    /// [`AppendError::Also`] the first extra write whose condition failed.
    pub async fn append_all(
        &self,
        commits: Vec<Commit>,
        also: Vec<TransactWriteItem>,
    ) -> Result<Appended, AppendError> {
        check(&commits, also.len())?;
        if also.is_empty() && commits.len() == 1 {
            return self
                .append(commits.into_iter().next().expect("there is one"))
                .await;
        }
        let mut writes = commits
            .iter()
            .map(|commit| self.as_write(commit))
            .collect::<Vec<_>>();
        writes.extend(also);
        let token = token(&commits);
        for attempt in 1.. {
            let call = self
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.clone()))
                .client_request_token(&token)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let error = match call.send().await {
                Ok(output) => {
                    let units = output
                        .consumed_capacity()
                        .iter()
                        .filter_map(|used| used.capacity_units());
                    return Ok(appended(&commits, Some(units.sum())));
                }
                Err(error) => error,
            };
            match self.transaction_failed(&commits, error).await? {
                Try::Ours => return Ok(appended(&commits, None)),
                Try::Lost(error) => return Err(error),
                Try::Again(fault) if attempt >= TRIES_MAX => return Err(fault.into()),
                Try::Again(_) => Backoff::CALL.wait(attempt).await,
            }
        }
        unreachable!("the loop returns by its {TRIES_MAX}th attempt")
    }

    fn as_write(&self, commit: &Commit) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(commit.item()))
            .condition_expression(NUMBER_IS_FREE)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    async fn transaction_failed(
        &self,
        commits: &[Commit],
        error: SdkError<TransactWriteItemsError>,
    ) -> Result<Try, AppendError> {
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                canceled.cancellation_reasons().to_vec()
            }
            _ => Vec::new(),
        };
        let mut ours = 0;
        for (at, reason) in failed_conditions(&reasons) {
            let Some(commit) = commits.get(at) else {
                let index = at - commits.len();
                let found = reason.item().cloned();
                // Our own transaction, replayed after its token was forgotten, meets its own
                // extra writes as well as its own commits.
                if ours == commits.len() && ours > 0 {
                    return Ok(Try::Ours);
                }
                return Ok(Try::Lost(AppendError::Also { index, found }));
            };
            match self.taken(commit, reason.item()).await? {
                Try::Ours => ours += 1,
                lost => return Ok(lost),
            }
        }
        if ours > 0 {
            return Ok(Try::Ours);
        }
        let passing = !reasons.is_empty() && reasons.iter().all(|reason| passes(reason.code()));
        let fault = AwsFault::of("TransactWriteItems", error);
        if passing || fault.again == Again::Soon {
            return Ok(Try::Again(AwsFault {
                again: Again::Soon,
                ..fault
            }));
        }
        Err(fault.into())
    }

    /// One commit, strongly consistent: by a query, so that whoever loads and appends needs no
    /// other right for it.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read.
    pub async fn get(
        &self,
        stream: &StreamId,
        number: u64,
    ) -> Result<Option<Committed>, JournalError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", AttributeValue::S(stream.as_str().to_owned()))
            .expression_attribute_values(":sk", AttributeValue::N(number.to_string()))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| AwsFault::of("Query", error))?;
        output.items().first().map(Committed::from_item).transpose()
    }
}

fn appended(commits: &[Commit], write_units: Option<f64>) -> Appended {
    Appended {
        commits: commits
            .iter()
            .map(|commit| (commit.stream().clone(), commit.number()))
            .collect(),
        write_units: write_units.unwrap_or_default(),
    }
}

fn check(commits: &[Commit], also: usize) -> Result<(), CommitError> {
    let writes = commits.len() + also;
    if writes == 0 || writes > TRANSACTION_ITEMS_MAX {
        return Err(CommitError::Transaction(writes));
    }
    let mut streams = BTreeSet::new();
    match commits
        .iter()
        .find(|commit| !streams.insert(commit.stream()))
    {
        Some(commit) => Err(CommitError::Twice(commit.stream().clone())),
        None => Ok(()),
    }
}

/// DynamoDB keeps a token for ten minutes: a transaction sent again within them is not
/// performed again. Afterwards the commits' own ids tell.
fn token(commits: &[Commit]) -> String {
    let ids: Vec<u8> = commits
        .iter()
        .flat_map(|commit| commit.id().into_bytes())
        .collect();
    // A transaction of extra writes alone has nothing to derive from.
    if ids.is_empty() {
        Uuid::new_v4()
    } else {
        Uuid::new_v5(&NAMESPACE, &ids)
    }
    .to_string()
}

fn failed_conditions(
    reasons: &[CancellationReason],
) -> impl Iterator<Item = (usize, &CancellationReason)> {
    reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
}

/// Whether a cancellation's code is one that passes: another transaction, a throttle, or this
/// item having had no part in it.
fn passes(code: Option<&str>) -> bool {
    match code {
        None | Some("None" | "TransactionConflict") => true,
        Some(code) => again(code, 400) == Again::Soon,
    }
}
