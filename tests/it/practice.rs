//! The practice's own calendar: a day of slots as a batch, bookings and cancellations elsewhere, and
//! the calendar's system as a subscriber of what becomes of them.

use std::time::Duration;

use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::Client as Sqs;
use callboard_contracts::Envelope;
use serde_json::{Value, json};

use crate::evidence::Letter;
use crate::house::House;
use crate::story::{Person, SERVICE, fresh, link};

const WAITLIST: &str = "practice";
const BATCH: &str = "/v1/waitlists/practice/slot-batches";

/// What the person writes who cancels; it may stand in `contacts` alone (I12).
const CANARY: &str = "canary-of-the-calendar";

/// A queue of another system's own, subscribed to one type of event as `events/README.md` shows.
struct Subscriber {
    sqs: Sqs,
    url: String,
}

impl Subscriber {
    async fn of(house: &House, event: &str) -> Self {
        let (sqs, sns) = (Sqs::new(&house.sdk), Sns::new(&house.sdk));
        let made = sqs.create_queue().queue_name("calendar-hears").send().await;
        let url = made.expect("a queue").queue_url.expect("its URL");
        let asked = sqs.get_queue_attributes().queue_url(&url);
        let asked = asked.attribute_names(aws_sdk_sqs::types::QueueAttributeName::QueueArn);
        let attributes = asked.send().await.expect("attributes").attributes;
        let arn = attributes
            .and_then(|all| all.into_values().next())
            .expect("its ARN");
        let filter = json!({ "type": [{ "prefix": format!("callboard.waitlist.{event}.v") }] });
        let subscribe = sns
            .subscribe()
            .topic_arn(house.reference("WaitlistEventsTopic"))
            .protocol("sqs")
            .endpoint(arn)
            .attributes("RawMessageDelivery", "true")
            .attributes("FilterPolicy", filter.to_string());
        subscribe.send().await.expect("a subscription");
        Self { sqs, url }
    }

    /// The next event, taken from the queue.
    async fn next(&self, house: &House) -> Envelope {
        house
            .until("an event for the other system", async || {
                let receive = self.sqs.receive_message().queue_url(&self.url);
                let message = receive.send().await.expect("an answer").messages?.pop()?;
                let done = self.sqs.delete_message().queue_url(&self.url);
                let receipt = message.receipt_handle.unwrap_or_default();
                done.receipt_handle(receipt).send().await.expect("deleted");
                let body = message.body.unwrap_or_default();
                Some(serde_json::from_str(&body).expect("an envelope"))
            })
            .await
    }

    async fn is_empty(&self) -> bool {
        let receive = self.sqs.receive_message().queue_url(&self.url);
        let messages = receive.send().await.expect("an answer").messages;
        messages.unwrap_or_default().is_empty()
    }
}

/// What the calendar says of an appointment the day after tomorrow.
fn appointment(house: &House, name: &str, revision: u64) -> Value {
    let starts = house.now().plus(Duration::from_secs(2 * 86_400));
    // To the minute: the calendar says the same time again later.
    let starts = starts.as_millis() / 86_400_000 * 86_400_000;
    let at = |minutes: i64| {
        callboard_contracts::Timestamp::from_millis(starts + minutes * 60_000).to_string()
    };
    json!({
        "appointmentId": name, "waitlistId": WAITLIST, "revision": revision,
        "service": SERVICE, "startsAt": at(0), "endsAt": at(45),
    })
}

fn slot_of(appointment: &Value) -> Value {
    json!({
        "externalId": appointment["appointmentId"], "service": appointment["service"],
        "startsAt": appointment["startsAt"], "endsAt": appointment["endsAt"],
    })
}

fn booked(house: &House, name: &str, revision: u64, person: &str) -> Value {
    let mut data = appointment(house, name, revision);
    data.as_object_mut().expect("an object").remove("endsAt");
    data["patientId"] = json!(person);
    data["place"] = json!("12 Mill Lane");
    data
}

fn cancelled(house: &House, name: &str, revision: u64, person: &str) -> Value {
    let mut data = appointment(house, name, revision);
    data["patientId"] = json!(person);
    data["reason"] = json!(CANARY);
    data
}

impl House {
    async fn hear(&self, event: &str, data: Value) {
        let heard = self.say(event, &fresh("cal"), data).await;
        assert_eq!(heard.status, 202, "{}", heard.text());
    }

    /// The link of the newest offer to somebody who has had `count`.
    async fn offer_number(&self, count: usize, person: &Person) -> String {
        let patience = Duration::from_secs(3_600);
        self.until_within(patience, "another offer", async || {
            let mails = self.mails_to(&person.email).await;
            let links: Vec<_> = mails.iter().filter_map(link).collect();
            (links.len() == count).then(|| links.last().cloned())?
        })
        .await
    }

    async fn version_when(&self, slot: &str, state: &str, version: u32) {
        let what = format!("version {version} to be {state}");
        self.until(&what, async || {
            let view = self.slot(slot).await;
            (view["state"] == state && view["slotVersion"] == version).then_some(())
        })
        .await;
    }

