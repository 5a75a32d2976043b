//! What a notification's commits weigh: three write units in all.

use callboard_contracts::notification::{
    AttemptFailed, CauseRef, Channel, DeliveryAttempted, DeliverySucceeded, LateOutcome,
    NotificationEvent, NotificationPlanned, OutcomeUnknown, UnknownPolicy,
};
use callboard_contracts::{NotificationId, RecipientId};
use callboard_runtime::journal::{Loaded, WRITE_UNIT_BYTES, write_units};
use callboard_runtime::{Fold, StreamId, Timestamp};
use callboard_testkit::{World, cause, stream_id};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counting(u32);

impl Fold for Counting {
    type Event = NotificationEvent;
    const VERSION: u32 = 1;
    fn evolve(self, _: &NotificationEvent, _: Timestamp) -> Self {
        Self(self.0 + 1)
    }
}

fn events(
    at: Timestamp,
    id: NotificationId,
    recipient: &RecipientId,
    cause: &StreamId,
) -> Vec<NotificationEvent> {
    let (attempt_id, channel, step) = (Uuid::now_v7(), Channel::Email, 0);
    vec![
        NotificationPlanned {
            notification_id: id,
            definition: "waitlist-offer-made-with-a-long-name".to_owned(),
            recipient_id: recipient.clone(),
            channel,
            cause: CauseRef {
                stream: cause.clone(),
                commit: 1_234_567,
                index: 1,
            },
            expires_at: Some(at),
        }
        .into(),
        DeliveryAttempted {
            attempt_id,
            channel,
            step,
            owner: Uuid::new_v4().to_string(),
            lease_until: at,
        }
        .into(),
        DeliverySucceeded {
            attempt_id,
            channel,
            step,
            provider: "smtp".to_owned(),
        }
        .into(),
        AttemptFailed {
            attempt_id,
            channel,
            step,
            code: "smtp-451".to_owned(),
        }
        .into(),
        OutcomeUnknown {
            attempt_id,
            channel,
            step,
            policy: UnknownPolicy::Resend,
        }
        .into(),
        LateOutcome {
            attempt_id,
            channel,
            step,
            outcome: "succeeded".to_owned(),
        }
        .into(),
    ]
}

#[tokio::test]
async fn every_commit_of_a_notification_costs_one_write_unit_even_with_the_longest_ids() {
    let world = World::open().await;
    let recipient = RecipientId::parse(&"r".repeat(64)).expect("the longest id");
    let id = NotificationId::derived("event", &recipient, "definition");
    let stream = StreamId::notification(id);
    let about = stream_id(&format!("event#orders.example.com#{}", Uuid::new_v4()));
    let mut loaded = Loaded::<Counting>::fresh(stream);
    for event in events(world.now(), id, &recipient, &about) {
        let kept = world.now().plus(Duration::from_secs(60 * 24 * 3_600));
        let builder = loaded
            .next(&cause(), world.now())
            .event(event.clone())
            .expires(kept);
        let commit = builder.build().expect("a commit");
        let (bytes, record) = (commit.bytes(), commit.record().clone());
        assert!(bytes <= WRITE_UNIT_BYTES, "{bytes} bytes: {event:?}");
        let appended = world.journal().append(commit).await.expect("it is free");
        #[expect(clippy::cast_precision_loss, reason = "a handful of units")]
        let expected = write_units(bytes) as f64;
        assert!(
            (appended.write_units - expected).abs() < f64::EPSILON,
            "{event:?}"
        );
        loaded = loaded.after(&record).expect("the next");
    }
}
