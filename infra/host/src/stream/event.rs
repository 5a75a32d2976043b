//! Stream records as the JSON that Lambda hands to a function:
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// A record with what the mapping needs of it.
#[derive(Debug, Clone)]
pub(super) struct StreamRecord {
    pub sequence_number: String,
    /// When it was written, to the second.
    pub created_at: Option<SystemTime>,
    /// Bytes by the stream's own count.
    pub bytes: usize,
    /// The record as the function sees it.
    pub json: Value,
}

impl StreamRecord {
    /// Converts a record of `GetRecords`.
    pub(super) fn new(record: &Record, stream_arn: &str, region: &str) -> Self {
        let image = record.dynamodb();
        let created_at = image
            .and_then(|image| image.approximate_creation_date_time())
            .and_then(|time| SystemTime::try_from(*time).ok());
        StreamRecord {
            sequence_number: image
                .and_then(|image| image.sequence_number())
                .unwrap_or_default()
                .to_owned(),
            created_at,
            bytes: image
                .and_then(|image| image.size_bytes())
                .and_then(|bytes| usize::try_from(bytes).ok())
                .unwrap_or_default(),
            json: to_json(record, stream_arn, region),
        }
    }

    /// Age at `now`; zero if the time of writing is unknown or ahead.
    pub(super) fn age(&self, now: SystemTime) -> Duration {
        self.created_at
            .and_then(|created| now.duration_since(created).ok())
            .unwrap_or_default()
    }

    /// The item's key, the same for all records of an item.
    pub(super) fn key(&self) -> String {
        self.json["dynamodb"]["Keys"].to_string()
    }

    /// The correlation id of a journal commit, which the attribute `corr` holds.
    pub(super) fn correlation_id(&self) -> Option<&str> {
        self.json["dynamodb"]["NewImage"]["corr"]["S"].as_str()
    }
}

/// The event for a batch.
pub(super) fn batch(records: &[StreamRecord]) -> Value {
    let records: Vec<&Value> = records.iter().map(|record| &record.json).collect();
    json!({ "Records": records })
}

fn to_json(record: &Record, stream_arn: &str, region: &str) -> Value {
    let mut json = json!({
        "eventID": record.event_id().unwrap_or_default(),
        "eventName": record.event_name().map_or("", |name| name.as_str()),
        "eventVersion": record.event_version().unwrap_or("1.1"),
        "eventSource": record.event_source().unwrap_or("aws:dynamodb"),
        "awsRegion": region,
        "eventSourceARN": stream_arn,
        "dynamodb": {},
    });
    if let Some(identity) = record.user_identity() {
        json["userIdentity"] = json!({
            "principalId": identity.principal_id().unwrap_or_default(),
            "type": identity.r#type().unwrap_or_default(),
        });
    }
    let Some(image) = record.dynamodb() else {
        return json;
    };
    let change = &mut json["dynamodb"];
    if let Some(time) = image.approximate_creation_date_time() {
        change["ApproximateCreationDateTime"] = time.secs().into();
    }
    for (name, item) in [
        ("Keys", image.keys()),
        ("NewImage", image.new_image()),
        ("OldImage", image.old_image()),
    ] {
        if let Some(item) = item {
            change[name] = attributes(item);
        }
    }
    change["SequenceNumber"] = image.sequence_number().unwrap_or_default().into();
    change["SizeBytes"] = image.size_bytes().unwrap_or_default().into();
    if let Some(view) = image.stream_view_type() {
        change["StreamViewType"] = view.as_str().into();
    }
    json
}

fn attributes(item: &HashMap<String, AttributeValue>) -> Value {
    let attributes: Map<String, Value> = item
        .iter()
        .map(|(name, value)| (name.clone(), attribute(value)))
        .collect();
    Value::Object(attributes)
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::B(binary) => json!({ "B": BASE64_STANDARD.encode(binary) }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(binaries) => {
            let encoded: Vec<String> = binaries
                .iter()
                .map(|binary| BASE64_STANDARD.encode(binary))
                .collect();
            json!({ "BS": encoded })
        }
        AttributeValue::L(values) => {
            json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() })
        }
        AttributeValue::M(map) => json!({ "M": attributes(map) }),
        // A type that DynamoDB does not have yet.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodbstreams::primitives::{Blob, DateTime};
    use aws_sdk_dynamodbstreams::types::{
        Identity, OperationType, StreamRecord as Image, StreamViewType,
    };

    #[test]
    fn a_record_has_lambdas_shape_with_every_attribute_type() {
        let record = Record::builder()
            .event_id("e-1")
            .event_name(OperationType::Insert)
            .event_version("1.1")
            .event_source("aws:dynamodb")
            .aws_region("dynoxide")
            .user_identity(
                Identity::builder()
                    .principal_id("dynamodb.amazonaws.com")
                    .r#type("Service")
                    .build(),
            )
            .dynamodb(
                Image::builder()
                    .approximate_creation_date_time(DateTime::from_secs(1_700_000_000))
                    .keys("pk", AttributeValue::S("a".into()))
                    .new_image("n", AttributeValue::N("1".into()))
                    .new_image("b", AttributeValue::B(Blob::new(b"\x01")))
                    .new_image("l", AttributeValue::L(vec![AttributeValue::Bool(true)]))
                    .new_image(
                        "m",
                        AttributeValue::M(HashMap::from([(
                            "x".to_owned(),
                            AttributeValue::Null(true),
                        )])),
                    )
                    .sequence_number("7")
                    .size_bytes(26)
                    .stream_view_type(StreamViewType::NewImage)
                    .build(),
            )
            .build();
        let converted = StreamRecord::new(&record, "arn:stream", "us-east-1");
        assert_eq!(
            converted.json,
            json!({
                "eventID": "e-1",
                "eventName": "INSERT",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": "us-east-1",
                "eventSourceARN": "arn:stream",
                "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
                "dynamodb": {
                    "ApproximateCreationDateTime": 1_700_000_000,
                    "Keys": {"pk": {"S": "a"}},
                    "NewImage": {
                        "n": {"N": "1"},
                        "b": {"B": "AQ=="},
                        "l": {"L": [{"BOOL": true}]},
                        "m": {"M": {"x": {"NULL": true}}},
                    },
                    "SequenceNumber": "7",
                    "SizeBytes": 26,
                    "StreamViewType": "NEW_IMAGE",
                },
            })
        );
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_060);
        assert_eq!(converted.age(now), Duration::from_secs(60));
    }
}
