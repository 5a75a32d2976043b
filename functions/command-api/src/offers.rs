//! `/o/{token}`: a signed link shows an offer, and takes its answer.
//!
//! `GET` changes nothing, so that a mail scanner or a preview cannot accept. The answer is
//! judged by the moment at which the gateway received it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_contracts::link::OfferLink;
use callboard_contracts::{Cause, StreamId, Timestamp};
use callboard_domain::waitlist::cascade::{self, Both};
use callboard_domain::waitlist::entry::Entry;
use callboard_domain::waitlist::slot::{Slot, SlotStatus};
use callboard_domain::waitlist::{OfferFate, Refusal, RefusalKind};
use callboard_runtime::http::{
    Problem, RawBody, RequestFacts, header_text, media_type, unsupported_media_type, with_commit,
};
use callboard_runtime::journal::{AppendError, Loaded};
use callboard_runtime::token::TokenError;
use serde::Deserialize;
use serde_json::json;

use crate::answer::{
    append_problem, cause_of, commit_name, lost_race, refused, slot_commit, unavailable,
};
use crate::page::{self, Shown};
use crate::{App, Deps};

/// How often an answer is decided again when another commit came between.
const TRIES_MAX: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Accept,
    Decline,
}

#[derive(Debug, Deserialize)]
struct AnswerForm {
    answer: Answer,
}

pub(crate) async fn show(
    State(deps): App,
    Path(token): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Response {
    let outcome = async {
        let link = claims(&deps, &token, facts.received_at)?;
        let slot = load_slot(&deps, &link).await?;
        Ok(shown(&slot.state, &link, facts.received_at))
    }
    .await;
    respond(&headers, outcome, None)
}

pub(crate) async fn answer(
    State(deps): App,
    Path(token): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    body: Result<RawBody, Problem>,
) -> Response {
    let outcome = async {
        let answer = parse_answer(&headers, &body?)?;
        let link = claims(&deps, &token, facts.received_at)?;
        let cause = cause_of(
            &facts,
            &json!({ "link": link, "answer": format!("{answer:?}") }),
        );
        decide(&deps, &link, answer, &cause, facts.received_at).await
    }
    .await;
    match outcome {
        Ok((shown, commit)) => respond(&headers, Ok(shown), commit.as_deref()),
        Err(problem) => respond(&headers, Err(problem), None),
    }
}

fn parse_answer(headers: &HeaderMap, body: &RawBody) -> Result<Answer, Problem> {
    let form: Option<AnswerForm> = match media_type(headers).as_deref() {
        Some("application/json") => serde_json::from_slice(&body.0).ok(),
        Some("application/x-www-form-urlencoded") | None => url_form(&body.0),
        Some(_) => {
            return Err(unsupported_media_type(
                "application/x-www-form-urlencoded or application/json",
            ));
        }
    };
    form.map(|form| form.answer)
        .ok_or_else(|| Problem::invalid_at("/answer", "expected `accept` or `decline`"))
}

fn url_form(body: &[u8]) -> Option<AnswerForm> {
    let answer = form_urlencoded::parse(body)
        .find(|(name, _)| name == "answer")
        .map(|(_, value)| value)?;
    serde_json::from_value(json!({ "answer": answer })).ok()
}

/// What the token says. An expired one still says it: whether the offer stands is for the slot
/// to decide, which may have been accepted in time.
fn claims(deps: &Deps, token: &str, now: Timestamp) -> Result<OfferLink, Problem> {
    match deps.link_keys.verify::<OfferLink>(token, now) {
        Ok(link) | Err(TokenError::Expired(link)) => Ok(link),
        Err(_) => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-link",
            "This link is not one of ours. Please use the link in the message as it is.",
        )),
    }
}

async fn load_slot(deps: &Deps, link: &OfferLink) -> Result<Loaded<Slot>, Problem> {
    let slot = deps.journal.load::<Slot>(&StreamId::slot(&link.slot)).await;
    let slot = slot.map_err(|error| unavailable(&error))?;
    if slot.exists() {
        Ok(slot)
    } else {
        Err(refused(&Refusal::SlotNotFound))
    }
}

