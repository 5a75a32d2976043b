//! The pages that a link opens: plain HTML, no script, nothing loaded from elsewhere.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use callboard_contracts::Timestamp;
use callboard_runtime::http::Problem;
use serde::Serialize;

/// An offer, as its link shows it: no person is named.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// `open`, `accepted`, `declined`, `expired` or `superseded`.
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) starts_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
}

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}h1{font-size:1.5rem}button{font:inherit;padding:.7rem 1.2rem;margin:.3rem .6rem .3rem 0;\
border-radius:.4rem;border:2px solid #14532d;cursor:pointer}button[value=accept]{background:#14532d;color:#fff}\
button[value=decline]{background:#fff;color:#14532d}button:focus-visible{outline:3px solid #1d4ed8;outline-offset:2px}\
@media(prefers-color-scheme:dark){body{color:#f2f2f2;background:#161616}button[value=decline]{background:#161616;color:#bbf7d0;border-color:#bbf7d0}}";

/// Nothing may be loaded, framed or run; the form may only be sent back to us.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub(crate) fn html(status: StatusCode, body: &str) -> Response {
    let mut response = (status, Html(body.to_owned())).into_response();
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    response
}

pub(crate) fn of_offer(shown: &Shown) -> String {
    let what = format!(
        "<p><strong>{}</strong><br>{}</p>",
        escape(shown.service.as_deref().unwrap_or("Appointment")),
        shown.starts_at.map_or_else(String::new, time),
    );
    match shown.state {
        "open" => document(
            "An appointment is free",
            &format!(
                "{what}<p>It is held for you until {}.</p><form method=\"post\">\
                 <button name=\"answer\" value=\"accept\">Yes, I take it</button>\
                 <button name=\"answer\" value=\"decline\">No, thank you</button></form>",
                shown.expires_at.map_or_else(String::new, time),
            ),
        ),
        "accepted" => document("The appointment is yours", &what),
        "declined" => document(
            "Thank you for letting us know",
            "<p>You keep your place on the waitlist.</p>",
        ),
        "expired" => document(
            "This offer has ended",
            "<p>The time to answer has passed. You are still on the waitlist.</p>",
        ),
        _ => document(
            "This offer was replaced",
            "<p>It can no longer be answered.</p>",
        ),
    }
}

pub(crate) fn of_problem(problem: &Problem) -> String {
    document(
        "This did not work",
        &format!("<p>{}</p>", escape(&problem.detail)),
    )
}

fn document(title: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{content}</main></body></html>"
    )
}

fn time(at: Timestamp) -> String {
    let human = jiff::Timestamp::from_millisecond(at.as_millis())
        .map(|time| time.strftime("%A, %-d %B %Y, %H:%M UTC").to_string())
        .unwrap_or_default();
    format!("<time datetime=\"{at}\">{human}</time>")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(state: &'static str, service: &str) -> Shown {
        let at = Timestamp::from_millis(1_800_000_000_000);
        Shown {
            state,
            service: Some(service.to_owned()),
            starts_at: Some(at),
            ends_at: Some(at),
            expires_at: Some(at),
        }
    }

    #[test]
    fn a_service_name_cannot_bring_markup_into_the_page() {
        let page = of_offer(&shown("open", "<script>alert(1)</script>"));
        assert!(!page.contains("<script>"));
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn only_an_open_offer_has_buttons() {
        assert!(of_offer(&shown("open", "physio")).contains("<form"));
        for state in ["accepted", "declined", "expired", "superseded"] {
            assert!(
                !of_offer(&shown(state, "physio")).contains("<form"),
                "{state}"
            );
        }
    }
}
