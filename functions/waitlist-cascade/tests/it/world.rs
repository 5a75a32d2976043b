//! A waitlist in the engine: its tables, its queue, and what happened on it so far.

use aws_config::SdkConfig;
use callboard_contracts::stream::Fold;
use callboard_contracts::view::{
    self, SlotView, candidate_sort_key, candidates_key, front_key, front_sort_key, open_slots_key,
};
use callboard_contracts::waitlist::{
    EntryJoined, OverrideReason, Preferences, RankOverridden, RankTo, SlotReleased, Terms, Urgency,
};
use callboard_contracts::{Cause, EntryId, SlotId, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::{Entry, Slot, Timing};
use callboard_runtime::function::Service;
use callboard_runtime::journal::{Journal, Loaded};
use callboard_runtime::settings::Vars;
use callboard_runtime::table::{self, Table};
use callboard_testkit::{DeadLetter, Faults, Measured, World as Kit, failed};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use tower::ServiceExt;
use waitlist_cascade::advance::Deps;
use waitlist_cascade::look_up::Views;

/// When every story begins.
pub const START: &str = "2026-03-02T09:00:00.000Z";
/// When `slot-0900` is released, as the samples have it.
pub const RELEASED: &str = "2026-03-02T10:00:00.000Z";
pub const WAITLIST: &str = "w-physio";

/// Rounds of delivery before a test gives up; a FIFO group of four poison records takes four.
const ROUNDS_MAX: usize = 12;

pub struct World {
    pub faults: Faults,
    pub sdk: SdkConfig,
    pub clock: callboard_runtime::Clock,
    pub journal: Journal,
    pub vars: Vars,
    views: Table,
    kit: Kit,
    service: Service,
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn entry(id: &str) -> EntryId {
    EntryId::parse(id).expect("an id")
}

pub fn slot(id: &str) -> SlotId {
    SlotId::parse(id).expect("an id")
}

pub fn waitlist() -> WaitlistId {
    WaitlistId::parse(WAITLIST).expect("an id")
}

pub fn cause() -> Cause {
    Cause {
        causation_id: "test".to_owned(),
        correlation_id: "test".to_owned(),
        hash: "test".to_owned(),
        traceparent: None,
    }
}

/// One of this function's samples.
pub fn sample(case: &str) -> Value {
    callboard_testkit::sample("waitlist-cascade", case)
}

impl World {
    /// An empty waitlist at [`START`].
    pub async fn new() -> Self {
        let kit = Kit::starting_at(time(START)).await;
        let sdk = callboard_testkit::interleaved(kit.sdk());
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        let queues = kit.queue("waitlist-cascade.fifo").await;
        let vars = [
            ("JOURNAL_TABLE", "journal"),
            ("VIEWS_TABLE", "views"),
            ("QUEUE_URL", &queues.url),
            ("DLQ_URL", &queues.dlq_url),
            ("FUNCTION_NAME", "waitlist-cascade"),
            ("HOLD_GRACE_SECONDS", "5"),
            ("SECOND_LOOK_SECONDS", "30"),
        ];
        let vars: Vars = vars
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        Self {
            faults: kit.faults().clone(),
            service: waitlist_cascade::build(&vars, &sdk).await.expect("built"),
            clock: callboard_runtime::Clock::from_sdk(&sdk),
            journal: Journal::new(dynamodb, "journal"),
            views: Table::new(&sdk, "views"),
            vars,
            kit,
            sdk,
        }
    }

    /// Ada, Ben and Cid wait since a minute after another; `slot-0900` is released at ten.
    pub async fn with_three_waiting() -> Self {
        let world = Self::new().await;
        for (minute, id) in ["entry-ada", "entry-ben", "entry-cid"].iter().enumerate() {
            world
                .go_to(&format!("2026-03-02T09:0{}:00.000Z", minute + 1))
                .await;
            world.join(id, Urgency::Routine).await;
        }
        world.go_to(RELEASED).await;
        world.release("slot-0900").await;
        world
    }

    pub fn deps(&self) -> Deps {
        Deps {
            journal: self.journal.clone(),
            views: Views::new(self.views.clone()),
            timing: Timing::default(),
            clock: self.clock.clone(),
        }
    }

    /// Lets time pass until `moment`.
    pub async fn go_to(&self, moment: &str) {
        tokio::time::advance(time(moment).since(self.clock.now())).await;
    }

    /// Joins, and shows it in the views.
    pub async fn join(&self, id: &str, urgency: Urgency) {
        self.join_unseen(id, urgency).await;
        self.show_candidate(id, urgency, None).await;
    }

    /// Joins; the projector has not seen it yet.
    pub async fn join_unseen(&self, id: &str, urgency: Urgency) {
        self.join_wishing(id, urgency, Preferences::default(), false)
            .await;
    }

    /// Joins with wishes; the projector has not seen it yet.
    pub async fn join_wishing(
        &self,
        id: &str,
        urgency: Urgency,
        preferences: Preferences,
        auto_accept: bool,
    ) {
        let loaded = self.entry(id).await;
        let joined = EntryJoined {
            waitlist_id: waitlist(),
            entry_id: entry(id),
            recipient_id: format!("usr-{id}").parse().expect("an id"),
            service: "physio".to_owned(),
            urgency,
            preferences,
            auto_accept,
            proxy_id: None,
        };
        self.commit(&loaded, [joined]).await;
    }

    /// The candidate's row, as the projector writes it.
    pub async fn show_candidate(&self, id: &str, urgency: Urgency, busy: Option<Timestamp>) {
        let loaded = self.entry(id).await;
        let joined_at = loaded.state.facts.expect("joined").joined_at;
        let doc = view::Candidate {
            entry_id: entry(id),
            joined_at,
            urgency,
            offered_until: busy,
            overridden_at: None,
        };
        let pk = candidates_key(&waitlist(), "physio", urgency);
        let sk = candidate_sort_key(joined_at, &entry(id));
        let doc = serde_json::to_string(&doc).expect("JSON");
        self.row(&pk, &sk, &doc).await;
    }

    /// Staff move an entry to the front; its row moves to the front's class.
    pub async fn to_the_front(&self, id: &str, urgency: Urgency) {
        let loaded = self.entry(id).await;
        let moved = RankOverridden {
            waitlist_id: waitlist(),
            entry_id: entry(id),
            to: RankTo::Front,
            reason: OverrideReason::Clinical,
        };
        self.commit(&loaded, [moved]).await;
        let joined_at = loaded.state.facts.expect("joined").joined_at;
        let at = self.clock.now();
        let doc = view::Candidate {
            entry_id: entry(id),
            joined_at,
            urgency,
            offered_until: None,
            overridden_at: Some(at),
        };
        let pk = front_key(&waitlist(), "physio");
        let sk = front_sort_key(at, joined_at, &entry(id));
        let doc = serde_json::to_string(&doc).expect("JSON");
        self.row(&pk, &sk, &doc).await;
    }

    async fn row(&self, pk: &str, sk: &str, doc: &str) {
        let mut item = table::key(pk, sk);
        item.insert("doc".to_owned(), table::string(doc));
        item.insert(
            "as_of".to_owned(),
            table::integer(self.clock.now().as_millis()),
        );
        let put = self.views.put(item, None);
        self.views.write_all(vec![put]).await.expect("written");
    }

    pub async fn release(&self, id: &str) {
        self.release_on(id, None).await;
    }

    /// Releases a slot with the policy that holds for it.
    pub async fn release_on(&self, id: &str, terms: Option<Terms>) {
        self.release_at(id, "2026-03-02T15:00:00.000Z", terms).await;
    }

    /// Releases a slot that starts at this moment.
    pub async fn release_at(&self, id: &str, starts_at: &str, terms: Option<Terms>) {
        let loaded = self.slot(id).await;
        let released = SlotReleased {
            waitlist_id: waitlist(),
            slot_id: slot(id),
            slot_version: loaded.state.version() + 1,
            service: "physio".to_owned(),
            starts_at: time(starts_at),
            ends_at: time(starts_at).plus(std::time::Duration::from_secs(1_800)),
            offer_window_seconds: 1_800,
            location: None,
            provider: None,
            zone: None,
            external_id: None,
            terms,
            swap_depth: 0,
        };
        self.commit(&loaded, [released]).await;
    }

    /// The row of an open slot, as the projector writes it.
    pub async fn show_open(&self, id: &str) {
        let facts = self.slot(id).await.state.facts.expect("released");
        let doc = SlotView {
            slot_id: slot(id),
            waitlist_id: waitlist(),
            state: "open".to_owned(),
            location: None,
            provider: None,
            zone: None,
            slot_version: facts.version,
            service: facts.service,
            starts_at: facts.starts_at,
            ends_at: facts.ends_at,
            entry_id: None,
            offer_id: None,
            expires_at: None,
            offers: 0,
            offered_at: None,
            tallies: Vec::new(),
        };
        let doc = serde_json::to_string(&doc).expect("JSON");
        let pk = open_slots_key(&waitlist(), "physio");
        self.row(&pk, &format!("slot#{id}"), &doc).await;
    }

    pub async fn commit<S: Fold, E: Into<S::Event>>(
        &self,
        loaded: &Loaded<S>,
        events: impl IntoIterator<Item = E>,
    ) {
        let commit = loaded.next(&cause(), self.clock.now()).events(events);
        let commit = commit.build().expect("a commit");
        self.journal.append(commit).await.expect("appended");
    }

    pub async fn slot(&self, id: &str) -> Loaded<Slot> {
        let stream = StreamId::slot(&slot(id));
        self.journal.load(&stream).await.expect("loaded")
    }

    pub async fn entry(&self, id: &str) -> Loaded<Entry> {
        let stream = StreamId::entry(&entry(id));
        self.journal.load(&stream).await.expect("loaded")
    }

    /// Who the slot is held for.
    pub async fn holder(&self, id: &str) -> Option<String> {
        let slot = self.slot(id).await.state;
        slot.held().first().map(|held| held.entry_id.to_string())
    }

    /// The event types of a stream, commit by commit.
    pub async fn history(&self, stream: &str) -> Vec<Vec<String>> {
        let stream = StreamId::try_from(stream.to_owned()).expect("a stream");
        let commits = self.journal.read(&stream, 1).await.expect("read");
        let short = |event_type: &str| {
            let name = event_type.rsplit('.').nth(1).expect("a name");
            name.to_owned()
        };
        let commits = commits.iter().map(|commit| {
            let events = commit.events.iter();
            events.map(|event| short(&event.event_type)).collect()
        });
        commits.collect()
    }

    /// From here on, what the function tells CloudWatch.
    pub fn measure(&mut self) -> Measured {
        let (service, measured) = Measured::of(self.service.clone(), self.clock.clone());
        self.service = service;
        measured
    }

    /// One invocation; gives the ids that come back.
    pub async fn invoke(&self, event: &Value) -> Vec<String> {
        let event = LambdaEvent::new(event.clone(), Context::default());
        let answer = self.service.clone().oneshot(event).await.expect("answer");
        failed(&answer)
    }

    /// Invokes with what came back, again and again, until nothing does.
    pub async fn deliver(&self, event: &Value) {
        let mut records = event["Records"].as_array().expect("records").clone();
        for _ in 0..ROUNDS_MAX {
            let back = self
                .invoke(&serde_json::json!({ "Records": records }))
                .await;
            let is_back = |record: &Value| back.iter().any(|id| record["messageId"] == **id);
            records.retain(is_back);
            if records.is_empty() {
                return;
            }
        }
        panic!("{} records never ended", records.len());
    }

    /// Reason and body of every dead letter.
    pub async fn dead_letters(&self) -> Vec<(String, String)> {
        let letters = self.kit.dead_letters(&self.vars["DLQ_URL"]).await;
        let parts = |letter: DeadLetter| (letter.reason, letter.body);
        letters.into_iter().map(parts).collect()
    }
}
