//! Subscriptions of queues to topics. One that exists is compared and changed in place:
//! a second `Subscribe` with other attributes would be refused.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sns::Client;
use callboard_template::Subscription;
use serde_json::{Value, json};

use super::{Provisioning, text};
use crate::error::{HostError, Place};
use crate::resources::Resources;

/// Subscription ARN per endpoint, for one topic.
type Existing = BTreeMap<String, String>;

/// A subscription with its references resolved.
struct Wanted<'a> {
    place: Place<'a>,
    topic: String,
    endpoint: String,
    /// In the order in which they are to be set: the scope before the policy.
    attributes: Vec<(&'static str, String)>,
}

impl<'a> Provisioning<'a> {
    pub(super) async fn subscriptions(&self, resources: &Resources) -> Result<(), HostError> {
        let sns = Client::new(self.sdk);
        let wanted = self
            .stack
            .subscriptions
            .iter()
            .map(|subscription| self.resolve(subscription, resources))
            .collect::<Result<Vec<_>, _>>()?;
        for topic in &self.stack.topics {
            let place = self.place(&topic.logical_id, topic.position);
            let Some(arn) = resources.get(&topic.logical_id).map(|topic| topic.arn()) else {
                continue;
            };
            let existing = list(&sns, arn, place).await?;
            let mut kept = BTreeSet::new();
            for subscription in wanted.iter().filter(|wanted| wanted.topic == arn) {
                kept.insert(subscription.endpoint.as_str());
                match existing.get(&subscription.endpoint) {
                    Some(found) => subscription.change(&sns, found).await?,
                    None => subscription.create(&sns).await?,
                }
            }
            self.remove_stale(&sns, &existing, &kept, place).await?;
        }
        Ok(())
    }

    fn resolve(
        &self,
        subscription: &'a Subscription,
        resources: &Resources,
    ) -> Result<Wanted<'a>, HostError> {
        let place = self.place(&subscription.logical_id, subscription.position);
        let mut attributes = vec![("RawMessageDelivery", subscription.raw.to_string())];
        let policy = subscription.filter_policy.as_ref();
        if policy.is_some() {
            let scope = subscription.filter_scope.as_str().to_owned();
            attributes.push(("FilterPolicyScope", scope));
        }
        // An empty policy takes one away that was there before.
        let policy = policy.map_or_else(|| "{}".to_owned(), Value::to_string);
        attributes.push(("FilterPolicy", policy));
        if let Some(queue) = &subscription.dead_letter_queue {
            let path = "Properties.RedrivePolicy.deadLetterTargetArn";
            let target = text(queue, resources, place, path)?;
            let policy = json!({ "deadLetterTargetArn": target }).to_string();
            attributes.push(("RedrivePolicy", policy));
        }
        Ok(Wanted {
            place,
            topic: text(&subscription.topic, resources, place, "Properties.TopicArn")?,
            endpoint: text(
                &subscription.endpoint,
                resources,
                place,
                "Properties.Endpoint",
            )?,
            attributes,
        })
    }

    /// Unsubscribes queues of this stack's prefix that the template no longer subscribes.
    async fn remove_stale(
        &self,
        sns: &Client,
        existing: &Existing,
        kept: &BTreeSet<&str>,
        place: Place<'_>,
    ) -> Result<(), HostError> {
        for (endpoint, arn) in existing {
            let name = endpoint.rsplit(':').next().unwrap_or_default();
            let ours = !self.prefix.is_empty() && name.starts_with(self.prefix);
            if ours && !kept.contains(endpoint.as_str()) {
                sns.unsubscribe()
                    .subscription_arn(arn)
                    .send()
                    .await
                    .map_err(
                        place.failed("remove a subscription that the template no longer has"),
                    )?;
            }
        }
        Ok(())
    }
}

impl Wanted<'_> {
    async fn create(&self, sns: &Client) -> Result<(), HostError> {
        let mut request = sns
            .subscribe()
            .topic_arn(&self.topic)
            .protocol("sqs")
            .endpoint(&self.endpoint);
        for (name, value) in &self.attributes {
            if *name != "FilterPolicy" || value != "{}" {
                request = request.attributes(*name, value);
            }
        }
        request
            .send()
            .await
            .map(|_| ())
            .map_err(self.place.failed("subscribe"))
    }

    /// Sets what differs.
    async fn change(&self, sns: &Client, arn: &str) -> Result<(), HostError> {
        let found = sns
            .get_subscription_attributes()
            .subscription_arn(arn)
            .send()
            .await
            .map_err(self.place.failed("read the subscription"))?
            .attributes
            .unwrap_or_default();
        for (name, value) in &self.attributes {
            if same(found.get(*name).map(String::as_str), value) {
                continue;
            }
            sns.set_subscription_attributes()
                .subscription_arn(arn)
                .attribute_name(*name)
                .attribute_value(value)
                .send()
                .await
                .map_err(self.place.failed("change the subscription"))?;
        }
        Ok(())
    }
}

/// Whether an attribute has the wanted value; JSON is compared as JSON, and no value is
/// an empty object.
fn same(found: Option<&str>, wanted: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    let found = found.filter(|found| !found.is_empty()).unwrap_or("{}");
    found == wanted || matches!((parse(found), parse(wanted)), (Some(a), Some(b)) if a == b)
}

async fn list(sns: &Client, topic: &str, place: Place<'_>) -> Result<Existing, HostError> {
    let mut existing = Existing::new();
    let mut pages = sns
        .list_subscriptions_by_topic()
        .topic_arn(topic)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(place.failed("list the topic's subscriptions"))?;
        for subscription in page.subscriptions.unwrap_or_default() {
            if let (Some(endpoint), Some(arn)) =
                (subscription.endpoint, subscription.subscription_arn)
            {
                existing.insert(endpoint, arn);
            }
        }
    }
    Ok(existing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_compared_as_json() {
        assert!(same(Some("true"), "true"));
        assert!(same(Some(r#"{"type": ["a"]}"#), r#"{"type":["a"]}"#));
        assert!(same(None, "{}"));
        assert!(same(Some(""), "{}"));
        assert!(!same(None, "true"));
        assert!(!same(Some(r#"{"type":["b"]}"#), r#"{"type":["a"]}"#));
    }
}
