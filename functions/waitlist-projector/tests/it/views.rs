//! The use case itself: which rows stand there for what happened.

use std::time::Duration;

use callboard_contracts::waitlist::{
    EntryEvent, EntryLeft, EntryPaused, EntryResumed, OfferAccepted, OverrideReason, PauseReason,
    Preferences, PreferencesChanged, RankOverridden, RankTo,
};
use waitlist_projector::projection::{self, Outcome};
use waitlist_projector::view::Key;

use crate::world::{World, declined, held, joined, offered, released, stream, time, withdrawn};

const SLOT: &str = "slot#slot-0900";
const ENTRY: &str = "entry#entry-ada";

async fn project(world: &World, id: &str) -> Outcome {
    let outcome = projection::run(&world.deps, &stream(id), None).await;
    outcome.expect("projected")
}

#[tokio::test(start_paused = true)]
async fn a_slot_stands_among_the_open_ones_only_while_it_is_open() {
    let world = World::new().await;
    let open = "open#w-physio#physio slot#slot-0900".to_owned();
    world.slot([released(1, "physio")]).await;
    assert_eq!(project(&world, SLOT).await, Outcome::Written { applied: 1 });
    assert!(world.keys().await.contains(&open));
    world.slot([held("entry-ada", "offer-1")]).await;
    project(&world, SLOT).await;
    assert!(!world.keys().await.contains(&open));
    world.slot([declined("offer-1")]).await;
    project(&world, SLOT).await;
    let rows = world.rows().await;
    assert_eq!(rows[&open].0["offers"], 1);
    assert_eq!(rows["waitlist#w-physio slot#slot-0900"].0["state"], "open");
    world.slot([withdrawn()]).await;
    project(&world, SLOT).await;
    assert_eq!(
        world.keys().await,
        [
            "calendar#w-physio 1772463600000#slot#slot-0900",
            "figures#w-physio#2026-03-02 slot#slot-0900#1",
            "recent#w-physio#physio 1772445600000#slot#slot-0900",
            "slot#slot-0900 view",
            "waitlist#w-physio slot#slot-0900",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_offered_stands_once_among_the_recent_ones_by_its_last_offer() {
    let world = World::new().await;
    let recent = async || {
        project(&world, SLOT).await;
        let keys = world.keys().await.into_iter();
        keys.filter(|key| key.starts_with("recent#"))
            .collect::<Vec<_>>()
    };
    let row = |millis: i64| format!("recent#w-physio#physio {millis}#slot#slot-0900");
    let minute = || tokio::time::advance(Duration::from_secs(60));
    world.slot([released(1, "physio")]).await;
    assert!(recent().await.is_empty(), "nobody was asked");
    minute().await;
    world.slot([held("entry-ada", "offer-1")]).await;
    assert_eq!(recent().await, [row(1_772_445_660_000)]);
    minute().await;
    world.slot([declined("offer-1")]).await;
    assert_eq!(recent().await, [row(1_772_445_660_000)], "no new offer");
    minute().await;
    world.slot([held("entry-bob", "offer-2")]).await;
    let last = row(1_772_445_780_000);
    assert_eq!(
        recent().await,
        std::slice::from_ref(&last),
        "the former row is gone"
    );
    let rows = world.rows().await;
    assert_eq!(
        rows[&last].0,
        serde_json::json!({ "slotId": "slot-0900", "offeredAt": "2026-03-02T10:03:00.000Z" })
    );
    let key = key_of(&last);
    assert_eq!(
        key.owner(),
        Some(stream(SLOT)),
        "a rebuild knows whose it is"
    );
    minute().await;
    world.slot([withdrawn()]).await;
    world.slot([released(2, "physio")]).await;
    assert_eq!(recent().await, [last], "what was offered before stays");
}

fn key_of(row: &str) -> Key {
    let (pk, sk) = row.split_once(' ').expect("two parts");
    Key {
        pk: pk.to_owned(),
        sk: sk.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_comes_back_with_another_service_leaves_no_row_behind() {
    let world = World::new().await;
    world.slot([released(1, "physio")]).await;
    project(&world, SLOT).await;
    // The projector sees neither the withdrawal nor the release alone.
    world.slot([withdrawn()]).await;
    world.slot([released(2, "massage")]).await;
    project(&world, SLOT).await;
    let keys = world.keys().await;
    assert!(keys.contains(&"open#w-physio#massage slot#slot-0900".to_owned()));
    assert!(
        !keys
            .iter()
            .any(|key| key.starts_with("open#w-physio#physio"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_candidate_stands_in_its_class_while_waiting_or_offered() {
    let world = World::new().await;
    let row = "candidates#w-physio#physio#soon 1772445600000#entry-ada";
    world.entry([joined()]).await;
    project(&world, ENTRY).await;
    assert_eq!(world.rows().await[row].0.get("offeredUntil"), None);
    tokio::time::advance(Duration::from_secs(60)).await;
    world.entry([offered()]).await;
    project(&world, ENTRY).await;
    let rows = world.rows().await;
    assert_eq!(rows[row].0["offeredUntil"], "2026-03-02T10:30:00.000Z");
    let at = time("2026-03-02T10:01:00.000Z").as_millis();
    assert_eq!((rows[row].1, rows[row].2), (2, at));
    let left = EntryLeft {
        waitlist_id: "w-physio".parse().expect("an id"),
        entry_id: "entry-ada".parse().expect("an id"),
    };
    world.entry([EntryEvent::from(left)]).await;
    project(&world, ENTRY).await;
    let rows = world.rows().await;
    assert!(!rows.contains_key(row));
    assert_eq!(rows["entry#entry-ada view"].0["state"], "left");
}

#[tokio::test(start_paused = true)]
async fn who_may_answer_by_a_message_finds_the_entry_while_it_is_offered_or_booked() {
    let world = World::new().await;
    let rows = async || {
        project(&world, ENTRY).await;
        let keys = world.keys().await.into_iter();
        keys.filter(|key| key.starts_with("recipient#"))
            .collect::<Vec<_>>()
    };
    world.entry([joined()]).await;
    assert_eq!(rows().await, [""; 0]);
    world.entry([offered()]).await;
    let row = "recipient#usr-ada offered#entry-ada";
    assert_eq!(rows().await, [row]);
    let doc = &world.rows().await[row].0;
    assert_eq!(doc, &serde_json::json!({"entryId": "entry-ada"}));
    let EntryEvent::OfferMade(made) = offered() else {
        panic!("an offer");
    };
    let to_proxy = PreferencesChanged {
        waitlist_id: made.waitlist_id.clone(),
        entry_id: made.entry_id.clone(),
        preferences: Preferences::default(),
        auto_accept: false,
        proxy_id: Some("usr-mum".parse().expect("an id")),
    };
    world.entry([EntryEvent::from(to_proxy)]).await;
    assert_eq!(rows().await, ["recipient#usr-mum offered#entry-ada"]);
    let accepted = OfferAccepted {
        waitlist_id: made.waitlist_id.clone(),
        entry_id: made.entry_id.clone(),
        recipient_id: made.recipient_id,
        offer_id: made.offer_id,
        slot_id: made.slot_id,
        service: made.service,
        starts_at: made.starts_at,
        ends_at: made.ends_at,
        location: None,
        zone: None,
        slot_version: Some(1),
        proxy_id: None,
        auto: false,
        score: None,
        swapped: None,
        swapped_starts_at: None,
        swap_failed: false,
    };
    world.entry([EntryEvent::from(accepted)]).await;
    assert_eq!(rows().await, ["recipient#usr-mum booked#entry-ada"]);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_moves_with_its_rank_and_has_one_row_at_most() {
    let world = World::new().await;
    let moved = |to| RankOverridden {
        waitlist_id: "w-physio".parse().expect("an id"),
        entry_id: "entry-ada".parse().expect("an id"),
        to,
        reason: OverrideReason::Clinical,
    };
    let rows = async || {
        project(&world, ENTRY).await;
        let keys = world.keys().await.into_iter();
        keys.filter(|key| key.starts_with("candidates#"))
            .collect::<Vec<_>>()
    };
    world.entry([joined()]).await;
    let soon = "candidates#w-physio#physio#soon 1772445600000#entry-ada";
    assert_eq!(rows().await, [soon]);
    tokio::time::advance(Duration::from_secs(60)).await;
    world.entry([EntryEvent::from(moved(RankTo::Front))]).await;
    let front = "candidates#w-physio#physio#front 1772445660000-1772445600000#entry-ada";
    assert_eq!(rows().await, [front]);
    assert_eq!(
        world.rows().await[front].0["overriddenAt"],
        "2026-03-02T10:01:00.000Z"
    );
    world.entry([EntryEvent::from(moved(RankTo::Urgent))]).await;
    let urgent = "candidates#w-physio#physio#urgent 1772445600000#entry-ada";
    assert_eq!(rows().await, [urgent]);
    world.entry([EntryEvent::from(moved(RankTo::Own))]).await;
    assert_eq!(rows().await, [soon]);
    let paused = EntryPaused {
        waitlist_id: "w-physio".parse().expect("an id"),
        entry_id: "entry-ada".parse().expect("an id"),
        recipient_id: "usr-ada".parse().expect("an id"),
        proxy_id: None,
        reason: PauseReason::Skips,
        skips: 3,
    };
    world.entry([EntryEvent::from(paused)]).await;
    assert!(rows().await.is_empty());
    let resumed = EntryResumed {
        waitlist_id: "w-physio".parse().expect("an id"),
        entry_id: "entry-ada".parse().expect("an id"),
    };
    world.entry([EntryEvent::from(resumed)]).await;
    assert_eq!(rows().await, [soon]);
}

#[tokio::test(start_paused = true)]
async fn views_that_have_seen_the_tail_are_not_written_again() {
    let world = World::with_an_offer().await;
    assert_eq!(project(&world, SLOT).await, Outcome::Written { applied: 2 });
    let up_to_date = Outcome::UpToDate { applied: 2 };
    assert_eq!(project(&world, SLOT).await, up_to_date);
    let told = projection::run(&world.deps, &stream(SLOT), Some(1)).await;
    assert_eq!(told.expect("projected"), up_to_date);
}

#[tokio::test(start_paused = true)]
async fn two_projectors_at_once_leave_the_newest_view() {
    let world = World::with_an_offer().await;
    let (one, two) = tokio::join!(project(&world, ENTRY), project(&world, ENTRY));
    let newest = [
        Outcome::Written { applied: 2 },
        Outcome::UpToDate { applied: 2 },
    ];
    assert!(
        newest.contains(&one) && newest.contains(&two),
        "{one:?} {two:?}"
    );
    assert_eq!(world.rows().await["entry#entry-ada view"].1, 2);
}

#[tokio::test(start_paused = true)]
async fn a_view_rebuilt_from_the_journal_is_the_one_that_was_there() {
    let world = World::with_an_offer().await;
    project(&world, SLOT).await;
    project(&world, ENTRY).await;
    let before = world.rows().await;
    world.remove_all().await;
    project(&world, ENTRY).await;
    project(&world, SLOT).await;
    assert_eq!(world.rows().await, before);
}

#[tokio::test(start_paused = true)]
async fn no_view_names_more_of_a_person_than_an_id() {
    let world = World::with_an_offer().await;
    project(&world, SLOT).await;
    project(&world, ENTRY).await;
    for (key, (doc, ..)) in world.rows().await {
        let members = doc.as_object().expect("an object").keys();
        let known = [
            "slotId",
            "waitlistId",
            "state",
            "slotVersion",
            "service",
            "startsAt",
            "endsAt",
            "entryId",
            "offerId",
            "expiresAt",
            "offers",
            "recipientId",
            "urgency",
            "joinedAt",
            "skips",
            "offeredUntil",
            "overriddenAt",
            "offeredAt",
            "tallies",
            "overrides",
            "of",
            "version",
            "releasedAt",
            "released",
        ];
        for member in members {
            assert!(known.contains(&member.as_str()), "{key}: {member}");
        }
    }
}
