//! `POST /v1/recipients/{id}/replies`: what a person answered to a text message, as the adapter of
//! a provider hands it over. It knows who wrote, and sends back the short text of the answer.
//!
//! A message names no offer. Which one may be meant a view says, by the person; whether it stands
//! and what becomes of it the streams decide, by the code that a link's answer goes through. The
//! text itself is neither kept nor logged, nor is its hash: only what it means.

mod consent;
mod which;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_contracts::link::OfferLink;
use callboard_contracts::{Cause, OfferId, RecipientId, SlotId, StreamId, Timestamp};
use callboard_domain::replies::{self, Meaning, Outcome};
use callboard_domain::waitlist::Refusal;
use callboard_domain::waitlist::slot::Slot;
use callboard_runtime::http::{JsonBody, Problem, RequestFacts, id_from_path, with_commit};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::which::{Choice, Meant};
use crate::answer::{Done, cause_of, unavailable};
use crate::contacts::Registration;
use crate::idempotency::Keyed;
use crate::offers::decide::{Answer, Answered, decide};
use crate::offers::standing::zone;
use crate::page::Shown;
use crate::recipients::erased;
use crate::{App, Deps};

/// Longest text in characters: what Twilio makes one message of
/// (<https://www.twilio.com/docs/glossary/what-sms-character-limit>).
const TEXT_CHARS_MAX: usize = 1_600;

/// A person's reply to a text message.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Reply")]
pub(crate) struct ReplyBody {
    /// What was written. It is neither kept nor logged.
    #[schemars(length(max = TEXT_CHARS_MAX))]
    text: String,
    /// When the provider received it: an answer is judged by that, and none counts for an offer
    /// that was made later. The moment of the request unless given, and never later.
    received_at: Option<Timestamp>,
    /// The offer that is answered, where the adapter knows.
    offer: Option<OfferId>,
}

/// One reply, understood.
pub(crate) struct Reply<'a> {
    deps: &'a Deps,
    recipient: RecipientId,
    locale: Option<String>,
    meaning: Meaning,
    offer: Option<OfferId>,
    received_at: Timestamp,
    /// Whether the caller has said when it was received.
    is_dated: bool,
    cause: &'a Cause,
    keyed: &'a Keyed<'a>,
}

/// What became of a reply.
struct Told {
    outcome: Outcome,
    /// Service and time of the slot that it was about.
    about: Option<(String, String)>,
    answer: Result<Done, Refused>,
}

/// A reply that does not count.
struct Refused {
    problem: Problem,
    offers: Option<Value>,
}

pub(crate) async fn answer(
    State(deps): App,
    Path(id): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    JsonBody { parsed, .. }: JsonBody<ReplyBody>,
) -> Result<Response, Problem> {
    let recipient: RecipientId = id_from_path(&id)?;
    if parsed.text.chars().count() > TEXT_CHARS_MAX {
        let message = format!("has at most {TEXT_CHARS_MAX} characters");
        return Err(Problem::invalid_at("/text", message));
    }
    let meaning = replies::meaning(&parsed.text);
    let said = json!({
        "recipientId": recipient, "meaning": meaning.as_str(), "offer": parsed.offer,
        "receivedAt": parsed.received_at,
    });
    let cause = cause_of(&facts, &said);
    let keyed = Keyed::from_headers(&headers, "replies", &cause)?;
    let received_at = facts.received_at;
    let reply = Reply {
        deps: &deps,
        locale: language(&deps, &recipient).await?,
        recipient,
        meaning,
        offer: parsed.offer,
        received_at: parsed
            .received_at
            .map_or(received_at, |at| at.min(received_at)),
        is_dated: parsed.received_at.is_some(),
        cause: &cause,
        keyed: &keyed,
    };
    let told = match keyed.earlier(&deps.journal).await? {
        Some(done) => reply.told_before(done).await?,
        None => reply.run().await?,
    };
    Ok(reply.response(told))
}

/// The language of somebody who is registered.
async fn language(deps: &Deps, id: &RecipientId) -> Result<Option<String>, Problem> {
    let known = deps.contacts.language(id).await;
    match known.map_err(|error| unavailable(&error))? {
        (Registration::Registered, locale) => Ok(locale),
        (Registration::Erased, _) => Err(erased()),
        (Registration::Unknown, _) => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "recipient-not-found",
            "Nobody is registered under this id.",
        )),
    }
}

