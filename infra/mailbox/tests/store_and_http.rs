//! The mailbox as a reader meets it: the file over restarts, and the JSON.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use callboard_mailbox::{Mailbox, MailboxError, Query, Store};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt;

async fn open(path: &Path) -> Result<Mailbox, MailboxError> {
    Mailbox::open(Store::File(path.to_owned())).await
}

async fn deliver(mailbox: &Mailbox, to: &str, subject: &str) -> String {
    let raw = format!("From: desk@example.com\r\nSubject: {subject}\r\n\r\nHello\r\n");
    mailbox
        .deliver("desk@example.com", &[to.to_owned()], raw.into_bytes())
        .await
        .unwrap()
}

async fn ask(mailbox: &Mailbox, method: &str, uri: &str) -> (StatusCode, Vec<u8>) {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::empty())
        .unwrap();
    let response = mailbox.router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, body.to_vec())
}

async fn json(mailbox: &Mailbox, method: &str, uri: &str) -> (StatusCode, Value) {
    let (status, body) = ask(mailbox, method, uri).await;
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn mails_survive_a_restart_and_ids_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/mailbox.sqlite");
    let mailbox = open(&path).await.unwrap();
    assert_eq!(deliver(&mailbox, "anna@example.com", "one").await, "1");
    drop(mailbox);
    let mailbox = open(&path).await.unwrap();
    let mails = mailbox.list(&Query::default()).await.unwrap();
    assert_eq!(mails[0].subject, "one");
    assert_eq!(mailbox.clear().await.unwrap(), 1);
    assert_eq!(deliver(&mailbox, "anna@example.com", "two").await, "2");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mailbox.sqlite");
    std::fs::write(
        &path,
        "this is not a database, whatever its name may say".repeat(100),
    )
    .unwrap();
    let error = open(&path).await.err().unwrap();
    assert!(matches!(error, MailboxError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("mailbox.sqlite is damaged"));
}

#[tokio::test]
async fn a_file_with_a_torn_page_is_called_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mailbox.sqlite");
    let mailbox = open(&path).await.unwrap();
    for _ in 0..50 {
        deliver(&mailbox, "anna@example.com", &"x".repeat(500)).await;
    }
    drop(mailbox);
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[4096..half].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let error = open(&path).await.err().unwrap();
    assert!(matches!(error, MailboxError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn another_programs_database_and_a_later_format_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let foreign = directory.path().join("foreign.sqlite");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    assert!(matches!(
        open(&foreign).await.err(),
        Some(MailboxError::Damaged { .. })
    ));

    let alike = directory.path().join("alike.sqlite");
    drop(open(&alike).await.unwrap());
    rusqlite::Connection::open(&alike)
        .unwrap()
        .execute_batch("DROP TABLE mail; CREATE TABLE mail (x)")
        .unwrap();
    let error = open(&alike).await.err().unwrap();
    assert!(matches!(error, MailboxError::Damaged { .. }), "{error:?}");

    let later = directory.path().join("later.sqlite");
    drop(open(&later).await.unwrap());
    rusqlite::Connection::open(&later)
        .unwrap()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    let error = open(&later).await.err().unwrap();
    assert!(
        matches!(error, MailboxError::Newer { found: 99, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    for path in [file.join("mailbox.sqlite"), directory.path().to_owned()] {
        let error = open(&path).await.err().unwrap();
        assert!(
            matches!(error, MailboxError::Unwritable { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_list_is_json_with_every_field_and_can_be_narrowed() {
    let mailbox = Mailbox::open(Store::Memory)
        .await
        .unwrap()
        .with_clock(Arc::new(|| {
            "2026-01-02T03:04:05.678Z".parse::<Timestamp>().unwrap()
        }));
    deliver(&mailbox, "anna@example.com", "one").await;
    deliver(&mailbox, "ben@example.com", "two").await;
    deliver(&mailbox, "Anna@Example.com", "three").await;

    let (status, all) = json(&mailbox, "GET", "/").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(all.as_array().unwrap().len(), 3);
    let keys: Vec<_> = all[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "attachments",
            "from",
            "headers",
            "html",
            "id",
            "received_at",
            "subject",
            "text",
            "to"
        ]
    );
    assert_eq!(all[0]["received_at"], "2026-01-02T03:04:05.678Z");

    let subjects = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        list.iter()
            .map(|mail| mail["subject"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, hers) = json(&mailbox, "GET", "/?to=anna@example.com").await;
    assert_eq!(subjects(&hers), ["one", "three"]);
    let (_, later) = json(&mailbox, "GET", "/?after=1").await;
    assert_eq!(subjects(&later), ["two", "three"]);
    let (_, newest) = json(&mailbox, "GET", "/?limit=1").await;
    assert_eq!(subjects(&newest), ["three"]);
}

#[tokio::test]
async fn one_mail_its_bytes_and_the_broom_have_addresses() {
    let mailbox = Mailbox::open(Store::Memory).await.unwrap();
    deliver(&mailbox, "anna@example.com", "one").await;
    let (_, mail) = json(&mailbox, "GET", "/1").await;
    assert_eq!(mail["subject"], "one");
    for uri in ["/1/raw", "/1.eml"] {
        let (status, bytes) = ask(&mailbox, "GET", uri).await;
        assert_eq!(status, StatusCode::OK);
        assert!(bytes.ends_with(b"\r\n\r\nHello\r\n"));
    }
    let (_, deleted) = json(&mailbox, "DELETE", "/").await;
    assert_eq!(deleted["deleted"], 1);
    let (_, all) = json(&mailbox, "GET", "/").await;
    assert_eq!(all, Value::Array(Vec::new()));
}

#[tokio::test]
async fn bad_requests_are_answered_with_a_problem() {
    let mailbox = Mailbox::open(Store::Memory).await.unwrap();
    for (method, uri, wanted) in [
        ("GET", "/nope", 404),
        ("GET", "/7", 404),
        ("GET", "/-1/raw", 404),
        ("GET", "/99999999999999999999999", 404),
        ("GET", "/a/b/c", 404),
        ("POST", "/", 405),
        ("GET", "/?limit=many", 400),
        ("GET", "/?after=x", 400),
        ("GET", "/?unknown=1", 400),
    ] {
        let (status, problem) = json(&mailbox, method, uri).await;
        assert_eq!(status.as_u16(), wanted, "{method} {uri}");
        assert_eq!(problem["status"], wanted, "{method} {uri}");
        assert!(problem["detail"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_can_wait_for_the_mail_to_come() {
    let mailbox = Mailbox::open(Store::Memory).await.unwrap();
    let (_, none) = json(&mailbox, "GET", "/?wait_ms=1000").await;
    assert_eq!(none, Value::Array(Vec::new()));
    let waiter = tokio::spawn({
        let mailbox = mailbox.clone();
        async move { json(&mailbox, "GET", "/?wait_ms=1000&to=anna@example.com").await }
    });
    deliver(&mailbox, "ben@example.com", "not hers").await;
    deliver(&mailbox, "anna@example.com", "hers").await;
    assert_eq!(waiter.await.unwrap().1[0]["subject"], "hers");
}
