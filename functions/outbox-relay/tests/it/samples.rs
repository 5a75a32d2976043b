//! The samples under `events/samples/outbox-relay` are what the function is tested with, and
//! they say what the code says: with `UPDATE_SAMPLES=1` they are written anew.

use serde_json::{Value, json};

use crate::world::{World, event, image, order, record, release};

const CASES: [&str; 4] = ["good", "duplicate", "poison", "mixed"];

fn sample(case: &str) -> Value {
    callboard_testkit::sample("outbox-relay", case)
}

fn expected(case: &str) -> Value {
    let (order, release) = (image(&order(123)), image(&release("slot-0900", 0)));
    let mut unreadable = order.clone();
    unreadable["ev"] = json!({ "S": "[{\"t\":\"com.example" });
    let images = match case {
        "good" => vec![order, release],
        "duplicate" => vec![order.clone(), order],
        "poison" => vec![unreadable],
        _ => vec![order, unreadable, release],
    };
    let records = images.into_iter().enumerate();
    event(
        records
            .map(|(at, image)| record(u32::try_from(at).unwrap(), image))
            .collect(),
    )
}

#[test]
fn the_samples_say_what_the_code_says() {
    for case in CASES {
        let made = expected(case);
        callboard_testkit::assert_sample("outbox-relay", case, &made);
    }
}

#[tokio::test(start_paused = true)]
async fn each_sample_ends_as_its_name_says() {
    for (case, orders, slots, parked) in [
        ("good", 1, 1, 0),
        ("duplicate", 1, 0, 0),
        ("poison", 0, 0, 1),
        ("mixed", 1, 1, 1),
    ] {
        let world = World::open().await;
        assert_eq!(world.invoke(sample(case)).await, None, "{case}");
        assert_eq!(
            world.published("external-events").await.len(),
            orders,
            "{case}"
        );
        assert_eq!(
            world.published("waitlist-events").await.len(),
            slots,
            "{case}"
        );
        assert_eq!(world.parked().await.len(), parked, "{case}");
    }
}
