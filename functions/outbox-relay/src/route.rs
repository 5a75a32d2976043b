//! Which topic an event goes to, and what the message around it says.

use std::collections::BTreeMap;

use callboard_contracts::id::derived_uuid;
use callboard_contracts::version;
use callboard_runtime::journal::Committed;
use callboard_runtime::publish::{DUE_ATTRIBUTE, Message};
use callboard_runtime::settings::{self, SettingsError, Vars};

/// The type whose channel its sender's subscription asks for, in any version.
const PLANNED: &str = "callboard.notification.notification-planned.v1";

/// Longest message group id (SNS API reference, `Publish`).
const GROUP_BYTES_MAX: usize = 128;

/// The topics, one per domain: no god topic.
#[derive(Debug, Clone)]
pub struct Topics {
    waitlist: String,
    notification: String,
    external: String,
}

/// An event of ours that no topic is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no topic is for events of type `{0}`")]
pub struct NoTopic(pub String);

impl Topics {
    /// Reads the three ARNs.
    ///
    /// # Errors
    /// [`SettingsError`] names the one that is missing.
    pub fn from_vars(vars: &Vars) -> Result<Self, SettingsError> {
        Ok(Self {
            waitlist: settings::required(vars, "WAITLIST_EVENTS_TOPIC_ARN")?,
            notification: settings::required(vars, "NOTIFICATION_EVENTS_TOPIC_ARN")?,
            external: settings::required(vars, "EXTERNAL_EVENTS_TOPIC_ARN")?,
        })
    }

    /// The topic for foreign events.
    #[must_use]
    pub fn external(&self) -> &str {
        &self.external
    }

    /// The topic for events of a type.
    ///
    /// # Errors
    /// [`NoTopic`] for a domain of ours that publishes nothing.
    pub fn of(&self, event_type: &str) -> Result<&str, NoTopic> {
        match event_type.strip_prefix(version::OWN) {
            None => Ok(&self.external),
            Some(rest) if rest.starts_with("waitlist.") => Ok(&self.waitlist),
            Some(rest) if rest.starts_with("notification.") => Ok(&self.notification),
            Some(_) => Err(NoTopic(event_type.to_owned())),
        }
    }
}

/// One message on its way to one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub topic: String,
    /// The message group.
    pub group: String,
    /// What.
    pub message: Message,
}

/// The messages of one commit, one per public event, in the order of its events.
///
/// # Errors
/// [`NoTopic`] when one of them cannot go anywhere.
pub fn messages(topics: &Topics, commit: &Committed) -> Result<Vec<Outgoing>, NoTopic> {
    let group = group_id(commit.message_group());
    commit
        .public()
        .map(|index| {
            let envelope = commit.envelope(index);
            let topic = topics.of(&envelope.event_type)?.to_owned();
            let message = Message {
                attributes: attributes(commit, &envelope),
                dedup: Some(envelope.id.clone()),
                group: Some(group.clone()),
                body: envelope.to_body(),
            };
            Ok(Outgoing {
                topic,
                group: group.clone(),
                message,
            })
        })
        .collect()
}

/// What subscriptions filter on, and what a reader of a queue sees without opening the body.
fn attributes(
    commit: &Committed,
    envelope: &callboard_contracts::Envelope,
) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from([("type".to_owned(), envelope.event_type.clone())]);
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value.to_owned());
        }
    };
    add("correlationid", envelope.correlationid.as_deref());
    add("traceparent", envelope.traceparent.as_deref());
    add(
        "channel",
        envelope
            .data
            .get("channel")
            .and_then(|channel| channel.as_str())
            .filter(|_| version::same_family(&envelope.event_type, PLANNED)),
    );
    // Work that is due at once is what the message itself is about.
    if let Some(due) = commit.due.as_ref().filter(|due| due.at > commit.at) {
        attributes.insert(DUE_ATTRIBUTE.to_owned(), due.at.to_string());
    }
    attributes
}

/// A group as SNS takes it: up to 128 letters, digits and punctuation. A foreign stream's id may
/// be longer or hold anything, and is then hashed.
fn group_id(group: &str) -> String {
    let fits = (1..=GROUP_BYTES_MAX).contains(&group.len())
        && group.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        group.to_owned()
    } else {
        derived_uuid(&["group", group]).simple().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics {
            waitlist: "w".to_owned(),
            notification: "n".to_owned(),
            external: "x".to_owned(),
        }
    }

    #[test]
    fn every_domain_has_its_topic_and_foreign_types_share_one() {
        let topics = topics();
        assert_eq!(topics.of("callboard.waitlist.slot-held.v1"), Ok("w"));
        assert_eq!(
            topics.of("callboard.notification.delivery-failed.v1"),
            Ok("n")
        );
        assert_eq!(topics.of("com.example.order-placed.v1"), Ok("x"));
        let unknown = "callboard.recipient.recipient-erased.v1";
        assert_eq!(topics.of(unknown), Err(NoTopic(unknown.to_owned())));
    }

    #[test]
    fn a_group_that_sns_would_refuse_is_hashed_and_stays_the_same() {
        assert_eq!(group_id("practice-1"), "practice-1");
        let odd = "event#https://shop.example/é#1";
        assert_eq!(group_id(odd), group_id(odd));
        assert_eq!(group_id(odd).len(), 32);
        assert_eq!(group_id(&"a".repeat(129)).len(), 32);
    }
}
