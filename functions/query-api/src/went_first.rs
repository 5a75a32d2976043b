//! Why slots went to others: the latest offers of an entry's service since it joined, from the
//! streams of the slots and of those who were asked.

use std::collections::{BTreeMap, BTreeSet};

use callboard_contracts::view::{RecentSlot, moment_prefix, recent_key};
use callboard_contracts::waitlist::EntryEvent;
use callboard_contracts::{SlotId, StreamId, Timestamp};
use callboard_domain::waitlist::entry::{Entry, EntryFacts};
use callboard_domain::waitlist::explain::{self, Compared, Turn, Way, Why};
use callboard_domain::waitlist::slot::Slot;
use callboard_runtime::http::Problem;
use callboard_runtime::journal::{History, JournalError};
use futures::future::{join_all, try_join_all};
use serde::Serialize;
use serde_json::{Value, json};

use crate::position::parts_of;
use crate::{Deps, read_problem};

/// Slots looked at, those offered last.
const SLOTS_MAX: i32 = 10;

/// Offers told, the latest ones.
const OFFERS_MAX: usize = 10;

/// Commits read of a slot: an offer is about two of them.
const SLOT_COMMITS_MAX: usize = 192;

/// Commits read of the entry, and of an entry that was asked.
pub(crate) const ENTRY_COMMITS_MAX: usize = 192;

/// The latest offers of an entry's service since it joined, the last one first.
struct Looked {
    turns: Vec<Turn>,
    /// Whether they are all.
    whole: bool,
}

/// What became of slots for an entry.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    /// Releases of slots that it holds for.
    pub(crate) count: u32,
    /// In words for the person.
    pub(crate) slots_that: &'static str,
    /// Whether other wishes would have changed it.
    pub(crate) by_wish: bool,
}

/// The entry as it stands now.
pub(crate) async fn entry_of(
    deps: &Deps,
    own: &History<Entry>,
    stream: &StreamId,
) -> Result<Entry, Problem> {
    if own.whole {
        return Ok(own.state());
    }
    let loaded = deps.journal.load::<Entry>(stream).await;
    Ok(loaded.map_err(|error| read_problem(&error))?.state)
}

/// Why others went first, as a member of an answer.
pub(crate) async fn explain(
    deps: &Deps,
    own: &History<Entry>,
    facts: &EntryFacts,
) -> Result<Value, Problem> {
    let Looked { mut turns, whole } = look(deps, own, facts).await?;
    let slots = summary(&turns);
    let more = turns.len() > OFFERS_MAX;
    turns.truncate(OFFERS_MAX);
    let compared = turns.into_iter().map(|turn| beside(deps, own, turn));
    let compared = try_join_all(compared).await;
    let compared = compared.map_err(|error| read_problem(&error))?;
    let offers = compared.iter();
    let offers: Vec<Value> = offers
        .map(|(turn, compared)| shown(turn, compared.as_ref()))
        .collect();
    Ok(json!({
        "since": facts.joined_at,
        "slots": slots,
        "offers": offers,
        "complete": whole && !more,
    }))
}

/// What became of the slots that were offered lately, without a word of whom they went to.
pub(crate) async fn reasons(
    deps: &Deps,
    own: &History<Entry>,
    facts: &EntryFacts,
) -> Result<Vec<Reason>, Problem> {
    Ok(summary(&look(deps, own, facts).await?.turns))
}

async fn look(deps: &Deps, own: &History<Entry>, facts: &EntryFacts) -> Result<Looked, Problem> {
    let key = recent_key(&facts.waitlist_id, &facts.service);
    let since = moment_prefix(facts.joined_at);
    let recent = deps.views.last::<RecentSlot>(&key, &since, SLOTS_MAX).await;
    let recent = recent.map_err(|error| read_problem(&error))?;
    let looked = recent
        .iter()
        .map(|slot| turns(deps, &slot.slot_id, own, facts));
    let looked = join_all(looked).await;
    let read = looked.iter().all(Option::is_some);
    let all: Vec<(Turn, bool)> = looked.into_iter().flatten().flatten().collect();
    let whole = read
        && own.whole
        && recent.len() < usize::try_from(SLOTS_MAX).unwrap_or_default()
        && all.iter().all(|(_, whole)| *whole);
    let mut turns: Vec<Turn> = all.into_iter().map(|(turn, _)| turn).collect();
    turns.sort_by_key(|turn| std::cmp::Reverse(turn.at));
    Ok(Looked { turns, whole })
}

