//! A topic's attributes: which there are, what they may be, how they are shown.

use super::super::Outcome;
use super::super::delivery_policy;
use super::super::form::Form;
use super::super::reply::{SnsError, Xml};
use super::{Topic, find, keep};
use crate::messages::Work;
use crate::wire::same_value;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a topic may say of its largest message, in bytes (AWS, "Publishing large messages with
/// Amazon SNS": up to 1 MiB).
const MESSAGE_BYTES_RANGE: std::ops::RangeInclusive<usize> = 1_024..=1_048_576;
/// The longest display name, in characters (AWS, `SetTopicAttributes`).
const DISPLAY_NAME_LEN_MAX: usize = 100;
/// How long an archive may keep messages, in days (AWS, "Amazon SNS message archiving").
const ARCHIVE_DAYS: std::ops::RangeInclusive<u32> = 1..=365;

const SETTABLE: [&str; 10] = [
    "DisplayName",
    "Policy",
    "DeliveryPolicy",
    "KmsMasterKeyId",
    "TracingConfig",
    "SignatureVersion",
    "MaximumMessageSize",
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "ArchivePolicy",
];
/// What only a FIFO topic has.
const OF_FIFO: [&str; 3] = [
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "ArchivePolicy",
];

/// What holds and is not shown where a topic does not say it.
const USUAL: [(&str, &str); 4] = [
    ("FifoThroughputScope", "Topic"),
    ("SignatureVersion", "1"),
    ("TracingConfig", "PassThrough"),
    ("MaximumMessageSize", "262144"),
];

/// The attributes of a topic to be made, as they are kept.
pub(super) fn read(form: &Form) -> Outcome<BTreeMap<String, String>> {
    let mut attributes = form.map("Attributes.entry", "key", "value");
    let refused =
        |reason: &str| SnsError::invalid(format!("Invalid parameter: Attributes Reason: {reason}"));
    let fifo = match attributes.get("FifoTopic").map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(refused("FifoTopic must be true or false")),
    };
    // A topic that is none does not say so.
    if !fifo {
        attributes.remove("FifoTopic");
    }
    for (name, value) in &mut attributes {
        if name == "FifoTopic" {
            continue;
        }
        if !settable(name) {
            return Err(refused(&format!("Unknown attribute {name}")));
        }
        if !fifo && OF_FIFO.contains(&name.as_str()) && value != "false" {
            return Err(refused(&format!("{name} can only be set for FIFO topics")));
        }
        if !value.is_empty() {
            *value = checked(name, value).map_err(|reason| refused(&reason))?;
        }
    }
    attributes.retain(|name, value| kept(name, value));
    if !fifo {
        attributes.retain(|name, _| !OF_FIFO.contains(&name.as_str()));
    }
    Ok(attributes)
}

fn settable(name: &str) -> bool {
    let of_delivery = |name: &str| {
        ["HTTP", "Lambda", "SQS", "Firehose", "Application"]
            .iter()
            .filter_map(|protocol| name.strip_prefix(protocol))
            .any(|rest| {
                matches!(
                    rest,
                    "SuccessFeedbackRoleArn"
                        | "SuccessFeedbackSampleRate"
                        | "FailureFeedbackRoleArn"
                )
            })
    };
    SETTABLE.contains(&name) || of_delivery(name)
}

/// An empty value takes an attribute away, but for the name, which is shown empty.
fn kept(name: &str, value: &str) -> bool {
    name == "DisplayName" || !value.is_empty()
}

