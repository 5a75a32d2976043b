//! SNS: what holds for text messages, and who wants none; permissions of topics.

use crate::sns::both;
use crate::support::{answer, engine};
use aws_sdk_sns::error::ProvideErrorMetadata;
use axum::body::Body;
use axum::extract::Request;
use callboard_engine::Engine;
use serde_json::Value;

async fn ask(engine: &Engine, method: &str, path: &str) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).expect("a request");
    let (status, text) = answer(engine, request).await;
    (status.as_u16(), serde_json::from_str(&text).expect("JSON"))
}

#[tokio::test(start_paused = true)]
async fn a_telephone_that_opted_out_gets_nothing_until_it_is_opted_in() {
    let engine = engine().await;
    let sns = both(&engine).sns;
    let phone = "+15550000001";
    let text = |message: &'static str| {
        let request = sns.publish().phone_number(phone).message(message);
        async move { request.send().await.expect("answered all the same") }
    };
    let is_out = || async {
        let request = sns.check_if_phone_number_is_opted_out();
        let answer = request.phone_number(phone).send().await.expect("answered");
        answer.is_opted_out()
    };
    assert!(!is_out().await);
    let path = format!("/_callboard/sms/opt-outs/{phone}");
    assert_eq!(ask(&engine, "PUT", &path).await.0, 200);
    let wrong = ask(&engine, "PUT", "/_callboard/sms/opt-outs/5").await;
    assert_eq!(wrong.0, 400);
    assert!(is_out().await);
    let listed = sns.list_phone_numbers_opted_out().send().await;
    assert_eq!(listed.expect("listed").phone_numbers(), [phone]);
    text("unwanted").await;
    sns.opt_in_phone_number()
        .phone_number(phone)
        .send()
        .await
        .expect("opted in");
    assert!(!is_out().await);
    text("wanted").await;
    let (_, texts) = ask(&engine, "GET", "/_callboard/sms").await;
    let texts = texts.as_array().expect("a list");
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0]["message"], "wanted");
    let refused = sns.check_if_phone_number_is_opted_out().phone_number("5");
    let refused = refused.send().await.expect_err("refused");
    assert_eq!(
        refused.into_service_error().message(),
        Some("Invalid parameter: PhoneNumber Reason: input incorrectly formatted")
    );
}

#[tokio::test(start_paused = true)]
async fn settings_of_texts_are_kept_and_shown_by_name() {
    let sns = both(&engine().await).sns;
    sns.set_sms_attributes()
        .attributes("DefaultSMSType", "Transactional")
        .attributes("DefaultSenderID", "callboard")
        .send()
        .await
        .expect("set");
    let all = sns.get_sms_attributes().send().await.expect("shown");
    assert_eq!(all.attributes().expect("attributes").len(), 2);
    let one = sns.get_sms_attributes().attributes("DefaultSMSType");
    let one = one.send().await.expect("shown");
    let one = one.attributes().expect("attributes");
    assert_eq!(one.len(), 1);
    assert_eq!(one["DefaultSMSType"], "Transactional");
    for (name, value) in [("DefaultSMSType", "Loud"), ("Colour", "red")] {
        let wrong = sns.set_sms_attributes().attributes(name, value);
        let refused = wrong.send().await.expect_err("refused");
        let refused = refused.into_service_error();
        assert_eq!(refused.code(), Some("InvalidParameter"), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_is_a_statement_of_the_topics_policy() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let policy = || async {
        let shown = both.sns.get_topic_attributes().topic_arn(&topic);
        let shown = shown.send().await.expect("described");
        let policy = &shown.attributes().expect("attributes")["Policy"];
        serde_json::from_str::<Value>(policy).expect("JSON")
    };
    let usual = policy().await;
    let add = |action: &'static str| {
        let request = both.sns.add_permission().topic_arn(&topic).label("readers");
        let request = request.aws_account_id("111122223333").action_name(action);
        async move {
            let answer = request.send().await;
            answer.map_err(|error| {
                let error = error.into_service_error();
                error.message().unwrap_or_default().to_owned()
            })
        }
    };
    add("Subscribe").await.expect("added");
    assert_eq!(
        policy().await["Statement"][1],
        serde_json::json!({
            "Sid": "readers",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "SNS:Subscribe",
            "Resource": topic,
        })
    );
    assert_eq!(
        add("Subscribe").await.expect_err("there already"),
        "Invalid parameter: Statement already exists"
    );
    assert_eq!(
        add("SendMessage").await.expect_err("none of SNS's"),
        "Invalid parameter: Policy statement action out of service scope!"
    );
    for _ in 0..2 {
        both.sns
            .remove_permission()
            .topic_arn(&topic)
            .label("readers")
            .send()
            .await
            .expect("removed");
        assert_eq!(policy().await, usual);
    }
}
