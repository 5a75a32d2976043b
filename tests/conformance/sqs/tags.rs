//! Tags of queues.

use super::pages::*;
use crate::prelude::*;

async fn tag(aws: &Aws, queue: &Queue, tags: Value) -> Result<Reply> {
    aws.sqs("TagQueue", json!({"QueueUrl": queue.url, "Tags": tags}))
        .await
}

async fn tags(aws: &Aws, queue: &Queue) -> Result<Value> {
    let reply = aws
        .sqs("ListQueueTags", json!({"QueueUrl": queue.url}))
        .await?
        .ok()?;
    Ok(reply.get("Tags").cloned().unwrap_or_else(|| json!({})))
}

checks! {
    TAG => async fn tags_are_added_and_replaced_by_key(aws: Aws) {
        let queue = aws.queue("tagged", json!({})).await?;
        tag(&aws, &queue, json!({"team": "post", "empty": ""})).await?.ok()?;
        tag(&aws, &queue, json!({"team": "press", "Team": "other"})).await?.ok()?;
        ensure_eq!(tags(&aws, &queue).await?, json!({"team": "press", "empty": "", "Team": "other"}));
        Ok(())
    }

    UNTAG => async fn tags_are_removed_by_key_and_others_stay(aws: Aws) {
        let queue = aws.queue("tagged", json!({})).await?;
        tag(&aws, &queue, json!({"a": "1", "b": "2", "c": "3"})).await?.ok()?;
        let input = json!({"QueueUrl": queue.url, "TagKeys": ["a", "c", "never"]});
        aws.sqs("UntagQueue", input).await?.ok()?;
        ensure_eq!(tags(&aws, &queue).await?, json!({"b": "2"}));
        Ok(())
    }

    LIST_TAGS => async fn a_queue_without_tags_lists_none(aws: Aws) {
        let queue = aws.queue("tagged", json!({})).await?;
        ensure_eq!(tags(&aws, &queue).await?, json!({}));
        Ok(())
    }

    TAG => async fn a_queue_that_is_not_there_has_no_tags(aws: Aws) {
        let mut queue = aws.queue("tagged", json!({})).await?;
        queue.url.push_str("-missing");
        tag(&aws, &queue, json!({"a": "1"})).await?.refused(400, "QueueDoesNotExist")?;
        aws.sqs("ListQueueTags", json!({"QueueUrl": queue.url}))
            .await?
            .refused(400, "QueueDoesNotExist")
    }
}
