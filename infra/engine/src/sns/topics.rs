//! Topics: making, describing, tagging, removing.

use super::Outcome;
use super::form::Form;
use super::reply::{SnsError, Xml};
use super::subscriptions::Subscription;
use crate::messages::{Names, StorageError, Work};
use crate::wire::same_value;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest topic name, in characters (AWS, `CreateTopic`).
const NAME_LEN_MAX: usize = 256;
/// Topics or subscriptions in one answer of a list (AWS, `ListTopics`).
const LISTED_MAX: usize = 100;
/// The most tags of a topic (AWS, "Amazon SNS topic tagging").
const TAGS_MAX: usize = 50;

/// The largest message and batch of a topic that says nothing else, in bytes (AWS, "Publishing
/// large messages with Amazon SNS": 256 KiB).
const MESSAGE_BYTES: usize = 262_144;
/// What a topic may say, in bytes (same page: up to 1 MiB).
const MESSAGE_BYTES_RANGE: std::ops::RangeInclusive<usize> = 1_024..=1_048_576;

const SETTABLE: [&str; 14] = [
    "DisplayName",
    "Policy",
    "DeliveryPolicy",
    "KmsMasterKeyId",
    "TracingConfig",
    "SignatureVersion",
    "FifoTopic",
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "MaximumMessageSize",
    "ArchivePolicy",
    "DataProtectionPolicy",
    "SQSSuccessFeedbackRoleArn",
    "SQSFailureFeedbackRoleArn",
];

/// All topics and subscriptions, in memory beside their rows.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Arc<Topic>>,
    /// By ARN, which begins with the topic's.
    pub(super) subscriptions: BTreeMap<String, Arc<Subscription>>,
    /// Whether the running transaction has changed anything here.
    pub(crate) touched: bool,
}

/// A topic.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

impl Topic {
    fn is(&self, attribute: &str, value: &str) -> bool {
        self.attributes.get(attribute).is_some_and(|is| is == value)
    }

    pub(super) fn fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    pub(super) fn content_dedup(&self) -> bool {
        self.is("ContentBasedDeduplication", "true")
    }

    /// The largest message and batch, in bytes: body and attributes together.
    pub(super) fn bytes_max(&self) -> usize {
        self.attributes
            .get("MaximumMessageSize")
            .and_then(|bytes| bytes.parse().ok())
            .unwrap_or(MESSAGE_BYTES)
    }

    /// With throughput by group, duplicates are told within the group (AWS, "FIFO topics").
    pub(super) fn dedup_by_group(&self) -> bool {
        self.is("FifoThroughputScope", "MessageGroup")
    }
}

impl Topics {
    pub(crate) fn load(db: &Connection) -> Result<Topics, StorageError> {
        let mut topics = Topics::default();
        let mut statement = db.prepare("SELECT name, attributes, tags FROM topics")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let attributes: String = row.get(1)?;
            let tags: String = row.get(2)?;
            let topic = Topic {
                name: row.get(0)?,
                attributes: serde_json::from_str(&attributes).unwrap_or_default(),
                tags: serde_json::from_str(&tags).unwrap_or_default(),
            };
            topics.by_name.insert(topic.name.clone(), Arc::new(topic));
        }
        topics.subscriptions = Subscription::load(db)?;
        Ok(topics)
    }

    /// The subscriptions of a topic.
    pub(super) fn subscriptions_of(&self, topic_arn: &str) -> Vec<Arc<Subscription>> {
        let from = format!("{topic_arn}:");
        self.subscriptions
            .range(from.clone()..)
            .take_while(|(arn, _)| arn.starts_with(&from))
            .map(|(_, subscription)| subscription.clone())
            .collect()
    }
}

/// The topic that an ARN names.
pub(super) fn find(work: &Work<'_>, arn: &str) -> Outcome<Arc<Topic>> {
    let parts: Vec<&str> = arn.split(':').collect();
    if parts.len() < 6 || parts[0] != "arn" {
        return Err(SnsError::invalid(format!(
            "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not {}",
            parts.len()
        )));
    }
    if parts[2] != "sns" || parts[3] != work.names.region {
        return Err(SnsError::invalid("Invalid parameter: TopicArn"));
    }
    let name = topic_in(work.names, arn).ok_or_else(SnsError::no_topic)?;
    let topic = work.topics.by_name.get(name);
    topic.cloned().ok_or_else(SnsError::no_topic)
}

