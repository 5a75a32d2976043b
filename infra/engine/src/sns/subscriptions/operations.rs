//! Subscribing and ending it, describing and changing.

use super::super::Outcome;
use super::super::confirmation;
use super::super::endpoint;
use super::super::form::Form;
use super::super::reply::{SnsError, Xml};
use super::super::topics;
use super::checks::{check, check_filters, check_place};
use super::{AUTHENTICATED, PENDING, Subscription, keep, remove};
use crate::messages::Work;
use std::sync::Arc;

const SETTABLE: [&str; 6] = [
    "RawMessageDelivery",
    "FilterPolicy",
    "FilterPolicyScope",
    "RedrivePolicy",
    "DeliveryPolicy",
    "SubscriptionRoleArn",
];

pub(in crate::sns) fn subscribe(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
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

/// Unsubscribing what is not there is done already.
pub(in crate::sns) fn unsubscribe(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
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

pub(in crate::sns) fn attributes(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let subscription = find(work, form)?;
    let mut xml = Xml::default();
    let topic = work.topics.delivery_policy(&subscription.topic_arn);
    let shown = subscription.shown(&work.names.account, &topic.unwrap_or_default());
    xml.entries("Attributes", &shown);
    Ok(xml)
}

pub(in crate::sns) fn set_attribute(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
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
