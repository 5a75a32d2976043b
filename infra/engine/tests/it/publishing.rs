//! SNS: what a message must be like, in AWS's codes and words; text messages.

use crate::sns::{Both, bodies, both};
use crate::support::{answer, engine, engine_in, queue};
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use callboard_engine::Engine;
use serde_json::{Value, json};

fn typed(data_type: &str, text: Option<&str>, binary: Option<&str>) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .set_string_value(text.map(str::to_owned))
        .set_binary_value(binary.map(Blob::new))
        .build()
        .expect("complete")
}

fn refusal<E: ProvideErrorMetadata, T>(outcome: Result<T, SdkError<E>>) -> (String, String) {
    let Err(error) = outcome else {
        panic!("it was accepted")
    };
    (
        error.code().unwrap_or_default().to_owned(),
        error.message().unwrap_or_default().to_owned(),
    )
}

fn refused(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

#[tokio::test(start_paused = true)]
async fn attributes_are_checked_in_awss_words() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let publish = |name: String, attribute| {
        let message = both.sns.publish().topic_arn(&topic).message("m");
        message.message_attributes(name, attribute).send()
    };
    let string = || typed("String", Some("x"), None);
    for (name, message) in [
        (
            ".a",
            "Invalid message attribute name starting with character '.' was found.",
        ),
        (
            "a.",
            "Invalid message attribute name ending with character '.' was found.",
        ),
        (
            "a..b",
            "Message attribute name can not have successive '.' character.",
        ),
        (
            "a!b",
            "Invalid non-alphanumeric character '#x21' was found in the message attribute name. \
             Can only include alphanumeric characters, hyphens, underscores, or dots.",
        ),
        (
            &*"a".repeat(257),
            "Length of message attribute name must be less than 256 bytes.",
        ),
    ] {
        let outcome = publish(name.to_owned(), string()).await;
        assert_eq!(refusal(outcome), refused("ParameterValueInvalid", message));
    }
    for (attribute, message) in [
        (
            typed("Wrong", Some("x"), None),
            "The message attribute 'a' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String.",
        ),
        (
            typed("String", Some(""), None),
            "The message attribute 'a' must contain non-empty message attribute value for message \
             attribute type 'String'.",
        ),
        (
            typed("String", None, None),
            "The message attribute 'a' must contain non-empty message attribute value for message \
             attribute type 'String'.",
        ),
        (
            typed("Binary", Some("x"), None),
            "The message attribute 'a' with type 'Binary' must use field 'Binary'.",
        ),
        (
            typed("Number", None, Some("1")),
            "The message attribute 'a' with type 'Number' must use field 'String'.",
        ),
    ] {
        let outcome = publish("a".to_owned(), attribute).await;
        assert_eq!(refusal(outcome), refused("ParameterValueInvalid", message));
    }
    publish("a".to_owned(), typed("String.label", Some("x"), None))
        .await
        .expect("a type may have a label");
}

