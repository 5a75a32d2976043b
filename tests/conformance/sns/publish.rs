//! Publishing one message: what is taken, and what is refused.

use super::support::{Attribute, attributes, pair, publish, publish_with, publishing};
use crate::prelude::*;

const PUBLISH: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Publish.html";
const ATTRIBUTES: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html";
const REQUESTS: &str = "https://docs.aws.amazon.com/sns/latest/api/Welcome.html";

/// Publishes a message with one attribute, given as form fields after `Value.`.
async fn with_attribute(aws: &Aws, name: &str, value: &[(&str, &str)]) -> Result<XmlReply> {
    let topic = aws.topic("news", &[]).await?;
    let mut fields = vec![("MessageAttributes.entry.1.Name".to_owned(), name.to_owned())];
    for (field, value) in value {
        fields.push((
            format!("MessageAttributes.entry.1.Value.{field}"),
            (*value).to_owned(),
        ));
    }
    publishing(aws, &topic, "message", &borrowed(&fields)).await
}

async fn refused_attribute(aws: &Aws, name: &str, value: &[(&str, &str)], words: &str) -> Result {
    with_attribute(aws, name, value)
        .await?
        .refused_saying(400, "ParameterValueInvalid", words)
}

const TEXT: [(&str, &str); 2] = [("DataType", "String"), ("StringValue", "x")];

