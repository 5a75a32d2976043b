//! What AWS asks of a subscription beyond each attribute for itself.

use super::super::Outcome;
use super::super::endpoint;
use super::super::reply::SnsError;
use super::super::topics::Topic;
use super::Subscription;
use crate::messages::Work;

/// The most filter policies of a topic (AWS, "Filter policy constraints").
const FILTERS_MAX: usize = 200;

/// A topic takes so many filter policies, and any number of subscriptions without.
pub(super) fn check_filters(work: &Work<'_>, changed: &Subscription) -> Outcome<()> {
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

/// Checks endpoint and dead-letter queue against the topic's kind.
pub(super) fn check(topic: &Topic, subscription: &Subscription) -> Outcome<()> {
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
pub(super) fn check_place(work: &Work<'_>, subscription: &Subscription) -> Outcome<()> {
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
