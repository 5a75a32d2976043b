//! Attributes of queues: defaults, ranges, what can be read and what can be set.

use super::pages::*;
use crate::prelude::*;

async fn set(aws: &Aws, queue: &Queue, attributes: Value) -> Result<Reply> {
    let input = json!({"QueueUrl": queue.url, "Attributes": attributes});
    aws.sqs("SetQueueAttributes", input).await
}

/// Both ends of the range are taken and shown; one beyond each is refused, when set and when made.
async fn has_range(aws: &Aws, name: &str, least: i64, most: i64) -> Result {
    let queue = aws.queue("ranges", json!({})).await?;
    for value in [least, most] {
        set(aws, &queue, json!({name: value.to_string()}))
            .await?
            .ok()?;
        let shown = aws.attributes(&queue.url, &[name]).await?;
        ensure_eq!(shown, json!({name: value.to_string()}));
    }
    for value in [
        (least - 1).to_string(),
        (most + 1).to_string(),
        "many".to_owned(),
    ] {
        set(aws, &queue, json!({name: value}))
            .await?
            .refused(400, "InvalidAttributeValue")?;
        let input = json!({"QueueName": aws.name("ranges"), "Attributes": {name: value}});
        aws.sqs("CreateQueue", input)
            .await?
            .refused(400, "InvalidAttributeValue")?;
    }
    Ok(())
}

