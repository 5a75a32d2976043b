//! `dev` on services elsewhere: another engine on a port stands for LocalStack, an emulator or AWS.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use aws_config::SdkConfig;
use callboard_cli::demo;
use callboard_cli::ports::{Port, listen, url_of};
use callboard_cli::services::{Elsewhere, Endpoint};
use callboard_cli::system::{Options, System, teardown};
use callboard_engine::{Engine, EngineConfig};
use callboard_host::Resource;

/// An engine on a port of its own, which ends with the test's runtime.
async fn somewhere() -> (String, SdkConfig) {
    let listener = listen(Port::Any, "an engine", "--port").await.unwrap();
    let url = url_of(&listener).unwrap();
    let engine = Engine::open(EngineConfig::default()).await.unwrap();
    engine.set_public_url(url.clone());
    let sdk = engine.sdk_config();
    tokio::spawn(async move { engine.serve(listener, std::future::pending()).await });
    (url, sdk)
}

fn on(elsewhere: Elsewhere) -> Options {
    Options {
        elsewhere,
        parameters: [("HoldGraceSeconds".to_owned(), "1".to_owned())].into(),
        ..Options::default()
    }
}

async fn tells_its_story(system: &System) {
    let mut told = Vec::new();
    demo::run_on(system.env().clone(), &mut told).await.unwrap();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("All of it happened"), "{told}");
}

async fn queues(sdk: &SdkConfig) -> Vec<String> {
    let listed = aws_sdk_sqs::Client::new(sdk).list_queues().send().await;
    listed.unwrap().queue_urls.unwrap_or_default()
}

#[tokio::test]
async fn all_services_elsewhere_tell_the_story_and_are_taken_down() {
    let (url, sdk) = somewhere().await;
    let options = || {
        on(Elsewhere {
            all: Some(Endpoint::Url(url.clone())),
            ..Elsewhere::default()
        })
    };
    let system = System::start(options()).await.unwrap();
    assert_eq!(system.addresses().engine, None, "no engine of its own");
    tells_its_story(&system).await;
    let made = system.host().resources().iter();
    let made = made
        .filter(|(_, it)| !matches!(it, Resource::Function { .. } | Resource::HttpApi { .. }))
        .count();
    system.shutdown().await;

    let done = teardown(&options()).await.unwrap();
    assert_eq!((done.removed.len(), done.foreign.len()), (made, 0));
    assert!(queues(&sdk).await.is_empty());
    assert_eq!(teardown(&options()).await.unwrap(), Default::default());
}

#[tokio::test]
async fn each_service_can_be_somewhere_else() {
    let (sqs_and_sns, there) = somewhere().await;
    let system = System::start(on(Elsewhere {
        sqs: Some(sqs_and_sns.clone()),
        sns: Some(sqs_and_sns.clone()),
        ..Elsewhere::default()
    }));
    let system = system.await.unwrap();
    let here = system.addresses().engine.clone().unwrap();
    assert_eq!(system.env().get("AWS_ENDPOINT_URL"), Some(&*here));
    assert_eq!(
        system.env().get("AWS_ENDPOINT_URL_SQS"),
        Some(&*sqs_and_sns)
    );
    tells_its_story(&system).await;
    let tables = aws_sdk_dynamodb::Client::new(&there).list_tables().send();
    assert!(tables.await.unwrap().table_names().is_empty());
    assert!(!queues(&there).await.is_empty());
    system.shutdown().await;
}

#[tokio::test]
async fn what_does_not_bear_the_tag_is_left_alone() {
    let (url, sdk) = somewhere().await;
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let theirs = sqs.create_queue().queue_name("callboard-EmailSenderQueue");
    let theirs = theirs.send().await.unwrap().queue_url.unwrap();
    let elsewhere = Elsewhere {
        all: Some(Endpoint::Url(url)),
        ..Elsewhere::default()
    };
    let done = teardown(&on(elsewhere)).await.unwrap();
    assert_eq!(done.foreign, ["callboard-EmailSenderQueue"]);
    assert!(done.removed.is_empty());
    assert_eq!(queues(&sdk).await, [theirs]);
}
