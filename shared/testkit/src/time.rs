//! Virtual time, and waiting without sleeping.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where virtual time starts: 2026-11-21T00:00:00Z, in seconds since the epoch.
pub const VIRTUAL_START_SECS: u64 = 1_795_219_200;

/// [`VIRTUAL_START_SECS`] as a time.
#[must_use]
pub fn virtual_start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(VIRTUAL_START_SECS)
}

/// A single-threaded runtime whose time stands still while anything runs, and leaps to the next
/// timer when nothing does.
///
/// # Panics
/// When the system gives no runtime.
#[must_use]
pub fn virtual_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime can be made")
}

/// Polls `check` until it gives something, and panics after `limit`: for what happens in its own
/// time, instead of a sleep.
///
/// # Panics
/// When `limit` passes first.
pub async fn eventually<T, F, Fut>(limit: Duration, what: &str, check: F) -> T
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    /// Between two looks.
    const PAUSE: Duration = Duration::from_millis(10);
    let found = tokio::time::timeout(limit, async {
        loop {
            if let Some(found) = check().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    found
        .await
        .unwrap_or_else(|_| panic!("after {limit:?}: {what}"))
}
