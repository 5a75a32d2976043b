//! Publishing: to a topic, to a phone number, in batches; how duplicates are told.

use super::Outcome;
use super::delivery::{self, Published};
use super::form::Form;
use super::message::{Message, Texts};
use super::reply::{SnsError, Xml};
use super::sms::{self, Text};
use super::topics::{self, Topic};
use crate::ids::random_id;
use crate::messages::Work;
use crate::sqs::{content_id, sequence};
use std::collections::HashSet;

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
    let message = Message::read(form, None)?;
    message.check_values()?;
    let mut xml = Xml::default();
    if let Some(phone) = form.text("PhoneNumber") {
        xml.text("MessageId", to_phone(work, phone, message)?);
        return Ok(xml);
    }
    let arn = form.text("TopicArn").or_else(|| form.text("TargetArn"));
    let Some(arn) = arn else {
        return Err(SnsError::invalid(
            "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
        ));
    };
    if arn.contains(":endpoint/") {
        return Err(SnsError::invalid(
            "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
        ));
    }
    let topic = topics::find(work, arn)?;
    if message.size > topic.bytes_max() {
        return Err(SnsError::invalid("Invalid parameter: Message too long"));
    }
    check_kind(&topic, &message)?;
    let texts = message.texts()?;
    publish(work, &topic, message, texts, form.trace())?.write(&mut xml);
    Ok(xml)
}

fn to_phone(work: &mut Work<'_>, phone: &str, message: Message<'_>) -> Outcome<String> {
    if !sms::is_number(phone) {
        return Err(SnsError::invalid(format!(
            "Invalid parameter: PhoneNumber Reason: {phone} is not valid to publish to"
        )));
    }
    if message.dedup.is_some() {
        return Err(SnsError::invalid(
            "Invalid parameter: MessageDeduplicationId Reason: The request includes \
             MessageDeduplicationId parameter that is not valid for this topic type",
        ));
    }
    let message_id = random_id();
    sms::keep(
        work,
        &Text {
            phone_number: phone.to_owned(),
            message: message.texts()?.for_protocol("sms").to_owned(),
            message_id: message_id.clone(),
            topic_arn: None,
            message_attributes: message.attributes,
            sent_at: String::new(),
        },
    )?;
    Ok(message_id)
}

/// What is wrong with the form of any entry fails the whole call, as it does on AWS; a value that
/// cannot be read fails its entry.
pub(super) fn batch(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let entries = form.list("PublishBatchRequestEntries.member");
    check_entries(&entries)?;
    let topic = topics::find(work, form.given("TopicArn")?)?;
    check_ids(&entries)?;
    let mut messages = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let message = Message::read(entry, Some(place + 1))?;
        let texts = message.texts()?;
        check_kind(&topic, &message)?;
        messages.push((entry.text("Id").unwrap_or_default(), message, texts));
    }
    let size: usize = messages.iter().map(|(_, message, _)| message.size).sum();
    if size > topic.bytes_max() {
        return Err(SnsError::batch(
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
        ));
    }
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for (id, message, texts) in messages {
        let outcome = message
            .check_values()
            .and_then(|()| publish(work, &topic, message, texts, form.trace()));
        match outcome {
            Ok(receipt) => done.push((id, receipt)),
            Err(error) if error.senders_fault() => failed.push((id, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(batch_results(&done, &failed))
}

fn batch_results(done: &[(&str, Receipt)], failed: &[(&str, SnsError)]) -> Xml {
    let mut xml = Xml::default();
    xml.within("Successful", |xml| {
        for (id, receipt) in done {
            xml.within("member", |xml| {
                xml.text("Id", id);
                receipt.write(xml);
            });
        }
    });
    xml.within("Failed", |xml| {
        for (id, error) in failed {
            xml.within("member", |xml| {
                xml.text("Id", id)
                    .text("Code", error.code)
                    .text("Message", &error.message)
                    .text("SenderFault", true);
            });
        }
    });
    xml
}

fn check_entries(entries: &[&Form]) -> Outcome<()> {
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
    Ok(())
}

fn check_ids(entries: &[&Form]) -> Outcome<()> {
    let ids = entries
        .iter()
        .map(|entry| entry.text("Id").unwrap_or_default());
    let mut seen = HashSet::new();
    if !ids.clone().all(|id| seen.insert(id)) {
        return Err(SnsError::batch(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        ));
    }
    let of_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    for id in ids {
        let wrong = if id.len() > ENTRY_ID_LEN_MAX {
            "is too long"
        } else if id.is_empty() || !id.chars().all(of_id) {
            "contains an impermissible character"
        } else {
            continue;
        };
        return Err(SnsError::batch(
            "InvalidBatchEntryId",
            format!("The Id of a batch entry in the batch request {wrong}: {id}"),
        ));
    }
    Ok(())
}

/// What a topic of its kind asks of a message.
fn check_kind(topic: &Topic, message: &Message<'_>) -> Outcome<()> {
    let reason = match (topic.fifo(), message.group, message.dedup) {
        (true, None, _) => "The MessageGroupId parameter is required for FIFO topics",
        (true, Some(_), None) if !topic.content_dedup() => {
            "The topic should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly"
        }
        (false, _, Some(_)) => {
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter \
             that is not valid for this topic type"
        }
        _ => return Ok(()),
    };
    Err(SnsError::invalid(format!("Invalid parameter: {reason}")))
}

/// Publishes a message that has been checked.
fn publish(
    work: &mut Work<'_>,
    topic: &Topic,
    message: Message<'_>,
    texts: Texts,
    trace: Option<&str>,
) -> Outcome<Receipt> {
    let mut receipt = Receipt {
        message_id: random_id(),
        sequence: None,
    };
    let mut dedup = None;
    if topic.fifo() {
        let id = message
            .dedup
            .map_or_else(|| content_id(message.body), str::to_owned);
        let scope = match message.group.filter(|_| topic.dedup_by_group()) {
            Some(group) => format!("topic {} {group}", topic.name),
            None => format!("topic {}", topic.name),
        };
        if let Some(earlier) = work.earlier(&scope, &id)? {
            return Ok(Receipt {
                message_id: earlier.message_id,
                sequence: Some(earlier.sequence),
            });
        }
        let sequence = sequence(work.next_id());
        work.remember(&scope, &id, &receipt.message_id, &sequence)?;
        receipt.sequence = Some(sequence);
        dedup = Some(id);
    }
    let published = Published {
        topic_arn: work.names.topic_arn(&topic.name),
        fifo: topic.fifo(),
        signature_version: topic.signature_version().to_owned(),
        message_id: receipt.message_id.clone(),
        sequence: receipt.sequence.clone(),
        subject: message.subject.map(str::to_owned),
        texts,
        attributes: message.attributes,
        group: message.group.map(str::to_owned),
        dedup,
        trace: trace.map(str::to_owned),
        signatures: Default::default(),
    };
    delivery::deliver(work, &published)?;
    Ok(receipt)
}
