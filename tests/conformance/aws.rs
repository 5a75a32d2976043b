//! The endpoint under check: calls of its services, and the queues, topics and tables that checks
//! begin with.

use crate::check::{Failed, Result};
use crate::client::Client;
use crate::reply::{Look, Reply, XmlReply};
use serde_json::{Map, Value, json};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How often [`Aws::poll`] looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long something that is to come may take: a message through a topic, a table's creation.
pub const SOON: Duration = Duration::from_secs(20);

/// The endpoint under check. Cheap to clone.
#[derive(Clone)]
pub struct Aws {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    run: String,
    names: AtomicU64,
}

/// A queue of one check.
#[derive(Clone, Debug)]
pub struct Queue {
    pub url: String,
    pub arn: String,
    pub name: String,
}

/// A topic of one check.
#[derive(Clone, Debug)]
pub struct Topic {
    pub arn: String,
    pub name: String,
}

/// A table of one check.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub arn: String,
    /// The stream's ARN, when the table was made with one.
    pub stream: Option<String>,
}

impl Aws {
    /// The services at this endpoint.
    pub fn at(endpoint: &str) -> Result<Aws> {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
        Ok(Aws {
            inner: Arc::new(Inner {
                client: Client::new(endpoint),
                run: format!("{:x}", since.as_millis()),
                names: AtomicU64::new(0),
            }),
        })
    }

    /// The client, for requests that no helper makes.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// A name that nothing else of any run has.
    pub fn name(&self, base: &str) -> String {
        let number = self.inner.names.fetch_add(1, Ordering::Relaxed);
        format!("{base}-{}-{number}", self.inner.run)
    }

    /// Calls SQS in its JSON protocol.
    pub async fn sqs(&self, operation: &str, input: Value) -> Result<Reply> {
        self.json("sqs", "AmazonSQS", operation, &input).await
    }

    /// Calls DynamoDB.
    pub async fn dynamo(&self, operation: &str, input: Value) -> Result<Reply> {
        self.json("dynamodb", "DynamoDB_20120810", operation, &input)
            .await
    }

    /// Calls DynamoDB Streams.
    pub async fn streams(&self, operation: &str, input: Value) -> Result<Reply> {
        self.json("dynamodb", "DynamoDBStreams_20120810", operation, &input)
            .await
    }

    /// Calls SNS.
    pub async fn sns(&self, action: &str, fields: &[(&str, &str)]) -> Result<XmlReply> {
        self.form("sns", "/", "2010-03-31", action, fields).await
    }

