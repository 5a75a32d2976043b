//! Publishing several messages in one call.

use super::support::{Attribute, attributes, bodies, messages, pair};
use crate::prelude::*;

const BATCH: &str = "https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html";

/// Publishes entries, each of them its fields.
async fn batch(aws: &Aws, topic: &Topic, given: &[Vec<(String, String)>]) -> Result<XmlReply> {
    let mut fields = vec![("TopicArn".to_owned(), topic.arn.clone())];
    for (place, entry) in (1..).zip(given) {
        for (name, value) in entry {
            let name = format!("PublishBatchRequestEntries.member.{place}.{name}");
            fields.push((name, value.clone()));
        }
    }
    aws.sns("PublishBatch", &borrowed(&fields)).await
}

fn entry(id: &str, message: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    [&[("Id", id), ("Message", message)], more]
        .concat()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

checks! {
    BATCH => async fn each_entry_is_answered_and_delivered(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "true")]).await?;
        let entries = [
            [entry("1", "one", &[("Subject", "s")]), attributes("", &[Attribute("n", "Number", "19.12")])].concat(),
            entry("2", "two", &[]),
            entry("3", r#"{"default":"usual","sqs":"three"}"#, &[("MessageStructure", "json")]),
        ];
        let reply = batch(&aws, &pair.topic, &entries).await?.ok()?;
        let mut ids = reply.all("Successful/member/Id");
        ids.sort_unstable();
        ensure_eq!(ids, ["1", "2", "3"]);
        ensure_eq!(reply.all("Successful/member/MessageId").len(), 3);
        ensure!(reply.all("Failed/member").is_empty(), "{}", reply.raw);
        let found = messages(&aws, &pair.queue, 3).await?;
        let mut bodies: Vec<_> = found.iter().filter_map(|it| it["Body"].as_str()).collect();
        bodies.sort_unstable();
        ensure_eq!(bodies, ["one", "three", "two"]);
        let one = found.iter().find(|it| it["Body"] == "one");
        let value = one.and_then(|it| it.pointer("/MessageAttributes/n/StringValue"));
        ensure_eq!(value, Some(&json!("19.12")));
        Ok(())
    }

    BATCH => async fn ten_entries_are_the_most(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let entries: Vec<_> = (0..11).map(|id| entry(&format!("Id_{id}"), "m", &[])).collect();
        batch(&aws, &topic, &entries[..10]).await?.ok()?;
        batch(&aws, &topic, &entries).await?.refused_saying(
            400,
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible.",
        )
    }

    BATCH => async fn a_batch_without_entries_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        batch(&aws, &topic, &[]).await?.refused(400, "EmptyBatchRequest")
    }

    BATCH => async fn ids_are_distinct(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        batch(&aws, &topic, &[entry("1", "m", &[]), entry("1", "m", &[])]).await?.refused_saying(
            400,
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        )
    }

    BATCH => async fn an_id_is_80_letters_digits_hyphens_and_underscores_at_most(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        batch(&aws, &topic, &[entry(&"a".repeat(80), "m", &[])]).await?.ok()?;
        for id in ["a b", "a.b", &"a".repeat(81)] {
            batch(&aws, &topic, &[entry(id, "m", &[])]).await?.refused(400, "InvalidBatchEntryId")?;
        }
        Ok(())
    }

    BATCH => async fn an_unknown_topic_is_not_found(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let other = Topic { arn: format!("{}fake", topic.arn), ..topic };
        batch(&aws, &other, &[entry("1", "m", &[("Subject", "s")])]).await?
            .refused_saying(404, "NotFound", "Topic does not exist")
    }

    BATCH => async fn a_batch_may_have_256_kib_altogether(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let half = 131_072;
        let fits = [entry("1", &"a".repeat(half), &[]), entry("2", &"b".repeat(half), &[])];
        batch(&aws, &topic, &fits).await?.ok()?;
        let long = [entry("1", &"a".repeat(half), &[]), entry("2", &"b".repeat(half + 1), &[])];
        batch(&aws, &topic, &long).await?.refused_saying(
            400,
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
        )
    }

    BATCH => async fn attributes_count_into_a_batchs_size(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let room = 262_144 - "attr1Number1".len();
        let first = |length: usize| {
            [entry("1", &"a".repeat(length), &[]), attributes("", &[Attribute("attr1", "Number", "1")])].concat()
        };
        batch(&aws, &topic, &[first(room - 1), entry("2", "b", &[])]).await?.ok()?;
        batch(&aws, &topic, &[first(room), entry("2", "b", &[])]).await?.refused(400, "BatchRequestTooLong")
    }

    BATCH => async fn an_attribute_of_a_wrong_form_fails_the_whole_call(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "true")]).await?;
        for (given, words) in [
            (Attribute("attr1", "InvalidType", "x"), "has an invalid message attribute type"),
            (Attribute("attr1", "String", ""), "must contain non-empty message attribute value"),
            (Attribute("a^", "String", "x"), "Invalid non-alphanumeric character '#x5E'"),
        ] {
            let wrong = [entry("1", "wrong", &[]), attributes("", &[given])].concat();
            batch(&aws, &pair.topic, &[wrong, entry("3", "right", &[])]).await?
                .refused_saying(400, "ParameterValueInvalid", words)?;
        }
        ensure!(bodies(&aws, &pair.queue, 0).await?.is_empty(), "something was published");
        Ok(())
    }

    BATCH => async fn an_attribute_without_a_type_is_named_with_its_entry(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let untyped = entry("1", "m", &[
            ("MessageAttributes.entry.1.Name", "attr1"),
            ("MessageAttributes.entry.1.Value.StringValue", "x"),
        ]);
        batch(&aws, &topic, &[untyped]).await?.refused_saying(
            400,
            "ValidationError",
            "Value null at 'publishBatchRequestEntries.1.member.messageAttributes.attr1.member.dataType' failed to satisfy constraint: Member must not be null",
        )
    }

    BATCH => async fn an_entry_for_each_protocol_needs_a_default(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let lacking = entry("1", r#"{"sqs":"text"}"#, &[("MessageStructure", "json")]);
        batch(&aws, &topic, &[lacking]).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        )
    }

    BATCH => async fn an_entry_to_a_fifo_topic_needs_a_group(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        batch(&aws, &topic, &[entry("1", "m", &[])]).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        )
    }

    BATCH => async fn an_entry_to_a_fifo_topic_needs_a_way_to_tell_duplicates(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        batch(&aws, &topic, &[entry("1", "m", &[("MessageGroupId", "g")])]).await?.refused_saying(
            400,
            "InvalidParameter",
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        )
    }

    BATCH => async fn a_batch_published_again_to_a_fifo_topic_is_answered_as_before(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let queue = aws.fifo("work", json!({})).await?;
        aws.subscribed(&topic, &queue, &[("RawMessageDelivery", "true")]).await?;
        let entries: Vec<_> = ["one", "two", "three"]
            .iter()
            .map(|text| entry(text, text, &[("MessageGroupId", "g"), ("MessageDeduplicationId", text)]))
            .collect();
        let first = batch(&aws, &topic, &entries).await?.ok()?;
        ensure_eq!(first.all("Successful/member/SequenceNumber").len(), 3);
        let again = batch(&aws, &topic, &entries).await?.ok()?;
        for field in ["MessageId", "SequenceNumber"] {
            let path = format!("Successful/member/{field}");
            ensure_eq!(again.all(&path), first.all(&path), "{field}");
        }
        let found = messages(&aws, &queue, 3).await?;
        let bodies: Vec<_> = found.iter().filter_map(|it| it["Body"].as_str()).collect();
        ensure_eq!(bodies, ["one", "two", "three"]);
        Ok(())
    }
}
