//! Attributes that a sender gives a message: names, types, values, digests, and which of them a
//! receiver is shown.

use super::pages::*;
use crate::prelude::*;

fn text(value: &str) -> Value {
    json!({"DataType": "String", "StringValue": value})
}

async fn send(aws: &Aws, queue: &Queue, attributes: Value) -> Result<Reply> {
    let input =
        json!({"QueueUrl": queue.url, "MessageBody": "msg", "MessageAttributes": attributes});
    aws.sqs("SendMessage", input).await
}

async fn refused(aws: &Aws, name: &str, attribute: Value) -> Result {
    let queue = aws.queue("attributed", json!({})).await?;
    send(aws, &queue, json!({name: attribute}))
        .await?
        .refused(400, "InvalidParameterValue")
}

/// What a receiver who asks for these names is shown, and its digest.
async fn shown(aws: &Aws, names: Value) -> Result<(Value, Value)> {
    let queue = aws.queue("attributed", json!({})).await?;
    let all = json!({"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")});
    send(aws, &queue, all).await?.ok()?;
    let ask = json!({"MessageAttributeNames": names, "WaitTimeSeconds": 5});
    let mut messages = aws.receive(&queue, ask).await?;
    ensure_eq!(messages.len(), 1, "messages");
    let shown = messages[0]["MessageAttributes"].take();
    let shown = if shown.is_null() { json!({}) } else { shown };
    Ok((shown, messages[0]["MD5OfMessageAttributes"].take()))
}

