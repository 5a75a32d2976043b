//! What an error of an AWS call means: whether the same call may succeed later.

use std::error::Error as StdError;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// Codes that say "later", beyond what the SDK itself retries. DynamoDB Developer Guide,
/// "Error handling"; SQS and SNS API references, "Common errors".
const LATER: &[&str] = &[
    "TransactionConflictException",
    "TransactionInProgressException",
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "ThrottlingException",
    "Throttling",
    "ThrottlingError",
    "ThrottledException",
    "Throttled",
    "RequestLimitExceeded",
    "RequestThrottled",
    "LimitExceededException",
    "KMSThrottling",
    "KmsThrottled",
    "InternalServerError",
    "InternalError",
    "ServiceUnavailable",
];

/// Codes that say "never": the request itself is wrong.
const NEVER: &[&str] = &[
    "ValidationException",
    "ValidationError",
    "SerializationException",
    "IdempotentParameterMismatchException",
    "InvalidParameter",
    "InvalidParameterValue",
    "ParameterValueInvalid",
    "InvalidMessageContents",
    "UnsupportedOperation",
];

/// An AWS call that failed, reduced to what a caller can act on.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed: {code}")]
pub struct AwsFault {
    /// The operation, for instance `PutItem`.
    pub operation: &'static str,
    /// The service's error code, or `Timeout`, `Dispatch`, `Response`, `Construction`. Never the
    /// service's text, which may quote what was sent.
    pub code: String,
    /// How it stands with another try.
    pub again: Again,
    /// What the SDK said.
    pub source: Box<dyn StdError + Send + Sync>,
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// In a moment: a throttle, a transaction in the way, a lost connection.
    Soon,
    /// Not in this invocation, but once somebody has mended a policy or a table.
    Mended,
    /// Never: the request is wrong.
    Never,
}

impl AwsFault {
    /// Reads an SDK error.
    #[must_use]
    pub fn of<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let (code, again) = match &error {
            SdkError::ConstructionFailure(_) => ("Construction".to_owned(), Again::Never),
            SdkError::TimeoutError(_) => ("Timeout".to_owned(), Again::Soon),
            SdkError::DispatchFailure(_) => ("Dispatch".to_owned(), Again::Soon),
            SdkError::ResponseError(_) => ("Response".to_owned(), Again::Soon),
            SdkError::ServiceError(context) => {
                let code = context.err().code().unwrap_or("Unknown").to_owned();
                let again = again(&code, context.raw().status().as_u16());
                (code, again)
            }
            _ => ("Unknown".to_owned(), Again::Soon),
        };
        Self {
            operation,
            code,
            again,
            source: Box::new(error),
        }
    }

    /// Whether a message that met this may be tried again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.again != Again::Never
    }
}

/// What an error `code` with HTTP `status` means for another try.
#[must_use]
pub fn again(code: &str, status: u16) -> Again {
    if LATER.contains(&code) || status >= 500 {
        Again::Soon
    } else if NEVER.contains(&code) {
        Again::Never
    } else {
        Again::Mended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_passes_a_wrong_request_does_not_and_a_missing_right_may_be_mended() {
        assert_eq!(again("ThrottlingException", 400), Again::Soon);
        assert_eq!(again("Whatever", 503), Again::Soon);
        assert_eq!(again("ValidationException", 400), Again::Never);
        assert_eq!(again("AccessDeniedException", 400), Again::Mended);
    }
}
