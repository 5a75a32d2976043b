//! SQS, in AWS's JSON 1.0 protocol and, on top of it, the older Query protocol.
//!
//! The rules are those of the SQS API reference and developer guide; each bound names its source
//! where it stands. Rows and transactions are `messages`' business.

mod attempt;
mod attributes;
mod batch;
mod describe;
mod in_flight;
mod manage;
mod moves;
mod moving;
mod permissions;
mod policy;
pub(crate) mod query;
mod query_json;
mod queues;
mod receive;
mod refusal;
mod send;
mod settings;
mod settle;

pub(crate) use attributes::{Attribute, Attributes};
pub(crate) use moving::advance as advance_moves;
pub(crate) use queues::{Queue, Queues};
pub(crate) use refusal::SqsError;
pub(crate) use send::{Outgoing, TRACE_HEADER, content_id, send, sequence};

use crate::messages::Messages;
use crate::wire::{Answer, unknown_json_operation};
use serde::Serialize;
use serde::de::DeserializeOwned;

type Outcome<T> = Result<T, SqsError>;

/// Answers one call.
pub(crate) async fn answer(messages: &Messages, operation: &str, body: &[u8]) -> Answer {
    match outcome(messages, operation, body).await {
        None => unknown_json_operation("SQS", operation),
        Some(Ok(json)) => Answer::json(200, json),
        Some(Err(error)) => error.answer(operation),
    }
}

/// What an operation comes to, in JSON; `None` if there is no such operation.
async fn outcome(messages: &Messages, operation: &str, body: &[u8]) -> Option<Outcome<String>> {
    if operation != "ReceiveMessage" {
        return dispatch(messages, operation, body).await;
    }
    Some(match read(body) {
        Ok(request) => receive::receive(messages, request).await,
        Err(error) => Err(error),
    })
}

async fn dispatch(messages: &Messages, operation: &str, body: &[u8]) -> Option<Outcome<String>> {
    Some(match operation {
        "SendMessage" => run(messages, body, send::one).await,
        "SendMessageBatch" => run(messages, body, batch::send).await,
        "DeleteMessage" => run(messages, body, settle::delete).await,
        "DeleteMessageBatch" => run(messages, body, batch::delete).await,
        "ChangeMessageVisibility" => run(messages, body, settle::change).await,
        "ChangeMessageVisibilityBatch" => run(messages, body, batch::change).await,
        "CreateQueue" => run(messages, body, manage::create).await,
        "DeleteQueue" => run(messages, body, manage::delete).await,
        "GetQueueUrl" => run(messages, body, manage::url).await,
        "ListQueues" => run(messages, body, manage::list).await,
        "GetQueueAttributes" => run(messages, body, describe::attributes).await,
        "SetQueueAttributes" => run(messages, body, describe::set_attributes).await,
        "PurgeQueue" => run(messages, body, manage::purge).await,
        "TagQueue" => run(messages, body, describe::tag).await,
        "UntagQueue" => run(messages, body, describe::untag).await,
        "ListQueueTags" => run(messages, body, describe::tags).await,
        "ListDeadLetterSourceQueues" => run(messages, body, manage::dead_letter_sources).await,
        "AddPermission" => run(messages, body, permissions::add).await,
        "RemovePermission" => run(messages, body, permissions::remove).await,
        "StartMessageMoveTask" => run(messages, body, moves::start).await,
        "ListMessageMoveTasks" => run(messages, body, moves::list).await,
        "CancelMessageMoveTask" => run(messages, body, moves::cancel).await,
        _ => return None,
    })
}

async fn run<Q: DeserializeOwned, A: Serialize>(
    messages: &Messages,
    body: &[u8],
    operation: impl FnOnce(&mut crate::messages::Work<'_>, Q) -> Outcome<A>,
) -> Outcome<String> {
    let request = read(body)?;
    let together = messages.transact_together(|work| operation(work, request));
    let answer = together.await?;
    write(&answer)
}

fn read<Q: DeserializeOwned>(body: &[u8]) -> Outcome<Q> {
    serde_json::from_slice(body).map_err(|error| SqsError::unreadable(&error))
}

fn write<A: Serialize>(answer: &A) -> Outcome<String> {
    serde_json::to_string(answer).map_err(|error| SqsError::internal(&error))
}

/// The answer of an operation that has nothing to say.
#[derive(Debug, Serialize)]
struct Nothing {}
