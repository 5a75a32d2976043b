//! Whether a slot is one that a person can take, judged by the clock on the clinic's wall.

use std::ops::RangeInclusive;
use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::{Ineligible, Preferences, Weekday, WeeklyWindow};
use jiff::{ToSpan as _, Zoned};

use super::local::{on_the_wall, zone};
use super::refusal::Refusal;
use super::slot::{SlotFacts, is_name};

/// Places, and people, that one entry can name: with more it has no preference. The lists share
/// the 1,024 bytes of a commit.
pub const NAMES_MAX: usize = 8;

/// Windows of the week that one entry can name: one for each day.
pub const WINDOWS_MAX: usize = 7;

/// Days that one entry can rule out: two weeks of single days, and two to spare.
pub const BLACKOUT_DATES_MAX: usize = 16;

/// Furthest that anybody plans ahead, in days.
pub const HORIZON_DAYS_MAX: u16 = 730;

/// Longest notice, and longest gap, in seconds: 90 days.
pub const SECONDS_MAX: u32 = 90 * 24 * 3_600;

/// Whether the preferences can be kept at all.
///
/// # Errors
/// [`Refusal::Preferences`] with the field that is wrong.
pub fn check(preferences: &Preferences) -> Result<(), Refusal> {
    let names = |names: &[String]| names.len() <= NAMES_MAX && names.iter().all(|n| is_name(n));
    let windows = &preferences.windows;
    let dates = preferences.dates.unwrap_or_default();
    let minutes = preferences.minutes.unwrap_or_default();
    let in_order =
        |from: Option<_>, to: Option<_>| from.zip(to).is_none_or(|(from, to)| from <= to);
    let seconds = |value: Option<u32>| value.is_none_or(|value| value <= SECONDS_MAX);
    let own = preferences.own_booking.as_ref();
    let swap = own.is_some_and(|own| own.swap);
    let rules = [
        ("locations", names(&preferences.locations)),
        ("providers", names(&preferences.providers)),
        (
            "windows",
            windows.len() <= WINDOWS_MAX
                && windows.iter().all(|w| w.from < w.to && w.days.len() <= 7),
        ),
        (
            "dates",
            dates.from.zip(dates.to).is_none_or(|(from, to)| from <= to),
        ),
        ("minutes", in_order(minutes.min, minutes.max)),
        ("minNoticeSeconds", seconds(preferences.min_notice_seconds)),
        ("gapSeconds", seconds(preferences.gap_seconds)),
        (
            "ownBooking",
            own.is_none_or(|own| own.starts_at < own.ends_at),
        ),
        // Nothing can be freed that is not one of our slots.
        (
            "ownBooking/slotId",
            !swap || own.is_some_and(|own| own.slot_id.is_some()),
        ),
        (
            "blackoutDates",
            preferences.blackout_dates.len() <= BLACKOUT_DATES_MAX,
        ),
        (
            "horizonDays",
            preferences
                .horizon_days
                .is_none_or(|days| days <= HORIZON_DAYS_MAX),
        ),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(Refusal::Preferences(field)),
        None => Ok(()),
    }
}

/// Whether the slot suits the preferences at `now`.
///
/// # Errors
/// The first reason why not.
pub fn suits(
    preferences: &Preferences,
    slot: &SlotFacts,
    now: Timestamp,
) -> Result<(), Ineligible> {
    if preferences.is_empty() {
        return Ok(());
    }
    named(
        &preferences.locations,
        slot.location.as_deref(),
        Ineligible::OtherLocation,
    )?;
    named(
        &preferences.providers,
        slot.provider.as_deref(),
        Ineligible::OtherProvider,
    )?;
    duration(preferences, slot)?;
    days_and_hours(preferences, slot, now)?;
    let notice = Duration::from_secs(preferences.min_notice_seconds.unwrap_or(0).into());
    if slot.starts_at < now.plus(notice) {
        return Err(Ineligible::TooShortNotice);
    }
    own_booking(preferences, slot)
}

/// Who names places takes no slot whose place is not known.
fn named(wanted: &[String], has: Option<&str>, reason: Ineligible) -> Result<(), Ineligible> {
    let fits = wanted.is_empty() || has.is_some_and(|has| wanted.iter().any(|name| name == has));
    if fits { Ok(()) } else { Err(reason) }
}

