//! Subscriptions of queues: making, describing, changing, listing and ending them.

use super::support::{pair, redrive, set, subscription_attributes};
use crate::prelude::*;
use std::collections::BTreeSet;

const SUBSCRIBE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html";
const UNSUBSCRIBE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html";
const GET: &str = "https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html";
const SET: &str = "https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html";
const LIST: &str = "https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptions.html";
const BY_TOPIC: &str =
    "https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html";
const DLQ: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html";
const FIFO: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html";
const FILTERS: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html";

checks! {
    SUBSCRIBE => async fn a_subscriptions_arn_begins_with_its_topics(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let id = pair.subscription.strip_prefix(&format!("{}:", pair.topic.arn));
        ensure!(id.is_some_and(|id| id.len() == 36), "{}", pair.subscription);
        Ok(())
    }

    SUBSCRIBE => async fn a_queue_of_the_same_account_is_confirmed_at_once(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        ensure_eq!(attributes["PendingConfirmation"], "false");
        ensure_eq!(attributes["ConfirmationWasAuthenticated"], "true");
        Ok(())
    }

    SUBSCRIBE => async fn subscribed_again_it_is_the_same_subscription(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "True")]).await?;
        for attributes in [
            &[("RawMessageDelivery", "true")][..],
            &[("RawMessageDelivery", "true"), ("FilterPolicyScope", "MessageAttributes")],
            &[("FilterPolicyScope", "MessageAttributes")],
            &[],
        ] {
            let again = aws.subscribing(&pair.topic, "sqs", &pair.queue.arn, attributes).await?.ok()?;
            ensure_eq!(again.text("SubscriptionArn")?, pair.subscription, "{attributes:?}");
        }
        Ok(())
    }

    SUBSCRIBE => async fn subscribed_again_with_other_attributes_is_refused(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "true")]).await?;
        let other = [("RawMessageDelivery", "false"), ("FilterPolicyScope", "MessageBody")];
        aws.subscribing(&pair.topic, "sqs", &pair.queue.arn, &other).await?.refused_saying(
            400,
            "InvalidParameter",
            "Attributes Reason: Subscription already exists with different attributes",
        )
    }

    SUBSCRIBE => async fn an_unknown_protocol_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        aws.subscribing(&topic, "pigeon", "coop@example.com", &[]).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: Amazon SNS does not support this protocol string: pigeon",
        )
    }

    SUBSCRIBE => async fn a_queues_endpoint_is_its_arn(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        for endpoint in [queue.url.as_str(), "readers"] {
            aws.subscribing(&topic, "sqs", endpoint, &[]).await?
                .refused_saying(400, "InvalidParameter", "Invalid parameter: SQS endpoint ARN")?;
        }
        Ok(())
    }

    SUBSCRIBE => async fn a_queue_need_not_be_there(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        let other = format!("{}-other", queue.arn);
        aws.subscribing(&topic, "sqs", &other, &[]).await?.ok()?;
        Ok(())
    }

    SUBSCRIBE => async fn an_unknown_topic_is_not_found(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let other = Topic { arn: format!("{}-other", topic.arn), ..topic };
        let queue = aws.queue("readers", json!({})).await?;
        aws.subscribing(&other, "sqs", &queue.arn, &[]).await?
            .refused_saying(404, "NotFound", "Topic does not exist")
    }

    SUBSCRIBE => async fn a_topics_arn_of_too_few_elements_is_refused(aws: Aws) {
        for (arn, elements) in [("news", 1), ("arn:aws:sns:us-east-1:news", 5)] {
            let topic = Topic { arn: arn.to_owned(), name: arn.to_owned() };
            let words = format!("TopicArn Reason: An ARN must have at least 6 elements, not {elements}");
            aws.subscribing(&topic, "sqs", "arn:aws:sqs:us-east-1:000000000000:readers", &[]).await?
                .refused_saying(400, "InvalidParameter", &words)?;
        }
        Ok(())
    }

    SUBSCRIBE => async fn a_bad_attribute_is_refused_with_its_reason(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        let wrong = [("RawMessageDelivery", "wrongvalue")];
        aws.subscribing(&topic, "sqs", &queue.arn, &wrong).await?.refused_saying(
            400,
            "InvalidParameter",
            "Attributes Reason: RawMessageDelivery: Invalid value [wrongvalue]. Must be true or false.",
        )
    }

    SUBSCRIBE => async fn an_unknown_attribute_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        aws.subscribing(&topic, "sqs", &queue.arn, &[("Flavour", "sweet")]).await?
            .refused(400, "InvalidParameter")
    }

    FIFO => async fn a_fifo_queue_cannot_subscribe_to_a_standard_topic(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.fifo("work", json!({})).await?;
        aws.subscribing(&topic, "sqs", &queue.arn, &[]).await?.refused_saying(
            400,
            "InvalidParameter",
            "FIFO SQS Queues can not be subscribed to standard SNS topics",
        )
    }

    FIFO => async fn a_standard_queue_can_subscribe_to_a_fifo_topic(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        aws.subscribing(&topic, "sqs", &queue.arn, &[]).await?.ok()?;
        Ok(())
    }

    GET => async fn a_subscription_is_described(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        let account = pair.topic.arn.split(':').nth(4).unwrap_or_default();
        for (name, value) in [
            ("SubscriptionArn", pair.subscription.as_str()),
            ("TopicArn", &pair.topic.arn),
            ("Endpoint", &pair.queue.arn),
            ("Protocol", "sqs"),
            ("Owner", account),
            ("RawMessageDelivery", "false"),
        ] {
            ensure_eq!(attributes[name], value, "{name}");
        }
        ensure!(attributes.contains_key("SubscriptionPrincipal"), "{attributes:?}");
        for absent in ["FilterPolicy", "FilterPolicyScope", "RedrivePolicy"] {
            ensure!(!attributes.contains_key(absent), "{absent} is shown");
        }
        Ok(())
    }

    GET => async fn an_unknown_subscription_is_not_found(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let (topic, _) = pair.subscription.rsplit_once(':').unwrap_or_default();
        let other = format!("{topic}:00000000-0000-4000-8000-000000000000");
        aws.sns("GetSubscriptionAttributes", &[("SubscriptionArn", &other)]).await?
            .refused_saying(404, "NotFound", "Subscription does not exist")
    }

    SET => async fn raw_delivery_is_told_in_small_letters(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "TrUe")]).await?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        ensure_eq!(attributes["RawMessageDelivery"], "true");
        set(&aws, &pair.subscription, "RawMessageDelivery", "FALSE").await?.ok()?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        ensure_eq!(attributes["RawMessageDelivery"], "false");
        Ok(())
    }

    SET => async fn raw_delivery_is_true_or_false(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        for value in ["test-ValUe", ""] {
            let words = format!("RawMessageDelivery: Invalid value [{value}]. Must be true or false.");
            set(&aws, &pair.subscription, "RawMessageDelivery", value).await?
                .refused_saying(400, "InvalidParameter", &words)?;
        }
        Ok(())
    }

    SET => async fn an_attribute_that_no_subscription_has_cannot_be_set(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        set(&aws, &pair.subscription, "FakeAttribute", "value").await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: AttributeName")
    }

    SET => async fn what_was_unsubscribed_cannot_be_changed(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        aws.sns("Unsubscribe", &[("SubscriptionArn", &pair.subscription)]).await?.ok()?;
        let refused = || async {
            let reply = set(&aws, &pair.subscription, "RawMessageDelivery", "true").await?;
            Ok(Some(reply).filter(|reply| reply.status != 200))
        };
        aws.poll(SOON, refused).await?.refused_saying(404, "NotFound", "Subscription does not exist")
    }

    SET => async fn a_scope_is_shown_with_its_policy_only(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        set(&aws, &pair.subscription, "FilterPolicyScope", "MessageBody").await?.ok()?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        ensure!(!attributes.contains_key("FilterPolicyScope"), "{attributes:?}");
        set(&aws, &pair.subscription, "FilterPolicy", r#"{"attr":["match-this"]}"#).await?.ok()?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        ensure_eq!(attributes["FilterPolicyScope"], "MessageBody");
        ensure_eq!(attributes["FilterPolicy"], r#"{"attr":["match-this"]}"#);
        Ok(())
    }

    SET => async fn a_policys_usual_scope_is_the_attributes(aws: Aws) {
        let pair = pair(&aws, &[("FilterPolicy", r#"{"a":["b"]}"#)]).await?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        ensure_eq!(attributes["FilterPolicyScope"], "MessageAttributes");
        Ok(())
    }

    SET => async fn a_scope_is_attributes_or_body(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        set(&aws, &pair.subscription, "FilterPolicyScope", "RandomValue").await?.refused_saying(
            400,
            "InvalidParameter",
            "FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or MessageAttributes",
        )
    }

    SET => async fn an_empty_policy_takes_the_policy_away(aws: Aws) {
        let pair = pair(&aws, &[("FilterPolicy", r#"{"a":["b"]}"#)]).await?;
        set(&aws, &pair.subscription, "FilterPolicy", "").await?.ok()?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        ensure!(!attributes.contains_key("FilterPolicy"), "{attributes:?}");
        Ok(())
    }

    FILTERS => async fn a_topic_takes_two_hundred_filter_policies(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        let policy = [("FilterPolicy", r#"{"a":["b"]}"#)];
        for place in 0..200 {
            let arn = format!("{}-{place}", queue.arn);
            aws.subscribing(&topic, "sqs", &arn, &policy).await?.ok()?;
        }
        aws.subscribing(&topic, "sqs", &queue.arn, &policy).await?
            .refused(403, "FilterPolicyLimitExceeded")?;
        aws.subscribing(&topic, "sqs", &queue.arn, &[]).await?.ok()?;
        Ok(())
    }

    DLQ => async fn a_redrive_policy_is_shown(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let lost = aws.queue("lost", json!({})).await?;
        set(&aws, &pair.subscription, "RedrivePolicy", &redrive(&lost)).await?.ok()?;
        let attributes = subscription_attributes(&aws, &pair.subscription).await?;
        let shown: Value = serde_json::from_str(&attributes["RedrivePolicy"])?;
        ensure_eq!(shown, json!({"deadLetterTargetArn": lost.arn}));
        Ok(())
    }

    DLQ => async fn a_redrive_policy_names_a_queue_by_arn(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let fake = json!({"deadLetterTargetArn": "fake-arn"}).to_string();
        set(&aws, &pair.subscription, "RedrivePolicy", &fake).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn",
        )
    }

    DLQ => async fn a_redrive_policy_that_is_no_json_is_refused(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        set(&aws, &pair.subscription, "RedrivePolicy", "{invalidjson}").await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: RedrivePolicy: failed to parse JSON.",
        )
    }

    DLQ => async fn a_fifo_queues_dead_letters_go_to_a_fifo_queue(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let queue = aws.fifo("work", json!({})).await?;
        let subscription = aws.subscribed(&topic, &queue, &[]).await?;
        let standard = aws.queue("lost", json!({})).await?;
        set(&aws, &subscription, "RedrivePolicy", &redrive(&standard)).await?.refused_saying(
            400,
            "InvalidParameter",
            "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.",
        )?;
        let fifo = aws.fifo("lost", json!({})).await?;
        set(&aws, &subscription, "RedrivePolicy", &redrive(&fifo)).await?.ok()?;
        Ok(())
    }

    DLQ => async fn a_standard_queues_dead_letters_of_a_fifo_topic_may_go_to_a_standard_queue(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        let subscription = aws.subscribed(&topic, &queue, &[]).await?;
        let lost = aws.queue("lost", json!({})).await?;
        set(&aws, &subscription, "RedrivePolicy", &redrive(&lost)).await?.ok()?;
        Ok(())
    }

    UNSUBSCRIBE => async fn what_was_unsubscribed_is_unsubscribed_already(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        for _ in 0..2 {
            aws.sns("Unsubscribe", &[("SubscriptionArn", &pair.subscription)]).await?.ok()?;
        }
        Ok(())
    }

    UNSUBSCRIBE => async fn what_is_no_arn_of_a_subscription_is_refused(aws: Aws) {
        for (arn, words) in [
            ("randomstring", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"),
            ("arn:aws:sns:us-east-1:random", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 5"),
            ("arn:aws:sns:us-east-1:111111111111:random", "Invalid parameter: SubscriptionId"),
        ] {
            aws.sns("Unsubscribe", &[("SubscriptionArn", arn)]).await?
                .refused_saying(400, "InvalidParameter", words)?;
        }
        aws.sns("Unsubscribe", &[]).await?.refused_saying(
            400,
            "InvalidParameter",
            "Invalid parameter: SubscriptionArn Reason: no value for required parameter",
        )
    }

    BY_TOPIC => async fn a_topics_subscriptions_are_listed(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let fields = [("TopicArn", pair.topic.arn.as_str())];
        let reply = aws.sns("ListSubscriptionsByTopic", &fields).await?.ok()?;
        let account = pair.topic.arn.split(':').nth(4).unwrap_or_default();
        for (name, value) in [
            ("SubscriptionArn", pair.subscription.as_str()),
            ("TopicArn", &pair.topic.arn),
            ("Endpoint", &pair.queue.arn),
            ("Protocol", "sqs"),
            ("Owner", account),
        ] {
            ensure_eq!(reply.all(&format!("Subscriptions/member/{name}")), [value], "{name}");
        }
        Ok(())
    }

    BY_TOPIC => async fn a_topics_subscriptions_come_a_hundred_at_a_time(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let queue = aws.queue("readers", json!({})).await?;
        for place in 0..101 {
            let arn = format!("{}-{place}", queue.arn);
            aws.subscribing(&topic, "sqs", &arn, &[]).await?.ok()?;
        }
        let path = "Subscriptions/member/SubscriptionArn";
        let topic = ("TopicArn", topic.arn.as_str());
        let first = aws.sns("ListSubscriptionsByTopic", &[topic]).await?.ok()?;
        let listed: BTreeSet<&str> = first.all(path).into_iter().collect();
        ensure_eq!(listed.len(), 100);
        let token = ("NextToken", first.text("NextToken")?);
        let second = aws.sns("ListSubscriptionsByTopic", &[topic, token]).await?.ok()?;
        ensure_eq!(second.all(path).len(), 1);
        ensure!(!listed.contains(second.text(path)?), "listed twice: {}", second.text(path)?);
        ensure!(second.all("NextToken").is_empty(), "there is a third page");
        Ok(())
    }

    BY_TOPIC => async fn an_unknown_topics_subscriptions_are_not_found(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let other = format!("{}-other", topic.arn);
        aws.sns("ListSubscriptionsByTopic", &[("TopicArn", &other)]).await?
            .refused_saying(404, "NotFound", "Topic does not exist")
    }

    LIST => async fn all_subscriptions_are_listed(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let mut token = String::new();
        loop {
            let fields = [("NextToken", token.as_str())];
            let fields = if token.is_empty() { &fields[..0] } else { &fields[..] };
            let page = aws.sns("ListSubscriptions", fields).await?.ok()?;
            let arns = page.all("Subscriptions/member/SubscriptionArn");
            ensure!(arns.len() <= 100, "{} on one page", arns.len());
            if arns.contains(&pair.subscription.as_str()) {
                return Ok(());
            }
            token = page.text("NextToken").map_err(|_| Failed("it is on no page".to_owned()))?.to_owned();
        }
    }
}
