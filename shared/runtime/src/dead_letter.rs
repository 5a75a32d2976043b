//! A message set aside with its reason: original body, original attributes, and why.
//!
//! Sending is confirmed before the message counts as handled; what cannot be sent is told to the
//! caller, who then leaves the message where it is. Nothing is lost in between.

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;

use crate::fault::AwsFault;
use crate::metrics::{self, Metric};

/// Attributes one message may have (SQS Developer Guide, "Message metadata").
pub const ATTRIBUTES_MAX: usize = 10;

/// Longest reason in bytes: it is to be read by a person, and shares the message's size limit.
pub const REASON_BYTES_MAX: usize = 1_000;

/// Why.
pub const REASON: &str = "callboard-reason";
/// `terminal`, `poison`, `retryable` (its last try), `panic`.
pub const ERROR_CLASS: &str = "callboard-error-class";
/// The function that gave up.
pub const FUNCTION: &str = "callboard-function";
/// Which try it was, from 1.
pub const ATTEMPT: &str = "callboard-attempt";
/// How often it was sent again by hand: a guard against going round in circles.
pub const REPLAYS: &str = "callboard-replays";
/// The correlation id, as on every message.
pub const CORRELATION: &str = "correlationid";

/// Attributes that are kept before others when room runs out: they steer routing and tracing, and
/// end replays.
const KEPT_FIRST: [&str; 4] = ["type", "channel", "traceparent", REPLAYS];

/// One message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// Text or a number, with its data type (`String`, `Number`, or a custom label of those).
    Text {
        /// The data type.
        data_type: String,
        /// The value.
        value: String,
    },
    /// Bytes, with their data type (`Binary` or a custom label of it).
    Bytes {
        /// The data type.
        data_type: String,
        /// The value.
        value: Vec<u8>,
    },
}

impl Attribute {
    /// Plain text.
    #[must_use]
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text {
            data_type: "String".to_owned(),
            value: value.into(),
        }
    }

    fn value(&self) -> MessageAttributeValue {
        let value = match self {
            Self::Text { data_type, value } => MessageAttributeValue::builder()
                .data_type(data_type)
                .string_value(value),
            Self::Bytes { data_type, value } => MessageAttributeValue::builder()
                .data_type(data_type)
                .binary_value(Blob::new(value.clone())),
        };
        value.build().expect("the data type is set")
    }

    const fn is_empty(&self) -> bool {
        match self {
            Self::Text { value, .. } => value.is_empty(),
            Self::Bytes { value, .. } => value.is_empty(),
        }
    }
}

/// A message to be set aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// The original body, as it came.
    pub body: String,
    /// The original attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// Why; no personal data.
    pub reason: String,
    /// One word for the kind of error.
    pub error_class: String,
    /// Which try it was, from 1.
    pub attempt: u32,
    /// The correlation id, if it is known and not among the attributes.
    pub correlation_id: Option<String>,
    /// Message group, for a FIFO queue; `id` stands in for it.
    pub group: Option<String>,
    /// The original message's id: deduplication id of a FIFO queue.
    pub id: String,
}

/// The dead-letter queue of one function.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    sqs: Client,
    url: String,
    function: String,
}

impl DeadLetters {
    /// Letters of `function` go to the queue at `url`.
    #[must_use]
    pub fn new(sqs: Client, url: impl Into<String>, function: impl Into<String>) -> Self {
        Self {
            sqs,
            url: url.into(),
            function: function.into(),
        }
    }

    /// The same through a client of its own.
    #[must_use]
    pub fn open(
        sdk: &aws_config::SdkConfig,
        url: impl Into<String>,
        function: impl Into<String>,
    ) -> Self {
        Self::new(Client::new(sdk), url, function)
    }

    /// Sets one message aside.
    ///
    /// # Errors
    /// [`AwsFault`] when the queue has not confirmed it: the message must then stay where it is.
    pub async fn send(&self, letter: Letter) -> Result<(), AwsFault> {
        let attributes = self.attributes(&letter);
        let error_class = letter.error_class.clone();
        let mut call = self
            .sqs
            .send_message()
            .queue_url(&self.url)
            // SQS takes no empty body; nothing it delivers has one.
            .message_body(if letter.body.is_empty() {
                "(no body)"
            } else {
                &letter.body
            })
            .set_message_attributes(Some(
                attributes
                    .iter()
                    .map(|(name, value)| (name.clone(), value.value()))
                    .collect(),
            ));
        if self.url.ends_with(".fifo") {
            let id = if letter.id.is_empty() {
                uuid::Uuid::new_v4().to_string()
            } else {
                letter.id
            };
            call = call
                .message_group_id(letter.group.unwrap_or_else(|| id.clone()))
                .message_deduplication_id(id);
        }
        call.send()
            .await
            .map_err(|error| AwsFault::of("SendMessage", error))?;
        metrics::count(Metric::DeadLetters, &error_class);
        Ok(())
    }

