//! The API as a caller meets it: every route, good and bad input, on the embedded engine.

mod commands;
mod replies;

use std::time::Duration;

use callboard_contracts::link::OfferLink;
use callboard_contracts::{Cause, EntryId, OfferId, SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::Timing;
use callboard_domain::waitlist::cascade::{self, Asked};
use callboard_domain::waitlist::entry::Entry;
use callboard_domain::waitlist::slot::{self, Look, Slot};
use callboard_runtime::function::Service;
use callboard_runtime::settings::Vars;
use callboard_runtime::token::Keys;
use callboard_testkit::World;
use callboard_testkit::gateway::{Answer, Request};
use serde_json::{Value, json};

const KEYS: &str = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";
const OLD_KEY_ONLY: &str = "k0:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY";
/// Planted in contacts; must be found nowhere else (I12).
const CANARY: &str = "canary.bird@example.org";

struct Api {
    world: World,
    function: Service,
}

impl Api {
    async fn open() -> Self {
        Self::open_in("Europe/Berlin").await
    }

    /// For a clinic in `zone`.
    async fn open_in(zone: &str) -> Self {
        let world = World::open().await;
        let vars: Vars = [
            ("JOURNAL_TABLE", "journal"),
            ("CONTACTS_TABLE", "contacts"),
            ("VIEWS_TABLE", "views"),
            ("LINK_KEYS", KEYS),
            ("MAIL_FROM", "desk@clinic.example"),
            ("CLINIC_TIME_ZONE", zone),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let function = command_api::build(&vars, world.sdk())
            .await
            .expect("settings are complete");
        Self { world, function }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, path, self.world.now())
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path)
            .json(body)
            .send(&self.function)
            .await
    }

    async fn register(&self, id: &str) {
        let body = json!({"email": CANARY, "name": "Canary Bird"});
        let answer = self
            .request("PUT", &format!("/v1/recipients/{id}"))
            .json(&body)
            .send(&self.function)
            .await;
        assert!(
            answer.status == 201 || answer.status == 200,
            "{}",
            answer.text
        );
    }

    /// Everything that stands in the journal, as text.
    async fn journal_text(&self) -> String {
        let items = self
            .world
            .dynamodb()
            .scan()
            .table_name("journal")
            .send()
            .await
            .expect("a scan")
            .items;
        format!("{items:?}")
    }

    /// One entry that has been offered one slot, as the cascade would do it.
    async fn offered(&self, window: u64) -> OfferLink {
        self.register("usr-1").await;
        self.offered_to("e1", "s1", window).await
    }

    /// Another of `usr-1`.
    async fn offered_to(&self, entry: &str, slot: &str, window: u64) -> OfferLink {
        let joined = self
            .post(
                "/v1/waitlists/w1/entries",
                &json!({"entryId": entry, "recipientId": "usr-1", "service": "physio"}),
            )
            .await;
        assert_eq!(joined.status, 201, "{}", joined.text);
        let mut body = slot_body(self.world.now(), window);
        body["slotId"] = json!(slot);
        let released = self.post("/v1/waitlists/w1/slots", &body).await;
        assert_eq!(released.status, 201, "{}", released.text);
        let journal = self.world.journal();
        let (slot_id, entry_id) = (
            SlotId::parse(slot).expect("an id"),
            EntryId::parse(entry).expect("an id"),
        );
        let slot = journal
            .load::<Slot>(&StreamId::slot(&slot_id))
            .await
            .expect("a slot");
        let entry = journal
            .load::<Entry>(&StreamId::entry(&entry_id))
            .await
            .expect("an entry");
        let now = self.world.now();
        let asked = [Asked {
            entry: entry.state.clone(),
            score: None,
        }];
        let (look, timing) = (Look::default(), Timing::default());
        let mut offers =
            cascade::offer(&slot.state, &asked, None, &look, &timing, now).expect("an offer");
        let (_, for_entry) = offers.entries.remove(0);
        let cause = cause();
        let commits = vec![
            slot.next(&cause, now)
                .events(offers.slot)
                .build()
                .expect("a commit"),
            entry
                .next(&cause, now)
                .events(for_entry)
                .build()
                .expect("a commit"),
        ];
        journal
            .append_all(commits, Vec::new())
            .await
            .expect("appended");
        let offer = cascade::offer_id(slot.state.facts.as_ref().expect("facts"), &entry_id);
        OfferLink {
            slot: slot_id,
            version: 1,
            offer,
            entry: entry_id,
        }
    }

    async fn answer_offer(&self, token: &str, answer: &str) -> Answer {
        self.request("POST", &format!("/o/{token}"))
            .body(
                "application/x-www-form-urlencoded",
                &format!("answer={answer}"),
            )
            .send(&self.function)
            .await
    }
}

