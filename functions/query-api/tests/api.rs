//! The API as a reader meets it, on the embedded engine.

use std::time::Duration;

use callboard_contracts::link::{CalendarLink, OfferLink};
use callboard_contracts::view::{calendar_key, calendar_sort_key};
use callboard_contracts::waitlist::{EntryJoined, Policy};
use callboard_contracts::{Cause, EntryId, OfferId, RecipientId, SlotId, StreamId, WaitlistId};
use callboard_domain::waitlist::entry::Entry;
use callboard_domain::waitlist::policy::{self, Policies, SetPolicy};
use callboard_engine::Clock;
use callboard_runtime::function::Service;
use callboard_runtime::journal::Loaded;
use callboard_runtime::settings::Vars;
use callboard_runtime::table::{Table, integer, key, string};
use callboard_runtime::token::Keys;
use callboard_testkit::World;
use callboard_testkit::gateway::{Answer, Request, answer_of};
use serde_json::{Value, json};

const KEYS: &str = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

/// The same without the key above.
const OTHER_KEYS: &str = "k2:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY";

struct Api {
    world: World,
    function: Service,
}

impl Api {
    async fn open(timelines: bool) -> Self {
        Self::with_keys(timelines, KEYS).await
    }

    async fn with_keys(timelines: bool, keys: &str) -> Self {
        let world = World::with(Clock::real(), timelines).await;
        let vars: Vars = [
            ("JOURNAL_TABLE", "journal"),
            ("VIEWS_TABLE", "views"),
            ("PUBLIC_URL", "https://board.example/"),
            ("LINK_KEYS", keys),
            ("TIMELINE_INDEX", if timelines { "true" } else { "false" }),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let function = query_api::build(&vars, world.sdk())
            .await
            .expect("settings are complete");
        Self { world, function }
    }

    async fn get(&self, path: &str) -> Answer {
        Request::new("GET", path, self.world.now())
            .send(&self.function)
            .await
    }

    async fn put_view(&self, stream: &str, applied: u64) {
        let table = Table::new(self.world.sdk(), "views");
        let mut item = key(stream, "view");
        item.insert(
            "doc".to_owned(),
            string(
                r#"{"entryId":"e1","waitlistId":"w1","recipientId":"usr-1","state":"waiting",
                "service":"physio","urgency":"soon","joinedAt":"2026-01-15T10:00:00.000Z","skips":0}"#,
            ),
        );
        item.insert("applied".to_owned(), integer(applied));
        item.insert("as_of".to_owned(), integer(1_768_473_000_000_i64));
        table
            .write_all(vec![table.put(item, None)])
            .await
            .expect("written");
    }
}

#[tokio::test]
async fn a_view_says_how_fresh_it_is_and_belongs_to_its_waitlist() {
    let api = Api::open(false).await;
    api.put_view("entry#e1", 3).await;
    let found = api.get("/v1/waitlists/w1/entries/e1").await;
    assert_eq!(found.status, 200, "{}", found.text);
    assert_eq!(found.json()["asOf"], "2026-01-15T10:30:00.000Z");
    assert_eq!(found.json()["applied"], 3);
    assert_eq!(api.get("/v1/waitlists/w2/entries/e1").await.status, 404);
}

#[tokio::test]
async fn at_least_waits_for_the_commit_and_gives_up_with_retry_after() {
    let api = Api::open(false).await;
    api.put_view("entry#e1", 3).await;
    let path = "/v1/waitlists/w1/entries/e1?at-least=entry%23e1@4";
    let later = async {
        tokio::task::yield_now().await;
        api.put_view("entry#e1", 4).await;
    };
    let (answer, ()) = tokio::join!(api.get(path), later);
    assert_eq!(
        (answer.status, &answer.json()["applied"]),
        (200, &Value::from(4)),
        "{}",
        answer.text
    );
    tokio::time::pause();
    let never = api
        .get("/v1/waitlists/w1/entries/e1?at-least=entry%23e1@9")
        .await;
    assert_eq!((never.status, never.problem().as_str()), (503, "not-yet"));
    assert_eq!(never.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_timeline_lists_what_followed_from_one_cause() {
    let api = Api::open(true).await;
    let cause = Cause {
        causation_id: "request-1".to_owned(),
        correlation_id: "corr-1".to_owned(),
        hash: "h".to_owned(),
        traceparent: None,
    };
    for entry in ["e1", "e2"] {
        let entry_id = EntryId::parse(entry).expect("an id");
        let joined = EntryJoined {
            waitlist_id: WaitlistId::parse("w1").expect("an id"),
            entry_id: entry_id.clone(),
            recipient_id: RecipientId::parse("usr-1").expect("an id"),
            service: "physio".to_owned(),
            urgency: callboard_contracts::waitlist::Urgency::Soon,
            preferences: callboard_contracts::waitlist::Preferences::default(),
            auto_accept: false,
            proxy_id: None,
        };
        let commit = Loaded::<Entry>::fresh(StreamId::entry(&entry_id))
            .next(&cause, api.world.now())
            .event(joined);
        api.world
            .journal()
            .append(commit.build().expect("a commit"))
            .await
            .expect("appended");
    }
    let timeline = callboard_testkit::eventually(
        Duration::from_secs(5),
        "both commits are indexed",
        async || {
            let answer = api.get("/v1/timelines/corr-1").await;
            (answer.json()["events"].as_array().map(Vec::len) == Some(2)).then_some(answer)
        },
    )
    .await;
    assert_eq!(timeline.json()["events"][0]["causationId"], "request-1");
    assert_eq!(timeline.json()["complete"], true);
    assert_eq!(api.get("/v1/timelines/corr-2").await.status, 404);
    let without = Api::open(false).await.get("/v1/timelines/corr-1").await;
    assert_eq!(
        (without.status, without.problem().as_str()),
        (501, "no-timeline-index")
    );
}

#[tokio::test]
async fn a_malformed_query_or_path_and_a_wrong_method_are_problems_too() {
    let api = Api::open(false).await;
    for path in ["/v1/waitlists/w1?limit=many", "/v1/slots/%ff"] {
        let answer = api.get(path).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "malformed"),
            "{path}: {}",
            answer.text
        );
    }
    let answer = Request::new("DELETE", "/v1/slots/s1", api.world.now())
        .send(&api.function)
        .await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (405, "method-not-allowed")
    );
}

