//! SNS over HTTP: what an endpoint does not take, and when it is sent again.

use crate::hook::{Hook, Reply};
use crate::sns::{Both, arn, bodies, both};
use crate::support::{engine, engine_in, queue};
use aws_sdk_sqs::types::QueueAttributeName as Q;
use callboard_engine::Engine;
use std::time::Duration;
use tokio::time::Instant;

const DOWN: Reply = Reply::Status(503);

async fn dead_letters(both: &Both, url: &str) -> Vec<String> {
    let dead = both.receive(url).await;
    bodies(&dead).into_iter().map(str::to_owned).collect()
}

/// So many endpoints, subscribed, that never answer.
async fn silent_endpoints(engine: &Engine, both: &Both, topic: &str, count: usize) -> Vec<Hook> {
    let mut silent = Vec::new();
    for number in 0..count {
        let host = format!("silent{number}.test");
        let (hook, _) = both.hooked(engine, topic, &host, &[]).await;
        hook.reply(&[const { Reply::Silence }; 100]);
        silent.push(hook);
    }
    silent
}

fn redrive() -> (&'static str, String) {
    let policy = format!(r#"{{"deadLetterTargetArn":"{}"}}"#, arn("dead"));
    ("RedrivePolicy", policy)
}

#[tokio::test(start_paused = true)]
async fn a_message_is_tried_three_times_more_and_then_a_dead_letter() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let dead = queue(&both.sqs, "dead", &[]).await;
    let (name, value) = redrive();
    let redrive = [(name, value.as_str())];
    let (hook, _) = both.hooked(&engine, &topic, "hooks.test", &redrive).await;
    hook.reply(&[DOWN, DOWN, DOWN, DOWN]);
    both.say(&topic, "first").await;
    assert_eq!(hook.seconds(4).await, [0, 20, 40, 60]);
    let tries = hook.all();
    let id = tries[0].text("MessageId");
    assert!(tries.iter().all(|it| it.text("MessageId") == id));
    assert!(tries.iter().all(|it| it.body == tries[0].body));
    both.say(&topic, "second").await;
    assert_eq!(hook.seen(5).await[4].text("Message"), "second");
    let dead = dead_letters(&both, &dead).await;
    assert_eq!(dead, [tries[0].body.clone()], "the wrapped message, once");
}

#[tokio::test(start_paused = true)]
async fn the_subscriptions_policy_says_when() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let policy = r#"{"healthyRetryPolicy":{"minDelayTarget":2,"maxDelayTarget":8,"numRetries":7,"numNoDelayRetries":1,"numMinDelayRetries":1,"numMaxDelayRetries":2,"backoffFunction":"linear"}}"#;
    let policy = [("DeliveryPolicy", policy)];
    let (hook, _) = both.hooked(&engine, &topic, "hooks.test", &policy).await;
    hook.reply(&[const { DOWN }; 7]);
    both.say(&topic, "m").await;
    // At once; 2 s; then 2, 5 and 8 s; then 8 and 8 s.
    assert_eq!(hook.seconds(8).await, [0, 0, 2, 4, 9, 17, 25, 33]);
}