async fn decide(
    deps: &Arc<Deps>,
    link: &OfferLink,
    answer: Answer,
    cause: &Cause,
    received_at: Timestamp,
) -> Result<(Shown, Option<String>), Problem> {
    for _ in 0..TRIES_MAX {
        let slot = load_slot(deps, link).await?;
        let entry = deps
            .journal
            .load::<Entry>(&StreamId::entry(&link.entry))
            .await;
        let entry = entry.map_err(|error| unavailable(&error))?;
        let decision = match answer {
            Answer::Accept => cascade::accept(
                &slot.state,
                &entry.state,
                None,
                &link.offer,
                received_at,
                &deps.timing,
            )
            .map(|taken| Both {
                slot: taken.slot,
                entry: taken.entry,
            }),
            Answer::Decline => {
                cascade::decline(&slot.state, &entry.state, &link.offer, received_at)
            }
        };
        let both = match decision {
            Ok(both) => both,
            Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
                return Ok((shown(&slot.state, link, received_at), None));
            }
            Err(refusal) => return Err(refused(&refusal)),
        };
        // What follows belongs to the cascade that made the offer, not to the click.
        let cause = Cause {
            correlation_id: correlation_of(&slot, cause),
            ..cause.clone()
        };
        match append(deps, &slot, &entry, both, &cause).await {
            Ok(()) => {
                let slot_after = load_slot(deps, link).await?;
                let commit = commit_name(&slot.stream, slot.number + 1);
                return Ok((shown(&slot_after.state, link, received_at), Some(commit)));
            }
            Err(AppendError::Conflict(_)) => {}
            Err(error) => return Err(append_problem(&error)),
        }
    }
    Err(lost_race())
}

fn correlation_of(slot: &Loaded<Slot>, cause: &Cause) -> String {
    slot.last.as_ref().map_or_else(
        || cause.correlation_id.clone(),
        |last| last.cause.correlation_id.clone(),
    )
}

async fn append(
    deps: &Deps,
    slot: &Loaded<Slot>,
    entry: &Loaded<Entry>,
    both: Both,
    cause: &Cause,
) -> Result<(), AppendError> {
    let now = deps.clock.now();
    let slot_commit = slot_commit(slot, cause, both.slot, &deps.timing, now)?;
    let mut next = entry.next(cause, now).events(both.entry);
    if let Some(facts) = &entry.state.facts {
        next = next.group(facts.waitlist_id.as_str());
    }
    deps.journal
        .append_all(vec![slot_commit, next.build()?], Vec::new())
        .await?;
    Ok(())
}

fn shown(slot: &Slot, link: &OfferLink, now: Timestamp) -> Shown {
    let state = match &slot.status {
        SlotStatus::Held { expires_at, .. } if slot.is_held_under(&link.offer) => {
            if now < *expires_at { "open" } else { "expired" }
        }
        SlotStatus::Filled { offer_id, .. } if *offer_id == link.offer => "accepted",
        _ => match slot.ended.get(&link.offer) {
            Some(OfferFate::Declined) => "declined",
            Some(OfferFate::Expired) => "expired",
            _ => "superseded",
        },
    };
    let facts = slot
        .facts
        .as_ref()
        .filter(|facts| facts.version == link.version);
    Shown {
        state,
        service: facts.map(|facts| facts.service.clone()),
        starts_at: facts.map(|facts| facts.starts_at),
        ends_at: facts.map(|facts| facts.ends_at),
        expires_at: match &slot.status {
            SlotStatus::Held { expires_at, .. } if state == "open" => Some(*expires_at),
            _ => None,
        },
    }
}

fn respond(headers: &HeaderMap, outcome: Result<Shown, Problem>, commit: Option<&str>) -> Response {
    let wants_page =
        header_text(headers, "accept").is_some_and(|accept| accept.contains("text/html"));
    let mut response = match (outcome, wants_page) {
        (Ok(shown), true) => page::html(StatusCode::OK, &page::of_offer(&shown)),
        (Ok(shown), false) => Json(shown).into_response(),
        (Err(problem), true) => page::html(problem.status, &page::of_problem(&problem)),
        (Err(problem), false) => problem.into_response(),
    };
    let headers = response.headers_mut();
    // The address holds a secret: it must not be kept, nor told to a page that is linked to.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    match commit {
        Some(commit) => with_commit(response, commit),
        None => response,
    }
}