#[tokio::test]
async fn every_sample_is_answered_as_documented() {
    let api = Api::open(true).await;
    let documented = callboard_testkit::documented("query-api");
    assert!(!documented.is_empty());
    for (case, expected) in documented {
        let event = callboard_testkit::sample("query-api", &case);
        let answer = answer_of(&api.function, event).await;
        let actual = json!({ "statusCode": answer.status, "body": answer.json() });
        assert!(
            callboard_testkit::holds(&expected, &actual),
            "{case}: {actual}"
        );
    }
}

#[tokio::test]
async fn a_policy_is_that_of_the_service_or_the_waitlist_or_the_standard_one() {
    let api = Api::open(false).await;
    let standard = api.get("/v1/waitlists/w1/policy").await;
    assert_eq!(standard.status, 200, "{}", standard.text);
    assert_eq!(standard.json()["policyVersion"], 0);
    assert_eq!(
        standard.json()["policy"],
        serde_json::to_value(policy::standard()).expect("JSON")
    );
    let waitlist_id = WaitlistId::parse("w1").expect("an id");
    for (service, window_seconds) in [(None, 600), (Some("dental"), 60)] {
        let stream = StreamId::waitlist(&waitlist_id);
        let policies = api.world.journal().load::<Policies>(&stream).await;
        let policies = policies.expect("the stream");
        let command = SetPolicy {
            waitlist_id: waitlist_id.clone(),
            service: service.map(str::to_owned),
            policy: Policy {
                window_seconds,
                ..policy::standard()
            },
            after_version: None,
        };
        let events = policy::set(&policies.state, &command).expect("a policy");
        let next = policies.next(&callboard_testkit::cause(), api.world.now());
        let commit = next.events(events).build().expect("a commit");
        let appended = api.world.journal().append(commit).await;
        appended.expect("appended");
    }
    for (query, version, window_seconds) in [
        ("", 1, 600),
        ("?service=physio", 1, 600),
        ("?service=dental", 2, 60),
    ] {
        let found = api.get(&format!("/v1/waitlists/w1/policy{query}")).await;
        let found = found.json();
        assert_eq!(found["policyVersion"], version, "{query}");
        assert_eq!(found["policy"]["windowSeconds"], window_seconds, "{query}");
        assert_eq!(found["latestVersion"], 2);
    }
    let typo = api.get("/v1/waitlists/w1/policy?sevice=dental").await;
    assert_eq!((typo.status, typo.problem().as_str()), (400, "malformed"));
}

/// A slot of `w1` as the projector writes it, `hours` from now.
async fn put_slot(api: &Api, id: &str, hours: i64, state: &str) {
    let at = |hours: i64| {
        let millis = api.world.now().as_millis() + hours * 3_600_000;
        callboard_contracts::Timestamp::from_millis(millis)
    };
    let slot = SlotId::parse(id).expect("an id");
    let waitlist = WaitlistId::parse("w1").expect("an id");
    let doc = json!({
        "slotId": slot, "waitlistId": waitlist, "state": state, "slotVersion": 2,
        "service": "physio, knee", "startsAt": at(hours), "endsAt": at(hours + 1),
        "location": "north", "provider": "dr-a", "zone": "Europe/Zurich",
        "entryId": "entry-of-somebody", "offers": 1,
    });
    let sort_key = calendar_sort_key(at(hours), &slot);
    let mut item = key(&calendar_key(&waitlist), &sort_key);
    item.insert("doc".to_owned(), string(doc.to_string()));
    item.insert("applied".to_owned(), integer(7));
    item.insert("as_of".to_owned(), integer(api.world.now().as_millis()));
    let table = Table::new(api.world.sdk(), "views");
    table
        .write_all(vec![table.put(item, None)])
        .await
        .expect("written");
}

