//! `/o/{token}`: a signed link shows an offer, and takes its answer.
//!
//! `GET` changes nothing, so that a mail scanner or a preview cannot accept. The answer is
//! judged by the moment at which the gateway received it. A browser is led from its `POST` to the
//! page of the `GET`, so that reloading it answers nothing again.

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
    append_problem, cause_of, commit_name, lost_race, refused, slot_commit, unavailable, within,
};
use crate::calendar;
use crate::page::{self, Shown, Standing};
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

/// What became of an answer.
enum Answered {
    /// It counts; with the commit that says so.
    Now(Shown, String),
    /// The same answer counted before.
    Before(Shown),
    /// It does not count, for how the offer stands.
    TooLate(Shown, Problem),
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
        Ok(shown(&deps, &slot.state, &link, facts.received_at))
    }
    .await;
    private(match (outcome, wants_page(&headers)) {
        (Ok(shown), true) => page::html(StatusCode::OK, page::of_offer(&shown, &token, None)),
        (Ok(shown), false) => Json(shown).into_response(),
        (Err(problem), is_page) => told(problem, is_page),
    })
}

/// The appointment for the person's own calendar, once it is theirs.
pub(crate) async fn calendar(
    State(deps): App,
    Path(token): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Response {
    let outcome = async {
        let link = claims(&deps, &token, facts.received_at)?;
        let slot = load_slot(&deps, &link).await?;
        let is_theirs =
            shown(&deps, &slot.state, &link, facts.received_at).state == Standing::Accepted;
        let booked =
            slot.state.facts.filter(|_| is_theirs).and_then(|slot| {
                calendar::of_appointment(&slot, &deps.organizer, facts.received_at)
            });
        booked.ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "not-booked",
                "This offer has not become an appointment.",
            )
        })
    }
    .await;
    private(match outcome {
        Ok(text) => (
            [
                (
                    header::CONTENT_TYPE,
                    "text/calendar; charset=utf-8; method=PUBLISH",
                ),
                (
                    header::CONTENT_DISPOSITION,
                    "attachment; filename=\"appointment.ics\"",
                ),
            ],
            text,
        )
            .into_response(),
        Err(problem) => told(problem, wants_page(&headers)),
    })
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
    private(match (outcome, wants_page(&headers)) {
        (Ok(answered), true) => answered_page(&answered, &token),
        (Ok(Answered::Now(shown, commit)), false) => {
            with_commit(Json(shown).into_response(), &commit)
        }
        (Ok(Answered::Before(shown)), false) => Json(shown).into_response(),
        (Ok(Answered::TooLate(_, problem)), false) => problem.into_response(),
        (Err(problem), is_page) => told(problem, is_page),
    })
}

fn answered_page(answered: &Answered, token: &str) -> Response {
    let of = |shown, note| page::of_offer(shown, token, Some(note));
    match answered {
        // Relative, for the API may be mounted anywhere. A token has no character that means
        // something in a path.
        Answered::Now(_, commit) => {
            let to = [(header::LOCATION, format!("./{token}"))];
            with_commit((StatusCode::SEE_OTHER, to).into_response(), commit)
        }
        Answered::Before(shown) => page::html(
            StatusCode::OK,
            of(
                shown,
                "You have given this answer already. Once is enough: nothing has changed.",
            ),
        ),
        // The offer stands, so what stands against the answer is not to be seen on its page.
        Answered::TooLate(shown, problem) if shown.state == Standing::Open => {
            page::html(problem.status, page::of_problem(problem))
        }
        Answered::TooLate(shown, problem) => {
            page::html(problem.status, of(shown, note_on(problem)))
        }
    }
}

fn note_on(problem: &Problem) -> &'static str {
    if problem.slug == Refusal::AlreadyAnswered.code() {
        "You have answered this offer before, and that answer stands. To change it, please call us."
    } else {
        "Your answer came too late to count; nothing has changed by it."
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
) -> Result<Answered, Problem> {
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
                return Ok(Answered::Before(shown(
                    deps,
                    &slot.state,
                    link,
                    received_at,
                )));
            }
            Err(refusal) if refusal.kind() == RefusalKind::LostRace => {
                let shown = shown(deps, &slot.state, link, received_at);
                return Ok(Answered::TooLate(shown, refused(&refusal)));
            }
            Err(refusal) => return Err(refused(&refusal)),
        };
        // What follows belongs to the cascade that made the offer, not to the click.
        let cause = within(&slot, cause);
        match append(deps, &slot, &entry, both, &cause).await {
            Ok(()) => {
                let slot_after = load_slot(deps, link).await?;
                let commit = commit_name(&slot.stream, slot.number + 1);
                let shown = shown(deps, &slot_after.state, link, received_at);
                return Ok(Answered::Now(shown, commit));
            }
            Err(AppendError::Conflict(_)) => {}
            Err(error) => return Err(append_problem(&error)),
        }
    }
    Err(lost_race())
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

fn shown(deps: &Deps, slot: &Slot, link: &OfferLink, now: Timestamp) -> Shown {
    let facts = slot
        .facts
        .as_ref()
        .filter(|facts| facts.version == link.version);
    let state = match &slot.status {
        _ if facts.is_none() => Standing::Superseded,
        SlotStatus::Held { expires_at, .. } if slot.is_held_under(&link.offer) => {
            if now < *expires_at {
                Standing::Open
            } else {
                Standing::Expired
            }
        }
        SlotStatus::Filled { offer_id, .. } if *offer_id == link.offer => Standing::Accepted,
        _ => match slot.ended.get(&link.offer) {
            Some(OfferFate::Declined) => Standing::Declined,
            Some(OfferFate::Expired) => Standing::Expired,
            Some(OfferFate::Superseded | OfferFate::Booked) => Standing::Taken,
            Some(OfferFate::Withdrawn) => Standing::Withdrawn,
            None => Standing::Superseded,
        },
    };
    Shown {
        state,
        service: facts.map(|facts| facts.service.clone()),
        location: facts.and_then(|facts| facts.location.clone()),
        provider: facts.and_then(|facts| facts.provider.clone()),
        starts_at: facts.map(|facts| facts.starts_at),
        ends_at: facts.map(|facts| facts.ends_at),
        expires_at: match &slot.status {
            SlotStatus::Held { expires_at, .. } if state == Standing::Open => Some(*expires_at),
            _ => None,
        },
        zone: facts
            .and_then(|facts| facts.zone.as_ref()?.parse().ok())
            .unwrap_or_else(|| deps.clinic_zone.clone()),
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    header_text(headers, "accept").is_some_and(|accept| accept.contains("text/html"))
}

fn told(problem: Problem, is_page: bool) -> Response {
    if is_page {
        page::html(problem.status, page::of_problem(&problem))
    } else {
        problem.into_response()
    }
}

/// The address holds a secret: it must not be kept, nor told to a page that is linked to.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
