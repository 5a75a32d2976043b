//! What comes by the queue: the samples, doubled, out of order, poisoned.

use callboard_runtime::settings::SettingsError;
use callboard_testkit::twice_and_backwards;

use crate::world::{World, sample};

#[tokio::test(start_paused = true)]
async fn a_message_brings_its_stream_up_to_the_tail_and_the_others_find_it_done() {
    let world = World::with_an_offer().await;
    assert_eq!(world.invoke(&sample("good")).await, 0);
    let rows = world.rows().await;
    // Both messages tell of first commits; the views have seen the second ones.
    assert_eq!(rows["slot#slot-0900 view"].1, 2);
    assert_eq!(rows["entry#entry-ada view"].1, 2);
    assert_eq!(rows["slot#slot-0900 view"].0["state"], "held");
    world.invoke(&sample("duplicate")).await;
    assert_eq!(world.rows().await, rows);
}

#[tokio::test(start_paused = true)]
async fn every_sample_twice_and_backwards_shows_what_it_shows_once_in_order() {
    for case in ["good", "duplicate", "poison", "mixed"] {
        let (plain, doubled) = (World::with_an_offer().await, World::with_an_offer().await);
        assert_eq!(plain.invoke(&sample(case)).await, 0);
        assert_eq!(doubled.invoke(&twice_and_backwards(&sample(case))).await, 0);
        assert_eq!(plain.rows().await, doubled.rows().await, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn poison_ends_in_the_dlq_with_its_reason() {
    let world = World::with_an_offer().await;
    assert_eq!(world.invoke(&sample("poison")).await, 0);
    assert_eq!(
        world.dead_letters().await,
        [
            "`subject` does not name a stream",
            "no view is made of a stream of kind `event`",
            "not a CloudEvents envelope (line 1, column 69)",
            "the journal holds nothing of the stream",
        ]
    );
    assert!(world.rows().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn poison_leaves_its_neighbours_alone() {
    let world = World::with_an_offer().await;
    assert_eq!(world.invoke(&sample("mixed")).await, 0);
    assert_eq!(world.dead_letters().await.len(), 2);
    assert_eq!(
        world.keys().await,
        [
            "calendar#w-physio 1772463600000#slot#slot-0900",
            "candidates#w-physio#physio#soon 1772445600000#entry-ada",
            "entry#entry-ada view",
            "figures#w-physio#2026-03-02 slot#slot-0900#1",
            "figures#w-physio#waiting 1772445600000#entry-ada",
            "recent#w-physio#physio 1772445600000#slot#slot-0900",
            "recipient#usr-ada offered#entry-ada",
            "slot#slot-0900 view",
            "waitlist#w-physio entry#entry-ada",
            "waitlist#w-physio slot#slot-0900",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_setting_stops_the_function_by_name() {
    let world = World::new().await;
    for name in world.vars.keys() {
        let mut vars = world.vars.clone();
        vars.remove(name);
        let error = waitlist_projector::build(&vars, &world.sdk).await.err();
        let name = name.clone();
        assert_eq!(error, Some(SettingsError::Missing { name }));
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_view_is_no_dead_letter() {
    let world = World::new().await;
    for stream in ["waitlist#w-physio", "broadcast#slot-0900#1"] {
        let mut event = sample("good");
        let record = &mut event["Records"][0];
        let body = record["body"].as_str().expect("a body");
        record["body"] = body.replace("slot#slot-0900", stream).into();
        let one = serde_json::json!({ "Records": [record.take()] });
        assert_eq!(world.invoke(&one).await, 0);
        assert_eq!(world.invoke(&twice_and_backwards(&one)).await, 0);
    }
    assert!(world.rows().await.is_empty());
    assert!(world.dead_letters().await.is_empty());
}
