//! I12: a canary that is planted where people's data go in, and searched for everywhere.
//!
//! One thread, so that this test's logs are all caught and no other test's are.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_host::Service;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tracing_subscriber::fmt::MakeWriter;

use crate::house::{House, Setup, Site};

/// What no table but `contacts`, no message and no line of a log may hold. Lower case: a
/// mailbox's address may be folded.
const CANARY: &str = "canary7f3a";

/// What was written, by whom it may concern.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("unpoisoned")).into_owned()
    }

    /// A layer that keeps what a queue or a stream hands to a function.
    fn layer(&self, inner: Service) -> Service {
        let kept = self.clone();
        Service::new(service_fn(move |event: LambdaEvent<Value>| {
            if event.payload.get("Records").is_some() {
                let line = format!("{}\n", event.payload);
                kept.0.lock().expect("unpoisoned").extend(line.into_bytes());
            }
            inner.clone().oneshot(event)
        }))
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[track_caller]
fn nowhere_in(place: &str, text: &str) {
    let text = text.to_lowercase();
    if let Some(at) = text.find(CANARY) {
        let from = text.floor_char_boundary(at.saturating_sub(400));
        let to = text.ceil_char_boundary(text.len().min(at + 100));
        panic!("{place} holds personal data: …{}…", &text[from..to]);
    }
}

fn profile(local: &str) -> Value {
    json!({
        "email": format!("{local}{CANARY}@example.com"),
        "name": format!("Nora {CANARY}"),
        "timeZone": "Europe/Berlin",
    })
}

/// Everything that touches people's data, what fails included.
async fn lives(house: &House) {
    house.register_as("nora", &profile("")).await;
    let nora = crate::story::Person {
        id: "nora".to_owned(),
        email: format!("{CANARY}@example.com"),
    };
    // A provider that refuses her address, in words that quote it.
    house.register_as("olga", &profile("bounce+")).await;
    for person in ["nora", "olga"] {
        let data = json!({
            "appointmentId": "apt-77", "patientId": person, "service": "physio",
            "startsAt": house.now().plus(Duration::from_secs(86_400)), "place": "12 Mill Lane",
            "bookedFor": format!("Ida {CANARY}"), "note": format!("bring {CANARY}"),
        });
        house
            .say("AppointmentBooked", &format!("evt-{person}"), data)
            .await
            .expect(202);
    }
    house.join("clinic", &nora, "urgent").await;
    let released = house.release("clinic", Duration::from_secs(600)).await;
    let link = house.offer_to(&nora).await;
    house.press(&link, "accept").await.expect(200);
    house.slot_when(&released.slot, "booked").await;
    house.at_rest().await;
    assert_eq!(
        house.events_of("delivery-failed").await,
        1,
        "the refused address"
    );
    assert_eq!(house.mails_to(&nora.email).await.len(), 3);
}

/// Requests and messages that are refused must not be quoted.
async fn refused(house: &House) {
    let path = "/v1/recipients/petra";
    for body in [
        json!({ "email": format!("{CANARY}\r\nBcc: x@example.com") }),
        json!({ "email": format!("{CANARY} is no address") }),
        json!({ "name": format!("{CANARY}\n") }),
        json!({ "email": [CANARY] }),
        json!({ "timeZone": CANARY }),
    ] {
        let answer = house.api.json("PUT", path, &body).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        nowhere_in("an error", &answer.text());
    }
    let data =
        json!({ "orderId": "o", "userId": "nora", "items": [CANARY], "totalAmount": CANARY });
    let answer = house.say("OrderPlaced", "evt-bad", data).await.expect(422);
    nowhere_in("an error", &answer.text());

    let sqs = aws_sdk_sqs::Client::new(&house.sdk);
    for body in [
        format!("{{\"data\": \"{CANARY}"),
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"x\",\"type\":\"callboard.waitlist.offer-made.v1\",\"time\":\"2026-01-01T00:00:00Z\",\"data\":{{\"recipientId\":\"{CANARY} \"}}}}"
        ),
    ] {
        let send = sqs
            .send_message()
            .queue_url(house.reference("NotificationPlannerQueue"))
            .message_body(body);
        send.send().await.expect("sent");
    }
    house.at_rest().await;
    let letters = house.letters("NotificationPlannerDeadLetterQueue").await;
    assert_eq!(letters.len(), 2);
    for letter in letters {
        // The body is what came in; what we say of it must not quote it.
        assert!(!letter.reason().is_empty());
        nowhere_in(
            "a dead letter's reason",
            &format!("{:?}", letter.attributes),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn personal_data_stand_in_contacts_and_nowhere_else() {
    let logs = Kept::default();
    // With one subscriber alone, `tracing` asks that of the thread that first passes a log line,
    // which may be another test's, and takes its "no" for everybody's.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(callboard_runtime::telemetry::filter("trace"))
        .with_writer(logs.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let handed = Kept::default();
    let layer = handed.clone();
    let house = Site::new(Setup::layered(move |_, service| layer.layer(service)))
        .await
        .open()
        .await;
    let mut invocations = house.host().observe();
    lives(&house).await;
    nowhere_in("a message", &handed.text());
    refused(&house).await;

    nowhere_in(
        "the journal",
        &format!("{:?}", house.items("JournalTable").await),
    );
    nowhere_in("a view", &format!("{:?}", house.items("ViewsTable").await));
    let contacts = format!("{:?}", house.items("ContactsTable").await).to_lowercase();
    assert!(contacts.contains(CANARY), "the canary was planted");
    while let Ok(invocation) = invocations.try_recv() {
        nowhere_in("what is told of an invocation", &format!("{invocation:?}"));
    }
    house.expect_no_dead_letters().await;

    // Erased, nothing of her is left, and nothing more is sent.
    for person in ["nora", "olga"] {
        let path = format!("/v1/recipients/{person}");
        house
            .api
            .send("DELETE", &path, &[], Vec::new())
            .await
            .expect(200);
    }
    nowhere_in(
        "contacts",
        &format!("{:?}", house.items("ContactsTable").await),
    );
    house.close().await;
    let logs = logs.text();
    for caught in ["a slot was offered", "DEBUG", "a record failed"] {
        assert!(logs.contains(caught), "logs were not caught: {caught}");
    }
    nowhere_in("a log", &logs);
}
