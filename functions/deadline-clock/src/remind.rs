//! One timer: wait on, or tell its owner.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::command::Due;
use callboard_runtime::clock::Clock;
use callboard_runtime::failure::Failure;
use callboard_runtime::publish::Message;
use callboard_runtime::queue::{DELAY_SECONDS_MAX, Queue};

use crate::timer::{GROUP_ATTRIBUTE, Timer};

/// What the function needs to do its work.
#[derive(Debug, Clone)]
pub struct Deps {
    /// What time it is.
    pub clock: Clock,
    /// Our own queue (standard), where a timer waits.
    pub own_queue: Queue,
    /// The owner's queue (FIFO), where a due command goes.
    pub owner_queue: Queue,
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
        let mut message = message(timer, now)?;
        let seconds = delay_seconds(timer.due.due_at, now);
        let attributes = &mut message.attributes;
        attributes.insert(GROUP_ATTRIBUTE.to_owned(), timer.group.clone());
        deps.own_queue.send_later(message, seconds).await?;
        Ok(Outcome::Waits(seconds))
    } else {
        deps.owner_queue.send(to_owner(timer, now)?).await?;
        Ok(Outcome::HandedOver)
    }
}

/// The due command for its owner's queue: in the owner's group, and one of several equal ones.
///
/// # Errors
/// A terminal [`Failure`] if it cannot be written as JSON.
pub fn to_owner(timer: &Timer, now: Timestamp) -> Result<Message, Failure> {
    let mut message = message(timer, now)?;
    message.group = Some(timer.group.clone());
    message.dedup = Some(timer.id());
    Ok(message)
}

/// Whole seconds until `due_at`, rounded up so that a turn never ends just before it. A longer
/// wait than a queue's longest delay takes several turns.
fn delay_seconds(due_at: Timestamp, now: Timestamp) -> i32 {
    let wait: Duration = due_at.since(now);
    let seconds = wait.as_millis().div_ceil(1_000);
    i32::try_from(seconds).map_or(DELAY_SECONDS_MAX, |seconds| seconds.min(DELAY_SECONDS_MAX))
}

/// The due command as a message for either queue.
fn message(timer: &Timer, now: Timestamp) -> Result<Message, Failure> {
    let body = serde_json::to_string(&timer.envelope(now))
        .map_err(|error| Failure::terminal("the due command cannot be written").because(error))?;
    let attributes = BTreeMap::from([
        ("type".to_owned(), Due::TYPE.to_owned()),
        (
            "correlationid".to_owned(),
            timer.correlation_id().to_owned(),
        ),
    ]);
    Ok(Message {
        body,
        attributes,
        ..Message::default()
    })
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
