//! A dead letter as a person sees it: why, by whom, what, when.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_runtime::dead_letter::{
    ATTEMPT, CORRELATION, ERROR_CLASS, FUNCTION, REASON, REPLAYS,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Marks an original whose edited copy went out: when that was.
pub(crate) const EDITED: &str = "callboard-edited";

/// Says on an edited copy which letter it was made of.
pub(crate) const EDITED_FROM: &str = "callboard-edited-from";

/// How the name of a queue ends that Lambda itself writes to.
const FAILURES: &str = "-failure";

/// What SNS adds when a subscription gives up (SNS Developer Guide, "dead-letter queues").
const OF_SNS: [&str; 3] = ["RequestID", "ErrorCode", "ErrorMessage"];

/// One message in a dead-letter queue.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) receipt: String,
    pub(crate) queue: String,
    pub(crate) body: String,
    pub(crate) attributes: HashMap<String, MessageAttributeValue>,
    /// Message group, in a FIFO queue.
    pub(crate) group: Option<String>,
    /// When it was sent, as the queue has it.
    pub(crate) sent_at: Timestamp,
    /// The body, if it is JSON.
    pub(crate) json: Option<Value>,
}

impl Letter {
    pub(crate) fn new(queue: &str, message: Message) -> Self {
        let system = message.attributes.unwrap_or_default();
        let sent = system
            .get(&MessageSystemAttributeName::SentTimestamp)
            .and_then(|ms| Timestamp::from_millisecond(ms.parse().ok()?).ok());
        let body = message.body.unwrap_or_default();
        Self {
            id: message.message_id.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
            queue: queue.to_owned(),
            json: serde_json::from_str(&body).ok(),
            body,
            attributes: message.message_attributes.unwrap_or_default(),
            group: system
                .get(&MessageSystemAttributeName::MessageGroupId)
                .cloned(),
            sent_at: sent.unwrap_or_default(),
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.string_value()
    }

    fn said(&self, pointer: &str) -> Option<&str> {
        self.json.as_ref()?.pointer(pointer)?.as_str()
    }

    /// Why it is here, as far as anybody said.
    pub(crate) fn reason(&self) -> &str {
        self.attribute(REASON)
            .or_else(|| self.attribute("ErrorMessage"))
            .or_else(|| self.said("/requestContext/condition"))
            .unwrap_or("received too often (maxReceiveCount); no reason was given")
    }

    /// Who gave up; the consumer that the queue belongs to, where the letter does not say.
    pub(crate) fn function(&self) -> &str {
        let consumer = self.queue.strip_suffix(FAILURES).unwrap_or(&self.queue);
        self.attribute(FUNCTION).unwrap_or(consumer)
    }

    /// The event's type, `?` where nothing tells.
    pub(crate) fn event_type(&self) -> &str {
        self.attribute("type")
            .or_else(|| self.said("/type"))
            .unwrap_or("?")
    }

    /// The correlation id.
    pub(crate) fn correlation(&self) -> Option<&str> {
        self.attribute(CORRELATION)
            .or_else(|| self.said("/correlationid"))
    }

    /// How often it was replayed.
    pub(crate) fn replays(&self) -> u32 {
        self.attribute(REPLAYS)
            .and_then(|count| count.parse().ok())
            .unwrap_or(0)
    }

    /// The attributes that it came with, without what was added when it was given up.
    pub(crate) fn originals(&self) -> HashMap<String, MessageAttributeValue> {
        let added = [REASON, ERROR_CLASS, FUNCTION, ATTEMPT, REPLAYS, EDITED];
        let mut attributes = self.attributes.clone();
        attributes
            .retain(|name, _| !added.contains(&name.as_str()) && !OF_SNS.contains(&name.as_str()));
        attributes
    }

    /// All of it, for a script. A body that is JSON is there as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let attributes: BTreeMap<_, _> = self
            .attributes
            .iter()
            .map(|(name, value)| (name, attribute_json(value)))
            .collect();
        json!({
            "queue": self.queue,
            "id": self.id,
            "sentAt": self.sent_at.to_string(),
            "reason": self.reason(),
            "function": self.function(),
            "type": self.event_type(),
            "correlationId": self.correlation(),
            "group": self.group,
            "replays": self.replays(),
            "attributes": attributes,
            "body": self.body,
        })
    }
}

/// A letter's text attribute of ours.
pub(crate) fn text(value: impl Into<String>) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .expect("the data type is set")
}

fn attribute_json(value: &MessageAttributeValue) -> Value {
    match (value.string_value(), value.binary_value()) {
        (Some(text), _) => json!({ "type": value.data_type(), "value": text }),
        (None, Some(bytes)) => {
            json!({ "type": value.data_type(), "base64": STANDARD.encode(bytes.as_ref()) })
        }
        (None, None) => json!({ "type": value.data_type() }),
    }
}
