//! Batches: what is refused whole, and what entry by entry.

use super::pages::*;
use crate::prelude::*;

/// What a batch may weigh in all, in bytes.
const BYTES_MAX: usize = 1_048_576;

async fn batch(aws: &Aws, operation: &str, queue: &Queue, entries: Value) -> Result<Reply> {
    aws.sqs(
        operation,
        json!({"QueueUrl": queue.url, "Entries": entries}),
    )
    .await
}

async fn send(aws: &Aws, queue: &Queue, entries: Value) -> Result<Reply> {
    batch(aws, "SendMessageBatch", queue, entries).await
}

/// Entries with these ids.
fn entries(ids: &[&str]) -> Value {
    ids.iter()
        .map(|id| json!({"Id": id, "MessageBody": format!("body of {id}")}))
        .collect()
}

fn ids(reply: &Value, list: &str) -> Vec<String> {
    let mut ids: Vec<String> = reply
        .list_at(list)
        .iter()
        .map(|entry| entry["Id"].as_str().unwrap_or_default().to_owned())
        .collect();
    ids.sort();
    ids
}

/// A queue, and as many messages of it, received.
async fn received(aws: &Aws, count: usize) -> Result<(Queue, Vec<Value>)> {
    let queue = aws
        .queue("batched", json!({"VisibilityTimeout": "600"}))
        .await?;
    let mut messages = Vec::new();
    for _ in 0..count {
        aws.send(&queue, "work", json!({})).await?;
        messages.push(aws.received(&queue).await?);
    }
    Ok((queue, messages))
}

