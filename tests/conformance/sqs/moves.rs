//! Moving dead letters back: tasks that are started, listed and cancelled.

use crate::prelude::*;

const START: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html";
const LIST: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html";
const CANCEL: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html";

/// A queue, its dead-letter queue, and a queue apart.
struct Place {
    source: Queue,
    dead: Queue,
    apart: Queue,
}

async fn place(aws: &Aws) -> Result<Place> {
    let dead = aws.queue("dead", json!({})).await?;
    let policy = json!({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1});
    let policy = json!({"RedrivePolicy": policy.to_string()});
    Ok(Place {
        source: aws.queue("source", policy).await?,
        apart: aws.queue("apart", json!({})).await?,
        dead,
    })
}

/// Sends messages and lets them die.
async fn kill(aws: &Aws, place: &Place, count: usize) -> Result {
    for number in 0..count {
        aws.send(&place.source, &number.to_string(), json!({}))
            .await?;
    }
    aws.poll(SOON, || async {
        let input = json!({"VisibilityTimeout": 0, "MaxNumberOfMessages": 10});
        aws.receive(&place.source, input).await?;
        let name = "ApproximateNumberOfMessages";
        let shown = aws.attributes(&place.dead.url, &[name]).await?;
        let shown = shown[name].as_str().and_then(|shown| shown.parse().ok());
        Ok((shown == Some(count)).then_some(()))
    })
    .await
}

async fn start(aws: &Aws, place: &Place, more: Value) -> Result<Reply> {
    let input = json!({"SourceArn": place.dead.arn});
    aws.sqs("StartMessageMoveTask", with(input, more)).await
}

/// The newest task, once it no longer runs.
async fn ended(aws: &Aws, place: &Place) -> Result<Value> {
    aws.poll(SOON, || async {
        let task = newest(aws, place).await?;
        Ok((task["Status"] != "RUNNING" && task["Status"] != "CANCELLING").then_some(task))
    })
    .await
}

async fn newest(aws: &Aws, place: &Place) -> Result<Value> {
    let input = json!({"SourceArn": place.dead.arn});
    let mut listed = aws.sqs("ListMessageMoveTasks", input).await?.ok()?;
    Ok(listed["Results"][0].take())
}

