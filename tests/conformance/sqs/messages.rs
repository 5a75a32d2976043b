//! Sending one message: what is taken, what is answered, when it comes.

use super::pages::*;
use crate::prelude::*;

/// The largest message, in bytes.
const BYTES_MAX: usize = 1_048_576;

async fn send(aws: &Aws, queue: &Queue, body: &str, more: Value) -> Result<Reply> {
    let input = json!({"QueueUrl": queue.url, "MessageBody": body});
    aws.sqs("SendMessage", with(input, more)).await
}

checks! {
    SEND => async fn an_empty_body_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        send(&aws, &queue, "", json!({})).await?.refused_saying(
            400,
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        )
    }

    SEND => async fn a_missing_body_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.sqs("SendMessage", json!({"QueueUrl": queue.url}))
            .await?
            .refused(400, "MissingParameter")
    }

    SEND => async fn a_missing_queue_is_refused(aws: Aws) {
        aws.sqs("SendMessage", json!({"MessageBody": "to nobody"}))
            .await?
            .refused(400, "MissingParameter")
    }

    SEND => async fn a_queue_that_is_not_there_is_refused(aws: Aws) {
        let mut queue = aws.queue("letters", json!({})).await?;
        queue.url.push_str("-missing");
        send(&aws, &queue, "to nobody", json!({})).await?.refused_saying(
            400,
            "QueueDoesNotExist",
            "The specified queue does not exist.",
        )
    }

    SEND => async fn what_was_sent_is_received_with_its_digest(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let sent = aws.send(&queue, "hello", json!({})).await?;
        ensure_eq!(sent.text_at("/MD5OfMessageBody")?, "5d41402abc4b2a76b9719d911017c592");
        ensure!(sent.get("MD5OfMessageAttributes").is_none_or(Value::is_null), "{sent}");
        ensure!(sent.get("SequenceNumber").is_none_or(Value::is_null), "{sent}");
        let received = aws.received(&queue).await?;
        ensure_eq!(received.text_at("/Body")?, "hello");
        ensure_eq!(received.at("/MD5OfBody")?, sent.at("/MD5OfMessageBody")?);
        ensure_eq!(received.at("/MessageId")?, sent.at("/MessageId")?);
        Ok(())
    }

    SEND => async fn a_body_comes_as_it_was_sent_to_the_byte(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let body = " \t\r\n<a href=\"&amp;\">ünï ☃ 🦀</a>\u{85}\u{a0}\\ \u{fffd} ";
        aws.send(&queue, body, json!({})).await?;
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, body);
        Ok(())
    }

    SEND => async fn characters_that_xml_cannot_carry_are_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        for character in ['\u{0}', '\u{8}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            send(&aws, &queue, &format!("a{character}b"), json!({}))
                .await?
                .refused(400, "InvalidMessageContents")?;
        }
        Ok(())
    }

    SEND => async fn two_messages_with_the_same_body_have_ids_of_their_own(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let one = aws.send(&queue, "same", json!({})).await?;
        let other = aws.send(&queue, "same", json!({})).await?;
        ensure!(one["MessageId"] != other["MessageId"], "one id for two: {one}");
        ensure_eq!(one.text_at("/MessageId")?.len(), 36, "the length of a UUID");
        Ok(())
    }

    QUOTAS => async fn a_message_of_a_mebibyte_is_taken(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let body = "x".repeat(BYTES_MAX);
        aws.send(&queue, &body, json!({})).await?;
        ensure!(aws.received(&queue).await?.text_at("/Body")? == body, "another body came");
        Ok(())
    }

    QUOTAS => async fn a_message_of_a_byte_more_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        send(&aws, &queue, &"x".repeat(BYTES_MAX + 1), json!({})).await?.refused_saying(
            400,
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        )
    }

    SEND => async fn the_queues_own_limit_holds_for_a_message(aws: Aws) {
        let queue = aws.queue("letters", json!({"MaximumMessageSize": "1024"})).await?;
        aws.send(&queue, &"x".repeat(1024), json!({})).await?;
        send(&aws, &queue, &"x".repeat(1025), json!({})).await?.refused_saying(
            400,
            "InvalidParameterValue",
            "Message must be shorter than 1024 bytes.",
        )
    }

    SEND => async fn the_limit_counts_bytes_and_not_characters(aws: Aws) {
        let queue = aws.queue("letters", json!({"MaximumMessageSize": "1024"})).await?;
        aws.send(&queue, &"é".repeat(512), json!({})).await?;
        send(&aws, &queue, &"é".repeat(513), json!({})).await?.refused(400, "InvalidParameterValue")
    }

    METADATA => async fn attributes_count_towards_the_limit(aws: Aws) {
        let queue = aws.queue("letters", json!({"MaximumMessageSize": "1024"})).await?;
        let attributes = json!({"MessageAttributes": {"name": {"DataType": "String", "StringValue": "value"}}});
        let room = 1024 - "name".len() - "String".len() - "value".len();
        aws.send(&queue, &"x".repeat(room), attributes.clone()).await?;
        send(&aws, &queue, &"x".repeat(room + 1), attributes)
            .await?
            .refused(400, "InvalidParameterValue")
    }

    SEND => async fn a_delayed_message_comes_after_its_delay(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.send(&queue, "later", json!({"DelaySeconds": 2})).await?;
        ensure_eq!(aws.receive(&queue, json!({})).await?, Vec::<Value>::new());
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, "later");
        Ok(())
    }

    SEND => async fn the_queues_delay_holds_for_a_message_without_one(aws: Aws) {
        let queue = aws.queue("letters", json!({"DelaySeconds": "2"})).await?;
        aws.send(&queue, "later", json!({})).await?;
        ensure_eq!(aws.receive(&queue, json!({})).await?, Vec::<Value>::new());
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, "later");
        Ok(())
    }

    SEND => async fn a_messages_own_delay_of_zero_overrules_the_queues(aws: Aws) {
        let queue = aws.queue("letters", json!({"DelaySeconds": "900"})).await?;
        aws.send(&queue, "now", json!({"DelaySeconds": 0})).await?;
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, "now");
        Ok(())
    }

    SEND => async fn a_delay_beyond_fifteen_minutes_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        for delay in [-1, 901] {
            send(&aws, &queue, "x", json!({"DelaySeconds": delay})).await?.refused_saying(
                400,
                "InvalidParameterValue",
                &format!("Value {delay} for parameter DelaySeconds is invalid."),
            )?;
        }
        send(&aws, &queue, "x", json!({"DelaySeconds": 900})).await?.ok()?;
        Ok(())
    }

    SEND => async fn a_standard_queue_takes_a_group_and_shows_it(aws: Aws) {
        let queue = aws.queue("fair", json!({})).await?;
        aws.send(&queue, "x", json!({"MessageGroupId": "tenant-1"})).await?;
        let received = aws.received(&queue).await?;
        ensure_eq!(received.text_at("/Attributes/MessageGroupId")?, "tenant-1");
        Ok(())
    }

    SEND => async fn a_standard_queue_takes_no_deduplication_id(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        send(&aws, &queue, "x", json!({"MessageDeduplicationId": "once"}))
            .await?
            .refused(400, "InvalidParameterValue")
    }

    SEND => async fn a_trace_header_is_kept_and_has_a_digest_of_its_own(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let traced = json!({
            "MessageAttributes": {"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}},
            "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": header}},
        });
        let sent = aws.send(&queue, "test", traced).await?;
        ensure_eq!(sent.text_at("/MD5OfMessageAttributes")?, "235c5c510d26fb653d073faed50ae77c");
        ensure_eq!(sent.text_at("/MD5OfMessageSystemAttributes")?, "5ae4d5d7636402d80f4eb6d213245a88");
        let received = aws.received(&queue).await?;
        ensure_eq!(received.text_at("/Attributes/AWSTraceHeader")?, header);
        Ok(())
    }

    SEND => async fn no_other_system_attribute_can_be_sent(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let input = json!({"MessageSystemAttributes": {
            "SenderId": {"DataType": "String", "StringValue": "me"},
        }});
        send(&aws, &queue, "x", input).await?.refused(400, "InvalidParameterValue")
    }
}
