//! Receiving: how many, how long to wait, what is shown of a message.

use super::pages::*;
use crate::prelude::*;
use std::time::{Instant, SystemTime};

async fn refused(aws: &Aws, more: Value, words: &str) -> Result {
    let queue = aws.queue("letters", json!({})).await?;
    let input = with(json!({"QueueUrl": queue.url}), more);
    aws.sqs("ReceiveMessage", input)
        .await?
        .refused_saying(400, "InvalidParameterValue", words)
}

/// One message, received with these names.
async fn asked(aws: &Aws, more: Value) -> Result<Value> {
    let queue = aws.queue("letters", json!({})).await?;
    aws.send(&queue, "msg", json!({})).await?;
    let received = aws
        .receive(&queue, with(json!({"WaitTimeSeconds": 5}), more))
        .await?;
    ensure_eq!(received.len(), 1, "messages");
    Ok(received[0].clone())
}

async fn send_one(aws: &Aws, queue: &Queue, number: usize) -> Result<Value> {
    aws.send(queue, &number.to_string(), json!({})).await
}

checks! {
    RECEIVE => async fn an_empty_queue_gives_nothing_at_once(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let since = Instant::now();
        let reply = aws.sqs("ReceiveMessage", json!({"QueueUrl": queue.url})).await?.ok()?;
        ensure!(reply.list_at("/Messages").is_empty(), "{reply}");
        ensure!(since.elapsed() < Duration::from_secs(3), "took {:?}", since.elapsed());
        Ok(())
    }

    RECEIVE => async fn one_message_is_given_unless_more_are_asked_for(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        for _ in 0..3 {
            aws.send(&queue, "x", json!({})).await?;
        }
        ensure_eq!(aws.receive(&queue, json!({"WaitTimeSeconds": 5})).await?.len(), 1);
        Ok(())
    }

    RECEIVE => async fn at_most_as_many_as_asked_for_are_given_and_in_the_end_all(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let sent = futures::future::try_join_all((0..12).map(|n| send_one(&aws, &queue, n))).await?;
        let mut ids = Vec::new();
        while ids.len() < sent.len() {
            let some = aws.receive(&queue, json!({"MaxNumberOfMessages": 10, "WaitTimeSeconds": 5})).await?;
            ensure!((1..=10).contains(&some.len()), "{} messages in one answer", some.len());
            ids.extend(some.iter().map(|message| message["MessageId"].to_string()));
        }
        let mut sent: Vec<String> = sent.iter().map(|sent| sent["MessageId"].to_string()).collect();
        ids.sort();
        sent.sort();
        ensure_eq!(ids, sent);
        Ok(())
    }

    RECEIVE => async fn fewer_than_one_and_more_than_ten_messages_are_refused(aws: Aws) {
        for count in [-1, 0, 11] {
            let words = format!(
                "Value {count} for parameter MaxNumberOfMessages is invalid. Reason: Must be between \
                 1 and 10, if provided."
            );
            refused(&aws, json!({"MaxNumberOfMessages": count}), &words).await?;
        }
        Ok(())
    }

    RECEIVE => async fn a_wait_of_more_than_twenty_seconds_is_refused(aws: Aws) {
        for wait in [-1, 21] {
            let words = format!("Value {wait} for parameter WaitTimeSeconds is invalid.");
            refused(&aws, json!({"WaitTimeSeconds": wait}), &words).await?;
        }
        Ok(())
    }

    RECEIVE => async fn a_visibility_timeout_of_more_than_twelve_hours_is_refused(aws: Aws) {
        for timeout in [-1, 43_201] {
            let words = format!("Value {timeout} for parameter VisibilityTimeout is invalid.");
            refused(&aws, json!({"VisibilityTimeout": timeout}), &words).await?;
        }
        Ok(())
    }

    RECEIVE => async fn a_queue_that_is_not_there_is_refused(aws: Aws) {
        let mut queue = aws.queue("letters", json!({})).await?;
        queue.url.push_str("-missing");
        aws.sqs("ReceiveMessage", json!({"QueueUrl": queue.url}))
            .await?
            .refused(400, "QueueDoesNotExist")
    }

    RECEIVE => async fn a_long_poll_ends_with_the_arrival_of_a_message(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let since = Instant::now();
        let sending = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            aws.send(&queue, "awaited", json!({})).await
        };
        let receiving = aws.receive(&queue, json!({"WaitTimeSeconds": 20}));
        let (received, _) = futures::future::try_join(receiving, sending).await?;
        ensure_eq!(received.len(), 1, "messages");
        ensure!(since.elapsed() < Duration::from_secs(10), "took {:?}", since.elapsed());
        Ok(())
    }

    RECEIVE => async fn a_long_poll_does_not_wait_for_as_many_as_were_asked_for(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.send(&queue, "only", json!({})).await?;
        let since = Instant::now();
        let ask = json!({"WaitTimeSeconds": 20, "MaxNumberOfMessages": 10});
        ensure_eq!(aws.receive(&queue, ask).await?.len(), 1);
        ensure!(since.elapsed() < Duration::from_secs(10), "took {:?}", since.elapsed());
        Ok(())
    }

    RECEIVE => async fn a_long_poll_ends_when_a_delay_does(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.send(&queue, "awaited", json!({"DelaySeconds": 2})).await?;
        let since = Instant::now();
        let received = aws.receive(&queue, json!({"WaitTimeSeconds": 20})).await?;
        ensure_eq!(received.len(), 1, "messages");
        ensure!(since.elapsed() < Duration::from_secs(12), "took {:?}", since.elapsed());
        Ok(())
    }

    RECEIVE => async fn a_long_poll_of_an_empty_queue_lasts_as_long_as_was_asked(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let since = Instant::now();
        ensure_eq!(aws.receive(&queue, json!({"WaitTimeSeconds": 2})).await?, Vec::<Value>::new());
        let took = since.elapsed();
        ensure!(took >= Duration::from_millis(1900), "ended after {took:?}");
        ensure!(took < Duration::from_secs(8), "took {took:?}");
        Ok(())
    }

    RECEIVE => async fn the_queues_wait_holds_for_a_receive_without_one(aws: Aws) {
        let queue = aws.queue("letters", json!({"ReceiveMessageWaitTimeSeconds": "2"})).await?;
        let since = Instant::now();
        ensure_eq!(aws.receive(&queue, json!({})).await?, Vec::<Value>::new());
        ensure!(since.elapsed() >= Duration::from_millis(1900), "ended after {:?}", since.elapsed());
        Ok(())
    }

    RECEIVE => async fn a_wait_of_zero_overrules_the_queues(aws: Aws) {
        let queue = aws.queue("letters", json!({"ReceiveMessageWaitTimeSeconds": "20"})).await?;
        let since = Instant::now();
        ensure_eq!(aws.receive(&queue, json!({"WaitTimeSeconds": 0})).await?, Vec::<Value>::new());
        ensure!(since.elapsed() < Duration::from_secs(5), "took {:?}", since.elapsed());
        Ok(())
    }

    RECEIVE => async fn system_attributes_are_shown_only_when_asked_for(aws: Aws) {
        let message = asked(&aws, json!({})).await?;
        ensure!(message.get("Attributes").is_none_or(|shown| shown == &json!({})), "{message}");
        Ok(())
    }

    RECEIVE => async fn all_system_attributes_are_shown_by_all(aws: Aws) {
        let message = asked(&aws, json!({"MessageSystemAttributeNames": ["All"]})).await?;
        let mut names: Vec<&String> = message.at("/Attributes")?.as_object().into_iter().flatten().map(|(name, _)| name).collect();
        names.sort();
        ensure_eq!(names, [
            "ApproximateFirstReceiveTimestamp",
            "ApproximateReceiveCount",
            "SenderId",
            "SentTimestamp",
        ]);
        Ok(())
    }

    RECEIVE => async fn the_older_name_for_system_attributes_still_works(aws: Aws) {
        let message = asked(&aws, json!({"AttributeNames": ["ApproximateReceiveCount"]})).await?;
        ensure_eq!(message["Attributes"], json!({"ApproximateReceiveCount": "1"}));
        Ok(())
    }

    RECEIVE => async fn times_are_in_milliseconds(aws: Aws) {
        let before = SystemTime::UNIX_EPOCH.elapsed()?.as_millis();
        let message = asked(&aws, json!({"MessageSystemAttributeNames": ["All"]})).await?;
        for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp"] {
            let at: u128 = message.text_at(&format!("/Attributes/{name}"))?.parse()?;
            ensure!(at.abs_diff(before) < 60_000, "{name} is {at}, at {before}");
        }
        Ok(())
    }

    RECEIVE => async fn receives_are_counted_and_the_first_is_remembered(aws: Aws) {
        let queue = aws.queue("letters", json!({"VisibilityTimeout": "0"})).await?;
        aws.send(&queue, "again", json!({})).await?;
        let one = aws.received(&queue).await?;
        let other = aws.received(&queue).await?;
        ensure_eq!(one.text_at("/Attributes/ApproximateReceiveCount")?, "1");
        ensure_eq!(other.text_at("/Attributes/ApproximateReceiveCount")?, "2");
        let first = "/Attributes/ApproximateFirstReceiveTimestamp";
        ensure_eq!(one.at(first)?, other.at(first)?);
        ensure_eq!(one.at("/MessageId")?, other.at("/MessageId")?);
        ensure!(one["ReceiptHandle"] != other["ReceiptHandle"], "one handle for two receives");
        Ok(())
    }
}
