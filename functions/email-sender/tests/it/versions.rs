//! What other code planned, deployed later than this: nothing of it may be ended here.

use callboard_runtime::batch::MAX_TRIES;
use serde_json::json;

use crate::world::{Planned, World, invoke, record};

/// Delivers a planned notification as often as its queue does, and once more as a replay would;
/// how many of these deliveries handed it back.
async fn deliver_all(world: &World, planned: &Planned) -> usize {
    let function = world.function().await;
    let body = serde_json::to_string(&planned.envelope).unwrap();
    let mut back = 0;
    for receive_count in (1..=MAX_TRIES).chain([1]) {
        let event = json!({ "Records": [record("m-1", &body, receive_count)] });
        let answer = invoke(&function, event, world.now()).await;
        back += answer["batchItemFailures"].as_array().unwrap().len();
    }
    back
}

#[tokio::test(start_paused = true)]
async fn a_cause_of_a_version_not_known_here_waits_as_a_letter_that_names_it() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.offer_of_a_later_version("usr-456").await;
    // All but the fifth, which sets it aside.
    assert_eq!(deliver_all(&world, &planned).await, 5);

    assert!(world.mails().await.is_empty());
    let status = world.state(&planned).await.status;
    assert!(
        !status.is_final(),
        "the code that knows it can send: {status:?}"
    );
    let reasons = world.dead().await;
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains("offer-made.v9"), "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn a_definition_not_known_here_waits_and_leaves_nothing_on_record() {
    let world = World::open().await;
    world.register("usr-456", "anna@example.com", &[]).await;
    let planned = world.order_under("added-later", "usr-456").await;
    assert_eq!(deliver_all(&world, &planned).await, 5);

    assert!(world.mails().await.is_empty());
    assert!(world.story(&planned).await.is_empty());
    let reasons = world.dead().await;
    assert!(reasons[0].contains("`added-later`"), "{reasons:?}");
}
