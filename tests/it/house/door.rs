//! A way in for HTTP requests: a socket, or straight into the router.

use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tower::ServiceExt;

/// Answers requests.
#[derive(Clone)]
pub enum Door {
    /// Over TCP.
    Socket {
        client: Box<Client<HttpConnector, Body>>,
        base: String,
    },
    /// Without a socket.
    Router(axum::Router),
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Door {
    pub fn socket(base: &str) -> Self {
        Self::Socket {
            client: Box::new(Client::builder(TokioExecutor::new()).build_http()),
            base: base.to_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Vec::new()).await
    }

    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(method, path, &headers, body.to_string().into_bytes())
            .await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let base = match self {
            Self::Socket { base, .. } => base.as_str(),
            Self::Router(_) => "",
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        match self {
            Self::Socket { client, .. } => {
                let response = client.request(request).await.expect("an answer");
                Answer::of(response.map(Body::new)).await
            }
            Self::Router(router) => {
                Answer::of(router.clone().oneshot(request).await.expect("infallible")).await
            }
        }
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.expect("a body").to_bytes().into(),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The same, if it has this status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The commit that the answer names, as `?at-least=` takes it.
    pub fn commit(&self) -> String {
        let commit = &self.headers["callboard-commit"];
        commit.to_str().expect("ASCII").replace('#', "%23")
    }

    /// Last part of a problem's type.
    pub fn problem(&self) -> String {
        let body = self.json();
        let kind = body["type"].as_str().unwrap_or_default();
        kind.rsplit([':', '/'])
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}
