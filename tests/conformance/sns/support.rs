//! What several files of checks of SNS begin with and ask for.

use crate::prelude::*;
use std::collections::BTreeMap;

/// A message attribute: its type, and its value as text or, for `Binary`, in base64.
pub struct Attribute<'a>(pub &'a str, pub &'a str, pub &'a str);

/// A topic with one queue.
pub struct Pair {
    pub topic: Topic,
    pub queue: Queue,
    pub subscription: String,
}

/// A standard topic and a standard queue, subscribed with these attributes.
pub async fn pair(aws: &Aws, attributes: &[(&str, &str)]) -> Result<Pair> {
    let topic = aws.topic("news", &[]).await?;
    let queue = aws.queue("readers", json!({})).await?;
    let subscription = aws.subscribed(&topic, &queue, attributes).await?;
    Ok(Pair {
        topic,
        queue,
        subscription,
    })
}

/// A FIFO topic and a FIFO queue, subscribed raw.
pub async fn fifo_pair(aws: &Aws, attributes: &[(&str, &str)]) -> Result<Pair> {
    let topic = aws.fifo_topic("orders", attributes).await?;
    let queue = aws.fifo("work", json!({})).await?;
    let raw = [("RawMessageDelivery", "true")];
    let subscription = aws.subscribed(&topic, &queue, &raw).await?;
    Ok(Pair {
        topic,
        queue,
        subscription,
    })
}

/// Publishes, whatever comes of it. `more` are further fields of `Publish`.
pub async fn publishing(
    aws: &Aws,
    topic: &Topic,
    message: &str,
    more: &[(&str, &str)],
) -> Result<XmlReply> {
    let fields = [
        &[("TopicArn", topic.arn.as_str()), ("Message", message)],
        more,
    ]
    .concat();
    aws.sns("Publish", &fields).await
}

/// Publishes; gives the answer.
pub async fn publish(
    aws: &Aws,
    topic: &Topic,
    message: &str,
    more: &[(&str, &str)],
) -> Result<XmlReply> {
    publishing(aws, topic, message, more).await?.ok()
}

/// The form fields of message attributes; `before` is what their names begin with.
pub fn attributes(before: &str, attributes: &[Attribute<'_>]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (place, Attribute(name, data_type, value)) in (1..).zip(attributes) {
        let entry = format!("{before}MessageAttributes.entry.{place}");
        let field = match data_type.split('.').next() {
            Some("Binary") => "BinaryValue",
            _ => "StringValue",
        };
        fields.push((format!("{entry}.Name"), (*name).to_owned()));
        fields.push((format!("{entry}.Value.DataType"), (*data_type).to_owned()));
        fields.push((format!("{entry}.Value.{field}"), (*value).to_owned()));
    }
    fields
}

/// Publishes with these message attributes.
pub async fn publish_with(
    aws: &Aws,
    topic: &Topic,
    message: &str,
    given: &[Attribute<'_>],
) -> Result<XmlReply> {
    publish(aws, topic, message, &borrowed(&attributes("", given))).await
}

/// Receives and deletes until there are so many messages, and then looks for one more.
pub async fn messages(aws: &Aws, queue: &Queue, expected: usize) -> Result<Vec<Value>> {
    let input = json!({
        "MaxNumberOfMessages": 10,
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["All"],
    });
    let mut found = Vec::new();
    while found.len() < expected {
        let more = aws
            .poll(SOON, || async {
                let more = aws.receive(queue, input.clone()).await?;
                Ok(Some(more).filter(|more| !more.is_empty()))
            })
            .await
            .map_err(|_| Failed(format!("{} of {expected} messages came", found.len())))?;
        for message in more {
            let handle = message.text_at("/ReceiptHandle")?;
            let done = json!({"QueueUrl": queue.url, "ReceiptHandle": handle});
            aws.sqs("DeleteMessage", done).await?.ok()?;
            found.push(message);
        }
    }
    let once_more = with(input, json!({"WaitTimeSeconds": 1}));
    let surplus = aws.receive(queue, once_more).await?;
    ensure!(
        surplus.is_empty(),
        "these should not have come: {surplus:?}"
    );
    Ok(found)
}

/// As [`messages`]; the bodies, in the order of the alphabet, for standard queues keep none.
pub async fn bodies(aws: &Aws, queue: &Queue, expected: usize) -> Result<Vec<String>> {
    let found = messages(aws, queue, expected).await?;
    let bodies = found.iter().map(|it| Ok(it.text_at("/Body")?.to_owned()));
    let mut bodies = bodies.collect::<Result<Vec<_>>>()?;
    bodies.sort();
    Ok(bodies)
}

/// The document in which the next message of a queue came.
pub async fn wrapped(aws: &Aws, queue: &Queue) -> Result<Value> {
    let message = aws.received(queue).await?;
    Ok(serde_json::from_str(message.text_at("/Body")?)?)
}

/// The names and values of an answer's `Attributes`.
pub fn entries_of(reply: &XmlReply) -> BTreeMap<String, String> {
    let texts = |path| reply.all(path).into_iter().map(str::to_owned);
    texts("Attributes/entry/key")
        .zip(texts("Attributes/entry/value"))
        .collect()
}

/// The attributes of a topic.
pub async fn topic_attributes(aws: &Aws, topic: &Topic) -> Result<BTreeMap<String, String>> {
    let fields = [("TopicArn", topic.arn.as_str())];
    let reply = aws.sns("GetTopicAttributes", &fields).await?.ok()?;
    Ok(entries_of(&reply))
}

/// Changes one attribute of a topic, whatever comes of it.
pub async fn set_topic(aws: &Aws, topic: &Topic, name: &str, value: &str) -> Result<XmlReply> {
    let fields = [
        ("TopicArn", topic.arn.as_str()),
        ("AttributeName", name),
        ("AttributeValue", value),
    ];
    aws.sns("SetTopicAttributes", &fields).await
}

/// The attributes of a subscription.
pub async fn subscription_attributes(
    aws: &Aws,
    subscription: &str,
) -> Result<BTreeMap<String, String>> {
    let fields = [("SubscriptionArn", subscription)];
    let reply = aws.sns("GetSubscriptionAttributes", &fields).await?.ok()?;
    Ok(entries_of(&reply))
}

/// Changes one attribute of a subscription, whatever comes of it.
pub async fn set(aws: &Aws, subscription: &str, name: &str, value: &str) -> Result<XmlReply> {
    let fields = [
        ("SubscriptionArn", subscription),
        ("AttributeName", name),
        ("AttributeValue", value),
    ];
    aws.sns("SetSubscriptionAttributes", &fields).await
}

/// The redrive policy of a subscription whose dead letters go to this queue.
pub fn redrive(queue: &Queue) -> String {
    json!({"deadLetterTargetArn": queue.arn}).to_string()
}