fn cause() -> Cause {
    Cause {
        causation_id: "t".into(),
        correlation_id: "c".into(),
        hash: "h".into(),
        traceparent: None,
    }
}

fn slot_body(now: Timestamp, window: u64) -> Value {
    json!({
        "slotId": "s1", "service": "physio", "offerWindowSeconds": window,
        "startsAt": now.plus(Duration::from_secs(86_400)), "endsAt": now.plus(Duration::from_secs(88_200)),
    })
}

fn token(link: &OfferLink, keys: &str, expires: Timestamp) -> String {
    Keys::parse(keys).expect("keys").sign(link, expires)
}

fn order() -> Value {
    json!({
        "eventType": "OrderPlaced", "eventId": "evt-001", "timestamp": "2024-01-15T10:30:00Z",
        "data": {"orderId": "ord-123", "userId": "usr-456", "items": ["book", "pen"], "totalAmount": 29.99},
    })
}

#[tokio::test]
async fn the_same_foreign_event_again_is_answered_as_before_and_another_payload_is_refused() {
    let api = Api::open().await;
    let first = api.post("/v1/events", &order()).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!(first.headers["callboard-commit"], "event#orders#evt-001@1");
    let again = api.post("/v1/events", &order()).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    let mut other = order();
    other["data"]["totalAmount"] = json!(30);
    let refused = api.post("/v1/events", &other).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (409, "event-id-reused")
    );
}

#[tokio::test]
async fn all_three_modes_of_cloudevents_mean_the_same_event() {
    let api = Api::open().await;
    let data = order()["data"].clone();
    let event = json!({
        "specversion": "1.0", "id": "e-7", "source": "shop", "type": "com.example.orders.order-placed.v1",
        "time": "2024-01-15T10:30:00Z", "data": data, "correlationid": "corr-7",
    });
    let structured = api
        .request("POST", "/v1/events")
        .body("application/cloudevents+json", &event.to_string());
    let structured = structured.send(&api.function).await;
    assert_eq!(structured.status, 202, "{}", structured.text);
    assert_eq!(structured.json()["correlationId"], "corr-7");
    let binary = api
        .request("POST", "/v1/events")
        .header("ce-specversion", "1.0")
        .header("ce-id", "e-7")
        .header("ce-source", "shop")
        .header("ce-type", "com.example.orders.order-placed.v1")
        .json(&data)
        .send(&api.function)
        .await;
    assert_eq!((binary.status, binary.json()), (200, structured.json()));
    let mut second = event.clone();
    second["id"] = json!("e-8");
    let batch = json!([event, second]);
    let batch = api
        .request("POST", "/v1/events")
        .body("application/cloudevents-batch+json", &batch.to_string());
    let batch = batch.send(&api.function).await;
    assert_eq!(batch.status, 202, "{}", batch.text);
    let statuses: Vec<_> = batch
        .json()
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["status"].clone())
        .collect();
    assert_eq!(statuses, [json!(200), json!(202)]);
}

