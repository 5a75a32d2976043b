//! Gathers one batch from a queue: by long poll, and over the batching window.
//!
//! A receive that was sent is not abandoned while a batch is gathered: its messages
//! would be invisible, received by nobody, until their visibility time-out. Only a stop
//! abandons the first, empty-handed poll.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use tokio::time::Instant;

use super::{ENVELOPE_BYTES, PAYLOAD_BYTES_MAX, QueueMapping};
use crate::stop::Stop;

/// Longest long poll in seconds.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
const WAIT_S_MAX: i32 = 20;

/// Messages of one receive at most (same page).
const RECEIVE_MAX: usize = 10;

/// First pause after a failed receive; doubled up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// Longest pause after a failed receive: an endpoint that comes back is found soon.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The next batch; empty if nothing came within one long poll or a stop was asked for.
pub(super) async fn batch(sqs: &Client, mapping: &QueueMapping, stop: &mut Stop) -> Vec<Message> {
    let first = tokio::select! {
        // What has arrived is taken even if a stop came at the same moment.
        biased;
        first = receive_patiently(sqs, mapping) => first,
        () = stop.requested() => return Vec::new(),
    };
    if first.is_empty() || mapping.window.is_zero() || mapping.fifo {
        return first;
    }
    fill(sqs, mapping, first, stop).await
}

/// Receives on until the batch is full or the window is over.
async fn fill(
    sqs: &Client,
    mapping: &QueueMapping,
    mut batch: Vec<Message>,
    stop: &mut Stop,
) -> Vec<Message> {
    let end = Instant::now() + mapping.window;
    let mut size: usize = batch
        .iter()
        .map(|message| bytes(message) + ENVELOPE_BYTES)
        .sum();
    while batch.len() < mapping.batch_size && size < PAYLOAD_BYTES_MAX && !stop.is_requested() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let wait_s = i32::try_from(left.as_secs()).map_or(WAIT_S_MAX, |left| left.min(WAIT_S_MAX));
        if wait_s == 0 {
            // Less than a second is left, which a long poll cannot say.
            stop.sleep(left).await;
        }
        let missing = mapping.batch_size - batch.len();
        let Ok(more) = receive(sqs, mapping, missing, wait_s).await else {
            break;
        };
        size += more
            .iter()
            .map(|message| bytes(message) + ENVELOPE_BYTES)
            .sum::<usize>();
        batch.extend(more);
    }
    batch
}

/// One long poll; pauses and tries again as long as the queue cannot be reached.
async fn receive_patiently(sqs: &Client, mapping: &QueueMapping) -> Vec<Message> {
    let mut pause = PAUSE_FIRST;
    loop {
        match receive(sqs, mapping, mapping.batch_size, WAIT_S_MAX).await {
            Ok(messages) => return messages,
            Err(ReceiveFailed) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A receive failed and was logged.
struct ReceiveFailed;

async fn receive(
    sqs: &Client,
    mapping: &QueueMapping,
    limit: usize,
    wait_s: i32,
) -> Result<Vec<Message>, ReceiveFailed> {
    let limit = i32::try_from(limit.min(RECEIVE_MAX)).unwrap_or(1);
    sqs.receive_message()
        .queue_url(&mapping.queue_url)
        .max_number_of_messages(limit)
        .wait_time_seconds(wait_s)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await
        .map(|answer| answer.messages.unwrap_or_default())
        .map_err(|error| {
            tracing::warn!(
                queue = %mapping.queue_name,
                error = %aws_smithy_types::error::display::DisplayErrorContext(&error),
                "cannot receive from the queue; trying again"
            );
            ReceiveFailed
        })
}

/// A message's own size in bytes: body and attributes.
pub(super) fn bytes(message: &Message) -> usize {
    let attributes: usize = message
        .message_attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            name.len()
                + value.string_value().map_or(0, str::len)
                + value
                    .binary_value()
                    .map_or(0, |binary| binary.as_ref().len() * 2)
        })
        .sum();
    message.body().map_or(0, str::len) + attributes
}