fn duration(preferences: &Preferences, slot: &SlotFacts) -> Result<(), Ineligible> {
    let wanted = preferences.minutes.unwrap_or_default();
    let minute = |minutes: u16| Duration::from_secs(u64::from(minutes) * 60);
    let lasts = slot.ends_at.since(slot.starts_at);
    let long_enough = wanted.min.is_none_or(|min| lasts >= minute(min));
    if long_enough && wanted.max.is_none_or(|max| lasts <= minute(max)) {
        Ok(())
    } else {
        Err(Ineligible::WrongDuration)
    }
}

fn days_and_hours(
    preferences: &Preferences,
    slot: &SlotFacts,
    now: Timestamp,
) -> Result<(), Ineligible> {
    let zone = zone(slot.zone.as_deref());
    let (starts, ends) = (
        on_the_wall(slot.starts_at, &zone),
        on_the_wall(slot.ends_at, &zone),
    );
    let day = starts.date();
    let wanted = preferences.dates.unwrap_or_default();
    if wanted.from.is_some_and(|from| day < from.date())
        || wanted.to.is_some_and(|to| day > to.date())
    {
        return Err(Ineligible::OutsideDates);
    }
    // A slot that ends at midnight does not touch the day that begins there.
    let last = ends.datetime().checked_sub(1.nanosecond());
    let touched: RangeInclusive<_> = day..=last.map_or(day, |last| last.date());
    let ruled_out = &preferences.blackout_dates;
    if ruled_out
        .iter()
        .any(|blackout| touched.contains(&blackout.date()))
    {
        return Err(Ineligible::BlackoutDate);
    }
    let windows = &preferences.windows;
    if !windows.is_empty() && !windows.iter().any(|window| lies_in(window, &starts, &ends)) {
        return Err(Ineligible::OutsideWindows);
    }
    let horizon = preferences.horizon_days.and_then(|days| {
        let today = on_the_wall(now, &zone).date();
        today.checked_add(i64::from(days).days()).ok()
    });
    if horizon.is_some_and(|horizon| day > horizon) {
        return Err(Ineligible::BeyondHorizon);
    }
    Ok(())
}

/// Both ends are judged by what the clock shows, also on a day on which it is changed.
fn lies_in(window: &WeeklyWindow, starts: &Zoned, ends: &Zoned) -> bool {
    let midnight = starts.date().at(0, 0, 0, 0);
    let minutes = |of: &Zoned| of.datetime().duration_since(midnight).as_secs() / 60;
    let on_the_day = window.days.is_empty() || window.days.contains(&weekday(starts));
    on_the_day
        && minutes(starts) >= i64::from(window.from.minutes())
        && minutes(ends) <= i64::from(window.to.minutes())
}

fn weekday(at: &Zoned) -> Weekday {
    match at.weekday() {
        jiff::civil::Weekday::Monday => Weekday::Mon,
        jiff::civil::Weekday::Tuesday => Weekday::Tue,
        jiff::civil::Weekday::Wednesday => Weekday::Wed,
        jiff::civil::Weekday::Thursday => Weekday::Thu,
        jiff::civil::Weekday::Friday => Weekday::Fri,
        jiff::civil::Weekday::Saturday => Weekday::Sat,
        jiff::civil::Weekday::Sunday => Weekday::Sun,
    }
}

/// Who would give up a booking wants a slot before it; who keeps it wants one away from it.
fn own_booking(preferences: &Preferences, slot: &SlotFacts) -> Result<(), Ineligible> {
    let Some(own) = &preferences.own_booking else {
        return Ok(());
    };
    let gap = Duration::from_secs(preferences.gap_seconds.unwrap_or(0).into());
    let before = slot.ends_at.plus(gap) <= own.starts_at;
    let after = own.ends_at.plus(gap) <= slot.starts_at;
    if before || (after && !own.swap) {
        Ok(())
    } else if own.swap && slot.starts_at >= own.starts_at {
        Err(Ineligible::NoSooner)
    } else {
        Err(Ineligible::TooCloseToOwnBooking)
    }
}