checks! {
    GET_ATTRIBUTES => async fn a_standard_queue_has_awss_defaults_and_no_others(aws: Aws) {
        let queue = aws.queue("plain", json!({})).await?;
        let mut shown = aws.attributes(&queue.url, &["All"]).await?;
        for counted in ["CreatedTimestamp", "LastModifiedTimestamp"] {
            ensure!(shown.text_at(&format!("/{counted}"))?.parse::<u64>().is_ok(), "{shown}");
            shown.as_object_mut().map(|shown| shown.remove(counted));
        }
        ensure_eq!(shown, json!({
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesDelayed": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "DelaySeconds": "0",
            "MaximumMessageSize": "1048576",
            "MessageRetentionPeriod": "345600",
            "QueueArn": queue.arn,
            "ReceiveMessageWaitTimeSeconds": "0",
            "SqsManagedSseEnabled": "true",
            "VisibilityTimeout": "30",
        }));
        Ok(())
    }

    GET_ATTRIBUTES => async fn what_was_not_asked_for_is_not_shown(aws: Aws) {
        let queue = aws.queue("plain", json!({"DelaySeconds": "3"})).await?;
        let shown = aws.attributes(&queue.url, &["DelaySeconds", "VisibilityTimeout"]).await?;
        ensure_eq!(shown, json!({"DelaySeconds": "3", "VisibilityTimeout": "30"}));
        let none = aws.sqs("GetQueueAttributes", json!({"QueueUrl": queue.url})).await?.ok()?;
        ensure!(none.pointer("/Attributes/QueueArn").is_none(), "{none}");
        Ok(())
    }

    GET_ATTRIBUTES => async fn an_attribute_that_a_queue_does_not_have_is_left_out(aws: Aws) {
        let queue = aws.queue("plain", json!({})).await?;
        let shown = aws.attributes(&queue.url, &["Policy", "RedrivePolicy", "DelaySeconds"]).await?;
        ensure_eq!(shown, json!({"DelaySeconds": "0"}));
        Ok(())
    }

    GET_ATTRIBUTES => async fn an_unknown_attribute_cannot_be_read(aws: Aws) {
        let queue = aws.queue("plain", json!({})).await?;
        let input = json!({"QueueUrl": queue.url, "AttributeNames": ["Colour"]});
        aws.sqs("GetQueueAttributes", input).await?.refused_saying(
            400,
            "InvalidAttributeName",
            "Unknown Attribute Colour.",
        )
    }

    GET_ATTRIBUTES => async fn waiting_leased_and_delayed_messages_are_counted_apart(aws: Aws) {
        let queue = aws.queue("counted", json!({})).await?;
        aws.send(&queue, "leased", json!({})).await?;
        aws.received(&queue).await?;
        aws.send(&queue, "waiting", json!({})).await?;
        aws.send(&queue, "waiting", json!({})).await?;
        aws.send(&queue, "delayed", json!({"DelaySeconds": 60})).await?;
        let expected = json!({
            "ApproximateNumberOfMessages": "2",
            "ApproximateNumberOfMessagesNotVisible": "1",
            "ApproximateNumberOfMessagesDelayed": "1",
        });
        let names: Vec<&str> = expected
            .as_object()
            .map(|names| names.keys().map(String::as_str).collect())
            .unwrap_or_default();
        aws.poll(SOON, || async {
            Ok((aws.attributes(&queue.url, &names).await? == expected).then_some(()))
        })
        .await
    }

    SET_ATTRIBUTES => async fn the_visibility_timeout_is_at_most_twelve_hours(aws: Aws) {
        has_range(&aws, "VisibilityTimeout", 0, 43_200).await
    }

    SET_ATTRIBUTES => async fn the_delay_is_at_most_fifteen_minutes(aws: Aws) {
        has_range(&aws, "DelaySeconds", 0, 900).await
    }

    SET_ATTRIBUTES => async fn the_wait_is_at_most_twenty_seconds(aws: Aws) {
        has_range(&aws, "ReceiveMessageWaitTimeSeconds", 0, 20).await
    }

    SET_ATTRIBUTES => async fn the_retention_is_from_a_minute_to_fourteen_days(aws: Aws) {
        has_range(&aws, "MessageRetentionPeriod", 60, 1_209_600).await
    }

    SET_ATTRIBUTES => async fn the_message_size_is_from_a_kibibyte_to_a_mebibyte(aws: Aws) {
        has_range(&aws, "MaximumMessageSize", 1024, 1_048_576).await
    }

    SET_ATTRIBUTES => async fn the_reuse_of_a_data_key_is_from_a_minute_to_a_day(aws: Aws) {
        let queue = aws.queue("ranges", json!({"KmsMasterKeyId": "alias/aws/sqs"})).await?;
        for value in ["60", "86400"] {
            set(&aws, &queue, json!({"KmsDataKeyReusePeriodSeconds": value})).await?.ok()?;
        }
        for value in ["59", "86401"] {
            set(&aws, &queue, json!({"KmsDataKeyReusePeriodSeconds": value}))
                .await?
                .refused(400, "InvalidAttributeValue")?;
        }
        Ok(())
    }

    SET_ATTRIBUTES => async fn what_was_set_is_shown_and_what_was_not_stays(aws: Aws) {
        let queue = aws.queue("changed", json!({"DelaySeconds": "5", "VisibilityTimeout": "20"})).await?;
        set(&aws, &queue, json!({"VisibilityTimeout": "69"})).await?.ok()?;
        let shown = aws.attributes(&queue.url, &["DelaySeconds", "VisibilityTimeout"]).await?;
        ensure_eq!(shown, json!({"DelaySeconds": "5", "VisibilityTimeout": "69"}));
        Ok(())
    }

    SET_ATTRIBUTES => async fn one_refused_attribute_leaves_the_others_as_they_were(aws: Aws) {
        let queue = aws.queue("changed", json!({})).await?;
        set(&aws, &queue, json!({"DelaySeconds": "7", "VisibilityTimeout": "43201"}))
            .await?
            .refused(400, "InvalidAttributeValue")?;
        ensure_eq!(aws.attributes(&queue.url, &["DelaySeconds"]).await?, json!({"DelaySeconds": "0"}));
        Ok(())
    }

    SET_ATTRIBUTES => async fn an_unknown_attribute_cannot_be_set(aws: Aws) {
        let queue = aws.queue("changed", json!({})).await?;
        set(&aws, &queue, json!({"Colour": "red"})).await?.refused(400, "InvalidAttributeName")
    }

    SET_ATTRIBUTES => async fn an_attribute_that_can_only_be_read_cannot_be_set(aws: Aws) {
        let queue = aws.queue("changed", json!({})).await?;
        for name in ["QueueArn", "ApproximateNumberOfMessages", "CreatedTimestamp"] {
            set(&aws, &queue, json!({name: "1"})).await?.refused(400, "InvalidAttributeName")?;
        }
        Ok(())
    }

    SET_ATTRIBUTES => async fn a_standard_queue_has_no_attributes_of_fifo_queues(aws: Aws) {
        let queue = aws.queue("changed", json!({})).await?;
        for name in ["FifoQueue", "ContentBasedDeduplication"] {
            set(&aws, &queue, json!({name: "true"})).await?.refused_saying(
                400,
                "InvalidAttributeName",
                &format!("Unknown Attribute {name}."),
            )?;
        }
        for (name, value) in [("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue")] {
            set(&aws, &queue, json!({name: value})).await?.refused_saying(
                400,
                "InvalidAttributeName",
                &format!("You can specify the {name} only when FifoQueue is set to true."),
            )?;
        }
        Ok(())
    }

    SET_ATTRIBUTES => async fn a_fifo_queue_stays_one(aws: Aws) {
        let queue = aws.fifo("changed", json!({})).await?;
        set(&aws, &queue, json!({"FifoQueue": "false"})).await?.refused_saying(
            400,
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
        )
    }

    SET_ATTRIBUTES => async fn a_fifo_queue_can_be_told_again_that_it_is_one(aws: Aws) {
        let queue = aws.fifo("changed", json!({})).await?;
        set(&aws, &queue, json!({"FifoQueue": "true"})).await?.ok()?;
        Ok(())
    }

    SET_ATTRIBUTES => async fn a_queue_that_is_not_there_cannot_be_changed(aws: Aws) {
        let mut queue = aws.queue("changed", json!({})).await?;
        queue.url.push_str("-missing");
        set(&aws, &queue, json!({"DelaySeconds": "1"})).await?.refused(400, "QueueDoesNotExist")
    }

    SET_ATTRIBUTES => async fn a_key_of_kms_puts_off_sqss_own_encryption(aws: Aws) {
        let queue = aws.queue("sealed", json!({"KmsMasterKeyId": "alias/aws/sqs"})).await?;
        let names = ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"];
        ensure_eq!(aws.attributes(&queue.url, &names).await?, json!({
            "KmsMasterKeyId": "alias/aws/sqs",
            "KmsDataKeyReusePeriodSeconds": "300",
            "SqsManagedSseEnabled": "false",
        }));
        Ok(())
    }

    SET_ATTRIBUTES => async fn there_is_one_encryption_at_a_time(aws: Aws) {
        let queue = aws.queue("sealed", json!({})).await?;
        let both = json!({"KmsMasterKeyId": "testKeyId", "SqsManagedSseEnabled": "true"});
        set(&aws, &queue, both).await?.refused_saying(
            400,
            "InvalidAttributeName",
            "You can use one type of server-side encryption (SSE) at one time. You can either enable \
             KMS SSE or SQS SSE.",
        )
    }

    SET_ATTRIBUTES => async fn sqss_own_encryption_can_be_put_off(aws: Aws) {
        let queue = aws.queue("open", json!({"SqsManagedSseEnabled": "false"})).await?;
        let shown = aws.attributes(&queue.url, &["SqsManagedSseEnabled"]).await?;
        ensure_eq!(shown, json!({"SqsManagedSseEnabled": "false"}));
        Ok(())
    }
}
