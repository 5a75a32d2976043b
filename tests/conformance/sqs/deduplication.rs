//! Which messages of a FIFO queue are the same, and what becomes of the second.

use crate::prelude::*;

const ONCE: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html";
const ID: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html";
const HIGH: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html";
const SEND: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html";
const SEND_BATCH: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html";
const SET: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html";
const PURGE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html";

async fn send(
    aws: &Aws,
    queue: &Queue,
    group: &str,
    body: &str,
    id: Option<&str>,
) -> Result<Value> {
    let mut more = json!({"MessageGroupId": group});
    if let Some(id) = id {
        more["MessageDeduplicationId"] = json!(id);
    }
    aws.send(queue, body, more).await
}

/// Bodies of what is received, each deleted, until nothing comes.
async fn drained(aws: &Aws, queue: &Queue) -> Result<Vec<String>> {
    let mut bodies = Vec::new();
    loop {
        let messages = aws.receive(queue, json!({"WaitTimeSeconds": 1})).await?;
        let Some(message) = messages.first() else {
            return Ok(bodies);
        };
        bodies.push(message.text_at("/Body")?.to_owned());
        let input = json!({"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]});
        aws.sqs("DeleteMessage", input).await?.ok()?;
    }
}

async fn by_content(aws: &Aws, attributes: Value) -> Result<Queue> {
    let attribute = json!({"ContentBasedDeduplication": "true"});
    aws.fifo("line", with(attribute, attributes)).await
}

checks! {
    ONCE => async fn a_second_message_with_the_same_id_is_answered_and_not_delivered(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        let first = send(&aws, &queue, "a", "1", Some("same")).await?;
        let second = send(&aws, &queue, "a", "2", Some("same")).await?;
        ensure_eq!(second.at("/MessageId")?, first.at("/MessageId")?);
        ensure_eq!(second.at("/SequenceNumber")?, first.at("/SequenceNumber")?);
        ensure_eq!(drained(&aws, &queue).await?, ["1"]);
        Ok(())
    }

    ID => async fn an_id_is_remembered_after_its_message_was_deleted(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        send(&aws, &queue, "a", "1", Some("same")).await?;
        ensure_eq!(drained(&aws, &queue).await?, ["1"]);
        send(&aws, &queue, "a", "2", Some("same")).await?;
        ensure_eq!(drained(&aws, &queue).await?.len(), 0);
        Ok(())
    }

    ID => async fn the_same_body_is_the_same_message_when_the_content_counts(aws: Aws) {
        let queue = by_content(&aws, json!({})).await?;
        send(&aws, &queue, "a", "{\"foo\": \"bar\"}", None).await?;
        send(&aws, &queue, "a", "{\"foo\": \"bar\"}", None).await?;
        ensure_eq!(drained(&aws, &queue).await?.len(), 1);
        Ok(())
    }

    ID => async fn the_id_by_content_is_the_sha_256_of_the_body(aws: Aws) {
        let queue = by_content(&aws, json!({})).await?;
        send(&aws, &queue, "a", "hello", None).await?;
        let shown = aws.received(&queue).await?;
        ensure_eq!(
            shown.text_at("/Attributes/MessageDeduplicationId")?,
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        Ok(())
    }

    SEND => async fn attributes_do_not_count_as_content(aws: Aws) {
        let queue = by_content(&aws, json!({})).await?;
        for value in ["x", "y"] {
            let attributes = json!({"a": {"DataType": "String", "StringValue": value}});
            let more = json!({"MessageGroupId": "a", "MessageAttributes": attributes});
            aws.send(&queue, "same", more).await?;
        }
        ensure_eq!(drained(&aws, &queue).await?, ["same"]);
        Ok(())
    }

    ID => async fn an_id_of_its_own_overrules_the_content(aws: Aws) {
        let queue = by_content(&aws, json!({})).await?;
        send(&aws, &queue, "a", "same", Some("1")).await?;
        send(&aws, &queue, "a", "same", Some("2")).await?;
        send(&aws, &queue, "a", "other", Some("2")).await?;
        ensure_eq!(drained(&aws, &queue).await?, ["same", "same"]);
        Ok(())
    }

    SEND => async fn without_an_id_and_without_content_a_message_is_refused(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        let input = json!({"QueueUrl": queue.url, "MessageBody": "x", "MessageGroupId": "a"});
        aws.sqs("SendMessage", input).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        )
    }

    SEND_BATCH => async fn a_batch_with_a_message_without_an_id_is_refused_whole(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        let entries = json!([
            {"Id": "1", "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": "1"},
            {"Id": "2", "MessageBody": "y", "MessageGroupId": "a"},
        ]);
        let input = json!({"QueueUrl": queue.url, "Entries": entries});
        let reply = aws.sqs("SendMessageBatch", input).await?;
        reply.refused_saying(
            400,
            "InvalidParameterValueException",
            "ContentBasedDeduplication",
        )?;
        ensure_eq!(drained(&aws, &queue).await?.len(), 0);
        Ok(())
    }

    SEND_BATCH => async fn duplicates_within_a_batch_are_one_message(aws: Aws) {
        let queue = by_content(&aws, json!({})).await?;
        let entry = |id: &str| json!({"Id": id, "MessageBody": "same", "MessageGroupId": "a"});
        let input = json!({"QueueUrl": queue.url, "Entries": [entry("1"), entry("2")]});
        let sent = aws.sqs("SendMessageBatch", input).await?.ok()?;
        ensure_eq!(
            sent.at("/Successful/0/MessageId")?,
            sent.at("/Successful/1/MessageId")?
        );
        ensure_eq!(drained(&aws, &queue).await?, ["same"]);
        Ok(())
    }

    HIGH => async fn with_the_queue_as_scope_two_groups_share_their_ids(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        send(&aws, &queue, "a", "1", Some("same")).await?;
        send(&aws, &queue, "b", "2", Some("same")).await?;
        ensure_eq!(drained(&aws, &queue).await?, ["1"]);
        Ok(())
    }

    HIGH => async fn with_the_group_as_scope_each_group_has_its_own_ids(aws: Aws) {
        let queue = aws.fifo("line", json!({"DeduplicationScope": "messageGroup"})).await?;
        send(&aws, &queue, "a", "1", Some("same")).await?;
        send(&aws, &queue, "b", "2", Some("same")).await?;
        send(&aws, &queue, "b", "3", Some("same")).await?;
        ensure_eq!(drained(&aws, &queue).await?, ["1", "2"]);
        Ok(())
    }

    HIGH => async fn a_limit_by_group_needs_the_group_as_scope(aws: Aws) {
        let name = format!("{}.fifo", aws.name("line"));
        let attributes = json!({"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"});
        let input = json!({"QueueName": name, "Attributes": attributes});
        let reply = aws.sqs("CreateQueue", input).await?;
        reply.refused_as_one_of(400, &["InvalidAttributeValue", "InvalidParameterValueException"])?;
        let both = json!({
            "FifoThroughputLimit": "perMessageGroupId",
            "DeduplicationScope": "messageGroup",
        });
        let queue = aws.fifo("line", both).await?;
        let shown = aws.attributes(&queue.url, &["FifoThroughputLimit"]).await?;
        ensure_eq!(shown.text_at("/FifoThroughputLimit")?, "perMessageGroupId");
        Ok(())
    }

    SET => async fn another_scope_is_shown_at_once_and_does_not_hold_at_once(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        send(&aws, &queue, "a", "1", Some("same")).await?;
        let attributes = json!({"DeduplicationScope": "messageGroup"});
        let input = json!({"QueueUrl": queue.url, "Attributes": attributes});
        aws.sqs("SetQueueAttributes", input).await?.ok()?;
        let shown = aws.attributes(&queue.url, &["DeduplicationScope"]).await?;
        ensure_eq!(shown.text_at("/DeduplicationScope")?, "messageGroup");
        send(&aws, &queue, "b", "2", Some("same")).await?;
        ensure_eq!(drained(&aws, &queue).await?, ["1"]);
        Ok(())
    }

    PURGE => async fn a_purged_queue_has_forgotten_its_ids(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        send(&aws, &queue, "a", "1", Some("same")).await?;
        aws.sqs("PurgeQueue", json!({"QueueUrl": queue.url})).await?.ok()?;
        send(&aws, &queue, "a", "2", Some("same")).await?;
        ensure_eq!(drained(&aws, &queue).await?, ["2"]);
        Ok(())
    }

    SEND => async fn two_queues_share_no_ids(aws: Aws) {
        for _ in 0..2 {
            let queue = aws.fifo("line", json!({})).await?;
            send(&aws, &queue, "a", "1", Some("same")).await?;
            ensure_eq!(drained(&aws, &queue).await?, ["1"]);
        }
        Ok(())
    }
}
