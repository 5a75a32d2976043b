//! An endpoint in the tests' process, that notes what it is sent and answers as it is told to.

use crate::sns::Both;
use crate::support::answer;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use callboard_engine::Engine;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The longest that a test waits, on its clock: longer than any retries but a function's.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// The longest that a test on real time waits.
const SOON: Duration = Duration::from_secs(60);

/// How an endpoint answers.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16),
    Header(u16, &'static str, &'static str),
    /// Never.
    Silence,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Seconds since the endpoint was made.
    pub at_s: f64,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn text(&self, member: &str) -> String {
        let json = self.json();
        json[member].as_str().expect(member).to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("a header's text"))
    }
}

/// The endpoint. Answers 200 to whatever it has no reply for.
#[derive(Debug, Clone)]
pub struct Hook {
    made: Instant,
    seen: Arc<Mutex<Vec<Seen>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    told: Arc<Notify>,
}

impl Hook {
    pub fn new() -> Hook {
        Hook {
            made: Instant::now(),
            seen: Arc::default(),
            replies: Arc::default(),
            told: Arc::default(),
        }
    }

    /// An endpoint at `http://{host}/`.
    pub fn at(engine: &Engine, host: &str) -> Hook {
        let hook = Hook::new();
        engine.route_in_process(host, hook.router());
        hook
    }

    pub fn router(&self) -> Router {
        let hook = self.clone();
        Router::new().fallback(move |request: Request| hook.clone().answer(request))
    }

    /// Replies to the next requests.
    pub fn reply(&self, replies: &[Reply]) {
        self.replies
            .lock()
            .expect("replies")
            .extend(replies.to_vec());
    }

    /// Forgets what it has seen and how it was to reply.
    pub fn forget(&self) {
        self.seen.lock().expect("seen").clear();
        self.replies.lock().expect("replies").clear();
    }

    async fn answer(self, request: Request) -> axum::response::Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a body");
        let seen = Seen {
            at_s: self.made.elapsed().as_secs_f64(),
            path: head.uri.path_and_query().expect("a path").to_string(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).expect("a text"),
        };
        self.seen.lock().expect("seen").push(seen);
        self.told.notify_waiters();
        let reply = self.replies.lock().expect("replies").pop_front();
        let (status, header) = match reply.unwrap_or(Reply::Status(200)) {
            Reply::Status(status) => (status, None),
            Reply::Header(status, name, value) => (status, Some((name, value))),
            Reply::Silence => std::future::pending().await,
        };
        let mut answer = axum::response::Response::new(Body::empty());
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some((name, value)) = header {
            let value = value.parse().expect("a header's text");
            answer.headers_mut().insert(name, value);
        }
        answer
    }

    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().expect("seen").clone()
    }

    /// The requests, as soon as there are `count`.
    pub async fn seen(&self, count: usize) -> Vec<Seen> {
        let enough = async {
            loop {
                let told = self.told.notified();
                if self.all().len() >= count {
                    return;
                }
                told.await;
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, enough).await;
        outcome.unwrap_or_else(|_| panic!("{count} requests, not {:?}", self.all()));
        self.all()
    }

    /// As [`Hook::seen`], for a test on real time.
    pub async fn seen_soon(&self, count: usize) -> Vec<Seen> {
        let seen = tokio::time::timeout(SOON, self.seen(count)).await;
        seen.unwrap_or_else(|_| panic!("{count} requests, not {}", self.all().len()))
    }

    /// When each of `count` requests came after the first, in whole seconds.
    pub async fn seconds(&self, count: usize) -> Vec<u64> {
        let seen = self.seen(count).await;
        let since = |it: &Seen| (it.at_s - seen[0].at_s).round() as u64;
        seen.iter().map(since).collect()
    }
}

/// Fetches a link of a message, without a signature; gives the status and the answer.
pub async fn fetch(engine: &Engine, link: &str) -> (u16, String) {
    let (_, query) = link.split_once('?').expect("a query");
    let request = Request::get(format!("/?{query}")).body(Body::empty());
    let (status, text) = answer(engine, request.expect("a request")).await;
    (status.as_u16(), text)
}

impl Both {
    /// Subscribes anything, with the answer's ARN or what stands for it.
    pub async fn subscribe_to(
        &self,
        topic: &str,
        (protocol, endpoint): (&str, &str),
        attributes: &[(&str, &str)],
    ) -> Result<String, String> {
        let mut request = self
            .sns
            .subscribe()
            .topic_arn(topic)
            .protocol(protocol)
            .endpoint(endpoint)
            .return_subscription_arn(true);
        for (name, value) in attributes {
            request = request.attributes(*name, *value);
        }
        match request.send().await {
            Ok(answer) => Ok(answer.subscription_arn().expect("an ARN").to_owned()),
            Err(error) => {
                let error = error.into_service_error();
                Err(error.meta().message().unwrap_or_default().to_owned())
            }
        }
    }

    /// Subscribes `http://{host}/` and confirms it; forgets the requests that took.
    pub async fn hooked(
        &self,
        engine: &Engine,
        topic: &str,
        host: &str,
        attributes: &[(&str, &str)],
    ) -> (Hook, String) {
        let hook = Hook::at(engine, host);
        let endpoint = format!("http://{host}/");
        let arn = self
            .subscribe_to(topic, ("http", &endpoint), attributes)
            .await
            .expect("subscribed");
        let asked = hook.seen(1).await.remove(0);
        let (status, answer) = fetch(engine, &asked.text("SubscribeURL")).await;
        assert_eq!(status, 200, "{answer}");
        hook.forget();
        (hook, arn)
    }

    pub async fn attributes_of(
        &self,
        subscription: &str,
    ) -> Option<std::collections::HashMap<String, String>> {
        let shown = self
            .sns
            .get_subscription_attributes()
            .subscription_arn(subscription)
            .send()
            .await
            .ok()?;
        shown.attributes
    }

    pub async fn say(&self, topic: &str, message: &str) {
        self.sns
            .publish()
            .topic_arn(topic)
            .message(message)
            .send()
            .await
            .expect("published");
    }
}
