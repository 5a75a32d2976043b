//! SNS `PublishBatch`, with every entry's own answer checked.
//!
//! A call answers 200 with some entries in `Failed`; nothing counts as published that the topic
//! has not named as taken.

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use futures::{StreamExt, TryFutureExt};

use crate::backoff::Backoff;
use crate::fault::{Again, AwsFault, again};
use crate::function::warm_by;
use crate::settings::Vars;

/// Entries in one call (SNS API reference, `PublishBatch`).
pub const BATCH_ITEMS_MAX: usize = 10;

/// Bytes in one call, bodies and attributes together: 256 KiB (SNS quotas).
pub const BATCH_BYTES_MAX: usize = 262_144;

/// Calls side by side to a standard topic. A FIFO topic gets one at a time, or two calls could
/// overtake each other within a message group.
const CALLS_MAX: usize = 4;

/// How often an entry that the topic failed for its own reasons is handed in again before the
/// caller is told.
const TRIES_MAX: u32 = 3;

/// Message attribute of every event of a commit that leaves work open for later: when it is due
/// (RFC 3339). A subscription can ask for those alone.
pub const DUE_ATTRIBUTE: &str = "due";

/// What is to be published to a topic, or sent to a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The body.
    pub body: String,
    /// Message group, for FIFO.
    pub group: Option<String>,
    /// Deduplication id, for FIFO.
    pub dedup: Option<String>,
    /// Message attributes, all of type String. Empty ones are left out: SNS refuses them.
    pub attributes: BTreeMap<String, String>,
}

impl Message {
    /// What it counts against [`BATCH_BYTES_MAX`]: the body, and names, types and values of the
    /// attributes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| name.len() + "String".len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not published: {code}")]
pub struct PublishFailure {
    /// Whether it may be tried again: false when the message itself is at fault.
    pub retryable: bool,
    /// The topic's error code, or `TooLong`, `Unanswered`.
    pub code: String,
}

/// Publishes to SNS topics.
#[derive(Debug, Clone)]
pub struct Publisher {
    client: Client,
}

impl Publisher {
    /// Publishes through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Publishes through a client of its own.
    #[must_use]
    pub fn open(sdk: &aws_config::SdkConfig) -> Self {
        Self::new(Client::new(sdk))
    }

    /// Opens the connection to SNS during init, by asking for the topic's attributes (action
    /// `sns:GetTopicAttributes`). See [`warm_by`].
    pub async fn warm(&self, vars: &Vars, topic_arn: &str) {
        let call = self.client.get_topic_attributes().topic_arn(topic_arn);
        let call = call.send().map_ok(drop);
        warm_by(
            vars,
            call.map_err(|error| AwsFault::of("GetTopicAttributes", error)),
        )
        .await;
    }

    /// Publishes all messages in as few calls as the limits allow, in their order. The answer
    /// has one result per message, in the same order.
    pub async fn publish_all(
        &self,
        topic_arn: &str,
        messages: Vec<Message>,
    ) -> Vec<Result<(), PublishFailure>> {
        let too_long = PublishFailure {
            retryable: false,
            code: "TooLong".to_owned(),
        };
        let mut results: Vec<_> = messages
            .iter()
            .map(|message| {
                if message.bytes() > BATCH_BYTES_MAX {
                    Err(too_long.clone())
                } else {
                    Ok(())
                }
            })
            .collect();
        let calls = if topic_arn.ends_with(".fifo") {
            1
        } else {
            CALLS_MAX
        };
        let chunks = futures::stream::iter(chunks(&messages));
        let answers: Vec<_> = chunks
            .map(|chunk| self.publish_chunk(topic_arn, &messages, chunk))
            .buffered(calls)
            .concat()
            .await;
        for (at, result) in answers {
            results[at] = result;
        }
        results
    }

    async fn publish_chunk(
        &self,
        topic_arn: &str,
        messages: &[Message],
        mut open: Vec<usize>,
    ) -> Vec<(usize, Result<(), PublishFailure>)> {
        let mut done = Vec::with_capacity(open.len());
        for attempt in 1..=TRIES_MAX {
            let answers = self.call(topic_arn, messages, &open).await;
            let last = attempt == TRIES_MAX;
            open.clear();
            for (at, result) in answers {
                match result {
                    Err(failure) if failure.retryable && !last => open.push(at),
                    result => done.push((at, result)),
                }
            }
            if open.is_empty() {
                break;
            }
            Backoff::CALL.wait(attempt).await;
        }
        done
    }