#[tokio::test(start_paused = true)]
async fn the_topics_policy_holds_for_its_subscriptions_and_may_forbid_their_own() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let own = r#"{"healthyRetryPolicy":{"minDelayTarget":9,"maxDelayTarget":9,"numRetries":1}}"#;
    let own = [("DeliveryPolicy", own)];
    let (with, _) = both.hooked(&engine, &topic, "with.test", &own).await;
    let (without, _) = both.hooked(&engine, &topic, "without.test", &[]).await;
    for (disabled, expected) in [("false", 9), ("true", 5)] {
        let policy = format!(
            r#"{{"http":{{"defaultHealthyRetryPolicy":{{"minDelayTarget":5,"maxDelayTarget":5,"numRetries":1}},"disableSubscriptionOverrides":{disabled}}}}}"#
        );
        both.sns
            .set_topic_attributes()
            .topic_arn(&topic)
            .attribute_name("DeliveryPolicy")
            .attribute_value(policy)
            .send()
            .await
            .expect("set");
        let before = with.all().len();
        with.reply(&[DOWN]);
        without.reply(&[DOWN]);
        both.say(&topic, "m").await;
        let (own, usual) = (with.seen(before + 2), without.seen(before + 2));
        let (own, usual) = tokio::join!(own, usual);
        let waited =
            |seen: &[crate::hook::Seen]| (seen[before + 1].at_s - seen[before].at_s).round() as u64;
        assert_eq!(waited(&own), expected, "overrides disabled: {disabled}");
        assert_eq!(waited(&usual), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_unless_it_is_for_too_many_requests() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let hidden = [(Q::VisibilityTimeout, "43200")];
    let dead = queue(&both.sqs, "dead", &hidden).await;
    let (name, value) = redrive();
    let attributes = [(name, value.as_str()), ("RawMessageDelivery", "true")];
    let (hook, _) = both
        .hooked(&engine, &topic, "hooks.test", &attributes)
        .await;
    for status in [301, 400, 403, 404, 410] {
        let before = hook.all().len();
        hook.reply(&[Reply::Status(status)]);
        both.publish(&topic, "kind", "refused").await;
        hook.seen(before + 1).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(hook.all().len(), before + 1, "{status} is not tried again");
        let letters = both.receive(&dead).await;
        assert_eq!(bodies(&letters), ["refused"], "{status}");
        let attributes = letters[0].message_attributes().expect("attributes");
        assert_eq!(attributes["type"].string_value(), Some("kind"));
    }
    let before = hook.all().len();
    hook.reply(&[Reply::Status(429)]);
    both.say(&topic, "later").await;
    let seen = hook.seen(before + 2).await;
    assert_eq!(seen[before + 1].body, "later");
}

#[tokio::test(start_paused = true)]
async fn a_silent_endpoint_has_fifteen_seconds() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let (silent, _) = both.hooked(&engine, &topic, "silent.test", &[]).await;
    silent.reply(&[Reply::Silence, Reply::Silence]);
    both.say(&topic, "m").await;
    // 15 s of silence, then 20 s of waiting.
    assert_eq!(silent.seconds(3).await, [0, 35, 70]);
}

#[tokio::test(start_paused = true)]
async fn silent_endpoints_hold_up_nobody() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let silent = silent_endpoints(&engine, &both, &topic, 40).await;
    // One message after which each is known to be silent.
    both.say(&topic, "0").await;
    tokio::time::sleep(Duration::from_secs(16)).await;
    let (quick, _) = both.hooked(&engine, &topic, "quick.test", &[]).await;
    let begun = Instant::now();
    for message in 1..=20 {
        both.say(&topic, &message.to_string()).await;
    }
    quick.seen(20).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let under_way: usize = silent.iter().map(|it| it.all().len() - 1).sum();
    assert_eq!(under_way, 128, "no more at once");
}

