//! What the table `contacts` says of a person, read at the moment of sending and kept no
//! longer than that.

use std::collections::HashMap;

use callboard_runtime::table::AttributeValue;
use serde_json::{Map, Value};

/// Sort key of a person's own item.
pub const PROFILE_SORT_KEY: &str = "profile";

/// Sort key of the personal fields of one foreign event, which follows from its stream
/// `event#<source>#<id>`.
#[must_use]
pub fn extras_sort_key(cause_stream: &str) -> &str {
    cause_stream
}

/// A person's contact. It holds personal data, so it has no `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// E-mail address.
    pub email: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Language, for instance `en`.
    pub locale: Option<String>,
    /// IANA time zone.
    pub time_zone: Option<String>,
    /// Categories that the person does not want.
    pub opted_out: Vec<String>,
    /// The address bounced or complained.
    pub suppressed: bool,
}

impl Contact {
    /// Reads a profile item. An erased person's tombstone, or none, is no contact.
    #[must_use]
    pub fn from_item(item: Option<&HashMap<String, AttributeValue>>) -> Option<Self> {
        let item = item?;
        if flag(item, "erased") {
            return None;
        }
        Some(Self {
            email: text(item, "email"),
            name: text(item, "name"),
            locale: text(item, "locale"),
            time_zone: text(item, "time_zone"),
            opted_out: texts(item.get("opted_out")),
            suppressed: flag(item, "suppressed"),
        })
    }
}

/// The personal fields of a foreign event, in the nesting that its data had. An empty object when
/// there are none, or when they were erased.
#[must_use]
pub fn extras(item: Option<&HashMap<String, AttributeValue>>) -> Value {
    item.and_then(|item| text(item, "fields"))
        .and_then(|fields| serde_json::from_str(&fields).ok())
        .filter(Value::is_object)
        .unwrap_or_else(|| Value::Object(Map::new()))
}

fn text(item: &HashMap<String, AttributeValue>, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

fn flag(item: &HashMap<String, AttributeValue>, name: &str) -> bool {
    item.get(name)
        .and_then(|value| value.as_bool().ok())
        .copied()
        .unwrap_or(false)
}

/// A set of strings, or a list of them: DynamoDB has no empty set, so a writer may prefer lists.
fn texts(value: Option<&AttributeValue>) -> Vec<String> {
    match value {
        Some(AttributeValue::Ss(texts)) => texts.clone(),
        Some(AttributeValue::L(values)) => values
            .iter()
            .filter_map(|value| value.as_s().ok().cloned())
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(fields: &[(&str, AttributeValue)]) -> HashMap<String, AttributeValue> {
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    #[test]
    fn a_tombstone_is_no_contact() {
        let erased = item(&[
            ("erased", AttributeValue::Bool(true)),
            ("email", AttributeValue::S("left@example.com".into())),
        ]);
        assert!(Contact::from_item(Some(&erased)).is_none());
        assert!(Contact::from_item(None).is_none());
    }

    #[test]
    fn opt_outs_are_read_from_a_set_and_from_a_list() {
        let set = item(&[("opted_out", AttributeValue::Ss(vec!["orders".into()]))]);
        let list = item(&[(
            "opted_out",
            AttributeValue::L(vec![AttributeValue::S("orders".into())]),
        )]);
        for profile in [set, list] {
            let contact = Contact::from_item(Some(&profile)).map(|contact| contact.opted_out);
            assert_eq!(contact, Some(vec!["orders".to_owned()]));
        }
    }

    #[test]
    fn extras_that_cannot_be_read_or_were_erased_are_none() {
        let stored = |text: &str| item(&[("fields", AttributeValue::S(text.into()))]);
        let fields = r#"{"customer":{"name":"Anna"}}"#;
        assert_eq!(
            extras(Some(&stored(fields))),
            json!({"customer": {"name": "Anna"}})
        );
        assert_eq!(extras(Some(&stored("[1"))), json!({}));
        assert_eq!(extras(Some(&stored("[1]"))), json!({}));
        assert_eq!(extras(None), json!({}));
    }
}
