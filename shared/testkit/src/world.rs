//! The engine in process with the tables of the house, behind a client with faults.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
    TimeToLiveSpecification,
};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use callboard_contracts::Timestamp;
use callboard_engine::{Clock as EngineClock, Engine, EngineConfig};
use callboard_runtime::Clock;
use callboard_runtime::batch::Outlet;
use callboard_runtime::journal::Journal;
use serde_json::Value;

use crate::build::{Message, sqs_event};
use crate::deliver::failed;
use crate::faults::Faults;
use crate::time::virtual_start;

/// The journal's table.
pub const JOURNAL: &str = "journal";
/// The views' table.
pub const VIEWS: &str = "views";
/// The contacts' table.
pub const CONTACTS: &str = "contacts";

/// Visibility time-out of queues made here, in seconds: that of the house.
const VISIBILITY_SECS: u32 = 60;

/// The engine, its tables, and clients with faults.
#[derive(Debug, Clone)]
pub struct World {
    engine: Engine,
    faults: Faults,
    sdk: SdkConfig,
}

/// What a dead-letter queue was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLetter {
    /// Why.
    pub reason: String,
    /// The message as it was.
    pub body: String,
}

/// A queue and its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePair {
    /// The queue.
    pub url: String,
    /// Where its dead letters go.
    pub dlq_url: String,
}

impl World {
    /// A world of its own, on real time, without the index `by-correlation`.
    pub async fn open() -> Self {
        Self::with(EngineClock::real(), false).await
    }

    /// A world on tokio's time, from [`virtual_start`]: on a paused runtime it stands still.
    pub async fn on_virtual_time() -> Self {
        Self::with(EngineClock::tokio(virtual_start()), false).await
    }

    /// A world on tokio's time, from `start`.
    ///
    /// # Panics
    /// When `start` is before 1970.
    pub async fn starting_at(start: Timestamp) -> Self {
        let millis = u64::try_from(start.as_millis()).expect("after 1970");
        let start = UNIX_EPOCH + Duration::from_millis(millis);
        Self::with(EngineClock::tokio(start), false).await
    }

    /// A world on `clock`; with `timeline`, the journal has the index `by-correlation`.
    ///
    /// # Panics
    /// When the engine cannot be opened or filled.
    pub async fn with(clock: EngineClock, timeline: bool) -> Self {
        let config = EngineConfig {
            clock,
            ..EngineConfig::default()
        };
        let engine = Engine::open(config).await.expect("the engine opens");
        let base = engine.sdk_config();
        make_tables(&aws_sdk_dynamodb::Client::new(&base), timeline).await;
        let faults = Faults::around(base.http_client().expect("the engine's client"));
        let sdk = faults.sdk_config(&base);
        Self {
            engine,
            faults,
            sdk,
        }
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The faults that the clients made from [`World::sdk`] meet, and what their calls cost.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The configuration of everything under test.
    #[must_use]
    pub const fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The clock of everything under test.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::from_sdk(&self.sdk)
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Lets virtual time pass.
    pub async fn advance(&self, by: Duration) {
        tokio::time::advance(by).await;
    }

    /// DynamoDB, with faults.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk)
    }

