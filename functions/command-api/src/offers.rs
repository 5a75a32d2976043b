//! `/o/{token}`: a signed link shows an offer, and takes its answer.
//!
//! `GET` changes nothing, so that a mail scanner or a preview cannot accept. The answer is
//! judged by the moment at which the gateway received it. A browser is led from its `POST` to the
//! page of the `GET`, so that reloading it answers nothing again.

pub(crate) mod decide;
pub(crate) mod standing;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_domain::calendar::FILE_NAME;
use callboard_domain::waitlist::Refusal;
use callboard_runtime::http::{
    Problem, RawBody, RequestFacts, media_type, unsupported_media_type, with_commit,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use self::decide::{Answer, Answered, decide};
use self::standing::{Offer, claims};
use crate::App;
use crate::answer::{cause_of, refused};
use crate::calendar;
use crate::page::{self, Standing};

/// The answer to an offer.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "OfferAnswer")]
pub(crate) struct AnswerForm {
    /// What the person says.
    answer: Answer,
}

pub(crate) async fn show(
    State(deps): App,
    Path(token): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Response {
    let offer = Offer::of(&deps, &token, facts.received_at).await;
    let outcome = offer.map(|offer| offer.shown(&deps, facts.received_at));
    page::private(match (outcome, page::is_wanted(&headers)) {
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
    let now = facts.received_at;
    let offer = Offer::of(&deps, &token, now).await;
    let outcome = offer.and_then(|offer| {
        let state = offer.shown(&deps, now).state;
        if state == Standing::GivenUp {
            return Err(refused(&Refusal::BookingGivenUp));
        }
        let is_theirs = state == Standing::Accepted;
        let booked = offer.slot.state.facts.filter(|_| is_theirs);
        let booked = booked.and_then(|slot| calendar::of_appointment(&slot, &deps.organizer, now));
        booked.ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "not-booked",
                "This offer has not become an appointment.",
            )
        })
    });
    page::private(match outcome {
        Ok(text) => (
            [
                (
                    header::CONTENT_TYPE,
                    calendar::METHOD.media_type().to_owned(),
                ),
                (
                    header::CONTENT_DISPOSITION,
                    format!("attachment; filename=\"{FILE_NAME}\""),
                ),
            ],
            text,
        )
            .into_response(),
        Err(problem) => told(problem, page::is_wanted(&headers)),
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
        decide(&deps, link, answer, &cause, facts.received_at, &|_| {
            Ok(None)
        })
        .await
    }
    .await;
    page::private(match (outcome, page::is_wanted(&headers)) {
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
        Answered::Before(shown) if shown.first_come => page::html(
            StatusCode::OK,
            of(
                shown,
                "You need not answer. If you do not want it, close this page.",
            ),
        ),
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

fn told(problem: Problem, is_page: bool) -> Response {
    if is_page {
        page::html(problem.status, page::of_problem(&problem))
    } else {
        problem.into_response()
    }
}
