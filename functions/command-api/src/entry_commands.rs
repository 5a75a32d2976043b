//! What is done to an entry that waits: the person leaves, rests, comes back or wishes something
//! else, and staff change its rank.
//!
//! Whoever leaves or rests declines a standing offer with that, and the slot is free for the next
//! at once: both streams are written in one transaction.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::waitlist::{OverrideReason, RankTo};
use callboard_contracts::{Cause, EntryId, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::cascade::{self, Both};
use callboard_domain::waitlist::entry::{self, Entry};
use callboard_domain::waitlist::slot::Slot;
use callboard_domain::waitlist::{Refusal, RefusalKind};
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path};
use callboard_runtime::journal::{Commit, Loaded};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{
    Done, TRIES_MAX, cause_of, commit_name, commit_problem, entry_commit, lost_race, refused,
    slot_commit, unavailable,
};
use crate::idempotency::Keyed;
use crate::wishes::{WishesBody, refused_entry};
use crate::{App, Deps};

pub(crate) type InPath = Path<(String, String)>;

/// What a person may ask for by a link as well as by staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Asked {
    Pause,
    Resume,
    Leave,
}

pub(crate) async fn leave(
    State(deps): App,
    path: InPath,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Result<Done, Problem> {
    ask(&deps, Asked::Leave, path, &facts, &headers).await
}

pub(crate) async fn pause(
    State(deps): App,
    path: InPath,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Result<Done, Problem> {
    ask(&deps, Asked::Pause, path, &facts, &headers).await
}

pub(crate) async fn resume(
    State(deps): App,
    path: InPath,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Result<Done, Problem> {
    ask(&deps, Asked::Resume, path, &facts, &headers).await
}

/// Does what is asked for the entry that `path` names.
pub(crate) async fn ask(
    deps: &Arc<Deps>,
    asked: Asked,
    path: InPath,
    facts: &RequestFacts,
    headers: &HeaderMap,
) -> Result<Done, Problem> {
    let name = match asked {
        Asked::Pause => "pause",
        Asked::Resume => "resume",
        Asked::Leave => "leave",
    };
    let (at, timing) = (facts.received_at, &deps.timing);
    let command = Command::read(path, name, facts, headers, &Value::Null)?;
    command
        .run(deps, |slot, entry| match asked {
            Asked::Pause => cascade::pause(slot, entry, timing, at),
            Asked::Resume => entry::resume(entry, timing, at).map(entry_alone),
            Asked::Leave => cascade::leave(slot, entry, at),
        })
        .await
}

pub(crate) async fn change_preferences(
    State(deps): App,
    path: InPath,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { parsed, value }: JsonBody<WishesBody>,
) -> Result<Done, Problem> {
    let command = Command::read(path, "preferences", &facts, &headers, &value)?;
    let at = facts.received_at;
    let wishes = parsed.check(&deps).await?;
    command
        .run(&deps, |_, entry| {
            entry::change_preferences(entry, &wishes, &deps.timing, at).map(entry_alone)
        })
        .await
}

/// A rank is changed for a reason, and by a code: what staff would write of a person must not
/// stand in the journal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "OverrideRank")]
pub(crate) struct OverrideBody {
    /// Where the entry is moved to.
    to: RankTo,
    /// Why.
    reason: OverrideReason,
}

pub(crate) async fn override_rank(
    State(deps): App,
    path: InPath,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { parsed, value }: JsonBody<OverrideBody>,
) -> Result<Done, Problem> {
    let command = Command::read(path, "override", &facts, &headers, &value)?;
    let at = facts.received_at;
    command
        .run(&deps, |_, entry| {
            entry::override_rank(entry, parsed.to, parsed.reason, &deps.timing, at).map(entry_alone)
        })
        .await
}

const fn entry_alone(entry: Vec<callboard_contracts::EntryEvent>) -> Both {
    Both {
        slot: Vec::new(),
        entry,
    }
}

/// A command to one entry, before it is decided on.
struct Command<'a> {
    waitlist: WaitlistId,
    entry: EntryId,
    name: &'static str,
    headers: &'a HeaderMap,
    cause: Cause,
}

impl<'a> Command<'a> {
    /// `name` keeps its keys apart from those of other commands.
    fn read(
        Path((waitlist, entry)): InPath,
        name: &'static str,
        facts: &RequestFacts,
        headers: &'a HeaderMap,
        body: &Value,
    ) -> Result<Self, Problem> {
        let waitlist: WaitlistId = id_from_path(&waitlist)?;
        let entry: EntryId = id_from_path(&entry)?;
        let said = json!({
            "command": name, "waitlistId": waitlist, "entryId": entry, "body": body,
        });
        Ok(Self {
            cause: cause_of(facts, &said),
            waitlist,
            entry,
            name,
            headers,
        })
    }

    /// Decides, and again if another commit came between.
    async fn run(
        self,
        deps: &Arc<Deps>,
        decide: impl Fn(Option<&Slot>, &Entry) -> Result<Both, Refusal>,
    ) -> Result<Done, Problem> {
        let keyed = Keyed::from_headers(self.headers, self.name, &self.cause)?;
        if let Some(earlier) = keyed.earlier(&deps.journal).await? {
            return Ok(earlier);
        }
        for _ in 0..TRIES_MAX {
            let entry = self.load(deps).await?;
            let slot = match entry.state.offered_slot() {
                Some(id) => Some(load_slot(deps, &StreamId::slot(id)).await?),
                None => None,
            };
            let both = match decide(slot.as_ref().map(|slot| &slot.state), &entry.state) {
                Ok(both) => both,
                Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
                    return Ok(self.done(&entry.stream, entry.number));
                }
                Err(refusal) => return Err(refused_entry(&refusal)),
            };
            let now = deps.clock.now();
            let commits = self.commits(deps, slot.as_ref(), &entry, both, now)?;
            let done = self.done(&entry.stream, entry.number + 1);
            let committed = keyed.try_commit(&deps.journal, commits, done, now).await?;
            if let Some(done) = committed {
                return Ok(done);
            }
        }
        Err(lost_race())
    }

    async fn load(&self, deps: &Deps) -> Result<Loaded<Entry>, Problem> {
        let loaded = deps
            .journal
            .load::<Entry>(&StreamId::entry(&self.entry))
            .await;
        let loaded = loaded.map_err(|error| unavailable(&error))?;
        let facts = loaded.state.facts.as_ref();
        if facts.is_some_and(|facts| facts.waitlist_id == self.waitlist) {
            Ok(loaded)
        } else {
            Err(refused(&Refusal::EntryNotFound))
        }
    }

    fn commits(
        &self,
        deps: &Deps,
        slot: Option<&Loaded<Slot>>,
        entry: &Loaded<Entry>,
        both: Both,
        now: Timestamp,
    ) -> Result<Vec<Commit>, Problem> {
        let freed = slot.filter(|_| !both.slot.is_empty());
        let cause = freed.map_or_else(|| self.cause.clone(), |slot| slot.within(&self.cause));
        let mut commits = Vec::with_capacity(3);
        if let Some(slot) = freed {
            commits.push(slot_commit(slot, &cause, both.slot, &deps.timing, now));
        }
        commits.push(entry_commit(entry, &cause, both.entry, now));
        let commits: Result<Vec<_>, _> = commits.into_iter().collect();
        commits.map_err(|error| commit_problem(&error))
    }

    fn done(&self, stream: &StreamId, number: u64) -> Done {
        Done {
            status: StatusCode::OK,
            body: json!({ "entryId": self.entry, "waitlistId": self.waitlist }),
            commit: commit_name(stream, number),
        }
    }
}

async fn load_slot(deps: &Deps, stream: &StreamId) -> Result<Loaded<Slot>, Problem> {
    let slot = deps.journal.load::<Slot>(stream).await;
    slot.map_err(|error| unavailable(&error))
}
