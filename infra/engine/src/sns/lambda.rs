//! What a function is invoked with.

use super::delivery::{self, Published};
use super::subscriptions::Subscription;
use crate::messages::Work;
use serde_json::{Map, Value, json};

/// The event of one notification (AWS, "Using AWS Lambda with Amazon SNS"). Unlike elsewhere the
/// attributes are always there, and two names end in `Url`.
pub(super) fn event(work: &Work<'_>, message: &Published, subscription: &Subscription) -> String {
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, attribute)| {
            let value = attribute.string_value.as_ref();
            let value = value.or(attribute.binary_value.as_ref());
            let shown = json!({"Type": attribute.data_type, "Value": value});
            (name.clone(), shown)
        })
        .collect();
    json!({"Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": {
            "Type": "Notification",
            "MessageId": message.message_id,
            "TopicArn": message.topic_arn,
            "Subject": message.subject,
            "Message": message.texts.for_protocol(&subscription.protocol),
            "Timestamp": delivery::timestamp(work.now),
            "SignatureVersion": message.signature_version,
            "Signature": message.signature(work, &subscription.protocol),
            "SigningCertUrl": delivery::certificate_url(work),
            "UnsubscribeUrl": delivery::unsubscribe_url(work, subscription),
            "MessageAttributes": attributes,
        },
    }]})
    .to_string()
}