checks! {
    PUBLISH => async fn a_message_gets_an_id(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let reply = publish(&aws, &topic, "message", &[]).await?;
        ensure_eq!(reply.text("PublishResult/MessageId")?.len(), 36);
        ensure!(reply.all("SequenceNumber").is_empty(), "{}", reply.raw);
        Ok(())
    }

    PUBLISH => async fn a_topic_may_be_named_as_target(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "true")]).await?;
        let fields = [("TargetArn", pair.topic.arn.as_str()), ("Message", "to the target")];
        aws.sns("Publish", &fields).await?.ok()?;
        ensure_eq!(aws.received(&pair.queue).await?.text_at("/Body")?, "to the target");
        Ok(())
    }

    PUBLISH => async fn an_unknown_topic_is_not_found(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let other = Topic { arn: format!("{}-other", topic.arn), ..topic };
        publishing(&aws, &other, "message", &[]).await?
            .refused_saying(404, "NotFound", "Topic does not exist")
    }

    PUBLISH => async fn an_arn_of_too_few_elements_is_refused(aws: Aws) {
        for (arn, elements) in [("randomstring", 1), ("randomstring:1", 2), ("", 1)] {
            let words = format!("TopicArn Reason: An ARN must have at least 6 elements, not {elements}");
            aws.sns("Publish", &[("TopicArn", arn), ("Message", "message")]).await?
                .refused_saying(400, "InvalidParameter", &words)?;
        }
        Ok(())
    }

    PUBLISH => async fn an_arn_of_another_region_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let elsewhere = Topic { arn: topic.arn.replace("us-east-1", "eu-west-3"), ..topic };
        publishing(&aws, &elsewhere, "message", &[]).await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: TopicArn")
    }

    PUBLISH => async fn a_message_needs_a_destination(aws: Aws) {
        aws.sns("Publish", &[("Message", "message")]).await?.refused(400, "InvalidParameter")
    }

    PUBLISH => async fn an_endpoint_that_is_not_there_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let account = topic.arn.split(':').nth(4).unwrap_or_default();
        let target = format!(
            "arn:aws:sns:us-east-1:{account}:endpoint/APNS/abcdef/0f7d5971-aa8b-4bd5-b585-0826e9f93a66"
        );
        aws.sns("Publish", &[("TargetArn", &target), ("Message", "message")]).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
        )
    }

    PUBLISH => async fn a_number_that_is_none_is_refused(aws: Aws) {
        for phone in ["+1a234", "NAA+15551234567"] {
            let words = format!("PhoneNumber Reason: {phone} is not valid to publish to");
            aws.sns("Publish", &[("PhoneNumber", phone), ("Message", "message")]).await?
                .refused_saying(400, "InvalidParameter", &words)?;
        }
        Ok(())
    }

    PUBLISH => async fn an_empty_message_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        publishing(&aws, &topic, "", &[]).await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: Empty message")
    }

    PUBLISH => async fn a_subject_is_one_line_of_up_to_a_hundred_characters(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        publish(&aws, &topic, "message", &[("Subject", &"s".repeat(99))]).await?;
        for subject in ["", &"s".repeat(101), "two\nlines", "a bell \u{7}"] {
            publishing(&aws, &topic, "message", &[("Subject", subject)]).await?
                .refused_saying(400, "InvalidParameter", "Invalid parameter: Subject")?;
        }
        Ok(())
    }

    PUBLISH => async fn a_message_may_have_256_kib(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        publish(&aws, &topic, &"a".repeat(262_144), &[]).await?;
        publishing(&aws, &topic, &"a".repeat(262_145), &[]).await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: Message too long")
    }

    PUBLISH => async fn attributes_count_into_a_messages_size(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let given = [Attribute("attr1", "Number", "1")];
        let room = 262_144 - "attr1Number1".len();
        publish_with(&aws, &topic, &"a".repeat(room), &given).await?;
        let fields = attributes("", &given);
        publishing(&aws, &topic, &"a".repeat(room + 1), &borrowed(&fields)).await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: Message too long")
    }

    PUBLISH => async fn a_message_for_each_protocol_is_json_with_a_default(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let structure = [("MessageStructure", "json")];
        let words = "Invalid parameter: Message Structure - No default entry in JSON message body";
        for message in [r#"{"sqs":"text"}"#, r#"{"default":{"object":"text"}}"#] {
            publishing(&aws, &topic, message, &structure).await?
                .refused_saying(400, "InvalidParameter", words)?;
        }
        publishing(&aws, &topic, r#"{"default":"text"} }"#, &structure).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        )?;
        publish(&aws, &topic, r#"{"default":"text"}"#, &structure).await?;
        Ok(())
    }

    PUBLISH => async fn a_standard_topic_takes_no_deduplication_id(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        publishing(&aws, &topic, "message", &[("MessageDeduplicationId", "d")]).await?.refused_saying(
            400,
            "InvalidParameter",
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type",
        )
    }

    ATTRIBUTES => async fn an_attribute_needs_a_value(aws: Aws) {
        for data_type in ["String", "Binary"] {
            let words = format!(
                "The message attribute 'attr1' must contain non-empty message attribute value for message attribute type '{data_type}'."
            );
            let field = format!("{data_type}Value");
            let empty = [("DataType", data_type), (field.as_str(), "")];
            refused_attribute(&aws, "attr1", &empty, &words).await?;
            refused_attribute(&aws, "attr1", &empty[..1], &words).await?;
        }
        Ok(())
    }

    ATTRIBUTES => async fn an_attribute_needs_a_type(aws: Aws) {
        with_attribute(&aws, "attr1", &[("StringValue", "value")]).await?.refused_saying(
            400,
            "ValidationError",
            "1 validation error detected: Value null at 'messageAttributes.attr1.member.dataType' failed to satisfy constraint: Member must not be null",
        )
    }

    ATTRIBUTES => async fn an_attributes_value_is_in_the_field_of_its_type(aws: Aws) {
        for (data_type, field, wanted) in [
            ("String", "BinaryValue", "String"),
            ("Number", "BinaryValue", "String"),
            ("Binary", "StringValue", "Binary"),
        ] {
            let words = format!("The message attribute 'attr1' with type '{data_type}' must use field '{wanted}'.");
            refused_attribute(&aws, "attr1", &[("DataType", data_type), (field, "MTIz")], &words).await?;
        }
        Ok(())
    }

    ATTRIBUTES => async fn types_are_string_number_and_binary_with_labels(aws: Aws) {
        let words = "The message attribute 'attr1' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.";
        for data_type in ["InvalidType", "String.", "Stringprefixed"] {
            let given = [("DataType", data_type), ("StringValue", "x")];
            refused_attribute(&aws, "attr1", &given, words).await?;
        }
        for data_type in ["String.prefixed", "String.  prefixed."] {
            let given = [("DataType", data_type), ("StringValue", "x")];
            with_attribute(&aws, "attr1", &given).await?.ok()?;
        }
        Ok(())
    }

    ATTRIBUTES => async fn a_number_is_a_number(aws: Aws) {
        for number in ["1", "-1.5", "3.015e2"] {
            with_attribute(&aws, "n", &[("DataType", "Number"), ("StringValue", number)]).await?.ok()?;
        }
        with_attribute(&aws, "n", &[("DataType", "Number"), ("StringValue", "one")]).await?
            .refused(400, "ParameterValueInvalid")
    }

    ATTRIBUTES => async fn an_attributes_name_is_shorter_than_256_bytes(aws: Aws) {
        let words = "Length of message attribute name must be less than 256 bytes.";
        refused_attribute(&aws, &"a".repeat(257), &TEXT, words).await
    }

    ATTRIBUTES => async fn an_attributes_name_is_letters_digits_hyphens_underscores_and_dots(aws: Aws) {
        with_attribute(&aws, "A-z_0.9", &TEXT).await?.ok()?;
        let words = "Invalid non-alphanumeric character '#x5E' was found in the message attribute name.";
        refused_attribute(&aws, "a^*?", &TEXT, words).await
    }

    ATTRIBUTES => async fn dots_stand_alone_and_inside_an_attributes_name(aws: Aws) {
        for (name, words) in [
            (".abc", "Invalid message attribute name starting with character '.' was found."),
            ("abc.", "Invalid message attribute name ending with character '.' was found."),
            ("a..bc", "Message attribute name can not have successive '.' character."),
        ] {
            refused_attribute(&aws, name, &TEXT, words).await?;
        }
        Ok(())
    }

    REQUESTS => async fn a_posts_form_may_be_in_its_query(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "true")]).await?;
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("Action", "Publish"),
                ("Version", "2010-03-31"),
                ("TopicArn", &pair.topic.arn),
                ("Message", "by the query"),
            ])
            .finish();
        let answer = aws.client().post("sns", &format!("/?{query}"), &[], "").await?;
        XmlReply::read("Publish", answer)?.ok()?;
        ensure_eq!(aws.received(&pair.queue).await?.text_at("/Body")?, "by the query");
        Ok(())
    }
}
