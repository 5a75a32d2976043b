//! Topics. `CreateTopic` finds a topic of the same name:
//! <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>.

use aws_sdk_sns::Client;

use super::Provisioning;
use crate::error::HostError;
use crate::resources::{Resource, Resources};

impl Provisioning<'_> {
    pub(super) async fn topics(&self, resources: &mut Resources) -> Result<(), HostError> {
        let sns = Client::new(self.sdk);
        for topic in &self.stack.topics {
            let place = self.place(&topic.logical_id, topic.position);
            let name = self.name(topic.name.as_ref(), &topic.logical_id, topic.fifo);
            let mut request = sns.create_topic().name(&name);
            for (attribute, value) in &topic.attributes {
                request = request.attributes(attribute, value);
            }
            if topic.fifo {
                request = request.attributes("FifoTopic", "true");
            }
            let created = request
                .send()
                .await
                .map_err(place.failed("create the topic"))?;
            let arn = created.topic_arn.unwrap_or_default();
            resources.insert(&topic.logical_id, Resource::Topic { name, arn });
        }
        Ok(())
    }
}
