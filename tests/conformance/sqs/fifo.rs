//! FIFO queues: the order of a group, what keeps it closed, and what such a queue asks for.

use crate::prelude::*;

const LOGIC: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html";
const KEY_TERMS: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-key-terms.html";
const CREATE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html";
const SEND: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html";
const SEND_BATCH: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html";
const RECEIVE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html";
const DELETE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html";
const CHANGE: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html";
const DELAY: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html";

/// A FIFO queue that tells duplicates by their bodies.
async fn line(aws: &Aws, attributes: Value) -> Result<Queue> {
    let by_content = json!({"ContentBasedDeduplication": "true"});
    aws.fifo("line", with(by_content, attributes)).await
}

/// Sends bodies like `a1`, whose first letter is the group.
async fn send_all(aws: &Aws, queue: &Queue, bodies: &[&str]) -> Result {
    for body in bodies {
        aws.send(queue, body, json!({"MessageGroupId": body[..1]}))
            .await?;
    }
    Ok(())
}

async fn take(aws: &Aws, queue: &Queue, most: usize) -> Result<Vec<Value>> {
    let input = json!({"MaxNumberOfMessages": most, "WaitTimeSeconds": 2});
    aws.receive(queue, input).await
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    let bodies = messages
        .iter()
        .filter_map(|message| message["Body"].as_str());
    bodies.collect()
}

