//! One delivery as a request, and what its answer means.

use super::delivery_rows::{Delivery, Ending, Kind, Row};
use crate::config::EngineError;
use crate::web::{Web, WebError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long an endpoint may take (AWS, "Make sure your endpoint is ready to process Amazon SNS
/// messages": 15 s).
const WEB_LIMIT: Duration = Duration::from_secs(15);
/// How long the Lambda endpoint may take. AWS's answers at once; one for development may answer
/// when its function has ended.
const LAMBDA_LIMIT: Duration = Duration::from_secs(60);
/// As which AWS introduces itself.
const AGENT: &str = "Amazon Simple Notification Service Agent";

/// What there is outside of the engine, and the way there. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    web: Arc<Web>,
    /// Where functions are invoked.
    lambda: Arc<Option<Url>>,
}

impl Outside {
    pub(crate) fn new(lambda_endpoint: Option<&str>) -> Result<Outside, EngineError> {
        let read = |text: &str| {
            let url = Url::parse(text).ok();
            url.filter(|url| matches!(url.scheme(), "http" | "https"))
                .ok_or_else(|| EngineError::LambdaEndpoint(text.to_owned()))
        };
        Ok(Outside {
            web: Arc::default(),
            lambda: Arc::new(lambda_endpoint.map(read).transpose()?),
        })
    }

    /// Sends requests for `authority` to `router` from now on.
    pub(crate) fn route(&self, authority: &str, router: axum::Router) {
        self.web.route(authority, router);
    }
}

/// Tries a delivery once.
pub(super) async fn attempt(outside: &Outside, row: &Row) -> Ending {
    let web = &*outside.web;
    if row.delivery.protocol == "lambda" {
        return invoke(outside, &row.delivery).await;
    }
    let Ok(mut url) = Url::parse(&row.delivery.endpoint) else {
        return refused("the endpoint is no URL");
    };
    let credentials = credentials(&mut url);
    let mut answer = web.send(post(&url, row, None), WEB_LIMIT).await;
    if let (Ok(first), Some(credentials)) = (&answer, &credentials)
        && asks_for_password(first)
    {
        let request = post(&url, row, Some(credentials));
        answer = web.send(request, WEB_LIMIT).await;
    }
    ending(answer, "the endpoint")
}

/// Takes user and password out of a URL, as Basic authentication wants them.
fn credentials(url: &mut Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut pair = decoded(url.username());
    pair.push(b':');
    pair.extend(decoded(url.password().unwrap_or_default()));
    // A URL with a host, as every endpoint is, takes both.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(format!("Basic {}", BASE64.encode(pair)))
}

fn asks_for_password<B>(answer: &Response<B>) -> bool {
    let challenge = answer.headers().get(header::WWW_AUTHENTICATE);
    let challenge = challenge.and_then(|value| value.to_str().ok());
    answer.status() == StatusCode::UNAUTHORIZED
        && challenge.is_some_and(|it| it.to_ascii_lowercase().starts_with("basic"))
}

/// The request of a web endpoint, with AWS's headers.
fn post(url: &Url, row: &Row, credentials: Option<&str>) -> Request<Bytes> {
    let delivery = &row.delivery;
    let kind = delivery.kind;
    let own_type = kind == Kind::Notification;
    let content_type = match own_type {
        true => row.content_type.as_str(),
        false => "text/plain; charset=UTF-8",
    };
    // A confirmation comes before there is a subscription, and does not name one.
    let subscription =
        (kind != Kind::SubscriptionConfirmation).then_some(delivery.subscription_arn.as_str());
    let headers = [
        ("x-amz-sns-message-type", Some(kind.name())),
        ("x-amz-sns-message-id", Some(&*delivery.message_id)),
        ("x-amz-sns-topic-arn", Some(&*delivery.topic_arn)),
        ("x-amz-sns-subscription-arn", subscription),
        ("x-amz-sns-rawdelivery", delivery.raw.then_some("true")),
        ("content-type", Some(content_type)),
        ("user-agent", Some(AGENT)),
        ("accept-encoding", Some("gzip,deflate")),
        ("authorization", credentials),
    ];
    request(url, &headers, &delivery.body)
}

fn request(url: &Url, headers: &[(&'static str, Option<&str>)], body: &str) -> Request<Bytes> {
    let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
    *request.method_mut() = Method::POST;
    // Whatever is a URL for the one is one for the other, but for some hosts no network has.
    *request.uri_mut() = url.as_str().parse().unwrap_or_default();
    let map: &mut HeaderMap = request.headers_mut();
    for (name, value) in headers {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            map.insert(*name, value);
        }
    }
    request
}

/// Invokes a function as AWS does, without waiting for what it makes of the event.
async fn invoke(outside: &Outside, delivery: &Delivery) -> Ending {
    let Some(endpoint) = &*outside.lambda else {
        return refused("the engine has no Lambda endpoint");
    };
    let Some((name, qualifier)) = function(&delivery.endpoint) else {
        return refused("the endpoint is no function's ARN");
    };
    let mut url = endpoint.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}/2015-03-31/functions/{name}/invocations"));
    if let Some(qualifier) = qualifier {
        url.query_pairs_mut().append_pair("Qualifier", qualifier);
    }
    let headers = [
        ("content-type", Some("application/json")),
        ("x-amz-invocation-type", Some("Event")),
        ("user-agent", Some(AGENT)),
    ];
    let request = request(&url, &headers, &delivery.body);
    ending(outside.web.send(request, LAMBDA_LIMIT).await, "Lambda")
}

/// The name in a function's ARN, and the version or alias after it.
pub(super) fn function(arn: &str) -> Option<(&str, Option<&str>)> {
    let mut parts = arn.splitn(8, ':');
    let head = [(); 3].map(|()| parts.next());
    let (_, _, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let name = parts.next().filter(|name| !name.is_empty())?;
    (head == [Some("arn"), Some("aws"), Some("lambda")] && kind == "function")
        .then_some((name, parts.next()))
}

fn refused(reason: &str) -> Ending {
    Ending::Failed {
        again: false,
        reason: reason.to_owned(),
    }
}

/// AWS, "Fanout Amazon SNS notifications to HTTPS endpoints": what is 5xx or 429 is tried again,
/// every other refusal is final. No answer at all is a failure of the server's.
fn ending(answer: Result<Response<()>, WebError>, whose: &str) -> Ending {
    match answer {
        Ok(answer) if answer.status().is_success() => Ending::Taken,
        Ok(answer) => {
            let status = answer.status();
            Ending::Failed {
                again: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
                reason: format!("{whose} answered {status}"),
            }
        }
        Err(error) => Ending::Silent {
            reason: format!("{whose} did not answer: {error}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_arn_has_a_name_and_maybe_a_version() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:mail";
        assert_eq!(function(arn), Some(("mail", None)));
        let version = format!("{arn}:live");
        assert_eq!(function(&version), Some(("mail", Some("live"))));
        assert_eq!(function("arn:aws:sqs:us-east-1:000000000000:mail"), None);
    }
}