fn topic_in<'a>(names: &Names, arn: &'a str) -> Option<&'a str> {
    let prefix = names.topic_arn("");
    arn.strip_prefix(prefix.as_str())
}

pub(super) fn create(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let name = form.required("Name")?;
    let attributes = form.map("Attributes.entry", "key", "value");
    let tags = form.map("Tags.member", "Key", "Value");
    check_attributes(&attributes)?;
    check_name(
        name,
        attributes.get("FifoTopic").is_some_and(|v| v == "true"),
    )?;
    if let Some(topic) = work.topics.by_name.get(name) {
        let shown = shown(topic, work);
        if attributes
            .iter()
            .any(|(key, value)| !same_value(shown.get(key), value))
        {
            return Err(SnsError::invalid(
                "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
            ));
        }
        if tags
            .iter()
            .any(|(key, value)| topic.tags.get(key) != Some(value))
        {
            return Err(SnsError::invalid(
                "Invalid parameter: Tags Reason: Topic already exists with different tags",
            ));
        }
    } else {
        let name = name.to_owned();
        keep(
            work,
            Topic {
                name,
                attributes,
                tags,
            },
        )?;
    }
    let mut xml = Xml::default();
    xml.text("TopicArn", work.names.topic_arn(name));
    Ok(xml)
}

