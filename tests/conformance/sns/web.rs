//! Web endpoints: confirmation, notifications, leave-taking; what belongs to telephones and
//! permissions.

use crate::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SUBSCRIBE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html";
const CONFIRM: &str = "https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html";
const UNSUBSCRIBE: &str = "https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html";
const HEADERS: &str = "https://docs.aws.amazon.com/sns/latest/dg/http-header.html";
const RETRIES: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html";
const PERMISSIONS: &str = "https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html";
const TELEPHONES: &str =
    "https://docs.aws.amazon.com/sns/latest/api/API_CheckIfPhoneNumberIsOptedOut.html";

/// The longest request that an endpoint reads, in bytes: more than any message here.
const REQUEST_BYTES_MAX: usize = 65_536;

/// A request that an endpoint got: names of headers in lower case.
#[derive(Clone, Debug)]
struct Seen {
    headers: HashMap<String, String>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }

    fn text(&self, member: &str) -> Result<String> {
        let body: Value = serde_json::from_str(&self.body)?;
        Ok(body.text_at(&format!("/{member}"))?.to_owned())
    }
}

/// A web endpoint on loopback that takes everything.
struct Endpoint {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    async fn open() -> Result<Endpoint> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let notes = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, notes.clone()));
            }
        });
        Ok(Endpoint { url, seen, task })
    }

    /// The first request of this kind.
    async fn got(&self, aws: &Aws, kind: &str) -> Result<Seen> {
        aws.poll(SOON, || async {
            let seen = self
                .seen
                .lock()
                .map_err(|_| Failed("poisoned".to_owned()))?;
            let found = seen
                .iter()
                .find(|it| it.header("x-amz-sns-message-type") == kind);
            Ok(found.cloned())
        })
        .await
    }

    /// Subscribes this endpoint and fetches the link; gives the subscription's ARN.
    async fn subscribed(
        &self,
        aws: &Aws,
        topic: &Topic,
        attributes: &[(&str, &str)],
    ) -> Result<String> {
        let mut fields = entries("Attributes", attributes);
        for (name, value) in [
            ("TopicArn", topic.arn.as_str()),
            ("Protocol", "http"),
            ("Endpoint", &self.url),
            ("ReturnSubscriptionArn", "true"),
        ] {
            fields.push((name.to_owned(), value.to_owned()));
        }
        let reply = aws.sns("Subscribe", &borrowed(&fields)).await?.ok()?;
        let asked = self.got(aws, "SubscriptionConfirmation").await?;
        let (status, answer) = fetch(&asked.text("SubscribeURL")?).await?;
        ensure!(status == 200, "the link answered {status} {answer}");
        Ok(reply.text("SubscriptionArn")?.to_owned())
    }
}

