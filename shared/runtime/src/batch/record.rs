//! One SQS record as Lambda delivers it, read leniently: a record that is odd in one place
//! must not spoil its neighbours, and its id must survive so that it can be reported.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_contracts::{Envelope, EnvelopeError};
use serde_json::Value;

use crate::dead_letter::{Attribute, CORRELATION};
use crate::failure::Failure;

/// What a message is called when Lambda names no try: the first.
const FIRST_TRY: u32 = 1;

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqsRecord {
    /// Its id; empty only in an event that no queue has made.
    pub message_id: String,
    /// The handle of this delivery.
    pub receipt_handle: String,
    /// Its body.
    pub body: String,
    /// How often it has been delivered, this time included: SQS's approximation.
    pub receive_count: u32,
    /// Message group, if its queue is FIFO or fair.
    pub group: Option<String>,
    /// Message attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// What keeps it from being handled at all.
    pub(super) defect: Option<&'static str>,
}

impl SqsRecord {
    pub(super) fn read(record: &Value) -> Self {
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let system = |name: &str| {
            record
                .get("attributes")
                .and_then(|map| map.get(name))
                .and_then(Value::as_str)
        };
        let message_id = text("messageId").unwrap_or_default();
        let body = text("body");
        let defect = if message_id.is_empty() {
            Some("the record has no messageId")
        } else if body.is_none() {
            Some("the record has no body")
        } else {
            None
        };
        let attributes = record
            .get("messageAttributes")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        Self {
            receipt_handle: text("receiptHandle").unwrap_or_default(),
            receive_count: system("ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or(FIRST_TRY),
            group: system("MessageGroupId").map(str::to_owned),
            attributes: attributes
                .filter_map(|(name, value)| Some((name.clone(), attribute(value)?)))
                .collect(),
            message_id,
            body: body.unwrap_or_default(),
            defect,
        }
    }

    /// A message attribute's text.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name) {
            Some(Attribute::Text { value, .. }) => Some(value),
            _ => None,
        }
    }

    /// The correlation id that the message carries.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.attribute(CORRELATION)
    }

    /// The body as an envelope.
    ///
    /// # Errors
    /// A terminal [`Failure`] when it is none.
    pub fn envelope(&self) -> Result<Envelope, Failure> {
        Envelope::parse(&self.body).map_err(|error| {
            let reason = match &error {
                // serde's message may quote a value: line and column are enough.
                EnvelopeError::Json(json) => {
                    format!(
                        "not a CloudEvents envelope (line {}, column {})",
                        json.line(),
                        json.column()
                    )
                }
                EnvelopeError::SpecVersion(_) => "not CloudEvents version 1.0".to_owned(),
            };
            Failure::poison(reason).because(error)
        })
    }
}

fn attribute(value: &Value) -> Option<Attribute> {
    let data_type = value.get("dataType").and_then(Value::as_str)?.to_owned();
    if let Some(text) = value.get("stringValue").and_then(Value::as_str) {
        return Some(Attribute::Text {
            data_type,
            value: text.to_owned(),
        });
    }
    let bytes = STANDARD
        .decode(value.get("binaryValue").and_then(Value::as_str)?)
        .ok()?;
    Some(Attribute::Bytes {
        data_type,
        value: bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_with_odd_members_keeps_its_id() {
        let record = SqsRecord::read(&json!({
            "messageId": "m-1", "body": "{}", "receiptHandle": 7, "attributes": "none",
            "messageAttributes": {
                "type": {"dataType": "String", "stringValue": "x"},
                "blob": {"dataType": "Binary", "binaryValue": "aGk="},
                "odd": 3
            }
        }));
        assert_eq!(
            (record.message_id.as_str(), record.receive_count),
            ("m-1", 1)
        );
        assert_eq!(record.attribute("type"), Some("x"));
        assert_eq!(record.attributes.len(), 2);
        assert_eq!(record.defect, None);
    }

    #[test]
    fn a_body_that_is_no_envelope_is_poison_and_is_not_quoted() {
        let record = SqsRecord {
            body: "{\"specversion\":\"a@b.example\"".to_owned(),
            ..SqsRecord::default()
        };
        let failure = record.envelope().expect_err("poison");
        assert_eq!(failure.label(), "poison");
        assert!(
            !failure.reason().contains("a@b.example"),
            "{}",
            failure.reason()
        );
    }
}
