//! CloudEvents 1.0, structured JSON: the form in which every event and command travels.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cause::Cause;
use crate::time::Timestamp;

/// The only version of CloudEvents there is to speak.
pub const SPEC_VERSION: &str = "1.0";

/// The `source` of every event made here.
pub const SOURCE: &str = "callboard";

/// An event or command on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique within `source`.
    pub id: String,
    /// Who made it.
    pub source: String,
    /// Full type with version.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened.
    pub time: Timestamp,
    /// The stream it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// Where the schema of `data` is to be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataschema: Option<String>,
    /// The event itself.
    pub data: Value,
    /// `<commit number>.<index>`, zero-padded so that it sorts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Shared by everything that follows from one first cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlationid: Option<String>,
    /// The event or command that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<String>,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// An envelope that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or a member of the wrong type.
    #[error("not a CloudEvents envelope: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version of CloudEvents.
    #[error("specversion is `{0}`, expected `{SPEC_VERSION}`")]
    SpecVersion(String),
}

impl Envelope {
    /// Reads an envelope from a message body.
    ///
    /// # Errors
    /// [`EnvelopeError`] with the position of what is wrong.
    pub fn parse(body: &str) -> Result<Self, EnvelopeError> {
        let envelope: Self = serde_json::from_str(body)?;
        if envelope.specversion == SPEC_VERSION {
            Ok(envelope)
        } else {
            Err(EnvelopeError::SpecVersion(envelope.specversion))
        }
    }

    /// The envelope as the body of a message: JSON with U+FFFE and U+FFFF escaped. Text may hold
    /// them, but neither queue nor topic carries them as they are, nor would the dead-letter
    /// queue (SQS API reference, `SendMessage`, `MessageBody`). Control characters are escaped by
    /// JSON itself.
    ///
    /// # Panics
    /// Never: an envelope holds only what JSON can hold.
    #[must_use]
    pub fn to_body(&self) -> String {
        let json = serde_json::to_string(self).expect("an envelope holds only what JSON can hold");
        if json.contains(['\u{fffe}', '\u{ffff}']) {
            // In JSON they can stand within a string only, where the escape means the same.
            json.replace('\u{fffe}', "\\ufffe")
                .replace('\u{ffff}', "\\uffff")
        } else {
            json
        }
    }

    /// What a commit that follows from this envelope names as its cause.
    #[must_use]
    pub fn as_cause(&self) -> Cause {
        Cause {
            causation_id: self.id.clone(),
            correlation_id: self
                .correlationid
                .clone()
                .unwrap_or_else(|| self.id.clone()),
            hash: crate::cause::hash_of(&self.data),
            traceparent: self.traceparent.clone(),
        }
    }
}

/// Commit number and index in it, as the CloudEvents extension `sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sequence {
    /// The commit's number in its stream, from 1.
    pub commit: u64,
    /// The event's index in the commit, from 0.
    pub index: u32,
}

impl From<Sequence> for String {
    fn from(sequence: Sequence) -> Self {
        format!("{:012}.{:02}", sequence.commit, sequence.index)
    }
}

/// A text that is not a [`Sequence`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sequence is not <commit number>.<index>")]
pub struct SequenceError;

impl TryFrom<String> for Sequence {
    type Error = SequenceError;
    fn try_from(text: String) -> Result<Self, SequenceError> {
        let (commit, index) = text.split_once('.').ok_or(SequenceError)?;
        Ok(Self {
            commit: commit.parse().map_err(|_| SequenceError)?,
            index: index.parse().map_err(|_| SequenceError)?,
        })
    }
}

impl JsonSchema for Sequence {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sequence".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{12}\\.[0-9]{2,}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_sort_as_text_as_they_do_as_numbers() {
        let text = |commit, index| String::from(Sequence { commit, index });
        assert!(text(9, 0) < text(10, 0));
        assert!(text(10, 1) < text(10, 2));
        assert_eq!(
            Sequence::try_from(text(7, 3)),
            Ok(Sequence {
                commit: 7,
                index: 3
            })
        );
        assert_eq!(Sequence::try_from("seven".to_owned()), Err(SequenceError));
    }

    #[test]
    fn a_body_holds_no_character_that_a_queue_refuses_and_means_the_same() {
        let body = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-01-01T00:00:00Z","data":{"a\uffff":"\ufffe\u0001 \\uffff"}}"#;
        let envelope = Envelope::parse(body).expect("an envelope");
        let body = envelope.to_body();
        assert!(
            body.chars()
                .all(|c| c >= ' ' && c != '\u{fffe}' && c != '\u{ffff}')
        );
        assert_eq!(Envelope::parse(&body).expect("an envelope"), envelope);
    }

    #[test]
    fn another_specversion_is_refused_by_name() {
        let body = r#"{"specversion":"2.0","id":"1","source":"s","type":"t","time":"2026-01-01T00:00:00Z","data":{}}"#;
        let error = Envelope::parse(body).expect_err("2.0 is not known");
        assert_eq!(error.to_string(), "specversion is `2.0`, expected `1.0`");
    }
}
