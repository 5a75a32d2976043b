//! A slot is taken away from the waitlist: it is withdrawn, or booked without an offer.
//!
//! Whoever has an offer of it is told by the cascade, which follows the slot's event.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::waitlist::BookedBy;
use callboard_contracts::{Cause, RecipientId, SlotEvent, SlotId, StreamId};
use callboard_domain::waitlist::slot::{self, BookSlot, Slot};
use callboard_domain::waitlist::{Refusal, RefusalKind};
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path, query};
use callboard_runtime::journal::Loaded;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::answer::{
    Done, TRIES_MAX, cause_of, commit_name, commit_problem, lost_race, refused, refused_at,
    slot_commit, unavailable,
};
use crate::idempotency::Keyed;
use crate::wishes::must_be_registered;
use crate::{App, Deps};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WithdrawQuery {
    slot_version: Option<u32>,
}

pub(crate) async fn withdraw(
    State(deps): App,
    Path(id): Path<String>,
    wanted: Result<Query<WithdrawQuery>, QueryRejection>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Result<Done, Problem> {
    let version = query(wanted)?.slot_version;
    withdraw_slot(&deps, id_from_path(&id)?, version, &facts, &headers).await
}

/// A slot named as the caller names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedQuery {
    external_id: String,
    slot_version: Option<u32>,
}

pub(crate) async fn withdraw_by_name(
    State(deps): App,
    Path(waitlist): Path<String>,
    wanted: Result<Query<NamedQuery>, QueryRejection>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Result<Done, Problem> {
    let wanted = query(wanted)?;
    let id = slot::id_by_name(&id_from_path(&waitlist)?, &wanted.external_id);
    withdraw_slot(&deps, id, wanted.slot_version, &facts, &headers).await
}

async fn withdraw_slot(
    deps: &Deps,
    id: SlotId,
    version: Option<u32>,
    facts: &RequestFacts,
    headers: &HeaderMap,
) -> Result<Done, Problem> {
    let said = json!({ "command": "withdraw", "slotId": id, "slotVersion": version });
    let cause = cause_of(facts, &said);
    let keyed = Keyed::from_headers(headers, "withdraw", &cause)?;
    let command = Command {
        id,
        version,
        status: StatusCode::OK,
    };
    command.run(deps, &cause, &keyed, slot::withdraw).await
}

/// A slot is booked without an offer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BookSlot")]
pub(crate) struct BookingBody {
    /// `staff` unless given.
    by: Option<BookedBy>,
    /// The calendar's own name for the booking.
    external_id: Option<String>,
    /// Who comes, if it is somebody registered.
    recipient_id: Option<RecipientId>,
    /// The version of the slot that is meant; the first unless given.
    slot_version: Option<u32>,
}

pub(crate) async fn book(
    State(deps): App,
    Path(id): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    body: JsonBody<BookingBody>,
) -> Result<Done, Problem> {
    book_slot(&deps, id_from_path(&id)?, body, &facts, &headers).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BookedQuery {
    external_id: String,
}

pub(crate) async fn book_by_name(
    State(deps): App,
    Path(waitlist): Path<String>,
    wanted: Result<Query<BookedQuery>, QueryRejection>,
    facts: RequestFacts,
    headers: HeaderMap,
    body: JsonBody<BookingBody>,
) -> Result<Done, Problem> {
    let id = slot::id_by_name(&id_from_path(&waitlist)?, &query(wanted)?.external_id);
    book_slot(&deps, id, body, &facts, &headers).await
}

async fn book_slot(
    deps: &Deps,
    id: SlotId,
    JsonBody { parsed, value }: JsonBody<BookingBody>,
    facts: &RequestFacts,
    headers: &HeaderMap,
) -> Result<Done, Problem> {
    let cause = cause_of(facts, &json!({ "slotId": id, "body": value }));
    let keyed = Keyed::from_headers(headers, "booking", &cause)?;
    if let Some(recipient) = &parsed.recipient_id {
        must_be_registered(deps, recipient, "/recipientId").await?;
    }
    let booking = BookSlot {
        by: parsed.by.unwrap_or(BookedBy::Staff),
        external_id: parsed.external_id,
        recipient_id: parsed.recipient_id,
    };
    let command = Command {
        id,
        version: parsed.slot_version,
        status: StatusCode::CREATED,
    };
    command
        .run(deps, &cause, &keyed, |slot| slot::book(slot, &booking))
        .await
}

/// A command to one version of a slot.
struct Command {
    id: SlotId,
    /// As it was named: [`slot::is_meant`].
    version: Option<u32>,
    /// What the first is answered with.
    status: StatusCode,
}

impl Command {
    /// Decides, and again if another commit came between.
    async fn run(
        &self,
        deps: &Deps,
        cause: &Cause,
        keyed: &Keyed<'_>,
        decide: impl Fn(&Slot) -> Result<Vec<SlotEvent>, Refusal>,
    ) -> Result<Done, Problem> {
        if let Some(earlier) = keyed.earlier(&deps.journal).await? {
            return Ok(earlier);
        }
        let stream = StreamId::slot(&self.id);
        for _ in 0..TRIES_MAX {
            let slot = deps.journal.load::<Slot>(&stream).await;
            let slot = slot.map_err(|error| unavailable(&error))?;
            let cause = slot.within(cause);
            let decision = slot::is_meant(&slot.state, self.version);
            let events = match decision.and_then(|()| decide(&slot.state)) {
                Ok(events) => events,
                Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
                    return Ok(self.done(&slot, StatusCode::OK, &cause, slot.number));
                }
                Err(refusal @ Refusal::SlotDetail(field)) => {
                    return Err(refused_at(format!("/{field}"), &refusal));
                }
                Err(refusal) => return Err(refused(&refusal)),
            };
            let now = deps.clock.now();
            let commit = slot_commit(&slot, &cause, events, &deps.timing, now);
            let commits = vec![commit.map_err(|error| commit_problem(&error))?];
            let done = self.done(&slot, self.status, &cause, slot.number + 1);
            let committed = keyed.try_commit(&deps.journal, commits, done, now).await?;
            if let Some(done) = committed {
                return Ok(done);
            }
        }
        Err(lost_race())
    }

    fn done(&self, slot: &Loaded<Slot>, status: StatusCode, cause: &Cause, number: u64) -> Done {
        let facts = slot.state.facts.as_ref();
        Done {
            status,
            body: json!({
                "slotId": self.id,
                "slotVersion": slot.state.version(),
                "waitlistId": facts.map(|facts| &facts.waitlist_id),
                "correlationId": cause.correlation_id,
            }),
            commit: commit_name(&slot.stream, number),
        }
    }
}