fn check_name(name: &str, fifo: bool) -> Outcome<()> {
    let stem = name.strip_suffix(".fifo");
    let well_formed = |stem: &str| {
        !stem.is_empty()
            && stem
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let good =
        name.len() <= NAME_LEN_MAX && fifo == stem.is_some() && well_formed(stem.unwrap_or(name));
    if good {
        return Ok(());
    }
    Err(SnsError::invalid(if fifo {
        "Invalid parameter: Topic Name: Fifo Topic names must end with .fifo and must be made up \
         of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and \
         must be between 1 and 256 characters long."
    } else {
        "Invalid parameter: Topic Name"
    }))
}

fn check_attributes(attributes: &BTreeMap<String, String>) -> Outcome<()> {
    for (name, value) in attributes {
        if !SETTABLE.contains(&name.as_str()) && !name.contains("Feedback") {
            return Err(SnsError::invalid("Invalid parameter: AttributeName"));
        }
        let good = match name.as_str() {
            "FifoTopic" | "ContentBasedDeduplication" => matches!(value.as_str(), "true" | "false"),
            "FifoThroughputScope" => matches!(value.as_str(), "Topic" | "MessageGroup"),
            "MaximumMessageSize" => value
                .parse()
                .is_ok_and(|bytes| MESSAGE_BYTES_RANGE.contains(&bytes)),
            _ => true,
        };
        if !good {
            return Err(SnsError::invalid(format!("Invalid parameter: {name}")));
        }
    }
    Ok(())
}

fn keep(work: &mut Work<'_>, topic: Topic) -> Outcome<()> {
    let json = |map: &BTreeMap<String, String>| {
        serde_json::to_string(map).map_err(|error| SnsError::internal(&error))
    };
    work.db.execute(
        "INSERT OR REPLACE INTO topics VALUES(?1, ?2, ?3)",
        params![topic.name, json(&topic.attributes)?, json(&topic.tags)?],
    )?;
    work.topics.touched = true;
    work.topics
        .by_name
        .insert(topic.name.clone(), Arc::new(topic));
    Ok(())
}

/// Deleting a topic that is not there is done already.
pub(super) fn delete(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let arn = form.required("TopicArn")?;
    if let Some(name) = topic_in(work.names, arn).map(str::to_owned) {
        work.topics.touched = true;
        work.topics.by_name.remove(&name);
        for subscription in work.topics.subscriptions_of(arn) {
            work.topics.subscriptions.remove(&subscription.arn);
        }
        work.forget_dedup_ids(&format!("topic {name}"))?;
        work.db
            .execute("DELETE FROM topics WHERE name = ?1", params![name])?;
        work.db
            .execute("DELETE FROM subscriptions WHERE topic = ?1", params![arn])?;
    }
    Ok(Xml::default())
}

/// One page of sorted keys after the token, which is the last key of the page before, in hex.
pub(super) fn page<T>(
    items: impl Iterator<Item = (String, T)>,
    form: &Form,
) -> (Vec<T>, Option<String>) {
    let after = form.text("NextToken").and_then(unhex).unwrap_or_default();
    let mut items: Vec<_> = items
        .filter(|(key, _)| *key > after)
        .take(LISTED_MAX + 1)
        .collect();
    let more = items.len() > LISTED_MAX;
    items.truncate(LISTED_MAX);
    let token = items
        .last()
        .filter(|_| more)
        .map(|(key, _)| key.bytes().map(|byte| format!("{byte:02x}")).collect());
    (items.into_iter().map(|(_, item)| item).collect(), token)
}

fn unhex(token: &str) -> Option<String> {
    let bytes = token.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}

pub(super) fn list(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let names = work.topics.by_name.keys().map(|name| (name.clone(), name));
    let (names, token) = page(names, form);
    let mut xml = Xml::default();
    xml.within("Topics", |xml| {
        for name in names {
            xml.within("member", |xml| {
                xml.text("TopicArn", work.names.topic_arn(name));
            });
        }
    });
    if let Some(token) = token {
        xml.text("NextToken", token);
    }
    Ok(xml)
}

fn shown(topic: &Topic, work: &Work<'_>) -> BTreeMap<String, String> {
    let arn = work.names.topic_arn(&topic.name);
    let confirmed = work.topics.subscriptions_of(&arn).len();
    let account = &work.names.account;
    let policy = format!(
        r#"{{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{{"AWS":"*"}},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"{arn}","Condition":{{"StringEquals":{{"AWS:SourceOwner":"{account}"}}}}}}]}}"#
    );
    let mut shown = BTreeMap::from([
        ("TopicArn".to_owned(), arn),
        ("Owner".to_owned(), account.clone()),
        ("DisplayName".to_owned(), String::new()),
        ("Policy".to_owned(), policy),
        ("SubscriptionsConfirmed".to_owned(), confirmed.to_string()),
        ("SubscriptionsPending".to_owned(), "0".to_owned()),
        ("SubscriptionsDeleted".to_owned(), "0".to_owned()),
    ]);
    if topic.fifo() {
        for (name, value) in [
            ("ContentBasedDeduplication", "false"),
            ("FifoThroughputScope", "Topic"),
        ] {
            shown.insert(name.to_owned(), value.to_owned());
        }
    }
    shown.extend(topic.attributes.clone());
    shown
}

pub(super) fn attributes(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = find(work, form.required("TopicArn")?)?;
    let mut xml = Xml::default();
    xml.entries("Attributes", &shown(&topic, work));
    Ok(xml)
}

pub(super) fn set_attribute(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = find(work, form.required("TopicArn")?)?;
    let name = form.required("AttributeName")?.to_owned();
    let value = form.text("AttributeValue").unwrap_or_default().to_owned();
    if name == "FifoTopic" || (!topic.fifo() && name == "ContentBasedDeduplication") {
        return Err(SnsError::invalid("Invalid parameter: AttributeName"));
    }
    let mut topic = (*topic).clone();
    topic.attributes.insert(name, value);
    check_attributes(&topic.attributes)?;
    keep(work, topic)?;
    Ok(Xml::default())
}

fn tagged(work: &Work<'_>, form: &Form) -> Outcome<Topic> {
    let arn = form.required("ResourceArn")?;
    let topic = topic_in(work.names, arn).and_then(|name| work.topics.by_name.get(name));
    topic
        .map(|topic| (**topic).clone())
        .ok_or_else(SnsError::no_resource)
}

pub(super) fn tag(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let mut topic = tagged(work, form)?;
    topic.tags.extend(form.map("Tags.member", "Key", "Value"));
    if topic.tags.len() > TAGS_MAX {
        return Err(SnsError::too_many_tags());
    }
    keep(work, topic)?;
    Ok(Xml::default())
}

pub(super) fn untag(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let mut topic = tagged(work, form)?;
    for key in form.list("TagKeys.member") {
        topic.tags.remove(key.value().unwrap_or_default());
    }
    keep(work, topic)?;
    Ok(Xml::default())
}

pub(super) fn tags(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = tagged(work, form)?;
    let mut xml = Xml::default();
    xml.within("Tags", |xml| {
        for (key, value) in &topic.tags {
            xml.within("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
    Ok(xml)
}
