//! Attributes and tags of queues.

use super::queues::{Named, Queue, check_dead_letter_queue, check_settable, find, keep};
use super::refusal::SqsError;
use super::settings::{COUNTED, SETTABLE, Settings, as_shown, check_encryption, check_given};
use super::{Nothing, Outcome};
use crate::messages::Work;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most tags of a queue (AWS, "Amazon SQS cost allocation tags").
const TAGS_MAX: usize = 50;
/// The longest tag key, in characters (AWS, "Tagging AWS resources").
const TAG_KEY_LEN_MAX: usize = 128;
/// The longest tag value, in characters (AWS, same page).
const TAG_VALUE_LEN_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShownAttributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

pub(super) fn attributes(work: &mut Work<'_>, request: GetAttributes) -> Outcome<ShownAttributes> {
    let queue = find(work, &request.queue_url)?;
    let wanted = request.attribute_names;
    let all = wanted.iter().any(|name| name == "All");
    for name in wanted.iter().filter(|name| *name != "All") {
        let name = name.as_str();
        if !SETTABLE.contains(&name) && !COUNTED.contains(&name) {
            return Err(SqsError::unknown_attribute(name));
        }
    }
    let mut attributes = queue.settings.shown();
    attributes.insert("QueueArn".to_owned(), work.names.queue_arn(&queue.name));
    for (name, at) in [
        ("CreatedTimestamp", queue.created_at),
        ("LastModifiedTimestamp", queue.modified_at),
    ] {
        attributes.insert(name.to_owned(), (at / 1000).to_string());
    }
    if all || wanted.iter().any(|name| name.starts_with("Approximate")) {
        let (total, leased, delayed) = work.census(queue.id, queue.settings.fifo)?;
        for (name, count) in [
            ("ApproximateNumberOfMessages", total - leased - delayed),
            ("ApproximateNumberOfMessagesNotVisible", leased),
            ("ApproximateNumberOfMessagesDelayed", delayed),
        ] {
            attributes.insert(name.to_owned(), count.to_string());
        }
    }
    attributes.retain(|name, value| (all || wanted.contains(name)) && !value.is_empty());
    Ok(ShownAttributes { attributes })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    queue_url: String,
    attributes: BTreeMap<String, String>,
}

pub(super) fn set_attributes(work: &mut Work<'_>, request: SetAttributes) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    let mut attributes = request.attributes;
    check_settable(&attributes)?;
    as_shown(&mut attributes);
    check_given(&attributes)?;
    check_same_kind(&queue, attributes.get("FifoQueue"))?;
    let mut given = queue.settings.given.clone();
    if attributes
        .get("KmsMasterKeyId")
        .is_some_and(|key| !key.is_empty())
    {
        // A key of KMS takes the place of SQS's own.
        given.remove("SqsManagedSseEnabled");
    }
    given.extend(attributes);
    // An empty policy is no policy.
    given.retain(|_, value| !value.is_empty());
    check_encryption(&given)?;
    let settings = Settings::read(given)?;
    check_dead_letter_queue(work, &queue.name, &settings)?;
    let changed = queue.changed(settings, work.now);
    keep(work, changed)?;
    // A poll that waits may now see what it could not, a shorter delay for instance.
    work.arrived(queue.id);
    Ok(Nothing {})
}

/// A queue stays what it was made as.
fn check_same_kind(queue: &Queue, fifo: Option<&String>) -> Outcome<()> {
    match fifo.map(String::as_str) {
        Some(_) if !queue.settings.fifo => Err(SqsError::unknown_attribute("FifoQueue")),
        Some("false") => Err(SqsError::another_kind()),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    queue_url: String,
    tags: BTreeMap<String, String>,
}

pub(super) fn tag(work: &mut Work<'_>, request: Tag) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    if request.tags.is_empty() {
        return Err(SqsError::missing("Tags"));
    }
    let mut tags = queue.tags.clone();
    tags.extend(request.tags);
    check_tags(&queue.name, &tags)?;
    keep(
        work,
        Queue {
            tags,
            ..(*queue).clone()
        },
    )?;
    Ok(Nothing {})
}

/// How many tags, and how long their keys and values (AWS, "Amazon SQS cost allocation tags" and
/// the AWS tagging rules).
pub(super) fn check_tags(queue: &str, tags: &BTreeMap<String, String>) -> Outcome<()> {
    if tags.len() > TAGS_MAX {
        return Err(SqsError::invalid(format!(
            "Too many tags added for queue {queue}."
        )));
    }
    for (key, value) in tags {
        if !(1..=TAG_KEY_LEN_MAX).contains(&key.chars().count()) {
            return Err(SqsError::invalid(
                "Tag keys must be between 1 and 128 characters in length.",
            ));
        }
        if value.chars().count() > TAG_VALUE_LEN_MAX {
            return Err(SqsError::invalid(
                "Tag values must be between 0 and 256 characters in length.",
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(SqsError::invalid(
                "Tag keys must not start with aws:, which is reserved.",
            ));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Untag {
    queue_url: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(work: &mut Work<'_>, request: Untag) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    if request.tag_keys.iter().any(String::is_empty) || request.tag_keys.is_empty() {
        return Err(SqsError::invalid(
            "Tag keys must be between 1 and 128 characters in length.",
        ));
    }
    let mut queue = (*queue).clone();
    queue.tags.retain(|key, _| !request.tag_keys.contains(key));
    keep(work, queue)?;
    Ok(Nothing {})
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

pub(super) fn tags(work: &mut Work<'_>, request: Named) -> Outcome<Tags> {
    let queue = find(work, &request.queue_url)?;
    Ok(Tags {
        tags: queue.tags.clone(),
    })
}
