//! SNS: subscriptions, filters, raw and wrapped delivery, FIFO, dead letters.

use crate::support::{engine, queue};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System, QueueAttributeName as Q};
use callboard_engine::Engine;
use std::time::Duration;

pub struct Both {
    pub sns: aws_sdk_sns::Client,
    pub sqs: aws_sdk_sqs::Client,
}

pub fn both(engine: &Engine) -> Both {
    Both {
        sns: aws_sdk_sns::Client::new(&engine.sdk_config()),
        sqs: aws_sdk_sqs::Client::new(&engine.sdk_config()),
    }
}

pub fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

fn string(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .expect("complete")
}

impl Both {
    pub async fn topic(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        let mut request = self.sns.create_topic().name(name);
        for (name, value) in attributes {
            request = request.attributes(*name, *value);
        }
        request
            .send()
            .await
            .expect("a topic is made")
            .topic_arn()
            .expect("an ARN")
            .to_owned()
    }

    pub async fn subscribe(&self, topic: &str, queue: &str, attributes: &[(&str, &str)]) -> String {
        let mut request = self
            .sns
            .subscribe()
            .topic_arn(topic)
            .protocol("sqs")
            .endpoint(arn(queue))
            .return_subscription_arn(true);
        for (name, value) in attributes {
            request = request.attributes(*name, *value);
        }
        request
            .send()
            .await
            .expect("subscribed")
            .subscription_arn()
            .expect("an ARN")
            .to_owned()
    }

    pub async fn publish(&self, topic: &str, kind: &str, message: &str) {
        self.sns
            .publish()
            .topic_arn(topic)
            .message(message)
            .message_attributes("type", string(kind))
            .send()
            .await
            .expect("published");
    }

    pub async fn receive(&self, url: &str) -> Vec<Message> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .message_system_attribute_names(System::All)
            .send()
            .await
            .expect("received");
        answer.messages.unwrap_or_default()
    }
}

pub fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

