//! The poison's part: a message that nobody can read ends in the DLQ, with the
//! reason, and holds up nobody.

use std::collections::BTreeMap;
use std::io::Write;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::Message;

use super::Story;
use super::world::{Failed, PATIENCE, Step, eventually};

/// Where the poison goes in.
const QUEUE: &str = "CALLBOARD_NOTIFICATION_PLANNER_QUEUE";

/// Where it must come out.
const DEAD_LETTERS: &str = "CALLBOARD_NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE";

/// How long dead letters stay hidden after a look, in seconds: long enough to see
/// different ones with the next look, short enough to leave them to others.
const LOOK_HIDES_SECONDS: i32 = 1;

impl<W: Write> Story<W> {
    /// Sends one unreadable message and waits for it in the DLQ.
    pub(crate) async fn poison(&mut self) -> Step<()> {
        self.narrator
            .step("A message that nobody can read comes by SQS")?;
        let body = format!("this is no event, sent by {}", self.named("demo"));
        let queue = self.world.queue(QUEUE)?;
        let dead_letters = self.world.queue(DEAD_LETTERS)?;
        let sent = self
            .world
            .sqs()
            .send_message()
            .queue_url(queue)
            .message_body(&body)
            .send();
        sent.await.map_err(|error| failed("SendMessage", &error))?;
        self.narrator.fact("sent to notification-planner")?;

        let world = self.world.clone();
        let letter = eventually(PATIENCE, "the poison in the DLQ", || async {
            let received = world
                .sqs()
                .receive_message()
                .queue_url(&dead_letters)
                .max_number_of_messages(10)
                .visibility_timeout(LOOK_HIDES_SECONDS)
                .message_attribute_names("All")
                .send()
                .await
                .map_err(|error| failed("ReceiveMessage", &error))?;
            let letters = received.messages.unwrap_or_default();
            Ok(letters
                .into_iter()
                .find(|letter| letter.body() == Some(body.as_str())))
        })
        .await?;
        let attributes = attributes_of(&letter);
        if attributes.is_empty() {
            return Err(Failed("the dead letter says no reason".to_owned()));
        }
        self.narrator.fact("in the DLQ, saying why")?;
        for (name, value) in attributes {
            self.narrator.detail(&format!("{name}: {value}"))?;
        }
        Ok(())
    }
}

fn attributes_of(letter: &Message) -> BTreeMap<String, String> {
    let attributes = letter.message_attributes().into_iter().flatten();
    attributes
        .filter_map(|(name, value)| Some((name.clone(), value.string_value()?.to_owned())))
        .collect()
}

fn failed<E: std::error::Error>(operation: &str, error: &E) -> Failed {
    Failed(format!(
        "{operation} failed: {}",
        DisplayErrorContext(error)
    ))
}
