//! Delivery to queues: raw and wrapped, by protocol, and to dead-letter queues.

use super::support::{
    Attribute, bodies, messages, pair, publish, publish_with, redrive, set, wrapped,
};
use crate::prelude::*;

const RAW: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html";
const FORMATS: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html";
const PUBLISH: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Publish.html";
const ATTRIBUTES: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html";
const TRACING: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-active-tracing.html";
const SIGNATURES: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html";
const DLQ: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html";
const UNSUBSCRIBE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html";
const FAN_OUT: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html";

const RAW_DELIVERY: [(&str, &str); 1] = [("RawMessageDelivery", "true")];

/// Subscribes a queue with a dead-letter queue, deletes it, publishes; gives what came as a dead
/// letter.
async fn dead_letter(aws: &Aws, raw: &str) -> Result<(Value, String)> {
    let lost = aws.queue("lost", json!({})).await?;
    aws.let_sns_send(&lost, None).await?;
    let pair = pair(
        aws,
        &[
            ("RawMessageDelivery", raw),
            ("RedrivePolicy", &redrive(&lost)),
        ],
    )
    .await?;
    aws.sqs("DeleteQueue", json!({"QueueUrl": pair.queue.url}))
        .await?
        .ok()?;
    let gone = || async {
        let input = json!({"QueueName": pair.queue.name});
        Ok((aws.sqs("GetQueueUrl", input).await?.status != 200).then_some(()))
    };
    aws.poll(SOON, gone).await?;
    let given = [
        Attribute("attr1", "Number", "111"),
        Attribute("attr2", "Binary", "AgME"),
    ];
    let reply = publish_with(aws, &pair.topic, "lost", &given).await?;
    let message = aws.received(&lost).await?;
    Ok((message, reply.text("MessageId")?.to_owned()))
}

