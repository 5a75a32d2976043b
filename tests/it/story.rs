//! What people and other systems do: register, join, release, answer, order.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{Answer, House, Mail};

/// What everybody waits for.
pub const SERVICE: &str = "physio";

/// Somebody who can be reached.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    pub email: String,
}

/// A slot that became free.
#[derive(Debug, Clone)]
pub struct Released {
    pub slot: String,
    pub correlation: String,
}

impl House {
    /// Registers somebody as `<name>@example.com`.
    pub async fn register(&self, name: &str) -> Person {
        let email = format!("{name}@example.com");
        self.register_as(name, &json!({ "email": email, "name": name }))
            .await;
        Person {
            id: name.to_owned(),
            email,
        }
    }

    pub async fn register_as(&self, id: &str, profile: &Value) -> Answer {
        let path = format!("/v1/recipients/{id}");
        let answer = self.api.json("PUT", &path, profile).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
        answer
    }

    /// Joins a waitlist, and waits until its view shows that: the cascade looks there.
    pub async fn join(&self, waitlist: &str, person: &Person, urgency: &str) -> String {
        let wishes = json!({ "urgency": urgency });
        self.join_wishing(waitlist, person, &wishes).await
    }

    /// The same with other members of the command.
    pub async fn join_wishing(&self, waitlist: &str, person: &Person, wishes: &Value) -> String {
        let path = format!("/v1/waitlists/{waitlist}/entries");
        let mut body = wishes.clone();
        body["recipientId"] = json!(person.id);
        body["service"] = json!(SERVICE);
        let answer = self.api.json("POST", &path, &body).await.expect(201);
        let entry = answer.json()["entryId"].as_str().expect("an id").to_owned();
        let view = format!("{path}/{entry}?at-least={}", answer.commit());
        self.until("the view to show the entry", async || {
            let answer = self.api.get(&view).await;
            (answer.status == 200).then_some(())
        })
        .await;
        // Whoever joins first has waited longest, on virtual time as well.
        tokio::time::sleep(Duration::from_millis(1)).await;
        entry
    }

    /// Releases a slot of tomorrow; every offer of it stands for `window`.
    pub async fn release(&self, waitlist: &str, window: Duration) -> Released {
        self.release_in(waitlist, 1, window).await
    }

    /// Releases a slot that starts in so many days.
    pub async fn release_in(&self, waitlist: &str, days: u64, window: Duration) -> Released {
        let starts = self.now().plus(Duration::from_secs(days * 86_400));
        let body = json!({
            "service": SERVICE,
            "startsAt": starts,
            "endsAt": starts.plus(Duration::from_secs(2_700)),
            "offerWindowSeconds": window.as_secs(),
        });
        let path = format!("/v1/waitlists/{waitlist}/slots");
        let answer = self.api.json("POST", &path, &body).await.expect(201).json();
        Released {
            slot: answer["slotId"].as_str().expect("an id").to_owned(),
            correlation: answer["correlationId"].as_str().expect("an id").to_owned(),
        }
    }

    /// Waits for the mail that offers a slot, and gives the path of its link.
    pub async fn offer_to(&self, person: &Person) -> String {
        let patience = Duration::from_secs(3_600);
        self.offer_within(person, patience).await
    }

    pub async fn offer_within(&self, person: &Person, patience: Duration) -> String {
        let what = format!("an offer to {}", person.id);
        self.until_within(patience, &what, async || {
            let mails = self.mails_to(&person.email).await;
            mails.iter().find_map(link)
        })
        .await
    }

    /// Presses a button on the page behind a link.
    pub async fn press(&self, link: &str, answer: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let body = format!("answer={answer}").into_bytes();
        self.api.send("POST", link, &headers, body).await
    }

    /// The view of a slot, once it shows this state.
    pub async fn slot_when(&self, slot: &str, state: &str) -> Value {
        self.until(&format!("the slot to be {state}"), async || {
            let view = self.slot(slot).await;
            (view["state"] == state).then_some(view)
        })
        .await
    }

    pub async fn slot(&self, slot: &str) -> Value {
        self.api.get(&format!("/v1/slots/{slot}")).await.json()
    }

    /// Another system's event in the minimal shape.
    pub async fn say(&self, event_type: &str, id: &str, data: Value) -> Answer {
        let event = json!({
            "eventType": event_type,
            "eventId": id,
            "timestamp": "2024-01-15T10:30:00Z",
            "data": data,
        });
        self.api.json("POST", "/v1/events", &event).await
    }

    /// An order of `user`, under an id of its own unless one is given.
    pub async fn order(&self, user: &str) -> Answer {
        self.say("OrderPlaced", &fresh("evt"), order_of(user)).await
    }

    /// The events of a correlation id, as the timeline shows them.
    pub async fn timeline(&self, correlation: &str) -> Vec<Value> {
        let answer = self.api.get(&format!("/v1/timelines/{correlation}")).await;
        let events = answer.json()["events"].as_array().cloned();
        events.unwrap_or_default()
    }

    /// Waits for an event whose type ends in `name.v1`, and gives its data.
    pub async fn event_in(&self, correlation: &str, name: &str) -> Value {
        self.until(&format!("{name} in {correlation}"), async || {
            let events = self.timeline(correlation).await;
            let found = events.iter().find(|event| is(event, name))?;
            Some(found["data"].clone())
        })
        .await
    }
}

/// Whether a timeline's event is of the type `callboard.….<name>.v1`.
pub fn is(event: &Value, name: &str) -> bool {
    let kind = event["type"].as_str().unwrap_or_default();
    kind.ends_with(&format!(".{name}.v1"))
}

/// The data of an order.
pub fn order_of(user: &str) -> Value {
    json!({ "orderId": "ord-123", "userId": user, "items": ["book", "pen"], "totalAmount": 29.99 })
}

/// An id that nobody has used.
pub fn fresh(name: &str) -> String {
    format!("{name}-{}", &Uuid::new_v4().simple().to_string()[..8])
}

/// The path of a mail's link to an offer.
pub fn link(mail: &Mail) -> Option<String> {
    let (_, rest) = mail.text.split_once("/o/")?;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    Some(format!("/o/{}", &rest[..end]))
}
