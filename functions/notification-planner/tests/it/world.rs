//! A small world around the function: engine, journal, queue of dead letters.

use callboard_contracts::envelope::Sequence;
use callboard_contracts::{Envelope, NotificationId, StreamId, Timestamp};
use callboard_runtime::function::Service;
use callboard_runtime::journal::Committed;
use callboard_runtime::settings::Vars;
use callboard_testkit::{Costs, World as Kit, failed};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

/// When every test begins: a second after the samples' events.
pub const NOON: Timestamp = Timestamp::from_millis(1_772_445_601_000);

pub struct World {
    pub function: Service,
    kit: Kit,
    dlq_url: String,
}

impl World {
    pub async fn open() -> Self {
        let kit = Kit::starting_at(NOON).await;
        let queues = kit.queue("notification-planner").await;
        let vars: Vars = [
            ("JOURNAL_TABLE", "journal"),
            ("QUEUE_URL", &queues.url),
            ("DLQ_URL", &queues.dlq_url),
            ("FUNCTION_NAME", "notification-planner"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let function = notification_planner::build(&vars, kit.sdk()).await.unwrap();
        kit.faults().reset();
        Self {
            function,
            kit,
            dlq_url: queues.dlq_url,
        }
    }

    /// Invokes the function; the ids it reports as failed.
    pub async fn invoke(&self, event: Value) -> Vec<String> {
        let context = Context::default();
        let answer = self
            .function
            .clone()
            .oneshot(LambdaEvent::new(event, context))
            .await
            .unwrap();
        failed(&answer)
    }

    /// What the function has called since the world was opened.
    pub fn costs(&self) -> Costs {
        self.kit.faults().costs()
    }

    /// The faults between the function and its services.
    pub fn faults(&self) -> &callboard_testkit::Faults {
        self.kit.faults()
    }

    /// The notification that follows from an event, as it stands in the journal.
    pub async fn planned(
        &self,
        event: &Envelope,
        recipient: &str,
        definition: &str,
    ) -> Vec<Committed> {
        let id = NotificationId::derived(&event.id, &recipient.parse().unwrap(), definition);
        self.kit
            .journal()
            .read(&StreamId::notification(id), 1)
            .await
            .unwrap()
    }

    /// How many items the journal holds.
    pub async fn size(&self) -> usize {
        self.kit
            .dynamodb()
            .scan()
            .table_name("journal")
            .send()
            .await
            .unwrap()
            .items()
            .len()
    }

    /// The reasons of all dead letters.
    pub async fn dead(&self) -> Vec<String> {
        let letters = self.kit.dead_letters(&self.dlq_url).await;
        letters.into_iter().map(|letter| letter.reason).collect()
    }
}

/// An order event as the relay publishes it.
pub fn order(number: u32, data: Value) -> Envelope {
    let stream = StreamId::event("orders", &format!("ord-{number}"));
    Envelope {
        specversion: "1.0".to_owned(),
        id: callboard_contracts::id::derived_uuid(&["sample", stream.as_str()]).to_string(),
        source: "callboard".to_owned(),
        event_type: "com.example.orders.order-placed.v1".to_owned(),
        time: Timestamp::from_millis(NOON.as_millis() - 1_000),
        subject: Some(stream.as_str().to_owned()),
        datacontenttype: Some("application/json".to_owned()),
        dataschema: None,
        data,
        sequence: Some(Sequence {
            commit: 1,
            index: 0,
        }),
        correlationid: Some("req-1".to_owned()),
        causationid: Some("req-1".to_owned()),
        traceparent: None,
    }
}

pub fn order_data(number: u32, recipient: &str) -> Value {
    json!({
        "orderId": format!("ord-{number}"), "userId": recipient,
        "items": ["book", "pen"], "totalAmount": 29.99
    })
}

/// One message as Lambda delivers it.
pub fn record(message_id: &str, body: &str) -> Value {
    json!({
        "messageId": message_id,
        "receiptHandle": "",
        "body": body,
        "attributes": { "ApproximateReceiveCount": "1" },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:notification-planner",
        "awsRegion": "us-east-1"
    })
}

pub fn batch(events: &[Envelope]) -> Value {
    let records = events
        .iter()
        .enumerate()
        .map(|(at, event)| record(&format!("m-{at}"), &serde_json::to_string(event).unwrap()));
    json!({ "Records": records.collect::<Vec<_>>() })
}
