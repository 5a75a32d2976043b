//! One message as it is published: reading it from the form, and what AWS asks of it.

use super::Outcome;
use super::form::Form;
use super::reply::SnsError;
use crate::sqs::{Attribute, Attributes};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The longest subject, in characters (AWS, `Publish`).
const SUBJECT_LEN_MAX: usize = 100;
/// The longest group or deduplication id, in characters (AWS, `Publish`).
const ID_LEN_MAX: usize = 128;
/// The longest attribute name, in bytes (AWS, "Amazon SNS message attributes").
const NAME_LEN_MAX: usize = 256;

/// A message, checked but for what depends on its topic.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) body: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) attributes: Attributes,
    pub(super) group: Option<&'a str>,
    pub(super) dedup: Option<&'a str>,
    /// Body and attributes, in bytes.
    pub(super) size: usize,
    per_protocol: bool,
}

/// What each protocol gets.
#[derive(Debug)]
pub(super) struct Texts {
    usual: String,
    by_protocol: BTreeMap<String, String>,
}

impl Texts {
    pub(super) fn for_protocol(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).unwrap_or(&self.usual)
    }
}

impl<'a> Message<'a> {
    /// Reads the message of a call, or of the batch entry in this place, counted from 1.
    pub(super) fn read(form: &'a Form, place: Option<usize>) -> Outcome<Message<'a>> {
        let subject = form.text("Subject").map(check_subject).transpose()?;
        let body = form.text("Message").unwrap_or_default();
        if body.is_empty() {
            return Err(SnsError::invalid("Invalid parameter: Empty message"));
        }
        let attributes = attributes(form, place)?;
        Ok(Message {
            body,
            subject,
            size: size_of(body, &attributes),
            attributes,
            group: id(form, "MessageGroupId")?,
            dedup: id(form, "MessageDeduplicationId")?,
            per_protocol: form.text("MessageStructure") == Some("json"),
        })
    }

    /// The texts for each protocol: with `MessageStructure` `json` the body is an object of them.
    pub(super) fn texts(&self) -> Outcome<Texts> {
        if !self.per_protocol {
            return Ok(Texts {
                usual: self.body.to_owned(),
                by_protocol: BTreeMap::new(),
            });
        }
        let refused = |reason: &str| {
            SnsError::invalid(format!("Invalid parameter: Message Structure - {reason}"))
        };
        let texts: Map<String, Value> = serde_json::from_str(self.body)
            .map_err(|_| refused("JSON message body failed to parse"))?;
        // What is no string is passed over.
        let mut by_protocol: BTreeMap<String, String> = texts
            .into_iter()
            .filter_map(|(protocol, text)| Some((protocol, text.as_str()?.to_owned())))
            .collect();
        let usual = by_protocol
            .remove("default")
            .ok_or_else(|| refused("No default entry in JSON message body"))?;
        Ok(Texts { usual, by_protocol })
    }

    /// Whether attributes hold what their types promise.
    pub(super) fn check_values(&self) -> Outcome<()> {
        for (name, attribute) in &self.attributes {
            let value = attribute.string_value.as_deref().unwrap_or_default();
            let (good, kind) = match attribute.data_type.as_str() {
                "Number" => (value.parse::<f64>().is_ok_and(f64::is_finite), "number"),
                "String.Array" => (serde_json::from_str::<Vec<Value>>(value).is_ok(), "array"),
                _ => continue,
            };
            if !good {
                return Err(SnsError::invalid_value(format!(
                    "Could not cast message attribute '{name}' value to {kind}."
                )));
            }
        }
        Ok(())
    }
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

fn attributes(form: &Form, place: Option<usize>) -> Outcome<Attributes> {
    let mut attributes = Attributes::new();
    for entry in form.list("MessageAttributes.entry") {
        let name = entry.text("Name").unwrap_or_default();
        check_name(name)?;
        let Some(data_type) = entry.text("Value.DataType") else {
            let entry = place.map_or(String::new(), |place| {
                format!("publishBatchRequestEntries.{place}.member.")
            });
            return Err(SnsError::validation(format!(
                "1 validation error detected: Value null at \
                 '{entry}messageAttributes.{name}.member.dataType' failed to satisfy constraint: \
                 Member must not be null"
            )));
        };
        let attribute = Attribute {
            data_type: data_type.to_owned(),
            string_value: entry.text("Value.StringValue").map(str::to_owned),
            binary_value: entry.text("Value.BinaryValue").map(str::to_owned),
            ..Attribute::default()
        };
        check_type(name, &attribute)?;
        attributes.insert(name.to_owned(), attribute);
    }
    Ok(attributes)
}

fn check_name(name: &str) -> Outcome<()> {
    if name.len() > NAME_LEN_MAX {
        return Err(SnsError::invalid_value(format!(
            "Length of message attribute name must be less than {NAME_LEN_MAX} bytes."
        )));
    }
    for (end, wrong) in [
        ("starting", name.starts_with('.')),
        ("ending", name.ends_with('.')),
    ] {
        if wrong {
            return Err(SnsError::invalid_value(format!(
                "Invalid message attribute name {end} with character '.' was found."
            )));
        }
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if let Some(c) = name.chars().find(|c| !allowed(c)) {
        return Err(SnsError::invalid_value(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. \
             Can only include alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(c)
        )));
    }
    if name.contains("..") {
        return Err(SnsError::invalid_value(
            "Message attribute name can not have successive '.' character.",
        ));
    }
    Ok(())
}

fn check_type(name: &str, attribute: &Attribute) -> Outcome<()> {
    let data_type = attribute.data_type.as_str();
    let empty = || {
        SnsError::invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for \
             message attribute type '{data_type}'."
        ))
    };
    let (base, label) = data_type.split_once('.').unwrap_or((data_type, "-"));
    if !matches!(base, "String" | "Number" | "Binary") || label.is_empty() {
        return Err(SnsError::invalid_value(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        )));
    }
    let (field, own, other) = match base {
        "Binary" => ("Binary", &attribute.binary_value, &attribute.string_value),
        _ => ("String", &attribute.string_value, &attribute.binary_value),
    };
    match (own.as_deref(), other) {
        (None, None) | (Some(""), _) => Err(empty()),
        (None, Some(_)) => Err(SnsError::invalid_value(format!(
            "The message attribute '{name}' with type '{data_type}' must use field '{field}'."
        ))),
        (Some(_), _) => Ok(()),
    }
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
