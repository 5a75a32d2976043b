//! Visibility time-outs, and the deletion that ends them.

use super::pages::*;
use crate::prelude::*;

/// A queue with one message, just received.
async fn leased(aws: &Aws, seconds: i64) -> Result<(Queue, Value)> {
    let queue = aws
        .queue("leased", json!({"VisibilityTimeout": seconds.to_string()}))
        .await?;
    aws.send(&queue, "work", json!({})).await?;
    let message = aws.received(&queue).await?;
    Ok((queue, message))
}

async fn change(aws: &Aws, queue: &Queue, message: &Value, seconds: i64) -> Result<Reply> {
    aws.sqs(
        "ChangeMessageVisibility",
        json!({
            "QueueUrl": queue.url,
            "ReceiptHandle": message["ReceiptHandle"],
            "VisibilityTimeout": seconds,
        }),
    )
    .await
}

async fn delete(aws: &Aws, queue: &Queue, handle: &Value) -> Result<Reply> {
    aws.sqs(
        "DeleteMessage",
        json!({"QueueUrl": queue.url, "ReceiptHandle": handle}),
    )
    .await
}

async fn nothing_comes(aws: &Aws, queue: &Queue, seconds: i64) -> Result {
    let received = aws
        .receive(queue, json!({"WaitTimeSeconds": seconds}))
        .await?;
    ensure_eq!(received, Vec::<Value>::new());
    Ok(())
}

