//! Rows that are not what the journal says: what a look tells of them, and what becomes of them.

use callboard_contracts::{Cause, StreamId};
use callboard_domain::waitlist::Slot;
use callboard_runtime::clock::Clock;
use callboard_runtime::journal::Loaded;
use callboard_runtime::table::{integer, key, string};
use callboard_testkit::world::{JOURNAL, VIEWS};
use serde_json::json;

use crate::history::History;
use crate::place::{Place, Rows, assert_same, with};

const LOOK: [&str; 2] = ["--view", "waitlist"];
const EXECUTE: [&str; 3] = ["--view", "waitlist", "--execute"];

/// A place whose views are right.
async fn furnished(seed: u64, streams: usize) -> (Place, History, Rows) {
    let place = Place::new().await;
    let mut history = History::new(seed, streams);
    let transactions = history.more(600);
    place.append(transactions).await;
    place.project(history.streams()).await;
    let rows = place.rows(VIEWS).await;
    (place, history, rows)
}

/// The first row whose partition begins so, for instance a candidate's.
fn row<'a>(rows: &'a Rows, prefix: &str) -> &'a callboard_runtime::table::Item {
    let found = rows.iter().find(|((pk, _), _)| pk.starts_with(prefix));
    found.unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_damage_is_told_by_a_look_and_put_right_byte_for_byte() {
    let (place, _, before) = furnished(21, 80).await;
    let said = place.replayed(&LOOK).await;
    assert_eq!(
        (&said["differ"], &said["rowsStale"]),
        (&0.into(), &0.into())
    );

    let doc = || string("{}");
    place.put(with(row(&before, "slot#"), "doc", doc())).await;
    place
        .put(with(row(&before, "candidates#"), "doc", doc()))
        .await;
    // A view that claims what the journal has not reached: the projector would wait for ever.
    place
        .put(with(row(&before, "entry#e-1"), "applied", integer(99_999)))
        .await;
    let mut numberless = row(&before, "entry#e-2").clone();
    numberless.remove("applied");
    place.put(numberless).await;
    place
        .put(with(row(&before, "slot#s-3"), "left-over", string("x")))
        .await;
    // A row of a stream that is, one of a stream that never was, and a whole such stream.
    place
        .put(with(&key("open#w-9#physio", "slot#s-1"), "doc", doc()))
        .await;
    place
        .put(with(&key("candidates#w#x#soon", "1#never"), "doc", doc()))
        .await;
    let never = with(row(&before, "slot#s-4"), "pk", string("slot#never"));
    place.put(never).await;
    place
        .remove([("slot#s-5".to_owned(), "view".to_owned())])
        .await;
    let damaged = place.rows(VIEWS).await;

    let (outcome, said) = place.replay(&LOOK).await;
    assert_eq!(outcome.unwrap_err().exit_code(), 9, "{said:#}");
    assert_same(&place.rows(VIEWS).await, &damaged);
    let (wrong, stale) = (said["rowsWrong"].as_u64(), said["rowsStale"].as_u64());
    assert!(wrong >= Some(6) && stale >= Some(3), "{said:#}");

    let said = place.replayed(&EXECUTE).await;
    assert_eq!(said["dryRun"], false);
    assert_same(&place.rows(VIEWS).await, &before);
    place.replayed(&LOOK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_row_of_a_view_is_counted_and_left() {
    let (place, _, mut before) = furnished(22, 80).await;
    let foreign = with(&key("totals#2026", "day"), "doc", string("{}"));
    place.put(foreign.clone()).await;
    let said = place.replayed(&EXECUTE).await;
    assert_eq!(said["rowsUnknown"], 1);
    before.insert(("totals#2026".to_owned(), "day".to_owned()), foreign);
    assert_same(&place.rows(VIEWS).await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_slots_leaves_entries_alone() {
    let (place, _, before) = furnished(23, 80).await;
    place.remove(before.keys().cloned()).await;
    let said = place.replayed(&["--view", "slots", "--execute"]).await;
    let slots = place.rows(VIEWS).await;
    // `slot#<id>`, or behind the moment that its row is ordered by.
    let of_a_slot = |(pk, sk): &(String, String)| [pk, sk].iter().any(|key| key.contains("slot#"));
    assert!(slots.keys().all(of_a_slot), "{:?}", slots.keys());
    assert_eq!(said["rowsWrong"].as_u64(), Some(slots.len() as u64));
    place.replayed(&["--view", "entries", "--execute"]).await;
    assert_same(&place.rows(VIEWS).await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_a_gap_keeps_its_rows_and_is_named_unless_a_snapshot_covers_it() {
    let (place, history, before) = furnished(24, 16).await;
    let last = |wanted: &dyn Fn(u64) -> bool| {
        let mut streams = history.streams().into_iter();
        let last = |stream: &StreamId| {
            let of = history.commits.iter().filter(|it| it.stream() == stream);
            of.map(|commit| commit.number()).max().unwrap()
        };
        streams.find(|stream| wanted(last(stream))).unwrap()
    };
    let (short, long) = (last(&|it| (3..64).contains(&it)), last(&|it| it > 64));
    for stream in [&short, &long] {
        let second = key(stream.as_str(), "")
            .into_iter()
            .chain([("sk".to_owned(), integer(2))]);
        let delete = place.dynamodb.delete_item().table_name(JOURNAL);
        delete.set_key(Some(second.collect())).send().await.unwrap();
    }
    place.remove([(long.to_string(), "view".to_owned())]).await;
    let (outcome, said) = place.replay(&EXECUTE).await;
    assert_eq!(outcome.unwrap_err().exit_code(), 1);
    let unreadable = said["unreadable"].as_array().unwrap();
    assert_eq!(
        (unreadable.len(), &unreadable[0]["stream"]),
        (1, &json!(short))
    );
    assert_same(&place.rows(VIEWS).await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_on_its_way_to_the_projector_is_no_difference() {
    let (place, history, before) = furnished(25, 80).await;
    let stream = history
        .streams()
        .into_iter()
        .find(|it| it.kind() == "slot")
        .unwrap();
    let loaded: Loaded<Slot> = place.deps.journal.load(&stream).await.unwrap();
    let cause = Cause {
        causation_id: "now".to_owned(),
        correlation_id: "now".to_owned(),
        hash: "now".to_owned(),
        traceparent: None,
    };
    let facts = loaded.state.facts.clone().unwrap();
    let withdrawn = callboard_contracts::waitlist::SlotWithdrawn {
        waitlist_id: facts.waitlist_id,
        slot_id: facts.slot_id,
        slot_version: facts.version,
    };
    let commit = loaded.next(&cause, Clock::system().now()).event(withdrawn);
    place
        .deps
        .journal
        .append(commit.build().unwrap())
        .await
        .unwrap();
    let said = place.replayed(&LOOK).await;
    assert_eq!(
        (&said["onTheirWay"], &said["differ"]),
        (&1.into(), &0.into())
    );
    place.replayed(&EXECUTE).await;
    let rebuilt = place.rows(VIEWS).await;
    assert_ne!(rebuilt, before);
    place.project([stream]).await;
    assert_same(&place.rows(VIEWS).await, &rebuilt);
}
