//! `POST /v1/waitlists/{w}/slots`: a slot became free.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::{Cause, SlotId, StreamId, Timestamp, WaitlistId};
use callboard_domain::waitlist::policy::Usual;
use callboard_domain::waitlist::slot::{self, ReleaseSlot, Slot, SlotDetails};
use callboard_domain::waitlist::{Policies, Refusal, RefusalKind};
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{
    Done, TRIES_MAX, cause_of, commit_name, commit_problem, lost_race, refused, refused_at,
    slot_commit, unavailable,
};
use crate::idempotency::Keyed;
use crate::{App, Deps, policies};

/// A slot became free.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ReleaseSlot")]
pub(crate) struct ReleaseBody {
    /// The caller's own id for the slot; one follows from `externalId`, or is made, unless given.
    slot_id: Option<SlotId>,
    /// What is done in it: 1 to 64 bytes, without `#` and control characters.
    service: String,
    /// When it starts: in the future.
    starts_at: Timestamp,
    /// When it ends.
    ends_at: Timestamp,
    /// How long an offer of it stands, in seconds, at most 7 days; as the policy says unless given.
    offer_window_seconds: Option<u32>,
    /// The version of the slot that this release follows; only needed to release it again.
    after_version: Option<u32>,
    /// Where it is.
    location: Option<String>,
    /// Who attends to the person.
    provider: Option<String>,
    /// The zone of the IANA database in which its times are read; the policy's unless given.
    zone: Option<String>,
    /// The calendar's own name for the slot: the same again is the same slot.
    external_id: Option<String>,
}

impl ReleaseBody {
    /// Whether the same again is known to be the same slot.
    pub(crate) const fn is_named(&self) -> bool {
        self.slot_id.is_some() || self.external_id.is_some()
    }
}

pub(crate) async fn release(
    State(deps): App,
    Path(waitlist): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { parsed, value }: JsonBody<ReleaseBody>,
) -> Result<Done, Problem> {
    let waitlist: WaitlistId = id_from_path(&waitlist)?;
    let cause = cause_of(&facts, &said(&waitlist, &value));
    let keyed = Keyed::from_headers(&headers, "slots", &cause)?;
    if let Some(earlier) = keyed.earlier(&deps.journal).await? {
        return Ok(earlier);
    }
    let policies = policies::load(&deps, &waitlist).await?;
    let release = Release {
        deps: &deps,
        waitlist: &waitlist,
        policies: &policies.state,
        cause: &cause,
        keyed: &keyed,
    };
    release.run(parsed).await
}

/// What a release is, for its cause: the same alone and in a batch.
pub(crate) fn said(waitlist: &WaitlistId, body: &Value) -> Value {
    json!({ "waitlistId": waitlist, "body": body })
}

/// The release of one slot, alone or in a batch.
pub(crate) struct Release<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) waitlist: &'a WaitlistId,
    pub(crate) policies: &'a Policies,
    pub(crate) cause: &'a Cause,
    pub(crate) keyed: &'a Keyed<'a>,
}

impl Release<'_> {
    /// Decides, and again if another commit came between.
    pub(crate) async fn run(&self, body: ReleaseBody) -> Result<Done, Problem> {
        let with_window = body.offer_window_seconds.is_some();
        let command = self.command(body);
        let stream = StreamId::slot(&command.slot_id);
        for _ in 0..TRIES_MAX {
            let loaded = self.deps.journal.load::<Slot>(&stream).await;
            let loaded = loaded.map_err(|error| unavailable(&error))?;
            let now = self.deps.clock.now();
            let events = match slot::release(&loaded.state, &command, now) {
                Ok(events) => events,
                Err(Refusal::AlreadyReleased { version })
                    if slot::is_released_as(&loaded.state, &command, with_window) =>
                {
                    // The cascade may have gone on; its correlation id is that of the release.
                    let correlation = loaded
                        .last
                        .as_ref()
                        .map_or("", |last| last.cause.correlation_id.as_str());
                    let status = StatusCode::OK;
                    return Ok(done(status, &command, version, correlation, loaded.number));
                }
                Err(refusal) if refusal.kind() == RefusalKind::Invalid => {
                    return Err(refused_at(pointer_of(&refusal), &refusal));
                }
                Err(refusal) => return Err(refused(&refusal)),
            };
            let timing = &self.deps.timing;
            let commit = slot_commit(&loaded, self.cause, events, timing, now);
            let commits = vec![commit.map_err(|error| commit_problem(&error))?];
            let done = done(
                StatusCode::CREATED,
                &command,
                loaded.state.version() + 1,
                &self.cause.correlation_id,
                loaded.number + 1,
            );
            let journal = &self.deps.journal;
            if let Some(done) = self.keyed.try_commit(journal, commits, done, now).await? {
                return Ok(done);
            }
        }
        Err(lost_race())
    }

    fn command(&self, body: ReleaseBody) -> ReleaseSlot {
        let resolved = self.policies.resolve(
            &body.service,
            body.zone.as_deref(),
            Usual {
                window_seconds: self.deps.offer_window_seconds,
                zone: self.deps.clinic_zone.name(),
            },
            uuid::Uuid::new_v4().as_u128(),
        );
        let seconds = body.offer_window_seconds;
        let seconds = seconds.unwrap_or(resolved.window_seconds);
        ReleaseSlot {
            slot_id: self.slot_id(&body),
            waitlist_id: self.waitlist.clone(),
            service: body.service,
            starts_at: body.starts_at,
            ends_at: body.ends_at,
            offer_window: Duration::from_secs(u64::from(seconds)),
            after_version: body.after_version,
            details: SlotDetails {
                location: body.location,
                provider: body.provider,
                zone: resolved.zone,
                external_id: body.external_id,
                terms: Some(resolved.terms),
            },
        }
    }

    /// The caller's own name for a slot is as good as an id: the same again is the same slot.
    fn slot_id(&self, body: &ReleaseBody) -> SlotId {
        let given = body.slot_id.clone();
        given.unwrap_or_else(|| match &body.external_id {
            Some(name) => slot::id_by_name(self.waitlist, name),
            None => self.keyed.derived_or_new(SlotId::derived, SlotId::generate),
        })
    }
}

fn done(
    status: StatusCode,
    command: &ReleaseSlot,
    version: u32,
    correlation_id: &str,
    number: u64,
) -> Done {
    Done {
        status,
        body: json!({
            "slotId": command.slot_id,
            "slotVersion": version,
            "waitlistId": command.waitlist_id,
            "correlationId": correlation_id,
        }),
        commit: commit_name(&StreamId::slot(&command.slot_id), number),
    }
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