/// Reads one request, notes it and answers 200.
async fn take(mut stream: TcpStream, notes: Arc<Mutex<Vec<Seen>>>) {
    let mut read = Vec::new();
    while read.len() < REQUEST_BYTES_MAX {
        if let Some(seen) = parse(&read) {
            if let Ok(mut notes) = notes.lock() {
                notes.push(seen);
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            // Who does not wait for it has been noted all the same.
            let _ = stream.write_all(answer.as_bytes()).await;
            return;
        }
        match stream.read_buf(&mut read).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// The request in these bytes, once it is whole.
fn parse(read: &[u8]) -> Option<Seen> {
    let text = String::from_utf8_lossy(read);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let headers: HashMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    (body.len() >= length).then(|| Seen {
        headers,
        body: body.to_owned(),
    })
}

/// Fetches a link, without a signature; gives status and answer.
async fn fetch(link: &str) -> Result<(u16, String)> {
    let no_link = || Failed(format!("no link: {link}"));
    let rest = link.strip_prefix("http://").ok_or_else(no_link)?;
    let (host, path) = rest.split_once('/').ok_or_else(no_link)?;
    let mut stream = TcpStream::connect(host).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    Ok((status.unwrap_or_default(), answer))
}

checks! {
    SUBSCRIBE => async fn a_web_endpoint_is_pending_until_it_confirms(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let endpoint = Endpoint::open().await?;
        let fields = [("TopicArn", topic.arn.as_str()), ("Protocol", "http"), ("Endpoint", &endpoint.url)];
        let reply = aws.sns("Subscribe", &fields).await?.ok()?;
        ensure_eq!(reply.text("SubscriptionArn")?, "pending confirmation");
        let listed = aws.sns("ListSubscriptionsByTopic", &[("TopicArn", &topic.arn)]).await?.ok()?;
        ensure_eq!(listed.text("Subscriptions/member/SubscriptionArn")?, "PendingConfirmation");
        let asked = endpoint.got(&aws, "SubscriptionConfirmation").await?;
        ensure_eq!(asked.header("x-amz-sns-topic-arn"), topic.arn);
        ensure_eq!(asked.header("x-amz-sns-message-id"), asked.text("MessageId")?);
        ensure_eq!(asked.header("x-amz-sns-subscription-arn"), "");
        ensure_eq!(asked.header("content-type"), "text/plain; charset=UTF-8");
        ensure_eq!(asked.header("user-agent"), "Amazon Simple Notification Service Agent");
        Ok(())
    }

    CONFIRM => async fn a_wrong_token_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let fields = [("TopicArn", topic.arn.as_str()), ("Token", "abc123")];
        aws.sns("ConfirmSubscription", &fields).await?.refused_saying(400, "InvalidParameter", "Token")
    }

    CONFIRM => async fn a_token_confirms_as_often_as_it_is_shown(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let endpoint = Endpoint::open().await?;
        let arn = endpoint.subscribed(&aws, &topic, &[]).await?;
        let token = endpoint.got(&aws, "SubscriptionConfirmation").await?.text("Token")?;
        let fields = [("TopicArn", topic.arn.as_str()), ("Token", &token)];
        let again = aws.sns("ConfirmSubscription", &fields).await?.ok()?;
        ensure_eq!(again.text("SubscriptionArn")?, arn);
        Ok(())
    }

    HEADERS => async fn a_notification_names_its_message_and_subscription(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let endpoint = Endpoint::open().await?;
        let arn = endpoint.subscribed(&aws, &topic, &[]).await?;
        let fields = [("TopicArn", topic.arn.as_str()), ("Message", "hello")];
        let published = aws.sns("Publish", &fields).await?.ok()?;
        let got = endpoint.got(&aws, "Notification").await?;
        ensure_eq!(got.header("x-amz-sns-message-id"), published.text("MessageId")?);
        ensure_eq!(got.header("x-amz-sns-subscription-arn"), arn);
        ensure_eq!(got.header("x-amz-sns-rawdelivery"), "");
        ensure_eq!(got.text("Message")?, "hello");
        Ok(())
    }

    HEADERS => async fn a_raw_notification_says_so_and_has_its_own_content_type(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let endpoint = Endpoint::open().await?;
        let policy = r#"{"requestPolicy":{"headerContentType":"text/csv"}}"#;
        let raw = [("RawMessageDelivery", "true"), ("DeliveryPolicy", policy)];
        endpoint.subscribed(&aws, &topic, &raw).await?;
        let fields = [("TopicArn", topic.arn.as_str()), ("Message", "1;2")];
        aws.sns("Publish", &fields).await?.ok()?;
        let got = endpoint.got(&aws, "Notification").await?;
        ensure_eq!(got.body, "1;2");
        ensure_eq!(got.header("x-amz-sns-rawdelivery"), "true");
        ensure_eq!(got.header("content-type"), "text/csv");
        Ok(())
    }

    UNSUBSCRIBE => async fn who_is_unsubscribed_by_the_link_is_told(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let endpoint = Endpoint::open().await?;
        let arn = endpoint.subscribed(&aws, &topic, &[]).await?;
        let fields = [("TopicArn", topic.arn.as_str()), ("Message", "hello")];
        aws.sns("Publish", &fields).await?.ok()?;
        let link = endpoint.got(&aws, "Notification").await?.text("UnsubscribeURL")?;
        let (status, answer) = fetch(&link).await?;
        ensure!(status == 200, "the link answered {status} {answer}");
        let told = endpoint.got(&aws, "UnsubscribeConfirmation").await?;
        ensure_eq!(told.header("x-amz-sns-subscription-arn"), arn);
        aws.sns("GetSubscriptionAttributes", &[("SubscriptionArn", &arn)]).await?.refused(404, "NotFound")
    }

    RETRIES => async fn a_delay_of_nothing_is_refused(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let fields = [
            ("TopicArn", topic.arn.as_str()),
            ("Protocol", "http"),
            ("Endpoint", "http://127.0.0.1:9/"),
            ("Attributes.entry.1.key", "DeliveryPolicy"),
            (
                "Attributes.entry.1.value",
                r#"{"healthyRetryPolicy":{"minDelayTarget":0,"maxDelayTarget":0,"numRetries":0}}"#,
            ),
        ];
        aws.sns("Subscribe", &fields).await?.refused_saying(400, "InvalidParameter", "minDelayTarget")
    }

    PERMISSIONS => async fn a_permission_is_a_statement_of_the_policy(aws: Aws) {
        let topic = aws.topic("news", &[]).await?;
        let fields = [
            ("TopicArn", topic.arn.as_str()),
            ("Label", "readers"),
            ("AWSAccountId.member.1", "000000000000"),
            ("ActionName.member.1", "Subscribe"),
        ];
        aws.sns("AddPermission", &fields).await?.ok()?;
        let shown = aws.sns("GetTopicAttributes", &[("TopicArn", &topic.arn)]).await?.ok()?;
        ensure!(shown.raw.contains("readers"), "the label is in the policy: {}", shown.raw);
        Ok(())
    }

    TELEPHONES => async fn a_telephone_that_never_answered_stop_has_not_opted_out(aws: Aws) {
        let reply = aws.sns("CheckIfPhoneNumberIsOptedOut", &[("phoneNumber", "+15550009999")]).await?.ok()?;
        ensure_eq!(reply.text("isOptedOut")?, "false");
        Ok(())
    }
}
