//! The system as `callboard dev` starts it, seen from outside: HTTP, real SMTP, the mailbox's
//! JSON, real time, free ports. Each test has a system of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::house::House;
use crate::story::{is, order_of};

/// An offer's window that somebody lets pass.
const SHORT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn one_declines_one_is_silent_one_accepts_and_the_slot_is_filled_once() {
    let house = House::live().await;
    let [anna, ben, cleo] = [
        house.register("anna").await,
        house.register("ben").await,
        house.register("cleo").await,
    ];
    house.join("clinic", &anna, "urgent").await;
    house.join("clinic", &ben, "soon").await;
    let entry = house.join("clinic", &cleo, "routine").await;
    let released = house.release("clinic", SHORT).await;

    let link = house.offer_to(&anna).await;
    house.press(&link, "decline").await.expect(200);
    house.offer_to(&ben).await;
    let link = house.offer_to(&cleo).await;
    let page = house.press(&link, "accept").await.expect(200);
    assert_eq!(page.json()["state"], "accepted");
    let view = format!("/v1/slots/{}?at-least={}", released.slot, page.commit());
    let view = house.api.get(&view).await.expect(200).json();
    assert_eq!(
        (&view["state"], &view["offers"]),
        (&json!("booked"), &json!(3))
    );
    assert_eq!(view["entryId"], entry);
    house.at_rest().await;

    let counts = [
        house.mails_to(&anna.email).await.len(),
        house.mails_to(&ben.email).await.len(),
        house.mails_to(&cleo.email).await.len(),
    ];
    assert_eq!(counts, [1, 1, 2]);
    let events = house.timeline(&released.correlation).await;
    let count = |name| events.iter().filter(|event| is(event, name)).count();
    assert_eq!((count("slot-held"), count("slot-filled")), (3, 1));
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test]
async fn an_event_is_one_mail_however_often_it_comes_and_never_another_payload() {
    let house = House::live().await;
    let dana = house.register("usr-456").await;
    let first = house
        .say("OrderPlaced", "evt-001", order_of(&dana.id))
        .await
        .expect(202);
    let mail = house
        .until("the mail", async || house.mails_to(&dana.email).await.pop())
        .await;
    assert_eq!(mail.subject, "Your order ord-123");
    let lines: BTreeSet<_> = mail.text.lines().collect();
    assert!(
        lines.contains("- book") && lines.contains("- pen"),
        "{}",
        mail.text
    );
    assert!(mail.html.contains("29.99"));

    let again = house
        .say("OrderPlaced", "evt-001", order_of(&dana.id))
        .await
        .expect(200);
    assert_eq!(again.json(), first.json());
    let mut other = order_of(&dana.id);
    other["totalAmount"] = json!(1);
    let refused = house.say("OrderPlaced", "evt-001", other).await.expect(409);
    assert_eq!(refused.problem(), "event-id-reused");
    house.at_rest().await;
    assert_eq!(house.mails().await.len(), 1);
    assert_eq!(house.events_of("notification-planned").await, 1);
    house.close().await;
}

#[tokio::test]
async fn the_same_event_sent_many_times_at_once_is_one_mail() {
    let house = House::live().await;
    let dana = house.register("dana").await;
    let senders = (0..12).map(|_| house.say("OrderPlaced", "evt-001", order_of(&dana.id)));
    let answers = futures::future::join_all(senders).await;
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    let repeated = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((accepted, repeated), (1, 11));
    house
        .until("the mail", async || house.mails().await.pop())
        .await;
    house.at_rest().await;
    assert_eq!(house.mails().await.len(), 1);
    house.close().await;
}

#[tokio::test]
async fn a_second_foreign_type_has_its_mail_and_comes_in_each_form_of_cloudevents() {
    let house = House::live().await;
    let starts = house.now().plus(Duration::from_secs(86_400));
    let data = |person: &str| {
        json!({
            "appointmentId": "apt-77", "patientId": person, "service": "physio",
            "startsAt": starts, "place": "12 Mill Lane", "bookedFor": "Noor",
        })
    };
    let event = |id: &str, person: &str| {
        json!({
            "specversion": "1.0", "id": id, "source": "practice-calendar",
            "type": "com.example.practice.appointment-booked.v1",
            "time": "2026-01-15T10:30:00Z", "datacontenttype": "application/json",
            "data": data(person),
        })
    };
    let people = ["structured", "binary", "batch-1", "batch-2", "minimal"];
    for person in people {
        house.register(person).await;
    }
    let send = async |kind: &str, more: &[(&str, &str)], body: serde_json::Value| {
        let mut headers = vec![("content-type", kind)];
        headers.extend(more);
        let body = body.to_string().into_bytes();
        house.api.send("POST", "/v1/events", &headers, body).await
    };
    send(
        "application/cloudevents+json",
        &[],
        event("1", "structured"),
    )
    .await
    .expect(202);
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "practice-calendar"),
        ("ce-type", "com.example.practice.appointment-booked.v1"),
    ];
    send("application/json", &binary, data("binary"))
        .await
        .expect(202);
    let batch = json!([event("3", "batch-1"), { "no": "event" }, event("4", "batch-2")]);
    let answers = send("application/cloudevents-batch+json", &[], batch)
        .await
        .expect(207)
        .json();
    let statuses: Vec<_> = answers
        .as_array()
        .expect("answers")
        .iter()
        .map(|one| &one["status"])
        .collect();
    assert_eq!(statuses, [202, 422, 202], "a bad one holds back no other");
    house
        .say("AppointmentBooked", "5", data("minimal"))
        .await
        .expect(202);

    let all = people.map(|person| format!("{person}@example.com")).into();
    house
        .until("a mail to each", async || {
            let mails = house.mails().await;
            let reached: BTreeSet<_> = mails.into_iter().flat_map(|mail| mail.to).collect();
            (reached == all).then_some(())
        })
        .await;
    let mail = house.mails().await.remove(0);
    assert!(
        mail.subject.starts_with("Your appointment on "),
        "{}",
        mail.subject
    );
    assert!(
        mail.text.contains("For:   Noor"),
        "the personal field, from contacts"
    );
    house.close().await;
}

