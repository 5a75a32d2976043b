//! `PUT /v1/waitlists/{w}/policy`: how a waitlist's slots are offered.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::waitlist::Policy;
use callboard_contracts::{StreamId, WaitlistId};
use callboard_domain::waitlist::policy::{self, Policies, SetPolicy};
use callboard_domain::waitlist::{Refusal, RefusalKind};
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path, parse_member, query};
use callboard_runtime::journal::Loaded;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{
    Done, TRIES_MAX, cause_of, commit_name, commit_problem, lost_race, refused, refused_at,
    unavailable,
};
use crate::idempotency::Keyed;
use crate::{App, Deps};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SetQuery {
    service: Option<String>,
    after_version: Option<u32>,
}

pub(crate) async fn set(
    State(deps): App,
    Path(waitlist): Path<String>,
    wanted: Result<Query<SetQuery>, QueryRejection>,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { value, .. }: JsonBody<Value>,
) -> Result<Done, Problem> {
    let waitlist_id: WaitlistId = id_from_path(&waitlist)?;
    let wanted = query(wanted)?;
    let said = json!({
        "waitlistId": waitlist_id, "service": wanted.service, "afterVersion": wanted.after_version,
        "body": value,
    });
    let cause = cause_of(&facts, &said);
    let keyed = Keyed::from_headers(&headers, "policy", &cause)?;
    if let Some(earlier) = keyed.earlier(&deps.journal).await? {
        return Ok(earlier);
    }
    let command = SetPolicy {
        waitlist_id,
        service: wanted.service,
        policy: parse(&deps, &value)?,
        after_version: wanted.after_version,
    };
    for _ in 0..TRIES_MAX {
        let policies = load(&deps, &command.waitlist_id).await?;
        let events = match policy::set(&policies.state, &command) {
            Ok(events) => events,
            Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
                return Ok(done(&command, &policies, StatusCode::OK));
            }
            Err(refusal) => return Err(refused_policy(&refusal)),
        };
        let now = deps.clock.now();
        let next = policies.next(&cause, now).events(events);
        let commit = next.group(command.waitlist_id.as_str()).build();
        let commits = vec![commit.map_err(|error| commit_problem(&error))?];
        let done = done(&command, &policies, StatusCode::CREATED);
        let committed = keyed.try_commit(&deps.journal, commits, done, now).await?;
        if let Some(done) = committed {
            return Ok(done);
        }
    }
    Err(lost_race())
}

fn parse(deps: &Deps, value: &Value) -> Result<Policy, Problem> {
    let faults = deps.schemas.policy_faults(value);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    parse_member(value, "")
}

fn refused_policy(refusal: &Refusal) -> Problem {
    match refusal {
        // Not in the body: one service too many.
        Refusal::Policy(field) if *field != "service" => refused_at(format!("/{field}"), refusal),
        _ => refused(refusal),
    }
}

/// Each policy is one commit of the waitlist's stream, so that its number is the commit's.
fn done(command: &SetPolicy, before: &Loaded<Policies>, status: StatusCode) -> Done {
    let (version, number) = if status == StatusCode::CREATED {
        (before.state.version + 1, before.number + 1)
    } else {
        (version_of(command, &before.state), before.number)
    };
    Done {
        status,
        body: json!({
            "waitlistId": command.waitlist_id, "service": command.service, "policyVersion": version,
        }),
        commit: commit_name(&before.stream, number),
    }
}

fn version_of(command: &SetPolicy, policies: &Policies) -> u32 {
    let own = match &command.service {
        Some(service) => policies.services.get(service),
        None => policies.general.as_ref(),
    };
    own.map_or(0, |own| own.version)
}

/// The policies of a waitlist, by one strongly consistent read.
pub(crate) async fn load(deps: &Deps, id: &WaitlistId) -> Result<Loaded<Policies>, Problem> {
    let policies = deps.journal.load::<Policies>(&StreamId::waitlist(id)).await;
    policies.map_err(|error| unavailable(&error))
}
