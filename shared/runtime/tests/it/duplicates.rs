//! A consumer whose stream follows from its cause bears every message twice and in any order.

use std::sync::Arc;

use callboard_contracts::id::derived_uuid;
use callboard_runtime::Failure;
use callboard_runtime::batch::{Batch, Record};
use callboard_runtime::function::{Service, service};
use callboard_runtime::journal::{AppendError, Loaded};
use callboard_testkit::build::envelope;
use callboard_testkit::{Message, World, sqs_event, stream_id, twice_and_shuffled};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::parcel::{Parcel, ParcelEvent};

/// Notes every order once, in a stream of its own, without loading it first.
async fn note(world: &World, record: Record<callboard_contracts::Envelope>) -> Result<(), Failure> {
    let envelope = record.value;
    let id = derived_uuid(&["parcel", &envelope.id]).simple().to_string();
    let event = ParcelEvent::Noted(envelope.data["order"].to_string());
    let fresh = Loaded::<Parcel>::fresh(stream_id(&format!("parcel#{id}")));
    let commit = fresh
        .next(&envelope.as_cause(), world.now())
        .event(event)
        .build()?;
    match world.journal().append(commit).await {
        Err(AppendError::Conflict(conflict)) if conflict.same_cause() == Some(true) => Ok(()),
        result => result.map(drop).map_err(Failure::from),
    }
}

async fn clerk(world: &World) -> Service {
    let outlet = world.outlet(&world.queue("clerk").await, "parcel-clerk");
    let shared = Arc::new((world.clone(), outlet));
    service(move |event: LambdaEvent<Value>| {
        let shared = shared.clone();
        async move {
            let batch = Batch::sqs(event.payload, |record| record.envelope())?;
            let batch = batch.stage(4, |record| note(&shared.0, record)).await;
            Ok(batch.finish(&shared.1).await)
        }
    })
}

#[tokio::test]
async fn delivering_everything_twice_and_shuffled_leaves_the_outcome_identical() {
    let mut outcomes = Vec::new();
    for seed in [None, Some(1), Some(2)] {
        let world = World::open().await;
        let inner = clerk(&world).await;
        let service = match seed {
            Some(seed) => twice_and_shuffled(inner, seed),
            None => inner,
        };
        let about = stream_id("event#shop#1");
        let messages: Vec<Message> = (0..9)
            .map(|order| {
                let mut envelope =
                    envelope("order.v1", &about, world.now(), json!({ "order": order }));
                envelope.id = format!("evt-{order}");
                Message::of(&envelope)
            })
            .chain([Message::new("{poison")])
            .collect();
        let event = LambdaEvent::new(sqs_event(&messages), Context::default());
        let answer = service.oneshot(event).await.expect("an answer");
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
        outcomes.push(streams(&world).await);
    }
    assert_eq!(outcomes[0].len(), 9);
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
}

/// What stands in the whole journal, without times and ids that differ from run to run.
async fn streams(world: &World) -> Vec<(String, u64, Vec<ParcelEvent>)> {
    let mut found = Vec::new();
    for order in 0..9 {
        let id = derived_uuid(&["parcel", &format!("evt-{order}")])
            .simple()
            .to_string();
        let stream = stream_id(&format!("parcel#{id}"));
        for commit in world.journal().read(&stream, 1).await.expect("it reads") {
            found.push((
                id.clone(),
                commit.number,
                commit.decode().expect("parcel events"),
            ));
        }
    }
    found
}
