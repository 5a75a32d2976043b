//! Delivery to queues: raw or wrapped, and what becomes of what a queue will not take.

use super::Outcome;
use super::message::Texts;
use super::reply::SnsError;
use super::sms::{self, Text};
use super::subscriptions::Subscription;
use crate::messages::Work;
use crate::sqs::{Attribute, Attributes, Outgoing, Queue, TRACE_HEADER, send};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message on its way to the subscriptions of its topic.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) topic_arn: String,
    pub(super) fifo: bool,
    pub(super) signature_version: String,
    pub(super) message_id: String,
    pub(super) sequence: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) texts: Texts,
    pub(super) attributes: Attributes,
    pub(super) group: Option<String>,
    pub(super) dedup: Option<String>,
    /// The X-Ray header with which it was published.
    pub(super) trace: Option<String>,
}

pub(super) fn deliver(work: &mut Work<'_>, message: &Published) -> Outcome<()> {
    for subscription in work.topics.subscriptions_of(&message.topic_arn) {
        let filter = subscription.filter.as_ref();
        let body = message.texts.for_protocol(&subscription.protocol);
        if !filter.is_none_or(|filter| filter.passes(body, &message.attributes)) {
            continue;
        }
        match subscription.protocol.as_str() {
            "sms" => deliver_text(work, message, &subscription)?,
            _ => deliver_one(work, message, &subscription)?,
        }
    }
    Ok(())
}

fn deliver_text(
    work: &mut Work<'_>,
    message: &Published,
    subscription: &Subscription,
) -> Outcome<()> {
    sms::keep(
        work,
        &Text {
            message_id: message.message_id.clone(),
            phone_number: subscription.endpoint.clone(),
            message: message.texts.for_protocol("sms").to_owned(),
            topic_arn: Some(message.topic_arn.clone()),
            message_attributes: message.attributes.clone(),
            sent_at: String::new(),
        },
    )
}

fn deliver_one(
    work: &mut Work<'_>,
    message: &Published,
    subscription: &Subscription,
) -> Outcome<()> {
    let outgoing = if subscription.raw {
        let body = message.texts.for_protocol(&subscription.protocol);
        outgoing(body.to_owned(), message.attributes.clone())
    } else {
        outgoing(wrapped(work, message, subscription), Attributes::new())
    };
    let refusal = match queue(work, &subscription.endpoint) {
        None => "The specified queue does not exist.".to_owned(),
        Some(queue) => match send_to(work, message, &queue, outgoing.clone()) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal?,
        },
    };
    // A client's error is not tried again (AWS, "message delivery retries").
    tracing::warn!(
        subscription = subscription.arn,
        reason = refusal,
        dead_letter_queue = subscription.dead_letter_arn.is_some(),
        "a queue did not take a published message"
    );
    let dead_letters = subscription.dead_letter_arn.as_deref();
    let Some(dead_letters) = dead_letters.and_then(|arn| queue(work, arn)) else {
        return Ok(());
    };
    if let Err(refusal) = send_to(work, message, &dead_letters, outgoing) {
        tracing::error!(
            subscription = subscription.arn,
            reason = refusal?,
            "a published message is lost: its dead-letter queue did not take it either"
        );
    }
    Ok(())
}

fn queue(work: &Work<'_>, arn: &str) -> Option<Arc<Queue>> {
    work.queues.named(work.names.queue_in(arn)?).cloned()
}

fn outgoing(body: String, attributes: Attributes) -> Outgoing {
    Outgoing {
        body,
        delay_seconds: None,
        attributes,
        system_attributes: BTreeMap::new(),
        group: None,
        dedup: None,
    }
}

/// Sends; a refusal by the queue is the inner text, a failure of the storage the inner error.
fn send_to(
    work: &mut Work<'_>,
    message: &Published,
    queue: &Queue,
    mut outgoing: Outgoing,
) -> Result<(), Outcome<String>> {
    if queue.fifo() {
        outgoing.group.clone_from(&message.group);
        outgoing.dedup.clone_from(&message.dedup);
    } else if !message.fifo {
        // A standard topic hands its group on for fair queues; a FIFO topic does not.
        outgoing.group.clone_from(&message.group);
    }
    if let Some(trace) = &message.trace {
        let trace = Attribute::string(trace.as_str());
        outgoing
            .system_attributes
            .insert(TRACE_HEADER.to_owned(), trace);
    }
    match send(work, queue, outgoing) {
        Ok(_) => Ok(()),
        Err(error) if error.senders_fault() => Err(Ok(error.message)),
        Err(error) => Err(Err(SnsError::internal(&error.message))),
    }
}

/// The JSON document that a queue without raw delivery gets: members in AWS's order, a line for
/// each, as AWS writes it.
fn wrapped(work: &Work<'_>, message: &Published, subscription: &Subscription) -> String {
    let base = work.names.public_url();
    let text = |text: &str| Some(Value::from(text).to_string());
    // Nothing here signs; the members are there for readers that ask for them.
    let signed = |member: &str| text(member).filter(|_| !message.fifo);
    let certificate = format!("{base}/SimpleNotificationService.pem");
    let unsubscribe = format!(
        "{base}/?Action=Unsubscribe&SubscriptionArn={}",
        subscription.arn
    );
    let members = [
        ("Type", text("Notification")),
        ("MessageId", text(&message.message_id)),
        ("SequenceNumber", message.sequence.as_deref().and_then(text)),
        ("TopicArn", text(&message.topic_arn)),
        ("Subject", message.subject.as_deref().and_then(text)),
        (
            "Message",
            text(message.texts.for_protocol(&subscription.protocol)),
        ),
        ("Timestamp", text(&timestamp(work.now))),
        ("SignatureVersion", signed(&message.signature_version)),
        ("Signature", signed("EXAMPLE")),
        ("SigningCertURL", signed(&certificate)),
        ("UnsubscribeURL", text(&unsubscribe)),
        ("MessageAttributes", wrapped_attributes(&message.attributes)),
    ];
    let members: Vec<String> = members
        .into_iter()
        .filter_map(|(name, value)| Some(format!("  \"{name}\" : {}", value?)))
        .collect();
    format!("{{\n{}\n}}", members.join(",\n"))
}

fn wrapped_attributes(attributes: &Attributes) -> Option<String> {
    let members = attributes.iter().map(|(name, attribute)| {
        let value = attribute
            .string_value
            .as_ref()
            .or(attribute.binary_value.as_ref());
        format!(
            "    {} : {{\"Type\":{},\"Value\":{}}}",
            json!(name),
            json!(attribute.data_type),
            json!(value)
        )
    });
    let members: Vec<String> = members.collect();
    (!members.is_empty()).then(|| format!("{{\n{}\n  }}", members.join(",\n")))
}

/// RFC 3339 with milliseconds, in UTC.
pub(super) fn timestamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}
