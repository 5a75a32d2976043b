//! Making, finding and deleting queues.

use crate::prelude::*;

const CREATE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html";

checks! {
    CREATE => async fn making_a_queue_again_gives_the_same_url(aws: Aws) {
        let queue = aws.queue("letters", json!({"VisibilityTimeout": "40"})).await?;
        let same = json!({"QueueName": queue.name, "Attributes": {"VisibilityTimeout": "40"}});
        let again = aws.sqs("CreateQueue", same).await?.ok()?;
        ensure_eq!(again.text_at("/QueueUrl")?, queue.url);
        Ok(())
    }
}
