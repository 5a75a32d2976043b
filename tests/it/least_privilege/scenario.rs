//! Every way that leads to a call: the story, what fails in it, what people look up, what is
//! erased, and what Lambda does for a mapping.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_testkit::Fault;
use serde_json::json;

use super::comparison::Recording;
use crate::house::{House, SES, Setup, Site};
use crate::redelivery::story;
use crate::story::SERVICE;

/// How long an offer stands.
const WINDOW: Duration = Duration::from_secs(600);

/// Calls that are lost: more than the SDK makes of one, fewer than all tries of a message.
const LOST: usize = 12;

/// Appends that are lost: more than the journal and below it the SDK make of one (six times three),
/// also when three messages share the loss.
const APPENDS_LOST: usize = 60;

/// Longer than the relay's mapping keeps a record (`MaximumRecordAgeInSeconds`), with a margin.
const GIVEN_UP: Duration = Duration::from_secs(8 * 3_600);

/// Plays all of it; what was called.
pub async fn everything() -> Vec<Recording> {
    let house = House::still().await;
    story(&house).await;
    looked_up(&house).await;
    texted(&house).await;
    failures(&house).await;
    calendar(&house).await;
    poison(&house).await;
    forgotten(&house).await;
    sweep(&house).await;
    policy(&house).await;
    broadcast(&house).await;
    moved(&house).await;
    given_up(&house).await;
    let mut recordings = vec![recording(&house)];
    house.close().await;

    let parameters = BTreeMap::from([("MailTransport".to_owned(), SES.to_owned())]);
    let setup = Setup {
        parameters,
        ..Setup::default()
    };
    let house = Site::new(setup).await.open().await;
    let anna = house.register("anna").await;
    house.order(&anna.id).await.expect(202);
    house.at_rest().await;
    assert_eq!(house.events_of("delivery-succeeded").await, 1, "by SES");
    recordings.push(recording(&house));
    house.close().await;
    recordings
}

fn recording(house: &House) -> Recording {
    Recording {
        resources: house.host().resources().clone(),
        calls: house.ledger().calls(),
    }
}

/// How the slots of a waitlist are offered is decided.
async fn policy(house: &House) {
    let body = json!({ "windowSeconds": WINDOW.as_secs(), "mode": { "is": "sequential" } });
    let path = "/v1/waitlists/clinic/policy?service=dental";
    house.api.json("PUT", path, &body).await.expect(201);
}

/// A slot is told to all who wait for it.
async fn broadcast(house: &House) {
    let body = json!({ "windowSeconds": WINDOW.as_secs(), "mode": { "is": "broadcast" } });
    let path = "/v1/waitlists/salon/policy";
    house.api.json("PUT", path, &body).await.expect(201);
    let hugo = house.register("hugo").await;
    house.join("salon", &hugo, "routine").await;
    let released = house.release("salon", WINDOW).await;
    let link = house.offer_to(&hugo).await;
    house.press(&link, "accept").await.expect(200);
    house.slot_when(&released.slot, "booked").await;
}

/// A slot that was taken back is free again, at another time.
async fn moved(house: &House) {
    let slot = house.release("dock", WINDOW).await.slot;
    let path = format!("/v1/slots/{slot}");
    let withdrawn = house.api.send("DELETE", &path, &[], Vec::new()).await;
    withdrawn.expect(200);
    house.slot_when(&slot, "withdrawn").await;
    let starts = house.now().plus(Duration::from_secs(2 * 86_400));
    let body = json!({
        "slotId": slot, "afterVersion": 1, "service": "physio", "startsAt": starts,
        "endsAt": starts.plus(WINDOW), "offerWindowSeconds": WINDOW.as_secs(),
    });
    let path = "/v1/waitlists/dock/slots";
    house.api.json("POST", path, &body).await.expect(201);
    house.slot_when(&slot, "open").await;
    let calendar = "/v1/waitlists/dock/calendar.ics";
    house.api.get(calendar).await.expect(200);
}

/// Each view, a timeline, a notification; a link that is opened; a request that is repeated by
/// its key.
async fn looked_up(house: &House) {
    let eva = house.register("eva").await;
    let entry = house.join("clinic", &eva, "soon").await;
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let starts = house.now().plus(Duration::from_secs(86_400));
    let body = json!({
        "service": "physio", "startsAt": starts, "endsAt": starts.plus(WINDOW),
        "offerWindowSeconds": WINDOW.as_secs(),
    });
    let release = async || {
        let body = body.to_string().into_bytes();
        let path = "/v1/waitlists/clinic/slots";
        house.api.send("POST", path, &headers, body).await
    };
    let first = release().await.expect(201).json();
    assert_eq!(release().await.json(), first);
    let link = house.offer_to(&eva).await;
    house.api.get(&link).await.expect(200);
    house.press(&link, "accept").await.expect(200);
    let slot = first["slotId"].as_str().expect("an id");
    house.slot_when(slot, "booked").await;
    house.at_rest().await;

    let correlation = first["correlationId"].as_str().expect("an id");
    assert!(!house.timeline(correlation).await.is_empty());
    let commits = house.journal().await;
    let mut streams = commits.iter().map(|commit| &commit.stream);
    let notification = streams.find(|stream| stream.kind() == "notification");
    let notification = notification.expect("a notification").rest().to_owned();
    for path in [
        "/v1/waitlists/clinic".to_owned(),
        format!("/v1/waitlists/clinic/entries/{entry}"),
        format!("/v1/notifications/{notification}"),
    ] {
        house.api.get(&path).await.expect(200);
    }
}

