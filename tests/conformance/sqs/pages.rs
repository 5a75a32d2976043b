//! The pages of AWS that several files of checks cite.

macro_rules! operation {
    ($($name:ident = $operation:literal;)*) => {
        $(pub const $name: &str = concat!(
            "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_",
            $operation,
            ".html"
        );)*
    };
}

operation! {
    CREATE = "CreateQueue";
    DELETE_QUEUE = "DeleteQueue";
    URL = "GetQueueUrl";
    LIST = "ListQueues";
    GET_ATTRIBUTES = "GetQueueAttributes";
    SET_ATTRIBUTES = "SetQueueAttributes";
    PURGE = "PurgeQueue";
    TAG = "TagQueue";
    UNTAG = "UntagQueue";
    LIST_TAGS = "ListQueueTags";
    SEND = "SendMessage";
    RECEIVE = "ReceiveMessage";
    DELETE = "DeleteMessage";
    VISIBILITY = "ChangeMessageVisibility";
    SEND_BATCH = "SendMessageBatch";
    DELETE_BATCH = "DeleteMessageBatch";
    VISIBILITY_BATCH = "ChangeMessageVisibilityBatch";
}

/// Limits of messages.
pub const QUOTAS: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html";
/// Attributes of messages.
pub const METADATA: &str = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html";
/// Errors that every operation has.
pub const COMMON_ERRORS: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html";
