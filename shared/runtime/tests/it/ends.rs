//! Parts of a partition counted, its last items, and the newest commits of a stream.

use callboard_runtime::journal::{Loaded, SNAPSHOT_EVERY};
use callboard_runtime::table::{Span, Table, integer, key, text};
use callboard_testkit::world::VIEWS;
use callboard_testkit::{World, cause, stream_id};

use crate::parcel::{Parcel, ParcelEvent};

async fn filled(items: u32) -> (World, Table) {
    let world = World::open().await;
    let table = Table::new(world.sdk(), VIEWS);
    let numbers: Vec<u32> = (0..items).collect();
    for some in numbers.chunks(100) {
        let put = |number: &u32| {
            let mut item = key("list", &format!("{number:04}"));
            item.insert("n".to_owned(), integer(number));
            table.put(item, None)
        };
        let puts = some.iter().map(put).collect();
        table.write_all(puts).await.expect("written");
    }
    (world, table)
}

#[tokio::test]
async fn a_part_is_counted_between_two_keys_that_need_not_be_there() {
    let (world, table) = filled(250).await;
    let count = async |after, before, most| {
        let span = Span {
            pk: "list",
            after,
            before,
        };
        let count = table.count(span, most).await.expect("counted");
        (count.items, count.more)
    };
    assert_eq!(count(None, None, 1_000).await, (250, false));
    assert_eq!(count(None, Some("0100"), 1_000).await, (100, false));
    assert_eq!(count(Some("0100"), None, 1_000).await, (149, false));
    assert_eq!(count(Some("0009x"), Some("0020"), 1_000).await, (10, false));
    assert_eq!(count(Some("0020"), Some("0009"), 1_000).await, (0, false));
    // At the limit, one below it and one above.
    assert_eq!(count(None, Some("0100"), 100).await, (100, false));
    assert_eq!(count(None, Some("0101"), 100).await, (100, true));
    assert_eq!(count(None, None, 249).await, (249, true));
    world.faults().reset();
    count(None, None, 10).await;
    assert_eq!(world.faults().costs().requests("Query"), 1);
}

#[tokio::test]
async fn the_last_items_come_last_first_and_not_from_before_a_key() {
    let (_world, table) = filled(30).await;
    let last = async |from, most| -> Vec<String> {
        let items = table.last("list", from, most).await.expect("read");
        let sk = |item| text(item, "sk").expect("a key").to_owned();
        items.iter().map(sk).collect()
    };
    assert_eq!(last("0000", 3).await, ["0029", "0028", "0027"]);
    assert_eq!(last("0028", 3).await, ["0029", "0028"]);
    assert!(last("0030", 3).await.is_empty());
}

#[tokio::test]
async fn a_history_holds_the_newest_commits_and_folds_to_the_state_of_a_load() {
    let world = World::open().await;
    let stream = stream_id("parcel#long");
    let journal = world.journal();
    let mut loaded = Loaded::<Parcel>::fresh(stream.clone());
    for number in 0..2 * SNAPSHOT_EVERY + 10 {
        let event = ParcelEvent::Noted(number.to_string());
        let commit = loaded.next(&cause(), world.now()).event(event).build();
        journal
            .append(commit.expect("a commit"))
            .await
            .expect("free");
        loaded = journal.load(&stream).await.expect("loaded");
    }
    let whole = journal.history::<Parcel>(&stream, 500).await.expect("read");
    assert!(whole.whole);
    assert_eq!(
        whole.commits.len(),
        usize::try_from(loaded.number).expect("fits")
    );
    assert_eq!(whole.state(), loaded.state);
    let newest = journal.history::<Parcel>(&stream, 100).await.expect("read");
    assert!(!newest.whole);
    // Behind the snapshot of commit 64, which is the first of the newest hundred of 138.
    assert_eq!(newest.commits.len(), 74);
    assert_eq!(newest.state(), loaded.state);
    let nothing = journal
        .history::<Parcel>(&stream_id("parcel#none"), 10)
        .await;
    let nothing = nothing.expect("read");
    assert!(nothing.whole && nothing.commits.is_empty());
}
