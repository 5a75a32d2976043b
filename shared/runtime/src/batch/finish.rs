//! The end of a batch: dead letters, visibility, and the answer to Lambda.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use futures::StreamExt;
use serde_json::{Value, json};

use super::{Aside, Batch, SqsRecord};
use crate::backoff::{visibility_secs, visibility_until};
use crate::clock::Clock;
use crate::dead_letter::{DeadLetters, Letter};
use crate::failure::{Class, Failure};
use crate::fault::AwsFault;
use crate::metrics::{self, Metric};
use crate::settings::{self, SettingsError, Vars};

/// After this many tries a message goes to the dead-letter queue with its reason. The queue's
/// own `maxReceiveCount` is twice as much, for the followers of a failed head of a FIFO group
/// gain receive counts without having been tried: as many as the head has tries, and one for
/// each record between them. So that none is dead-lettered untried and without a reason, a FIFO
/// queue's `maxReceiveCount` must be at least this and the batch size of its mapping together.
pub const MAX_TRIES: u32 = 5;

/// Entries in one call (SQS API reference, `ChangeMessageVisibilityBatch`).
const VISIBILITY_ITEMS_MAX: usize = 10;

/// Dead letters sent side by side: a whole batch of ten may be poison.
const LETTERS_MAX: usize = 10;

/// Where the records of a batch go that do not simply succeed.
#[derive(Debug, Clone)]
pub struct Outlet {
    sqs: Client,
    queue_url: String,
    dead_letters: DeadLetters,
    function: String,
    clock: Clock,
}

impl Outlet {
    /// The outlet of `function`, which reads the queue at `queue_url`.
    #[must_use]
    pub fn new(sqs: Client, queue_url: &str, dlq_url: &str, function: &str, clock: Clock) -> Self {
        Self {
            dead_letters: DeadLetters::new(sqs.clone(), dlq_url, function),
            queue_url: queue_url.to_owned(),
            function: function.to_owned(),
            sqs,
            clock,
        }
    }

    /// The outlet that the settings `QUEUE_URL`, `DLQ_URL` and `FUNCTION_NAME` describe.
    ///
    /// # Errors
    /// [`SettingsError`] when one of them is missing.
    pub fn from_vars(vars: &Vars, sdk: &SdkConfig) -> Result<Self, SettingsError> {
        Ok(Self::new(
            Client::new(sdk),
            &settings::required(vars, "QUEUE_URL")?,
            &settings::required(vars, "DLQ_URL")?,
            &settings::required(vars, "FUNCTION_NAME")?,
            Clock::from_sdk(sdk),
        ))
    }

    /// The dead-letter queue alone.
    #[must_use]
    pub const fn dead_letters(&self) -> &DeadLetters {
        &self.dead_letters
    }
}

/// A record that comes back, and after how long (in seconds).
struct Return {
    message: Arc<SqsRecord>,
    /// In one word, for the metric.
    why: &'static str,
    visibility_secs: i32,
}

impl<T> Batch<T> {
    /// Ends the batch: dead-letters what has had its last try, sets the visibility of what is to
    /// come back, and gives Lambda's `{"batchItemFailures": […]}`. Whatever is still on its way
    /// has succeeded.
    pub async fn finish(self, outlet: &Outlet) -> Value {
        let mut returns = Vec::new();
        let mut letters = Vec::new();
        for (message, aside) in self.aside {
            match aside {
                // At once: it has done nothing wrong, and waits for its group's head anyway.
                Aside::Untried => returns.push(Return {
                    message,
                    why: "untried",
                    visibility_secs: 0,
                }),
                Aside::Failed(failure) => {
                    log(outlet, &message, &failure);
                    match visibility(outlet, &message, &failure) {
                        Some(visibility_secs) => returns.push(Return {
                            message,
                            why: failure.label(),
                            visibility_secs,
                        }),
                        None => letters.push((message, failure)),
                    }
                }
            }
        }
        returns.extend(dead_letter(outlet, letters).await);
        for back in &returns {
            metrics::count(Metric::BatchItemFailures, back.why);
        }
        set_visibility(outlet, &returns).await;
        answer(returns.iter().map(|back| back.message.message_id.as_str()))
    }
}

