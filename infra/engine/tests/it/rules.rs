//! SQS: what AWS refuses, and in which words; names, tags, attributes, attempts.

use crate::sqs::{bodies, receive, send};
use crate::support::{engine, queue};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    MessageSystemAttributeName as A, MessageSystemAttributeNameForSends as Sent,
    MessageSystemAttributeValue, QueueAttributeName as Q, SendMessageBatchRequestEntry,
};
use std::time::Duration;

/// Code and message of a refusal.
fn refused<T: std::fmt::Debug, E, R>(outcome: Result<T, SdkError<E, R>>) -> (String, String)
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    let error = outcome.expect_err("refused");
    (
        error.code().unwrap_or_default().to_owned(),
        error.message().unwrap_or_default().to_owned(),
    )
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_deleted_queue_is_free_after_a_minute() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    sqs.delete_queue()
        .queue_url(&url)
        .send()
        .await
        .expect("deleted");
    let again = || sqs.create_queue().queue_name("letters").send();
    let error = again().await.expect_err("too soon").into_service_error();
    assert!(error.is_queue_deleted_recently(), "{error:?}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    if let Err(error) = again().await {
        panic!("{}", DisplayErrorContext(error));
    }
}

#[tokio::test(start_paused = true)]
async fn attributes_of_queues_are_refused_in_awss_words() {
    let sqs = Client::new(&engine().await.sdk_config());
    let dead = r#""deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead""#;
    queue(
        &sqs,
        "dead",
        &[(Q::RedriveAllowPolicy, r#"{"redrivePermission":"denyAll"}"#)],
    )
    .await;
    let cases = [
        (
            Q::VisibilityTimeout,
            "43201".to_owned(),
            "Invalid value for the parameter VisibilityTimeout.",
        ),
        (
            Q::Policy,
            "no JSON".to_owned(),
            "Invalid value for the parameter Policy.",
        ),
        (Q::RedrivePolicy, "[]".to_owned(), "not a valid JSON map"),
        (
            Q::RedrivePolicy,
            format!("{{{dead}}}"),
            "does not contain mandatory attribute: maxReceiveCount.",
        ),
        (
            Q::RedrivePolicy,
            format!(r#"{{{dead},"maxReceiveCount":1001}}"#),
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            Q::RedrivePolicy,
            r#"{"deadLetterTargetArn":"dummy","maxReceiveCount":42}"#.to_owned(),
            "Reason: Invalid value for deadLetterTargetArn.",
        ),
        (
            Q::RedrivePolicy,
            format!(r#"{{{dead},"maxReceiveCount":2}}"#),
            "does not allow",
        ),
    ];
    for (name, value, words) in cases {
        let request = sqs.create_queue().queue_name("letters");
        let (code, message) = refused(request.attributes(name.clone(), value).send().await);
        assert!(code.starts_with("Invalid"), "{code}");
        assert!(message.contains(words), "{name}: {message}");
    }
    let url = queue(&sqs, "secret", &[(Q::KmsMasterKeyId, "key")]).await;
    let shown = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(Q::All);
    let shown = shown
        .send()
        .await
        .expect("shown")
        .attributes
        .expect("attributes");
    assert_eq!(shown[&Q::SqsManagedSseEnabled], "false");
    assert_eq!(shown[&Q::KmsDataKeyReusePeriodSeconds], "300");
    let both = sqs.set_queue_attributes().queue_url(&url);
    let (code, message) = refused(
        both.attributes(Q::SqsManagedSseEnabled, "true")
            .send()
            .await,
    );
    assert_eq!(code, "InvalidAttributeName");
    assert!(message.starts_with("You can use one type of server-side encryption"));
}

#[tokio::test(start_paused = true)]
async fn tags_are_counted_and_measured() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    let tag = |key: String, value: &str| sqs.tag_queue().queue_url(&url).tags(key, value).send();
    for number in 0..50 {
        tag(format!("k{number}"), "v").await.expect("tagged");
    }
    tag("k1".to_owned(), "another").await.expect("the same key");
    let (_, message) = refused(tag("k50".to_owned(), "v").await);
    assert_eq!(message, "Too many tags added for queue letters.");
    for key in [String::new(), "k".repeat(129), "aws:x".to_owned()] {
        assert_eq!(refused(tag(key, "v").await).0, "InvalidParameterValue");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_and_receives_are_refused_in_awss_words() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    let ask = || sqs.receive_message().queue_url(&url);
    let (_, message) = refused(ask().max_number_of_messages(11).send().await);
    assert_eq!(
        message,
        "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
    );
    let (_, message) = refused(ask().wait_time_seconds(21).send().await);
    assert_eq!(
        message,
        "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
    );
    let unknown = ask().message_system_attribute_names(A::from("Colour"));
    let (code, message) = refused(unknown.send().await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidAttributeName", "Unknown Attribute Colour.")
    );
    let (code, _) = refused(ask().receive_request_attempt_id("x").send().await);
    assert_eq!(code, "InvalidParameterValue", "only for FIFO queues");
    let write = || sqs.send_message().queue_url(&url).message_body("x");
    let (_, message) = refused(write().message_deduplication_id("1").send().await);
    assert!(
        message
            .ends_with("The request includes a parameter that is not valid for this queue type.")
    );
    let (_, message) = refused(write().message_group_id("a b").send().await);
    assert!(message.contains("can only include alphanumeric and punctuation characters"));
    let (code, _) = refused(write().delay_seconds(901).send().await);
    assert_eq!(code, "InvalidParameterValue");
    let other = queue(&sqs, "other", &[]).await;
    send(&sqs, &other, "x").await;
    let foreign = receive(&sqs, &other, 1).await.remove(0);
    let delete = sqs.delete_message().queue_url(&url);
    let delete = delete.set_receipt_handle(foreign.receipt_handle);
    assert_eq!(refused(delete.send().await).0, "ReceiptHandleIsInvalid");
    let empty = sqs
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(Vec::new()));
    let (_, message) = refused(empty.send().await);
    assert_eq!(
        message,
        "There should be at least one SendMessageBatchRequestEntry in the request."
    );
    let foreign = sqs.get_queue_url().queue_name("letters");
    let error = foreign
        .queue_owner_aws_account_id("111111111111")
        .send()
        .await;
    assert_eq!(refused(error).0, "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test(start_paused = true)]
async fn a_fifo_batch_without_a_group_is_refused_whole() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters.fifo", &[(Q::FifoQueue, "true")]).await;
    let entry = SendMessageBatchRequestEntry::builder()
        .id("a")
        .message_body("x");
    for entry in [entry.clone(), entry.message_group_id("g")] {
        let batch = sqs.send_message_batch().queue_url(&url);
        let batch = batch.entries(entry.build().expect("complete"));
        assert_eq!(refused(batch.send().await).0, "InvalidParameterValue");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_shows_its_trace_and_its_group_on_a_standard_queue() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    let trace = |kind: &str| {
        let value = MessageSystemAttributeValue::builder().data_type(kind);
        value.string_value("Root=1-2-3").build().expect("complete")
    };
    let write = |kind: &str| {
        let message = sqs.send_message().queue_url(&url).message_body("x");
        message.message_system_attributes(Sent::AwsTraceHeader, trace(kind))
    };
    assert_eq!(
        refused(write("Number").send().await).0,
        "InvalidParameterValue"
    );
    let sent = write("String")
        .message_group_id("tenant-1")
        .send()
        .await
        .expect("sent");
    assert!(sent.md5_of_message_system_attributes().is_some());
    let message = receive(&sqs, &url, 1).await.remove(0);
    let attributes = message.attributes().expect("all");
    assert_eq!(attributes[&A::AwsTraceHeader], "Root=1-2-3");
    assert_eq!(attributes[&A::MessageGroupId], "tenant-1");
    assert!(attributes.contains_key(&A::SenderId));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_to_receive_is_repeated_until_a_message_of_it_changes() {
    let sqs = Client::new(&engine().await.sdk_config());
    let kind = [
        (Q::FifoQueue, "true"),
        (Q::ContentBasedDeduplication, "true"),
    ];
    let url = queue(&sqs, "letters.fifo", &kind).await;
    for body in ["1", "2", "3"] {
        let message = sqs.send_message().queue_url(&url).message_body(body);
        message.message_group_id("g").send().await.expect("sent");
    }
    let attempt = |id: &str| {
        let request = sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(2);
        request.receive_request_attempt_id(id).send()
    };
    let first = attempt("try")
        .await
        .expect("received")
        .messages
        .expect("two");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let again = attempt("try")
        .await
        .expect("received")
        .messages
        .expect("two");
    assert_eq!(first, again, "the same messages and handles");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(
        receive(&sqs, &url, 10).await.is_empty(),
        "the lease began anew"
    );
    let delete = sqs.delete_message().queue_url(&url);
    let delete = delete.set_receipt_handle(first[0].receipt_handle.clone());
    delete.send().await.expect("deleted");
    let (code, message) = refused(attempt("try").await);
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("is not valid anymore"), "{message}");
    tokio::time::sleep(Duration::from_secs(11)).await;
    let fresh = attempt("try")
        .await
        .expect("received")
        .messages
        .expect("two");
    assert_eq!(
        bodies(&fresh),
        ["2", "3"],
        "after the lease it is a receive like any other"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_lapsed_lease_held_comes_before_what_was_sent_later() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    send(&sqs, &url, "older").await;
    assert_eq!(bodies(&receive(&sqs, &url, 1).await), ["older"]);
    tokio::time::advance(Duration::from_secs(20)).await;
    send(&sqs, &url, "newer").await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(bodies(&receive(&sqs, &url, 2).await), ["older", "newer"]);
}