#[tokio::test]
async fn poison_ends_with_a_reason_and_its_neighbours_as_ever() {
    let house = House::live().await;
    let people = ["p1", "p2", "p3"];
    for person in people {
        house.register(person).await;
    }
    let sqs = aws_sdk_sqs::Client::new(&house.sdk);
    let poison = [
        "{poison".to_owned(),
        json!({ "eventType": "OrderPlaced" }).to_string(),
        json!({
            "specversion": "1.0", "id": "x", "source": "elsewhere", "time": "2026-01-01T00:00:00Z",
            "type": "callboard.waitlist.offer-sung.v1", "data": {},
        })
        .to_string(),
        "[".repeat(50_000),
    ];
    for (person, body) in people.iter().zip(&poison) {
        let send = async |body: &String| {
            for queue in [
                "NotificationPlannerQueue",
                "EmailSenderQueue",
                "WaitlistProjectorQueue",
            ] {
                let url = house.reference(queue);
                let send = sqs.send_message().queue_url(url).message_body(body);
                send.send().await.expect("sent");
            }
        };
        let order = house.order(person);
        futures::join!(send(body), order).1.expect(202);
    }
    house
        .until("the neighbours' mails", async || {
            (house.mails().await.len() == 3).then_some(())
        })
        .await;
    house.at_rest().await;
    for consumer in ["NotificationPlanner", "EmailSender", "WaitlistProjector"] {
        let letters = house.letters(&format!("{consumer}DeadLetterQueue")).await;
        assert!(!letters.is_empty(), "{consumer} set nothing aside");
        for letter in letters {
            assert!(poison.contains(&letter.body), "unchanged: {}", letter.body);
            let told = |name: &str| {
                letter
                    .attributes
                    .get(name)
                    .is_some_and(|text| !text.is_empty())
            };
            for name in [
                "callboard-reason",
                "callboard-error-class",
                "callboard-function",
                "callboard-attempt",
            ] {
                assert!(told(name), "{consumer}: {name} of {:?}", letter.attributes);
            }
        }
    }
    house.expect_no_dead_letters().await;
    house.close().await;
}

#[tokio::test]
async fn whoever_cannot_or_does_not_want_to_be_reached_gets_no_mail_and_a_reason_on_record() {
    let house = House::live().await;
    house
        .register_as(
            "no-orders",
            &json!({ "email": "a@example.com", "optedOut": ["orders"] }),
        )
        .await;
    house.register("erased").await;
    house
        .api
        .send("DELETE", "/v1/recipients/erased", &[], Vec::new())
        .await
        .expect(200);
    house
        .register_as("no-address", &json!({ "name": "Nobody" }))
        .await;
    house
        .register_as("bounces", &json!({ "email": "bounce@example.com" }))
        .await;
    let reached = house.register("reached").await;

    for (person, event, detail) in [
        (
            "no-orders",
            "notification-dropped",
            json!({ "reason": "opted-out" }),
        ),
        (
            "erased",
            "notification-dropped",
            json!({ "reason": "no-contact" }),
        ),
        (
            "no-address",
            "notification-dropped",
            json!({ "reason": "no-contact" }),
        ),
        (
            "unknown",
            "notification-dropped",
            json!({ "reason": "no-contact" }),
        ),
        ("bounces", "delivery-failed", json!("smtp-550")),
    ] {
        let answer = house.order(person).await.expect(202).json();
        let correlation = answer["correlationId"].as_str().expect("an id");
        let data = house.event_in(correlation, event).await;
        assert!(data == detail || data["code"] == detail, "{person}: {data}");
    }
    house.order(&reached.id).await.expect(202);
    house
        .until("her mail", async || {
            house.mails_to(&reached.email).await.pop()
        })
        .await;
    house.at_rest().await;
    assert_eq!(house.mails().await.len(), 1, "nobody else got one");

    // Who was erased stays so: a registration that comes late does not bring her back.
    let late = json!({ "email": "erased@example.com" });
    let refused = house.api.json("PUT", "/v1/recipients/erased", &late).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (422, "recipient-erased")
    );
    house.close().await;
}