/// All moments at which a slot was offered while the entry was on its list, each with whether the
/// slot's stream was read as a whole. `None` if it holds what cannot be read.
async fn turns(
    deps: &Deps,
    id: &SlotId,
    own: &History<Entry>,
    facts: &EntryFacts,
) -> Option<Vec<(Turn, bool)>> {
    let stream = StreamId::slot(id);
    let history = deps
        .journal
        .history::<Slot>(&stream, SLOT_COMMITS_MAX)
        .await;
    let slot = match history {
        Ok(slot) => slot,
        Err(error) => {
            tracing::warn!(%error, slot_id = %id, "a slot's offers cannot be explained");
            return None;
        }
    };
    let turns = explain::turns(
        &facts.entry_id,
        (slot.start, &slot.commits),
        (own.start.clone(), &own.commits),
    );
    Some(turns.into_iter().map(|turn| (turn, slot.whole)).collect())
}

/// The turn beside whoever was asked.
async fn beside(
    deps: &Deps,
    own: &History<Entry>,
    mut turn: Turn,
) -> Result<(Turn, Option<Compared>), JournalError> {
    let Some(other) = turn.to.last().filter(|_| !matches!(turn.why, Why::Own(_))) else {
        return Ok((turn, None));
    };
    let stream = StreamId::entry(&other.entry_id);
    let history = deps.journal.history::<Entry>(&stream, ENTRY_COMMITS_MAX);
    let commits: Vec<(Timestamp, Vec<EntryEvent>)> = history.await?.commits;
    let compared = explain::compare(&turn, (own.start.clone(), &own.commits), &commits);
    if turn.why == Why::ByRank && compared.as_ref().is_some_and(|it| !it.other_first) {
        turn.why = Why::NotSeen;
    }
    Ok((turn, compared))
}

/// How many releases of slots there were, by what the latest offer of each meant.
fn summary(turns: &[Turn]) -> Vec<Reason> {
    let mut told = BTreeSet::new();
    let mut reasons: BTreeMap<&str, Reason> = BTreeMap::new();
    let own = |turn: &&Turn| matches!(turn.why, Why::Own(_));
    let others = turns.iter().filter(|turn| !own(turn));
    // What was offered to the entry did not pass it by, whoever was asked as well.
    for turn in turns.iter().filter(own).chain(others) {
        if told.insert((&turn.facts.slot_id, turn.facts.version)) {
            let code = turn.why.code();
            let reason = reasons.entry(code).or_insert(Reason {
                code,
                count: 0,
                slots_that: turn.why.to_person(),
                by_wish: turn.why.is_by_wish(),
            });
            reason.count += 1;
        }
    }
    reasons.into_values().collect()
}

fn shown(turn: &Turn, compared: Option<&Compared>) -> Value {
    let (way, entries) = match turn.way {
        Way::Offered(entries) => ("offered", Some(entries)),
        Way::TakenAtOnce => ("taken-at-once", Some(1)),
        Way::Broadcast => ("broadcast", None),
    };
    let mut body = json!({
        "slotId": turn.facts.slot_id,
        "slotVersion": turn.facts.version,
        "startsAt": turn.facts.starts_at,
        "at": turn.at,
        "asOf": turn.as_of,
        "way": way,
        "toEntries": entries,
        "code": turn.why.code(),
        "because": turn.why.sentence(),
    });
    if let Some(compared) = compared {
        body["to"] = parts_of(&compared.other);
        body["own"] = parts_of(&compared.own);
    }
    match &turn.why {
        Why::PassedOver { recorded_at, .. } => body["recordedAt"] = json!(recorded_at),
        Why::Drawn { draw, seed } => {
            body["draw"] = json!({
                "seed": seed, "number": draw.number, "pool": draw.pool, "digest": draw.digest
            });
        }
        _ => {}
    }
    body
}
