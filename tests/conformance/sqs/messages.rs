//! Sending, receiving and deleting one message.

use crate::prelude::*;

const SEND: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html";

checks! {
    SEND => async fn an_empty_body_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.sqs("SendMessage", json!({"QueueUrl": queue.url, "MessageBody": ""}))
            .await?
            .refused(400, "MissingRequiredParameterException")
    }

    SEND => async fn what_was_sent_is_received_with_its_digest(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let sent = aws.send(&queue, "hello", json!({})).await?;
        ensure_eq!(sent.text_at("/MD5OfMessageBody")?, "5d41402abc4b2a76b9719d911017c592");
        let received = aws.received(&queue).await?;
        ensure_eq!(received.text_at("/Body")?, "hello");
        ensure_eq!(received.at("/MD5OfBody")?, sent.at("/MD5OfMessageBody")?);
        ensure_eq!(received.at("/MessageId")?, sent.at("/MessageId")?);
        Ok(())
    }
}
