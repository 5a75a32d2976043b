//! Listing subscriptions, of a topic or all.

use super::super::Outcome;
use super::super::form::Form;
use super::super::reply::Xml;
use super::super::topics::{self, page};
use super::Subscription;
use crate::messages::Work;
use std::sync::Arc;

pub(in crate::sns) fn list(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let all = work.topics.subscriptions.values().cloned().collect();
    listed(all, work, form)
}

pub(in crate::sns) fn list_by_topic(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
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