checks! {
    METADATA => async fn attributes_of_all_types_come_as_they_were_sent(aws: Aws) {
        let queue = aws.queue("attributed", json!({})).await?;
        let sent = json!({
            "text": text("ünï ☃"),
            "number": {"DataType": "Number", "StringValue": "-1.5e3"},
            "bytes": {"DataType": "Binary", "BinaryValue": "AAH/"},
            "labelled": {"DataType": "Number.int", "StringValue": "7"},
            "coded": {"DataType": "Binary.gzip", "BinaryValue": "H4sI"},
        });
        let answer = send(&aws, &queue, sent.clone()).await?.ok()?;
        let received = aws.received(&queue).await?;
        ensure_eq!(received["MessageAttributes"], sent);
        ensure_eq!(received["MD5OfMessageAttributes"], answer["MD5OfMessageAttributes"]);
        Ok(())
    }

    METADATA => async fn the_digest_of_texts_is_the_one_that_aws_gives(aws: Aws) {
        let queue = aws.queue("attributed", json!({})).await?;
        let all = json!({"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")});
        let sent = send(&aws, &queue, all).await?.ok()?;
        ensure_eq!(sent.text_at("/MD5OfMessageAttributes")?, "4c360f3fdafd970e05fae2f149d997f5");
        Ok(())
    }

    METADATA => async fn the_digest_of_a_binary_value_is_the_one_that_aws_gives(aws: Aws) {
        let queue = aws.queue("attributed", json!({})).await?;
        let value = "dHJhY2VwYXJlbnQeMDAtNzc0MDYyZDZjMzcwODFhNWEwYjliNWI4OGUzMDYyN2MtMmQyNDgyMjExZjY0ODlkYS0wMQ==";
        let one = json!({"attr1": {"DataType": "Binary", "BinaryValue": value}});
        let sent = send(&aws, &queue, one).await?.ok()?;
        ensure_eq!(sent.text_at("/MD5OfMessageAttributes")?, "8cbe4db156db8a94db8b801b7addb984");
        Ok(())
    }

    METADATA => async fn ten_attributes_are_taken_and_eleven_refused(aws: Aws) {
        let queue = aws.queue("attributed", json!({})).await?;
        let some = |count: usize| -> Value {
            (0..count).map(|n| (format!("name{n}"), text("x"))).collect::<serde_json::Map<_, _>>().into()
        };
        send(&aws, &queue, some(10)).await?.ok()?;
        send(&aws, &queue, some(11)).await?.refused(400, "InvalidParameterValue")
    }

    METADATA => async fn reserved_prefixes_are_refused_in_any_case(aws: Aws) {
        for name in ["AWS.trace", "aws.trace", "Amazon.trace", "AMAZON.trace"] {
            refused(&aws, name, text("x")).await?;
        }
        Ok(())
    }

    METADATA => async fn periods_stand_alone_and_within_a_name(aws: Aws) {
        for name in [".first", "last.", "two..dots"] {
            refused(&aws, name, text("x")).await?;
        }
        let queue = aws.queue("attributed", json!({})).await?;
        send(&aws, &queue, json!({"with.a-period_1": text("x")})).await?.ok()?;
        Ok(())
    }

    METADATA => async fn a_name_with_other_characters_is_refused(aws: Aws) {
        for name in ["two words", "a!b", "a\"b", "a§b", "a(b", "a?b"] {
            refused(&aws, name, text("x")).await?;
        }
        Ok(())
    }

    METADATA => async fn a_name_of_letters_of_other_alphabets_is_taken(aws: Aws) {
        let queue = aws.queue("attributed", json!({})).await?;
        // As recorded from AWS, though its page names A-Z.
        send(&aws, &queue, json!({"attr.1øßä": text("valid")})).await?.ok()?;
        Ok(())
    }

    METADATA => async fn a_type_of_more_than_256_characters_is_refused(aws: Aws) {
        let long = format!("Number.{}", "L".repeat(256));
        refused(&aws, "long", json!({"DataType": long, "StringValue": "1"})).await
    }

    METADATA => async fn a_name_of_more_than_256_characters_is_refused(aws: Aws) {
        refused(&aws, &"n".repeat(257), text("x")).await
    }

    METADATA => async fn an_empty_text_is_refused_in_awss_words(aws: Aws) {
        let queue = aws.queue("attributed", json!({})).await?;
        send(&aws, &queue, json!({"ErrorDetails": text("")})).await?.refused_saying(
            400,
            "InvalidParameterValue",
            "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'.",
        )
    }

    METADATA => async fn an_empty_number_or_binary_is_refused(aws: Aws) {
        refused(&aws, "number", json!({"DataType": "Number", "StringValue": ""})).await?;
        refused(&aws, "bytes", json!({"DataType": "Binary", "BinaryValue": ""})).await
    }

    METADATA => async fn a_value_of_the_other_kind_is_refused(aws: Aws) {
        refused(&aws, "text", json!({"DataType": "String", "BinaryValue": "AAH/"})).await?;
        refused(&aws, "bytes", json!({"DataType": "Binary", "StringValue": "x"})).await
    }

    METADATA => async fn a_number_that_is_none_is_refused(aws: Aws) {
        refused(&aws, "number", json!({"DataType": "Number", "StringValue": "twelve"})).await
    }

    METADATA => async fn another_type_is_refused(aws: Aws) {
        refused(&aws, "colour", json!({"DataType": "Colour", "StringValue": "red"})).await
    }

    METADATA => async fn a_text_of_forbidden_characters_is_refused(aws: Aws) {
        refused(&aws, "text", text("Invalid-\u{8},\u{b}")).await
    }

    RECEIVE => async fn attributes_that_were_not_asked_for_are_not_shown(aws: Aws) {
        let (attributes, digest) = shown(&aws, json!([])).await?;
        ensure_eq!(attributes, json!({}));
        ensure_eq!(digest, Value::Null);
        Ok(())
    }

    RECEIVE => async fn all_attributes_are_shown_by_any_of_awss_names_for_all(aws: Aws) {
        for all in ["All", ".*", "*"] {
            let (attributes, digest) = shown(&aws, json!([all])).await?;
            ensure_eq!(attributes.as_object().map(serde_json::Map::len), Some(3), "shown by {all}");
            ensure_eq!(digest, "4c360f3fdafd970e05fae2f149d997f5", "the digest by {all}");
        }
        Ok(())
    }

    RECEIVE => async fn attributes_are_shown_by_name_with_a_digest_of_those_shown(aws: Aws) {
        let (attributes, digest) = shown(&aws, json!(["Hello", "General"])).await?;
        ensure_eq!(attributes, json!({"Hello": text("There"), "General": text("Kenobi")}));
        ensure_eq!(digest, "fca026605781cb4126a1e9044df24232");
        let (attributes, digest) = shown(&aws, json!(["Foo", "Hello"])).await?;
        ensure_eq!(attributes, json!({"Hello": text("There")}));
        ensure_eq!(digest, "a311262e065454b75da111d535b8dacd");
        Ok(())
    }

    RECEIVE => async fn attributes_are_shown_by_the_beginning_of_their_names(aws: Aws) {
        let (attributes, digest) = shown(&aws, json!(["Hel.*"])).await?;
        ensure_eq!(attributes, json!({"Hello": text("There"), "Help.Me": text("Me")}));
        ensure_eq!(digest, "83fee93c1bcd8b9a5a923ffacdc636c7");
        Ok(())
    }

    RECEIVE => async fn names_that_fit_nothing_show_nothing(aws: Aws) {
        for names in [json!(["Foo", "Help"]), json!(["AWS."]), json!(["..foo"])] {
            ensure_eq!(shown(&aws, names).await?.0, json!({}));
        }
        Ok(())
    }
}