    /// SQS, with faults.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk)
    }

    /// SNS, with faults.
    #[must_use]
    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.sdk)
    }

    /// The journal, with faults.
    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal::new(self.dynamodb(), JOURNAL)
    }

    /// A new queue and its dead-letter queue; FIFO if the name ends in `.fifo`. No redrive
    /// policy: only what the code under test sends arrives in the dead-letter queue.
    ///
    /// # Panics
    /// When the queues cannot be made.
    pub async fn queue(&self, name: &str) -> QueuePair {
        let (base, suffix) = name
            .strip_suffix(".fifo")
            .map_or((name, ""), |base| (base, ".fifo"));
        let sqs = aws_sdk_sqs::Client::new(&self.engine.sdk_config());
        let mut urls = Vec::new();
        for name in [format!("{base}{suffix}"), format!("{base}-dlq{suffix}")] {
            let mut call = sqs.create_queue().queue_name(name).attributes(
                QueueAttributeName::VisibilityTimeout,
                VISIBILITY_SECS.to_string(),
            );
            if !suffix.is_empty() {
                call = call.attributes(QueueAttributeName::FifoQueue, "true");
            }
            let made = call.send().await.expect("a queue");
            urls.push(made.queue_url.expect("its URL"));
        }
        let dlq_url = urls.pop().expect("two queues");
        QueuePair {
            url: urls.pop().expect("two queues"),
            dlq_url,
        }
    }

    /// The outlet of `function` for a pair of queues.
    #[must_use]
    pub fn outlet(&self, queues: &QueuePair, function: &str) -> Outlet {
        Outlet::new(
            self.sqs(),
            &queues.url,
            &queues.dlq_url,
            function,
            self.clock(),
        )
    }

    /// Receives up to ten messages as Lambda's poller does, and gives the event it would hand
    /// the function. Empty if nothing is visible.
    ///
    /// # Panics
    /// When the queue cannot be read.
    pub async fn receive(&self, url: &str) -> Value {
        let received = self.received(url).await;
        let messages = received.iter().map(|message| {
            let mut made = Message::new(message.body().unwrap_or_default())
                .id(message.message_id().unwrap_or_default())
                .receipt_handle(message.receipt_handle().unwrap_or_default());
            let system = message.attributes();
            let system = |name| system.and_then(|map| map.get(&name)).cloned();
            if let Some(count) = system(MessageSystemAttributeName::ApproximateReceiveCount) {
                made = made.receive_count(count.parse().unwrap_or(1));
            }
            if let Some(group) = system(MessageSystemAttributeName::MessageGroupId) {
                made = made.group(&group);
            }
            for (name, value) in message.message_attributes().into_iter().flatten() {
                made = made.attribute(name, value.string_value().unwrap_or_default());
            }
            made
        });
        sqs_event(&messages.collect::<Vec<_>>())
    }

    /// Delivers what can be seen in a queue once, up to ten messages, as a mapping does: `invoke`
    /// gives the function's answer, and what that does not report as failed is deleted. How many
    /// messages it was.
    ///
    /// # Panics
    /// When the queue cannot be read, or the answer is no partial batch response.
    pub async fn deliver<F, Fut>(&self, url: &str, invoke: F) -> usize
    where
        F: FnOnce(Value) -> Fut,
        Fut: Future<Output = Value>,
    {
        let event = self.receive(url).await;
        let records = event["Records"].as_array().cloned().unwrap_or_default();
        if records.is_empty() {
            return 0;
        }
        let failed = failed(&invoke(event).await);
        for record in &records {
            if !failed.iter().any(|id| record["messageId"] == **id) {
                let handle = record["receiptHandle"].as_str().unwrap_or_default();
                self.delete(url, handle).await;
            }
        }
        records.len()
    }

    /// Receives and deletes all that can be seen in a queue.
    ///
    /// # Panics
    /// When the queue cannot be read.
    pub async fn take(&self, url: &str) -> Vec<aws_sdk_sqs::types::Message> {
        let mut taken = Vec::new();
        loop {
            let messages = self.received(url).await;
            if messages.is_empty() {
                return taken;
            }
            for message in &messages {
                let handle = message.receipt_handle().unwrap_or_default();
                self.delete(url, handle).await;
            }
            taken.extend(messages);
        }
    }

    /// Takes all dead letters out of `dlq_url`, in the order in which they came.
    ///
    /// # Panics
    /// When the queue cannot be read, or one came without a reason.
    pub async fn dead_letters(&self, dlq_url: &str) -> Vec<DeadLetter> {
        let letters = self.take(dlq_url).await.into_iter();
        let letter = |letter: aws_sdk_sqs::types::Message| {
            let attributes = letter.message_attributes.unwrap_or_default();
            let reason = attributes.get("callboard-reason");
            let reason = reason.and_then(|reason| reason.string_value.clone());
            DeadLetter {
                reason: reason.expect("a dead letter has a reason"),
                body: letter.body.unwrap_or_default(),
            }
        };
        letters.map(letter).collect()
    }

    async fn received(&self, url: &str) -> Vec<aws_sdk_sqs::types::Message> {
        let sqs = aws_sdk_sqs::Client::new(&self.engine.sdk_config());
        let call = sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let answer = call.send().await.expect("messages");
        answer.messages.unwrap_or_default()
    }

    async fn delete(&self, url: &str, receipt_handle: &str) {
        let sqs = aws_sdk_sqs::Client::new(&self.engine.sdk_config());
        let call = sqs.delete_message().queue_url(url);
        let call = call.receipt_handle(receipt_handle);
        call.send().await.expect("the message is deleted");
    }
}

async fn make_tables(client: &aws_sdk_dynamodb::Client, timeline: bool) {
    let mut journal = client
        .create_table()
        .table_name(JOURNAL)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys("pk", "sk")))
        .set_attribute_definitions(Some(vec![
            attribute("pk", ScalarAttributeType::S),
            attribute("sk", ScalarAttributeType::N),
            attribute("due_bucket", ScalarAttributeType::S),
            attribute("due_at", ScalarAttributeType::N),
        ]))
        .global_secondary_indexes(index("agenda", "due_bucket", "due_at"))
        .stream_specification(
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::NewImage)
                .build()
                .expect("it is enabled"),
        );
    if timeline {
        journal = journal
            .attribute_definitions(attribute("corr", ScalarAttributeType::S))
            .attribute_definitions(attribute("at", ScalarAttributeType::N))
            .global_secondary_indexes(index("by-correlation", "corr", "at"));
    }
    journal.send().await.expect("the journal's table");
    for table in [VIEWS, CONTACTS] {
        let call = client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(keys("pk", "sk")))
            .attribute_definitions(attribute("pk", ScalarAttributeType::S))
            .attribute_definitions(attribute("sk", ScalarAttributeType::S));
        call.send().await.expect("a table");
    }
    for table in [JOURNAL, CONTACTS] {
        let ttl = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name("ttl")
            .build()
            .expect("it is whole");
        let call = client
            .update_time_to_live()
            .table_name(table)
            .time_to_live_specification(ttl);
        call.send().await.expect("the table takes a TTL");
    }
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .expect("it is whole")
}

fn keys(pk: &str, sk: &str) -> Vec<KeySchemaElement> {
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .expect("it is whole")
    };
    vec![key(pk, KeyType::Hash), key(sk, KeyType::Range)]
}

fn index(name: &str, pk: &str, sk: &str) -> GlobalSecondaryIndex {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .set_key_schema(Some(keys(pk, sk)))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::KeysOnly)
                .build(),
        )
        .build()
        .expect("it is whole")
}
