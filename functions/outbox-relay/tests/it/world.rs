//! A small world around the function: engine, three topics with a queue each, parked records.

use aws_sdk_sqs::types::QueueAttributeName;
use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::stream::Unfolded;
use callboard_contracts::waitlist::{SlotEvent, SlotReleased};
use callboard_contracts::{Cause, DomainEvent, Envelope, StreamId, Timestamp};
use callboard_runtime::function::Service;
use callboard_runtime::journal::{Committed, Loaded};
use callboard_runtime::settings::Vars;
use callboard_testkit::{Faults, Measured, World as Kit, failed};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

/// When every test begins, and when the samples' commits were made.
pub const NOON: Timestamp = Timestamp::from_millis(1_772_445_600_000);

/// The three topics.
pub const TOPICS: [&str; 3] = ["waitlist-events", "notification-events", "external-events"];

pub struct World {
    pub faults: Faults,
    pub function: Service,
    kit: Kit,
    queues: Vec<(String, String)>,
    dlq_url: String,
}

/// A message as a subscriber gets it.
#[derive(Debug, Clone)]
pub struct Published {
    pub envelope: Envelope,
    pub attributes: Vec<(String, String)>,
}

impl Published {
    fn of(message: aws_sdk_sqs::types::Message) -> Self {
        let attributes = message.message_attributes.unwrap_or_default().into_iter();
        let mut attributes: Vec<_> = attributes
            .map(|(name, value)| (name, value.string_value.unwrap()))
            .collect();
        attributes.sort();
        Self {
            envelope: Envelope::parse(&message.body.unwrap()).unwrap(),
            attributes,
        }
    }
}

impl World {
    pub async fn open() -> Self {
        let kit = Kit::starting_at(NOON).await;
        let (sns, sqs) = (kit.sns(), kit.sqs());
        let dlq_url = kit.queue("outbox-relay").await.dlq_url;
        let mut vars = Vars::from([
            ("DLQ_URL".to_owned(), dlq_url.clone()),
            ("FUNCTION_NAME".to_owned(), "outbox-relay".to_owned()),
        ]);
        let mut queues = Vec::new();
        for topic in TOPICS {
            let (arn, url) = topic_with_queue(&sns, &sqs, topic).await;
            let name = format!("{}_TOPIC_ARN", topic.to_uppercase().replace('-', "_"));
            vars.insert(name, arn);
            queues.push((topic.to_owned(), url));
        }
        let function = outbox_relay::build(&vars, kit.sdk()).await.unwrap();
        kit.faults().reset();
        Self {
            faults: kit.faults().clone(),
            function,
            kit,
            queues,
            dlq_url,
        }
    }

    /// Invokes the function; the sequence number it reports as checkpoint, if any.
    pub async fn invoke(&self, event: Value) -> Option<String> {
        let context = Context::default();
        let answer = self
            .function
            .clone()
            .oneshot(LambdaEvent::new(event, context))
            .await
            .unwrap();
        let failures = failed(&answer);
        assert!(failures.len() <= 1, "one checkpoint at most: {answer}");
        failures.into_iter().next()
    }

    /// From here on, what the function tells CloudWatch.
    pub fn measure(&mut self) -> Measured {
        let (function, measured) = Measured::of(self.function.clone(), self.kit.clock());
        self.function = function;
        measured
    }

    /// Everything that has come out of a topic since the last time.
    pub async fn published(&self, topic: &str) -> Vec<Published> {
        let (_, url) = self.queues.iter().find(|(name, _)| name == topic).unwrap();
        let messages = self.kit.take(url).await.into_iter();
        messages.map(Published::of).collect()
    }

    /// Body and reason of all parked records.
    pub async fn parked(&self) -> Vec<(Value, String)> {
        let letters = self.kit.dead_letters(&self.dlq_url).await.into_iter();
        letters
            .map(|letter| (serde_json::from_str(&letter.body).unwrap(), letter.reason))
            .collect()
    }
}

