//! Publishing: every entry's own answer counts.

use std::collections::BTreeMap;

use callboard_runtime::publish::{BATCH_BYTES_MAX, Message, Publisher};
use callboard_testkit::{Fault, World};

fn message(body: &str) -> Message {
    Message {
        body: body.to_owned(),
        group: Some("g".to_owned()),
        dedup: Some(body.to_owned()),
        attributes: BTreeMap::from([
            ("type".to_owned(), "test.v1".to_owned()),
            ("none".to_owned(), String::new()),
        ]),
    }
}

/// `PublishBatch`'s answer: `taken` and `failed` (id, code, sender's fault).
fn answer(taken: &[usize], failed: &[(usize, &str, bool)]) -> Fault {
    let taken: String = taken
        .iter()
        .map(|id| format!("<member><Id>{id}</Id><MessageId>m-{id}</MessageId></member>"))
        .collect();
    let failed: String = failed
        .iter()
        .map(|(id, code, fault)| {
            format!("<member><Id>{id}</Id><Code>{code}</Code><SenderFault>{fault}</SenderFault></member>")
        })
        .collect();
    Fault::Answer(
        200,
        format!(
            "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishBatchResult>\
             <Successful>{taken}</Successful><Failed>{failed}</Failed></PublishBatchResult>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"
        ),
    )
}

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:parcels.fifo";

#[tokio::test(start_paused = true)]
async fn a_partial_failure_is_told_entry_by_entry() {
    let world = World::on_virtual_time().await;
    world.faults().next(
        "PublishBatch",
        answer(&[0, 2], &[(1, "InvalidParameter", true)]),
    );
    let messages = vec![message("0"), message("1"), message("2")];
    let results = Publisher::new(world.sns())
        .publish_all(TOPIC, messages)
        .await;
    assert!(results[0].is_ok() && results[2].is_ok());
    let failure = results[1].as_ref().expect_err("it failed");
    assert_eq!(
        (failure.retryable, failure.code.as_str()),
        (false, "InvalidParameter")
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_topic_failed_for_its_own_reasons_is_handed_in_again_alone() {
    let world = World::on_virtual_time().await;
    world
        .faults()
        .next("PublishBatch", answer(&[0], &[(1, "InternalError", false)]));
    world.faults().next("PublishBatch", answer(&[1], &[]));
    let results = Publisher::new(world.sns())
        .publish_all(TOPIC, vec![message("0"), message("1")])
        .await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(world.faults().costs().requests("PublishBatch"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_the_answer_forgets_does_not_count_as_published() {
    let world = World::on_virtual_time().await;
    world.faults().times("PublishBatch", 3, &answer(&[0], &[]));
    let results = Publisher::new(world.sns())
        .publish_all(TOPIC, vec![message("0"), message("1")])
        .await;
    let failure = results[1].as_ref().expect_err("nobody has taken it");
    assert_eq!(
        (failure.retryable, failure.code.as_str()),
        (true, "Unanswered")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_fails_its_entries_and_a_message_too_long_only_itself() {
    let world = World::on_virtual_time().await;
    world
        .faults()
        .times("PublishBatch", 100, &Fault::DropRequest);
    let messages = vec![message("0"), message(&"x".repeat(BATCH_BYTES_MAX))];
    let results = Publisher::new(world.sns())
        .publish_all(TOPIC, messages)
        .await;
    assert!(results[0].as_ref().expect_err("no connection").retryable);
    let too_long = results[1].as_ref().expect_err("too long");
    assert_eq!(
        (too_long.retryable, too_long.code.as_str()),
        (false, "TooLong")
    );
}

#[tokio::test(start_paused = true)]
async fn a_real_topic_takes_twenty_five_messages_in_three_calls() {
    let world = World::on_virtual_time().await;
    let topic = world
        .sns()
        .create_topic()
        .name("parcels.fifo")
        .attributes("FifoTopic", "true")
        .send()
        .await;
    let topic = topic.expect("a topic").topic_arn.expect("its name");
    world.faults().reset();
    let messages = (0..25).map(|n| message(&n.to_string())).collect();
    let results = Publisher::new(world.sns())
        .publish_all(&topic, messages)
        .await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(world.faults().costs().requests("PublishBatch"), 3);
}