#[tokio::test(start_paused = true)]
async fn every_type_of_attribute_comes_through_raw_and_wrapped() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let raw = queue(&both.sqs, "raw", &[]).await;
    let wrapped = queue(&both.sqs, "wrapped", &[]).await;
    both.subscribe(&topic, "raw", &[("RawMessageDelivery", "true")])
        .await;
    both.subscribe(&topic, "wrapped", &[]).await;
    both.sns
        .publish()
        .topic_arn(&topic)
        .message("m")
        .message_attributes("s", typed("String", Some("text"), None))
        .message_attributes(
            "l",
            typed("String.Array", Some(r#"["a",1,true,null]"#), None),
        )
        .message_attributes("n", typed("Number", Some("1.50"), None))
        .message_attributes("b", typed("Binary", None, Some("\u{0}\u{1}bytes")))
        .send()
        .await
        .expect("published");
    let received = both.receive(&raw).await;
    let attributes = received[0].message_attributes().expect("attributes");
    assert_eq!(attributes["s"].string_value(), Some("text"));
    assert_eq!(attributes["l"].data_type(), "String.Array");
    assert_eq!(attributes["n"].string_value(), Some("1.50"));
    let bytes = attributes["b"].binary_value().expect("bytes");
    assert_eq!(bytes.as_ref(), b"\0\x01bytes");
    let received = both.receive(&wrapped).await;
    let document: Value = serde_json::from_str(bodies(&received)[0]).expect("JSON");
    let expected = json!({
        "s": {"Type": "String", "Value": "text"},
        "l": {"Type": "String.Array", "Value": r#"["a",1,true,null]"#},
        "n": {"Type": "Number", "Value": "1.50"},
        "b": {"Type": "Binary", "Value": "AAFieXRlcw=="},
    });
    assert_eq!(document["MessageAttributes"], expected);
}

#[tokio::test(start_paused = true)]
async fn targets_subjects_and_structures_are_checked_in_awss_words() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let publish = || both.sns.publish().topic_arn(&topic).message("m");
    let to = |arn: &str| both.sns.publish().topic_arn(arn).message("m").send();
    let invalid =
        |message: &str| refused("InvalidParameter", &format!("Invalid parameter: {message}"));
    for subject in ["", "a\nb", &"a".repeat(101)] {
        let outcome = publish().subject(subject).send().await;
        assert_eq!(refusal(outcome), invalid("Subject"));
    }
    publish()
        .subject("a".repeat(100))
        .send()
        .await
        .expect("fits");
    assert_eq!(
        refusal(to("randomstring").await),
        invalid("TopicArn Reason: An ARN must have at least 6 elements, not 1")
    );
    assert_eq!(
        refusal(to("randomstring:1").await),
        invalid("TopicArn Reason: An ARN must have at least 6 elements, not 2")
    );
    assert_eq!(
        refusal(to("arn:aws:sns:eu-west-1:000000000000:news").await),
        invalid("TopicArn")
    );
    assert_eq!(
        refusal(to(&format!("{topic}-fake")).await),
        refused("NotFound", "Topic does not exist")
    );
    assert_eq!(
        refusal(
            both.sns
                .publish()
                .topic_arn(&topic)
                .message("")
                .send()
                .await
        ),
        invalid("Empty message")
    );
    for (body, reason) in [
        ("{", "JSON message body failed to parse"),
        (r#"{"sqs": "x"}"#, "No default entry in JSON message body"),
        (
            r#"{"default": {"a": 1}}"#,
            "No default entry in JSON message body",
        ),
    ] {
        let outcome = publish()
            .message(body)
            .message_structure("json")
            .send()
            .await;
        assert_eq!(
            refusal(outcome),
            invalid(&format!("Message Structure - {reason}"))
        );
    }
}

async fn batch(both: &Both, topic: &str, ids: &[&str]) -> (String, String) {
    let entries = ids.iter().map(|id| {
        PublishBatchRequestEntry::builder()
            .id(*id)
            .message("m")
            .build()
            .expect("complete")
    });
    let request = both.sns.publish_batch().topic_arn(topic);
    let entries = Some(entries.collect());
    refusal(
        request
            .set_publish_batch_request_entries(entries)
            .send()
            .await,
    )
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_none_is_refused_as_a_whole() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let (code, _) = batch(&both, &topic, &[]).await;
    assert_eq!(code, "EmptyBatchRequest");
    assert_eq!(
        batch(&both, &topic, &["a", "a"]).await,
        refused(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id."
        )
    );
    let long = "a".repeat(81);
    let (code, message) = batch(&both, &topic, &[&long]).await;
    assert_eq!(code, "InvalidBatchEntryId");
    assert!(message.contains("is too long: aaa"), "{message}");
    let (code, message) = batch(&both, &topic, &["a.b"]).await;
    assert_eq!(code, "InvalidBatchEntryId");
    assert!(
        message.ends_with("contains an impermissible character: a.b"),
        "{message}"
    );
    let eleven: Vec<String> = (0..11).map(|id| id.to_string()).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    assert_eq!(
        batch(&both, &topic, &eleven).await,
        refused(
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible."
        )
    );
    let half = "x".repeat(131_073);
    let entry = |id: &str| {
        PublishBatchRequestEntry::builder()
            .id(id)
            .message(&half)
            .build()
            .expect("complete")
    };
    let outcome = both
        .sns
        .publish_batch()
        .topic_arn(&topic)
        .publish_batch_request_entries(entry("a"))
        .publish_batch_request_entries(entry("b"))
        .send()
        .await;
    assert_eq!(
        refusal(outcome),
        refused(
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit."
        )
    );
}

async fn texts(engine: &Engine, method: &str) -> Value {
    let request = axum::http::Request::builder()
        .method(method)
        .uri("/_callboard/sms")
        .body(axum::body::Body::empty())
        .expect("a request");
    let (_, text) = answer(engine, request).await;
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn text_messages_are_kept_and_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = engine_in(directory.path()).await;
    let clients = both(&engine);
    let to = |phone: &str| {
        clients
            .sns
            .publish()
            .phone_number(phone)
            .message("Your code is 1")
    };
    let sent = to("+4915112345678")
        .message_attributes(
            "AWS.SNS.SMS.SenderID",
            typed("String", Some("Callboard"), None),
        )
        .send()
        .await
        .expect("sent");
    for phone in ["4915112345678", "+0123", "+49 151", "+1234567890123456"] {
        assert_eq!(
            refusal(to(phone).send().await),
            refused(
                "InvalidParameter",
                &format!(
                    "Invalid parameter: PhoneNumber Reason: {phone} is not valid to publish to"
                )
            )
        );
    }
    let topic = clients.topic("news", &[]).await;
    let subscribe = |phone: &str| {
        let request = clients.sns.subscribe().topic_arn(&topic).protocol("sms");
        request.endpoint(phone).send()
    };
    subscribe("+15551234567").await.expect("subscribed");
    assert_eq!(
        refusal(subscribe("555").await),
        refused("InvalidParameter", "Invalid SMS endpoint: 555")
    );
    let body = json!({"default": "a long message", "sms": "a short one"}).to_string();
    let message = clients.sns.publish().topic_arn(&topic).message(body);
    message
        .message_structure("json")
        .send()
        .await
        .expect("published");
    drop((engine, clients));
    let engine = engine_in(directory.path()).await;
    let kept = texts(&engine, "GET").await;
    let direct = &kept[0];
    assert_eq!(direct["phoneNumber"], "+4915112345678");
    assert_eq!(direct["message"], "Your code is 1");
    assert_eq!(direct["messageId"].as_str(), sent.message_id());
    assert_eq!(direct["topicArn"], Value::Null);
    assert_eq!(direct["sentAt"], "2026-09-21T14:13:20.000Z");
    let attribute = &direct["messageAttributes"]["AWS.SNS.SMS.SenderID"];
    assert_eq!(attribute["StringValue"], "Callboard");
    assert_eq!(kept[1]["phoneNumber"], "+15551234567");
    assert_eq!(kept[1]["message"], "a short one");
    assert_eq!(kept[1]["topicArn"], topic);
    texts(&engine, "DELETE").await;
    assert_eq!(texts(&engine, "GET").await, json!([]));
}
