//! `GET /w/{token}`: a person's own place on the waitlist, by a signed link.
//!
//! What staff read of an entry is told in words here, without anything of others but how many come
//! before, and that coarsely: with exact numbers one person could watch another. The page changes
//! nothing; its buttons are a `POST` to `command-api`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_contracts::link::EntryLink;
use callboard_contracts::{StreamId, Timestamp};
use callboard_domain::waitlist::entry::{Entry, EntryStatus};
use callboard_domain::when::Zone;
use callboard_runtime::http::page::{self, escape};
use callboard_runtime::http::{Problem, RequestFacts};
use serde::Serialize;

use crate::went_first::{self, ENTRY_COMMITS_MAX, Reason};
use crate::{App, Deps, position, read_problem};

/// Most people counted: beyond, it is only said that there are more.
const COUNTED_MAX: u32 = 100;

/// Numbers that are said of how many come before: fewer than the first one that fits.
const FEWER_THAN: [u32; 6] = [2, 5, 10, 25, 50, 100];

/// A person's place, as its link shows it: nobody else is named.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    state: &'static str,
    service: String,
    joined_at: Timestamp,
    /// How many come before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Before>,
    /// Appointments that came up since, and what became of them for this person.
    slots: Vec<Reason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Before {
    Nobody,
    FewerThan(u32),
    OrMore(u32),
}

pub(crate) async fn show(
    State(deps): App,
    Path(token): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Response {
    let outcome = shown(&deps, &token, facts.received_at).await;
    let is_page = page::is_wanted(&headers);
    page::private(match (outcome, is_page) {
        (Ok(shown), true) => {
            page::html(StatusCode::OK, of_entry(&shown, &token, &deps.clinic_zone))
        }
        (Ok(shown), false) => ([(header::VARY, "accept")], Json(shown)).into_response(),
        (Err(problem), true) => page::html(problem.status, of_problem(&problem)),
        (Err(problem), false) => problem.into_response(),
    })
}

async fn shown(deps: &Deps, token: &str, now: Timestamp) -> Result<Shown, Problem> {
    let link = deps.link_keys.verify::<EntryLink>(token, now);
    // Why a token is not honoured is nobody's business: an expired one is as good as none here.
    let link = link.map_err(|_| Problem::unknown_link())?;
    let stream = StreamId::entry(&link.entry);
    let own = deps
        .journal
        .history::<Entry>(&stream, ENTRY_COMMITS_MAX)
        .await;
    let own = own.map_err(|error| read_problem(&error))?;
    let entry = went_first::entry_of(deps, &own, &stream).await?;
    let facts = entry
        .facts
        .clone()
        .filter(|it| it.waitlist_id == link.waitlist);
    let facts = facts.ok_or_else(Problem::unknown_link)?;
    let ahead = position::ahead(deps, &entry, now, COUNTED_MAX).await?;
    let before = ahead.map(|(ahead, more)| coarse(ahead, more));
    let slots = went_first::reasons(deps, &own, &facts).await?;
    Ok(Shown {
        state: state(&entry.status, now),
        service: facts.service,
        joined_at: facts.joined_at,
        before,
        slots,
    })
}

fn coarse(ahead: u32, more: bool) -> Before {
    let limit = FEWER_THAN.into_iter().find(|limit| ahead < *limit);
    match limit {
        _ if ahead == 0 => Before::Nobody,
        Some(limit) if !more => Before::FewerThan(limit),
        _ => Before::OrMore(COUNTED_MAX),
    }
}

fn state(status: &EntryStatus, now: Timestamp) -> &'static str {
    match status {
        // An offer that has run out is counted with the entry's next decision.
        EntryStatus::Offered(offer) if now < offer.expires_at => "offered",
        EntryStatus::Waiting | EntryStatus::Offered(_) => "waiting",
        EntryStatus::Paused(_) => "paused",
        EntryStatus::Booked(_) => "booked",
        EntryStatus::GivenUp { .. } => "given-up",
        EntryStatus::Left | EntryStatus::Absent => "left",
    }
}

fn of_entry(shown: &Shown, token: &str, zone: &Zone) -> String {
    let (title, text) = words(shown.state);
    let before = shown.before.map_or_else(String::new, |before| {
        let said = match before {
            Before::Nobody => "Nobody is before you".to_owned(),
            Before::FewerThan(2) => "One person is before you".to_owned(),
            Before::FewerThan(limit) => format!("Fewer than {limit} people are before you"),
            Before::OrMore(limit) => format!("{limit} people or more are before you"),
        };
        format!("<dt>Your turn</dt><dd>{said}</dd>")
    });
    let since = shown.joined_at;
    let day = zone.tell(since).map_or_else(String::new, |told| told.date);
    let facts = format!(
        "<dl><dt>What</dt><dd>{}</dd><dt>Since</dt><dd><time datetime=\"{since}\">{day}</time></dd>\
         {before}</dl>",
        escape(&shown.service)
    );
    let rest = match shown.state {
        "left" | "booked" | "given-up" => String::new(),
        state => format!("{}{HOW}{}", came_up(&shown.slots), forms(state, token)),
    };
    page::document(title, &format!("<p>{text}</p>{facts}{rest}"))
}

const fn words(state: &str) -> (&'static str, &'static str) {
    match state.as_bytes() {
        b"offered" => (
            "An appointment is held for you",
            "Please answer it by the link in our latest message.",
        ),
        b"paused" => (
            "Your place is paused",
            "You keep your place, and get no offers until you resume.",
        ),
        b"booked" => (
            "You have your appointment",
            "So you are no longer on the waitlist. To change it, please call us.",
        ),
        b"given-up" => (
            "You have taken a sooner appointment",
            "This place had led to a later one, which you gave up for it.",
        ),
        b"left" => (
            "You are not on the waitlist",
            "You have left it. To wait again, please tell us.",
        ),
        _ => (
            "You are on the waitlist",
            "We write to you as soon as an appointment is free that suits you.",
        ),
    }
}

