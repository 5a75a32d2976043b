//! What is ours says so by a tag, and only that is ever taken down.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::Tag as TableTag;
use aws_sdk_sns::types::Tag as TopicTag;
use aws_smithy_types::error::display::DisplayErrorContext;
use callboard_template::Stack;

use super::Provisioning;
use crate::error::HostError;
use crate::resources::{Resource, Resources};

/// Key of the tag; its value is the prefix of the names.
const TAG: &str = "callboard:prefix";

/// What a teardown did, by physical name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TornDown {
    /// Deleted.
    pub removed: Vec<String>,
    /// Of the right name, but without our tag: left alone.
    pub foreign: Vec<String>,
}

/// The three services that hold a stack's resources.
struct Services {
    dynamodb: aws_sdk_dynamodb::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
}

/// Deletes the tables, topics (with their subscriptions) and queues that [`provision`](super::provision())
/// made for `stack` under `prefix`: those that bear its tag. What is not there is passed over.
///
/// # Errors
/// [`HostError::Resource`] for the first that could not be looked at or deleted.
pub async fn teardown(stack: &Stack, sdk: &SdkConfig, prefix: &str) -> Result<TornDown, HostError> {
    let provisioning = Provisioning { stack, sdk, prefix };
    let services = Services::new(sdk);
    let mut done = TornDown::default();
    // Topics first: nothing is to be delivered into a queue that is gone.
    for topic in &stack.topics {
        let place = provisioning.place(&topic.logical_id, topic.position);
        let name = provisioning.name(topic.name.as_ref(), &topic.logical_id, topic.fifo);
        let refused = |message| place.refused("take it down", message);
        if let Some(arn) = services.find_topic(&name).await.map_err(refused)? {
            let found = Resource::Topic { name, arn };
            done.take(&services, found, prefix).await.map_err(refused)?;
        }
    }
    for queue in &stack.queues {
        let place = provisioning.place(&queue.logical_id, queue.position);
        let name = provisioning.name(queue.name.as_ref(), &queue.logical_id, queue.fifo);
        let refused = |message| place.refused("take it down", message);
        if let Some(url) = services.find_queue(&name).await.map_err(refused)? {
            let arn = String::new();
            let found = Resource::Queue { name, url, arn };
            done.take(&services, found, prefix).await.map_err(refused)?;
        }
    }
    for table in &stack.tables {
        let place = provisioning.place(&table.logical_id, table.position);
        let name = provisioning.name(table.name.as_ref(), &table.logical_id, false);
        let refused = |message| place.refused("take it down", message);
        if let Some(arn) = services.find_table(&name).await.map_err(refused)? {
            let stream_arn = None;
            let found = Resource::Table {
                name,
                arn,
                stream_arn,
            };
            done.take(&services, found, prefix).await.map_err(refused)?;
        }
    }
    Ok(done)
}

impl TornDown {
    async fn take(
        &mut self,
        services: &Services,
        found: Resource,
        prefix: &str,
    ) -> Result<(), String> {
        let name = found.name().to_owned();
        if services.owner(&found).await?.as_deref() == Some(prefix) {
            services.delete(&found).await?;
            self.removed.push(name);
        } else {
            self.foreign.push(name);
        }
        Ok(())
    }
}

impl Provisioning<'_> {
    /// Tags all tables, topics and queues.
    pub(super) async fn tags(&self, resources: &Resources) -> Result<(), HostError> {
        let services = Services::new(self.sdk);
        let stack = self.stack;
        let tables = stack.tables.iter().map(|it| (&it.logical_id, it.position));
        let topics = stack.topics.iter().map(|it| (&it.logical_id, it.position));
        let queues = stack.queues.iter().map(|it| (&it.logical_id, it.position));
        for (logical_id, position) in tables.chain(topics).chain(queues) {
            let Some(resource) = resources.get(logical_id) else {
                continue;
            };
            let tagged = services.tag(resource, self.prefix).await;
            let place = self.place(logical_id, position);
            tagged.map_err(|message| place.refused("tag it", message))?;
        }
        Ok(())
    }
}

