//! Delivery policies of topics and subscriptions: how late, how often, how fast and as what a
//! message is sent over HTTP (AWS, "Amazon SNS message delivery retries").

mod retries;

pub(super) use retries::{OF_FUNCTIONS, Retries};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a request says of its body if no policy does (AWS, same page).
const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";
/// What it may say of a wrapped message (AWS, same page).
const OF_WRAPPED: [&str; 3] = [CONTENT_TYPE, "text/plain", "application/json"];
/// What else it may say of a raw one (AWS, same page).
const OF_RAW: [&str; 10] = [
    "text/css",
    "text/csv",
    "text/html",
    "text/xml",
    "application/atom+xml",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
];

/// A topic's attribute `DeliveryPolicy`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfTopic {
    http: Http,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Http {
    #[serde(skip_serializing_if = "Option::is_none")]
    default_healthy_retry_policy: Option<Retries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_sickly_retry_policy: Option<Retries>,
    disable_subscription_overrides: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_throttle_policy: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_request_policy: Option<Request>,
}

/// A subscription's attribute `DeliveryPolicy`, and the effective one: AWS shows every member.
#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OfSubscription {
    healthy_retry_policy: Option<Retries>,
    sickly_retry_policy: Option<Retries>,
    throttle_policy: Option<Throttle>,
    request_policy: Option<Request>,
    guaranteed: bool,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Throttle {
    #[serde(default)]
    max_receives_per_second: Option<u32>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    #[serde(default)]
    header_content_type: Option<String>,
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("DeliveryPolicy: failed to parse JSON. {error}"))
}

/// Checks the parts of a policy, each with its name; the error is a reason for a person.
fn check(
    retries: [(&str, Option<&Retries>); 2],
    throttle: (&str, Option<&Throttle>),
    request: (&str, Option<&Request>, &[&[&str]]),
) -> Result<(), String> {
    for (name, retries) in retries {
        let outcome = retries.map_or(Ok(()), Retries::check);
        outcome.map_err(|reason| format!("DeliveryPolicy: {name}.{reason}"))?;
    }
    let (name, throttle) = throttle;
    if throttle.is_some_and(|it| it.max_receives_per_second == Some(0)) {
        return Err(format!(
            "DeliveryPolicy: {name}.maxReceivesPerSecond must be greater than or equal to 1"
        ));
    }
    let (name, request, allowed) = request;
    let said = request.and_then(|it| it.header_content_type.as_deref());
    match said.filter(|said| !allowed.iter().any(|types| types.contains(said))) {
        Some(said) => Err(format!(
            "DeliveryPolicy: {name}.headerContentType: {said} is not supported"
        )),
        None => Ok(()),
    }
}

impl OfTopic {
    pub(super) fn read(text: &str) -> Result<OfTopic, String> {
        let policy: OfTopic = parse(text)?;
        let http = &policy.http;
        check(
            [
                (
                    "http.defaultHealthyRetryPolicy",
                    http.default_healthy_retry_policy.as_ref(),
                ),
                (
                    "http.defaultSicklyRetryPolicy",
                    http.default_sickly_retry_policy.as_ref(),
                ),
            ],
            (
                "http.defaultThrottlePolicy",
                http.default_throttle_policy.as_ref(),
            ),
            (
                "http.defaultRequestPolicy",
                http.default_request_policy.as_ref(),
                &[&OF_WRAPPED],
            ),
        )?;
        Ok(policy)
    }
}

/// A topic's policy as AWS shows it again, without what was null; the error is a reason for a
/// person.
pub(super) fn normal(text: &str) -> Result<String, String> {
    serde_json::to_string(&OfTopic::read(text)?).map_err(|error| error.to_string())
}

/// What holds under a topic's policy, or under none.
pub(super) fn effective(text: Option<&str>) -> String {
    let policy = text.and_then(|text| OfTopic::read(text).ok());
    let mut http = policy.unwrap_or_default().http;
    let healthy = http.default_healthy_retry_policy.unwrap_or_default();
    http.default_healthy_retry_policy = Some(healthy.completed());
    http.default_request_policy.get_or_insert_with(|| Request {
        header_content_type: Some(CONTENT_TYPE.to_owned()),
    });
    serde_json::to_string(&OfTopic { http }).unwrap_or_default()
}

impl OfSubscription {
    /// Reads the policy of a subscription; one with raw messages may name more content types. The
    /// error is a reason for a person.
    pub(super) fn read(text: &str, raw: bool) -> Result<OfSubscription, String> {
        let policy: OfSubscription = parse(text)?;
        let allowed: &[&[&str]] = match raw {
            true => &[&OF_WRAPPED, &OF_RAW],
            false => &[&OF_WRAPPED],
        };
        check(
            [
                ("healthyRetryPolicy", policy.healthy_retry_policy.as_ref()),
                ("sicklyRetryPolicy", policy.sickly_retry_policy.as_ref()),
            ],
            ("throttlePolicy", policy.throttle_policy.as_ref()),
            ("requestPolicy", policy.request_policy.as_ref(), allowed),
        )?;
        Ok(policy)
    }

