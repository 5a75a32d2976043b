//! A queue's policy: kept as it is given, and written to by permissions.

use crate::prelude::*;

const ADD: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html";
const REMOVE: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_RemovePermission.html";
const SET: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html";

const FRIEND: &str = "668614515564";

fn permission(queue: &Queue, label: &str) -> Value {
    json!({
        "QueueUrl": queue.url,
        "Label": label,
        "AWSAccountIds": [FRIEND],
        "Actions": ["ReceiveMessage"],
    })
}

async fn permit(aws: &Aws, queue: &Queue, label: &str, more: Value) -> Result<Reply> {
    aws.sqs("AddPermission", with(permission(queue, label), more))
        .await
}

async fn withdraw(aws: &Aws, queue: &Queue, label: &str) -> Result<Reply> {
    let input = json!({"QueueUrl": queue.url, "Label": label});
    aws.sqs("RemovePermission", input).await
}

/// The policy of a queue; null when it has none.
async fn policy(aws: &Aws, queue: &Queue) -> Result<Value> {
    let shown = aws.attributes(&queue.url, &["Policy"]).await?;
    match shown["Policy"].as_str() {
        Some(text) => Ok(serde_json::from_str(text)?),
        None => Ok(Value::Null),
    }
}

async fn set(aws: &Aws, queue: &Queue, policy: &str) -> Result<Reply> {
    let input = json!({"QueueUrl": queue.url, "Attributes": {"Policy": policy}});
    aws.sqs("SetQueueAttributes", input).await
}

checks! {
    ADD => async fn a_permission_is_a_statement_of_the_policy(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        permit(&aws, &queue, "read", json!({})).await?.ok()?;
        ensure_eq!(policy(&aws, &queue).await?, json!({
            "Version": "2008-10-17",
            "Id": format!("{}/SQSDefaultPolicy", queue.arn),
            "Statement": [{
                "Sid": "read",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{FRIEND}:root")},
                "Action": "SQS:ReceiveMessage",
                "Resource": queue.arn,
            }],
        }));
        Ok(())
    }

    ADD => async fn several_accounts_and_actions_are_lists(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let more = json!({
            "AWSAccountIds": [FRIEND, "111111111111"],
            "Actions": ["SendMessage", "*"],
        });
        permit(&aws, &queue, "both", more).await?.ok()?;
        let policy = policy(&aws, &queue).await?;
        let statement = policy.at("/Statement/0")?;
        ensure_eq!(statement.list_at("/Principal/AWS").len(), 2);
        ensure_eq!(statement.list_at("/Action"), [json!("SQS:SendMessage"), json!("SQS:*")]);
        Ok(())
    }

    ADD => async fn a_label_that_is_there_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        permit(&aws, &queue, "read", json!({})).await?.ok()?;
        permit(&aws, &queue, "read", json!({})).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "Value read for parameter Label is invalid. Reason: Already exists.",
        )
    }

    ADD => async fn permissions_with_other_labels_stand_side_by_side(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        for label in ["one", "two"] {
            permit(&aws, &queue, label, json!({})).await?.ok()?;
        }
        withdraw(&aws, &queue, "one").await?.ok()?;
        let policy = policy(&aws, &queue).await?;
        ensure_eq!(policy.list_at("/Statement").len(), 1);
        ensure_eq!(policy.text_at("/Statement/0/Sid")?, "two");
        Ok(())
    }

    ADD => async fn a_permission_joins_a_policy_that_was_set(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let own = json!({"Version": "2012-10-17", "Id": "own", "Statement": [{
            "Sid": "mine",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "sqs:SendMessage",
            "Resource": queue.arn,
        }]});
        set(&aws, &queue, &own.to_string()).await?.ok()?;
        permit(&aws, &queue, "read", json!({})).await?.ok()?;
        let policy = policy(&aws, &queue).await?;
        ensure_eq!(policy.text_at("/Id")?, "own");
        ensure_eq!(policy.text_at("/Statement/0/Sid")?, "mine");
        ensure_eq!(policy.text_at("/Statement/1/Sid")?, "read");
        Ok(())
    }

    ADD => async fn an_action_that_is_none_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = permit(&aws, &queue, "read", json!({"Actions": ["Dance"]})).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "SQS:Dance")
    }

    ADD => async fn an_action_that_is_the_owners_alone_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = permit(&aws, &queue, "read", json!({"Actions": ["RemovePermission"]})).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "SQS:RemovePermission")
    }

    ADD => async fn an_account_that_is_none_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = permit(&aws, &queue, "read", json!({"AWSAccountIds": ["me"]})).await?;
        reply.refused(400, "InvalidParameterValueException")
    }

    ADD => async fn a_label_has_at_most_eighty_characters(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        permit(&aws, &queue, &"x".repeat(80), json!({})).await?.ok()?;
        let reply = permit(&aws, &queue, &"x".repeat(81), json!({})).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "Label")
    }

    ADD => async fn more_than_seven_actions_are_over_the_limit(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let actions = json!([
            "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
            "GetQueueAttributes", "GetQueueUrl", "PurgeQueue", "*",
        ]);
        let reply = permit(&aws, &queue, "all", json!({"Actions": actions})).await?;
        reply.refused(403, "OverLimit")
    }

    ADD => async fn a_queue_that_is_not_there_gets_no_permission(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let gone = json!({"QueueUrl": format!("{}-gone", queue.url)});
        permit(&aws, &queue, "read", gone).await?.refused(400, "QueueDoesNotExist")
    }

    REMOVE => async fn the_last_permission_takes_the_policy_with_it(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        permit(&aws, &queue, "read", json!({})).await?.ok()?;
        withdraw(&aws, &queue, "read").await?.ok()?;
        ensure_eq!(policy(&aws, &queue).await?, Value::Null);
        Ok(())
    }

    REMOVE => async fn a_label_that_is_not_there_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        withdraw(&aws, &queue, "read").await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "Value read for parameter Label is invalid. Reason: can't find label.",
        )
    }

    SET => async fn a_policy_is_shown_as_it_was_set(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let given = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "sqs:SendMessage",
            "Resource": queue.arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:t"}},
        }]});
        set(&aws, &queue, &given.to_string()).await?.ok()?;
        ensure_eq!(policy(&aws, &queue).await?, given);
        Ok(())
    }

    SET => async fn an_empty_policy_is_none(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        permit(&aws, &queue, "read", json!({})).await?.ok()?;
        set(&aws, &queue, "").await?.ok()?;
        let shown = aws.attributes(&queue.url, &["All"]).await?;
        ensure!(shown.get("Policy").is_none(), "{shown}");
        Ok(())
    }

    SET => async fn a_policy_that_is_no_json_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        for text in ["{", "[]"] {
            let reply = set(&aws, &queue, text).await?;
            reply.refused_saying(400, "InvalidAttributeValue", "Policy")?;
        }
        Ok(())
    }
}
