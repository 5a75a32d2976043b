//! Deletes what is done with, by tens, and looks at every entry of the answer.
//!
//! `DeleteMessageBatch` answers 200 even if entries failed:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html>.
//! What cannot be deleted after a few tries comes again, which at-least-once allows.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use aws_smithy_types::error::display::DisplayErrorContext;

/// Entries of one `DeleteMessageBatch` at most (page above).
const ENTRIES_MAX: usize = 10;

/// Tries for one batch: a throttle passes, a lost receipt handle does not.
const TRIES: u32 = 3;

/// Pause before the second try; doubled for the third.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// Deletes messages. Failures are logged; the messages will be received again.
pub(super) async fn messages(sqs: &Client, queue_url: &str, messages: &[Message]) {
    for ten in messages.chunks(ENTRIES_MAX) {
        let mut left: Vec<&str> = ten.iter().filter_map(Message::receipt_handle).collect();
        let mut pause = PAUSE_FIRST;
        for attempt in 1..=TRIES {
            left = try_delete(sqs, queue_url, left).await;
            if left.is_empty() || attempt == TRIES {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        if !left.is_empty() {
            tracing::warn!(
                queue_url,
                messages = left.len(),
                "messages were handled but not deleted; they will come again"
            );
        }
    }
}

/// One request. Returns the receipt handles that are worth another try.
async fn try_delete<'a>(sqs: &Client, queue_url: &str, handles: Vec<&'a str>) -> Vec<&'a str> {
    let entries = handles.iter().enumerate().filter_map(|(position, handle)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(position.to_string())
            .receipt_handle(*handle)
            .build()
            .ok()
    });
    let answer = sqs
        .delete_message_batch()
        .queue_url(queue_url)
        .set_entries(Some(entries.collect()))
        .send()
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(queue_url, error = %DisplayErrorContext(&error), "delete failed");
            return handles;
        }
    };
    handles
        .into_iter()
        .enumerate()
        .filter(|(position, _)| {
            let id = position.to_string();
            let succeeded = answer.successful.iter().any(|entry| entry.id == id);
            let refused = answer
                .failed
                .iter()
                .find(|entry| entry.id == id && entry.sender_fault);
            if let Some(entry) = refused {
                // The sender's fault (a receipt handle of old): no use in asking again.
                tracing::warn!(queue_url, code = %entry.code, "a delete was refused");
            }
            !succeeded && refused.is_none()
        })
        .map(|(_, handle)| handle)
        .collect()
}