async fn delete(aws: &Aws, queue: &Queue, message: &Value) -> Result<Reply> {
    let input = json!({"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]});
    aws.sqs("DeleteMessage", input).await
}

async fn hide(aws: &Aws, queue: &Queue, message: &Value, seconds: u32) -> Result<Reply> {
    let input = json!({
        "QueueUrl": queue.url,
        "ReceiptHandle": message["ReceiptHandle"],
        "VisibilityTimeout": seconds,
    });
    aws.sqs("ChangeMessageVisibility", input).await
}

checks! {
    LOGIC => async fn a_group_is_received_in_the_order_of_sending(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2", "a3"]).await?;
        ensure_eq!(bodies(&take(&aws, &queue, 10).await?), ["a1", "a2", "a3"]);
        Ok(())
    }

    LOGIC => async fn as_many_as_possible_of_one_group_come_before_the_next_group(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "b1", "a2", "a3"]).await?;
        ensure_eq!(bodies(&take(&aws, &queue, 10).await?), ["a1", "a2", "a3", "b1"]);
        Ok(())
    }

    LOGIC => async fn a_group_in_flight_is_passed_over_for_another(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2", "a3", "b1"]).await?;
        ensure_eq!(bodies(&take(&aws, &queue, 2).await?), ["a1", "a2"]);
        ensure_eq!(bodies(&take(&aws, &queue, 10).await?), ["b1"]);
        ensure_eq!(take(&aws, &queue, 10).await?.len(), 0);
        Ok(())
    }

    LOGIC => async fn a_new_message_does_not_open_a_group_in_flight(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1"]).await?;
        ensure_eq!(bodies(&take(&aws, &queue, 1).await?), ["a1"]);
        send_all(&aws, &queue, &["a2"]).await?;
        ensure_eq!(take(&aws, &queue, 1).await?.len(), 0);
        Ok(())
    }

    LOGIC => async fn deleting_what_is_in_flight_opens_the_group(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2", "a3"]).await?;
        let taken = take(&aws, &queue, 2).await?;
        delete(&aws, &queue, &taken[0]).await?.ok()?;
        ensure_eq!(take(&aws, &queue, 10).await?.len(), 0, "one of two is in flight");
        delete(&aws, &queue, &taken[1]).await?.ok()?;
        ensure_eq!(bodies(&take(&aws, &queue, 10).await?), ["a3"]);
        Ok(())
    }

    LOGIC => async fn a_poll_that_waits_gets_the_group_when_it_opens(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2"]).await?;
        let first = take(&aws, &queue, 1).await?;
        let waiting = aws.receive(&queue, json!({"WaitTimeSeconds": 20}));
        let (second, deleted) = futures::join!(waiting, delete(&aws, &queue, &first[0]));
        deleted?.ok()?;
        ensure_eq!(bodies(&second?), ["a2"]);
        Ok(())
    }

    LOGIC => async fn a_group_comes_again_in_order_when_its_leases_have_ended(aws: Aws) {
        let queue = line(&aws, json!({"VisibilityTimeout": "1"})).await?;
        send_all(&aws, &queue, &["a1", "a2", "a3"]).await?;
        ensure_eq!(bodies(&take(&aws, &queue, 10).await?), ["a1", "a2", "a3"]);
        let again = aws.receive(&queue, json!({"MaxNumberOfMessages": 10, "WaitTimeSeconds": 10}));
        ensure_eq!(bodies(&again.await?), ["a1", "a2", "a3"]);
        Ok(())
    }

    CHANGE => async fn a_message_given_back_opens_its_group_and_the_rest_stays_in_flight(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2"]).await?;
        let taken = take(&aws, &queue, 2).await?;
        hide(&aws, &queue, &taken[0], 0).await?.ok()?;
        ensure_eq!(bodies(&take(&aws, &queue, 10).await?), ["a1"]);
        Ok(())
    }

    CHANGE => async fn a_shortened_lease_opens_the_group_at_its_end(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2"]).await?;
        let taken = take(&aws, &queue, 2).await?;
        hide(&aws, &queue, &taken[0], 1).await?.ok()?;
        let again = aws.receive(&queue, json!({"MaxNumberOfMessages": 10, "WaitTimeSeconds": 10}));
        ensure_eq!(bodies(&again.await?), ["a1"]);
        Ok(())
    }

    RECEIVE => async fn a_receive_without_a_lease_leaves_the_group_open(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2"]).await?;
        for _ in 0..2 {
            let input = json!({"MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "WaitTimeSeconds": 2});
            ensure_eq!(bodies(&aws.receive(&queue, input).await?), ["a1", "a2"]);
        }
        Ok(())
    }

    DELETE => async fn a_handle_whose_lease_has_ended_deletes_nothing_and_is_refused(aws: Aws) {
        let queue = line(&aws, json!({"VisibilityTimeout": "1"})).await?;
        send_all(&aws, &queue, &["a1"]).await?;
        let first = take(&aws, &queue, 1).await?;
        let again = aws.receive(&queue, json!({"WaitTimeSeconds": 10, "VisibilityTimeout": 30}));
        ensure_eq!(bodies(&again.await?), ["a1"]);
        delete(&aws, &queue, &first[0]).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "The receipt handle has expired.",
        )
    }

    RECEIVE => async fn a_message_shows_its_group_its_deduplication_id_and_its_number(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        let more = json!({"MessageGroupId": "a", "MessageDeduplicationId": "first"});
        let sent = aws.send(&queue, "a1", more).await?;
        let shown = aws.received(&queue).await?;
        ensure_eq!(shown.text_at("/Attributes/MessageGroupId")?, "a");
        ensure_eq!(shown.text_at("/Attributes/MessageDeduplicationId")?, "first");
        ensure_eq!(shown.at("/Attributes/SequenceNumber")?, sent.at("/SequenceNumber")?);
        Ok(())
    }

    KEY_TERMS => async fn sequence_numbers_have_twenty_digits_and_grow(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        let mut last = 0_u128;
        for body in ["1", "2", "3"] {
            let sent = aws.send(&queue, body, json!({"MessageGroupId": "a"})).await?;
            let number = sent.text_at("/SequenceNumber")?;
            ensure_eq!(number.len(), 20, "digits of {number}");
            let number: u128 = number.parse()?;
            ensure!(number > last, "{number} after {last}");
            last = number;
        }
        Ok(())
    }

    SEND => async fn a_standard_queue_gives_no_sequence_number(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let sent = aws.send(&queue, "x", json!({})).await?;
        ensure!(sent.get("SequenceNumber").is_none(), "{sent}");
        Ok(())
    }

    SEND => async fn a_message_without_a_group_is_refused(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        aws.sqs("SendMessage", json!({"QueueUrl": queue.url, "MessageBody": "x"}))
            .await?
            .refused_saying(400, "MissingRequiredParameterException", "MessageGroupId")
    }

    SEND_BATCH => async fn a_batch_with_a_message_without_a_group_is_refused_whole(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        let entries = json!([
            {"Id": "1", "MessageBody": "x", "MessageGroupId": "a"},
            {"Id": "2", "MessageBody": "y"},
        ]);
        aws.sqs("SendMessageBatch", json!({"QueueUrl": queue.url, "Entries": entries}))
            .await?
            .refused_saying(
                400,
                "InvalidParameterValueException",
                "The request must contain the parameter MessageGroupId.",
            )?;
        ensure_eq!(take(&aws, &queue, 10).await?.len(), 0);
        Ok(())
    }

    SEND => async fn an_id_of_128_characters_is_taken_and_a_longer_one_refused(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        for (name, other) in [
            ("MessageGroupId", "MessageDeduplicationId"),
            ("MessageDeduplicationId", "MessageGroupId"),
        ] {
            let more = |length| json!({name: "x".repeat(length), other: name});
            aws.send(&queue, "x", more(128)).await?;
            let input = json!({"QueueUrl": queue.url, "MessageBody": "x"});
            let reply = aws.sqs("SendMessage", with(input, more(129))).await?;
            reply.refused_saying(400, "InvalidParameterValueException", name)?;
        }
        Ok(())
    }

    SEND => async fn an_id_with_a_space_is_refused(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        for name in ["MessageGroupId", "MessageDeduplicationId"] {
            let ids = with(json!({"MessageGroupId": "a"}), json!({name: "a b"}));
            let input = json!({"QueueUrl": queue.url, "MessageBody": "x"});
            let reply = aws.sqs("SendMessage", with(input, ids)).await?;
            reply.refused_saying(400, "InvalidParameterValueException", name)?;
        }
        Ok(())
    }

    SEND => async fn a_message_has_no_delay_of_its_own_but_zero(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        let input = json!({"QueueUrl": queue.url, "MessageBody": "x", "MessageGroupId": "a"});
        let delayed = with(input, json!({"DelaySeconds": 2}));
        aws.sqs("SendMessage", delayed).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "Value 2 for parameter DelaySeconds is invalid.",
        )?;
        aws.send(&queue, "y", json!({"MessageGroupId": "a", "DelaySeconds": 0})).await?;
        ensure_eq!(bodies(&take(&aws, &queue, 1).await?), ["y"]);
        Ok(())
    }

    DELAY => async fn the_queues_delay_keeps_the_order(aws: Aws) {
        let queue = line(&aws, json!({"DelaySeconds": "1"})).await?;
        send_all(&aws, &queue, &["a1", "a2"]).await?;
        ensure_eq!(aws.receive(&queue, json!({})).await?.len(), 0);
        let first = aws.receive(&queue, json!({"WaitTimeSeconds": 10})).await?;
        ensure_eq!(bodies(&first), ["a1"]);
        Ok(())
    }

    CREATE => async fn a_fifo_queue_has_awss_defaults(aws: Aws) {
        let queue = aws.fifo("line", json!({})).await?;
        let shown = aws.attributes(&queue.url, &["All"]).await?;
        for (name, value) in [
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "false"),
            ("DeduplicationScope", "queue"),
            ("FifoThroughputLimit", "perQueue"),
        ] {
            ensure_eq!(shown.text_at(&format!("/{name}"))?, value, "{name}");
        }
        Ok(())
    }

    CREATE => async fn a_flag_may_begin_with_a_capital(aws: Aws) {
        let name = format!("{}.fifo", aws.name("line"));
        let queue = aws.queue_named(name, json!({"FifoQueue": "True"})).await?;
        let shown = aws.attributes(&queue.url, &["FifoQueue"]).await?;
        ensure_eq!(shown.text_at("/FifoQueue")?, "true");
        Ok(())
    }

    CREATE => async fn a_standard_queue_has_no_scope_and_no_throughput_limit(aws: Aws) {
        for (name, value) in [("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue")] {
            let input = json!({"QueueName": aws.name("letters"), "Attributes": {name: value}});
            aws.sqs("CreateQueue", input)
                .await?
                .refused_saying(400, "InvalidAttributeName", name)?;
        }
        Ok(())
    }

    RECEIVE => async fn an_attempt_that_is_repeated_gets_the_same_messages_and_handles(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "b1"]).await?;
        let attempt = json!({"ReceiveRequestAttemptId": "once", "WaitTimeSeconds": 2});
        let first = aws.receive(&queue, attempt.clone()).await?;
        let again = aws.receive(&queue, attempt).await?;
        ensure_eq!(bodies(&first), ["a1"]);
        ensure_eq!(again.first().map(|m| &m["MessageId"]), first.first().map(|m| &m["MessageId"]));
        ensure_eq!(
            again.first().map(|m| &m["ReceiptHandle"]),
            first.first().map(|m| &m["ReceiptHandle"])
        );
        Ok(())
    }

    RECEIVE => async fn an_attempt_cannot_be_repeated_once_its_message_is_deleted(aws: Aws) {
        let queue = line(&aws, json!({})).await?;
        send_all(&aws, &queue, &["a1", "a2"]).await?;
        let attempt = json!({"ReceiveRequestAttemptId": "once", "WaitTimeSeconds": 2});
        let first = aws.receive(&queue, attempt.clone()).await?;
        ensure_eq!(bodies(&first), ["a1"]);
        delete(&aws, &queue, &first[0]).await?.ok()?;
        let input = with(json!({"QueueUrl": queue.url}), attempt);
        let reply = aws.sqs("ReceiveMessage", input).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "ReceiveRequestAttemptId")
    }
}
