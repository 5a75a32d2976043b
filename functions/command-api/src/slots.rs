//! `POST /v1/waitlists/{w}/slots`: a slot became free.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::{SlotId, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::slot::{self, ReleaseSlot, Slot, SlotDetails, SlotFacts};
use callboard_domain::waitlist::{Refusal, RefusalKind};
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path};
use serde::Deserialize;
use serde_json::json;

use crate::App;
use crate::answer::{
    Done, cause_of, commit_name, commit_problem, refused, refused_at, slot_commit, unavailable,
};
use crate::idempotency::Keyed;
use crate::policies::{self, Resolved};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReleaseBody {
    slot_id: Option<SlotId>,
    service: String,
    starts_at: Timestamp,
    ends_at: Timestamp,
    offer_window_seconds: Option<u32>,
    after_version: Option<u32>,
    location: Option<String>,
    provider: Option<String>,
    zone: Option<String>,
    external_id: Option<String>,
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
    let policies = policies::load(&deps, &waitlist).await?;
    let resolved = Resolved::of(
        &deps,
        &policies.state,
        &parsed.service,
        parsed.zone.as_deref(),
    );
    let seconds = parsed.offer_window_seconds;
    let window_given = seconds.is_some();
    let seconds = seconds.unwrap_or(resolved.window_seconds);
    let command = ReleaseSlot {
        slot_id: slot_id(&waitlist, &parsed, &keyed),
        waitlist_id: waitlist,
        service: parsed.service,
        starts_at: parsed.starts_at,
        ends_at: parsed.ends_at,
        offer_window: Duration::from_secs(u64::from(seconds)),
        after_version: parsed.after_version,
        details: SlotDetails {
            location: parsed.location,
            provider: parsed.provider,
            zone: resolved.zone,
            external_id: parsed.external_id,
            terms: Some(resolved.terms),
        },
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
        Err(Refusal::AlreadyReleased { version })
            if is_repetition(&loaded.state, &command, window_given) =>
        {
            // The cascade may have gone on; its correlation id is that of the release.
            let correlation = loaded
                .last
                .as_ref()
                .map_or("", |last| last.cause.correlation_id.as_str());
            Ok(done(StatusCode::OK, version, correlation, loaded.number))
        }
        Err(refusal) if refusal.kind() == RefusalKind::Invalid => {
            Err(refused_at(pointer_of(&refusal), &refusal))
        }
        Err(refusal) => Err(refused(&refusal)),
    }
}

/// The caller's own name for a slot is as good as an id: the same again is the same slot.
fn slot_id(waitlist: &WaitlistId, body: &ReleaseBody, keyed: &Keyed<'_>) -> SlotId {
    let given = body.slot_id.clone();
    given.unwrap_or_else(|| match &body.external_id {
        Some(name) => SlotId::derived(&["slot", waitlist.as_str(), name]),
        None => keyed.derived_or_new(SlotId::derived, SlotId::generate),
    })
}

/// Whether the slot was released with just these words.
fn is_repetition(state: &Slot, command: &ReleaseSlot, window_given: bool) -> bool {
    state.facts.as_ref().is_some_and(|facts| {
        are_the_same(facts, &command.details)
            && facts.waitlist_id == command.waitlist_id
            && facts.service == command.service
            && facts.starts_at == command.starts_at
            && facts.ends_at == command.ends_at
            // What the policy says may have changed since.
            && (!window_given
                || u64::from(facts.window_seconds) == command.offer_window.as_secs())
    })
}

fn are_the_same(facts: &SlotFacts, details: &SlotDetails) -> bool {
    facts.location == details.location
        && facts.provider == details.provider
        && facts.external_id == details.external_id
}

fn pointer_of(refusal: &Refusal) -> String {
    match refusal {
        Refusal::ServiceName => "/service".to_owned(),
        Refusal::StartsInPast => "/startsAt".to_owned(),
        Refusal::EndsBeforeStart => "/endsAt".to_owned(),
        Refusal::OfferWindow => "/offerWindowSeconds".to_owned(),
        Refusal::SlotDetail(field) => format!("/{field}"),
        _ => String::new(),
    }
}
