//! The present, and the end of an invocation. The only place of this crate that reads a clock.
//!
//! The time comes from the SDK configuration's time source, so that one clock (which may be a
//! virtual one) rules the functions, the SDK and an engine behind it alike.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use callboard_contracts::Timestamp;
use lambda_runtime::Context;

/// Tells the present.
#[derive(Debug, Clone)]
pub struct Clock {
    source: SharedTimeSource,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_time_source(SharedTimeSource::new(SystemTimeSource::new()))
    }

    /// A clock that tells the time of an SDK time source.
    #[must_use]
    pub fn from_time_source(source: SharedTimeSource) -> Self {
        Self { source }
    }

    /// The clock that the SDK clients made from `sdk` use; the machine's, if it names none.
    #[must_use]
    pub fn from_sdk(sdk: &SdkConfig) -> Self {
        sdk.time_source()
            .map_or_else(Self::system, Self::from_time_source)
    }

    /// The present, in whole milliseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let since = self
            .source
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The longest time a Lambda function may run: 15 minutes (Lambda quotas). A deadline further
/// in the past than this cannot be this invocation's.
const FUNCTION_TIMEOUT_MAX: Duration = Duration::from_secs(15 * 60);

/// What an invocation is given when its deadline cannot be true: `cargo lambda watch` 1.9 says
/// 600,000 ms after 1970, an in-process call says 0. 30 s is longer than any function of ours
/// and shorter than its queue's visibility time-out.
const ASSUMED: Duration = Duration::from_secs(30);

/// When the invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Timestamp,
}

impl Deadline {
    /// The deadline of the invocation that `context` describes, seen at `now`. One that lies
    /// too far back to be real is replaced by `now` + 30 s; a real one that has passed stays.
    #[must_use]
    pub fn of(context: &Context, now: Timestamp) -> Self {
        let at = Timestamp::from_millis(i64::try_from(context.deadline).unwrap_or(i64::MAX));
        if now.since(at) > FUNCTION_TIMEOUT_MAX {
            Self::at(now.plus(ASSUMED))
        } else {
            Self::at(at)
        }
    }

    /// A deadline at `at`.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { at }
    }

    /// The moment itself.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.at
    }

    /// What is left of it at `now`; zero if it has passed.
    #[must_use]
    pub fn remaining(self, now: Timestamp) -> Duration {
        self.at.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(deadline: u64) -> Context {
        let mut context = Context::default();
        context.deadline = deadline;
        context
    }

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn a_deadline_of_1970_is_replaced_and_does_not_end_the_invocation() {
        let deadline = Deadline::of(&context(600_000), NOW);
        assert_eq!(deadline.remaining(NOW), Duration::from_secs(30));
    }

    #[test]
    fn a_real_deadline_is_kept_even_when_it_has_passed() {
        let ahead = Deadline::of(&context(1_795_000_004_000), NOW);
        assert_eq!(ahead.remaining(NOW), Duration::from_secs(4));
        let passed = Deadline::of(&context(1_794_999_999_000), NOW);
        assert_eq!(passed.remaining(NOW), Duration::ZERO);
    }
}