impl Reply<'_> {
    async fn run(&self) -> Result<Told, Problem> {
        match self.meaning {
            Meaning::Accept => self.to_an_offer(Answer::Accept, Outcome::Accepted).await,
            Meaning::Decline => self.to_an_offer(Answer::Decline, Outcome::Declined).await,
            Meaning::Stop => self.consent(true).await,
            Meaning::Start => self.consent(false).await,
            Meaning::Help => Ok(self.done(Outcome::Help, None, None)),
            Meaning::Unknown => Ok(self.done(Outcome::Unknown, None, None)),
        }
    }

    async fn to_an_offer(&self, answer: Answer, outcome: Outcome) -> Result<Told, Problem> {
        let meant = match self.which().await? {
            Choice::One(meant) => meant,
            Choice::None => {
                let detail = "No offer is open for this person.";
                return Ok(refused(Outcome::NoOffer, "no-offer", detail, None));
            }
            Choice::Several(all) => {
                let detail = "Several offers are open for this person; name the one that is meant.";
                let all = all.iter().map(Meant::told).collect();
                return Ok(refused(
                    Outcome::SeveralOffers,
                    "several-offers",
                    detail,
                    Some(all),
                ));
            }
            Choice::Outdated => {
                return Err(Problem::new(
                    StatusCode::CONFLICT,
                    "reply-outdated",
                    "The reply is older than the offer that is open: it was not written about it.",
                ));
            }
        };
        let link = OfferLink {
            slot: meant.offer.slot_id.clone(),
            version: meant.offer.slot_version,
            offer: meant.offer.offer_id.clone(),
            entry: meant.entry_id.clone(),
        };
        let done = |commit: &str| self.body(outcome, Some(&meant), commit.to_owned());
        let remember = |commit: &str| self.keyed.remembered(&done(commit), self.deps.clock.now());
        let answered = decide(
            self.deps,
            link,
            answer,
            self.cause,
            self.received_at,
            &remember,
        );
        Ok(match answered.await? {
            Answered::Now(shown, commit) => Told {
                outcome,
                about: about(&shown),
                answer: Ok(done(&commit)),
            },
            Answered::Before(shown) => Told {
                outcome,
                about: about(&shown),
                answer: Ok(done("")),
            },
            Answered::TooLate(shown, problem) => Told {
                outcome: if problem.slug == Refusal::AlreadyAnswered.code() {
                    Outcome::AnsweredBefore
                } else {
                    Outcome::TooLate
                },
                about: about(&shown),
                answer: Err(Refused {
                    problem,
                    offers: None,
                }),
            },
        })
    }

    fn done(&self, outcome: Outcome, meant: Option<&Meant>, commit: Option<String>) -> Told {
        Told {
            outcome,
            about: None,
            answer: Ok(self.body(outcome, meant, commit.unwrap_or_default())),
        }
    }

    /// Ids and codes alone, so that it may be kept; an empty commit is none.
    fn body(&self, outcome: Outcome, meant: Option<&Meant>, commit: String) -> Done {
        let mut body = json!({ "understood": self.meaning.as_str(), "outcome": outcome.as_str() });
        if let Some(meant) = meant {
            body["entryId"] = json!(meant.entry_id);
            body["slotId"] = json!(meant.offer.slot_id);
        }
        Done {
            status: StatusCode::OK,
            body,
            commit,
        }
    }

    /// The first answer again; its text is made anew, for it is not kept.
    async fn told_before(&self, done: Done) -> Result<Told, Problem> {
        let outcome = done.body["outcome"].as_str();
        let outcome = Outcome::ALL
            .into_iter()
            .find(|it| outcome == Some(it.as_str()));
        let slot: Option<SlotId> = serde_json::from_value(done.body["slotId"].clone()).ok();
        let mut about = None;
        if let Some(slot) = slot {
            let slot = self.deps.journal.load::<Slot>(&StreamId::slot(&slot)).await;
            let slot = slot.map_err(|error| unavailable(&error))?;
            about = slot.state.facts.and_then(|facts| {
                let zone = zone(self.deps, Some(&facts));
                Some((facts.service, zone.numbers(facts.starts_at)?))
            });
        }
        Ok(Told {
            outcome: outcome.unwrap_or(Outcome::Unknown),
            about,
            answer: Ok(done),
        })
    }

    fn response(&self, told: Told) -> Response {
        let (service, when) = told.about.unwrap_or_default();
        let text = replies::answer(told.outcome, self.locale.as_deref(), &service, &when);
        match told.answer {
            Ok(Done {
                status,
                mut body,
                commit,
            }) => {
                body["reply"] = json!(text);
                let response = (status, Json(body)).into_response();
                if commit.is_empty() {
                    response
                } else {
                    with_commit(response, &commit)
                }
            }
            Err(Refused { problem, offers }) => {
                let mut body = problem.to_json();
                body["reply"] = json!(text);
                if let Some(offers) = offers {
                    body["offers"] = offers;
                }
                let kind = [(header::CONTENT_TYPE, "application/problem+json")];
                (problem.status, kind, body.to_string()).into_response()
            }
        }
    }
}

fn refused(outcome: Outcome, code: &'static str, detail: &str, offers: Option<Value>) -> Told {
    Told {
        outcome,
        about: None,
        answer: Err(Refused {
            problem: Problem::new(StatusCode::CONFLICT, code, detail),
            offers,
        }),
    }
}

/// Service and time, in numbers, of what was offered.
fn about(shown: &Shown) -> Option<(String, String)> {
    let when = shown.zone.numbers(shown.starts_at?)?;
    Some((shown.service.clone()?, when))
}
