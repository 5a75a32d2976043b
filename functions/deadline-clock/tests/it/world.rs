//! The clock's own queue, the owner's queue, and the function between them.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use callboard_contracts::{Envelope, Timestamp};
use callboard_runtime::function::Service;
use callboard_runtime::settings::Vars;
use callboard_testkit::{Measured, World as Kit, failed};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use tower::ServiceExt;

/// When every story begins: the slot of the samples is held, and nobody was found for another.
pub const START: &str = "2026-03-02T10:00:00.000Z";

/// How often the queue is looked at: a message is handled at most so much later than it can be.
const STEP: Duration = Duration::from_secs(10);

pub struct World {
    pub sdk: SdkConfig,
    pub vars: Vars,
    kit: Kit,
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
    callboard_testkit::sample("deadline-clock", case)
}

impl World {
    /// Empty queues at [`START`].
    pub async fn new() -> Self {
        let kit = Kit::starting_at(time(START)).await;
        let sdk = kit.sdk().clone();
        let own = kit.queue("deadline-clock").await;
        let owner = kit.queue("waitlist-cascade.fifo").await;
        let vars = [
            ("QUEUE_URL", own.url),
            ("DLQ_URL", own.dlq_url),
            ("WAITLIST_CASCADE_QUEUE_URL", owner.url),
            ("FUNCTION_NAME", "deadline-clock".to_owned()),
            (
                "JOURNAL_TABLE",
                callboard_testkit::world::JOURNAL.to_owned(),
            ),
            ("VIEWS_TABLE", callboard_testkit::world::VIEWS.to_owned()),
            ("HOLD_GRACE_SECONDS", "5".to_owned()),
        ];
        let vars: Vars = vars.map(|(name, value)| (name.to_owned(), value)).into();
        Self {
            service: deadline_clock::build(&vars, &sdk).await.expect("built"),
            kit,
            sdk,
            vars,
        }
    }

    /// One invocation; gives the number of records that come back.
    pub async fn invoke(&self, event: &Value) -> usize {
        failed(&self.answer(event.clone()).await).len()
    }

    async fn answer(&self, event: Value) -> Value {
        let event = LambdaEvent::new(event, Context::default());
        self.service.clone().oneshot(event).await.expect("answer")
    }

    /// The journal, views, queues and faults under the function.
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// One call by the schedule: its answer, or its error.
    pub async fn sweep(&self) -> Result<Value, lambda_runtime::Error> {
        let event = LambdaEvent::new(sample("scheduled"), Context::default());
        self.service.clone().oneshot(event).await
    }

    /// Meters the function from here on.
    pub fn measure(&mut self) -> Measured {
        let (service, measured) = Measured::of(self.service.clone(), self.kit.clock());
        self.service = service;
        measured
    }

    /// Starts the function anew, as Lambda does with another sandbox.
    pub async fn restart(&mut self) {
        self.service = deadline_clock::build(&self.vars, &self.sdk)
            .await
            .expect("built");
    }

    /// Lets time pass until `moment`, and drives the function with its own queue as a mapping
    /// does.
    pub async fn run_until(&self, moment: &str) {
        while self.kit.now() < time(moment) {
            let left = time(moment).since(self.kit.now());
            tokio::time::advance(left.min(STEP)).await;
            self.turn().await;
        }
    }

    async fn turn(&self) {
        let invoke = async |event| {
            let answer = self.answer(event).await;
            assert!(failed(&answer).is_empty());
            answer
        };
        self.kit.deliver(&self.vars["QUEUE_URL"], invoke).await;
    }

    /// How many messages wait in the clock's own queue.
    pub async fn waiting(&self) -> u32 {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed};
        let names = [
            ApproximateNumberOfMessages,
            ApproximateNumberOfMessagesDelayed,
        ];
        let answer = self
            .kit
            .sqs()
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
        let owner = &self.vars["WAITLIST_CASCADE_QUEUE_URL"];
        let messages = self.kit.take(owner).await;
        let mut handed: Vec<Handed> = messages.iter().map(handed).collect();
        handed.sort();
        handed
    }

    /// The reasons of the dead letters.
    pub async fn dead_letters(&self) -> Vec<String> {
        let letters = self.kit.dead_letters(&self.vars["DLQ_URL"]).await;
        let mut reasons: Vec<_> = letters.into_iter().map(|letter| letter.reason).collect();
        reasons.sort();
        reasons
    }
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