#[tokio::test(start_paused = true)]
async fn each_subscription_gets_what_its_filter_passes() {
    let both = both(&engine().await);
    let topic = both.topic("waitlist-events", &[]).await;
    let offers = queue(&both.sqs, "offers", &[]).await;
    let all = queue(&both.sqs, "all", &[]).await;
    let large = queue(&both.sqs, "large", &[]).await;
    let raw = ("RawMessageDelivery", "true");
    both.subscribe(
        &topic,
        "offers",
        &[
            raw,
            (
                "FilterPolicy",
                r#"{"type":["offer-made",{"prefix":"offer-acc"}]}"#,
            ),
        ],
    )
    .await;
    both.subscribe(&topic, "all", &[raw]).await;
    both.subscribe(
        &topic,
        "large",
        &[
            raw,
            ("FilterPolicyScope", "MessageBody"),
            ("FilterPolicy", r#"{"data":{"size":[{"numeric":[">",5]}]}}"#),
        ],
    )
    .await;
    for (kind, size) in [("offer-made", 3), ("slot-held", 9), ("offer-accepted", 4)] {
        both.publish(&topic, kind, &format!(r#"{{"data":{{"size":{size}}}}}"#))
            .await;
    }
    assert_eq!(both.receive(&all).await.len(), 3);
    assert_eq!(
        bodies(&both.receive(&large).await),
        [r#"{"data":{"size":9}}"#]
    );
    let offers = both.receive(&offers).await;
    let kinds: Vec<_> = offers
        .iter()
        .map(|m| {
            m.message_attributes().expect("passed on")["type"]
                .string_value()
                .expect("a string")
        })
        .collect();
    assert_eq!(kinds, ["offer-made", "offer-accepted"]);
    let error = both
        .sns
        .subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(arn("other"))
        .attributes("FilterPolicy", r#"{"type":"x"}"#)
        .send()
        .await
        .expect_err("no policy")
        .into_service_error();
    assert!(error.is_invalid_parameter_exception(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn without_raw_delivery_the_message_comes_in_a_document() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let url = queue(&both.sqs, "readers", &[]).await;
    both.subscribe(&topic, "readers", &[]).await;
    let sent = both
        .sns
        .publish()
        .topic_arn(&topic)
        .subject("Subject & more")
        .message("{\"a\": \"<b> & 'c'\"}\n")
        .message_attributes("type", string("x"))
        .send()
        .await
        .expect("published");
    let received = both.receive(&url).await;
    assert!(received[0].message_attributes().is_none());
    let document: serde_json::Value =
        serde_json::from_str(received[0].body().expect("a body")).expect("JSON");
    assert_eq!(document["Type"], "Notification");
    assert_eq!(document["MessageId"].as_str(), sent.message_id());
    assert_eq!(document["TopicArn"].as_str(), Some(topic.as_str()));
    assert_eq!(document["Subject"], "Subject & more");
    assert_eq!(document["Message"], "{\"a\": \"<b> & 'c'\"}\n");
    assert_eq!(document["Timestamp"], "2026-09-21T14:13:20.000Z");
    assert_eq!(document["MessageAttributes"]["type"]["Value"], "x");
    let lines: Vec<_> = received[0].body().expect("a body").lines().collect();
    let id = sent.message_id().expect("an id");
    assert_eq!(
        lines[..3],
        [
            "{",
            "  \"Type\" : \"Notification\",",
            &format!("  \"MessageId\" : \"{id}\","),
        ]
    );
    assert_eq!(
        lines[lines.len() - 4..],
        [
            "  \"MessageAttributes\" : {",
            "    \"type\" : {\"Type\":\"String\",\"Value\":\"x\"}",
            "  }",
            "}",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fifo_topic_keeps_order_and_tells_duplicates() {
    let both = both(&engine().await);
    let topic = both
        .topic(
            "events.fifo",
            &[
                ("FifoTopic", "true"),
                ("FifoThroughputScope", "MessageGroup"),
            ],
        )
        .await;
    let ordered = queue(&both.sqs, "ordered.fifo", &[(Q::FifoQueue, "true")]).await;
    let standard = queue(&both.sqs, "standard", &[]).await;
    let raw = ("RawMessageDelivery", "true");
    both.subscribe(&topic, "ordered.fifo", &[raw]).await;
    both.subscribe(&topic, "standard", &[raw]).await;
    let publish = |group: &str, dedup: &str| {
        both.sns
            .publish()
            .topic_arn(&topic)
            .message(format!("{group} {dedup}"))
            .message_group_id(group)
            .message_deduplication_id(dedup)
            .send()
    };
    let first = publish("a", "1").await.expect("published");
    let again = publish("a", "1").await.expect("answered again");
    assert_eq!(again.message_id(), first.message_id());
    assert_eq!(again.sequence_number(), first.sequence_number());
    publish("a", "2").await.expect("published");
    publish("b", "1")
        .await
        .expect("another group may use the same id");
    let received = both.receive(&ordered).await;
    assert_eq!(
        bodies(&received),
        ["a 1", "a 2"],
        "the queue's own scope is the whole queue"
    );
    let attributes = received[0].attributes().expect("attributes");
    assert_eq!(attributes[&System::MessageGroupId], "a");
    assert_eq!(attributes[&System::MessageDeduplicationId], "1");
    let received = both.receive(&standard).await;
    assert_eq!(bodies(&received), ["a 1", "a 2", "b 1"]);
    assert!(
        !received[0]
            .attributes()
            .expect("attributes")
            .contains_key(&System::MessageGroupId)
    );
    let error = both
        .sns
        .publish()
        .topic_arn(&topic)
        .message("x")
        .send()
        .await
        .expect_err("no group")
        .into_service_error();
    assert!(error.is_invalid_parameter_exception());
    tokio::time::advance(Duration::from_secs(301)).await;
    let later = publish("a", "1").await.expect("published");
    assert_ne!(later.message_id(), first.message_id());
}

#[tokio::test(start_paused = true)]
async fn a_batch_answers_for_each_entry() {
    let both = both(&engine().await);
    let topic = both
        .topic(
            "events.fifo",
            &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")],
        )
        .await;
    let url = queue(&both.sqs, "all", &[]).await;
    both.subscribe(&topic, "all", &[("RawMessageDelivery", "true")])
        .await;
    let entry = |id: &str, group: Option<&str>| {
        let kind = if id == "b" { "Number" } else { "String" };
        let attribute = MessageAttributeValue::builder()
            .data_type(kind)
            .string_value(id)
            .build()
            .expect("complete");
        PublishBatchRequestEntry::builder()
            .id(id)
            .message(format!("message {id}"))
            .set_message_group_id(group.map(str::to_owned))
            .message_attributes("type", attribute)
            .build()
            .expect("complete")
    };
    let publish = |entries| {
        both.sns
            .publish_batch()
            .topic_arn(&topic)
            .set_publish_batch_request_entries(Some(entries))
            .send()
    };
    let answer = publish(vec![
        entry("a", Some("g")),
        entry("b", Some("g")),
        entry("c", Some("g")),
    ])
    .await
    .expect("answered");
    let done: Vec<_> = answer.successful().iter().filter_map(|e| e.id()).collect();
    assert_eq!(done, ["a", "c"]);
    assert_eq!(answer.failed()[0].id(), "b");
    assert_eq!(answer.failed()[0].code(), "ParameterValueInvalid");
    assert!(answer.failed()[0].sender_fault());
    let received = both.receive(&url).await;
    assert_eq!(bodies(&received), ["message a", "message c"]);
    let error = publish((0..11).map(|i| entry(&i.to_string(), Some("g"))).collect())
        .await
        .expect_err("too many")
        .into_service_error();
    assert!(
        error.is_too_many_entries_in_batch_request_exception(),
        "{error:?}"
    );
    let error = publish(vec![entry("a", Some("g")), entry("a", Some("g"))])
        .await
        .expect_err("twice")
        .into_service_error();
    assert!(error.is_batch_entry_ids_not_distinct_exception());
    let error = publish(vec![entry("a", Some("g")), entry("c", None)])
        .await
        .expect_err("no group")
        .into_service_error();
    assert!(error.is_invalid_parameter_exception());
    assert!(both.receive(&url).await.is_empty(), "nothing was published");
}

#[tokio::test(start_paused = true)]
async fn an_entry_with_a_bad_attribute_fails_alone() {
    let both = both(&engine().await);
    let topic = both.topic("events", &[]).await;
    let url = queue(&both.sqs, "all", &[]).await;
    both.subscribe(&topic, "all", &[("RawMessageDelivery", "true")])
        .await;
    let number = |value: &str| {
        MessageAttributeValue::builder()
            .data_type("Number")
            .string_value(value)
            .build()
            .expect("complete")
    };
    let entry = |id: &str, value: &str| {
        PublishBatchRequestEntry::builder()
            .id(id)
            .message(format!("message {id}"))
            .message_attributes("n", number(value))
            .build()
            .expect("complete")
    };
    let answer = both
        .sns
        .publish_batch()
        .topic_arn(&topic)
        .publish_batch_request_entries(entry("good", "1"))
        .publish_batch_request_entries(entry("bad", "one"))
        .send()
        .await
        .expect("answered for each");
    assert_eq!(answer.successful()[0].id(), Some("good"));
    assert_eq!(answer.failed()[0].id(), "bad");
    assert_eq!(bodies(&both.receive(&url).await), ["message good"]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_takes_messages_up_to_its_own_maximum() {
    let both = both(&engine().await);
    let url = queue(&both.sqs, "all", &[]).await;
    for (name, attributes, fits, fails) in [
        ("usual", &[][..], 262_144, 262_145),
        (
            "large",
            &[("MaximumMessageSize", "1048576")],
            1_048_576,
            1_048_577,
        ),
        ("small", &[("MaximumMessageSize", "1024")], 1_024, 1_025),
    ] {
        let topic = both.topic(name, attributes).await;
        both.subscribe(&topic, "all", &[("RawMessageDelivery", "true")])
            .await;
        let publish = |bytes| {
            both.sns
                .publish()
                .topic_arn(&topic)
                .message("x".repeat(bytes))
                .send()
        };
        publish(fits).await.expect(name);
        let error = publish(fails).await.expect_err(name).into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{error:?}");
        assert_eq!(both.receive(&url).await.len(), 1, "{name}");
    }
    for size in ["1023", "1048577", "x"] {
        both.sns
            .create_topic()
            .name("other")
            .attributes("MaximumMessageSize", size)
            .send()
            .await
            .expect_err(size);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_does_not_take_goes_to_the_subscriptions_dead_letter_queue() {
    let both = both(&engine().await);
    let topic = both
        .topic(
            "events.fifo",
            &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")],
        )
        .await;
    let dlq = queue(&both.sqs, "lost.fifo", &[(Q::FifoQueue, "true")]).await;
    let url = queue(&both.sqs, "work", &[]).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{}"}}"#, arn("lost.fifo"));
    both.subscribe(
        &topic,
        "work",
        &[("RawMessageDelivery", "true"), ("RedrivePolicy", &policy)],
    )
    .await;
    both.sqs
        .delete_queue()
        .queue_url(&url)
        .send()
        .await
        .expect("deleted");
    both.sns
        .publish()
        .topic_arn(&topic)
        .message("m")
        .message_group_id("g")
        .message_attributes("type", string("x"))
        .send()
        .await
        .expect("published");
    let dead = both.receive(&dlq).await;
    assert_eq!(bodies(&dead), ["m"]);
    let attributes = dead[0].message_attributes().expect("attributes");
    assert_eq!(attributes["type"].string_value(), Some("x"));
    assert_eq!(attributes.len(), 1, "AWS adds none of its own");
    let standard = both.topic("plain", &[]).await;
    let error = both
        .sns
        .subscribe()
        .topic_arn(&standard)
        .protocol("sqs")
        .endpoint(arn("ordered.fifo"))
        .send()
        .await
        .expect_err("a FIFO queue on a standard topic")
        .into_service_error();
    assert!(error.is_invalid_parameter_exception());
}
