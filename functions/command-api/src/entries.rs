//! `POST /v1/waitlists/{w}/entries`: a person joins a waitlist.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use callboard_contracts::waitlist::{Preferences, Urgency};
use callboard_contracts::{EntryId, RecipientId, StreamId, WaitlistId};
use callboard_domain::waitlist::RefusalKind;
use callboard_domain::waitlist::entry::{self, Entry, Join};
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::answer::{Done, cause_of, commit_name, commit_problem, entry_commit, unavailable};
use crate::idempotency::Keyed;
use crate::wishes::{WishesBody, must_be_registered, refused_entry};

/// Somebody joins a waitlist.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JoinWaitlist {
    /// The caller's own id for the entry; one is made unless given.
    entry_id: Option<EntryId>,
    /// Who waits; must be registered.
    recipient_id: RecipientId,
    /// What the person waits for: 1 to 64 bytes, without `#` and control characters.
    service: String,
    /// `routine` unless given.
    urgency: Option<Urgency>,
    /// What the person can take; anything unless given.
    #[schemars(with = "Option<Preferences>")]
    preferences: Option<Value>,
    /// Whether an offer that fits is accepted at once.
    #[serde(default)]
    auto_accept: bool,
    /// Who is written to in the person's stead, such as a parent; must be registered.
    proxy_id: Option<RecipientId>,
}

pub(crate) async fn join(
    State(deps): App,
    Path(waitlist): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { parsed, value }: JsonBody<JoinWaitlist>,
) -> Result<Done, Problem> {
    let waitlist: WaitlistId = id_from_path(&waitlist)?;
    let cause = cause_of(&facts, &json!({ "waitlistId": waitlist, "body": value }));
    let keyed = Keyed::from_headers(&headers, "entries", &cause)?;
    if let Some(earlier) = keyed.earlier(&deps.journal).await? {
        return Ok(earlier);
    }
    must_be_registered(&deps, &parsed.recipient_id, "/recipientId").await?;
    let wishes = WishesBody::new(parsed.preferences, parsed.auto_accept, parsed.proxy_id);
    let wishes = wishes.check(&deps).await?;
    let command = Join {
        waitlist_id: waitlist,
        entry_id: parsed
            .entry_id
            .unwrap_or_else(|| keyed.derived_or_new(EntryId::derived, EntryId::generate)),
        recipient_id: parsed.recipient_id,
        service: parsed.service,
        urgency: parsed.urgency.unwrap_or(Urgency::Routine),
        wishes,
    };
    let stream = StreamId::entry(&command.entry_id);
    let loaded = deps
        .journal
        .load::<Entry>(&stream)
        .await
        .map_err(|error| unavailable(&error))?;
    let done = |status, number| Done {
        status,
        body: json!({ "entryId": command.entry_id, "waitlistId": command.waitlist_id }),
        commit: commit_name(&stream, number),
    };
    match entry::join(&loaded.state, &command) {
        Ok(events) => {
            let now = deps.clock.now();
            let commit = entry_commit(&loaded, &cause, events, now)
                .map_err(|error| commit_problem(&error))?;
            keyed
                .commit(
                    &deps.journal,
                    vec![commit],
                    done(StatusCode::CREATED, loaded.number + 1),
                    now,
                )
                .await
        }
        Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
            Ok(done(StatusCode::OK, loaded.number))
        }
        Err(refusal) => Err(refused_entry(&refusal)),
    }
}
