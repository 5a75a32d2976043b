//! SNS: the topics and subscriptions themselves, durability.

use crate::sns::{arn, bodies, both};
use crate::support::{engine, engine_in, queue};
use aws_sdk_sns::error::ProvideErrorMetadata;

#[tokio::test(start_paused = true)]
async fn topics_and_subscriptions_are_described_changed_and_removed() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    assert_eq!(topic, "arn:aws:sns:us-east-1:000000000000:news");
    assert_eq!(both.topic("news", &[]).await, topic, "made once");
    let first = both.subscribe(&topic, "readers", &[]).await;
    assert_eq!(
        both.subscribe(&topic, "readers", &[]).await,
        first,
        "subscribed once"
    );
    let set = |name: &'static str, value: &'static str| {
        both.sns
            .set_subscription_attributes()
            .subscription_arn(&first)
            .attribute_name(name)
            .attribute_value(value)
            .send()
    };
    set("RawMessageDelivery", "true").await.expect("set");
    set("FilterPolicy", r#"{"a":["b"]}"#).await.expect("set");
    set("FilterPolicy", "{").await.expect_err("no policy");
    let shown = both
        .sns
        .get_subscription_attributes()
        .subscription_arn(&first)
        .send()
        .await
        .expect("described");
    let attributes = shown.attributes().expect("attributes");
    assert_eq!(attributes["RawMessageDelivery"], "true");
    assert_eq!(attributes["FilterPolicy"], r#"{"a":["b"]}"#);
    assert_eq!(attributes["Endpoint"], arn("readers"));
    both.sns
        .set_topic_attributes()
        .topic_arn(&topic)
        .attribute_name("DisplayName")
        .attribute_value("News")
        .send()
        .await
        .expect("set");
    let shown = both
        .sns
        .get_topic_attributes()
        .topic_arn(&topic)
        .send()
        .await
        .expect("described");
    assert_eq!(
        shown.attributes().expect("attributes")["DisplayName"],
        "News"
    );
    assert_eq!(
        shown.attributes().expect("attributes")["SubscriptionsConfirmed"],
        "1"
    );
    let listed = both
        .sns
        .list_subscriptions_by_topic()
        .topic_arn(&topic)
        .send()
        .await
        .expect("listed");
    assert_eq!(listed.subscriptions().len(), 1);
    both.sns
        .unsubscribe()
        .subscription_arn(&first)
        .send()
        .await
        .expect("unsubscribed");
    let error = both
        .sns
        .get_subscription_attributes()
        .subscription_arn(&first)
        .send()
        .await
        .expect_err("gone")
        .into_service_error();
    assert!(error.is_not_found_exception());
    let unsubscribe = |arn: &str| {
        let request = both.sns.unsubscribe();
        request.subscription_arn(arn).send()
    };
    unsubscribe(&first).await.expect("gone already");
    for (arn, reason) in [
        (
            "first",
            "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
        ),
        (topic.as_str(), "SubscriptionId"),
    ] {
        let error = unsubscribe(arn).await.expect_err(arn).into_service_error();
        let expected = format!("Invalid parameter: {reason}");
        assert_eq!(error.message(), Some(expected.as_str()));
    }
    both.sns
        .delete_topic()
        .topic_arn(&topic)
        .send()
        .await
        .expect("deleted");
    let error = both
        .sns
        .publish()
        .topic_arn(&topic)
        .message("x")
        .send()
        .await
        .expect_err("gone")
        .into_service_error();
    assert!(error.is_not_found_exception());
    let error = both
        .sns
        .list_platform_applications()
        .send()
        .await
        .expect_err("not here")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidAction"));
}

#[tokio::test(start_paused = true)]
async fn topics_subscriptions_and_filters_outlive_the_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = engine_in(directory.path()).await;
    let clients = both(&first);
    let topic = clients.topic("news", &[]).await;
    let url = queue(&clients.sqs, "readers", &[]).await;
    clients
        .subscribe(
            &topic,
            "readers",
            &[
                ("RawMessageDelivery", "true"),
                ("FilterPolicy", r#"{"type":["good"]}"#),
            ],
        )
        .await;
    drop((first, clients));
    let second = engine_in(directory.path()).await;
    let clients = both(&second);
    clients.publish(&topic, "good", "1").await;
    clients.publish(&topic, "other", "2").await;
    assert_eq!(bodies(&clients.receive(&url).await), ["1"]);
    assert_eq!(
        clients
            .sns
            .list_topics()
            .send()
            .await
            .expect("listed")
            .topics()
            .len(),
        1
    );
}