#[tokio::test(start_paused = true)]
async fn each_of_many_silent_endpoints_is_tried_as_often_as_one() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let silent = silent_endpoints(&engine, &both, &topic, 20).await;
    // Once more after all were given up: what a silent endpoint needs, no other one keeps.
    for message in 1..=2 {
        both.say(&topic, "m").await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let tries: Vec<usize> = silent.iter().map(|it| it.all().len()).collect();
        assert_eq!(tries, [4 * message; 20]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_per_second_is_kept() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let policy = [(
        "DeliveryPolicy",
        r#"{"throttlePolicy":{"maxReceivesPerSecond":2}}"#,
    )];
    let (hook, _) = both.hooked(&engine, &topic, "hooks.test", &policy).await;
    for message in 0..7 {
        both.say(&topic, &message.to_string()).await;
    }
    let seen = hook.seen(7).await;
    let gaps = seen.windows(2).map(|pair| pair[1].at_s - pair[0].at_s);
    assert!(
        gaps.clone().all(|gap| gap >= 0.5),
        "{:?}",
        gaps.collect::<Vec<_>>()
    );
    assert!(seen[6].at_s - seen[0].at_s < 3.5);
}

#[tokio::test(start_paused = true)]
async fn retries_end_an_hour_after_the_first_try() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let policy =
        r#"{"healthyRetryPolicy":{"minDelayTarget":1000,"maxDelayTarget":1000,"numRetries":100}}"#;
    let policy = [("DeliveryPolicy", policy)];
    let (hook, _) = both.hooked(&engine, &topic, "hooks.test", &policy).await;
    hook.reply(&[const { DOWN }; 100]);
    both.say(&topic, "m").await;
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    assert_eq!(hook.seconds(4).await, [0, 1000, 2000, 3000]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_endpoint_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let (topic, arn) = {
        let engine = engine_in(directory.path()).await;
        let both = both(&engine);
        let topic = both.topic("news", &[]).await;
        let (hook, arn) = both.hooked(&engine, &topic, "hooks.test", &[]).await;
        hook.reply(&[Reply::Silence, DOWN]);
        both.say(&topic, "under way").await;
        both.say(&topic, "to be tried again").await;
        hook.seen(2).await;
        (topic, arn)
    };
    let engine = reopened(directory.path()).await;
    let hook = Hook::at(&engine, "hooks.test");
    let mut got: Vec<String> = hook
        .seen(2)
        .await
        .iter()
        .map(|it| it.text("Message"))
        .collect();
    got.sort();
    assert_eq!(got, ["to be tried again", "under way"]);
    let both = both(&engine);
    let shown = both.attributes_of(&arn).await.expect("attributes");
    assert_eq!(shown["PendingConfirmation"], "false");
    both.say(&topic, "after").await;
    assert_eq!(hook.seen(3).await[2].text("Message"), "after");
}

/// The engine in a directory that the tasks of another are about to leave.
async fn reopened(directory: &std::path::Path) -> callboard_engine::Engine {
    tokio::time::sleep(Duration::from_millis(1)).await;
    engine_in(directory).await
}

#[tokio::test(start_paused = true)]
async fn what_an_ended_subscription_has_not_got_is_dropped() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let dead = queue(&both.sqs, "dead", &[]).await;
    let (name, value) = redrive();
    let redrive = [(name, value.as_str())];
    let (hook, arn) = both.hooked(&engine, &topic, "hooks.test", &redrive).await;
    hook.reply(&[DOWN]);
    both.say(&topic, "m").await;
    hook.seen(1).await;
    let ended = both.sns.unsubscribe().subscription_arn(&arn).send().await;
    ended.expect("ended");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(hook.all().len(), 1);
    assert_eq!(dead_letters(&both, &dead).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_user_and_password_are_sent_when_they_are_asked_for() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let hook = Hook::at(&engine, "hooks.test");
    let asking = Reply::Header(401, "www-authenticate", "Basic realm=\"x\"");
    hook.reply(&[asking]);
    let endpoint = ("https", "https://user:pass@hooks.test/in");
    both.subscribe_to(&topic, endpoint, &[])
        .await
        .expect("subscribed");
    let seen = hook.seen(2).await;
    assert_eq!(seen[0].header("authorization"), None);
    // base64 of "user:pass".
    let credentials = Some("Basic dXNlcjpwYXNz");
    assert_eq!(seen[1].header("authorization"), credentials);
    assert_eq!(seen[1].text("Token"), seen[0].text("Token"));
}

#[tokio::test]
async fn an_endpoint_behind_a_socket_is_reached_and_one_that_is_not_there_is_tried_again() {
    let engine = engine().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let endpoint = format!("http://{address}/in");
    let policy = r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":50}}}"#;
    both.sns
        .set_topic_attributes()
        .topic_arn(&topic)
        .attribute_name("DeliveryPolicy")
        .attribute_value(policy)
        .send()
        .await
        .expect("set");
    both.subscribe_to(&topic, ("http", &endpoint), &[])
        .await
        .expect("subscribed");
    let hook = Hook::new();
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.expect("the port again");
    let served = tokio::spawn(axum::serve(listener, hook.router()).into_future());
    let asked = hook.seen_soon(1).await.remove(0);
    assert_eq!(asked.path, "/in");
    assert_eq!(asked.header("host"), Some(address.to_string().as_str()));
    let length = asked.body.len().to_string();
    assert_eq!(asked.header("content-length"), Some(length.as_str()));
    served.abort();
}
