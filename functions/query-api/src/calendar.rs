//! A waitlist's slots as a calendar to subscribe to (RFC 5545): for callers who sign their
//! requests, and by a secret link for calendar programmes, which cannot. No person is named, not
//! even by an id.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_contracts::cause::hash_of;
use callboard_contracts::link::CalendarLink;
use callboard_contracts::view::{SlotView, calendar_key, moment_prefix};
use callboard_contracts::{Timestamp, WaitlistId};
use callboard_domain::calendar::{Event, Feed, Status, feed};
use callboard_runtime::http::{Problem, RequestFacts, header_text, id_from_path};
use serde_json::{Value, json};

use crate::views::View;
use crate::{App, Deps, read_problem};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How far back a calendar goes: what was booked or withdrawn last month can still be seen.
const DAYS_BACK: u32 = 30;

/// How far ahead it goes: half a year, as long as a routine entry waits at most.
const DAYS_AHEAD: u32 = 182;

/// Most slots in one calendar. Of some 500 bytes each they stay far below the 6 MB that a function
/// may answer.
const SLOTS_MAX: usize = 2_000;

/// Slots in one read of the table: about 0.3 MB of the 1 MB that a page may have.
const PAGE: i32 = 500;

const CONTENT_TYPE: &str = "text/calendar; charset=utf-8";

/// How often a programme should look again; most look less often, whatever they are told.
const REFRESH: Duration = Duration::from_secs(900);

/// How long a link is good. To end one sooner, the key that signed it is taken out of `LINK_KEYS`.
const LINK_DAYS: u32 = 400;

/// The calendar, for who may read the waitlist.
pub(crate) async fn show(
    State(deps): App,
    Path(waitlist): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let waitlist: WaitlistId = id_from_path(&waitlist)?;
    let text = of_waitlist(&deps, &waitlist, facts.received_at).await?;
    answer(text, &headers)
}

/// The calendar, for who has its link.
pub(crate) async fn subscribed(
    State(deps): App,
    Path(token): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = token.strip_suffix(".ics").unwrap_or(&token);
    let link = deps
        .link_keys
        .verify::<CalendarLink>(token, facts.received_at);
    let link = link.map_err(|_| Problem::unknown_link())?;
    let text = of_waitlist(&deps, &link.waitlist, facts.received_at).await?;
    answer(text, &headers)
}

/// A link for a calendar programme. Whoever has it sees the calendar.
pub(crate) async fn link(
    State(deps): App,
    Path(waitlist): Path<String>,
    facts: RequestFacts,
) -> Result<Json<Value>, Problem> {
    let waitlist: WaitlistId = id_from_path(&waitlist)?;
    let expires_at = facts.received_at.plus(DAY * LINK_DAYS);
    let claims = CalendarLink {
        waitlist: waitlist.clone(),
    };
    let token = deps.link_keys.sign(&claims, expires_at);
    let url = format!("{}/c/{token}.ics", deps.public_url);
    Ok(Json(json!({
        "waitlistId": waitlist, "url": url, "expiresAt": expires_at,
    })))
}

async fn of_waitlist(
    deps: &Deps,
    waitlist: &WaitlistId,
    now: Timestamp,
) -> Result<String, Problem> {
    let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    // Whole days, so that the window moves once a day and not with every look.
    let today = now.as_millis() / day * day;
    let from = Timestamp::from_millis((today - day * i64::from(DAYS_BACK)).max(0));
    let to = Timestamp::from_millis(today).plus(DAY * (DAYS_AHEAD + 1));
    let (views, all) = slots(deps, waitlist, from, to).await?;
    let events: Vec<Event> = views
        .iter()
        .filter_map(|view| event(view, waitlist))
        .collect();
    let mut description =
        format!("Slots that start from {DAYS_BACK} days ago to {DAYS_AHEAD} days ahead.");
    if !all {
        description.push_str(" These are the first of them: there is room for no more.");
    }
    let about = Feed {
        name: format!("Waitlist {waitlist}"),
        description,
        refresh: REFRESH,
    };
    feed(&about, &events).ok_or_else(Problem::unavailable)
}

/// The calendar, or that it is as the programme last saw it: most looks find nothing new.
fn answer(text: String, headers: &HeaderMap) -> Result<Response, Problem> {
    let tag = format!("\"{}\"", hash_of(&Value::from(text.as_str())));
    let known = header_text(headers, "if-none-match");
    let mut response = if known.is_some_and(|known| names(known, &tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
    };
    let tag = HeaderValue::try_from(tag).map_err(|_| Problem::unavailable())?;
    response.headers_mut().insert(header::ETAG, tag);
    for (name, value) in [
        // It may be kept by the programme that asked, if it asks again each time.
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Whether an `If-None-Match` names this tag, weakly compared (RFC 9110, 13.1.2).
fn names(known: &str, tag: &str) -> bool {
    let mut tags = known.split(',').map(str::trim);
    tags.any(|each| each == "*" || each.strip_prefix("W/").unwrap_or(each) == tag)
}

/// The slots that start in this time, and whether they are all.
async fn slots(
    deps: &Deps,
    waitlist: &WaitlistId,
    from: Timestamp,
    to: Timestamp,
) -> Result<(Vec<View>, bool), Problem> {
    let (key, end) = (calendar_key(waitlist), moment_prefix(to));
    let mut after = Some(moment_prefix(from));
    let mut found = Vec::new();
    while let Some(start) = after {
        let page = deps.views.page(&key, Some(&start), PAGE).await;
        let page = page.map_err(|error| read_problem(&error))?;
        after = page.next;
        for view in page.views {
            if view.sort_key >= end {
                return Ok((found, true));
            }
            if found.len() == SLOTS_MAX {
                return Ok((found, false));
            }
            found.push(view);
        }
    }
    Ok((found, true))
}

fn event(view: &View, waitlist: &WaitlistId) -> Option<Event> {
    let slot: SlotView = serde_json::from_value(view.document.clone()).ok()?;
    let (state, status) = match slot.state.as_str() {
        "open" => ("Free", Status::Tentative),
        "held" => ("Offered", Status::Tentative),
        "broadcast" => ("Offered to all", Status::Tentative),
        "opened-to-public" => ("Open to the public", Status::Tentative),
        "booked" => ("Booked", Status::Confirmed),
        "withdrawn" => ("Withdrawn", Status::Cancelled),
        _ => return None,
    };
    let with = slot.provider.map(|provider| format!("With {provider}. "));
    Some(Event {
        // One slot is one event, however often it is released.
        uid: format!("{}.{waitlist}@callboard", slot.slot_id),
        sequence: view.applied,
        stamp: view.as_of,
        starts_at: slot.starts_at,
        ends_at: slot.ends_at,
        summary: format!("{state}: {}", slot.service),
        location: slot.location,
        description: Some(format!(
            "{}Slot {}, release {}.",
            with.unwrap_or_default(),
            slot.slot_id,
            slot.slot_version
        )),
        status,
    })
}
