//! The clock's own queue, the owner's queue, and the function between them.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use callboard_contracts::{Envelope, Timestamp};
use callboard_engine::Clock;
use callboard_runtime::function::Service;
use callboard_runtime::settings::Vars;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

/// When every story begins: the slot of the samples is held, and nobody was found for another.
pub const START: &str = "2026-03-02T10:00:00.000Z";

/// How often the queue is looked at: a message is handled at most so much later than it can be.
const STEP: Duration = Duration::from_secs(10);

pub struct World {
    pub sdk: SdkConfig,
    pub vars: Vars,
    clock: callboard_runtime::Clock,
    sqs: Client,
    service: Service,
}

/// A due command as its owner finds it in its queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handed {
    pub stream: String,
    pub due_at: String,
    pub group: String,
    pub correlation_id: String,
    pub causation_id: String,
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// One of this function's samples.
pub fn sample(case: &str) -> Value {
    let path = format!(
        "{}/../../events/samples/deadline-clock/{case}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).expect("a sample");
    serde_json::from_str(&text).expect("JSON")
}

/// The same records, each twice, the last first.
pub fn twice_and_backwards(event: &Value) -> Value {
    let records = event["Records"].as_array().expect("records");
    let copies = records.iter().map(|record| {
        let mut copy = record.clone();
        let id = record["messageId"].as_str().expect("an id");
        copy["messageId"] = Value::from(format!("{id}-again"));
        copy
    });
    let mut all: Vec<Value> = records.iter().cloned().chain(copies).collect();
    all.reverse();
    json!({ "Records": all })
}

impl World {
    /// Empty queues at [`START`].
    pub async fn new() -> Self {
        let base = u64::try_from(time(START).as_millis()).expect("after 1970");
        let start = SystemTime::UNIX_EPOCH + Duration::from_millis(base);
        let kit = callboard_testkit::World::with(Clock::tokio(start), false).await;
        let sdk = kit.sdk().clone();
        let sqs = Client::new(&sdk);
        let own = kit.queue("deadline-clock").await;
        let owner = kit.queue("waitlist-cascade.fifo").await;
        let vars = [
            ("QUEUE_URL", own.url),
            ("DLQ_URL", own.dlq_url),
            ("WAITLIST_CASCADE_QUEUE_URL", owner.url),
            ("FUNCTION_NAME", "deadline-clock".to_owned()),
            ("HOLD_GRACE_SECONDS", "5".to_owned()),
        ];
        let vars: Vars = vars.map(|(name, value)| (name.to_owned(), value)).into();
        Self {
            service: deadline_clock::build(&vars, &sdk).await.expect("built"),
            clock: callboard_runtime::Clock::from_sdk(&sdk),
            sdk,
            vars,
            sqs,
        }
    }

    /// One invocation; gives the number of records that come back.
    pub async fn invoke(&self, event: &Value) -> usize {
        let event = LambdaEvent::new(event.clone(), Context::default());
        let answer = self.service.clone().oneshot(event).await.expect("answer");
        answer["batchItemFailures"]
            .as_array()
            .expect("a list")
            .len()
    }

    /// Lets time pass until `moment`, and drives the function with its own queue as a mapping
    /// does.
    pub async fn run_until(&self, moment: &str) {
        while self.clock.now() < time(moment) {
            let left = time(moment).since(self.clock.now());
            tokio::time::advance(left.min(STEP)).await;
            self.turn().await;
        }
    }

    async fn turn(&self) {
        let messages = self.take("QUEUE_URL").await;
        if !messages.is_empty() {
            let records: Vec<Value> = messages.iter().map(record).collect();
            assert_eq!(self.invoke(&json!({ "Records": records })).await, 0);
        }
    }

    /// How many messages wait in the clock's own queue.
    pub async fn waiting(&self) -> u32 {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed};
        let names = [
            ApproximateNumberOfMessages,
            ApproximateNumberOfMessagesDelayed,
        ];
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.vars["QUEUE_URL"])
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .expect("attributes");
        let attributes = answer.attributes.expect("attributes");
        let count = |name: &QueueAttributeName| attributes[name].parse::<u32>().expect("a number");
        names.iter().map(count).sum()
    }

    /// What the owner has been handed since it last looked.
    pub async fn handed(&self) -> Vec<Handed> {
        let messages = self.take("WAITLIST_CASCADE_QUEUE_URL").await;
        let mut handed: Vec<Handed> = messages.iter().map(handed).collect();
        handed.sort();
        handed
    }

    /// The reasons of the dead letters.
    pub async fn dead_letters(&self) -> Vec<String> {
        let messages = self.take("DLQ_URL").await;
        let reason = |message: &Message| {
            let attributes = message.message_attributes.as_ref().expect("attributes");
            attributes["callboard-reason"]
                .string_value
                .clone()
                .expect("a reason")
        };
        let mut reasons: Vec<_> = messages.iter().map(reason).collect();
        reasons.sort();
        reasons
    }

    /// Receives and deletes all that can be seen.
    async fn take(&self, queue: &str) -> Vec<Message> {
        let url = &self.vars[queue];
        let mut taken = Vec::new();
        loop {
            let received = self
                .sqs
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await;
            let messages = received.expect("received").messages.unwrap_or_default();
            if messages.is_empty() {
                return taken;
            }
            for message in &messages {
                let handle = message.receipt_handle.as_deref().expect("a handle");
                let delete = self
                    .sqs
                    .delete_message()
                    .queue_url(url)
                    .receipt_handle(handle);
                delete.send().await.expect("deleted");
            }
            taken.extend(messages);
        }
    }
}

/// A received message as Lambda hands it over.
fn record(message: &Message) -> Value {
    let attributes = message.message_attributes.clone().unwrap_or_default();
    let attributes = attributes.into_iter().map(|(name, value)| {
        let value = json!({ "dataType": value.data_type, "stringValue": value.string_value });
        (name, value)
    });
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": { "ApproximateReceiveCount": "1" },
        "messageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
    })
}

fn handed(message: &Message) -> Handed {
    let envelope = Envelope::parse(message.body.as_deref().expect("a body")).expect("an envelope");
    assert_eq!(envelope.event_type, "callboard.command.due.v1");
    let text = |name: &str| envelope.data[name].as_str().expect("text").to_owned();
    let system = message.attributes.as_ref().expect("attributes");
    assert_eq!(envelope.subject, Some(text("stream")));
    Handed {
        stream: text("stream"),
        due_at: text("dueAt"),
        group: system[&MessageSystemAttributeName::MessageGroupId].clone(),
        correlation_id: envelope.correlationid.clone().expect("a correlation id"),
        causation_id: envelope.causationid.clone().expect("a causation id"),
    }
}