    async fn call(
        &self,
        topic_arn: &str,
        messages: &[Message],
        chunk: &[usize],
    ) -> Vec<(usize, Result<(), PublishFailure>)> {
        let entries = chunk.iter().map(|at| entry(*at, &messages[*at])).collect();
        let call = self
            .client
            .publish_batch()
            .topic_arn(topic_arn)
            .set_publish_batch_request_entries(Some(entries));
        let output = match call.send().await {
            Ok(output) => output,
            Err(error) => {
                let fault = AwsFault::of("PublishBatch", error);
                let failure = PublishFailure {
                    retryable: fault.is_retryable(),
                    code: fault.code,
                };
                return chunk.iter().map(|at| (*at, Err(failure.clone()))).collect();
            }
        };
        let answer = |at: usize| {
            let id = at.to_string();
            if output
                .successful()
                .iter()
                .any(|entry| entry.id() == Some(&id))
            {
                return Ok(());
            }
            Err(output
                .failed()
                .iter()
                .find(|entry| entry.id() == id)
                .map_or_else(
                    || PublishFailure {
                        retryable: true,
                        code: "Unanswered".to_owned(),
                    },
                    |entry| PublishFailure {
                        retryable: !entry.sender_fault() || !is_of_the_message(entry.code()),
                        code: entry.code().to_owned(),
                    },
                ))
        };
        chunk.iter().map(|at| (*at, answer(*at))).collect()
    }
}

/// Whether an entry's `code` is about the message itself, so that it is of no use to try again:
/// not a throttle, and not a right, a key or a topic that somebody has to mend (SNS API reference,
/// `Publish`, "Errors"). Parking every message for one of those would empty the stream into a
/// dead-letter queue.
fn is_of_the_message(code: &str) -> bool {
    const OF_THE_TOPIC: [&str; 5] = ["kms", "auth", "accessdenied", "notfound", "invalidsecurity"];
    let lower = code.to_ascii_lowercase();
    again(code, 400) != Again::Soon && !OF_THE_TOPIC.iter().any(|of| lower.starts_with(of))
}

fn entry(at: usize, message: &Message) -> PublishBatchRequestEntry {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(at.to_string())
        .message(&message.body)
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.dedup.clone());
    for (name, value) in message
        .attributes
        .iter()
        .filter(|(_, value)| !value.is_empty())
    {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build();
        entry = entry.message_attributes(name, value.expect("the data type is set"));
    }
    entry.build().expect("id and message are set")
}

/// Indices of messages per call, in order; a message that fits no call is left out.
fn chunks(messages: &[Message]) -> Vec<Vec<usize>> {
    let mut chunks: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, message) in messages.iter().enumerate() {
        let size = message.bytes();
        if size > BATCH_BYTES_MAX {
            continue;
        }
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < BATCH_ITEMS_MAX && bytes + size <= BATCH_BYTES_MAX => {
                chunk.push(at);
                bytes += size;
            }
            _ => {
                chunks.push(vec![at]);
                bytes = size;
            }
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(bytes: usize) -> Message {
        Message {
            body: "x".repeat(bytes),
            ..Message::default()
        }
    }

    #[test]
    fn a_right_or_a_key_that_is_missing_is_not_the_messages_fault() {
        for code in [
            "KMSAccessDenied",
            "AuthorizationError",
            "NotFound",
            "Throttled",
        ] {
            assert!(!is_of_the_message(code), "{code}");
        }
        for code in [
            "InvalidParameter",
            "InvalidParameterValue",
            "ValidationException",
        ] {
            assert!(is_of_the_message(code), "{code}");
        }
    }

    #[test]
    fn calls_are_cut_by_number_and_by_bytes() {
        let small = vec![message(1); 21];
        assert_eq!(
            chunks(&small).iter().map(Vec::len).collect::<Vec<_>>(),
            [10, 10, 1]
        );
        let large = vec![message(BATCH_BYTES_MAX / 2); 3];
        assert_eq!(
            chunks(&large).iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 1]
        );
    }

    proptest! {
        #[test]
        fn every_message_that_fits_is_in_exactly_one_call(sizes in prop::collection::vec(0_usize..300_000, 0..40)) {
            let messages: Vec<_> = sizes.iter().map(|size| message(*size)).collect();
            let chunks = chunks(&messages);
            for chunk in &chunks {
                prop_assert!(chunk.len() <= BATCH_ITEMS_MAX);
                prop_assert!(chunk.iter().map(|at| messages[*at].bytes()).sum::<usize>() <= BATCH_BYTES_MAX);
            }
            let cut: Vec<usize> = chunks.concat();
            let fitting: Vec<usize> = (0..sizes.len()).filter(|at| sizes[*at] <= BATCH_BYTES_MAX).collect();
            prop_assert_eq!(cut, fitting);
        }
    }
}
