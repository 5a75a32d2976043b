//! Message attributes: what is allowed, and the MD5 that senders and receivers check.

use super::refusal::SqsError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most attributes of a message (AWS, "Amazon SQS message metadata": 10).
const ATTRIBUTES_MAX: usize = 10;
/// The longest attribute name, in characters (AWS, same page: 256).
const NAME_LEN_MAX: usize = 256;
/// The longest attribute type, its label included, in bytes (AWS, same page: 256 characters).
const TYPE_LEN_MAX: usize = 256;

/// What is said of a text that XML 1.0 cannot carry.
pub(super) const INVALID_CHARACTERS: &str = "Invalid characters found. Valid unicode characters \
     are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

/// Message attributes by name: sorted, as their MD5 wants them.
pub(crate) type Attributes = BTreeMap<String, Attribute>;

/// A message attribute, as it stands on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
    #[serde(default, skip_serializing)]
    pub(crate) string_list_values: Vec<String>,
    #[serde(default, skip_serializing)]
    pub(crate) binary_list_values: Vec<String>,
}

impl Attribute {
    pub(crate) fn string(value: impl Into<String>) -> Attribute {
        Attribute {
            data_type: "String".to_owned(),
            string_value: Some(value.into()),
            ..Attribute::default()
        }
    }

    /// Whether it has a list: AWS names them and does not take them.
    fn lists(&self) -> bool {
        !self.string_list_values.is_empty() || !self.binary_list_values.is_empty()
    }

    /// `String`, `Number` or `Binary`, without the label that may follow.
    fn base_type(&self) -> &str {
        self.data_type.split('.').next().unwrap_or_default()
    }

    fn value_bytes(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (_, Some(binary)) if self.base_type() == "Binary" => {
                BASE64.decode(binary).unwrap_or_default()
            }
            (Some(text), _) => text.as_bytes().to_vec(),
            _ => Vec::new(),
        }
    }
}

/// What a message's attributes weigh: names, types and values.
pub(super) fn size(attributes: &Attributes) -> usize {
    attributes
        .iter()
        .map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.value_bytes().len()
        })
        .sum()
}

pub(super) fn check(attributes: &Attributes) -> Result<(), SqsError> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(SqsError::invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
            attributes.len()
        )));
    }
    attributes
        .iter()
        .try_for_each(|(name, attribute)| check_one(name, attribute))
}

fn check_one(name: &str, attribute: &Attribute) -> Result<(), SqsError> {
    let lower = name.to_ascii_lowercase();
    let well_formed = !name.is_empty()
        && name.len() <= NAME_LEN_MAX
        // Letters of other alphabets are not documented, and taken by AWS.
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.");
    if !well_formed {
        return Err(SqsError::invalid(format!(
            "Message (user) attribute name '{name}' is invalid: it can contain letters, digits, \
             underscore, hyphen and single periods within, at most {NAME_LEN_MAX} characters, and \
             must not start with AWS. or Amazon."
        )));
    }
    if attribute.lists() {
        return Err(SqsError::unsupported(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    if attribute.data_type.len() > TYPE_LEN_MAX {
        return Err(SqsError::invalid(format!(
            "Message (user) attribute types must be shorter than {TYPE_LEN_MAX} Bytes"
        )));
    }
    let kind = attribute.base_type();
    let empty = || {
        SqsError::invalid(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        ))
    };
    match kind {
        "String" => match attribute.string_value.as_deref() {
            None | Some("") => Err(empty()),
            Some(text) if carried(text) => Ok(()),
            Some(_) => Err(SqsError::invalid(INVALID_CHARACTERS)),
        },
        "Number" => match attribute.string_value.as_deref() {
            None | Some("") => Err(empty()),
            Some(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => Ok(()),
            Some(_) => Err(SqsError::invalid(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            ))),
        },
        "Binary" => match attribute.binary_value.as_deref() {
            None | Some("") => Err(empty()),
            Some(text) if BASE64.decode(text).is_ok() => Ok(()),
            Some(_) => Err(empty()),
        },
        _ => Err(SqsError::invalid(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        ))),
    }
}

/// Whether SQS takes a text: what XML 1.0 can carry.
pub(super) fn carried(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
    })
}

/// MD5, in hexadecimal, as SQS gives it for bodies.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

/// The MD5 of message attributes (AWS, "Calculating the MD5 message digest for message
/// attributes"), or `None` if there are none.
pub(super) fn md5_of<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    let mut digest = Md5::new();
    let mut any = false;
    for (name, attribute) in attributes {
        any = true;
        let binary = attribute.base_type() == "Binary";
        add(&mut digest, name.as_bytes());
        add(&mut digest, attribute.data_type.as_bytes());
        digest.update([if binary { 2u8 } else { 1 }]);
        add(&mut digest, &attribute.value_bytes());
    }
    any.then(|| hex(&digest.finalize()))
}

fn add(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_attributes_is_the_one_that_sdks_expect() {
        // From boto's own test of its check: one String attribute.
        let attributes = Attributes::from([(
            "timestamp".to_owned(),
            Attribute {
                data_type: "Number".to_owned(),
                string_value: Some("1493147359900".to_owned()),
                ..Attribute::default()
            },
        )]);
        assert_eq!(
            md5_of(&attributes).as_deref(),
            Some("235c5c510d26fb653d073faed50ae77c")
        );
        assert_eq!(md5_of(&Attributes::new()), None);
        assert_eq!(md5_hex(b"hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn names_types_and_values_are_checked() {
        let one = |name: &str, attribute| check(&Attributes::from([(name.to_owned(), attribute)]));
        one("type", Attribute::string("x")).expect("allowed");
        one("aws.x", Attribute::string("x")).expect_err("reserved");
        one("a b", Attribute::string("x")).expect_err("a space");
        one("a", Attribute::string("")).expect_err("empty");
        one("a", Attribute::string("\u{0}")).expect_err("not for XML");
        let number = |value: &str| Attribute {
            data_type: "Number.int".to_owned(),
            ..Attribute::string(value)
        };
        one("a", number("12")).expect("a number");
        one("a", number("twelve")).expect_err("no number");
    }
}
