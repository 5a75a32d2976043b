//! Where an entry stands: how many come before it, and what its rank is made of.
//!
//! Nobody is read. Those ahead are the first ones of each class ([`Ahead`]), and DynamoDB counts
//! them.

use std::time::Duration;

use callboard_contracts::view::{
    candidate_sort_key, candidates_key, front_key, front_sort_key, moment_prefix,
};
use callboard_contracts::waitlist::{Mode, PauseReason, Score, Urgency};
use callboard_contracts::{StreamId, Timestamp};
use callboard_domain::waitlist::entry::{Entry, EntryFacts, EntryStatus};
use callboard_domain::waitlist::policy::{Numbered, Policies, max_wait};
use callboard_domain::waitlist::rank::{Ahead, Candidate, Place, weight};
use callboard_runtime::http::Problem;
use callboard_runtime::table::{Count, Span};
use futures::future::try_join_all;
use serde_json::{Map, Value, json};

use crate::{Deps, read_problem};

/// Most that are counted of one group; it is said when there are more. A row has about 250 bytes,
/// so it is 31 read units at most.
const COUNTED_MAX: u32 = 1_000;

/// Where the rule comes from.
const SOURCE: &str = "https://doi.org/10.1007/s10729-023-09648-1";

/// Groups in the order in which they come.
const GROUPS: [&str; 5] = ["front", "overCeiling", "urgent", "soon", "routine"];

/// Position and score of an entry at `now`, as members of an answer.
pub(crate) async fn explain(
    deps: &Deps,
    entry: &Entry,
    now: Timestamp,
) -> Result<(Value, Value), Problem> {
    let (Some(facts), Some(candidate)) = (&entry.facts, entry.candidate()) else {
        return Ok((
            unranked("not-there", "The entry is not there."),
            Value::Null,
        ));
    };
    let numbered = policy(deps, facts).await?;
    let max_wait = max_wait(&numbered.policy.rules);
    let score = score(&candidate, &numbered, max_wait, now);
    let position = match not_ranked(&entry.status) {
        Some((code, detail)) => unranked(code, detail),
        None => {
            let groups = count(deps, facts, &candidate, max_wait, (now, COUNTED_MAX)).await?;
            let notes = notes(entry, &numbered);
            counted(&groups, &notes, now)
        }
    };
    Ok((position, score))
}

/// How many come before an entry, each group counted up to `most`, and whether there are more;
/// `None` for one that gets no offers.
pub(crate) async fn ahead(
    deps: &Deps,
    entry: &Entry,
    now: Timestamp,
    most: u32,
) -> Result<Option<(u32, bool)>, Problem> {
    let (Some(facts), Some(candidate)) = (&entry.facts, entry.candidate()) else {
        return Ok(None);
    };
    if not_ranked(&entry.status).is_some() {
        return Ok(None);
    }
    let max_wait = max_wait(&policy(deps, facts).await?.policy.rules);
    let groups = count(deps, facts, &candidate, max_wait, (now, most)).await?;
    let ahead = groups.iter().map(|(_, count)| count.items).sum();
    Ok(Some((ahead, groups.iter().any(|(_, count)| count.more))))
}

async fn policy(deps: &Deps, facts: &EntryFacts) -> Result<Numbered, Problem> {
    let stream = StreamId::waitlist(&facts.waitlist_id);
    let policies = deps.journal.load::<Policies>(&stream).await;
    let policies = policies.map_err(|error| read_problem(&error))?.state;
    Ok(policies.of(&facts.service))
}

const fn not_ranked(status: &EntryStatus) -> Option<(&'static str, &'static str)> {
    match status {
        EntryStatus::Waiting | EntryStatus::Offered(_) => None,
        EntryStatus::Absent => Some(("not-there", "The entry is not there.")),
        EntryStatus::Paused(PauseReason::Asked) => Some((
            "paused",
            "The entry is paused, as the person asked: it gets no offers, and keeps its time of \
             waiting for when it is resumed.",
        )),
        EntryStatus::Paused(PauseReason::Skips) => Some((
            "paused",
            "The entry is paused, for it let as many offers pass as the policy allows: it gets no \
             offers, and keeps its time of waiting for when it is resumed.",
        )),
        EntryStatus::Booked(_) => Some(("booked", "The entry has its appointment.")),
        EntryStatus::GivenUp { .. } => Some((
            "given-up",
            "The entry's appointment was given up for a sooner one that the person has.",
        )),
        EntryStatus::Left => Some(("left", "The entry left the waitlist.")),
    }
}

fn unranked(code: &str, detail: &str) -> Value {
    json!({ "unranked": code, "detail": detail })
}

/// One part of the partition of a class, and the group that it belongs to.
struct Part {
    group: &'static str,
    pk: String,
    after: Option<String>,
    before: Option<String>,
}