impl Services {
    fn new(sdk: &SdkConfig) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(sdk),
            sns: aws_sdk_sns::Client::new(sdk),
            sqs: aws_sdk_sqs::Client::new(sdk),
        }
    }

    async fn tag(&self, resource: &Resource, prefix: &str) -> Result<(), String> {
        match resource {
            Resource::Table { arn, .. } => {
                let tag = TableTag::builder().key(TAG).value(prefix).build();
                let tag = tag.map_err(said)?;
                let request = self.dynamodb.tag_resource().resource_arn(arn).tags(tag);
                request.send().await.map(drop).map_err(said)
            }
            Resource::Topic { arn, .. } => {
                let tag = TopicTag::builder().key(TAG).value(prefix).build();
                let tag = tag.map_err(said)?;
                let request = self.sns.tag_resource().resource_arn(arn).tags(tag);
                request.send().await.map(drop).map_err(said)
            }
            Resource::Queue { url, .. } => {
                let request = self.sqs.tag_queue().queue_url(url).tags(TAG, prefix);
                request.send().await.map(drop).map_err(said)
            }
            Resource::HttpApi { .. } | Resource::Function { .. } => Ok(()),
        }
    }

    /// The value of our tag.
    async fn owner(&self, resource: &Resource) -> Result<Option<String>, String> {
        match resource {
            Resource::Table { arn, .. } => {
                let request = self.dynamodb.list_tags_of_resource().resource_arn(arn);
                let tags = request.send().await.map_err(said)?.tags.unwrap_or_default();
                let ours = tags.into_iter().find(|tag| tag.key == TAG);
                Ok(ours.map(|tag| tag.value))
            }
            Resource::Topic { arn, .. } => {
                let request = self.sns.list_tags_for_resource().resource_arn(arn);
                let tags = request.send().await.map_err(said)?.tags.unwrap_or_default();
                let ours = tags.into_iter().find(|tag| tag.key == TAG);
                Ok(ours.map(|tag| tag.value))
            }
            Resource::Queue { url, .. } => {
                let request = self.sqs.list_queue_tags().queue_url(url);
                let tags: Option<HashMap<_, _>> = request.send().await.map_err(said)?.tags;
                Ok(tags.and_then(|mut tags| tags.remove(TAG)))
            }
            Resource::HttpApi { .. } | Resource::Function { .. } => Ok(None),
        }
    }

    async fn delete(&self, resource: &Resource) -> Result<(), String> {
        match resource {
            Resource::Table { name, .. } => {
                let request = self.dynamodb.delete_table().table_name(name);
                request.send().await.map(drop).map_err(said)
            }
            Resource::Topic { arn, .. } => {
                let request = self.sns.delete_topic().topic_arn(arn);
                request.send().await.map(drop).map_err(said)
            }
            Resource::Queue { url, .. } => {
                let request = self.sqs.delete_queue().queue_url(url);
                request.send().await.map(drop).map_err(said)
            }
            Resource::HttpApi { .. } | Resource::Function { .. } => Ok(()),
        }
    }

    /// A topic's ARN. SNS has no look-up by name.
    async fn find_topic(&self, name: &str) -> Result<Option<String>, String> {
        let mut pages = self.sns.list_topics().into_paginator().send();
        while let Some(page) = pages.next().await {
            let arns = page.map_err(said)?.topics.unwrap_or_default().into_iter();
            let mut arns = arns.filter_map(|topic| topic.topic_arn);
            if let Some(arn) = arns.find(|arn| arn.rsplit(':').next() == Some(name)) {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }

    async fn find_queue(&self, name: &str) -> Result<Option<String>, String> {
        match self.sqs.get_queue_url().queue_name(name).send().await {
            Ok(found) => Ok(found.queue_url),
            Err(error) => match error.as_service_error() {
                Some(error) if error.is_queue_does_not_exist() => Ok(None),
                _ => Err(said(error)),
            },
        }
    }

    async fn find_table(&self, name: &str) -> Result<Option<String>, String> {
        match self.dynamodb.describe_table().table_name(name).send().await {
            Ok(found) => Ok(found.table.and_then(|table| table.table_arn)),
            Err(error) => match error.as_service_error() {
                Some(error) if error.is_resource_not_found_exception() => Ok(None),
                _ => Err(said(error)),
            },
        }
    }
}

fn said(error: impl std::error::Error) -> String {
    DisplayErrorContext(error).to_string()
}
