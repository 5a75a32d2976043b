//! The JSON interface.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | array of [`Mail`](crate::Mail), oldest first |
//! | `GET /?to=anna@example.com` | only that recipient's |
//! | `GET /?after=17` | only later ones than mail 17 |
//! | `GET /?limit=20` | only the newest 20 |
//! | `GET /?wait_ms=5000` | waits up to that long for at least one match |
//! | `GET /{id}` | one mail |
//! | `GET /{id}/raw`, `GET /{id}.eml` | its bytes, as they came |
//! | `DELETE /` | removes all, answers `{"deleted": n}` |
//!
//! Errors are problem+json (RFC 9457).

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::extract::{Path, Query as UrlQuery, State, rejection::QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::store::{Query, parse_id};
use crate::{Mailbox, MailboxError};

/// Longest wait of one request: below the 30 s after which common clients and
/// proxies give up.
const WAIT_MS_MAX: u64 = 20_000;

pub(crate) async fn serve(
    mailbox: &Mailbox,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Small answers: Nagle would delay them. A stream that cannot be set is
        // about to fail on its first read, which tells more.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, mailbox.router())
        .with_graceful_shutdown(shutdown)
        .await
}

pub(crate) fn router(mailbox: Mailbox) -> Router {
    Router::new()
        .route("/", get(list).delete(clear))
        .route("/{id}", get(one))
        .route("/{id}/raw", get(raw))
        .fallback(|| async {
            problem(
                StatusCode::NOT_FOUND,
                "There is nothing here; GET / lists mails",
            )
        })
        .method_not_allowed_fallback(|| async {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "This address does not take that method",
            )
        })
        .with_state(mailbox)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    to: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
    wait_ms: Option<u64>,
}

async fn list(
    State(mailbox): State<Mailbox>,
    query: Result<UrlQuery<ListQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(UrlQuery(query)) => query,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    let after = match query.after.as_deref().map(parse_id) {
        None => None,
        Some(Some(id)) => Some(id),
        Some(None) => return problem(StatusCode::BAD_REQUEST, "`after` is not the id of a mail"),
    };
    let patience = Duration::from_millis(query.wait_ms.unwrap_or(0).min(WAIT_MS_MAX));
    let query = Query {
        to: query.to,
        after,
        limit: query.limit,
    };
    let mails = if patience.is_zero() {
        mailbox.list(&query).await
    } else {
        mailbox
            .wait_until(patience, &query, |mails| !mails.is_empty())
            .await
    };
    match mails {
        Ok(mails) => Json(mails).into_response(),
        Err(error) => failure(&error),
    }
}

async fn one(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    if let Some(id) = id.strip_suffix(".eml") {
        return bytes_of(&mailbox, id).await;
    }
    match mailbox.get(&id).await {
        Ok(Some(mail)) => Json(mail).into_response(),
        Ok(None) => no_such_mail(),
        Err(error) => failure(&error),
    }
}

async fn raw(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    bytes_of(&mailbox, &id).await
}

/// Sent as a download, so that no browser runs what a mail contains.
async fn bytes_of(mailbox: &Mailbox, id: &str) -> Response {
    match mailbox.raw(id).await {
        Ok(Some(bytes)) => (
            [
                (header::CONTENT_TYPE, "message/rfc822"),
                (
                    header::CONTENT_DISPOSITION,
                    "attachment; filename=\"mail.eml\"",
                ),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            bytes,
        )
            .into_response(),
        Ok(None) => no_such_mail(),
        Err(error) => failure(&error),
    }
}

async fn clear(State(mailbox): State<Mailbox>) -> Response {
    match mailbox.clear().await {
        Ok(deleted) => Json(json!({ "deleted": deleted })).into_response(),
        Err(error) => failure(&error),
    }
}

fn no_such_mail() -> Response {
    problem(StatusCode::NOT_FOUND, "There is no mail with this id")
}

fn failure(error: &MailboxError) -> Response {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the mailbox failed"
    );
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The mailbox could not be read or written",
    )
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({ "title": title, "status": status.as_u16(), "detail": detail });
    (
        status,
        [(header::CONTENT_TYPE, "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}
