//! A rebuild in place while commits are made, projected twice and out of order, and read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callboard_runtime::journal::Commit;
use callboard_runtime::table::string;
use callboard_testkit::world::VIEWS;
use futures::future::join_all;
use waitlist_projector::projection;

use crate::history::History;
use crate::place::{Place, assert_same, with};

/// Between two looks of the reader, which would else leave the machine to nobody.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Appends, and tells the projector of everything twice and out of order.
async fn write(place: Arc<Place>, transactions: Vec<Vec<Commit>>) {
    let mut random = fastrand::Rng::with_seed(42);
    for transaction in transactions {
        let streams: BTreeSet<_> = transaction.iter().map(|it| it.stream().clone()).collect();
        place.append(vec![transaction]).await;
        let shown = streams.into_iter().filter(|it| it.kind() != "event");
        let mut told: Vec<_> = shown.flat_map(|it| [it.clone(), it]).collect();
        random.shuffle(&mut told);
        for some in told.chunks(8) {
            let projected = some.iter().map(|it| projection::run(&place.deps, it, None));
            // Lost races would come back by the queue; the last word is said at the end.
            drop(join_all(projected).await);
        }
    }
}

/// Looks until told, that none of `rows` is ever missing; how often it looked.
async fn read(place: Arc<Place>, rows: Vec<(String, String)>, enough: Arc<AtomicBool>) -> usize {
    let mut looks = 0;
    while !enough.load(Ordering::Relaxed) {
        let now = place.rows(VIEWS).await;
        for key in &rows {
            assert!(now.contains_key(key), "{key:?} is missing");
        }
        looks += 1;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    looks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_beside_a_busy_projector_undoes_nothing_and_no_reader_misses_a_row() {
    let place = Arc::new(Place::new().await);
    let mut history = History::new(41, 200);
    let transactions = history.more(1_500);
    place.append(transactions).await;
    place.project(history.streams()).await;
    let whole = place.rows(VIEWS).await;
    // Every second main row tells something else, as of the commits that it has seen.
    let main = whole.iter().filter(|((_, sk), _)| sk == "view");
    for (_, item) in main.step_by(2) {
        place.put(with(item, "doc", string("{}"))).await;
    }
    let stays = |(pk, sk): &&(String, String)| sk == "view" || pk.starts_with("waitlist#");
    let stays = whole.keys().filter(stays).cloned().collect();
    let enough = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read(Arc::clone(&place), stays, Arc::clone(&enough)));
    let writer = tokio::spawn(write(Arc::clone(&place), history.more(500)));
    let execute = ["--view", "waitlist", "--execute", "--segments", "3"];
    let first = place.replayed(&execute).await;
    assert!(first["differ"].as_u64() > Some(0), "{first:#}");
    while !writer.is_finished() {
        place.replayed(&execute).await;
    }
    writer.await.unwrap();
    enough.store(true, Ordering::Relaxed);
    assert!(reader.await.unwrap() > 0);

    place.project(history.streams()).await;
    let oracle = Place::new().await;
    let all = history.commits.iter().map(|commit| vec![commit.clone()]);
    oracle.append(all.collect()).await;
    oracle.project(history.streams()).await;
    assert_same(&place.rows(VIEWS).await, &oracle.rows(VIEWS).await);
}
