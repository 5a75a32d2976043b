//! A topic's delivery policy: what is said of retries over HTTP, and what then holds (AWS, "Amazon
//! SNS message delivery retries").

use serde::{Deserialize, Serialize};

/// The most seconds between two tries (AWS, same page).
const DELAY_S_MAX: u32 = 3_600;
/// The most tries after the first (AWS, same page).
const RETRIES_MAX: u32 = 100;

/// The attribute `DeliveryPolicy`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct DeliveryPolicy {
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

#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Retries {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_delay_target: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay_target: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_max_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_no_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_min_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_function: Option<Backoff>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Backoff {
    Arithmetic,
    Exponential,
    Geometric,
    Linear,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Throttle {
    max_receives_per_second: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    header_content_type: String,
}

impl Retries {
    /// The error is what is wrong of which field.
    fn check(&self) -> Result<(), String> {
        let specified = [
            ("minDelayTarget", self.min_delay_target),
            ("maxDelayTarget", self.max_delay_target),
            ("numRetries", self.num_retries),
        ];
        for (field, value) in specified {
            if value.is_none() {
                return Err(format!("{field} must be specified"));
            }
        }
        let least = self.min_delay_target.unwrap_or_default();
        let most = self.max_delay_target.unwrap_or_default();
        let retries = self.num_retries.unwrap_or_default();
        if !(1..=DELAY_S_MAX).contains(&least) {
            return Err(format!(
                "minDelayTarget must be between 1 and {DELAY_S_MAX}"
            ));
        }
        if !(least..=DELAY_S_MAX).contains(&most) {
            return Err(format!(
                "maxDelayTarget must be between minDelayTarget and {DELAY_S_MAX}"
            ));
        }
        if retries > RETRIES_MAX {
            return Err(format!("numRetries must be between 0 and {RETRIES_MAX}"));
        }
        let phases = [
            self.num_no_delay_retries,
            self.num_min_delay_retries,
            self.num_max_delay_retries,
        ];
        let in_phases = phases.into_iter().flatten().fold(0, u32::saturating_add);
        if in_phases > retries {
            return Err("numRetries must be at least the sum of the retries of the phases".into());
        }
        Ok(())
    }

    /// With AWS's usual figures for what is not said.
    fn completed(&self) -> Retries {
        Retries {
            min_delay_target: self.min_delay_target.or(Some(20)),
            max_delay_target: self.max_delay_target.or(Some(20)),
            num_retries: self.num_retries.or(Some(3)),
            num_max_delay_retries: self.num_max_delay_retries.or(Some(0)),
            num_no_delay_retries: self.num_no_delay_retries.or(Some(0)),
            num_min_delay_retries: self.num_min_delay_retries.or(Some(0)),
            backoff_function: self.backoff_function.or(Some(Backoff::Linear)),
        }
    }
}

fn read(text: &str) -> Result<DeliveryPolicy, String> {
    let policy: DeliveryPolicy =
        serde_json::from_str(text).map_err(|error| format!("failed to parse JSON. {error}"))?;
    let retries = [
        (
            "defaultHealthyRetryPolicy",
            &policy.http.default_healthy_retry_policy,
        ),
        (
            "defaultSicklyRetryPolicy",
            &policy.http.default_sickly_retry_policy,
        ),
    ];
    for (name, retries) in retries {
        if let Some(retries) = retries {
            retries
                .check()
                .map_err(|reason| format!("http.{name}.{reason}"))?;
        }
    }
    Ok(policy)
}

/// The policy as AWS shows it again, without what was null; the error is a reason for a person.
pub(super) fn normal(text: &str) -> Result<String, String> {
    let policy = read(text).map_err(|reason| format!("DeliveryPolicy: {reason}"))?;
    serde_json::to_string(&policy).map_err(|error| error.to_string())
}

/// What holds under a policy, or under none.
pub(super) fn effective(text: Option<&str>) -> String {
    let mut http = text
        .and_then(|text| read(text).ok())
        .unwrap_or_default()
        .http;
    let healthy = http.default_healthy_retry_policy.unwrap_or_default();
    http.default_healthy_retry_policy = Some(healthy.completed());
    http.default_request_policy.get_or_insert_with(|| Request {
        header_content_type: "text/plain; charset=UTF-8".to_owned(),
    });
    serde_json::to_string(&DeliveryPolicy { http }).unwrap_or_default()
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
}
