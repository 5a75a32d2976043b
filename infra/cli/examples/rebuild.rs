//! Invariant I10 at length: a view rebuilt from 100,000 commits, interrupted twice, compared byte for
//! byte with the one that was there; and what it cost.
//!
//! `cargo run -p callboard-cli --example rebuild [COMMITS]`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that shows figures, and stops where something is not as it should be"
)]
#![allow(dead_code, reason = "the tests use more of these")]

#[path = "../tests/replay/history.rs"]
mod history;
#[path = "../tests/replay/place.rs"]
mod place;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use callboard_contracts::StreamId;
use callboard_testkit::world::VIEWS;
use history::History;
use place::{Place, assert_same};
use serde_json::Value;
use waitlist_projector::kind::{Folding, Kind};

/// Commits, unless the command line says how many.
const COMMITS: usize = 100_000;

/// Commits of one stream, about.
const STREAM_COMMITS: usize = 20;

/// Between two looks at the checkpoint.
const LOOK_EVERY: Duration = Duration::from_millis(5);

const EXECUTE: [&str; 3] = ["--view", "waitlist", "--execute"];

#[tokio::main]
async fn main() {
    let commits = std::env::args().nth(1);
    let commits = commits.map_or(COMMITS, |it| it.parse().unwrap());
    let place = Place::new().await;
    let mut history = History::new(1, commits / STREAM_COMMITS);
    let begun = Instant::now();
    place.append(history.more(commits)).await;
    println!("{commits} commits appended in {:.1} s", seconds(begun));
    let begun = Instant::now();
    place.project(history.streams()).await;
    let before = place.rows(VIEWS).await;
    let (streams, rows) = (history.streams().len(), before.len());
    println!(
        "{streams} streams projected, {rows} rows, in {:.1} s",
        seconds(begun)
    );

    let look = place.replayed(&["--view", "waitlist"]).await;
    tell("a look, which finds nothing", &look);
    place.remove(before.keys().cloned()).await;
    for part in [3, 7] {
        let done = interrupted(&place, (commits * part / 10) as u64).await;
        let rows = place.rows(VIEWS).await.len();
        println!("interrupted after {done} commits, {rows} rows are there");
    }
    let rebuilt = place.replayed(&EXECUTE).await;
    assert_eq!(rebuilt["resumed"], 2);
    tell("rebuilt from nothing, gone on twice", &rebuilt);
    assert_same(&place.rows(VIEWS).await, &before);
    println!("{rows} rows are what they were, byte for byte");
    as_it_was(&place, &history).await;
}

/// Rebuilds until so many commits are done, and is then dropped in its midst, as by `kill -9`.
async fn interrupted(place: &Place, commits: u64) -> u64 {
    let done = || {
        let read = std::fs::read(place.checkpoint("waitlist")).ok();
        let state = read.and_then(|it| serde_json::from_slice::<Value>(&it).ok());
        state.map_or(0, |state| state["commits"].as_u64().unwrap())
    };
    let commits = commits.max(done() + 1);
    let enough = async {
        while done() < commits {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        (outcome, said) = place.replay(&EXECUTE) => panic!("not interrupted: {outcome:?} {said}"),
        () = enough => done(),
    }
}

/// The view at the moment in the middle, against a fold of the history itself.
async fn as_it_was(place: &Place, history: &History) {
    let at = history.middle();
    let mut folds: BTreeMap<StreamId, Folding> = BTreeMap::new();
    for commit in history.commits.iter().map(|commit| commit.record()) {
        if let (Some(kind), true) = (Kind::of(&commit.stream), commit.at <= at) {
            let before = folds.remove(&commit.stream);
            let before = before.unwrap_or_else(|| Folding::new(kind, commit.stream.clone()));
            folds.insert(commit.stream.clone(), before.pass(Ok(commit)));
        }
    }
    let begun = Instant::now();
    let said = place
        .replayed(&["--view", "waitlist", "--at", &at.to_string()])
        .await;
    let took = seconds(begun);
    let shown = [("slots", "slotId", "slot"), ("entries", "entryId", "entry")].map(|names| {
        let (member, id, kind) = names;
        let docs = said[member].as_array().unwrap().iter();
        docs.map(|doc| {
            let stream = format!("{kind}#{}", doc[id].as_str().unwrap());
            (stream, (doc["applied"].clone(), doc["state"].clone()))
        })
        .collect::<BTreeMap<_, _>>()
    });
    assert_eq!(shown.iter().map(BTreeMap::len).sum::<usize>(), folds.len());
    for (stream, folding) in folds {
        let rows = folding.end().unwrap().unwrap();
        let doc: Value = serde_json::from_str(&rows.main.doc).unwrap();
        let wanted = (rows.seen.applied.into(), doc["state"].clone());
        let found = shown.iter().find_map(|docs| docs.get(stream.as_str()));
        assert_eq!(found, Some(&wanted), "{stream}");
    }
    println!("as of {at}: every stream as the history had it, shown in {took:.1} s");
}

fn tell(what: &str, said: &Value) {
    let number = |name: &str| said[name].as_f64().unwrap();
    println!(
        "{what}: {:.1} s, {:.0} commits read at {:.0} per second, {:.0} read units",
        number("seconds"),
        number("commits"),
        number("commitsPerSecond"),
        number("readUnits"),
    );
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
