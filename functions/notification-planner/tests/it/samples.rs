//! The samples under `events/samples/notification-planner` are what the function is tested with,
//! and they say what the code says: with `UPDATE_SAMPLES=1` they are written anew.

use serde_json::{Value, json};

use crate::world::{World, order, order_data, record};

const CASES: [&str; 4] = ["good", "duplicate", "poison", "mixed"];

fn sample(case: &str) -> Value {
    callboard_testkit::sample("notification-planner", case)
}

fn expected(case: &str) -> Value {
    let text = |value| serde_json::to_string(&value).unwrap();
    let good = text(order(123, order_data(123, "usr-456")));
    let other = text(order(124, order_data(124, "usr-457")));
    let nobody = text(order(
        125,
        json!({ "orderId": "ord-125", "items": ["book"], "totalAmount": 1 }),
    ));
    let broken = "{\"specversion\":\"1.0\",\"id\":".to_owned();
    let bodies = match case {
        "good" => vec![good, other],
        "duplicate" => vec![good.clone(), good],
        "poison" => vec![broken, nobody],
        _ => vec![broken, good, nobody, other],
    };
    let records = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| record(&format!("7d0b4c1e-5a0f-4f51-9a55-0c7f2f9d4e{at:02}"), body));
    json!({ "Records": records.collect::<Vec<_>>() })
}

#[test]
fn the_samples_say_what_the_code_says() {
    for case in CASES {
        let made = expected(case);
        callboard_testkit::assert_sample("notification-planner", case, &made);
    }
}

#[tokio::test(start_paused = true)]
async fn each_sample_ends_as_its_name_says() {
    for (case, planned, dead) in [
        ("good", 2, 0),
        ("duplicate", 1, 0),
        ("poison", 0, 2),
        ("mixed", 2, 2),
    ] {
        let world = World::open().await;
        assert!(world.invoke(sample(case)).await.is_empty(), "{case}");
        assert_eq!(world.size().await, planned, "{case}");
        assert_eq!(world.dead().await.len(), dead, "{case}");
    }
}
