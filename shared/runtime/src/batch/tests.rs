//! Everything of a batch that needs no queue; the rest is in `tests/batch.rs`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn event(records: &[(&str, &str)]) -> Value {
    let records = records.iter().map(|(id, group)| {
        json!({ "messageId": id, "body": id, "receiptHandle": "h", "attributes": { "MessageGroupId": group } })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn body(record: &SqsRecord) -> Result<String, Failure> {
    Ok(record.body.clone())
}

fn asides(batch: &Batch<String>) -> Vec<(&str, bool)> {
    let aside = batch.aside.iter();
    aside
        .map(|(message, aside)| (message.message_id.as_str(), matches!(aside, Aside::Untried)))
        .collect()
}

fn ids(batch: &Batch<String>) -> Vec<&str> {
    batch
        .items()
        .map(|(message, _)| message.message_id.as_str())
        .collect()
}

async fn failing(batch: Batch<String>, bad: &str) -> Batch<String> {
    batch
        .stage(4, |record| async move {
            if record.value == bad {
                Err(Failure::retryable("later"))
            } else {
                Ok(record.value)
            }
        })
        .await
}

#[tokio::test]
async fn a_failure_in_one_record_leaves_its_neighbours_alone() {
    let batch = Batch::sqs(event(&[("1", ""), ("2", ""), ("3", "")]), body).expect("a batch");
    let batch = failing(batch, "2").await;
    assert_eq!(ids(&batch), ["1", "3"]);
    assert_eq!(asides(&batch), [("2", false)]);
}

#[tokio::test]
async fn a_panic_fails_its_own_record_only_even_before_there_is_a_future() {
    let batch = Batch::sqs(event(&[("1", ""), ("2", ""), ("3", "")]), body).expect("a batch");
    let batch = batch
        .stage(2, |record| {
            assert_ne!(record.value, "1", "before the future");
            async move {
                assert_ne!(record.value, "2", "in the future");
                Ok(record.value)
            }
        })
        .await;
    assert_eq!(ids(&batch), ["3"]);
}

#[tokio::test]
async fn no_more_than_the_stated_number_run_at_a_time() {
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let records: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    let records: Vec<_> = records.iter().map(|id| (id.as_str(), "")).collect();
    let batch = Batch::sqs(event(&records), body).expect("a batch");
    let (running, most) = (&running, &most);
    let batch = batch
        .stage(3, |_| async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
        .await;
    assert_eq!(batch.len(), 10);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_failed_head_stops_its_group_and_no_other() {
    let event = event(&[("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b")]);
    let batch = failing(Batch::fifo(event, body).expect("a batch"), "a1").await;
    assert_eq!(ids(&batch), ["b1", "b2"]);
    assert_eq!(asides(&batch), [("a1", false), ("a2", true)]);
}

#[tokio::test]
async fn what_failed_in_one_stage_stops_the_followers_in_the_next() {
    let event = event(&[("a1", "a"), ("a2", "a"), ("a3", "a")]);
    let batch = failing(Batch::fifo(event, body).expect("a batch"), "a2").await;
    assert_eq!(ids(&batch), ["a1"]);
    let batch = failing(batch, "a1").await;
    assert_eq!(asides(&batch), [("a2", false), ("a3", true), ("a1", false)]);
}

#[test]
fn followers_of_an_undecodable_head_are_untried() {
    let decode = |record: &SqsRecord| match record.body.as_str() {
        "a1" => Err(Failure::poison("not JSON")),
        body => Ok(body.to_owned()),
    };
    let event = event(&[("a1", "a"), ("a2", "a"), ("b1", "b")]);
    let batch = Batch::fifo(event, decode).expect("a batch");
    assert_eq!(ids(&batch), ["b1"]);
    assert_eq!(asides(&batch), [("a1", false), ("a2", true)]);
}

#[tokio::test]
async fn records_of_one_group_run_in_order_while_groups_run_side_by_side() {
    let event = event(&[("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b")]);
    let seen = Mutex::new(Vec::new());
    let seen = &seen;
    let batch = Batch::fifo(event, body).expect("a batch");
    batch
        .stage(2, |record| async move {
            seen.lock().expect("unpoisoned").push(record.value.clone());
            tokio::task::yield_now().await;
            Ok(())
        })
        .await;
    let seen = seen.lock().expect("unpoisoned");
    let of = |group: char| {
        seen.iter()
            .filter(|id| id.starts_with(group))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of('a'), of('b')),
        (
            vec!["a1".into(), "a2".into()],
            vec!["b1".into(), "b2".into()]
        )
    );
    assert_eq!(seen[..2], ["a1", "b1"], "the groups run side by side");
}

#[test]
fn an_event_without_records_is_no_batch_but_a_record_without_an_id_is_only_poison() {
    assert!(Batch::sqs(json!({ "Records": {} }), body).is_err());
    let batch =
        Batch::sqs(json!({ "Records": [{ "body": "x" }, 7, null] }), body).expect("a batch");
    assert_eq!((batch.len(), batch.aside.len()), (0, 3));
}

proptest! {
    #[test]
    fn no_record_is_lost_whatever_fails(
        records in prop::collection::vec((0_u8..3, prop::bool::weighted(0.3), prop::bool::weighted(0.3)), 0..10),
        fifo: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let entries: Vec<_> = records.iter().enumerate().map(|(n, (group, _, _))| json!({
            "messageId": n.to_string(), "body": n.to_string(), "attributes": { "MessageGroupId": group.to_string() }
        })).collect();
        let event = json!({ "Records": entries });
        let index = |text: &str| text.parse::<usize>().expect("a number");
        let decode = |record: &SqsRecord| match records[index(&record.body)].1 {
            true => Err(Failure::poison("poison")),
            false => Ok(index(&record.body)),
        };
        let batch = if fifo { Batch::fifo(event, decode) } else { Batch::sqs(event, decode) }.expect("a batch");
        let records = &records;
        let batch = runtime.block_on(batch.stage(3, |record| async move {
            if records[record.value].2 { Err(Failure::retryable("later")) } else { Ok(record.value) }
        }));
        prop_assert_eq!(batch.len() + batch.aside.len(), records.len());
        if fifo {
            // What went through is, in every group, a prefix of the group.
            for group in 0..3 {
                let members: Vec<usize> = (0..records.len()).filter(|n| records[*n].0 == group).collect();
                let through: Vec<usize> = batch.items().map(|(_, n)| *n).filter(|n| records[*n].0 == group).collect();
                prop_assert_eq!(&members[..through.len()], &through[..]);
            }
        }
    }
}
