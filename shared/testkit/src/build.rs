//! Ids, causes, envelopes, and events as Lambda delivers them.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_contracts::cause::hash_of;
use callboard_contracts::envelope::{SOURCE, SPEC_VERSION};
use callboard_contracts::{Cause, Envelope, StreamId, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A stream id.
///
/// # Panics
/// When `text` is none.
#[must_use]
pub fn stream_id(text: &str) -> StreamId {
    StreamId::try_from(text.to_owned()).expect("a stream id")
}

/// A cause of its own, with ids as long as real ones.
#[must_use]
pub fn cause() -> Cause {
    cause_of(&json!({ "cause": Uuid::new_v4() }))
}

/// The cause that `payload` is.
#[must_use]
pub fn cause_of(payload: &Value) -> Cause {
    Cause {
        causation_id: Uuid::new_v4().to_string(),
        correlation_id: Uuid::new_v4().to_string(),
        hash: hash_of(payload),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

/// An envelope of `event_type` about `stream`.
#[must_use]
pub fn envelope(event_type: &str, stream: &StreamId, at: Timestamp, data: Value) -> Envelope {
    let id = Uuid::new_v4().to_string();
    Envelope {
        specversion: SPEC_VERSION.to_owned(),
        source: SOURCE.to_owned(),
        event_type: event_type.to_owned(),
        time: at,
        subject: Some(stream.as_str().to_owned()),
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        data,
        sequence: None,
        correlationid: Some(id.clone()),
        causationid: None,
        traceparent: None,
        id,
    }
}

/// One message of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    id: String,
    body: String,
    receive_count: u32,
    group: Option<String>,
    receipt_handle: Option<String>,
    attributes: BTreeMap<String, String>,
}

impl Message {
    /// A message, delivered for the first time.
    #[must_use]
    pub fn new(body: impl Into<String>) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            body: body.into(),
            receive_count: 1,
            group: None,
            receipt_handle: None,
            attributes: BTreeMap::new(),
        }
    }

    /// A message that carries an envelope, with the attributes that the relay sets.
    ///
    /// # Panics
    /// Never: an envelope is plain JSON.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        let mut message = Self::new(serde_json::to_string(envelope).expect("plain JSON"))
            .attribute("type", &envelope.event_type);
        for (name, value) in [
            ("correlationid", &envelope.correlationid),
            ("traceparent", &envelope.traceparent),
        ] {
            if let Some(value) = value {
                message = message.attribute(name, value);
            }
        }
        message
    }

    /// With this id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// Delivered for the `count`th time.
    #[must_use]
    pub const fn receive_count(mut self, count: u32) -> Self {
        self.receive_count = count;
        self
    }

    /// In this message group.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.group = Some(group.to_owned());
        self
    }

    /// With the handle of a real delivery.
    #[must_use]
    pub fn receipt_handle(mut self, handle: &str) -> Self {
        self.receipt_handle = Some(handle.to_owned());
        self
    }

    /// With a message attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.insert(name.to_owned(), value.to_owned());
        self
    }

    fn record(&self, queue: &str) -> Value {
        let mut system = json!({
            "ApproximateReceiveCount": self.receive_count.to_string(),
            "SentTimestamp": "1795219200000",
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": "1795219200001",
        });
        if let Some(group) = &self.group {
            system["MessageGroupId"] = json!(group);
        }
        let attributes = self.attributes.iter().map(|(name, value)| {
            (
                name.clone(),
                json!({ "stringValue": value, "dataType": "String" }),
            )
        });
        json!({
            "messageId": self.id,
            "receiptHandle": self.receipt_handle.as_deref().unwrap_or_default(),
            "body": self.body,
            "attributes": system,
            "messageAttributes": attributes.collect::<Map<_, _>>(),
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
            "awsRegion": "us-east-1",
        })
    }
}

/// What Lambda hands a function that reads a standard queue; of `queue.fifo` when a message has
/// a group.
#[must_use]
pub fn sqs_event(messages: &[Message]) -> Value {
    let fifo = messages.iter().any(|message| message.group.is_some());
    let queue = if fifo { "queue.fifo" } else { "queue" };
    json!({ "Records": messages.iter().map(|message| message.record(queue)).collect::<Vec<_>>() })
}

/// What Lambda hands a function that reads a table's stream, for items that were inserted.
/// Sequence numbers count from 1, with the zeros that real ones have.
///
/// # Panics
/// On attribute types that the house's tables do not use.
#[must_use]
pub fn stream_event(items: &[std::collections::HashMap<String, AttributeValue>]) -> Value {
    let typed = |value: &AttributeValue| match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        other => panic!("no table of the house holds {other:?}"),
    };
    let records = items.iter().enumerate().map(|(at, item)| {
        let image: Map<_, _> = item
            .iter()
            .map(|(name, value)| (name.clone(), typed(value)))
            .collect();
        let keys = json!({ "pk": image.get("pk"), "sk": image.get("sk") });
        json!({
            "eventID": Uuid::new_v4(),
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_795_219_200.0,
                "Keys": keys,
                "NewImage": image,
                "SequenceNumber": format!("{:021}", at + 1),
                "SizeBytes": 100,
                "StreamViewType": "NEW_IMAGE",
            },
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}
