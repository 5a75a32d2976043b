//! Subscriptions: who gets what of a topic, and how.

use super::Outcome;
use super::filter::{Filter, Scope, check_object};
use super::form::Form;
use super::reply::{SnsError, Xml};
use super::sms;
use super::topics::{self, Topic, page};
use crate::messages::{StorageError, Work};
use crate::wire::same_value;
use rusqlite::{Connection, params};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most filter policies of a topic (AWS, "Filter policy constraints").
const FILTERS_MAX: usize = 200;

const SETTABLE: [&str; 6] = [
    "RawMessageDelivery",
    "FilterPolicy",
    "FilterPolicyScope",
    "RedrivePolicy",
    "DeliveryPolicy",
    "SubscriptionRoleArn",
];

/// A subscription of a queue or a telephone.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) arn: String,
    pub(super) topic_arn: String,
    pub(super) protocol: String,
    /// The queue's ARN, or the telephone number.
    pub(super) endpoint: String,
    attributes: BTreeMap<String, String>,
    pub(super) raw: bool,
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
            let read = Subscription::new(arn, row.get(1)?, row.get(2)?, row.get(3)?, attributes);
            match read {
                Ok(read) => {
                    subscriptions.insert(read.arn.clone(), Arc::new(read));
                }
                // Only an older engine's idea of a valid policy can be refused here.
                Err(reason) => tracing::warn!(reason, "a subscription is left out"),
            }
        }
        Ok(subscriptions)
    }

    /// Reads the attributes; the error is a reason as AWS words it.
    fn new(
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
        Ok(Subscription {
            arn,
            topic_arn,
            protocol,
            endpoint,
            raw,
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

    fn shown(&self, account: &str) -> BTreeMap<String, String> {
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

/// A topic takes so many filter policies, and any number of subscriptions without.
fn check_filters(work: &Work<'_>, changed: &Subscription) -> Outcome<()> {
    if changed.filter.is_none() {
        return Ok(());
    }
    let others = work.topics.subscriptions_of(&changed.topic_arn);
    let filters = others
        .iter()
        .filter(|other| other.filter.is_some() && other.arn != changed.arn);
    if filters.count() >= FILTERS_MAX {
        return Err(SnsError::too_many_filters());
    }
    Ok(())
}

/// What AWS asks of a subscription beyond each attribute for itself.
fn check(topic: &Topic, subscription: &Subscription) -> Outcome<()> {
    let endpoint = subscription.endpoint.as_str();
    if subscription.protocol == "sms" {
        if !sms::is_number(endpoint) {
            return Err(SnsError::invalid(format!(
                "Invalid SMS endpoint: {endpoint}"
            )));
        }
    } else if !endpoint.starts_with("arn:aws:sqs:") || endpoint.split(':').count() != 6 {
        return Err(SnsError::invalid("Invalid parameter: SQS endpoint ARN"));
    }
    if endpoint.ends_with(".fifo") && !topic.fifo() {
        return Err(SnsError::invalid(
            "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be \
             subscribed to standard SNS topics",
        ));
    }
    let dead_letters = subscription.dead_letter_arn.as_deref();
    let fifo = topic.fifo() && subscription.endpoint.ends_with(".fifo");
    let refused = dead_letters.is_some_and(|arn| match arn.ends_with(".fifo") {
        true => !topic.fifo(),
        false => fifo,
    });
    if refused && fifo {
        return Err(SnsError::invalid(
            "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO \
             Subscription to a FIFO Topic.",
        ));
    }
    if refused {
        return Err(SnsError::invalid(
            "Invalid parameter: RedrivePolicy: must use a standard queue as DLQ for a Subscription \
             to a standard Topic.",
        ));
    }
    Ok(())
}

/// Queues of another region or account would never be delivered to: a publish is one transaction
/// in the stores of its own. AWS delivers across both, the latter once it is confirmed.
fn check_place(work: &Work<'_>, subscription: &Subscription) -> Outcome<()> {
    let queue = (subscription.protocol == "sqs").then_some(subscription.endpoint.as_str());
    let dead_letters = subscription.dead_letter_arn.as_deref();
    for (what, arn) in [("Endpoint", queue), ("RedrivePolicy", dead_letters)] {
        let Some(arn) = arn.filter(|arn| work.names.queue_in(arn).is_none()) else {
            continue;
        };
        tracing::warn!(
            arn,
            region = work.names.region,
            account = work.names.account,
            "a topic delivers to queues of its own region and account only"
        );
        return Err(SnsError::invalid(format!(
            "Invalid parameter: {what} Reason: the engine delivers within one region and account, \
             and {arn} is in another"
        )));
    }
    Ok(())
}

pub(super) fn subscribe(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic_arn = form.given("TopicArn")?.to_owned();
    let topic = topics::find(work, &topic_arn)?;
    let protocol = form.required("Protocol")?.to_owned();
    if !matches!(protocol.as_str(), "sqs" | "sms") {
        tracing::warn!(
            protocol,
            "a subscription's protocol is not served by the engine"
        );
        return Err(SnsError::invalid(format!(
            "Invalid parameter: Amazon SNS does not support this protocol string: {protocol}"
        )));
    }
    let endpoint = form.required("Endpoint")?.to_owned();
    let attributes = form.map("Attributes.entry", "key", "value");
    if attributes
        .keys()
        .any(|name| !SETTABLE.contains(&name.as_str()))
    {
        return Err(SnsError::invalid(
            "Invalid parameter: Attributes Reason: AttributeName",
        ));
    }
    let names: Vec<String> = attributes.keys().cloned().collect();
    let arn = format!("{topic_arn}:{}", crate::ids::random_id());
    let wanted =
        Subscription::new(arn, topic_arn, protocol, endpoint, attributes).map_err(|reason| {
            SnsError::invalid(format!("Invalid parameter: Attributes Reason: {reason}"))
        })?;
    check(&topic, &wanted)?;
    let before = work
        .topics
        .subscriptions_of(&wanted.topic_arn)
        .into_iter()
        .find(|it| it.endpoint == wanted.endpoint && it.protocol == wanted.protocol);
    let arn = match before {
        Some(before) if before.agrees(&wanted, names.iter()) => before.arn.clone(),
        Some(_) => {
            return Err(SnsError::invalid(
                "Invalid parameter: Attributes Reason: Subscription already exists with different \
                 attributes",
            ));
        }
        None => {
            check_place(work, &wanted)?;
            check_filters(work, &wanted)?;
            let arn = wanted.arn.clone();
            keep(work, wanted)?;
            arn
        }
    };
    let mut xml = Xml::default();
    xml.text("SubscriptionArn", arn);
    Ok(xml)
}

fn keep(work: &mut Work<'_>, subscription: Subscription) -> Outcome<()> {
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
    let subscriptions = &mut work.topics.subscriptions;
    subscriptions.insert(subscription.arn.clone(), Arc::new(subscription));
    Ok(())
}

/// Unsubscribing what is not there is done already.
pub(super) fn unsubscribe(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let arn = subscription_arn(form)?;
    work.topics.touched = true;
    work.topics.subscriptions.remove(arn);
    work.db
        .execute("DELETE FROM subscriptions WHERE arn = ?1", params![arn])?;
    Ok(Xml::default())
}

/// The ARN of a call, of the form that a subscription's has.
fn subscription_arn(form: &Form) -> Outcome<&str> {
    let arn = form.given("SubscriptionArn")?;
    match arn.split(':').count() {
        parts @ ..6 => Err(SnsError::short_arn("SubscriptionArn", parts)),
        6 => Err(SnsError::invalid("Invalid parameter: SubscriptionId")),
        _ => Ok(arn),
    }
}

fn find(work: &Work<'_>, form: &Form) -> Outcome<Arc<Subscription>> {
    let arn = subscription_arn(form)?;
    let subscription = work.topics.subscriptions.get(arn);
    subscription.cloned().ok_or_else(SnsError::no_subscription)
}

pub(super) fn attributes(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let subscription = find(work, form)?;
    let mut xml = Xml::default();
    xml.entries("Attributes", &subscription.shown(&work.names.account));
    Ok(xml)
}

pub(super) fn set_attribute(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let subscription = find(work, form)?;
    let name = form.required("AttributeName")?;
    if !SETTABLE.contains(&name) {
        return Err(SnsError::invalid("Invalid parameter: AttributeName"));
    }
    let value = form.text("AttributeValue").unwrap_or_default();
    let mut attributes = subscription.attributes.clone();
    attributes.insert(name.to_owned(), value.to_owned());
    let changed = Subscription::new(
        subscription.arn.clone(),
        subscription.topic_arn.clone(),
        subscription.protocol.clone(),
        subscription.endpoint.clone(),
        attributes,
    )
    .map_err(|reason| SnsError::invalid(format!("Invalid parameter: {reason}")))?;
    let topic = topics::find(work, &changed.topic_arn)?;
    check(&topic, &changed)?;
    check_place(work, &changed)?;
    check_filters(work, &changed)?;
    keep(work, changed)?;
    Ok(Xml::default())
}

pub(super) fn list(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let all = work.topics.subscriptions.values().cloned().collect();
    listed(all, work, form)
}

pub(super) fn list_by_topic(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let arn = form.given("TopicArn")?;
    topics::find(work, arn)?;
    let of_topic = work.topics.subscriptions_of(arn);
    listed(of_topic, work, form)
}

fn listed(subscriptions: Vec<Arc<Subscription>>, work: &Work<'_>, form: &Form) -> Outcome<Xml> {
    let keyed = subscriptions.into_iter().map(|s| (s.arn.clone(), s));
    let (subscriptions, token) = page(keyed, form)?;
    let mut xml = Xml::default();
    xml.within("Subscriptions", |xml| {
        for subscription in subscriptions {
            xml.within("member", |xml| {
                xml.text("SubscriptionArn", &subscription.arn)
                    .text("Owner", &work.names.account)
                    .text("Protocol", &subscription.protocol)
                    .text("Endpoint", &subscription.endpoint)
                    .text("TopicArn", &subscription.topic_arn);
            });
        }
    });
    if let Some(token) = token {
        xml.text("NextToken", token);
    }
    Ok(xml)
}
