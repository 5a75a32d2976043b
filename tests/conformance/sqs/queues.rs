//! Making, finding, listing, purging and deleting queues.

use super::pages::*;
use crate::prelude::*;

async fn named(aws: &Aws, name: &str, attributes: Value) -> Result<Reply> {
    aws.sqs(
        "CreateQueue",
        json!({"QueueName": name, "Attributes": attributes}),
    )
    .await
}

async fn listed(aws: &Aws, input: Value) -> Result<Vec<String>> {
    let reply = aws.sqs("ListQueues", input).await?.ok()?;
    let urls = reply.list_at("/QueueUrls").iter();
    Ok(urls
        .filter_map(|url| url.as_str().map(ToOwned::to_owned))
        .collect())
}

checks! {
    CREATE => async fn making_a_queue_again_gives_the_same_url(aws: Aws) {
        let queue = aws.queue("letters", json!({"VisibilityTimeout": "40"})).await?;
        let again = named(&aws, &queue.name, json!({"VisibilityTimeout": "40"})).await?.ok()?;
        ensure_eq!(again.text_at("/QueueUrl")?, queue.url);
        Ok(())
    }

    CREATE => async fn making_a_queue_again_without_attributes_gives_the_same_url(aws: Aws) {
        let queue = aws.queue("letters", json!({"DelaySeconds": "4"})).await?;
        let again = named(&aws, &queue.name, json!({})).await?.ok()?;
        ensure_eq!(again.text_at("/QueueUrl")?, queue.url);
        let attributes = aws.attributes(&queue.url, &["DelaySeconds"]).await?;
        ensure_eq!(attributes, json!({"DelaySeconds": "4"}));
        Ok(())
    }

    CREATE => async fn making_a_queue_again_with_a_default_spelled_out_gives_the_same_url(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let again = named(&aws, &queue.name, json!({"VisibilityTimeout": "30"})).await?.ok()?;
        ensure_eq!(again.text_at("/QueueUrl")?, queue.url);
        Ok(())
    }

    CREATE => async fn a_queue_that_is_there_with_another_attribute_is_refused_by_its_name(aws: Aws) {
        let queue = aws.queue("letters", json!({"DelaySeconds": "1"})).await?;
        named(&aws, &queue.name, json!({"DelaySeconds": "2"})).await?.refused_saying(
            400,
            "QueueNameExists",
            "A queue already exists with the same name and a different value for attribute DelaySeconds",
        )
    }

    CREATE => async fn a_queue_whose_attribute_was_changed_since_is_not_the_same_queue(aws: Aws) {
        let queue = aws.queue("letters", json!({"DelaySeconds": "1"})).await?;
        let change = json!({"QueueUrl": queue.url, "Attributes": {"DelaySeconds": "2"}});
        aws.sqs("SetQueueAttributes", change).await?.ok()?;
        named(&aws, &queue.name, json!({"DelaySeconds": "1"})).await?.refused(400, "QueueNameExists")
    }

    CREATE => async fn a_name_of_eighty_characters_is_taken(aws: Aws) {
        let name = aws.name("long");
        let name = format!("{name}-{}", "x".repeat(79 - name.len()));
        ensure_eq!(name.len(), 80);
        let made = named(&aws, &name, json!({})).await?.ok()?;
        ensure!(made.text_at("/QueueUrl")?.ends_with(&name), "{made}");
        Ok(())
    }

    CREATE => async fn a_name_of_eighty_one_characters_is_refused(aws: Aws) {
        named(&aws, &"x".repeat(81), json!({})).await?.refused(400, "InvalidParameterValue")
    }

    CREATE => async fn a_name_with_other_characters_is_refused_in_awss_words(aws: Aws) {
        for name in ["two words", "a.b", "a!b", "a/b", "straße"] {
            named(&aws, name, json!({})).await?.refused_saying(
                400,
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            )?;
        }
        Ok(())
    }

    CREATE => async fn an_empty_name_is_refused(aws: Aws) {
        named(&aws, "", json!({}))
            .await?
            .refused_as_one_of(400, &["MissingParameter", "InvalidParameterValue"])
    }

    CREATE => async fn a_missing_name_is_refused(aws: Aws) {
        aws.sqs("CreateQueue", json!({}))
            .await?
            .refused_as_one_of(400, &["MissingParameter", "InvalidParameterValue"])
    }

    CREATE => async fn a_fifo_name_without_the_attribute_is_refused(aws: Aws) {
        let name = format!("{}.fifo", aws.name("letters"));
        named(&aws, &name, json!({})).await?.refused(400, "InvalidParameterValue")
    }

    CREATE => async fn a_fifo_queue_without_its_suffix_is_refused(aws: Aws) {
        let name = aws.name("letters");
        named(&aws, &name, json!({"FifoQueue": "true"})).await?.refused(400, "InvalidParameterValue")
    }

    CREATE => async fn names_differ_by_case(aws: Aws) {
        let base = aws.name("case");
        let lower = aws.queue_named(base.clone(), json!({"DelaySeconds": "1"})).await?;
        let upper = aws.queue_named(base.to_uppercase(), json!({"DelaySeconds": "2"})).await?;
        ensure!(lower.url != upper.url, "one queue for two names: {}", lower.url);
        Ok(())
    }

    CREATE => async fn tags_can_be_given_with_the_queue(aws: Aws) {
        let input = json!({"QueueName": aws.name("letters"), "tags": {"team": "post"}});
        let made = aws.sqs("CreateQueue", input).await?.ok()?;
        let tags = aws.sqs("ListQueueTags", json!({"QueueUrl": made["QueueUrl"]})).await?.ok()?;
        ensure_eq!(tags["Tags"], json!({"team": "post"}));
        Ok(())
    }

    CREATE => async fn the_url_ends_with_account_and_name_and_the_arn_has_both(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let parts: Vec<&str> = queue.arn.split(':').collect();
        ensure_eq!(parts[..3], ["arn", "aws", "sqs"]);
        ensure_eq!(parts[5], queue.name);
        let tail = format!("/{}/{}", parts[4], queue.name);
        ensure!(queue.url.ends_with(&tail), "{} does not end with {tail}", queue.url);
        Ok(())
    }

    CREATE => async fn a_name_is_not_free_within_a_minute_of_its_queues_deletion(aws: Aws) {
        let queue = aws.queue("brief", json!({})).await?;
        aws.sqs("DeleteQueue", json!({"QueueUrl": queue.url})).await?.ok()?;
        named(&aws, &queue.name, json!({})).await?.refused(400, "QueueDeletedRecently")
    }

    URL => async fn a_queue_is_found_by_its_name(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let found = aws.sqs("GetQueueUrl", json!({"QueueName": queue.name})).await?.ok()?;
        ensure_eq!(found.text_at("/QueueUrl")?, queue.url);
        Ok(())
    }

    URL => async fn a_queue_is_found_with_its_owners_account(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let account = queue.arn.split(':').nth(4).unwrap_or_default();
        let input = json!({"QueueName": queue.name, "QueueOwnerAWSAccountId": account});
        let found = aws.sqs("GetQueueUrl", input).await?.ok()?;
        ensure_eq!(found.text_at("/QueueUrl")?, queue.url);
        Ok(())
    }

    URL => async fn a_name_that_is_not_there_is_refused(aws: Aws) {
        aws.sqs("GetQueueUrl", json!({"QueueName": aws.name("missing")})).await?.refused_saying(
            400,
            "QueueDoesNotExist",
            "The specified queue does not exist",
        )
    }

    LIST => async fn queues_are_listed_by_prefix(aws: Aws) {
        let base = aws.name("listed");
        let mut made = Vec::new();
        for tail in ["a", "b"] {
            made.push(aws.queue_named(format!("{base}-{tail}"), json!({})).await?.url);
        }
        let mut found = listed(&aws, json!({"QueueNamePrefix": base})).await?;
        found.sort();
        ensure_eq!(found, made);
        ensure_eq!(listed(&aws, json!({"QueueNamePrefix": format!("{base}-b")})).await?, made[1..]);
        Ok(())
    }

    LIST => async fn a_prefix_differs_by_case(aws: Aws) {
        let base = aws.name("listed");
        aws.queue_named(base.clone(), json!({})).await?;
        let found = listed(&aws, json!({"QueueNamePrefix": base.to_uppercase()})).await?;
        ensure_eq!(found, Vec::<String>::new());
        Ok(())
    }

    LIST => async fn pages_hold_every_queue_once(aws: Aws) {
        let base = aws.name("paged");
        let mut made = Vec::new();
        for number in 0..5 {
            made.push(aws.queue_named(format!("{base}-{number}"), json!({})).await?.url);
        }
        let mut found = Vec::new();
        let mut token = Value::Null;
        for _ in 0..5 {
            let mut input = json!({"QueueNamePrefix": base, "MaxResults": 2});
            if !token.is_null() {
                input["NextToken"] = token;
            }
            let mut page = aws.sqs("ListQueues", input).await?.ok()?;
            ensure!(page.list_at("/QueueUrls").len() <= 2, "more than asked for: {page}");
            found.extend(page.list_at("/QueueUrls").iter().cloned());
            token = page["NextToken"].take();
            if token.is_null() {
                break;
            }
        }
        let mut found: Vec<&str> = found.iter().filter_map(Value::as_str).collect();
        found.sort_unstable();
        ensure_eq!(found, made);
        Ok(())
    }

    LIST => async fn no_token_is_given_unless_a_size_was_asked_for(aws: Aws) {
        let queue = aws.queue("listed", json!({})).await?;
        let page = aws.sqs("ListQueues", json!({"QueueNamePrefix": queue.name})).await?.ok()?;
        ensure!(page.get("NextToken").is_none_or(Value::is_null), "a token: {page}");
        Ok(())
    }

    LIST => async fn a_page_of_more_than_a_thousand_is_refused(aws: Aws) {
        for size in [0, 1001] {
            aws.sqs("ListQueues", json!({"MaxResults": size}))
                .await?
                .refused(400, "InvalidParameterValue")?;
        }
        Ok(())
    }

    DELETE_QUEUE => async fn a_deleted_queue_is_gone_for_every_call(aws: Aws) {
        let queue = aws.queue("brief", json!({})).await?;
        aws.sqs("DeleteQueue", json!({"QueueUrl": queue.url})).await?.ok()?;
        for (operation, more) in [
            ("SendMessage", json!({"MessageBody": "late"})),
            ("ReceiveMessage", json!({})),
            ("GetQueueAttributes", json!({"AttributeNames": ["All"]})),
            ("DeleteQueue", json!({})),
        ] {
            aws.sqs(operation, with(json!({"QueueUrl": queue.url}), more))
                .await?
                .refused(400, "QueueDoesNotExist")?;
        }
        aws.sqs("GetQueueUrl", json!({"QueueName": queue.name}))
            .await?
            .refused(400, "QueueDoesNotExist")?;
        ensure_eq!(listed(&aws, json!({"QueueNamePrefix": queue.name})).await?, Vec::<String>::new());
        Ok(())
    }

    DELETE_QUEUE => async fn a_queue_with_messages_is_deleted_all_the_same(aws: Aws) {
        let queue = aws.queue("brief", json!({})).await?;
        aws.send(&queue, "left behind", json!({})).await?;
        aws.sqs("DeleteQueue", json!({"QueueUrl": queue.url})).await?.ok()?;
        Ok(())
    }

    PURGE => async fn a_purge_takes_waiting_delayed_and_leased_messages(aws: Aws) {
        let queue = aws.queue("letters", json!({"VisibilityTimeout": "1"})).await?;
        aws.send(&queue, "leased", json!({})).await?;
        aws.received(&queue).await?;
        aws.send(&queue, "waiting", json!({})).await?;
        aws.send(&queue, "delayed", json!({"DelaySeconds": 1})).await?;
        aws.sqs("PurgeQueue", json!({"QueueUrl": queue.url})).await?.ok()?;
        let left = aws.receive(&queue, json!({"WaitTimeSeconds": 3})).await?;
        ensure_eq!(left, Vec::<Value>::new());
        Ok(())
    }

    PURGE => async fn a_second_purge_within_a_minute_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.sqs("PurgeQueue", json!({"QueueUrl": queue.url})).await?.ok()?;
        aws.sqs("PurgeQueue", json!({"QueueUrl": queue.url})).await?.refused_saying(
            403,
            "PurgeQueueInProgress",
            &format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name),
        )
    }

    PURGE => async fn a_queue_that_is_not_there_cannot_be_purged(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.sqs("PurgeQueue", json!({"QueueUrl": format!("{}-missing", queue.url)}))
            .await?
            .refused(400, "QueueDoesNotExist")
    }

    COMMON_ERRORS => async fn an_operation_that_is_not_there_is_refused(aws: Aws) {
        let reply = aws.sqs("BorrowQueue", json!({})).await?;
        ensure!((400..500).contains(&reply.status), "answered {}: {}", reply.status, reply.body);
        ensure!(
            ["UnknownOperationException", "InvalidAction"].contains(&reply.code()),
            "answered {}",
            reply.body
        );
        Ok(())
    }

    COMMON_ERRORS => async fn a_body_that_is_no_json_is_refused(aws: Aws) {
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.ListQueues"),
        ];
        let answer = aws.client().post("sqs", "/", &headers, "{\"MaxResults\":").await?;
        Reply::read("ListQueues", answer)?.refused(400, "SerializationException")
    }
}