/// The value as it is kept; the error is a reason for a person.
fn checked(name: &str, value: &str) -> Result<String, String> {
    let good = match name {
        "DeliveryPolicy" => return delivery_policy::normal(value),
        "Policy" if serde_json::from_str::<BTreeMap<String, Value>>(value).is_err() => {
            return Err("Policy Error: null".to_owned());
        }
        "ContentBasedDeduplication" => matches!(value, "true" | "false"),
        "FifoThroughputScope" => matches!(value, "Topic" | "MessageGroup"),
        "TracingConfig" => matches!(value, "PassThrough" | "Active"),
        "SignatureVersion" => matches!(value, "1" | "2"),
        "DisplayName" => value.chars().count() <= DISPLAY_NAME_LEN_MAX,
        "ArchivePolicy" => archive_days(value).is_some_and(|days| ARCHIVE_DAYS.contains(&days)),
        "MaximumMessageSize" => value
            .parse()
            .is_ok_and(|bytes| MESSAGE_BYTES_RANGE.contains(&bytes)),
        _ if name.ends_with("SampleRate") => value.parse::<u32>().is_ok_and(|rate| rate <= 100),
        _ => true,
    };
    if good {
        Ok(value.to_owned())
    } else {
        Err(format!("{name}: Invalid value [{value}]."))
    }
}

/// `{"MessageRetentionPeriod": "30"}`, with the days as a text or a number.
fn archive_days(policy: &str) -> Option<u32> {
    let policy: BTreeMap<String, Value> = serde_json::from_str(policy).ok()?;
    match policy.get("MessageRetentionPeriod")? {
        Value::String(days) => days.parse().ok(),
        days => u32::try_from(days.as_u64()?).ok(),
    }
}

/// A topic's attributes, with what holds for those it does not say.
pub(super) fn shown(topic: &Topic, work: &Work<'_>) -> BTreeMap<String, String> {
    let arn = work.names.topic_arn(&topic.name);
    let subscriptions = work.topics.subscriptions_of(&arn);
    let pending = subscriptions.iter().filter(|it| it.pending).count();
    let confirmed = subscriptions.len() - pending;
    let account = &work.names.account;
    let policy = format!(
        r#"{{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{{"AWS":"*"}},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"{arn}","Condition":{{"StringEquals":{{"AWS:SourceOwner":"{account}"}}}}}}]}}"#
    );
    let said = topic.attributes.get("DeliveryPolicy").map(String::as_str);
    let mut shown = BTreeMap::from([
        ("TopicArn".to_owned(), arn),
        ("Owner".to_owned(), account.clone()),
        ("DisplayName".to_owned(), String::new()),
        ("Policy".to_owned(), policy),
        (
            "EffectiveDeliveryPolicy".to_owned(),
            delivery_policy::effective(said),
        ),
        ("SubscriptionsConfirmed".to_owned(), confirmed.to_string()),
        ("SubscriptionsPending".to_owned(), pending.to_string()),
        ("SubscriptionsDeleted".to_owned(), "0".to_owned()),
    ]);
    if topic.fifo() {
        let no = "false".to_owned();
        shown.insert("ContentBasedDeduplication".to_owned(), no);
    }
    shown.extend(topic.attributes.clone());
    shown
}

/// Whether a topic to be made with this attribute would be the one that is there.
pub(super) fn holds(shown: &BTreeMap<String, String>, name: &str, value: &str) -> bool {
    match shown.get(name) {
        Some(is) => same_value(Some(is), value),
        None => USUAL.contains(&(name, value)),
    }
}

pub(in crate::sns) fn attributes(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = find(work, form.given("TopicArn")?)?;
    let mut xml = Xml::default();
    xml.entries("Attributes", &shown(&topic, work));
    Ok(xml)
}

pub(in crate::sns) fn set_attribute(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = find(work, form.given("TopicArn")?)?;
    let name = form.required("AttributeName")?;
    let value = form.text("AttributeValue").unwrap_or_default();
    if !settable(name) || (!topic.fifo() && OF_FIFO.contains(&name)) {
        return Err(SnsError::invalid("Invalid parameter: AttributeName"));
    }
    let mut topic = (*topic).clone();
    if kept(name, value) {
        let value = checked(name, value)
            .map_err(|reason| SnsError::invalid(format!("Invalid parameter: {reason}")))?;
        topic.attributes.insert(name.to_owned(), value);
    } else {
        topic.attributes.remove(name);
    }
    keep(work, topic)?;
    Ok(Xml::default())
}
