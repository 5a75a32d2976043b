//! Reads topics, queues, queue policies and subscriptions.

use std::collections::BTreeMap;

use crate::problem::Position;
use crate::resolve::Resolver;
use crate::stack::{FilterScope, Queue, QueuePolicy, Redrive, Subscription, Topic};
use crate::value::{Fields, Kind, Value, complain};

/// Ranges of queue attributes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
const QUEUE_NUMBERS: &[(&str, std::ops::RangeInclusive<i64>)] = &[
    ("VisibilityTimeout", 0..=43_200),
    ("MessageRetentionPeriod", 60..=1_209_600),
    ("DelaySeconds", 0..=900),
    ("ReceiveMessageWaitTimeSeconds", 0..=20),
    ("MaximumMessageSize", 1_024..=1_048_576),
    ("KmsDataKeyReusePeriodSeconds", 60..=86_400),
];

/// `maxReceiveCount` as SQS takes it.
const RECEIVES: std::ops::RangeInclusive<u32> = 1..=1_000;

pub(crate) fn topic(logical_id: &str, position: Position, mut fields: Fields<'_>) -> Topic {
    let name = fields.text("TopicName");
    let mut attributes = BTreeMap::new();
    let fifo = fields.flag("FifoTopic").unwrap_or(false);
    let by_content = fields.flag("ContentBasedDeduplication");
    let scope = fields.word("FifoThroughputScope", &["Topic", "MessageGroup"]);
    if fifo {
        attributes.insert("FifoTopic".to_owned(), "true".to_owned());
    } else if by_content.is_some() || scope.is_some() {
        fields.problem("ContentBasedDeduplication and FifoThroughputScope need `FifoTopic: true`");
    }
    if let Some(by_content) = by_content {
        attributes.insert(
            "ContentBasedDeduplication".to_owned(),
            by_content.to_string(),
        );
    }
    if let Some(scope) = scope {
        attributes.insert("FifoThroughputScope".to_owned(), scope.to_owned());
    }
    if let Some(key) = fields.text("KmsMasterKeyId") {
        attributes.insert("KmsMasterKeyId".to_owned(), key);
    }
    check_fifo_name(name.as_deref(), fifo, &fields);
    fields.finish();
    Topic {
        logical_id: logical_id.to_owned(),
        position,
        name,
        fifo,
        attributes,
    }
}

pub(crate) fn queue(
    logical_id: &str,
    position: Position,
    mut fields: Fields<'_>,
    resolver: &Resolver<'_>,
) -> Queue {
    let name = fields.text("QueueName");
    let mut attributes = BTreeMap::new();
    for (attribute, range) in QUEUE_NUMBERS {
        if let Some(number) = fields.integer(attribute, range.clone()) {
            attributes.insert((*attribute).to_owned(), number.to_string());
        }
    }
    let fifo = fields.flag("FifoQueue").unwrap_or(false);
    if fifo {
        attributes.insert("FifoQueue".to_owned(), "true".to_owned());
    }
    let by_content = fields
        .flag("ContentBasedDeduplication")
        .map(|flag| flag.to_string());
    let scope = fields.word("DeduplicationScope", &["messageGroup", "queue"]);
    let limit = fields.word("FifoThroughputLimit", &["perQueue", "perMessageGroupId"]);
    let fifo_only = [
        ("ContentBasedDeduplication", by_content),
        ("DeduplicationScope", scope.map(str::to_owned)),
        ("FifoThroughputLimit", limit.map(str::to_owned)),
    ];
    for (attribute, value) in fifo_only {
        let Some(value) = value else { continue };
        if !fifo {
            fields.problem(format!("`{attribute}` needs `FifoQueue: true`"));
        }
        attributes.insert(attribute.to_owned(), value);
    }
    if let Some(managed) = fields.flag("SqsManagedSseEnabled") {
        attributes.insert("SqsManagedSseEnabled".to_owned(), managed.to_string());
    }
    if let Some(key) = fields.text("KmsMasterKeyId") {
        attributes.insert("KmsMasterKeyId".to_owned(), key);
    }
    let redrive = fields
        .map("RedrivePolicy")
        .and_then(|policy| redrive(policy, resolver));
    check_fifo_name(name.as_deref(), fifo, &fields);
    fields.finish();
    Queue {
        logical_id: logical_id.to_owned(),
        position,
        name,
        fifo,
        attributes,
        redrive,
    }
}

