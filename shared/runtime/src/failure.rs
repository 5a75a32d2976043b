//! The one shape of a handler's error. Its class decides the message's way.
//!
//! - **retryable**: a throttle, a time-out, a lost race. The message comes back after a while;
//!   on its last try it is dead-lettered.
//! - **held**: somebody else is at it until a known moment. The message waits until then and is
//!   never dead-lettered for it.
//! - **terminal**: undecodable, unknown, refused. Dead-lettered at once, with the reason.
//!
//! A reason ends up in a dead letter's attributes and in logs: it never holds personal data.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use callboard_contracts::{DecodeError, Timestamp};

use crate::fault::AwsFault;
use crate::journal::{AppendError, CommitError, JournalError};

/// What is to become of the message that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may succeed later.
    Retryable {
        /// Not before this much time has passed; absent: after a jittered back-off.
        after: Option<Duration>,
    },
    /// Somebody else works on it until then.
    Held {
        /// When to look again.
        until: Timestamp,
    },
    /// It will never succeed.
    Terminal,
}

/// Why one message could not be handled.
#[derive(Debug)]
pub struct Failure {
    class: Class,
    label: &'static str,
    kept: bool,
    reason: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// It may succeed later.
    #[must_use]
    pub fn retryable(reason: impl Into<String>) -> Self {
        Self::new(Class::Retryable { after: None }, "retryable", reason)
    }

    /// It will never succeed.
    #[must_use]
    pub fn terminal(reason: impl Into<String>) -> Self {
        Self::new(Class::Terminal, "terminal", reason)
    }

    /// It cannot be read: poison. Terminal.
    #[must_use]
    pub fn poison(reason: impl Into<String>) -> Self {
        Self::new(Class::Terminal, "poison", reason)
    }

    /// Somebody else holds the work until `until`: look again then, and never dead-letter it.
    #[must_use]
    pub fn hold_until(until: Timestamp) -> Self {
        Self::new(Class::Held { until }, "held", "a live lease was met").kept()
    }

    /// The handler panicked. Retryable: the next version may not.
    #[must_use]
    pub(crate) fn panicked() -> Self {
        // The panic's text is left out: it may quote what was being handled.
        Self::new(
            Class::Retryable { after: None },
            "panic",
            "the handler panicked",
        )
    }

    fn new(class: Class, label: &'static str, reason: impl Into<String>) -> Self {
        Self {
            class,
            label,
            kept: false,
            reason: reason.into(),
            source: None,
        }
    }

    /// The same, not to be tried again before `after` has passed. Only for retryable failures.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        if let Class::Retryable { after: slot } = &mut self.class {
            *slot = Some(after);
        }
        self
    }

    /// The same, never to be dead-lettered by its function: the message comes back until it
    /// succeeds, or until its queue's own `maxReceiveCount` ends it. For what must not be set
    /// aside before something is on record. Only for retryable failures.
    #[must_use]
    pub const fn kept(mut self) -> Self {
        self.kept = self.is_retryable();
        self
    }

    /// Whether the message stays in its queue even on its last try.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.kept
    }

    /// The same, with what led to it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What is to become of the message.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// The class as one word, as it stands in a dead letter: `retryable`, `terminal`, `poison`,
    /// `panic`, `held`.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.label
    }

    /// Why, in words without personal data.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether it may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !matches!(self.class, Class::Terminal)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl From<AwsFault> for Failure {
    fn from(fault: AwsFault) -> Self {
        let reason = fault.to_string();
        if fault.is_retryable() {
            Self::retryable(reason)
        } else {
            Self::terminal(reason)
        }
        .because(fault)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let reason = match &error {
            JournalError::Decode { source, .. } => format!("{error}: {}", without_data(source)),
            _ => error.to_string(),
        };
        if error.is_retryable() {
            Self::retryable(reason)
        } else {
            Self::terminal(reason)
        }
        .because(error)
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Journal(error) => error.into(),
            AppendError::Conflict(_) | AppendError::Also { .. } => {
                Self::retryable(error.to_string()).because(error)
            }
            AppendError::Commit(error) => error.into(),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        Self::terminal(error.to_string()).because(error)
    }
}

/// Poison, but for a version that is not known: while a deployment is under way, the next try may
/// meet the code that wrote it. If the deployment was taken back, the last try dead-letters it,
/// to be replayed when the version is back.
impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let reason = without_data(&error);
        if error.is_of_other_version() {
            Self::retryable(reason)
        } else {
            Self::poison(reason)
        }
        .because(error)
    }
}

/// serde's message may quote a value; the type's name alone does not.
fn without_data(error: &DecodeError) -> String {
    match error {
        DecodeError::Data { event_type, .. } => format!("data of `{event_type}` cannot be read"),
        DecodeError::UnknownType(_) | DecodeError::UnknownVersion { .. } => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_whether_a_message_comes_back() {
        assert!(Failure::retryable("throttled").is_retryable());
        assert!(Failure::hold_until(Timestamp::from_millis(1)).is_retryable());
        assert!(!Failure::terminal("refused").is_retryable());
        assert!(!Failure::poison("not JSON").is_retryable());
    }

    #[test]
    fn only_a_retryable_failure_takes_a_delay() {
        let later = Some(Duration::from_secs(3));
        let failure = Failure::retryable("throttled").after(Duration::from_secs(3));
        assert_eq!(failure.class(), Class::Retryable { after: later });
        assert_eq!(
            Failure::terminal("no")
                .after(Duration::from_secs(3))
                .class(),
            Class::Terminal
        );
    }

    #[test]
    fn an_undecodable_event_names_its_type_and_not_its_data() {
        let source = serde_json::from_str::<u32>("\"a@b.example\"").expect_err("not a number");
        let failure = Failure::from(DecodeError::Data {
            event_type: "x.v1".to_owned(),
            source,
        });
        assert_eq!(failure.reason(), "data of `x.v1` cannot be read");
    }

    #[test]
    fn what_another_version_of_the_code_wrote_comes_back_and_names_the_version() {
        let unknown = || DecodeError::UnknownVersion {
            event_type: "x.v2".to_owned(),
            known: "x.v1",
        };
        let met = Failure::from(unknown());
        assert!(met.is_retryable());
        assert!(met.reason().contains("`x.v2`"), "{met}");
        let in_journal = Failure::from(JournalError::Decode {
            stream: callboard_contracts::StreamId::try_from("slot#s".to_owned()).expect("an id"),
            number: 3,
            source: unknown(),
        });
        assert!(in_journal.is_retryable());
        assert!(
            in_journal
                .reason()
                .starts_with("slot#s@3 cannot be read: `x.v2`")
        );
    }
}