#[tokio::test]
async fn a_waitlists_slots_are_a_calendar_that_names_nobody() {
    let api = Api::open(false).await;
    for (id, hours, state) in [
        ("too-old", -24 * 32, "booked"),
        ("gone", -2, "withdrawn"),
        ("free", 24, "open"),
        ("taken", 48, "booked"),
        ("too-far", 24 * 184, "open"),
    ] {
        put_slot(&api, id, hours, state).await;
    }
    let answer = api.get("/v1/waitlists/w1/calendar.ics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.headers["content-type"],
        "text/calendar; charset=utf-8"
    );
    let text = answer.text.replace("\r\n ", "");
    let slots: Vec<_> = text
        .split("BEGIN:VEVENT\r\n")
        .skip(1)
        .map(|event| {
            let of = |name: &str| {
                let mut lines = event.split("\r\n");
                lines
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap_or("-")
            };
            (of("UID:"), of("SUMMARY:"), of("STATUS:"), of("SEQUENCE:"))
        })
        .collect();
    assert_eq!(
        slots,
        [
            (
                "gone.w1@callboard",
                "Withdrawn: physio\\, knee",
                "CANCELLED",
                "7"
            ),
            (
                "free.w1@callboard",
                "Free: physio\\, knee",
                "TENTATIVE",
                "7"
            ),
            (
                "taken.w1@callboard",
                "Booked: physio\\, knee",
                "CONFIRMED",
                "7"
            ),
        ]
    );
    assert!(text.contains("LOCATION:north") && text.contains("With dr-a."));
    assert!(!text.contains("somebody"), "{text}");
    assert!(
        !text.contains("no more"),
        "nothing is left out of the window"
    );
    let empty = api.get("/v1/waitlists/w2/calendar.ics").await;
    assert_eq!((empty.status, empty.text.contains("VEVENT")), (200, false));
}

#[tokio::test]
async fn a_calendar_is_sent_again_only_if_it_has_changed() {
    let api = Api::open(false).await;
    put_slot(&api, "free", 24, "open").await;
    let path = "/v1/waitlists/w1/calendar.ics";
    let tag = api.get(path).await.headers["etag"].clone();
    let again = async |known: &str| {
        Request::new("GET", path, api.world.now())
            .header("if-none-match", known)
            .send(&api.function)
            .await
    };
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let answer = again(&known).await;
        let seen = (answer.status, answer.text.as_str());
        assert_eq!((seen, &answer.headers["etag"]), ((304, ""), &tag));
    }
    assert_eq!(again("\"other\"").await.status, 200);
    put_slot(&api, "free", 24, "booked").await;
    let changed = again(&tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.headers["etag"], tag);
}

#[tokio::test]
async fn a_calendar_says_that_it_has_room_for_no_more() {
    let api = Api::open(false).await;
    for number in 0..=2_000 {
        put_slot(&api, &format!("s-{number:04}"), 1, "open").await;
    }
    let answer = api.get("/v1/waitlists/w1/calendar.ics").await;
    assert_eq!(answer.text.matches("BEGIN:VEVENT").count(), 2_000);
    let text = answer.text.replace("\r\n ", "");
    assert!(text.contains("there is room for no more"));
}

#[tokio::test]
async fn a_link_opens_one_calendar_until_it_expires_or_its_key_is_gone() {
    let api = Api::open(false).await;
    put_slot(&api, "free", 24, "open").await;
    let link = api.get("/v1/waitlists/w1/calendar-link").await;
    assert_eq!(link.status, 200, "{}", link.text);
    let link = link.json();
    let url = link["url"].as_str().expect("a link");
    let path = url
        .strip_prefix("https://board.example")
        .expect("the public URL");
    assert!(
        path.starts_with("/c/k1.") && path.ends_with(".ics"),
        "{path}"
    );
    let shown = api.get(path).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(shown.text.contains("UID:free.w1@callboard"));

    let keys = Keys::parse(KEYS).expect("keys");
    let later = api.world.now().plus(Duration::from_secs(60));
    let waitlist = WaitlistId::parse("w1").expect("an id");
    let expired = keys.sign(&CalendarLink { waitlist }, api.world.now());
    let of_offer = OfferLink {
        slot: SlotId::parse("w1").expect("an id"),
        version: 1,
        offer: OfferId::parse("w1").expect("an id"),
        entry: EntryId::parse("w1").expect("an id"),
    };
    let of_offer = keys.sign(&of_offer, later);
    let forged = path.replacen("/c/k1.", "/c/k1.e", 1);
    for bad in [
        forged,
        format!("/c/{expired}.ics"),
        format!("/c/{of_offer}"),
    ] {
        let refused = api.get(&bad).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (404, "unknown-link")
        );
    }
    let rotated = Api::with_keys(false, OTHER_KEYS).await;
    assert_eq!(rotated.get(path).await.status, 404);
}
