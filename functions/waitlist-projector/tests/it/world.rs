//! A journal with streams in it, the table of views, and the function between them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_contracts::waitlist::{
    EntryEvent, EntryJoined, HoldEnd, HoldReleased, OfferMade, SlotEvent, SlotHeld, SlotReleased,
    SlotWithdrawn, Urgency,
};
use callboard_contracts::{Cause, DomainEvent, Fold, StreamId, Timestamp};
use callboard_domain::waitlist::{Entry, Slot};
use callboard_runtime::function::Service;
use callboard_runtime::journal::Journal;
use callboard_runtime::settings::Vars;
use callboard_runtime::table::{self, Table};
use callboard_testkit::{World as Kit, failed};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use tower::ServiceExt;
use waitlist_projector::projection::{self, Deps};

/// When every story begins.
pub const START: &str = "2026-03-02T10:00:00.000Z";

pub struct World {
    pub sdk: SdkConfig,
    pub vars: Vars,
    pub clock: callboard_runtime::Clock,
    pub deps: Deps,
    kit: Kit,
    dynamodb: aws_sdk_dynamodb::Client,
    service: Service,
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn stream(text: &str) -> StreamId {
    StreamId::try_from(text.to_owned()).expect("a stream")
}

pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

/// One of this function's samples.
pub fn sample(case: &str) -> Value {
    callboard_testkit::sample("waitlist-projector", case)
}

pub fn released(version: u32, service: &str) -> SlotEvent {
    SlotReleased {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: version,
        service: service.to_owned(),
        starts_at: time("2026-03-02T15:00:00.000Z"),
        ends_at: time("2026-03-02T15:30:00.000Z"),
        offer_window_seconds: 1_800,
        location: None,
        provider: None,
        zone: None,
        external_id: None,
        terms: None,
        swap_depth: 0,
    }
    .into()
}

pub fn held(entry: &str, offer: &str) -> SlotEvent {
    SlotHeld {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        offer_id: id(offer),
        entry_id: id(entry),
        expires_at: time("2026-03-02T10:30:00.000Z"),
        as_of: None,
        draw: None,
    }
    .into()
}

pub fn declined(offer: &str) -> SlotEvent {
    HoldReleased {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        offer_id: id(offer),
        reason: HoldEnd::Declined,
    }
    .into()
}

pub fn withdrawn() -> SlotEvent {
    SlotWithdrawn {
        waitlist_id: id("w-physio"),
        slot_id: id("slot-0900"),
        slot_version: 1,
    }
    .into()
}

pub fn joined() -> EntryEvent {
    EntryJoined {
        waitlist_id: id("w-physio"),
        entry_id: id("entry-ada"),
        recipient_id: id("usr-ada"),
        service: "physio".to_owned(),
        urgency: Urgency::Soon,
        preferences: callboard_contracts::waitlist::Preferences::default(),
        auto_accept: false,
        proxy_id: None,
    }
    .into()
}

pub fn offered() -> EntryEvent {
    OfferMade {
        waitlist_id: id("w-physio"),
        entry_id: id("entry-ada"),
        recipient_id: id("usr-ada"),
        offer_id: id("offer-1"),
        slot_id: id("slot-0900"),
        slot_version: 1,
        service: "physio".to_owned(),
        starts_at: time("2026-03-02T15:00:00.000Z"),
        ends_at: time("2026-03-02T15:30:00.000Z"),
        expires_at: time("2026-03-02T10:30:00.000Z"),
        zone: None,
        proxy_id: None,
        batch: None,
        skip_limit: None,
        score: None,
        gives_up_starts_at: None,
    }
    .into()
}

impl World {
    /// An empty journal and no views.
    pub async fn new() -> Self {
        let kit = Kit::starting_at(time(START)).await;
        let sdk = callboard_testkit::interleaved(kit.sdk());
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        let queues = kit.queue("waitlist-projector").await;
        let vars = [
            ("JOURNAL_TABLE", "journal".to_owned()),
            ("VIEWS_TABLE", "views".to_owned()),
            ("QUEUE_URL", queues.url),
            ("DLQ_URL", queues.dlq_url),
            ("FUNCTION_NAME", "waitlist-projector".to_owned()),
        ];
        let vars: Vars = vars.map(|(name, value)| (name.to_owned(), value)).into();
        let deps = Deps {
            journal: Journal::new(dynamodb.clone(), "journal"),
            views: Table::new(&sdk, "views"),
        };
        Self {
            service: waitlist_projector::build(&vars, &sdk).await.expect("built"),
            clock: callboard_runtime::Clock::from_sdk(&sdk),
            deps,
            sdk,
            vars,
            kit,
            dynamodb,
        }
    }

