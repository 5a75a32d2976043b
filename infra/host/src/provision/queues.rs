//! Queues, and in a second pass what points at other queues: redrive and access policies.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::create_queue::CreateQueueError;
use aws_sdk_sqs::types::QueueAttributeName;
use callboard_template::Queue;
use serde_json::json;

use super::{Provisioning, text};
use crate::error::HostError;
use crate::resources::{Resource, Resources};

type Attributes = HashMap<QueueAttributeName, String>;

impl Provisioning<'_> {
    pub(super) async fn queues(&self, resources: &mut Resources) -> Result<(), HostError> {
        let sqs = Client::new(self.sdk);
        for queue in &self.stack.queues {
            let place = self.place(&queue.logical_id, queue.position);
            let name = self.name(queue.name.as_ref(), &queue.logical_id, queue.fifo);
            let url = self.create_or_find(&sqs, queue, &name).await?;
            let arn = sqs
                .get_queue_attributes()
                .queue_url(&url)
                .attribute_names(QueueAttributeName::QueueArn)
                .send()
                .await
                .map_err(place.failed("read the queue's ARN"))?
                .attributes
                .and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn))
                .ok_or_else(|| place.refused("read the queue's ARN", "the answer has none"))?;
            resources.insert(&queue.logical_id, Resource::Queue { name, url, arn });
        }
        Ok(())
    }

    /// `CreateQueue` finds a queue with the same attributes; one with others is changed.
    async fn create_or_find(
        &self,
        sqs: &Client,
        queue: &Queue,
        name: &str,
    ) -> Result<String, HostError> {
        let place = self.place(&queue.logical_id, queue.position);
        let attributes = attributes(queue);
        let created = sqs
            .create_queue()
            .queue_name(name)
            .set_attributes(Some(attributes.clone()))
            .send()
            .await;
        let error = match created {
            Ok(created) => return Ok(created.queue_url.unwrap_or_default()),
            Err(error) => error,
        };
        if !matches!(
            error.as_service_error(),
            Some(CreateQueueError::QueueNameExists(_))
        ) {
            return Err(place.failed("create the queue")(error));
        }
        let url = sqs
            .get_queue_url()
            .queue_name(name)
            .send()
            .await
            .map_err(place.failed("find the queue"))?
            .queue_url
            .unwrap_or_default();
        let mut changeable = attributes;
        // Fixed at creation; the name's suffix guarantees that it agrees.
        changeable.remove(&QueueAttributeName::FifoQueue);
        sqs.set_queue_attributes()
            .queue_url(&url)
            .set_attributes(Some(changeable))
            .send()
            .await
            .map_err(place.failed("change the queue's attributes"))?;
        Ok(url)
    }

    /// Redrive policies and access policies, once every queue has an ARN.
    pub(super) async fn queue_attributes(&self, resources: &Resources) -> Result<(), HostError> {
        let sqs = Client::new(self.sdk);
        let policies = self.access_policies(resources)?;
        for queue in &self.stack.queues {
            let place = self.place(&queue.logical_id, queue.position);
            let Some(Resource::Queue { url, .. }) = resources.get(&queue.logical_id) else {
                continue;
            };
            let mut attributes = Attributes::new();
            if let Some(redrive) = &queue.redrive {
                let target = text(
                    &redrive.dead_letter_queue,
                    resources,
                    place,
                    "Properties.RedrivePolicy.deadLetterTargetArn",
                )?;
                let policy = json!({
                    "deadLetterTargetArn": target,
                    "maxReceiveCount": redrive.max_receive_count,
                });
                attributes.insert(QueueAttributeName::RedrivePolicy, policy.to_string());
            }
            if let Some(policy) = policies.get(url) {
                attributes.insert(QueueAttributeName::Policy, policy.clone());
            }
            if attributes.is_empty() {
                continue;
            }
            sqs.set_queue_attributes()
                .queue_url(url)
                .set_attributes(Some(attributes))
                .send()
                .await
                .map_err(place.failed("set the queue's redrive and access policy"))?;
        }
        Ok(())
    }

    /// Policy document per queue URL.
    fn access_policies(
        &self,
        resources: &Resources,
    ) -> Result<BTreeMap<String, String>, HostError> {
        let mut policies = BTreeMap::new();
        for policy in &self.stack.queue_policies {
            let place = self.place(&policy.logical_id, policy.position);
            let document = policy
                .document
                .evaluate(&|reference| resources.value(reference))
                .map_err(|error| place.problem("Properties.PolicyDocument", error.to_string()))?;
            for queue in &policy.queues {
                let url = text(queue, resources, place, "Properties.Queues")?;
                policies.insert(url, document.to_string());
            }
        }
        Ok(policies)
    }
}

fn attributes(queue: &Queue) -> Attributes {
    let mut attributes: Attributes = queue
        .attributes
        .iter()
        .map(|(name, value)| (QueueAttributeName::from(name.as_str()), value.clone()))
        .collect();
    if queue.fifo {
        attributes.insert(QueueAttributeName::FifoQueue, "true".to_owned());
    }
    attributes
}
