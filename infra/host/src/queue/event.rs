//! A batch of messages as the JSON that Lambda hands to a function:
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// Where the messages of a batch come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub queue_arn: &'a str,
    pub region: &'a str,
}

/// The event for a batch.
pub(super) fn batch(messages: &[Message], origin: Origin<'_>) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| record(message, origin))
        .collect();
    json!({ "Records": records })
}

/// A message's group, for FIFO queues.
pub(super) fn message_group(message: &Message) -> Option<&str> {
    message
        .attributes()?
        .get(&MessageSystemAttributeName::MessageGroupId)
        .map(String::as_str)
}

/// A message as filter criteria see it. With `parse_body` the body is JSON inside, and a
/// body that is none gives `None`: Lambda drops such a message.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html>
pub(super) fn for_filter(message: &Message, parse_body: bool) -> Option<Value> {
    let text = message.body().unwrap_or_default();
    let body = if parse_body {
        serde_json::from_str(text).ok()?
    } else {
        Value::String(text.to_owned())
    };
    Some(json!({
        "messageId": message.message_id().unwrap_or_default(),
        "body": body,
        "attributes": system_attributes(message),
        "messageAttributes": message_attributes(message),
    }))
}

fn record(message: &Message, origin: Origin<'_>) -> Value {
    let mut record = json!({
        "messageId": message.message_id().unwrap_or_default(),
        "receiptHandle": message.receipt_handle().unwrap_or_default(),
        "body": message.body().unwrap_or_default(),
        "attributes": system_attributes(message),
        "messageAttributes": message_attributes(message),
        "md5OfBody": message.md5_of_body().unwrap_or_default(),
        "eventSource": "aws:sqs",
        "eventSourceARN": origin.queue_arn,
        "awsRegion": origin.region,
    });
    if let Some(digest) = message.md5_of_message_attributes() {
        record["md5OfMessageAttributes"] = digest.into();
    }
    record
}

fn system_attributes(message: &Message) -> Map<String, Value> {
    message
        .attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str().to_owned(), Value::String(value.clone())))
        .collect()
}

fn message_attributes(message: &Message) -> Map<String, Value> {
    message
        .message_attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), message_attribute(value)))
        .collect()
}

fn message_attribute(value: &MessageAttributeValue) -> Value {
    let mut attribute = json!({
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.data_type(),
    });
    if let Some(text) = value.string_value() {
        attribute["stringValue"] = text.into();
    }
    if let Some(binary) = value.binary_value() {
        attribute["binaryValue"] = BASE64_STANDARD.encode(binary).into();
    }
    attribute
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::Blob;

    fn attribute(
        builder: aws_sdk_sqs::types::builders::MessageAttributeValueBuilder,
    ) -> MessageAttributeValue {
        builder.build().expect("an attribute")
    }

    fn message() -> Message {
        Message::builder()
            .message_id("m-1")
            .receipt_handle("r-1")
            .body(r#"{"type":"a"}"#)
            .md5_of_body("digest")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .attributes(MessageSystemAttributeName::MessageGroupId, "list-1")
            .message_attributes(
                "type",
                attribute(
                    MessageAttributeValue::builder()
                        .data_type("String")
                        .string_value("a"),
                ),
            )
            .message_attributes(
                "raw",
                attribute(
                    MessageAttributeValue::builder()
                        .data_type("Binary")
                        .binary_value(Blob::new(b"\x00\x01")),
                ),
            )
            .build()
    }

    #[test]
    fn a_record_has_lambdas_shape() {
        let origin = Origin {
            queue_arn: "arn:aws:sqs:us-east-1:000000000000:q",
            region: "us-east-1",
        };
        assert_eq!(
            batch(&[message()], origin),
            json!({"Records": [{
                "messageId": "m-1",
                "receiptHandle": "r-1",
                "body": "{\"type\":\"a\"}",
                "attributes": {"ApproximateReceiveCount": "2", "MessageGroupId": "list-1"},
                "messageAttributes": {
                    "type": {"stringValue": "a", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
                    "raw": {"binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
                },
                "md5OfBody": "digest",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q",
                "awsRegion": "us-east-1",
            }]})
        );
    }

    #[test]
    fn filters_see_a_parsed_body_only_where_a_pattern_looks_into_it() {
        assert_eq!(message_group(&message()), Some("list-1"));
        let seen = for_filter(&message(), true).expect("a JSON body");
        assert_eq!(seen["body"]["type"], "a");
        let plain = Message::builder().body("plain").build();
        assert!(for_filter(&plain, true).is_none());
        assert_eq!(for_filter(&plain, false).expect("text")["body"], "plain");
    }
}