/// The parts that hold those ahead, no part of them twice.
fn parts(
    facts: &EntryFacts,
    candidate: &Candidate,
    max_wait: Option<Duration>,
    now: Timestamp,
) -> Vec<Part> {
    let over = candidate.is_over(max_wait, now);
    let ceiling = Place::over_ceiling(max_wait, now).map(|place| key(&place));
    let mut parts = Vec::new();
    for class in [
        None,
        Some(Urgency::Urgent),
        Some(Urgency::Soon),
        Some(Urgency::Routine),
    ] {
        let before = match Ahead::of(candidate, class, max_wait, now) {
            Ahead::Nobody => continue,
            Ahead::Everybody => None,
            Ahead::FrontBefore(me) => me
                .overridden_at
                .map(|at| front_sort_key(at, me.joined_at, &me.entry_id)),
            Ahead::JoinedBefore(place) => Some(key(&place)),
        };
        let pk = match class {
            None => front_key(&facts.waitlist_id, &facts.service),
            Some(urgency) => candidates_key(&facts.waitlist_id, &facts.service, urgency),
        };
        let part = |group, after, before| Part {
            group,
            pk: pk.clone(),
            after,
            before,
        };
        match class {
            None => parts.push(part("front", None, before)),
            Some(_) if over => parts.push(part("overCeiling", None, before)),
            Some(urgency) => {
                if ceiling.is_some() {
                    parts.push(part("overCeiling", None, ceiling.clone()));
                }
                parts.push(part(urgency.as_str(), ceiling.clone(), before));
            }
        }
    }
    parts
}

fn key(place: &Place) -> String {
    match &place.entry_id {
        Some(id) => candidate_sort_key(place.joined_at, id),
        None => moment_prefix(place.joined_at),
    }
}

async fn count(
    deps: &Deps,
    facts: &EntryFacts,
    candidate: &Candidate,
    max_wait: Option<Duration>,
    (now, most): (Timestamp, u32),
) -> Result<Vec<(&'static str, Count)>, Problem> {
    let parts = parts(facts, candidate, max_wait, now);
    let counts = parts.iter().map(async |part| {
        let span = Span {
            pk: &part.pk,
            after: part.after.as_deref(),
            before: part.before.as_deref(),
        };
        let count = deps.views.count(span, most).await?;
        Ok((part.group, count))
    });
    try_join_all(counts)
        .await
        .map_err(|error: callboard_runtime::fault::AwsFault| read_problem(&error))
}

fn counted(groups: &[(&'static str, Count)], notes: &[&str], now: Timestamp) -> Value {
    let of = |group: &str| -> u32 {
        let counts = groups.iter().filter(|(name, _)| *name == group);
        counts.map(|(_, count)| count.items).sum()
    };
    let of_whom: Map<_, _> = GROUPS
        .into_iter()
        .map(|group| (group.to_owned(), json!(of(group))))
        .collect();
    let ahead: u32 = groups.iter().map(|(_, count)| count.items).sum();
    let units: f64 = groups.iter().map(|(_, count)| count.read_units).sum();
    json!({
        "ahead": ahead,
        "orMore": groups.iter().any(|(_, count)| count.more),
        "ofWhom": of_whom,
        "countedAt": now,
        "readUnits": units,
        "notes": notes,
    })
}

fn notes(entry: &Entry, policy: &Numbered) -> Vec<&'static str> {
    let mut notes = vec![
        "Counted are all who wait for this service. Whoever a slot does not suit is passed over for \
         it, so the next slot may come sooner than the position says, or go to somebody behind.",
    ];
    if matches!(entry.status, EntryStatus::Offered(_)) {
        notes
            .push("The entry has an offer, and gets no other until it is answered or has run out.");
    }
    match policy.policy.rules.mode {
        Mode::Lottery => notes.push(
            "Slots are drawn by lot: whoever comes before by rank has more lots, not the first turn.",
        ),
        Mode::Broadcast => notes.push(
            "Slots are open to everybody whom they suit: the first to accept gets one, whatever the \
             rank.",
        ),
        Mode::Sequential | Mode::Batch { .. } => {}
    }
    notes
}

fn score(
    candidate: &Candidate,
    policy: &Numbered,
    max_wait: Option<Duration>,
    now: Timestamp,
) -> Value {
    let mut score = parts_of(&candidate.parts(max_wait, now, (0, 0)));
    score["policyVersion"] = json!(policy.version);
    score["maxWaitDays"] = json!(policy.policy.rules.max_wait_days);
    score["overCeilingAt"] = json!(max_wait.map(|max_wait| candidate.joined_at.plus(max_wait)));
    let goes_before = Urgency::ALL.into_iter().filter_map(|urgency| {
        match Ahead::of(candidate, Some(urgency), max_wait, now) {
            Ahead::JoinedBefore(place) => {
                Some((urgency.as_str().to_owned(), json!(place.joined_at)))
            }
            _ => None,
        }
    });
    score["goesBeforeWhoJoinedAfter"] = Value::Object(goes_before.collect());
    score["rule"] = json!(rule(policy));
    score["source"] = json!(SOURCE);
    score
}

/// What a rank was made of, with the product that is compared.
pub(crate) fn parts_of(score: &Score) -> Value {
    let waited = score.waited_ms / 1_000;
    json!({
        "urgency": score.urgency,
        "weight": score.weight,
        "waitedSeconds": waited,
        "value": u64::from(score.weight) * waited,
        "overCeiling": score.over_ceiling,
        "overridden": score.overridden,
    })
}

fn rule(policy: &Numbered) -> String {
    let [routine, soon, urgent] = Urgency::ALL.map(weight);
    let ceiling = match policy.policy.rules.max_wait_days {
        Some(days) => format!(
            "then whoever has waited for {days} days or longer, by time of joining; then the \
             greatest value"
        ),
        None => "then the greatest value".to_owned(),
    };
    format!(
        "First comes whom staff moved to the front; {ceiling}, which is the weight of the urgency \
         (urgent {urgent}, soon {soon}, routine {routine}) times the time waited; and of equals, who \
         joined first."
    )
}
