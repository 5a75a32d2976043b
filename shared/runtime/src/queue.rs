//! A queue that a function sends to: one message at a time, delayed or in a group.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use futures::TryFutureExt;

use crate::fault::AwsFault;
use crate::function::warm_by;
use crate::publish::Message;
use crate::settings::Vars;

/// Longest delay of a message, in seconds: 15 minutes (SQS API reference, `SendMessage`). Only
/// standard queues delay single messages.
pub const DELAY_SECONDS_MAX: i32 = 900;

/// A queue by its URL.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at `url`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, url: impl Into<String>) -> Self {
        Self {
            client: Client::new(sdk),
            url: url.into(),
        }
    }

    /// Opens the connection to SQS during init, by asking for an attribute of the queue (action
    /// `sqs:GetQueueAttributes`). See [`warm_by`].
    pub async fn warm(&self, vars: &Vars) {
        let call = self.client.get_queue_attributes().queue_url(&self.url);
        let call = call.attribute_names(QueueAttributeName::QueueArn).send();
        let call = call.map_err(|error| AwsFault::of("GetQueueAttributes", error));
        warm_by(vars, call.map_ok(drop)).await;
    }

    /// Sends a message that is visible at once, with its group if the queue is FIFO.
    ///
    /// # Errors
    /// [`AwsFault`] when the queue has not confirmed it.
    pub async fn send(&self, message: Message) -> Result<(), AwsFault> {
        self.send_after(message, None).await
    }

    /// Sends a message that becomes visible after some seconds, at most [`DELAY_SECONDS_MAX`].
    ///
    /// # Errors
    /// As [`Queue::send`].
    pub async fn send_later(&self, message: Message, delay_seconds: i32) -> Result<(), AwsFault> {
        self.send_after(message, Some(delay_seconds)).await
    }

    async fn send_after(
        &self,
        message: Message,
        delay_seconds: Option<i32>,
    ) -> Result<(), AwsFault> {
        let mut call = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.body)
            .set_message_group_id(message.group)
            .set_message_deduplication_id(message.dedup)
            .set_delay_seconds(delay_seconds);
        // SQS refuses an attribute without a value.
        let attributes = message.attributes.into_iter();
        for (name, value) in attributes.filter(|(_, value)| !value.is_empty()) {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build();
            call = call.message_attributes(name, value.expect("the data type is set"));
        }
        call.send()
            .await
            .map_err(|error| AwsFault::of("SendMessage", error))?;
        Ok(())
    }
}
