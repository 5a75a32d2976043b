//! `GET /v1/waitlists/{w}/entries/{id}` explains a rank: against the full sort, and against what
//! the streams hold.

use std::time::Duration;

use callboard_contracts::link::EntryLink;
use callboard_contracts::view::{
    self, EntryView, RecentSlot, candidate_sort_key, candidates_key, front_key, front_sort_key,
    recent_key, recent_sort_key,
};
use callboard_contracts::waitlist::{
    CandidatesPassedOver, EntryEvent, EntryJoined, EntryPaused, Ineligible, OfferMade, PauseReason,
    Preferences, Score, SlotEvent, SlotHeld, SlotReleased, Terms, Urgency,
};
use callboard_contracts::{EntryId, Fold, OfferId, StreamId, Timestamp};
use callboard_domain::waitlist::rank::Candidate;
use callboard_domain::waitlist::{Entry, Slot, policy};
use callboard_engine::Clock;
use callboard_runtime::function::Service;
use callboard_runtime::settings::Vars;
use callboard_runtime::table::{Table, integer, key, string};
use callboard_runtime::token::Keys;
use callboard_testkit::World;
use callboard_testkit::gateway::{Answer, Request};
use serde::Serialize;
use serde_json::json;

/// When every question is asked.
const NOW: Timestamp = Timestamp::from_millis(1_768_473_000_000);

/// Signs the links.
const KEYS: &str = "k1:bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleS0";

const DAY: Duration = Duration::from_secs(86_400);

struct Api {
    world: World,
    function: Service,
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

impl Api {
    async fn open() -> Self {
        let world = World::with(Clock::real(), false).await;
        let vars = [
            ("JOURNAL_TABLE", "journal"),
            ("VIEWS_TABLE", "views"),
            ("LINK_KEYS", KEYS),
            ("PUBLIC_URL", "https://board.example"),
        ];
        let vars: Vars = vars
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let function = query_api::build(&vars, world.sdk())
            .await
            .expect("settings are complete");
        Self { world, function }
    }

    async fn entry(&self, entry: &EntryId, query: &str) -> Answer {
        let path = format!("/v1/waitlists/w1/entries/{entry}{query}");
        Request::new("GET", &path, NOW).send(&self.function).await
    }

    async fn put(&self, rows: Vec<(String, String, String)>) {
        let table = Table::new(self.world.sdk(), "views");
        for rows in rows.chunks(100) {
            let put = |(pk, sk, doc): &(String, String, String)| {
                let mut item = key(pk, sk);
                item.insert("doc".to_owned(), string(doc));
                item.insert("applied".to_owned(), integer(1));
                item.insert("as_of".to_owned(), integer(NOW.as_millis()));
                table.put(item, None)
            };
            table
                .write_all(rows.iter().map(put).collect())
                .await
                .expect("written");
        }
    }

    /// Appends a commit to a stream.
    async fn commit<S: Fold>(&self, stream: StreamId, at: Timestamp, events: Vec<S::Event>) {
        let loaded = self
            .world
            .journal()
            .load::<S>(&stream)
            .await
            .expect("loaded");
        let commit = loaded.next(&callboard_testkit::cause(), at).events(events);
        let commit = commit.build().expect("a commit");
        self.world.journal().append(commit).await.expect("appended");
    }

