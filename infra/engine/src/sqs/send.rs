//! Sending: what is checked, how duplicates are told, what is answered.

use super::Outcome;
use super::attributes::{self, Attribute, Attributes};
use super::queues::{Queue, find};
use super::refusal::SqsError;
use super::settings::DELAY_S_MAX;
use crate::messages::{Row, Work};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The longest message group or deduplication id, in characters (AWS, `SendMessage`).
const ID_LEN_MAX: usize = 128;
/// Sequence numbers are message ids after this, which makes 20 digits, as AWS's have.
const SEQUENCE_BASE: u128 = 10_000_000_000_000_000_000;
/// The one message system attribute that can be sent.
pub(crate) const TRACE_HEADER: &str = "AWSTraceHeader";

/// A message to be sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Outgoing {
    #[serde(rename = "MessageBody")]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) delay_seconds: Option<i64>,
    #[serde(default, rename = "MessageAttributes")]
    pub(crate) attributes: Attributes,
    #[serde(default, rename = "MessageSystemAttributes")]
    pub(crate) system_attributes: BTreeMap<String, Attribute>,
    #[serde(default, rename = "MessageGroupId")]
    pub(crate) group: Option<String>,
    #[serde(default, rename = "MessageDeduplicationId")]
    pub(crate) dedup: Option<String>,
}

/// What is kept beside the body.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Details {
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub(super) attributes: Attributes,
    pub(super) md5: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dedup: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<String>,
    /// The queue from which it came as a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
}

/// The answer to one message.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_system_attributes: Option<String>,
    #[serde(rename = "SequenceNumber", skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    queue_url: String,
    #[serde(flatten)]
    message: Outgoing,
}

pub(super) fn one(work: &mut Work<'_>, request: Send) -> Outcome<Sent> {
    let queue = find(work, &request.queue_url)?;
    send(work, &queue, request.message)
}

impl Outgoing {
    /// What the message weighs against the limit: body and attributes.
    pub(super) fn size(&self) -> usize {
        self.body.len() + attributes::size(&self.attributes)
    }
}

/// Sends one message to `queue`.
pub(crate) fn send(work: &mut Work<'_>, queue: &Queue, message: Outgoing) -> Outcome<Sent> {
    check(queue, &message)?;
    let md5 = attributes::md5_hex(message.body.as_bytes());
    let mut sent = Sent {
        message_id: String::new(),
        md5_of_attributes: attributes::md5_of(&message.attributes),
        md5_of_system_attributes: attributes::md5_of(&message.system_attributes),
        md5_of_body: md5.clone(),
        sequence: None,
    };
    let dedup = if queue.settings.fifo {
        Some(dedup_id(queue, &message)?)
    } else {
        None
    };
    let scope = scope(queue, message.group.as_deref(), work.now);
    if let Some(dedup) = &dedup
        && let Some(earlier) = work.earlier(&scope, dedup)?
    {
        // The duplicate is accepted and answered as the first was, and not delivered.
        sent.message_id = earlier.message_id;
        sent.sequence = Some(earlier.sequence);
        return Ok(sent);
    }
    let id = work.next_id();
    sent.message_id = crate::ids::random_id();
    if let Some(dedup) = &dedup {
        let sequence = sequence(id);
        work.remember(&scope, dedup, &sent.message_id, &sequence)?;
        sent.sequence = Some(sequence);
    }
    let delay_ms = message
        .delay_seconds
        .map_or(queue.settings.delay_ms, |seconds| seconds * 1000);
    let details = Details {
        md5,
        trace: message
            .system_attributes
            .get(TRACE_HEADER)
            .and_then(|attribute| attribute.string_value.clone()),
        dedup,
        sequence: sent.sequence.clone(),
        source: None,
        group: message.group.clone(),
        attributes: message.attributes,
    };
    work.put(&Row {
        id,
        queue: queue.id,
        lane: message.group.filter(|_| queue.settings.fifo),
        visible_at: work.now + delay_ms,
        leased_at: 0,
        receives: 0,
        sent_at: work.now,
        first_at: None,
        message_id: sent.message_id.clone(),
        body: message.body,
        details: super::write(&details)?,
    })?;
    Ok(sent)
}

