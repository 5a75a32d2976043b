//! `kill -9` while an endpoint outside does not take what was published to it: it is sent after
//! the next start, at least once.

use crate::hook::{Hook, Reply};
use crate::killed::{port, start_child};
use crate::sns::Both;
use crate::support::engine;
use std::collections::HashSet;
use std::path::Path;

const MESSAGES: usize = 40;
/// More than there can be tries before the kill.
const REFUSALS: usize = 10_000;

async fn client(directory: &Path) -> Both {
    let url = format!("http://127.0.0.1:{}", port(directory).await);
    let mut config = engine().await.sdk_config().into_builder();
    config
        .set_http_client(None)
        .set_endpoint_url(Some(url))
        .set_time_source(None);
    let config = config.build();
    Both {
        sns: aws_sdk_sns::Client::new(&config),
        sqs: aws_sdk_sqs::Client::new(&config),
    }
}

#[tokio::test]
async fn what_was_published_reaches_its_endpoint_after_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let endpoint = format!("http://{}/", listener.local_addr().expect("an address"));
    let hook = Hook::new();
    let served = tokio::spawn(axum::serve(listener, hook.router()).into_future());
    let mut child = start_child(directory);
    let both = client(directory).await;
    let policy = r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":100}}}"#;
    let topic = both.topic("news", &[("DeliveryPolicy", policy)]).await;
    both.subscribe_to(&topic, ("http", &endpoint), &[])
        .await
        .expect("subscribed");
    let token = hook.seen_soon(1).await[0].text("Token");
    both.sns
        .confirm_subscription()
        .topic_arn(&topic)
        .token(token)
        .send()
        .await
        .expect("confirmed");
    hook.reply(&[const { Reply::Status(503) }; REFUSALS]);
    for message in 0..MESSAGES {
        both.say(&topic, &message.to_string()).await;
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    hook.forget();
    std::fs::remove_file(directory.join("port")).expect("the port is forgotten");
    let mut child = start_child(directory);
    let mut got = HashSet::new();
    while got.len() < MESSAGES {
        let count = hook.all().len();
        let seen = hook.seen_soon(count + 1).await;
        got = seen.iter().map(|it| it.text("Message")).collect();
    }
    let expected: HashSet<String> = (0..MESSAGES).map(|it| it.to_string()).collect();
    assert_eq!(got, expected);
    child.kill().expect("killed");
    child.wait().expect("ended");
    served.abort();
}
