//! Queue attributes: names, ranges, defaults (AWS, SQS API reference, `SetQueueAttributes`).

use super::policy::{Redrive, RedriveAllow};
use super::refusal::SqsError;
use std::collections::BTreeMap;

/// The largest message and batch, in bytes (AWS, "Amazon SQS message quotas": 1 MiB).
pub(super) const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// The longest visibility time-out, in seconds (AWS, same page: 12 hours).
pub(super) const VISIBILITY_S_MAX: i64 = 43_200;
/// The longest delay, in seconds (AWS, same page: 15 minutes).
pub(super) const DELAY_S_MAX: i64 = 900;
/// The longest poll, in seconds (AWS, same page).
pub(super) const WAIT_S_MAX: i64 = 20;

const VISIBILITY_S: i64 = 30;
const RETENTION_S: i64 = 345_600;
const RETENTION_S_RANGE: (i64, i64) = (60, 1_209_600);
const MESSAGE_BYTES_MIN: i64 = 1024;
const KMS_REUSE_S: i64 = 300;
const KMS_REUSE_S_RANGE: (i64, i64) = (60, 86_400);

/// What a queue was told, as it was told it, and what follows for the code.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(super) given: BTreeMap<String, String>,
    pub(super) visibility_ms: i64,
    pub(super) delay_ms: i64,
    pub(super) wait_ms: i64,
    pub(super) retention_ms: i64,
    pub(super) bytes_max: usize,
    pub(super) fifo: bool,
    pub(super) content_dedup: bool,
    pub(super) dedup_by_group: bool,
    pub(super) redrive: Option<Redrive>,
    pub(super) redrive_allow: RedriveAllow,
}

impl Settings {
    /// Reads attributes, each checked against its range.
    pub(super) fn read(given: BTreeMap<String, String>) -> Result<Settings, SqsError> {
        let number = |name: &str, (least, most): (i64, i64), default: i64| match given.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| SqsError::invalid_attribute(name)),
        };
        let flag = |name: &str| match given.get(name).map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(SqsError::invalid_attribute(name)),
        };
        let bytes_range = (MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX as i64);
        let bytes = number("MaximumMessageSize", bytes_range, bytes_range.1)?;
        number(
            "KmsDataKeyReusePeriodSeconds",
            KMS_REUSE_S_RANGE,
            KMS_REUSE_S,
        )?;
        flag("SqsManagedSseEnabled")?;
        let fifo = flag("FifoQueue")?;
        let settings = Settings {
            visibility_ms: 1000 * number("VisibilityTimeout", (0, VISIBILITY_S_MAX), VISIBILITY_S)?,
            delay_ms: 1000 * number("DelaySeconds", (0, DELAY_S_MAX), 0)?,
            wait_ms: 1000 * number("ReceiveMessageWaitTimeSeconds", (0, WAIT_S_MAX), 0)?,
            retention_ms: 1000 * number("MessageRetentionPeriod", RETENTION_S_RANGE, RETENTION_S)?,
            bytes_max: usize::try_from(bytes).unwrap_or(MESSAGE_BYTES_MAX),
            fifo,
            content_dedup: flag("ContentBasedDeduplication")?,
            dedup_by_group: choice(&given, "DeduplicationScope", ["queue", "messageGroup"])?,
            redrive: Redrive::read(&given)?,
            redrive_allow: RedriveAllow::read(&given)?,
            given,
        };
        settings.check_kind()?;
        Ok(settings)
    }

    fn check_kind(&self) -> Result<(), SqsError> {
        let limit = ["perQueue", "perMessageGroupId"];
        let per_group = choice(&self.given, "FifoThroughputLimit", limit)?;
        if self.fifo && per_group && !self.dedup_by_group {
            return Err(SqsError::invalid_attribute("FifoThroughputLimit"));
        }
        if self.fifo {
            return Ok(());
        }
        if self.given.contains_key("FifoQueue") {
            // AWS takes "true" only: a standard queue has no such attribute.
            return Err(SqsError::unknown_attribute("FifoQueue"));
        }
        match FIFO_ONLY
            .iter()
            .find(|name| self.given.contains_key(**name))
        {
            Some(name @ &"ContentBasedDeduplication") => Err(SqsError::unknown_attribute(name)),
            Some(name) => Err(SqsError::only_for_fifo(name)),
            None => Ok(()),
        }
    }

    /// The attributes with their defaults, as `GetQueueAttributes` shows them.
    pub(super) fn shown(&self) -> BTreeMap<String, String> {
        let defaults: &[(&str, String)] = &[
            ("VisibilityTimeout", VISIBILITY_S.to_string()),
            ("DelaySeconds", "0".to_owned()),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
            ("MessageRetentionPeriod", RETENTION_S.to_string()),
            ("MaximumMessageSize", MESSAGE_BYTES_MAX.to_string()),
            ("SqsManagedSseEnabled", "true".to_owned()),
        ];
        let fifo_defaults: &[(&str, String)] = &[
            ("ContentBasedDeduplication", "false".to_owned()),
            ("DeduplicationScope", "queue".to_owned()),
            ("FifoThroughputLimit", "perQueue".to_owned()),
        ];
        let kind: &[_] = if self.fifo { fifo_defaults } else { &[] };
        let mut shown: BTreeMap<String, String> = defaults
            .iter()
            .chain(kind)
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        if self.given.contains_key("KmsMasterKeyId") {
            shown.insert("SqsManagedSseEnabled".to_owned(), "false".to_owned());
            shown.insert(
                "KmsDataKeyReusePeriodSeconds".to_owned(),
                KMS_REUSE_S.to_string(),
            );
        }
        shown.extend(self.given.clone());
        shown
    }
}