checks! {
    RECEIVE => async fn a_received_message_is_hidden_until_its_timeout(aws: Aws) {
        let (queue, message) = leased(&aws, 2).await?;
        nothing_comes(&aws, &queue, 0).await?;
        let again = aws.received(&queue).await?;
        ensure_eq!(again["MessageId"], message["MessageId"]);
        Ok(())
    }

    RECEIVE => async fn a_receives_own_timeout_overrules_the_queues(aws: Aws) {
        let queue = aws.queue("leased", json!({"VisibilityTimeout": "43200"})).await?;
        aws.send(&queue, "work", json!({})).await?;
        let own = json!({"VisibilityTimeout": 1, "WaitTimeSeconds": 5});
        ensure_eq!(aws.receive(&queue, own).await?.len(), 1);
        ensure_eq!(aws.received(&queue).await?.text_at("/Attributes/ApproximateReceiveCount")?, "2");
        Ok(())
    }

    VISIBILITY => async fn a_timeout_is_lengthened_from_now(aws: Aws) {
        let (queue, message) = leased(&aws, 1).await?;
        change(&aws, &queue, &message, 60).await?.ok()?;
        nothing_comes(&aws, &queue, 3).await
    }

    VISIBILITY => async fn a_timeout_is_shortened_from_now(aws: Aws) {
        let (queue, message) = leased(&aws, 43_200).await?;
        change(&aws, &queue, &message, 1).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?["MessageId"], message["MessageId"]);
        Ok(())
    }

    VISIBILITY => async fn a_timeout_of_zero_gives_the_message_back_at_once(aws: Aws) {
        let (queue, message) = leased(&aws, 43_200).await?;
        change(&aws, &queue, &message, 0).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?["MessageId"], message["MessageId"]);
        Ok(())
    }

    VISIBILITY => async fn a_timeout_that_has_run_out_can_still_be_changed(aws: Aws) {
        let (queue, message) = leased(&aws, 1).await?;
        // As recorded from AWS: the last receiver's handle is good until somebody else receives.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        change(&aws, &queue, &message, 1).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?["MessageId"], message["MessageId"]);
        Ok(())
    }

    VISIBILITY => async fn an_older_handle_changes_the_timeout_as_well(aws: Aws) {
        let (queue, old) = leased(&aws, 0).await?;
        // As recorded from AWS.
        ensure_eq!(aws.receive(&queue, json!({"VisibilityTimeout": 600, "WaitTimeSeconds": 5})).await?.len(), 1);
        change(&aws, &queue, &old, 0).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?["MessageId"], old["MessageId"]);
        Ok(())
    }

    VISIBILITY => async fn a_timeout_beyond_twelve_hours_is_refused(aws: Aws) {
        let (queue, message) = leased(&aws, 60).await?;
        for seconds in [-1, 43_201] {
            change(&aws, &queue, &message, seconds).await?.refused_saying(
                400,
                "InvalidParameterValue",
                &format!("Value {seconds} for parameter VisibilityTimeout is invalid."),
            )?;
        }
        Ok(())
    }

    VISIBILITY => async fn twelve_hours_are_counted_from_the_receive(aws: Aws) {
        let (queue, message) = leased(&aws, 60).await?;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        change(&aws, &queue, &message, 43_200).await?.refused_saying(
            400,
            "InvalidParameterValue",
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        )
    }

    VISIBILITY => async fn a_missing_timeout_is_refused(aws: Aws) {
        let (queue, message) = leased(&aws, 60).await?;
        let input = json!({"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]});
        aws.sqs("ChangeMessageVisibility", input).await?.refused(400, "MissingParameter")
    }

    VISIBILITY => async fn a_handle_that_is_none_is_refused(aws: Aws) {
        let queue = aws.queue("leased", json!({})).await?;
        change(&aws, &queue, &json!({"ReceiptHandle": "garbage"}), 1).await?.refused_saying(
            400,
            "ReceiptHandleIsInvalid",
            "The input receipt handle \"garbage\" is not a valid receipt handle.",
        )
    }

    VISIBILITY => async fn a_deleted_messages_timeout_cannot_be_changed(aws: Aws) {
        let (queue, message) = leased(&aws, 60).await?;
        delete(&aws, &queue, &message["ReceiptHandle"]).await?.ok()?;
        change(&aws, &queue, &message, 1).await?.refused_saying(
            400,
            "InvalidParameterValue",
            "Message does not exist or is not available for visibility timeout change.",
        )
    }

    DELETE => async fn a_deleted_message_does_not_come_back(aws: Aws) {
        let (queue, message) = leased(&aws, 1).await?;
        delete(&aws, &queue, &message["ReceiptHandle"]).await?.ok()?;
        nothing_comes(&aws, &queue, 3).await
    }

    DELETE => async fn deleting_twice_is_answered_as_once(aws: Aws) {
        let (queue, message) = leased(&aws, 60).await?;
        delete(&aws, &queue, &message["ReceiptHandle"]).await?.ok()?;
        delete(&aws, &queue, &message["ReceiptHandle"]).await?.ok()?;
        Ok(())
    }

    DELETE => async fn a_message_whose_timeout_ran_out_is_deleted_all_the_same(aws: Aws) {
        let (queue, message) = leased(&aws, 1).await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        delete(&aws, &queue, &message["ReceiptHandle"]).await?.ok()?;
        nothing_comes(&aws, &queue, 0).await
    }

    DELETE => async fn an_older_handle_is_answered_well_and_deletes_nothing(aws: Aws) {
        let (queue, old) = leased(&aws, 0).await?;
        let newer = aws.received(&queue).await?;
        ensure_eq!(newer["MessageId"], old["MessageId"]);
        delete(&aws, &queue, &old["ReceiptHandle"]).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?["MessageId"], old["MessageId"]);
        Ok(())
    }

    DELETE => async fn a_handle_that_is_none_deletes_nothing_and_is_refused(aws: Aws) {
        let queue = aws.queue("leased", json!({})).await?;
        delete(&aws, &queue, &json!("garbage")).await?.refused(400, "ReceiptHandleIsInvalid")
    }

    DELETE => async fn a_missing_handle_is_refused(aws: Aws) {
        let queue = aws.queue("leased", json!({})).await?;
        aws.sqs("DeleteMessage", json!({"QueueUrl": queue.url}))
            .await?
            .refused(400, "MissingParameter")
    }

    DELETE => async fn a_queue_that_is_not_there_is_refused(aws: Aws) {
        let (mut queue, message) = leased(&aws, 60).await?;
        queue.url.push_str("-missing");
        delete(&aws, &queue, &message["ReceiptHandle"]).await?.refused(400, "QueueDoesNotExist")
    }
}
