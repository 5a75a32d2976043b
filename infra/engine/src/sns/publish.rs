//! Publishing: what is checked, how duplicates are told, who gets the message.

use super::Outcome;
use super::delivery::{self, Published};
use super::form::Form;
use super::reply::{SnsError, Xml};
use super::topics::{self, Topic};
use crate::ids::random_id;
use crate::messages::Work;
use crate::sqs::{Attribute, Attributes, content_id, sequence};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The longest subject, in characters (AWS, `Publish`).
const SUBJECT_LEN_MAX: usize = 100;
/// The longest group or deduplication id, in characters (AWS, `Publish`).
const ID_LEN_MAX: usize = 128;
/// The most entries of a batch (AWS, `PublishBatch`).
const ENTRIES_MAX: usize = 10;
/// The longest entry id, in characters (AWS, same page).
const ENTRY_ID_LEN_MAX: usize = 80;

/// What publishing one message is answered with.
struct Receipt {
    message_id: String,
    sequence: Option<String>,
}

impl Receipt {
    fn write(&self, xml: &mut Xml) {
        xml.text("MessageId", &self.message_id);
        if let Some(sequence) = &self.sequence {
            xml.text("SequenceNumber", sequence);
        }
    }
}

pub(super) fn one(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let arn = form.text("TopicArn").or_else(|| form.text("TargetArn"));
    let Some(arn) = arn else {
        return Err(SnsError::invalid(
            "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
        ));
    };
    let topic = topics::find(work, arn)?;
    let receipt = publish(work, &topic, form)?;
    let mut xml = Xml::default();
    receipt.write(&mut xml);
    Ok(xml)
}

pub(super) fn batch(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = topics::find(work, form.required("TopicArn")?)?;
    let entries = form.list("PublishBatchRequestEntries.member");
    check_batch(&topic, &entries)?;
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for entry in entries {
        let id = entry.text("Id").unwrap_or_default();
        match publish(work, &topic, entry) {
            Ok(receipt) => done.push((id, receipt)),
            Err(error) if error.senders_fault() => failed.push((id, error)),
            Err(error) => return Err(error),
        }
    }
    let mut xml = Xml::default();
    xml.within("Successful", |xml| {
        for (id, receipt) in &done {
            xml.within("member", |xml| {
                xml.text("Id", id);
                receipt.write(xml);
            });
        }
    });
    xml.within("Failed", |xml| {
        for (id, error) in &failed {
            xml.within("member", |xml| {
                xml.text("Id", id)
                    .text("Code", error.code)
                    .text("Message", &error.message)
                    .text("SenderFault", true);
            });
        }
    });
    Ok(xml)
}

fn check_batch(topic: &Topic, entries: &[&Form]) -> Outcome<()> {
    if entries.is_empty() {
        return Err(SnsError::batch(
            "EmptyBatchRequest",
            "The batch request doesn't contain any entries.",
        ));
    }
    if entries.len() > ENTRIES_MAX {
        return Err(SnsError::batch(
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible.",
        ));
    }
    let mut seen = HashSet::new();
    let mut size = 0;
    for entry in entries {
        let id = entry.text("Id").unwrap_or_default();
        let well_formed = (1..=ENTRY_ID_LEN_MAX).contains(&id.len())
            && id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !well_formed {
            return Err(SnsError::batch(
                "InvalidBatchEntryId",
                "The Id of a batch entry in a batch request doesn't abide by the specification.",
            ));
        }
        if !seen.insert(id) {
            return Err(SnsError::batch(
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ));
        }
        size += size_of(
            entry.text("Message").unwrap_or_default(),
            &attributes(entry),
        );
    }
    if size > topic.bytes_max() {
        return Err(SnsError::batch(
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
        ));
    }
    Ok(())
}

/// The attributes as they came, not yet checked.
fn attributes(form: &Form) -> Attributes {
    let read = |entry: &Form| {
        let attribute = Attribute {
            data_type: entry.text("Value.DataType").unwrap_or_default().to_owned(),
            string_value: entry.text("Value.StringValue").map(str::to_owned),
            binary_value: entry.text("Value.BinaryValue").map(str::to_owned),
        };
        (entry.text("Name").unwrap_or_default().to_owned(), attribute)
    };
    form.list("MessageAttributes.entry")
        .into_iter()
        .map(read)
        .collect()
}

fn check_attribute(name: &str, attribute: &Attribute) -> Outcome<()> {
    let empty = || {
        SnsError::invalid(format!(
            "Invalid parameter: The message attribute '{name}' must contain non-empty message \
             attribute value for message attribute type '{}'.",
            attribute.data_type
        ))
    };
    let value = match attribute.data_type.as_str() {
        "Binary" => attribute.binary_value.as_deref(),
        "String" | "String.Array" | "Number" => attribute.string_value.as_deref(),
        _ => {
            return Err(SnsError::invalid(format!(
                "Invalid parameter: The message attribute '{name}' has an invalid message \
                 attribute type, the set of supported type prefixes is Binary, Number, and String."
            )));
        }
    };
    let value = value.filter(|value| !value.is_empty()).ok_or_else(empty)?;
    let good = match attribute.data_type.as_str() {
        "Number" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "String.Array" => serde_json::from_str::<Vec<Value>>(value).is_ok(),
        _ => true,
    };
    if good {
        return Ok(());
    }
    Err(SnsError::invalid(format!(
        "Invalid parameter: The value of message attribute '{name}' is no {}.",
        attribute.data_type
    )))
}

