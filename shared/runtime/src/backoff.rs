//! How long to wait before trying again: full jitter, always.
//!
//! A uniform draw from zero to an exponentially growing cap spreads competing clients best
//! (AWS Architecture Blog, "Exponential Backoff And Jitter").

use std::time::Duration;

use callboard_contracts::Timestamp;

/// A growing cap to draw delays under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The cap of the first delay.
    pub base: Duration,
    /// By what the cap grows from one delay to the next.
    pub factor: u32,
    /// The cap never grows beyond this.
    pub cap: Duration,
}

impl Backoff {
    /// Between two tries of one call inside an invocation: short, for the caller waits.
    pub const CALL: Self = Self {
        base: Duration::from_millis(25),
        factor: 2,
        cap: Duration::from_secs(1),
    };

    /// Between two deliveries of one message: up to 2 s, 8 s, 32 s, two minutes. A lost race is
    /// over soon; five tries outlast a trouble of about a minute (81 s on average). A longer one
    /// fills dead-letter queues, with a reason, to be redriven when it is over.
    pub const MESSAGE: Self = Self {
        base: Duration::from_secs(2),
        factor: 4,
        cap: Duration::from_secs(120),
    };

    /// The upper bound of the delay after `attempt` (from 1).
    #[must_use]
    pub fn bound(self, attempt: u32) -> Duration {
        let growth = self.factor.saturating_pow(attempt.saturating_sub(1));
        self.base.saturating_mul(growth).min(self.cap)
    }

    /// A delay drawn uniformly from zero to [`Backoff::bound`].
    #[must_use]
    pub fn draw(self, attempt: u32) -> Duration {
        self.bound(attempt).mul_f64(fastrand::f64())
    }

    /// Waits for a drawn delay, on tokio's clock.
    pub async fn wait(self, attempt: u32) {
        tokio::time::sleep(self.draw(attempt)).await;
    }
}

/// The longest visibility time-out SQS takes: 12 hours (SQS quotas).
pub const VISIBILITY_MAX_SECS: i32 = 43_200;

/// Spread of the moment at which a held message comes back, so that two who met the same lease
/// do not meet again.
const HOLD_JITTER: Duration = Duration::from_secs(3);

/// The visibility time-out, in seconds, after which a message that failed for the `attempt`th
/// time (from 1) comes back: at least one second, and at least `after`.
#[must_use]
pub fn visibility_secs(attempt: u32, after: Option<Duration>) -> i32 {
    let delay = after
        .unwrap_or_default()
        .saturating_add(Backoff::MESSAGE.draw(attempt));
    whole_secs(delay).max(1)
}

/// The visibility time-out, in seconds, with which a message comes back just after `until`.
#[must_use]
pub fn visibility_until(until: Timestamp, now: Timestamp) -> i32 {
    whole_secs(
        until
            .since(now)
            .saturating_add(HOLD_JITTER.mul_f64(fastrand::f64())),
    )
    .max(1)
}

fn whole_secs(delay: Duration) -> i32 {
    let secs = delay.as_millis().div_ceil(1_000);
    i32::try_from(secs)
        .unwrap_or(VISIBILITY_MAX_SECS)
        .min(VISIBILITY_MAX_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_grows_up_to_its_cap() {
        let backoff = Backoff {
            base: Duration::from_millis(10),
            factor: 2,
            cap: Duration::from_millis(35),
        };
        let bounds: Vec<_> = (1..5)
            .map(|attempt| backoff.bound(attempt).as_millis())
            .collect();
        assert_eq!(bounds, [10, 20, 35, 35]);
        assert_eq!(backoff.bound(u32::MAX), backoff.cap);
    }

    #[test]
    fn a_held_message_never_comes_back_before_its_lease_ends() {
        let now = Timestamp::from_millis(1_000_000);
        for _ in 0..200 {
            let secs = visibility_until(now.plus(Duration::from_millis(6_400)), now);
            assert!((7..=10).contains(&secs), "{secs}");
        }
        assert_eq!(
            visibility_until(now.plus(Duration::from_secs(100_000)), now),
            VISIBILITY_MAX_SECS
        );
    }

    #[test]
    fn a_stated_delay_is_kept_whatever_the_draw() {
        for _ in 0..200 {
            assert!(visibility_secs(1, Some(Duration::from_secs(9))) >= 9);
            assert!((1..=2).contains(&visibility_secs(1, None)));
        }
    }
}
