//! Requests as API Gateway hands them to a function (payload format 2.0), and its answers.

use std::collections::BTreeMap;

use callboard_contracts::Timestamp;
use callboard_runtime::function::Service;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::contract;

/// A request in the making.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    is_base64: bool,
    received_at: Timestamp,
}

/// What a function answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub text: String,
}

impl Request {
    /// A request received at `received_at`; `path` may hold a query.
    #[must_use]
    pub fn new(method: &str, path: &str, received_at: Timestamp) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: BTreeMap::new(),
            body: None,
            is_base64: false,
            received_at,
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    /// The same with a body of some type.
    #[must_use]
    pub fn body(mut self, kind: &str, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self.header("content-type", kind)
    }

    /// The same with a body that is not text, in base64.
    #[must_use]
    pub fn base64(mut self, kind: &str, encoded: &str) -> Self {
        self.is_base64 = true;
        self.body(kind, encoded)
    }

    /// The event as Lambda gets it.
    #[must_use]
    pub fn event(&self) -> Value {
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": self.headers,
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "api",
                "domainName": "localhost",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "test",
                },
                "requestId": uuid::Uuid::new_v4().to_string(),
                "routeKey": "$default",
                "stage": "$default",
                "timeEpoch": self.received_at.as_millis(),
            },
            "body": self.body,
            "isBase64Encoded": self.is_base64,
        })
    }

    /// Sends it to a function.
    ///
    /// # Panics
    /// When the function fails, its answer has not the form of payload format 2.0, or anything of
    /// it is not documented ([`contract`]).
    pub async fn send(&self, function: &Service) -> Answer {
        answer_of(function, self.event()).await
    }
}

/// Hands an event to a function, reads its answer, and holds both to the API's document.
///
/// # Panics
/// As [`Request::send`].
pub async fn answer_of(function: &Service, event: Value) -> Answer {
    let invocation = LambdaEvent::new(event.clone(), Context::default());
    let answer = function
        .clone()
        .oneshot(invocation)
        .await
        .expect("the function answers");
    let headers = answer["headers"].as_object().cloned().unwrap_or_default();
    let answer = Answer {
        status: answer["statusCode"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .expect("a status"),
        headers: headers
            .into_iter()
            .map(|(name, value)| {
                (
                    name.to_ascii_lowercase(),
                    value.as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect(),
        text: answer["body"].as_str().unwrap_or_default().to_owned(),
    };
    contract::check(&event, &answer);
    answer
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Last part of a problem's type; empty if the answer is none.
    #[must_use]
    pub fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.rsplit(':').next().unwrap_or_default().to_owned()
    }

    /// The pointers that a problem names.
    #[must_use]
    pub fn pointers(&self) -> Vec<String> {
        let errors = self.json()["errors"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        errors
            .iter()
            .filter_map(|error| error["pointer"].as_str().map(str::to_owned))
            .collect()
    }
}