async fn topic_with_queue(
    sns: &aws_sdk_sns::Client,
    sqs: &aws_sdk_sqs::Client,
    name: &str,
) -> (String, String) {
    let topic = sns
        .create_topic()
        .name(format!("{name}.fifo"))
        .attributes("FifoTopic", "true");
    let arn = topic.send().await.unwrap().topic_arn().unwrap().to_owned();
    let queue = sqs.create_queue().queue_name(format!("{name}.fifo"));
    let queue = queue
        .attributes(QueueAttributeName::FifoQueue, "true")
        .send()
        .await
        .unwrap();
    let url = queue.queue_url().unwrap().to_owned();
    let ask = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn);
    let answer = ask.send().await.unwrap();
    let queue_arn = answer.attributes().unwrap()[&QueueAttributeName::QueueArn].clone();
    let subscribe = sns
        .subscribe()
        .topic_arn(&arn)
        .protocol("sqs")
        .endpoint(queue_arn);
    subscribe
        .attributes("RawMessageDelivery", "true")
        .send()
        .await
        .unwrap();
    (arn, url)
}

/// An order as it stands in the journal.
pub fn order(number: u32) -> Committed {
    let order_id = format!("ord-{number}");
    let event = ForeignEvent {
        event_type: "com.example.orders.order-placed.v1".to_owned(),
        data: json!({ "orderId": order_id, "userId": "usr-456", "items": ["book"], "totalAmount": 9.5 }),
    };
    commit::<ForeignEvent>(StreamId::event("orders", &order_id), 0, event, None)
}

/// A released slot as it stands in the journal, at a commit number of its stream.
pub fn release(slot: &str, before: u64) -> Committed {
    let event = SlotReleased {
        waitlist_id: "w-physio".parse().unwrap(),
        slot_id: slot.parse().unwrap(),
        slot_version: 1,
        service: "physio".to_owned(),
        starts_at: NOON,
        ends_at: NOON,
        offer_window_seconds: 1_800,
        location: None,
        provider: None,
        zone: None,
        external_id: None,
        terms: None,
        swap_depth: 0,
    };
    let stream = StreamId::slot(&event.slot_id);
    commit::<SlotEvent>(stream, before, event.into(), Some("w-physio"))
}

/// Any event as it stands in the journal.
pub fn commit<E: DomainEvent>(
    stream: StreamId,
    before: u64,
    event: E,
    group: Option<&str>,
) -> Committed {
    let cause = Cause {
        causation_id: "req-1".to_owned(),
        correlation_id: "req-1".to_owned(),
        hash: callboard_contracts::cause::hash_of(&event.data()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    };
    let id =
        callboard_contracts::id::derived_uuid(&["sample", stream.as_str(), &before.to_string()]);
    let loaded = Loaded::told(stream, Unfolded::<E>::default(), before);
    let mut commit = loaded.next(&cause, NOON).event(event).id(id);
    if let Some(group) = group {
        commit = commit.group(group);
    }
    commit.build().unwrap().record().clone()
}

/// The image of a commit in a stream record, as Lambda delivers it.
pub fn image(commit: &Committed) -> Value {
    let events = serde_json::to_string(&commit.events).unwrap();
    let mut image = json!({
        "pk": {"S": commit.stream}, "sk": {"N": commit.number.to_string()},
        "id": {"S": commit.id.simple().to_string()}, "at": {"N": commit.at.as_millis().to_string()},
        "corr": {"S": commit.cause.correlation_id}, "cause": {"S": commit.cause.causation_id},
        "hash": {"S": commit.cause.hash}, "ev": {"S": events},
    });
    if commit.public().next().is_some() {
        image["relay"] = json!({"S": "1"});
    }
    if let Some(due) = &commit.due {
        image["due_at"] = json!({"N": due.at.as_millis().to_string()});
        image["due_q"] = json!({"S": due.queue});
    }
    if let Some(group) = &commit.group {
        image["grp"] = json!({ "S": group });
    }
    if let Some(traceparent) = &commit.cause.traceparent {
        image["tp"] = json!({ "S": traceparent });
    }
    image
}

/// One stream record.
pub fn record(sequence: u32, image: Value) -> Value {
    json!({
        "eventID": format!("{sequence:032x}"),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_772_445_600,
            "Keys": { "pk": image["pk"], "sk": image["sk"] },
            "NewImage": image,
            "SequenceNumber": sequence_number(sequence),
            "SizeBytes": 512,
            "StreamViewType": "NEW_IMAGE"
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/journal/stream/2026-03-02T09:00:00.000"
    })
}

pub fn sequence_number(sequence: u32) -> String {
    format!("{}", 100_000_000_000_u64 + u64::from(sequence))
}

pub fn event(records: Vec<Value>) -> Value {
    json!({ "Records": records })
}
