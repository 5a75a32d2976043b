//! `POST /v1/waitlists/{w}/slot-batches`: many slots became free, as a calendar tells of a day.
//!
//! Each slot is decided and committed by itself: one that is refused does not hold back the
//! others, and the same batch again changes nothing.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use callboard_contracts::id::derived_uuid;
use callboard_contracts::{Cause, Timestamp, WaitlistId};
use callboard_domain::waitlist::Policies;
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path, parse_member};
use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Done, cause_of};
use crate::idempotency::Keyed;
use crate::incoming::idempotency_key;
use crate::slots::{Release, ReleaseBody, said};
use crate::{App, Deps, policies};

/// Most slots in one batch: a practice's day, and a quarter of a second of work.
const SLOTS_MAX: usize = 100;

/// Slots worked on side by side. Each is one read and one write, about 10 ms together, so that
/// 100 take seven rounds; more would only queue for the client's connections.
const SIDE_BY_SIDE: usize = 16;

/// No slot is begun later than this after the first. The function is ended after 4 s, and
/// whoever sent the batch would not know of any slot.
const BEGIN_WITHIN: Duration = Duration::from_millis(2_500);

/// Whoever sends a batch again because its answer was lost would release all of it twice.
const NAMELESS: &str =
    "a slot of a batch needs an `externalId` or a `slotId`, or the request an Idempotency-Key";

/// Many slots became free.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReleaseSlots")]
pub(crate) struct BatchBody {
    /// Each needs an `externalId` or a `slotId`, or the request an `Idempotency-Key`.
    #[schemars(with = "Vec<ReleaseBody>", length(min = 1, max = SLOTS_MAX))]
    slots: Vec<Value>,
}

pub(crate) async fn release(
    State(deps): App,
    Path(waitlist): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { parsed, .. }: JsonBody<BatchBody>,
) -> Result<Response, Problem> {
    let waitlist: WaitlistId = id_from_path(&waitlist)?;
    let key = idempotency_key(&headers)?;
    if parsed.slots.is_empty() || parsed.slots.len() > SLOTS_MAX {
        let message = format!("takes 1 to {SLOTS_MAX} slots");
        return Err(Problem::invalid_at("/slots", message));
    }
    let policies = policies::load(&deps, &waitlist).await?;
    let batch = Batch {
        deps: &deps,
        waitlist: &waitlist,
        policies: &policies.state,
        facts: &facts,
        key: key.as_deref(),
        until: deps.clock.now().plus(BEGIN_WITHIN),
    };
    // By value: a closure over borrowed items is not general enough for the router's future.
    let each = parsed.slots.into_iter().enumerate();
    let work = each.map(|(nth, body)| batch.release(nth, body));
    let outcomes: Vec<_> = stream::iter(work).buffered(SIDE_BY_SIDE).collect().await;
    Ok(answer(outcomes))
}

struct Batch<'a> {
    deps: &'a Deps,
    waitlist: &'a WaitlistId,
    policies: &'a Policies,
    facts: &'a RequestFacts,
    key: Option<&'a str>,
    until: Timestamp,
}

impl Batch<'_> {
    async fn release(&self, nth: usize, body: Value) -> Result<Done, Problem> {
        if self.deps.clock.now() >= self.until {
            return Err(not_begun());
        }
        let cause = self.cause(nth, &body);
        let one = self.release_one(nth, &body, &cause).await;
        one.map_err(|problem| problem.beneath(&format!("/slots/{nth}")))
    }

    async fn release_one(&self, nth: usize, body: &Value, cause: &Cause) -> Result<Done, Problem> {
        let parsed: ReleaseBody = parse_member(body, "")?;
        if self.key.is_none() && !parsed.is_named() {
            return Err(Problem::invalid_at("/externalId", NAMELESS));
        }
        let keyed = Keyed::one_of_many(self.key, "slot-batches", nth, cause);
        if let Some(earlier) = keyed.earlier(&self.deps.journal).await? {
            return Ok(earlier);
        }
        let release = Release {
            deps: self.deps,
            waitlist: self.waitlist,
            policies: self.policies,
            cause,
            keyed: &keyed,
        };
        release.run(parsed).await
    }

    /// Each slot's cascade has a correlation id of its own: a timeline tells of one.
    fn cause(&self, nth: usize, body: &Value) -> Cause {
        let cause = cause_of(self.facts, &said(self.waitlist, body));
        let own = derived_uuid(&["slot-batch", &cause.correlation_id, &nth.to_string()]);
        Cause {
            correlation_id: own.to_string(),
            ..cause
        }
    }
}

fn not_begun() -> Problem {
    Problem {
        detail: "The batch took too long; this slot was not begun. Send the same batch again."
            .to_owned(),
        ..Problem::unavailable()
    }
}

/// 201 if a slot was released, 200 if all were before, 207 if one of them was refused.
fn answer(outcomes: Vec<Result<Done, Problem>>) -> Response {
    let created = |one: &Result<Done, Problem>| {
        one.as_ref()
            .is_ok_and(|done| done.status == StatusCode::CREATED)
    };
    let status = if outcomes.iter().any(Result::is_err) {
        StatusCode::MULTI_STATUS
    } else if outcomes.iter().any(created) {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let slots: Vec<Value> = outcomes.into_iter().map(told).collect();
    (status, Json(json!({ "slots": slots }))).into_response()
}

fn told(outcome: Result<Done, Problem>) -> Value {
    match outcome {
        Ok(done) => {
            let mut told = done.body;
            told["status"] = json!(done.status.as_u16());
            told["commit"] = json!(done.commit);
            told
        }
        Err(problem) => problem.to_json(),
    }
}
