//! What a request asks leave for.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

use super::dynamo;
use super::place::Place;

/// One action on one resource. A request may need several.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// For instance `dynamodb:PutItem`.
    pub action: String,
    /// ARN; `*` for an action that knows none.
    pub resource: String,
    /// `dynamodb:LeadingKeys`: partition keys that are read or written; none in a scan.
    pub leading_keys: Vec<String>,
    /// `dynamodb:EnclosingOperation`: the transaction of which this is a part.
    pub enclosing: Option<&'static str>,
    /// `ses:FromAddress`.
    pub from_address: Option<String>,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        if !self.leading_keys.is_empty() {
            write!(f, " for {}", self.leading_keys.join(", "))?;
        }
        Ok(())
    }
}

/// Which service a request is for: each refuses in a shape of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    DynamoDb,
    Streams,
    Sqs,
    Sns,
    Ses,
}

/// A request that cannot be judged; it is refused.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) String);

/// A request's service, operation and parameters.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) operation: String,
    /// The body as JSON; of a form, its fields.
    pub(super) body: Value,
}

impl Call {
    pub(super) fn read(request: &HttpRequest) -> Result<Self, Unreadable> {
        let bytes = request.body().bytes().unwrap_or_default();
        if let Some(target) = request.headers().get("x-amz-target") {
            let (service, operation) = target.rsplit_once('.').unwrap_or_default();
            let service = match service {
                "DynamoDB_20120810" => Service::DynamoDb,
                "DynamoDBStreams_20120810" => Service::Streams,
                "AmazonSQS" => Service::Sqs,
                _ => return Err(Unreadable(format!("{target} is of no known service"))),
            };
            let body = serde_json::from_slice(bytes);
            return Ok(Self {
                service,
                operation: operation.to_owned(),
                body: body.map_err(|error| Unreadable(error.to_string()))?,
            });
        }
        if request.uri().contains("/v2/email/outbound-emails") {
            let body = serde_json::from_slice(bytes);
            return Ok(Self {
                service: Service::Ses,
                operation: "SendEmail".to_owned(),
                body: body.map_err(|error| Unreadable(error.to_string()))?,
            });
        }
        let fields: serde_json::Map<_, _> = form_urlencoded::parse(bytes)
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
        let operation = fields.get("Action").and_then(Value::as_str);
        Ok(Self {
            service: Service::Sns,
            operation: operation
                .ok_or_else(|| Unreadable("no operation is named".to_owned()))?
                .to_owned(),
            body: Value::Object(fields),
        })
    }

    /// Everything this call needs leave for. `stream_of` knows the stream of a shard iterator.
    pub(super) fn accesses(
        &self,
        place: &Place,
        stream_of: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Vec<Access>, Unreadable> {
        let one = |action: String, resource: String| {
            Ok(vec![Access {
                action,
                resource,
                ..Access::default()
            }])
        };
        let operation = self.operation.as_str();
        match self.service {
            Service::DynamoDb => dynamo::accesses(operation, &self.body, place),
            Service::Streams => {
                let stream = match (self.text("StreamArn"), self.text("ShardIterator")) {
                    (Some(arn), _) => Some(arn.to_owned()),
                    (None, Some(iterator)) => stream_of(iterator),
                    // `ListStreams` of no table asks for all.
                    (None, None) => Some("*".to_owned()),
                };
                let stream = stream
                    .ok_or_else(|| Unreadable("a shard iterator that nobody gave".to_owned()))?;
                one(format!("dynamodb:{operation}"), stream)
            }
            Service::Sqs => one(format!("sqs:{}", single(operation)), self.queue(place)?),
            Service::Sns => {
                let topic = self.text("TopicArn").unwrap_or("*").to_owned();
                one(format!("sns:{}", single(operation)), topic)
            }
            Service::Ses => self.mail(place),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    /// The queue's ARN, by the last two parts of its URL.
    fn queue(&self, place: &Place) -> Result<String, Unreadable> {
        let name = match (self.text("QueueUrl"), self.text("QueueName")) {
            (Some(url), _) => url.rsplit('/').next(),
            (None, name) => name,
        };
        let name = name.ok_or_else(|| Unreadable("no queue is named".to_owned()))?;
        Ok(place.arn("sqs", name))
    }

    /// SES v2's `SendEmail` is authorized as `SendRawEmail` where the message is raw. The identity
    /// is taken to be the sender's domain.
    fn mail(&self, place: &Place) -> Result<Vec<Access>, Unreadable> {
        let from = self.text("FromEmailAddress").unwrap_or_default();
        let (_, domain) = from
            .rsplit_once('@')
            .ok_or_else(|| Unreadable("a mail without a sender".to_owned()))?;
        let raw = self.body["Content"]["Raw"].is_object();
        let action = if raw { "SendRawEmail" } else { "SendEmail" };
        Ok(vec![Access {
            action: format!("ses:{action}"),
            resource: place.arn("ses", &format!("identity/{domain}")),
            from_address: Some(from.to_owned()),
            ..Access::default()
        }])
    }
}

/// Batches of SQS and SNS are authorized as the action of each entry.
fn single(operation: &str) -> &str {
    operation.strip_suffix("Batch").unwrap_or(operation)
}