    /// Ours, and as many of the original's as there is room for.
    fn attributes(&self, letter: &Letter) -> BTreeMap<String, Attribute> {
        let mut all: BTreeMap<String, Attribute> = [
            (REASON, printable(&letter.reason)),
            (ERROR_CLASS, letter.error_class.clone()),
            (FUNCTION, self.function.clone()),
            (ATTEMPT, letter.attempt.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Attribute::text(value)))
        .collect();
        let known = letter.attributes.get(CORRELATION).cloned();
        if let Some(correlation) =
            known.or_else(|| letter.correlation_id.as_ref().map(Attribute::text))
        {
            all.insert(CORRELATION.to_owned(), correlation);
        }
        // SQS refuses an attribute without a value.
        all.retain(|_, attribute| !attribute.is_empty());
        let originals = || {
            letter
                .attributes
                .iter()
                .filter(|(_, attribute)| !attribute.is_empty())
        };
        let first = originals().filter(|(name, _)| KEPT_FIRST.contains(&name.as_str()));
        let rest = originals().filter(|(name, _)| !KEPT_FIRST.contains(&name.as_str()));
        for (name, attribute) in first.chain(rest) {
            if all.len() < ATTRIBUTES_MAX && !all.contains_key(name) {
                all.insert(name.clone(), attribute.clone());
            }
        }
        all
    }
}

/// Text that SQS takes: no control characters, bounded, not empty.
fn printable(reason: &str) -> String {
    let mut text = String::with_capacity(reason.len().min(REASON_BYTES_MAX));
    for character in reason.chars().map(|c| {
        if c.is_control() || c >= '\u{fffe}' {
            ' '
        } else {
            c
        }
    }) {
        if text.len() + character.len_utf8() > REASON_BYTES_MAX {
            break;
        }
        text.push(character);
    }
    if text.trim().is_empty() {
        "no reason was given".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letters() -> DeadLetters {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version_latest()
            .build();
        DeadLetters::new(
            Client::from_conf(config),
            "https://queue/dlq",
            "email-sender",
        )
    }

    fn letter(names: &[String]) -> Letter {
        Letter {
            reason: "not JSON".to_owned(),
            error_class: "poison".to_owned(),
            attempt: 5,
            correlation_id: Some("corr-1".to_owned()),
            attributes: names
                .iter()
                .map(|name| (name.clone(), Attribute::text("v")))
                .collect(),
            ..Letter::default()
        }
    }

    #[test]
    fn an_older_death_is_overwritten_by_this_one() {
        let names = [REASON.to_owned(), "type".to_owned()];
        let attributes = letters().attributes(&letter(&names));
        assert_eq!(attributes[REASON], Attribute::text("not JSON"));
        assert_eq!(attributes["type"], Attribute::text("v"));
        assert_eq!(attributes[CORRELATION], Attribute::text("corr-1"));
    }

    proptest! {
        #[test]
        fn there_is_always_room_for_our_attributes(names in prop::collection::btree_set("[a-z]{1,6}", 0..14)) {
            let mut names: Vec<String> = names.into_iter().collect();
            names.extend(["type".to_owned(), REPLAYS.to_owned()]);
            let attributes = letters().attributes(&letter(&names));
            prop_assert!(attributes.len() <= ATTRIBUTES_MAX);
            for name in [REASON, ERROR_CLASS, FUNCTION, ATTEMPT, CORRELATION, "type", REPLAYS] {
                prop_assert!(attributes.contains_key(name), "{}", name);
            }
        }

        #[test]
        fn a_reason_is_always_something_that_sqs_takes(reason in "(?s).{0,1200}") {
            let text = printable(&reason);
            prop_assert!(!text.is_empty() && text.len() <= REASON_BYTES_MAX);
            prop_assert!(!text.chars().any(char::is_control));
        }
    }
}
