//! Dead-letter queues: what a redrive policy may say, what it does, and who may use a queue so.

use crate::prelude::*;

const QUEUES: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html";
const SET: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html";
const CREATE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html";
const RECEIVE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html";
const SOURCES: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html";

fn redrive(target: &str, count: impl Into<Value>) -> Value {
    let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": count.into()});
    json!({"RedrivePolicy": policy.to_string()})
}

async fn set(aws: &Aws, queue: &Queue, attributes: Value) -> Result<Reply> {
    let input = json!({"QueueUrl": queue.url, "Attributes": attributes});
    aws.sqs("SetQueueAttributes", input).await
}

/// A queue whose messages are dead after one receive, and its dead-letter queue.
async fn pair(aws: &Aws) -> Result<(Queue, Queue)> {
    let dead = aws.queue("dead", json!({})).await?;
    let source = aws.queue("source", redrive(&dead.arn, 1)).await?;
    Ok((source, dead))
}

/// A receive that leaves the message visible.
async fn glance(aws: &Aws, queue: &Queue) -> Result<Vec<Value>> {
    aws.receive(queue, json!({"VisibilityTimeout": 0, "WaitTimeSeconds": 1}))
        .await
}

async fn sources(aws: &Aws, queue: &Queue, more: Value) -> Result<Value> {
    let input = with(json!({"QueueUrl": queue.url}), more);
    aws.sqs("ListDeadLetterSourceQueues", input).await?.ok()
}

