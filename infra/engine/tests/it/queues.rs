//! SQS: the queues themselves, refusals, durability.

use crate::sqs::{bodies, count, delete, receive, send};
use crate::support::{engine, engine_in, queue};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_with_awss_codes() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "letters", &[]).await;
    let error = sqs
        .get_queue_url()
        .queue_name("nowhere")
        .send()
        .await
        .expect_err("missing")
        .into_service_error();
    assert!(error.is_queue_does_not_exist());
    let limit = 1024 * 1024;
    send(&sqs, &url, &"x".repeat(limit)).await;
    let error = sqs
        .send_message()
        .queue_url(&url)
        .message_body("x".repeat(limit + 1))
        .send()
        .await
        .expect_err("too long")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    let error = sqs
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(11)
        .send()
        .await
        .expect_err("too many")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    let error = sqs
        .create_queue()
        .queue_name("letters")
        .attributes(QueueAttributeName::VisibilityTimeout, "5")
        .send()
        .await
        .expect_err("another")
        .into_service_error();
    assert!(error.is_queue_name_exists());
    assert_eq!(
        queue(
            &sqs,
            "letters",
            &[(QueueAttributeName::VisibilityTimeout, "30")]
        )
        .await,
        url
    );
    let error = sqs
        .create_queue()
        .queue_name("a b")
        .send()
        .await
        .expect_err("a bad name")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test(start_paused = true)]
async fn queues_are_listed_tagged_purged_and_deleted() {
    let sqs = Client::new(&engine().await.sdk_config());
    let url = queue(&sqs, "a-1", &[]).await;
    for name in ["a-2", "a-3", "b-1"] {
        queue(&sqs, name, &[]).await;
    }
    let page = sqs
        .list_queues()
        .queue_name_prefix("a-")
        .max_results(2)
        .send()
        .await
        .expect("listed");
    assert_eq!(page.queue_urls().len(), 2);
    let rest = sqs
        .list_queues()
        .queue_name_prefix("a-")
        .max_results(2)
        .set_next_token(page.next_token)
        .send()
        .await
        .expect("listed");
    assert_eq!(rest.queue_urls().len(), 1);
    assert!(rest.next_token().is_none());
    sqs.tag_queue()
        .queue_url(&url)
        .tags("team", "x")
        .tags("stage", "y")
        .send()
        .await
        .expect("tagged");
    sqs.untag_queue()
        .queue_url(&url)
        .tag_keys("team")
        .send()
        .await
        .expect("untagged");
    let tags = sqs
        .list_queue_tags()
        .queue_url(&url)
        .send()
        .await
        .expect("listed");
    assert_eq!(tags.tags().expect("one").len(), 1);
    send(&sqs, &url, "one").await;
    sqs.purge_queue()
        .queue_url(&url)
        .send()
        .await
        .expect("purged");
    assert_eq!(count(&sqs, &url).await, [0, 0, 0]);
    let error = sqs
        .purge_queue()
        .queue_url(&url)
        .send()
        .await
        .expect_err("too soon")
        .into_service_error();
    assert!(error.is_purge_queue_in_progress());
    let poll = tokio::spawn({
        let (sqs, url) = (sqs.clone(), url.clone());
        async move {
            sqs.receive_message()
                .queue_url(url)
                .wait_time_seconds(20)
                .send()
                .await
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    sqs.delete_queue()
        .queue_url(&url)
        .send()
        .await
        .expect("deleted");
    let error = poll
        .await
        .expect("ends")
        .expect_err("gone")
        .into_service_error();
    assert!(
        error.is_queue_does_not_exist(),
        "who waits is told: {error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_and_leases_outlive_the_engine_and_end_with_their_retention() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = engine_in(directory.path()).await;
    let sqs = Client::new(&first.sdk_config());
    let url = queue(
        &sqs,
        "letters",
        &[(QueueAttributeName::MessageRetentionPeriod, "3600")],
    )
    .await;
    send(&sqs, &url, "leased").await;
    let leased = receive(&sqs, &url, 1).await.remove(0);
    send(&sqs, &url, "waiting").await;
    drop((first, sqs));
    let second = engine_in(directory.path()).await;
    let sqs = Client::new(&second.sdk_config());
    assert_eq!(count(&sqs, &url).await, [1, 1, 0]);
    assert_eq!(bodies(&receive(&sqs, &url, 10).await), ["waiting"]);
    delete(&sqs, &url, &leased).await;
    assert_eq!(
        count(&sqs, &url).await,
        [0, 1, 0],
        "a handle outlives the engine too"
    );
    tokio::time::sleep(Duration::from_secs(3700)).await;
    assert_eq!(count(&sqs, &url).await, [0, 0, 0]);
}
