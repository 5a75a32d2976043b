//! Where a queue's dead letters go, and which queues may send theirs here.

use super::refusal::SqsError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The least and most receives before a message counts as dead (AWS, `RedrivePolicy`).
const RECEIVES_RANGE: std::ops::RangeInclusive<i64> = 1..=1000;

/// The most queues that a redrive allow policy names (AWS, `RedriveAllowPolicy`).
const SOURCES_MAX: usize = 10;
const TARGET: &str = "deadLetterTargetArn";
const ALLOW: &str = "RedriveAllowPolicy";
const COUNT: &str = "maxReceiveCount";

/// A redrive policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redrive {
    pub(super) target_arn: String,
    pub(super) receives_max: i64,
}

/// A redrive allow policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum RedriveAllow {
    #[default]
    All,
    None,
    Only(Vec<String>),
}

fn policy(given: &BTreeMap<String, String>, name: &str) -> Result<Option<Value>, SqsError> {
    match given.get(name).map(String::as_str) {
        // An empty text takes the policy away.
        None | Some("") => Ok(None),
        Some(text) => serde_json::from_str(text)
            .map(Some)
            .map_err(|_| SqsError::invalid_attribute(name)),
    }
}

/// Checks redrive policies as they are given, in AWS's words.
pub(super) fn check_redrive(given: &BTreeMap<String, String>) -> Result<(), SqsError> {
    if let Some(text) = given.get("RedrivePolicy").filter(|text| !text.is_empty()) {
        let refused = |reason: &str| Err(SqsError::invalid_value(text, "RedrivePolicy", reason));
        let policy: Map<String, Value> = match serde_json::from_str(text) {
            Ok(policy) => policy,
            Err(_) => return refused("Redrive policy is not a valid JSON map."),
        };
        for name in [COUNT, TARGET] {
            if !policy.contains_key(name) {
                let reason =
                    format!("Redrive policy does not contain mandatory attribute: {name}.");
                return refused(&reason);
            }
        }
        if policy.len() > 2 {
            return refused(
                "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
            );
        }
        let target = policy[TARGET].as_str();
        if !target.is_some_and(|arn| arn.starts_with("arn:") && arn.split(':').count() == 6) {
            return refused("Invalid value for deadLetterTargetArn.");
        }
        if receives_max(policy.get(COUNT)).is_none() {
            let given = policy[COUNT].to_string();
            return refused(&format!(
                "Invalid value for maxReceiveCount: {}, valid values are from 1 to 1000 both \
                 inclusive.",
                given.trim_matches('"')
            ));
        }
    }
    match RedriveAllow::read(given)? {
        RedriveAllow::Only(sources) if !(1..=SOURCES_MAX).contains(&sources.len()) => {
            Err(SqsError::invalid_value(
                given.get(ALLOW).map_or("", String::as_str),
                ALLOW,
                "Amazon SQS supports between 1 and 10 sourceQueueArns.",
            ))
        }
        _ => Ok(()),
    }
}

/// Writes the count of a redrive policy as a number. What is not well formed stays as it is.
pub(super) fn count_as_number(given: &mut BTreeMap<String, String>) {
    let Some(text) = given.get_mut("RedrivePolicy") else {
        return;
    };
    let Ok(mut policy) = serde_json::from_str::<Map<String, Value>>(text) else {
        return;
    };
    if let Some(Value::String(_)) = policy.get(COUNT)
        && let Some(count) = receives_max(policy.get(COUNT))
    {
        policy.insert(COUNT.to_owned(), Value::from(count));
        *text = Value::Object(policy).to_string();
    }
}

/// The count in a redrive policy, written as a number or as a text: both are common.
fn receives_max(count: Option<&Value>) -> Option<i64> {
    match count {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    }
    .filter(|count| RECEIVES_RANGE.contains(count))
}

impl Redrive {
    pub(super) fn read(given: &BTreeMap<String, String>) -> Result<Option<Redrive>, SqsError> {
        let Some(policy) = policy(given, "RedrivePolicy")? else {
            return Ok(None);
        };
        let invalid = || SqsError::invalid_attribute("RedrivePolicy");
        let target_arn = policy
            .get(TARGET)
            .and_then(Value::as_str)
            .ok_or_else(invalid)?;
        let receives_max = receives_max(policy.get(COUNT)).ok_or_else(invalid)?;
        Ok(Some(Redrive {
            target_arn: target_arn.to_owned(),
            receives_max,
        }))
    }
}

impl RedriveAllow {
    pub(super) fn read(given: &BTreeMap<String, String>) -> Result<RedriveAllow, SqsError> {
        let Some(policy) = policy(given, ALLOW)? else {
            return Ok(RedriveAllow::All);
        };
        let sources = policy.get("sourceQueueArns").and_then(Value::as_array);
        match (
            policy.get("redrivePermission").and_then(Value::as_str),
            sources,
        ) {
            (Some("allowAll"), None) => Ok(RedriveAllow::All),
            (Some("denyAll"), None) => Ok(RedriveAllow::None),
            (Some("byQueue"), Some(sources)) => Ok(RedriveAllow::Only(
                sources
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            )),
            _ => Err(SqsError::invalid_value(
                given.get(ALLOW).map_or("", String::as_str),
                ALLOW,
                "Amazon SQS can't create the redrive allow policy, as it's in an unsupported \
                 format.",
            )),
        }
    }

    pub(super) fn allows(&self, source_arn: &str) -> bool {
        match self {
            RedriveAllow::All => true,
            RedriveAllow::None => false,
            RedriveAllow::Only(sources) => sources.iter().any(|arn| arn == source_arn),
        }
    }
}