    async fn aside(&self) -> Vec<Letter> {
        self.letters("CalendarImporterDeadLetterQueue").await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_goes_from_the_calendar_to_the_waitlist_and_back_and_the_calendar_hears_of_it() {
    let house = House::still().await;
    let subscriber = Subscriber::of(&house, "slot-filled").await;
    let kim = house.register("kim").await;
    house.register("noor").await;
    house.join(WAITLIST, &kim, "routine").await;

    // A day of the calendar; one slot of it is offered to Kim, who is alone on the list.
    let apt = appointment(&house, "apt-1", 1);
    let batch = json!({ "slots": [slot_of(&apt)] });
    let released = house.api.json("POST", BATCH, &batch).await.expect(201);
    let slot = released.json()["slots"][0]["slotId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let again = house.api.json("POST", BATCH, &batch).await.expect(200);
    assert_eq!(again.json()["slots"][0]["slotId"], slot.as_str());
    let link = house.offer_number(1, &kim).await;

    // Somebody is booked at the desk while the offer stands.
    house
        .hear("AppointmentBooked", booked(&house, "apt-1", 2, "noor"))
        .await;
    house.version_when(&slot, "booked", 1).await;
    let told = house
        .until("a kind mail", async || {
            let mails = house.mails_to(&kim.email).await;
            mails
                .into_iter()
                .find(|mail| mail.subject.contains("was taken"))
        })
        .await;
    assert!(told.text.contains("keep your place"), "{}", told.text);
    assert_eq!(house.press(&link, "accept").await.status, 409);

    // They cancel; the slot comes back, and Kim is asked again and takes it.
    house
        .hear(
            "AppointmentCancelled",
            cancelled(&house, "apt-1", 3, "noor"),
        )
        .await;
    let link = house.offer_number(2, &kim).await;
    house.press(&link, "accept").await.expect(200);
    house.version_when(&slot, "booked", 2).await;
    let filled = subscriber.next(&house).await;
    assert_eq!(filled.event_type, "callboard.waitlist.slot-filled.v1");
    assert_eq!(filled.data["slotId"], slot.as_str());
    assert_eq!(filled.data["slotVersion"], 2);
    assert_eq!(filled.data["recipientId"], "kim");

    // What is old is heard once more, and frees nothing (I1); the calendar tells of the booking
    // that it has just heard of.
    house
        .hear(
            "AppointmentCancelled",
            cancelled(&house, "apt-1", 3, "noor"),
        )
        .await;
    house
        .hear(
            "AppointmentCancelled",
            cancelled(&house, "apt-1", 2, "noor"),
        )
        .await;
    house
        .hear("AppointmentBooked", booked(&house, "apt-1", 4, "kim"))
        .await;
    house.at_rest().await;
    house.version_when(&slot, "booked", 2).await;
    assert!(house.aside().await.is_empty());

    // Kim gives it up at the desk, and the slot is free a third time, for nobody who waits.
    house
        .hear("AppointmentCancelled", cancelled(&house, "apt-1", 5, "kim"))
        .await;
    house.version_when(&slot, "opened-to-public", 3).await;
    house.at_rest().await;
    assert!(subscriber.is_empty().await);
    let journal = format!("{:?}", house.journal().await);
    assert!(!journal.contains(CANARY), "I12");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_comes_before_its_booking_is_the_last_word() {
    let house = House::still().await;
    house
        .hear(
            "AppointmentCancelled",
            cancelled(&house, "apt-1", 8, "noor"),
        )
        .await;
    house.at_rest().await;
    house
        .hear("AppointmentBooked", booked(&house, "apt-1", 7, "noor"))
        .await;
    house
        .hear("AppointmentBooked", booked(&house, "apt-2", 3, "noor"))
        .await;
    house.at_rest().await;
    house
        .hear(
            "AppointmentCancelled",
            cancelled(&house, "apt-2", 2, "noor"),
        )
        .await;
    house.at_rest().await;
    let count = house.events_by_type().await;
    assert_eq!(count["callboard.waitlist.slot-released.v1"], 1);
    assert_eq!(count.get("callboard.waitlist.slot-booked.v1"), None);
    assert!(house.aside().await.is_empty());
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_got_the_slot_through_the_waitlist_keeps_it_and_a_person_is_told_to_look() {
    let house = House::still().await;
    let kim = house.register("kim").await;
    house.join(WAITLIST, &kim, "routine").await;
    let published = appointment(&house, "apt-1", 1);
    house.hear("SlotPublished", published.clone()).await;
    let mut past = appointment(&house, "apt-2", 1);
    past["startsAt"] = json!("2020-01-01T10:00:00Z");
    house.hear("SlotPublished", past).await;
    let link = house.offer_number(1, &kim).await;
    house.press(&link, "accept").await.expect(200);
    house
        .hear("AppointmentBooked", booked(&house, "apt-1", 2, "noor"))
        .await;
    house.at_rest().await;
    let letters = house.aside().await;
    let mut reasons: Vec<_> = letters.iter().map(Letter::reason).collect();
    reasons.sort();
    assert!(reasons[0].starts_with("slot-taken: slot "), "{reasons:?}");
    assert!(
        reasons[1].starts_with("starts-in-past: slot "),
        "{reasons:?}"
    );
    assert_eq!(reasons.len(), 2);
    let count = house.events_by_type().await;
    assert_eq!(count["callboard.waitlist.slot-filled.v1"], 1);
    assert_eq!(count.get("callboard.waitlist.slot-booked.v1"), None);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_word_that_says_no_command_is_refused_where_it_comes_in() {
    let house = House::still().await;
    let mut data = booked(&house, "apt-1", 2, "noor");
    data.as_object_mut().expect("an object").remove("revision");
    let refused = house.say("AppointmentBooked", &fresh("cal"), data).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/data/revision");
    assert!(house.journal().await.is_empty());
    house.close().await;
}
