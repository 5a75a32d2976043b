//! The HTTP API of the system that an env file describes: the product's own door, signed where IAM
//! guards it.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::{Answer, Http, Signer};
use crate::error::CliError;
use crate::target::Target;

/// The API of one system. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    http: Http,
    base: String,
}

impl Api {
    /// The API that a system's variables name.
    ///
    /// # Errors
    /// [`CliError::EnvFile`] if they name none.
    pub fn of(target: &Target) -> Result<Self, CliError> {
        let base = target.wanted("CALLBOARD_API")?;
        let http = match target.get("CALLBOARD_API_AUTHORIZER") {
            Some("iam") => Http::new().signing(Signer::new(
                target.credentials().clone(),
                target.region().to_owned(),
            )),
            _ => Http::new(),
        };
        Ok(Self { http, base })
    }

    /// `GET` of a path that begins with `/v1`, whatever the status.
    ///
    /// # Errors
    /// [`CliError::Silent`] when no answer came.
    pub async fn get(&self, path: &str) -> Result<Answer, CliError> {
        Ok(self.http.get(&self.url(path)).await?)
    }

    /// A request with a JSON body, whatever the status.
    ///
    /// # Errors
    /// [`CliError::Silent`] when no answer came.
    pub async fn json(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &Value,
    ) -> Result<Answer, CliError> {
        let url = self.url(path);
        Ok(self.http.json(method, &url, headers, body).await?)
    }

    /// `POST` of a body as it is, whatever the status.
    ///
    /// # Errors
    /// [`CliError::Silent`] when no answer came.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, CliError> {
        Ok(self.http.post(&self.url(path), headers, body).await?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// What the API said, for a person: the problem's detail and what is at fault where, if it is one.
pub fn described(answer: &Answer) -> String {
    let problem = answer.json();
    let mut text = match problem["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => reason(answer.status).to_owned(),
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        if let (Some(pointer), Some(detail)) = (error["pointer"].as_str(), error["detail"].as_str())
        {
            text.push_str(&format!("\n  {pointer}: {detail}"));
        }
    }
    text
}

fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "the credentials of the env file are not those of a caller of the API"
        }
        _ => status.canonical_reason().unwrap_or("no detail was given"),
    }
}
