//! SNS's answers and refusals in XML.

use crate::ids::random_id;
use crate::wire::Answer;
use std::fmt::Display;

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// XML under construction.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// Adds an element with text.
    pub(super) fn text(&mut self, name: &str, text: impl Display) -> &mut Xml {
        let text = text.to_string();
        self.0.push_str(&format!("<{name}>"));
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#xD;"),
                c => self.0.push(c),
            }
        }
        self.0.push_str(&format!("</{name}>"));
        self
    }

    /// Adds an element with elements.
    pub(super) fn within(&mut self, name: &str, fill: impl FnOnce(&mut Xml)) -> &mut Xml {
        self.0.push_str(&format!("<{name}>"));
        fill(self);
        self.0.push_str(&format!("</{name}>"));
        self
    }

    /// Adds a map as SNS writes attributes.
    pub(super) fn entries<'a>(
        &mut self,
        name: &str,
        entries: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> &mut Xml {
        self.within(name, |xml| {
            for (key, value) in entries {
                xml.within("entry", |xml| {
                    xml.text("key", key).text("value", value);
                });
            }
        })
    }
}

/// Actions whose answers have no result, not even an empty one (AWS's model of SNS).
const WITHOUT_RESULT: [&str; 4] = [
    "DeleteTopic",
    "SetTopicAttributes",
    "SetSubscriptionAttributes",
    "Unsubscribe",
];

/// The answer to an action that was done.
pub(super) fn success(action: &str, result: Xml) -> Answer {
    let result = if WITHOUT_RESULT.contains(&action) {
        String::new()
    } else {
        format!("<{action}Result>{}</{action}Result>", result.0)
    };
    answered(200, |id| {
        format!(
            "<{action}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata>\
             <RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
        )
    })
}

/// An answer whose header and document bear the same request id.
fn answered(status: u16, document: impl FnOnce(&str) -> String) -> Answer {
    let id = random_id();
    let mut answer = Answer::xml(status, document(&id));
    answer.headers.push(("x-amzn-requestid", id));
    answer
}

/// A refusal.
#[derive(Debug)]
pub(super) struct SnsError {
    status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl SnsError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> SnsError {
        SnsError {
            status,
            code,
            message: message.into(),
        }
    }

    /// A refusal that is none of SNS's own, but of what stands before all services.
    pub(super) fn outside(status: u16, code: &'static str, message: String) -> SnsError {
        SnsError::new(status, code, message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> SnsError {
        SnsError::new(400, "InvalidParameter", message)
    }

    /// A message attribute that is not as it must be.
    pub(super) fn invalid_value(message: impl Into<String>) -> SnsError {
        SnsError::new(400, "ParameterValueInvalid", message)
    }

    pub(super) fn validation(message: impl Into<String>) -> SnsError {
        SnsError::new(400, "ValidationError", message)
    }

    /// An ARN of too few elements.
    pub(super) fn short_arn(parameter: &str, elements: usize) -> SnsError {
        SnsError::invalid(format!(
            "Invalid parameter: {parameter} Reason: An ARN must have at least 6 elements, not \
             {elements}"
        ))
    }

    /// A call that must bear a signature and does not.
    pub(super) fn unsigned() -> SnsError {
        SnsError::new(
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> SnsError {
        SnsError::new(403, "AuthorizationError", message)
    }

    pub(super) fn no_topic() -> SnsError {
        SnsError::new(404, "NotFound", "Topic does not exist")
    }

    /// A resource of another account, which no policy lets this one use: policies are not read.
    pub(super) fn not_authorized(account: &str, arn: &str) -> SnsError {
        SnsError::new(
            403,
            "AuthorizationError",
            format!(
                "User: arn:aws:iam::{account}:user/callboard is not authorized to perform this \
                 operation on resource: {arn}"
            ),
        )
    }

    pub(super) fn no_subscription() -> SnsError {
        SnsError::new(404, "NotFound", "Subscription does not exist")
    }

    pub(super) fn no_resource() -> SnsError {
        SnsError::new(404, "ResourceNotFound", "Resource does not exist")
    }

    pub(super) fn too_many_tags() -> SnsError {
        SnsError::new(
            400,
            "TagLimitExceeded",
            "Could not complete request: tag quota of per resource exceeded",
        )
    }

    pub(super) fn too_many_filters() -> SnsError {
        SnsError::new(
            403,
            "FilterPolicyLimitExceeded",
            "Filter policy limit exceeded for the topic",
        )
    }

    pub(super) fn invalid_action(action: &str) -> SnsError {
        SnsError::new(
            400,
            "InvalidAction",
            format!("The action {action} is not valid for this web service."),
        )
    }

    pub(super) fn batch(code: &'static str, message: impl Into<String>) -> SnsError {
        SnsError::new(400, code, message)
    }

    pub(super) fn internal(error: &dyn Display) -> SnsError {
        tracing::error!(%error, "SNS failed inside");
        SnsError::new(
            500,
            "InternalError",
            "The request processing has failed because of an unknown error.",
        )
    }

    /// Whether the sender is to blame, as batch results say.
    pub(super) fn senders_fault(&self) -> bool {
        self.status < 500
    }

    pub(super) fn answer(self) -> Answer {
        tracing::debug!(code = self.code, "SNS refused a call");
        let fault = if self.senders_fault() {
            "Sender"
        } else {
            "Receiver"
        };
        let mut error = Xml::default();
        error.within("Error", |xml| {
            xml.text("Type", fault)
                .text("Code", self.code)
                .text("Message", &self.message);
        });
        answered(self.status, |id| {
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\">{}<RequestId>{id}</RequestId></ErrorResponse>",
                error.0
            )
        })
    }
}

impl From<rusqlite::Error> for SnsError {
    fn from(error: rusqlite::Error) -> SnsError {
        SnsError::internal(&error)
    }
}