#[tokio::test]
async fn a_bad_event_in_a_batch_does_not_hold_back_its_neighbours() {
    let api = Api::open().await;
    let good = json!({
        "specversion": "1.0", "id": "g", "source": "shop", "type": "OrderPlaced", "data": order()["data"],
    });
    let bad = json!({"specversion": "1.0", "id": "b", "source": "shop", "type": "OrderPlaced", "data": {"orderId": 7}});
    let body = json!([good, bad]).to_string();
    let answer = api
        .request("POST", "/v1/events")
        .body("application/cloudevents-batch+json", &body);
    let answer = answer.send(&api.function).await;
    assert_eq!(answer.status, 207);
    assert_eq!(answer.json()[0]["status"], 202);
    assert_eq!(answer.json()[1]["status"], 422);
    assert!(
        answer.json()[1]["errors"][0]["pointer"]
            .as_str()
            .expect("a pointer")
            .starts_with("/1/data")
    );
}

#[tokio::test]
async fn bad_input_gets_a_precise_answer() {
    let api = Api::open().await;
    let with = |pointer: &str, value: Value| {
        let mut body = order();
        *body.pointer_mut(pointer).expect("a member") = value;
        body.to_string()
    };
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let newer = with("/eventType", json!("com.example.orders.order-placed.v2"));
    let cases: Vec<(&str, String, u16, &str, &str)> = vec![
        (
            "malformed JSON",
            "{\"eventType\":".to_owned(),
            400,
            "malformed",
            "",
        ),
        (
            "wrong type",
            with("/eventId", json!(7)),
            422,
            "invalid",
            "/eventId",
        ),
        (
            "wrong type in data",
            with("/data/totalAmount", json!("much")),
            422,
            "invalid",
            "/data/totalAmount",
        ),
        (
            "unknown field in data",
            with(
                "/data",
                json!({"orderId": "o", "userId": "u", "items": ["x"], "totalAmount": 1, "extra": 1}),
            ),
            422,
            "invalid",
            "/data",
        ),
        (
            "unregistered type",
            with("/eventType", json!("Nobody")),
            422,
            "unregistered-type",
            "/eventType",
        ),
        ("newer version", newer, 422, "newer-version", "/eventType"),
        (
            "missing recipient",
            with(
                "/data",
                json!({"orderId": "o", "items": ["x"], "totalAmount": 1}),
            ),
            422,
            "invalid",
            "/data",
        ),
        (
            "300 KB",
            with("/data/orderId", json!("x".repeat(300 * 1024))),
            413,
            "too-large",
            "",
        ),
        ("deep nesting", deep, 400, "malformed", ""),
        (
            "a time without offset",
            with("/timestamp", json!("2024-01-15T10:30:00")),
            422,
            "invalid",
            "/timestamp",
        ),
        (
            "a key separator in the id",
            with("/eventId", json!("a#b")),
            422,
            "invalid",
            "/eventId",
        ),
    ];
    for (case, body, status, problem, pointer) in cases {
        let answer = api
            .request("POST", "/v1/events")
            .body("application/json", &body)
            .send(&api.function)
            .await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (status, problem),
            "{case}: {}",
            answer.text
        );
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{case}"
        );
        if !pointer.is_empty() {
            assert!(
                answer
                    .pointers()
                    .iter()
                    .any(|found| found.starts_with(pointer)),
                "{case}: {}",
                answer.text
            );
        }
    }
    // "\xff" in base64.
    let utf8 = api
        .request("POST", "/v1/events")
        .base64("application/json", "Iv8i")
        .send(&api.function)
        .await;
    assert_eq!((utf8.status, utf8.problem().as_str()), (400, "malformed"));
    let media = api
        .request("POST", "/v1/events")
        .body("text/xml", "<a/>")
        .send(&api.function)
        .await;
    assert_eq!(
        (media.status, media.problem().as_str()),
        (415, "unsupported-media-type")
    );
    assert_eq!(
        api.journal_text().await,
        "Some([])",
        "nothing of it was committed"
    );
}

