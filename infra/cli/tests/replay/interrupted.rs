//! A rebuild of everything that is stopped and killed on its way.

use std::process::Stdio;
use std::time::Duration;

use callboard_testkit::world::VIEWS;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::history::History;
use crate::place::{Place, assert_same};

/// Commits of the history.
const COMMITS: usize = 4_000;

/// Longest wait for a checkpoint to move on.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A rebuild by the binary, slow enough to be stopped in its midst.
fn rebuilding(place: &Place) -> tokio::process::Child {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_callboard"))
        .args(["replay", "--view", "waitlist", "--execute", "--json"])
        .args(["--segments", "2", "--rate", "2000", "--env-file"])
        .arg(&place.env_file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// How many commits the checkpoint says are done.
fn done(place: &Place) -> u64 {
    let read = std::fs::read(place.checkpoint("waitlist"));
    let state: Option<Value> = read.ok().map(|it| serde_json::from_slice(&it).unwrap());
    state.map_or(0, |state| state["commits"].as_u64().unwrap())
}

async fn moved_on(place: &Place, from: u64) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = done(place);
        if now > from {
            return now;
        }
        assert!(Instant::now() < deadline, "the rebuild does not go on");
        sleep(LOOK_EVERY).await;
    }
}

fn signal(child: &tokio::process::Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let mut kill = std::process::Command::new("kill");
    let sent = kill.args([name, &id]).status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_view_rebuilt_with_a_ctrl_c_and_a_kill_on_the_way_is_the_one_that_was_there() {
    let place = Place::new().await;
    let mut history = History::new(7, 300);
    let transactions = history.more(COMMITS);
    place.append(transactions).await;
    place.project(history.streams()).await;
    let before = place.rows(VIEWS).await;
    assert!(before.len() > history.streams().len());
    place.remove(before.keys().cloned()).await;
    assert!(place.rows(VIEWS).await.is_empty());

    let stopped = rebuilding(&place);
    let first = moved_on(&place, 0).await;
    signal(&stopped, "-INT");
    let stopped = stopped.wait_with_output().await.unwrap();
    assert_eq!(stopped.status.code(), Some(130));
    let said: Value = serde_json::from_slice(&stopped.stdout).unwrap();
    assert!(said["commits"].as_u64().unwrap() >= first, "{said}");
    let part = place.rows(VIEWS).await.len();
    assert!(part > 0 && part < before.len(), "{part} rows");

    let mut killed = rebuilding(&place);
    let second = moved_on(&place, done(&place)).await;
    assert!(second > first);
    signal(&killed, "-KILL");
    assert!(!killed.wait().await.unwrap().success());

    let finished = rebuilding(&place).wait_with_output().await.unwrap();
    assert_eq!(finished.status.code(), Some(0));
    let said: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!(said["resumed"], 2, "{said}");
    // A stream that was open at an interrupt is read again from its beginning.
    let commits = said["commits"].as_u64().unwrap();
    assert!((4_000..8_000).contains(&commits), "{said}");
    assert_same(&place.rows(VIEWS).await, &before);
    assert!(!place.checkpoint("waitlist").exists());
    let again = place.replayed(&["--view", "waitlist"]).await;
    assert_eq!(
        (&again["differ"], &again["commits"]),
        (&0.into(), &4_000.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_another_rebuild_is_not_gone_on_from() {
    let place = Place::new().await;
    let mut history = History::new(8, 40);
    let transactions = history.more(300);
    place.append(transactions).await;
    place.project(history.streams()).await;
    let file = place.checkpoint("waitlist");
    std::fs::write(&file, "{").unwrap();
    let execute = ["--view", "waitlist", "--execute"];
    let (outcome, _) = place.replay(&execute).await;
    assert_eq!(outcome.unwrap_err().exit_code(), 5);
    let said = place
        .replayed(&[&execute[..], &["--restart"]].concat())
        .await;
    assert_eq!(
        (&said["resumed"], &said["commits"]),
        (&0.into(), &300.into())
    );
    assert!(!file.exists());
}
