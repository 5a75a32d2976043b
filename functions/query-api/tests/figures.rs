//! The figures as a reader meets them, on the embedded engine and virtual time.

use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::figures::{
    Figure, Overridden, OverrideTally, SlotTally, Waited, Waiting, figures_key, utc_day,
    waiting_key,
};
use callboard_contracts::waitlist::{OverrideReason, Urgency};
use callboard_runtime::function::Service;
use callboard_runtime::settings::Vars;
use callboard_runtime::table::{Table, Write, key, string};
use callboard_testkit::World;
use callboard_testkit::gateway::{Answer, Request};
use serde_json::{Value, json};

/// The day on which everybody asks.
const TODAY: &str = "2026-03-31T12:00:00Z";

const PATH: &str = "/v1/waitlists/w1/figures";

struct Api {
    world: World,
    function: Service,
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

impl Api {
    async fn open() -> Self {
        let world = World::starting_at(time(TODAY)).await;
        let vars: Vars = [
            ("JOURNAL_TABLE", "journal"),
            ("VIEWS_TABLE", "views"),
            ("PUBLIC_URL", "https://board.example"),
            (
                "LINK_KEYS",
                "k1:bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleS0",
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let function = query_api::build(&vars, world.sdk()).await;
        Self {
            function: function.expect("settings are complete"),
            world,
        }
    }

    async fn get(&self, query: &str) -> Answer {
        Request::new("GET", &format!("{PATH}{query}"), self.world.now())
            .send(&self.function)
            .await
    }

    async fn figures(&self, query: &str) -> Value {
        let answer = self.get(query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Writes contributions as the projector does, under keys of their own.
    async fn put(&self, figures: impl IntoIterator<Item = Figure>) {
        let table = Table::new(self.world.sdk(), "views");
        let item = |(number, figure): (usize, Figure)| -> Write {
            let pk = match &figure {
                Figure::Slot(tally) => figures_key(&id("w1"), &utc_day(tally.released_at)),
                Figure::Waited(waited) => figures_key(&id("w1"), &utc_day(waited.ended_at)),
                Figure::Override(it) => figures_key(&id("w1"), &utc_day(it.tally.at)),
                Figure::Waiting(_) => waiting_key(&id("w1")),
            };
            let mut item = key(&pk, &format!("{number:06}"));
            let doc = serde_json::to_string(&figure).expect("JSON");
            item.insert("doc".to_owned(), string(doc));
            table.put(item, None)
        };
        let writes: Vec<Write> = figures.into_iter().enumerate().map(item).collect();
        for some in writes.chunks(100) {
            table.write_all(some.to_vec()).await.expect("written");
        }
    }
}

fn slot(released_at: &str, service: &str, counts: Value) -> Figure {
    let mut tally = json!({
        "waitlistId": "w1", "service": service, "version": 1, "releasedAt": released_at,
        "released": 1,
    });
    let members = tally.as_object_mut().expect("an object");
    members.extend(counts.as_object().expect("an object").clone());
    let tally: SlotTally = serde_json::from_value(tally).expect("a tally");
    Figure::Slot(tally)
}

/// Somebody who waited for `hours` until the noon of the 20th.
fn booked(service: &str, urgency: Urgency, hours: u64) -> Figure {
    let ended_at = time("2026-03-20T12:00:00Z");
    Figure::Waited(Waited {
        service: service.to_owned(),
        urgency,
        joined_at: ended_at.minus(Duration::from_secs(3_600 * hours)),
        ended_at,
        booked: true,
        front: false,
    })
}

fn waiting(hours: u64, paused: bool) -> Figure {
    Figure::Waiting(Waiting {
        service: "physio".to_owned(),
        urgency: Urgency::Soon,
        joined_at: time(TODAY).minus(Duration::from_secs(3_600 * hours)),
        paused,
    })
}

fn overridden(at: &str, reason: OverrideReason) -> Figure {
    Figure::Override(Overridden {
        service: "physio".to_owned(),
        tally: OverrideTally {
            at: time(at),
            reason,
            count: 1,
        },
    })
}

#[tokio::test(start_paused = true)]
async fn of_a_waitlist_that_nothing_happened_on_nothing_is_said() {
    let api = Api::open().await;
    let none = api.figures("").await;
    assert_eq!(
        (&none["from"], &none["to"], &none["complete"]),
        (&json!("2026-03-02"), &json!("2026-03-31"), &json!(true))
    );
    assert_eq!(none["slots"]["released"], 0);
    assert_eq!(none["timeToFillSeconds"], json!({ "count": 0 }));
    assert_eq!(none["overrides"], json!({ "count": 0, "byReason": {} }));
    for unknown in ["fillRate", "offersPerFill", "acceptance", "asOf"] {
        assert!(none.get(unknown).is_none(), "{unknown}: {none}");
    }
}

#[tokio::test(start_paused = true)]
async fn slots_and_offers_come_to_what_a_pencil_says() {
    let api = Api::open().await;
    let day = "2026-03-20T08:00:00Z";
    let filled = |offers, declined, expired, ms| {
        json!({ "filled": 1, "offers": offers, "declined": declined, "expired": expired,
            "msToFill": ms })
    };
    api.put([
        slot(day, "physio", filled(1, 0, 0, 60_000)),
        slot(day, "physio", filled(3, 1, 1, 180_000)),
        slot(
            day,
            "physio",
            json!({ "filled": 1, "automatic": 1, "offers": 1, "msToFill": 0 }),
        ),
        slot(
            day,
            "physio",
            json!({ "filled": 1, "broadcasts": 1, "byBroadcast": 1, "msToFill": 600_000 }),
        ),
        slot(
            day,
            "physio",
            json!({ "openedToPublic": 1, "offers": 2, "expired": 2 }),
        ),
        slot(
            day,
            "physio",
            json!({ "unfilled": 1, "offers": 1, "declined": 1 }),
        ),
        slot(
            day,
            "physio",
            json!({ "withdrawn": 1, "offers": 3, "declined": 1, "ended": 2 }),
        ),
        slot(day, "physio", json!({ "booked": 1 })),
        slot(day, "physio", json!({ "offers": 2, "expired": 1 })),
    ])
    .await;
    let figures = api.figures("").await;
    assert_eq!(
        figures["slots"],
        json!({ "released": 9, "filled": 4, "bookedOtherwise": 1, "withdrawn": 1,
            "openedToPublic": 1, "unfilled": 1, "open": 1 })
    );
    // 4 / (4 + 1 + 1)
    let fill_rate = figures["fillRate"].as_f64().expect("a share");
    assert!((fill_rate - 4.0 / 6.0).abs() < 1e-9, "{fill_rate}");
    assert_eq!(
        figures["offers"],
        json!({ "made": 13, "accepted": 2, "automatic": 1, "declined": 3, "expired": 4,
            "endedByOthers": 2, "standing": 1, "broadcasts": 1, "filledByBroadcast": 1 })
    );
    assert_eq!(figures["offersPerFill"], 3.25);
    // 2 / (2 + 3 + 4)
    let acceptance = figures["acceptance"].as_f64().expect("a share");
    assert!((acceptance - 2.0 / 9.0).abs() < 1e-9, "{acceptance}");
    assert_eq!(
        figures["timeToFillSeconds"],
        json!({ "count": 4, "mean": 210.0, "p50": 60.0, "p90": 600.0, "p95": 600.0, "max": 600.0 })
    );
    assert_eq!(figures["asOf"], "2026-03-20T08:10:00.000Z");
}

#[tokio::test(start_paused = true)]
async fn waits_are_told_by_urgency_and_compared_among_equals() {
    let api = Api::open().await;
    let front = match booked("physio", Urgency::Soon, 50) {
        Figure::Waited(waited) => Figure::Waited(Waited {
            front: true,
            ..waited
        }),
        other => other,
    };
    let left = match booked("physio", Urgency::Soon, 70) {
        Figure::Waited(waited) => Figure::Waited(Waited {
            booked: false,
            ..waited
        }),
        other => other,
    };
    api.put([
        booked("physio", Urgency::Soon, 1),
        booked("physio", Urgency::Soon, 3),
        booked("dental", Urgency::Soon, 9),
        booked("dental", Urgency::Soon, 9),
        booked("physio", Urgency::Urgent, 2),
        front,
        left,
        waiting(10, false),
        waiting(20, true),
        overridden("2026-03-19T08:00:00Z", OverrideReason::Clinical),
        overridden("2026-03-20T08:00:00Z", OverrideReason::Clinical),
        overridden("2026-03-20T08:00:00Z", OverrideReason::Complaint),
    ])
    .await;
    let figures = api.figures("").await;
    let soon = &figures["ended"]["booked"]["soon"];
    assert_eq!(
        (
            &soon["seconds"]["count"],
            &soon["seconds"]["p50"],
            &soon["seconds"]["p90"],
            &soon["seconds"]["max"]
        ),
        (
            &json!(5),
            &json!(32_400.0),
            &json!(180_000.0),
            &json!(180_000.0)
        )
    );
    // (1 + 3 + 9 + 9 + 50)² / (5 × (1 + 9 + 81 + 81 + 2500))
    let close = |value: &Value, expected: f64| {
        let value = value.as_f64().expect("a number");
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    };
    close(&soon["evenness"]["jain"], 5_184.0 / 13_360.0);
    // (−4×1 − 2×3 + 0×9 + 2×9 + 4×50) / (5 × 72)
    close(&soon["evenness"]["gini"], 208.0 / 360.0);
    assert_eq!(
        figures["ended"]["booked"]["urgent"]["evenness"]["jain"],
        1.0
    );
    assert_eq!(figures["ended"]["left"], 1);
    // Two of 0.8 and two of 1; 0.25 and 0. Who was moved to the front has no equals.
    close(&figures["ended"]["amongEquals"]["jain"], 0.9);
    close(&figures["ended"]["amongEquals"]["gini"], 0.125);
    assert_eq!(
        figures["waiting"],
        json!({ "paused": 1, "seconds": { "soon": {
            "count": 2, "mean": 54_000.0, "p50": 36_000.0, "p90": 72_000.0, "p95": 72_000.0,
            "max": 72_000.0,
        } } })
    );
    assert_eq!(
        figures["overrides"],
        json!({ "count": 3, "byReason": { "clinical": 2, "complaint": 1 } })
    );
    let physio = api.figures("?service=dental").await;
    assert_eq!(physio["ended"]["booked"]["soon"]["seconds"]["count"], 2);
    assert_eq!(physio["overrides"]["count"], 0);
    assert_eq!(physio["waiting"]["seconds"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_range_has_both_its_days_and_no_other() {
    let api = Api::open().await;
    let filled = json!({ "filled": 1, "msToFill": 0 });
    for at in [
        "2026-02-28T23:59:59.999Z",
        "2026-03-01T00:00:00Z",
        "2026-03-03T23:59:59.999Z",
        "2026-03-04T00:00:00Z",
    ] {
        api.put([slot(at, "physio", filled.clone())]).await;
    }
    let released = async |query: &str| api.figures(query).await["slots"]["released"].clone();
    assert_eq!(released("?from=2026-03-01&to=2026-03-03").await, 2);
    assert_eq!(released("?from=2026-03-04&to=2026-03-04").await, 1);
    assert_eq!(released("").await, 2);
    // A leap of a quarter is allowed to the day.
    assert_eq!(released("?from=2025-12-30&to=2026-03-31").await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_range_that_is_none_is_refused_with_its_parameter() {
    let api = Api::open().await;
    for (query, pointer) in [
        ("?from=yesterday", "/from"),
        ("?to=2026-02-30", "/to"),
        ("?to=2026-03-01T10:00Z", "/to"),
        ("?from=2026-03-02&to=2026-03-01", "/from"),
        ("?from=2025-12-29&to=2026-03-31", "/from"),
    ] {
        let answer = api.get(query).await;
        let problem = answer.json();
        assert_eq!(
            (answer.status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{query}: {problem}"
        );
    }
    for query in ["?form=2026-03-01", "?at-least=slot"] {
        let answer = api.get(query).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "malformed")
        );
    }
    let never = api.get("?at-least=slot%23never@1").await;
    assert_eq!((never.status, never.problem().as_str()), (503, "not-yet"));
}

#[tokio::test(start_paused = true)]
async fn more_than_a_page_is_read_and_more_than_the_limit_is_said() {
    let api = Api::open().await;
    api.put((0..1_001).map(|hours| waiting(hours, false))).await;
    let figures = api.figures("").await;
    assert_eq!(figures["waiting"]["seconds"]["soon"]["count"], 1_001);
    assert_eq!(figures["complete"], true);
    api.put((0..10_001).map(|hours| waiting(hours, false)))
        .await;
    let figures = api.figures("").await;
    assert_eq!(figures["waiting"]["seconds"]["soon"]["count"], 10_000);
    assert_eq!(figures["complete"], false);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_is_not_left_out_in_silence() {
    let api = Api::open().await;
    let table = Table::new(api.world.sdk(), "views");
    let mut item = key(&waiting_key(&id("w1")), "1#e1");
    item.insert("doc".to_owned(), string(r#"{"of":"waiting"}"#));
    table
        .write_all(vec![table.put(item, None)])
        .await
        .expect("written");
    let answer = api.get("").await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (500, "unreadable")
    );
}
