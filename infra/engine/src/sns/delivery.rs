//! Delivery: raw or wrapped, into queues at once, to endpoints outside by `delivery_rows`; and
//! what becomes of what is not taken.

use super::Outcome;
use super::delivery_rows::{self, Delivery, Kind};
use super::message::Texts;
use super::reply::SnsError;
use super::signature;
use super::sms::{self, Text};
use super::subscriptions::Subscription;
use crate::messages::Work;
use crate::sqs::{Attribute, Attributes, Outgoing, Queue, TRACE_HEADER, send};
use serde_json::{Value, json};
use std::cell::RefCell;
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
    /// By the text that is signed with the rest: a signature costs more than all else of a delivery.
    pub(super) signatures: RefCell<BTreeMap<String, String>>,
}

impl Published {
    /// The signature of this message to a protocol.
    pub(super) fn signature(&self, work: &Work<'_>, protocol: &str) -> String {
        let text = self.texts.for_protocol(protocol);
        if let Some(made) = self.signatures.borrow().get(text) {
            return made.clone();
        }
        let timestamp = timestamp(work.now);
        let mut members = vec![
            ("Message", text),
            ("MessageId", &self.message_id),
            ("Timestamp", &timestamp),
            ("TopicArn", &self.topic_arn),
            ("Type", "Notification"),
        ];
        if let Some(subject) = &self.subject {
            members.push(("Subject", subject));
        }
        let made = signature::sign(&self.signature_version, &members);
        let mut signatures = self.signatures.borrow_mut();
        signatures.insert(text.to_owned(), made.clone());
        made
    }
}

pub(super) fn deliver(work: &mut Work<'_>, message: &Published) -> Outcome<()> {
    for subscription in work.topics.subscriptions_of(&message.topic_arn) {
        if subscription.pending {
            continue;
        }
        let filter = subscription.filter.as_ref();
        let body = message.texts.for_protocol(&subscription.protocol);
        if !filter.is_none_or(|filter| filter.passes(body, &message.attributes)) {
            continue;
        }
        match subscription.protocol.as_str() {
            "sms" => deliver_text(work, message, &subscription)?,
            "http" | "https" | "lambda" => deliver_outside(work, message, &subscription)?,
            // Confirmed by its token; no mail is sent.
            "email" | "email-json" => {}
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
        Some(queue) => match send_to(work, message.into(), &queue, outgoing.clone()) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal?,
        },
    };
    // A client's error is not tried again (AWS, "message delivery retries").
    dead_letter(
        work,
        subscription,
        &Lost {
            body: &outgoing.body,
            attributes: &outgoing.attributes,
            order: message.into(),
            reason: &refusal,
        },
    )
}

/// Puts down what an endpoint outside of the engine is to get.
fn deliver_outside(
    work: &mut Work<'_>,
    message: &Published,
    subscription: &Subscription,
) -> Outcome<()> {
    let text = message.texts.for_protocol(&subscription.protocol);
    let wrapped = wrapped(work, message, subscription);
    let (body, dead_body, raw) = match subscription.protocol.as_str() {
        "lambda" => {
            let event = super::lambda::event(work, message, subscription);
            (event, Some(wrapped), false)
        }
        _ if subscription.raw => (text.to_owned(), None, true),
        _ => (wrapped, None, false),
    };
    let attributes = if raw {
        message.attributes.clone()
    } else {
        Attributes::new()
    };
    delivery_rows::put(
        work,
        &Delivery {
            kind: Kind::Notification,
            protocol: subscription.protocol.clone(),
            endpoint: subscription.endpoint.clone(),
            topic_arn: message.topic_arn.clone(),
            subscription_arn: subscription.arn.clone(),
            message_id: message.message_id.clone(),
            body,
            raw,
            dead_body,
            attributes,
            group: message.group.clone(),
            trace: message.trace.clone(),
        },
    )
}

/// A message that an endpoint did not take, and why.
#[derive(Debug)]
pub(super) struct Lost<'a> {
    pub(super) body: &'a str,
    pub(super) attributes: &'a Attributes,
    pub(super) order: Order<'a>,
    pub(super) reason: &'a str,
}

/// Puts a lost message into the subscription's dead-letter queue, if it has one.
pub(super) fn dead_letter(
    work: &mut Work<'_>,
    subscription: &Subscription,
    lost: &Lost<'_>,
) -> Outcome<()> {
    tracing::warn!(
        subscription = subscription.arn,
        reason = lost.reason,
        dead_letter_queue = subscription.dead_letter_arn.is_some(),
        "an endpoint did not take a published message"
    );
    let dead_letters = subscription.dead_letter_arn.as_deref();
    let Some(dead_letters) = dead_letters.and_then(|arn| queue(work, arn)) else {
        return Ok(());
    };
    let dead = outgoing(lost.body.to_owned(), lost.attributes.clone());
    if let Err(refusal) = send_to(work, lost.order, &dead_letters, dead) {
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

/// What a queue gets with a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) group: Option<&'a str>,
    pub(super) dedup: Option<&'a str>,
    /// Whether it comes from a FIFO topic.
    pub(super) fifo: bool,
    /// The X-Ray header with which it was published.
    pub(super) trace: Option<&'a str>,
}

impl<'a> From<&'a Published> for Order<'a> {
    fn from(message: &'a Published) -> Order<'a> {
        Order {
            group: message.group.as_deref(),
            dedup: message.dedup.as_deref(),
            fifo: message.fifo,
            trace: message.trace.as_deref(),
        }
    }
}

/// Sends; a refusal by the queue is the inner text, a failure of the storage the inner error.
fn send_to(
    work: &mut Work<'_>,
    order: Order<'_>,
    queue: &Queue,
    mut outgoing: Outgoing,
) -> Result<(), Outcome<String>> {
    if queue.fifo() {
        outgoing.dedup = order.dedup.map(str::to_owned);
    }
    if queue.fifo() || !order.fifo {
        // A standard topic hands its group on for fair queues; a FIFO topic does not.
        outgoing.group = order.group.map(str::to_owned);
    }
    if let Some(trace) = order.trace {
        let trace = Attribute::string(trace);
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
    let text = |text: &str| Some(Value::from(text).to_string());
    // A FIFO topic's messages are not signed.
    let signed = |member: fn(&Work<'_>, &Published, &Subscription) -> String| {
        (!message.fifo).then(|| Value::from(member(work, message, subscription)).to_string())
    };
    let unsubscribe = unsubscribe_url(work, subscription);
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
        (
            "SignatureVersion",
            signed(|_, message, _| message.signature_version.clone()),
        ),
        (
            "Signature",
            signed(|work, message, to| message.signature(work, &to.protocol)),
        ),
        ("SigningCertURL", signed(|work, _, _| certificate_url(work))),
        ("UnsubscribeURL", text(&unsubscribe)),
        ("MessageAttributes", wrapped_attributes(&message.attributes)),
    ];
    notice(&members)
}

pub(super) fn certificate_url(work: &Work<'_>) -> String {
    let base = work.names.public_url();
    format!("{base}{}", signature::certificate_path())
}

pub(super) fn unsubscribe_url(work: &Work<'_>, subscription: &Subscription) -> String {
    let base = work.names.public_url();
    let arn = &subscription.arn;
    format!("{base}/?Action=Unsubscribe&SubscriptionArn={arn}")
}

/// A document of members in JSON, as AWS writes it.
pub(super) fn notice(members: &[(&str, Option<String>)]) -> String {
    let members: Vec<String> = members
        .iter()
        .filter_map(|(name, value)| Some(format!("  \"{name}\" : {}", value.as_ref()?)))
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
