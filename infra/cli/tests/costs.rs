//! What a delivered notification costs on AWS: counts, so they are exact. Whoever makes it dearer
//! changes a number here, and says why.

use callboard_cli::bench::costs::{BATCH, BatchCosts, COMMAND, batch_of_ten};
use callboard_cli::bench::meter::Cost;

/// What one step asked for: step, function, operation, requests, write units.
fn asked(costs: &BatchCosts) -> Vec<(&str, &str, &str, u64, f64)> {
    let steps = costs.steps.iter().flat_map(|step| {
        step.costs.iter().flat_map(move |(function, operations)| {
            operations.iter().map(move |(operation, cost)| {
                let Cost {
                    requests,
                    write_units,
                    ..
                } = *cost;
                (
                    step.step,
                    function.as_str(),
                    operation.as_str(),
                    requests,
                    write_units,
                )
            })
        })
    });
    steps.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_in_a_batch_of_ten_costs_three_write_units_and_few_requests() {
    let costs = batch_of_ten(false).await.unwrap();
    assert_eq!(costs.notifications, BATCH, "every e-mail is there");
    assert_eq!(
        asked(&costs),
        [
            ("place the orders", COMMAND, "PutItem", 10, 10.0),
            ("publish the orders", "outbox-relay", "PublishBatch", 1, 0.0),
            ("plan", "notification-planner", "PutItem", 10, 10.0),
            ("publish the plans", "outbox-relay", "PublishBatch", 1, 0.0),
            ("send", "email-sender", "BatchGetItem", 1, 0.0),
            ("send", "email-sender", "PutItem", 20, 20.0),
            (
                "publish the outcomes",
                "outbox-relay",
                "PublishBatch",
                1,
                0.0
            ),
        ]
    );
    for step in &costs.steps[1..] {
        assert_eq!((step.records, step.invocations), (10, 1), "{}", step.step);
    }
    let each = costs.per_notification();
    assert!((each.write_units - 3.0).abs() < f64::EPSILON, "{each:?}");
    assert!(each.requests <= 4.0, "{each:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_optional_index_costs_one_more_write_unit_per_commit() {
    let costs = batch_of_ten(true).await.unwrap();
    let each = costs.per_notification();
    assert!((each.write_units - 6.0).abs() < f64::EPSILON, "{each:?}");
}
