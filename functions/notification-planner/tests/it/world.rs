//! A small world around the function: engine, journal, queue of dead letters.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use callboard_contracts::envelope::Sequence;
use callboard_contracts::{Envelope, NotificationId, StreamId, Timestamp};
use callboard_engine::{Clock, Engine, EngineConfig};
use callboard_runtime::function::Service;
use callboard_runtime::journal::{Committed, Journal};
use callboard_runtime::settings::Vars;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::meter::Meter;

/// When every test begins: a second after the samples' events.
pub const NOON: Timestamp = Timestamp::from_millis(1_772_445_601_000);

pub struct World {
    pub meter: Meter,
    pub journal: Journal,
    pub function: Service,
    dynamo: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    dlq_url: String,
}

impl World {
    pub async fn open() -> Self {
        let noon = UNIX_EPOCH + Duration::from_millis(u64::try_from(NOON.as_millis()).unwrap());
        let clock = Clock::tokio(noon);
        let engine = Engine::open(EngineConfig {
            clock,
            ..EngineConfig::default()
        })
        .await
        .unwrap();
        let meter = Meter::new(engine.http_client());
        let sdk = engine
            .sdk_config()
            .into_builder()
            .http_client(meter.clone())
            .build();
        let dynamo = aws_sdk_dynamodb::Client::new(&sdk);
        let sqs = aws_sdk_sqs::Client::new(&sdk);
        journal_table(&dynamo).await;
        let dlq = sqs
            .create_queue()
            .queue_name("notification-planner-dlq")
            .send()
            .await
            .unwrap();
        let dlq_url = dlq.queue_url().unwrap().to_owned();
        let vars: Vars = [
            ("JOURNAL_TABLE", "journal"),
            (
                "QUEUE_URL",
                "http://engine/000000000000/notification-planner",
            ),
            ("DLQ_URL", &dlq_url),
            ("FUNCTION_NAME", "notification-planner"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let function = notification_planner::build(&vars, &sdk).await.unwrap();
        meter.take();
        Self {
            journal: Journal::new(dynamo.clone(), "journal"),
            function,
            meter,
            dynamo,
            sqs,
            dlq_url,
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
        let failures = answer["batchItemFailures"].as_array().unwrap();
        failures
            .iter()
            .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The notification that follows from an event, as it stands in the journal.
    pub async fn planned(
        &self,
        event: &Envelope,
        recipient: &str,
        definition: &str,
    ) -> Vec<Committed> {
        let id = NotificationId::derived(&event.id, &recipient.parse().unwrap(), definition);
        self.journal
            .read(&StreamId::notification(id), 1)
            .await
            .unwrap()
    }

    /// How many items the journal holds.
    pub async fn size(&self) -> usize {
        self.dynamo
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
        let receive = self.sqs.receive_message().queue_url(&self.dlq_url);
        let receive = receive
            .max_number_of_messages(10)
            .message_attribute_names("All");
        let received = receive.send().await.unwrap();
        let reason = |message: &aws_sdk_sqs::types::Message| {
            let attributes = message.message_attributes().unwrap();
            attributes["callboard-reason"]
                .string_value()
                .unwrap()
                .to_owned()
        };
        received.messages().iter().map(reason).collect()
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

async fn journal_table(dynamo: &aws_sdk_dynamodb::Client) {
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
            .unwrap()
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .unwrap()
    };
    dynamo
        .create_table()
        .table_name("journal")
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}
