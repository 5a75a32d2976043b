//! The older Query protocol: forms in, XML out, at `/` or at a queue's own address.

use crate::prelude::*;

const REQUESTS: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html";
const ERRORS: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html";
const ATTRIBUTES: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html";
const SEND: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html";
const SEND_BATCH: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html";
const RECEIVE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html";
const DELETE: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html";
const URL: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html";
const TAGS: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html";
const LIST: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html";

/// The path of a queue's URL.
fn path(queue: &Queue) -> String {
    let host_and_path = queue.url.split_once("://").map_or("", |(_, rest)| rest);
    let path = host_and_path.split_once('/').map_or("", |(_, path)| path);
    format!("/{path}")
}

/// A call at the queue's own address.
async fn at(aws: &Aws, queue: &Queue, action: &str, fields: &[(&str, &str)]) -> Result<XmlReply> {
    aws.sqs_query(&path(queue), action, fields).await
}

checks! {
    REQUESTS => async fn an_answer_is_in_sqss_namespace_and_has_a_request_id(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = at(&aws, &queue, "SendMessage", &[("MessageBody", "x")]).await?.ok()?;
        ensure_eq!(reply.root().name, "SendMessageResponse");
        ensure!(reply.raw.contains("http://queue.amazonaws.com/doc/2012-11-05/"), "{}", reply.raw);
        ensure!(!reply.text("ResponseMetadata/RequestId")?.is_empty(), "{}", reply.raw);
        Ok(())
    }

    REQUESTS => async fn the_queue_is_named_by_the_address(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        at(&aws, &queue, "SendMessage", &[("MessageBody", "x")]).await?.ok()?;
        ensure_eq!(aws.received(&queue).await?.text_at("/Body")?, "x");
        Ok(())
    }

    REQUESTS => async fn a_queue_url_in_the_form_goes_before_the_address(aws: Aws) {
        let one = aws.queue("one", json!({})).await?;
        let two = aws.queue("two", json!({})).await?;
        let fields = [("QueueUrl", two.url.as_str()), ("AttributeName.1", "QueueArn")];
        let reply = at(&aws, &one, "GetQueueAttributes", &fields).await?.ok()?;
        ensure_eq!(reply.text("Attribute/Value")?, two.arn);
        Ok(())
    }

    REQUESTS => async fn a_form_at_a_queue_needs_no_version(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let body = "Action=ReceiveMessage";
        let answer = aws.client().post("sqs", &path(&queue), &headers, body).await?;
        let reply = XmlReply::read("ReceiveMessage", answer)?.ok()?;
        ensure_eq!(reply.root().name, "ReceiveMessageResponse");
        Ok(())
    }

    REQUESTS => async fn what_is_no_queues_business_is_not_asked_at_a_queue(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        for action in ["ListQueues", "CreateQueue"] {
            let reply = at(&aws, &queue, action, &[("QueueName", "other")]).await?;
            let words = format!("The action {action} is not valid for this endpoint.");
            reply.refused_saying(400, "InvalidAction", &words)?;
        }
        Ok(())
    }

    URL => async fn another_queue_may_be_looked_up_at_a_queue(aws: Aws) {
        let one = aws.queue("one", json!({})).await?;
        let two = aws.queue("two", json!({})).await?;
        let reply = at(&aws, &one, "GetQueueUrl", &[("QueueName", &two.name)]).await?.ok()?;
        ensure_eq!(reply.text("GetQueueUrlResult/QueueUrl")?, two.url);
        Ok(())
    }

    ERRORS => async fn an_action_that_is_none_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = at(&aws, &queue, "FooBar", &[]).await?;
        reply.refused_saying(
            400,
            "InvalidAction",
            "The action FooBar is not valid for this endpoint.",
        )?;
        ensure_eq!(reply.text("Error/Type")?, "Sender");
        ensure!(!reply.text("RequestId")?.is_empty(), "{}", reply.raw);
        Ok(())
    }

    ERRORS => async fn a_missing_parameter_is_named(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        at(&aws, &queue, "SendMessage", &[]).await?.refused_saying(
            400,
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        )
    }

    ERRORS => async fn a_request_without_an_action_finds_nothing(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = aws.client().post("sqs", &path(&queue), &headers, "").await?;
        let reply = XmlReply::read("nothing", answer)?;
        ensure_eq!(reply.status, 404);
        ensure_eq!(reply.root().name, "UnknownOperationException");
        Ok(())
    }

    ATTRIBUTES => async fn a_queue_that_is_not_there_is_refused_with_the_older_code(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let url = format!("{}-gone", queue.url);
        let reply = aws.sqs_query("/", "GetQueueAttributes", &[("QueueUrl", &url)]).await?;
        reply.refused_saying(
            400,
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist for this wsdl version.",
        )
    }

    ATTRIBUTES => async fn attributes_are_names_and_values(aws: Aws) {
        let queue = aws.queue("letters", json!({"VisibilityTimeout": "41"})).await?;
        let fields = [("AttributeName.1", "VisibilityTimeout"), ("AttributeName.2", "QueueArn")];
        let reply = at(&aws, &queue, "GetQueueAttributes", &fields).await?.ok()?;
        let mut names = reply.all("GetQueueAttributesResult/Attribute/Name");
        names.sort_unstable();
        ensure_eq!(names, ["QueueArn", "VisibilityTimeout"]);
        ensure!(
            reply.raw.contains("<Name>VisibilityTimeout</Name><Value>41</Value>"),
            "{}",
            reply.raw
        );
        Ok(())
    }

    ATTRIBUTES => async fn an_unknown_attribute_is_refused(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let fields = [("AttributeName.1", "Foobar")];
        at(&aws, &queue, "GetQueueAttributes", &fields).await?.refused_saying(
            400,
            "InvalidAttributeName",
            "Unknown Attribute Foobar.",
        )
    }

    ATTRIBUTES => async fn an_answer_without_attributes_has_an_empty_result(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = at(&aws, &queue, "GetQueueAttributes", &[]).await?.ok()?;
        ensure_eq!(reply.all("GetQueueAttributesResult"), [""]);
        Ok(())
    }

    SEND => async fn message_attributes_are_numbered_entries(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let fields = [
            ("MessageBody", "x"),
            ("MessageAttribute.1.Name", "kind"),
            ("MessageAttribute.1.Value.DataType", "String"),
            ("MessageAttribute.1.Value.StringValue", "red & blue"),
        ];
        let sent = at(&aws, &queue, "SendMessage", &fields).await?.ok()?;
        let shown = aws.received(&queue).await?;
        ensure_eq!(shown.text_at("/MessageAttributes/kind/StringValue")?, "red & blue");
        ensure_eq!(sent.text("MD5OfMessageAttributes")?, shown.text_at("/MD5OfMessageAttributes")?);
        Ok(())
    }

    SEND => async fn lists_of_values_are_not_taken(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let fields = [
            ("MessageBody", "x"),
            ("MessageAttribute.1.Name", "kind"),
            ("MessageAttribute.1.Value.DataType", "String"),
            ("MessageAttribute.1.Value.StringListValue.1", "red"),
        ];
        let reply = at(&aws, &queue, "SendMessage", &fields).await?;
        reply.refused(400, "AWS.SimpleQueueService.UnsupportedOperation")
    }

    SEND_BATCH => async fn a_batch_is_numbered_entries_and_answers_so(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let fields = [
            ("SendMessageBatchRequestEntry.1.Id", "good"),
            ("SendMessageBatchRequestEntry.1.MessageBody", "x"),
            ("SendMessageBatchRequestEntry.2.Id", "bad"),
            ("SendMessageBatchRequestEntry.2.MessageBody", "x"),
            ("SendMessageBatchRequestEntry.2.DelaySeconds", "901"),
        ];
        let reply = at(&aws, &queue, "SendMessageBatch", &fields).await?.ok()?;
        ensure_eq!(reply.all("SendMessageBatchResultEntry/Id"), ["good"]);
        ensure_eq!(reply.all("BatchResultErrorEntry/Id"), ["bad"]);
        ensure_eq!(reply.all("BatchResultErrorEntry/SenderFault"), ["true"]);
        Ok(())
    }

    SEND_BATCH => async fn an_empty_batch_is_refused_with_the_older_code(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = at(&aws, &queue, "SendMessageBatch", &[]).await?;
        ensure_eq!(reply.status, 400);
        ensure!(
            ["AWS.SimpleQueueService.EmptyBatchRequest", "MissingParameter"]
                .contains(&reply.text("Error/Code")?),
            "{}",
            reply.raw
        );
        Ok(())
    }

    RECEIVE => async fn an_empty_queue_gives_an_empty_result(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let reply = at(&aws, &queue, "ReceiveMessage", &[]).await?.ok()?;
        ensure_eq!(reply.all("ReceiveMessageResult"), [""]);
        ensure_eq!(reply.all("Message").len(), 0);
        Ok(())
    }

    RECEIVE => async fn a_message_comes_to_the_byte_with_what_was_asked_for(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let body = "<a b=\"c\">&quot;\r\n\t\u{1f600}</a>";
        aws.send(&queue, body, json!({})).await?;
        let fields = [("AttributeName.1", "ApproximateReceiveCount"), ("WaitTimeSeconds", "5")];
        let reply = at(&aws, &queue, "ReceiveMessage", &fields).await?.ok()?;
        ensure_eq!(reply.text("Message/Body")?, body);
        ensure_eq!(reply.all("Message/Attribute/Name"), ["ApproximateReceiveCount"]);
        ensure_eq!(reply.all("Message/Attribute/Value"), ["1"]);
        Ok(())
    }

    RECEIVE => async fn a_number_out_of_range_is_refused_in_awss_words(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let fields = [("MaxNumberOfMessages", "11")];
        at(&aws, &queue, "ReceiveMessage", &fields).await?.refused_saying(
            400,
            "InvalidParameterValue",
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and \
             10, if provided.",
        )
    }

    DELETE => async fn a_handle_of_the_json_protocol_is_good_here(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        aws.send(&queue, "x", json!({})).await?;
        let received = aws.received(&queue).await?;
        let fields = [("ReceiptHandle", received.text_at("/ReceiptHandle")?)];
        let reply = at(&aws, &queue, "DeleteMessage", &fields).await?.ok()?;
        ensure_eq!(reply.all("DeleteMessageResult").len(), 0);
        let input = json!({
            "QueueUrl": queue.url,
            "ReceiptHandle": received["ReceiptHandle"],
            "VisibilityTimeout": 0,
        });
        let reply = aws.sqs("ChangeMessageVisibility", input).await?;
        reply.refused(400, "InvalidParameterValueException")
    }

    TAGS => async fn tags_are_keys_and_values(aws: Aws) {
        let queue = aws.queue("letters", json!({})).await?;
        let fields = [("Tag.1.Key", "team"), ("Tag.1.Value", "post")];
        at(&aws, &queue, "TagQueue", &fields).await?.ok()?;
        let reply = at(&aws, &queue, "ListQueueTags", &[]).await?.ok()?;
        ensure_eq!(reply.all("ListQueueTagsResult/Tag/Key"), ["team"]);
        ensure_eq!(reply.all("ListQueueTagsResult/Tag/Value"), ["post"]);
        Ok(())
    }

    LIST => async fn a_queue_that_was_made_by_form_is_listed(aws: Aws) {
        let name = aws.name("formed");
        let fields = [
            ("QueueName", name.as_str()),
            ("Attribute.1.Name", "DelaySeconds"),
            ("Attribute.1.Value", "7"),
        ];
        let made = aws.sqs_query("/", "CreateQueue", &fields).await?.ok()?;
        let url = made.text("CreateQueueResult/QueueUrl")?;
        let shown = aws.attributes(url, &["DelaySeconds"]).await?;
        ensure_eq!(shown.text_at("/DelaySeconds")?, "7");
        let listed = aws.sqs_query("/", "ListQueues", &[("QueueNamePrefix", &name)]).await?;
        ensure_eq!(listed.ok()?.all("ListQueuesResult/QueueUrl"), [url]);
        Ok(())
    }
}