#[tokio::test]
async fn a_bad_registration_names_each_member_and_never_its_value() {
    let api = Api::open().await;
    let body = json!({"email": "canary.bird at example", "name": "A\r\nBcc: b@example.org", "timeZone": "Mars/Olympus"});
    let answer = api
        .request("PUT", "/v1/recipients/usr-1")
        .json(&body)
        .send(&api.function)
        .await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.pointers(), ["/email", "/name", "/timeZone"]);
    assert!(!answer.text.contains("canary"));
    let id = api
        .request("PUT", "/v1/recipients/a%23b")
        .json(&json!({"email": CANARY}))
        .send(&api.function)
        .await;
    assert_eq!(id.status, 400, "{}", id.text);
}

#[tokio::test]
async fn an_event_too_large_for_a_message_is_refused_and_not_taken_to_be_lost_on_its_way() {
    let api = Api::open().await;
    let mut large = order();
    large["data"]["items"] = Value::from(vec!["é".repeat(200); 649]);
    assert!(
        large.to_string().len() < 256 * 1024,
        "the body itself is taken"
    );
    let answer = api.post("/v1/events", &large).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (413, "too-large"),
        "{}",
        answer.text
    );
    assert!(!api.journal_text().await.contains("evt-001"));
    large["data"]["items"] = Value::from(vec!["é".repeat(200); 640]);
    assert_eq!(api.post("/v1/events", &large).await.status, 202);
}

#[tokio::test]
async fn what_could_never_be_sent_or_never_be_matched_is_refused_at_registration() {
    let api = Api::open().await;
    let pointers = async |body: Value| {
        let answer = api
            .request("PUT", "/v1/recipients/usr-1")
            .json(&body)
            .send(&api.function)
            .await;
        (answer.status, answer.pointers())
    };
    for email in ["Anna <anna@example.org>", "\"an na\"@example.org"] {
        let refused = (422, vec!["/email".to_owned()]);
        assert_eq!(
            pointers(json!({ "email": email })).await,
            refused,
            "{email}"
        );
    }
    // Categories are lower case: an opt-out of `Orders` would keep nothing from anybody.
    let body = json!({ "email": CANARY, "optedOut": ["Orders"] });
    assert_eq!(pointers(body).await, (422, vec!["/optedOut".to_owned()]));
}

#[tokio::test]
async fn personal_data_stand_in_contacts_alone_and_are_gone_after_an_erasure() {
    let api = Api::open().await;
    api.register("usr-456").await;
    let event = json!({
        "eventType": "AppointmentBooked", "eventId": "apt-1", "timestamp": "2026-01-15T10:30:00Z",
        "data": {"appointmentId": "a", "patientId": "usr-456", "service": "physio", "place": "Mill Lane",
                 "startsAt": "2030-02-02T13:30:00Z", "note": "call canary.bird@example.org"},
    });
    assert_eq!(api.post("/v1/events", &event).await.status, 202);
    let contacts = async || {
        let items = api
            .world
            .dynamodb()
            .scan()
            .table_name("contacts")
            .send()
            .await
            .expect("a scan")
            .items;
        format!("{items:?}")
    };
    assert!(
        contacts().await.matches(CANARY).count() >= 2,
        "profile and note are kept"
    );
    assert!(
        !api.journal_text().await.contains("canary"),
        "the journal has ids only"
    );

    let erased = api
        .request("DELETE", "/v1/recipients/usr-456")
        .send(&api.function)
        .await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    assert!(!contacts().await.contains("canary"));
    let mut later = event.clone();
    later["eventId"] = json!("apt-2");
    assert_eq!(
        api.post("/v1/events", &later).await.status,
        202,
        "the fact is kept"
    );
    assert!(
        !contacts().await.contains("canary"),
        "the person is not brought back"
    );
    let back = api
        .request("PUT", "/v1/recipients/usr-456")
        .json(&json!({"email": CANARY}))
        .send(&api.function)
        .await;
    assert_eq!(
        (back.status, back.problem().as_str()),
        (422, "recipient-erased")
    );
}

