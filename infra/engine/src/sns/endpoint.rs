//! What can be subscribed, and what AWS asks of it.

use super::Outcome;
use super::delivery_request::function;
use super::reply::SnsError;
use super::sms;
use url::Url;

/// What can be subscribed.
pub(super) const PROTOCOLS: [&str; 7] = [
    "sqs",
    "sms",
    "lambda",
    "http",
    "https",
    "email",
    "email-json",
];
/// What is not subscribed before it has confirmed it.
pub(super) const WAITING: [&str; 4] = ["http", "https", "email", "email-json"];

/// Refuses an endpoint that does not fit its protocol, or its topic's kind.
pub(super) fn check(fifo_topic: bool, protocol: &str, endpoint: &str) -> Outcome<()> {
    let reason = match protocol {
        "sms" if !sms::is_number(endpoint) => {
            return Err(SnsError::invalid(format!(
                "Invalid SMS endpoint: {endpoint}"
            )));
        }
        "sms" => return Ok(()),
        "sqs" if endpoint.starts_with("arn:aws:sqs:") && endpoint.split(':').count() == 6 => {
            return Ok(());
        }
        "sqs" => "SQS endpoint ARN",
        // AWS, "Amazon SNS FIFO topics": they deliver to queues alone.
        _ if fifo_topic => "Protocol Reason: FIFO topics support only SQS subscriptions",
        "lambda" if function(endpoint).is_none() => "Lambda endpoint ARN",
        "http" | "https" => {
            let url = Url::parse(endpoint).ok();
            match url.filter(|url| url.scheme() == protocol && url.has_host()) {
                Some(_) => return Ok(()),
                None => "Endpoint must match the specified protocol",
            }
        }
        "email" | "email-json" if !endpoint.contains('@') => "Email address",
        _ => return Ok(()),
    };
    Err(SnsError::invalid(format!("Invalid parameter: {reason}")))
}
