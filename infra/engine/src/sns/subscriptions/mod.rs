//! Subscriptions: who gets what of a topic, and how.

mod checks;
mod list;
mod operations;

pub(super) use list::{list, list_by_topic};
pub(super) use operations::{attributes, set_attribute, subscribe, unsubscribe};

use super::Outcome;
use super::delivery_policy::{OfSubscription, OfTopic};
use super::delivery_rows;
use super::filter::{Filter, Scope, check_object};
use super::reply::SnsError;
use crate::messages::{StorageError, Work};
use crate::wire::same_value;
use rusqlite::{Connection, params};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a subscription remembers among its attributes: whether it waits for its confirmation.
const PENDING: &str = "PendingConfirmation";
/// The same: whether it was confirmed by a signed call.
const AUTHENTICATED: &str = "ConfirmationWasAuthenticated";
/// The same, never shown: whether only signed calls may end it.
const GUARDED: &str = "AuthenticateOnUnsubscribe";

/// A subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) arn: String,
    pub(super) topic_arn: String,
    pub(super) protocol: String,
    /// The ARN of a queue or function, the URL, the address, or the telephone number.
    pub(super) endpoint: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) raw: bool,
    /// Whether it waits for its confirmation, and gets nothing till then.
    pub(super) pending: bool,
    pub(super) policy: OfSubscription,
    pub(super) filter: Option<Filter>,
    pub(super) dead_letter_arn: Option<String>,
}