    /// Puts an entry on the list: in its stream, with its own row and its row as a candidate.
    async fn join(&self, candidate: &Candidate) {
        let joined = EntryJoined {
            waitlist_id: id("w1"),
            entry_id: candidate.entry_id.clone(),
            recipient_id: id("usr-1"),
            service: "physio".to_owned(),
            urgency: candidate.urgency,
            preferences: Preferences::default(),
            auto_accept: false,
            proxy_id: None,
        };
        let stream = StreamId::entry(&candidate.entry_id);
        self.commit::<Entry>(stream.clone(), candidate.joined_at, vec![joined.into()])
            .await;
        let shown = EntryView {
            entry_id: candidate.entry_id.clone(),
            waitlist_id: id("w1"),
            recipient_id: id("usr-1"),
            proxy_id: None,
            state: "waiting".to_owned(),
            service: "physio".to_owned(),
            urgency: candidate.urgency,
            joined_at: candidate.joined_at,
            slot_id: None,
            expires_at: None,
            skips: 0,
            overridden_at: candidate.overridden_at,
            ended_at: None,
            overrides: None,
        };
        self.put(vec![(
            stream.as_str().to_owned(),
            "view".to_owned(),
            doc(&shown),
        )])
        .await;
    }
}

fn doc(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// The row of somebody on the list, as the projector has it.
fn row(of: &Candidate) -> (String, String, String) {
    let waitlist = id("w1");
    let shown = view::Candidate {
        entry_id: of.entry_id.clone(),
        joined_at: of.joined_at,
        urgency: of.urgency,
        offered_until: None,
        overridden_at: of.overridden_at,
    };
    let (pk, sk) = match of.overridden_at {
        Some(at) => (
            front_key(&waitlist, "physio"),
            front_sort_key(at, of.joined_at, &of.entry_id),
        ),
        None => (
            candidates_key(&waitlist, "physio", of.urgency),
            candidate_sort_key(of.joined_at, &of.entry_id),
        ),
    };
    (pk, sk, doc(&shown))
}

fn candidate(number: u64, urgency: Urgency, waited: Duration) -> Candidate {
    Candidate::new(id(&format!("e{number:04}")), urgency, NOW.minus(waited))
}

#[tokio::test]
async fn a_position_is_that_of_a_full_sort_and_says_who_is_ahead() {
    let api = Api::open().await;
    let max_wait = Some(182 * DAY);
    // Every class on both sides of the ceiling of the standard policy, with equal scores.
    let mut list: Vec<Candidate> = (0..240_u64)
        .map(|number| {
            let waited = DAY * u32::try_from(number * 37 % 240).expect("small");
            let urgency = Urgency::ALL[usize::try_from(number % 3).expect("small")];
            let moved = (number % 20 == 7)
                .then(|| NOW.minus(DAY * u32::try_from(number % 9).expect("small")));
            Candidate {
                overridden_at: moved,
                ..candidate(number, urgency, waited)
            }
        })
        .collect();
    api.put(list.iter().map(row).collect()).await;
    list.sort_by(|a, b| a.compare(b, max_wait, NOW));
    // Whom staff moved is not asked about here: the override stands in the entry's stream.
    let asked = list
        .iter()
        .enumerate()
        .filter(|(_, it)| it.overridden_at.is_none());
    for (place, of) in asked.step_by(11) {
        api.join(of).await;
        let answer = api.entry(&of.entry_id, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (position, score) = (&answer.json()["position"], &answer.json()["score"]);
        assert_eq!(position["ahead"], place, "{}", answer.text);
        assert_eq!(position["orMore"], false);
        let (mut front, mut over, mut by_urgency) = (0, 0, [0; 3]);
        for other in &list[..place] {
            match other {
                _ if other.overridden_at.is_some() => front += 1,
                _ if other.is_over(max_wait, NOW) => over += 1,
                _ => by_urgency[other.urgency as usize] += 1,
            }
        }
        let [routine, soon, urgent] = by_urgency;
        assert_eq!(
            position["ofWhom"],
            json!({ "front": front, "overCeiling": over, "urgent": urgent, "soon": soon, "routine": routine })
        );
        assert_eq!(
            score["value"],
            u64::try_from(of.score(NOW) / 1_000).expect("fits")
        );
        assert_eq!(score["overCeiling"], of.is_over(max_wait, NOW));
        assert_eq!(score["maxWaitDays"], 182);
    }
}

#[tokio::test]
async fn a_long_list_is_counted_up_to_a_cap_and_it_is_said() {
    let api = Api::open().await;
    let me = candidate(9_999, Urgency::Routine, DAY);
    let first = (0..1_050).map(|number| candidate(number, Urgency::Urgent, DAY));
    api.put(first.map(|it| row(&it)).collect()).await;
    api.join(&me).await;
    api.world.faults().reset();
    let answer = api.entry(&me.entry_id, "").await.json();
    assert_eq!(answer["position"]["ahead"], 1_000);
    assert_eq!(answer["position"]["orMore"], true);
    let units = answer["position"]["readUnits"].as_f64().expect("a number");
    assert!((20.0..40.0).contains(&units), "{units} read units");
    let queries = api.world.faults().costs().requests("Query");
    println!("{queries} queries, {units} read units for a position behind 1,050");
    // The entry, the policy, seven parts of four classes, and the recent slots.
    assert_eq!(queries, 10);
}

#[tokio::test]
async fn who_is_paused_has_a_score_but_no_position_and_nothing_is_explained_unasked() {
    let api = Api::open().await;
    let me = candidate(1, Urgency::Soon, DAY);
    api.join(&me).await;
    let paused = EntryPaused {
        waitlist_id: id("w1"),
        entry_id: me.entry_id.clone(),
        recipient_id: id("usr-1"),
        proxy_id: None,
        reason: PauseReason::Skips,
        skips: 3,
    };
    api.commit::<Entry>(StreamId::entry(&me.entry_id), NOW, vec![paused.into()])
        .await;
    let answer = api.entry(&me.entry_id, "").await.json();
    assert_eq!(answer["position"]["unranked"], "paused");
    assert_eq!(answer["score"]["weight"], 3);
    let plain = api.entry(&me.entry_id, "?explain=false").await.json();
    assert!(plain.get("position").is_none() && plain.get("wentFirst").is_none());
    assert_eq!(
        plain["state"], "waiting",
        "the view's own members are as they were"
    );
}

fn released(slot: &str) -> SlotEvent {
    SlotReleased {
        waitlist_id: id("w1"),
        slot_id: id(slot),
        slot_version: 1,
        service: "physio".to_owned(),
        starts_at: NOW.plus(DAY),
        ends_at: NOW.plus(DAY).plus(Duration::from_secs(1_800)),
        offer_window_seconds: 600,
        location: None,
        provider: None,
        zone: None,
        external_id: None,
        terms: Some(Terms {
            rules: policy::standard().rules,
            ..Terms::default()
        }),
        swap_depth: 0,
    }
    .into()
}

fn held(slot: &str, entry: &EntryId, at: Timestamp) -> SlotEvent {
    SlotHeld {
        waitlist_id: id("w1"),
        slot_id: id(slot),
        slot_version: 1,
        offer_id: offer(slot, entry),
        entry_id: entry.clone(),
        expires_at: at.plus(Duration::from_secs(600)),
        as_of: Some(at),
        draw: None,
    }
    .into()
}

fn offer(slot: &str, entry: &EntryId) -> OfferId {
    id(&format!("o-{slot}-{entry}"))
}

fn made(slot: &str, to: &Candidate, at: Timestamp) -> EntryEvent {
    OfferMade {
        waitlist_id: id("w1"),
        entry_id: to.entry_id.clone(),
        recipient_id: id("usr-2"),
        offer_id: offer(slot, &to.entry_id),
        slot_id: id(slot),
        slot_version: 1,
        service: "physio".to_owned(),
        starts_at: NOW.plus(DAY),
        ends_at: NOW.plus(DAY),
        expires_at: at.plus(Duration::from_secs(600)),
        proxy_id: None,
        batch: None,
        skip_limit: None,
        zone: None,
        score: Some(Score {
            ..to.parts(Some(182 * DAY), at, (1, 1))
        }),
        gives_up_starts_at: None,
    }
    .into()
}

/// Offers a slot to an entry at `at`, passing over whom `passed` says.
async fn offered(api: &Api, slot: &str, to: &Candidate, passed: &[&EntryId], at: Timestamp) {
    let stream = StreamId::slot(&id(slot));
    api.commit::<Slot>(stream.clone(), at, vec![released(slot)])
        .await;
    let mut events = Vec::new();
    if !passed.is_empty() {
        let passed = passed.iter().map(|id| (*id).clone()).collect();
        events.push(
            CandidatesPassedOver {
                passed: [(Ineligible::OutsideWindows, passed)].into(),
                cursors: Vec::new(),
                as_of: None,
            }
            .into(),
        );
    }
    events.push(held(slot, &to.entry_id, at));
    api.commit::<Slot>(stream, at, events).await;
    api.commit::<Entry>(StreamId::entry(&to.entry_id), at, vec![made(slot, to, at)])
        .await;
    let recent = RecentSlot {
        slot_id: id(slot),
        offered_at: at,
    };
    let (pk, sk) = (
        recent_key(&id("w1"), "physio"),
        recent_sort_key(at, &id(slot)),
    );
    api.put(vec![(pk, sk, doc(&recent))]).await;
}

#[tokio::test]
async fn each_offer_to_others_is_told_with_both_scores_and_its_reason_and_names_nobody() {
    let api = Api::open().await;
    let me = candidate(1, Urgency::Soon, 10 * DAY);
    let other = Candidate::new(id("hidden-entry"), Urgency::Urgent, NOW.minus(8 * DAY));
    api.join(&other).await;
    // Before the entry joined: of no concern to it.
    offered(&api, "slot-0", &other, &[], NOW.minus(11 * DAY)).await;
    api.join(&me).await;
    let day = |days: u32| NOW.minus(DAY * days);
    offered(&api, "slot-1", &other, &[], day(3)).await;
    offered(&api, "slot-2", &other, &[&me.entry_id], day(2)).await;
    offered(&api, "slot-3", &me, &[], day(1)).await;
    let answer = api.entry(&me.entry_id, "").await;
    let body = answer.json();
    assert!(
        !answer.text.contains("hidden") && !answer.text.contains("usr-2"),
        "{}",
        answer.text
    );
    let told = body["wentFirst"]["offers"]
        .as_array()
        .expect("a list")
        .clone();
    let of = |member: &str| {
        told.iter()
            .map(|offer| offer[member].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("slotId"), ["slot-3", "slot-2", "slot-1"]);
    assert_eq!(of("code"), ["offered", "outside-windows", "ranked-behind"]);
    assert_eq!(
        told[1]["because"],
        "It was this entry's turn, but it was passed over: the slot is outside its hours of the week."
    );
    let parts = |urgency: &str, weight: u64, days: u64| {
        let waited = days * 86_400;
        json!({
            "urgency": urgency, "weight": weight, "waitedSeconds": waited,
            "value": weight * waited, "overCeiling": false, "overridden": false
        })
    };
    assert_eq!(told[2]["to"], parts("urgent", 9, 5));
    assert_eq!(told[2]["own"], parts("soon", 3, 7));
    assert_eq!(body["wentFirst"]["complete"], true);
    let reasons = body["wentFirst"]["slots"].as_array().expect("a list");
    let codes: Vec<_> = reasons
        .iter()
        .map(|it| (&it["code"], &it["count"]))
        .collect();
    assert_eq!(codes.len(), 3, "{codes:?}");
    assert!(codes.iter().all(|(_, count)| **count == 1));
}

#[tokio::test]
async fn who_came_first_by_rank_and_was_not_seen_is_told_so_and_not_that_it_stood_behind() {
    let api = Api::open().await;
    let me = candidate(1, Urgency::Urgent, 10 * DAY);
    let other = candidate(2, Urgency::Routine, DAY);
    api.join(&me).await;
    api.join(&other).await;
    offered(
        &api,
        "slot-1",
        &other,
        &[],
        NOW.minus(Duration::from_secs(60)),
    )
    .await;
    let body = api.entry(&me.entry_id, "").await.json();
    assert_eq!(body["wentFirst"]["offers"][0]["code"], "not-seen");
}

#[tokio::test]
async fn a_person_sees_their_own_place_by_a_link_and_of_others_only_how_many_coarsely() {
    let api = Api::open().await;
    let me = candidate(1, Urgency::Soon, 10 * DAY);
    let other = Candidate::new(id("hidden-entry"), Urgency::Urgent, NOW.minus(8 * DAY));
    let first = [
        &other,
        &candidate(2, Urgency::Urgent, 9 * DAY),
        &candidate(3, Urgency::Soon, 11 * DAY),
    ];
    api.put(first.into_iter().map(row).collect()).await;
    api.join(&other).await;
    api.join(&me).await;
    offered(&api, "slot-2", &other, &[&me.entry_id], NOW.minus(2 * DAY)).await;
    let link = EntryLink {
        waitlist: id("w1"),
        entry: me.entry_id.clone(),
    };
    let keys = Keys::parse(KEYS).expect("keys");
    let token = keys.sign(&link, NOW.plus(DAY));
    let ask = async |token: &str, accept: &str| {
        let request = Request::new("GET", &format!("/w/{token}"), NOW).header("accept", accept);
        request.send(&api.function).await
    };
    let told = ask(&token, "application/json").await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!(told.json()["before"], json!({ "fewerThan": 5 }));
    assert_eq!(told.json()["slots"][0]["code"], "outside-windows");
    let page = ask(&token, "text/html").await;
    assert!(
        page.text.contains("Fewer than 5 people are before you"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("1 was outside the times that you named"),
        "{}",
        page.text
    );
    assert!(page.headers["content-security-policy"].contains("default-src 'none'"));
    assert_eq!(page.headers["cache-control"], "no-store");
    for answer in [&told, &page] {
        for name in ["hidden", "usr-1", "usr-2"] {
            assert!(!answer.text.contains(name), "{}", answer.text);
        }
    }
    let expired = ask(&keys.sign(&link, NOW), "application/json").await;
    assert_eq!(
        (expired.status, expired.problem().as_str()),
        (404, "unknown-link")
    );
    let of_other_list = EntryLink {
        waitlist: id("w2"),
        ..link
    };
    let elsewhere = ask(&keys.sign(&of_other_list, NOW.plus(DAY)), "text/html").await;
    assert_eq!(elsewhere.status, 404);
}
