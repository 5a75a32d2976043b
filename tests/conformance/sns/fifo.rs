//! FIFO topics: groups, duplicates, sequence numbers, and what queues get of them.

use super::support::{fifo_pair, messages, publish, publishing, redrive, set, set_topic};
use crate::prelude::*;
use sha2::{Digest, Sha256};

const PUBLISH: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Publish.html";
const GROUPS: &str = "https://docs.aws.amazon.com/sns/latest/dg/fifo-message-grouping.html";
const DEDUP: &str = "https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html";
const DELIVERY: &str = "https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html";
const DLQ: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html";

const GROUP: (&str, &str) = ("MessageGroupId", "g");

fn dedup(id: &str) -> (&str, &str) {
    ("MessageDeduplicationId", id)
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|it| it["Body"].as_str())
        .collect()
}

checks! {
    PUBLISH => async fn a_message_needs_a_group(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        publishing(&aws, &topic, "m", &[dedup("d")]).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        )
    }

    PUBLISH => async fn a_message_needs_a_way_to_tell_duplicates(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        publishing(&aws, &topic, "m", &[GROUP]).await?.refused_saying(
            400,
            "InvalidParameter",
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        )
    }

    PUBLISH => async fn ids_have_up_to_128_letters_digits_and_punctuation_marks(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let long = "a!".repeat(64);
        publish(&aws, &topic, "m", &[("MessageGroupId", &long), dedup(&long)]).await?;
        for wrong in ["", "two words", &"a".repeat(129)] {
            publishing(&aws, &topic, "m", &[GROUP, dedup(wrong)]).await?.refused(400, "InvalidParameter")?;
            publishing(&aws, &topic, "m", &[("MessageGroupId", wrong), dedup("d")]).await?
                .refused(400, "InvalidParameter")?;
        }
        Ok(())
    }

    PUBLISH => async fn sequence_numbers_have_twenty_digits_and_grow(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let mut last = String::new();
        for id in ["1", "2", "3"] {
            let reply = publish(&aws, &topic, "m", &[GROUP, dedup(id)]).await?;
            let number = reply.text("PublishResult/SequenceNumber")?.to_owned();
            ensure!(number.len() == 20 && number > last, "{number} after {last}");
            last = number;
        }
        Ok(())
    }

    GROUPS => async fn a_groups_messages_come_in_their_order(aws: Aws) {
        let pair = fifo_pair(&aws, &[]).await?;
        let sent: Vec<String> = (0..12).map(|number| format!("message {number:02}")).collect();
        for (id, message) in (0..).zip(&sent) {
            publish(&aws, &pair.topic, message, &[GROUP, dedup(&format!("d{id}"))]).await?;
        }
        let found = messages(&aws, &pair.queue, sent.len()).await?;
        ensure_eq!(texts(&found), sent);
        for message in &found {
            ensure_eq!(message.text_at("/Attributes/MessageGroupId")?, "g");
        }
        Ok(())
    }

    DEDUP => async fn a_message_published_again_is_answered_as_before_and_comes_once(aws: Aws) {
        let pair = fifo_pair(&aws, &[]).await?;
        let first = publish(&aws, &pair.topic, "first", &[GROUP, dedup("d")]).await?;
        let again = publish(&aws, &pair.topic, "other text", &[GROUP, dedup("d")]).await?;
        for field in ["MessageId", "SequenceNumber"] {
            ensure_eq!(again.text(field)?, first.text(field)?, "{field}");
        }
        let found = messages(&aws, &pair.queue, 1).await?;
        ensure_eq!(texts(&found), ["first"]);
        ensure_eq!(found[0].text_at("/Attributes/MessageDeduplicationId")?, "d");
        Ok(())
    }

    DEDUP => async fn by_content_a_message_has_its_bodys_hash_as_id(aws: Aws) {
        let pair = fifo_pair(&aws, &[("ContentBasedDeduplication", "true")]).await?;
        for _ in 0..2 {
            publish(&aws, &pair.topic, "Test", &[GROUP]).await?;
        }
        publish(&aws, &pair.topic, "other", &[GROUP]).await?;
        let found = messages(&aws, &pair.queue, 2).await?;
        ensure_eq!(texts(&found), ["Test", "other"]);
        let hash: String = Sha256::digest("Test").iter().map(|byte| format!("{byte:02x}")).collect();
        ensure_eq!(found[0].text_at("/Attributes/MessageDeduplicationId")?, hash);
        Ok(())
    }

    DEDUP => async fn an_id_goes_before_the_content(aws: Aws) {
        let pair = fifo_pair(&aws, &[("ContentBasedDeduplication", "true")]).await?;
        for id in ["a", "b"] {
            publish(&aws, &pair.topic, "same", &[GROUP, dedup(id)]).await?;
        }
        ensure_eq!(texts(&messages(&aws, &pair.queue, 2).await?), ["same", "same"]);
        Ok(())
    }

    DEDUP => async fn a_topic_tells_duplicates_across_its_groups(aws: Aws) {
        let pair = fifo_pair(&aws, &[("FifoThroughputScope", "Topic")]).await?;
        publish(&aws, &pair.topic, "one", &[("MessageGroupId", "g1"), dedup("d")]).await?;
        publish(&aws, &pair.topic, "two", &[("MessageGroupId", "g2"), dedup("d")]).await?;
        ensure_eq!(texts(&messages(&aws, &pair.queue, 1).await?), ["one"]);
        Ok(())
    }

    DEDUP => async fn with_throughput_by_group_duplicates_are_told_within_it(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[("FifoThroughputScope", "MessageGroup")]).await?;
        let queue = aws.fifo("work", json!({
            "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
        })).await?;
        aws.subscribed(&topic, &queue, &[("RawMessageDelivery", "true")]).await?;
        for group in ["g1", "g1", "g2"] {
            publish(&aws, &topic, group, &[("MessageGroupId", group), dedup("d")]).await?;
        }
        let found = messages(&aws, &queue, 2).await?;
        let mut found = texts(&found);
        found.sort_unstable();
        ensure_eq!(found, ["g1", "g2"]);
        Ok(())
    }

    DEDUP => async fn deduplication_by_content_can_be_turned_on_later(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        publishing(&aws, &topic, "m", &[GROUP]).await?.refused(400, "InvalidParameter")?;
        set_topic(&aws, &topic, "ContentBasedDeduplication", "true").await?.ok()?;
        publish(&aws, &topic, "m", &[GROUP]).await?;
        Ok(())
    }

    DELIVERY => async fn the_document_has_the_sequence_number_and_no_signature(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let queue = aws.fifo("work", json!({})).await?;
        aws.subscribed(&topic, &queue, &[]).await?;
        let reply = publish(&aws, &topic, "m", &[GROUP, dedup("d")]).await?;
        let document = super::support::wrapped(&aws, &queue).await?;
        ensure_eq!(document.text_at("/SequenceNumber")?, reply.text("SequenceNumber")?);
        ensure_eq!(document.text_at("/MessageId")?, reply.text("MessageId")?);
        for member in ["Signature", "SignatureVersion", "SigningCertURL"] {
            ensure!(document.get(member).is_none(), "{member} in {document}");
        }
        Ok(())
    }

    DELIVERY => async fn a_standard_queue_gets_each_message_once_and_no_group(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        aws.subscribed(&topic, &queue, &[("RawMessageDelivery", "true")]).await?;
        for _ in 0..2 {
            publish(&aws, &topic, "Test", &[GROUP, dedup("d")]).await?;
        }
        let found = messages(&aws, &queue, 1).await?;
        ensure_eq!(texts(&found), ["Test"]);
        for absent in ["MessageGroupId", "MessageDeduplicationId", "SequenceNumber"] {
            ensure!(found[0]["Attributes"].get(absent).is_none(), "{absent} in {}", found[0]);
        }
        Ok(())
    }

    DLQ => async fn dead_letters_keep_their_group_id_and_order(aws: Aws) {
        let pair = fifo_pair(&aws, &[]).await?;
        let lost = aws.fifo("lost", json!({})).await?;
        aws.let_sns_send(&lost, None).await?;
        set(&aws, &pair.subscription, "RedrivePolicy", &redrive(&lost)).await?.ok()?;
        aws.sqs("DeleteQueue", json!({"QueueUrl": pair.queue.url})).await?.ok()?;
        let gone = || async {
            let input = json!({"QueueName": pair.queue.name});
            Ok((aws.sqs("GetQueueUrl", input).await?.status != 200).then_some(()))
        };
        aws.poll(SOON, gone).await?;
        for id in ["d1", "d2"] {
            publish(&aws, &pair.topic, id, &[GROUP, dedup(id)]).await?;
        }
        let found = messages(&aws, &lost, 2).await?;
        ensure_eq!(texts(&found), ["d1", "d2"]);
        ensure_eq!(found[0].text_at("/Attributes/MessageGroupId")?, "g");
        ensure_eq!(found[0].text_at("/Attributes/MessageDeduplicationId")?, "d1");
        Ok(())
    }
}