/// After how long the message comes back; `None` if it does not.
fn visibility(outlet: &Outlet, message: &SqsRecord, failure: &Failure) -> Option<i32> {
    match failure.class() {
        Class::Terminal => None,
        Class::Held { until } => Some(visibility_until(until, outlet.clock.now())),
        Class::Retryable { .. } if message.receive_count >= MAX_TRIES && !failure.is_kept() => None,
        Class::Retryable { after } => Some(visibility_secs(message.receive_count, after)),
    }
}

/// Sends the dead letters; gives back what could not be sent, so that nothing is lost.
async fn dead_letter(outlet: &Outlet, letters: Vec<(Arc<SqsRecord>, Failure)>) -> Vec<Return> {
    let send = |(message, failure): (Arc<SqsRecord>, Failure)| async move {
        let letter = Letter {
            body: message.body.clone(),
            attributes: message.attributes.clone(),
            reason: failure.reason().to_owned(),
            error_class: failure.label().to_owned(),
            attempt: message.receive_count,
            correlation_id: message
                .envelope()
                .ok()
                .and_then(|envelope| envelope.correlationid),
            group: message.group.clone(),
            id: message.message_id.clone(),
        };
        let sent = outlet.dead_letters.send(letter).await;
        (message, sent)
    };
    let sent: Vec<_> = futures::stream::iter(letters)
        .map(send)
        .buffered(LETTERS_MAX)
        .collect()
        .await;
    let failed = sent.into_iter().filter_map(|(message, sent)| {
        let error = sent.err()?;
        tracing::error!(%error, message_id = %message.message_id, "a dead letter could not be sent");
        let visibility_secs = visibility_secs(message.receive_count.min(MAX_TRIES), None);
        Some(Return { message, why: "not-dead-lettered", visibility_secs })
    });
    failed.collect()
}

/// Only an accelerator or a brake: without it the queue's own visibility time-out holds.
async fn set_visibility(outlet: &Outlet, returns: &[Return]) {
    let known: Vec<_> = returns
        .iter()
        .filter(|back| !back.message.receipt_handle.is_empty())
        .collect();
    for chunk in known.chunks(VISIBILITY_ITEMS_MAX) {
        let entries = chunk.iter().enumerate().map(|(at, back)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(&back.message.receipt_handle)
                .visibility_timeout(back.visibility_secs)
                .build()
                .expect("id and handle are set")
        });
        let call = outlet
            .sqs
            .change_message_visibility_batch()
            .queue_url(&outlet.queue_url);
        match call.set_entries(Some(entries.collect())).send().await {
            Ok(output) => {
                for failed in output.failed() {
                    tracing::warn!(code = failed.code(), "a message's visibility was not set");
                }
            }
            Err(error) => {
                let error = AwsFault::of("ChangeMessageVisibilityBatch", error);
                tracing::warn!(%error, "the visibility of failed messages was not set");
            }
        }
    }
}

/// Lambda's answer. An empty id would make Lambda return the whole batch, a doubled one is
/// noise: neither is ever in it.
fn answer<'a>(ids: impl Iterator<Item = &'a str>) -> Value {
    let ids: BTreeSet<&str> = ids.filter(|id| !id.is_empty()).collect();
    let failures: Vec<Value> = ids
        .into_iter()
        .map(|id| json!({ "itemIdentifier": id }))
        .collect();
    json!({ "batchItemFailures": failures })
}

/// The one line per failed record.
fn log(outlet: &Outlet, message: &SqsRecord, failure: &Failure) {
    if let Class::Held { until } = failure.class() {
        tracing::info!(message_id = %message.message_id, until = %until, "held by a live lease");
        return;
    }
    tracing::warn!(
        function = %outlet.function,
        message_id = %message.message_id,
        correlation_id = message.correlation_id().unwrap_or_default(),
        class = failure.label(),
        attempt = message.receive_count,
        reason = failure.reason(),
        "a record failed"
    );
}