    /// What holds for a subscription with this policy, of a topic with that one.
    pub(super) fn under(&self, topic: &OfTopic) -> OfSubscription {
        let http = &topic.http;
        let own = match http.disable_subscription_overrides {
            true => OfSubscription::default(),
            false => self.clone(),
        };
        let retries = own
            .healthy_retry_policy
            .or(http.default_healthy_retry_policy);
        let request = own.request_policy.or(http.default_request_policy.clone());
        let said = request.and_then(|it| it.header_content_type);
        OfSubscription {
            healthy_retry_policy: Some(retries.unwrap_or_default().completed()),
            sickly_retry_policy: own.sickly_retry_policy,
            throttle_policy: own.throttle_policy.or(http.default_throttle_policy.clone()),
            request_policy: Some(Request {
                header_content_type: said.or(Some(CONTENT_TYPE.to_owned())),
            }),
            guaranteed: own.guaranteed,
        }
    }

    pub(super) fn retries(&self) -> Retries {
        self.healthy_retry_policy.unwrap_or_default()
    }

    /// How many deliveries a second may begin.
    pub(super) fn per_second(&self) -> Option<u32> {
        self.throttle_policy.as_ref()?.max_receives_per_second
    }

    pub(super) fn content_type(&self) -> &str {
        let request = self.request_policy.as_ref();
        let said = request.and_then(|it| it.header_content_type.as_deref());
        said.unwrap_or(CONTENT_TYPE)
    }

    /// In JSON, as AWS shows it.
    pub(super) fn shown(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}"#;

    #[test]
    fn without_a_policy_the_usual_one_holds() {
        assert_eq!(effective(None), USUAL);
        let nothing = normal(r#"{"http":{"defaultHealthyRetryPolicy":null}}"#).expect("a policy");
        assert_eq!(
            nothing,
            r#"{"http":{"disableSubscriptionOverrides":false}}"#
        );
        assert_eq!(effective(Some(&nothing)), USUAL);
    }

    #[test]
    fn what_is_said_holds_and_the_rest_is_usual() {
        let said = r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1}}}"#;
        let kept = normal(said).expect("a policy");
        assert_eq!(
            kept,
            r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1},"disableSubscriptionOverrides":false}}"#
        );
        let holds = USUAL
            .replace(r#""minDelayTarget":20"#, r#""minDelayTarget":5"#)
            .replace(r#""maxDelayTarget":20"#, r#""maxDelayTarget":6"#)
            .replace(r#""numRetries":3"#, r#""numRetries":1"#);
        assert_eq!(effective(Some(&kept)), holds);
    }

    #[test]
    fn what_cannot_hold_is_refused() {
        for wrong in [
            "{",
            r#"{"ftp":{}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":1}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":9,"maxDelayTarget":6,"numRetries":1}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":3601,"numRetries":1}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":101}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":1,"numNoDelayRetries":2}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":1,"backoffFunction":"none"}}}"#,
        ] {
            normal(wrong).expect_err(wrong);
        }
    }

    /// As recorded from AWS in LocalStack's tests.
    #[test]
    fn a_subscriptions_policy_holds_before_its_topics_unless_the_topic_forbids_it() {
        let topic = |disabled: bool| {
            let text = format!(
                r#"{{"http":{{"disableSubscriptionOverrides":{disabled},"defaultRequestPolicy":{{"headerContentType":"application/json"}}}}}}"#
            );
            OfTopic::read(&text).expect("a policy")
        };
        let own = r#"{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":0},"throttlePolicy":{"maxReceivesPerSecond":1000}}"#;
        let own = OfSubscription::read(own, false).expect("a policy");
        assert_eq!(
            own.under(&topic(false)).shown(),
            r#"{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":0,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"sicklyRetryPolicy":null,"throttlePolicy":{"maxReceivesPerSecond":1000},"requestPolicy":{"headerContentType":"application/json"},"guaranteed":false}"#
        );
        let forbidden = own.under(&topic(true));
        assert_eq!(
            forbidden.retries().delay(3),
            Some(std::time::Duration::from_secs(20))
        );
        assert_eq!(forbidden.per_second(), None);
    }

    #[test]
    fn only_raw_messages_are_sent_as_any_type() {
        let csv = r#"{"requestPolicy":{"headerContentType":"text/csv"}}"#;
        let policy = OfSubscription::read(csv, true).expect("a policy");
        assert_eq!(policy.content_type(), "text/csv");
        OfSubscription::read(csv, false).expect_err("a wrapped message is no CSV");
    }

    /// The words are AWS's (awsdocs/amazon-sns-developer-guide#5).
    #[test]
    fn a_delay_of_nothing_is_refused_in_awss_words() {
        let zero =
            r#"{"healthyRetryPolicy":{"minDelayTarget":0,"maxDelayTarget":0,"numRetries":0}}"#;
        assert_eq!(
            OfSubscription::read(zero, false).expect_err("refused"),
            "DeliveryPolicy: healthyRetryPolicy.minDelayTarget must be greater than or equal to 1"
        );
    }
}