/// Writes attributes as they are shown: AWS takes `True` for `true`, and a number as a text in a
/// redrive policy.
pub(super) fn as_shown(given: &mut BTreeMap<String, String>) {
    for name in FLAGS {
        if let Some(value) = given.get_mut(name) {
            value.make_ascii_lowercase();
        }
    }
    super::policy::count_as_number(given);
}

/// What is asked of attributes when they are given, beyond what a queue needs to work: files of
/// an earlier engine may hold otherwise.
pub(super) fn check_given(given: &BTreeMap<String, String>) -> Result<(), SqsError> {
    let policy = given.get("Policy").filter(|policy| !policy.is_empty());
    let object = |text: &String| {
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object())
    };
    if policy.is_some_and(|policy| !object(policy)) {
        return Err(SqsError::invalid_attribute("Policy"));
    }
    super::policy::check_redrive(given)?;
    check_encryption(given)
}

/// One kind of encryption at a time.
pub(super) fn check_encryption(given: &BTreeMap<String, String>) -> Result<(), SqsError> {
    let kms = given
        .get("KmsMasterKeyId")
        .is_some_and(|key| !key.is_empty());
    let sqs = given
        .get("SqsManagedSseEnabled")
        .is_some_and(|on| on == "true");
    if kms && sqs {
        return Err(SqsError::two_encryptions());
    }
    Ok(())
}

fn choice(
    given: &BTreeMap<String, String>,
    name: &str,
    [usual, other]: [&str; 2],
) -> Result<bool, SqsError> {
    match given.get(name).map(String::as_str) {
        None => Ok(false),
        Some(value) if value == usual => Ok(false),
        Some(value) if value == other => Ok(true),
        Some(_) => Err(SqsError::invalid_attribute(name)),
    }
}

const FLAGS: [&str; 3] = [
    "FifoQueue",
    "ContentBasedDeduplication",
    "SqsManagedSseEnabled",
];

const FIFO_ONLY: [&str; 3] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

/// The attributes that can be set.
pub(super) const SETTABLE: [&str; 15] = [
    "VisibilityTimeout",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "MessageRetentionPeriod",
    "MaximumMessageSize",
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "FifoQueue",
    FIFO_ONLY[0],
    FIFO_ONLY[1],
    FIFO_ONLY[2],
];

/// The attributes that can only be read.
pub(super) const COUNTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Settings, SqsError> {
        Settings::read(
            given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (name, value) in [
            ("VisibilityTimeout", "43201"),
            ("DelaySeconds", "-1"),
            ("MessageRetentionPeriod", "59"),
            ("MaximumMessageSize", "1048577"),
            ("ReceiveMessageWaitTimeSeconds", "x"),
            ("RedrivePolicy", "{"),
        ] {
            let error = read(&[(name, value)]).expect_err(name);
            assert!(error.message.contains(name), "{}", error.message);
        }
    }

    #[test]
    fn high_throughput_needs_deduplication_by_group() {
        let limit = ("FifoThroughputLimit", "perMessageGroupId");
        read(&[("FifoQueue", "true"), limit]).expect_err("scope is missing");
        let scope = ("DeduplicationScope", "messageGroup");
        let settings = read(&[("FifoQueue", "true"), limit, scope]).expect("both");
        assert!(settings.dedup_by_group);
        read(&[("ContentBasedDeduplication", "true")]).expect_err("not on a standard queue");
    }
}
