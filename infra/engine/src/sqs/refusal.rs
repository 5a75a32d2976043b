//! SQS's refusals: the name of the JSON protocol, the code of the older Query protocol that SDKs
//! still read from `x-amzn-query-error`, and the words.

use super::attributes::INVALID_CHARACTERS;
use crate::wire::Answer;
use serde_json::json;

/// A refusal.
#[derive(Debug)]
pub(crate) struct SqsError {
    /// The shape's name, for `__type`.
    name: &'static str,
    /// The Query protocol's code.
    pub(crate) code: &'static str,
    status: u16,
    pub(crate) message: String,
}

impl SqsError {
    fn new(name: &'static str, code: &'static str, message: impl Into<String>) -> SqsError {
        SqsError {
            name,
            code,
            status: 400,
            message: message.into(),
        }
    }

    /// A refusal that is none of SQS's own, but of what stands before all services.
    pub(crate) fn outside(
        name: &'static str,
        code: &'static str,
        status: u16,
        message: String,
    ) -> SqsError {
        SqsError {
            status,
            ..SqsError::new(name, code, message)
        }
    }

    pub(super) fn no_such_queue() -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    }

    /// A queue URL of another region, or of no queue.
    pub(super) fn invalid_address(url: &str) -> SqsError {
        SqsError {
            status: 404,
            ..SqsError::new(
                "com.amazonaws.sqs#InvalidAddress",
                "InvalidAddress",
                format!("The address {url} is not valid for this endpoint."),
            )
        }
    }

    /// A queue URL of another account, which no policy lets this one use: policies are not read.
    pub(super) fn access_denied(region: &str) -> SqsError {
        SqsError {
            status: 403,
            ..SqsError::new(
                "com.amazon.coral.service#AccessDeniedException",
                "AccessDenied",
                format!("Access to the resource https://sqs.{region}.amazonaws.com/ is denied."),
            )
        }
    }

    pub(super) fn queue_exists(attribute: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#QueueNameExists",
            "QueueAlreadyExists",
            format!(
                "A queue already exists with the same name and a different value for attribute {attribute}"
            ),
        )
    }

    pub(super) fn invalid(message: impl Into<String>) -> SqsError {
        SqsError::new(
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue",
            message,
        )
    }

    /// An invalid value, in SQS's usual words.
    pub(super) fn invalid_value(
        value: impl std::fmt::Display,
        name: &str,
        reason: &str,
    ) -> SqsError {
        SqsError::invalid(format!(
            "Value {value} for parameter {name} is invalid. Reason: {reason}"
        ))
    }

    pub(super) fn missing(name: &str) -> SqsError {
        SqsError::new(
            "com.amazon.coral.service#MissingRequiredParameterException",
            "MissingParameter",
            format!("The request must contain the parameter {name}."),
        )
    }

    pub(super) fn unknown_attribute(name: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#InvalidAttributeName",
            "InvalidAttributeName",
            format!("Unknown Attribute {name}."),
        )
    }

    pub(super) fn invalid_attribute(name: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#InvalidAttributeValue",
            "InvalidAttributeValue",
            format!("Invalid value for the parameter {name}."),
        )
    }

    /// An attribute that a standard queue does not have, in the words AWS keeps for two of them.
    pub(super) fn only_for_fifo(name: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#InvalidAttributeName",
            "InvalidAttributeName",
            format!("You can specify the {name} only when FifoQueue is set to true."),
        )
    }

    pub(super) fn another_kind() -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#InvalidAttributeValue",
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not \
             supported.",
        )
    }

    pub(super) fn invalid_contents() -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#InvalidMessageContents",
            "InvalidMessageContents",
            INVALID_CHARACTERS,
        )
    }

    pub(super) fn invalid_handle(handle: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        )
    }

    pub(super) fn not_in_flight(handle: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            format!(
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not \
                 exist or is not available for visibility timeout change."
            ),
        )
    }

    pub(super) fn empty_batch(entry: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest",
            format!("There should be at least one {entry} in the request."),
        )
    }

    pub(super) fn too_many_entries(given: usize) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are 10. You have sent {given}."),
        )
    }

    pub(super) fn ids_not_distinct(id: &str) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            format!("Id {id} repeated."),
        )
    }

    pub(super) fn invalid_entry_id() -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
             It can be at most 80 letters long.",
        )
    }

    pub(super) fn batch_too_long(limit: usize, given: usize) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            format!(
                "Batch requests cannot be longer than {limit} bytes. You have sent {given} bytes."
            ),
        )
    }

    pub(super) fn purging(queue: &str) -> SqsError {
        SqsError {
            status: 403,
            ..SqsError::new(
                "com.amazonaws.sqs#PurgeQueueInProgress",
                "AWS.SimpleQueueService.PurgeQueueInProgress",
                format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds."),
            )
        }
    }

    pub(super) fn deleted_recently() -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#QueueDeletedRecently",
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with \
             the same name.",
        )
    }

    pub(super) fn over_limit(limit: i64) -> SqsError {
        SqsError {
            status: 403,
            ..SqsError::new(
                "com.amazonaws.sqs#OverLimit",
                "OverLimit",
                format!("Too many messages are in flight. The limit of a queue is {limit}."),
            )
        }
    }

    pub(super) fn too_many_actions(given: usize, limit: usize) -> SqsError {
        SqsError {
            status: 403,
            ..SqsError::new(
                "com.amazonaws.sqs#OverLimit",
                "OverLimit",
                format!("{given} Actions were found, maximum allowed is {limit}."),
            )
        }
    }

    pub(super) fn no_such_resource(message: impl Into<String>) -> SqsError {
        SqsError {
            status: 404,
            ..SqsError::new(
                "com.amazonaws.sqs#ResourceNotFoundException",
                "ResourceNotFoundException",
                message,
            )
        }
    }

    pub(super) fn unsupported(message: impl Into<String>) -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
            message,
        )
    }

    pub(super) fn invalid_action(action: &str) -> SqsError {
        SqsError::new(
            "com.amazon.coral.service#UnknownOperationException",
            "InvalidAction",
            format!("The action {action} is not valid for this endpoint."),
        )
    }

    /// The status in the Query protocol, which knows one that JSON does not.
    pub(super) fn query_status(&self) -> u16 {
        match self.code {
            "ReceiptHandleIsInvalid" => 404,
            _ => self.status,
        }
    }

    /// The words in the Query protocol, which has older ones for a queue that is not there.
    pub(super) fn query_message(&self) -> &str {
        match self.name {
            "com.amazonaws.sqs#QueueDoesNotExist" => {
                "The specified queue does not exist for this wsdl version."
            }
            _ => &self.message,
        }
    }

    pub(super) fn two_encryptions() -> SqsError {
        SqsError::new(
            "com.amazonaws.sqs#InvalidAttributeName",
            "InvalidAttributeName",
            "You can use one type of server-side encryption (SSE) at one time. You can either \
             enable KMS SSE or SQS SSE.",
        )
    }

    pub(super) fn unreadable(error: &serde_json::Error) -> SqsError {
        let text = error.to_string();
        if let Some(rest) = text.strip_prefix("missing field `") {
            return SqsError::missing(rest.split('`').next().unwrap_or_default());
        }
        // What stands in the body is the client's own and stays out of the words.
        SqsError::new(
            "com.amazon.coral.service#SerializationException",
            "MalformedInput",
            format!(
                "The body could not be read at line {} column {}.",
                error.line(),
                error.column()
            ),
        )
    }

    pub(super) fn internal(error: &dyn std::fmt::Display) -> SqsError {
        tracing::error!(%error, "SQS failed inside");
        SqsError {
            status: 500,
            ..SqsError::new(
                "com.amazon.coral.service#InternalFailure",
                "InternalFailure",
                "The request processing has failed because of an unknown error.",
            )
        }
    }

    /// Whether the sender is to blame, as batch results say.
    pub(crate) fn senders_fault(&self) -> bool {
        self.status < 500
    }

    /// The same, as refusals say.
    pub(super) fn fault(&self) -> &'static str {
        if self.senders_fault() {
            "Sender"
        } else {
            "Receiver"
        }
    }

    pub(crate) fn answer(self, operation: &str) -> Answer {
        tracing::debug!(operation, code = self.code, "SQS refused a call");
        let fault = self.fault();
        let body = json!({ "__type": self.name, "message": self.message });
        Answer {
            headers: vec![("x-amzn-query-error", format!("{};{fault}", self.code))],
            ..Answer::json(self.status, body.to_string())
        }
    }
}

impl From<rusqlite::Error> for SqsError {
    fn from(error: rusqlite::Error) -> SqsError {
        SqsError::internal(&error)
    }
}
