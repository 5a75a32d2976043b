//! The samples under `events/samples/calendar-importer` are what the function is tested with,
//! and they say what the code says: with `UPDATE_SAMPLES=1` they are written anew.

use serde_json::{Value, json};

use crate::world::{World, booked, cancelled, published, record};

const CASES: [&str; 4] = ["good", "duplicate", "poison", "mixed"];

fn sample(case: &str) -> Value {
    callboard_testkit::sample("calendar-importer", case)
}

/// Far enough in the future to be free on a system that runs now.
fn at_last(mut word: callboard_contracts::Envelope) -> callboard_contracts::Envelope {
    word.data["startsAt"] = json!("2030-05-02T09:00:00Z");
    if word.data.get("endsAt").is_some() {
        word.data["endsAt"] = json!("2030-05-02T09:30:00Z");
    }
    word
}

fn expected(case: &str) -> Value {
    let text = |value| serde_json::to_string(&value).unwrap();
    let good = text(at_last(published("apt-31", 1)));
    let other = text(at_last(cancelled("apt-32", 4)));
    let mut past = published("apt-33", 1);
    past.data["startsAt"] = json!("2020-05-02T09:00:00Z");
    let broken = "{\"specversion\":\"1.0\",\"id\":".to_owned();
    let bodies = match case {
        "good" => vec![good, other, text(at_last(booked("apt-34", 2)))],
        "duplicate" => vec![good.clone(), good],
        "poison" => vec![broken, text(past)],
        _ => vec![broken, good, text(past), other],
    };
    let records = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| record(&format!("7d0b4c1e-5a0f-4f51-9a55-0c7f2f9d5e{at:02}"), body));
    json!({ "Records": records.collect::<Vec<_>>() })
}

#[test]
fn the_samples_say_what_the_code_says() {
    for case in CASES {
        let made = expected(case);
        callboard_testkit::assert_sample("calendar-importer", case, &made);
    }
}

#[tokio::test(start_paused = true)]
async fn each_sample_ends_as_its_name_says() {
    for (case, commits, dead) in [
        ("good", 3, 0),
        ("duplicate", 1, 0),
        ("poison", 0, 2),
        ("mixed", 2, 2),
    ] {
        let world = World::open().await;
        assert!(world.invoke(sample(case)).await.is_empty(), "{case}");
        assert_eq!(world.journal().await.len(), commits, "{case}");
        assert_eq!(world.dead().await.len(), dead, "{case}");
    }
}
