//! Making, describing, changing, listing and deleting topics.

use super::support::{entries_of, pair, set_topic, topic_attributes};
use crate::prelude::*;
use std::collections::BTreeSet;

const CREATE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html";
const DELETE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html";
const LIST: &str = "https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html";
const GET: &str = "https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html";
const SET: &str = "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html";
const RETRIES: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html";
const ERRORS: &str = "https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html";

async fn listed(aws: &Aws) -> Result<Vec<(usize, BTreeSet<String>)>> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let fields = [("NextToken", token.as_str())];
        let fields = if token.is_empty() {
            &fields[..0]
        } else {
            &fields[..]
        };
        let page = aws.sns("ListTopics", fields).await?.ok()?;
        let arns: BTreeSet<String> = page
            .all("Topics/member/TopicArn")
            .into_iter()
            .map(str::to_owned)
            .collect();
        pages.push((arns.len(), arns));
        match page.all("NextToken").first() {
            Some(next) if !next.is_empty() => token = (*next).to_owned(),
            _ => return Ok(pages),
        }
    }
}

checks! {
    CREATE => async fn making_a_topic_again_gives_the_same_arn(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let again = aws.sns("CreateTopic", &[("Name", &topic.name)]).await?.ok()?;
        ensure_eq!(again.text("TopicArn")?, topic.arn);
        Ok(())
    }

    CREATE => async fn an_arn_says_partition_service_region_account_and_name(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let parts: Vec<&str> = topic.arn.split(':').collect();
        ensure_eq!(parts[..4], ["arn", "aws", "sns", "us-east-1"]);
        ensure!(parts[4].len() == 12, "no account in {}", topic.arn);
        ensure_eq!(parts[5], topic.name);
        Ok(())
    }

    CREATE => async fn a_name_may_have_256_characters(aws: Aws) {
        let name = format!("{:a<256}", aws.name("long"));
        aws.topic_named(name, &[]).await?;
        Ok(())
    }

    CREATE => async fn a_name_of_257_characters_is_refused(aws: Aws) {
        let name = "a".repeat(257);
        aws.sns("CreateTopic", &[("Name", &name)]).await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: Topic Name")
    }

    CREATE => async fn an_empty_name_is_refused(aws: Aws) {
        aws.sns("CreateTopic", &[("Name", "")]).await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: Topic Name")
    }

    CREATE => async fn a_name_is_letters_digits_hyphens_and_underscores(aws: Aws) {
        aws.topic_named(format!("{}-A_9", aws.name("news")), &[]).await?;
        for c in [":", ";", "!", "@", "|", "^", "%", " ", "ö", "."] {
            let name = format!("bad{c}name");
            aws.sns("CreateTopic", &[("Name", &name)]).await?
                .refused_saying(400, "InvalidParameter", "Invalid parameter: Topic Name")?;
        }
        Ok(())
    }

    CREATE => async fn a_fifo_topics_name_must_end_in_fifo(aws: Aws) {
        let name = aws.name("orders");
        let mut fields = entries("Attributes", &[("FifoTopic", "true")]);
        fields.push(("Name".to_owned(), name));
        aws.sns("CreateTopic", &borrowed(&fields)).await?.refused(400, "InvalidParameter")
    }

    CREATE => async fn a_standard_topics_name_must_not_end_in_fifo(aws: Aws) {
        let name = format!("{}.fifo", aws.name("orders"));
        aws.sns("CreateTopic", &[("Name", &name)]).await?.refused(400, "InvalidParameter")
    }

    CREATE => async fn an_unknown_attribute_is_refused(aws: Aws) {
        let mut fields = entries("Attributes", &[("Flavour", "sweet")]);
        fields.push(("Name".to_owned(), aws.name("news")));
        aws.sns("CreateTopic", &borrowed(&fields)).await?.refused(400, "InvalidParameter")
    }

    CREATE => async fn made_again_with_another_attribute_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[("DisplayName", "News")]).await?;
        aws.topic_named(topic.name.clone(), &[("DisplayName", "News")]).await?;
        let mut fields = entries("Attributes", &[("DisplayName", "Olds")]);
        fields.push(("Name".to_owned(), topic.name));
        aws.sns("CreateTopic", &borrowed(&fields)).await?.refused_saying(
            400,
            "InvalidParameter",
            "Attributes Reason: Topic already exists with different attributes",
        )
    }

    CREATE => async fn made_again_it_keeps_what_was_set_since(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        set_topic(&aws, &topic, "DisplayName", "Set").await?.ok()?;
        aws.topic_named(topic.name.clone(), &[]).await?;
        ensure_eq!(topic_attributes(&aws, &topic).await?["DisplayName"], "Set");
        Ok(())
    }

    DELETE => async fn a_topic_that_is_not_there_is_deleted_already(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        for _ in 0..2 {
            aws.sns("DeleteTopic", &[("TopicArn", &topic.arn)]).await?.ok()?;
        }
        let never = format!("{}-never", topic.arn);
        aws.sns("DeleteTopic", &[("TopicArn", &never)]).await?.ok()?;
        Ok(())
    }

    DELETE => async fn a_deleted_topic_is_not_found(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        aws.sns("DeleteTopic", &[("TopicArn", &topic.arn)]).await?.ok()?;
        let gone = || async {
            let reply = aws.sns("GetTopicAttributes", &[("TopicArn", &topic.arn)]).await?;
            Ok(Some(reply).filter(|reply| reply.status != 200))
        };
        aws.poll(SOON, gone).await?.refused_saying(404, "NotFound", "Topic does not exist")
    }

    DELETE => async fn a_deleted_topics_subscriptions_are_deleted_too(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        aws.sns("DeleteTopic", &[("TopicArn", &pair.topic.arn)]).await?.ok()?;
        let again = aws.topic_named(pair.topic.name.clone(), &[]).await?;
        let none = || async {
            let fields = [("TopicArn", again.arn.as_str())];
            let reply = aws.sns("ListSubscriptionsByTopic", &fields).await?.ok()?;
            Ok(reply.all("Subscriptions/member").is_empty().then_some(()))
        };
        aws.poll(SOON, none).await
    }

    DELETE => async fn an_arn_of_another_region_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let elsewhere = topic.arn.replace("us-east-1", "eu-west-3");
        for action in ["DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic"] {
            aws.sns(action, &[("TopicArn", &elsewhere)]).await?
                .refused_saying(400, "InvalidParameter", "Invalid parameter: TopicArn")?;
        }
        Ok(())
    }

    GET => async fn a_new_topic_has_the_usual_attributes(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let attributes = topic_attributes(&aws, &topic).await?;
        ensure_eq!(attributes["TopicArn"], topic.arn);
        ensure_eq!(Some(attributes["Owner"].as_str()), topic.arn.split(':').nth(4));
        ensure_eq!(attributes["DisplayName"], "");
        for count in ["SubscriptionsConfirmed", "SubscriptionsPending", "SubscriptionsDeleted"] {
            ensure_eq!(attributes[count], "0", "{count}");
        }
        for absent in ["FifoTopic", "ContentBasedDeduplication", "DeliveryPolicy", "SignatureVersion"] {
            ensure!(!attributes.contains_key(absent), "{absent} is shown");
        }
        Ok(())
    }

    GET => async fn the_default_policy_lets_the_owner_use_the_topic(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let attributes = topic_attributes(&aws, &topic).await?;
        let policy: Value = serde_json::from_str(&attributes["Policy"])?;
        ensure_eq!(policy.text_at("/Id")?, "__default_policy_ID");
        ensure_eq!(policy.text_at("/Statement/0/Sid")?, "__default_statement_ID");
        ensure_eq!(policy.text_at("/Statement/0/Resource")?, topic.arn);
        let owner = policy.text_at("/Statement/0/Condition/StringEquals/AWS:SourceOwner")?;
        ensure_eq!(owner, attributes["Owner"]);
        let actions = policy.list_at("/Statement/0/Action");
        ensure!(actions.contains(&json!("SNS:Publish")), "{policy}");
        Ok(())
    }

    GET => async fn a_fifo_topic_says_so(aws: Aws) {
        let topic = aws.fifo_topic("orders", &[]).await?;
        let attributes = topic_attributes(&aws, &topic).await?;
        ensure_eq!(attributes["FifoTopic"], "true");
        ensure_eq!(attributes["ContentBasedDeduplication"], "false");
        Ok(())
    }

    GET => async fn a_topic_made_as_no_fifo_topic_does_not_say_so(aws: Aws) {
        let topic = aws.topic("news", &[("FifoTopic", "false")]).await?;
        let attributes = topic_attributes(&aws, &topic).await?;
        ensure!(!attributes.contains_key("FifoTopic"), "{attributes:?}");
        Ok(())
    }

    GET => async fn an_arn_of_too_few_elements_is_refused(aws: Aws) {
        for (arn, elements) in [("news", 1), ("arn:aws", 2), ("arn:aws:sns:us-east-1:news", 5)] {
            let words = format!(
                "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not {elements}"
            );
            aws.sns("GetTopicAttributes", &[("TopicArn", arn)]).await?
                .refused_saying(400, "InvalidParameter", &words)?;
        }
        Ok(())
    }

    GET => async fn an_unknown_topic_is_not_found(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let other = format!("{}-other", topic.arn);
        aws.sns("GetTopicAttributes", &[("TopicArn", &other)]).await?
            .refused_saying(404, "NotFound", "Topic does not exist")
    }

    GET => async fn confirmed_subscriptions_are_counted(aws: Aws) {
        let pair = pair(&aws, &[]).await?;
        let counted = || async {
            let attributes = topic_attributes(&aws, &pair.topic).await?;
            Ok((attributes["SubscriptionsConfirmed"] == "1").then_some(()))
        };
        aws.poll(SOON, counted).await
    }

    SET => async fn attributes_are_changed_and_shown(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let changes = [("DisplayName", "The News"), ("SignatureVersion", "2"), ("TracingConfig", "Active")];
        for (name, value) in changes {
            set_topic(&aws, &topic, name, value).await?.ok()?;
            ensure_eq!(topic_attributes(&aws, &topic).await?[name], value);
        }
        Ok(())
    }

    SET => async fn a_policy_is_shown_as_it_was_set(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let policy = json!({"Version": "2012-10-17", "Id": "mine", "Statement": [{
            "Sid": "publish", "Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": "SNS:Publish", "Resource": topic.arn,
        }]});
        set_topic(&aws, &topic, "Policy", &policy.to_string()).await?.ok()?;
        let shown = &topic_attributes(&aws, &topic).await?["Policy"];
        ensure_eq!(serde_json::from_str::<Value>(shown)?["Id"], "mine");
        Ok(())
    }

    SET => async fn whether_a_topic_is_fifo_cannot_be_changed(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        for value in ["true", "false"] {
            set_topic(&aws, &topic, "FifoTopic", value).await?
                .refused_saying(400, "InvalidParameter", "Invalid parameter: AttributeName")?;
        }
        Ok(())
    }

    SET => async fn an_attribute_that_no_topic_has_cannot_be_set(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        set_topic(&aws, &topic, "Flavour", "sweet").await?
            .refused_saying(400, "InvalidParameter", "Invalid parameter: AttributeName")
    }

    SET => async fn deduplication_by_content_is_for_fifo_topics(aws: Aws) {
        let fifo = aws.fifo_topic("orders", &[]).await?;
        set_topic(&aws, &fifo, "ContentBasedDeduplication", "true").await?.ok()?;
        ensure_eq!(topic_attributes(&aws, &fifo).await?["ContentBasedDeduplication"], "true");
        let standard = aws.topic("news", &[]).await?;
        set_topic(&aws, &standard, "ContentBasedDeduplication", "true").await?
            .refused(400, "InvalidParameter")
    }

    RETRIES => async fn without_a_delivery_policy_three_retries_twenty_seconds_apart_hold(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let effective = &topic_attributes(&aws, &topic).await?["EffectiveDeliveryPolicy"];
        let effective: Value = serde_json::from_str(effective)?;
        ensure_eq!(effective, json!({"http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3,
                "numMaxDelayRetries": 0, "numNoDelayRetries": 0, "numMinDelayRetries": 0,
                "backoffFunction": "linear",
            },
            "disableSubscriptionOverrides": false,
            "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
        }}));
        Ok(())
    }

    RETRIES => async fn a_delivery_policy_holds_in_what_it_says_until_it_is_taken_away(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let said = json!({"http": {"defaultHealthyRetryPolicy": {
            "minDelayTarget": 5, "maxDelayTarget": 6, "numRetries": 1,
        }}});
        set_topic(&aws, &topic, "DeliveryPolicy", &said.to_string()).await?.ok()?;
        let attributes = topic_attributes(&aws, &topic).await?;
        let shown: Value = serde_json::from_str(&attributes["DeliveryPolicy"])?;
        let healthy = "/http/defaultHealthyRetryPolicy";
        ensure_eq!(shown.at(healthy)?, said.at(healthy)?);
        let effective: Value = serde_json::from_str(&attributes["EffectiveDeliveryPolicy"])?;
        ensure_eq!(effective.at("/http/defaultHealthyRetryPolicy/minDelayTarget")?, &json!(5));
        ensure_eq!(effective.text_at("/http/defaultHealthyRetryPolicy/backoffFunction")?, "linear");
        set_topic(&aws, &topic, "DeliveryPolicy", "").await?.ok()?;
        let attributes = topic_attributes(&aws, &topic).await?;
        ensure!(!attributes.contains_key("DeliveryPolicy"), "{attributes:?}");
        Ok(())
    }

    RETRIES => async fn a_delivery_policy_that_is_no_json_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        set_topic(&aws, &topic, "DeliveryPolicy", "{").await?.refused(400, "InvalidParameter")
    }

    LIST => async fn topics_are_listed_a_hundred_at_a_time(aws: Aws) {
        let mut made = BTreeSet::new();
        for _ in 0..101 {
            made.insert(aws.topic("many", &[]).await?.arn);
        }
        let pages = listed(&aws).await?;
        ensure!(pages.len() >= 2, "{} topics on one page", pages[0].0);
        ensure_eq!(pages[0].0, 100);
        let all: BTreeSet<String> = pages.into_iter().flat_map(|(_, arns)| arns).collect();
        ensure!(made.is_subset(&all), "{} are not listed", made.difference(&all).count());
        Ok(())
    }

    LIST => async fn a_token_that_is_none_is_refused(aws: Aws) {
        aws.sns("ListTopics", &[("NextToken", "not a token")]).await?.refused(400, "InvalidParameter")
    }

    ERRORS => async fn an_action_that_is_none_is_refused(aws: Aws) {
        aws.sns("MakeTopic", &[("Name", "news")]).await?.refused(400, "InvalidAction")
    }

    ERRORS => async fn a_refusal_says_who_is_to_blame_and_bears_a_request_id(aws: Aws) {
        let reply = aws.sns("GetTopicAttributes", &[("TopicArn", "news")]).await?;
        ensure_eq!(reply.root().name, "ErrorResponse");
        ensure_eq!(reply.text("Error/Type")?, "Sender");
        ensure!(!reply.text("RequestId")?.is_empty(), "{}", reply.raw);
        Ok(())
    }

    ERRORS => async fn an_answer_bears_its_request_id_in_document_and_header(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let reply = aws.sns("GetTopicAttributes", &[("TopicArn", &topic.arn)]).await?.ok()?;
        ensure_eq!(reply.root().name, "GetTopicAttributesResponse");
        ensure!(!entries_of(&reply).is_empty(), "{}", reply.raw);
        let header = reply.headers.get("x-amzn-requestid").and_then(|id| id.to_str().ok());
        ensure_eq!(header, Some(reply.text("ResponseMetadata/RequestId")?));
        Ok(())
    }
}