checks! {
    QUEUES => async fn a_message_received_too_often_moves_with_its_id_and_attributes(aws: Aws) {
        let (source, dead) = pair(&aws).await?;
        let attributes = json!({"a": {"DataType": "String", "StringValue": "x"}});
        let sent = aws.send(&source, "bad", json!({"MessageAttributes": attributes})).await?;
        ensure_eq!(glance(&aws, &source).await?.len(), 1);
        ensure_eq!(glance(&aws, &source).await?.len(), 0);
        let letter = aws.received(&dead).await?;
        ensure_eq!(letter.text_at("/Body")?, "bad");
        ensure_eq!(letter.at("/MessageId")?, sent.at("/MessageId")?);
        ensure_eq!(letter.at("/MessageAttributes")?, &attributes);
        Ok(())
    }

    RECEIVE => async fn a_dead_letter_names_the_queue_it_came_from(aws: Aws) {
        let (source, dead) = pair(&aws).await?;
        aws.send(&source, "bad", json!({})).await?;
        glance(&aws, &source).await?;
        glance(&aws, &source).await?;
        let letter = aws.received(&dead).await?;
        ensure_eq!(letter.text_at("/Attributes/DeadLetterQueueSourceArn")?, source.arn);
        Ok(())
    }

    RECEIVE => async fn what_was_sent_to_the_dead_letter_queue_itself_names_none(aws: Aws) {
        let (_, dead) = pair(&aws).await?;
        aws.send(&dead, "direct", json!({})).await?;
        let message = aws.received(&dead).await?;
        ensure!(message.pointer("/Attributes/DeadLetterQueueSourceArn").is_none(), "{message}");
        Ok(())
    }

    QUEUES => async fn a_standard_dead_letter_keeps_the_time_of_its_sending(aws: Aws) {
        let (source, dead) = pair(&aws).await?;
        aws.send(&source, "bad", json!({})).await?;
        let names = json!({"MessageSystemAttributeNames": ["SentTimestamp"], "VisibilityTimeout": 0});
        let first = aws.receive(&source, with(names, json!({"WaitTimeSeconds": 2}))).await?;
        glance(&aws, &source).await?;
        let letter = aws.received(&dead).await?;
        ensure_eq!(
            first.first().map(|m| &m["Attributes"]["SentTimestamp"]),
            Some(letter.at("/Attributes/SentTimestamp")?)
        );
        Ok(())
    }

    QUEUES => async fn a_message_stays_until_its_receives_are_used_up(aws: Aws) {
        let dead = aws.queue("dead", json!({})).await?;
        let source = aws.queue("source", redrive(&dead.arn, 3)).await?;
        aws.send(&source, "bad", json!({})).await?;
        for _ in 0..3 {
            ensure_eq!(glance(&aws, &source).await?.len(), 1);
        }
        ensure_eq!(glance(&aws, &source).await?.len(), 0);
        ensure_eq!(aws.received(&dead).await?.text_at("/Body")?, "bad");
        Ok(())
    }

    QUEUES => async fn a_dead_letter_of_a_group_makes_way_for_the_next(aws: Aws) {
        let by_content = json!({"ContentBasedDeduplication": "true"});
        let dead = aws.fifo("dead", by_content.clone()).await?;
        let source = aws.fifo("source", with(by_content, redrive(&dead.arn, 1))).await?;
        let sent = aws.send(&source, "bad", json!({"MessageGroupId": "a"})).await?;
        aws.send(&source, "good", json!({"MessageGroupId": "a"})).await?;
        ensure_eq!(glance(&aws, &source).await?[0].text_at("/Body")?, "bad");
        ensure_eq!(aws.received(&source).await?.text_at("/Body")?, "good");
        let letter = aws.received(&dead).await?;
        ensure_eq!(letter.at("/MessageId")?, sent.at("/MessageId")?);
        ensure_eq!(letter.text_at("/Attributes/MessageGroupId")?, "a");
        Ok(())
    }

    SET => async fn a_count_may_be_a_number_or_a_text(aws: Aws) {
        let (source, dead) = pair(&aws).await?;
        for count in [json!(5), json!("7")] {
            set(&aws, &source, redrive(&dead.arn, count)).await?.ok()?;
        }
        let shown = aws.attributes(&source.url, &["RedrivePolicy"]).await?;
        let policy: Value = serde_json::from_str(shown.text_at("/RedrivePolicy")?)?;
        ensure_eq!(policy, json!({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 7}));
        Ok(())
    }

    SET => async fn an_empty_policy_takes_the_policy_away(aws: Aws) {
        let (source, _) = pair(&aws).await?;
        set(&aws, &source, json!({"RedrivePolicy": ""})).await?.ok()?;
        let shown = aws.attributes(&source.url, &["All"]).await?;
        ensure!(shown.get("RedrivePolicy").is_none(), "{shown}");
        Ok(())
    }

    SET => async fn a_policy_without_target_or_count_is_refused(aws: Aws) {
        let (source, dead) = pair(&aws).await?;
        let half = |name: &str, value: Value| json!({"RedrivePolicy": json!({name: value}).to_string()});
        for attributes in [
            half("deadLetterTargetArn", json!(dead.arn)),
            half("maxReceiveCount", json!(3)),
        ] {
            let reply = set(&aws, &source, attributes).await?;
            reply.refused_saying(400, "InvalidParameterValueException", "RedrivePolicy")?;
        }
        Ok(())
    }

    SET => async fn a_count_is_from_1_to_1000(aws: Aws) {
        let (source, dead) = pair(&aws).await?;
        for count in [json!(0), json!(1001), json!("many")] {
            let reply = set(&aws, &source, redrive(&dead.arn, count)).await?;
            reply.refused_saying(400, "InvalidParameterValueException", "maxReceiveCount")?;
        }
        set(&aws, &source, redrive(&dead.arn, 1000)).await?.ok()?;
        Ok(())
    }

    CREATE => async fn a_target_that_is_no_arn_is_refused_in_awss_words(aws: Aws) {
        let input = json!({"QueueName": aws.name("source"), "Attributes": redrive("dummy", 42)});
        aws.sqs("CreateQueue", input).await?.refused_saying(
            400,
            "InvalidParameterValueException",
            "for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn.",
        )
    }

    CREATE => async fn a_target_that_is_not_there_is_refused(aws: Aws) {
        let (_, dead) = pair(&aws).await?;
        let target = format!("{}-gone", dead.arn);
        let input = json!({"QueueName": aws.name("source"), "Attributes": redrive(&target, 3)});
        let reply = aws.sqs("CreateQueue", input).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "RedrivePolicy")
    }

    QUEUES => async fn source_and_target_are_of_one_kind(aws: Aws) {
        let standard = aws.queue("letters", json!({})).await?;
        let fifo = aws.fifo("line", json!({})).await?;
        for (source, target) in [(&standard, &fifo), (&fifo, &standard)] {
            let reply = set(&aws, source, redrive(&target.arn, 3)).await?;
            reply.refused_saying(400, "InvalidParameterValueException", "RedrivePolicy")?;
        }
        Ok(())
    }

    SET => async fn a_queue_that_denies_all_takes_no_dead_letters(aws: Aws) {
        let deny = json!({"RedriveAllowPolicy": json!({"redrivePermission": "denyAll"}).to_string()});
        let dead = aws.queue("dead", deny).await?;
        let source = aws.queue("source", json!({})).await?;
        let reply = set(&aws, &source, redrive(&dead.arn, 3)).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "RedrivePolicy")
    }

    SET => async fn a_queue_may_take_dead_letters_of_the_queues_it_names(aws: Aws) {
        let source = aws.queue("source", json!({})).await?;
        let other = aws.queue("other", json!({})).await?;
        let allow = json!({"redrivePermission": "byQueue", "sourceQueueArns": [source.arn]});
        let allow = json!({"RedriveAllowPolicy": allow.to_string()});
        let dead = aws.queue("dead", allow).await?;
        set(&aws, &source, redrive(&dead.arn, 3)).await?.ok()?;
        let reply = set(&aws, &other, redrive(&dead.arn, 3)).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "RedrivePolicy")
    }

    SET => async fn at_most_ten_queues_are_named(aws: Aws) {
        let dead = aws.queue("dead", json!({})).await?;
        let arns: Vec<String> = (0..11).map(|n| format!("{}-{n}", dead.arn)).collect();
        let allow = json!({"redrivePermission": "byQueue", "sourceQueueArns": arns});
        let reply = set(&aws, &dead, json!({"RedriveAllowPolicy": allow.to_string()})).await?;
        reply.refused_saying(400, "InvalidParameterValueException", "RedriveAllowPolicy")
    }

    SET => async fn another_permission_is_refused(aws: Aws) {
        let dead = aws.queue("dead", json!({})).await?;
        let allow = json!({"redrivePermission": "some"});
        let reply = set(&aws, &dead, json!({"RedriveAllowPolicy": allow.to_string()})).await?;
        reply.refused_as_one_of(400, &["InvalidParameterValueException", "InvalidAttributeValue"])
    }

    SOURCES => async fn the_sources_of_a_queue_are_listed(aws: Aws) {
        let (first, dead) = pair(&aws).await?;
        let second = aws.queue("source", redrive(&dead.arn, 2)).await?;
        let listed = sources(&aws, &dead, json!({})).await?;
        let mut urls: Vec<&str> = listed.list_at("/queueUrls").iter().filter_map(Value::as_str).collect();
        urls.sort_unstable();
        let mut expected = [first.url.as_str(), second.url.as_str()];
        expected.sort_unstable();
        ensure_eq!(urls, expected);
        ensure!(listed.get("NextToken").is_none(), "{listed}");
        Ok(())
    }

    SOURCES => async fn pages_of_sources_hold_each_once(aws: Aws) {
        let (first, dead) = pair(&aws).await?;
        let second = aws.queue("source", redrive(&dead.arn, 2)).await?;
        let page = sources(&aws, &dead, json!({"MaxResults": 1})).await?;
        let token = page.text_at("/NextToken")?;
        let rest = sources(&aws, &dead, json!({"MaxResults": 1, "NextToken": token})).await?;
        let mut urls = [page.text_at("/queueUrls/0")?, rest.text_at("/queueUrls/0")?];
        urls.sort_unstable();
        let mut expected = [first.url.as_str(), second.url.as_str()];
        expected.sort_unstable();
        ensure_eq!(urls, expected);
        Ok(())
    }

    SOURCES => async fn a_queue_without_sources_lists_none(aws: Aws) {
        let (source, _) = pair(&aws).await?;
        ensure_eq!(sources(&aws, &source, json!({})).await?.list_at("/queueUrls").len(), 0);
        Ok(())
    }

    SOURCES => async fn a_queue_that_is_not_there_has_no_sources(aws: Aws) {
        let (source, _) = pair(&aws).await?;
        let input = json!({"QueueUrl": format!("{}-gone", source.url)});
        let reply = aws.sqs("ListDeadLetterSourceQueues", input).await?;
        reply.refused(400, "QueueDoesNotExist")
    }
}
