//! `POST /v1/waitlists/{w}/slots`: a slot became free.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::{SlotId, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::slot::{self, ReleaseSlot, Slot, SlotDetails};
use callboard_domain::waitlist::{Refusal, RefusalKind};
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path};
use serde::Deserialize;
use serde_json::json;

use crate::App;
use crate::answer::{
    Done, cause_of, commit_name, commit_problem, refused, slot_commit, unavailable,
};
use crate::idempotency::Keyed;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReleaseBody {
    slot_id: Option<SlotId>,
    service: String,
    starts_at: Timestamp,
    ends_at: Timestamp,
    offer_window_seconds: Option<u32>,
    after_version: Option<u32>,
}

pub(crate) async fn release(
    State(deps): App,
    Path(waitlist): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { parsed, value }: JsonBody<ReleaseBody>,
) -> Result<Done, Problem> {
    let waitlist: WaitlistId = id_from_path(&waitlist)?;
    let cause = cause_of(&facts, &json!({ "waitlistId": waitlist, "body": value }));
    let keyed = Keyed::from_headers(&headers, "slots", &cause)?;
    if let Some(earlier) = keyed.earlier(&deps.journal).await? {
        return Ok(earlier);
    }
    let seconds = parsed
        .offer_window_seconds
        .unwrap_or(deps.offer_window_seconds);
    let command = ReleaseSlot {
        waitlist_id: waitlist,
        slot_id: parsed
            .slot_id
            .unwrap_or_else(|| keyed.derived_or_new(SlotId::derived, SlotId::generate)),
        service: parsed.service,
        starts_at: parsed.starts_at,
        ends_at: parsed.ends_at,
        offer_window: Duration::from_secs(u64::from(seconds)),
        after_version: parsed.after_version,
        details: SlotDetails::default(),
    };
    let stream = StreamId::slot(&command.slot_id);
    let loaded = deps
        .journal
        .load::<Slot>(&stream)
        .await
        .map_err(|error| unavailable(&error))?;
    let done = |status, version, correlation_id: &str, number| Done {
        status,
        body: json!({
            "slotId": command.slot_id,
            "slotVersion": version,
            "waitlistId": command.waitlist_id,
            "correlationId": correlation_id,
        }),
        commit: commit_name(&stream, number),
    };
    let now = deps.clock.now();
    match slot::release(&loaded.state, &command, now) {
        Ok(events) => {
            let commit = slot_commit(&loaded, &cause, events, &deps.timing, now)
                .map_err(|error| commit_problem(&error))?;
            let version = loaded.state.version() + 1;
            let done = done(
                StatusCode::CREATED,
                version,
                &cause.correlation_id,
                loaded.number + 1,
            );
            keyed.commit(&deps.journal, vec![commit], done, now).await
        }
        Err(Refusal::AlreadyReleased { version }) if is_repetition(&loaded.state, &command) => {
            // The cascade may have gone on; its correlation id is that of the release.
            let correlation = loaded
                .last
                .as_ref()
                .map_or("", |last| last.cause.correlation_id.as_str());
            Ok(done(StatusCode::OK, version, correlation, loaded.number))
        }
        Err(refusal) if refusal.kind() == RefusalKind::Invalid => Err(Problem {
            slug: refusal.code(),
            ..Problem::invalid_at(pointer_of(&refusal), refusal.to_string())
        }),
        Err(refusal) => Err(refused(&refusal)),
    }
}

/// Whether the slot was released with just these words.
fn is_repetition(state: &Slot, command: &ReleaseSlot) -> bool {
    state.facts.as_ref().is_some_and(|facts| {
        facts.waitlist_id == command.waitlist_id
            && facts.service == command.service
            && facts.starts_at == command.starts_at
            && facts.ends_at == command.ends_at
            && u64::from(facts.window_seconds) == command.offer_window.as_secs()
    })
}

const fn pointer_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::ServiceName => "/service",
        Refusal::StartsInPast => "/startsAt",
        Refusal::EndsBeforeStart => "/endsAt",
        Refusal::OfferWindow => "/offerWindowSeconds",
        _ => "",
    }
}
