//! Making, finding and deleting topics.

use crate::prelude::*;

const CREATE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html";

checks! {
    CREATE => async fn making_a_topic_again_gives_the_same_arn(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let again = aws.sns("CreateTopic", &[("Name", &topic.name)]).await?.ok()?;
        ensure_eq!(again.text("TopicArn")?, topic.arn);
        Ok(())
    }

    CREATE => async fn a_name_with_a_space_is_refused(aws: Aws) {
        aws.sns("CreateTopic", &[("Name", "two words")]).await?.refused(400, "InvalidParameter")
    }

    CREATE => async fn a_published_message_reaches_a_subscribed_queue(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        aws.subscribed(&topic, &queue, &[("RawMessageDelivery", "true")]).await?;
        aws.sns("Publish", &[("TopicArn", &topic.arn), ("Message", "extra")]).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, "extra");
        Ok(())
    }
}
