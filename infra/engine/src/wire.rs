//! What a request and an answer are before a service sees them, and which service gets which.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

/// The media type of AWS's JSON 1.0 protocol.
pub(crate) const JSON: &str = "application/x-amz-json-1.0";
/// The media type of AWS's Query protocol's answers.
pub(crate) const XML: &str = "text/xml";
/// How many parts a dotted name of the Query protocol may have; what is beyond stays one part. The
/// deepest that SQS and SNS know have seven. What is made of a name is as deep as this, and walked
/// by recursion.
pub(crate) const FORM_PARTS_MAX: usize = 12;

/// One request, whichever way it came.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Which service a call is for, and the operation it names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Dynamo(String),
    Sqs(String),
    CloudWatch(String),
    /// Query protocol: the form's fields, `Action` among them.
    Form(Vec<(String, String)>),
    Health,
    /// The text messages kept; to be forgotten, if so.
    Texts {
        forget: bool,
    },
    /// JSON without the name of an operation, or with one of no service here.
    Unnamed,
    /// A telephone whose owner wants no more texts.
    OptOut(String),
    /// Who is asked to confirm a subscription.
    Confirmations,
    /// The certificate by which SNS's signatures are checked.
    Certificate,
    Nowhere,
}

impl Call {
    /// A call, of a request's head and its body.
    pub(crate) fn of(head: Parts, body: Bytes) -> Self {
        Self {
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            method: head.method,
            headers: head.headers,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn is_json(&self) -> bool {
        self.header("content-type")
            .is_some_and(|given| given.contains("json"))
    }

    /// Whether it bears a signature, in its head or its query. Nothing here checks it.
    pub(crate) fn signed(&self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION) || self.query.contains("X-Amz-Signature=")
    }

    pub(crate) fn destination(&self) -> Destination {
        if self.method == Method::GET && self.path == "/_callboard/health" {
            return Destination::Health;
        }
        if self.method == Method::GET && self.path == "/_callboard/confirmations" {
            return Destination::Confirmations;
        }
        if self.method == Method::GET && self.path.starts_with("/SimpleNotificationService-") {
            return Destination::Certificate;
        }
        if self.method == Method::PUT
            && let Some(phone) = self.path.strip_prefix("/_callboard/sms/opt-outs/")
        {
            return Destination::OptOut(phone.replace("%2B", "+"));
        }
        if self.path == "/_callboard/sms" {
            return match self.method {
                Method::GET => Destination::Texts { forget: false },
                Method::DELETE => Destination::Texts { forget: true },
                _ => Destination::Nowhere,
            };
        }
        if let Some(target) = self.header("x-amz-target") {
            return match target.split_once('.') {
                Some(("DynamoDB_20120810" | "DynamoDBStreams_20120810", operation)) => {
                    Destination::Dynamo(operation.to_owned())
                }
                Some(("AmazonSQS", operation)) => Destination::Sqs(operation.to_owned()),
                Some(("GraniteServiceVersion20100801", operation)) => {
                    Destination::CloudWatch(operation.to_owned())
                }
                _ => Destination::Unnamed,
            };
        }
        // AWS reads a form in the query too, whatever the method.
        let body = Some(&self.body[..]).filter(|_| self.method == Method::POST);
        let forms = [self.query.as_bytes(), body.unwrap_or_default()];
        let fields: Vec<(String, String)> = forms
            .into_iter()
            .flat_map(|form| url::form_urlencoded::parse(form).into_owned())
            .collect();
        if fields.iter().any(|(name, _)| name == "Action") {
            return Destination::Form(fields);
        }
        if self.method == Method::POST && self.path == "/" && self.is_json() {
            return Destination::Unnamed;
        }
        Destination::Nowhere
    }
}

/// One answer, before it is put on a wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, body: String) -> Answer {
        Answer {
            status,
            content_type: JSON,
            headers: Vec::new(),
            body,
        }
    }

    /// JSON for a person or a script, not for an SDK.
    pub(crate) fn plain_json(status: u16, body: String) -> Answer {
        Answer {
            content_type: "application/json",
            ..Answer::json(status, body)
        }
    }

    /// A certificate.
    pub(crate) fn pem(body: String) -> Answer {
        Answer {
            content_type: "application/x-pem-file",
            ..Answer::json(200, body)
        }
    }

    pub(crate) fn xml(status: u16, body: String) -> Answer {
        Answer {
            status,
            content_type: XML,
            headers: Vec::new(),
            body,
        }
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        if let Ok(id) = HeaderValue::from_str(&crate::ids::random_id()) {
            headers.insert("x-amzn-requestid", id);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Whether an attribute has this value already. Policies are JSON, and the same however written.
pub(crate) fn same_value(is: Option<&String>, value: &str) -> bool {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    is.is_some_and(|is| is == value || (json(is).is_some() && json(is) == json(value)))
}

/// The answer to an operation that a JSON service does not have, as AWS gives it.
pub(crate) fn unknown_json_operation(service: &str, operation: &str) -> Answer {
    tracing::warn!(
        service,
        operation,
        "an operation that the engine does not have was called"
    );
    Answer::json(
        400,
        r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(target: Option<&'static str>, body: &'static str) -> Call {
        let mut headers = HeaderMap::new();
        if let Some(target) = target {
            headers.insert("x-amz-target", HeaderValue::from_static(target));
        }
        Call {
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn the_target_header_and_the_form_name_the_service() {
        assert_eq!(
            call(Some("DynamoDBStreams_20120810.GetRecords"), "{}").destination(),
            Destination::Dynamo("GetRecords".to_owned())
        );
        assert_eq!(
            call(Some("AmazonSQS.SendMessage"), "{}").destination(),
            Destination::Sqs("SendMessage".to_owned())
        );
        assert!(matches!(
            call(None, "Action=Publish&Message=a%20b").destination(),
            Destination::Form(fields) if fields[1].1 == "a b"
        ));
        assert_eq!(call(None, "").destination(), Destination::Nowhere);
    }
}