fn size_of(message: &str, attributes: &Attributes) -> usize {
    let attributes = attributes.iter().map(|(name, attribute)| {
        let value = attribute
            .string_value
            .as_ref()
            .or(attribute.binary_value.as_ref());
        name.len() + attribute.data_type.len() + value.map_or(0, String::len)
    });
    message.len() + attributes.sum::<usize>()
}

fn publish(work: &mut Work<'_>, topic: &Topic, form: &Form) -> Outcome<Receipt> {
    let message = form.text("Message").unwrap_or_default();
    if message.is_empty() {
        return Err(SnsError::invalid("Invalid parameter: Empty message"));
    }
    let attributes = attributes(form);
    attributes
        .iter()
        .try_for_each(|(name, attribute)| check_attribute(name, attribute))?;
    if size_of(message, &attributes) > topic.bytes_max() {
        return Err(SnsError::invalid("Invalid parameter: Message too long"));
    }
    let subject = form.text("Subject").map(check_subject).transpose()?;
    let group = id(form, "MessageGroupId")?;
    let dedup = dedup_id(topic, form, message, group)?;
    let mut receipt = Receipt {
        message_id: random_id(),
        sequence: None,
    };
    if let Some(dedup) = &dedup {
        let scope = match group.filter(|_| topic.dedup_by_group()) {
            Some(group) => format!("topic {} {group}", topic.name),
            None => format!("topic {}", topic.name),
        };
        if let Some(earlier) = work.earlier(&scope, dedup)? {
            return Ok(Receipt {
                message_id: earlier.message_id,
                sequence: Some(earlier.sequence),
            });
        }
        let sequence = sequence(work.next_id());
        work.remember(&scope, dedup, &receipt.message_id, &sequence)?;
        receipt.sequence = Some(sequence);
    }
    let body = match form.text("MessageStructure") {
        Some("json") => for_queues(message)?,
        _ => message.to_owned(),
    };
    let published = Published {
        topic_arn: work.names.topic_arn(&topic.name),
        fifo: topic.fifo(),
        message_id: receipt.message_id.clone(),
        sequence: receipt.sequence.clone(),
        subject: subject.map(str::to_owned),
        body,
        attributes,
        group: group.map(str::to_owned),
        dedup,
    };
    delivery::deliver(work, &published)?;
    Ok(receipt)
}

fn check_subject(subject: &str) -> Outcome<&str> {
    let good = (1..=SUBJECT_LEN_MAX).contains(&subject.chars().count())
        && !subject.contains(|c: char| c.is_control());
    if good {
        Ok(subject)
    } else {
        Err(SnsError::invalid("Invalid parameter: Subject"))
    }
}

fn id<'a>(form: &'a Form, name: &str) -> Outcome<Option<&'a str>> {
    let id = form.text(name);
    let good = |id: &str| {
        (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if id.is_some_and(|id| !good(id)) {
        return Err(SnsError::invalid(format!(
            "Invalid parameter: {name} Reason: it must have 1 to {ID_LEN_MAX} alphanumeric and \
             punctuation characters"
        )));
    }
    Ok(id)
}

fn dedup_id(
    topic: &Topic,
    form: &Form,
    message: &str,
    group: Option<&str>,
) -> Outcome<Option<String>> {
    let given = id(form, "MessageDeduplicationId")?;
    if !topic.fifo() {
        if given.is_some() {
            return Err(SnsError::invalid(
                "Invalid parameter: MessageDeduplicationId Reason: The request includes \
                 MessageDeduplicationId parameter that is not valid for this topic type",
            ));
        }
        return Ok(None);
    }
    if group.is_none() {
        return Err(SnsError::invalid(
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        ));
    }
    match given {
        Some(given) => Ok(Some(given.to_owned())),
        None if topic.content_dedup() => Ok(Some(content_id(message))),
        None => Err(SnsError::invalid(
            "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        )),
    }
}

/// The text for queues in a message with a text per protocol.
fn for_queues(message: &str) -> Outcome<String> {
    let texts: Map<String, Value> = serde_json::from_str(message).map_err(|_| {
        SnsError::invalid(
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        )
    })?;
    let Some(usual) = texts.get("default").and_then(Value::as_str) else {
        return Err(SnsError::invalid(
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ));
    };
    let own = texts.get("sqs").and_then(Value::as_str);
    Ok(own.unwrap_or(usual).to_owned())
}
