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

/// The three operations, with an entry that would be fine but for its id.
fn operations() -> [(&'static str, Value); 3] {
    [
        ("SendMessageBatch", json!({"MessageBody": "x"})),
        ("DeleteMessageBatch", json!({"ReceiptHandle": "x"})),
        (
            "ChangeMessageVisibilityBatch",
            json!({"ReceiptHandle": "x", "VisibilityTimeout": 1}),
        ),
    ]
}

/// All three operations refuse a batch of these ids.
async fn refused(aws: &Aws, ids: &[&str], code: &str, words: &str) -> Result {
    let queue = aws.queue("batched", json!({})).await?;
    for (operation, entry) in operations() {
        let entries = ids
            .iter()
            .map(|id| with(entry.clone(), json!({"Id": id})))
            .collect();
        batch(aws, operation, &queue, entries)
            .await?
            .refused_saying(400, code, words)?;
    }
    Ok(())
}

checks! {
    SEND_BATCH => async fn an_empty_batch_is_refused(aws: Aws) {
        refused(&aws, &[], "EmptyBatchRequest", "").await
    }

    SEND_BATCH => async fn more_than_ten_entries_are_refused_and_counted(aws: Aws) {
        let ids: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let words = "Maximum number of entries per request are 10. You have sent 20.";
        refused(&aws, &ids, "TooManyEntriesInBatchRequest", words).await
    }

    SEND_BATCH => async fn two_entries_with_one_id_are_refused(aws: Aws) {
        refused(&aws, &["same", "other", "same"], "BatchEntryIdsNotDistinct", "").await
    }

    SEND_BATCH => async fn an_entry_id_is_of_letters_digits_hyphens_and_underscores(aws: Aws) {
        for id in ["", "invalid:id", "two words", &"testLongId".repeat(10)] {
            let words = "A batch entry id can only contain alphanumeric characters, hyphens and \
                         underscores. It can be at most 80 letters long.";
            refused(&aws, &[id], "InvalidBatchEntryId", words).await?;
        }
        Ok(())
    }

    SEND_BATCH => async fn a_batch_for_a_queue_that_is_not_there_is_refused(aws: Aws) {
        let mut queue = aws.queue("batched", json!({})).await?;
        queue.url.push_str("-missing");
        for (operation, entry) in operations() {
            let entries = json!([with(entry, json!({"Id": "one"}))]);
            batch(&aws, operation, &queue, entries).await?.refused(400, "QueueDoesNotExist")?;
        }
        Ok(())
    }

    SEND_BATCH => async fn the_queues_own_limit_is_for_each_message_and_not_for_the_batch(aws: Aws) {
        let queue = aws.queue("batched", json!({"MaximumMessageSize": "2048"})).await?;
        let body = "a".repeat(2048);
        let two = json!([{"Id": "1", "MessageBody": body}, {"Id": "2", "MessageBody": "a"}]);
        let reply = send(&aws, &queue, two).await?.ok()?;
        ensure_eq!(ids(&reply, "/Successful"), ["1", "2"]);
        Ok(())
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
