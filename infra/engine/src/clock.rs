//! The one clock that every service of the engine reads. Waiting is always `tokio::time`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the engine's time comes from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Real,
    Tokio {
        base: SystemTime,
        start: tokio::time::Instant,
    },
}

impl Clock {
    /// The system's wall clock.
    pub fn real() -> Clock {
        Clock(Source::Real)
    }

    /// `base` plus the time that passed on tokio's clock since this call, so that a paused runtime
    /// drives it. Call it inside the runtime that is paused.
    pub fn tokio(base: SystemTime) -> Clock {
        Clock(Source::Tokio {
            base,
            start: tokio::time::Instant::now(),
        })
    }

    /// The present time.
    pub fn system_time(&self) -> SystemTime {
        match &self.0 {
            Source::Real => SystemTime::now(),
            Source::Tokio { base, start } => *base + start.elapsed(),
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        let since = self.since_epoch();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn since_epoch(&self) -> Duration {
        self.system_time()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }
}

impl dynoxide::storage_backend::Clock for Clock {
    fn now_unix_secs(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.since_epoch().as_secs_f64()
    }
}

impl aws_smithy_async::time::TimeSource for Clock {
    fn now(&self) -> SystemTime {
        self.system_time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_drives_the_clock() {
        let clock = Clock::tokio(UNIX_EPOCH + Duration::from_secs(100));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now_ms(), 3_700_000);
    }
}
