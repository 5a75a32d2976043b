//! Amazon SES v2, `SendEmail` with the mail's own text.
//!
//! SES puts its own `Message-ID` in place of ours, so that a reader's mail program cannot fold
//! a second copy into the first; everything else is sent as composed.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};

use super::{Accepted, Message, PROVIDER_TIMEOUT, Provider, SendError, Sending};

/// What the journal calls this provider.
const NAME: &str = "ses";

/// HTTP status from which an answer says nothing about what the server did.
const SERVER_ERROR: u16 = 500;

/// The provider.
pub struct Ses {
    client: Client,
}

impl Ses {
    /// A provider with the function's own credentials. The SDK's retries are off: `SendEmail`
    /// has no idempotency key, and a time-out does not mean "not sent".
    #[must_use]
    pub fn new(sdk: &SdkConfig) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(PROVIDER_TIMEOUT)
                    .build(),
            )
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

impl Provider for Ses {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let raw = RawMessage::builder()
                .data(Blob::new(message.raw.clone()))
                .build()
                .map_err(|_| SendError::permanent("ses-request"))?;
            self.client
                .send_email()
                .from_email_address(message.from.to_string())
                .destination(
                    Destination::builder()
                        .to_addresses(message.to.to_string())
                        .build(),
                )
                .content(EmailContent::builder().raw(raw).build())
                .send()
                .await
                .map(|_| Accepted { provider: NAME })
                .map_err(|error| classify(&error))
        })
    }
}

fn classify(error: &SdkError<SendEmailError>) -> SendError {
    match error {
        SdkError::ConstructionFailure(_) => SendError::transient("ses-request"),
        SdkError::TimeoutError(_) => SendError::ambiguous("ses-timeout"),
        SdkError::ServiceError(context) => refused(context.err(), context.raw().status().as_u16()),
        _ => SendError::ambiguous("ses-connection-lost"),
    }
}

fn refused(error: &SendEmailError, status: u16) -> SendError {
    let code = format!("{NAME}-{}", error.code().unwrap_or("unknown"));
    if status >= SERVER_ERROR {
        SendError::ambiguous(code)
    } else if error.is_message_rejected() || error.is_bad_request_exception() {
        SendError::permanent(code)
    } else {
        // Account paused, quota, permissions, unverified domain: about us, not about the mail.
        SendError::transient(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Class;
    use aws_sdk_sesv2::error::ErrorMetadata;
    use aws_sdk_sesv2::types::error::{MessageRejected, TooManyRequestsException};

    fn meta(code: &str) -> ErrorMetadata {
        ErrorMetadata::builder()
            .code(code)
            .message("anna@example.com")
            .build()
    }

    #[test]
    fn a_rejected_message_stays_rejected_and_its_text_is_not_kept() {
        let error = SendEmailError::MessageRejected(
            MessageRejected::builder()
                .meta(meta("MessageRejected"))
                .build(),
        );
        assert_eq!(
            refused(&error, 400),
            SendError::permanent("ses-MessageRejected")
        );
    }

    #[test]
    fn a_throttled_message_may_be_tried_again() {
        let error = SendEmailError::TooManyRequestsException(
            TooManyRequestsException::builder()
                .meta(meta("TooManyRequestsException"))
                .build(),
        );
        assert_eq!(refused(&error, 429).class, Class::Transient);
    }

    #[test]
    fn a_server_error_says_nothing_about_the_mail() {
        let error = SendEmailError::generic(meta("InternalFailure"));
        assert_eq!(refused(&error, 500).class, Class::Ambiguous);
    }
}