impl Subscription {
    pub(super) fn load(
        db: &Connection,
    ) -> Result<BTreeMap<String, Arc<Subscription>>, StorageError> {
        let mut subscriptions = BTreeMap::new();
        let mut statement =
            db.prepare("SELECT arn, topic, protocol, endpoint, attributes FROM subscriptions")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let arn: String = row.get(0)?;
            let attributes: String = row.get(4)?;
            let attributes = serde_json::from_str(&attributes).unwrap_or_default();
            let read = Subscription::new(
                arn.clone(),
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                attributes,
            );
            match read {
                Ok(read) => {
                    subscriptions.insert(read.arn.clone(), Arc::new(read));
                }
                // Only an older engine's idea of a valid policy can be refused here.
                Err(reason) => tracing::warn!(
                    subscription = arn,
                    reason,
                    "a subscription that an earlier version made is left out, and gets nothing: \
                     subscribe again"
                ),
            }
        }
        Ok(subscriptions)
    }

    /// Reads the attributes; the error is a reason as AWS words it.
    pub(super) fn new(
        arn: String,
        topic_arn: String,
        protocol: String,
        endpoint: String,
        mut attributes: BTreeMap<String, String>,
    ) -> Result<Subscription, String> {
        let raw = match attributes.get_mut("RawMessageDelivery") {
            None => false,
            Some(text) => {
                let lower = text.to_ascii_lowercase();
                let raw = lower.parse().map_err(|_| {
                    format!("RawMessageDelivery: Invalid value [{text}]. Must be true or false.")
                })?;
                *text = lower;
                raw
            }
        };
        let scope = match attributes.get("FilterPolicyScope").map(String::as_str) {
            None | Some("MessageAttributes") => Scope::Attributes,
            Some("MessageBody") => Scope::Body,
            Some(text) => {
                return Err(format!(
                    "FilterPolicyScope: Invalid value [{text}]. Please use either MessageBody or \
                     MessageAttributes"
                ));
            }
        };
        // An empty policy is no policy.
        attributes.retain(|_, value| !value.is_empty());
        let filter = attributes
            .get("FilterPolicy")
            .map(|text| Filter::read(text, scope))
            .transpose()?;
        let redrive = attributes.get("RedrivePolicy");
        let dead_letter_arn = redrive.map(|text| dead_letter_arn(text)).transpose()?;
        let policy = attributes.get("DeliveryPolicy");
        let policy = policy.map(|text| OfSubscription::read(text, raw));
        let policy = policy.transpose()?.unwrap_or_default();
        Ok(Subscription {
            arn,
            topic_arn,
            protocol,
            endpoint,
            raw,
            pending: attributes.get(PENDING).is_some_and(|it| it == "true"),
            policy,
            filter,
            dead_letter_arn,
            attributes,
        })
    }

    /// What holds of an attribute, said or not.
    fn holds(&self, name: &str) -> &str {
        let usual = match name {
            "RawMessageDelivery" => "false",
            "FilterPolicyScope" => "MessageAttributes",
            _ => "",
        };
        self.attributes.get(name).map_or(usual, String::as_str)
    }

    /// Whether this one says what that one says of each of these attributes.
    fn agrees<'a>(
        &self,
        other: &Subscription,
        mut names: impl Iterator<Item = &'a String>,
    ) -> bool {
        names.all(|name| same_value(Some(&self.holds(name).to_owned()), other.holds(name)))
    }

    /// Whether it gets its messages by HTTP or HTTPS.
    pub(super) fn is_web(&self) -> bool {
        matches!(self.protocol.as_str(), "http" | "https")
    }

    /// Whether it is the subscription of this endpoint.
    pub(super) fn goes_to(&self, protocol: &str, endpoint: &str) -> bool {
        self.protocol == protocol && self.endpoint == endpoint
    }

    fn is_guarded(&self) -> bool {
        self.attributes.get(GUARDED).is_some_and(|it| it == "true")
    }

    fn shown(&self, account: &str, topic: &OfTopic) -> BTreeMap<String, String> {
        let mut shown: BTreeMap<String, String> = [
            ("SubscriptionArn", self.arn.as_str()),
            ("TopicArn", &self.topic_arn),
            ("Protocol", &self.protocol),
            ("Endpoint", &self.endpoint),
            ("Owner", account),
            ("RawMessageDelivery", "false"),
            ("PendingConfirmation", "false"),
            ("ConfirmationWasAuthenticated", "true"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let principal = format!("arn:aws:iam::{account}:user/callboard");
        shown.insert("SubscriptionPrincipal".to_owned(), principal);
        let usual = "MessageAttributes".to_owned();
        shown.insert("FilterPolicyScope".to_owned(), usual);
        shown.extend(self.attributes.clone());
        shown.remove(GUARDED);
        if self.is_web() {
            if self.attributes.contains_key("DeliveryPolicy") {
                let own = self.policy.shown();
                shown.insert("DeliveryPolicy".to_owned(), own);
            }
            let effective = self.policy.under(topic).shown();
            shown.insert("EffectiveDeliveryPolicy".to_owned(), effective);
        }
        if self.filter.is_none() {
            // A scope is kept, and shown once there is something in it.
            shown.remove("FilterPolicyScope");
        }
        shown
    }
}

fn dead_letter_arn(policy: &str) -> Result<String, String> {
    check_object(policy).map_err(|reason| format!("RedrivePolicy: {reason}"))?;
    let policy: Value = serde_json::from_str(policy)
        .map_err(|_| "RedrivePolicy: failed to parse JSON.".to_owned())?;
    policy
        .get("deadLetterTargetArn")
        .and_then(Value::as_str)
        .filter(|arn| arn.starts_with("arn:aws:sqs:") && arn.split(':').count() == 6)
        .map(str::to_owned)
        .ok_or_else(|| "RedrivePolicy: deadLetterTargetArn is an invalid arn".to_owned())
}

/// Marks a pending subscription as confirmed.
pub(super) fn set_confirmed(
    work: &mut Work<'_>,
    pending: &Subscription,
    signed: bool,
    guarded: bool,
) -> Outcome<()> {
    let mut confirmed = pending.clone();
    confirmed.pending = false;
    confirmed.attributes.remove(PENDING);
    let flags = [(AUTHENTICATED, signed), (GUARDED, guarded)];
    for (name, flag) in flags {
        confirmed
            .attributes
            .insert(name.to_owned(), flag.to_string());
    }
    keep(work, confirmed).map(drop)
}

/// Removes a subscription with what it has not got yet.
pub(super) fn remove(work: &mut Work<'_>, arn: &str) -> Result<(), StorageError> {
    work.topics.touched = true;
    work.topics.subscriptions.remove(arn);
    delivery_rows::forget(work, arn)?;
    work.db
        .execute("DELETE FROM subscriptions WHERE arn = ?1", params![arn])?;
    Ok(())
}

pub(super) fn keep(work: &mut Work<'_>, subscription: Subscription) -> Outcome<Arc<Subscription>> {
    let attributes = serde_json::to_string(&subscription.attributes)
        .map_err(|error| SnsError::internal(&error))?;
    work.db.execute(
        "INSERT OR REPLACE INTO subscriptions VALUES(?1, ?2, ?3, ?4, ?5)",
        params![
            subscription.arn,
            subscription.topic_arn,
            subscription.protocol,
            subscription.endpoint,
            attributes
        ],
    )?;
    work.topics.touched = true;
    let subscription = Arc::new(subscription);
    work.topics
        .subscriptions
        .insert(subscription.arn.clone(), subscription.clone());
    Ok(subscription)
}
