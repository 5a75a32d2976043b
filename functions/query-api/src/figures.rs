//! `GET /v1/waitlists/{w}/figures`: how well and how fairly a waitlist works, summed up from the
//! contributions of its slots and entries ([`callboard_contracts::figures`]).
//!
//! What is read is bounded: a partition a day, and those who wait, up to a number that is said.
//! A row is about 250 bytes and a read unit two times 4 KB (not strongly consistent): with 50 slots
//! and 60 ended entries a day that is about 3.5 units a day, 105 for 30 days, and 500 people who
//! wait are another 12.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use callboard_contracts::figures::{Asked, Figure, Figures, figures_key, utc_day, waiting_key};
use callboard_contracts::{Timestamp, WaitlistId};
use callboard_domain::waitlist::figures::Sums;
use callboard_runtime::http::{Problem, id_from_path, query};
use callboard_runtime::table::{Range, text};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use serde::Deserialize;

use crate::fresh::{AtLeast, wait_for};
use crate::{App, Deps, read_problem};

/// Days of a range that is not given.
const DAYS: i64 = 30;

/// Longest range: a quarter, and the day on which it is asked for.
const DAYS_MAX: i64 = 92;

/// Days read at the same time.
const CONCURRENCY: usize = 16;

/// Rows of a page; with about 250 bytes each that is a quarter of the 1 MB that `Query` gives at most.
const PAGE: i32 = 1_000;

/// Pages of one day: eight thousand appointments and people, which is no practice.
const DAY_PAGES_MAX: usize = 8;

/// Pages of those who wait, longest waiting first: ten thousand people, 2.5 MB.
const WAITING_PAGES_MAX: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Wanted {
    from: Option<String>,
    to: Option<String>,
    service: Option<String>,
    at_least: Option<String>,
}

/// What was read of a partition.
#[derive(Debug, Default)]
struct Read {
    figures: Vec<Figure>,
    complete: bool,
}

pub(crate) async fn show(
    State(deps): App,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Figures>, Problem> {
    let id: WaitlistId = id_from_path(&id)?;
    let wanted = query(wanted)?;
    let at_least = AtLeast::parse(wanted.at_least.as_deref())?;
    let (from, to) = range(&wanted, deps.clock.now())?;
    if let Some(at_least) = &at_least {
        wait_for(&deps, at_least).await?;
    }
    let deps = &deps;
    let days = from.series(jiff::Span::new().days(1));
    let days = days.take_while(|day| *day <= to);
    let days = days.map(|day| (figures_key(&id, &day.to_string()), DAY_PAGES_MAX));
    let partitions = days.chain([(waiting_key(&id), WAITING_PAGES_MAX)]);
    let parts = stream::iter(partitions.map(|(key, pages)| read(deps, key, pages)));
    let parts: Vec<Read> = parts.buffer_unordered(CONCURRENCY).try_collect().await?;
    let complete = parts.iter().all(|part| part.complete);
    let mut sums = Sums::default();
    let service = wanted.service.as_deref();
    for figure in parts.into_iter().flat_map(|part| part.figures) {
        if service.is_none_or(|service| figure.service() == service) {
            sums.add(figure);
        }
    }
    let asked = Asked {
        waitlist_id: id,
        service: wanted.service,
        from: from.to_string(),
        to: to.to_string(),
        complete,
    };
    Ok(Json(sums.figures(asked, deps.clock.now())))
}

/// The days asked for, both included.
fn range(wanted: &Wanted, now: Timestamp) -> Result<(Date, Date), Problem> {
    let today = parsed("to", &utc_day(now))?;
    let to = wanted
        .to
        .as_deref()
        .map_or(Ok(today), |to| parsed("to", to))?;
    let back = |days: i64| to.saturating_sub(jiff::Span::new().days(days - 1));
    let from = wanted.from.as_deref();
    let from = from.map_or_else(|| Ok(back(DAYS)), |from| parsed("from", from))?;
    if from > to {
        return Err(wrong("from", "is after the last day of the range"));
    }
    if from < back(DAYS_MAX) {
        return Err(wrong(
            "from",
            "is more than 92 days before the end of the range; ask for less at a time",
        ));
    }
    Ok((from, to))
}

fn parsed(name: &str, text: &str) -> Result<Date, Problem> {
    // Of `2026-01-31T10:00Z` it would take the day as well, of whatever zone.
    let date = text
        .parse()
        .ok()
        .filter(|date: &Date| date.to_string() == text);
    date.ok_or_else(|| wrong(name, "is not a day such as 2026-01-31"))
}

/// 422, as for a member of a body: the pointer is that of the query's parameter.
fn wrong(name: &str, detail: &str) -> Problem {
    Problem {
        detail: format!("The parameter {name} {detail}."),
        ..Problem::invalid_at(format!("/{name}"), detail)
    }
}

/// Reads a partition, up to so many pages.
async fn read(deps: &Deps, key: String, pages_max: usize) -> Result<Read, Problem> {
    let mut read = Read::default();
    let mut after: Option<String> = None;
    for _ in 0..pages_max {
        let range = Range {
            pk: &key,
            prefix: None,
            after: after.as_deref(),
            limit: PAGE,
            consistent: false,
        };
        let page = deps.views.rows(range).await;
        let page = page.map_err(|error| read_problem(&error))?;
        for item in &page.items {
            let figure = text(item, "doc").and_then(|doc| serde_json::from_str(doc).ok());
            // Nothing but this system writes here: no sum is right while one of its rows is not.
            read.figures.push(figure.ok_or_else(|| {
                tracing::error!(key, "a row of figures cannot be read");
                Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "unreadable",
                    "A row of figures cannot be read: `callboard replay` writes it again.",
                )
            })?);
        }
        after = page.next;
        if after.is_none() {
            read.complete = true;
            break;
        }
    }
    Ok(read)
}