/// A text in base64, in AWS's alphabet.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, index| {
            bits << 8 | group.get(index).copied().map_or(0, usize::from)
        });
        for digit in 0..4 {
            let letter = ALPHABET[bits >> (18 - 6 * digit) & 63];
            encoded.push(if digit > group.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    encoded
}

/// A handle for a task that nobody started.
fn handle(source_arn: &str) -> String {
    let task = json!({"taskId": "10f57157-fc38-4da9-a113-4de7e12d05aa", "sourceArn": source_arn});
    base64(&task.to_string())
}

checks! {
    START => async fn dead_letters_go_back_to_where_they_came_from(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 1).await?;
        start(&aws, &place, json!({})).await?.ok()?;
        ensure_eq!(aws.received(&place.source).await?.text_at("/Body")?, "0");
        ensure_eq!(ended(&aws, &place).await?.text_at("/Status")?, "COMPLETED");
        Ok(())
    }

    START => async fn dead_letters_go_to_the_queue_that_is_named(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 1).await?;
        start(&aws, &place, json!({"DestinationArn": place.apart.arn})).await?.ok()?;
        ensure_eq!(aws.received(&place.apart).await?.text_at("/Body")?, "0");
        Ok(())
    }

    START => async fn a_moved_message_begins_anew(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 1).await?;
        start(&aws, &place, json!({"DestinationArn": place.apart.arn})).await?.ok()?;
        let moved = aws.received(&place.apart).await?;
        ensure_eq!(moved.text_at("/Attributes/ApproximateReceiveCount")?, "1");
        ensure!(moved.pointer("/Attributes/DeadLetterQueueSourceArn").is_none(), "{moved}");
        Ok(())
    }

    LIST => async fn a_finished_task_shows_what_it_did_and_has_no_handle(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 2).await?;
        start(&aws, &place, json!({"DestinationArn": place.apart.arn})).await?.ok()?;
        let mut task = ended(&aws, &place).await?;
        ensure!(task["StartedTimestamp"].as_i64() > Some(1_600_000_000_000), "{task}");
        task["StartedTimestamp"] = json!(0);
        ensure_eq!(task, json!({
            "Status": "COMPLETED",
            "SourceArn": place.dead.arn,
            "DestinationArn": place.apart.arn,
            "ApproximateNumberOfMessagesMoved": 2,
            "ApproximateNumberOfMessagesToMove": 2,
            "StartedTimestamp": 0,
        }));
        Ok(())
    }

    LIST => async fn a_running_task_shows_its_handle_and_its_rate(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 5).await?;
        let slowly = json!({"MaxNumberOfMessagesPerSecond": 1});
        let started = start(&aws, &place, slowly).await?.ok()?;
        let task = newest(&aws, &place).await?;
        ensure_eq!(task.text_at("/Status")?, "RUNNING");
        ensure_eq!(task.at("/TaskHandle")?, started.at("/TaskHandle")?);
        ensure_eq!(task.at("/MaxNumberOfMessagesPerSecond")?, &json!(1));
        ensure_eq!(task.at("/ApproximateNumberOfMessagesToMove")?, &json!(5));
        Ok(())
    }

    START => async fn one_task_runs_at_a_time(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 3).await?;
        let slowly = json!({"MaxNumberOfMessagesPerSecond": 1});
        start(&aws, &place, slowly.clone()).await?.ok()?;
        start(&aws, &place, slowly).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "There is already a task running. Only one active task is allowed for a source queue \
             arn at a given time.",
        )
    }

    CANCEL => async fn a_cancelled_task_leaves_the_rest_where_it_is(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 5).await?;
        let slowly = json!({"MaxNumberOfMessagesPerSecond": 1});
        let started = start(&aws, &place, slowly).await?.ok()?;
        aws.received(&place.source).await?;
        let input = json!({"TaskHandle": started["TaskHandle"]});
        let cancelled = aws.sqs("CancelMessageMoveTask", input).await?.ok()?;
        ensure!(cancelled["ApproximateNumberOfMessagesMoved"].is_i64(), "{cancelled}");
        let task = ended(&aws, &place).await?;
        ensure_eq!(task.text_at("/Status")?, "CANCELLED");
        ensure!(task.get("TaskHandle").is_none(), "{task}");
        aws.received(&place.dead).await?;
        Ok(())
    }

    LIST => async fn a_task_whose_destination_is_deleted_fails_and_says_why(aws: Aws) {
        let place = place(&aws).await?;
        kill(&aws, &place, 3).await?;
        let slowly = json!({"DestinationArn": place.apart.arn, "MaxNumberOfMessagesPerSecond": 1});
        start(&aws, &place, slowly).await?.ok()?;
        aws.sqs("DeleteQueue", json!({"QueueUrl": place.apart.url})).await?.ok()?;
        let task = ended(&aws, &place).await?;
        ensure_eq!(task.text_at("/Status")?, "FAILED");
        ensure_eq!(task.text_at("/FailureReason")?, "AWS.SimpleQueueService.NonExistentQueue");
        Ok(())
    }

    LIST => async fn the_newest_task_comes_first_and_alone_unless_more_are_asked_for(aws: Aws) {
        let place = place(&aws).await?;
        for _ in 0..2 {
            start(&aws, &place, json!({"DestinationArn": place.apart.arn})).await?.ok()?;
            ended(&aws, &place).await?;
        }
        let input = json!({"SourceArn": place.dead.arn});
        let one = aws.sqs("ListMessageMoveTasks", input.clone()).await?.ok()?;
        ensure_eq!(one.list_at("/Results").len(), 1);
        let more = with(input, json!({"MaxResults": 10}));
        let two = aws.sqs("ListMessageMoveTasks", more).await?.ok()?;
        ensure_eq!(two.list_at("/Results").len(), 2);
        ensure!(
            two["Results"][0]["StartedTimestamp"].as_i64() >= two["Results"][1]["StartedTimestamp"].as_i64(),
            "{two}"
        );
        Ok(())
    }

    START => async fn a_queue_that_gets_no_dead_letters_is_refused_as_source(aws: Aws) {
        let place = place(&aws).await?;
        let input = json!({"SourceArn": place.apart.arn, "DestinationArn": place.dead.arn});
        aws.sqs("StartMessageMoveTask", input).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "Source queue must be configured as a Dead Letter Queue.",
        )
    }

    START => async fn a_source_that_is_not_there_is_refused(aws: Aws) {
        let place = place(&aws).await?;
        let input = json!({"SourceArn": format!("{}-gone", place.dead.arn)});
        aws.sqs("StartMessageMoveTask", input).await?.refused_saying(
            404,
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        )
    }

    START => async fn a_destination_that_is_not_there_is_refused(aws: Aws) {
        let place = place(&aws).await?;
        let gone = json!({"DestinationArn": format!("{}-gone", place.apart.arn)});
        start(&aws, &place, gone).await?.refused_saying(
            404,
            "ResourceNotFoundException",
            "The resource that you specified for the DestinationArn parameter doesn't exist.",
        )
    }

    START => async fn a_rate_is_from_1_to_500(aws: Aws) {
        let place = place(&aws).await?;
        for rate in [0, 501] {
            let reply = start(&aws, &place, json!({"MaxNumberOfMessagesPerSecond": rate})).await?;
            reply.refused(400, "InvalidParameterValueException")?;
        }
        Ok(())
    }

    LIST => async fn an_arn_that_is_none_is_refused(aws: Aws) {
        let reply = aws.sqs("ListMessageMoveTasks", json!({"SourceArn": "garbage"})).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "SourceArn")
    }

    CANCEL => async fn a_handle_that_is_none_is_refused(aws: Aws) {
        aws.sqs("CancelMessageMoveTask", json!({"TaskHandle": "foobared"})).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "Value for parameter TaskHandle is invalid.",
        )
    }

    CANCEL => async fn a_handle_of_a_queue_that_is_not_there_is_refused(aws: Aws) {
        let place = place(&aws).await?;
        let input = json!({"TaskHandle": handle(&format!("{}-gone", place.dead.arn))});
        aws.sqs("CancelMessageMoveTask", input).await?.refused_saying(
            404,
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        )
    }

    CANCEL => async fn a_handle_of_a_task_that_is_not_there_is_refused(aws: Aws) {
        let place = place(&aws).await?;
        let input = json!({"TaskHandle": handle(&place.dead.arn)});
        aws.sqs("CancelMessageMoveTask", input).await?.refused_saying(
            404,
            "ResourceNotFoundException",
            "Task does not exist.",
        )
    }
}
