//! SNS to functions, through the Invoke API that Lambda's own clients speak.

use crate::hook::{Hook, Reply};
use crate::sns::{Both, arn, both};
use crate::support::{clock, engine, queue};
use callboard_engine::{Engine, EngineConfig, EngineError};
use serde_json::{Value, json};
use std::time::Duration;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:mail";

async fn engine_with_functions() -> (Engine, Hook) {
    let engine = Engine::open(EngineConfig {
        clock: clock(),
        lambda_endpoint: Some("http://lambda.test/base/".to_owned()),
        ..EngineConfig::default()
    });
    let engine = engine.await.expect("opens");
    let hook = Hook::at(&engine, "lambda.test");
    (engine, hook)
}

async fn dead_letter(both: &Both, url: &str) -> Value {
    let dead = both.receive(url).await;
    let body = dead
        .first()
        .and_then(|it| it.body())
        .expect("a dead letter");
    serde_json::from_str(body).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn a_function_is_invoked_with_lambdas_event() {
    let (engine, lambda) = engine_with_functions().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    let version = format!("{FUNCTION}:live");
    let subscription = both.subscribe_to(&topic, ("lambda", &version), &[]).await;
    let subscription = subscription.expect("confirmed at once");
    assert!(subscription.starts_with(&topic));
    lambda.reply(&[Reply::Status(202)]);
    both.publish(&topic, "a", "hello").await;
    let got = lambda.seen(1).await.remove(0);
    assert_eq!(
        got.path,
        "/base/2015-03-31/functions/mail/invocations?Qualifier=live"
    );
    assert_eq!(got.header("x-amz-invocation-type"), Some("Event"));
    let event = got.json();
    let sns = &event["Records"][0]["Sns"];
    assert_eq!(
        event,
        json!({"Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": {
                "Type": "Notification",
                "MessageId": sns["MessageId"],
                "TopicArn": topic,
                "Subject": null,
                "Message": "hello",
                "Timestamp": sns["Timestamp"],
                "SignatureVersion": "1",
                "Signature": sns["Signature"],
                "SigningCertUrl": sns["SigningCertUrl"],
                "UnsubscribeUrl": sns["UnsubscribeUrl"],
                "MessageAttributes": {"type": {"Type": "String", "Value": "a"}},
            },
        }]})
    );
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(lambda.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_that_fails_is_tried_at_once_and_then_ever_later() {
    let (engine, lambda) = engine_with_functions().await;
    let both = both(&engine);
    let topic = both.topic("news", &[]).await;
    both.subscribe_to(&topic, ("lambda", FUNCTION), &[])
        .await
        .expect("subscribed");
    lambda.reply(&[const { Reply::Status(500) }; 17]);
    both.say(&topic, "m").await;
    let at = lambda.seconds(18).await;
    assert_eq!(at[..7], [0, 0, 0, 0, 1, 2, 3]);
    assert_eq!([at[16] - at[15], at[17] - at[16]], [20, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_not_there_makes_a_dead_letter() {
    let (engine, lambda) = engine_with_functions().await;
    lambda.reply(&[Reply::Status(404)]);
    for engine in [engine, self::engine().await] {
        let both = both(&engine);
        let topic = both.topic("news", &[]).await;
        let dead = queue(&both.sqs, "dead", &[]).await;
        let redrive = format!(r#"{{"deadLetterTargetArn":"{}"}}"#, arn("dead"));
        let redrive = [("RedrivePolicy", redrive.as_str())];
        both.subscribe_to(&topic, ("lambda", FUNCTION), &redrive)
            .await
            .expect("subscribed");
        both.say(&topic, "m").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let letter = dead_letter(&both, &dead).await;
        assert_eq!(letter["Type"], "Notification", "wrapped as for a queue");
        assert_eq!(letter["Message"], "m");
    }
    assert_eq!(lambda.all().len(), 1, "the second engine has none to ask");
}

#[tokio::test]
async fn a_lambda_endpoint_that_is_no_url_is_refused() {
    let refused = Engine::open(EngineConfig {
        lambda_endpoint: Some("127.0.0.1:9000".to_owned()),
        ..EngineConfig::default()
    });
    let refused = refused.await.expect_err("refused");
    assert!(
        matches!(refused, EngineError::LambdaEndpoint(_)),
        "{refused}"
    );
}