#[tokio::test]
async fn an_idempotency_key_gives_the_first_answer_and_refuses_another_body() {
    let api = Api::open().await;
    api.register("usr-1").await;
    let join = |body: Value| {
        api.request("POST", "/v1/waitlists/w1/entries")
            .header("idempotency-key", "key-1")
            .json(&body)
    };
    let body = json!({"recipientId": "usr-1", "service": "physio"});
    let first = join(body.clone()).send(&api.function).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = join(body).send(&api.function).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(
        again.headers["callboard-commit"],
        first.headers["callboard-commit"]
    );
    let other = join(json!({"recipientId": "usr-1", "service": "dental"}))
        .send(&api.function)
        .await;
    assert_eq!(
        (other.status, other.problem().as_str()),
        (422, "idempotency-key-reused")
    );
}

#[tokio::test]
async fn joining_needs_a_registered_person_and_joining_twice_is_once() {
    let api = Api::open().await;
    let body = json!({"entryId": "e1", "recipientId": "usr-9", "service": "physio"});
    let unknown = api.post("/v1/waitlists/w1/entries", &body).await;
    assert_eq!(
        (unknown.status, unknown.problem().as_str()),
        (422, "recipient-not-found")
    );
    assert_eq!(unknown.pointers(), ["/recipientId"]);
    api.register("usr-9").await;
    assert_eq!(
        api.post("/v1/waitlists/w1/entries", &body).await.status,
        201
    );
    let again = api.post("/v1/waitlists/w1/entries", &body).await;
    assert_eq!(
        (again.status, again.headers["callboard-commit"].as_str()),
        (200, "entry#e1@1")
    );
    let mut other = body.clone();
    other["service"] = json!("dental");
    let other = api.post("/v1/waitlists/w1/entries", &other).await;
    assert_eq!(
        (other.status, other.problem().as_str()),
        (409, "entry-exists")
    );
}

#[tokio::test]
async fn a_release_is_checked_and_its_repetition_is_once() {
    let api = Api::open().await;
    let now = api.world.now();
    let mut past = slot_body(now, 60);
    past["startsAt"] = json!("2020-01-01T00:00:00Z");
    let answer = api.post("/v1/waitlists/w1/slots", &past).await;
    assert_eq!(
        (answer.status, answer.pointers()),
        (422, vec!["/startsAt".to_owned()])
    );
    let body = slot_body(now, 60);
    let first = api.post("/v1/waitlists/w1/slots", &body).await;
    assert_eq!(
        (first.status, &first.json()["slotVersion"]),
        (201, &json!(1))
    );
    let again = api.post("/v1/waitlists/w1/slots", &body).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    let other = api
        .post("/v1/waitlists/w1/slots", &slot_body(now, 61))
        .await;
    assert_eq!(
        (other.status, other.problem().as_str()),
        (409, "already-released")
    );
}

#[tokio::test]
async fn a_link_shows_the_offer_by_get_and_takes_the_answer_by_post_alone() {
    let api = Api::open().await;
    let link = api.offered(600).await;
    let token = token(&link, KEYS, api.world.now().plus(Duration::from_secs(600)));
    let path = format!("/o/{token}");
    for _ in 0..3 {
        let shown = api.request("GET", &path).send(&api.function).await;
        assert_eq!(
            (shown.status, &shown.json()["state"]),
            (200, &json!("open")),
            "a scanner's GET changes nothing"
        );
    }
    let page = api
        .request("GET", &path)
        .header("accept", "text/html")
        .send(&api.function)
        .await;
    assert!(
        page.text.contains("<form method=\"post\">")
            && page.headers["content-type"].starts_with("text/html")
    );
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex, nofollow"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.headers[name], value, "{name}");
    }
    let policy = &page.headers["content-security-policy"];
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let head = api.request("HEAD", &path).send(&api.function).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));

    let accepted = api.answer_offer(&token, "accept").await;
    assert_eq!(
        (accepted.status, &accepted.json()["state"]),
        (200, &json!("accepted")),
        "{}",
        accepted.text
    );
    let again = api.answer_offer(&token, "accept").await;
    assert_eq!(
        (again.status, &again.json()["state"]),
        (200, &json!("accepted")),
        "an honest repetition"
    );
    let declined = api.answer_offer(&token, "decline").await;
    assert_eq!(
        (declined.status, declined.problem().as_str()),
        (409, "already-answered")
    );
    let nonsense = api.answer_offer(&token, "perhaps").await;
    assert_eq!(
        (nonsense.status, nonsense.pointers()),
        (422, vec!["/answer".to_owned()])
    );
}