const HOW: &str = "<h2>Who is asked next</h2>\
    <p>Whoever has waited longest, where a day counts for more if it is urgent. Nobody is overtaken \
    for ever, and saying no does not cost you your place. Whom an appointment does not suit is \
    passed over for it, so you may hear from us sooner than the number says.</p>";

/// What became of the appointments that came up lately, and what would help.
fn came_up(slots: &[Reason]) -> String {
    let total: u32 = slots.iter().map(|reason| reason.count).sum();
    if total == 0 {
        return String::new();
    }
    let line = |reason: &Reason| {
        let words = match (reason.count, reason.slots_that.strip_prefix("were ")) {
            (1, Some(rest)) => format!("was {rest}"),
            _ => reason.slots_that.to_owned(),
        };
        format!("<li>{} {}</li>", reason.count, escape(&words))
    };
    let lines: String = slots.iter().map(line).collect();
    let advice = if slots.iter().any(|reason| reason.by_wish) {
        "<p>If you can take other times, places or notice, tell us: more appointments would suit \
         you.</p>"
    } else {
        ""
    };
    let of = match total {
        1 => "One appointment came up since you joined:".to_owned(),
        total => format!("Of the last {total} appointments since you joined:"),
    };
    format!("<h2>What came up lately</h2><p>{of}</p><ul>{lines}</ul>{advice}")
}

/// Relative to the page, wherever that is mounted. To leave takes a tick, for it cannot be undone.
fn forms(state: &str, token: &str) -> String {
    let token = escape(token);
    let (value, label) = if state == "paused" {
        ("resume", "Resume: send me offers again")
    } else {
        ("pause", "Pause: send me no offers for now")
    };
    format!(
        "<h2>Change it</h2>\
         <form method=\"post\" action=\"./{token}\">\
         <button name=\"do\" value=\"{value}\">{label}</button></form>\
         <form method=\"post\" action=\"./{token}\">\
         <label><input type=\"checkbox\" name=\"sure\" value=\"yes\" required> \
         I give up my place</label>\
         <button name=\"do\" value=\"leave\">Leave the waitlist</button></form>"
    )
}

fn of_problem(problem: &Problem) -> String {
    if problem.status == StatusCode::NOT_FOUND {
        return page::document(
            "We do not know this link",
            "<p>It may have been cut short on its way, or be of no use any more. Please open the \
             link in our latest message, or ask us.</p>",
        );
    }
    page::document(
        "That did not work",
        "<p>The fault is on our side. Please open the link again in a minute.</p>",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_come_before_is_told_coarsely_and_never_too_low() {
        assert_eq!(coarse(0, false), Before::Nobody);
        for (ahead, fewer_than) in [(1, 2), (2, 5), (4, 5), (5, 10), (49, 50), (99, 100)] {
            assert_eq!(
                coarse(ahead, false),
                Before::FewerThan(fewer_than),
                "{ahead}"
            );
        }
        assert_eq!(coarse(100, true), Before::OrMore(100));
        assert_eq!(coarse(100, false), Before::OrMore(100));
    }

    fn page(state: &'static str, slots: Vec<Reason>) -> String {
        let zone = "Pacific/Auckland".parse().expect("a zone");
        let shown = Shown {
            state,
            service: "<b>physio".to_owned(),
            joined_at: Timestamp::from_millis(1_768_480_200_000),
            before: (state == "waiting").then_some(Before::FewerThan(5)),
            slots,
        };
        of_entry(&shown, "k1.e30.c2ln", &zone)
    }

    #[test]
    fn every_state_has_its_buttons_and_no_markup_comes_in() {
        for (state, buttons) in [
            ("waiting", vec!["pause", "leave"]),
            ("offered", vec!["pause", "leave"]),
            ("paused", vec!["resume", "leave"]),
            ("booked", vec![]),
            ("given-up", vec![]),
            ("left", vec![]),
        ] {
            let page = page(state, Vec::new());
            let has = ["pause", "resume", "leave"]
                .into_iter()
                .filter(|it| page.contains(&format!("value=\"{it}\"")));
            assert_eq!(has.collect::<Vec<_>>(), buttons, "{state}");
            assert!(!page.contains("<b>") && page.contains("&lt;b&gt;physio"));
            assert!(page.len() < 10_000 && !page.contains("<script"));
        }
        let waiting = page("waiting", Vec::new());
        assert!(waiting.contains("Fewer than 5 people are before you"));
        assert!(
            waiting.contains(">Friday 16 January 2026<"),
            "the clinic's day: {waiting}"
        );
    }

    #[test]
    fn what_came_up_is_counted_and_told_what_would_help() {
        let reason = |code, count, slots_that, by_wish| Reason {
            code,
            count,
            slots_that,
            by_wish,
        };
        let told = page(
            "waiting",
            vec![
                reason(
                    "outside-windows",
                    1,
                    "were outside the times that you named",
                    true,
                ),
                reason(
                    "ranked-behind",
                    2,
                    "went to somebody who was before you",
                    false,
                ),
            ],
        );
        assert!(
            told.contains("Of the last 3 appointments since you joined"),
            "{told}"
        );
        assert!(
            told.contains("<li>1 was outside the times that you named</li>"),
            "{told}"
        );
        assert!(told.contains("more appointments would suit you"));
    }
}
