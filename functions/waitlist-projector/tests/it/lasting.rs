//! Which rows are written for the figures, and which a rebuild finds.

use callboard_contracts::figures::Figure;
use callboard_contracts::waitlist::{EntryEvent, OverrideReason, RankTo, SlotEvent};
use callboard_runtime::clock::Clock;
use callboard_runtime::table::{self, Item};
use serde_json::json;
use waitlist_projector::kind::{Kind, View};
use waitlist_projector::rebuild::{Folded, Rebuild, Tally};
use waitlist_projector::rows::{Extent, Standing, swap};
use waitlist_projector::view::Key;

use crate::events::{accepted, filled, overridden};
use crate::world::{
    ENTRY, SLOT, World, declined, figures, held, joined, minutes, offered, project_both, released,
    stream, withdrawn,
};

/// A morning: a slot of two versions, an entry that was moved, offered and booked.
async fn morning() -> World {
    let world = World::new().await;
    world.entry([joined()]).await;
    world.slot([released(1, "physio")]).await;
    project_both(&world).await;
    world.slot([held("entry-x", "offer-0")]).await;
    world.slot([declined("offer-0")]).await;
    world
        .entry([overridden(RankTo::Front, OverrideReason::Clinical)])
        .await;
    minutes(5).await;
    project_both(&world).await;
    world.slot([held("entry-ada", "offer-1")]).await;
    world.entry([offered()]).await;
    project_both(&world).await;
    world.slot([filled("offer-1", false)]).await;
    world.entry([accepted()]).await;
    project_both(&world).await;
    world.slot([released(2, "physio")]).await;
    world
}

#[tokio::test(start_paused = true)]
async fn rows_written_step_by_step_are_those_of_one_look_at_the_end() {
    let (steps, once) = (morning().await, morning().await);
    project_both(&steps).await;
    once.remove_all().await;
    project_both(&once).await;
    assert_eq!(steps.rows().await, once.rows().await);
    assert_eq!(figures(&steps).await.len(), 4);
    for (_, figure) in figures(&steps).await {
        serde_json::from_value::<Figure>(figure).expect("a figure");
    }
}

fn rebuild(world: &World, write: bool) -> Rebuild {
    Rebuild {
        deps: world.deps.clone(),
        until: None,
        live: true,
        write,
        clock: Clock::from_sdk(&world.sdk),
    }
}

async fn settled(world: &World, write: bool) -> Tally {
    let mut folded = Vec::new();
    for (of, kind) in [(SLOT, Kind::Slot), (ENTRY, Kind::Entry)] {
        let rows = kind.load(&world.deps.journal, &stream(of), None).await;
        folded.push(Folded {
            stream: stream(of),
            kind,
            rows,
        });
    }
    let rebuild = rebuild(world, write);
    let mut tally = rebuild.settle(folded).await.expect("settled");
    let items = world.items().await;
    tally.add(rebuild.sweep(View::Waitlist, &items).await.expect("swept"));
    tally
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_finds_the_rows_as_they_should_be_and_mends_one_that_is_not() {
    let world = morning().await;
    project_both(&world).await;
    minutes(2).await;
    let right = Tally {
        streams: 2,
        ..Tally::default()
    };
    assert_eq!(settled(&world, false).await, right);
    let rows = world.rows().await;
    let views = &world.deps.views;
    // One that the slot's next commit would not write again, one of nobody, one away.
    let key = ("figures#w-physio#2026-03-02", "slot#slot-0900#1");
    let wrong = lasting(key, r#"{"of":"slot","filled":9}"#);
    let stray = lasting(("figures#w-physio#waiting", "1#entry-ada"), "{}");
    views
        .write_all(vec![
            views.put(wrong, None),
            views.put(stray, None),
            views.remove("figures#w-physio#2026-03-02", "entry#entry-ada", None),
        ])
        .await
        .expect("written");
    let found = settled(&world, true).await;
    assert_eq!((found.rows_wrong, found.rows_stale), (2, 1));
    assert_eq!(world.rows().await, rows);
    assert_eq!(settled(&world, false).await, right);
}

#[tokio::test(start_paused = true)]
async fn rows_whose_document_stays_are_not_written_again() {
    let world = morning().await;
    project_both(&world).await;
    let key = ("figures#w-physio#2026-03-02", "slot#slot-0900#1");
    let marked = lasting(key, r#"{"of":"marked"}"#);
    let views = &world.deps.views;
    views
        .write_all(vec![views.put(marked, None)])
        .await
        .expect("written");
    world.slot([withdrawn()]).await;
    let figures = figures(&world).await;
    assert_eq!(figures[2].1, json!({ "of": "marked" }), "{figures:?}");
    assert_eq!(figures[3].1["withdrawn"], 1);
}

/// The writes of the next update of a stream's views, and of these those of figures. Each is of an
/// item of up to 1 KB in a transaction: two write units.
async fn writes(world: &World, of: &str, kind: Kind) -> (usize, usize) {
    let views = &world.deps.views;
    let main = Key::of(&stream(of));
    let before = views.get(&main.pk, &main.sk).await.expect("read");
    let before = before.as_ref().map(Standing::of);
    let rows = kind.load(&world.deps.journal, &stream(of), None).await;
    let rows = rows.expect("loaded").expect("rows");
    for row in rows.all() {
        let item = rows.item(row);
        let bytes = item.iter().map(|(name, value)| {
            let value = value.as_s().map_or(21, String::len);
            name.len() + value
        });
        let bytes: usize = bytes.sum();
        assert!(bytes < 1_024, "{row:?} has {bytes} bytes");
    }
    let of = (kind, &main);
    let all = swap(
        views,
        of,
        before.as_ref(),
        Some(&rows),
        &[],
        Extent::Changed,
    );
    project_both(world).await;
    let of_figures = all.iter().filter(|write| {
        let put = write.put().map(|put| put.item());
        let key = put.or_else(|| write.delete().map(|delete| delete.key()));
        let pk = key.and_then(|key| table::text(key, "pk"));
        pk.is_some_and(|pk| pk.starts_with("figures#"))
    });
    (all.len(), of_figures.count())
}

#[tokio::test(start_paused = true)]
async fn an_update_writes_as_many_items_as_the_readme_says() {
    let world = World::new().await;
    let slot = async |events: Vec<SlotEvent>| {
        world.slot(events).await;
        writes(&world, SLOT, Kind::Slot).await
    };
    let entry = async |events: Vec<EntryEvent>| {
        world.entry(events).await;
        writes(&world, ENTRY, Kind::Entry).await
    };
    assert_eq!(entry(vec![joined()]).await, (4, 1));
    assert_eq!(slot(vec![released(1, "physio")]).await, (5, 1));
    assert_eq!(slot(vec![held("entry-ada", "offer-1")]).await, (6, 1));
    assert_eq!(entry(vec![offered()]).await, (4, 0));
    minutes(1).await;
    assert_eq!(
        slot(vec![declined("offer-1"), held("entry-x", "offer-2")]).await,
        (6, 1)
    );
    let front = overridden(RankTo::Front, OverrideReason::Clinical);
    assert_eq!(entry(vec![front]).await, (6, 1));
    assert_eq!(slot(vec![filled("offer-2", false)]).await, (4, 1));
    assert_eq!(slot(vec![released(2, "physio")]).await, (5, 1));
    assert_eq!(entry(vec![accepted()]).await, (7, 2));
}

/// A row that does not say what it has seen.
fn lasting((pk, sk): (&str, &str), doc: &str) -> Item {
    let mut item = table::key(pk, sk);
    item.insert("doc".to_owned(), table::string(doc));
    item
}
