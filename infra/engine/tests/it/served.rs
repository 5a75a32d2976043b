//! The engine on a port, and the refusals of opening one.

use crate::support::{answer, engine, engine_in, item, journal};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use callboard_engine::{Engine, EngineConfig, EngineError, State};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    ask(address, &request).await
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}

#[tokio::test]
async fn a_port_serves_the_services_until_shutdown() {
    let engine = engine().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn({
        let engine = engine.clone();
        async move {
            engine
                .serve(listener, async {
                    let _ = stopped.await;
                })
                .await
        }
    });
    assert!(get(address, "/_callboard/health").await.contains("200 OK"));
    let broken = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n";
    let broken = ask(address, broken).await;
    assert!(broken.starts_with("HTTP/1.1 400"), "{broken}");
    let mut config = engine.sdk_config().into_builder();
    // The SDK's own client, over a socket.
    config
        .set_http_client(None)
        .set_endpoint_url(Some(format!("http://{address}")));
    let config = config.build();
    let db = aws_sdk_dynamodb::Client::new(&config);
    journal(&db, "journal").await;
    db.put_item()
        .table_name("journal")
        .set_item(Some(item("slot#1", 1)))
        .send()
        .await
        .expect("written");
    drop(stop);
    tokio::time::timeout(Duration::from_secs(5), served)
        .await
        .expect("ends soon")
        .expect("does not panic")
        .expect("ends well");
    TcpStream::connect(address)
        .await
        .expect_err("nobody listens any more");
}

#[tokio::test]
async fn what_a_web_page_asks_for_is_refused_and_a_link_that_is_followed_is_not() {
    let engine = engine().await;
    let status = async |headers: &[(&str, &str)]| {
        let mut request = Request::get("/?Action=ListTopics&Version=2010-03-31");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        answer(&engine, request).await.0
    };
    let other = ("sec-fetch-site", "cross-site");
    for headers in [
        &[("origin", "https://example.com")][..],
        &[("origin", "null")],
        &[other, ("sec-fetch-dest", "image")],
        &[other, ("sec-fetch-dest", "iframe")],
    ] {
        assert_eq!(status(headers).await, StatusCode::FORBIDDEN, "{headers:?}");
    }
    for headers in [
        &[][..],
        &[("sec-fetch-mode", "cors")],
        &[other, ("sec-fetch-dest", "document")],
    ] {
        assert_eq!(status(headers).await, StatusCode::OK, "{headers:?}");
    }
}

async fn refusal(state: State) -> EngineError {
    Engine::open(EngineConfig {
        state,
        ..EngineConfig::default()
    })
    .await
    .expect_err("refused")
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_free_after_the_last_clone() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = engine_in(directory.path()).await;
    let error = refusal(State::Directory(directory.path().to_owned())).await;
    assert!(matches!(error, EngineError::InUse { .. }), "{error}");
    let client = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    drop(engine);
    drop(client);
    engine_in(directory.path()).await;
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    for name in ["dynamodb.sqlite", "messages.sqlite"] {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(name), vec![9u8; 10_000]).expect("written");
        let error = refusal(State::Directory(directory.path().to_owned())).await;
        assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
