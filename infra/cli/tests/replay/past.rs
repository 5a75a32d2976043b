//! Views as they were at a time, and tables of their own.

use callboard_testkit::world::VIEWS;
use serde_json::Value;

use crate::history::History;
use crate::place::{Place, Rows, assert_same};

/// What a projector makes of the first half of a history, and the whole one.
struct Past {
    place: Place,
    history: History,
    then: Rows,
    at: String,
}

async fn past(seed: u64) -> Past {
    let (place, before) = (Place::new().await, Place::new().await);
    let mut history = History::new(seed, 120);
    let transactions = history.more(2_000);
    let at = history.middle();
    let was = transactions.iter().map(|transaction| {
        let then = transaction.iter().filter(|it| it.record().at <= at);
        then.cloned().collect::<Vec<_>>()
    });
    let was: Vec<_> = was.filter(|then| !then.is_empty()).collect();
    let streams: std::collections::BTreeSet<_> =
        was.iter().flatten().map(|it| it.stream().clone()).collect();
    before.append(was).await;
    let shown = history.streams();
    before
        .project(streams.into_iter().filter(|it| shown.contains(it)))
        .await;
    place.append(transactions).await;
    place.project(history.streams()).await;
    Past {
        then: before.rows(VIEWS).await,
        at: at.to_string(),
        place,
        history,
    }
}

fn main_docs(rows: &Rows, kind: &str) -> Vec<Value> {
    let main = rows
        .iter()
        .filter(|((pk, sk), _)| sk == "view" && pk.starts_with(kind));
    let docs = main.map(|(_, item)| serde_json::from_str(item["doc"].as_s().unwrap()).unwrap());
    docs.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_shown_as_it_was_and_only_what_was_asked_for() {
    let Past {
        place, then, at, ..
    } = past(31).await;
    let now = place.rows(VIEWS).await;
    assert_ne!(then, now);
    let said = place.replayed(&["--view", "waitlist", "--at", &at]).await;
    for (kind, member, id) in [
        ("slot#", "slots", "slotId"),
        ("entry#", "entries", "entryId"),
    ] {
        let mut wanted = main_docs(&then, kind);
        wanted.sort_by_key(|doc| doc[id].as_str().unwrap().to_owned());
        let mut shown = said[member].as_array().unwrap().clone();
        assert_eq!(shown.len(), wanted.len());
        for (shown, wanted) in shown.iter_mut().zip(&wanted) {
            let shown = shown.as_object_mut().unwrap();
            let applied = shown.remove("applied").unwrap();
            assert!(applied.as_u64() > Some(0) && shown.remove("asOf").is_some());
            assert_eq!(Some(&*shown), wanted.as_object());
        }
    }
    let said = place
        .replayed(&["--view", "slots", "--at", &at, "--waitlist", "w-3"])
        .await;
    let slots = said["slots"].as_array().unwrap();
    assert!(!slots.is_empty() && slots.iter().all(|slot| slot["waitlistId"] == "w-3"));
    assert_eq!(said["entries"].as_array().map(Vec::len), Some(0));
    let stream = format!("slot#{}", slots[0]["slotId"].as_str().unwrap());
    let one = place
        .replayed(&["--view", "slots", "--at", &at, "--stream", &stream])
        .await;
    assert_eq!(one["slots"].as_array().unwrap()[..], slots[..1]);
    let args = place.typed(&["--view", "slots", "--at", &at, "--stream", &stream]);
    let mut out = Vec::new();
    callboard_cli::replay::run_to(&args, &mut out)
        .await
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with(&format!("slots at {at}\n\nSLOT ")),
        "{text}"
    );
    assert_same(&place.rows(VIEWS).await, &now);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_table_gets_the_view_as_it_was_and_then_as_it_is() {
    let Past {
        place,
        history,
        then,
        at,
    } = past(32).await;
    let now = place.rows(VIEWS).await;
    let into = ["--view", "waitlist", "--into", "views-then"];
    let back = [&into[..], &["--at", &at]].concat();
    let (outcome, said) = place.replay(&back).await;
    assert_eq!(outcome.unwrap_err().exit_code(), 9);
    assert_eq!(
        (&said["made"], said["rowsWrong"].as_u64()),
        (&true.into(), Some(then.len() as u64))
    );
    let described = place.dynamodb.describe_table().table_name("views-then");
    assert!(described.send().await.is_err(), "a look makes no table");

    let said = place.replayed(&[&back[..], &["--execute"]].concat()).await;
    assert_eq!(
        (&said["made"], &said["at"]),
        (&true.into(), &at.as_str().into())
    );
    assert_same(&place.rows("views-then").await, &then);
    place.replayed(&back).await;
    let said = place.replayed(&[&into[..], &["--execute"]].concat()).await;
    assert_eq!(said["made"], false);
    assert_same(&place.rows("views-then").await, &now);
    // And back again: streams that had not begun are taken out.
    assert!(history.streams().len() > main_docs(&then, "").len());
    place.replayed(&[&back[..], &["--execute"]].concat()).await;
    assert_same(&place.rows("views-then").await, &then);
    assert_same(&place.rows(VIEWS).await, &now);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_something_else_and_the_live_one_are_refused() {
    let place = Place::new().await;
    for (table, code) in [("views", 2), ("journal", 2), ("contacts", 1)] {
        if table == "contacts" {
            let put = place.dynamodb.put_item().table_name(table);
            let item = callboard_runtime::table::key("recipient#usr-1", "contact");
            put.set_item(Some(item)).send().await.unwrap();
        }
        let before = place.rows("contacts").await;
        let (outcome, _) = place
            .replay(&["--view", "slots", "--into", table, "--execute"])
            .await;
        let error = outcome.unwrap_err();
        assert_eq!(error.exit_code(), code, "{table}: {error}");
        assert_same(&place.rows("contacts").await, &before);
    }
    let (outcome, _) = place
        .replay(&["--view", "slots", "--at", "2h", "--execute"])
        .await;
    let error = outcome.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("not set back"), "{error}");
}
