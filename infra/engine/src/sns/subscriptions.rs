//! Subscriptions: who gets what of a topic, and how.

use super::Outcome;
use super::confirmation;
use super::delivery_policy::{OfSubscription, OfTopic};
use super::delivery_rows;
use super::endpoint;
use super::filter::{Filter, Scope, check_object};
use super::form::Form;
use super::reply::{SnsError, Xml};
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
    endpoint::check(topic.fifo(), &subscription.protocol, endpoint)?;
    if subscription.protocol == "sqs" && endpoint.ends_with(".fifo") && !topic.fifo() {
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
    if !endpoint::PROTOCOLS.contains(&protocol.as_str()) {
        tracing::warn!(
            protocol,
            "a subscription's protocol is not served by the engine"
        );
        return Err(SnsError::invalid(format!(
            "Invalid parameter: Amazon SNS does not support this protocol string: {protocol}"
        )));
    }
    let endpoint = form.required("Endpoint")?.to_owned();
    let mut attributes = form.map("Attributes.entry", "key", "value");
    if attributes
        .keys()
        .any(|name| !SETTABLE.contains(&name.as_str()))
    {
        return Err(SnsError::invalid(
            "Invalid parameter: Attributes Reason: AttributeName",
        ));
    }
    let names: Vec<String> = attributes.keys().cloned().collect();
    if endpoint::WAITING.contains(&protocol.as_str()) {
        attributes.insert(PENDING.to_owned(), "true".to_owned());
        attributes.insert(AUTHENTICATED.to_owned(), "false".to_owned());
    }
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
        .find(|it| it.goes_to(&wanted.protocol, &wanted.endpoint));
    let subscription = match before {
        Some(before) if before.agrees(&wanted, names.iter()) => before,
        Some(_) => {
            return Err(SnsError::invalid(
                "Invalid parameter: Attributes Reason: Subscription already exists with different \
                 attributes",
            ));
        }
        None => {
            check_place(work, &wanted)?;
            check_filters(work, &wanted)?;
            keep(work, wanted)?
        }
    };
    if subscription.pending {
        // Also when it is subscribed once more: the first letter may be lost.
        confirmation::ask(work, &subscription)?;
    }
    let told = form.text("ReturnSubscriptionArn") == Some("true");
    let mut xml = Xml::default();
    if subscription.pending && !told {
        xml.text("SubscriptionArn", "pending confirmation");
    } else {
        xml.text("SubscriptionArn", &subscription.arn);
    }
    Ok(xml)
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

/// Unsubscribing what is not there is done already.
pub(super) fn unsubscribe(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let arn = subscription_arn(form)?;
    let Some(subscription) = work.topics.subscriptions.get(arn).cloned() else {
        return Ok(Xml::default());
    };
    if subscription.pending {
        return Err(SnsError::invalid(
            "Invalid parameter: SubscriptionArn Reason: Cannot unsubscribe a subscription that is \
             pending confirmation",
        ));
    }
    if !form.signed() && subscription.is_guarded() {
        return Err(SnsError::unauthorized(
            "The subscription can be ended by a signed request alone",
        ));
    }
    remove(work, arn)?;
    if !form.signed() && subscription.is_web() {
        // AWS, `Unsubscribe`: whoever may have been meant is told, unless it was the owner's doing.
        confirmation::take_leave(work, &subscription)?;
    }
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
    let topic = work.topics.delivery_policy(&subscription.topic_arn);
    let shown = subscription.shown(&work.names.account, &topic.unwrap_or_default());
    xml.entries("Attributes", &shown);
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
                let arn = match subscription.pending {
                    true => "PendingConfirmation",
                    false => &subscription.arn,
                };
                xml.text("SubscriptionArn", arn)
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