#[tokio::test]
async fn a_browser_is_led_from_its_answer_to_a_page_that_can_be_reloaded() {
    let api = Api::open().await;
    let link = api.offered(600).await;
    let token = token(&link, KEYS, api.world.now().plus(Duration::from_secs(600)));
    let path = format!("/o/{token}");
    let press = async |answer: &str| {
        api.request("POST", &path)
            .header("accept", "text/html,application/xhtml+xml")
            .body(
                "application/x-www-form-urlencoded",
                &format!("answer={answer}"),
            )
            .send(&api.function)
            .await
    };
    let accepted = press("accept").await;
    assert_eq!(accepted.status, 303, "{}", accepted.text);
    assert_eq!(accepted.headers["location"], format!("./{token}"));
    assert_eq!(accepted.headers["cache-control"], "no-store");
    assert!(accepted.headers.contains_key("callboard-commit"));

    let again = press("accept").await;
    assert_eq!(again.status, 200);
    assert!(
        again.text.contains("You have given this answer already")
            && again.text.contains("The appointment is yours"),
        "{}",
        again.text
    );
    let changed = press("decline").await;
    assert_eq!(changed.status, 409);
    assert!(
        changed.text.contains("that answer stands")
            && changed.text.contains("The appointment is yours"),
        "{}",
        changed.text
    );
    let nonsense = press("perhaps").await;
    assert_eq!(nonsense.status, 422);
    assert!(nonsense.text.contains("<h1>That did not work</h1>"));
}

#[tokio::test]
async fn an_accepted_appointment_can_be_taken_into_a_calendar_and_no_other() {
    let api = Api::open().await;
    let link = api.offered(600).await;
    let token = token(&link, KEYS, api.world.now().plus(Duration::from_secs(600)));
    let path = format!("/o/{token}/calendar.ics");
    let early = api.request("GET", &path).send(&api.function).await;
    assert_eq!(
        (early.status, early.problem().as_str()),
        (409, "not-booked")
    );
    api.answer_offer(&token, "accept").await;
    let calendar = api.request("GET", &path).send(&api.function).await;
    assert_eq!(calendar.status, 200, "{}", calendar.text);
    assert_eq!(
        calendar.headers["content-type"],
        "text/calendar; charset=utf-8; method=PUBLISH"
    );
    assert_eq!(calendar.headers["cache-control"], "no-store");
    for line in [
        "METHOD:PUBLISH",
        "UID:s1-1@clinic.example",
        "SUMMARY:physio",
        "ORGANIZER:mailto:desk@clinic.example",
    ] {
        assert!(
            calendar.text.contains(&format!("{line}\r\n")),
            "{line}: {}",
            calendar.text
        );
    }
    assert!(!calendar.text.contains(&token), "the link is a secret");
}

#[tokio::test]
async fn a_withdrawn_slot_is_told_as_such_and_not_as_open() {
    let api = Api::open().await;
    let link = api.offered(600).await;
    let token = token(&link, KEYS, api.world.now().plus(Duration::from_secs(600)));
    let journal = api.world.journal();
    let slot = journal
        .load::<Slot>(&StreamId::slot(&link.slot))
        .await
        .expect("a slot");
    let events = slot::withdraw(&slot.state).expect("withdrawn");
    let commit = slot
        .next(&cause(), api.world.now())
        .events(events)
        .build()
        .expect("a commit");
    journal
        .append_all(vec![commit], Vec::new())
        .await
        .expect("appended");
    let shown = api
        .request("GET", &format!("/o/{token}"))
        .send(&api.function)
        .await;
    assert_eq!(shown.json()["state"], "withdrawn");
    let late = api.answer_offer(&token, "accept").await;
    assert_eq!(
        (late.status, late.problem().as_str()),
        (409, "slot-withdrawn")
    );
}

