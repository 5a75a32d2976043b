//! A small world around the function: engine, journal, queue of dead letters.

use callboard_contracts::envelope::Sequence;
use callboard_contracts::{Envelope, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::slot::{self, Slot};
use callboard_runtime::function::Service;
use callboard_runtime::journal::{Committed, Loaded};
use callboard_runtime::settings::Vars;
use callboard_testkit::{Costs, World as Kit, failed};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

/// When every test begins: a second after the samples' events.
pub const NOON: Timestamp = Timestamp::from_millis(1_772_445_601_000);

pub struct World {
    pub function: Service,
    pub kit: Kit,
    dlq_url: String,
}

impl World {
    pub async fn open() -> Self {
        let kit = Kit::starting_at(NOON).await;
        let queues = kit.queue("calendar-importer").await;
        let vars: Vars = [
            ("JOURNAL_TABLE", "journal"),
            ("QUEUE_URL", &queues.url),
            ("DLQ_URL", &queues.dlq_url),
            ("FUNCTION_NAME", "calendar-importer"),
            ("OFFER_WINDOW_SECONDS", "600"),
            ("HOLD_GRACE_SECONDS", "5"),
            ("SECOND_LOOK_SECONDS", "30"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let function = calendar_importer::build(&vars, kit.sdk()).await.unwrap();
        kit.faults().reset();
        Self {
            function,
            kit,
            dlq_url: queues.dlq_url,
        }
    }

    /// Invokes the function; the ids it reports as failed.
    pub async fn invoke(&self, event: Value) -> Vec<String> {
        let event = LambdaEvent::new(event, Context::default());
        failed(&self.function.clone().oneshot(event).await.unwrap())
    }

    /// Invokes the function with what can be done.
    pub async fn hear(&self, words: &[Envelope]) {
        assert!(self.invoke(batch(words)).await.is_empty());
    }

    /// What the function has called since the world was opened.
    pub fn costs(&self) -> Costs {
        self.kit.faults().costs()
    }

    /// The slot of the appointment `name`.
    pub async fn slot(&self, name: &str) -> Loaded<Slot> {
        self.kit.journal().load(&stream(name)).await.unwrap()
    }

    /// All commits of it.
    pub async fn commits(&self, name: &str) -> Vec<Committed> {
        self.kit.journal().read(&stream(name), 1).await.unwrap()
    }

    /// Everything that stands in the journal.
    pub async fn journal(&self) -> Vec<String> {
        let scan = self.kit.dynamodb().scan().table_name("journal");
        let items = scan.send().await.unwrap().items.unwrap_or_default();
        items.iter().map(|item| format!("{item:?}")).collect()
    }

    /// The reasons of all dead letters.
    pub async fn dead(&self) -> Vec<String> {
        let letters = self.kit.dead_letters(&self.dlq_url).await;
        letters.into_iter().map(|letter| letter.reason).collect()
    }
}

pub fn stream(name: &str) -> StreamId {
    let waitlist = WaitlistId::parse("physio-north").unwrap();
    StreamId::slot(&slot::id_by_name(&waitlist, name))
}

/// A word of the calendar as the relay publishes it.
pub fn word(id: &str, kind: &str, data: Value) -> Envelope {
    let stream = StreamId::event("practice-calendar", id);
    Envelope {
        specversion: "1.0".to_owned(),
        id: callboard_contracts::id::derived_uuid(&["sample", stream.as_str()]).to_string(),
        source: "callboard".to_owned(),
        event_type: format!("com.example.practice.{kind}.v1"),
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

fn on(name: &str, revision: u64) -> Value {
    json!({"appointmentId": name, "waitlistId": "physio-north", "revision": revision})
}

fn with_times(mut data: Value) -> Value {
    data["service"] = json!("physio");
    data["startsAt"] = json!("2026-05-02T09:00:00Z");
    data["endsAt"] = json!("2026-05-02T09:30:00Z");
    data
}

pub fn published(name: &str, revision: u64) -> Envelope {
    let data = with_times(on(name, revision));
    word(&format!("{name}-{revision}"), "slot-published", data)
}

pub fn cancelled(name: &str, revision: u64) -> Envelope {
    let mut data = with_times(on(name, revision));
    data["patientId"] = json!("usr-456");
    word(&format!("{name}-{revision}"), "appointment-cancelled", data)
}

pub fn booked(name: &str, revision: u64) -> Envelope {
    let mut data = on(name, revision);
    data["patientId"] = json!("usr-456");
    data["service"] = json!("physio");
    data["startsAt"] = json!("2026-05-02T09:00:00Z");
    data["place"] = json!("12 Mill Lane");
    word(&format!("{name}-{revision}"), "appointment-booked", data)
}

pub fn unpublished(name: &str, revision: u64) -> Envelope {
    let id = format!("{name}-{revision}");
    word(&id, "slot-unpublished", on(name, revision))
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
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:calendar-importer",
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
