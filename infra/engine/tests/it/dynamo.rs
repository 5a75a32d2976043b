//! DynamoDB: conditions, transactions, tokens, TTL, durability.

use crate::support::{NOW_S, engine, engine_in, item, journal, n, s};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    Put, ReturnValuesOnConditionCheckFailure, TimeToLiveSpecification, TransactWriteItem,
};
use std::collections::HashMap;
use std::time::Duration;

const FREE: &str = "attribute_not_exists(pk)";

async fn put_free(
    db: &Client,
    pk: &str,
    sk: i64,
    by: &str,
) -> Result<(), aws_sdk_dynamodb::operation::put_item::PutItemError> {
    let mut item = item(pk, sk);
    item.insert("by".to_owned(), s(by));
    db.put_item()
        .table_name("journal")
        .set_item(Some(item))
        .condition_expression(FREE)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .map(|_| ())
        .map_err(aws_sdk_dynamodb::error::SdkError::into_service_error)
}

fn put_in_transaction(pk: &str, sk: i64, table: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item(pk, sk)))
        .condition_expression(FREE)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .expect("complete");
    TransactWriteItem::builder().put(put).build()
}

#[tokio::test(start_paused = true)]
async fn the_loser_of_a_conditional_put_is_shown_the_winner() {
    let db = Client::new(&engine().await.sdk_config());
    journal(&db, "journal").await;
    put_free(&db, "slot#1", 1, "first").await.expect("free");
    let error = put_free(&db, "slot#1", 1, "second")
        .await
        .expect_err("taken");
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
        refused,
    ) = error
    else {
        panic!("another error: {error:?}");
    };
    assert_eq!(refused.item.expect("the winner")["by"], s("first"));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_transaction_gives_a_reason_for_each_action() {
    let db = Client::new(&engine().await.sdk_config());
    journal(&db, "journal").await;
    put_free(&db, "slot#1", 1, "first").await.expect("free");
    let error = db
        .transact_write_items()
        .transact_items(put_in_transaction("entry#1", 1, "journal"))
        .transact_items(put_in_transaction("slot#1", 1, "journal"))
        .send()
        .await
        .expect_err("cancelled")
        .into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        panic!("another error: {error:?}");
    };
    let codes: Vec<_> = cancelled
        .cancellation_reasons()
        .iter()
        .map(|r| r.code().unwrap_or(""))
        .collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    let winner = cancelled.cancellation_reasons()[1]
        .item()
        .expect("the winner");
    assert_eq!(winner["by"], s("first"));
    let left = db
        .get_item()
        .table_name("journal")
        .set_key(Some(item("entry#1", 1)))
        .send()
        .await
        .expect("read");
    assert!(
        left.item.is_none(),
        "nothing of a cancelled transaction is written"
    );
}

#[tokio::test(start_paused = true)]
async fn a_transaction_with_a_token_takes_effect_once_for_ten_minutes() {
    let db = Client::new(&engine().await.sdk_config());
    journal(&db, "journal").await;
    let send = |pk: &'static str| {
        db.transact_write_items()
            .client_request_token("token-1")
            .transact_items(put_in_transaction(pk, 1, "journal"))
            .send()
    };
    send("slot#1").await.expect("written");
    send("slot#1")
        .await
        .expect("answered again, not done again");
    let other = send("slot#2")
        .await
        .expect_err("another request")
        .into_service_error();
    assert_eq!(other.code(), Some("IdempotentParameterMismatchException"));
    tokio::time::advance(Duration::from_secs(601)).await;
    let error = send("slot#1")
        .await
        .expect_err("forgotten")
        .into_service_error();
    assert_eq!(error.code(), Some("TransactionCanceledException"));
}

#[tokio::test(start_paused = true)]
async fn a_table_is_known_by_its_arn_too() {
    let db = Client::new(&engine().await.sdk_config());
    journal(&db, "journal").await;
    let arn = db
        .describe_table()
        .table_name("journal")
        .send()
        .await
        .expect("described")
        .table
        .and_then(|table| table.table_arn)
        .expect("an ARN");
    assert_eq!(arn, "arn:aws:dynamodb:us-east-1:000000000000:table/journal");
    db.transact_write_items()
        .transact_items(put_in_transaction("slot#1", 1, &arn))
        .send()
        .await
        .expect("written by ARN");
    let read = db
        .get_item()
        .table_name(&arn)
        .set_key(Some(item("slot#1", 1)))
        .send()
        .await
        .expect("read by ARN");
    assert!(read.item.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_does_not_exist_here_is_refused_as_aws_refuses() {
    let db = Client::new(&engine().await.sdk_config());
    let error = db
        .list_contributor_insights()
        .send()
        .await
        .expect_err("unknown")
        .into_service_error();
    assert_eq!(error.code(), Some("UnknownOperationException"));
    let error = db
        .describe_table()
        .table_name("missing")
        .send()
        .await
        .expect_err("missing")
        .into_service_error();
    assert!(error.is_resource_not_found_exception());
}

#[tokio::test(start_paused = true)]
async fn an_item_is_gone_soon_after_its_ttl_and_one_without_stays() {
    let db = Client::new(&engine().await.sdk_config());
    journal(&db, "journal").await;
    let ttl = TimeToLiveSpecification::builder()
        .attribute_name("ttl")
        .enabled(true)
        .build()
        .expect("complete");
    db.update_time_to_live()
        .table_name("journal")
        .time_to_live_specification(ttl)
        .send()
        .await
        .expect("TTL on");
    let now = i64::try_from(NOW_S).expect("small");
    for (pk, ttl) in [
        ("soon", Some(now + 100)),
        ("late", Some(now + 100_000)),
        ("ever", None),
    ] {
        let mut item: HashMap<_, _> = item(pk, 1);
        if let Some(ttl) = ttl {
            item.insert("ttl".to_owned(), n(ttl));
        }
        db.put_item()
            .table_name("journal")
            .set_item(Some(item))
            .send()
            .await
            .expect("written");
    }
    tokio::time::sleep(Duration::from_secs(200)).await;
    let left = db.scan().table_name("journal").send().await.expect("read");
    let mut left: Vec<_> = left
        .items()
        .iter()
        .map(|item| item["pk"].as_s().expect("S").clone())
        .collect();
    left.sort();
    assert_eq!(left, ["ever", "late"]);
}

#[tokio::test(start_paused = true)]
async fn tables_outlive_the_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = engine_in(directory.path()).await;
    let db = Client::new(&engine.sdk_config());
    let stream = journal(&db, "journal").await;
    put_free(&db, "slot#1", 1, "first").await.expect("free");
    drop(db);
    drop(engine);
    let db = Client::new(&engine_in(directory.path()).await.sdk_config());
    put_free(&db, "slot#1", 1, "second")
        .await
        .expect_err("still taken");
    let table = db
        .describe_table()
        .table_name("journal")
        .send()
        .await
        .expect("still there");
    assert_eq!(table.table.and_then(|t| t.latest_stream_arn), Some(stream));
}
