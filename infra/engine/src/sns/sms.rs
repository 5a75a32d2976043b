//! Text messages: kept instead of sent, and shown at `GET /_callboard/sms`.

use super::Outcome;
use super::reply::SnsError;
use super::telephones;
use crate::messages::{Messages, StorageError, Work};
use crate::sqs::Attributes;
use crate::wire::Answer;
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// Digits of a telephone number after the plus (ITU-T E.164; AWS, "Sending to a phone number").
const DIGITS: std::ops::RangeInclusive<usize> = 2..=15;
/// Texts kept: the newest ones.
const KEPT_MAX: i64 = 1_000;

/// A text message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Text {
    pub(super) message_id: String,
    pub(super) phone_number: String,
    pub(super) message: String,
    /// The topic by whose subscription it was sent, if any.
    pub(super) topic_arn: Option<String>,
    pub(super) message_attributes: Attributes,
    /// RFC 3339. Set when it is kept.
    pub(super) sent_at: String,
}

/// Whether a telephone number is one in E.164 form. As AWS does, a slash, hyphen or dot is allowed
/// between two digits.
pub(super) fn is_number(phone: &str) -> bool {
    let Some(number) = phone.strip_prefix('+') else {
        return false;
    };
    let groups = || number.split(['/', '-', '.']);
    let digits: usize = groups().map(str::len).sum();
    DIGITS.contains(&digits)
        && !number.starts_with('0')
        && groups()
            .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Keeps a text as if it had been sent.
pub(super) fn keep(work: &mut Work<'_>, text: &Text) -> Outcome<()> {
    if telephones::is_opted_out(work, &text.phone_number)? {
        // AWS answers the publish all the same.
        tracing::debug!(
            message_id = text.message_id,
            "a text is not sent: the telephone has opted out"
        );
        return Ok(());
    }
    let mut text = serde_json::to_value(text).map_err(|error| SnsError::internal(&error))?;
    text["sentAt"] = super::delivery::timestamp(work.now).into();
    work.db
        .prepare_cached("INSERT INTO texts(text) VALUES(?1)")?
        .execute(params![text.to_string()])?;
    work.db
        .prepare_cached("DELETE FROM texts WHERE id <= last_insert_rowid() - ?1")?
        .execute(params![KEPT_MAX])?;
    Ok(())
}

/// The texts kept, oldest first, as a JSON array.
pub(crate) fn kept(messages: &Messages) -> Answer {
    let texts = messages.transact(|work| -> Result<Vec<String>, StorageError> {
        work.db
            .prepare_cached("SELECT text FROM texts ORDER BY id")?
            .query_map([], |row| row.get(0))?
            .collect()
    });
    match texts {
        Ok(texts) => Answer::plain_json(200, format!("[{}]", texts.join(","))),
        Err(error) => SnsError::internal(&error).answer(),
    }
}

/// Forgets the texts kept.
pub(crate) fn forget(messages: &Messages) -> Answer {
    let outcome = messages.transact(|work| -> Result<(), StorageError> {
        work.db.execute("DELETE FROM texts", []).map(drop)
    });
    match outcome {
        Ok(()) => Answer::plain_json(200, "[]".to_owned()),
        Err(error) => SnsError::internal(&error).answer(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn numbers_are_told_as_aws_tells_them() {
        for number in ["+15551234567", "+123123123", "+12/34-567.890"] {
            assert!(is_number(number), "{number}");
        }
        for other in [
            "+15--551234567",
            "NAA+15551234567",
            "+15551234567.",
            "/+15551234567",
            "+1a234",
            "+05551234567",
            "+1234567890123456",
            "+",
            "",
        ] {
            assert!(!is_number(other), "{other}");
        }
    }
}
