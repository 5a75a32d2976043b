//! Tags of topics.

use super::super::Outcome;
use super::super::form::Form;
use super::super::reply::{SnsError, Xml};
use super::{Topic, keep, topic_in};
use crate::messages::Work;
use std::collections::{BTreeMap, HashSet};

/// The most tags of a topic (AWS, "Amazon SNS topic tagging").
const TAGS_MAX: usize = 50;
/// The longest key and value, in characters (AWS, `Tag`).
const KEY_LEN_MAX: usize = 128;
const VALUE_LEN_MAX: usize = 256;

/// The tags of a call.
pub(super) fn read(form: &Form) -> Outcome<BTreeMap<String, String>> {
    let mut keys = HashSet::new();
    for tag in form.list("Tags.member") {
        let key = tag.given("Key")?;
        let value = tag.given("Value")?;
        if !(1..=KEY_LEN_MAX).contains(&key.chars().count())
            || value.chars().count() > VALUE_LEN_MAX
        {
            return Err(SnsError::invalid("Invalid parameter: Tags"));
        }
        if !keys.insert(key) {
            return Err(SnsError::invalid(
                "Invalid parameter: Duplicated keys are not allowed.",
            ));
        }
    }
    let tags = form.map("Tags.member", "Key", "Value");
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Outcome<()> {
    if tags.len() > TAGS_MAX {
        return Err(SnsError::too_many_tags());
    }
    Ok(())
}

fn tagged(work: &Work<'_>, form: &Form) -> Outcome<Topic> {
    let arn = form.given("ResourceArn")?;
    let topic = topic_in(work.names, arn).and_then(|name| work.topics.by_name.get(name));
    topic
        .map(|topic| (**topic).clone())
        .ok_or_else(SnsError::no_resource)
}

pub(in crate::sns) fn tag(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let mut topic = tagged(work, form)?;
    topic.tags.extend(read(form)?);
    check_count(&topic.tags)?;
    keep(work, topic)?;
    Ok(Xml::default())
}

pub(in crate::sns) fn untag(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let mut topic = tagged(work, form)?;
    for key in form.list("TagKeys.member") {
        topic.tags.remove(key.value().unwrap_or_default());
    }
    keep(work, topic)?;
    Ok(Xml::default())
}

pub(in crate::sns) fn tags(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = tagged(work, form)?;
    let mut xml = Xml::default();
    xml.within("Tags", |xml| {
        for (key, value) in &topic.tags {
            xml.within("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
    Ok(xml)
}
