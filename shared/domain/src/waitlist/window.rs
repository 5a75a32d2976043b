//! How long an offer stands.
//!
//! Its time is the configured window, or a share of the time to the slot if that is less. It
//! stands still in quiet hours, for nobody is expected to answer then, and it never goes past the
//! slot's cutoff.

use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::QuietHours;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::local::{moment, on_the_wall, zone};
use super::slot::SlotFacts;

/// Least time for which a new offer is worth making. Shorter ones cost people a skip without a
/// chance to answer: a message takes its time to arrive, and to be read.
pub const OFFER_LASTS_MIN: Duration = Duration::from_secs(60);

/// Quiet hours that one offer can span. An offer stands for at most seven days, and at least
/// eight hours of each are not quiet; so it is over in 21 nights.
const NIGHTS_MAX: usize = 22;

/// When an offer made at `now` ends.
#[must_use]
pub fn offer_end(facts: &SlotFacts, now: Timestamp) -> Timestamp {
    let rules = &facts.terms.rules;
    let cutoff = facts.cutoff();
    let configured = Duration::from_secs(u64::from(facts.window_seconds));
    let window = match rules.window_percent {
        // The share never asks for an answer in less than what is worth asking for.
        Some(percent) => (facts.starts_at.since(now) * u32::from(percent) / 100)
            .max(OFFER_LASTS_MIN)
            .min(configured),
        None => configured,
    };
    let end = match rules.quiet_hours {
        Some(quiet) => past_quiet_hours(quiet, &zone(facts.zone.as_deref()), now, window),
        None => now.plus(window),
    };
    end.min(cutoff)
}

/// The moment at which `window` has passed since `now`, quiet hours not counted.
fn past_quiet_hours(
    quiet: QuietHours,
    zone: &TimeZone,
    now: Timestamp,
    window: Duration,
) -> Timestamp {
    let (mut at, mut left) = (now, window);
    for _ in 0..NIGHTS_MAX {
        let Some((from, to)) = next_quiet(quiet, zone, at) else {
            break;
        };
        let awake = from.since(at);
        if left <= awake {
            break;
        }
        left -= awake;
        at = to;
    }
    at.plus(left)
}

/// The quiet hours that `at` is in, or the next ones.
fn next_quiet(quiet: QuietHours, zone: &TimeZone, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let today = on_the_wall(at, zone).date();
    // Those of yesterday may go on today.
    let mut day = today.checked_sub(1.day()).ok()?;
    for _ in 0..3 {
        let hours = quiet_of(quiet, zone, day)?;
        if hours.1 > at {
            return Some(hours);
        }
        day = day.checked_add(1.day()).ok()?;
    }
    None
}

/// The quiet hours that begin on `day`.
fn quiet_of(quiet: QuietHours, zone: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
    let end_day = if quiet.to <= quiet.from {
        day.checked_add(1.day()).ok()?
    } else {
        day
    };
    Some((
        moment(day, quiet.from, zone)?,
        moment(end_day, quiet.to, zone)?,
    ))
}
