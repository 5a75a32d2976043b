//! The samples under `events/samples/email-sender` are what the function is tested with, and
//! they say what the code says: with `UPDATE_SAMPLES=1` they are written anew.

use serde_json::{Value, json};

use crate::world::{World, invoke, record};

const CASES: [&str; 4] = ["good", "duplicate", "poison", "mixed"];

fn sample(case: &str) -> Value {
    callboard_testkit::sample("email-sender", case)
}

/// A world in which the samples' notifications are planned.
async fn prepared() -> (World, Value, Value) {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let order = world.order(123, "usr-456").await;
    let offer = world
        .offer(
            "usr-456",
            crate::world::NOON.plus(std::time::Duration::from_secs(1_800)),
        )
        .await;
    let body = |planned: &crate::world::Planned| serde_json::to_string(&planned.envelope).unwrap();
    let order = record("c5f1a7f0-1a52-4d53-8a3e-2b6a3c9b5e01", &body(&order), 1);
    let offer = record("c5f1a7f0-1a52-4d53-8a3e-2b6a3c9b5e02", &body(&offer), 1);
    (world, order, offer)
}

fn expected(case: &str, order: &Value, offer: &Value) -> Value {
    let mut again = order.clone();
    again["messageId"] = "c5f1a7f0-1a52-4d53-8a3e-2b6a3c9b5e03".into();
    let broken = record(
        "c5f1a7f0-1a52-4d53-8a3e-2b6a3c9b5e04",
        "{\"specversion\":\"1.0\",\"id\":",
        1,
    );
    let unknown = json!({
        "specversion": "1.0", "id": "e-1", "source": "callboard", "time": "2026-03-02T10:00:00Z",
        "type": "callboard.notification.notification-planned.v2", "data": {}
    });
    let newer = record(
        "c5f1a7f0-1a52-4d53-8a3e-2b6a3c9b5e05",
        &unknown.to_string(),
        1,
    );
    let records = match case {
        "good" => vec![order.clone(), offer.clone()],
        "duplicate" => vec![order.clone(), again],
        "poison" => vec![broken, newer],
        _ => vec![broken, order.clone(), newer, offer.clone()],
    };
    json!({ "Records": records })
}

#[tokio::test(start_paused = true)]
async fn the_samples_say_what_the_code_says() {
    let (_world, order, offer) = prepared().await;
    for case in CASES {
        let made = expected(case, &order, &offer);
        callboard_testkit::assert_sample("email-sender", case, &made);
    }
}

#[tokio::test(start_paused = true)]
async fn each_sample_ends_as_its_name_says() {
    for (case, mails, dead, back) in [
        ("good", 2, 0, 0),
        ("duplicate", 1, 0, 1),
        ("poison", 0, 1, 1),
        ("mixed", 2, 1, 1),
    ] {
        let (world, _, _) = prepared().await;
        let answer = invoke(&world.function().await, sample(case), world.now()).await;
        assert_eq!(world.mails().await.len(), mails, "{case}");
        assert_eq!(world.dead().await.len(), dead, "{case}");
        // The second of two copies in one batch meets the first one's lease and waits; a version
        // that is not known waits for the code that knows it.
        assert_eq!(
            answer["batchItemFailures"].as_array().unwrap().len(),
            back,
            "{case}"
        );
    }
}