/// An offer is accepted by a text message, and no more of them are wanted.
async fn texted(house: &House) {
    let remy = house.register("remy").await;
    house.join("clinic", &remy, "soon").await;
    let released = house.release("clinic", WINDOW).await;
    house.offer_to(&remy).await;
    let path = format!("/v1/recipients/{}/replies", remy.id);
    for (text, outcome) in [
        ("Yes!", "accepted"),
        ("STOP", "stopped"),
        ("yes", "accepted"),
    ] {
        let body = json!({ "text": text });
        // Until the view has heard of the offer there is none to be meant.
        let answer = house
            .until("an answer", async || {
                let answer = house.api.json("POST", &path, &body).await;
                (answer.status == 200).then_some(answer)
            })
            .await;
        assert_eq!(answer.json()["outcome"], outcome);
    }
    house.slot_when(&released.slot, "booked").await;
    let document = house.api.get("/v1/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
}

/// Each consumer fails at first, so that its message comes back after a wait of its choice.
async fn failures(house: &House) {
    let kim = house.register("kim").await;
    for (function, call, times) in [
        ("waitlist-cascade", "Query", LOST),
        ("waitlist-projector", "TransactWriteItems", LOST),
        ("deadline-clock", "SendMessage", LOST),
        ("notification-planner", "PutItem", APPENDS_LOST),
        ("email-sender", "PutItem", APPENDS_LOST),
    ] {
        let faults = house.faults(function);
        faults.times(call, times, &Fault::DropRequest);
    }
    house.order(&kim.id).await.expect(202);
    house.join("clinic", &kim, "routine").await;
    let released = house.release("clinic", WINDOW).await;
    let link = house.offer_to(&kim).await;
    house.press(&link, "decline").await.expect(200);
    house.slot_when(&released.slot, "opened-to-public").await;
    house.at_rest().await;
}

/// The practice's own calendar has a free appointment, for a list on which nobody waits; at first
/// it cannot be written down.
async fn calendar(house: &House) {
    let faults = house.faults("calendar-importer");
    faults.times("PutItem", APPENDS_LOST, &Fault::DropRequest);
    let starts = house.now().plus(Duration::from_secs(86_400));
    let ends = starts.plus(Duration::from_secs(1_800));
    let data = json!({
        "appointmentId": "apt-1", "waitlistId": "desk", "revision": 1, "service": SERVICE,
        "startsAt": starts, "endsAt": ends,
    });
    house.say("SlotPublished", "cal-1", data).await.expect(202);
    house.at_rest().await;
    assert_eq!(house.events_of("calendar-told").await, 1);
}

/// What cannot be read, in every queue and in the journal.
async fn poison(house: &House) {
    let sqs = aws_sdk_sqs::Client::new(&house.sdk);
    for (queue, url) in house.queues() {
        if queue.contains("DeadLetter") || queue.contains("Failure") {
            continue;
        }
        let mut send = sqs.send_message().queue_url(&url).message_body("{poison");
        if url.ends_with(".fifo") {
            send = send.message_group_id("p").message_deduplication_id("p");
        }
        send.send().await.expect("sent");
    }
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = aws_sdk_dynamodb::Client::new(&house.sdk)
        .put_item()
        .table_name(house.reference("JournalTable"))
        .item("pk", text("event#orders#poison"))
        .item("sk", AttributeValue::N("1".to_owned()))
        .item("relay", text("1"))
        .item("ev", text("[{"));
    put.send().await.expect("put");
    house.at_rest().await;
}

/// Somebody of whom a foreign event told personal fields is erased.
async fn forgotten(house: &House) {
    house.register("nora").await;
    let data = json!({
        "appointmentId": "apt-77", "patientId": "nora", "service": "physio",
        "startsAt": house.now().plus(Duration::from_secs(86_400)), "place": "12 Mill Lane",
        "bookedFor": "Ida",
    });
    house
        .say("AppointmentBooked", "evt-nora", data)
        .await
        .expect(202);
    house.at_rest().await;
    let path = "/v1/recipients/nora";
    house
        .api
        .send("DELETE", path, &[], Vec::new())
        .await
        .expect(200);
    house.at_rest().await;
}

/// A deadline whose message is lost is found in the journal.
async fn sweep(house: &House) {
    let lea = house.register("lea").await;
    house.join("clinic", &lea, "soon").await;
    house.at_rest().await;
    let clock = house.faults("deadline-clock");
    clock.times("SendMessage", LOST, &Fault::DropRequest);
    let released = house.release("clinic", WINDOW).await;
    house.offer_to(&lea).await;
    house.slot_when(&released.slot, "opened-to-public").await;
    clock.reset();
    house.at_rest().await;
}

/// A record that can be neither published nor parked for as long as the mapping tries.
async fn given_up(house: &House) {
    let relay = house.faults("outbox-relay");
    relay.unavailable_for(Some("PublishBatch"));
    let zoe = house.register("zoe").await;
    house.order(&zoe.id).await.expect(202);
    house
        .until_within(GIVEN_UP, "the mapping to give up", async || {
            let depths = house.depths().await;
            (depths["OutboxRelayFailureQueue"][0] > 0).then_some(())
        })
        .await;
    relay.reset();
}