#[tokio::test]
async fn i3_an_answer_is_judged_by_when_the_gateway_received_it() {
    let api = Api::open().await;
    let link = api.offered(60).await;
    let expires = api.world.now().plus(Duration::from_secs(60));
    let path = format!("/o/{}", token(&link, KEYS, expires));
    let form = |at: Timestamp| {
        Request::new("POST", &path, at).body("application/x-www-form-urlencoded", "answer=accept")
    };
    let late = form(expires.plus(Duration::from_secs(1)))
        .send(&api.function)
        .await;
    assert_eq!(
        (late.status, late.problem().as_str()),
        (409, "offer-expired"),
        "{}",
        late.text
    );
    let in_time = form(api.world.now()).send(&api.function).await;
    assert_eq!(in_time.status, 200, "{}", in_time.text);
}

#[tokio::test]
async fn a_forged_link_is_unknown_and_a_slot_that_never_was_is_not_found() {
    let api = Api::open().await;
    let link = api.offered(600).await;
    let expires = api.world.now().plus(Duration::from_secs(600));
    let forged = token(&link, OLD_KEY_ONLY, expires);
    let genuine = token(&link, KEYS, expires);
    let cut = &genuine[..genuine.len() - 3];
    for bad in [forged.as_str(), cut, "x", "a.b.c"] {
        let answer = api
            .request("GET", &format!("/o/{bad}"))
            .send(&api.function)
            .await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (404, "unknown-link"),
            "{bad}"
        );
        assert!(
            !answer.text.contains(bad) || bad.len() < 3,
            "the token is not given back"
        );
    }
    let nowhere = OfferLink {
        slot: SlotId::parse("nowhere").expect("an id"),
        offer: OfferId::parse("o").expect("an id"),
        ..link
    };
    let answer = api
        .request("GET", &format!("/o/{}", token(&nowhere, KEYS, expires)))
        .send(&api.function)
        .await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (404, "slot-not-found")
    );
}

#[tokio::test]
async fn two_hundred_accepts_at_once_fill_the_slot_once() {
    let api = Api::open().await;
    let link = api.offered(600).await;
    let token = token(&link, KEYS, api.world.now().plus(Duration::from_secs(600)));
    let answers =
        futures::future::join_all((0..200).map(|_| api.answer_offer(&token, "accept"))).await;
    for answer in &answers {
        // Each is told the same: the slot is theirs. A 409 would be a lost race it could not resolve.
        assert_eq!(
            (answer.status, &answer.json()["state"]),
            (200, &json!("accepted")),
            "{}",
            answer.text
        );
    }
    let commits = api
        .world
        .journal()
        .read(&StreamId::slot(&link.slot), 1)
        .await
        .expect("commits");
    let filled = commits
        .iter()
        .flat_map(|commit| &commit.events)
        .filter(|event| event.event_type.contains("slot-filled"));
    assert_eq!(filled.count(), 1);
}

#[tokio::test]
async fn an_unknown_route_and_a_wrong_method_are_problems_too() {
    let api = Api::open().await;
    let route = api.post("/v1/nothing", &json!({})).await;
    assert_eq!((route.status, route.problem().as_str()), (404, "not-found"));
    let method = api.request("PATCH", "/v1/events").send(&api.function).await;
    assert_eq!(
        (method.status, method.problem().as_str()),
        (405, "method-not-allowed")
    );
}

#[tokio::test]
async fn every_sample_is_answered_as_documented() {
    let api = Api::open().await;
    let documented = callboard_testkit::documented("command-api");
    assert!(!documented.is_empty());
    for (case, expected) in documented {
        let event = callboard_testkit::sample("command-api", &case);
        let answer = callboard_testkit::gateway::answer_of(&api.function, event).await;
        let actual = json!({ "statusCode": answer.status, "body": answer.json() });
        assert!(
            callboard_testkit::holds(&expected, &actual),
            "{case}: {actual}"
        );
    }
}