/// The rules that the three batches share, for one of them with entries that would else be fine.
async fn has_the_rules_of_batches(aws: &Aws, operation: &str, entry: Value) -> Result {
    let queue = aws.queue("batched", json!({})).await?;
    let with_ids = |ids: &[String]| -> Value {
        ids.iter()
            .map(|id| with(entry.clone(), json!({"Id": id})))
            .collect()
    };
    let ids = |ids: &[&str]| with_ids(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    batch(aws, operation, &queue, json!([]))
        .await?
        .refused(400, "EmptyBatchRequest")?;
    let twenty: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    batch(aws, operation, &queue, with_ids(&twenty))
        .await?
        .refused_saying(
            400,
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 20.",
        )?;
    batch(aws, operation, &queue, ids(&["same", "other", "same"]))
        .await?
        .refused_saying(400, "BatchEntryIdsNotDistinct", "Id same repeated.")?;
    let long = "x".repeat(81);
    for id in ["", "invalid:id", "two words", long.as_str()] {
        batch(aws, operation, &queue, ids(&[id])).await?.refused_saying(
            400,
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It \
             can be at most 80 letters long.",
        )?;
    }
    let mut missing = queue.clone();
    missing.url.push_str("-missing");
    batch(aws, operation, &missing, ids(&["one"]))
        .await?
        .refused(400, "QueueDoesNotExist")
}

checks! {
    SEND_BATCH => async fn a_batch_of_messages_is_refused_whole_for_its_form(aws: Aws) {
        has_the_rules_of_batches(&aws, "SendMessageBatch", json!({"MessageBody": "x"})).await
    }

    DELETE_BATCH => async fn a_batch_of_deletions_is_refused_whole_for_its_form(aws: Aws) {
        has_the_rules_of_batches(&aws, "DeleteMessageBatch", json!({"ReceiptHandle": "x"})).await
    }

    VISIBILITY_BATCH => async fn a_batch_of_timeouts_is_refused_whole_for_its_form(aws: Aws) {
        let entry = json!({"ReceiptHandle": "x", "VisibilityTimeout": 1});
        has_the_rules_of_batches(&aws, "ChangeMessageVisibilityBatch", entry).await
    }

    SEND_BATCH => async fn ten_messages_are_sent_and_answered_by_id(aws: Aws) {
        let queue = aws.queue("batched", json!({})).await?;
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let reply = send(&aws, &queue, entries(&names)).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), names);
        ensure_eq!(ids(&reply, "/Failed"), Vec::<String>::new());
        let mut bodies = Vec::new();
        while bodies.len() < 10 {
            bodies.push(aws.received(&queue).await?.text_at("/Body")?.to_owned());
        }
        bodies.sort();
        ensure_eq!(bodies, names.map(|name| format!("body of {name}")));
        Ok(())
    }

    SEND_BATCH => async fn each_answer_has_the_digests_of_its_own_message(aws: Aws) {
        let queue = aws.queue("batched", json!({})).await?;
        let entries = json!([
            {"Id": "plain", "MessageBody": "hello"},
            {"Id": "attributed", "MessageBody": "test", "MessageAttributes": {
                "timestamp": {"DataType": "Number", "StringValue": "1493147359900"},
            }},
        ]);
        let reply = send(&aws, &queue, entries).await?.ok()?;
        for entry in reply.list_at("/Successful") {
            let (body, attributes) = match entry.text_at("/Id")? {
                "plain" => ("5d41402abc4b2a76b9719d911017c592", Value::Null),
                _ => ("098f6bcd4621d373cade4e832627b4f6", json!("235c5c510d26fb653d073faed50ae77c")),
            };
            ensure_eq!(entry.text_at("/MD5OfMessageBody")?, body);
            ensure_eq!(entry.get("MD5OfMessageAttributes").cloned().unwrap_or_default(), attributes);
            ensure_eq!(entry.text_at("/MessageId")?.len(), 36, "the length of a UUID");
        }
        Ok(())
    }

    SEND_BATCH => async fn an_id_of_eighty_characters_is_taken(aws: Aws) {
        let queue = aws.queue("batched", json!({})).await?;
        let id = format!("A-z_{}", "9".repeat(76));
        let reply = send(&aws, &queue, entries(&[&id])).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), [id]);
        Ok(())
    }

    SEND_BATCH => async fn one_bad_message_fails_alone(aws: Aws) {
        let queue = aws.queue("batched", json!({})).await?;
        let mixed = json!([
            {"Id": "good", "MessageBody": "fine"},
            {"Id": "bad", "MessageBody": "a\u{0}b"},
            {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
        ]);
        let reply = send(&aws, &queue, mixed).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), ["good"]);
        ensure_eq!(ids(&reply, "/Failed"), ["bad", "late"]);
        for failed in reply.list_at("/Failed") {
            ensure_eq!(failed["SenderFault"], true);
            let code = match failed.text_at("/Id")? {
                "bad" => "InvalidMessageContents",
                _ => "InvalidParameterValue",
            };
            ensure_eq!(failed.text_at("/Code")?, code);
        }
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, "fine");
        Ok(())
    }

    SEND_BATCH => async fn each_message_has_a_delay_of_its_own(aws: Aws) {
        let queue = aws.queue("batched", json!({})).await?;
        let mixed = json!([
            {"Id": "now", "MessageBody": "now"},
            {"Id": "later", "MessageBody": "later", "DelaySeconds": 900},
        ]);
        send(&aws, &queue, mixed).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, "now");
        ensure_eq!(aws.receive(&queue, json!({"WaitTimeSeconds": 1})).await?, Vec::<Value>::new());
        Ok(())
    }

    SEND_BATCH => async fn all_messages_together_may_weigh_a_mebibyte(aws: Aws) {
        let queue = aws.queue("batched", json!({})).await?;
        let half = "x".repeat(BYTES_MAX / 2);
        let two = |tail: &str| json!([
            {"Id": "one", "MessageBody": half},
            {"Id": "two", "MessageBody": format!("{half}{tail}")},
        ]);
        send(&aws, &queue, two("y")).await?.refused_saying(
            400,
            "BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
        )?;
        let reply = send(&aws, &queue, two("")).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), ["one", "two"]);
        Ok(())
    }

    DELETE_BATCH => async fn messages_are_deleted_and_answered_by_id(aws: Aws) {
        let (queue, messages) = received(&aws, 2).await?;
        let both = json!([
            {"Id": "one", "ReceiptHandle": messages[0]["ReceiptHandle"]},
            {"Id": "two", "ReceiptHandle": messages[1]["ReceiptHandle"]},
        ]);
        let reply = batch(&aws, "DeleteMessageBatch", &queue, both).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), ["one", "two"]);
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        aws.poll(SOON, || async {
            let counts = aws.attributes(&queue.url, &names).await?;
            Ok((counts == json!({names[0]: "0", names[1]: "0"})).then_some(()))
        })
        .await
    }

    DELETE_BATCH => async fn a_handle_that_is_none_fails_alone(aws: Aws) {
        let (queue, messages) = received(&aws, 1).await?;
        let mixed = json!([
            {"Id": "good", "ReceiptHandle": messages[0]["ReceiptHandle"]},
            {"Id": "bad", "ReceiptHandle": "garbage"},
        ]);
        let reply = batch(&aws, "DeleteMessageBatch", &queue, mixed).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), ["good"]);
        ensure_eq!(ids(&reply, "/Failed"), ["bad"]);
        ensure_eq!(reply.text_at("/Failed/0/Code")?, "ReceiptHandleIsInvalid");
        ensure_eq!(*reply.at("/Failed/0/SenderFault")?, true);
        Ok(())
    }

    VISIBILITY_BATCH => async fn timeouts_are_changed_one_by_one(aws: Aws) {
        let (queue, messages) = received(&aws, 3).await?;
        let mixed = json!([
            {"Id": "back", "ReceiptHandle": messages[0]["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "kept", "ReceiptHandle": messages[1]["ReceiptHandle"], "VisibilityTimeout": 900},
            {"Id": "long", "ReceiptHandle": messages[2]["ReceiptHandle"], "VisibilityTimeout": 43_201},
            {"Id": "bad", "ReceiptHandle": "garbage", "VisibilityTimeout": 1},
        ]);
        let reply = batch(&aws, "ChangeMessageVisibilityBatch", &queue, mixed).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), ["back", "kept"]);
        ensure_eq!(ids(&reply, "/Failed"), ["bad", "long"]);
        for failed in reply.list_at("/Failed") {
            let code = match failed.text_at("/Id")? {
                "bad" => "ReceiptHandleIsInvalid",
                _ => "InvalidParameterValue",
            };
            ensure_eq!(failed.text_at("/Code")?, code);
        }
        ensure_eq!(aws.received(&queue).await?["MessageId"], messages[0]["MessageId"]);
        ensure_eq!(aws.receive(&queue, json!({"WaitTimeSeconds": 1})).await?, Vec::<Value>::new());
        Ok(())
    }
}
