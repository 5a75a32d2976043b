//! `POST /w/{token}`: a person changes their own place on the waitlist, by a signed link.
//!
//! `query-api` shows the page of the link; a browser is led back to it, so that reloading it asks for
//! nothing again.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_contracts::link::EntryLink;
use callboard_runtime::http::{
    Problem, RawBody, RequestFacts, media_type, unsupported_media_type, with_commit,
};
use serde::Deserialize;
use serde_json::json;

use crate::answer::Done;
use crate::entry_commands::{Asked, ask};
use crate::page::{document, escape, html, is_wanted, private};
use crate::{App, Deps};

/// What a button sends.
#[derive(Debug, Deserialize)]
struct Form {
    r#do: Asked,
    /// `yes` beside a wish to leave: that cannot be undone.
    #[serde(default)]
    sure: Option<String>,
}

pub(crate) async fn change(
    State(deps): App,
    Path(token): Path<String>,
    facts: RequestFacts,
    headers: HeaderMap,
    body: Result<RawBody, Problem>,
) -> Response {
    let is_page = is_wanted(&headers);
    let outcome = match body {
        Ok(body) => run(&deps, &token, &facts, &headers, &body).await,
        Err(problem) => Err(problem),
    };
    private(match (outcome, is_page) {
        // Relative, for the API may be mounted anywhere.
        (Ok(done), true) => {
            let to = [(header::LOCATION, format!("./{token}"))];
            with_commit((StatusCode::SEE_OTHER, to).into_response(), &done.commit)
        }
        (Ok(done), false) => done.into_response(),
        (Err(problem), true) => html(problem.status, of_problem(&problem)),
        (Err(problem), false) => problem.into_response(),
    })
}

async fn run(
    deps: &std::sync::Arc<Deps>,
    token: &str,
    facts: &RequestFacts,
    headers: &HeaderMap,
    body: &RawBody,
) -> Result<Done, Problem> {
    let form = parse(headers, body)?;
    let link = deps.link_keys.verify::<EntryLink>(token, facts.received_at);
    let link = link.map_err(|_| Problem::unknown_link())?;
    if form.r#do == Asked::Leave && form.sure.as_deref() != Some("yes") {
        return Err(Problem::invalid_at(
            "/sure",
            "expected `yes` beside a wish to leave",
        ));
    }
    let path = Path((link.waitlist.to_string(), link.entry.to_string()));
    ask(deps, form.r#do, path, facts, headers).await
}

fn parse(headers: &HeaderMap, body: &RawBody) -> Result<Form, Problem> {
    let form = match media_type(headers).as_deref() {
        Some("application/json") => serde_json::from_slice(&body.0).ok(),
        Some("application/x-www-form-urlencoded") | None => {
            let fields = form_urlencoded::parse(&body.0)
                .map(|(name, value)| (name.into_owned(), json!(value)));
            serde_json::from_value(fields.collect::<serde_json::Map<_, _>>().into()).ok()
        }
        Some(_) => {
            return Err(unsupported_media_type(
                "application/x-www-form-urlencoded or application/json",
            ));
        }
    };
    form.ok_or_else(|| Problem::invalid_at("/do", "expected `pause`, `resume` or `leave`"))
}

fn of_problem(problem: &Problem) -> String {
    let text = match problem.status {
        StatusCode::NOT_FOUND => {
            "We do not know this link. Please open the one in our latest message."
        }
        StatusCode::CONFLICT => &problem.detail,
        StatusCode::UNPROCESSABLE_ENTITY => {
            "To leave the waitlist, please tick that you give up your place. Nothing has changed."
        }
        status if status.is_server_error() => {
            "The fault is on our side. Please open the link again in a minute: it shows whether your \
             wish has reached us."
        }
        _ => "We could not read what your browser has sent. Please open the link again.",
    };
    document("That did not work", &format!("<p>{}</p>", escape(text)))
}
