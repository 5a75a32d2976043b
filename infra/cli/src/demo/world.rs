//! What the demo may touch: the HTTP API, the mailbox's JSON, and queues by the AWS
//! wire protocol. All of it is found through the env file's variables, and nothing
//! of the system's inside is used.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::Api;
use crate::client::{Answer, Http, HttpFailure};
use crate::env_file::EnvFile;
use crate::error::CliError;
use crate::target::Target;

/// Longest wait for something that should be there in well under a second; wide, for
/// a machine that is busy building.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A step's outcome: the text says what was expected and what was found.
pub(crate) type Step<T> = Result<T, Failed>;

/// Why a step failed, for the person who watches.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl From<HttpFailure> for Failed {
    fn from(failure: HttpFailure) -> Self {
        Self(failure.to_string())
    }
}

/// A mail as the mailbox shows it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) received_at: String,
}

impl Mail {
    /// The address of the first link to an offer.
    pub(crate) fn offer_link(&self) -> Option<String> {
        [&self.text, &self.html]
            .into_iter()
            .find_map(|body| link_in(body))
    }
}

/// Finds `http…/o/<token>` in a text; a token is base64url with dots.
fn link_in(body: &str) -> Option<String> {
    let middle = body.find("/o/")?;
    let start = body[..middle].rfind("http")?;
    let token = &body[middle + 3..];
    let end = token
        .find(|character: char| !(character.is_ascii_alphanumeric() || "-_.~".contains(character)))
        .unwrap_or(token.len());
    let token = token[..end].trim_end_matches('.');
    (!token.is_empty()).then(|| format!("{}/o/{token}", &body[start..middle]))
}

/// A running system, seen from outside.
#[derive(Clone)]
pub(crate) struct World {
    /// As anybody's: mailbox and links.
    http: Http,
    api: Api,
    target: Target,
    mailbox: String,
    sqs: aws_sdk_sqs::Client,
}

impl World {
    /// Takes the system that the variables describe.
    pub(crate) fn new(env: EnvFile, origin: &Path) -> Result<Self, CliError> {
        let target = Target::new(env, origin)?;
        let api = Api::of(&target)?;
        let mailbox = target.wanted("CALLBOARD_MAILBOX")?;
        let sqs = aws_sdk_sqs::Client::new(target.sdk());
        Ok(Self {
            http: Http::new(),
            api,
            target,
            mailbox,
            sqs,
        })
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    pub(crate) fn sqs(&self) -> &aws_sdk_sqs::Client {
        &self.sqs
    }

    /// A queue's URL by its variable.
    pub(crate) fn queue(&self, variable: &str) -> Step<String> {
        let url = self.target.get(variable).map(str::to_owned);
        url.ok_or_else(|| Failed(format!("the system names no {variable}")))
    }

    /// A request with a JSON body to the HTTP API; any other status fails.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &Value,
        wanted: &[StatusCode],
    ) -> Step<Answer> {
        let answer = self.api.json(method.clone(), path, headers, body).await?;
        expect(answer, wanted, &format!("{method} {path}"))
    }

    /// A `GET` of the HTTP API; any status but 200 fails.
    pub(crate) async fn read(&self, path: &str) -> Step<Value> {
        let answer = self.api.get(path).await?;
        Ok(expect(answer, &[StatusCode::OK], &format!("GET {path}"))?.json())
    }

    /// A `GET` of the HTTP API, whatever the status.
    pub(crate) async fn look(&self, path: &str) -> Step<Answer> {
        Ok(self.api.get(path).await?)
    }

    /// Opens a link from a mail, as a browser or a mail scanner does.
    pub(crate) async fn open_link(&self, link: &str) -> Step<Answer> {
        let answer = self.http.get(link).await?;
        expect(answer, &[StatusCode::OK], "GET /o/…")
    }

    /// Presses a button on the page behind a link.
    pub(crate) async fn answer_link(&self, link: &str, form: &'static str) -> Step<Answer> {
        let answer = self.http.form(link, form).await?;
        let wanted = [StatusCode::OK, StatusCode::CREATED, StatusCode::SEE_OTHER];
        expect(answer, &wanted, &format!("POST /o/… {form}"))
    }

    /// All mails to one address, oldest first.
    pub(crate) async fn mails_to(&self, address: &str) -> Step<Vec<Mail>> {
        let answer = self.http.get(&format!("{}/", self.mailbox)).await?;
        let answer = expect(answer, &[StatusCode::OK], "GET of the mailbox")?;
        let mails: Vec<Mail> = serde_json::from_slice(&answer.body)
            .map_err(|error| Failed(format!("the mailbox's JSON cannot be read: {error}")))?;
        let hers = |mail: &Mail| mail.to.iter().any(|to| to.eq_ignore_ascii_case(address));
        Ok(mails.into_iter().filter(hers).collect())
    }

    /// Waits for a mail to `address` that `wanted` picks.
    pub(crate) async fn mail_to(
        &self,
        address: &str,
        what: &str,
        wanted: impl Fn(&Mail) -> bool,
    ) -> Step<Mail> {
        eventually(PATIENCE, what, || async {
            Ok(self.mails_to(address).await?.into_iter().find(&wanted))
        })
        .await
    }
}

fn expect(answer: Answer, wanted: &[StatusCode], request: &str) -> Step<Answer> {
    if wanted.contains(&answer.status) {
        return Ok(answer);
    }
    let problem = answer.json();
    let detail = problem["detail"].as_str().unwrap_or("no detail");
    let wanted: Vec<_> = wanted.iter().map(|status| status.as_str()).collect();
    Err(Failed(format!(
        "{request} was answered {} ({detail}), expected {}",
        answer.status.as_u16(),
        wanted.join(" or ")
    )))
}

/// Looks again and again until there is something to see or `patience` is over.
pub(crate) async fn eventually<T, F>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Step<T>
where
    F: Future<Output = Step<Option<T>>>,
{
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(Failed(format!(
                "waited {} s for {what}",
                patience.as_secs()
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_found_in_text_and_in_html() {
        let link = "http://127.0.0.1:8787/o/k1.eyJzIjoi-_.c2ln";
        for body in [
            format!("Hello\nOpen {link}\nBye"),
            format!("Open {link}."),
            format!("<a href=\"{link}\">open</a>"),
        ] {
            assert_eq!(link_in(&body).as_deref(), Some(link), "{body}");
        }
        assert_eq!(link_in("nothing /o/ here"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_without_end_is_a_failure_that_names_what_was_waited_for() {
        let outcome: Step<()> =
            eventually(PATIENCE, "a mail to nobody", || async { Ok(None) }).await;
        assert_eq!(outcome.unwrap_err().0, "waited 20 s for a mail to nobody");
    }

    #[test]
    fn an_env_file_that_lacks_an_address_is_refused_by_its_name() {
        let mut env = EnvFile::default();
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            env.set(name, "x");
        }
        let error = World::new(env, Path::new("some/env")).err().unwrap();
        assert!(
            error.to_string().contains("CALLBOARD_API is missing"),
            "{error}"
        );
    }
}