/// The sequence number of the message with row id `id`.
pub(crate) fn sequence(id: i64) -> String {
    (SEQUENCE_BASE + u128::from(id.unsigned_abs())).to_string()
}

/// Within what a deduplication id is unique.
fn scope(queue: &Queue, group: Option<&str>, now: i64) -> String {
    match group.filter(|_| queue.dedup_by_group(now)) {
        Some(group) => format!("queue {} {group}", queue.id),
        None => format!("queue {}", queue.id),
    }
}

pub(super) fn dedup_id(queue: &Queue, message: &Outgoing) -> Outcome<String> {
    if let Some(id) = &message.dedup {
        return Ok(id.clone());
    }
    if !queue.settings.content_dedup {
        return Err(SqsError::invalid(
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        ));
    }
    Ok(content_id(&message.body))
}

/// The deduplication id that follows from a body: its SHA-256 in hexadecimal.
pub(crate) fn content_id(body: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(body.as_bytes())
        .iter()
        .fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        })
}

fn check(queue: &Queue, message: &Outgoing) -> Outcome<()> {
    if message.body.is_empty() {
        return Err(SqsError::missing("MessageBody"));
    }
    let limit = queue.settings.bytes_max;
    if message.size() > limit {
        return Err(SqsError::invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )));
    }
    if !attributes::carried(&message.body) {
        return Err(SqsError::invalid_contents());
    }
    attributes::check(&message.attributes)?;
    check_system_attributes(&message.system_attributes)?;
    check_delay(queue, message.delay_seconds)?;
    for (name, id) in [
        ("MessageGroupId", &message.group),
        ("MessageDeduplicationId", &message.dedup),
    ] {
        if let Some(id) = id {
            check_id(name, id)?;
        }
    }
    match (queue.settings.fifo, &message.group, &message.dedup) {
        (true, None, _) => Err(SqsError::missing("MessageGroupId")),
        // A group on a standard queue makes it a fair queue; a deduplication id has no meaning.
        (false, _, Some(id)) => Err(SqsError::invalid_value(
            id,
            "MessageDeduplicationId",
            "The request includes a parameter that is not valid for this queue type.",
        )),
        _ => Ok(()),
    }
}

/// Only the X-Ray header can be sent, as a text.
fn check_system_attributes(attributes: &BTreeMap<String, Attribute>) -> Outcome<()> {
    for (name, attribute) in attributes {
        if name != TRACE_HEADER {
            return Err(SqsError::invalid(format!(
                "Message system attribute name '{name}' is invalid."
            )));
        }
        let value = attribute.string_value.as_deref().unwrap_or_default();
        if attribute.data_type != "String" || value.is_empty() {
            return Err(SqsError::invalid(format!(
                "Message system attribute '{name}' must contain a non-empty value of type \
                 'String'."
            )));
        }
    }
    Ok(())
}

/// Checks the id of a group, a message or an attempt to receive.
pub(super) fn check_id(name: &str, id: &str) -> Outcome<()> {
    if well_formed(id) {
        return Ok(());
    }
    let reason = format!(
        "{name} can only include alphanumeric and punctuation characters. 1 to {ID_LEN_MAX} in \
         length."
    );
    Err(SqsError::invalid_value(id, name, &reason))
}

fn check_delay(queue: &Queue, delay: Option<i64>) -> Outcome<()> {
    let Some(delay) = delay else {
        return Ok(());
    };
    if !(0..=DELAY_S_MAX).contains(&delay) {
        return Err(SqsError::invalid_value(
            delay,
            "DelaySeconds",
            &format!("DelaySeconds must be >= 0 and <= {DELAY_S_MAX}."),
        ));
    }
    if queue.settings.fifo && delay > 0 {
        return Err(SqsError::invalid_value(
            delay,
            "DelaySeconds",
            "The request include parameter that is not valid for this queue type.",
        ));
    }
    Ok(())
}

fn well_formed(id: &str) -> bool {
    (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
