//! From logical ids to what exists: names, URLs, ARNs. Fills the environment of the
//! functions, and the environment file of `callboard dev`.

use std::collections::BTreeMap;

use callboard_template::Reference;

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A table.
    Table {
        /// Its name, which is also its `Ref`.
        name: String,
        /// Its ARN.
        arn: String,
        /// ARN of its stream, if it has one.
        stream_arn: Option<String>,
    },
    /// A topic.
    Topic {
        /// Its name.
        name: String,
        /// Its ARN, which is also its `Ref`.
        arn: String,
    },
    /// A queue.
    Queue {
        /// Its name.
        name: String,
        /// Its URL, which is also its `Ref`.
        url: String,
        /// Its ARN.
        arn: String,
    },
    /// The HTTP API: it exists in the host alone.
    HttpApi {
        /// Its id, which is also its `Ref`.
        id: String,
        /// Its ARN, as API Gateway would write it.
        arn: String,
        /// Where it is served, without a slash at the end.
        endpoint: String,
    },
    /// A function: it exists in the host alone.
    Function {
        /// Its name, which is also its `Ref`.
        name: String,
        /// The ARN that it sees in its context.
        arn: String,
    },
}

impl Resource {
    /// What `Ref` gives: a table's name, a queue's URL, a topic's ARN.
    #[must_use]
    pub fn reference(&self) -> &str {
        match self {
            Resource::Table { name, .. } | Resource::Function { name, .. } => name,
            Resource::Topic { arn, .. } => arn,
            Resource::Queue { url, .. } => url,
            Resource::HttpApi { id, .. } => id,
        }
    }

    /// The physical name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Resource::Table { name, .. }
            | Resource::Topic { name, .. }
            | Resource::Queue { name, .. }
            | Resource::Function { name, .. } => name,
            Resource::HttpApi { id, .. } => id,
        }
    }

    /// The ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        match self {
            Resource::Table { arn, .. }
            | Resource::Topic { arn, .. }
            | Resource::Queue { arn, .. }
            | Resource::HttpApi { arn, .. }
            | Resource::Function { arn, .. } => arn,
        }
    }

    /// What `Fn::GetAtt` gives for an attribute, where it is known.
    #[must_use]
    pub fn attribute(&self, attribute: &str) -> Option<&str> {
        match (self, attribute) {
            (Resource::Table { stream_arn, .. }, "StreamArn") => stream_arn.as_deref(),
            (Resource::Topic { name, .. }, "TopicName")
            | (Resource::Queue { name, .. }, "QueueName") => Some(name),
            (Resource::Topic { arn, .. }, "TopicArn") => Some(arn),
            (Resource::Queue { url, .. }, "QueueUrl") => Some(url),
            (Resource::HttpApi { id, .. }, "ApiId") => Some(id),
            (Resource::HttpApi { endpoint, .. }, "ApiEndpoint") => Some(endpoint),
            (resource, "Arn") => Some(resource.arn()),
            _ => None,
        }
    }
}

/// All resources of a stack by logical id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources(BTreeMap<String, Resource>);

impl Resources {
    /// The resource with this logical id.
    #[must_use]
    pub fn get(&self, logical_id: &str) -> Option<&Resource> {
        self.0.get(logical_id)
    }

    /// Logical ids and resources, by logical id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Resource)> {
        self.0
            .iter()
            .map(|(logical_id, resource)| (logical_id.as_str(), resource))
    }

    /// The value that a reference of the template has.
    #[must_use]
    pub fn value(&self, reference: &Reference) -> Option<String> {
        let resource = self.get(&reference.logical_id)?;
        match &reference.attribute {
            None => Some(resource.reference().to_owned()),
            Some(attribute) => resource.attribute(attribute).map(str::to_owned),
        }
    }

    /// The queue with this ARN: its logical id, name and URL.
    pub(crate) fn queue_by_arn(&self, wanted: &str) -> Option<(&str, &str, &str)> {
        self.iter()
            .find_map(|(logical_id, resource)| match resource {
                Resource::Queue { name, url, arn } if arn == wanted => {
                    Some((logical_id, name.as_str(), url.as_str()))
                }
                _ => None,
            })
    }

    /// The name of the table with this stream.
    pub(crate) fn table_by_stream(&self, wanted: &str) -> Option<&str> {
        self.iter().find_map(|(_, resource)| match resource {
            Resource::Table {
                name,
                stream_arn: Some(stream_arn),
                ..
            } if stream_arn == wanted => Some(name.as_str()),
            _ => None,
        })
    }

    /// The account, as any ARN has it.
    pub(crate) fn account(&self) -> Option<&str> {
        self.0
            .values()
            .filter_map(|resource| resource.arn().split(':').nth(4))
            .find(|account| !account.is_empty())
    }

    pub(crate) fn insert(&mut self, logical_id: &str, resource: Resource) {
        self.0.insert(logical_id.to_owned(), resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_the_values_that_cloudformation_gives() {
        let mut resources = Resources::default();
        resources.insert(
            "Q",
            Resource::Queue {
                name: "p-Q.fifo".into(),
                url: "http://localhost/000000000000/p-Q.fifo".into(),
                arn: "arn:aws:sqs:us-east-1:000000000000:p-Q.fifo".into(),
            },
        );
        let value = |attribute: Option<&str>| {
            resources.value(&Reference {
                logical_id: "Q".into(),
                attribute: attribute.map(str::to_owned),
            })
        };
        assert_eq!(
            value(None).as_deref(),
            Some("http://localhost/000000000000/p-Q.fifo")
        );
        assert_eq!(
            value(Some("Arn")).as_deref(),
            Some("arn:aws:sqs:us-east-1:000000000000:p-Q.fifo")
        );
        assert_eq!(value(Some("QueueName")).as_deref(), Some("p-Q.fifo"));
        assert_eq!(value(Some("StreamArn")), None);
        assert_eq!(resources.account(), Some("000000000000"));
    }
}
