//! SNS over HTTP: confirmations, notifications, leave-taking.

use crate::hook::{Hook, fetch};
use crate::sns::both;
use crate::support::{answer, engine};
use aws_sdk_sns::error::ProvideErrorMetadata;
use serde_json::json;
use std::time::Duration;

const AGENT: &str = "Amazon Simple Notification Service Agent";
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_asked_first_and_confirms_by_fetching_the_link() {
    let engine = engine().await;
    engine.set_public_url("http://127.0.0.1:4566".to_owned());
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let hook = Hook::at(&engine, "hooks.test");
    let answer = both
        .sns
        .subscribe()
        .topic_arn(&topic)
        .protocol("http")
        .endpoint("http://hooks.test/sns?x=1")
        .send()
        .await
        .expect("subscribed");
    assert_eq!(answer.subscription_arn(), Some("pending confirmation"));
    let asked = hook.seen(1).await.remove(0);
    let token = asked.text("Token");
    let link =
        format!("http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}");
    let id = asked.text("MessageId");
    assert_eq!(
        asked.json(),
        json!({
            "Type": "SubscriptionConfirmation",
            "MessageId": id,
            "Token": token,
            "TopicArn": topic,
            "Message": format!(
                "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, \
                 visit the SubscribeURL included in this message."
            ),
            "SubscribeURL": link,
            "Timestamp": asked.text("Timestamp"),
            "SignatureVersion": "1",
            "Signature": asked.text("Signature"),
            "SigningCertURL": asked.text("SigningCertURL"),
        })
    );
    assert_eq!(asked.path, "/sns?x=1");
    for (name, value) in [
        ("x-amz-sns-message-type", Some("SubscriptionConfirmation")),
        ("x-amz-sns-message-id", Some(id.as_str())),
        ("x-amz-sns-topic-arn", Some(topic.as_str())),
        ("x-amz-sns-subscription-arn", None),
        ("content-type", Some("text/plain; charset=UTF-8")),
        ("user-agent", Some(AGENT)),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    both.say(&topic, "before").await;
    let listed = both.sns.list_subscriptions().send().await.expect("listed");
    let listed = listed.subscriptions();
    assert_eq!(listed[0].subscription_arn(), Some("PendingConfirmation"));
    let counts = |confirmed: &'static str, pending: &'static str| {
        let shown = both.sns.get_topic_attributes().topic_arn(&topic).send();
        async move {
            let shown = shown.await.expect("described");
            let shown = shown.attributes().expect("attributes");
            assert_eq!(shown["SubscriptionsConfirmed"], confirmed);
            assert_eq!(shown["SubscriptionsPending"], pending);
        }
    };
    counts("0", "1").await;
    let (status, answer) = fetch(&engine, &link).await;
    assert_eq!(status, 200, "{answer}");
    let listed = both.sns.list_subscriptions().send().await.expect("listed");
    let arn = listed.subscriptions()[0]
        .subscription_arn()
        .expect("an ARN");
    assert!(arn.starts_with(&format!("{topic}:")));
    assert!(answer.contains(&format!("<SubscriptionArn>{arn}</SubscriptionArn>")));
    assert_eq!(fetch(&engine, &link).await.0, 200, "confirmed again");
    counts("1", "0").await;
    let shown = both.attributes_of(arn).await.expect("attributes");
    assert_eq!(shown["PendingConfirmation"], "false");
    assert_eq!(shown["ConfirmationWasAuthenticated"], "false");
    both.say(&topic, "after").await;
    let got = hook.seen(2).await.remove(1);
    assert_eq!(got.text("Type"), "Notification");
    assert_eq!(got.text("Message"), "after");
    let leave = format!("http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn={arn}");
    assert_eq!(got.text("UnsubscribeURL"), leave);
    for (name, value) in [
        ("x-amz-sns-message-type", "Notification"),
        ("x-amz-sns-message-id", &got.text("MessageId")),
        ("x-amz-sns-topic-arn", &topic),
        ("x-amz-sns-subscription-arn", arn),
        ("content-type", "text/plain; charset=UTF-8"),
        ("user-agent", AGENT),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    assert_eq!(got.header("x-amz-sns-rawdelivery"), None);
}

#[tokio::test(start_paused = true)]
async fn a_pending_subscription_is_described_asked_again_and_cannot_be_ended() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let hook = Hook::at(&engine, "hooks.test");
    let endpoint = ("http", "http://hooks.test/");
    let arn = both.subscribe_to(&topic, endpoint, &[]).await;
    let arn = arn.expect("subscribed");
    let shown = both.attributes_of(&arn).await.expect("attributes");
    assert_eq!(shown["PendingConfirmation"], "true");
    assert_eq!(shown["ConfirmationWasAuthenticated"], "false");
    let again = both.subscribe_to(&topic, endpoint, &[]).await;
    assert_eq!(again.as_deref(), Ok(arn.as_str()));
    let asked = hook.seen(2).await;
    assert_ne!(asked[0].text("Token"), asked[1].text("Token"));
    let refused = both.sns.unsubscribe().subscription_arn(&arn).send().await;
    let refused = refused.expect_err("refused").into_service_error();
    assert_eq!(
        refused.message(),
        Some(
            "Invalid parameter: SubscriptionArn Reason: Cannot unsubscribe a subscription that is \
             pending confirmation"
        )
    );
    // The first token is as good as the second.
    let confirmed = both
        .sns
        .confirm_subscription()
        .topic_arn(&topic)
        .token(asked[0].text("Token"))
        .send()
        .await
        .expect("confirmed");
    assert_eq!(confirmed.subscription_arn(), Some(arn.as_str()));
    let shown = both.attributes_of(&arn).await.expect("attributes");
    assert_eq!(
        shown["ConfirmationWasAuthenticated"], "true",
        "it was signed"
    );
    let again = both.subscribe_to(&topic, endpoint, &[]).await;
    assert_eq!(again, Ok(arn), "nothing is pending any more");
    tokio::time::sleep(HOUR).await;
    assert_eq!(hook.all().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_or_region_is_refused_and_another_topic_is_not() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let hook = Hook::at(&engine, "hooks.test");
    let endpoint = ("http", "http://hooks.test/");
    let arn = both.subscribe_to(&topic, endpoint, &[]).await;
    let token = hook.seen(1).await[0].text("Token");
    let confirm = |topic: &str, token: &str| {
        let request = both.sns.confirm_subscription();
        let request = request.topic_arn(topic).token(token).send();
        async move {
            let answer = request.await.map_err(|error| {
                let error = error.into_service_error();
                (
                    error.code().unwrap_or_default().to_owned(),
                    error.message().unwrap_or_default().to_owned(),
                )
            });
            answer.map(|answer| answer.subscription_arn().expect("an ARN").to_owned())
        }
    };
    let refused = |message: &str| Err(("InvalidParameter".to_owned(), message.to_owned()));
    let (no_token, no_topic) = ("Invalid parameter: Token", "Invalid parameter: Topic");
    assert_eq!(confirm(&topic, "abc123").await, refused(no_token));
    assert_eq!(confirm("not-an-arn", &token).await, refused(no_topic));
    let elsewhere = topic.replace("us-east-1", "eu-central-1");
    assert_eq!(confirm(&elsewhere, &token).await, refused(no_topic));
    let other = topic.replace("news", "none");
    assert_eq!(confirm(&other, &token).await.ok(), arn.ok());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_nobody_confirms_is_gone_after_two_days() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let hook = Hook::at(&engine, "hooks.test");
    let endpoint = ("http", "http://hooks.test/");
    let arn = both.subscribe_to(&topic, endpoint, &[]).await;
    let arn = arn.expect("subscribed");
    let link = hook.seen(1).await[0].text("SubscribeURL");
    tokio::time::sleep(47 * HOUR).await;
    assert!(both.attributes_of(&arn).await.is_some());
    tokio::time::sleep(HOUR + Duration::from_secs(61)).await;
    assert_eq!(both.attributes_of(&arn).await, None);
    let (status, answer) = fetch(&engine, &link).await;
    assert_eq!(status, 400);
    assert!(answer.contains("Invalid parameter: Token"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_by_the_link_is_told_and_may_come_back() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let filter = [("FilterPolicy", r#"{"type":["a"]}"#)];
    let (hook, arn) = both.hooked(&engine, &topic, "hooks.test", &filter).await;
    both.publish(&topic, "a", "first").await;
    let got = hook.seen(1).await.remove(0);
    let (status, _) = fetch(&engine, &got.text("UnsubscribeURL")).await;
    assert_eq!(status, 200);
    assert_eq!(both.attributes_of(&arn).await, None);
    let told = hook.seen(2).await.remove(1);
    assert_eq!(told.text("Type"), "UnsubscribeConfirmation");
    assert_eq!(
        told.text("Message"),
        format!(
            "You have chosen to deactivate subscription {arn}.\nTo cancel this operation and \
             restore the subscription, visit the SubscribeURL included in this message."
        )
    );
    let kind = told.header("x-amz-sns-message-type");
    assert_eq!(kind, Some("UnsubscribeConfirmation"));
    assert_eq!(
        told.header("x-amz-sns-subscription-arn"),
        Some(arn.as_str())
    );
    both.publish(&topic, "a", "missed").await;
    let (status, answer) = fetch(&engine, &told.text("SubscribeURL")).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains(&arn));
    let shown = both.attributes_of(&arn).await.expect("restored");
    assert_eq!(shown["FilterPolicy"], r#"{"type":["a"]}"#);
    both.publish(&topic, "b", "filtered").await;
    both.publish(&topic, "a", "again").await;
    assert_eq!(hook.seen(3).await[2].text("Message"), "again");
    // Its owner, who signs, is not told.
    let ended = both.sns.unsubscribe().subscription_arn(&arn).send().await;
    ended.expect("ended");
    tokio::time::sleep(HOUR).await;
    assert_eq!(hook.all().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_guarded_subscription_is_not_ended_by_its_link() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let hook = Hook::at(&engine, "hooks.test");
    let endpoint = ("http", "http://hooks.test/");
    let arn = both.subscribe_to(&topic, endpoint, &[]).await;
    let arn = arn.expect("subscribed");
    let asked = hook.seen(1).await.remove(0);
    let unsigned = format!(
        "{}&AuthenticateOnUnsubscribe=true",
        asked.text("SubscribeURL")
    );
    assert_eq!(fetch(&engine, &unsigned).await.0, 403);
    both.sns
        .confirm_subscription()
        .topic_arn(&topic)
        .token(asked.text("Token"))
        .authenticate_on_unsubscribe("true")
        .send()
        .await
        .expect("confirmed");
    both.say(&topic, "m").await;
    let link = hook.seen(2).await[1].text("UnsubscribeURL");
    let (status, answer) = fetch(&engine, &link).await;
    assert_eq!(status, 403);
    assert!(
        answer.contains("<Code>AuthorizationError</Code>"),
        "{answer}"
    );
    let shown = both.attributes_of(&arn).await.expect("still there");
    assert!(!shown.contains_key("AuthenticateOnUnsubscribe"));
    let ended = both.sns.unsubscribe().subscription_arn(&arn).send().await;
    ended.expect("ended by a signed call");
    assert_eq!(both.attributes_of(&arn).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_raw_notification_is_the_message_as_the_type_its_policy_names() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let csv = r#"{"requestPolicy":{"headerContentType":"text/csv"}}"#;
    let raw = [("RawMessageDelivery", "true"), ("DeliveryPolicy", csv)];
    let (hook, arn) = both.hooked(&engine, &topic, "hooks.test", &raw).await;
    both.publish(&topic, "a", "1;2").await;
    let got = hook.seen(1).await.remove(0);
    assert_eq!(got.body, "1;2");
    assert_eq!(got.header("x-amz-sns-rawdelivery"), Some("true"));
    assert_eq!(got.header("content-type"), Some("text/csv"));
    let shown = both.attributes_of(&arn).await.expect("attributes");
    assert_eq!(
        shown["DeliveryPolicy"],
        r#"{"healthyRetryPolicy":null,"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}"#
    );
    assert_eq!(
        shown["EffectiveDeliveryPolicy"],
        r#"{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}"#
    );
    let wrapped = both
        .sns
        .set_subscription_attributes()
        .subscription_arn(&arn)
        .attribute_name("RawMessageDelivery")
        .attribute_value("false")
        .send()
        .await;
    wrapped.expect_err("what is wrapped is no CSV");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_does_not_fit_is_refused() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let fifo = [("FifoTopic", "true")];
    let ordered = both.topic("ordered.fifo", &fifo).await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let mismatch = "Invalid parameter: Endpoint must match the specified protocol";
    let unknown = "Invalid parameter: Amazon SNS does not support this protocol string: ftp";
    let of_fifo = "Invalid parameter: Protocol Reason: FIFO topics support only SQS subscriptions";
    for (topic, protocol, endpoint, refusal) in [
        (&topic, "http", "https://hooks.test/", mismatch),
        (&topic, "https", "http://hooks.test/", mismatch),
        (&topic, "http", "hooks.test", mismatch),
        (&topic, "ftp", "ftp://hooks.test/", unknown),
        (
            &topic,
            "lambda",
            "f",
            "Invalid parameter: Lambda endpoint ARN",
        ),
        (
            &topic,
            "email",
            "nobody",
            "Invalid parameter: Email address",
        ),
        (&ordered, "http", "http://hooks.test/", of_fifo),
        (&ordered, "lambda", function, of_fifo),
        (&ordered, "email", "a@b.test", of_fifo),
    ] {
        let refused = both.subscribe_to(topic, (protocol, endpoint), &[]).await;
        assert_eq!(refused, Err(refusal.to_owned()), "{protocol} {endpoint}");
    }
    let policy = r#"{"healthyRetryPolicy":{"minDelayTarget":0,"maxDelayTarget":0,"numRetries":0}}"#;
    let policy = [("DeliveryPolicy", policy)];
    let endpoint = ("http", "http://hooks.test/");
    let refused = both.subscribe_to(&topic, endpoint, &policy).await;
    assert_eq!(
        refused.as_deref().map_err(String::as_str),
        Err("Invalid parameter: Attributes Reason: DeliveryPolicy: \
             healthyRetryPolicy.minDelayTarget must be greater than or equal to 1")
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_is_shown_and_an_address_confirms_by_what_is_shown() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let endpoint = ("email", "reader@mail.test");
    let arn = both.subscribe_to(&topic, endpoint, &[]).await;
    let arn = arn.expect("subscribed");
    let (status, shown) = page(&engine).await;
    assert_eq!(status, 200);
    assert_eq!(shown[0]["endpoint"], "reader@mail.test");
    assert_eq!(shown[0]["subscriptionArn"], arn);
    let link = shown[0]["subscribeUrl"].as_str().expect("a link");
    assert_eq!(fetch(&engine, link).await.0, 200);
    let attributes = both.attributes_of(&arn).await.expect("attributes");
    assert_eq!(attributes["PendingConfirmation"], "false");
    assert_eq!(page(&engine).await.1, json!([]));
    both.say(&topic, "m").await;
}

async fn page(engine: &callboard_engine::Engine) -> (u16, serde_json::Value) {
    let request = axum::extract::Request::get("/_callboard/confirmations");
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let (status, text) = answer(engine, request).await;
    (status.as_u16(), serde_json::from_str(&text).expect("JSON"))
}

#[tokio::test(start_paused = true)]
async fn links_lead_to_the_account_and_region_of_their_topic() {
    let engine = engine().await;
    let both = both(&engine);
    both.topic("news", &[]).await;
    let elsewhere = engine.sdk_config().into_builder();
    let elsewhere = elsewhere
        .region(aws_config::Region::new("eu-west-1"))
        .build();
    let elsewhere = crate::sns::Both {
        sns: aws_sdk_sns::Client::new(&elsewhere),
        sqs: aws_sdk_sqs::Client::new(&elsewhere),
    };
    let topic = elsewhere.topic("news", &[]).await;
    assert!(topic.starts_with("arn:aws:sns:eu-west-1:"));
    // Subscribes, and confirms by the link, which names no region but in the topic's ARN.
    let (hook, arn) = elsewhere.hooked(&engine, &topic, "hooks.test", &[]).await;
    elsewhere.say(&topic, "m").await;
    let link = hook.seen(1).await[0].text("UnsubscribeURL");
    assert_eq!(fetch(&engine, &link).await.0, 200);
    assert_eq!(elsewhere.attributes_of(&arn).await, None);
}
