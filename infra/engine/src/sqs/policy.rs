//! Where a queue's dead letters go, and which queues may send theirs here.

use super::refusal::SqsError;
use serde_json::Value;
use std::collections::BTreeMap;

/// The least and most receives before a message counts as dead (AWS, `RedrivePolicy`).
const RECEIVES_RANGE: std::ops::RangeInclusive<i64> = 1..=1000;

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

impl Redrive {
    pub(super) fn read(given: &BTreeMap<String, String>) -> Result<Option<Redrive>, SqsError> {
        let Some(policy) = policy(given, "RedrivePolicy")? else {
            return Ok(None);
        };
        let invalid = || SqsError::invalid_attribute("RedrivePolicy");
        let target_arn = policy
            .get("deadLetterTargetArn")
            .and_then(Value::as_str)
            .ok_or_else(invalid)?;
        // Written as a number or as a text: both are common.
        let receives_max = match policy.get("maxReceiveCount") {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        }
        .filter(|count| RECEIVES_RANGE.contains(count))
        .ok_or_else(invalid)?;
        Ok(Some(Redrive {
            target_arn: target_arn.to_owned(),
            receives_max,
        }))
    }
}

impl RedriveAllow {
    pub(super) fn read(given: &BTreeMap<String, String>) -> Result<RedriveAllow, SqsError> {
        let Some(policy) = policy(given, "RedriveAllowPolicy")? else {
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
            _ => Err(SqsError::invalid_attribute("RedriveAllowPolicy")),
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