fn redrive(mut policy: Fields<'_>, resolver: &Resolver<'_>) -> Option<Redrive> {
    let target = policy.required("deadLetterTargetArn");
    let receives = policy.required("maxReceiveCount");
    policy.finish();
    let range = i64::from(*RECEIVES.start())..=i64::from(*RECEIVES.end());
    let receives =
        receives.and_then(|value| crate::value::integer(&value, range, resolver.problems));
    let target = target.filter(|value| resolver.leads_to(value, "AWS::SQS::Queue", Some("Arn")));
    Some(Redrive {
        dead_letter_queue: target?.to_expr(),
        max_receive_count: u32::try_from(receives?).ok()?,
    })
}

/// A FIFO topic's or queue's name ends in `.fifo`, and no other does.
fn check_fifo_name(name: Option<&str>, fifo: bool, fields: &Fields<'_>) {
    if let Some(name) = name
        && name.ends_with(".fifo") != fifo
    {
        fields.problem(format!(
            "the name `{name}` must end in `.fifo` exactly if it is FIFO"
        ));
    }
}

pub(crate) fn queue_policy(
    logical_id: &str,
    position: Position,
    mut fields: Fields<'_>,
    resolver: &Resolver<'_>,
) -> Option<QueuePolicy> {
    let queues = fields
        .list("Queues")
        .into_iter()
        .filter(|value| resolver.leads_to(value, "AWS::SQS::Queue", None))
        .map(|value| value.to_expr())
        .collect();
    let document = fields.required("PolicyDocument");
    fields.finish();
    Some(QueuePolicy {
        logical_id: logical_id.to_owned(),
        position,
        queues,
        document: document?.to_expr(),
    })
}

pub(crate) fn subscription(
    logical_id: &str,
    position: Position,
    mut fields: Fields<'_>,
    resolver: &Resolver<'_>,
) -> Option<Subscription> {
    fields.required_word("Protocol", &["sqs"]);
    let topic = fields
        .required("TopicArn")
        .filter(|value| resolver.leads_to(value, "AWS::SNS::Topic", None));
    let endpoint = fields
        .required("Endpoint")
        .filter(|value| resolver.leads_to(value, "AWS::SQS::Queue", Some("Arn")));
    let raw = fields.flag("RawMessageDelivery").unwrap_or(false);
    let filter_scope = match fields.word("FilterPolicyScope", &["MessageAttributes", "MessageBody"])
    {
        Some("MessageBody") => FilterScope::Body,
        _ => FilterScope::Attributes,
    };
    let filter_policy = fields
        .take("FilterPolicy")
        .and_then(|value| filter(&value, resolver));
    let dead_letter_queue = fields.map("RedrivePolicy").and_then(|mut policy| {
        let target = policy.required("deadLetterTargetArn");
        policy.finish();
        target.filter(|value| resolver.leads_to(value, "AWS::SQS::Queue", Some("Arn")))
    });
    fields.finish();
    Some(Subscription {
        logical_id: logical_id.to_owned(),
        position,
        topic: topic?.to_expr(),
        endpoint: endpoint?.to_expr(),
        raw,
        filter_policy,
        filter_scope,
        dead_letter_queue: dead_letter_queue.map(|value| value.to_expr()),
    })
}

fn filter(value: &Value, resolver: &Resolver<'_>) -> Option<serde_json::Value> {
    let json = match value.kind {
        Kind::Map(_) => value.to_json(),
        _ => None,
    };
    if json.is_none() {
        let message = "must be a map without references to resources";
        complain(value, message, resolver.problems);
    }
    json
}
