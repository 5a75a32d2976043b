//! One timer: wait on, or tell its owner.

use std::time::Duration;

use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::MessageAttributeValue;
use callboard_contracts::Timestamp;
use callboard_contracts::command::Due;
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::Failure;
use callboard_runtime::fault::AwsFault;

use crate::timer::{GROUP_ATTRIBUTE, Timer};

/// Longest delay of one message, in seconds (SQS API Reference, `SendMessage`,
/// `DelaySeconds`). A longer wait takes several turns.
pub const DELAY_SECONDS_MAX: i32 = 900;

/// What the function needs to do its work.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Client of all queues.
    pub sqs: aws_sdk_sqs::Client,
    /// What time it is.
    pub clock: Clock,
    /// Our own queue (standard), where a timer waits.
    pub queue_url: String,
    /// The owner's queue (FIFO), where a due command goes.
    pub owner_queue_url: String,
}

/// What became of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Back in our own queue for this many seconds.
    Waits(i32),
    /// Handed to its owner.
    HandedOver,
}

/// Hands the timer's command to its owner if it is due, else lets it wait on.
///
/// Doing so twice is harmless: the owner's queue takes one of several equal commands, and the
/// owner decides by its journal, never by the number of reminders.
///
/// # Errors
/// [`Failure`] when the queue does not take the message.
pub async fn run(deps: &Deps, timer: &Timer) -> Result<Outcome, Failure> {
    let now = deps.clock.now();
    if now < timer.due.due_at {
        let seconds = delay_seconds(timer.due.due_at, now);
        let request = message(deps, timer, now)?
            .queue_url(&deps.queue_url)
            .delay_seconds(seconds)
            .message_attributes(GROUP_ATTRIBUTE, text(&timer.group)?);
        sent(request).await?;
        Ok(Outcome::Waits(seconds))
    } else {
        let request = message(deps, timer, now)?
            .queue_url(&deps.owner_queue_url)
            .message_group_id(&timer.group)
            .message_deduplication_id(timer.id());
        sent(request).await?;
        Ok(Outcome::HandedOver)
    }
}

/// Whole seconds until `due_at`, rounded up so that a turn never ends just before it.
fn delay_seconds(due_at: Timestamp, now: Timestamp) -> i32 {
    let wait: Duration = due_at.since(now);
    let seconds = wait.as_millis().div_ceil(1_000);
    i32::try_from(seconds).map_or(DELAY_SECONDS_MAX, |seconds| seconds.min(DELAY_SECONDS_MAX))
}

/// The due command as a message, still without its queue.
fn message(
    deps: &Deps,
    timer: &Timer,
    now: Timestamp,
) -> Result<SendMessageFluentBuilder, Failure> {
    let body = serde_json::to_string(&timer.envelope(now))
        .map_err(|error| Failure::terminal("the due command cannot be written").because(error))?;
    Ok(deps
        .sqs
        .send_message()
        .message_body(body)
        .message_attributes("type", text(Due::TYPE)?)
        .message_attributes("correlationid", text(timer.correlation_id())?))
}

fn text(value: &str) -> Result<MessageAttributeValue, Failure> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|error| Failure::terminal("a message attribute cannot be built").because(error))
}

async fn sent(request: SendMessageFluentBuilder) -> Result<(), Failure> {
    request
        .send()
        .await
        .map(drop)
        .map_err(|error| AwsFault::of("SendMessage", error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_a_second_and_cut_at_the_longest_delay() {
        let now = Timestamp::from_millis(1_000_000);
        let in_ms = |ms| delay_seconds(Timestamp::from_millis(1_000_000 + ms), now);
        assert_eq!(in_ms(1), 1);
        assert_eq!(in_ms(1_000), 1);
        assert_eq!(in_ms(1_001), 2);
        assert_eq!(in_ms(900_000), 900);
        assert_eq!(in_ms(86_400_000), 900);
        assert_eq!(in_ms(i64::MAX - 1_000_000), 900);
    }
}
