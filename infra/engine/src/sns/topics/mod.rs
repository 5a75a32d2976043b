//! Topics: making, finding, listing, removing.

mod attributes;
mod permissions;
mod tags;

pub(super) use attributes::{attributes, set_attribute};
pub(super) use permissions::{add as add_permission, remove as remove_permission};
pub(super) use tags::{tag, tags, untag};

use super::Outcome;
use super::confirmation;
use super::delivery_policy::OfTopic;
use super::form::Form;
use super::reply::{SnsError, Xml};
use super::subscriptions::{self, Subscription};
use crate::messages::{Names, StorageError, Work};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest topic name, in characters (AWS, `CreateTopic`).
const NAME_LEN_MAX: usize = 256;
/// Topics or subscriptions in one answer of a list (AWS, `ListTopics`).
const LISTED_MAX: usize = 100;
/// The largest message and batch of a topic that says nothing else, in bytes (AWS, "Publishing
/// large messages with Amazon SNS": 256 KiB).
const MESSAGE_BYTES: usize = 262_144;

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

    /// `1` for SHA1withRSA, `2` for SHA256withRSA (AWS, `SetTopicAttributes`).
    pub(super) fn signature_version(&self) -> &str {
        let said = self.attributes.get("SignatureVersion");
        said.map_or("1", String::as_str)
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

    /// The delivery policy of a topic that has one; it was checked when it was set.
    pub(super) fn delivery_policy(&self, topic_arn: &str) -> Option<OfTopic> {
        let name = topic_arn.rsplit(':').next()?;
        let topic = self.by_name.get(name)?;
        let text = topic.attributes.get("DeliveryPolicy")?;
        OfTopic::read(text).ok()
    }

    /// Whether there is a subscription of this ARN.
    pub(super) fn has(&self, subscription_arn: &str) -> bool {
        self.subscriptions.contains_key(subscription_arn)
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

/// Refuses what is no ARN of a topic here.
fn check_arn(names: &Names, arn: &str) -> Outcome<()> {
    let parts: Vec<&str> = arn.split(':').collect();
    if parts.len() < 6 {
        return Err(SnsError::short_arn("TopicArn", parts.len()));
    }
    if parts[0] != "arn" || parts[2] != "sns" || parts[3] != names.region {
        return Err(SnsError::invalid("Invalid parameter: TopicArn"));
    }
    if parts[4] != names.account {
        return Err(SnsError::not_authorized(&names.account, arn));
    }
    Ok(())
}

/// The topic that an ARN names.
pub(super) fn find(work: &Work<'_>, arn: &str) -> Outcome<Arc<Topic>> {
    check_arn(work.names, arn)?;
    let name = topic_in(work.names, arn).ok_or_else(SnsError::no_topic)?;
    let topic = work.topics.by_name.get(name);
    topic.cloned().ok_or_else(SnsError::no_topic)
}

fn topic_in<'a>(names: &Names, arn: &'a str) -> Option<&'a str> {
    let prefix = names.topic_arn("");
    arn.strip_prefix(prefix.as_str())
}

pub(super) fn create(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let name = form.given("Name")?;
    check_name(
        name,
        form.map("Attributes.entry", "key", "value")
            .get("FifoTopic")
            .is_some_and(|v| v == "true"),
    )?;
    let attributes = attributes::read(form)?;
    let tags = tags::read(form)?;
    if let Some(topic) = work.topics.by_name.get(name) {
        let shown = attributes::shown(topic, work);
        if attributes
            .iter()
            .any(|(key, value)| !attributes::holds(&shown, key, value))
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
    let arn = form.given("TopicArn")?;
    check_arn(work.names, arn)?;
    if let Some(name) = topic_in(work.names, arn).map(str::to_owned) {
        work.topics.touched = true;
        work.topics.by_name.remove(&name);
        for subscription in work.topics.subscriptions_of(arn) {
            subscriptions::remove(work, &subscription.arn)?;
            confirmation::forget(work, &subscription.arn)?;
        }
        work.forget_dedup_ids(&format!("topic {name}"))?;
        work.db
            .execute("DELETE FROM topics WHERE name = ?1", params![name])?;
    }
    Ok(Xml::default())
}

/// One page of sorted keys after the token, which is the last key of the page before, in base64.
pub(super) fn page<T>(
    items: impl Iterator<Item = (String, T)>,
    form: &Form,
) -> Outcome<(Vec<T>, Option<String>)> {
    // Actions about telephones write it small.
    let token = form.text("NextToken").or_else(|| form.text("nextToken"));
    let after = match token {
        None | Some("") => String::new(),
        Some(token) => BASE64
            .decode(token)
            .ok()
            .and_then(|key| String::from_utf8(key).ok())
            .ok_or_else(|| SnsError::invalid("Invalid parameter: NextToken"))?,
    };
    let mut items: Vec<_> = items
        .filter(|(key, _)| *key > after)
        .take(LISTED_MAX + 1)
        .collect();
    let more = items.len() > LISTED_MAX;
    items.truncate(LISTED_MAX);
    let token = items
        .last()
        .filter(|_| more)
        .map(|(key, _)| BASE64.encode(key));
    let page = items.into_iter().map(|(_, item)| item).collect();
    Ok((page, token))
}

pub(super) fn list(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let names = work.topics.by_name.keys().map(|name| (name.clone(), name));
    let (names, token) = page(names, form)?;
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