    /// Calls SQS in its older protocol, by form and XML, at `path`: `/` or a queue URL's.
    pub async fn sqs_query(
        &self,
        path: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<XmlReply> {
        self.form("sqs", path, "2012-11-05", action, fields).await
    }

    async fn json(
        &self,
        service: &str,
        prefix: &str,
        operation: &str,
        input: &Value,
    ) -> Result<Reply> {
        let target = format!("{prefix}.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
        ];
        let client = &self.inner.client;
        let answer = client.post(service, "/", &headers, input.to_string()).await;
        Reply::read(
            operation,
            answer.map_err(|failed| lost(operation, &failed))?,
        )
    }

    async fn form(
        &self,
        service: &str,
        path: &str,
        version: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<XmlReply> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(fields)
            .finish();
        let headers = [(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )];
        let client = &self.inner.client;
        let answer = client.post(service, path, &headers, body).await;
        XmlReply::read(action, answer.map_err(|failed| lost(action, &failed))?)
    }

    /// Asks until `look` gives something, or fails at the deadline.
    pub async fn poll<T, F>(&self, within: Duration, mut look: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let deadline = Instant::now() + within;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                return Err(Failed(format!("it did not come to be within {within:?}")));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// SQS.
impl Aws {
    /// Makes a queue with these attributes, under a name of its own.
    pub async fn queue(&self, base: &str, attributes: Value) -> Result<Queue> {
        self.queue_named(self.name(base), attributes).await
    }

    /// Makes a FIFO queue; `FifoQueue` is added to the attributes.
    pub async fn fifo(&self, base: &str, attributes: Value) -> Result<Queue> {
        let name = format!("{}.fifo", self.name(base));
        self.queue_named(name, with(json!({"FifoQueue": "true"}), attributes))
            .await
    }

    /// Makes a queue of exactly this name.
    pub async fn queue_named(&self, name: String, attributes: Value) -> Result<Queue> {
        let input = json!({"QueueName": name, "Attributes": attributes});
        let made = self.sqs("CreateQueue", input).await?.ok()?;
        let url = made.text_at("/QueueUrl")?.to_owned();
        let attributes = self.attributes(&url, &["QueueArn"]).await?;
        let arn = attributes.text_at("/QueueArn")?.to_owned();
        Ok(Queue { url, arn, name })
    }

    /// The attributes of a queue, as an object.
    pub async fn attributes(&self, url: &str, names: &[&str]) -> Result<Value> {
        let input = json!({"QueueUrl": url, "AttributeNames": names});
        let mut reply = self.sqs("GetQueueAttributes", input).await?.ok()?;
        Ok(reply["Attributes"].take())
    }

    /// Sends a message; gives SQS's answer. `more` is added to the input.
    pub async fn send(&self, queue: &Queue, body: &str, more: Value) -> Result<Value> {
        let input = json!({"QueueUrl": queue.url, "MessageBody": body});
        self.sqs("SendMessage", with(input, more)).await?.ok()
    }

    /// One `ReceiveMessage`; gives the messages. `more` is added to the input.
    pub async fn receive(&self, queue: &Queue, more: Value) -> Result<Vec<Value>> {
        let input = with(json!({"QueueUrl": queue.url}), more);
        let reply = self.sqs("ReceiveMessage", input).await?.ok()?;
        Ok(reply.list_at("/Messages").to_vec())
    }

    /// Receives with all attributes until there is a message; gives the first.
    pub async fn received(&self, queue: &Queue) -> Result<Value> {
        let all = json!({"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]});
        self.poll(SOON, || async {
            Ok(self.receive(queue, all.clone()).await?.into_iter().next())
        })
        .await
    }
}

/// SNS.
impl Aws {
    /// Makes a topic with these attributes, under a name of its own.
    pub async fn topic(&self, base: &str, attributes: &[(&str, &str)]) -> Result<Topic> {
        self.topic_named(self.name(base), attributes).await
    }

    /// Makes a FIFO topic; `FifoTopic` is added to the attributes.
    pub async fn fifo_topic(&self, base: &str, attributes: &[(&str, &str)]) -> Result<Topic> {
        let all = [&[("FifoTopic", "true")], attributes].concat();
        self.topic_named(format!("{}.fifo", self.name(base)), &all)
            .await
    }

    /// Makes a topic of exactly this name.
    pub async fn topic_named(&self, name: String, attributes: &[(&str, &str)]) -> Result<Topic> {
        let mut fields = entries("Attributes", attributes);
        fields.push(("Name".to_owned(), name.clone()));
        let made = self.sns("CreateTopic", &borrowed(&fields)).await?.ok()?;
        let arn = made.text("TopicArn")?.to_owned();
        Ok(Topic { arn, name })
    }

    /// Lets the topic send to the queue and subscribes it; gives the subscription's ARN.
    pub async fn subscribed(
        &self,
        topic: &Topic,
        queue: &Queue,
        attributes: &[(&str, &str)],
    ) -> Result<String> {
        self.let_sns_send(queue, Some(topic)).await?;
        let made = self.subscribing(topic, "sqs", &queue.arn, attributes);
        let made = made.await?.ok()?;
        Ok(made.text("SubscriptionArn")?.to_owned())
    }

    /// Subscribes, whatever comes of it.
    pub async fn subscribing(
        &self,
        topic: &Topic,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> Result<XmlReply> {
        let mut fields = entries("Attributes", attributes);
        for (name, value) in [
            ("TopicArn", topic.arn.as_str()),
            ("Protocol", protocol),
            ("Endpoint", endpoint),
            ("ReturnSubscriptionArn", "true"),
        ] {
            fields.push((name.to_owned(), value.to_owned()));
        }
        self.sns("Subscribe", &borrowed(&fields)).await
    }

    /// Lets one topic, or all of SNS, send to the queue.
    pub async fn let_sns_send(&self, queue: &Queue, topic: Option<&Topic>) -> Result {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue.arn,
        });
        if let Some(topic) = topic {
            statement["Condition"] = json!({"ArnEquals": {"aws:SourceArn": topic.arn}});
        }
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let input = json!({"QueueUrl": queue.url, "Attributes": {"Policy": policy}});
        self.sqs("SetQueueAttributes", input).await?.ok()?;
        Ok(())
    }
}

/// DynamoDB.
impl Aws {
    /// Makes a table on demand with the key `pk` (a string) and waits until it is active. `more`
    /// replaces or adds fields of `CreateTable`.
    pub async fn table(&self, base: &str, more: Value) -> Result<Table> {
        let name = self.name(base);
        let input = json!({
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.dynamo("CreateTable", with(input, more)).await?.ok()?;
        let named = json!({"TableName": name});
        let table = self
            .poll(SOON, || async {
                let reply = self.dynamo("DescribeTable", named.clone()).await?.ok()?;
                let active = reply.at("/Table/TableStatus")? == "ACTIVE";
                Ok(active.then(|| reply["Table"].clone()))
            })
            .await?;
        let stream = table["LatestStreamArn"].as_str().map(ToOwned::to_owned);
        let arn = table.text_at("/TableArn")?.to_owned();
        Ok(Table { name, arn, stream })
    }
}

/// `fields` of `more`, put over those of `input`.
pub fn with(input: Value, more: Value) -> Value {
    let mut fields: Map<String, Value> = input.as_object().cloned().unwrap_or_default();
    fields.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(fields)
}

/// A map in form fields: `Attributes.entry.1.key`, `Attributes.entry.1.value`, …
pub fn entries(field: &str, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let numbered = pairs.iter().enumerate();
    numbered
        .flat_map(|(index, (key, value))| {
            let entry = format!("{field}.entry.{}", index + 1);
            [
                (format!("{entry}.key"), (*key).to_owned()),
                (format!("{entry}.value"), (*value).to_owned()),
            ]
        })
        .collect()
}

/// Form fields as [`Aws::sns`] takes them.
pub fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = fields.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn lost(operation: &str, failed: &Failed) -> Failed {
    Failed(format!("{operation} was not answered: {failed}"))
}