    /// Ada waits, and `slot-0900` is released and offered to her.
    pub async fn with_an_offer() -> Self {
        let world = Self::new().await;
        world.entry([joined()]).await;
        world.slot([released(1, "physio")]).await;
        world.slot([held("entry-ada", "offer-1")]).await;
        world.entry([offered()]).await;
        world
    }

    /// One commit to `slot-0900`.
    pub async fn slot(&self, events: impl IntoIterator<Item = SlotEvent>) {
        self.commit::<Slot>("slot#slot-0900", events).await;
    }

    /// One commit to `entry-ada`.
    pub async fn entry(&self, events: impl IntoIterator<Item = EntryEvent>) {
        self.commit::<Entry>("entry#entry-ada", events).await;
    }

    async fn commit<S: Fold>(&self, id: &str, events: impl IntoIterator<Item = S::Event>)
    where
        S::Event: DomainEvent,
    {
        let cause = Cause {
            causation_id: "test".to_owned(),
            correlation_id: "test".to_owned(),
            hash: "test".to_owned(),
            traceparent: None,
        };
        let loaded = self
            .deps
            .journal
            .load::<S>(&stream(id))
            .await
            .expect("loaded");
        let commit = loaded.next(&cause, self.clock.now()).events(events);
        let commit = commit.build().expect("a commit");
        self.deps.journal.append(commit).await.expect("appended");
    }

    /// One invocation; gives the number of records that come back.
    pub async fn invoke(&self, event: &Value) -> usize {
        let event = LambdaEvent::new(event.clone(), Context::default());
        let answer = self.service.clone().oneshot(event).await.expect("answer");
        failed(&answer).len()
    }

    /// Everything in the table: `pk sk` → document, with what it has seen; zeros if it does not say.
    pub async fn rows(&self) -> BTreeMap<String, (Value, u64, i64)> {
        let row = |item: table::Item| {
            let text = |name| table::text(&item, name).expect("text").to_owned();
            let doc = serde_json::from_str(&text("doc")).expect("JSON");
            let applied = table::number(&item, "applied").unwrap_or_default();
            let as_of = table::number(&item, "as_of").unwrap_or_default();
            (
                format!("{} {}", text("pk"), text("sk")),
                (doc, applied, as_of),
            )
        };
        self.items().await.into_iter().map(row).collect()
    }

    /// Everything in the table.
    pub async fn items(&self) -> Vec<table::Item> {
        let scan = self
            .dynamodb
            .scan()
            .table_name("views")
            .consistent_read(true);
        let answer = scan.send().await.expect("scanned");
        answer.items.unwrap_or_default()
    }

    /// Takes every row away.
    pub async fn remove_all(&self) {
        let views = &self.deps.views;
        let rows = self.rows().await;
        let keys = rows
            .keys()
            .map(|key| key.split_once(' ').expect("two parts"));
        let removes = keys.map(|(pk, sk)| views.remove(pk, sk, None)).collect();
        views.write_all(removes).await.expect("removed");
        assert!(self.rows().await.is_empty());
    }

    /// Whether the journal holds anything of the stream.
    pub async fn has(&self, id: &str) -> bool {
        let read = self.deps.journal.read(&stream(id), 1).await;
        !read.expect("read").is_empty()
    }

    /// The keys of everything in the table.
    pub async fn keys(&self) -> Vec<String> {
        self.rows().await.into_keys().collect()
    }

    /// The reasons of the dead letters, sorted.
    pub async fn dead_letters(&self) -> Vec<String> {
        let letters = self.kit.dead_letters(&self.vars["DLQ_URL"]).await;
        let mut reasons: Vec<_> = letters.into_iter().map(|letter| letter.reason).collect();
        reasons.sort();
        reasons
    }
}

pub const SLOT: &str = "slot#slot-0900";
pub const ENTRY: &str = "entry#entry-ada";

pub async fn project_both(world: &World) {
    for of in [SLOT, ENTRY] {
        if world.has(of).await {
            let projected = projection::run(&world.deps, &stream(of), None).await;
            projected.expect("projected");
        }
    }
}

/// The contributions by key, once all is projected.
pub async fn figures(world: &World) -> Vec<(String, Value)> {
    project_both(world).await;
    let rows = world.rows().await.into_iter();
    let rows = rows.filter_map(|(key, (doc, ..))| {
        Some((key.strip_prefix("figures#w-physio#")?.to_owned(), doc))
    });
    rows.collect()
}

pub async fn minutes(count: u64) {
    tokio::time::advance(Duration::from_secs(60 * count)).await;
}