checks! {
    FAN_OUT => async fn every_queue_gets_the_message(aws: Aws) {
        let pair = pair(&aws, &RAW_DELIVERY).await?;
        let other = aws.queue("others", json!({})).await?;
        aws.subscribed(&pair.topic, &other, &RAW_DELIVERY).await?;
        publish(&aws, &pair.topic, "to all", &[]).await?;
        for queue in [&pair.queue, &other] {
            ensure_eq!(bodies(&aws, queue, 1).await?, ["to all"]);
        }
        Ok(())
    }

    FAN_OUT => async fn what_was_published_before_does_not_come(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        publish(&aws, &topic, "before", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        aws.subscribed(&topic, &queue, &RAW_DELIVERY).await?;
        publish(&aws, &topic, "after", &[]).await?;
        ensure_eq!(bodies(&aws, &queue, 1).await?, ["after"]);
        Ok(())
    }

    UNSUBSCRIBE => async fn what_is_published_after_the_end_does_not_come(aws: Aws) {
        let pair = pair(&aws, &RAW_DELIVERY).await?;
        publish(&aws, &pair.topic, "before", &[]).await?;
        ensure_eq!(bodies(&aws, &pair.queue, 1).await?, ["before"]);
        aws.sns("Unsubscribe", &[("SubscriptionArn", &pair.subscription)]).await?.ok()?;
        publish(&aws, &pair.topic, "after", &[]).await?;
        ensure!(bodies(&aws, &pair.queue, 0).await?.is_empty(), "it came");
        Ok(())
    }

    RAW => async fn a_raw_message_is_its_text_and_its_attributes(aws: Aws) {
        let pair = pair(&aws, &RAW_DELIVERY).await?;
        let given = [Attribute("attr1", "Number", "99.12"), Attribute("store", "Binary", "AgME"), Attribute("kind", "String.label", "x")];
        publish_with(&aws, &pair.topic, "This is a test message", &given).await?;
        let message = aws.received(&pair.queue).await?;
        ensure_eq!(message.text_at("/Body")?, "This is a test message");
        ensure_eq!(message.at("/MessageAttributes")?, &json!({
            "attr1": {"DataType": "Number", "StringValue": "99.12"},
            "store": {"DataType": "Binary", "BinaryValue": "AgME"},
            "kind": {"DataType": "String.label", "StringValue": "x"},
        }));
        ensure_eq!(message.text_at("/MD5OfMessageAttributes")?.len(), 32);
        Ok(())
    }

    RAW => async fn the_md5_of_raw_attributes_is_sqss(aws: Aws) {
        let pair = pair(&aws, &RAW_DELIVERY).await?;
        let given = [Attribute("attr1", "Number", "99.12")];
        publish_with(&aws, &pair.topic, "Test msg", &given).await?;
        let md5 = "d302007e9aa062660afc85fd0a482472";
        ensure_eq!(aws.received(&pair.queue).await?.text_at("/MD5OfMessageAttributes")?, md5);
        Ok(())
    }

    RAW => async fn how_messages_come_can_be_changed(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        set(&aws, &pair.subscription, "RawMessageDelivery", "true").await?.ok()?;
        publish(&aws, &pair.topic, "raw", &[]).await?;
        ensure_eq!(bodies(&aws, &pair.queue, 1).await?, ["raw"]);
        set(&aws, &pair.subscription, "RawMessageDelivery", "false").await?.ok()?;
        publish(&aws, &pair.topic, "wrapped", &[]).await?;
        ensure_eq!(wrapped(&aws, &pair.queue).await?.text_at("/Message")?, "wrapped");
        Ok(())
    }

    FORMATS => async fn a_message_comes_in_a_document(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let reply = publish(&aws, &pair.topic, "text", &[("Subject", "A subject")]).await?;
        let document = wrapped(&aws, &pair.queue).await?;
        for (member, value) in [
            ("Type", "Notification"),
            ("MessageId", reply.text("MessageId")?),
            ("TopicArn", &pair.topic.arn),
            ("Subject", "A subject"),
            ("Message", "text"),
        ] {
            ensure_eq!(document[member], value, "{member}");
        }
        let unsubscribe = document.text_at("/UnsubscribeURL")?;
        let ending = format!("/?Action=Unsubscribe&SubscriptionArn={}", pair.subscription);
        ensure!(unsubscribe.ends_with(&ending), "{unsubscribe}");
        Ok(())
    }

    FORMATS => async fn a_documents_members_are_in_awss_order(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let mut fields = super::support::attributes("", &[Attribute("a", "String", "x")]);
        fields.push(("Subject".to_owned(), "s".to_owned()));
        publish(&aws, &pair.topic, "m", &borrowed(&fields)).await?;
        let message = aws.received(&pair.queue).await?;
        let body = message.text_at("/Body")?;
        let places: Vec<_> = [
            "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion",
            "Signature", "SigningCertURL", "UnsubscribeURL", "MessageAttributes",
        ]
        .into_iter()
        .map(|member| body.find(&format!("\"{member}\"")))
        .collect();
        ensure!(places.iter().all(Option::is_some) && places.is_sorted(), "{body}");
        Ok(())
    }

    FORMATS => async fn a_document_without_subject_or_attributes_has_no_member_for_them(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        publish(&aws, &pair.topic, "text", &[]).await?;
        let document = wrapped(&aws, &pair.queue).await?;
        for member in ["Subject", "MessageAttributes", "SequenceNumber"] {
            ensure!(document.get(member).is_none(), "{member} in {document}");
        }
        Ok(())
    }

    FORMATS => async fn a_documents_time_is_in_utc_with_milliseconds(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        publish(&aws, &pair.topic, "text", &[]).await?;
        let document = wrapped(&aws, &pair.queue).await?;
        let time = document.text_at("/Timestamp")?;
        ensure!(time.len() == "2012-05-02T00:54:06.655Z".len() && time.ends_with('Z'), "{time}");
        ensure!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        Ok(())
    }

    ATTRIBUTES => async fn a_document_has_types_and_values_of_attributes(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let given = [
            Attribute("text", "String", "an \"attribute\""),
            Attribute("number", "Number", "100.12"),
            Attribute("binary", "Binary", "AgME"),
            Attribute("array", "String.Array", r#"["a","b"]"#),
        ];
        publish_with(&aws, &pair.topic, "text", &given).await?;
        let message = aws.received(&pair.queue).await?;
        ensure!(message.get("MessageAttributes").is_none(), "{message}");
        let document: Value = serde_json::from_str(message.text_at("/Body")?)?;
        ensure_eq!(document.at("/MessageAttributes")?, &json!({
            "text": {"Type": "String", "Value": "an \"attribute\""},
            "number": {"Type": "Number", "Value": "100.12"},
            "binary": {"Type": "Binary", "Value": "AgME"},
            "array": {"Type": "String.Array", "Value": r#"["a","b"]"#},
        }));
        Ok(())
    }

    PUBLISH => async fn any_text_comes_as_it_was_published(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let text = "ö§a1\"_!?,. £$-\n\t😀 & <b>\\";
        publish(&aws, &pair.topic, text, &[]).await?;
        ensure_eq!(wrapped(&aws, &pair.queue).await?.text_at("/Message")?, text);
        Ok(())
    }

    PUBLISH => async fn each_protocol_gets_its_own_text(aws: Aws) {
        let pair = pair(&aws, &RAW_DELIVERY).await?;
        let json = [("MessageStructure", "json")];
        for message in [
            json!({"default": "usual 1", "sqs": "{\"field\": \"value\"}"}),
            json!({"default": "usual 2", "sqs": {"field": "no text"}}),
            json!({"default": "usual 3", "email": "for others"}),
        ] {
            publish(&aws, &pair.topic, &message.to_string(), &json).await?;
        }
        let expected = ["usual 2", "usual 3", "{\"field\": \"value\"}"];
        ensure_eq!(bodies(&aws, &pair.queue, 3).await?, expected);
        Ok(())
    }

    PUBLISH => async fn a_standard_topic_hands_a_group_on(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        publish(&aws, &pair.topic, "text", &[("MessageGroupId", "my-group-id-1")]).await?;
        let message = aws.received(&pair.queue).await?;
        ensure_eq!(message.text_at("/Attributes/MessageGroupId")?, "my-group-id-1");
        Ok(())
    }

    TRACING => async fn a_trace_header_goes_along(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let trace = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1";
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("Action", "Publish"),
                ("Version", "2010-03-31"),
                ("TopicArn", &pair.topic.arn),
                ("Message", "traced"),
            ])
            .finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-amzn-trace-id", trace),
        ];
        let answer = aws.client().post("sns", "/", &headers, form).await?;
        XmlReply::read("Publish", answer)?.ok()?;
        let message = aws.received(&pair.queue).await?;
        ensure_eq!(message.text_at("/Attributes/AWSTraceHeader")?, trace);
        Ok(())
    }

    SIGNATURES => async fn a_document_says_its_topics_signature_version(aws: Aws) {
        for version in ["1", "2"] {
            let topic = aws.topic("news", &[("SignatureVersion", version)]).await?;
            let queue = aws.queue("readers", json!({})).await?;
            aws.subscribed(&topic, &queue, &[]).await?;
            publish(&aws, &topic, "text", &[]).await?;
            ensure_eq!(wrapped(&aws, &queue).await?.text_at("/SignatureVersion")?, version);
        }
        Ok(())
    }

    DLQ => async fn a_raw_dead_letter_is_the_message(aws: Aws) {
        let (message, _) = dead_letter(&aws, "true").await?;
        ensure_eq!(message.text_at("/Body")?, "lost");
        ensure_eq!(message.at("/MessageAttributes")?, &json!({
            "attr1": {"DataType": "Number", "StringValue": "111"},
            "attr2": {"DataType": "Binary", "BinaryValue": "AgME"},
        }));
        Ok(())
    }

    DLQ => async fn a_wrapped_dead_letter_is_the_document(aws: Aws) {
        let (message, id) = dead_letter(&aws, "false").await?;
        let document: Value = serde_json::from_str(message.text_at("/Body")?)?;
        ensure_eq!(document.text_at("/MessageId")?, id);
        ensure_eq!(document.text_at("/Message")?, "lost");
        ensure_eq!(document.at("/MessageAttributes/attr1")?, &json!({"Type": "Number", "Value": "111"}));
        Ok(())
    }

    DLQ => async fn a_subscription_outlives_its_queue(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        aws.sqs("DeleteQueue", json!({"QueueUrl": pair.queue.url})).await?.ok()?;
        publish(&aws, &pair.topic, "nobody there", &[]).await?;
        let fields = [("TopicArn", pair.topic.arn.as_str())];
        let reply = aws.sns("ListSubscriptionsByTopic", &fields).await?.ok()?;
        ensure_eq!(reply.all("Subscriptions/member/SubscriptionArn"), [pair.subscription]);
        Ok(())
    }

    FAN_OUT => async fn a_message_comes_once_by_each_subscription(aws: Aws) {
        let pair = pair(&aws, &RAW_DELIVERY).await?;
        for number in 0..5 {
            publish(&aws, &pair.topic, &format!("message {number}"), &[]).await?;
        }
        let found = messages(&aws, &pair.queue, 5).await?;
        ensure!(found.iter().all(|it| it.pointer("/Attributes/ApproximateReceiveCount") == Some(&json!("1"))), "{found:?}");
        Ok(())
    }
}
